import type { CallOptions, PostOptions } from "../http.ts";
import type { List } from "../list.ts";
import type { Answer, Approved, AuditEntry, Body, Outbound, Query, Rejected } from "../types.ts";
import { path, Resource } from "./resource.ts";

/** Mail that agents sent, are sending or want to send. */
export class Outbox extends Resource {
  /** Newest first; with `status: "pending_approval"` those that expire soonest first. */
  list(query: Query<"listOutbound"> & CallOptions = {}): List<Answer<"listOutbound">, Outbound> {
    return this.pages<Answer<"listOutbound">, "messages">("/api/v1/messages", "messages", query);
  }

  /**
   * A message with its status for each recipient. While it waits for approval, its attachments have their bytes as
   * `data`, unless that is false here.
   */
  get(id: string, { data, ...options }: Query<"getOutbound"> & CallOptions = {}): Promise<Outbound> {
    return this.http.json(path`/api/v1/messages/${id}`, { query: { data } }, options);
  }

  /** The bytes of the mail as it leaves. */
  raw(id: string, options?: CallOptions): Promise<Uint8Array<ArrayBuffer>> {
    return this.http.bytes(path`/api/v1/messages/${id}/raw`, options);
  }

  /** The bytes of an attachment. */
  attachment(id: string, index: number, options?: CallOptions): Promise<Uint8Array<ArrayBuffer>> {
    return this.http.bytes(path`/api/v1/messages/${id}/attachments/${index}`, options);
  }

  /** Cancels a message for the recipients to whom it has not left yet. */
  cancel(id: string, options?: PostOptions): Promise<Outbound> {
    return this.http.json(path`/api/v1/messages/${id}/cancel`, { method: "POST" }, options);
  }

  /** Releases a message that the loop breaker holds. */
  release(id: string, options?: PostOptions): Promise<Outbound> {
    return this.http.json(path`/api/v1/messages/${id}/release`, { method: "POST" }, options);
  }
}

/** Held mail, and decisions about it. Requires an account's key; an agent's key never suffices. */
export class Approvals extends Resource {
  /** Mail that waits for a decision, soonest expiry first. */
  list(query: Omit<Query<"listOutbound">, "status"> & CallOptions = {}): List<Answer<"listOutbound">, Outbound> {
    const asked = { ...query, status: "pending_approval" };
    return this.pages<Answer<"listOutbound">, "messages">("/api/v1/messages", "messages", asked);
  }

  /** Approves a message, with the changes in the body. With `content_hash`, only that content can leave. */
  approve(id: string, body: Body<"approveMessage"> = {}, options?: PostOptions): Promise<Approved> {
    return this.http.json(path`/api/v1/messages/${id}/approve`, { method: "POST", body }, options);
  }

  reject(id: string, body: Body<"rejectMessage"> = {}, options?: PostOptions): Promise<Rejected> {
    return this.http.json(path`/api/v1/messages/${id}/reject`, { method: "POST", body }, options);
  }

  /** Undoes an approval: the message waits again. 409 once delivery to a recipient has begun. */
  undo(id: string, options?: PostOptions): Promise<Outbound> {
    return this.http.json(path`/api/v1/messages/${id}/undo`, { method: "POST" }, options);
  }
}

/** The log of decisions about held mail. */
export class Audit extends Resource {
  /** Newest first. */
  list(query: Query<"listAudit"> & CallOptions = {}): List<Answer<"listAudit">, AuditEntry> {
    return this.pages<Answer<"listAudit">, "entries">("/api/v1/audit", "entries", query);
  }
}
