/** A thread that has databases open and runs the verbs it is sent; threads.ts is the other side. */
import { type Log, silentLog } from "../util/log.ts";
import type { Engine } from "./engine/engine.ts";
import { openSqlite } from "./engine/sqlite.ts";
import { openSqliteReader } from "./engine/sqlite-reader.ts";
import { createStore } from "./store.ts";
import {
  type Answer,
  type Call,
  errorToSend,
  type Opening,
  type Order,
  type Report,
  received,
  send,
} from "./thread-messages.ts";

declare const self: Worker;

interface Served {
  /** Calls that have no answer yet. */
  readonly running: Set<Promise<void>>;
  readonly verbs: Record<string, (...args: unknown[]) => Promise<unknown>>;
  readonly dialect: Engine["dialect"];
  close(): Promise<void>;
}

const databases = new Map<number, Served>();

self.onmessage = ({ data }: MessageEvent<Order>) => {
  if (data.kind === "open") void open(data.database, data.opening);
  else if (data.kind === "calls") for (const call of data.calls) begin(data.database, call);
  else if (data.kind === "close") void close(data.database);
  else void leave(data.done);
};

async function open(database: number, opening: Opening): Promise<void> {
  try {
    const engine = await openEngine(database, opening);
    const verbs = createStore(engine) as unknown as Served["verbs"];
    databases.set(database, { running: new Set(), verbs, dialect: engine.dialect, close: () => engine.close() });
    report({ kind: "opened", database });
  } catch (error) {
    report({ kind: "opened", database, error: errorToSend(error) });
  }
}

async function openEngine(database: number, opening: Opening): Promise<Engine> {
  const log = logTo(database);
  const onFault = (reason: string | null) => report({ kind: "fault", database, reason });
  switch (opening.kind) {
    case "sqlite writer": {
      const { path, migrations, role } = opening;
      return signalling(database, openSqlite(path, migrations, { role, log, onFault }));
    }
    case "sqlite reader": {
      const { read, close } = openSqliteReader(opening.path);
      return onlyReads("sqlite", read, async () => close());
    }
    case "postgres writer": {
      // Imported on demand: a server on SQLite does not load the Postgres driver.
      const { openPostgres } = await import("./engine/postgres.ts");
      const { url, migrations, poolSize } = opening;
      return signalling(database, await openPostgres(url, { poolSize, migrations, log, onFault }));
    }
    case "postgres reader": {
      const { connectPostgres } = await import("./engine/postgres.ts");
      const { read, close } = connectPostgres(opening.url, { poolSize: opening.poolSize, log });
      return onlyReads("postgres", read, close);
    }
  }
}

function signalling(database: number, engine: Engine): Engine {
  engine.onSignal((signal) => outboxOf(database).signals.push(signal));
  return engine;
}

function onlyReads(dialect: Engine["dialect"], read: Engine["read"], close: Engine["close"]): Engine {
  const refuse = () => Promise.reject(new Error("This thread only reads."));
  return { dialect, read, write: refuse, takeOver: refuse, fault: () => null, onSignal: () => () => {}, close };
}

/** The database's log is kept by the thread that opened it, which also knows the level. */
function logTo(database: number): Log {
  const write =
    (level: "info" | "warn" | "error"): Log["error"] =>
    (event, fields = {}, error) =>
      report({
        kind: "log",
        database,
        level,
        event,
        fields,
        ...(error !== undefined && { error: errorToSend(error) }),
      });
  return { ...silentLog, info: write("info"), warn: write("warn"), error: write("error") };
}

function begin(database: number, call: Call): void {
  const served = databases.get(database);
  if (!served) return;
  const running = run(database, served, call).finally(() => served.running.delete(running));
  served.running.add(running);
}

async function run(database: number, served: Served, { call, verb, args }: Call): Promise<void> {
  const answer: Answer = { call };
  try {
    answer.result = await served.verbs[verb]?.(...received(args));
  } catch (error) {
    answer.error = errorToSend(error);
  }
  outboxOf(database).answers.push(answer);
}

/** Answers and signals that wait for the end of this turn, so that all of a commit leave in one message. */
const outboxes = new Map<number, Report & { kind: "answers" }>();

function outboxOf(database: number): Report & { kind: "answers" } {
  const found = outboxes.get(database);
  if (found) return found;
  const outbox: Report & { kind: "answers" } = { kind: "answers", database, answers: [], signals: [] };
  // Signals are gathered in the commit, answers in the microtasks after it: one more round of those has them all.
  if (outboxes.size === 0) queueMicrotask(() => queueMicrotask(() => queueMicrotask(flush)));
  outboxes.set(database, outbox);
  return outbox;
}

function flush(): void {
  const waiting = [...outboxes.values()];
  outboxes.clear();
  for (const outbox of waiting)
    try {
      report(outbox);
    } catch (error) {
      // A result that cannot be sent. The verb has run; its caller must not wait for ever.
      const sent = errorToSend(error);
      report({ ...outbox, answers: outbox.answers.map(({ call }) => ({ call, error: sent })) });
    }
}

async function close(database: number): Promise<void> {
  const served = databases.get(database);
  databases.delete(database);
  let error: unknown;
  try {
    await served?.close();
    // Calls in hand are answered before the close is reported.
    await Promise.all(served?.running ?? []);
  } catch (failed) {
    error = failed;
  }
  flush();
  report({ kind: "closed", database, ...(error !== undefined && { error: errorToSend(error) }) });
}

async function leave(done: Int32Array): Promise<void> {
  // A file must be left in order; a database server only notices that its clients are gone.
  const files = [...databases.values()].filter(({ dialect }) => dialect === "sqlite");
  await Promise.allSettled(files.map((served) => served.close()));
  Atomics.store(done, 0, 1);
  Atomics.notify(done, 0);
}

function report(message: Report): void {
  send(self as unknown as { postMessage(message: unknown, transfer: ArrayBuffer[]): void }, message, true);
}
