import { expect, test } from "bun:test";
import { like, sql } from "drizzle-orm";
import { Failure } from "../errors.ts";
import { cuttableLine } from "../testing/line.ts";
import { addAccount } from "../testing/store-rows.ts";
import {
  databases,
  freshSubject,
  onEveryDatabase,
  openNode,
  type Subject,
  twoNodes,
  unique,
} from "../testing/stores.ts";
import { ask, askRaw, type Scope, type Signal, type Verb } from "./engine.ts";

function* put(s: Scope, key: string, value = ""): Verb<string> {
  yield* ask(s.db.insert(s.t.meta).values({ key, value }));
  return key;
}

function keysLike(it: Subject, prefix: string): Promise<string[]> {
  return it.engine.read(function* (s): Verb<string[]> {
    const rows = yield* ask(
      s.db
        .select()
        .from(s.t.meta)
        .where(like(s.t.meta.key, `${prefix}%`)),
    );
    return rows.map((row) => row.key).sort();
  });
}

/** What a promise was rejected with. */
async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    (value) => expect.unreachable(`resolved with ${value}`),
    (error: unknown) => error,
  );
}

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
    // Whoever hears it can read what it tells.
    expect(await Promise.all(byKey.map(({ rows }) => rows))).toEqual([[`${key}-a`], [`${key}-c`]]);
  });

  test("close waits for the writes in hand; after it nothing is taken", async () => {
    await using fresh = await freshSubject(it.database);
    const node = await fresh.place.open();
    const writes = Array.from({ length: 30 }, (_, i) => node.engine.write((s) => put(s, `last-${i}`)));
    await node.engine.close();
    expect((await Promise.allSettled(writes)).every((outcome) => outcome.status === "fulfilled")).toBe(true);
    await rejection(node.engine.write((s) => put(s, "too-late")));
    await rejection(node.engine.read((s) => put(s, "too-late")));
    if (it.database.shared) expect(await keysLike(fresh, "")).toHaveLength(30);
  });
});

onEveryDatabase(
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
  databases.filter((database) => database.shared),
);

onEveryDatabase(
  (it) => {
    test("a full disk is `unavailable`, and the next write finds it working again", async () => {
      await using fresh = await freshSubject(it.database);
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
      expect(await keysLike(fresh, "")).toEqual(["d"]);
    });

    test("the file is readable by its owner only", async () => {
      if (it.place.location === ":memory:") return;
      expect(((await Bun.file(it.place.location).stat()).mode & 0o777).toString(8)).toBe("600");
    });
  },
  databases.filter((database) => database.dialect === "sqlite"),
);

onEveryDatabase(
  (it) => {
    const listening = sql`application_name = 'e2a listen' and datname = current_database()`;
    const terminate = (condition = listening) =>
      it.engine.write(function* (): Verb<number> {
        const rows = yield* askRaw(sql`select pg_terminate_backend(pid) from pg_stat_activity where ${condition}`);
        return rows.length;
      });

    /** Collects signals of a node; `until` resolves as soon as one fits. */
    function listener(node: { engine: Subject["engine"] }) {
      const heard: Signal[] = [];
      const waiting = new Set<() => void>();
      node.engine.onSignal((signal) => {
        heard.push(signal);
        for (const check of waiting) check();
      });
      return {
        heard,
        until(fits: (signal: Signal) => boolean): Promise<void> {
          if (heard.some(fits)) return Promise.resolve();
          return new Promise((resolve) => {
            const check = () => {
              if (!heard.some(fits)) return;
              waiting.delete(check);
              resolve();
            };
            waiting.add(check);
          });
        },
      };
    }
    const tell = (node: { engine: Subject["engine"] }, key: string, fail = false) =>
      node.engine.write(function* (s): Verb<void> {
        yield* askRaw(sql`select 1`);
        s.signal({ topic: "agent", key });
        if (fail) throw new Error("no");
      });

    test("signals reach other nodes once, and their own node once", async () => {
      const [a, b] = await twoNodes(it);
      const [hearsA, hearsB] = [listener(a), listener(b)];
      const prefix = unique("node");
      await tell(a, `${prefix}-lost`, true).catch(() => {});
      await tell(a, `${prefix}-a`);
      await tell(b, `${prefix}-b`);
      await tell(a, `${prefix}-end`);
      await tell(b, `${prefix}-end`);
      const ends = (signal: Signal) => signal.key === `${prefix}-end`;
      // Notifications arrive in the order of commits, so the one from the other node ends what there was to hear.
      await Promise.all([hearsA.until(ends), hearsB.until(ends)]);
      await Promise.all([hearsA, hearsB].map((hears) => hears.until(() => hears.heard.filter(ends).length === 2)));
      for (const { heard } of [hearsA, hearsB])
        expect(
          heard
            .map((signal) => signal.key)
            .filter((key) => key.startsWith(prefix))
            .sort(),
        ).toEqual([`${prefix}-a`, `${prefix}-b`, `${prefix}-end`, `${prefix}-end`]);
    });

    test("a lost listening connection is opened again, and everyone is woken because of what was missed", async () => {
      const [a, b] = await twoNodes(it);
      const hears = listener(b);
      expect(await terminate()).toBeGreaterThanOrEqual(2);
      const woken = (topic: string) => hears.until((signal) => signal.topic === topic && signal.key === "");
      await Promise.all(["mail", "deliveries", "keys"].map(woken));
      const key = unique("after");
      await tell(a, key);
      await hears.until((signal) => signal.key === key);
    });

    test("while the server cannot be reached it is tried once a second, and heard again afterwards", async () => {
      await using line = await cuttableLine(it.place.location);
      await using fresh = await freshSubject(it.database);
      const there = await openNode("postgres", line.urlOf(fresh.place.location));
      const hears = listener(there);
      line.cut();
      const attempts = await Promise.all([line.attempt(1), line.attempt(2), line.attempt(3)]);
      expect(attempts[2]! - attempts[1]!).toBeGreaterThan(500);
      expect(((await rejection(there.engine.write((s) => put(s, "down")))) as Failure).code).toBe("unavailable");
      line.mend();
      await hears.until((signal) => signal.topic === "mail" && signal.key === "");
      await there.engine.write((s) => put(s, "up"));
      await there.engine.close();
      expect(await keysLike(fresh, "")).toEqual(["up"]);
    });

    test("a connection that is lost inside a verb makes it `unavailable` and harms nobody else", async () => {
      const prefix = unique("lost");
      const lost = it.engine.write(function* (s): Verb<void> {
        yield* put(s, `${prefix}-a`);
        yield* askRaw(sql`select pg_terminate_backend(pg_backend_pid())`);
        yield* put(s, `${prefix}-b`);
      });
      const lostRead = it.engine.read(function* (): Verb<void> {
        yield* askRaw(sql`select pg_terminate_backend(pg_backend_pid())`);
      });
      expect(((await rejection(lost)) as Failure).code).toBe("unavailable");
      expect(((await rejection(lostRead)) as Failure).code).toBe("unavailable");
      await Promise.all(Array.from({ length: 20 }, (_, i) => it.engine.write((s) => put(s, `${prefix}-c${i}`))));
      expect(await keysLike(it, prefix)).toHaveLength(20);
    });

    test("a serialization failure or deadlock is tried again and seen by nobody", async () => {
      const prefix = unique("again");
      for (const code of ["40001", "40P01"]) {
        let attempts = 0;
        await it.engine.write(function* (s): Verb<void> {
          yield* put(s, `${prefix}-${code}`);
          s.signal({ topic: "agent", key: `${prefix}-${code}` });
          if (++attempts < 3) yield* askRaw(sql.raw(`do $$ begin raise exception using errcode = '${code}'; end $$`));
        });
        expect(attempts).toBe(3);
      }
      expect(await keysLike(it, prefix)).toEqual([`${prefix}-40001`, `${prefix}-40P01`]);
    });
  },
  databases.filter((database) => database.dialect === "postgres"),
);
