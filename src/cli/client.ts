/** The server's HTTP API as the commands use it. */
import { Exchange, type OnSent, type Query } from "./exchange.ts";
import type {
  Agent,
  AgentChange,
  Domain,
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
  Sent,
} from "./shapes.ts";

/** An attachment may be 25 MiB over a slow line. */
const downloadTimeoutMs = 300_000;
/** The API's own limit (page_size). */
const pageSizeMax = 100;

export interface SendOptions {
  /** Wait until the mail has left, at most as long as the server does; else it is only queued. */
  wait: boolean;
  onSent?: OnSent | undefined;
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
    return this.pages(`${agentPath(agent)}/messages`, { ...filter }, options);
  }

  /** One message, whole. Reading marks it read unless `peek`. */
  message(agent: string, id: string, options: { peek: boolean }): Promise<MessageDetail> {
    const query = options.peek ? { peek: "true" } : {};
    return this.json("GET", `${agentPath(agent)}${messagePath(id)}`, { query });
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
    return this.pages("/messages", { ...filter }, options);
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

  /** Address and headers for an agent's WebSocket. */
  socket(agent: string): { url: string; headers: Record<string, string> } {
    return { url: `${this.url}/api/v1${agentPath(agent)}/ws`.replace(/^http/, "ws"), headers: this.authorization() };
  }

  /** Asks the WebSocket's path as plain HTTP: throws what a refused handshake hid, else returns. */
  async socketProblem(agent: string): Promise<void> {
    await this.ask("GET", `${agentPath(agent)}/ws`, {});
  }

  private post(path: string, body: unknown, { wait, onSent }: SendOptions): Promise<Sent> {
    const headers: Record<string, string> = wait ? {} : { prefer: "respond-async" };
    return this.once(path, { body, headers, ...(onSent ? { onSent } : {}) });
  }

  private async *pages<Page extends { messages: unknown[]; next_token?: string }>(
    path: string,
    filter: Query,
    options: PageOptions,
  ): AsyncGenerator<Page> {
    let wanted = options.limit;
    let token = options.token;
    do {
      const query: Query = { ...filter, page_size: Math.min(wanted, pageSizeMax), token };
      const page = await this.json<Page>("GET", path, { query });
      yield page;
      wanted -= page.messages.length;
      token = page.next_token;
    } while (token && wanted > 0);
  }
}

function messagePath(id: string): string {
  return `/messages/${encodeURIComponent(id)}`;
}

function agentPath(email: string): string {
  return `/agents/${encodeURIComponent(email)}`;
}
