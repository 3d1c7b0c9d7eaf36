/** `e2a listen`: shows mail as it arrives, or hands it over. */
import { Command, InvalidArgumentError, Option } from "commander";
import { E2AConnectionError, E2ATimeoutError, ListenerReplacedError } from "../../../sdks/typescript/src/index.ts";
import { systemClock } from "../../util/clock.ts";
import { CliError, retryReason, usageError } from "../connect/failure.ts";
import { agentOption, chooseAgent, openSession, type Session } from "../connect/session.ts";
import { example } from "../terminal/help.ts";
import { type Io, write } from "../terminal/io.ts";
import { fit, painter, plain, toJson, verifiedMark } from "../terminal/output.ts";
import { type Frame, Handover } from "./handover.ts";
import type { Target } from "./target.ts";
import { commandTarget } from "./target-command.ts";
import { modelTarget, speaksResponses } from "./target-model.ts";
import { targetUrl, urlTarget } from "./target-url.ts";

interface ListenFlags {
  json?: boolean;
  once?: boolean;
  ack?: boolean;
  forward?: string;
  forwardToken?: string;
  model?: string;
  exec?: string;
  timeout?: number;
}

const defaultModel = "gpt-5-mini";
/** As long as a webhook may take. */
const FORWARD_TIMEOUT_MS = 30_000;
/** A model or a command may take longer. */
const SLOW_TIMEOUT_MS = 300_000;
/** Messages that may wait here for their turn; a few megabytes. */
const AHEAD_MAX = 10_000;

export function listenCommand(io: Io): Command {
  const command = new Command("listen")
    .summary("show mail as it arrives, or hand it over")
    .description(
      "Keeps a WebSocket to the server open: unread messages come first, then live ones. It reconnects automatically. " +
        "Messages stay unread unless --ack. With --json, or in a pipe, each message is one line of JSON.\n\n" +
        "With --forward or --exec each message is handed over, whole, in order, one at a time; when it is taken it " +
        "becomes read. One that is not taken is tried four times; then it steps aside, unread, so that the ones behind " +
        "it go on, and is tried again within a minute, then ever more rarely, at last once an hour, until it is taken, " +
        "read or deleted. While the target cannot be reached, or asks for patience (429, Retry-After), all wait.",
    )
    .addOption(agentOption())
    .option("--once", "end after the first message; exit code 1 when it was not taken")
    .option("--ack", "mark each message read once it is printed")
    .addOption(
      new Option(
        "--forward <url>",
        "POST each message as JSON with its signed X-E2A-Auth-* headers; where the path ends in /v1/responses, ask " +
          "that model (OpenAI Responses API) for the reply and send it",
      ).conflicts("exec"),
    )
    .option(
      "--forward-token <token>",
      "sent as Authorization: Bearer; others can see it in `ps`, so prefer E2A_FORWARD_TOKEN",
    )
    .option("--model <name>", `which model writes the reply (default: ${defaultModel})`)
    .option(
      "--exec <command>",
      "run this in a shell for each message, its JSON on standard input, E2A_MESSAGE_ID, E2A_FROM, E2A_SUBJECT, " +
        "E2A_AGENT and E2A_VERIFIED in the environment; exit code 0 takes it",
    )
    .addOption(
      new Option(
        "--timeout <seconds>",
        "how long one message may take (default: 30, with a model or --exec 300)",
      ).argParser(positiveSeconds),
    )
    .action(async (flags: ListenFlags, command: Command) => {
      const given = command.optsWithGlobals<ListenFlags>();
      checkFlags(given);
      const session = await openSession(io, command);
      const agent = await chooseAgent(session);
      await listen(session, agent, given, targetOf(session, agent, flags));
    });
  return example(command, [
    "e2a listen",
    'e2a listen --json --ack | while read -r message; do echo "$message" | jq .subject; done',
    "e2a listen --forward http://127.0.0.1:3000/mail",
    "E2A_FORWARD_TOKEN=$OPENAI_API_KEY e2a listen --forward https://api.openai.com/v1/responses",
    "e2a listen --exec './answer.sh'",
  ]);
}

function checkFlags({ forward, forwardToken, model, exec, timeout }: ListenFlags): void {
  if (forward === undefined && forwardToken !== undefined) throw usageError("--forward-token goes with --forward.");
  if (forward === undefined && exec === undefined && timeout !== undefined)
    throw usageError("--timeout goes with --forward or --exec.");
  const asksModel = forward !== undefined && speaksResponses(targetUrl(forward));
  if (model !== undefined && !asksModel)
    throw usageError("--model goes with --forward to a URL whose path ends in /v1/responses.");
}

function positiveSeconds(text: string): number {
  const seconds = Number(text);
  if (!(seconds > 0 && seconds <= 86_400)) throw new InvalidArgumentError("Give a number of seconds, such as 60.");
  return seconds;
}

/** The target that messages are handed over to; null if they are only shown. */
function targetOf(session: Session, agent: string, flags: ListenFlags): Target | null {
  const { io, client, settings } = session;
  const timeoutMs = (ms: number) => (flags.timeout === undefined ? ms : flags.timeout * 1000);
  if (flags.exec !== undefined) {
    const { url, api_key: key } = settings;
    const env = {
      E2A_URL: url.value ?? "",
      E2A_AGENT_EMAIL: agent,
      // A key from another source is found by the command in the same way.
      ...(key.source === "flag" ? { E2A_API_KEY: key.value ?? "" } : {}),
    };
    return commandTarget({ io, agent, command: flags.exec, env, timeoutMs: timeoutMs(SLOW_TIMEOUT_MS) });
  }
  if (flags.forward === undefined) return null;
  const url = targetUrl(flags.forward);
  const token = flags.forwardToken ?? io.env.E2A_FORWARD_TOKEN;
  if (!speaksResponses(url)) return urlTarget({ url, token, timeoutMs: timeoutMs(FORWARD_TIMEOUT_MS) });
  const model = flags.model ?? defaultModel;
  return modelTarget({ url, token, client, agent, model, timeoutMs: timeoutMs(SLOW_TIMEOUT_MS) });
}

async function listen(session: Session, agent: string, flags: ListenFlags, target: Target | null): Promise<void> {
  const { io, client } = session;
  const interrupt = new AbortController();
  const dim = (text: string) => painter(io.colour.stderr)("dim", plain(text));
  const say = (text: string) => void io.stderr.write(`${dim(text)}\n`);
  let failure: unknown;
  const print = (frame: Frame) => write(io.stdout, `${session.json ? toJson(frame, false) : line(session, frame)}\n`);
  const handover =
    target === null
      ? null
      : new Handover({
          client,
          agent,
          target,
          clock: systemClock,
          signal: interrupt.signal,
          once: flags.once === true,
          say,
          // Standard output belongs to the command, unless --json is given too.
          onTaken: async (frame) =>
            flags.exec !== undefined && !flags.json ? say(line(session, frame)) : print(frame),
          onFailure(error) {
            failure = error;
            interrupt.abort();
          },
        });
  const release = io.onInterrupt(() => {
    if (handover?.isBusy) say("Finishing the message in hand. Ctrl-C again ends at once.");
    interrupt.abort();
  });
  const where = target === null ? "" : ` and handing it to ${target.name}`;
  let connections = 0;
  try {
    await client.watch(agent, {
      signal: interrupt.signal,
      acknowledge: flags.ack === true && handover === null,
      ...(flags.ack || handover ? { aheadMax: AHEAD_MAX } : {}),
      async onMessage(frame, connection) {
        if (handover === null) await print(frame);
        else if ((await handover.take(frame, connection)) === "left") return "left";
        return flags.once ? "stop" : undefined;
      },
      onConnected: () =>
        say(connections++ === 0 ? `Listening for ${agent}${where}. Ctrl-C stops.` : "Connected again."),
      onRetry(error, waitMs) {
        // A server that was never reached is an error; one that went away is waited for.
        if (connections === 0 && isAway(error)) throw error;
        say(`${retryReason(error)}; trying again in ${(waitMs / 1000).toFixed(1)} s`);
      },
    });
    await handover?.idle();
  } catch (error) {
    if (!(error instanceof ListenerReplacedError)) throw error;
    throw new CliError(`Another listener took over ${agent}; only one can listen at a time.`, {
      code: "replaced",
      fix: "Stop the other one, or listen for another agent.",
    });
  } finally {
    release();
  }
  if (failure !== undefined) throw failure;
}

/** Whether there was no answer at all. */
function isAway(error: unknown): boolean {
  return error instanceof E2AConnectionError || error instanceof E2ATimeoutError;
}

/** A subject is not cut below this many terminal columns, even if the line then wraps. */
const SUBJECT_COLUMNS_MIN = 20;

/** Time, mark, sender, subject, id. */
function line({ paint, width }: Session, frame: Frame): string {
  const { mark, style } = verifiedMark(frame.verified);
  const received = frame.received_at ? new Date(frame.received_at) : new Date();
  const time = Number.isNaN(received.getTime()) ? "--:--:--" : received.toTimeString().slice(0, 8);
  const from = plain(frame.from ?? "");
  const id = plain(frame.message_id);
  const rest = [time, mark, from, id].reduce((sum, part) => sum + Bun.stringWidth(part) + 2, 0);
  const subject = fit(plain(frame.subject ?? ""), Math.max(SUBJECT_COLUMNS_MIN, width - rest));
  return [paint("dim", time), paint(style, mark), from, paint("bold", subject), paint("dim", id)].join("  ");
}
