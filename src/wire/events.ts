/**
 * Every type of event, each with its own JSON Schema. The row in the log is authoritative: webhooks, the log's API and
 * its WebSocket all carry that row under the same id. An event never contains a mail's body; clients fetch it by id.
 */
import { type Static, type TObject, type TProperties, Type } from "@sinclair/typebox";
import { type EventType, eventTypes } from "./event-types.ts";
import { aboutMessage, ReceivedData } from "./message.ts";
import { nullable, oneOf, time } from "./words.ts";

/** One of the types of events. */
export const EventTypeName = oneOf(...eventTypes);

const text = Type.String();
const maybe = (description?: string) => nullable(Type.String(), description);

const fate = {
  ...aboutMessage,
  email_message_id: Type.String({ description: "The Message-ID field." }),
  recipient: Type.String({ description: "The recipient that this is about." }),
  status: oneOf("held", "queued", "sending", "sent", "delivered", "deferred", "bounced", "failed", "cancelled"),
  method: nullable(oneOf("relay", "smtp", "capture"), "How it left; null when it did not."),
  smtp_reply: maybe("The last reply of the next host, or what its bounce says."),
  error: maybe("Why it did not leave, if no reply says so."),
  attempts: Type.Integer(),
};

const held = {
  ...aboutMessage,
  subject: text,
  recipients: Type.Array(Type.String(), { description: "The first 50 of them." }),
  rule: Type.String({ description: "Which rule holds it: `approval` holds everything, `loop` is the loop breaker." }),
  reason: Type.String({ description: "A sentence for readers." }),
};

const decided = {
  ...aboutMessage,
  by: Type.String({ description: "The address of the person who decided." }),
  how: oneOf("api", "session", "cli", "link", "expiry"),
};

const data = {
  "message.received": ReceivedData,
  "message.sent": Type.Object(fate),
  "message.delivered": Type.Object(fate),
  "message.deferred": Type.Object(fate),
  "message.failed": Type.Object(fate),
  "message.bounced": Type.Object(fate),
  "message.complained": Type.Object(fate),
  "message.held": Type.Object({
    ...held,
    approval_expires_at: nullable(time()),
    withdrawn_by: Type.Optional(
      Type.String({ description: "The person who undid the approval, so that the message waits again." }),
    ),
  }),
  "message.approved": Type.Object({ ...decided, edited: Type.Boolean() }),
  "message.rejected": Type.Object({ ...decided, rejection_reason: text }),
  "message.expired": Type.Object({
    ...aboutMessage,
    action: oneOf("approve", "reject"),
    rejection_reason: maybe(),
  }),
  "domain.verified": Type.Object({ domain: text }),
  "domain.degraded": Type.Object({
    domain: text,
    problems: Type.Array(Type.Object({ record: text, status: oneOf("missing", "mismatch") })),
  }),
  "loop.stopped": Type.Object({ ...held, release: Type.String({ description: "The request that releases it." }) }),
  "webhook.disabled": Type.Object({
    endpoint_id: Type.String({ description: "The webhook's id; for an agent's own webhook, the agent's address." }),
    webhook_id: maybe(),
    agent_id: maybe(),
    url: text,
    reason: Type.String({ description: "One sentence." }),
    failing_since: nullable(time()),
  }),
  "webhook.test": Type.Object({ webhook_id: text, url: text }),
} satisfies Record<EventType, TObject>;

/** The `data` of each type of event, as its row stores it. */
export type EventData = { [T in EventType]: Static<(typeof data)[T]> };

const descriptions: Record<EventType, string> = {
  "message.received": "An agent received mail.",
  "message.sent": "The next server accepted a message for a recipient.",
  "message.delivered": "A delivery report says that it arrived.",
  "message.deferred": "It could not be sent yet and will be retried.",
  "message.failed": "It will not leave.",
  "message.bounced": "It came back.",
  "message.complained": "The recipient's provider reported it as spam.",
  "message.held": "A message waits for a decision.",
  "message.approved": "A person approved a held message.",
  "message.rejected": "A person rejected a held message.",
  "message.expired": "No one decided in time.",
  "domain.verified": "A domain was proven.",
  "domain.degraded": "The records of a verified domain are no longer correct.",
  "loop.stopped": "The loop breaker stopped a conversation.",
  "webhook.disabled": "An endpoint was disabled; its deliveries wait.",
  "webhook.test": "A webhook was tested.",
};

function envelope<P extends TProperties>(type: EventType, members: P) {
  return Type.Object(
    {
      id: Type.String({ description: "The same in the log, in every webhook and on the WebSocket." }),
      type: Type.Unsafe<EventType>({ type: "string", const: type }),
      timestamp: time(),
      agent_id: Type.Optional(Type.String({ description: "The agent it is about." })),
      ...members,
    },
    { description: descriptions[type] },
  );
}

/** The JSON Schema (2020-12) of a whole event, by its type. */
export const eventSchemas = Object.fromEntries(
  eventTypes.map((type) => [
    type,
    {
      $schema: "https://json-schema.org/draft/2020-12/schema",
      title: type,
      ...JSON.parse(JSON.stringify(envelope(type, { data: data[type] }))),
    },
  ]),
) as Record<EventType, Record<string, unknown>>;

const nameOf = (type: EventType) => `${type.replace(/(^|\.)(.)/g, (_, __, first: string) => first.toUpperCase())}Event`;

/** An event of any type, which `type` names. */
export const Event = Type.Unsafe<{
  id: string;
  type: EventType;
  timestamp: string;
  agent_id?: string;
  data: EventData[EventType];
}>(
  Type.Union(
    eventTypes.map((type) => Type.Object(envelope(type, { data: data[type] }).properties, { $id: nameOf(type) })),
    { $id: "Event" },
  ),
);
