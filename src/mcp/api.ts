import { failureOf, ToolFailure } from "./failure.ts";

/** One request to the HTTP API; the key goes with it. Rejects when there is no answer. */
export type Ask = (path: string, init: RequestInit) => Promise<Response>;

/** Whose key it is. */
export interface Who {
  scope: "account" | "agent";
  /** The one agent of a key of that scope. */
  agent: string | null;
}

export interface ApiOptions {
  ask: Ask;
  /** Asked once it matters, and again after a failure. */
  who: () => Promise<Who>;
  /** Whose mailbox is meant when a call does not say; null when that is open. */
  defaultAgent: string | null;
}

export interface Request {
  query?: Record<string, string | number | boolean | undefined>;
  body?: unknown;
  headers?: Record<string, string>;
  signal: AbortSignal;
}

/** Agents named in one sentence. */
const namedAgentsMax = 20;

/** The HTTP API as tools use it. Every method throws ToolFailure for what the API refuses. */
export class Api {
  constructor(private readonly options: ApiOptions) {}

  who(): Promise<Who> {
    return this.options.who();
  }

  get defaultAgent(): string | null {
    return this.options.defaultAgent;
  }

  async json<T>(method: string, path: string, request: Request): Promise<T> {
    const response = await this.answer(method, path, request);
    return (await response.json()) as T;
  }

  async bytes(path: string, request: Request): Promise<{ content: Uint8Array; contentType: string }> {
    const response = await this.answer("GET", path, request);
    return { content: await response.bytes(), contentType: response.headers.get("content-type") ?? "" };
  }

  /** The answer, when it is a good one. */
  async answer(method: string, path: string, request: Request): Promise<Response> {
    const response = await this.ask(method, path, request);
    if (response.ok) return response;
    throw failureOf(response.status, await response.text());
  }

  /** The answer, whatever it is. */
  ask(method: string, path: string, { query = {}, body, headers, signal }: Request): Promise<Response> {
    const asked = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) if (value !== undefined) asked.set(name, String(value));
    return this.options.ask(`/api/v1${path}${asked.size > 0 ? `?${asked}` : ""}`, {
      method,
      headers: {
        accept: "application/json",
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      signal,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }

  /** The agent that a call is about: the one it names, else the key's, the usual one, or the only one. */
  async agentOf(named: string | undefined, signal: AbortSignal): Promise<string> {
    const wanted = named?.trim() ?? (await this.options.who()).agent ?? this.options.defaultAgent ?? undefined;
    if (wanted?.includes("@")) return wanted.toLowerCase();
    const agents = await this.agents(signal);
    const matches = wanted === undefined ? agents : agents.filter((one) => one.startsWith(`${wanted.toLowerCase()}@`));
    const [only] = matches;
    if (only !== undefined && matches.length === 1) return only;
    if (agents.length === 0)
      throw new ToolFailure("This account has no agent yet.", {
        fix: "Ask the user to register one, with `e2a agents register` or in the dashboard.",
      });
    const shown = (matches.length > 0 ? matches : agents).slice(0, namedAgentsMax);
    throw new ToolFailure(
      wanted === undefined ? `This key has ${agents.length} agents.` : `No single agent is called "${wanted}".`,
      {
        fix: `Call the tool again with agent set to one of: ${shown.join(", ")}${agents.length > shown.length ? ", …" : ""}.`,
      },
    );
  }

  async agents(signal: AbortSignal): Promise<string[]> {
    const { agents } = await this.json<{ agents: { email: string }[] }>("GET", "/agents", { signal });
    return agents.map(({ email }) => email);
  }
}

/** `/agents/<address>` and what follows it. */
export function agentPath(agent: string, rest = ""): string {
  return `/agents/${encodeURIComponent(agent)}${rest}`;
}

/** `/messages/<id>` and what follows it. */
export function messagePath(id: string, rest = ""): string {
  return `/messages/${encodeURIComponent(id)}${rest}`;
}
