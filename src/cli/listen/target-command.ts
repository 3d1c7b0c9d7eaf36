/** `listen --exec`: runs a command of the user for each message. */
import { type ChildProcess, spawn } from "node:child_process";
import type { Writable } from "node:stream";
import type { MessageDetail } from "../connect/shapes.ts";
import type { Io } from "../terminal/io.ts";
import { plain } from "../terminal/output.ts";
import { NotTaken, type Target } from "./target.ts";

export interface CommandOptions {
  io: Io;
  command: string;
  agent: string;
  /** Makes `e2a` inside the command use the same server and agent. */
  env: Record<string, string>;
  /** How long one message may take; then the command and all its children are killed. */
  timeoutMs: number;
}

/** What cmd reads when it puts `%E2A_SUBJECT%` into a command line, which it then parses: a mail could write commands. */
const readByCmd = /["%!^&|<>()]/g;
/** The value of an environment variable has a limit (128 KiB on Linux); a subject has none. */
const VALUE_CHARS_MAX = 2_000;

/**
 * Makes a target that runs a command for each message, with the message as JSON on its standard input and the most
 * important facts in its environment. Nothing from a mail is ever part of the command line. Exit code 0 takes the
 * message.
 */
export function commandTarget(options: CommandOptions): Target {
  const { io, timeoutMs } = options;
  return {
    name: "the command",
    async take(message) {
      const how = await ended(start(options, message), JSON.stringify(message), io, timeoutMs);
      if (how === 0) return undefined;
      throw new NotTaken(`the command ${typeof how === "number" ? `ended with exit code ${how}` : how}`);
    },
  };
}

function start({ io, command, agent, env }: CommandOptions, message: MessageDetail): ChildProcess {
  const onWindows = io.platform === "win32";
  const [shell, ...args] = onWindows ? ["cmd", "/d", "/s", "/c", `"${command}"`] : ["sh", "-c", command];
  return spawn(shell as string, args, {
    env: { ...io.env, ...env, ...facts(agent, message, onWindows) },
    stdio: ["pipe", descriptor(io.stdout), descriptor(io.stderr)],
    // Its own process group: Ctrl-C lets the command finish its message, and a kill reaches all its children.
    detached: !onWindows,
    windowsVerbatimArguments: onWindows,
  });
}

/** Each on one line, without control characters (NUL is impossible in an environment). */
function facts(agent: string, message: MessageDetail, onWindows: boolean): Record<string, string> {
  const { message_id, from, subject, verified } = message;
  const values = {
    E2A_MESSAGE_ID: message_id,
    E2A_FROM: from,
    E2A_SUBJECT: subject,
    E2A_AGENT: agent,
    E2A_VERIFIED: String(verified === true),
  };
  const safe = (value: string) => (onWindows ? value.replace(readByCmd, "_") : value);
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, safe(plain(value)).slice(0, VALUE_CHARS_MAX)]),
  );
}

/** A real stream is passed on, so that the command sees the terminal. */
function descriptor(stream: Writable & { fd?: number }): number | "pipe" {
  return typeof stream.fd === "number" ? stream.fd : "pipe";
}

/** Feeds the command and waits for its end. Returns its exit code, or how it ended without one. */
function ended(child: ChildProcess, input: string, io: Io, timeoutMs: number): Promise<number | string> {
  return new Promise((resolve) => {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      kill(child);
    }, timeoutMs);
    // The command may end without reading the message.
    child.stdin?.on("error", () => {});
    child.stdin?.end(`${input}\n`);
    child.stdout?.pipe(io.stdout, { end: false });
    child.stderr?.pipe(io.stderr, { end: false });
    const done = (how: number | string) => {
      clearTimeout(timer);
      resolve(late ? `did not end within ${timeoutMs / 1000} s` : how);
    };
    child.once("error", ({ message }) => done(`cannot be run (${message})`));
    // Processes that it leaves in the background are not waited for; only a pipe is read to its end.
    child.once(child.stdout ? "close" : "exit", (code, signal) => done(code ?? `was ended by ${signal}`));
  });
}

function kill(child: ChildProcess): void {
  try {
    if (child.pid !== undefined && child.spawnargs[0] === "sh") process.kill(-child.pid, "SIGKILL");
    else child.kill("SIGKILL");
  } catch {
    // It ended in the same moment.
  }
}
