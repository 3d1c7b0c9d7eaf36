/**
 * The server's HTTP API as the commands use it. Shapes are the wire's; members a server may leave out are optional.
 */
import type { AgentMode, Attachment, Authentication, HeaderField, ReadStatus } from "../mail.ts";
import { version } from "../version.ts";
import { CliError, exitCode, type Problem } from "./failure.ts";

export interface Agent {
  id: string;
  domain: string;
  email: string;
  name: string;
  webhook_url: string | null;
  agent_mode: AgentMode;
  domain_verified: boolean;
  created_at: string;
  hitl_enabled: boolean;
  paused?: boolean;
}

export interface AgentChange {
  name?: string;
  webhook_url?: string;
  agent_mode?: AgentMode;
}

export interface NewAgent extends AgentChange {
  slug?: string;
  email?: string;
}

export interface DnsRecord {
  host: string;
  value: string;
  priority?: number;
}

export interface RecordCheck {
  record: string;
  status: "ok" | "missing" | "mismatch";
  found?: string | string[] | null;
}

export interface Domain {
  domain: string;
  verified: boolean;
  verification_token: string;
  dns_records: Record<string, DnsRecord | DnsRecord[]>;
  created_at: string;
  verified_at?: string | null;
  checks?: RecordCheck[];
}

export interface MessageSummary {
  message_id: string;
  from: string;
  to: string[];
  cc?: string[];
  reply_to?: string[];
  recipient: string;
  subject: string;
  conversation_id: string | null;
  status: ReadStatus;
  created_at: string;
  direction?: "inbound" | "outbound";
  verified?: boolean | null;
  verified_domain?: string | null;
  snippet?: string;
  has_attachments?: boolean;
}

export interface MessageDetail extends MessageSummary {
  auth_headers: Record<string, string>;
  raw_message: string;
  text?: string;
  html?: string | null;
  attachments?: Attachment[];
  authentication?: Authentication;
  headers?: HeaderField[];
}

export interface MessageFilter {
  status?: ReadStatus | "all";
  q?: string;
  from?: string;
  since?: string;
}

export interface MessagePage {
  messages: MessageSummary[];
  next_token?: string;
}

type Query = Record<string, string | number | undefined>;
interface RequestOptions {
  query?: Query;
  body?: unknown;
  /** Milliseconds until the request is given up. */
  timeoutMs?: number;
}

/** Longer than any answer of the API needs, shorter than a person's patience. */
const requestTimeoutMs = 30_000;
/** An attachment may be 25 MiB over a slow line. */
const downloadTimeoutMs = 300_000;
/** The API's own limit (page_size). */
export const pageSizeMax = 100;

/** One server, one key. Every method throws CliError: exit 4 for 401 and 403, else 1. */
export class Client {
  constructor(
    /** Base URL without trailing slash. */
    readonly url: string,
    private readonly apiKey: string | null,
  ) {}

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
  async *messages(
    agent: string,
    filter: MessageFilter,
    options: { limit: number; token?: string },
  ): AsyncGenerator<MessagePage> {
    let wanted = options.limit;
    let token = options.token;
    do {
      const query: Query = { ...filter, page_size: Math.min(wanted, pageSizeMax), token };
      const page = await this.json<MessagePage>("GET", `${agentPath(agent)}/messages`, { query });
      yield page;
      wanted -= page.messages.length;
      token = page.next_token;
    } while (token && wanted > 0);
  }

  /** One message, whole. Reading marks it read unless `peek`. */
  message(agent: string, id: string, options: { peek: boolean }): Promise<MessageDetail> {
    const query = options.peek ? { peek: "true" } : {};
    return this.json("GET", `${agentPath(agent)}/messages/${encodeURIComponent(id)}`, { query });
  }

  /** The decoded bytes of one attachment. */
  async attachment(agent: string, id: string, index: number): Promise<Uint8Array> {
    const path = `${agentPath(agent)}/messages/${encodeURIComponent(id)}/attachments/${index}`;
    const response = await this.send("GET", path, { timeoutMs: downloadTimeoutMs });
    return this.reading(() => response.bytes());
  }

  /** Address and headers for an agent's WebSocket. */
  socket(agent: string): { url: string; headers: Record<string, string> } {
    return { url: `${this.url}/api/v1${agentPath(agent)}/ws`.replace(/^http/, "ws"), headers: this.authorization() };
  }

  /** Asks the WebSocket's path as plain HTTP: throws what a refused handshake hid, else returns. */
  async socketProblem(agent: string): Promise<void> {
    await this.send("GET", `${agentPath(agent)}/ws`, {});
  }

  private authorization(): Record<string, string> {
    if (this.apiKey === null) {
      throw new CliError(`No API key for ${this.url}.`, {
        exit: exitCode.auth,
        code: "unauthenticated",
        fix: "Run `e2a login`, or set E2A_API_KEY. `e2a bootstrap` makes the first key of a new server.",
      });
    }
    return { authorization: `Bearer ${this.apiKey}` };
  }

  private async json<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
    const response = await this.send(method, path, options);
    const text = await this.reading(() => response.text());
    if (text === "") return null as T;
    try {
      return JSON.parse(text) as T;
    } catch (cause) {
      throw this.notOurs(cause);
    }
  }

  private async send(method: string, path: string, options: RequestOptions): Promise<Response> {
    const url = new URL(`${this.url}/api/v1${path}`);
    for (const [name, value] of Object.entries(options.query ?? {}))
      if (value !== undefined) url.searchParams.set(name, String(value));
    const headers: Record<string, string> = {
      accept: "application/json",
      "user-agent": `e2a/${version}`,
      ...this.authorization(),
    };
    if (options.body !== undefined) headers["content-type"] = "application/json";
    const response = await this.reading(() =>
      fetch(url, {
        method,
        headers,
        // A redirect is reported, not followed: the key stays with the server it was given for.
        redirect: "manual",
        signal: AbortSignal.timeout(options.timeoutMs ?? requestTimeoutMs),
        ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
      }),
    );
    if (response.ok) return response;
    throw await this.refusal(response);
  }

  private async refusal(response: Response): Promise<CliError> {
    const { status } = response;
    const location = response.headers.get("location");
    if (status >= 300 && status < 400 && location) {
      return new CliError(`${this.url} redirects to ${location}.`, {
        fix: "Set --url or E2A_URL to the final address.",
      });
    }
    const problem = asProblem(await this.reading(() => response.text()));
    if (problem === null) return this.notOurs(undefined, status);
    const auth = status === 401 || status === 403;
    const fix = problem.fix ?? (status === 401 ? "Check the API key: `e2a login`, or E2A_API_KEY." : undefined);
    return new CliError(problem.detail ?? problem.title ?? `The server answered ${status}.`, {
      exit: auth ? exitCode.auth : exitCode.failed,
      problem: { status, ...problem },
      ...(fix === undefined ? {} : { fix }),
    });
  }

  private notOurs(cause: unknown, status?: number): CliError {
    const said = status === undefined ? "did not answer in JSON" : `answered ${status} without a reason`;
    return new CliError(`${this.url} ${said}.`, {
      code: "not_e2a",
      fix: "Check that --url or E2A_URL is the address of an e2a server.",
      cause,
      ...(status === undefined ? {} : { problem: { status } }),
    });
  }

  /** Runs one step of an exchange and says what a broken connection means. */
  private async reading<T>(step: () => Promise<T>): Promise<T> {
    try {
      return await step();
    } catch (cause) {
      const { code, name, message } = cause as { code?: string; name?: string; message?: string };
      if (name === "TimeoutError") {
        throw new CliError(`${this.url} did not answer in time.`, { code: "timeout", fix: "Try again.", cause });
      }
      throw new CliError(`Cannot reach ${this.url} (${code ?? message}).`, {
        code: "unreachable",
        fix: "Is the server running? Start it with `e2a serve` or set --url.",
        cause,
      });
    }
  }
}

function agentPath(email: string): string {
  return `/agents/${encodeURIComponent(email)}`;
}

function asProblem(text: string): Problem | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && ("detail" in value || "title" in value)
      ? (value as Problem)
      : null;
  } catch {
    return null;
  }
}
