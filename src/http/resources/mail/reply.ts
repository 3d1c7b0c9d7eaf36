import { Type } from "@sinclair/typebox";
import type { OutboundAttachment } from "../../../mail.ts";
import type { QuoteRequest, Texts } from "../../../message/quote.ts";
import {
  distinct,
  forwardSubject,
  type Original,
  replyRecipients,
  replySubject,
  replyThread,
  type Unproven,
} from "../../../outbound/reply.ts";
import type { Caller } from "../../../store/accounts/accounts.ts";
import type { AgentRow } from "../../../store/schema.ts";
import type { FieldError } from "../../../util/errors.ts";
import { ownerOf } from "../../../util/owner.ts";
import { Sent } from "../../../wire/outbound.ts";
import { optional } from "../../../wire/words.ts";
import { TEXT_BYTES_MAX } from "../../body/json-body.ts";
import { answer, type Complain, choice, complete, flag, invalid, openBody } from "../../framework/input.ts";
import { operation } from "../../framework/openapi.ts";
import { notFound } from "../../framework/problem.ts";
import { type RouteDeps, resource } from "../../framework/resource.ts";
import { ownAgent } from "../account/agents.ts";
import * as input from "./send-input.ts";
import { type Found, findMessage, mayWrite, submit, submitFailures } from "./submit.ts";

/**
 * Says which addresses the reply left out because the sender's proof does not cover them, and what to do; undefined if
 * there are none.
 */
function leftOut(unproven: Unproven[]): string | undefined {
  if (unproven.length === 0) return undefined;
  const fields = unproven.map(({ field, addresses }) => {
    const named = addresses.slice(0, LEFT_OUT_NAMED_MAX).join(", ");
    const more = addresses.length - LEFT_OUT_NAMED_MAX;
    return `${field} (${named}${more > 0 ? ` and ${more} more` : ""})`;
  });
  return (
    `The reply did not go to the addresses in ${fields.join(" and ")}, because the signature that proves the sender does not ` +
    "cover them. To write to them anyway, POST /api/v1/send with to and reply_to_message_id."
  );
}

function bytesOf(files: readonly OutboundAttachment[]): number {
  return files.reduce((sum, { content }) => sum + content.byteLength, 0);
}

/** Addresses that a sentence names for one field. */
const LEFT_OUT_NAMED_MAX = 5;

const inclusions = ["message", "attachments", "none"] as const;

export function replies(deps: RouteDeps) {
  const { config, store } = deps;
  const { limits } = config;

  const NewReply = openBody(
    {
      body: input.bodyText,
      reply_all: Type.Optional(
        flag({ default: false, description: "Also to everyone else who received the message." }),
      ),
      quote_history: Type.Optional(
        flag({
          default: false,
          description: "Adds the answered message below `body` (and `html_body`), as mail programs quote it.",
        }),
      ),
      ...input.contentMembers,
    },
    (given, complain) => input.checkContent(given, complain, limits),
  );

  const NewForward = openBody(
    {
      to: Type.Optional(input.addressList()),
      body: Type.Optional(input.bodyText),
      include: Type.Optional(
        choice(inclusions, {
          description:
            "The files to include: the whole message as one file, its attachments, or none. By default its attachments, with " +
            "`quote_history`.",
        }),
      ),
      quote_history: Type.Optional(
        flag({
          description:
            "Adds the message's text and HTML below `body`, under its From, Date, Subject and To. By default, only if " +
            "`include` is not given.",
        }),
      ),
      ...input.contentMembers,
    },
    (given, complain, isWrong) => {
      input.checkAddressed(given, complain, isWrong);
      input.checkContent(given, complain, limits);
    },
  );

  async function findOwn(agent: AgentRow, id: string): Promise<Found> {
    const found = await findMessage(deps, agent, id);
    if (!found) throw notFound("message");
    return found;
  }

  /** The agent that writes, and what it answers or forwards, without the content of that. */
  async function originalOf(caller: Caller, address: string, id: string) {
    const agent = mayWrite(await ownAgent(store, caller, address));
    const { original } = await findOwn(agent, id);
    return { agent, original };
  }

  /** The files of the original that a forward includes. */
  async function enclosed(
    { original, raw }: Found,
    agent: AgentRow,
    include: (typeof inclusions)[number],
  ): Promise<OutboundAttachment[]> {
    const bytes = include === "none" ? null : await raw();
    if (!bytes) return [];
    if (include === "message") {
      const filename = `${original.subject.slice(0, 100).toWellFormed() || "message"}.eml`;
      return [{ filename, contentType: "message/rfc822", content: bytes }];
    }
    const read = await deps.offload.attachments(ownerOf(agent), bytes, { opens: true });
    return read.map(({ attachment: { filename, content_type, content_id }, content }) => ({
      filename,
      contentType: content_type,
      ...(content_id ? { contentId: content_id } : {}),
      content,
    }));
  }

  /**
   * The texts with the message below them, whose HTML shows the pictures in `files`. Failure `invalid_request` if they
   * are then longer than a message may have.
   */
  async function quotedBelow(
    { text, html }: Texts,
    { quotable: original }: Found,
    agent: AgentRow,
    type: QuoteRequest["type"],
    files: readonly OutboundAttachment[],
  ): Promise<Texts> {
    const contentIds = files.flatMap(({ contentId }) => contentId ?? []);
    const request = { own: { text, html }, original, type, contentIds, bytesMax: TEXT_BYTES_MAX };
    const made = await deps.offload.quote(ownerOf(agent), request);
    if (!("tooLong" in made)) return made;
    const field = made.tooLong === "text" ? "body" : "html_body";
    throw invalid(
      [{ field, message: `makes more than ${TEXT_BYTES_MAX} bytes with what it quotes` }],
      `Shorten ${field}, or send \`quote_history: false\`.`,
    );
  }

  /** The recipients of a reply. Failure `invalid_request` if the original does not say whom to answer. */
  function answered(original: Original, agent: AgentRow, all: boolean, more: ReturnType<typeof input.readRecipients>) {
    const { to, cc, problems, unproven } = replyRecipients(original, agent.id, all);
    const errors: FieldError[] = problems.map((problem) => ({ field: "to", message: `would have ${problem}` }));
    if (errors.length === 0 && to.length === 0)
      errors.push({ field: "to", message: "is not known: the message has no address to reply to" });
    const recipients = distinct({ to, cc: [...cc, ...more.cc], bcc: more.bcc });
    const complain: Complain = (field, message) => errors.push({ field, message });
    input.checkCount(recipients, complain, limits);
    if (errors.length > 0)
      throw invalid(errors, "Name the recipients yourself: POST /api/v1/send with to and reply_to_message_id.");
    return { recipients, unproven };
  }

  return resource("/api/v1/agents/:email/messages")
    .post(
      "/:id/reply",
      async ({ params, body, caller, request, exchange, set, status }) => {
        const { agent, original } = await originalOf(caller, params.email, params.id);
        const given = await complete(body, (fitting, complain) => input.checkKnown(fitting, complain, deps));
        const { recipients, unproven } = answered(
          original,
          agent,
          given.reply_all ?? false,
          input.readRecipients(given),
        );
        const content = input.contentOf(given);
        let texts: Texts = content;
        if (given.quote_history)
          texts = await exchange.withWholeMessage(async () => {
            const made = await quotedBelow(content, await findOwn(agent, params.id), agent, "reply", []);
            exchange.reserve(made.text.length + (made.html?.length ?? 0));
            return made;
          }, "child");
        const outcome = await submit(
          deps,
          {
            agent,
            type: "reply",
            replyTo: [],
            ...recipients,
            subject: replySubject(original.subject),
            ...content,
            ...texts,
            conversationId: given.conversation_id || original.conversationId,
            originalConversation: original.conversationId,
            ...replyThread(original),
          },
          { request, exchange, caller, set },
        );
        return status(outcome.status, { ...outcome.sent, ...optional("fix", leftOut(unproven)) });
      },
      {
        body: NewReply,
        response: { 200: answer(Sent), 202: answer(Sent) },
        ...operation({
          id: "replyToMessage",
          tag: "sending",
          takesAttachments: true,
          summary: "Reply to a message",
          description:
            "To its Reply-To, or else its From; for the agent's own message, to its recipients. " +
            "If the signature that proves the sender leaves out Reply-To, To or Cc (`authentication.unsigned`), " +
            "that field chooses no recipients, and `fix` names those left out. " +
            "Responses are those of POST /api/v1/send.",
          failures: submitFailures,
          example: { body: "Thank you.", reply_all: true },
        }),
      },
    )
    .post(
      "/:id/forward",
      async ({ params, body, caller, request, exchange, set, status }) => {
        const { agent, original } = await originalOf(caller, params.email, params.id);
        const given = await complete(body, (fitting, complain) => input.checkKnown(fitting, complain, deps));
        const content = input.contentOf(given);
        const isQuoted = given.quote_history ?? given.include === undefined;
        const { attachments, texts } = await exchange.withWholeMessage(async () => {
          const found = await findOwn(agent, params.id);
          const files = await enclosed(found, agent, given.include ?? "attachments");
          const taken = new Set(content.attachments.map(({ contentId }) => contentId));
          const quoted = files.map(({ contentId, ...file }) => {
            // A picture of the original must not take the place of one of the new text, nor of another of its own.
            if (contentId === undefined || !isQuoted || taken.has(contentId)) return file;
            taken.add(contentId);
            return { ...file, contentId };
          });
          const attachments = [...content.attachments, ...quoted];
          const bytes = bytesOf(attachments);
          const { outboundMessageSize: max } = limits;
          if (bytes > max) throw invalid([{ field: "include", message: `makes ${bytes} bytes; the limit is ${max}` }]);
          const texts: Texts = isQuoted ? await quotedBelow(content, found, agent, "forward", quoted) : content;
          exchange.reserve(bytesOf(quoted) + texts.text.length + (texts.html?.length ?? 0));
          return { attachments, texts };
        }, "child");
        const outcome = await submit(
          deps,
          {
            agent,
            type: "forward",
            replyTo: [],
            ...input.readRecipients(given),
            subject: forwardSubject(original.subject),
            ...content,
            ...texts,
            attachments,
            conversationId: given.conversation_id || original.conversationId,
            originalConversation: original.conversationId,
            // The recipient has none of the earlier messages, so a forward starts a new thread.
            ...{ inReplyTo: null, references: [] },
          },
          { request, exchange, caller, set },
        );
        return status(outcome.status, outcome.sent);
      },
      {
        body: NewForward,
        response: { 200: answer(Sent), 202: answer(Sent) },
        ...operation({
          id: "forwardMessage",
          tag: "sending",
          takesAttachments: true,
          summary: "Forward a message",
          description:
            "As a person would forward it: its text below `body`, and its attachments. With `include: message` it is one file, as " +
            "it was received. Responses are those of POST /api/v1/send.",
          failures: submitFailures,
          example: { to: ["bob@example.com"], body: "For you." },
        }),
      },
    );
}
