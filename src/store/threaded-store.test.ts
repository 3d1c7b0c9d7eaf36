import { describe, expect, test } from "bun:test";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { SQL } from "bun";
import { addAccount, addAgent, addMessage, later, mailFor, multiplyMessages, noon } from "../../test/store/rows.ts";
import { newSecret } from "../../test/store/stores.ts";
import { testStoreThreads } from "../../test/store/threads.ts";
import { cuttableLine } from "../../test/support/line.ts";
import { testPostgres } from "../../test/support/postgres.ts";
import { tempDir } from "../../test/support/temp.ts";
import { migrations } from "../assets.ts";
import { silentLog } from "../util/log.ts";
import type { Signal } from "./engine/engine.ts";
import type { Store } from "./store.ts";
import { openPostgresStore, openSqliteStore } from "./threaded-store.ts";

function open(path: string): Promise<Store> {
  const options = { path, migrations: migrations("sqlite"), role: "server" as const, log: silentLog };
  return openSqliteStore(testStoreThreads(), options);
}

interface Kind {
  name: string;
  /** Makes an empty database; each call of `open` opens another store on it. */
  make(): Promise<AsyncDisposable & { open(): Promise<Store> }>;
}

function onPostgres(poolSize: number): Kind {
  return {
    name: `Postgres with ${poolSize} connections`,
    async make() {
      const { url, drop } = await testPostgres();
      const options = { url, poolSize, migrations: migrations("postgres"), log: silentLog };
      return { open: () => openPostgresStore(testStoreThreads(), options), [Symbol.asyncDispose]: drop };
    },
  };
}

/** With one connection the writer has no readers beside it. */
const kinds: Kind[] = [
  {
    name: "SQLite",
    async make() {
      const dir = await tempDir();
      return { open: () => open(join(dir.path, "e2a.db")), [Symbol.asyncDispose]: () => dir[Symbol.asyncDispose]() };
    },
  },
  onPostgres(10),
  onPostgres(1),
];

// Errors are caught here, not by `expect().rejects`: that blocks inside the thread's message, and no other one arrives.

test("mail is taken and keys are found while a search walks through an inbox", async () => {
  await using dir = await tempDir();
  const path = join(dir.path, "e2a.db");
  let store = await open(path);
  const agent = await addAgent(store);
  await addMessage(store, agent.id);
  await store.close();
  multiplyMessages(path, 60_000);
  store = await open(path);

  const order: string[] = [];
  const note = (what: string) => () => order.push(what);
  const filter = { from: "nobody@people.example" };
  const searches = ["first", "second"].map((name) =>
    store.listMessages(agent.id, filter, { sort: "asc", limit: 10 }).then(note(`${name} search`)),
  );
  await Promise.all([
    store.getAgent(agent.id).then(note("look-up")),
    store.acceptInbound(mailFor(agent.id, { receivedAt: later(1) })).then(note("mail")),
  ]);
  expect(order).toEqual(["look-up", "mail"]);
  await Promise.all(searches);
  await store.close();
});

test("the log begins anew although one search follows the other", async () => {
  await using dir = await tempDir();
  const path = join(dir.path, "e2a.db");
  let store = await open(path);
  const agent = await addAgent(store);
  await addMessage(store, agent.id);
  await store.close();
  multiplyMessages(path, 15_000);
  store = await open(path);

  let isOver = false;
  const searchers = ["first", "second", "third"].map(async () => {
    while (!isOver) await store.listMessages(agent.id, { from: "nobody@people.example" }, { sort: "asc", limit: 10 });
  });
  const megabytes: number[] = [];
  for (let n = 0; n < 30; n++) {
    await store.acceptInbound(mailFor(agent.id, { bytes: Buffer.alloc(3_000_000, `${n} `), receivedAt: later(n) }));
    megabytes.push(statSync(`${path}-wal`).size / 1e6);
  }
  isOver = true;
  await Promise.all(searchers);
  await store.close();
  // All messages together have 90.
  expect(Math.max(...megabytes)).toBeLessThan(75);
}, 60_000);

describe.each(kinds)("on $name", ({ make }) => {
  test("what was written is read at once, wherever it is read, and the bytes are the same", async () => {
    await using database = await make();
    const store = await database.open();
    const agent = await addAgent(store);
    const signals: Signal[] = [];
    store.onSignal((signal) => signals.push(signal));
    for (const size of [10, 60_000]) {
      const bytes = crypto.getRandomValues(new Uint8Array(size));
      const mail = mailFor(agent.id, { bytes });
      const [accepted] = await store.acceptInbound(mail);
      expect(signals.some(({ topic, key }) => topic === "mail" && key === agent.id)).toBe(true);
      const found = await store.getMessage(agent.id, accepted!.message.id);
      expect(Buffer.isBuffer(found?.raw) && found.raw.equals(bytes)).toBe(true);
      expect(found?.message.createdAt).toEqual(accepted!.message.createdAt);
      const page = await store.listMessages(agent.id, {}, { sort: "desc", limit: 10 });
      expect(page.map(({ id }) => id)).toContain(accepted!.message.id);
      // The sender still has its bytes.
      expect(bytes.length).toBe(size);
    }
    await store.close();
  });

  test("what a verb throws arrives as it was, and what is asked after the end is refused", async () => {
    await using database = await make();
    const store = await database.open();
    const { email } = await addAccount(store);
    const again = store.createAccount({ email, name: "", secret: newSecret(), now: noon });
    expect(await again.catch((error) => error)).toMatchObject({ name: "Failure", code: "conflict" });
    const inHand = store.probeWrite(noon);
    await store.close();
    await inHand;
    for (const late of [store.probeWrite(noon), store.firstUser(), store.listAgents({ userId: "user_1" } as never)])
      expect(await late.catch((error) => error)).toMatchObject({ code: "unavailable" });
  });
});

test("a SQLite file is opened once", async () => {
  await using dir = await tempDir();
  const path = join(dir.path, "e2a.db");
  const store = await open(path);
  // The same process holds it; a second process is refused by the lock (start.test).
  expect(await open(path).catch((error) => error)).toMatchObject({ name: "StartRefused", code: "folder_in_use" });
  await store.close();
});

test("all threads together keep to the number of connections that was configured, and to one that listens", async () => {
  await using database = await testPostgres();
  const options = { url: database.url, poolSize: 5, migrations: migrations("postgres"), log: silentLog };
  const store = await openPostgresStore(testStoreThreads(), options);
  const agent = await addAgent(store);
  await Promise.all(
    Array.from({ length: 40 }, async () => {
      await store.probeWrite(noon);
      await store.listMessages(agent.id, {}, { sort: "desc", limit: 10 });
    }),
  );
  await using sql = new SQL(database.url, { max: 1 });
  const rows = await sql`select application_name as name, count(*)::int as count from pg_stat_activity
    where datname = current_database() and application_name like 'e2a%' group by 1 order by 1`;
  expect([...rows]).toEqual([
    { name: "e2a", count: 5 },
    { name: "e2a listen", count: 1 },
  ]);
  await store.close();
});

test("a database that does not answer: what is asked beyond a bound fails at once, and the rest when it is given up", async () => {
  await using database = await testPostgres();
  await using line = await cuttableLine(database.url);
  const options = { url: line.urlOf(database.url), poolSize: 1, migrations: migrations("postgres"), log: silentLog };
  const store = await openPostgresStore(testStoreThreads(), options);
  await store.probeWrite(noon);
  line.freeze();
  let failed = 0;
  const asked = Array.from({ length: 20_010 }, () =>
    store.probeWrite(noon).catch((error) => {
      failed++;
      return error;
    }),
  );
  await new Promise(setImmediate);
  expect(failed).toBe(10);
  store.giveUp();
  const errors = await Promise.all([...asked, store.probeWrite(noon).catch((error) => error)]);
  expect(new Set(errors.map(({ code }) => code))).toEqual(new Set(["unavailable"]));
  await store.close();
}, 30_000);

test("a database that cannot be reached is named by the error that its driver has", async () => {
  const options = { url: "postgres://e2a@127.0.0.1:1/e2a", poolSize: 5, migrations: [], log: silentLog };
  const error = await openPostgresStore(testStoreThreads(), options).catch((failed) => failed);
  expect(error).toMatchObject({ code: "ECONNREFUSED" });
});

test("a process that exits without closing leaves all in the one file", async () => {
  await using dir = await tempDir();
  const path = join(dir.path, "e2a.db");
  const script = `
    const { createStoreThreads } = await import(${JSON.stringify(join(import.meta.dir, "threads.ts"))});
    const { openSqliteStore } = await import(${JSON.stringify(join(import.meta.dir, "threaded-store.ts"))});
    const { migrations } = await import(${JSON.stringify(join(import.meta.dir, "../assets.ts"))});
    const { silentLog: log } = await import(${JSON.stringify(join(import.meta.dir, "../util/log.ts"))});
    const options = { path: ${JSON.stringify(path)}, migrations: migrations("sqlite"), role: "server", log };
    const store = await openSqliteStore(createStoreThreads(), options);
    await store.probeWrite(new Date());
    process.exit(7);`;
  const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe", stderr: "pipe" });
  expect([await child.exited, await new Response(child.stderr).text()]).toEqual([7, ""]);
  expect(existsSync(`${path}-wal`) ? statSync(`${path}-wal`).size : 0).toBe(0);
  const store = await open(path);
  await store.close();
});
