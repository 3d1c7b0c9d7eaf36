import { expect, test } from "bun:test";
import { getTableColumns, getTableName, sql } from "drizzle-orm";
import type { SQLiteColumn } from "drizzle-orm/sqlite-core";
import { addAccount, addAgent, addMessage, later, mailFor, newKey, noon } from "../../test/store/rows.ts";
import { databases, newSecret, onEveryDatabase } from "../../test/store/stores.ts";
import { askRaw, type Engine, type Verb } from "./engine/engine.ts";
import { postgresKit, sqliteKit } from "./engine/kit.ts";
import { schema } from "./schema.ts";

interface Column {
  table: string;
  column: string;
  type: string;
  required: boolean;
}

/** Tables that exist only in SQL: the list of migrations, and the search index with FTS5's own tables. */
const undeclared = /^(schema_migrations|message_search.*|sqlite_.*)$/;
/** The rowid that message_search points at: SQLite's own. */
const rowid = "messages.n";

const columnsOf = {
  sqlite: sql`
    select t.name as "table", c.name as "column", lower(c.type) as type, c."notnull" or c.pk as required
    from pragma_table_list t join pragma_table_info(t.name) c where t.schema = 'main'`,
  postgres: sql`
    select table_name as "table", column_name as "column", data_type as type, is_nullable = 'NO' as required
    from information_schema.columns where table_schema = 'public'`,
};
const indexesOf = {
  sqlite: sql`select name from sqlite_schema where type = 'index' and sql is not null`,
  postgres: sql`
    select indexname as name from pg_indexes
    where schemaname = 'public' and indexname not like '%_pkey' and indexname not like '%_key'`,
};

function rowsOf<Row>(it: { engine: Engine }, query: typeof columnsOf): Promise<Row[]> {
  return it.engine.read(function* (): Verb<Row[]> {
    return yield* askRaw<Row>(query[it.engine.dialect]);
  });
}

function declaredColumns(dialect: "sqlite" | "postgres"): Column[] {
  return Object.values(schema(dialect === "sqlite" ? sqliteKit : postgresKit)).flatMap((table) =>
    Object.values(getTableColumns(table) as Record<string, SQLiteColumn>).map((column) => ({
      table: getTableName(table),
      column: column.name,
      type: column.getSQLType().replace("timestamp (3) with", "timestamp with"),
      required: column.notNull,
    })),
  );
}

const inOrder = (columns: Column[]) =>
  columns.map((c) => `${c.table}.${c.column} ${c.type}${c.required ? " not null" : ""}`).sort();

onEveryDatabase((it) => {
  test("the database has exactly the tables and columns that schema.ts declares", async () => {
    const found = (await rowsOf<Column>(it, columnsOf))
      .filter((c) => !undeclared.test(c.table) && `${c.table}.${c.column}` !== rowid)
      .map((c) => ({ ...c, required: Boolean(c.required) }));
    expect(inOrder(found)).toEqual(inOrder(declaredColumns(it.engine.dialect)));
  });

  test("bytes of every value, empty and large, come back as they went in", async () => {
    const every = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    const large = Buffer.from(crypto.getRandomValues(new Uint8Array(60_000)));
    const { id } = await addAccount(it.store);
    for (const sealed of [every, Buffer.alloc(0), large]) {
      const secret = await it.store.createSecret(id, { ...newSecret(), sealed }, noon);
      const found = (await it.store.listSecrets(id)).find((row) => row.id === secret.id);
      expect(found?.sealed).toBeInstanceOf(Buffer);
      expect(found?.sealed.equals(sealed)).toBe(true);
    }
    // A view into a larger buffer is stored without the rest of the buffer.
    const agent = await addAgent(it.store);
    const around = crypto.getRandomValues(new Uint8Array(1_000));
    const { id: message } = await addMessage(it.store, agent.id, { bytes: around.subarray(300, 700) });
    expect((await it.store.getMessage(agent.id, message))?.raw).toEqual(Buffer.from(around.subarray(300, 700)));
  });

  test("JSON comes back as it went in", async () => {
    const agent = await addAgent(it.store);
    const content = {
      text: "quotes \" ' \\ and\nlines\r\n\u0000\u001f 😀 ﷽ \ud800",
      html: null,
      headers: [
        { name: "X-Empty", value: "" },
        { name: "X-Twice", value: "1" },
        { name: "X-Twice", value: "2" },
      ],
      attachments: [{ index: 0, filename: "a\u0000\"b'.pdf", content_type: "application/pdf", size: 2 ** 40 }],
      defects: [],
    };
    const from = [{ address: "ä@xn--4ca.example", name: "Ä 'quoted' \u0000" }];
    const { id } = await addMessage(it.store, agent.id, { content, from });
    const found = await it.store.getMessage(agent.id, id);
    expect(found?.content).toEqual({ ...mailFor(agent.id).content, ...content });
    expect(found?.message.from).toEqual(from);
    expect(found?.message.authentication).toEqual(mailFor(agent.id).verdict.authentication);
  });

  test("times keep their millisecond in every zone, and null stays null", async () => {
    const { id } = await addAccount(it.store);
    const times = [
      new Date(1),
      new Date("2026-03-29T01:30:00.001Z"),
      new Date("2026-09-26T14:00:00.999Z"),
      new Date("9999-12-31T23:59:59.999Z"),
      null,
    ];
    for (const time of times) {
      const key = await it.store.createKey(id, newKey(null, time), noon);
      const found = (await it.store.listKeys(id)).find((row) => row.id === key.id);
      expect(found).toEqual(key);
      expect(found?.expiresAt).toEqual(time);
    }
  });

  test("booleans and large numbers come back as such", async () => {
    const agent = await addAgent(it.store);
    for (const on of [true, false]) {
      await it.store.updateAgent(agent.id, { hitlEnabled: on, hitlNotifyEmail: !on }, noon);
      expect(await it.store.getAgent(agent.id)).toMatchObject({ hitlEnabled: on, hitlNotifyEmail: !on });
    }
    const hitlTtlSeconds = 2 ** 52;
    await it.store.updateAgent(agent.id, { hitlTtlSeconds }, noon);
    expect((await it.store.getAgent(agent.id))?.hitlTtlSeconds).toBe(hitlTtlSeconds);
  });

  test.each<{ what: string; text: string; stored?: string }>([
    { what: "quotes and a comment", text: `'; DROP TABLE users; -- "x" \\` },
    { what: "emoji, right to left, CJK", text: "😀👨‍👩‍👧 שלום مرحبا 日本語" },
    { what: "control characters", text: "a\tb\nc\u0001\u007f" },
    { what: "a NUL, which Postgres cannot store", text: "before\u0000after", stored: "before\ufffdafter" },
    { what: "half a surrogate pair, which UTF-8 cannot say", text: "a\ud800b", stored: "a\ufffdb" },
    { what: "nothing", text: "" },
    { what: "a hundred thousand characters", text: "x".repeat(100_000) },
  ])("text comes back as it went in: $what", async ({ text, stored = text }) => {
    const agent = await addAgent(it.store);
    const { id } = await addMessage(it.store, agent.id, { subject: text, receivedAt: later(5) });
    const found = (await it.store.getMessage(agent.id, id))?.message;
    expect(found?.subject).toBe(stored);
    expect(found?.createdAt).toEqual(later(5));
  });

  test("no address, id or token is so odd that looking it up fails", async () => {
    for (const odd of ["a\u0000b@agents.example", "\u0000", "\ud800@x", "", "%", "_", "'", "x".repeat(10_000)]) {
      expect(await it.store.getAgent(odd)).toBeNull();
      expect(await it.store.getMessage(odd, odd)).toBeNull();
      expect(await it.store.findKey(odd, noon)).toBeNull();
      expect(await it.store.findSession(odd, noon)).toBeNull();
      expect(await it.store.findUserByEmail(odd)).toBeNull();
      expect(await it.store.getDomain(odd, odd)).toBeNull();
      expect((await it.store.findMailbox(odd, "agents.example")).kind).toBeOneOf(["foreign", "unknown"]);
      expect(await it.store.listMessages(odd, { q: odd, from: odd, label: odd }, { sort: "asc", limit: 5 })).toEqual(
        [],
      );
      expect(await it.store.countMessages(odd)).toEqual({ total: 0, unread: 0 });
    }
  });
});

test("both databases have the same indexes", async () => {
  const names = new Map<string, string[]>();
  for (const database of databases.filter((one) => one.name !== "SQLite in memory")) {
    await using place = await database.create();
    const node = await place.open();
    const rows = await rowsOf<{ name: string }>(node, indexesOf);
    names.set(
      database.dialect,
      rows
        .map((row) => row.name)
        .filter((name) => !name.startsWith("message_search"))
        .sort(),
    );
  }
  expect(names.get("sqlite")).toEqual(names.get("postgres")!);
  expect(names.get("sqlite")).not.toEqual([]);
});
