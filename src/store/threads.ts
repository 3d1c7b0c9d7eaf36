import type { Log } from "../util/log.ts";
import type { Signal } from "./engine/engine.ts";
import { unavailable, uncertain } from "./engine/failures.ts";
import {
  type Answer,
  type Call,
  errorReceived,
  errorToSend,
  type Opening,
  type Order,
  type Report,
  received,
  send,
} from "./thread-messages.ts";

/**
 * Reader threads. On SQLite each runs one verb at a time; the second serves calls while the first runs a long search.
 */
const READERS = 2;
/**
 * The maximum of unanswered calls per database, a few KB each. A database that does not answer must not fill the memory
 * with requests whose clients have gone.
 */
const CALLS_MAX = 20_000;
/** How long a database may take to close. Its own calls are bounded; a disk that hangs is not. */
const CLOSE_MS = 15_000;
/** How long a process that ends abruptly waits for its log to be emptied. */
const LEAVE_MS = 5_000;

/** Threads that run the verbs of stores. A process needs one set, however many databases it opens. */
export interface StoreThreads {
  /** The thread that writes, for every database. */
  readonly writer: StoreThread;
  /** The threads that only read. */
  readonly readers: readonly StoreThread[];
  /** Ends the threads. Stores must be closed before. */
  close(): void;
}

export interface StoreThread {
  /** Calls that have no answer yet. */
  readonly inHand: number;
  open(opening: Opening, hears: Hears): Promise<ThreadDatabase>;
  /** Empties the logs and closes the files, synchronously: for a process that ends without closing its stores. */
  leave(): void;
  close(): void;
}

/** What a database reports besides its answers. */
export interface Hears {
  onSignal(signal: Signal): void;
  onFault(reason: string | null): void;
  log: Log;
}

/** A database that a thread has open. */
export interface ThreadDatabase {
  /** Failure `unavailable` also if too many calls have no answer. */
  call(verb: string, args: unknown[]): Promise<unknown>;
  /** Stops waiting for answers: calls in hand may have taken effect or not, and later ones are refused. */
  giveUp(reason: Error): void;
  close(): Promise<void>;
}

/**
 * Starts all the threads at once, before clients can connect: starting a thread when clients hold the last file
 * descriptor ends the process.
 */
export function createStoreThreads(): StoreThreads {
  const writer = startThread();
  const readers = Array.from({ length: READERS }, startThread);
  // A process that ends without closing (an error, process.exit) leaves a database file that can be copied as it is.
  const leave = () => writer.leave();
  process.once("exit", leave);
  return {
    writer,
    readers,
    close() {
      process.off("exit", leave);
      for (const thread of [writer, ...readers]) thread.close();
    },
  };
}

interface Asked {
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

interface Opened extends Hears {
  readonly asked: Map<number, Asked>;
  started: Asked | null;
  closed: Asked | null;
  givenUp: Error | null;
}

function startThread(): StoreThread {
  const worker = new Worker(workerPath());
  // Only an open database keeps the process alive, as its sockets do.
  worker.unref();
  const databases = new Map<number, Opened>();
  let databaseCount = 0;
  let callCount = 0;
  let inHand = 0;
  let ended: unknown = null;

  function settle(database: Opened, { call, result, error }: Answer): void {
    const asked = database.asked.get(call);
    if (!asked) return;
    database.asked.delete(call);
    inHand--;
    if (error) asked.reject(errorReceived(error));
    else asked.resolve(received(result));
  }

  worker.onmessage = ({ data }: MessageEvent<Report>) => {
    const database = databases.get(data.database);
    if (!database) return;
    if (data.kind === "answers") {
      for (const answer of data.answers) settle(database, answer);
      for (const signal of data.signals) database.onSignal(signal);
    } else if (data.kind === "fault") database.onFault(data.reason);
    else if (data.kind === "log") {
      const { level, event, fields, error } = data;
      if (level === "info") database.log.info(event, fields);
      else database.log[level](event, fields, error && errorReceived(error));
    } else {
      const asked = data.kind === "opened" ? database.started : database.closed;
      if (data.kind === "closed" || data.error) databases.delete(data.database);
      if (databases.size === 0) worker.unref();
      if (data.error) asked?.reject(errorReceived(data.error));
      else asked?.resolve(undefined);
    }
  };

  /** An error outside every verb: calls in hand may have taken effect. It surfaces as uncaught, as without threads. */
  worker.onerror = (event) => {
    ended = event.error ?? new Error(event.message);
    for (const { asked, started, closed } of databases.values()) {
      for (const one of [...asked.values(), started, closed]) one?.reject(uncertain(ended));
      asked.clear();
    }
    queueMicrotask(() => {
      throw ended;
    });
  };

  const tellWorker = (order: Order) => send(worker as unknown as Parameters<typeof send>[0], order);

  return {
    get inHand() {
      return inHand;
    },
    async open(opening, hears) {
      const id = ++databaseCount;
      const database: Opened = { ...hears, asked: new Map(), started: null, closed: null, givenUp: null };
      databases.set(id, database);
      worker.ref();
      const started = new Promise((resolve, reject) => {
        database.started = { resolve, reject };
      });
      tellWorker({ kind: "open", database: id, opening });
      await started;
      database.started = null;

      let calls: Call[] = [];
      const flush = () => {
        const waiting = calls;
        calls = [];
        try {
          tellWorker({ kind: "calls", database: id, calls: waiting });
        } catch {
          // One call has an argument that is not plain data. That is its caller's error, and must not fail the others.
          for (const one of waiting) sendAlone(one);
        }
      };
      const sendAlone = (one: Call) => {
        try {
          tellWorker({ kind: "calls", database: id, calls: [one] });
        } catch (error) {
          settle(database, { call: one.call, error: errorToSend(error) });
        }
      };
      return {
        call(verb, args) {
          if (ended !== null) return Promise.reject(unavailable(ended));
          if (!databases.has(id) || database.closed)
            return Promise.reject(unavailable(new Error("the store is closed")));
          if (database.givenUp) return Promise.reject(unavailable(database.givenUp));
          if (database.asked.size >= CALLS_MAX)
            return Promise.reject(unavailable(new Error(`${CALLS_MAX} calls of the store have no answer`)));
          return new Promise((resolve, reject) => {
            const call = ++callCount;
            inHand++;
            database.asked.set(call, { resolve, reject });
            if (calls.push({ call, verb, args }) === 1) queueMicrotask(flush);
          });
        },
        giveUp(reason) {
          database.givenUp = reason;
          inHand -= database.asked.size;
          for (const one of database.asked.values()) one.reject(uncertain(reason));
          database.asked.clear();
        },
        close: () =>
          new Promise<void>((resolve, reject) => {
            if (calls.length > 0) flush();
            const late = setTimeout(() => reject(new Error("the store's thread does not answer")), CLOSE_MS);
            const settled = <T>(settle: (value: T) => void) => {
              return (value: T) => {
                clearTimeout(late);
                settle(value);
              };
            };
            database.closed = { resolve: settled(() => resolve()), reject: settled(reject) };
            tellWorker({ kind: "close", database: id });
          }),
      };
    },
    leave() {
      if (databases.size === 0 || ended !== null) return;
      const done = new Int32Array(new SharedArrayBuffer(4));
      tellWorker({ kind: "leave", done });
      Atomics.wait(done, 0, 0, LEAVE_MS);
    },
    close: () => worker.terminate(),
  };
}

/** In the compiled program the worker's path is relative to src/; see scripts/build.ts. */
function workerPath(): string {
  return Bun.isStandaloneExecutable ? "./store/store.worker.ts" : new URL("./store.worker.ts", import.meta.url).href;
}
