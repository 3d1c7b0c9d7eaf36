import type { MessageSummary } from "../api/client.ts";
import { Badge, type Tone } from "../ui/badge.tsx";

type Status = MessageSummary["status"];

const words: Partial<Record<Status, [Tone, string]>> = {
  pending_approval: ["accent", "Waits for approval"],
  queued: ["info", "Queued"],
  sending: ["info", "Sending"],
  deferred: ["warn", "Deferred"],
  sent: ["ok", "Sent"],
  delivered: ["ok", "Delivered"],
  bounced: ["bad", "Bounced"],
  failed: ["bad", "Failed"],
  cancelled: ["quiet", "Cancelled"],
  rejected: ["bad", "Rejected"],
  expired_approved: ["ok", "Sent, nobody decided"],
  expired_rejected: ["bad", "Rejected, nobody decided"],
};

/** Where a sent message is in its life. */
export function OutboundStatus({ status }: { status: Status }) {
  const [tone, text] = words[status] ?? ["quiet", status];
  return <Badge tone={tone}>{text}</Badge>;
}
