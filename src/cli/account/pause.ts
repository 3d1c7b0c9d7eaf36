/** `e2a pause` and `e2a resume`: hold outgoing mail back, and let it leave. */
import { Command } from "commander";
import { usageError } from "../connect/failure.ts";
import { chooseAgent, openSession, type Session } from "../connect/session.ts";
import type { Pausable } from "../connect/shapes.ts";
import { example } from "../terminal/help.ts";
import type { Io } from "../terminal/io.ts";
import { plain } from "../terminal/output.ts";

export function pauseCommand(io: Io): Command {
  const command = pausing(io, "pause", true)
    .summary("freeze outgoing mail of an agent, a domain or the account")
    .description(
      "Holds outgoing mail back without losing any: it leaves in order after resume. Mail still arrives. Without a name your only agent is meant.",
    );
  return example(command, ["e2a pause my-bot@e2a.localhost", "e2a pause agents.example.com", "e2a pause --all"]);
}

export function resumeCommand(io: Io): Command {
  const command = pausing(io, "resume", false)
    .summary("resume outgoing mail")
    .description("Ends a pause; what waited leaves in order. Each pause ends by the name it was made with.");
  return example(command, ["e2a resume my-bot@e2a.localhost", "e2a resume --all"]);
}

function pausing(io: Io, name: string, paused: boolean): Command {
  return new Command(name)
    .argument("[name]", "an agent's address or a domain")
    .option("--all", "everything of the account")
    .action(async (name: string | undefined, { all }: { all?: boolean }, command: Command) => {
      if (name !== undefined && all) throw usageError(`Either ${name} or --all.`);
      const session = await openSession(io, command);
      const target = all ? everything : await targetOf(session, name);
      const resource = await target.set(session, paused);
      await session.show(resource, () => said(session, target.name, paused));
    });
}

interface Target {
  /** The name to give to `resume`. */
  name: string;
  set(session: Session, paused: boolean): Promise<Pausable>;
}

const everything: Target = { name: "--all", set: ({ client }, paused) => client.account.update({ paused }) };

/** An address names an agent, a name with a dot a domain, and any other name the agent with that local part. */
async function targetOf(session: Session, name: string | undefined): Promise<Target> {
  if (name?.includes(".") && !name.includes("@")) {
    const domain = name.toLowerCase();
    return { name: domain, set: ({ client }, paused) => client.domains.update(domain, { paused }) };
  }
  const agent = await chooseAgent(session, name);
  return { name: agent, set: ({ client }, paused) => client.agents.update(agent, { paused }) };
}

function said({ paint }: Session, name: string, paused: boolean): string {
  const whose = name === everything.name ? "Everything" : plain(name);
  if (!paused) return `${paint("green", "✓")} ${whose} sends again; what waited leaves in order.`;
  const resume = paint("cyan", `e2a resume ${plain(name)}`);
  return `${paint("yellow", "!")} ${whose} is paused: nothing leaves, mail still arrives. End it: ${resume}`;
}
