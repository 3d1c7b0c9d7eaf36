import type { EventType } from "../../../src/wire/event-types.ts";
import type { Tone } from "../ui/badge.tsx";

/** What each type of event says, in a few words. */
export const eventWords: Record<EventType, string> = {
  "message.received": "Mail came in",
  "message.sent": "A recipient’s server took it",
  "message.delivered": "It is in the recipient’s mailbox",
  "message.deferred": "Put off; tried again later",
  "message.failed": "Refused, or given up",
  "message.bounced": "It came back",
  "message.complained": "The recipient called it unwanted",
  "message.held": "Waits for approval",
  "message.approved": "A person let it go",
  "message.rejected": "A person kept it back",
  "message.expired": "Nobody decided in time",
  "domain.verified": "A domain is proven",
  "domain.degraded": "A domain’s records are no longer right",
  "loop.stopped": "The loop breaker stopped mail",
  "webhook.disabled": "An endpoint was switched off",
  "webhook.test": "A test",
};

const bad: EventType[] = ["message.failed", "message.bounced", "message.complained", "domain.degraded", "loop.stopped"];
const warn: EventType[] = ["message.deferred", "message.rejected", "message.expired", "webhook.disabled"];
const ok: EventType[] = ["message.sent", "message.delivered", "message.approved", "domain.verified"];

export function eventTone(type: EventType): Tone {
  if (bad.includes(type)) return "bad";
  if (warn.includes(type)) return "warn";
  if (ok.includes(type)) return "ok";
  return type === "message.held" ? "accent" : type === "message.received" ? "info" : "quiet";
}
