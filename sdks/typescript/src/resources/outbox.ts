import type { CallOptions, PostOptions } from "../http.ts";
import type { List } from "../list.ts";
import type { Answer, Approved, AuditEntry, Body, Outbound, Query, Rejected } from "../types.ts";
import { path, Resource } from "./resource.ts";

/** What agents sent, are sending or want to send. */
export class Outbox extends Resource {
  /** Newest first. */
  list(query: Query<"listOutbound"> & CallOptions = {}): List<Answer<"listOutbound">, Outbound> {
    return this.pages<Answer<"listOutbound">, "messages">("/api/v1/messages", "messages", query);
  }

  /** With what became of it for each recipient. */
  get(id: string, options?: CallOptions): Promise<Outbound> {
    return this.http.json(path`/api/v1/messages/${id}`, {}, options);
  }

  /** The mail as it leaves. */
  raw(id: string, options?: CallOptions): Promise<Uint8Array<ArrayBuffer>> {
    return this.http.bytes(path`/api/v1/messages/${id}/raw`, options);
  }

  /** The bytes of an attachment. */
  attachment(id: string, index: number, options?: CallOptions): Promise<Uint8Array<ArrayBuffer>> {
    return this.http.bytes(path`/api/v1/messages/${id}/attachments/${index}`, options);
  }

  /** Takes back what is queued or held. */
  cancel(id: string, options?: PostOptions): Promise<Outbound> {
    return this.http.json(path`/api/v1/messages/${id}/cancel`, { method: "POST" }, options);
  }

  /** Lets go on what the loop breaker stopped. */
  release(id: string, options?: PostOptions): Promise<Outbound> {
    return this.http.json(path`/api/v1/messages/${id}/release`, { method: "POST" }, options);
  }
}

/** Held mail, and the decisions about it. They take an account's key, never an agent's. */
export class Approvals extends Resource {
  /** What waits for a decision, newest first. */
  list(query: Omit<Query<"listOutbound">, "status"> & CallOptions = {}): List<Answer<"listOutbound">, Outbound> {
    const asked = { ...query, status: "pending_approval" };
    return this.pages<Answer<"listOutbound">, "messages">("/api/v1/messages", "messages", asked);
  }

  /** Lets it leave, changed where the body says so. Give `content_hash`, and only what you have seen can leave. */
  approve(id: string, body: Body<"approveMessage"> = {}, options?: PostOptions): Promise<Approved> {
    return this.http.json(path`/api/v1/messages/${id}/approve`, { method: "POST", body }, options);
  }

  reject(id: string, body: Body<"rejectMessage"> = {}, options?: PostOptions): Promise<Rejected> {
    return this.http.json(path`/api/v1/messages/${id}/reject`, { method: "POST", body }, options);
  }

  /** Takes an approval back: the message waits again. 409 once a recipient is being tried. */
  undo(id: string, options?: PostOptions): Promise<Outbound> {
    return this.http.json(path`/api/v1/messages/${id}/undo`, { method: "POST" }, options);
  }
}

/** Who decided what about held mail, and when. */
export class Audit extends Resource {
  /** Newest first. */
  list(query: Query<"listAudit"> & CallOptions = {}): List<Answer<"listAudit">, AuditEntry> {
    return this.pages<Answer<"listAudit">, "entries">("/api/v1/audit", "entries", query);
  }
}
