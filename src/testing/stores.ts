import { afterAll, beforeAll, describe } from "bun:test";
import { join } from "node:path";
import { migrations as allMigrations } from "../assets.ts";
import { newId } from "../id.ts";
import { silentLog } from "../log.ts";
import type { Engine } from "../store/engine.ts";
import type { Migration } from "../store/migrate.ts";
import { openPostgres } from "../store/postgres.ts";
import { openSqlite } from "../store/sqlite.ts";
import { createStore, type Store } from "../store/store.ts";
import { testPostgres } from "./postgres.ts";
import { tempDir } from "./temp.ts";

/** One engine with its verbs: what one process has of a database. */
export interface Node {
  readonly engine: Engine;
  readonly store: Store;
}

/** An empty database of its own. */
export interface Place extends AsyncDisposable {
  readonly dialect: "sqlite" | "postgres";
  /** A file's path or a server's URL; ":memory:" has no second door. */
  readonly location: string;
  /** Opens the database once more, as another process would; closed with the place. */
  open(migrations?: readonly Migration[]): Promise<Node>;
}

export interface Database {
  readonly name: string;
  readonly dialect: "sqlite" | "postgres";
  /** Several engines can be open on one and the same database. */
  readonly shared: boolean;
  create(): Promise<Place>;
}

/** Connections of one node: fewer than the writers of most tests, so that they also wait for each other here. */
const POOL_SIZE = 10;

/** Every kind of database the product runs on. */
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

/** Opens a database that a `Place` has made: for a test's own child process. */
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
    async [Symbol.asyncDispose]() {
      await Promise.all(nodes.map((node) => node.engine.close()));
      await remove();
    },
  };
}

/** What the tests of `onEveryDatabase` share: one node on a migrated database, and the way to more. */
export interface Subject extends Node {
  readonly database: Database;
  readonly place: Place;
}

/**
 * Declares the same tests for every database. They share one, made before the first of them, so each test works on an
 * account of its own; one that needs the whole database to itself makes it with `freshSubject`.
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
      afterAll(() => subject.place[Symbol.asyncDispose]());
      declare(Object.assign(subject, { database }));
    });
}

/** A node on a new, migrated database of the same kind that no other test sees. */
export async function freshSubject(database: Database): Promise<Subject & AsyncDisposable> {
  const subject = await openSubject(database);
  return { ...subject, [Symbol.asyncDispose]: () => subject.place[Symbol.asyncDispose]() };
}

async function openSubject(database: Database): Promise<Subject> {
  const place = await database.create();
  return { ...(await place.open()), place, database };
}

/** Two processes on the same data where the database can have them, else the one twice. */
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
