/** `e2a agents`: the mailboxes of the account. */
import { Command, Option } from "commander";
import type { AgentMode } from "../../mail.ts";
import { type EndpointStatus, endpointStatuses } from "../connect/delivery-shapes.ts";
import { usageError } from "../connect/failure.ts";
import { chooseAgent, openSession, type Session } from "../connect/session.ts";
import type { Agent, AgentChange, NewAgent } from "../connect/shapes.ts";
import { example } from "../terminal/help.ts";
import { canAsk, type Io } from "../terminal/io.ts";
import { age, facts, table } from "../terminal/output.ts";
import { confirmDeletion, select, text } from "../terminal/prompts.ts";

interface AgentFlags {
  slug?: string;
  email?: string;
  name?: string;
  mode?: AgentMode;
  webhookUrl?: string;
  webhookStatus?: EndpointStatus;
}

export function agentsCommand(io: Io): Command {
  const command = new Command("agents")
    .summary("register, list and change agents")
    .description(
      "Agents are the mailboxes: each has one address, and gets its mail by webhook (cloud) or here (local).",
    )
    .addCommand(registerCommand(io))
    .addCommand(listCommand(io))
    .addCommand(showCommand(io))
    .addCommand(updateCommand(io))
    .addCommand(deleteCommand(io));
  return example(command, ["e2a agents register", "e2a agents list"]);
}

function registerCommand(io: Io): Command {
  const command = new Command("register")
    .summary("give a new agent its address")
    .description(
      "Registers an agent. In a terminal without --slug or --email it asks; the mode is local unless a webhook URL is given.",
    )
    .addOption(new Option("--slug <name>", "the part before @ on the server's shared domain").conflicts("email"))
    .option("--email <address>", "a whole address on a verified domain of yours")
    .option("--name <text>", "the name people see")
    .addOption(modeOption())
    .option("--webhook-url <url>", "where a cloud agent's mail is posted")
    .action(async (flags: AgentFlags, command: Command) => {
      const session = await openSession(io, command);
      const agent = await session.client.agents.create(await newAgent(session, flags));
      await session.show(agent, () => registered(session, agent));
    });
  return example(command, [
    "e2a agents register --slug my-bot",
    "e2a agents register --email bot@example.com --webhook-url https://example.com/mail",
  ]);
}

function modeOption(): Option {
  return new Option("--mode <mode>", "how mail reaches it").choices(["local", "cloud"]);
}

async function newAgent(session: Session, flags: AgentFlags): Promise<NewAgent> {
  const { io } = session;
  if (flags.slug === undefined && flags.email === undefined) {
    if (!canAsk(io) || session.json) throw usageError("An agent needs an address.", "Add --slug or --email.");
    return askNewAgent(io, flags);
  }
  const mode = flags.mode ?? (flags.webhookUrl === undefined ? "local" : "cloud");
  if (mode === "cloud" && flags.webhookUrl === undefined) {
    throw usageError("A cloud agent needs a webhook.", "Add --webhook-url, or use --mode local.");
  }
  return {
    ...(flags.slug === undefined ? {} : { slug: flags.slug }),
    ...(flags.email === undefined ? {} : { email: flags.email }),
    ...changes({ ...flags, mode }),
  };
}

async function askNewAgent(io: Io, flags: AgentFlags): Promise<NewAgent> {
  const address = await text(io, "Address (a name alone lives on the server's shared domain)", {
    placeholder: "my-bot",
    check: (value) => (value === "" || /\s/.test(value) ? "A name such as my-bot, or bot@your-domain." : undefined),
  });
  const name = flags.name ?? (await text(io, "Name people see (may stay empty)"));
  const mode =
    flags.mode ??
    (await select<AgentMode>(io, "How does mail reach it?", [
      { value: "local", label: "local", hint: "over a WebSocket: e2a listen, no public address needed" },
      { value: "cloud", label: "cloud", hint: "posted to your HTTPS webhook" },
    ]));
  const check = (value: string) => (URL.canParse(value) ? undefined : "A whole URL, such as https://example.com/mail.");
  const webhookUrl = flags.webhookUrl ?? (mode === "cloud" ? await text(io, "Webhook URL", { check }) : undefined);
  return {
    ...(address.includes("@") ? { email: address } : { slug: address }),
    ...changes({ mode, ...(name ? { name } : {}), ...(webhookUrl ? { webhookUrl } : {}) }),
  };
}

function changes({ name, mode, webhookUrl, webhookStatus }: AgentFlags): AgentChange {
  return {
    ...(name === undefined ? {} : { name }),
    ...(mode === undefined ? {} : { agent_mode: mode }),
    ...(webhookUrl === undefined ? {} : { webhook_url: webhookUrl }),
    ...(webhookStatus === undefined ? {} : { webhook_status: webhookStatus }),
  };
}

function registered({ paint, settings }: Session, agent: Agent): string {
  const url = settings.url.source === "flag" ? ` --url ${settings.url.value}` : "";
  const next =
    agent.agent_mode === "local"
      ? [`e2a listen --agent ${agent.email}${url}`, "shows its mail as it arrives"]
      : [
          `e2a inbox --agent ${agent.email}${url}`,
          `lists its mail; each message is also posted to ${agent.webhook_url}`,
        ];
  return `${paint("green", "✓")} ${paint("bold", agent.email)} is registered.\n\nNext:\n  ${paint("cyan", next[0] ?? "")}\n      ${next[1]}`;
}

function listCommand(io: Io): Command {
  const command = new Command("list")
    .alias("ls")
    .summary("list your agents")
    .description("Lists the agents of the account, newest first.")
    .action(async (_flags: unknown, command: Command) => {
      const session = await openSession(io, command);
      const { agents } = await session.client.agents.list();
      await session.show({ agents }, () => agentTable(session, agents));
    });
  return example(command, ["e2a agents list", "e2a agents list --json | jq -r '.agents[].email'"]);
}

function agentTable({ paint, width }: Session, agents: Agent[]): string {
  if (agents.length === 0) return "No agents yet. Register one: e2a agents register";
  const now = Date.now();
  return table<Agent>(
    [
      { title: "ADDRESS", value: (agent) => agent.email, style: () => "bold" },
      { title: "NAME", value: (agent) => agent.name, shrinks: true },
      { title: "MODE", value: (agent) => agent.agent_mode + (agent.paused ? ", paused" : "") },
      { title: "AGE", value: (agent) => age(agent.created_at, now) },
      {
        title: "WEBHOOK",
        value: (agent) => webhookState(agent) + (agent.webhook_url ?? ""),
        shrinks: true,
        style: (agent) => (webhookState(agent) ? "yellow" : null),
      },
    ],
    agents,
    { width, paint },
  );
}

/** The state of the webhook, shown before its URL; "" if it works. */
function webhookState({ webhook_url, webhook_status, webhook_failing_since }: Agent): string {
  if (!webhook_url) return "";
  if (webhook_status === "disabled") return "(disabled) ";
  return webhook_failing_since ? "(failing) " : "";
}

function showCommand(io: Io): Command {
  const command = new Command("show")
    .summary("show one agent")
    .description(
      "Shows an agent; without an address the one that --agent, the settings or having only one agent names.",
    )
    .argument("[email]", "its address")
    .action(async (email: string | undefined, _flags: unknown, command: Command) => {
      const session = await openSession(io, command);
      const agent = await session.client.agents.get(await chooseAgent(session, email));
      await session.show(agent, () => agentFacts(session, agent));
    });
  return example(command, ["e2a agents show my-bot@e2a.localhost"]);
}

function agentFacts({ paint }: Session, agent: Agent): string {
  return facts(
    [
      ["Address", agent.email],
      ["Name", agent.name],
      ["Mode", agent.agent_mode],
      ["Webhook", agent.webhook_url],
      ["Disabled", agent.webhook_status === "disabled" ? disabledWebhook(agent) : null],
      ["Failing", agent.webhook_failing_since ? `every attempt since ${agent.webhook_failing_since}` : null],
      ["Domain", `${agent.domain} (${agent.domain_verified ? "verified" : "not verified"})`],
      ["Paused", agent.paused ? "yes, nothing is sent" : null],
      ["Approval", agent.hitl_enabled ? "a person approves what it sends" : null],
      ["Created", agent.created_at],
    ],
    paint,
  );
}

function disabledWebhook({ email, webhook_disabled_reason: reason }: Agent): string {
  const next = `Mail waits; switch it on: e2a agents update ${email} --webhook-status enabled`;
  return reason ? `${reason} ${next}` : next;
}

function updateCommand(io: Io): Command {
  const command = new Command("update")
    .summary("change an agent")
    .description("Changes what is given and leaves the rest.")
    .argument("<email>", "its address")
    .option("--name <text>", "the name people see")
    .addOption(modeOption())
    .option("--webhook-url <url>", "where a cloud agent's mail is posted")
    .addOption(
      new Option("--webhook-status <status>", "disabled keeps what is to be delivered").choices(endpointStatuses),
    )
    .action(async (email: string, flags: AgentFlags, command: Command) => {
      const session = await openSession(io, command);
      const change = changes(flags);
      if (Object.keys(change).length === 0)
        throw usageError("Nothing to change.", "Add --name, --mode, --webhook-url or --webhook-status.");
      const agent = await session.client.agents.update(await chooseAgent(session, email), change);
      await session.show(agent, () => agentFacts(session, agent));
    });
  return example(command, [
    "e2a agents update my-bot@e2a.localhost --name 'My bot'",
    "e2a agents update my-bot@e2a.localhost --webhook-status enabled",
  ]);
}

function deleteCommand(io: Io): Command {
  const command = new Command("delete")
    .summary("delete an agent and its mail")
    .description("Deletes an agent with all its mail. Asks first; in a pipe --yes is needed.")
    .argument("<email>", "its address")
    .option("-y, --yes", "do not ask")
    .action(async (email: string, flags: { yes?: boolean }, command: Command) => {
      const session = await openSession(io, command);
      const agent = await chooseAgent(session, email);
      await confirmDeletion(io, `Delete ${agent} and all its mail?`, flags.yes);
      const answer = await session.client.agents.delete(agent);
      await session.show(answer, () => `${session.paint("green", "✓")} ${agent} is deleted.`);
    });
  return example(command, ["e2a agents delete my-bot@e2a.localhost --yes"]);
}
