import { Type } from "@sinclair/typebox";
import type { Caller } from "../store/accounts.ts";
import type { DeliveryOwner, LoggedDelivery } from "../store/delivery-log.ts";
import { ownAgent } from "./agents.ts";
import { Delivery, DeliveryDetail, deliveryDetailOnWire, deliveryOnWire, deliveryStatuses } from "./delivery-wire.ts";
import { answer, body, choice, query, text, time } from "./input.ts";
import { operation } from "./openapi.ts";
import { pageQuery, readPage } from "./pages.ts";
import { notFound } from "./problem.ts";
import { type RouteDeps, resource } from "./resource.ts";
import { page } from "./wire.ts";

const ADDRESS_CHARS_MAX = 254;
/** Deliveries made again by one request: one transaction, which must not hold up mail. */
const REDELIVERIES_MAX = 1_000;

const agent = Type.Optional(text({ max: ADDRESS_CHARS_MAX, description: "The address of the agent." }));

/** What became of webhooks, and delivering them again. A key of one agent sees and redelivers that one's. */
export function deliveries(deps: RouteDeps) {
  const { store, vault, clock } = deps;
  const tag = "deliveries";

  /** Failure `not_found` for an agent that the caller may not use. */
  async function ownerOf(caller: Caller, address = caller.agentId): Promise<DeliveryOwner> {
    return { userId: caller.user.id, agentId: address === null ? null : (await ownAgent(store, caller, address)).id };
  }

  return resource(deps, "/api/v1/deliveries")
    .get(
      "",
      async ({ query, caller }) => {
        const owner = await ownerOf(caller, query.agent);
        const filter = query.status ? { status: query.status } : {};
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
        query: query({ agent, status: Type.Optional(choice(deliveryStatuses)), ...pageQuery }),
        response: { 200: answer(page("deliveries", Delivery)) },
        ...operation({
          id: "listDeliveries",
          tag,
          summary: "List webhook deliveries",
          description: "Newest first. A key of one agent sees that one's.",
          failures: ["not_found"],
        }),
      },
    )
    .post(
      "/redeliver",
      async ({ body, caller }) => {
        const owner = await ownerOf(caller, body.agent);
        const input = { since: body.since, limit: REDELIVERIES_MAX, now: new Date(clock.now()) };
        return { redelivered: await store.redeliverFailed(owner, input) };
      },
      {
        body: body({
          since: time({ description: "What was given up at or after this time." }),
          agent,
          status: Type.Optional(choice(["failed"], { description: "The only one, and the default." })),
        }),
        response: { 200: answer(Type.Object({ redelivered: Type.Integer() })) },
        ...operation({
          id: "redeliverFailed",
          tag,
          summary: "Deliver again what failed",
          description:
            "The oldest first, at most 1,000 at once; repeat until it answers 0. What was delivered again already, " +
            "and what has no webhook any more, is left out.",
          failures: ["not_found"],
          example: { since: "2026-05-15T12:00:00Z" },
        }),
      },
    )
    .get(
      "/:id",
      async ({ params, caller }) => {
        const found = await store.getDelivery({ userId: caller.user.id, agentId: caller.agentId }, params.id);
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
        const owner = { userId: caller.user.id, agentId: caller.agentId };
        const due = await store.redeliver(owner, params.id, new Date(clock.now()));
        if (!due) throw notFound("delivery");
        return deliveryOnWire(due);
      },
      {
        response: { 200: answer(Delivery) },
        ...operation({
          id: "redeliver",
          tag,
          summary: "Deliver again, at once",
          description:
            "What waits is due now. What is finished stays as it is; the answer is a new delivery of the same event, " +
            "with the same `webhook-id` and a schedule of its own, or the one that waits already.",
          failures: ["conflict"],
        }),
      },
    );
}
