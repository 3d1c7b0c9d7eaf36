/** Webhooks, deliveries, the event log and keys of the wire, for tests of the command line. Nothing is ever POSTed. */
import type { ApiKey, DeliveryDetail, NewKey, NewWebhook, Webhook, WireEvent } from "../connect/delivery-shapes.ts";
import { problem } from "./outbox.ts";

const at = "2026-05-15T12:00:00.000Z";
const hex = (n: number) => n.toString(16).padStart(32, "0");

/** A webhook for everything, and what else matters to the test. */
export function webhook(n: number, more: Partial<Webhook> = {}): Webhook {
  const own = { id: `whk_${hex(n)}`, url: `https://example.com/${n}`, status: "enabled" as const };
  return { ...own, events: [], agents: [], description: "", created_at: at, updated_at: at, ...more };
}

/** A delivery that succeeded at once, and what else matters to the test. */
export function delivery(n: number, more: Partial<DeliveryDetail> = {}): DeliveryDetail {
  return {
    ...{ id: `dlv_${hex(n)}`, event_id: `evt_${hex(n)}`, event_type: "message.received" },
    ...{ endpoint_id: `whk_${hex(1)}`, webhook_id: `whk_${hex(1)}`, url: "https://example.com/1" },
    ...{ status: "succeeded", attempts: 1, last_status: 200, created_at: at, finished_at: at },
    tries: [{ attempt: 1, started_at: at, duration_ms: 34, status: 200, error: null, answer: "ok" }],
    ...more,
  };
}

/** A received message as an event, and what else matters to the test. */
export function event(n: number, more: Partial<WireEvent> = {}): WireEvent {
  return {
    ...{ id: `evt_${hex(n)}`, type: "message.received", timestamp: at, agent_id: "bot@e2a.localhost" },
    data: { from: "alice@example.com", recipient: "bot@e2a.localhost", subject: `Hello ${n}` },
    ...more,
  };
}

/** A key of the account, and what else matters to the test. */
export function key(n: number, more: Partial<ApiKey> = {}): ApiKey {
  return {
    ...{ id: `apk_${hex(n)}`, name: `key ${n}`, scope: "account", agent: null, key_prefix: `e2a_${n}234567` },
    ...{ created_at: at, expires_at: null, last_used_at: null },
    ...more,
  };
}

type Query = URLSearchParams;

export class WireDelivery {
  /** Newest first. */
  webhooks: Webhook[] = [];
  /** Newest first. */
  deliveries: DeliveryDetail[] = [];
  /** Oldest first. */
  events: WireEvent[] = [];
  /** Newest first. */
  keys: ApiKey[] = [];
  /** What each further look at the delivery of a test event finds changed. */
  looks: Partial<DeliveryDetail>[] = [];
  /** How many each further POST /deliveries/redeliver delivers again. */
  parts: number[] = [];
  private changed = Promise.withResolvers<void>();

  /** Adds to the log and answers who waits for it. */
  happen(...events: WireEvent[]): void {
    this.events.push(...events);
    this.changed.resolve();
    this.changed = Promise.withResolvers();
  }

  /** The answer to a path of ours, else null. */
  answer(method: string, path: string, query: Query, body: unknown): Response | Promise<Response> | null {
    const [, resource, id = "", action] = path.split("/");
    if (resource === "webhooks") return this.onWebhooks(method, id, action, body as NewWebhook);
    if (resource === "deliveries") return this.onDeliveries(method, id, action, query);
    if (resource === "events") return this.onEvents(query);
    if (resource === "keys") return this.onKeys(method, id, body as NewKey);
    return null;
  }

  private onWebhooks(method: string, id: string, action: string | undefined, body: NewWebhook): Response {
    if (id === "" && method === "GET") return Response.json({ webhooks: this.webhooks });
    if (id === "") {
      const unknown = (body.events ?? []).filter((type) => !type.includes("."));
      const errors = [{ field: "events", message: `has unknown types: "${unknown[0]}". Known: message.received` }];
      if (unknown.length > 0)
        return problem(400, { code: "invalid_request", detail: "The request is not valid.", errors });
      this.webhooks.unshift(webhook(this.webhooks.length + 1, body));
      return Response.json(this.webhooks[0], { status: 201 });
    }
    const found = this.webhooks.find((one) => one.id === id);
    if (!found) return problem(404, { detail: "There is no such webhook.", code: "not_found" });
    if (action === "test") {
      const own = { event_type: "webhook.test", endpoint_id: id, webhook_id: id, url: found.url };
      const pending: Partial<DeliveryDetail> = { status: "pending", attempts: 0, last_status: null, tries: [] };
      this.deliveries.unshift(delivery(this.deliveries.length + 1, { ...own, ...pending }));
      return Response.json(this.deliveries[0]);
    }
    if (method === "DELETE") {
      this.webhooks.splice(this.webhooks.indexOf(found), 1);
      return new Response(null, { status: 204 });
    }
    if (method === "PATCH") Object.assign(found, body);
    return Response.json(found);
  }

  private onDeliveries(method: string, id: string, action: string | undefined, query: Query): Response {
    if (id === "redeliver") return Response.json({ redelivered: this.parts.shift() ?? 0 });
    if (id === "") {
      const [agent, endpoint, status] = ["agent", "webhook", "status"].map((name) => query.get(name));
      const matching = this.deliveries.filter(
        (one) =>
          (!agent || one.agent_id === agent) &&
          (!endpoint || one.endpoint_id === endpoint) &&
          (!status || one.status === status),
      );
      return Response.json(paged("deliveries", matching, query));
    }
    const found = this.deliveries.find((one) => one.id === id);
    if (!found) return problem(404, { detail: "There is no such delivery.", code: "not_found" });
    if (method === "POST" && action === "redeliver") Object.assign(found, { status: "pending" });
    // Each look at a test finds it further on.
    else if (found.event_type === "webhook.test") Object.assign(found, this.looks.shift());
    return Response.json(found);
  }

  private async onEvents(query: Query): Promise<Response> {
    const [after, types, agent] = [query.get("after"), query.get("types")?.split(","), query.get("agent")];
    if (after !== null && !this.events.some(({ id }) => id === after)) {
      const fix = "Leave it out to begin with the oldest event that is kept.";
      return problem(400, { code: "invalid_request", detail: `${after} is no event of yours.`, fix });
    }
    const matching = () =>
      this.events
        .slice(after === null ? 0 : this.events.findIndex(({ id }) => id === after) + 1)
        .filter((one) => (!types || types.includes(one.type)) && (!agent || one.agent_id === agent));
    if (query.has("wait")) while (matching().length === 0) await this.changed.promise;
    return Response.json(paged("events", query.get("sort") === "desc" ? matching().toReversed() : matching(), query));
  }

  private onKeys(method: string, id: string, body: NewKey): Response {
    if (id === "" && method === "GET") return Response.json({ keys: this.keys });
    if (id === "") {
      this.keys.unshift(key(this.keys.length + 1, body));
      return Response.json({ ...this.keys[0], key: `e2a_${"ef".repeat(32)}` }, { status: 201 });
    }
    const found = this.keys.find((one) => one.id === id);
    if (!found) return problem(404, { detail: "There is no such key.", code: "not_found" });
    this.keys.splice(this.keys.indexOf(found), 1);
    return new Response(null, { status: 204 });
  }
}

function paged(name: string, items: unknown[], query: Query): Record<string, unknown> {
  const start = Number(query.get("token") ?? 0);
  const end = start + Number(query.get("page_size") ?? 50);
  return { [name]: items.slice(start, end), ...(end < items.length ? { next_token: String(end) } : {}) };
}
