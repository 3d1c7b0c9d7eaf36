import { Type } from "@sinclair/typebox";
import { answer } from "../framework/input.ts";
import { operation } from "../framework/openapi.ts";
import { type RouteDeps, resource } from "../framework/resource.ts";
import { requireAccountKey } from "./agents.ts";
import { time } from "./wire.ts";

const DAYS = 30;

const Overview = Type.Object(
  {
    agents: Type.Object({ total: Type.Integer(), paused: Type.Integer() }),
    unread: Type.Integer({ description: "Messages in all mailboxes together." }),
    pending_approval: Type.Integer(),
    deliveries: Type.Object({
      pending: Type.Integer({ description: "Those that will be tried, for the first time or again." }),
      failing_endpoints: Type.Array(
        Type.Object({
          endpoint_id: Type.String({ description: "The agent's address, or the account webhook's id." }),
          url: Type.String(),
          failing_since: time(),
          waiting: Type.Integer({ description: "Deliveries that wait for it." }),
        }),
      ),
    }),
    domains: Type.Object({ total: Type.Integer(), verified: Type.Integer() }),
    volume: Type.Array(
      Type.Object({
        day: Type.String({ format: "date", description: "In UTC." }),
        received: Type.Integer(),
        sent: Type.Integer(),
        failed: Type.Integer({ description: "Failed or bounced for every recipient." }),
      }),
      {
        description:
          "The last 30 days, today included, oldest first; by the time when a message came or was handed in.",
      },
    ),
  },
  { $id: "Overview" },
);

/** The account in figures. */
export function overview(deps: RouteDeps) {
  const { store, clock } = deps;

  return resource("/api/v1/overview").get(
    "",
    async ({ caller }) => {
      requireAccountKey(caller);
      const found = await store.overview(caller.user.id, { now: new Date(clock.now()), days: DAYS });
      const { agents, unread, pendingApproval: pending_approval, deliveries, domains, volume } = found;
      const failing_endpoints = deliveries.failingEndpoints.map(({ endpointId, url, failingSince, waiting }) => ({
        ...{ endpoint_id: endpointId, url, failing_since: failingSince.toISOString(), waiting },
      }));
      return {
        ...{ agents, unread, pending_approval, deliveries: { pending: deliveries.pending, failing_endpoints } },
        ...{ domains, volume },
      };
    },
    {
      response: { 200: answer(Overview) },
      ...operation({ id: "getOverview", tag: "account", summary: "The account in figures", failures: ["forbidden"] }),
    },
  );
}
