import { Type } from "@sinclair/typebox";
import type { Caller } from "../../../store/accounts/accounts.ts";
import type { DeliveryFilter, DeliveryOwner, LoggedDelivery } from "../../../store/events/delivery-log.ts";
import { Delivery, DeliveryDetail, deliveryStatuses } from "../../../wire/delivery.ts";
import { optional, page } from "../../../wire/words.ts";
import { answer, body, choice, query, text, time } from "../../framework/input.ts";
import { operation } from "../../framework/openapi.ts";
import { pageQuery, readPage } from "../../framework/pages.ts";
import { notFound } from "../../framework/problem.ts";
import { type RouteDeps, resource } from "../../framework/resource.ts";
import { ownAgent } from "./agents.ts";
import { deliveryDetailOnWire, deliveryOnWire } from "./delivery-wire.ts";

const ADDRESS_CHARS_MAX = 254;
/** Deliveries that one request repeats at most: they are one transaction, which must not hold up mail. */
const REDELIVERIES_MAX = 1_000;

const agent = Type.Optional(text({ max: ADDRESS_CHARS_MAX, description: "About this agent." }));
const webhook = Type.Optional(
  text({ max: ADDRESS_CHARS_MAX, description: "To this webhook; the agent's address for an agent's own." }),
);
const message = Type.Optional(text({ max: 64, description: "About this received message." }));

/** The routes for webhook deliveries and for repeating them. A key of one agent sees and repeats only that agent's. */
export function deliveries(deps: RouteDeps) {
  const { store, vault, clock } = deps;
  const tag = "deliveries";

  const ownerOf = (caller: Caller): DeliveryOwner => ({ userId: caller.user.id, agentId: caller.agentId });

  /** Failure `not_found` for an agent or webhook that the caller may not use. */
  async function filterOf(caller: Caller, asked: { agent?: string; webhook?: string }): Promise<DeliveryFilter> {
    const { agent, webhook } = asked;
    const own = async (address: string) => (await ownAgent(store, caller, address)).id;
    if (webhook && !webhook.includes("@") && !(await store.getWebhook(caller.user.id, webhook)))
      throw notFound("webhook");
    return {
      ...optional("agentId", agent && (await own(agent))),
      ...optional("endpointId", webhook?.includes("@") ? await own(webhook) : webhook),
    };
  }

  return resource("/api/v1/deliveries")
    .get(
      "",
      async ({ query, caller }) => {
        const owner = ownerOf(caller);
        const eventId = query.message && (await store.eventOfMessage(owner, query.message));
        if (eventId === null) throw notFound("message");
        const filter = {
          ...(await filterOf(caller, query)),
          ...optional("eventId", eventId || undefined),
          ...optional("status", query.status),
        };
        const { rows, next } = await readPage<LoggedDelivery, [string]>(
          vault,
          query,
          ["deliveries", owner, filter],
          (after, limit) => store.listDeliveries(owner, { ...filter, limit, ...(after ? { after: after[0] } : {}) }),
          ({ delivery }) => [delivery.id],
        );
        return { deliveries: rows.map(deliveryOnWire), ...next };
      },
      {
        query: query({ agent, webhook, message, status: Type.Optional(choice(deliveryStatuses)), ...pageQuery }),
        response: { 200: answer(page("deliveries", Delivery)) },
        ...operation({
          id: "listDeliveries",
          tag,
          summary: "List webhook deliveries",
          description: "Newest first. A key of one agent sees those to that one's own webhook.",
          failures: ["not_found"],
        }),
      },
    )
    .post(
      "/redeliver",
      async ({ body, caller }) => {
        const filter = await filterOf(caller, body);
        const input = { ...filter, since: body.since, limit: REDELIVERIES_MAX, now: new Date(clock.now()) };
        return { redelivered: await store.redeliverFailed(ownerOf(caller), input) };
      },
      {
        body: body({
          since: time({ description: "Deliveries that failed for good at or after this time." }),
          agent,
          webhook,
          status: Type.Optional(choice(["failed"], { description: "The only one, and the default." })),
        }),
        response: { 200: answer(Type.Object({ redelivered: Type.Integer() })) },
        ...operation({
          id: "redeliverFailed",
          tag,
          summary: "Retry failed deliveries",
          description:
            "Oldest first, at most 1,000 at once; repeat until it answers 0. Leaves out what was already delivered again, " +
            "and what no longer has a webhook.",
          failures: ["not_found"],
          example: { since: "2026-05-15T12:00:00Z" },
        }),
      },
    )
    .get(
      "/:id",
      async ({ params, caller }) => {
        const found = await store.getDelivery(ownerOf(caller), params.id);
        if (!found) throw notFound("delivery");
        return deliveryDetailOnWire(found);
      },
      {
        response: { 200: answer(DeliveryDetail) },
        ...operation({ id: "getDelivery", tag, summary: "Get a delivery with every attempt" }),
      },
    )
    .post(
      "/:id/redeliver",
      async ({ params, caller }) => {
        const due = await store.redeliver(ownerOf(caller), params.id, new Date(clock.now()));
        if (!due) throw notFound("delivery");
        return deliveryOnWire(due);
      },
      {
        response: { 200: answer(Delivery) },
        ...operation({
          id: "redeliver",
          tag,
          summary: "Retry a delivery now",
          description:
            "A waiting delivery becomes due now. A finished one stays as it is; the answer is a new delivery of the same event, " +
            "with the same `webhook-id` and its own schedule, or the one that is already waiting.",
          failures: ["conflict"],
        }),
      },
    );
}
