/** The command line: its commands, and how one is run. */
import { Command, Option } from "commander";
import { description } from "../../package.json" with { type: "json" };
import { version } from "../util/version.ts";
import { agentsCommand } from "./account/agents.ts";
import { auditCommand } from "./account/audit.ts";
import { deliveriesCommand } from "./account/deliveries.ts";
import { domainsCommand } from "./account/domains.ts";
import { eventsCommand } from "./account/events.ts";
import { keysCommand } from "./account/keys.ts";
import { pauseCommand, resumeCommand } from "./account/pause.ts";
import { webhooksCommand } from "./account/webhooks.ts";
import { asCliError, describeFailure, exitCode } from "./connect/failure.ts";
import { listenCommand } from "./listen/listen.ts";
import { bootstrapCommand } from "./machine/bootstrap.ts";
import { completionCommand } from "./machine/completion.ts";
import { configCommand } from "./machine/config.ts";
import { licensesCommand } from "./machine/licenses.ts";
import { loginCommand } from "./machine/login.ts";
import { mcpCommand } from "./machine/mcp.ts";
import { withoutOriginalForm } from "./machine/original-form.ts";
import { serveCommand } from "./machine/serve.ts";
import { checkCommand } from "./mail/check.ts";
import { inboxCommand } from "./mail/inbox.ts";
import { cancelCommand, outboxCommand } from "./mail/outbox.ts";
import { readCommand } from "./mail/read.ts";
import { forwardCommand, replyCommand } from "./mail/reply.ts";
import { sendCommand } from "./mail/send.ts";
import { pendingCommand } from "./review/pending.ts";
import { example } from "./terminal/help.ts";
import { columns, type Io, write } from "./terminal/io.ts";
import { painter } from "./terminal/output.ts";

/** Builds the command tree. Nothing runs, and nothing large is loaded, before a command's action. */
export function buildProgram(io: Io): Command {
  const program = new Command("e2a")
    .description(description)
    .version(version, "-V, --version", "print the version")
    .option("--url <url>", "the server (E2A_URL)")
    .addOption(
      new Option("--api-key <key>", "your key; others can see it in `ps`, so prefer E2A_API_KEY or `e2a login`"),
    )
    .option("--json", "JSON instead of tables, also for errors")
    .option("--no-color", "no colours (also NO_COLOR)")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: (text) => void io.stderr.write(text),
      // `run` reports errors, as text or as JSON.
      outputError: () => {},
      getOutHelpWidth: () => columns(io.stdout),
      getErrHelpWidth: () => columns(io.stderr),
      getOutHasColors: () => io.colour.stdout,
      getErrHasColors: () => io.colour.stderr,
    })
    .configureHelp({ showGlobalOptions: true, styleTitle: (title) => painter(true)("bold", title) });

  const add = (group: string, ...commands: Command[]) => {
    for (const command of commands) program.addCommand(inherit(command.helpGroup(group), program));
  };
  add("Server:", serveCommand(io), bootstrapCommand(io));
  add("Mail:", listenCommand(io), inboxCommand(io), readCommand(io), mcpCommand(io));
  add("Mail:", sendCommand(io), replyCommand(io), forwardCommand(io), outboxCommand(io), cancelCommand(io));
  add("Approval:", pendingCommand(io), checkCommand(io), auditCommand(io), pauseCommand(io), resumeCommand(io));
  add("Account:", agentsCommand(io), domainsCommand(io), keysCommand(io));
  add("Events:", webhooksCommand(io), deliveriesCommand(io), eventsCommand(io));
  const ownGroup = "This command line:";
  add(ownGroup, loginCommand(io), configCommand(io), completionCommand(io), licensesCommand(io));
  program.addHelpCommand(new Command("help").argument("[command]").summary("explain a command").helpGroup(ownGroup));
  return example(program, ["e2a serve", "e2a agents register --slug my-bot", "e2a listen"]);
}

/** Commander passes settings on only to commands that it creates itself. */
function inherit(command: Command, parent: Command): Command {
  command.copyInheritedSettings(parent);
  for (const child of command.commands) inherit(child, command);
  return command;
}

/**
 * Runs one command line (without the program's name) and returns its exit code: 0 ok, 1 failed, 2 usage, 3 held for
 * approval, 4 auth. Never throws; errors are on standard error.
 */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  // Read before parsing, because parsing can fail.
  const flags = new Set(argv.slice(0, argv.includes("--") ? argv.indexOf("--") : undefined));
  const screen = flags.has("--no-color") ? { ...io, colour: { stdout: false, stderr: false } } : io;
  try {
    await buildProgram(screen).parseAsync(withoutOriginalForm(argv), { from: "user" });
    return exitCode.ok;
  } catch (thrown) {
    const error = asCliError(thrown);
    if (error === null) return exitCode.ok;
    const text = describeFailure(error, screen, flags.has("--json"));
    if (text) await write(screen.stderr, text);
    return error.exit;
  }
}
