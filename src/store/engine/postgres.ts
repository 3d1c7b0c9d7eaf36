import { sql } from "drizzle-orm";
import { drizzle, type NodePgDatabase } from "drizzle-orm/node-postgres";
import { SQL } from "drizzle-orm/sql";
import pg from "pg";
import { Failure } from "../../util/errors.ts";
import type { Log } from "../../util/log.ts";
import { schema } from "../schema.ts";
import { type Engine, Run, type Scope, type Signal, type Step, tell, type Verb } from "./engine.ts";
import { asStoreFailure, codeOf, databaseError, unavailable, uncertain } from "./failures.ts";
import { postgresKit } from "./kit.ts";
import { type Migration, pendingMigrations } from "./migrate.ts";

/** Nodes that migrate at the same time queue on this advisory lock. The number is arbitrary. */
const MIGRATION_LOCK = 0x652d_6d61;
/**
 * Every server holds this advisory lock, shared, while it runs. A server that gets it exclusively knows that it is
 * alone.
 */
const SERVER_LOCK = 0x652d_6e64;
/** Serialization failures and deadlocks are tried this often before they surface (40001, 40P01). */
const ATTEMPTS_MAX = 5;
/** Channel for NOTIFY; payloads are `<node>\t<topic>\t<key>`, at most 8,000 bytes. */
const CHANNEL = "e2a";
const NOTIFY = "SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS payload";
/** The commit does not wait for the disk (PostgreSQL, "Asynchronous Commit"); one message, so no further round trip. */
const BEGIN_FORGETTABLE = "BEGIN; SET LOCAL synchronous_commit TO OFF";
/** The server has no room for another connection (PostgreSQL, Appendix A). */
const TOO_MANY_CONNECTIONS = "53300";
/** The transaction is read-only (PostgreSQL, Appendix A). */
const READ_ONLY = "25006";
/** The disk is full (PostgreSQL, Appendix A). A probe that updates a row in place does not detect this. */
const DISK_FULL = "53100";
/** How long a disk counts as full after a write found it full. */
const FULL_MS = 30_000;
/** How long a pool then opens no more connections. */
const FEWER_MS = 10_000;
/** Pause before the listening connection is opened again. */
const LISTEN_RETRY_MS = 1_000;
/** How long `close` waits for running verbs, and for connections to end. */
const CLOSE_MS = 5_000;
const GOODBYE_MS = 1_000;
/** Time for the deletion of an account, and for the work at start, which take longer than any other verb. */
const LASTING_MS = 15 * 60_000;
const BEGIN_LASTING = `BEGIN; SET LOCAL statement_timeout TO ${LASTING_MS}`;

/**
 * Times after which a step has failed. A frozen server or a dead connection gives no error: a verb that waited for one
 * without a limit would keep its connection from other verbs, and its locks from other nodes.
 */
export interface PostgresLimits {
  /** To open a connection, or to wait for a free one. */
  connectMs: number;
  /** For one statement, including its wait for locks. The server enforces it, and rolls the transaction back. */
  statementMs: number;
  /**
   * Between two statements of a transaction. The server enforces it: a suspended node must not keep its locks from the
   * others.
   */
  idleInTransactionMs: number;
  /** For a verb on its connection. The connection is then closed, because the server no longer answers on it. */
  verbMs: number;
  /** How often the listening connection, which is otherwise silent, is tried. */
  listenTriedMs: number;
}

/** A request may wait a minute for its turn; even then its answer comes before its HTTP connection times out. */
const LIMITS: PostgresLimits = {
  connectMs: 20_000,
  statementMs: 20_000,
  idleInTransactionMs: 10_000,
  verbMs: 25_000,
  listenTriedMs: 30_000,
};
/** After this long without traffic, the kernel probes whether a connection is still alive. */
const KEEP_ALIVE_MS = 30_000;

/**
 * Connects to Postgres, applies the missing migrations and listens for other nodes' signals.
 * Verbs run as they do on SQLite, each step awaited inside one transaction.
 */
export async function openPostgres(
  url: string,
  options: {
    poolSize: number;
    migrations: readonly Migration[];
    log: Log;
    /** Called when writes begin to fail, with the reason as a sentence, and with null when they may work again. */
    onFault?: (reason: string | null) => void;
    limits?: Partial<PostgresLimits>;
  },
): Promise<Engine> {
  const node = crypto.randomUUID();
  const listeners = new Set<(signal: Signal) => void>();
  const emit = (signal: Signal) => tell(listeners, signal);
  await migrate(url, options.migrations);
  const limits = { ...LIMITS, ...options.limits };
  const hearing = await listen(url, { node, emit, log: options.log, limits });
  const full = createFullState(options.onFault ?? (() => {}));
  const connections = connectPostgres(url, { ...options, node, emit, onFull: full.note });
  let closing: Promise<void> | undefined;
  return {
    dialect: "postgres",
    read: connections.read,
    write: connections.write,
    // Other faults show as soon as the server is queried.
    fault: full.reason,
    takeOver: (run) => hearing.takeOver(run),
    onSignal(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: () =>
      (closing ??= (async () => {
        full.close();
        await connections.close();
        await hearing.close();
      })()),
  };
}

/** Remembers for `FULL_MS` that the server's disk is full. */
function createFullState(onChange: (reason: string | null) => void) {
  let reason: string | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const change = (now: string | null) => {
    if (now !== reason) onChange(now);
    reason = now;
  };
  return {
    reason: () => reason,
    note() {
      change("The store does not accept writes: the disk of its database is full.");
      clearTimeout(timer);
      timer = setTimeout(change, FULL_MS, null).unref();
    },
    close: () => clearTimeout(timer),
  };
}

/** Connections to Postgres, on which verbs run. */
export type PostgresConnections = Pick<Engine, "read" | "write" | "close">;

/** The options of every connection. */
function connectionOptions(url: string, name: string, connectMs = LIMITS.connectMs): pg.ClientConfig {
  return {
    connectionString: url,
    application_name: name,
    connectionTimeoutMillis: connectMs,
    // Without this, a connection to a host that vanishes stays open for ever.
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
  };
}

/**
 * Makes a pool of connections to a migrated database. Workers only read on it; `openPostgres` writes as well.
 *
 * @param node the sender of its committed signals
 * @param emit receives them in this process
 * @param onFull called for each write that found the disk full
 */
export function connectPostgres(
  url: string,
  {
    log,
    node = "",
    emit = () => {},
    onFull = () => {},
    ...options
  }: {
    poolSize: number;
    log: Log;
    node?: string;
    emit?: (signal: Signal) => void;
    onFull?: () => void;
    limits?: Partial<PostgresLimits>;
  },
): PostgresConnections {
  const limits = { ...LIMITS, ...options.limits };
  const { connectMs, statementMs, idleInTransactionMs } = limits;
  // Not set as startup parameters: poolers such as PgBouncer refuse parameters they do not know.
  const text = `SET statement_timeout TO ${statementMs}; SET idle_in_transaction_session_timeout TO ${idleInTransactionMs}`;
  const pool = new pg.Pool({
    ...connectionOptions(url, "e2a", connectMs),
    max: options.poolSize,
    onConnect: async (client) => void (await client.query({ text, query_timeout: connectMs } as pg.QueryConfig)),
  });
  pool.on("error", (error) => log.warn("store.connection_lost", {}, error));
  const scopeFor = scopes();

  let closed = false;
  /** Rejected by `close`, for the verbs that still wait for a connection. */
  const ended = Promise.withResolvers<never>();
  ended.promise.catch(() => {});
  /** For each running verb, a function that closes its connection. */
  const cuts = new Set<(why: string) => void>();

  let isRestoring = false;
  /** Returns a connection. If the server allows no more, it waits for one of those that are open. */
  async function connect(): Promise<pg.PoolClient> {
    for (;;)
      try {
        return await pool.connect();
      } catch (error) {
        if (codeOf(error) !== TOO_MANY_CONNECTIONS || pool.totalCount === 0) throw error;
        pool.options.max = pool.totalCount;
        if (isRestoring) continue;
        isRestoring = true;
        setTimeout(() => {
          isRestoring = false;
          pool.options.max = options.poolSize;
        }, FEWER_MS).unref();
      }
  }

  async function acquire(): Promise<pg.PoolClient> {
    const connecting = connect();
    try {
      return await Promise.race([connecting, ended.promise]);
    } catch (error) {
      connecting.then(
        (client) => client.release(true),
        () => {},
      );
      throw unavailable(error);
    }
  }

  async function run<R>(verb: (s: Scope) => Verb<R>, begin: string | null): Promise<R> {
    if (closed) throw unavailable(new Error("the store is closed"));
    const client = await acquire();
    let lost: Error | undefined;
    // A connection may be lost while a verb has it; without a listener, that event would end the process.
    const onError = (error: Error) => {
      lost ??= error;
    };
    client.on("error", onError);
    const cut = (why: string) => {
      onError(new Error(why));
      // While a query runs, this closes the socket at once.
      client.end().catch(() => {});
    };
    cuts.add(cut);
    const verbMs = begin === BEGIN_LASTING ? LASTING_MS : limits.verbMs;
    const late = setTimeout(cut, verbMs, `Postgres has not answered within ${verbMs / 1_000} s.`);

    let committing = false;
    async function attempt(): Promise<{ result: R; signals: Signal[] }> {
      const signals: Signal[] = [];
      const scope = scopeFor(client, signals);
      committing = false;
      if (begin) await client.query(begin);
      const result = await drive(verb(scope), scope.db as unknown as NodePgDatabase);
      if (begin) {
        if (signals.length > 0)
          await client.query(NOTIFY, [CHANNEL, signals.map((s) => `${node}\t${s.topic}\t${s.key}`)]);
        committing = true;
        await client.query("COMMIT");
      }
      return { result, signals };
    }

    try {
      for (let attempts = 1; ; attempts++) {
        try {
          const { result, signals } = await attempt();
          for (const signal of signals) emit(signal);
          return result;
        } catch (error) {
          const code = codeOf(databaseError(error));
          if (begin && code === DISK_FULL) onFull();
          // The server announces that it ends a connection (57P0x) a moment before it does.
          if (code.startsWith("57P0")) onError(databaseError(error) as Error);
          // A connection stays read-only. A new one may be allowed to write, or reach another server.
          else if (code === READ_ONLY) onError(databaseError(error) as Error);
          else if (begin) await client.query("ROLLBACK").catch(onError);
          if (lost && !(error instanceof Failure)) throw (committing ? uncertain : unavailable)(databaseError(error));
          if (attempts < ATTEMPTS_MAX && (code === "40001" || code === "40P01")) continue;
          throw asStoreFailure(error);
        }
      }
    } finally {
      clearTimeout(late);
      cuts.delete(cut);
      client.off("error", onError);
      client.release(lost);
    }
  }

  const inHand = new Set<Promise<unknown>>();
  function track<R>(running: Promise<R>): Promise<R> {
    inHand.add(running);
    const forget = () => inHand.delete(running);
    running.then(forget, forget);
    return running;
  }

  async function end(): Promise<void> {
    closed = true;
    // A pool that ends never answers verbs that still wait for a connection.
    await within(CLOSE_MS, Promise.allSettled(inHand));
    ended.reject(new Error("the store is closed"));
    for (const cut of cuts) cut("the store is closed");
    await Promise.allSettled(inHand);
    await within(GOODBYE_MS, pool.end());
  }

  let ending: Promise<void> | undefined;
  return {
    read: (verb) => track(run(verb, null)),
    write: (verb, { forgettable, lasting } = {}) =>
      track(run(verb, lasting ? BEGIN_LASTING : forgettable ? BEGIN_FORGETTABLE : "BEGIN")),
    close: () => (ending ??= end()),
  };
}

/** Waits for `something`, for at most `ms`. */
async function within(ms: number, something: Promise<unknown>): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, ms);
  await Promise.race([something, late.promise]).finally(() => clearTimeout(timer));
}

/** "No key" does not wait for inserts that only refer to the row by a foreign key, so that locks keep one order. */
const FOR = "no key update";

interface Lockable<Q> {
  for(strength: typeof FOR, config?: { skipLocked: boolean }): Q;
}

/**
 * Makes the scopes of verbs. Prepared queries are kept for each connection: building one costs more than sending it.
 */
function scopes() {
  const t = schema(postgresKit);
  const connections = new WeakMap<pg.PoolClient, { db: NodePgDatabase; queries: Map<string, unknown> }>();

  return function scopeFor(client: pg.PoolClient, signals: Signal[]): Scope {
    const known = connections.get(client) ?? { db: drizzle({ client }), queries: new Map() };
    connections.set(client, known);
    return {
      // The builders of both dialects agree on the part that verbs use; see kit.ts.
      db: known.db as unknown as Scope["db"],
      t,
      dialect: "postgres",
      locked: <Q>(query: Q) => (query as Lockable<Q>).for(FOR),
      skipLocked: <Q>(query: Q) => (query as Lockable<Q>).for(FOR, { skipLocked: true }),
      prepared(name, build) {
        const query = known.queries.get(name) ?? (build() as unknown as Preparable).prepare(name);
        known.queries.set(name, query);
        return query;
      },
      signal: (signal) => signals.push(signal),
    };
  };
}

interface Preparable {
  prepare(name: string): unknown;
}

async function drive<R>(verb: Verb<R>, db: NodePgDatabase): Promise<R> {
  let step = verb.next();
  while (!step.done) step = verb.next(await runStep(step.value, db));
  return step.value;
}

async function runStep(step: Step, db: NodePgDatabase): Promise<unknown> {
  if (step instanceof Run) return (step.query as { execute(values: object): Promise<unknown> }).execute(step.values);
  if (step instanceof SQL) return (await db.execute(sql`${step}`)).rows;
  return step;
}

/**
 * Receives other nodes' signals on a connection of its own, which is reopened when it breaks. That connection also
 * holds this server's lock, which the database releases when the process dies.
 */
async function listen(
  url: string,
  { node, emit, log, limits }: { node: string; emit: (signal: Signal) => void; log: Log; limits: PostgresLimits },
) {
  let client: pg.Client | undefined;
  let closed = false;
  let serves = false;

  async function open(): Promise<void> {
    const fresh = new pg.Client(connectionOptions(url, "e2a listen"));
    fresh.on("notification", ({ payload }) => {
      const [from, topic, key] = (payload ?? "").split("\t");
      if (from !== node && topic) emit({ topic: topic as Signal["topic"], key: key ?? "" });
    });
    fresh.on("error", (error) => {
      log.warn("store.listen_lost", {}, error);
      void fresh.end().catch(() => {});
    });
    try {
      await fresh.connect();
      await fresh.query(`LISTEN ${CHANNEL}`);
      if (serves) await fresh.query("SELECT pg_advisory_lock_shared($1)", [SERVER_LOCK]);
    } catch (error) {
      void fresh.end().catch(() => {});
      throw error;
    }
    client = fresh;
    if (closed) await fresh.end();
    // Only now: a connection that never opened has already thrown, and a second retry would double the timers.
    else fresh.on("end", retry);
    tryLater(fresh);
  }
  /** A dead connection shows only when it is used. Without these tries, signals might be lost for hours. */
  function tryLater(listening: pg.Client): void {
    const timer = setTimeout(async () => {
      listening.off("end", stop);
      // Until it serves, it may be waiting for another server's lock.
      if (serves) await tryOut(listening);
      if (client === listening && !closed) tryLater(listening);
    }, limits.listenTriedMs);
    timer.unref();
    const stop = () => clearTimeout(timer);
    listening.once("end", stop);
  }
  async function tryOut(listening: pg.Client): Promise<void> {
    const late = setTimeout(() => listening.emit("error", new Error("Postgres does not answer.")), limits.connectMs);
    await listening.query("SELECT 1").catch(() => {});
    clearTimeout(late);
  }
  function retry(): void {
    if (!closed) setTimeout(reopen, LISTEN_RETRY_MS).unref();
  }
  async function reopen(): Promise<void> {
    if (closed) return;
    try {
      await open();
      // Signals that were sent meanwhile are lost, so everything that polls looks now.
      emit({ topic: "deliveries", key: "" });
      emit({ topic: "outbound", key: "" });
      emit({ topic: "holds", key: "" });
      emit({ topic: "mail", key: "" });
      emit({ topic: "events", key: "" });
      emit({ topic: "keys", key: "" });
    } catch {
      retry();
    }
  }

  await open();
  return {
    async takeOver(run: () => Promise<void>) {
      const { rows } = (await client?.query("SELECT pg_try_advisory_lock($1) AS alone", [SERVER_LOCK])) ?? { rows: [] };
      const alone = rows[0]?.alone === true;
      if (alone) await run();
      serves = true;
      await client?.query("SELECT pg_advisory_lock_shared($1)", [SERVER_LOCK]);
      if (alone) await client?.query("SELECT pg_advisory_unlock($1)", [SERVER_LOCK]);
    },
    async close() {
      closed = true;
      if (client) await within(GOODBYE_MS, client.end());
    },
  };
}

/** Migrates on a connection without limits: a migration can be slow, and waits for another node's migration. */
async function migrate(url: string, migrations: readonly Migration[]) {
  const client = new pg.Client(connectionOptions(url, "e2a"));
  // If the connection is lost, the next query fails; without a listener, the event would end the process.
  client.on("error", () => {});
  await client.connect();
  try {
    await client.query("SELECT pg_advisory_lock($1)", [MIGRATION_LOCK]);
    await client.query(
      "CREATE TABLE IF NOT EXISTS schema_migrations (number BIGINT PRIMARY KEY, name TEXT NOT NULL, applied_at TIMESTAMPTZ NOT NULL DEFAULT now())",
    );
    const done = await client.query("SELECT number FROM schema_migrations");
    const numbers = done.rows.map((row: { number: string }) => ({ number: Number(row.number) }));
    for (const migration of pendingMigrations(numbers, migrations)) {
      await client.query("BEGIN");
      try {
        await client.query("INSERT INTO schema_migrations (number, name) VALUES ($1, $2)", [
          migration.number,
          migration.name,
        ]);
        await client.query(migration.sql);
        await client.query("COMMIT");
      } catch (error) {
        await client.query("ROLLBACK");
        throw error;
      }
    }
  } finally {
    // The lock ends with the connection.
    await within(GOODBYE_MS, client.end());
  }
}
