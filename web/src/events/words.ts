import type { EventType } from "../../../src/wire/event-types.ts";
import type { Tone } from "../ui/badge.tsx";

/** What each type of event means, in a few words. */
export const eventWords: Record<EventType, string> = {
  "message.received": "Mail received",
  "message.sent": "Accepted by a recipient’s server",
  "message.delivered": "Delivered to the recipient’s mailbox",
  "message.deferred": "Deferred; it will be retried",
  "message.failed": "Refused, or retries exhausted",
  "message.bounced": "Bounced",
  "message.complained": "Reported as unwanted by the recipient",
  "message.held": "Waiting for approval",
  "message.approved": "Approved by a reviewer",
  "message.rejected": "Rejected by a reviewer",
  "message.expired": "No decision in time",
  "domain.verified": "A domain was verified",
  "domain.degraded": "A domain’s records are no longer correct",
  "loop.stopped": "The loop breaker stopped mail",
  "webhook.disabled": "An endpoint was disabled",
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
