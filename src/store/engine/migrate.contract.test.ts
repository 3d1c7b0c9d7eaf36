import { expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import { addAccount, addAgent, addMessage, addOutbound, later, noon } from "../../../test/store/rows.ts";
import { databases, type Node, onDatabases, openNode } from "../../../test/store/stores.ts";
import { migrations } from "../../assets.ts";
import { askRaw, type Verb } from "./engine.ts";
import { MigrationError } from "./migrate.ts";

const tablesOf = {
  sqlite: sql`select name from sqlite_schema where type = 'table' order by name`,
  postgres: sql`select table_name as name from information_schema.tables where table_schema = 'public' order by 1`,
};

function ask<Row>(node: Node, query: (typeof tablesOf)["sqlite"]): Promise<Row[]> {
  return node.engine.read(function* (): Verb<Row[]> {
    return yield* askRaw<Row>(query);
  });
}
const tables = async (node: Node) =>
  (await ask<{ name: string }>(node, tablesOf[node.engine.dialect])).map((t) => t.name);
const applied = async (node: Node) =>
  (await ask<{ number: number | string }>(node, sql`select number from schema_migrations order by number`)).map((row) =>
    Number(row.number),
  );

const fruit = [
  { number: 1, name: "apples", sql: "CREATE TABLE apples (id TEXT PRIMARY KEY);" },
  { number: 2, name: "pears", sql: "CREATE TABLE pears (id TEXT); INSERT INTO pears VALUES ('one');" },
];

onDatabases(
  (database) => database.shared,
  (it) => {
    test("migrations are applied once, in order, and data outlives the next start", async () => {
      await using place = await it.database.create();
      const first = await place.open(fruit.slice(0, 1));
      expect(await applied(first)).toEqual([1]);
      const second = await place.open(fruit);
      const third = await place.open(fruit);
      expect(await applied(third)).toEqual([1, 2]);
      expect(await ask(second, sql`select id from pears`)).toEqual([{ id: "one" }]);
    });

    test("the real ones are numbered without gaps and make a working store at the second start too", async () => {
      await using place = await it.database.create();
      const user = await addAccount((await place.open()).store);
      const again = await place.open();
      expect(await again.store.findUserByEmail(user.email)).toEqual(user);
      expect(await applied(again)).toEqual(migrations(it.database.dialect).map((_, i) => i + 1));
    });

    test("mail sent before migration 18 keeps the Message-ID that an upstream gave it", async () => {
      await using place = await it.database.create();
      const { store, engine } = await place.open();
      const agent = await addAgent(store);
      const ids = ["AM1@eu.upstream.example", "4bXyZ1", null];
      const { message } = await addOutbound(store, agent.id, {
        recipients: ids.map((_, i) => ({ address: `ann${i}@outside.example`, lease: "l" })),
      });
      const sent = { kind: "sent", method: "smtp", status: "sent", reply: "250 Ok", sentAs: null } as const;
      for (const [n, providerId] of ids.entries())
        await store.finishRecipient({ messageId: message.id, n, leaseToken: "l" }, { ...sent, providerId }, later(1));
      for (const back of [
        sql`alter table outbound_recipients drop column sent_as`,
        sql`delete from schema_migrations where number = 18`,
      ])
        await engine.write(function* (): Verb<void> {
          yield* askRaw(back);
        });
      const again = await place.open();
      const after = await again.store.getOutbound(agent.userId, message.id);
      expect(after?.recipients.map(({ sentAs }) => sentAs)).toEqual(["<AM1@eu.upstream.example>", null, null]);
    });

    test("mail that came before migration 19 is still found", async () => {
      await using place = await it.database.create();
      const { store, engine } = await place.open();
      const agent = await addAgent(store);
      const bySubject = new Map<string, string>();
      for (const subject of ["invoice", "itinerary"])
        bySubject.set(subject, (await addMessage(store, agent.id, { subject })).id);
      const owner = `§${agent.id.replace(/[^a-z0-9]/g, "§")}`;
      const before = [...bySubject].map(([subject, id]) =>
        engine.dialect === "sqlite"
          ? sql`insert into message_search (rowid, document)
                select n, ${`${owner} alice ${subject}`} from messages where id = ${id}`
          : sql`insert into message_search values (${id}, array_to_tsvector(array[${owner}, 'alice', ${subject}]))`,
      );
      await engine.write(function* (): Verb<void> {
        yield* askRaw(sql`delete from message_search`);
        for (const row of before) yield* askRaw(row);
        yield* askRaw(sql`delete from schema_migrations where number = 19`);
      });
      const again = await place.open();
      const find = async (q: string) =>
        (await again.store.listMessages(agent.id, { q }, { sort: "asc", limit: 5 })).map(({ id }) => id);
      for (const [subject, id] of bySubject) expect(await find(`ali ${subject.slice(0, 2)}`)).toEqual([id]);
      expect(await find("alice")).toEqual([...bySubject.values()]);
      const inbox = await again.store.listInbox(agent.userId, { q: "alice" }, { sort: "asc", limit: 5 });
      expect(inbox).toHaveLength(2);
      await again.store.deleteMessage(agent.id, bySubject.get("invoice")!);
      expect(await find("alice")).toEqual([bySubject.get("itinerary")!]);
    });

    test("eight nodes that start at once on an empty database apply them once", async () => {
      await using place = await it.database.create();
      const nodes = await Promise.all(Array.from({ length: 8 }, () => place.open()));
      await Promise.all(nodes.map((node) => node.store.probeWrite(noon)));
      expect(await applied(nodes[7]!)).toEqual(migrations(it.database.dialect).map((m) => m.number));
    });

    test("a database that a newer binary has changed is refused, and left as it is", async () => {
      await using place = await it.database.create();
      const newer = await place.open(fruit);
      const error = await place.open(fruit.slice(0, 1)).catch((cause: unknown) => cause);
      expect(error).toBeInstanceOf(MigrationError);
      expect((error as Error).message).toMatch(/has migration 2.*knows 1/);
      expect(await place.open([]).catch((cause: unknown) => cause)).toBeInstanceOf(MigrationError);
      expect(await applied(newer)).toEqual([1, 2]);
      await newer.store.close();
    });

    test("a migration that fails leaves nothing of itself, and the next start can apply a better one", async () => {
      await using place = await it.database.create();
      const broken = { number: 2, name: "pears", sql: "CREATE TABLE pears (id TEXT); INSERT INTO nowhere VALUES (1);" };
      const attempt = place.open([fruit[0]!, broken]);
      await expect(attempt).rejects.toThrow(/nowhere/);
      const mended = await place.open(fruit);
      expect(await tables(mended)).toEqual(["apples", "pears", "schema_migrations"]);
      expect(await applied(mended)).toEqual([1, 2]);
      expect(await ask(mended, sql`select id from pears`)).toEqual([{ id: "one" }]);
    });
  },
);

test("two processes that start at once on an empty SQLite file both come up", async () => {
  await using place = await databases.find((one) => one.name === "SQLite file")!.create();
  const code = `
    const { openNode } = await import(${JSON.stringify(new URL("../../../test/store/stores.ts", import.meta.url).href)});
    const node = await openNode("sqlite", process.argv[1]);
    await node.store.probeWrite(new Date());
    await node.engine.close();`;
  const start = () => Bun.spawn([process.execPath, "-e", code, place.location], { stderr: "pipe" });
  const processes = Array.from({ length: 4 }, start);
  const errors = await Promise.all(processes.map((child) => child.stderr.text()));
  expect(await Promise.all(processes.map((child) => child.exited))).toEqual([0, 0, 0, 0]);
  expect(errors.join("")).toBe("");
});

test("what cannot be opened says so, and leaves no connection behind", async () => {
  for (const [dialect, location] of [
    ["sqlite", import.meta.path],
    ["postgres", "postgres://127.0.0.1:1/none"],
  ] as const)
    expect(await openNode(dialect, location).catch((error: unknown) => error)).toBeInstanceOf(Error);
});
