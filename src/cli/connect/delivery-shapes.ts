/** The wire's shapes of events, webhooks, deliveries and keys, as commands use them. */
import type { Static } from "@sinclair/typebox";
import type * as delivery from "../../wire/delivery.ts";
import type * as key from "../../wire/key.ts";
import type * as webhook from "../../wire/webhook.ts";
import type { Lenient } from "./lenient.ts";

export type Webhook = Lenient<
  Omit<Static<typeof webhook.Webhook>, "events">,
  "id" | "url" | "agents" | "description" | "status" | "created_at" | "updated_at"
> & {
  /** Event types; empty means all. */
  events: string[];
};

export const endpointStatuses = ["enabled", "disabled"] as const;
export type EndpointStatus = (typeof endpointStatuses)[number];

export interface WebhookChange {
  url?: string;
  events?: string[];
  agents?: string[];
  description?: string;
  status?: EndpointStatus;
}

export const deliveryStatuses = ["pending", "paused", "succeeded", "failed"] as const;
export type DeliveryStatus = (typeof deliveryStatuses)[number];

/** The delivery of one event to one endpoint. */
export type Delivery = Lenient<
  Omit<Static<typeof delivery.Delivery>, "event_type" | "last_status">,
  "id" | "event_id" | "endpoint_id" | "status" | "attempts" | "created_at"
> & { event_type?: string; last_status?: number | null };
/** One attempt at a delivery. */
export type DeliveryTry = Static<typeof delivery.DeliveryDetail>["tries"][number];
export type DeliveryDetail = Delivery & { tries: DeliveryTry[] };

export interface DeliveryFilter {
  agent?: string;
  webhook?: string;
  status?: DeliveryStatus;
}

export interface DeliveryPage {
  deliveries: Delivery[];
  next_token?: string;
}

/** An event, as webhooks and the log carry it. */
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

export type ApiKey = Static<typeof key.ApiKey>;
