import { expect, test } from "bun:test";
import { type OutboundStatus, type RecipientStatus, statusOf } from "./mail.ts";

const cases: [recipients: RecipientStatus[], message: OutboundStatus][] = [
  [["held", "held"], "pending_approval"],
  [["sending", "queued", "sent", "failed"], "sending"],
  [["queued", "deferred", "sent", "bounced"], "queued"],
  [["deferred", "sent", "delivered", "failed"], "deferred"],
  [["sent", "delivered", "bounced", "failed", "cancelled"], "sent"],
  [["delivered", "bounced", "failed", "cancelled"], "delivered"],
  [["bounced", "failed", "cancelled"], "bounced"],
  [["failed", "cancelled"], "failed"],
  [["cancelled", "cancelled"], "cancelled"],
];

for (const [recipients, status] of cases)
  test(`a message whose recipients are ${recipients.join(", ")} is ${status}, in whatever order`, () => {
    expect(statusOf(recipients)).toBe(status);
    expect(statusOf(recipients.toReversed())).toBe(status);
  });
