import type { RetryHooks } from "../backoff.ts";
import { followEvents } from "../follow.ts";
import type { CallOptions, PostOptions } from "../http.ts";
import type { List } from "../list.ts";
import type { Answer, Body, Delivery, DeliveryDetail, Event, EventOf, EventType, Query, Webhook } from "../types.ts";
import { path, Resource } from "./resource.ts";

/** Which events to follow, and where to start. */
export interface FollowOptions<Type extends EventType = EventType> extends RetryHooks {
  /** The id of the last event that you have seen; null: start at the oldest in the log. Default: only new events. */
  after?: string | null | undefined;
  /** Default: all types. */
  types?: readonly Type[] | undefined;
  /** Only events about this agent. */
  agent?: string | undefined;
  /** Ends the iteration, which then rejects with the signal's reason. */
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
   * Iterates over events as they happen, without end. It skips none and yields none twice, even if the server restarts.
   * Store the `id` of the last event that you have processed, and pass it as `after` to resume.
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

/** The account's webhooks. */
export class Webhooks extends Resource {
  /** Without `events` it gets all types; without `agents`, the events of all agents. */
  create(body: Body<"createWebhook">, options?: PostOptions): Promise<Webhook> {
    return this.http.json("/api/v1/webhooks", { method: "POST", body }, options);
  }

  list(query: Query<"listWebhooks"> & CallOptions = {}): List<Answer<"listWebhooks">, Webhook> {
    return this.pages<Answer<"listWebhooks">, "webhooks">("/api/v1/webhooks", "webhooks", query);
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

  /** Sends it a `webhook.test` event, which no filter excludes. */
  test(id: string, options?: PostOptions): Promise<Delivery> {
    return this.http.json(path`/api/v1/webhooks/${id}/test`, { method: "POST" }, options);
  }
}

/** Deliveries to webhooks. */
export class Deliveries extends Resource {
  /** Newest first. */
  list(query: Query<"listDeliveries"> & CallOptions = {}): List<Answer<"listDeliveries">, Delivery> {
    return this.pages<Answer<"listDeliveries">, "deliveries">("/api/v1/deliveries", "deliveries", query);
  }

  /** A delivery with all its attempts. */
  get(id: string, options?: CallOptions): Promise<DeliveryDetail> {
    return this.http.json(path`/api/v1/deliveries/${id}`, {}, options);
  }

  /** Repeats a delivery, with the same `webhook-id`. */
  redeliver(id: string, options?: PostOptions): Promise<Delivery> {
    return this.http.json(path`/api/v1/deliveries/${id}/redeliver`, { method: "POST" }, options);
  }

  /** Repeats all deliveries that have failed since a time. */
  redeliverSince(body: Body<"redeliverFailed">, options?: PostOptions): Promise<Answer<"redeliverFailed">> {
    return this.http.json("/api/v1/deliveries/redeliver", { method: "POST", body }, options);
  }
}
