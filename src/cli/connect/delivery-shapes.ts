/** The wire's shapes of events, webhooks, deliveries and keys, as the commands use them. */

export interface Webhook {
  id: string;
  url: string;
  /** Types of events; empty means all. */
  events: string[];
  /** Addresses; empty means all of the account. */
  agents: string[];
  description: string;
  status: EndpointStatus;
  disabled_at?: string | null;
  disabled_reason?: string | null;
  failing_since?: string | null;
  created_at: string;
  updated_at: string;
}

export const endpointStatuses = ["enabled", "disabled"] as const;
export type EndpointStatus = (typeof endpointStatuses)[number];

export interface WebhookChange {
  url?: string;
  events?: string[];
  agents?: string[];
  description?: string;
  status?: EndpointStatus;
}

export interface NewWebhook extends WebhookChange {
  url: string;
}

export const deliveryStatuses = ["pending", "paused", "succeeded", "failed"] as const;
export type DeliveryStatus = (typeof deliveryStatuses)[number];

/** One event on its way to one endpoint. */
export interface Delivery {
  id: string;
  event_id: string;
  event_type?: string;
  message_id?: string;
  agent_id?: string;
  webhook_id?: string;
  /** A webhook's id, or the address of the agent whose own webhook it is. */
  endpoint_id: string;
  url?: string;
  status: DeliveryStatus;
  attempts: number;
  next_attempt_at?: string | null;
  last_status?: number | null;
  last_error?: string | null;
  created_at: string;
  finished_at?: string | null;
}

/** One attempt. */
export interface DeliveryTry {
  attempt: number;
  started_at: string;
  duration_ms: number;
  status: number | null;
  error: string | null;
  /** How the answer's body begins. */
  answer: string | null;
}

export interface DeliveryDetail extends Delivery {
  tries: DeliveryTry[];
}

export interface DeliveryFilter {
  agent?: string;
  webhook?: string;
  status?: DeliveryStatus;
}

export interface DeliveryPage {
  deliveries: Delivery[];
  next_token?: string;
}

/** A fact worth telling, as webhooks and the log tell it. */
export interface WireEvent {
  id: string;
  type: string;
  timestamp: string;
  agent_id?: string;
  data: Record<string, unknown>;
}

export interface EventFilter {
  /** Separated by commas. */
  types?: string;
  agent?: string;
}

export interface EventPage {
  events: WireEvent[];
  next_token?: string;
}

export interface ApiKey {
  id: string;
  name: string;
  scope: "account" | "agent";
  agent: string | null;
  key_prefix: string;
  created_at: string;
  expires_at: string | null;
  last_used_at: string | null;
}

export interface NewKey {
  name: string;
  scope: ApiKey["scope"];
  agent?: string;
  expires_at?: string;
}
