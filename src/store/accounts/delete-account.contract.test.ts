import { expect, spyOn, test } from "bun:test";
import { sql } from "drizzle-orm";
import { addAccount, addAgent, addDomain, addMessage, addOutbound, newKey, noon } from "../../../test/store/rows.ts";
import { countRows, freshSubject, onEveryDatabase, type Subject, unique } from "../../../test/store/stores.ts";
import { askRaw, type Engine, type Signal, type Verb } from "../engine/engine.ts";
import { createStore, type Store } from "../store.ts";

/** More rows than one step ever deletes. */
const MANY = 501;

/** The number of messages, in both directions, after each write that `run` makes. */
async function leftAfterWrites({ engine }: Subject, run: (store: Store) => Promise<unknown>): Promise<number[]> {
  const left: number[] = [];
  const count = () =>
    engine.read(function* (): Verb<number> {
      const [row] = yield* askRaw<{ n: number }>(
        sql`select (select count(*) from messages) + (select count(*) from outbound_messages) as n`,
      );
      return Number(row?.n);
    });
  const write: Engine["write"] = async (verb, options) => {
    const result = await engine.write(verb, options);
    left.push(await count());
    return result;
  };
  await run(createStore({ ...engine, write }));
  return left;
}

onEveryDatabase((it) => {
  const deletions = {
    "an agent": (store: Store, { agent }: { agent: string }, by?: string) => store.deleteAgent(agent, noon, by),
    "an account": (store: Store, { userId }: { userId: string }, by?: string) => store.deleteAccount(userId, noon, by),
    "a domain": (store: Store, { userId, domain }: { userId: string; domain: string }, by?: string) =>
      store.deleteDomain(userId, domain, by),
  };
  for (const [what, run] of Object.entries(deletions))
    test(`${what} with much mail goes in steps, between which others write`, async () => {
      await using fresh = await freshSubject(it);
      const { store } = fresh;
      const { id: userId } = await addAccount(store);
      const domain = `${unique("d")}.example`;
      if (what === "a domain") await addDomain(store, userId, domain);
      const agent = what === "a domain" ? `postmaster@${domain}` : (await addAgent(store, { userId })).id;
      await Promise.all(Array.from({ length: MANY }, () => addMessage(store, agent)));
      if (what !== "a domain") await addOutbound(store, agent);
      const out = what === "a domain" ? 0 : 1;
      const left = await leftAfterWrites(fresh, (stepping) => run(stepping, { agent, userId, domain }));
      const steps = [MANY + out, ...left].map((before, i, all) => before - (all[i + 1] ?? before));
      expect(Math.max(...steps)).toBeLessThan(MANY);
      expect(left.at(-1)).toBe(0);
    });

  for (const [what, run] of Object.entries(deletions))
    test(`the deletion of ${what} ends with the key that asked for it`, async () => {
      await using fresh = await freshSubject(it);
      const { store, engine } = fresh;
      const { id: userId } = await addAccount(store);
      const domain = `${unique("d")}.example`;
      if (what === "a domain") await addDomain(store, userId, domain);
      const agent = what === "a domain" ? `postmaster@${domain}` : (await addAgent(store, { userId })).id;
      await Promise.all(Array.from({ length: 101 }, () => addMessage(store, agent)));
      const key = await store.createKey(userId, newKey(null), noon);
      const write: Engine["write"] = async (verb, options) => {
        const result = await engine.write(verb, options);
        await store.deleteKey(userId, key.id);
        return result;
      };
      const deletion = run(createStore({ ...engine, write }), { agent, userId, domain }, key.id);
      await expect(deletion).rejects.toMatchObject({ code: "unauthenticated" });
      expect(await store.getAgent(agent)).not.toBeNull();
      expect(await countRows(fresh, ["messages"])).toEqual({ messages: 1 });
    });

  /** How many rows each step of a deletion of 501 messages removed, if a step of n rows takes `msOf(n)` ms. */
  async function stepsWhere(msOf: (rows: number) => number): Promise<number[]> {
    await using fresh = await freshSubject(it);
    const { store, engine } = fresh;
    const agent = await addAgent(store);
    await Promise.all(Array.from({ length: MANY }, () => addMessage(store, agent.id)));
    let now = 0;
    const steps: number[] = [];
    const write: Engine["write"] = async (verb, options) => {
      const result = await engine.write(verb, options);
      if (typeof result === "number" && result > 0) steps.push(result);
      now += msOf(typeof result === "number" ? result : 0);
      return result;
    };
    const clock = spyOn(performance, "now").mockImplementation(() => now);
    try {
      await createStore({ ...engine, write }).deleteAgent(agent.id, noon);
    } finally {
      clock.mockRestore();
    }
    return steps;
  }

  test("a step of a deletion that took long is followed by shorter ones, until they are quick", async () => {
    const steps = await stepsWhere((rows) => 10 * rows);
    expect(steps.slice(0, 6)).toEqual([100, 50, 25, 13, 7, 7]);
  });

  test("where every write takes long, however little it does, the steps of a deletion do not shrink", async () => {
    expect(await stepsWhere(() => 110)).toEqual([100, 50, 100, 100, 100, 51]);
  });

  test("an account goes with all that it owns, and nobody else's", async () => {
    const [user, other] = [await addAccount(it.store), await addAccount(it.store)];
    const [agent, kept] = [
      await addAgent(it.store, { userId: user.id }),
      await addAgent(it.store, { userId: other.id, mode: "cloud" }),
    ];
    await addDomain(it.store, user.id, `${unique("d")}.example`);
    const key = await it.store.createKey(user.id, newKey(agent.id), noon);
    const gone = await addMessage(it.store, agent.id);
    const bytes = Buffer.from(unique("shared by both"));
    await addMessage(it.store, agent.id, { bytes });
    const message = await addMessage(it.store, kept.id, { bytes });
    const limits = { perMinutePerAccount: 100, perDayPerAccount: 100, newRecipientsPerDayPerAccount: 100 };
    for (const sender of [agent.id, agent.id, kept.id]) await addOutbound(it.store, sender, { limits });
    for (const { id: userId } of [user, other])
      await it.store.suppress({
        ...{
          userId,
          address: "gone@people.example",
          reason: "manual" as const,
          detail: "",
          messageId: null,
          now: noon,
        },
      });

    const webhook = { url: "https://hooks.example/in", events: [], agents: [], description: "" };
    for (const { id: userId } of [user, other]) await it.store.createWebhook({ userId, ...webhook }, noon);

    const heard: Signal[] = [];
    const unsubscribe = it.store.onSignal((signal) => heard.push(signal));
    const rows = await it.store.deleteAccount(user.id, new Date());
    unsubscribe();

    expect(rows).toEqual({
      ...{ agents: 1, messages: 2, outboundMessages: 2, domains: 1, keys: 1, secrets: 1, suppressions: 1, webhooks: 1 },
    });
    expect(await it.store.findUserByEmail(user.email)).toBeNull();
    expect(await it.store.getAgent(agent.id)).toBeNull();
    expect(heard).toEqual(
      expect.arrayContaining([
        { topic: "agent", key: agent.id },
        { topic: "keys", key: key.id },
      ]),
    );
    const raw = await it.engine.read(function* (s): Verb<{ sha256: string }[]> {
      const hashes = sql`(${gone.rawSha256}, ${message.rawSha256})`;
      return yield* askRaw(sql`select sha256 from ${s.t.rawMail} where sha256 in ${hashes}`);
    });
    expect(raw).toEqual([{ sha256: message.rawSha256 }]);
    expect((await it.store.getMessage(kept.id, message.id))?.raw).toEqual(bytes);
    expect(await it.store.listOutbound(user.id, {}, { limit: 10 })).toEqual([]);
    expect(await it.store.listOutbound(other.id, {}, { limit: 10 })).toHaveLength(1);
    expect(await it.store.listSuppressions(user.id, { limit: 10 })).toEqual([]);
    expect(await it.store.listSuppressions(other.id, { limit: 10 })).toHaveLength(1);
    const open = { sort: "asc", after: null, types: [], limit: 10 } as const;
    const left = await it.store.readEvents({ userId: other.id, agentId: null }, { ...open, types: [] });
    expect(left.rows.map(({ agentId }) => agentId)).toEqual([kept.id]);
    for (const [{ id: userId }, deliveries] of [
      [user, 0],
      [other, 1],
    ] as const) {
      expect(await it.store.listWebhooks(userId)).toHaveLength(deliveries);
      expect(await it.store.listDeliveries({ userId, agentId: null }, { limit: 10 })).toHaveLength(deliveries);
    }
    const counts = await it.engine.read(function* (s): Verb<{ key: string }[]> {
      return yield* askRaw(sql`select key from ${s.t.sendCounts} order by key`);
    });
    expect(counts.map(({ key }) => key)).not.toContain(`day ${user.id}`);
    expect(counts.map(({ key }) => key)).toEqual(["day", "minute", "new"].map((what) => `${what} ${other.id}`));
    expect(await it.store.deleteAccount(user.id, new Date())).toBeNull();
  });

  test("requests are counted by key and minute, also all at once", async () => {
    const [key, other] = [unique("key"), unique("key")];
    const counts = await Promise.all(Array.from({ length: 20 }, () => it.store.countRequest(key, 5)));
    expect(counts.sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    expect(await it.store.countRequest(other, 5)).toBe(1);
    expect(await it.store.countRequest(key, 6)).toBe(1);
  });

  test("a sweep forgets the requests of minutes that are over, and of none that counts", async () => {
    await using fresh = await freshSubject(it);
    const minute = Math.floor(noon.getTime() / 60_000);
    const ages = { messagesBefore: null, deliveriesBefore: null, idempotencyBefore: noon };
    const sweepAt = (ms: number) => fresh.store.sweep({ ...ages, now: new Date(minute * 60_000 + ms) });
    expect(await fresh.store.countRequest("key", minute)).toBe(1);
    await sweepAt(59_999);
    expect(await fresh.store.countRequest("key", minute)).toBe(2);
    // Another node's clock may be a little behind.
    await sweepAt(60_000);
    expect(await fresh.store.countRequest("key", minute)).toBe(3);
    await sweepAt(120_000);
    expect(await countRows(fresh, ["request_counts"])).toEqual({ request_counts: 0 });
  });
});
