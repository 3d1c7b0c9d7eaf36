/** `e2a listen`: mail as it arrives. */
import { Command } from "commander";
import { example } from "./help.ts";
import { type Io, write } from "./io.ts";
import { fit, painter, plain, toJson, verifiedMark } from "./output.ts";
import { agentOption, chooseAgent, openSession, type Session } from "./session.ts";
import { type Frame, watch } from "./watch.ts";

interface ListenFlags {
  once?: boolean;
  ack?: boolean;
}

export function listenCommand(io: Io): Command {
  const command = new Command("listen")
    .summary("show mail as it arrives")
    .description(
      "Keeps a WebSocket to the server open: unread messages come first, then live ones. It reconnects by itself. " +
        "Messages stay unread unless --ack. With --json, or in a pipe, each message is one line of JSON.",
    )
    .addOption(agentOption())
    .option("--once", "end after the first message")
    .option("--ack", "mark each message read once it is printed")
    .action(async (flags: ListenFlags, command: Command) => {
      const session = await openSession(io, command);
      await listen(session, await chooseAgent(session), flags);
    });
  return example(command, [
    "e2a listen",
    'e2a listen --json --ack | while read -r message; do echo "$message" | jq .subject; done',
  ]);
}

async function listen(session: Session, agent: string, flags: ListenFlags): Promise<void> {
  const { io, client } = session;
  const interrupt = new AbortController();
  const release = io.onInterrupt(() => interrupt.abort());
  const dim = (text: string) => painter(io.colour.stderr)("dim", plain(text));
  const say = (text: string) => io.stderr.write(`${dim(text)}\n`);
  let connections = 0;
  try {
    await watch({
      client,
      agent,
      signal: interrupt.signal,
      acknowledge: flags.ack === true,
      async onFrame(frame) {
        await write(io.stdout, `${session.json ? toJson(frame, false) : line(session, frame)}\n`);
        return flags.once ? "stop" : undefined;
      },
      onConnected: () => say(connections++ === 0 ? `Listening for ${agent}. Ctrl-C stops.` : "Connected again."),
      onRetry: (reason, waitMs) => say(`${reason}; trying again in ${(waitMs / 1000).toFixed(1)} s`),
    });
  } finally {
    release();
  }
}

/** A subject is not cut below this many terminal columns, even when the line then wraps. */
const subjectColumnsMin = 20;

/** Time, mark, sender, subject, id. */
function line({ paint, width }: Session, frame: Frame): string {
  const { mark, style } = verifiedMark(frame.verified);
  const received = frame.received_at ? new Date(frame.received_at) : new Date();
  const time = Number.isNaN(received.getTime()) ? "--:--:--" : received.toTimeString().slice(0, 8);
  const from = plain(frame.from ?? "");
  const id = plain(frame.message_id);
  const rest = [time, mark, from, id].reduce((sum, part) => sum + Bun.stringWidth(part) + 2, 0);
  const subject = fit(plain(frame.subject ?? ""), Math.max(subjectColumnsMin, width - rest));
  return [paint("dim", time), paint(style, mark), from, paint("bold", subject), paint("dim", id)].join("  ");
}
