import { sql } from "drizzle-orm";
import { drizzle, type NodePgDatabase } from "drizzle-orm/node-postgres";
import { SQL } from "drizzle-orm/sql";
import pg from "pg";
import { Failure } from "../errors.ts";
import type { Log } from "../log.ts";
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
import { asStoreFailure, codeOf, databaseError, unavailable, uncertain } from "./failures.ts";
import { postgresKit, storable } from "./kit.ts";
import { type Migration, pendingMigrations } from "./migrate.ts";
import { schema } from "./schema.ts";

/** Two nodes that migrate at once queue up behind this advisory lock. Any fixed number will do. */
const MIGRATION_LOCK = 0x652d_6d61;
/** Every server holds this advisory lock, shared, as long as it runs: who gets it alone knows that there is no other. */
const SERVER_LOCK = 0x652d_6e64;
/** Serialization failures and deadlocks are tried this often before they surface (40001, 40P01). */
const ATTEMPTS_MAX = 5;
/** Channel for NOTIFY; payloads are `<node>\t<topic>\t<key>`, at most 8,000 bytes. */
const CHANNEL = "e2a";
const NOTIFY = "SELECT pg_notify($1, payload) FROM unnest($2::text[]) AS payload";
/** The commit does not wait for the disk (PostgreSQL, "Asynchronous Commit"); one message, so no further round trip. */
const BEGIN_FORGETTABLE = "BEGIN; SET LOCAL synchronous_commit TO OFF";
/** Pause before the listening connection is opened again. */
const LISTEN_RETRY_MS = 1_000;

/**
 * Connects to Postgres, applies what migrations are missing and listens for other nodes' signals.
 * Verbs run as they do on SQLite, each step awaited inside one transaction.
 */
export async function openPostgres(
  url: string,
  options: { poolSize: number; migrations: readonly Migration[]; log: Log },
): Promise<Engine> {
  const node = crypto.randomUUID();
  const listeners = new Set<(signal: Signal) => void>();
  const emit = (signal: Signal) => tell(listeners, signal);
  const connections = connectPostgres(url, { ...options, node, emit });
  const hearing = await migrate(connections.pool, options.migrations)
    .then(() => listen(url, node, emit, options.log))
    .catch(async (error: unknown) => {
      await connections.close();
      throw error;
    });
  let closing: Promise<void> | undefined;
  return {
    dialect: "postgres",
    read: connections.read,
    write: connections.write,
    // The server is asked each time.
    fault: () => null,
    takeOver: (run) => hearing.takeOver(run),
    onSignal(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: () =>
      (closing ??= (async () => {
        await connections.close();
        await hearing.close();
      })()),
  };
}

/** Connections to Postgres, on which verbs run. */
export interface PostgresConnections extends Pick<Engine, "read" | "write" | "close"> {
  readonly pool: pg.Pool;
}

/**
 * Makes a pool of connections to a database that is up to date, for verbs that read; `openPostgres` writes on one, too.
 *
 * @param node what committed signals are sent as
 * @param emit hears them in this process
 */
export function connectPostgres(
  url: string,
  {
    poolSize,
    log,
    node = "",
    emit = () => {},
  }: { poolSize: number; log: Log; node?: string; emit?: (signal: Signal) => void },
): PostgresConnections {
  // Else a host that vanishes without a word keeps its connections for ever.
  const options = { connectionString: url, max: poolSize, application_name: "e2a", keepAlive: true };
  const pool = new pg.Pool(options);
  pool.on("error", (error) => log.warn("store.connection_lost", {}, error));
  const scopeFor = scopes();

  let closed = false;

  async function run<R>(verb: (s: Scope) => Verb<R>, begin: string | null): Promise<R> {
    if (closed) throw unavailable(new Error("the store is closed"));
    const client = await pool.connect().catch((error: unknown) => {
      throw unavailable(error);
    });
    let lost: Error | undefined;
    // A lost connection is an event also while a verb has it; without a listener it would end the process.
    const onError = (error: Error) => {
      lost = error;
    };
    client.on("error", onError);

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
          // The server says that it ends the connection (57P0x) a moment before it does.
          if (code.startsWith("57P0")) onError(databaseError(error) as Error);
          else if (begin) await client.query("ROLLBACK").catch(onError);
          if (lost && !(error instanceof Failure)) throw (committing ? uncertain : unavailable)(databaseError(error));
          if (attempts < ATTEMPTS_MAX && (code === "40001" || code === "40P01")) continue;
          throw asStoreFailure(error);
        }
      }
    } finally {
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
    // A pool that ends forgets those who still wait for a connection.
    await Promise.allSettled(inHand);
    await pool.end();
  }

  let ending: Promise<void> | undefined;
  return {
    pool,
    read: (verb) => track(run(verb, null)),
    write: (verb, options) => track(run(verb, options?.forgettable ? BEGIN_FORGETTABLE : "BEGIN")),
    close: () => (ending ??= end()),
  };
}

/** "No key": a row that is only named by a new row's foreign key is not waited for, so locks have one order. */
const FOR = "no key update";

interface Lockable<Q> {
  for(strength: typeof FOR, config?: { skipLocked: boolean }): Q;
}

/** Makes the scopes of verbs. A connection keeps what was once prepared on it: building a query costs more than sending it. */
function scopes() {
  const t = schema(postgresKit);
  const connections = new WeakMap<pg.PoolClient, { db: NodePgDatabase; queries: Map<string, unknown> }>();

  return function scopeFor(client: pg.PoolClient, signals: Signal[]): Scope {
    const known = connections.get(client) ?? { db: drizzle({ client }), queries: new Map() };
    connections.set(client, known);
    return {
      // The builders of both dialects agree on all that the verbs use; see kit.ts.
      db: known.db as unknown as Scope["db"],
      t,
      dialect: "postgres",
      locked: <Q>(query: Q) => (query as Lockable<Q>).for(FOR),
      skipLocked: <Q>(query: Q) => (query as Lockable<Q>).for(FOR, { skipLocked: true }),
      prepared<T>(name: string, build: () => PreparableQuery<T>, values: Record<string, unknown>) {
        const query = known.queries.get(name) ?? (build() as unknown as Preparable).prepare(name);
        known.queries.set(name, query);
        // Placeholders of a condition have no column that would convert them.
        const clean = Object.entries(values).map(([key, value]) => [key, storable(value)]);
        return new Run(query, Object.fromEntries(clean)) as unknown as PromiseLike<T>;
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
 * Hears other nodes' signals on a connection of its own, opened again when it breaks. The connection also holds this
 * server's lock, which the database lets go when the process dies.
 */
async function listen(url: string, node: string, emit: (signal: Signal) => void, log: Log) {
  let client: pg.Client | undefined;
  let closed = false;
  let serves = false;

  async function open(): Promise<void> {
    const fresh = new pg.Client({ connectionString: url, application_name: "e2a listen", keepAlive: true });
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
    // Only from here on: a connection that never came up has its failure already, and two timers each would double.
    else fresh.on("end", retry);
  }
  function retry(): void {
    if (!closed) setTimeout(reopen, LISTEN_RETRY_MS).unref();
  }
  async function reopen(): Promise<void> {
    if (closed) return;
    try {
      await open();
      // What was said while nobody listened is unknown: wake everyone who polls.
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
      await client?.end();
    },
  };
}

async function migrate(pool: pg.Pool, migrations: readonly Migration[]) {
  const client = await pool.connect();
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
    await client.query("SELECT pg_advisory_unlock($1)", [MIGRATION_LOCK]).catch(() => {});
    client.release();
  }
}
