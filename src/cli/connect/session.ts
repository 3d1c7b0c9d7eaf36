/** What every command that talks to a server starts with: its settings, a client, and a way to show the answer. */
import { type Command, Option } from "commander";
import { type E2AClient, ForbiddenError, NotFoundError } from "../../../sdks/typescript/src/index.ts";
import { canAsk, columns, type Io, write } from "../terminal/io.ts";
import { type Paint, painter, toJson } from "../terminal/output.ts";
import { select } from "../terminal/prompts.ts";
import { connect, DOWNLOAD_TIMEOUT_MS, noKey } from "./connect.ts";
import { CliError, usageError } from "./failure.ts";
import { loadSettings, type Settings } from "./settings.ts";
import type { Agent } from "./shapes.ts";

export interface Session {
  readonly io: Io;
  readonly settings: Settings;
  /** The client; throws CliError (exit 4) if there is no key. */
  readonly client: E2AClient;
  /** JSON was asked for, or standard output is not a terminal. */
  readonly json: boolean;
  /** Colours for standard output. */
  readonly paint: Paint;
  /** Columns of standard output. */
  readonly width: number;
  /** Prints `value` as one JSON document, or for a person as `render` returns it. */
  show(value: unknown, render: () => string): Promise<void>;
}

interface GlobalFlags {
  url?: string;
  apiKey?: string;
  agent?: string;
  json?: boolean;
}

/** Opens a session from the flags given to `command` and its parents. Makes no request yet. */
export async function openSession(io: Io, command: Command): Promise<Session> {
  const { url, apiKey, agent, json } = command.optsWithGlobals<GlobalFlags>();
  const settings = await loadSettings(io, {
    ...(url ? { url } : {}),
    ...(apiKey ? { api_key: apiKey } : {}),
    ...(agent ? { agent } : {}),
  });
  const asJson = json === true || !io.isTerminal;
  let client: E2AClient | undefined;
  return {
    io,
    settings,
    get client() {
      client ??= clientOf(settings);
      return client;
    },
    json: asJson,
    paint: painter(io.colour.stdout),
    width: columns(io.stdout),
    show: (value, render) => write(io.stdout, `${asJson ? toJson(value, io.isTerminal) : render()}\n`),
  };
}

function clientOf(settings: Settings): E2AClient {
  const { url, api_key: key } = settings;
  if (url.value !== null && key.value !== null) return connect(url.value, key.value);
  const fix = "Run `e2a login`, or set E2A_API_KEY. `e2a bootstrap` makes the first key of a new server.";
  throw noKey(settings, fix);
}

/** The flag of commands that work on one agent's mailbox. */
export function agentOption(): Option {
  return new Option("-a, --agent <address>", "whose mailbox; not needed when you have one agent (E2A_AGENT_EMAIL)");
}

/** The flag of commands about a received message. */
export function receiverOption(): Option {
  return new Option("-a, --agent <address>", "whose mailbox has it; searched for if not given (E2A_AGENT_EMAIL)");
}

/**
 * The agent that a command is about: `given`, else the setting, else the caller's only agent; if there are several, the
 * user is asked. A name without "@" means the one agent with that local part.
 */
export async function chooseAgent(session: Session, given?: string): Promise<string> {
  const wanted = given ?? session.settings.agent.value;
  if (wanted?.includes("@")) return wanted.toLowerCase();
  const { agents } = await session.client.agents.list();
  if (wanted) return agentNamed(wanted, agents);
  return chosenOf(session, agents);
}

/** How many agents' mailboxes are searched for a message: each is a request. */
const SEARCHED_AGENTS_MAX = 20;

/**
 * The mailbox that received the message: the setting, else the one that has it among those of the caller's agents and of
 * their domains' postmasters. Throws CliError (exit 1) if none has it.
 */
export async function receiverOf(session: Session, id: string): Promise<string> {
  if (session.settings.agent.value) return chooseAgent(session);
  const { agents } = await session.client.agents.list();
  if (agents.length === 0 || agents.length > SEARCHED_AGENTS_MAX) return chosenOf(session, agents);
  const roles = new Set(agents.map(({ domain }) => `postmaster@${domain}`));
  for (const email of [...agents.map((agent) => agent.email), ...roles]) {
    const how = { agent: email, peek: true, timeoutMs: DOWNLOAD_TIMEOUT_MS };
    const found = await session.client.messages.get(id, how).catch((error: unknown) => {
      // An agent's key opens its own mailbox only.
      if (error instanceof NotFoundError || error instanceof ForbiddenError) return null;
      throw error;
    });
    if (found) return email;
  }
  const whose = agents.length === 1 ? "Your agent has not" : `None of your ${agents.length} agents`;
  throw new CliError(`${whose} received a message with this id.`, {
    code: "not_found",
    fix: "`e2a inbox --agent <address>` shows the ids of an agent's mail.",
  });
}

async function chosenOf(session: Session, agents: Agent[]): Promise<string> {
  const [first, second] = agents;
  if (first === undefined) {
    throw new CliError("You have no agent yet.", { code: "no_agent", fix: "Register one: e2a agents register" });
  }
  if (second === undefined) return first.email;
  if (canAsk(session.io) && !session.json) {
    return select(
      session.io,
      "Which agent?",
      agents.map((agent) => ({ value: agent.email, hint: agent.name })),
    );
  }
  throw usageError(`You have ${agents.length} agents: ${list(agents)}.`, "Choose one with --agent or E2A_AGENT_EMAIL.");
}

function agentNamed(local: string, agents: Agent[]): string {
  const matches = agents.filter((agent) => agent.email.startsWith(`${local.toLowerCase()}@`));
  const [only] = matches;
  if (only !== undefined && matches.length === 1) return only.email;
  const problem = only === undefined ? `You have no agent "${local}".` : `Several agents are called "${local}".`;
  const choices = matches.length > 1 ? matches : agents;
  throw usageError(problem, choices.length ? `Choose one of: ${list(choices)}.` : "Register one: e2a agents register");
}

/** The most addresses named in one sentence to choose from. */
const NAMED_AGENTS_MAX = 10;

function list(agents: Agent[]): string {
  const named = agents.slice(0, NAMED_AGENTS_MAX).map((agent) => agent.email);
  return agents.length > named.length ? `${named.join(", ")}, …` : named.join(", ");
}
