import { type Static, Type } from "@sinclair/typebox";
import { counterparts } from "../../../approval/attached-files.ts";
import type { Caller } from "../../../store/accounts/accounts.ts";
import type { BriefOutbound, OutboundFilter, Outbound as StoredOutbound } from "../../../store/outbound/outbound.ts";
import type { Store } from "../../../store/store.ts";
import { Failure } from "../../../util/errors.ts";
import { Outbound, outboundStatuses } from "../../../wire/outbound.ts";
import { optional, page } from "../../../wire/words.ts";
import { download } from "../../framework/download.ts";
import { answer, choice, flag, query, text, time } from "../../framework/input.ts";
import { operation } from "../../framework/openapi.ts";
import { pageQuery, readPage } from "../../framework/pages.ts";
import { notFound } from "../../framework/problem.ts";
import { type Exchange, type RouteDeps, resource } from "../../framework/resource.ts";
import { ownAgent, requireAccountKey } from "../account/agents.ts";
import { decider } from "./decider.ts";
import { asBase64 } from "./message-wire.ts";
import { type ListedOutbound, readOutbound } from "./outbound-list.ts";
import { outboundOnWire, withBodyOnWire } from "./outbound-wire.ts";

/** The page that reviewers' programs count on (WIRE). */
const PENDING_PAGE_SIZE = 100;

const dataQuery = {
  data: Type.Optional(
    flag({
      default: true,
      description: "`false` leaves out the bytes of the files of messages that wait for approval.",
    }),
  ),
};
const ListQuery = query({
  status: Type.Optional(choice(outboundStatuses)),
  type: Type.Optional(
    choice(["send", "reply", "forward", "test", "notice"], {
      description: "Default: every type but `notice`, the server's own mail to reviewers, which agent keys cannot see.",
    }),
  ),
  agent: Type.Optional(text({ max: 254, description: "The address of the agent that sent it." })),
  conversation_id: Type.Optional(text({ max: 64 })),
  since: Type.Optional(time({ description: "Handed in at or after this time." })),
  until: Type.Optional(time({ description: "Handed in before this time." })),
  ...dataQuery,
  ...pageQuery,
});

export function outbound(deps: RouteDeps) {
  const { store, vault, clock, offload } = deps;

  return resource("/api/v1/messages")
    .get(
      "",
      async ({ query, caller, exchange }) => {
        if (query.type === "notice") requireAccountKey(caller);
        const agent = query.agent ?? caller.agentId;
        const filter: OutboundFilter = {
          ...(query.status ? { status: query.status } : {}),
          ...(query.type ? { type: query.type } : {}),
          ...(agent === null ? {} : { agentId: (await ownAgent(store, caller, agent)).id }),
          ...(query.conversation_id ? { conversationId: query.conversation_id } : {}),
          ...(query.since ? { since: query.since } : {}),
          ...(query.until ? { until: query.until } : {}),
        };
        // A reviewer must see the content to decide.
        const show = async (row: StoredOutbound) => {
          const { id, status } = row.message;
          if (status !== "pending_approval") return outboundOnWire(row);
          const find = async () => (await store.getOutbound(caller.user.id, id)) ?? row;
          return wholeOnWire(find, deps, exchange, query.data ?? true);
        };
        const isPending = query.status === "pending_approval";
        const sort = isPending ? "expiry" : "desc";
        const { rows, next } = await readPage<ListedOutbound<Static<typeof Outbound>>, [string, ...number[]]>(
          vault,
          { ...query, page_size: query.page_size ?? (isPending ? PENDING_PAGE_SIZE : undefined) },
          // Tokens of earlier versions have no expiry, and would begin this list anew.
          ["outbound", caller.user.id, filter, ...(isPending ? [sort] : [])],
          (at, limit) => {
            const after = at ? { id: at[0], expiresAt: at[1] === undefined ? undefined : new Date(at[1]) } : undefined;
            const list: Store["listOutbound"] = (...asked) =>
              isPending ? exchange.inListSlot(() => store.listOutbound(...asked)) : store.listOutbound(...asked);
            return readOutbound({ listOutbound: list }, caller.user.id, filter, { sort, limit, after }, show, charsOf);
          },
          ({ id, expiresAt }) => (isPending && expiresAt ? [id, expiresAt.getTime()] : [id]),
        );
        const messages = rows.map(({ shown }) => shown);
        return { messages, ...next };
      },
      {
        query: ListQuery,
        response: { 200: answer(page("messages", Outbound)) },
        ...operation({
          id: "listOutbound",
          tag: "sending",
          summary: "List what agents sent",
          description:
            "Newest first, of every status; with `status=pending_approval` those that expire soonest first, 100 to a page. " +
            "A key of one agent sees only that agent's. A page ends early when its held messages have more than 4 MB of " +
            "texts and files.",
          failures: ["forbidden", "not_found"],
        }),
      },
    )
    .get(
      "/:id",
      async ({ params, query, caller, exchange }) => {
        const find = () => ownOutbound(store, caller, params.id);
        return await wholeOnWire(find, deps, exchange, query.data ?? true);
      },
      {
        query: query(dataQuery),
        response: { 200: answer(Outbound) },
        ...operation({ id: "getOutbound", tag: "sending", summary: "Get a sent message and its delivery status" }),
      },
    )
    .get(
      "/:id/raw",
      ({ params, caller, exchange }) =>
        exchange.withWholeMessage(async () => {
          const { message } = await ownOutbound(store, caller, params.id);
          const bytes = await store.outboundBytes(message.id);
          if (!bytes) throw notFound("outbound message");
          return download(exchange, bytes, "message/rfc822", `${message.id}.eml`);
        }),
      operation({
        id: "getRawOutbound",
        tag: "sending",
        summary: "Download a sent message",
        description: "As it was composed: without the DKIM-Signature that each attempt adds, and without Bcc.",
        produces: { status: 200, description: "The message", type: "message/rfc822" },
      }),
    )
    .get(
      "/:id/attachments/:index",
      ({ params, caller, exchange }) =>
        exchange.withWholeMessage(async () => {
          const { message } = await ownOutbound(store, caller, params.id);
          const listed = message.content.attachments;
          const place = listed.findIndex((attachment) => String(attachment.index) === params.index);
          const wanted = listed[place];
          const bytes = wanted && (await store.outboundBytes(message.id));
          const found = bytes && counterparts(listed, await offload.attachments(message, bytes))[place];
          if (!wanted || !found) throw notFound("attachment");
          return download(exchange, found.content, wanted.content_type, wanted.filename);
        }, "child"),
      operation({
        id: "getOutboundAttachment",
        tag: "sending",
        summary: "Download an attachment of a sent message",
        produces: { status: 200, description: "The decoded attachment", type: "*/*" },
      }),
    )
    .post(
      "/:id/cancel",
      async ({ params, caller, exchange }) => {
        const { message } = await ownBrief(store, caller, params.id);
        const after = await store.cancelOutbound(caller.user.id, message.id, new Date(clock.now()));
        if (!after) throw notFound("outbound message");
        await deps.answers.named(message, caller.proofId);
        if (after.cancelled > 0) {
          const find = () => ownOutbound(store, caller, params.id);
          return await wholeOnWire(find, deps, exchange, false);
        }
        throw new Failure(
          "conflict",
          `The message is ${words(after.message.status)}; no part of it can be cancelled.`,
          {
            fix: `GET /api/v1/messages/${message.id} shows its current state.`,
          },
        );
      },
      {
        response: { 200: answer(Outbound) },
        ...operation({
          id: "cancelOutbound",
          tag: "sending",
          summary: "Cancel a message",
          description: "Cancels it while it is queued, deferred or held. Recipients that already have it keep it.",
          failures: ["conflict"],
        }),
      },
    )
    .post(
      "/:id/release",
      async ({ params, caller, exchange, request }) => {
        requireAccountKey(caller);
        const { message } = await ownBrief(store, caller, params.id);
        const after = await store.releaseLoop({
          ...decider(exchange, request),
          userId: caller.user.id,
          id: message.id,
          now: new Date(clock.now()),
        });
        if (!after) throw notFound("outbound message");
        if (after.released > 0) {
          const find = () => ownOutbound(store, caller, params.id);
          return await wholeOnWire(find, deps, exchange, false);
        }
        const { status, hold } = after.message;
        const why = hold?.rule === "approval" ? "waits for approval" : `is ${words(status)}`;
        throw new Failure("conflict", `The loop breaker does not hold this message; it ${why}.`);
      },
      {
        response: { 200: answer(Outbound) },
        ...operation({
          id: "releaseOutbound",
          tag: "sending",
          summary: "Release what the loop breaker stopped",
          description: "Releases this message, and every other that it holds for the same reason.",
          failures: ["forbidden", "conflict"],
        }),
      },
    );
}

/**
 * Finds an outbound message. Failure `not_found` for an id that does not exist, or belongs to another account or to
 * another agent than the key's. An agent's key does not find the server's own mail to reviewers either, because its
 * links decide.
 */
export async function ownOutbound(store: Store, caller: Caller, id: string): Promise<StoredOutbound> {
  return requireOwn(await store.getOutbound(caller.user.id, id), caller);
}

/** Finds an outbound message without what it says; fails like `ownOutbound`. */
export async function ownBrief(store: Store, caller: Caller, id: string): Promise<BriefOutbound> {
  return requireOwn(await store.briefOutbound(id), caller);
}

function requireOwn<Found extends BriefOutbound>(found: Found | null, caller: Caller): Found {
  const isAgents = caller.agentId === found?.message.agentId && found?.message.type !== "notice";
  if (found?.message.userId === caller.user.id && (caller.agentId === null || isAgents)) return found;
  const { code, message } = notFound("outbound message");
  throw new Failure(code, message, {
    fix: "Received messages are at /api/v1/agents/{email}/messages/{id}.",
  });
}

/** Characters of the texts of a message that is shown at once, while others wait. */
const SHORT_CHARS_MAX = 64 * 1024;

/**
 * A message with its texts and, with `data`, the bytes of its files while it waits for approval. One that is long is
 * dropped and found again in its turn, so that few of them are in memory.
 */
export async function wholeOnWire(
  find: () => Promise<StoredOutbound>,
  deps: RouteDeps,
  exchange: Exchange,
  data: boolean,
): Promise<Static<typeof Outbound>> {
  const found = await find();
  const { attachments, html, text } = found.message.content;
  const hasData = data && found.message.status === "pending_approval" && attachments.length > 0;
  if (!hasData && text.length + (html?.length ?? 0) <= SHORT_CHARS_MAX) return withBodyOnWire(found, deps);
  return exchange.withWholeMessage(async () => {
    const again = await find();
    const shown = await withBodyOnWire(again, deps);
    return hasData ? { ...shown, attachments: await withData(again, deps) } : shown;
  }, "child");
}

async function withData({ message }: StoredOutbound, { store, offload }: RouteDeps) {
  const listed = message.content.attachments;
  const bytes = await store.outboundBytes(message.id);
  const files = counterparts(listed, bytes ? await offload.attachments(message, bytes) : []);
  return listed.map((one, i) => {
    const content = files[i]?.content;
    return { ...one, ...optional("data", content && asBase64(content)) };
  });
}

/** Characters of the texts and files that a listed message has, about. */
function charsOf({ body_text = "", body_html = "", original, attachments = [] }: Static<typeof Outbound>): number {
  const texts = [body_text, body_html, original?.body_text ?? "", original?.body_html ?? ""];
  const files = attachments.map(({ data, size }) => (data === undefined ? 0 : (size * 4) / 3));
  return [...texts.map(({ length }) => length), ...files].reduce((sum, chars) => sum + chars, 0);
}

function words(status: string): string {
  return status.replaceAll("_", " ");
}
