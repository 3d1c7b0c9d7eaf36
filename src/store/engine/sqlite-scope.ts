import type { Database } from "bun:sqlite";
import { type BunSQLiteDatabase, drizzle } from "drizzle-orm/bun-sqlite";
import { SQL } from "drizzle-orm/sql";
import { type PreparableQuery, Run, type Scope, type Signal, type Step, type Verb } from "./engine.ts";
import { asStoreFailure } from "./failures.ts";

/** How long a statement waits for another process (a backup, `e2a bootstrap`) to release the file. */
export const BUSY_TIMEOUT_MS = 5_000;

/** The scopes of one connection. `with` makes the scope of one verb, and collects its signals in `signals`. */
export interface SqliteScope {
  db: BunSQLiteDatabase;
  with(signals: Signal[]): Scope;
}

/** Makes the scope of a connection. Prepared queries live as long as the connection. */
export function scopeFor(client: Database, t: Scope["t"]): SqliteScope {
  const db = drizzle({ client });
  const cache = new Map<string, unknown>();
  const shared = {
    db,
    t,
    dialect: "sqlite" as const,
    locked: <Q>(query: Q) => query,
    skipLocked: <Q>(query: Q) => query,
    prepared(name: string, build: () => PreparableQuery<unknown>) {
      if (!cache.has(name)) cache.set(name, build().prepare());
      return cache.get(name);
    },
  };
  return { db, with: (signals) => ({ ...shared, signal: (signal) => signals.push(signal) }) };
}

interface SyncQuery {
  prepare(): { execute(values?: Record<string, unknown>): { sync(): unknown } };
}

/** Runs a verb's steps one after another, synchronously. */
export function drive<R>(verb: Verb<R>, db: BunSQLiteDatabase): R {
  let step = verb.next();
  while (!step.done) step = verb.next(runStep(step.value, db));
  return step.value;
}

function runStep(step: Step, db: BunSQLiteDatabase): unknown {
  if (step instanceof Run) return (step.query as ReturnType<SyncQuery["prepare"]>).execute(step.values).sync();
  if (step instanceof SQL) return db.all(step);
  return (step as unknown as SyncQuery).prepare().execute().sync();
}

/** Runs read-only verbs on one connection. All steps of a verb see one snapshot, whatever is written meanwhile. */
export function readsOn(client: Database, scope: SqliteScope): <R>(verb: (s: Scope) => Verb<R>) => R {
  const snapshot = client.query("BEGIN");
  const rollback = client.query("ROLLBACK");
  return (verb) => {
    snapshot.run();
    try {
      return drive(verb(scope.with([])), scope.db);
    } catch (error) {
      throw asStoreFailure(error);
    } finally {
      // Undoes anything the verb wrote, though it should only read.
      if (client.inTransaction) rollback.run();
    }
  };
}
