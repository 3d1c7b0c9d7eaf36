/** The types of events that clients can subscribe to. Imports nothing, because the dashboard uses this file too. */

/** Every type of event. */
export const eventTypes = [
  "message.received",
  "message.sent",
  "message.delivered",
  "message.deferred",
  "message.failed",
  "message.bounced",
  "message.complained",
  "message.held",
  "message.approved",
  "message.rejected",
  "message.expired",
  "domain.verified",
  "domain.degraded",
  "loop.stopped",
  "webhook.disabled",
  "webhook.test",
] as const;

export type EventType = (typeof eventTypes)[number];
