/**
 * What the event log can tell: a row of it is an event's truth, and webhooks, the log and its WebSocket all carry the same
 * one under the same id. Members are the wire's. Bodies of mail are never in an event; they are fetched by id.
 */
import type { Method, RecipientStatus } from "./mail.ts";

/** An outbound or inbound message that an event is about. */
interface AboutMessage {
  message_id: string;
  agent_id: string;
  conversation_id: string;
}

/** What became of a message for one recipient. */
export interface Fate extends AboutMessage {
  email_message_id: string;
  recipient: string;
  status: RecipientStatus;
  method: Method | null;
  smtp_reply: string | null;
  error: string | null;
  attempts: number;
}

interface Held extends AboutMessage {
  subject: string;
  /** Envelope recipients, the first 50. */
  recipients: string[];
  rule: string;
  reason: string;
}

export interface EventData {
  "message.received": AboutMessage & {
    email_message_id: string | null;
    from: string;
    recipient: string;
    subject: string;
    snippet: string;
    has_attachments: boolean;
    entity_type: "human" | "agent";
    verified: boolean;
    verified_domain: string | null;
    auto_submitted: string | null;
    list_id: string | null;
    precedence: string | null;
    received_at: string;
  };
  "message.sent": Fate;
  "message.delivered": Fate;
  "message.deferred": Fate;
  "message.failed": Fate;
  "message.bounced": Fate;
  "message.complained": Fate;
  /** `withdrawn_by`: it waits again, because this person took the approval back. */
  "message.held": Held & { approval_expires_at: string | null; withdrawn_by?: string };
  "message.approved": AboutMessage & { by: string; how: string; edited: boolean };
  "message.rejected": AboutMessage & { by: string; how: string; rejection_reason: string };
  "message.expired": AboutMessage & { action: "approve" | "reject"; rejection_reason: string | null };
  "domain.verified": { domain: string };
  "domain.degraded": { domain: string; problems: { record: string; status: "missing" | "mismatch" }[] };
  "loop.stopped": Held & { release: string };
  "webhook.disabled": {
    endpoint_id: string;
    webhook_id: string | null;
    agent_id: string | null;
    url: string;
    reason: string;
    failing_since: string | null;
  };
  "webhook.test": { webhook_id: string; url: string };
}

export type EventType = keyof EventData;

const types: Record<EventType, true> = {
  "message.received": true,
  "message.sent": true,
  "message.delivered": true,
  "message.deferred": true,
  "message.failed": true,
  "message.bounced": true,
  "message.complained": true,
  "message.held": true,
  "message.approved": true,
  "message.rejected": true,
  "message.expired": true,
  "domain.verified": true,
  "domain.degraded": true,
  "loop.stopped": true,
  "webhook.disabled": true,
  "webhook.test": true,
};

/** Every type of event. */
export const eventTypes = Object.keys(types) as readonly EventType[];
