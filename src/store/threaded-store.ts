import { type Log, silentLog } from "../util/log.ts";
import { type Engine, type Signal, tell } from "./engine/engine.ts";
import { unavailable } from "./engine/failures.ts";
import type { Role } from "./engine/folder-lock.ts";
import type { Migration } from "./engine/migrate.ts";
import { openSqliteReader, type Reader } from "./engine/sqlite-reader.ts";
import { createStore, placeOf, type Store } from "./store.ts";
import type { Opening } from "./thread-messages.ts";
import type { StoreThread, StoreThreads, ThreadDatabase } from "./threads.ts";

/** A store on threads. */
export interface ThreadedStore extends Store {
  /**
   * Stops waiting for the threads: calls in hand and later ones fail, as if the connection to the database had broken.
   * For a server that must end while its database does not answer.
   */
  giveUp(): void;
}

/** Each reader thread has a quarter of the connections to Postgres; the writer thread has the rest. */
const READER_SHARE = 4;

/**
 * Opens a SQLite file as the server's store: one thread writes, two read, and the calling thread only looks up small
 * rows. A disk that syncs slowly, the indexing of large mail or a long search therefore never keeps sockets waiting.
 *
 * @throws StartRefused as openSqlite does
 */
export async function openSqliteStore(
  threads: StoreThreads,
  { path, migrations, role, log }: { path: string; migrations: readonly Migration[]; role: Role; log: Log },
): Promise<ThreadedStore> {
  const opened = await openAll(
    threads,
    { kind: "sqlite writer", path, migrations, role },
    { kind: "sqlite reader", path },
    log,
  );
  let own: Reader;
  try {
    own = openSqliteReader(path);
  } catch (error) {
    await opened.close();
    throw error;
  }
  return storeOn(opened, "sqlite", own);
}

/**
 * Opens a Postgres database as the server's store, through the same threads: the driver's work on large rows (it gets
 * bytes as hexadecimal text) keeps no socket waiting. The threads share `poolSize` connections, plus one that listens.
 */
export async function openPostgresStore(
  threads: StoreThreads,
  { url, poolSize, migrations, log }: { url: string; poolSize: number; migrations: readonly Migration[]; log: Log },
): Promise<ThreadedStore> {
  const share = Math.floor(poolSize / READER_SHARE);
  const readers = share > 0 ? threads.readers.length : 0;
  const opened = await openAll(
    threads,
    { kind: "postgres writer", url, migrations, poolSize: poolSize - readers * share },
    readers > 0 ? { kind: "postgres reader", url, poolSize: share } : null,
    log,
  );
  return storeOn(opened, "postgres", null);
}

interface Opened {
  readonly writer: ThreadDatabase;
  /** Empty if there are too few connections: the writer then reads as well. */
  readonly readers: readonly { thread: StoreThread; database: ThreadDatabase }[];
  readonly listeners: Set<(signal: Signal) => void>;
  fault(): string | null;
  close(): Promise<void>;
}

async function openAll(threads: StoreThreads, writing: Opening, reading: Opening | null, log: Log): Promise<Opened> {
  const listeners = new Set<(signal: Signal) => void>();
  let fault: string | null = null;
  const writer = await threads.writer.open(writing, {
    onSignal: (signal) => tell(listeners, signal),
    onFault: (reason) => {
      fault = reason;
    },
    log,
  });
  const readers: { thread: StoreThread; database: ThreadDatabase }[] = [];
  const close = async () => {
    // The connection that writes to a SQLite file closes last, so that it empties the log.
    for (const { database } of readers) await database.close();
    await writer.close();
  };
  try {
    if (reading)
      for (const thread of threads.readers) {
        const readersLog = reading.kind === "postgres reader" ? log : silentLog;
        const database = await thread.open(reading, { onSignal() {}, onFault() {}, log: readersLog });
        readers.push({ thread, database });
      }
  } catch (error) {
    await close();
    throw error;
  }
  return { writer, readers, listeners, fault: () => fault, close };
}

/** @param own this thread's connection for small look-ups; null sends them to the writer. */
function storeOn(
  { writer, readers, listeners, fault, close }: Opened,
  dialect: Engine["dialect"],
  own: Reader | null,
): ThreadedStore {
  let closing: Promise<void> | undefined;
  const notHere = () => Promise.reject(new Error("This connection only reads."));
  const callers: Engine = {
    dialect,
    read: own?.read ?? notHere,
    write: notHere,
    takeOver: notHere,
    fault,
    onSignal(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: () =>
      (closing ??= (async () => {
        own?.close();
        await close();
      })()),
  };

  /** Runs a verb on the thread with the fewest calls in hand. */
  function onReader(verb: string, args: unknown[]): Promise<unknown> {
    if (closing) return Promise.reject(unavailable(new Error("the store is closed")));
    const { database } = readers.reduce((least, one) => (one.thread.inHand < least.thread.inHand ? one : least));
    return database.call(verb, args);
  }

  const store = createStore(callers);
  const ours = new Set<string>(["dialect", "onSignal", "close", "fault", "takeOver"]);
  const verbs = Object.entries(store).filter(([name]) => !ours.has(name));
  const elsewhere = verbs.flatMap(([name, verb]): [string, (...args: unknown[]) => Promise<unknown>][] => {
    const place = placeOf(verb as object);
    if (place === "caller" && own) return [];
    if (place === "reader" && readers.length > 0) return [[name, (...args) => onReader(name, args)]];
    return [[name, (...args) => writer.call(name, args)]];
  });
  return {
    ...(store as Store),
    ...(Object.fromEntries(elsewhere) as Partial<Store>),
    takeOver: (now) => writer.call("takeOver", [now]) as Promise<void>,
    giveUp() {
      const reason = new Error("the store does not answer, and the server ends");
      for (const database of [writer, ...readers.map((reader) => reader.database)]) database.giveUp(reason);
    },
  };
}
