import type { QueryClient } from "@tanstack/react-query";
import type { ApiEvent, EventType } from "./client.ts";
import { addToLog } from "./events.ts";
import { keys, type ResourceKey } from "./keys.ts";
import { refreshInbox } from "./messages.ts";

/** After a burst of events each list is fetched once, this long after the first event. */
const SETTLE_MS = 250;

const outgoing: ResourceKey[] = ["outbound", "conversations"];

/** The resources that an event changes, besides the overview and the deliveries, which every event changes. */
const changes: Record<EventType, ResourceKey[]> = {
  "message.received": ["inbox", "conversations"],
  "message.sent": outgoing,
  "message.delivered": outgoing,
  "message.deferred": outgoing,
  "message.failed": outgoing,
  "message.bounced": [...outgoing, "suppressions"],
  "message.complained": [...outgoing, "suppressions"],
  "message.held": outgoing,
  "message.approved": [...outgoing, "audit"],
  "message.rejected": [...outgoing, "audit"],
  "message.expired": [...outgoing, "audit"],
  "domain.verified": ["domains", "agents"],
  "domain.degraded": ["domains"],
  "loop.stopped": outgoing,
  "webhook.disabled": ["webhooks", "agents"],
  "webhook.test": [],
};

/** Keeps the page up to date: each query that an event affects is fetched again, once and soon. */
export function createEffects(client: QueryClient): (event: ApiEvent) => void {
  const due = new Set<ResourceKey>();
  let news: ApiEvent[] = [];
  return (event) => {
    if (due.size === 0)
      setTimeout(() => {
        addToLog(client, news);
        news = [];
        for (const resource of due)
          void (resource === "inbox" ? refreshInbox(client) : client.invalidateQueries({ queryKey: keys[resource] }));
        due.clear();
      }, SETTLE_MS);
    news.push(event);
    // A newer server may know types that this page does not.
    for (const resource of ["overview", "deliveries", ...(changes[event.type] ?? [])] as const) due.add(resource);
  };
}
