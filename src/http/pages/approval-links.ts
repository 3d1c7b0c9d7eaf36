import { Type } from "@sinclair/typebox";
import { attachedFiles } from "../../approval/attached-files.ts";
import { reviewOf } from "../../approval/reviews.ts";
import type { Approval } from "../../approval/token.ts";
import type { BriefOutbound, Outbound } from "../../store/outbound/outbound.ts";
import { download } from "../framework/download.ts";
import { type Given, query } from "../framework/input.ts";
import { operation } from "../framework/openapi.ts";
import { type Exchange, openResource, type RouteDeps } from "../framework/resource.ts";
import { approvalPage, type Outcome, outcomePage, REASON_CHARS_MAX } from "./approval-pages.ts";

type Action = Approval["action"];
/** A token whose message waits for its decision, or the outcome to show instead. */
type Looked = { approval: Approval; message: BriefOutbound["message"] } | { outcome: Outcome };

const LinkQuery = query(
  {
    t: Type.Optional(Type.String({ description: "The token." })),
    token: Type.Optional(Type.String({ description: "The same, as older links name it." })),
  },
  // Mail programs that count clicks add their own (`utm_source`, `fbclid`), and the link must still open.
  { others: "ignored" },
);

type LinkToken = Given<typeof LinkQuery>;

function tokenOf({ t, token }: LinkToken): string {
  return t ?? token ?? "";
}

const pages = {
  400: "The link is damaged or made up, or the form is not valid",
  404: "The message is deleted",
  409: "The message was already decided, or has changed since",
  410: "The link has expired, or its holder is no longer a reviewer",
  413: "The form is too large",
  422: "It may no longer leave; it still waits",
};

const { 413: _tooLarge, 422: _refused, ...filePages } = pages;

/** Headers besides those of every download, because the URL has the token in it. */
const fileHeaders = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "x-robots-tag": "noindex, nofollow",
};

/**
 * The routes that links in reviewer mail open. GET and HEAD only show, because scanners, previews and prefetching
 * browsers follow links too. POST decides; the token, in its form or in the link, is the proof that a cross-site form
 * does not have.
 */
export function approvalLinks(deps: RouteDeps) {
  const { approvals, store, clock } = deps;
  const now = () => new Date(clock.now());

  async function look(token: string, action: Action): Promise<Looked> {
    const read = approvals.read(token, now());
    if (read.kind === "forged" || read.action !== action) return { outcome: { kind: "forged" } };
    const outbound = await store.briefOutbound(read.messageId);
    const isExpired = read.kind === "expired";
    if (!outbound) return { outcome: isExpired ? { kind: "expired", ended: null } : { kind: "gone" } };
    const { message } = outbound;
    if (message.status !== "pending_approval") return { outcome: await decidedOutcome(outbound) };
    const agent = await store.getAgent(message.agentId);
    if (!agent) return { outcome: { kind: "gone" } };
    if (isExpired) {
      const onExpiry = message.hold?.rule === "loop" ? "reject" : agent.hitlExpirationAction;
      const at = message.approvalExpiresAt;
      return { outcome: { kind: "expired", ended: at && at <= now() ? { at, onExpiry } : null } };
    }
    if (read.contentHash !== message.contentHash) return { outcome: { kind: "superseded", reviewUrl: null } };
    const isReviewer =
      agent.hitlReviewers.includes(read.reviewer) ||
      (await store.findUserByEmail(read.reviewer))?.id === message.userId;
    return isReviewer ? { approval: read, message } : { outcome: { kind: "dismissed" } };
  }

  /** The message that a link is about, with its content; the outcome to show instead if it has changed or is gone. */
  async function whole({ messageId, contentHash }: Approval): Promise<Outbound | Outcome> {
    const outbound = await store.heldMessage(messageId);
    if (!outbound) return { kind: "gone" };
    return outbound.message.contentHash === contentHash ? outbound : { kind: "superseded", reviewUrl: null };
  }

  async function decidedOutcome({ message }: BriefOutbound): Promise<Outcome> {
    const messageId = message.id;
    const entry = message.reviewedAt ? await store.decisionAbout(message) : null;
    if (!entry) {
      const decision = message.status === "cancelled" ? "cancelled" : "approved";
      return { kind: "decided", messageId, decision, by: null, how: null, at: null };
    }
    const { action, decidedBy: by, how, createdAt: at } = entry;
    const isRejected = action === "reject" || action === "expire_reject";
    if (how === "expiry") return { kind: "expired", ended: { at, onExpiry: isRejected ? "reject" : "approve" } };
    return { kind: "decided", messageId, decision: isRejected ? "rejected" : "approved", by, how, at };
  }

  async function show(exchange: Exchange, action: Action, link: LinkToken): Promise<Response> {
    const given = tokenOf(link);
    const looked = await look(given, action);
    if ("outcome" in looked) return outcomePage(looked.outcome);
    const outbound = await whole(looked.approval);
    if ("kind" in outbound) return outcomePage(outbound);
    const agent = await store.getAgent(outbound.message.agentId);
    if (!agent) return outcomePage({ kind: "gone" });
    const held = await deps.reviews.of(outbound);
    // The page decides by its form, so it needs no links.
    const review = reviewOf({ outbound, held, agent, approveUrl: "", rejectUrl: "", reviewUrl: null });
    return approvalPage(exchange, await deps.offload.approvalPage(outbound.message, { review, action, token: given }));
  }

  /** Answers with one attachment of the link's message, as a file to save. */
  async function file(exchange: Exchange, action: Action, index: string, link: LinkToken): Promise<Response> {
    const looked = await look(tokenOf(link), action);
    if ("outcome" in looked) return outcomePage(looked.outcome);
    const found = await exchange.withWholeMessage(async () => {
      const outbound = await whole(looked.approval);
      if ("kind" in outbound) return null;
      const { message } = outbound;
      const { id, content } = message;
      const wanted = content.attachments.findIndex((attachment) => String(attachment.index) === index);
      const raw = wanted < 0 ? null : await store.outboundBytes(id);
      return raw && (await attachedFiles(message, raw, content.attachments, deps.offload.attachments))[wanted];
    }, "child");
    if (!found) return outcomePage({ kind: "gone" });
    const response = download(exchange, found.content, found.contentType, found.filename);
    for (const [name, value] of Object.entries(fileHeaders)) response.headers.set(name, value);
    return response;
  }

  async function act(action: Action, { body, clientIp: ip }: Exchange, link: LinkToken): Promise<Response> {
    const form = new URLSearchParams(new TextDecoder().decode(body));
    // Forms send line breaks as CRLF; the limit is for the text as the reviewer typed it.
    const reason = (form.get("reason") ?? "").replaceAll("\r\n", "\n").trim();
    const looked = await look(form.get("t") ?? form.get("token") ?? tokenOf(link), action);
    if ("outcome" in looked) return outcomePage(looked.outcome);
    if (action === "reject" && reason.length > REASON_CHARS_MAX)
      return outcomePage({ kind: "invalid", problem: `The reason is longer than ${REASON_CHARS_MAX} characters.` });
    if (action === "reject" && reason.includes("\0"))
      return outcomePage({ kind: "invalid", problem: "The reason has a character that is not text." });
    const { reviewer, messageId, contentHash } = looked.approval;
    const decided = await store.decideHold({
      userId: null,
      id: messageId,
      contentHash,
      by: reviewer,
      how: "link",
      ip,
      now: now(),
      verdict: action === "approve" ? { kind: "approve", edit: null } : { kind: "reject", reason },
    });
    if (!decided) return outcomePage({ kind: "gone" });
    if (decided.kind === "superseded") return outcomePage({ kind: "superseded", reviewUrl: null });
    if (decided.kind === "decided") return outcomePage(await decidedOutcome(decided.outbound));
    if (action === "reject") return outcomePage({ kind: "rejected", reason: reason || null });
    const agent = await store.getAgent(looked.message.agentId);
    return outcomePage({ kind: "approved", messageId, undoSeconds: agent?.undoSeconds ?? 0 });
  }

  const described = (action: Action, acts: boolean) =>
    operation({
      id: `${acts ? "post" : "show"}${action === "approve" ? "Approve" : "Reject"}Link`,
      tag: "approval",
      summary: acts ? `Decide by a link: ${action}` : `Open a link of reviewer mail: ${action}`,
      description: acts
        ? `A form (application/x-www-form-urlencoded) with \`t\`${action === "reject" ? " and `reason`" : ""}, as the page sends it; the link itself works too. Works once.`
        : "Shows what would leave, and a form. Opening it decides nothing.",
      public: true,
      produces: { status: 200, description: "A page", type: "text/html" },
      pages,
    });

  const fileOf = (action: Action) =>
    operation({
      id: `${action}LinkAttachment`,
      tag: "approval",
      summary: `Download an attachment through a link of reviewer mail: ${action}`,
      description: "Decides nothing. Works as long as the link does.",
      public: true,
      produces: { status: 200, description: "The decoded attachment", type: "*/*" },
      pages: filePages,
    });

  return openResource("/api/v1")
    .get(
      "/approve/attachments/:index",
      ({ params, query, exchange }) => file(exchange, "approve", params.index, query),
      {
        query: LinkQuery,
        ...fileOf("approve"),
      },
    )
    .get("/reject/attachments/:index", ({ params, query, exchange }) => file(exchange, "reject", params.index, query), {
      query: LinkQuery,
      ...fileOf("reject"),
    })
    .get(
      "/approve",
      ({ exchange, query }) => exchange.withWholeMessage(() => show(exchange, "approve", query), "child"),
      {
        query: LinkQuery,
        ...described("approve", false),
      },
    )
    .get(
      "/reject",
      ({ exchange, query }) => exchange.withWholeMessage(() => show(exchange, "reject", query), "child"),
      {
        query: LinkQuery,
        ...described("reject", false),
      },
    )
    .post("/approve", ({ query, exchange }) => act("approve", exchange, query), {
      query: LinkQuery,
      ...described("approve", true),
    })
    .post("/reject", ({ query, exchange }) => act("reject", exchange, query), {
      query: LinkQuery,
      ...described("reject", true),
    });
}
