/** The server's HTTP API as the commands use it. */
import type {
  ApiKey,
  Delivery,
  DeliveryDetail,
  DeliveryFilter,
  DeliveryPage,
  EventFilter,
  EventPage,
  NewKey,
  NewWebhook,
  Webhook,
  WebhookChange,
} from "./delivery-shapes.ts";
import { Exchange, type OnSent, type Query } from "./exchange.ts";
import type {
  Agent,
  AgentChange,
  Approved,
  AuditPage,
  Bound,
  Domain,
  Forecast,
  MailEdit,
  MessageDetail,
  MessageFilter,
  MessagePage,
  NewAgent,
  NewForward,
  NewMail,
  NewReply,
  Outbound,
  OutboxFilter,
  OutboxPage,
  Pausable,
  Rejected,
  Sent,
} from "./shapes.ts";

/** A message or an attachment may be 25 MiB over a slow line. */
const downloadTimeoutMs = 300_000;
/** Somebody waits to sign in. */
const methodsTimeoutMs = 10_000;
/** The API's own limit (page_size). */
const pageSizeMax = 100;
/** How long the server may keep a question about new events; its own limit, and under a proxy's usual patience. */
const eventWaitSeconds = 60;
/** Beyond the wait itself. */
const eventAnswerMs = 30_000;

export interface SendOptions {
  /** Wait until the mail has left, at most as long as the server does; else it is only queued. */
  wait: boolean;
  onSent?: OnSent | undefined;
  /** Names the mail across tries and restarts: the server takes it once (for 24 hours). */
  idempotencyKey?: string;
}

export interface PageOptions {
  /** How many there may be on all pages together. */
  limit: number;
  /** Where an earlier page ended. */
  token?: string;
}

/** One server, one key. Every method throws CliError: exit 4 for 401 and 403, else 1. */
export class Client extends Exchange {
  me(): Promise<{ id: string; email: string }> {
    return this.json("GET", "/users/me");
  }

  /** Whether people sign in to this server with a browser; asked without a key. */
  async signsInByBrowser(): Promise<boolean> {
    return this.reading(async () => {
      const url = `${this.url}/api/auth/methods`;
      const response = await fetch(url, { redirect: "manual", signal: AbortSignal.timeout(methodsTimeoutMs) });
      await response.body?.cancel();
      return response.ok;
    });
  }

  async agents(): Promise<Agent[]> {
    return (await this.json<{ agents: Agent[] }>("GET", "/agents")).agents;
  }

  agent(email: string): Promise<Agent> {
    return this.json("GET", agentPath(email));
  }

  registerAgent(agent: NewAgent): Promise<Agent> {
    return this.json("POST", "/agents", { body: agent });
  }

  updateAgent(email: string, change: AgentChange): Promise<Agent> {
    return this.json("PUT", agentPath(email), { body: change });
  }

  deleteAgent(email: string): Promise<unknown> {
    return this.json("DELETE", agentPath(email));
  }

  async domains(): Promise<Domain[]> {
    return (await this.json<{ domains: Domain[] }>("GET", "/domains")).domains;
  }

  domain(domain: string): Promise<Domain> {
    return this.json("GET", `/domains/${encodeURIComponent(domain)}`);
  }

  registerDomain(domain: string): Promise<Domain> {
    return this.json("POST", "/domains", { body: { domain } });
  }

  verifyDomain(domain: string): Promise<Domain> {
    return this.json("POST", `/domains/${encodeURIComponent(domain)}/verify`);
  }

  deleteDomain(domain: string): Promise<unknown> {
    return this.json("DELETE", `/domains/${encodeURIComponent(domain)}`);
  }

  /** Pages of an agent's messages until the server has no more or `limit` messages came; starts after `token`. */
  messages(agent: string, filter: MessageFilter, options: PageOptions): AsyncGenerator<MessagePage> {
    return this.pages<MessagePage>(`${agentPath(agent)}/messages`, { ...filter }, options, countMessages);
  }

  /** One message, whole. Reading marks it read unless `peek`. */
  message(agent: string, id: string, options: { peek: boolean }): Promise<MessageDetail> {
    const query = options.peek ? { peek: "true" } : {};
    return this.json("GET", `${agentPath(agent)}${messagePath(id)}`, { query, timeoutMs: downloadTimeoutMs });
  }

  async markRead(agent: string, id: string): Promise<void> {
    await this.json("PATCH", `${agentPath(agent)}${messagePath(id)}`, { body: { status: "read" } });
  }

  /** The decoded bytes of one attachment. */
  async attachment(agent: string, id: string, index: number): Promise<Uint8Array> {
    const path = `${agentPath(agent)}${messagePath(id)}/attachments/${index}`;
    const response = await this.ask("GET", path, { timeoutMs: downloadTimeoutMs });
    return this.reading(() => response.bytes());
  }

  /** Sends a mail; once, also when an answer is lost on the way. */
  send(mail: NewMail, options: SendOptions): Promise<Sent> {
    return this.post("/send", mail, options);
  }

  reply(agent: string, id: string, reply: NewReply, options: SendOptions): Promise<Sent> {
    return this.post(`${agentPath(agent)}${messagePath(id)}/reply`, reply, options);
  }

  forward(agent: string, id: string, forward: NewForward, options: SendOptions): Promise<Sent> {
    return this.post(`${agentPath(agent)}${messagePath(id)}/forward`, forward, options);
  }

  /** Pages of what was sent, newest first; see `messages`. */
  outbox(filter: OutboxFilter, options: PageOptions): AsyncGenerator<OutboxPage> {
    return this.pages<OutboxPage>("/messages", { ...filter }, options, countMessages);
  }

  outbound(id: string): Promise<Outbound> {
    return this.json("GET", messagePath(id));
  }

  /** Takes back what has not left yet; 409 when it is too late. */
  cancel(id: string): Promise<Outbound> {
    return this.json("POST", `${messagePath(id)}/cancel`);
  }

  /** Lets a mail go that the loop breaker holds. */
  release(id: string): Promise<Outbound> {
    return this.json("POST", `${messagePath(id)}/release`);
  }

  /** What would happen to a mail if it were sent. */
  check(agent: string, mail: NewMail): Promise<Forecast> {
    return this.json("POST", `${agentPath(agent)}/check`, { body: mail });
  }

  /** Lets a held mail go, changed or not; once. 409 when it was decided, or is not what `content_hash` names. */
  approve(id: string, decision: MailEdit & Bound, options: SendOptions): Promise<Approved> {
    return this.post(`${messagePath(id)}/approve`, decision, options);
  }

  /** Refuses a held mail; the agent can read the reason. 409 as `approve`. */
  reject(id: string, decision: { reason?: string } & Bound): Promise<Rejected> {
    return this.json("POST", `${messagePath(id)}/reject`, { body: decision });
  }

  /** Takes an approval back; the mail waits again. 409 once a recipient is being tried. */
  undoApproval(id: string): Promise<Outbound> {
    return this.json("POST", `${messagePath(id)}/undo`);
  }

  pauseAgent(email: string, paused: boolean): Promise<Pausable> {
    return this.json("PATCH", agentPath(email), { body: { paused } });
  }

  pauseDomain(domain: string, paused: boolean): Promise<Pausable> {
    return this.json("PATCH", `/domains/${encodeURIComponent(domain)}`, { body: { paused } });
  }

  /** Everything of the account. */
  pauseAll(paused: boolean): Promise<Pausable> {
    return this.json("PATCH", "/users/me", { body: { paused } });
  }

  /** Pages of decisions, newest first; see `messages`. */
  audit(options: PageOptions): AsyncGenerator<AuditPage> {
    return this.pages<AuditPage>("/audit", {}, options, ({ entries }) => entries.length);
  }

  async webhooks(): Promise<Webhook[]> {
    return (await this.json<{ webhooks: Webhook[] }>("GET", "/webhooks")).webhooks;
  }

  webhook(id: string): Promise<Webhook> {
    return this.json("GET", webhookPath(id));
  }

  createWebhook(webhook: NewWebhook): Promise<Webhook> {
    return this.json("POST", "/webhooks", { body: webhook });
  }

  updateWebhook(id: string, change: WebhookChange): Promise<Webhook> {
    return this.json("PATCH", webhookPath(id), { body: change });
  }

  deleteWebhook(id: string): Promise<unknown> {
    return this.json("DELETE", webhookPath(id));
  }

  /** Sends it a `webhook.test`; the delivery tells what becomes of that. */
  testWebhook(id: string): Promise<Delivery> {
    return this.json("POST", `${webhookPath(id)}/test`);
  }

  /** Pages of deliveries, newest first; see `messages`. */
  deliveries(filter: DeliveryFilter, options: PageOptions): AsyncGenerator<DeliveryPage> {
    return this.pages<DeliveryPage>("/deliveries", { ...filter }, options, ({ deliveries }) => deliveries.length);
  }

  delivery(id: string): Promise<DeliveryDetail> {
    return this.json("GET", `/deliveries/${encodeURIComponent(id)}`);
  }

  redeliver(id: string): Promise<Delivery> {
    return this.json("POST", `/deliveries/${encodeURIComponent(id)}/redeliver`);
  }

  /** Delivers again what failed since a time, a part of it at once; how many, until it says 0. */
  async redeliverSince(since: string, filter: Omit<DeliveryFilter, "status">): Promise<number> {
    const body = { since, ...filter };
    return (await this.json<{ redelivered: number }>("POST", "/deliveries/redeliver", { body })).redelivered;
  }

  /** Pages of the event log, after an id oldest first, else newest first; see `messages`. */
  events(filter: EventFilter & { after?: string; sort: "asc" | "desc" }, options: PageOptions) {
    return this.pages<EventPage>("/events", { ...filter }, options, ({ events }) => events.length);
  }

  /** The events after an id, oldest first, waited for when there are none yet; the list may then still be empty. */
  nextEvents(filter: EventFilter & { after?: string }, signal: AbortSignal): Promise<EventPage> {
    const query: Query = { ...filter, wait: eventWaitSeconds, page_size: pageSizeMax };
    return this.json("GET", "/events", { query, signal, timeoutMs: eventWaitSeconds * 1000 + eventAnswerMs });
  }

  async keys(): Promise<ApiKey[]> {
    return (await this.json<{ keys: ApiKey[] }>("GET", "/keys")).keys;
  }

  /** The answer is the only one that shows the key. */
  createKey(key: NewKey): Promise<ApiKey & { key: string }> {
    return this.json("POST", "/keys", { body: key });
  }

  deleteKey(id: string): Promise<unknown> {
    return this.json("DELETE", `/keys/${encodeURIComponent(id)}`);
  }

  /** Address and headers for an agent's WebSocket. */
  socket(agent: string): { url: string; headers: Record<string, string> } {
    return { url: `${this.url}/api/v1${agentPath(agent)}/ws`.replace(/^http/, "ws"), headers: this.authorization() };
  }

  /** Asks the WebSocket's path as plain HTTP: throws what a refused handshake hid, else returns. */
  async socketProblem(agent: string): Promise<void> {
    await this.ask("GET", `${agentPath(agent)}/ws`, {});
  }

  private post(path: string, body: unknown, { wait, onSent, idempotencyKey }: SendOptions): Promise<Sent> {
    const headers: Record<string, string> = wait ? {} : { prefer: "respond-async" };
    return this.once(path, { body, headers, ...(onSent ? { onSent } : {}) }, idempotencyKey);
  }

  private async *pages<Page extends { next_token?: string }>(
    path: string,
    filter: Query,
    options: PageOptions,
    count: (page: Page) => number,
  ): AsyncGenerator<Page> {
    let wanted = options.limit;
    let token = options.token;
    do {
      // A token says all about where to go on.
      const start = token === undefined ? {} : { after: undefined };
      const query: Query = { ...filter, ...start, page_size: Math.min(wanted, pageSizeMax), token };
      const page = await this.json<Page>("GET", path, { query });
      yield page;
      wanted -= count(page);
      token = page.next_token;
    } while (token && wanted > 0);
  }
}

function countMessages({ messages }: { messages: unknown[] }): number {
  return messages.length;
}

function messagePath(id: string): string {
  return `/messages/${encodeURIComponent(id)}`;
}

function webhookPath(id: string): string {
  return `/webhooks/${encodeURIComponent(id)}`;
}

function agentPath(email: string): string {
  return `/agents/${encodeURIComponent(email)}`;
}
