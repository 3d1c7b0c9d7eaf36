import { Database } from "bun:sqlite";
import { chmodSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { type BunSQLiteDatabase, drizzle } from "drizzle-orm/bun-sqlite";
import { SQL } from "drizzle-orm/sql";
import {
  type Engine,
  type PreparableQuery,
  Run,
  type Scope,
  type Signal,
  type Step,
  tell,
  type Verb,
} from "./engine.ts";
import { asStoreFailure, unavailable } from "./failures.ts";
import { sqliteKit } from "./kit.ts";
import { type Migration, pendingMigrations } from "./migrate.ts";
import { schema } from "./schema.ts";
import { syncerOf } from "./wal-sync.ts";

/** How long a write waits for another process (a backup, `e2a bootstrap`) to let go of the file. */
const BUSY_TIMEOUT_MS = 5_000;
/** Pause before the log is turned on once more. */
const WAL_RETRY_MS = 20;
/** Verbs in one transaction at most, so that one turn cannot hold up the event loop for long. */
const GROUP_MAX = 200;

/** What is to be done for a verb after the commit. */
interface Outcome {
  settle: () => void;
  signals: Signal[];
  item: Waiting;
}

interface Waiting {
  forgettable: boolean;
  verb: (s: Scope) => Verb<unknown>;
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
}

/**
 * Opens (creating if needed) a SQLite database: WAL, group commit. `path` ":memory:" is a private database.
 * A verb resolves when its commit is on the disk; the disk is waited for outside the event loop, so that the next groups
 * are committed meanwhile (a quarter more messages out a second than with synchronous=FULL, measured). One connection does all: verbs run one after the other anyway, and a second one for reads would lose its
 * page cache at every commit (16 reads of the file a message, measured).
 */
export function openSqlite(path: string, migrations: readonly Migration[]): Engine {
  const memory = path === ":memory:";
  if (!memory) mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const writer = new Database(path, { create: true, readwrite: true });
  if (!memory) chmodSync(path, 0o600);
  writer.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
  turnOnWal(writer);
  // Migrations, and the log file itself, are on the disk before anything else happens.
  writer.exec("PRAGMA synchronous = FULL");
  writer.exec("PRAGMA foreign_keys = ON");
  // Savepoints and sorting work in memory, not in files.
  writer.exec("PRAGMA temp_store = MEMORY");
  migrate(writer, migrations);
  forgetStatistics(writer);
  // From here on a commit is in the log but not forced to the disk: `syncer` does that, and "250" waits for it.
  writer.exec("PRAGMA synchronous = NORMAL");
  const syncer = memory ? null : syncerOf(`${path}-wal`);

  const tables = schema(sqliteKit);
  const listeners = new Set<(signal: Signal) => void>();
  const scope = scopeFor(writer, tables);
  const snapshot = writer.query("BEGIN");
  const begin = writer.query("BEGIN IMMEDIATE");
  const commit = writer.query("COMMIT");
  const rollback = writer.query("ROLLBACK");
  const savepoint = writer.query("SAVEPOINT verb");
  const release = writer.query("RELEASE verb");
  const rollbackTo = writer.query("ROLLBACK TO verb");

  let queue: Waiting[] = [];
  let scheduled = false;
  let idle = Promise.withResolvers<void>();
  idle.resolve();
  let closed = false;

  // Group commit: every verb that is waiting in this turn shares one transaction and one fsync.
  function flush() {
    const group = queue.slice(0, GROUP_MAX);
    queue = queue.slice(GROUP_MAX);
    try {
      const done = runGroup(group, false) ?? runGroup(group, true) ?? [];
      const lasting = done.filter(({ item }) => !item.forgettable);
      conclude(done.filter(({ item }) => item.forgettable));
      if (!syncer) conclude(lasting);
      else if (lasting.length > 0)
        syncer.after((error) => {
          if (!error) return conclude(lasting);
          // It may be there after a crash, and it may not: nobody is told that it is.
          for (const { item } of lasting) item.reject(asStoreFailure(error));
        });
    } catch (error) {
      // BEGIN or COMMIT failed (locked, disk full, I/O error): nothing of this group happened.
      if (writer.inTransaction) rollback.run();
      for (const item of group) item.reject(asStoreFailure(error));
    }
  }

  function conclude(done: Outcome[]) {
    for (const { settle } of done) settle();
    for (const { signals } of done) for (const signal of signals) tell(listeners, signal);
  }

  // A savepoint for each verb keeps one that throws from the others, but makes FTS5 write out what it has gathered:
  // four times the cost of a message. So a group runs without; if a verb throws, nothing has happened (null), and it runs
  // once more with them. Verbs can be run again, on Postgres too: their queries are all they do.
  function runGroup(group: Waiting[], savepoints: boolean): Outcome[] | null {
    const outcomes: Outcome[] = [];
    begin.run();
    for (const item of group) {
      const signals: Signal[] = [];
      if (savepoints) savepoint.run();
      try {
        const result = drive(item.verb(scope.with(signals)), scope.db);
        outcomes.push({ settle: () => item.resolve(result), signals, item });
      } catch (error) {
        // A full disk or an I/O error may have undone the whole transaction by itself (SQLite, "Transactions" 2.2).
        if (!writer.inTransaction) throw error;
        if (!savepoints) {
          rollback.run();
          return null;
        }
        rollbackTo.run();
        outcomes.push({ settle: () => item.reject(asStoreFailure(error)), signals: [], item });
      }
      if (savepoints) release.run();
    }
    commit.run();
    return outcomes;
  }

  function turn() {
    flush();
    if (queue.length > 0) setImmediate(turn);
    else {
      scheduled = false;
      idle.resolve();
    }
  }

  return {
    dialect: "sqlite",
    async read<R>(verb: (s: Scope) => Verb<R>): Promise<R> {
      if (closed) throw unavailable(new Error("the store is closed"));
      // One snapshot for all steps, whatever another process writes meanwhile.
      snapshot.run();
      try {
        return drive(verb(scope.with([])), scope.db);
      } catch (error) {
        throw asStoreFailure(error);
      } finally {
        // A verb that should only read leaves nothing behind, even if it did more.
        if (writer.inTransaction) rollback.run();
      }
    },
    write<R>(verb: (s: Scope) => Verb<R>, options = { forgettable: false }): Promise<R> {
      if (closed) return Promise.reject(unavailable(new Error("the store is closed")));
      return new Promise<R>((resolve, reject) => {
        queue.push({ ...options, verb, resolve: resolve as (value: unknown) => void, reject });
        if (scheduled) return;
        scheduled = true;
        idle = Promise.withResolvers<void>();
        setImmediate(turn);
      });
    },
    // One server process owns the file.
    takeOver: (run) => run(),
    onSignal(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async close() {
      if (closed) return;
      closed = true;
      await idle.promise;
      await syncer?.idle();
      // Everything is in the one file then: it can be copied as it lies there.
      writer.exec("PRAGMA wal_checkpoint(TRUNCATE)");
      syncer?.close();
      writer.close();
    },
  };
}

/**
 * Turning the log on takes the whole file for a moment, and SQLite does not wait for that as it does for other locks
 * ("busy handler"): when several processes make the file at once, all but one have to come back.
 */
function turnOnWal(client: Database): void {
  for (let triedMs = 0; ; triedMs += WAL_RETRY_MS)
    try {
      client.exec("PRAGMA journal_mode = WAL");
      return;
    } catch (error) {
      if (triedMs >= BUSY_TIMEOUT_MS || !String((error as { code?: unknown }).code).startsWith("SQLITE_BUSY"))
        throw error;
      Bun.sleepSync(WAL_RETRY_MS);
    }
}

interface SqliteScope {
  db: BunSQLiteDatabase;
  with(signals: Signal[]): Scope;
}

function scopeFor(client: Database, t: Scope["t"]): SqliteScope {
  const db = drizzle({ client });
  const cache = new Map<string, unknown>();
  const shared = {
    db,
    t,
    dialect: "sqlite" as const,
    locked: <Q>(query: Q) => query,
    skipLocked: <Q>(query: Q) => query,
    prepared<T>(name: string, build: () => PreparableQuery<T>, values: Record<string, unknown>) {
      if (!cache.has(name)) cache.set(name, build().prepare());
      return new Run(cache.get(name), values) as unknown as PromiseLike<T>;
    },
  };
  return { db, with: (signals) => ({ ...shared, signal: (signal) => signals.push(signal) }) };
}

interface SyncQuery {
  prepare(): { execute(values?: Record<string, unknown>): { sync(): unknown } };
}

/** Runs a verb's steps one after the other, synchronously. */
function drive<R>(verb: Verb<R>, db: BunSQLiteDatabase): R {
  let step = verb.next();
  while (!step.done) step = verb.next(runStep(step.value, db));
  return step.value;
}

function runStep(step: Step, db: BunSQLiteDatabase): unknown {
  if (step instanceof Run) return (step.query as ReturnType<SyncQuery["prepare"]>).execute(step.values).sync();
  if (step instanceof SQL) return db.all(step);
  return (step as unknown as SyncQuery).prepare().execute().sync();
}

function migrate(client: Database, migrations: readonly Migration[]) {
  // The first statement takes the write lock, so two processes that start at once run one after the other.
  client.exec("BEGIN IMMEDIATE");
  try {
    client.exec(
      "CREATE TABLE IF NOT EXISTS schema_migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at INTEGER NOT NULL)",
    );
    const done = client.query("SELECT number FROM schema_migrations").all() as { number: number }[];
    for (const migration of pendingMigrations(done, migrations)) {
      client
        .query("INSERT INTO schema_migrations (number, name, applied_at) VALUES (?, ?, ?)")
        .run(migration.number, migration.name, Date.now());
      client.exec(migration.sql);
    }
    client.exec("COMMIT");
  } catch (error) {
    client.exec("ROLLBACK");
    client.close();
    throw error;
  }
}

/**
 * Without statistics SQLite trusts the indexes, which are made for the verbs. With some that were gathered while a table
 * had one row it walks that table from then on (20 times the cost of a try with a few thousand messages, measured), so
 * nothing here runs ANALYZE or `PRAGMA optimize`, and what others have gathered is dropped.
 */
function forgetStatistics(client: Database): void {
  if (!client.query("SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_stat1'").get()) return;
  client.exec("DELETE FROM sqlite_stat1");
  // Makes open connections read them again (SQLite, "ANALYZE").
  client.exec("ANALYZE sqlite_schema");
}
