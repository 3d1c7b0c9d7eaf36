import { expect, test } from "bun:test";
import { and, eq, inArray, lte, sql } from "drizzle-orm";
import { addAccount, later, noon } from "../../../test/store/rows.ts";
import { onDatabases, onEveryDatabase, unique } from "../../../test/store/stores.ts";
import { put } from "../../../test/store/verbs.ts";
import { askRaw, type Scope, type Verb } from "./engine.ts";
import { insertStatement, type Params, statement } from "./statement.ts";

const insertFact = insertStatement((t) => t.meta);

const insertSession = insertStatement(
  (t) => t.sessions,
  (insert, t) => insert.onConflictDoNothing().returning({ id: t.id, lastUsedAt: t.lastUsedAt }),
);

const updateUse = statement(({ db, t: { sessions } }, p: Params<{ id: string; at: Date | null; ip: string | null }>) =>
  db.update(sessions).set({ lastUsedAt: p.at, ip: p.ip }).where(eq(sessions.id, p.id)).returning(),
);

const selectFacts = statement(({ db, t: { meta } }, p: Params<{ keys: string[]; limit: number }>) =>
  db.select({ key: meta.key }).from(meta).where(inArray(meta.key, p.keys)).orderBy(meta.key).limit(p.limit),
);

const selectUsers = statement(
  (
    { db, t: { users } },
    p: Params<{ id: string; by: Date }>,
    { isDue, isPaused }: { isDue: boolean; isPaused: boolean },
  ) =>
    db
      .select({ id: users.id })
      .from(users)
      .where(
        and(
          eq(users.id, p.id),
          isDue ? lte(users.createdAt, p.by) : undefined,
          isPaused ? sql`${users.paused}` : undefined,
        ),
      ),
);

onEveryDatabase((it) => {
  async function newSession() {
    const user = await addAccount(it.store);
    const id = unique("ses");
    const row = { id, userId: user.id, tokenHash: id, keyId: null, userAgent: null, ip: null };
    return { ...row, createdAt: noon, expiresAt: later(1_000), lastUsedAt: null };
  }

  test("times, nulls and text come back as they would from a column of their kind", async () => {
    const row = await newSession();
    const insert = () => it.engine.write((s) => insertSession(s, row));
    expect(await insert()).toEqual([{ id: row.id, lastUsedAt: null }]);
    expect(await insert()).toEqual([]);
    const update = (at: Date | null, ip: string | null) => it.engine.write((s) => updateUse(s, { id: row.id, at, ip }));
    expect(await update(later(5), "a\0b")).toEqual([{ ...row, lastUsedAt: later(5), ip: "a\ufffdb" }]);
    expect(await update(null, null)).toEqual([row]);
  });

  test("each form of a statement is a query of its own, and so is each length of a list", async () => {
    const prefix = unique("form");
    const keys = ["a", "b", "c"].map((name) => `${prefix}-${name}`);
    await it.engine.write(function* (s) {
      for (const key of keys) yield* insertFact(s, { key, value: "" });
      yield* put(s, `${prefix}-d`);
    });
    const found = (count: number, limit = 9) =>
      it.engine
        .read((s) => selectFacts(s, { keys: keys.slice(0, count), limit }))
        .then((rows) => rows.map(({ key }) => key));
    expect(await found(1)).toEqual(keys.slice(0, 1));
    expect(await found(3)).toEqual(keys);
    expect(await found(3, 2)).toEqual(keys.slice(0, 2));

    const { id } = await addAccount(it.store);
    const users = async (by: Date, isDue: boolean, isPaused: boolean) =>
      (await it.engine.read((s) => selectUsers(s, { id, by }, { isDue, isPaused }))).length;
    expect(await users(later(-1), false, false)).toBe(1);
    expect(await users(later(-1), true, false)).toBe(0);
    expect(await users(noon, true, false)).toBe(1);
    expect(await users(noon, true, true)).toBe(0);
  });

  test("a query is built once on a connection, however often it runs, and again for another form", async () => {
    let built = 0;
    const selectFact = statement(({ db, t: { meta } }, p: Params<{ key: string }>, _form: string) => {
      built++;
      return db.select().from(meta).where(eq(meta.key, p.key));
    });
    const key = await it.engine.write((s) => put(s, unique("once")));
    await it.engine.write(function* (s) {
      for (const form of ["one", "two", "one", "two"])
        expect(yield* selectFact(s, { key }, form)).toEqual([{ key, value: "" }]);
    });
    expect(built).toBe(2);
  });
});

/** Checked by the type checker. */
export function* mistakes(s: Scope): Verb<void> {
  // @ts-expect-error: a name that the statement does not have
  yield* updateUse(s, { id: "", at: null, ip: null, agent: "" });
  // @ts-expect-error: a value is missing
  yield* updateUse(s, { id: "", at: null });
  // @ts-expect-error: the wrong type
  yield* updateUse(s, { id: "", at: "now", ip: null });
  // @ts-expect-error: the form is missing
  yield* selectUsers(s, { id: "", by: noon });
  // @ts-expect-error: a column without a default is missing
  yield* insertFact(s, { key: "" });
  // @ts-expect-error: no parameter of that name
  statement(({ db, t }, p: Params<{ id: string }>) => db.select().from(t.users).where(eq(t.users.id, p.name)));
}

onDatabases(
  (database) => database.dialect === "postgres",
  (it) => {
    test("the server's names of prepared statements are short, one for each form", async () => {
      const prepared = await it.engine.write(function* (s) {
        for (const keys of [["a"], ["a", "b"], ["b"], ["b", "c"]]) yield* selectFacts(s, { keys, limit: 1 });
        return yield* askRaw<{ name: string; statement: string }>(
          sql`select name, statement from pg_prepared_statements where statement like ${'%"meta"."key" in (%'}`,
        );
      });
      expect(prepared.map(({ statement }) => statement.split("$").length).sort()).toEqual([3, 4]);
      for (const { name } of prepared) expect(name.length).toBeLessThan(63);
    });
  },
);
