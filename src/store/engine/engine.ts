import type { SQL } from "drizzle-orm";
import type { BunSQLiteDatabase } from "drizzle-orm/bun-sqlite";
import type { Tables } from "../schema.ts";

/** A step of a verb: a drizzle query, prepared or not, or raw SQL. */
export type Step = PromiseLike<unknown> | SQL | Run;

/**
 * A verb of the domain: a generator that yields queries and receives their rows.
 *
 * One verb is one transaction. It cannot await, so no transaction stays open across DNS, SMTP or HTTP. It may run more
 * than once before it commits (after a deadlock, or if another verb in its group throws), so it must have no effects
 * but its queries. Verbs compose with `yield*`.
 */
export type Verb<R> = Generator<Step, R, unknown>;

/** What committed work announces to this process, and on Postgres to the other nodes. A hint, never the truth. */
export interface Signal {
  /**
   * `mail`: an agent has a new message. `deliveries`: one is due. `agent`: changed or deleted. `keys`: a key or session
   * was revoked. `consumer`: an agent has a new WebSocket consumer. `outbound`: a recipient is due. `outcome`: an
   * outbound message has a new outcome. `holds`: a message was held, or decided. `events`: an account's log has grown.
   * `webhook`: an account's webhook was changed or deleted.
   */
  topic:
    | "mail"
    | "deliveries"
    | "agent"
    | "webhook"
    | "keys"
    | "consumer"
    | "outbound"
    | "outcome"
    | "holds"
    | "events";
  /**
   * The agent's address, the id of an account, endpoint, key or message, a lane, or `<agent> <consumer> <since>`; "" if
   * the topic needs no key, or if signals of any key may have been missed.
   */
  key: string;
}

/** What a verb can use. `db` builds queries; it must never run one itself. */
export interface Scope {
  readonly db: BunSQLiteDatabase;
  readonly t: Tables;
  readonly dialect: "sqlite" | "postgres";
  /**
   * Locks the rows it returns until the transaction ends: FOR NO KEY UPDATE on Postgres, nothing on SQLite (one
   * writer).
   */
  locked<Q>(query: Q): Q;
  /**
   * Lets concurrent claimers pass each other: FOR NO KEY UPDATE SKIP LOCKED on Postgres, nothing on SQLite (one
   * writer).
   */
  skipLocked<Q>(query: Q): Q;
  /** The query that `build` makes, prepared once on this connection; `name` identifies its text. See `statement`. */
  prepared(name: string, build: () => PreparableQuery<unknown>): unknown;
  /** Sends a signal after the commit; dropped on rollback. */
  signal(signal: Signal): void;
}

export interface PreparableQuery<T> extends PromiseLike<T> {
  prepare(): unknown;
}

/** A prepared query with its values; made by `statement`, run by the engine. */
export class Run {
  constructor(
    readonly query: unknown,
    readonly values: Record<string, unknown>,
  ) {}
}

/** Runs verbs on one kind of database. */
export interface Engine {
  readonly dialect: "sqlite" | "postgres";
  /** Runs a verb that only reads. On Postgres each of its steps sees its own snapshot. */
  read<R>(verb: (s: Scope) => Verb<R>): Promise<R>;
  /**
   * Runs a verb in one transaction; resolves after the commit, rejects after the rollback. A power cut, but not a crash
   * of this process, may undo `forgettable` work: Postgres does not wait for the disk; SQLite does. `lasting` work may
   * take many minutes; any other fails on Postgres after some seconds.
   */
  write<R>(verb: (s: Scope) => Verb<R>, options?: { forgettable?: boolean; lasting?: boolean }): Promise<R>;
  /** Why the store takes no writes, as a sentence; null while no fault is known. */
  fault(): string | null;
  /**
   * Runs `run` if no other server process has this database open, and keeps later ones out meanwhile: what an earlier
   * process had claimed is then free. A server calls it once, before it claims anything.
   */
  takeOver(run: () => Promise<void>): Promise<void>;
  /** Calls `listener` for every signal of committed work, here or on another node. Returns its unsubscriber. */
  onSignal(listener: (signal: Signal) => void): () => void;
  /** Waits for the writes in progress, then closes. */
  close(): Promise<void>;
}

/** Yields a query and returns its rows with their type: `const rows = yield* ask(db.select()…)`. */
export function* ask<T>(query: PromiseLike<T>): Generator<Step, T, unknown> {
  return (yield query) as T;
}

/** Like `ask`, for raw SQL: returns the rows as the database names them. */
export function* askRaw<T>(query: SQL): Generator<Step, T[], unknown> {
  return (yield query) as T[];
}

/** Calls every listener. An error in one does not stop the others or the engine; it surfaces as an uncaught error. */
export function tell(listeners: Iterable<(signal: Signal) => void>, signal: Signal): void {
  for (const listener of listeners)
    try {
      listener(signal);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
}
