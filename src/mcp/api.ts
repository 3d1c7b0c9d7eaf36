import type { E2AClient } from "../../sdks/typescript/src/index.ts";
import { ToolFailure } from "./failure.ts";

/** Which key it is. */
export interface Who {
  scope: "account" | "agent";
  /** The agent of a key with scope `agent`. */
  agent: string | null;
}

export interface ApiOptions {
  /** It does not retry: the model decides whether to call again. */
  client: E2AClient;
  /** Called when first needed, and again after a failure. */
  who: () => Promise<Who>;
  /** The agent to use if a call names none; null if there is no default. */
  defaultAgent: string | null;
}

/** Agents named in one sentence. */
const NAMED_AGENTS_MAX = 20;

/** The HTTP API as tools use it: the SDK's client, and what its key may use. */
export class Api {
  constructor(private readonly options: ApiOptions) {}

  get client(): E2AClient {
    return this.options.client;
  }

  who(): Promise<Who> {
    return this.options.who();
  }

  get defaultAgent(): string | null {
    return this.options.defaultAgent;
  }

  /** Returns the agent that a call is about: the one it names, or else the key's, the default, or the only one. */
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
    const shown = (matches.length > 0 ? matches : agents).slice(0, NAMED_AGENTS_MAX);
    throw new ToolFailure(
      wanted === undefined ? `This key has ${agents.length} agents.` : `No single agent is called "${wanted}".`,
      {
        fix: `Call the tool again with agent set to one of: ${shown.join(", ")}${agents.length > shown.length ? ", …" : ""}.`,
      },
    );
  }

  async agents(signal: AbortSignal): Promise<string[]> {
    const { agents } = await this.client.agents.list({ signal });
    return agents.map(({ email }) => email);
  }
}
