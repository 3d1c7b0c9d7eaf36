import type { MessageSummary } from "../api/client.ts";
import { Badge, type Tone } from "../ui/badge.tsx";

type Status = MessageSummary["status"];

const words: Partial<Record<Status, [Tone, string]>> = {
  pending_approval: ["accent", "Waiting for approval"],
  queued: ["info", "Queued"],
  sending: ["info", "Sending"],
  deferred: ["warn", "Deferred"],
  sent: ["ok", "Sent"],
  delivered: ["ok", "Delivered"],
  bounced: ["bad", "Bounced"],
  failed: ["bad", "Failed"],
  cancelled: ["quiet", "Cancelled"],
  rejected: ["bad", "Rejected"],
  expired_approved: ["ok", "Sent without a decision"],
  expired_rejected: ["bad", "Rejected without a decision"],
};

/** The status of a sent message. */
export function OutboundStatus({ status }: { status: Status }) {
  const [tone, text] = words[status] ?? ["quiet", status];
  return <Badge tone={tone}>{text}</Badge>;
}
