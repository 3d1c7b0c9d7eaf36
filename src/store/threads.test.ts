import { expect, test } from "bun:test";
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { migrations } from "../assets.ts";
import { silentLog } from "../log.ts";
import { addAccount, addAgent, addMessage, later, mailFor, multiplyMessages, noon } from "../testing/store-rows.ts";
import { testStoreThreads } from "../testing/store-threads.ts";
import { newSecret } from "../testing/stores.ts";
import { tempDir } from "../testing/temp.ts";
import type { Signal } from "./engine.ts";
import type { Store } from "./store.ts";
import { openSqliteStore } from "./threads.ts";

function open(path: string): Promise<Store> {
  const options = { path, migrations: migrations("sqlite"), role: "server" as const, log: silentLog };
  return openSqliteStore(testStoreThreads(), options);
}

// Errors are caught here, not by `expect().rejects`: that waits inside of the thread's message, and hears no other one.

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
  multiplyMessages(path, 60_000);
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
  expect(Math.max(...megabytes)).toBeLessThan(60);
}, 60_000);

test("what was written is read at once, wherever it is read, and the bytes are the same", async () => {
  await using dir = await tempDir();
  const store = await open(join(dir.path, "e2a.db"));
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
    // The sender of the bytes still has them.
    expect(bytes.length).toBe(size);
  }
  await store.close();
});

test("what a verb throws arrives as it was, and what is asked after the end is refused", async () => {
  await using dir = await tempDir();
  const path = join(dir.path, "e2a.db");
  const store = await open(path);
  const { email } = await addAccount(store);
  const again = store.createAccount({ email, name: "", secret: newSecret(), now: noon });
  expect(await again.catch((error) => error)).toMatchObject({ name: "Failure", code: "conflict" });
  // The same process holds it; another one is refused by the lock (start.test).
  expect(await open(path).catch((error) => error)).toMatchObject({ name: "StartRefused", code: "folder_in_use" });
  const inHand = store.probeWrite(noon);
  await store.close();
  await inHand;
  for (const late of [store.probeWrite(noon), store.firstUser(), store.listAgents({ userId: "user_1" } as never)])
    expect(await late.catch((error) => error)).toMatchObject({ code: "unavailable" });
});

test("a process that exits without closing leaves all in the one file", async () => {
  await using dir = await tempDir();
  const path = join(dir.path, "e2a.db");
  const script = `
    const { createStoreThreads, openSqliteStore } = await import(${JSON.stringify(join(import.meta.dir, "threads.ts"))});
    const { migrations } = await import(${JSON.stringify(join(import.meta.dir, "../assets.ts"))});
    const { silentLog: log } = await import(${JSON.stringify(join(import.meta.dir, "../log.ts"))});
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
