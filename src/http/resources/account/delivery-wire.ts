import type { Static } from "@sinclair/typebox";
import type { LoggedDelivery } from "../../../store/events/delivery-log.ts";
import type { DeliveryAttemptRow } from "../../../store/schema.ts";
import type { Delivery, DeliveryDetail } from "../../../wire/delivery.ts";
import { optional } from "../../../wire/words.ts";

export function deliveryOnWire({ delivery: row, url }: LoggedDelivery): Static<typeof Delivery> {
  // While a worker holds the delivery, `nextAttemptAt` is the end of its lease.
  const isWaiting = row.status === "pending" && row.leaseToken === null;
  return {
    id: row.id,
    event_id: row.eventId,
    event_type: row.eventType,
    ...optional("message_id", row.messageId ?? undefined),
    ...optional("agent_id", row.agentId ?? undefined),
    ...optional("webhook_id", row.endpointId.includes("@") ? undefined : row.endpointId),
    endpoint_id: row.endpointId,
    ...optional("url", url ?? undefined),
    status: row.status,
    attempts: row.attempts,
    ...optional("next_attempt_at", isWaiting ? row.nextAttemptAt.toISOString() : undefined),
    ...optional("last_status", row.lastStatus ?? undefined),
    ...optional("last_error", row.lastError ?? undefined),
    created_at: row.createdAt.toISOString(),
    ...optional("finished_at", row.finishedAt?.toISOString()),
  };
}

export function deliveryDetailOnWire(
  found: LoggedDelivery & { tries: DeliveryAttemptRow[] },
): Static<typeof DeliveryDetail> {
  return {
    ...deliveryOnWire(found),
    tries: found.tries.map(({ attempt, startedAt, durationMs, status, error, answer }) => ({
      attempt,
      started_at: startedAt.toISOString(),
      duration_ms: durationMs,
      status,
      error,
      answer,
    })),
  };
}
