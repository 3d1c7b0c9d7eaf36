import { Overview } from "../../../wire/overview.ts";
import { answer } from "../../framework/input.ts";
import { operation } from "../../framework/openapi.ts";
import { type RouteDeps, resource } from "../../framework/resource.ts";
import { requireAccountKey } from "./agents.ts";

const DAYS = 30;

/** The route for the account's figures. */
export function overview(deps: RouteDeps) {
  const { store, clock } = deps;

  return resource("/api/v1/overview").get(
    "",
    async ({ caller }) => {
      requireAccountKey(caller);
      const found = await store.overview(caller.user.id, { now: new Date(clock.now()), days: DAYS });
      const { agents, unread, pendingApproval: pending_approval, deliveries, domains, volume } = found;
      const failing_endpoints = deliveries.failingEndpoints.map(({ endpointId, url, failingSince, waiting }) => ({
        endpoint_id: endpointId,
        url,
        failing_since: failingSince.toISOString(),
        waiting,
      }));
      return {
        agents,
        unread,
        pending_approval,
        deliveries: { pending: deliveries.pending, failing_endpoints },
        domains,
        volume,
      };
    },
    {
      response: { 200: answer(Overview) },
      ...operation({ id: "getOverview", tag: "account", summary: "The account in figures", failures: ["forbidden"] }),
    },
  );
}
