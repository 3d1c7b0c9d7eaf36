import { afterAll, beforeAll, describe } from "bun:test";
import { join } from "node:path";
import { SQL } from "bun";
import { sql } from "drizzle-orm";
import { migrations as allMigrations } from "../../src/assets.ts";
import { askRaw, type Engine, type Verb } from "../../src/store/engine/engine.ts";
import type { Migration } from "../../src/store/engine/migrate.ts";
import { openPostgres } from "../../src/store/engine/postgres.ts";
import { openSqlite } from "../../src/store/engine/sqlite.ts";
import { createStore, type Store } from "../../src/store/store.ts";
import { newId } from "../../src/util/id.ts";
import { silentLog } from "../../src/util/log.ts";
import { testPostgres } from "../support/postgres.ts";
import { tempDir } from "../support/temp.ts";

/** One engine with its verbs: one process's view of a database. */
export interface Node {
  readonly engine: Engine;
  readonly store: Store;
}

/** An empty database that no other test uses. */
export interface Place extends AsyncDisposable {
  readonly dialect: "sqlite" | "postgres";
  /** A file's path or a server's URL; ":memory:" cannot be opened again. */
  readonly location: string;
  /** Opens the database once more, as another process would; closed together with the place. */
  open(migrations?: readonly Migration[]): Promise<Node>;
  /** Closes every node opened but this one. */
  closeOthers(kept: Node): Promise<void>;
}

export interface Database {
  readonly name: string;
  readonly dialect: "sqlite" | "postgres";
  /** Several engines can open the same database. */
  readonly shared: boolean;
  create(): Promise<Place>;
}

/** Connections of one node: fewer than the writers of most tests, so that writers also wait for each other. */
const POOL_SIZE = 10;

/** Every kind of database that e2a supports. */
export const databases: readonly Database[] = [
  { name: "SQLite in memory", dialect: "sqlite", shared: false, create: async () => sqlitePlace(":memory:") },
  {
    name: "SQLite file",
    dialect: "sqlite",
    shared: true,
    async create() {
      const dir = await tempDir();
      return sqlitePlace(join(dir.path, "e2a.db"), async () => dir[Symbol.asyncDispose]());
    },
  },
  {
    name: "Postgres",
    dialect: "postgres",
    shared: true,
    async create() {
      const server = await testPostgres();
      return place("postgres", server.url, (m) => openNode("postgres", server.url, m), server.drop);
    },
  },
];

function sqlitePlace(path: string, remove = async () => {}): Place {
  return place("sqlite", path, (migrations) => openNode("sqlite", path, migrations), remove);
}

/** Opens a database made by a `Place`, in a test's own child process. */
export async function openNode(
  dialect: "sqlite" | "postgres",
  location: string,
  migrations: readonly Migration[] = allMigrations(dialect),
): Promise<Node> {
  const engine =
    dialect === "sqlite"
      ? openSqlite(location, migrations)
      : await openPostgres(location, { poolSize: POOL_SIZE, migrations, log: silentLog });
  return { engine, store: createStore(engine) };
}

function place(
  dialect: Place["dialect"],
  location: string,
  openOne: (migrations?: readonly Migration[]) => Promise<Node>,
  remove: () => Promise<void>,
): Place {
  const nodes: Node[] = [];
  return {
    dialect,
    location,
    async open(migrations) {
      const node = await openOne(migrations);
      nodes.push(node);
      return node;
    },
    async closeOthers(kept) {
      await Promise.all(nodes.filter((node) => node.engine !== kept.engine).map((node) => node.engine.close()));
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(nodes.map((node) => node.engine.close()));
      await remove();
    },
  };
}

/** What the tests of `onEveryDatabase` share: one node on a migrated database, from which others can be made. */
export interface Subject extends Node {
  readonly database: Database;
  readonly place: Place;
  /** Databases that tests have left empty again, for reuse. */
  readonly spares: Subject[];
}

/**
 * Declares the same tests for every database. They share one database, made before the first of them, so each test
 * works on its own account. A test that needs a whole database makes one with `freshSubject`.
 */
export function onEveryDatabase(declare: (subject: Subject) => void): void {
  onDatabases(() => true, declare);
}

/** Declares tests for some of the databases. */
export function onDatabases(wanted: (database: Database) => boolean, declare: (subject: Subject) => void): void {
  for (const database of databases.filter(wanted))
    describe(database.name, () => {
      const subject = {} as Subject;
      beforeAll(async () => {
        Object.assign(subject, await openSubject(database));
      });
      afterAll(async () => {
        for (const { place } of [subject, ...subject.spares]) await place[Symbol.asyncDispose]();
      });
      declare(Object.assign(subject, { database }));
    });
}

/** A node on an empty, migrated database of the same kind that no other test uses meanwhile. */
export async function freshSubject(of: Subject): Promise<Subject & AsyncDisposable> {
  const fresh = of.spares.pop() ?? (await openSubject(of.database));
  return {
    ...fresh,
    async [Symbol.asyncDispose]() {
      if (fresh.place.dialect === "sqlite") return fresh.place[Symbol.asyncDispose]();
      // Emptying a database on a server takes a tenth of the time of creating one.
      await fresh.place.closeOthers(fresh);
      await emptyTables(fresh.place.location);
      of.spares.push(fresh);
    },
  };
}

async function emptyTables(url: string): Promise<void> {
  const sql = new SQL(url, { max: 1 });
  try {
    const tables: { name: string }[] = await sql`
      SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'schema_migrations'`;
    await sql.unsafe(`TRUNCATE ${tables.map((table) => table.name).join(", ")}`);
  } finally {
    await sql.close({ timeout: 0 });
  }
}

async function openSubject(database: Database): Promise<Subject> {
  const place = await database.create();
  return { ...(await place.open()), place, database, spares: [] };
}

/** Two processes on the same data if the database allows that, otherwise the same one twice. */
export async function twoNodes(subject: Subject): Promise<[Node, Node]> {
  return [subject, subject.database.shared ? await subject.place.open() : subject];
}

/** A word that no other test of this run uses: for addresses, domains and keys. */
export function unique(prefix: string): string {
  return `${prefix}-${Bun.randomUUIDv7("hex").replaceAll("-", "").slice(-12)}`;
}

/** A new signing secret as `createSecret` takes it; the bytes stand for a sealed one. */
export function newSecret(name = "first") {
  return { id: newId("wsec"), name, sealed: Buffer.from(unique("sealed")), secretPrefix: "01234567" };
}

/** Row counts of an account that owns nothing, by table. */
export const noRows = {
  ...{ agents: 0, messages: 0, raw_mail: 0, message_labels: 0, message_search: 0, deliveries: 0 },
  ...{ outbound_messages: 0, outbound_raw: 0, outbound_recipients: 0, correspondents: 0, loop_releases: 0 },
  ...{ suppressions: 0, send_counts: 0, unproven: 0 },
};

/** The row counts of a database by table, accounts excluded; after a deletion all must be 0. */
export function countRows(it: Subject, tables = Object.keys(noRows)): Promise<Record<string, number>> {
  return it.engine.read(function* (): Verb<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const table of tables) {
      const [row] = yield* askRaw<{ n: number }>(sql.raw(`select count(*) as n from ${table}`));
      counts[table] = Number(row?.n);
    }
    return counts;
  });
}
