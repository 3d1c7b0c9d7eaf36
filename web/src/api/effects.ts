import type { QueryClient } from "@tanstack/react-query";
import type { ApiEvent, EventType } from "./client.ts";
import { addToLog } from "./events.ts";
import { keys, type ResourceKey } from "./keys.ts";
import { refreshInbox } from "./messages.ts";

/** A burst of events asks for each list once, this long after the first. */
const SETTLE_MS = 250;

const outgoing: ResourceKey[] = ["outbound", "conversations"];

/** What an event changes, beside the overview and what webhooks are told, which every one does. */
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

/** Makes what is shown follow the events: queries that an event touches are asked again, soon and once. */
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
