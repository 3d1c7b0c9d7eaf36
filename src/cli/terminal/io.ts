/**
 * The environment of a command: its streams, its variables and the interrupt key. It is passed to all code below the
 * program, so that a test can replace the terminal without patching globals.
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
  /** Standard output is a terminal, which gets tables and not JSON. */
  readonly isTerminal: boolean;
  /** Whether each output may carry colours. */
  readonly colour: { readonly stdout: boolean; readonly stderr: boolean };
  /** Runs `handler` in place of ending at the first SIGINT or SIGTERM. The returned function removes it. */
  onInterrupt(handler: () => void): () => void;
  /** Ends the process with status 0 once its output is written, whatever else it waits for. */
  leave(): Promise<void>;
}

/** Width in columns if the terminal does not report it. */
const DEFAULT_COLUMNS = 80;

/** Makes the Io of a real process. */
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
    async leave() {
      await Promise.all([write(stdout, ""), write(stderr, "")]);
      process.exit(0);
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

/** Height in lines if the terminal does not report it. */
const DEFAULT_ROWS = 24;

/** Height of the terminal in lines. */
export function rows(stream: OutputStream): number {
  return stream.rows && stream.rows > 0 ? stream.rows : DEFAULT_ROWS;
}

/** Writes, and resolves when the stream has taken the data, so that a slow reader does not fill the memory. */
export function write(stream: Writable, data: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(data, (error) => (error ? reject(error) : resolve()));
  });
}

/** Whether the user can be asked: both input and output are a terminal. */
export function canAsk(io: Io): boolean {
  return io.isTerminal && io.stdin.isTTY === true;
}

/** Reads all of standard input as text, without the final line break. */
export async function readAll(stdin: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stdin) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks)
    .toString("utf8")
    .replace(/\r?\n$/, "");
}
