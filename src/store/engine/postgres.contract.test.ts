import { expect, test } from "bun:test";
import { SQL } from "bun";
import { sql } from "drizzle-orm";
import { addAgent, addMessage, later, noon } from "../../../test/store/rows.ts";
import { freshSubject, onDatabases, openNode, twoNodes, unique } from "../../../test/store/stores.ts";
import { keysLike, put, rejection } from "../../../test/store/verbs.ts";
import { cuttableLine } from "../../../test/support/line.ts";
import { testPostgres } from "../../../test/support/postgres.ts";
import { migrations } from "../../assets.ts";
import type { Failure } from "../../util/errors.ts";
import { silentLog } from "../../util/log.ts";
import { createStore } from "../store.ts";
import { ask, askRaw, type Engine, type Signal, type Verb } from "./engine.ts";
import { openPostgres, type PostgresLimits } from "./postgres.ts";

onDatabases(
  (database) => database.dialect === "postgres",
  (it) => {
    const listening = sql`application_name = 'e2a listen' and datname = current_database()`;
    const terminate = (condition = listening) =>
      it.engine.write(function* (): Verb<number> {
        const rows = yield* askRaw(sql`select pg_terminate_backend(pid) from pg_stat_activity where ${condition}`);
        return rows.length;
      });

    /** Collects signals of a node; `until` resolves as soon as one matches. */
    function listener(node: { engine: Engine }) {
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
    const tell = (node: { engine: Engine }, key: string, fail = false) =>
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
      // Notifications arrive in commit order, so the other node's last signal is the last one to arrive.
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
      await using fresh = await freshSubject(it);
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

    /** Opens one more node with its own limits; it is closed at the end. */
    async function nodeWith(limits: Partial<PostgresLimits>, url = it.place.location) {
      const options = { poolSize: 2, migrations: migrations("postgres"), log: silentLog, limits };
      const engine = await openPostgres(url, options);
      return { engine, [Symbol.asyncDispose]: () => engine.close() };
    }
    const failure = async (verb: Promise<unknown>) => ((await rejection(verb)) as Failure).code;

    test("verbs whose connections say nothing any more fail, and leave them to nobody", async () => {
      await using line = await cuttableLine(it.place.location);
      await using node = await nodeWith({ verbMs: 300 }, line.urlOf(it.place.location));
      const prefix = unique("frozen");
      const both = (name: string) => ["a", "b"].map((n) => node.engine.write((s) => put(s, `${prefix}-${name}${n}`)));
      await Promise.all(both("before"));
      line.freeze();
      expect(await Promise.all(both("frozen").map(failure))).toEqual(["unavailable", "unavailable"]);
      await Promise.all(both("after"));
      expect(await keysLike(it, prefix)).toHaveLength(4);
    });

    test("a listening connection that says nothing any more is opened again", async () => {
      await using line = await cuttableLine(it.place.location);
      await using node = await nodeWith({ listenTriedMs: 100, connectMs: 300 }, line.urlOf(it.place.location));
      await node.engine.takeOver(async () => {});
      const hears = listener(node);
      line.freeze();
      await hears.until(({ topic, key }) => topic === "keys" && key === "");
      const key = unique("heard");
      await tell(it, key);
      await hears.until((signal) => signal.key === key);
    });

    test("a lock that somebody else keeps makes a verb `unavailable`", async () => {
      await using node = await nodeWith({ statementMs: 200 });
      const key = unique("locked");
      const release = Promise.withResolvers<void>();
      const locked = Promise.withResolvers<void>();
      const holder = it.engine.write(function* (s): Verb<void> {
        yield* put(s, key);
        locked.resolve();
        yield* ask(release.promise);
      });
      await locked.promise;
      expect(await failure(node.engine.write((s) => put(s, key)))).toBe("unavailable");
      release.resolve();
      await holder;
      expect(await failure(node.engine.write((s) => put(s, key)))).toBe("conflict");
    });

    test("a sweep whose transactions take too long goes on in smaller ones", async () => {
      await using fresh = await freshSubject(it);
      const agent = await addAgent(fresh.store);
      for (let n = 0; n < 40; n++) await addMessage(fresh.store, agent.id);
      await fresh.engine.write(function* (): Verb<void> {
        yield* askRaw(sql`create function slow() returns trigger language plpgsql as
          'begin perform pg_sleep(0.02); return old; end'`);
        yield* askRaw(sql`create trigger slow before delete on messages for each row execute function slow()`);
      });
      await using node = await nodeWith({ statementMs: 500 }, fresh.place.location);
      const ages = { messagesBefore: later(1), deliveriesBefore: null, idempotencyBefore: noon };
      await createStore(node.engine).sweep({ now: noon, ...ages });
      expect(await fresh.store.countMessages(agent.id)).toEqual({ total: 0, unread: 0 });
      await fresh.engine.write(function* (): Verb<void> {
        yield* askRaw(sql`drop function slow cascade`);
      });
    });

    test("a node that is suspended inside a transaction does not keep its locks from the others", async () => {
      await using node = await nodeWith({ idleInTransactionMs: 200 });
      const key = unique("suspended");
      const awake = Promise.withResolvers<void>();
      const locked = Promise.withResolvers<void>();
      const suspended = node.engine.write(function* (s): Verb<void> {
        yield* put(s, key);
        locked.resolve();
        yield* ask(awake.promise);
        yield* put(s, `${key}-later`);
      });
      await locked.promise;
      await it.engine.write((s) => put(s, key));
      awake.resolve();
      expect(await failure(suspended)).toBe("unavailable");
      expect(await keysLike(it, key)).toEqual([key]);
    });

    test("closing ends although the server answers nothing, and what is in hand fails", async () => {
      await using line = await cuttableLine(it.place.location);
      const { engine } = await nodeWith({}, line.urlOf(it.place.location));
      const key = unique("closing");
      await Promise.all(["a", "b"].map((n) => engine.write((s) => put(s, `${key}-${n}`))));
      line.freeze();
      // More verbs than there are connections.
      const inHand = ["c", "d", "e", "f"].map((n) => engine.write((s) => put(s, `${key}-${n}`)));
      const codes = Promise.all(inHand.map(failure));
      await engine.close();
      expect(new Set(await codes)).toEqual(new Set(["unavailable"]));
    });

    test("a server that has no room for another connection: all are served by those that it has", async () => {
      await using server = await testPostgres();
      const role = unique("few").replace("-", "_");
      const [database, user] = [new URL(server.url).pathname.slice(1), new URL(server.url)];
      user.username = role;
      {
        await using owner = new SQL(server.url, { max: 1 });
        await owner.unsafe(`CREATE ROLE ${role} LOGIN CONNECTION LIMIT 3`);
        await owner.unsafe(`ALTER DATABASE ${database} OWNER TO ${role}`);
      }
      const options = { poolSize: 10, migrations: migrations("postgres"), log: silentLog };
      const engine = await openPostgres(user.href, options);
      await Promise.all(Array.from({ length: 30 }, (_, n) => engine.write((s) => put(s, `key-${n}`))));
      await engine.close();
      await using owner = new SQL(server.url, { max: 1 });
      await owner.unsafe(`REASSIGN OWNED BY ${role} TO CURRENT_USER`);
      await owner.unsafe(`DROP OWNED BY ${role}`);
      await owner.unsafe(`DROP ROLE ${role}`);
    });

    test("a database that takes writes again takes them on every connection", async () => {
      await using server = await testPostgres();
      await using node = await nodeWith({}, server.url);
      const database = new URL(server.url).pathname.slice(1);
      const lets = async (what: string) => {
        await using owner = new SQL(server.url, { max: 1 });
        await owner.unsafe("SET default_transaction_read_only TO off");
        await owner.unsafe(`ALTER DATABASE ${database} SET default_transaction_read_only TO ${what}`);
      };
      // No connection for verbs is open yet.
      await lets("on");
      expect(await failure(node.engine.write((s) => put(s, "before")))).toBe("unavailable");
      await lets("off");
      await node.engine.write((s) => put(s, "after"));
      expect(await keysLike(node, "")).toEqual(["after"]);
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
);
