import type { Outbound } from "../api/client.ts";
import { OutboundStatus } from "../mail/outbound-status.tsx";
import { Badge } from "../ui/badge.tsx";

/** The status of a message. For the agent a captured message counts as sent, although it has not left. */
export function MessageFate({ message: { status, method } }: { message: Outbound }) {
  if (status === "sent" && method === "capture") return <Badge tone="info">Captured</Badge>;
  return <OutboundStatus status={status} />;
}
