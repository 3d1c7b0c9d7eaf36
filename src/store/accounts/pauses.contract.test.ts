import { expect, test } from "bun:test";
import {
  addAccount,
  addAgent,
  addDomain,
  addOutbound,
  claimRecipients,
  decision,
  later,
  noon,
  watch,
} from "../../../test/store/rows.ts";
import { freshSubject, onEveryDatabase, type Subject, twoNodes, unique } from "../../../test/store/stores.ts";
import type { Signal } from "../engine/engine.ts";
import type { Store } from "../store.ts";

type Level = "agent" | "domain" | "account";

/** An account with an agent on its own domain, and a waiting message. */
async function world(store: Store, userId?: string) {
  const owner = userId ?? (await addAccount(store)).id;
  const domain = `${unique("d")}.example`;
  await addDomain(store, owner, domain);
  const agent = await addAgent(store, { userId: owner, address: `bot@${domain}` });
  const send = async (ms = 0) => (await addOutbound(store, agent.id, { now: later(ms) })).message.id;
  return {
    ...{ agent, domain, userId: owner, send, first: await send() },
    async pause(level: Level, paused: boolean) {
      if (level === "agent") await store.updateAgent(agent.id, { paused }, noon);
      else if (level === "domain") await store.pauseDomain(owner, domain, paused);
      else await store.pauseAccount(owner, paused);
    },
    queueOf: async (id: string) => (await store.getOutbound(owner, id))?.recipients[0]?.queue,
  };
}

const orders: Level[][] = [
  ["agent", "domain", "account"],
  ["agent", "account", "domain"],
  ["domain", "agent", "account"],
  ["domain", "account", "agent"],
  ["account", "agent", "domain"],
  ["account", "domain", "agent"],
];

function claim(store: Store, ms: number) {
  const lanes = [{ lane: "upstream", free: 99 }];
  return claimRecipients(store, { now: later(ms), leaseUntil: later(1e9), leaseToken: unique("token"), lanes });
}

onEveryDatabase((it) => {
  test.each<{ level: Level }>([{ level: "agent" }, { level: "domain" }, { level: "account" }])(
    "while its $level is paused nothing leaves, and then all does, in the order in which it came",
    async ({ level }) => {
      await using fresh = await freshSubject(it);
      const { store } = fresh;
      const one = await world(store);
      const other = await world(store);
      await one.pause(level, true);
      const second = await one.send(2);
      const third = await one.send(3);
      for (const id of [one.first, second, third]) expect(await one.queueOf(id)).toBe("paused");
      expect(await other.queueOf(other.first)).toBe("ready");
      expect((await claim(store, 10)).map((row) => row.messageId)).toEqual([other.first]);
      expect(await store.cancelOutbound(one.userId, third, noon)).toMatchObject({ cancelled: 1 });
      const heard: Signal[] = [];
      store.onSignal((signal) => heard.push(signal));
      await one.pause(level, false);
      expect(heard).toContainEqual({ topic: "outbound", key: "" });
      expect((await claim(store, 10)).map((row) => row.messageId)).toEqual([one.first, second]);
    },
  );

  test("what waits for approval is held during a pause of any level, and still when it ends", async () => {
    for (const level of ["agent", "domain", "account"] as const) {
      const one = await world(it.store);
      await watch(it.store, one.agent.id);
      const held = await one.send();
      const queues = async () => [await one.queueOf(one.first), await one.queueOf(held)];
      await one.pause(level, true);
      expect({ level, queues: await queues() }).toEqual({ level, queues: ["paused", "held"] });
      await one.pause(level, false);
      expect({ level, queues: await queues() }).toEqual({ level, queues: ["ready", "held"] });
    }
  });

  test("one level that is on keeps all frozen, whatever the order in which they end", async () => {
    for (const off of orders)
      for (const on of [off, off.toReversed()]) {
        const one = await world(it.store);
        for (const level of on) await one.pause(level, true);
        for (const [i, level] of off.entries()) {
          await one.pause(level, false);
          const expected = i === off.length - 1 ? "ready" : "paused";
          const sent = await one.send(i);
          expect({ on, off, i, queues: [await one.queueOf(one.first), await one.queueOf(sent)] }).toEqual({
            ...{ on, off, i, queues: [expected, expected] },
          });
        }
      }
  });

  test("a pause is of one domain, one account, and can only be set by its owner", async () => {
    const { store } = it;
    const one = await world(store);
    const sibling = await world(store, one.userId);
    const stranger = await addAccount(store);
    expect(await store.pauseDomain(stranger.id, one.domain, true)).toBeNull();
    expect(await store.pauseDomain(one.userId, "nobodys.example", true)).toBeNull();
    expect(await store.pauseAccount("usr_0", true)).toBeNull();
    expect(await store.pauseDomain(one.userId, one.domain, true)).toMatchObject({ domain: one.domain, paused: true });
    expect([await one.queueOf(one.first), await sibling.queueOf(sibling.first)]).toEqual(["paused", "ready"]);
    expect(await store.pauseAccount(one.userId, true)).toMatchObject({ id: one.userId, paused: true });
    expect(await sibling.queueOf(sibling.first)).toBe("paused");
    await store.pauseDomain(one.userId, one.domain, false);
    await store.pauseAccount(one.userId, false);
    expect([await one.queueOf(one.first), await sibling.queueOf(sibling.first)]).toEqual(["ready", "ready"]);
  });

  test("mail on the server's own domain is frozen with the account, not with another's domain", async () => {
    const { store } = it;
    const [agent, other] = [await addAgent(store), await addAgent(store)];
    expect(agent.domain).toBe(other.domain);
    expect(await store.pauseDomain(agent.userId, agent.domain, true)).toBeNull();
    await store.pauseAccount(agent.userId, true);
    const queueOf = async (id: string) => (await addOutbound(store, id)).recipients[0]?.queue;
    expect([await queueOf(agent.id), await queueOf(other.id)]).toEqual(["paused", "ready"]);
  });

  test("what is in somebody's hand is finished, and is not tried again during the pause", async () => {
    await using fresh = await freshSubject(it);
    const { store } = fresh;
    const one = await world(store);
    const [claimed] = await claim(store, 0);
    await one.pause("account", true);
    const outcome = { kind: "retry", at: later(5), reply: "451 later", error: null } as const;
    expect(await store.finishRecipient(claimed!, outcome, later(1))).toBe("deferred");
    expect(await claim(store, 10)).toEqual([]);
    await one.pause("account", false);
    expect(await claim(store, 4)).toEqual([]);
    expect(await claim(store, 5)).toHaveLength(1);
  });

  test("mail that comes while a pause is set or ends is frozen as the pause says", async () => {
    await using fresh = await freshSubject(it);
    const nodes = await twoNodes(fresh);
    const one = await world(fresh.store);
    for (let i = 0; i < 8; i++) {
      const paused = i % 2 === 0;
      const [, ...sent] = await Promise.all([
        i % 4 < 2
          ? nodes[0].store.pauseAccount(one.userId, paused)
          : nodes[0].store.pauseDomain(one.userId, one.domain, paused),
        ...[0, 1, 2].map((n) => addOutbound(nodes[n % 2]!.store, one.agent.id, { now: later(i) })),
      ]);
      for (const { message } of sent) expect(await one.queueOf(message.id)).toBe(paused ? "paused" : "ready");
    }
  });

  test("what is approved while a pause is set or ends is frozen as the pause says", async () => {
    await using fresh = await freshSubject(it);
    const nodes = await twoNodes(fresh);
    const one = await world(fresh.store);
    await watch(fresh.store, one.agent.id);
    for (let i = 0; i < 8; i++) {
      const paused = i % 2 === 0;
      const ids = [await one.send(i), await one.send(i)];
      await Promise.all([
        ...ids.map((id, n) => nodes[n % 2]!.store.decideHold(decision(id))),
        i % 4 < 2 ? one.pause("account", paused) : one.pause("agent", paused),
      ]);
      for (const id of ids) expect(await one.queueOf(id)).toBe(paused ? "paused" : "ready");
    }
  });

  test("mail can be taken back until its agent's time for second thoughts is over", async () => {
    await using fresh = await freshSubject(it);
    const { store } = fresh;
    const agent = await addAgent(store);
    await store.updateAgent(agent.id, { undoSeconds: 30 }, noon);
    const send = () => addOutbound(store, agent.id, { recipients: [{ lease: "mine" }] });
    const [kept, undone] = [await send(), await send()];
    for (const { message, recipients } of [kept, undone]) {
      expect(message).toMatchObject({ status: "queued", notBefore: later(30_000) });
      expect(recipients[0]).toMatchObject({ queue: "ready", leaseToken: null, nextAttemptAt: later(30_000) });
    }
    expect(await store.nextRecipientDue(["upstream"])).toEqual(later(30_000));
    expect(await claim(store, 29_999)).toEqual([]);
    expect(await store.cancelOutbound(agent.userId, undone.message.id, later(29_999))).toMatchObject({ cancelled: 1 });
    expect((await claim(store, 30_000)).map((row) => row.messageId)).toEqual([kept.message.id]);
    expect(await store.cancelOutbound(agent.userId, kept.message.id, later(30_001))).toMatchObject({ cancelled: 0 });
  });

  test("time for second thoughts takes nothing of an agent's pace or burst", async () => {
    const agent = await undoing(it);
    const limits = { perMinutePerAgent: 4, burstPerAgent: 2 };
    // Three a minute is below the pace, but at any time more messages than the burst have not left yet.
    for (let ms = 0; ms < 10 * 60_000; ms += 20_000) {
      const { message } = await addOutbound(it.store, agent.id, { limits, now: later(ms) });
      expect(message.notBefore).toEqual(later(ms + 120_000));
    }
  });
});

async function undoing(it: Subject) {
  const agent = await addAgent(it.store);
  await it.store.updateAgent(agent.id, { undoSeconds: 120 }, noon);
  return agent;
}
