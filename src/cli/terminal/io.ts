/**
 * The outside world of a command: its streams, its environment and the interrupt key. Everything below the
 * program gets it passed, so that a test can stand in for a terminal without patching globals.
 */
import type { Readable, Writable } from "node:stream";

export type InputStream = Readable & { isTTY?: boolean; setRawMode?(raw: boolean): unknown };
export type OutputStream = Writable & { isTTY?: boolean; columns?: number; rows?: number };

export interface Io {
  readonly stdin: InputStream;
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly platform: NodeJS.Platform;
  /** Standard output is a terminal: tables instead of JSON. */
  readonly isTerminal: boolean;
  /** Whether each output may carry colours. */
  readonly colour: { readonly stdout: boolean; readonly stderr: boolean };
  /** Runs `handler` at the first SIGINT or SIGTERM instead of dying; the returned function takes it off again. */
  onInterrupt(handler: () => void): () => void;
}

/** Terminal width in columns when the terminal does not say. */
const DEFAULT_COLUMNS = 80;

/** The Io of a real process. */
export function processIo(process: NodeJS.Process): Io {
  const { stdin, stdout, stderr, env, platform } = process;
  return {
    stdin,
    stdout,
    stderr,
    env,
    platform,
    isTerminal: stdout.isTTY === true,
    colour: { stdout: mayColour(stdout, env), stderr: mayColour(stderr, env) },
    onInterrupt(handler) {
      const signals = ["SIGINT", "SIGTERM"] as const;
      const release = () => {
        for (const signal of signals) process.off(signal, once);
      };
      const once = () => {
        release();
        handler();
      };
      for (const signal of signals) process.on(signal, once);
      return release;
    },
  };
}

/** NO_COLOR (no-color.org) wins over FORCE_COLOR; without either, a terminal that is not "dumb". */
export function mayColour(stream: { isTTY?: boolean }, env: Io["env"]): boolean {
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR !== undefined) return env.FORCE_COLOR !== "0" && env.FORCE_COLOR !== "false";
  return stream.isTTY === true && env.TERM !== "dumb";
}

/** Width of the terminal in columns. */
export function columns(stream: OutputStream): number {
  return stream.columns && stream.columns > 0 ? stream.columns : DEFAULT_COLUMNS;
}

/** Terminal height in lines when the terminal does not say. */
const DEFAULT_ROWS = 24;

/** Height of the terminal in lines. */
export function rows(stream: OutputStream): number {
  return stream.rows && stream.rows > 0 ? stream.rows : DEFAULT_ROWS;
}

/** Writes and waits until the stream has taken it, so that a slow reader slows us instead of filling memory. */
export function write(stream: Writable, data: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(data, (error) => (error ? reject(error) : resolve()));
  });
}

/** Whether a question can be asked: somebody types, and somebody reads. */
export function canAsk(io: Io): boolean {
  return io.isTerminal && io.stdin.isTTY === true;
}

/** All of standard input as text, without the final line break. */
export async function readAll(stdin: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stdin) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks)
    .toString("utf8")
    .replace(/\r?\n$/, "");
}
