/** A stand-in for the user's terminal or pipe, for tests of the command line. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { run } from "../program.ts";
import type { InputStream, Io, OutputStream } from "../terminal/io.ts";

/** One finished command. */
export interface Ran {
  code: number;
  out: string;
  err: string;
}

export interface Setup {
  /** Whether standard input, output and error are a terminal. Default: pipes. */
  terminal?: boolean;
  columns?: number;
  colour?: boolean;
  env?: Record<string, string>;
  stdin?: string;
  /** Default: linux. */
  platform?: NodeJS.Platform;
}

/** A stand-in for the user's shell, with its own home folder and readable outputs. */
export class Shell {
  private constructor(readonly home: string) {}

  static async open(): Promise<Shell> {
    return new Shell(await mkdtemp(join(tmpdir(), "e2a-cli-")));
  }

  close(): Promise<void> {
    return rm(this.home, { recursive: true, force: true });
  }

  /** Runs a command to its end. */
  run(line: string[], setup: Setup = {}): Promise<Ran> {
    return this.start(line, setup).done;
  }

  /** Starts a command that waits for something. */
  start(line: string[], setup: Setup = {}): Running {
    return new Running(line, setup, this.home);
  }
}

export class Running {
  readonly done: Promise<Ran>;
  readonly stdin = new PassThrough() as PassThrough & InputStream;
  private readonly stdout = new PassThrough() as PassThrough & OutputStream;
  private readonly stderr = new PassThrough() as PassThrough & OutputStream;
  private out = "";
  private err = "";
  private changed = Promise.withResolvers<void>();
  private interrupts = new Set<() => void>();

  constructor(line: string[], setup: Setup, home: string) {
    const terminal = setup.terminal ?? false;
    for (const stream of [this.stdin, this.stdout, this.stderr]) stream.isTTY = terminal;
    // A terminal has this method and a PassThrough does not; the prompt library calls it.
    if (terminal) Object.assign(this.stdin, { setRawMode: () => this.stdin });
    this.stdout.columns = setup.columns ?? 100;
    this.stdout.on("data", (chunk) => this.took(() => (this.out += chunk)));
    this.stderr.on("data", (chunk) => this.took(() => (this.err += chunk)));
    if (setup.stdin !== undefined) this.stdin.end(setup.stdin);
    const io: Io = {
      stdin: this.stdin,
      stdout: this.stdout,
      stderr: this.stderr,
      env: { HOME: home, ...setup.env },
      platform: setup.platform ?? "linux",
      isTerminal: terminal,
      colour: { stdout: setup.colour ?? false, stderr: setup.colour ?? false },
      onInterrupt: (handler) => {
        this.interrupts.add(handler);
        return () => this.interrupts.delete(handler);
      },
      leave: async () => {},
    };
    this.done = run(line, io).then((code) => ({ code, out: this.out, err: this.err }));
  }

  /** What Ctrl-C does. */
  interrupt(): void {
    for (const handler of this.interrupts) handler();
  }

  /** Resolves when standard output contains `text` at least `times` times. */
  async printed(text: string, times = 1): Promise<void> {
    while (this.out.split(text).length <= times) await this.changed.promise;
  }

  /** Resolves when standard error contains `text`, with everything written there by then. */
  async said(text: string): Promise<string> {
    while (!this.err.includes(text)) await this.changed.promise;
    return this.err;
  }

  private took(add: () => void): void {
    add();
    this.changed.resolve();
    this.changed = Promise.withResolvers();
  }
}
