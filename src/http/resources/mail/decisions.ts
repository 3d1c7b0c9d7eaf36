import { Type } from "@sinclair/typebox";
import { counterparts } from "../../../approval/attached-files.ts";
import type { Mailbox, OutboundAttachment } from "../../../mail.ts";
import { distinct } from "../../../outbound/reply.ts";
import { listedAttachments } from "../../../outbound/send.ts";
import type { Caller } from "../../../store/accounts/accounts.ts";
import { editedParts } from "../../../store/outbound/edited-parts.ts";
import type { Decided, Decision, Edit } from "../../../store/outbound/holds.ts";
import type { BriefOutbound, Outbound as StoredOutbound } from "../../../store/outbound/outbound.ts";
import type { Withdrawn } from "../../../store/outbound/withdraw.ts";
import type { AuditRow } from "../../../store/schema.ts";
import { Failure } from "../../../util/errors.ts";
import { Approved, Outbound, Rejected } from "../../../wire/outbound.ts";
import { optional } from "../../../wire/words.ts";
import type { Identity } from "../../framework/identity.ts";
import { answer, type Given, invalid, list, optionalBody, text } from "../../framework/input.ts";
import { operation } from "../../framework/openapi.ts";
import { notFound } from "../../framework/problem.ts";
import { type Exchange, type RouteDeps, resource } from "../../framework/resource.ts";
import { REASON_CHARS_MAX } from "../../pages/approval-pages.ts";
import { decider } from "./decider.ts";
import { ownBrief, ownOutbound, wholeOnWire } from "./outbound.ts";
import { editedPartsOf, providerMessageId } from "./outbound-wire.ts";
import * as input from "./send-input.ts";
import { outcomeOf, prefersAsync, submitFailures } from "./submit.ts";

/** A hash has 64; other text fails as any other hash would. */
const HASH_CHARS_MAX = 100;

const contentHash = text({
  max: HASH_CHARS_MAX,
  description: "The hash of the content that was reviewed. The decision fails if the content has changed since.",
});

type EditedContent = Omit<input.GivenContent, "body" | "html_body"> & { body_text?: string; body_html?: string };

/** The routes by which people approve and reject held mail: an agent's key cannot decide. */
export function decisions(deps: RouteDeps) {
  const { config, store, sender, clock } = deps;

  const Approval = optionalBody(
    {
      to: Type.Optional(input.addressList()),
      cc: Type.Optional(input.addressList()),
      bcc: Type.Optional(input.addressList()),
      subject: Type.Optional(input.subjectLine),
      body_text: Type.Optional(input.bodyText),
      body_html: Type.Optional(input.bodyHtml),
      attachments: Type.Optional(list(input.approvedAttachment, input.ATTACHMENTS_MAX)),
      content_hash: Type.Optional(contentHash),
    },
    (given, complain) => input.checkContent(contentIn(given), named(complain), config.limits),
  );
  const Rejection = optionalBody({
    reason: Type.Optional(text({ max: REASON_CHARS_MAX, description: "The agent reads it." })),
    content_hash: Type.Optional(contentHash),
  });

  /** Requires a message that waits for a decision. Failures `forbidden`, `not_found`, `conflict`. */
  async function requireHeld(
    caller: Identity,
    id: string,
    seen: string | undefined,
    exchange: Exchange,
  ): Promise<void> {
    requireDecider(caller);
    const found = await ownBrief(store, caller, id);
    await deps.answers.named(found.message, caller.proofId);
    if (found.message.status !== "pending_approval")
      throw await conflictOf({ kind: "decided", outbound: found }, exchange);
    if (seen !== undefined && seen !== found.message.contentHash)
      throw await conflictOf({ kind: "superseded", outbound: found }, exchange);
  }

  /** Decides in one transaction. Failure `conflict` if the message is decided already, or its content has changed. */
  async function decide(decision: Decision, exchange: Exchange): Promise<StoredOutbound> {
    const decided = await store.decideHold(decision);
    if (!decided) throw notFound("outbound message");
    if (decided.kind !== "done") throw await conflictOf(decided, exchange);
    return decided.outbound;
  }

  async function conflictOf(
    { kind, outbound }: Exclude<Decided, { kind: "done" }>,
    exchange: Exchange,
  ): Promise<Failure> {
    const { message } = outbound;
    if (kind === "superseded") {
      const whole = (await store.isEdited(message.id))
        ? await exchange.withWholeMessage(() => store.getOutbound(message.userId, message.id))
        : null;
      const parts = whole ? editedPartsOf(whole.message) : undefined;
      const what = parts && parts.length > 0 ? ` It differs from what the agent wrote in ${parts.join(", ")}.` : "";
      return new Failure("conflict", `content_hash does not match: the message has changed.${what}`, {
        fix: `Look at it again: GET /api/v1/messages/${message.id}.`,
        extra: { content_hash: message.contentHash, ...optional("edited_parts", parts) },
      });
    }
    const entry = message.reviewedAt ? await store.decisionAbout(message) : null;
    return new Failure("conflict", entry ? decisionSentence(entry) : undecidedSentence(outbound), {
      fix: `GET /api/v1/messages/${message.id} shows its current state.`,
      ...(entry
        ? {
            extra: {
              decision: {
                action: entry.action,
                by: entry.decidedBy,
                how: entry.how,
                at: entry.createdAt.toISOString(),
              },
            },
          }
        : {}),
    });
  }

  /**
   * Composes the message with the given members in place of the agent's. Null if they change nothing: a client may hand
   * back what it was shown. Failures as with a send; nothing is stored.
   */
  async function edited(
    { message }: StoredOutbound,
    given: Given<typeof Approval>,
    exchange: Exchange,
  ): Promise<Edit | null> {
    const agent = await store.getAgent(message.agentId);
    if (!agent) throw notFound("outbound message");
    const { content } = message;
    const replaced = withNames(input.readRecipients(given), content);
    const recipients = distinct({
      to: given.to === undefined ? content.to : replaced.to,
      cc: given.cc === undefined ? content.cc : replaced.cc,
      bcc: given.bcc === undefined ? content.bcc : replaced.bcc,
    });
    const errors = new Map<string, string>();
    const complain = (field: string, problem: string) => errors.set(field, problem);
    if (Object.values(recipients).every((list) => list.length === 0))
      complain("to", "is required: name at least one recipient in to, cc or bcc");
    input.checkCount(recipients, complain, config.limits);
    // A reviewer may hand back what there is.
    if (given.subject !== message.subject) input.checkSubject(given.subject, complain);
    const before = { ...content, subject: message.subject };
    // Before the texts are converted, which takes long.
    if (editedParts(before, { ...before, ...recipients }).length > 0) await input.checkKnown(given, complain, deps);
    if (errors.size > 0) throw invalid([...errors].map(([field, problem]) => ({ field, message: problem })));
    const said = input.contentOf(contentIn(given));
    const bodies = await bodiesOf(message, given);
    const { replyTo, inReplyTo, references, headers } = content;
    const subject = given.subject ?? message.subject;
    const attachments = given.attachments === undefined ? await keptAttachments(message, exchange) : said.attachments;
    const after = { ...content, ...recipients, ...bodies, subject, attachments: listedAttachments(attachments) };
    const isSame = editedParts(before, after).length === 0;
    if (isSame && (given.attachments === undefined || (await hasFiles(message, attachments, exchange)))) return null;
    try {
      return await sender.edit(
        {
          agent,
          type: message.type,
          ...recipients,
          replyTo,
          inReplyTo,
          references,
          headers,
          subject,
          ...bodies,
          attachments,
          conversationId: message.conversationId,
          originalConversation: content.originalConversation ?? null,
          asked: null,
          wait: false,
        },
        message,
      );
    } catch (error) {
      if (!(error instanceof Failure) || error.code !== "invalid_request") throw error;
      throw invalid((error.details.errors ?? []).map((one) => ({ ...one, field: nameOf(one.field) })));
    }
  }

  /**
   * The text and the HTML after an edit, which must say the same: if only one of them is given, and differs, the other
   * is made from it. Formatting that text cannot express is then lost. If both are given, both are used unchanged.
   */
  async function bodiesOf(
    message: StoredOutbound["message"],
    { body_text: newText, body_html: newHtml }: EditedContent,
  ): Promise<{ text: string; html: string | null }> {
    const { text, html } = message.content;
    if (newHtml === undefined) {
      if (newText === undefined || newText === text || html === null) return { text: newText ?? text, html };
      return { text: newText, html: (await deps.offload.htmlFromText(message, newText)) || null };
    }
    if (newText !== undefined || newHtml === "" || newHtml === html)
      return { text: newText ?? text, html: newHtml || null };
    return { text: await deps.offload.htmlToText(message, newHtml), html: newHtml };
  }

  /** The parts of a message that its listed attachments became. */
  async function filesOf(message: StoredOutbound["message"], exchange: Exchange) {
    const { attachments } = message.content;
    if (attachments.length === 0) return [];
    return exchange.withWholeMessage(async () => {
      const bytes = await store.outboundBytes(message.id);
      if (bytes) exchange.reserve(bytes.length);
      return counterparts(attachments, bytes ? await deps.offload.attachments(message, bytes) : []);
    }, "child");
  }

  /** Whether these files have the bytes of the message's attachments, one by one. */
  async function hasFiles(
    message: StoredOutbound["message"],
    files: OutboundAttachment[],
    exchange: Exchange,
  ): Promise<boolean> {
    const found = await filesOf(message, exchange);
    return files.every(({ content }, i) => Buffer.compare(content, found[i]?.content ?? new Uint8Array()) === 0);
  }

  /** Reads the message's attachments from its bytes. */
  async function keptAttachments(
    message: StoredOutbound["message"],
    exchange: Exchange,
  ): Promise<OutboundAttachment[]> {
    const files = await filesOf(message, exchange);
    return message.content.attachments.map((listed, i) => {
      const found = files[i];
      if (!found)
        throw new Failure("internal", `The attachment ${listed.filename} can no longer be read.`, {
          fix: "Approve it without changes, or send all attachments again.",
        });
      const { filename, content_type: contentType, content_id: contentId } = listed;
      return { filename, contentType, content: found.content, ...optional("contentId", contentId) };
    });
  }

  return resource("/api/v1/messages")
    .post(
      "/:id/approve",
      async ({ params, body, caller, exchange, request, set, status }) => {
        const { content_hash: seen, ...changes } = body;
        await requireHeld(caller, params.id, seen, exchange);
        const found = await exchange.withWholeMessage(() => ownOutbound(store, caller, params.id));
        const isBound = Object.keys(changes).length > 0;
        // The answer may wait for the first attempt, with the message in memory.
        exchange.reserve(textLengthOf(found.message.content));
        const edit = isBound ? await edited(found, changes, exchange) : null;
        await exchange.requireStanding();
        const decided = await decide(
          {
            ...decider(exchange, request),
            userId: caller.user.id,
            id: found.message.id,
            now: new Date(clock.now()),
            verdict: { kind: "approve", edit },
            // What the members say is about the content read above, also if they change nothing.
            contentHash: seen ?? (isBound ? found.message.contentHash : null),
          },
          exchange,
        );
        const settled = prefersAsync(request, set) ? decided : await sender.settle(decided, exchange.signal);
        const outcome = outcomeOf(settled);
        return status(outcome.status, {
          ...outcome.sent,
          edited: settled.message.original !== null,
          ...optional("edited_parts", editedPartsOf(settled.message)),
          ...optional("provider_message_id", providerMessageId(settled.message, settled.recipients)),
          content_hash: settled.message.contentHash,
        });
      },
      {
        body: Approval,
        response: { 200: answer(Approved), 202: answer(Approved) },
        ...operation({
          id: "approveMessage",
          tag: "approval",
          takesAttachments: true,
          summary: "Approve a held message, with or without changes",
          description:
            "Members in the body replace what the agent wrote; the rest stays. Text and HTML always say the same: a new " +
            '`body_text` alone regenerates the HTML, a new `body_html` alone the text, and `body_html: ""` drops the ' +
            "HTML; give both to set both. 200: it has left; 202: it is queued " +
            "(after 10 seconds, or at once with `Prefer: respond-async`). 409: it was already decided, or is not what " +
            "`content_hash` names; nothing is sent. An agent's key cannot decide.",
          failures: [...submitFailures, "internal"],
          example: {
            subject: "Your invoice",
            content_hash: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
          },
        }),
      },
    )
    .post(
      "/:id/reject",
      async ({ params, body, caller, exchange, request }) => {
        await requireHeld(caller, params.id, body.content_hash, exchange);
        const { message } = await decide(
          {
            ...decider(exchange, request),
            userId: caller.user.id,
            id: params.id,
            now: new Date(clock.now()),
            verdict: { kind: "reject", reason: body.reason ?? "" },
            contentHash: body.content_hash ?? null,
          },
          exchange,
        );
        const { id, rejectionReason } = message;
        return { message_id: id, status: "rejected" as const, rejection_reason: rejectionReason ?? "" };
      },
      {
        body: Rejection,
        response: { 200: answer(Rejected) },
        ...operation({
          id: "rejectMessage",
          tag: "approval",
          summary: "Reject a held message",
          description: "The rejection is final. The agent reads the reason at GET /api/v1/messages/{id}.",
          failures: ["forbidden", "conflict"],
          example: { reason: "The price is wrong." },
        }),
      },
    )
    .post(
      "/:id/undo",
      async ({ params, caller, exchange, request }) => {
        requireDecider(caller);
        const { message } = await ownBrief(store, caller, params.id);
        const after = await store.withdrawApproval({
          ...decider(exchange, request),
          userId: caller.user.id,
          id: message.id,
          now: new Date(clock.now()),
        });
        if (!after) throw notFound("outbound message");
        if (after.kind === "done") {
          const find = () => ownOutbound(store, caller, params.id);
          return await wholeOnWire(find, deps, exchange, false);
        }
        throw await standingOf(after);
      },
      {
        response: { 200: answer(Outbound) },
        ...operation({
          id: "undoApproval",
          tag: "approval",
          summary: "Undo an approval before the message leaves",
          description:
            "The message waits again, with its expiry and any edits; it can be approved, edited or rejected " +
            "as before. The agent's `undo_seconds` is the time you have. 409 once delivery to a recipient has started.",
          failures: ["forbidden", "conflict"],
        }),
      },
    );

  /** The failure that says why an approval cannot be taken back. */
  async function standingOf({ kind, outbound }: Exclude<Withdrawn, { kind: "done" }>): Promise<Failure> {
    const { id, reviewedAt } = outbound.message;
    if (kind === "waiting")
      return new Failure("conflict", "The message is waiting for a decision; there is no approval to undo.");
    if (kind === "leaving") {
      const tried = outbound.recipients.filter(({ leaseToken, attempts }) => leaseToken !== null || attempts > 0);
      const total = outbound.recipients.length;
      return new Failure(
        "conflict",
        `It is too late: delivery to ${tried.length} of ${total} recipients has started.`,
        {
          fix: `POST /api/v1/messages/${id}/cancel cancels the recipients that are still queued.`,
        },
      );
    }
    const entry = reviewedAt ? await store.decisionAbout(outbound.message) : null;
    return new Failure("conflict", entry ? decisionSentence(entry) : undecidedSentence(outbound), {
      fix: `Only a person's approval can be undone. GET /api/v1/messages/${id} shows the message's current state.`,
    });
  }
}

type Recipients = Record<"to" | "cc" | "bcc", Mailbox[]>;

/** Characters of the texts of a message, about as many as it has bytes. */
function textLengthOf({ text, html }: StoredOutbound["message"]["content"]): number {
  return text.length + (html?.length ?? 0);
}

/** Recipients with the names that the message has for them, unless other names are given: answers show bare addresses. */
function withNames(given: Recipients, before: Recipients): Recipients {
  const names = new Map([...before.to, ...before.cc, ...before.bcc].map(({ address, name }) => [address, name]));
  const named = (list: Mailbox[]) =>
    list.map(({ address, name }) => ({ address, name: name || (names.get(address) ?? "") }));
  return { to: named(given.to), cc: named(given.cc), bcc: named(given.bcc) };
}

/** The members of an edit under the names that they have in a new message. */
function contentIn({ body_text, body_html, ...rest }: EditedContent): input.GivenContent {
  return { ...rest, ...optional("body", body_text), ...optional("html_body", body_html) };
}

/** Reports errors under the names that the members have in an edit. */
function named(complain: (field: string, message: string) => void): typeof complain {
  return (field, message) => complain(nameOf(field), message);
}

function nameOf(field: string): string {
  return field === "body" ? "body_text" : field;
}

/** Failure `forbidden` for an agent's key. */
function requireDecider(caller: Caller): void {
  if (caller.scope === "account") return;
  throw new Failure("forbidden", "An agent cannot decide about its own mail.", {
    fix: "A person decides: in the dashboard, on the command line, by the link in the mail, or with an account key.",
  });
}

const deeds: Record<AuditRow["action"], string> = {
  approve: "approved it",
  edit_approve: "changed and approved it",
  reject: "rejected it",
  release: "released it",
  undo: "undid the approval",
  expire_approve: "it was sent",
  expire_reject: "it was rejected",
};
const channels: Record<AuditRow["how"], string> = {
  api: "by the API",
  session: "in the dashboard",
  cli: "on the command line",
  link: "by link",
  expiry: "automatically",
};

/** `ann@example.com approved it at 2026-05-15T12:00:00.000Z, by link.` */
function decisionSentence({ action, decidedBy, how, createdAt }: AuditRow): string {
  const at = createdAt.toISOString();
  if (how === "expiry") return `No one decided in time, so ${deeds[action]} at ${at}.`;
  return `${decidedBy} ${deeds[action]} at ${at}, ${channels[how]}.`;
}

function undecidedSentence({ message: { status } }: BriefOutbound): string {
  return status === "cancelled"
    ? "The message was cancelled before a decision was made."
    : `The message does not wait for a decision: it is ${status.replaceAll("_", " ")}.`;
}
