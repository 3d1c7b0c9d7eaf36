import { type Static, Type } from "@sinclair/typebox";
import { counterpart } from "../../../approval/attached-files.ts";
import type { Caller } from "../../../store/accounts/accounts.ts";
import type { OutboundFilter, Outbound as StoredOutbound } from "../../../store/outbound/outbound.ts";
import type { Store } from "../../../store/store.ts";
import { Failure } from "../../../util/errors.ts";
import { Outbound, outboundStatuses } from "../../../wire/outbound.ts";
import { page } from "../../../wire/words.ts";
import { download } from "../../framework/download.ts";
import { answer, choice, query, text, time } from "../../framework/input.ts";
import { sized } from "../../framework/large-answer.ts";
import { operation } from "../../framework/openapi.ts";
import { pageQuery, readPage } from "../../framework/pages.ts";
import { notFound } from "../../framework/problem.ts";
import { type RouteDeps, resource } from "../../framework/resource.ts";
import { ownAgent, requireAccountKey } from "../account/agents.ts";
import { decider } from "./decider.ts";
import { type ListedOutbound, readOutbound } from "./outbound-list.ts";
import { outboundOnWire, withBodyOnWire } from "./outbound-wire.ts";

export { counterpart } from "../../../approval/attached-files.ts";

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
          const whole = status === "pending_approval" ? await store.getOutbound(caller.user.id, id) : null;
          return whole ? withBodyOnWire(whole, deps) : outboundOnWire(row);
        };
        const { rows, next } = await readPage<ListedOutbound<Static<typeof Outbound>>, [string]>(
          vault,
          query,
          ["outbound", caller.user.id, filter],
          (after, limit) => readOutbound(store, caller.user.id, filter, { limit, after: after?.[0] }, show, textChars),
          ({ id }) => [id],
        );
        const messages = rows.map(({ shown }) => shown);
        return sized(exchange, { messages, ...next });
      },
      {
        query: ListQuery,
        response: { 200: answer(page("messages", Outbound)) },
        ...operation({
          id: "listOutbound",
          tag: "sending",
          summary: "List what agents sent",
          description:
            "Newest first, of every status. A key of one agent sees only that agent's. A page ends early when its held " +
            "messages have more than 4 MB of text.",
          failures: ["forbidden", "not_found"],
        }),
      },
    )
    .get(
      "/:id",
      async ({ params, caller, exchange }) =>
        sized(exchange, await withBodyOnWire(await ownOutbound(store, caller, params.id), deps)),
      {
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
          const wanted = listed.find((attachment) => String(attachment.index) === params.index);
          const bytes = wanted && (await store.outboundBytes(message.id));
          if (!wanted || !bytes) throw notFound("attachment");
          const found = counterpart(wanted, listed, await offload.attachments(bytes));
          if (!found) throw notFound("attachment");
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
        const { message } = await ownOutbound(store, caller, params.id);
        const after = await store.cancelOutbound(caller.user.id, message.id, new Date(clock.now()));
        if (!after) throw notFound("outbound message");
        await deps.answers.named(message, caller.proofId);
        if (after.cancelled > 0) return sized(exchange, await withBodyOnWire(after, deps));
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
        const { message } = await ownOutbound(store, caller, params.id);
        const after = await store.releaseLoop({
          ...decider(exchange, request),
          userId: caller.user.id,
          id: message.id,
          now: new Date(clock.now()),
        });
        if (!after) throw notFound("outbound message");
        if (after.released > 0) return sized(exchange, await withBodyOnWire(after, deps));
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
  const found = await store.getOutbound(caller.user.id, id);
  const isAgents = caller.agentId === found?.message.agentId && found?.message.type !== "notice";
  if (found && (caller.agentId === null || isAgents)) return found;
  const { code, message } = notFound("outbound message");
  throw new Failure(code, message, {
    fix: "Received messages are at /api/v1/agents/{email}/messages/{id}.",
  });
}

function textChars({ body_text = "", body_html = "", original }: Static<typeof Outbound>): number {
  return body_text.length + body_html.length + (original?.body_text.length ?? 0) + (original?.body_html?.length ?? 0);
}

function words(status: string): string {
  return status.replaceAll("_", " ");
}
