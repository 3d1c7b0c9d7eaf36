import type { Outbound } from "../api/client.ts";
import { OutboundStatus } from "../mail/outbound-status.tsx";
import { Badge } from "../ui/badge.tsx";

/** Where a message is in its life. What was captured counts as sent for the agent, and has not left. */
export function MessageFate({ message: { status, method } }: { message: Outbound }) {
  if (status === "sent" && method === "capture") return <Badge tone="info">Captured</Badge>;
  return <OutboundStatus status={status} />;
}
