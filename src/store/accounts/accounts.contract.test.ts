import { expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import { addAccount, addAgent, later, newKey, noon } from "../../../test/store/rows.ts";
import { freshSubject, newSecret, onEveryDatabase, twoNodes, unique } from "../../../test/store/stores.ts";
import { Failure } from "../../util/errors.ts";
import { askRaw, type Signal, type Verb } from "../engine/engine.ts";

/** How many resolved, and the failure codes of the others. */
function tally(outcomes: PromiseSettledResult<unknown>[]): { done: number; codes: string[] } {
  const failed = outcomes.filter((outcome) => outcome.status === "rejected");
  return {
    done: outcomes.length - failed.length,
    codes: [...new Set(failed.map(({ reason }) => (reason instanceof Failure ? reason.code : String(reason))))],
  };
}

onEveryDatabase((it) => {
  test("an account has one address, in any case, and a secret from the start", async () => {
    const email = `${unique("Person")}@People.Example`;
    const nodes = await twoNodes(it);
    const outcomes = await Promise.allSettled(
      Array.from({ length: 10 }, (_, i) =>
        nodes[i % 2]!.store.createAccount({
          email: i % 2 ? email : email.toLowerCase(),
          name: "P",
          secret: newSecret(),
          now: noon,
        }),
      ),
    );
    expect(tally(outcomes)).toEqual({ done: 1, codes: ["conflict"] });
    const user = await it.store.findUserByEmail(email.toUpperCase());
    expect(user?.email).toBe(email.toLowerCase());
    expect(await it.store.listSecrets(user!.id)).toHaveLength(1);
  });

  test("an account holds at most five secrets and at least one, also when asked all at once", async () => {
    const { id } = await addAccount(it.store);
    const nodes = await twoNodes(it);
    const created = await Promise.allSettled(
      Array.from({ length: 12 }, (_, i) => nodes[i % 2]!.store.createSecret(id, newSecret(), noon)),
    );
    expect(tally(created)).toEqual({ done: 4, codes: ["conflict"] });
    const held = await it.store.listSecrets(id);
    expect(held.map((row) => row.id)).toEqual(
      held
        .map((row) => row.id)
        .sort()
        .reverse(),
    );
    const deleted = await Promise.allSettled(held.map((row, i) => nodes[i % 2]!.store.deleteSecret(id, row.id)));
    expect(tally(deleted)).toEqual({ done: 4, codes: ["conflict"] });
    const [last] = await it.store.listSecrets(id);
    expect(await it.store.deleteSecret(id, "wsec_unknown")).toBe(false);
    expect(await it.store.deleteSecret((await addAccount(it.store)).id, last!.id)).toBe(false);
    await it.store.touchSecret(last!.id, later(5));
    expect(await it.store.listSecrets(id)).toEqual([{ ...last!, lastSignedAt: later(5) }]);
  });

  test("a key opens its account until it expires or is deleted, and everyone hears of that", async () => {
    const agent = await addAgent(it.store);
    const [user, stranger] = [{ id: agent.userId }, await addAccount(it.store)];
    const account = await it.store.createKey(user.id, newKey(), noon);
    const bound = await it.store.createKey(user.id, newKey(agent.id, later(1_000)), noon);
    expect((await it.store.listKeys(user.id)).map((key) => key.id)).toEqual([bound.id, account.id]);

    await it.store.touchKey(account.id, later(1));
    const found = await it.store.findKey(account.keyHash, later(1));
    expect(found?.user.id).toBe(user.id);
    expect(found?.key).toEqual({ ...account, lastUsedAt: later(1) });
    expect((await it.store.findKey(bound.keyHash, later(999)))?.key).toMatchObject({
      scope: "agent",
      agentId: agent.id,
    });
    expect(await it.store.findKey(bound.keyHash, later(1_000))).toBeNull();

    const heard: Signal[] = [];
    const unsubscribe = it.store.onSignal((signal) => heard.push(signal));
    expect(await it.store.deleteKey(stranger.id, account.id)).toBe(false);
    expect(await it.store.deleteKey(user.id, account.id)).toBe(true);
    unsubscribe();
    expect(heard.filter((signal) => signal.topic === "keys")).toEqual([{ topic: "keys", key: account.id }]);
    expect(await it.store.findKey(account.keyHash, noon)).toBeNull();
    await it.store.deleteAgent(agent.id, new Date());
    expect(await it.store.listKeys(user.id)).toEqual([]);
  });

  test("two keys cannot be the same", async () => {
    const { id } = await addAccount(it.store);
    const key = newKey();
    await it.store.createKey(id, key, noon);
    expect(tally(await Promise.allSettled([it.store.createKey(id, key, noon)]))).toEqual({
      done: 0,
      codes: ["conflict"],
    });
  });

  test("an account has two keys for each agent and a thousand more, and expired ones make room", async () => {
    await using fresh = await freshSubject(it);
    const { store, engine } = fresh;
    const { id: userId } = await addAccount(store);
    await addAgent(store, { userId });
    for (const expired of [later(-1), noon]) await store.createKey(userId, newKey(null, expired), later(-2));
    const key = await store.createKey(userId, newKey(null, later(1)), noon);
    await engine.write(function* (): Verb<void> {
      const same = sql`user_id, name, scope, agent_id, key_prefix, created_at, expires_at`;
      yield* askRaw(sql`
        with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < 999)
        insert into api_keys (id, key_hash, ${same}) select id || '-' || n, key_hash || n, ${same}
        from api_keys, numbers where id = ${key.id}`);
    });
    expect(await store.listKeys(userId)).toHaveLength(1_002);
    for (let i = 0; i < 2; i++) await store.createKey(userId, newKey(), noon);
    expect(await store.listKeys(userId)).toHaveLength(1_002);
    const more = () => store.createKey(userId, newKey(), noon);
    expect(tally(await Promise.allSettled([more(), more()]))).toEqual({ done: 0, codes: ["conflict"] });
    await store.deleteKey(userId, key.id);
    expect(tally(await Promise.allSettled([more(), more()]))).toEqual({ done: 1, codes: ["conflict"] });
  });

  test("a key or session stands until it is revoked; that it has expired is seen from its time", async () => {
    const { id: userId } = await addAccount(it.store);
    const key = await it.store.createKey(userId, newKey(null, later(-1)), noon);
    const browser = { keyId: null, userAgent: null, ip: null };
    const times = { now: noon, expiresAt: later(-1) };
    const session = await it.store.createSession({ userId, tokenHash: unique("hash"), ...browser, ...times });
    for (const id of [key.id, session.id]) expect(await it.store.proofStands(id)).toBe(true);
    await it.store.deleteKey(userId, key.id);
    await it.store.deleteSession(userId, session.id);
    for (const id of [key.id, session.id, ""]) expect(await it.store.proofStands(id)).toBe(false);
  });

  test("an idempotency key: first, running, replayed, reused, forgotten", async () => {
    const { id: userId } = await addAccount(it.store);
    const start = (changes: object = {}) =>
      it.store.startIdempotent({
        userId,
        key: "key",
        requestHash: "hash",
        now: noon,
        expiredBefore: later(-86_400_000),
        abandonedBefore: later(-60_000),
        ...changes,
      });
    expect(await start()).toEqual({ kind: "first" });
    expect(await start()).toEqual({ kind: "running" });
    expect(await start({ requestHash: "other" })).toEqual({ kind: "reused" });
    expect(await start({ userId: (await addAccount(it.store)).id })).toEqual({ kind: "first" });
    // The first request failed, so the key can be used again.
    await it.store.finishIdempotent(userId, "key", null);
    expect(await start()).toEqual({ kind: "first" });
    await it.store.finishIdempotent(userId, "key", { status: 201, body: '{"id":"ü"}' });
    expect(await start()).toEqual({ kind: "replay", status: 201, body: '{"id":"ü"}' });
    expect(await start({ requestHash: "other" })).toEqual({ kind: "reused" });
    expect(await start({ requestHash: "other", expiredBefore: later(1) })).toEqual({ kind: "first" });
  });

  test("of twenty equal requests at once one is the first, also when an earlier one has died", async () => {
    const { id: userId } = await addAccount(it.store);
    const nodes = await twoNodes(it);
    const race = (now: Date, abandonedBefore: Date) =>
      Promise.all(
        Array.from({ length: 20 }, (_, i) =>
          nodes[i % 2]!.store.startIdempotent({
            userId,
            key: "key",
            requestHash: "hash",
            now,
            expiredBefore: later(-86_400_000),
            abandonedBefore,
          }),
        ),
      );
    for (const [now, abandonedBefore] of [
      [noon, later(-1)],
      [later(100), later(50)],
    ] as const) {
      const kinds = (await race(now, abandonedBefore)).map((start) => start.kind).sort();
      expect(kinds).toEqual(["first", ...Array(19).fill("running")]);
    }
  });

  test("a sweep forgets what has expired", async () => {
    await using fresh = await freshSubject(it);
    const { store } = fresh;
    const { id: userId } = await addAccount(store);
    const request = { userId, requestHash: "h", expiredBefore: new Date(0), abandonedBefore: new Date(0) };
    await store.startIdempotent({ ...request, key: "old", now: later(10) });
    await store.startIdempotent({ ...request, key: "new", now: later(20) });
    await store.sweep({ now: later(15), messagesBefore: null, deliveriesBefore: noon, idempotencyBefore: later(15) });
    expect(await store.startIdempotent({ ...request, key: "old", now: noon })).toEqual({ kind: "first" });
    expect(await store.startIdempotent({ ...request, key: "new", now: noon })).toEqual({ kind: "running" });
  });
});
