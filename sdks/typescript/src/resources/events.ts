import type { RetryHooks } from "../backoff.ts";
import { followEvents } from "../follow.ts";
import type { CallOptions, PostOptions } from "../http.ts";
import type { List } from "../list.ts";
import type { Answer, Body, Delivery, DeliveryDetail, Event, EventOf, EventType, Query, Webhook } from "../types.ts";
import { path, Resource } from "./resource.ts";

/** Which events are followed, and from where. */
export interface FollowOptions<Type extends EventType = EventType> extends RetryHooks {
  /** The last event's id that you have seen; null: from the oldest that is kept. Default: what happens from now on. */
  after?: string | null | undefined;
  /** Default: all types. */
  types?: readonly Type[] | undefined;
  /** Only what is about this agent. */
  agent?: string | undefined;
  /** Ends the iteration; it rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** The event log. */
export class Events extends Resource {
  /** Oldest first. */
  list(query: Query<"listEvents"> & CallOptions = {}): List<Answer<"listEvents">, Event> {
    return this.pages<Answer<"listEvents">, "events">("/api/v1/events", "events", query);
  }

  get(id: string, options?: CallOptions): Promise<Event> {
    return this.http.json(path`/api/v1/events/${id}`, {}, options);
  }

  /**
   * Each event as it happens, for ever: none is missing and none comes twice, through restarts of the server too. Store the
   * `id` of what you are done with, and give it as `after` when you come back.
   */
  follow<Type extends EventType = EventType>(
    options: FollowOptions<Type> = {},
  ): AsyncGenerator<EventOf<Type>, void, undefined> {
    return followEvents(this.http, options) as AsyncGenerator<EventOf<Type>, void, undefined>;
  }

  /** A JSON Schema for each type. */
  schemas(options?: CallOptions): Promise<Answer<"listEventSchemas">> {
    return this.http.json("/api/v1/events/schemas", {}, options);
  }
}

/** Endpoints of the account that are told of events. */
export class Webhooks extends Resource {
  /** Without `events` it gets all types, without `agents` what happens to all. */
  create(body: Body<"createWebhook">, options?: PostOptions): Promise<Webhook> {
    return this.http.json("/api/v1/webhooks", { method: "POST", body }, options);
  }

  list(options?: CallOptions): List<Answer<"listWebhooks">, Webhook> {
    return this.pages<Answer<"listWebhooks">, "webhooks">("/api/v1/webhooks", "webhooks", { ...options });
  }

  get(id: string, options?: CallOptions): Promise<Webhook> {
    return this.http.json(path`/api/v1/webhooks/${id}`, {}, options);
  }

  update(id: string, body: Body<"updateWebhook">, options?: CallOptions): Promise<Webhook> {
    return this.http.json(path`/api/v1/webhooks/${id}`, { method: "PATCH", body }, options);
  }

  async delete(id: string, options?: CallOptions): Promise<void> {
    await this.http.json(path`/api/v1/webhooks/${id}`, { method: "DELETE" }, options);
  }

  /** Sends it a `webhook.test` event, whatever its filter. */
  test(id: string, options?: PostOptions): Promise<Delivery> {
    return this.http.json(path`/api/v1/webhooks/${id}/test`, { method: "POST" }, options);
  }
}

/** What became of webhooks. */
export class Deliveries extends Resource {
  /** Newest first. */
  list(query: Query<"listDeliveries"> & CallOptions = {}): List<Answer<"listDeliveries">, Delivery> {
    return this.pages<Answer<"listDeliveries">, "deliveries">("/api/v1/deliveries", "deliveries", query);
  }

  /** With every attempt. */
  get(id: string, options?: CallOptions): Promise<DeliveryDetail> {
    return this.http.json(path`/api/v1/deliveries/${id}`, {}, options);
  }

  /** Once more, under the same `webhook-id`. */
  redeliver(id: string, options?: PostOptions): Promise<Delivery> {
    return this.http.json(path`/api/v1/deliveries/${id}/redeliver`, { method: "POST" }, options);
  }

  /** All that failed since a time. */
  redeliverSince(body: Body<"redeliverFailed">, options?: PostOptions): Promise<Answer<"redeliverFailed">> {
    return this.http.json("/api/v1/deliveries/redeliver", { method: "POST", body }, options);
  }
}
