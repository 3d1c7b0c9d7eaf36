/** The environment of every benchmark: its own folder, and processes that end with it. */
import { rmSync } from "node:fs";
import { mkdir, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Child, type Handlers, startChild } from "./child.ts";

/** The options of every benchmark. */
export interface RunOptions {
  rounds: number;
  /** Messages of each series at full speed. */
  messages: number;
  connections: number;
  database: "sqlite" | "postgres";
  /** The command line of the product before `serve`. */
  command: readonly string[];
  /** Reports progress. */
  progress(text: string): void;
}

export interface Round {
  /** An empty folder for this round only. */
  folder: string;
  /** Reports progress. */
  say(text: string): void;
}

export interface Run extends AsyncDisposable {
  child<H extends Handlers>(file: string): Child<H>;
  defer(cleanUp: () => unknown): void;
  /** The rounds, one after the other. */
  rounds(): AsyncIterable<Round>;
  /** Where, when and with which versions it was measured. */
  conditions(): Record<string, string | number>;
}

/** Starts a benchmark. Leaves no process and no file behind, however it ends. */
export async function startRun(options: RunOptions): Promise<Run> {
  const startedAt = new Date();
  const cleanUp = new AsyncDisposableStack();
  const root = await mkdtemp(join(tmpdir(), "e2a-bench-"));
  const remove = () => rmSync(root, { recursive: true, force: true });
  process.once("exit", remove);
  cleanUp.defer(remove);
  return {
    child<H extends Handlers>(file: string) {
      const started = startChild<H>(file);
      cleanUp.defer(() => started.stop());
      return started;
    },
    defer: (clean) => cleanUp.defer(async () => void (await clean())),
    async *rounds() {
      for (let number = 1; number <= options.rounds; number++) {
        const folder = join(root, `round-${number}`);
        await mkdir(folder);
        yield { folder, say: (text) => options.progress(`round ${number} of ${options.rounds}: ${text}`) };
      }
    },
    conditions: () => ({
      started_at: startedAt.toISOString(),
      seconds: Math.round((Date.now() - startedAt.getTime()) / 1000),
      cores: navigator.hardwareConcurrency,
      bun: Bun.version,
      product: options.command.join(" "),
      database: options.database,
      messages: options.messages,
      connections: options.connections,
    }),
    [Symbol.asyncDispose]: () => cleanUp.disposeAsync(),
  };
}

/** Settings in shell syntax. */
export function settingsText(settings: Record<string, string>): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}`)
    .join(" ");
}
