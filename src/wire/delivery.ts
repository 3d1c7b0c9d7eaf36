/** An event on its way to an endpoint. */
import { Type } from "@sinclair/typebox";
import { EventTypeName } from "./events.ts";
import { nullable, oneOf, time } from "./words.ts";

export const deliveryStatuses = ["pending", "paused", "succeeded", "failed"] as const;

const delivery = {
  id: Type.String(),
  event_id: Type.String({ description: "Sent as `webhook-id`, the same in every attempt." }),
  event_type: EventTypeName,
  message_id: Type.Optional(Type.String({ description: "For an agent's own webhook, which gets the whole message." })),
  agent_id: Type.Optional(Type.String({ description: "The agent that the event is about." })),
  webhook_id: Type.Optional(Type.String({ description: "Absent for an agent's own webhook." })),
  endpoint_id: Type.String({ description: "The webhook's id; for an agent's own webhook, the agent's address." }),
  url: Type.Optional(Type.String({ description: "The endpoint's current URL; absent if it no longer has one." })),
  status: oneOf(...deliveryStatuses),
  attempts: Type.Integer({ description: "Made so far." }),
  next_attempt_at: Type.Optional(
    time("Absent while an attempt is in progress, and if no automatic attempt will follow."),
  ),
  last_status: Type.Optional(Type.Integer({ description: "HTTP status of the last answer." })),
  last_error: Type.Optional(Type.String({ description: "Why the last attempt got no answer." })),
  created_at: time(),
  finished_at: Type.Optional(time()),
};

export const Delivery = Type.Object(delivery, { $id: "Delivery" });

export const DeliveryDetail = Type.Object(
  {
    ...delivery,
    tries: Type.Array(
      Type.Object({
        attempt: Type.Integer({ description: "From 1." }),
        started_at: time(),
        duration_ms: Type.Integer(),
        status: nullable(Type.Integer(), "HTTP status; null when there was no answer."),
        error: nullable(Type.String(), "Why there was no answer."),
        answer: nullable(Type.String(), "The first KiB of the response body."),
      }),
      { description: "Every attempt, the first one first." },
    ),
  },
  { $id: "DeliveryDetail" },
);
