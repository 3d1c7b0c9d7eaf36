import { Database } from "bun:sqlite";
import { chmodSync, closeSync, fdatasyncSync, mkdirSync, openSync, readSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { type Log, silentLog } from "../../util/log.ts";
import { schema } from "../schema.ts";
import { type Engine, type Scope, type Signal, tell, type Verb } from "./engine.ts";
import { asStoreFailure, codeOf, databaseError, unavailable, uncertain } from "./failures.ts";
import { type FolderLock, lockFolder, type Role } from "./folder-lock.ts";
import { rememberPlaces } from "./in-place.ts";
import { sqliteKit } from "./kit.ts";
import { checkLogMark, type LogMark, nameBase, openLogMark } from "./log-mark.ts";
import { type Migration, pendingMigrations } from "./migrate.ts";
import { realFile } from "./real-file.ts";
import { createFaultState, diskRefusal } from "./sqlite-fault.ts";
import { BUSY_TIMEOUT_MS, drive, readsOn, scopeFor } from "./sqlite-scope.ts";

/** Pause before turning WAL mode on is tried again. */
const WAL_RETRY_MS = 20;
/** The most verbs in one transaction, so that one turn does not hold up the event loop for long. */
const GROUP_MAX = 200;
/** Pages in the log at which it is copied into the database, SQLite's own default: 4 MB, some 60 messages. */
const CHECKPOINT_PAGES = 1_000;
/**
 * Pages at which writes wait for readers of the log, so that the next commit restarts it: 32 MB. While searches follow
 * one another, there is always a reader, and the log would grow for ever.
 */
const RESTART_PAGES = 8_000;
/** How long writes wait for readers at most: searches end within that; a backup by another program may not. */
const RESTART_WAIT_MS = 1_000;
/** How many bytes of a log are rewritten at a time. */
const REWRITE_BYTES = 1024 * 1024;
/** A write that proves, in recovery, that commits reach the disk again. */
const PROBE = "INSERT INTO meta (key, value) VALUES ('probe', ?1) ON CONFLICT (key) DO UPDATE SET value = ?1";

/** What to do for a verb after the commit. */
interface Outcome {
  settle: () => void;
  signals: Signal[];
}

interface Waiting {
  verb: (s: Scope) => Verb<unknown>;
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
}

export interface SqliteOptions {
  /** Locks the database for this process in this role. By default it is opened without a lock. */
  role?: Role;
  log?: Log;
  /** Called when the store stops taking writes, with the reason as a sentence; with null when it takes them again. */
  onFault?: (reason: string | null) => void;
}

/**
 * Opens (creating if needed) a SQLite database: WAL, group commit. ":memory:" is a private database.
 *
 * A verb resolves when its commit is on the disk (`synchronous = FULL`). After a failed write or sync, the store takes
 * no writes until it has recovered; see sqlite-fault.ts. Checkpoints are made here, not by SQLite, which swallows their
 * errors. This connection writes and reads; threads.ts opens others beside it that only read.
 *
 * @throws StartRefused if a server has the database open, if promised commits are missing, or if the disk takes no
 *   writes
 */
export function openSqlite(given: string, migrations: readonly Migration[], options: SqliteOptions = {}): Engine {
  const memory = given === ":memory:";
  const path = memory ? given : realFile(given);
  if (!memory) mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const lock = options.role && !memory ? lockFolder(path, options.role) : null;
  try {
    return openLocked(path, migrations, {
      memory,
      marked: options.role !== undefined && !memory,
      lock,
      log: options.log ?? silentLog,
      onFault: options.onFault ?? (() => {}),
    });
  } catch (error) {
    lock?.release();
    throw diskRefusal(error, path) ?? error;
  }
}

function openLocked(
  path: string,
  migrations: readonly Migration[],
  {
    memory,
    marked,
    lock,
    log,
    onFault,
  }: { memory: boolean; marked: boolean; lock: FolderLock | null; log: Log; onFault: (reason: string | null) => void },
): Engine {
  if (lock) checkLogMark(path);
  const writer = new Database(path, { create: true, readwrite: true });
  let mark: LogMark | null = null;
  /** Throws if the files were replaced, so that no further write is promised. */
  let requireInPlace = () => {};
  try {
    if (!memory) chmodSync(path, 0o600);
    writer.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
    turnOnWal(writer);
    writer.exec("PRAGMA synchronous = FULL");
    writer.exec("PRAGMA wal_autocheckpoint = 0");
    writer.exec("PRAGMA foreign_keys = ON");
    migrate(writer, migrations);
    // Savepoints and sorting use memory, not files. A migration may sort more than fits into memory.
    writer.exec("PRAGMA temp_store = MEMORY");
    forgetStatistics(writer);
    if (marked) mark = openLogMark(path);
    if (marked) requireInPlace = rememberPlaces([path, `${path}-wal`, `${path}-shm`]);
    // A log left by another process may have met a failed sync. Secure it before any promise is built on it.
    if (lock) nameBase(writer);
    if (lock) secureLog();
  } catch (error) {
    writer.close();
    mark?.close();
    throw error;
  }

  const tables = schema(sqliteKit);
  const listeners = new Set<(signal: Signal) => void>();
  const scope = scopeFor(writer, tables);
  const read = readsOn(writer, scope);
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
  const logState = writer.query<CheckpointRow, []>("PRAGMA wal_checkpoint(NOOP)");
  let restartAtPages = RESTART_PAGES;
  /** Whether the database has got its number for the next log. */
  let isNamed = false;
  const fault = createFaultState({
    path,
    log,
    onChange: onFault,
    recover() {
      requireInPlace();
      if (writer.inTransaction) rollback.run();
      secureLog();
      writer.query(PROBE).run(new Date().toISOString());
      mark?.write();
    },
  });

  // Group commit: all verbs waiting in this turn share one transaction and one fsync.
  function flush() {
    const group = queue.slice(0, GROUP_MAX);
    queue = queue.slice(GROUP_MAX);
    const reason = fault.reason() === null ? null : fault.retry();
    if (reason !== null) {
      for (const item of group) item.reject(unavailable(new Error(reason)));
      return;
    }
    const progress = { committing: false };
    try {
      const done = runGroup(group, false, progress) ?? runGroup(group, true, progress) ?? [];
      requireInPlace();
      noteTrouble(() => mark?.write());
      for (const { settle } of done) settle();
      for (const { signals } of done) for (const signal of signals) tell(listeners, signal);
    } catch (error) {
      // BEGIN or COMMIT failed (locked, disk full, I/O error): to this process's knowledge, the group did not happen.
      noteTrouble(() => {
        if (writer.inTransaction) rollback.run();
      });
      fault.note(databaseError(error));
      for (const item of group) item.reject(progress.committing ? uncertain(error) : asStoreFailure(error));
    }
  }

  /** Copies the log into the database when it has grown long. Promised commits in the log stand, even if this fails. */
  function checkpointIfDue() {
    if (memory || fault.reason() !== null) return;
    noteTrouble(() => {
      const pages = logState.get()?.log ?? 0;
      if (pages < CHECKPOINT_PAGES) {
        restartAtPages = RESTART_PAGES;
        isNamed = false;
        return;
      }
      if (marked && !isNamed) nameBase(writer);
      isNamed = true;
      // A reader may hold part of it back; the next commit tries again.
      if (pages < restartAtPages) checkpoint(writer, "PASSIVE");
      else restartAtPages = checkpointWhole("RESTART", RESTART_WAIT_MS) ? RESTART_PAGES : pages + RESTART_PAGES;
      mark?.write(true);
    });
  }

  function noteTrouble(step: () => void) {
    try {
      step();
    } catch (error) {
      if (!fault.note(error)) log.error("store.step_failed", {}, error);
    }
  }

  /** Runs before the file is closed, which Bun does at every end but a kill. Empties the log if readers allow. */
  function leave() {
    if (lock) {
      emptyLog();
      return;
    }
    if (!memory) checkpoint(writer, "PASSIVE");
    mark?.write(true);
  }
  if (marked) process.once("exit", leave);

  /**
   * Copies the whole log into the database and empties it. The mark is written in between, so that an empty log does
   * not look lost. Returns false if another process reads from the log: that may last hours, so it does not wait.
   */
  function emptyLog(): boolean {
    if (memory) return true;
    checkpoint(writer, "PASSIVE");
    mark?.write(true);
    if (!checkpointWhole("TRUNCATE", 0)) return false;
    mark?.write(true);
    return true;
  }

  /** Copies the whole log so that it can restart. Returns false if readers hold it for longer than `waitMs`. */
  function checkpointWhole(mode: "RESTART" | "TRUNCATE", waitMs: number): boolean {
    writer.exec(`PRAGMA busy_timeout = ${waitMs}`);
    try {
      return checkpoint(writer, mode).busy === 0;
    } catch (error) {
      if (codeOf(error).startsWith("SQLITE_BUSY")) return false;
      throw error;
    } finally {
      writer.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
    }
  }

  /** Ensures that no page's sync failed unnoticed: empties the log, or else rewrites it in place and syncs it. */
  function secureLog() {
    if (emptyLog()) return;
    // Keeps other writers out meanwhile; readers find the same bytes.
    writer.exec("BEGIN IMMEDIATE");
    try {
      rewriteFile(`${path}-wal`);
    } finally {
      writer.exec("ROLLBACK");
    }
  }

  // A savepoint for each verb isolates one that throws from the others, but makes FTS5 write out what it has gathered:
  // four times the cost of a message. So a group runs without savepoints; if a verb throws, the group is rolled back
  // (null) and runs once more with them. Verbs can run again, on Postgres too: they do nothing but queries.
  function runGroup(group: Waiting[], savepoints: boolean, progress: { committing: boolean }): Outcome[] | null {
    const outcomes: Outcome[] = [];
    begin.run();
    for (const item of group) {
      const signals: Signal[] = [];
      if (savepoints) savepoint.run();
      try {
        const result = drive(item.verb(scope.with(signals)), scope.db);
        outcomes.push({ settle: () => item.resolve(result), signals });
      } catch (error) {
        // A full disk or an I/O error may have rolled back the whole transaction (SQLite, "Transactions" 2.2).
        if (!writer.inTransaction) throw error;
        if (!savepoints) {
          rollback.run();
          return null;
        }
        rollbackTo.run();
        fault.note(databaseError(error));
        outcomes.push({ settle: () => item.reject(asStoreFailure(error)), signals: [] });
      }
      if (savepoints) release.run();
    }
    progress.committing = true;
    commit.run();
    return outcomes;
  }

  function turn() {
    flush();
    checkpointIfDue();
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
      return read(verb);
    },
    // Forgettable work waits as well: whatever precedes a promised commit in the log must be as safe as that commit.
    write<R>(verb: (s: Scope) => Verb<R>): Promise<R> {
      if (closed) return Promise.reject(unavailable(new Error("the store is closed")));
      return new Promise<R>((resolve, reject) => {
        queue.push({ verb, resolve: resolve as (value: unknown) => void, reject });
        if (scheduled) return;
        scheduled = true;
        idle = Promise.withResolvers<void>();
        setImmediate(turn);
      });
    },
    fault: () => fault.reason(),
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
      fault.close();
      // Everything is then in the one file, which can be copied as it is. If this fails, the log keeps the rest.
      noteTrouble(leave);
      process.off("exit", leave);
      writer.close();
      mark?.close();
      lock?.release();
    },
  };
}

/** Rewrites a file with its own content and syncs it: the pages of a failed sync count as clean until rewritten. */
function rewriteFile(path: string): void {
  const fd = openSync(path, "r+");
  try {
    const bytes = Buffer.alloc(REWRITE_BYTES);
    for (let at = 0; ; ) {
      const length = readSync(fd, bytes, 0, bytes.length, at);
      if (length === 0) break;
      for (let done = 0; done < length; ) done += writeSync(fd, bytes, done, length - done, at + done);
      at += length;
    }
    fdatasyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

interface CheckpointRow {
  /** 1 if another process kept it from finishing. */
  busy: number;
  /** Pages in the log; -1 if there is no log. */
  log: number;
  checkpointed: number;
}

/** Makes a checkpoint, and throws what goes wrong in it (SQLite, "PRAGMA wal_checkpoint"). */
function checkpoint(client: Database, mode: "PASSIVE" | "RESTART" | "TRUNCATE"): CheckpointRow {
  const row = client.query<CheckpointRow, []>(`PRAGMA wal_checkpoint(${mode})`).get();
  if (!row || row.log < 0) throw new Error("SQLite made no checkpoint: the database has no log.");
  return row;
}

/**
 * Turning WAL mode on needs the whole file for a moment, and SQLite does not wait for that as it does for other locks
 * ("busy handler"): if several processes create the file at once, all but one must retry.
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

function migrate(client: Database, migrations: readonly Migration[]) {
  // The first statement takes the write lock, so two processes that start together run one after the other.
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
    // A full disk may have rolled it back already (SQLite, "Transactions" 2.2).
    if (client.inTransaction) client.exec("ROLLBACK");
    client.close();
    throw error;
  }
}

/**
 * Without statistics SQLite trusts the indexes, which are made for the verbs. With statistics gathered while a table
 * had one row, it scans that table from then on (20 times the cost of a try with a few thousand messages, measured). So
 * nothing here runs ANALYZE or `PRAGMA optimize`, and statistics gathered by other programs are dropped.
 */
function forgetStatistics(client: Database): void {
  if (!client.query("SELECT 1 FROM sqlite_schema WHERE name = 'sqlite_stat1'").get()) return;
  client.exec("DELETE FROM sqlite_stat1");
  // Makes open connections reload the statistics (SQLite, "ANALYZE").
  client.exec("ANALYZE sqlite_schema");
}
