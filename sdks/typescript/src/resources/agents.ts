import type { CallOptions, PostOptions } from "../http.ts";
import type { List } from "../list.ts";
import type { Agent, Answer, Body, Domain, Forecast, Query, Suppression } from "../types.ts";
import { path, Resource } from "./resource.ts";

/** Agents: mailboxes with an address. */
export class Agents extends Resource {
  /** `{ slug: "my-bot", agent_mode: "local" }` makes `my-bot@<shared domain>`. */
  create(body: Body<"createAgent">, options?: PostOptions): Promise<Agent> {
    return this.http.json("/api/v1/agents", { method: "POST", body }, options);
  }

  /** Newest first. */
  list(query: Query<"listAgents"> & CallOptions = {}): List<Answer<"listAgents">, Agent> {
    return this.pages<Answer<"listAgents">, "agents">("/api/v1/agents", "agents", query);
  }

  get(agent: string, options?: CallOptions): Promise<Agent> {
    return this.http.json(path`/api/v1/agents/${agent}`, {}, options);
  }

  update(agent: string, body: Body<"patchAgent">, options?: CallOptions): Promise<Agent> {
    return this.http.json(path`/api/v1/agents/${agent}`, { method: "PATCH", body }, options);
  }

  /** Deletes an agent with all its mail. */
  async delete(agent: string, options?: CallOptions): Promise<Answer<"deleteAgent">> {
    await this.http.json(path`/api/v1/agents/${agent}`, { method: "DELETE" }, options);
    return { status: "deleted" };
  }

  /** Sends the agent a test mail, which takes the whole inbound path. */
  test(agent: string, options?: PostOptions): Promise<Answer<"testAgent">> {
    return this.http.json(path`/api/v1/agents/${agent}/test`, { method: "POST" }, options);
  }

  /** Predicts what would happen to a message: whether it would be held, and its route to each recipient. */
  check(agent: string, body: Body<"checkMessage">, options?: PostOptions): Promise<Forecast> {
    return this.http.json(path`/api/v1/agents/${agent}/check`, { method: "POST", body }, options);
  }
}

/** The account's own domains. */
export class Domains extends Resource {
  create(body: Body<"createDomain">, options?: PostOptions): Promise<Domain> {
    return this.http.json("/api/v1/domains", { method: "POST", body }, options);
  }

  list(query: Query<"listDomains"> & CallOptions = {}): List<Answer<"listDomains">, Domain> {
    return this.pages<Answer<"listDomains">, "domains">("/api/v1/domains", "domains", query);
  }

  get(domain: string, options?: CallOptions): Promise<Domain> {
    return this.http.json(path`/api/v1/domains/${domain}`, {}, options);
  }

  update(domain: string, body: Body<"patchDomain">, options?: CallOptions): Promise<Domain> {
    return this.http.json(path`/api/v1/domains/${domain}`, { method: "PATCH", body }, options);
  }

  /** Looks up its DNS records. If some are missing, throws APIError 412; `problem.checks` has the results. */
  verify(domain: string, options?: PostOptions): Promise<Domain> {
    return this.http.json(path`/api/v1/domains/${domain}/verify`, { method: "POST" }, options);
  }

  async delete(domain: string, options?: CallOptions): Promise<void> {
    await this.http.json(path`/api/v1/domains/${domain}`, { method: "DELETE" }, options);
  }
}

/** Addresses that get no mail from this account, because mail bounced, the recipient complained, or you added them. */
export class Suppressions extends Resource {
  create(body: Body<"createSuppression">, options?: PostOptions): Promise<Suppression> {
    return this.http.json("/api/v1/suppressions", { method: "POST", body }, options);
  }

  list(query: Query<"listSuppressions"> & CallOptions = {}): List<Answer<"listSuppressions">, Suppression> {
    return this.pages<Answer<"listSuppressions">, "suppressions">("/api/v1/suppressions", "suppressions", query);
  }

  get(address: string, options?: CallOptions): Promise<Suppression> {
    return this.http.json(path`/api/v1/suppressions/${address}`, {}, options);
  }

  async delete(address: string, options?: CallOptions): Promise<void> {
    await this.http.json(path`/api/v1/suppressions/${address}`, { method: "DELETE" }, options);
  }
}
