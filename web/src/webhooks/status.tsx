import type { Delivery } from "../api/client.ts";
import { Badge, type Tone } from "../ui/badge.tsx";

const words: Record<Delivery["status"], [Tone, string]> = {
  pending: ["info", "Pending"],
  paused: ["warn", "Paused"],
  succeeded: ["ok", "Delivered"],
  failed: ["bad", "Failed"],
};

/** The status of a delivery. */
export function DeliveryStatus({ status }: { status: Delivery["status"] }) {
  const [tone, text] = words[status];
  return <Badge tone={tone}>{text}</Badge>;
}

/** An HTTP status: 2xx is success, anything else is failure. */
export function HttpStatus({ status }: { status: number }) {
  return <Badge tone={status >= 200 && status < 300 ? "ok" : "bad"}>{status}</Badge>;
}
