import type { CallOptions, PostOptions } from "../http.ts";
import type { List } from "../list.ts";
import type {
  Answer,
  ApiKey,
  Body,
  NewApiKey,
  NewSigningSecret,
  Overview,
  Query,
  Session,
  SigningSecret,
} from "../types.ts";
import { path, Resource } from "./resource.ts";

/** The account that owns the key. */
export class Account extends Resource {
  get(options?: CallOptions): Promise<Answer<"getMe">> {
    return this.http.json("/api/v1/users/me", {}, options);
  }

  /** `{ paused: true }` pauses the mail of all agents. */
  update(body: Body<"patchMe">, options?: CallOptions): Promise<Answer<"patchMe">> {
    return this.http.json("/api/v1/users/me", { method: "PATCH", body }, options);
  }

  /** Key figures of the account. */
  overview(options?: CallOptions): Promise<Overview> {
    return this.http.json("/api/v1/overview", {}, options);
  }

  /** Everything that the account owns, as JSON text, without hashes and secrets. It may be long. */
  export(options?: CallOptions): Promise<Uint8Array<ArrayBuffer>> {
    return this.http.bytes("/api/v1/users/me/export", options);
  }

  /** Permanently deletes the account and everything that it owns. */
  delete(confirm: "DELETE", options?: CallOptions): Promise<Answer<"deleteAccount">> {
    return this.http.json("/api/v1/users/me", { method: "DELETE", query: { confirm } }, options);
  }
}

export class Keys extends Resource {
  /** Only this answer contains `key`. */
  create(body: Body<"createKey">, options?: PostOptions): Promise<NewApiKey> {
    return this.http.json("/api/v1/keys", { method: "POST", body }, options);
  }

  list(query: Query<"listKeys"> & CallOptions = {}): List<Answer<"listKeys">, ApiKey> {
    return this.pages<Answer<"listKeys">, "keys">("/api/v1/keys", "keys", query);
  }

  /** Revokes a key at once, also for open sockets. */
  async delete(id: string, options?: CallOptions): Promise<void> {
    await this.http.json(path`/api/v1/keys/${id}`, { method: "DELETE" }, options);
  }
}

/** Secrets that sign deliveries. The newest signs; the previous one also signs for another 24 hours. */
export class Secrets extends Resource {
  /** Only this answer contains `secret`. */
  create(body: Body<"createSigningSecret"> = {}, options?: PostOptions): Promise<NewSigningSecret> {
    return this.http.json("/api/v1/users/me/signing-secrets", { method: "POST", body }, options);
  }

  list(query: Query<"listSigningSecrets"> & CallOptions = {}): List<Answer<"listSigningSecrets">, SigningSecret> {
    const url = "/api/v1/users/me/signing-secrets";
    return this.pages<Answer<"listSigningSecrets">, "secrets">(url, "secrets", query);
  }

  async delete(id: string, options?: CallOptions): Promise<void> {
    await this.http.json(path`/api/v1/users/me/signing-secrets/${id}`, { method: "DELETE" }, options);
  }
}

/** Signed-in browsers. */
export class Sessions extends Resource {
  list(query: Query<"listSessions"> & CallOptions = {}): List<Answer<"listSessions">, Session> {
    return this.pages<Answer<"listSessions">, "sessions">("/api/v1/sessions", "sessions", query);
  }

  async delete(id: string, options?: CallOptions): Promise<void> {
    await this.http.json(path`/api/v1/sessions/${id}`, { method: "DELETE" }, options);
  }
}
