/** The whole command line on one screen. */
import { Command, Option } from "commander";
import { description } from "../../package.json" with { type: "json" };
import { version } from "../version.ts";
import { agentsCommand } from "./agents.ts";
import { auditCommand } from "./audit.ts";
import { bootstrapCommand } from "./bootstrap.ts";
import { checkCommand } from "./check.ts";
import { completionCommand } from "./completion.ts";
import { configCommand } from "./config.ts";
import { deliveriesCommand } from "./deliveries.ts";
import { domainsCommand } from "./domains.ts";
import { eventsCommand } from "./events.ts";
import { asCliError, describeFailure, exitCode } from "./failure.ts";
import { example } from "./help.ts";
import { inboxCommand } from "./inbox.ts";
import { columns, type Io, write } from "./io.ts";
import { keysCommand } from "./keys.ts";
import { licensesCommand } from "./licenses.ts";
import { listenCommand } from "./listen.ts";
import { loginCommand } from "./login.ts";
import { mcpCommand } from "./mcp.ts";
import { cancelCommand, outboxCommand } from "./outbox.ts";
import { painter } from "./output.ts";
import { pauseCommand, resumeCommand } from "./pause.ts";
import { pendingCommand } from "./pending.ts";
import { readCommand } from "./read.ts";
import { forwardCommand, replyCommand } from "./reply.ts";
import { sendCommand } from "./send.ts";
import { serveCommand } from "./serve.ts";
import { webhooksCommand } from "./webhooks.ts";

/** The command tree. Nothing runs and nothing heavy is loaded until a command's action. */
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
      // `run` says what was wrong, for people or as JSON.
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

/** Commander passes settings on only to commands it makes itself. */
function inherit(command: Command, parent: Command): Command {
  command.copyInheritedSettings(parent);
  for (const child of command.commands) inherit(child, command);
  return command;
}

/**
 * Runs one command line (without the program's name) and returns its exit code: 0 ok, 1 failed, 2 usage, 3 held for
 * approval, 4 auth. Never throws; what went wrong is on standard error.
 */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  // Known before parsing, since parsing itself can fail.
  const flags = new Set(argv.slice(0, argv.includes("--") ? argv.indexOf("--") : undefined));
  const screen = flags.has("--no-color") ? { ...io, colour: { stdout: false, stderr: false } } : io;
  try {
    await buildProgram(screen).parseAsync(argv, { from: "user" });
    return exitCode.ok;
  } catch (thrown) {
    const error = asCliError(thrown);
    if (error === null) return exitCode.ok;
    const text = describeFailure(error, screen, flags.has("--json"));
    if (text) await write(screen.stderr, text);
    return error.exit;
  }
}
