import type { Delivery } from "../api/client.ts";
import { Badge, type Tone } from "../ui/badge.tsx";

const words: Record<Delivery["status"], [Tone, string]> = {
  pending: ["info", "Pending"],
  paused: ["warn", "Paused"],
  succeeded: ["ok", "Delivered"],
  failed: ["bad", "Failed"],
};

/** Where a delivery is. */
export function DeliveryStatus({ status }: { status: Delivery["status"] }) {
  const [tone, text] = words[status];
  return <Badge tone={tone}>{text}</Badge>;
}

/** A status of HTTP: 2xx is success, and everything else is not. */
export function HttpStatus({ status }: { status: number }) {
  return <Badge tone={status >= 200 && status < 300 ? "ok" : "bad"}>{status}</Badge>;
}
