import { sql } from "drizzle-orm";
import { drizzle, type NodePgDatabase } from "drizzle-orm/node-postgres";
import { SQL } from "drizzle-orm/sql";
import pg from "pg";
import type { Log } from "../log.ts";
import { type Engine, type PreparableQuery, Run, type Scope, type Signal, type Step, type Verb } from "./engine.ts";
import { asStoreFailure } from "./failures.ts";
import { postgresKit } from "./kit.ts";
import { type Migration, pendingMigrations } from "./migrate.ts";
import { schema } from "./schema.ts";

/** Two nodes that migrate at once queue up behind this advisory lock. Any fixed number will do. */
const MIGRATION_LOCK = 0x652d_6d61;
/** Serialization failures and deadlocks are retried this often before they surface (40001, 40P01). */
const RETRIES_MAX = 5;
/** Channel for NOTIFY; payloads are `<node>\t<topic>\t<key>`, at most 8,000 bytes. */
const CHANNEL = "e2a";
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
  const { log } = options;
  const pool = new pg.Pool({ connectionString: url, max: options.poolSize, application_name: "e2a" });
  pool.on("error", (error) => log.warn("store.connection_lost", {}, error));
  try {
    await migrate(pool, options.migrations);
  } catch (error) {
    await pool.end();
    throw error;
  }

  const tables = schema(postgresKit);
  const node = crypto.randomUUID();
  const listeners = new Set<(signal: Signal) => void>();
  const emit = (signal: Signal) => {
    for (const listener of listeners) listener(signal);
  };
  const hearing = await listen(url, node, emit, log);

  async function run<R>(verb: (s: Scope) => Verb<R>, transaction: boolean): Promise<R> {
    const client = await pool.connect();
    let broken: Error | undefined;
    try {
      for (let attempt = 1; ; attempt++) {
        const signals: Signal[] = [];
        try {
          const scope = scopeFor(drizzle({ client }), tables, signals);
          if (transaction) await client.query("BEGIN");
          const result = await drive(verb(scope), scope.db as unknown as NodePgDatabase);
          if (transaction) {
            for (const { topic, key } of signals)
              await client.query("SELECT pg_notify($1, $2)", [CHANNEL, `${node}\t${topic}\t${key}`]);
            await client.query("COMMIT");
          }
          for (const signal of signals) emit(signal);
          return result;
        } catch (error) {
          if (transaction)
            await client.query("ROLLBACK").catch((cause: Error) => {
              broken = cause;
            });
          const code = (error as { cause?: { code?: string } }).cause?.code ?? (error as { code?: string }).code;
          if (!broken && attempt < RETRIES_MAX && (code === "40001" || code === "40P01")) continue;
          throw asStoreFailure(error);
        }
      }
    } finally {
      client.release(broken);
    }
  }

  return {
    dialect: "postgres",
    read: (verb) => run(verb, false),
    write: (verb) => run(verb, true),
    onSignal(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    async close() {
      await hearing.close();
      await pool.end();
    },
  };
}

function scopeFor(db: NodePgDatabase, t: Scope["t"], signals: Signal[]): Scope {
  return {
    // The builders of both dialects agree on all that the verbs use; see kit.ts.
    db: db as unknown as Scope["db"],
    t,
    dialect: "postgres",
    skipLocked: <Q>(query: Q) =>
      (query as { for(strength: string, config: object): Q }).for("update", { skipLocked: true }),
    prepared<T>(name: string, build: () => PreparableQuery<T>, values: Record<string, unknown>) {
      const query = (build() as unknown as { prepare(name: string): unknown }).prepare(name);
      return new Run(query, values) as unknown as PromiseLike<T>;
    },
    signal: (signal) => signals.push(signal),
  };
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

/** Hears other nodes' signals on a connection of its own, opened again when it breaks. */
async function listen(url: string, node: string, emit: (signal: Signal) => void, log: Log) {
  let client: pg.Client | undefined;
  let closed = false;

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
    fresh.on("end", () => {
      if (!closed) setTimeout(reopen, LISTEN_RETRY_MS).unref();
    });
    await fresh.connect();
    await fresh.query(`LISTEN ${CHANNEL}`);
    client = fresh;
  }
  async function reopen(): Promise<void> {
    if (closed) return;
    try {
      await open();
      // What was said while nobody listened is unknown: wake everyone who polls.
      emit({ topic: "deliveries", key: "" });
      emit({ topic: "mail", key: "" });
      emit({ topic: "keys", key: "" });
    } catch {
      setTimeout(reopen, LISTEN_RETRY_MS).unref();
    }
  }

  await open();
  return {
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
