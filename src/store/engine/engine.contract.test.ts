import { Database } from "bun:sqlite";
import { expect, spyOn, test } from "bun:test";
import { join } from "node:path";
import { sql } from "drizzle-orm";
import { addAccount } from "../../../test/store/rows.ts";
import { freshSubject, onDatabases, onEveryDatabase, openNode, twoNodes, unique } from "../../../test/store/stores.ts";
import { keysLike, put, rejection } from "../../../test/store/verbs.ts";
import { tempDir } from "../../../test/support/temp.ts";
import { Failure } from "../../util/errors.ts";
import { askRaw, type Scope, type Signal, type Verb } from "./engine.ts";
import { openSqliteReader } from "./sqlite-reader.ts";

onEveryDatabase((it) => {
  test("a verb that throws leaves nothing, and takes nothing from the others of its turn", async () => {
    const prefix = unique("rollback");
    const outcomes = await Promise.allSettled([
      it.engine.write((s) => put(s, `${prefix}-a`)),
      it.engine.write(function* (s): Verb<void> {
        yield* put(s, `${prefix}-b1`);
        yield* put(s, `${prefix}-b2`);
        throw new Error("no");
      }),
      it.engine.write((s) => put(s, `${prefix}-c`)),
      it.engine.write(function* (s): Verb<void> {
        yield* put(s, `${prefix}-d`);
        yield* askRaw(sql`select * from no_such_table`);
      }),
      it.engine.write((s) => put(s, `${prefix}-e`)),
    ]);
    expect(outcomes.map((outcome) => outcome.status)).toEqual([
      "fulfilled",
      "rejected",
      "fulfilled",
      "rejected",
      "fulfilled",
    ]);
    expect(await keysLike(it, prefix)).toEqual([`${prefix}-a`, `${prefix}-c`, `${prefix}-e`]);
  });

  test("fifty writers at once, every tenth verb throwing: exactly what resolved is there, whole", async () => {
    const prefix = unique("writers");
    const written: string[] = [];
    let thrown = 0;
    const writer = async (w: number) => {
      for (let v = 0; v < 20; v++) {
        const key = `${prefix}-${w}-${v}`;
        const attempt = it.engine.write(function* (s): Verb<void> {
          yield* put(s, `${key}-1`);
          if ((w * 20 + v) % 10 === 0) throw new Error("every tenth");
          yield* put(s, `${key}-2`);
        });
        await attempt.then(
          () => written.push(`${key}-1`, `${key}-2`),
          () => thrown++,
        );
      }
    };
    await Promise.all(Array.from({ length: 50 }, (_, w) => writer(w)));
    expect(thrown).toBe(100);
    expect(written).toHaveLength(1_800);
    expect(await keysLike(it, prefix)).toEqual(written.sort());
  });

  test("a unique violation is a conflict and undoes the whole verb", async () => {
    const prefix = unique("taken");
    await it.engine.write((s) => put(s, prefix));
    const error = await rejection(
      it.engine.write(function* (s): Verb<void> {
        yield* put(s, `${prefix}-before`);
        yield* put(s, prefix);
      }),
    );
    expect(error).toBeInstanceOf(Failure);
    expect((error as Failure).code).toBe("conflict");
    expect((error as Failure).message).not.toContain("meta");
    expect(await keysLike(it, prefix)).toEqual([prefix]);
  });

  test("a database error says nothing of what was to be stored", async () => {
    const prefix = unique("secret");
    await it.engine.write((s) => put(s, prefix));
    const body = `${prefix} body`;
    const thrown = [
      await rejection(it.engine.write((s) => put(s, prefix, body))),
      await rejection(it.engine.write((s) => put(s, body, null as unknown as string))),
      await rejection(it.engine.read(() => askRaw(sql`select * from no_such_table where x = ${body}`))),
    ];
    for (const first of thrown) {
      expect(first).toBeInstanceOf(Error);
      for (let error = first; error instanceof Error; error = error.cause) expect(error.message).not.toContain(prefix);
    }
  });

  test("a Failure thrown by a verb reaches the caller as it is", async () => {
    const failure = new Failure("domain_not_verified", "Not yet.");
    const thrower = function* (): Verb<void> {
      yield* askRaw(sql`select 1`);
      throw failure;
    };
    expect(await rejection(it.engine.write(thrower))).toBe(failure);
    expect(await rejection(it.engine.read(thrower))).toBe(failure);
  });

  test("a write is there for the read that follows it", async () => {
    const prefix = unique("own");
    for (let i = 0; i < 20; i++) {
      await it.engine.write((s) => put(s, `${prefix}-${i}`));
      expect(await keysLike(it, prefix)).toHaveLength(i + 1);
    }
  });

  test("signals come once, after the commit, and never from a verb that throws", async () => {
    const key = unique("signal");
    const heard: { signal: Signal; rows: Promise<string[]> }[] = [];
    const unsubscribe = it.engine.onSignal((signal) => {
      if (signal.key.startsWith(key)) heard.push({ signal, rows: keysLike(it, signal.key) });
    });
    function* putAndTell(s: Scope, name: string): Verb<void> {
      yield* put(s, name);
      s.signal({ topic: "mail", key: name });
    }
    await Promise.allSettled([
      it.engine.write((s) => putAndTell(s, `${key}-a`)),
      it.engine.write(function* (s): Verb<void> {
        yield* putAndTell(s, `${key}-b`);
        throw new Error("no");
      }),
      it.engine.write((s) => putAndTell(s, `${key}-c`)),
      it.engine.write(function* (s): Verb<void> {
        yield* putAndTell(s, `${key}-d`);
        yield* put(s, `${key}-d`);
      }),
    ]);
    unsubscribe();
    await it.engine.write((s) => putAndTell(s, `${key}-e`));
    const byKey = heard.sort((a, b) => (a.signal.key < b.signal.key ? -1 : 1));
    expect(byKey.map(({ signal }) => signal)).toEqual([
      { topic: "mail", key: `${key}-a` },
      { topic: "mail", key: `${key}-c` },
    ]);
    // A listener can read what the signal announces.
    expect(await Promise.all(byKey.map(({ rows }) => rows))).toEqual([[`${key}-a`], [`${key}-c`]]);
  });

  test("close waits for the writes in hand; after it nothing is taken", async () => {
    await using fresh = await freshSubject(it);
    const node = await fresh.place.open();
    const writes = Array.from({ length: 30 }, (_, i) => node.engine.write((s) => put(s, `last-${i}`)));
    await node.engine.close();
    expect((await Promise.allSettled(writes)).every((outcome) => outcome.status === "fulfilled")).toBe(true);
    const late = [node.engine.write((s) => put(s, "too-late")), node.engine.read((s) => put(s, "too-late"))];
    for (const error of await Promise.all(late.map(rejection))) expect(error).toMatchObject({ code: "unavailable" });
    if (it.database.shared) expect(await keysLike(fresh, "")).toHaveLength(30);
  });
});

onDatabases(
  (database) => database.shared,
  (it) => {
    test("two processes write to one database at the same time", async () => {
      const nodes = await twoNodes(it);
      const prefix = unique("two");
      await Promise.all(
        Array.from({ length: 100 }, (_, i) => nodes[i % 2]!.engine.write((s) => put(s, `${prefix}-${i}`))),
      );
      expect(await keysLike(it, prefix)).toHaveLength(100);
    });
  },
);

onDatabases(
  (database) => database.dialect === "sqlite",
  (it) => {
    test("a full disk is `unavailable`, and the next write finds it working again", async () => {
      await using fresh = await freshSubject(it);
      const limitPages = (pages: number) =>
        fresh.engine.write(function* (): Verb<void> {
          yield* askRaw(sql.raw(`pragma max_page_count = ${pages}`));
        });
      await addAccount(fresh.store);
      await limitPages(1);
      const megabyte = "x".repeat(1_000_000);
      const writes = ["a", "b", "c"].map((key) => fresh.engine.write((s) => put(s, key, megabyte)));
      for (const error of await Promise.all(writes.map(rejection))) expect((error as Failure).code).toBe("unavailable");
      await limitPages(1_000_000);
      await fresh.engine.write((s) => put(s, "d", megabyte));
      expect((await keysLike(fresh, "")).filter((key) => key !== "probe")).toEqual(["d"]);
    });

    test("a read leaves nothing, even if its verb writes", async () => {
      const prefix = unique("only-read");
      expect(await it.engine.read((s) => put(s, prefix))).toBe(prefix);
      expect(await keysLike(it, prefix)).toEqual([]);
    });

    test("a read of two steps sees one state while another process commits between them", async () => {
      if (it.place.location === ":memory:") return;
      const reader = openSqliteReader(it.place.location);
      for (const { read } of [it.engine, reader]) {
        const key = unique("between");
        const seen = await read(function* (): Verb<number[]> {
          const count = () => askRaw<{ n: number }>(sql`select count(*) as n from meta where key = ${key}`);
          const [before] = yield* count();
          using other = new Database(it.place.location);
          other.query("INSERT INTO meta (key, value) VALUES (?, '')").run(key);
          const [after] = yield* count();
          return [before!.n, after!.n];
        });
        expect(seen).toEqual([0, 0]);
        expect(await keysLike(it, key)).toEqual([key]);
      }
      reader.close();
    });

    test("a file of which another program still reads is opened when that has ended", async () => {
      await using dir = await tempDir();
      const path = join(dir.path, "e2a.db");
      // Not in WAL mode yet: turning it on needs the file exclusively, and SQLite does not wait for that.
      using other = new Database(path);
      other.exec("CREATE TABLE old (id INTEGER); BEGIN; SELECT * FROM old");
      other.query("SELECT count(*) FROM old").get();
      using wait = spyOn(Bun, "sleepSync").mockImplementation(() => other.exec("COMMIT"));
      const { engine } = await openNode("sqlite", path);
      expect(wait).toHaveBeenCalledTimes(1);
      expect(await engine.read(() => askRaw(sql`select name from sqlite_schema where name = 'old'`))).toHaveLength(1);
      await engine.close();
    });

    test("the file is readable by its owner only", async () => {
      if (it.place.location === ":memory:") return;
      expect(((await Bun.file(it.place.location).stat()).mode & 0o777).toString(8)).toBe("600");
    });
  },
);
