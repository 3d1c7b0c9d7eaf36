import { type Static, Type } from "@sinclair/typebox";
import { ATTACHED_DEPTH_MAX } from "../../../mail.ts";
import { signers } from "../../../notify/sign.ts";
import { authHeadersOf, noteSigned } from "../../../notify/webhook.ts";
import type { Caller } from "../../../store/accounts/accounts.ts";
import { LABELS_MAX, type LabelledMessage, type MessageFilter, type StoredMail } from "../../../store/mail/messages.ts";
import type { OutboundFilter } from "../../../store/outbound/outbound.ts";
import type { AgentRow } from "../../../store/schema.ts";
import { AttachedMessage, MessageDetail, MessageSummary } from "../../../wire/message.ts";
import { page } from "../../../wire/words.ts";
import { download } from "../../framework/download.ts";
import { type Identity, requireStanding } from "../../framework/identity.ts";
import {
  answer,
  changeBody,
  choice,
  flag,
  type Given,
  invalid,
  list,
  query,
  text,
  time,
  whole,
} from "../../framework/input.ts";
import { operation } from "../../framework/openapi.ts";
import { pageQuery, readPage } from "../../framework/pages.ts";
import { notFound } from "../../framework/problem.ts";
import { type RouteDeps, resource } from "../../framework/resource.ts";
import { ownAgent } from "../account/agents.ts";
import { attachedOnWire, detailOnWire, summaryOnWire } from "./message-wire.ts";
import { type ListedOutbound, readOutbound } from "./outbound-list.ts";
import { outboundSummaryOnWire } from "./outbound-wire.ts";

/** Less than the minute after which many proxies give up on a silent request. */
const WAIT_SECONDS_DEFAULT = 30;
const WAIT_SECONDS_MAX = 60;
/** Messages that one long poll returns at most; the next one returns more. */
const WAIT_BATCH = 50;
const LABELS_PER_CHANGE_MAX = 50;

const label = text({
  min: 1,
  max: 64,
  pattern: "^[^\\x00-\\x1f\\x7f]+$",
  says: "1 to 64 characters without line breaks",
});

const ListQuery = query({
  status: Type.Optional(choice(["unread", "read", "all"], { default: "unread" })),
  q: Type.Optional(
    text({ max: 1_000, description: "Words that each begin a word of the subject, addresses, text or file names." }),
  ),
  from: Type.Optional(text({ max: 320, description: "The From address." })),
  conversation_id: Type.Optional(text({ max: 64 })),
  label: Type.Optional(text({ max: 64 })),
  since: Type.Optional(time({ description: "Received at or after this time." })),
  until: Type.Optional(time({ description: "Received before this time." })),
  sort: Type.Optional(choice(["asc", "desc"], { default: "asc", description: "`asc`: oldest first." })),
  direction: Type.Optional(
    choice(["inbound", "outbound"], {
      default: "inbound",
      description: "`outbound`: what the agent sent, of every status; `q` cannot be used with it.",
    }),
  ),
  ...pageQuery,
});

export function messages(deps: RouteDeps) {
  const { store, vault, clock, hub, log } = deps;

  /** Throws a Failure if, during the wait, the caller's key ended or the address passed to another agent. */
  async function requireSame({ id, createdAt }: AgentRow, caller: Identity): Promise<void> {
    await requireStanding(deps, caller);
    const now = await ownAgent(store, caller, id);
    if (now.createdAt.getTime() !== createdAt.getTime()) throw notFound("agent");
  }

  async function ownMessage(caller: Caller, address: string, id: string): Promise<StoredMail> {
    const agent = await ownAgent(store, caller, address);
    const mail = await store.getMessage(agent.id, id);
    if (!mail) throw notFound("message");
    return mail;
  }

  /** A message's bytes, and the path of one of its attachments; null if it lists no such attachment. */
  async function ownPart(caller: Caller, { email, id, index }: { email: string; id: string; index: string }) {
    const { message, raw, content } = await ownMessage(caller, email, id);
    const path = pathOf(index);
    return { message, raw, path: content.attachments.some((one) => one.index === path?.[0]) ? path : null };
  }

  /** The headers are signed for each answer, because receivers refuse old signatures. */
  async function signedHeaders(caller: Caller, mail: StoredMail, isRead: boolean): Promise<Record<string, string>> {
    const now = new Date(clock.now());
    const signing = signers(await store.listSecrets(caller.user.id), now);
    if (signing.length === 0) return {};
    if (isRead) for (const secret of signing) noteSigned(store, secret, now, log);
    const secrets = signing.map((secret) => vault.openText(secret.sealed, secret.id));
    return authHeadersOf(mail.message, secrets, now);
  }

  /**
   * The messages that the agent sent, in the shape of the list of received ones. They have no labels, and only the
   * agent's address as From.
   */
  async function sentBy(agent: AgentRow, asked: Given<typeof ListQuery>) {
    if (asked.q) throw invalid([{ field: "q", message: "searches received mail only: leave out direction" }]);
    if (asked.label || (asked.from && asked.from.toLowerCase() !== agent.id)) return { messages: [] };
    const { conversationId, since, until } = filterOf(asked).filter;
    const sort = asked.sort ?? "asc";
    const filter: OutboundFilter = {
      agentId: agent.id,
      ...(conversationId ? { conversationId } : {}),
      ...(since ? { since } : {}),
      ...(until ? { until } : {}),
    };
    const { rows, next } = await readPage<ListedOutbound<Static<typeof MessageSummary>>, [string]>(
      vault,
      asked,
      ["sent", sort, filter],
      (after, limit) =>
        readOutbound(store, agent.userId, filter, { sort, limit, after: after ? { id: after[0] } : undefined }, (row) =>
          outboundSummaryOnWire(row, agent.domain),
        ),
      ({ id }) => [id],
    );
    return { messages: rows.map(({ shown }) => shown), ...next };
  }

  return resource("/api/v1/agents/:email/messages")
    .get(
      "",
      async ({ params, query, caller }) => {
        const agent = await ownAgent(store, caller, params.email);
        if (query.direction === "outbound") return sentBy(agent, query);
        const { filter, sort } = filterOf(query);
        const { rows, next } = await readPage<LabelledMessage, [number]>(
          vault,
          query,
          ["messages", agent.id, sort, filter],
          (after, limit) =>
            store.listMessages(agent.id, filter, { sort, limit, ...(after ? { after: after[0] } : {}) }),
          (row) => [row.seq],
        );
        return { messages: rows.map(summaryOnWire), ...next };
      },
      {
        query: ListQuery,
        response: { 200: answer(page("messages", MessageSummary)) },
        ...operation({
          id: "listMessages",
          tag: "messages",
          summary: "List or search an agent's messages",
          description: "Unread ones, oldest first, 50 at a time, unless asked otherwise.",
        }),
      },
    )
    .get(
      "/wait",
      async ({ params, query, caller, exchange }) => {
        const agent = await ownAgent(store, caller, params.email);
        const { signal } = exchange;
        // HEAD has no content to wait for.
        const waitSeconds = exchange.method === "HEAD" ? 0 : (query.timeout ?? WAIT_SECONDS_DEFAULT);
        const end = clock.elapsed() + waitSeconds * 1000;
        for (let hasWaited = false; ; hasWaited = true) {
          // The wait begins before the query, so that no mail between the two is missed.
          const found = new AbortController();
          const leftMs = Math.max(0, end - clock.elapsed());
          const news = hub.waitForMail(agent.id, leftMs, AbortSignal.any([signal, found.signal]));
          const rows = await store.listMessages(agent.id, { status: "unread" }, { sort: "asc", limit: WAIT_BATCH });
          if (rows.length > 0 || leftMs === 0 || signal.aborted) {
            found.abort();
            if (hasWaited) await requireSame(agent, caller);
            return { messages: rows.map(summaryOnWire) };
          }
          await news;
        }
      },
      {
        query: query({
          timeout: Type.Optional(
            whole(1, WAIT_SECONDS_MAX, { default: WAIT_SECONDS_DEFAULT, description: "Seconds to wait at most." }),
          ),
        }),
        response: { 200: answer(Type.Object({ messages: Type.Array(MessageSummary) })) },
        ...operation({
          id: "waitForMessages",
          tag: "messages",
          summary: "Wait for unread messages",
          description: "Answers as soon as there are any, oldest first; with an empty list when the time is up.",
        }),
      },
    )
    .get(
      "/:id",
      ({ params, query, caller, exchange }) =>
        exchange.withWholeMessage(async () => {
          const mail = await ownMessage(caller, params.email, params.id);
          const { message } = mail;
          // A person who looks does not read for the agent, and HEAD is safe (RFC 9110 9.2.1).
          const isRead = exchange.method === "GET" && caller.via === "key";
          if (isRead && !query.peek && message.status === "unread") {
            await store.setReadStatus(message.agentId, message.id, "read");
            message.status = "read";
          }
          const detail = detailOnWire(mail, await signedHeaders(caller, mail, isRead));
          return query.raw === false ? { ...detail, raw_message: "" } : detail;
        }),
      {
        query: query({
          peek: Type.Optional(flag({ default: false, description: "Leave it unread." })),
          raw: Type.Optional(
            flag({ default: true, description: "`false` leaves `raw_message` empty: it may have 25 MB and more." }),
          ),
        }),
        response: { 200: answer(MessageDetail) },
        ...operation({
          id: "getMessage",
          tag: "messages",
          summary: "Read a message",
          description: "An unread one becomes read by an API key's GET; never by HEAD or by a browser's session.",
        }),
      },
    )
    .patch(
      "/:id",
      async ({ params, body, caller }) => {
        const agent = await ownAgent(store, caller, params.email);
        const changed = await store.updateMessage(agent.id, params.id, {
          ...(body.status ? { status: body.status } : {}),
          addLabels: [...new Set(body.add_labels ?? [])],
          removeLabels: body.remove_labels ?? [],
        });
        if (!changed) throw notFound("message");
        return summaryOnWire(changed);
      },
      {
        body: changeBody({
          status: Type.Optional(choice(["unread", "read"])),
          add_labels: Type.Optional(list(label, LABELS_PER_CHANGE_MAX)),
          remove_labels: Type.Optional(list(label, LABELS_PER_CHANGE_MAX)),
        }),
        response: { 200: answer(MessageSummary) },
        ...operation({
          id: "updateMessage",
          tag: "messages",
          summary: "Change a message's status and labels",
          description: `A message has at most ${LABELS_MAX} labels.`,
          example: { status: "unread", add_labels: ["later"] },
        }),
      },
    )
    .delete(
      "/:id",
      async ({ params, caller }) => {
        const agent = await ownAgent(store, caller, params.email);
        if (!(await store.deleteMessage(agent.id, params.id))) throw notFound("message");
        return new Response(null, { status: 204 });
      },
      operation({
        id: "deleteMessage",
        tag: "messages",
        summary: "Delete a message",
        produces: { status: 204, description: "Deleted" },
      }),
    )
    .get(
      "/:id/raw",
      ({ params, caller, exchange }) =>
        exchange.withWholeMessage(async () => {
          const { message, raw } = await ownMessage(caller, params.email, params.id);
          return download(exchange, raw, "message/rfc822", `${message.id}.eml`);
        }),
      operation({
        id: "getRawMessage",
        tag: "messages",
        summary: "Download a message as it is stored",
        produces: { status: 200, description: "The message", type: "message/rfc822" },
      }),
    )
    .get(
      "/:id/attachments/:index",
      ({ params, caller, exchange }) =>
        exchange.withWholeMessage(async () => {
          const { message, path, raw } = await ownPart(caller, params);
          const read = path && (await deps.offload.attachment(message, raw, path));
          if (!read) throw notFound("attachment");
          const { content_type: type, filename } = read.attachment;
          return download(exchange, read.content, type, filename || `attachment-${params.index}`);
        }, "child"),
      operation({
        id: "getAttachment",
        tag: "messages",
        summary: "Download an attachment",
        description: insideOfMessages,
        produces: { status: 200, description: "The decoded attachment", type: "*/*" },
      }),
    )
    .get(
      "/:id/attachments/:index/message",
      ({ params, caller, exchange }) =>
        exchange.withWholeMessage(async () => {
          const { message, path, raw } = await ownPart(caller, params);
          const mail = path && (await deps.offload.attachedMessage(message, raw, path));
          if (!mail) throw notFound("attached message");
          return attachedOnWire(mail);
        }, "child"),
      {
        response: { 200: answer(AttachedMessage) },
        ...operation({
          id: "getAttachedMessage",
          tag: "messages",
          summary: "Read an attached message",
          description: insideOfMessages,
        }),
      },
    );
}

const insideOfMessages =
  "`index` is the attachment's, or, for a file in an attached message, the index of the message, a dot and the index of " +
  `the file in it, such as \`2.0\`; messages are read up to ${ATTACHED_DEPTH_MAX} deep.`;

/** The path that an index like `2.0` means; null if it is none. */
function pathOf(index: string): number[] | null {
  const path = index.split(".", ATTACHED_DEPTH_MAX + 2);
  const isPath = path.length <= ATTACHED_DEPTH_MAX + 1 && path.every((one) => /^(?:0|[1-9]\d{0,4})$/.test(one));
  return isPath ? path.map(Number) : null;
}

function filterOf(asked: Given<typeof ListQuery>): { filter: MessageFilter; sort: "asc" | "desc" } {
  const status = asked.status ?? "unread";
  const filter: MessageFilter = {
    ...(status === "all" ? {} : { status }),
    ...(asked.q ? { q: asked.q } : {}),
    ...(asked.from ? { from: asked.from.toLowerCase() } : {}),
    ...(asked.conversation_id ? { conversationId: asked.conversation_id } : {}),
    ...(asked.label ? { label: asked.label } : {}),
    ...(asked.since ? { since: asked.since } : {}),
    ...(asked.until ? { until: asked.until } : {}),
  };
  return { filter, sort: asked.sort ?? "asc" };
}
