import { expect, test } from "bun:test";
import { sql } from "drizzle-orm";
import { addAgent, addMessage, later, mailFor, noon } from "../../../test/store/rows.ts";
import { countRows, freshSubject, onEveryDatabase, type Subject, twoNodes } from "../../../test/store/stores.ts";
import { askRaw, type Verb } from "../engine/engine.ts";
import type { DeliveryRow } from "../schema.ts";
import type { Store } from "../store.ts";
import type { DeliverySlots } from "./delivery-queue.ts";

const LEASE_MS = 45_000;

/** Claims as a worker does, unless told otherwise. */
async function claim(store: Store, changes: Partial<Parameters<Store["claimDueDeliveries"]>[0]> = {}) {
  return (await claimFrom(store, changes)).claimed;
}

/** The same number of slots for each endpoint; `of` gives other numbers. */
const slotsOf = (others: number, of: Record<string, number> = {}): DeliverySlots => ({
  ...{ others, of: new Map(Object.entries(of)), failing: new Set<string>(), failingMax: 0 },
});

function claimFrom(store: Store, changes: Partial<Parameters<Store["claimDueDeliveries"]>[0]> = {}) {
  const now = changes.now ?? noon;
  return store.claimDueDeliveries({
    now,
    leaseUntil: new Date(now.getTime() + LEASE_MS),
    leaseToken: crypto.randomUUID(),
    limit: 10,
    busy: [],
    slots: slotsOf(1_000),
    ...changes,
  });
}

const attempt = (number: number, startedAt = noon) => ({
  attempt: number,
  startedAt,
  durationMs: 12,
  status: 503,
  error: "HTTP 503",
  answer: "try later",
});

/** Agents with webhooks, and `each` messages for every one. */
async function queue(store: Store, agents: number, each: number) {
  const made = await Promise.all(Array.from({ length: agents }, () => addAgent(store, { mode: "cloud" })));
  for (let i = 0; i < each; i++) await store.acceptInbound(mailFor(made.map((agent) => agent.id)));
  return made.map((agent) => agent.id);
}

/** Multiplies the waiting deliveries. */
function multiplyDeliveries({ engine }: Subject, times: number) {
  const others =
    "user_id, agent_id, event_id, event_type, message_id, endpoint_id, status, attempts, next_attempt_at, created_at";
  return engine.write(function* (): Verb<void> {
    yield* askRaw(
      sql.raw(`
        with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < ${times})
        insert into deliveries (id, ${others}) select id || '-' || n, ${others} from deliveries, numbers`),
    );
  });
}

onEveryDatabase((it) => {
  test("a claim takes what is due, oldest first, and at most its limit; what is taken is not due", async () => {
    await using fresh = await freshSubject(it);
    const { store } = fresh;
    const agent = await addAgent(store, { mode: "cloud" });
    const messages: string[] = [];
    for (const ms of [3, 1, 2, 500]) messages.push((await addMessage(store, agent.id, { receivedAt: later(ms) })).id);
    expect(await store.nextDeliveryDue([])).toEqual(later(1));
    expect(await claim(store, { now: later(0) })).toEqual([]);
    const first = await claim(store, { now: later(3), limit: 2, leaseToken: "mine" });
    expect(first.map((row) => row.messageId).sort()).toEqual([messages[1]!, messages[2]!].sort());
    for (const row of first)
      expect(row).toMatchObject({
        leaseToken: "mine",
        nextAttemptAt: later(3 + LEASE_MS),
        attempts: 0,
        status: "pending",
      });
    const rest = await claim(store, { now: later(3) });
    expect(rest.map((row) => row.messageId)).toEqual([messages[0]!]);
    expect(await claim(store, { now: later(3) })).toEqual([]);
    expect(await store.nextDeliveryDue([])).toEqual(later(500));
    expect(await store.queueState(later(3))).toEqual({ waiting: 4, oldestDueAt: null });
    expect(await store.queueState(later(600))).toEqual({ waiting: 4, oldestDueAt: later(500) });
  });

  for (const claimers of [2, 8])
    test(`${claimers} claimers at once share the work and never overlap`, async () => {
      await using fresh = await freshSubject(it);
      await queue(fresh.store, 10, 12);
      const nodes = await twoNodes(fresh);
      const taken: DeliveryRow[][] = await Promise.all(
        Array.from({ length: claimers }, async (_, c) => {
          const mine: DeliveryRow[] = [];
          // On Postgres a claimer skips the rows that another one has locked, so an empty claim is not the end.
          for (let empty = 0; empty < 20; ) {
            const rows = await claim(nodes[c % 2]!.store, { limit: 3, leaseToken: `claimer ${c}` });
            if (rows.length === 0) empty++;
            mine.push(...rows);
          }
          return mine;
        }),
      );
      const ids = taken.flat().map((row) => row.id);
      expect(ids).toHaveLength(120);
      expect(new Set(ids).size).toBe(120);
      taken.forEach((rows, c) => {
        for (const row of rows) expect(row.leaseToken).toBe(`claimer ${c}`);
      });
    });

  test("busy endpoints are left out and slots are honoured, so one never fills another's claim", async () => {
    await using fresh = await freshSubject(it);
    const { store } = fresh;
    const [dead] = await queue(store, 1, 60);
    const [quick, other] = await queue(store, 2, 3);
    const count = (rows: DeliveryRow[], endpoint?: string) => rows.filter((row) => row.endpointId === endpoint).length;

    const slots = slotsOf(5, { [dead!]: 2 });
    // The dead endpoint's backlog is longer than what a claim looks at first.
    const first = await claim(store, { limit: 4, slots });
    expect([count(first, dead), first.length]).toEqual([2, 4]);
    const second = await claim(store, { limit: 3, slots, busy: [dead!] });
    expect([count(second, dead), second.length]).toEqual([0, 3]);
    const third = await claim(store, { limit: 5, slots, busy: [dead!] });
    expect([count(third, dead), third.length]).toEqual([0, 1]);
    expect(await claim(store, { busy: [dead!, quick!, other!] })).toEqual([]);
    expect(await store.nextDeliveryDue([dead!])).toEqual(later(LEASE_MS));
    expect(await store.nextDeliveryDue([dead!, quick!, other!])).toBeNull();
    expect(await claim(store, { slots: slotsOf(0) })).toEqual([]);
  });

  test("of endpoints that failed last only so many are served in one claim, each with its slots", async () => {
    await using fresh = await freshSubject(it);
    const { store } = fresh;
    const failing = await queue(store, 3, 3);
    const [well] = await queue(store, 1, 3);
    const slots = { ...slotsOf(2), failing: new Set(failing), failingMax: 2 };
    const rows = await claim(store, { limit: 100, slots });
    const counts = failing.map((id) => rows.filter((row) => row.endpointId === id).length);
    expect([counts.toSorted(), rows.filter((row) => row.endpointId === well).length]).toEqual([[0, 2, 2], 2]);
    expect(await claim(store, { slots: { ...slots, failingMax: 0 }, busy: [well!] })).toEqual([]);
  });

  for (const more of [0, 6_000])
    test(`an account has its slots and no more, and hides nobody with ${more} more that wait`, async () => {
      await using fresh = await freshSubject(it);
      const { store } = fresh;
      const one = await addAgent(store, { mode: "cloud" });
      const crowd = [
        one,
        ...(await Promise.all([1, 2, 3].map(() => addAgent(store, { mode: "cloud", userId: one.userId })))),
      ];
      for (let i = 0; i < 15; i++) await store.acceptInbound(mailFor(crowd.map(({ id }) => id)));
      if (more > 0) await multiplyDeliveries(fresh, more / 60);
      const quiet = await addAgent(store, { mode: "cloud" });
      for (const ms of [1, 2]) await addMessage(store, quiet.id, { receivedAt: later(ms) });
      const slots = { ...slotsOf(1_000), accounts: { of: new Map([[one.userId, 3]]), others: 100 } };
      const now = later(2);
      const owners = (rows: DeliveryRow[]) => rows.map(({ userId }) => userId).toSorted();
      const named = await claim(store, { now, slots, named: [...crowd.map(({ id }) => id), quiet.id], limit: 4 });
      expect(owners(named)).toEqual([one.userId, one.userId, one.userId, quiet.userId].toSorted());
      const first = await claim(store, { now, slots, limit: 4 });
      expect(owners(first)).toEqual([one.userId, one.userId, one.userId, quiet.userId].toSorted());
      expect(await claim(store, { now, slots: { ...slots, accounts: { of: new Map(), others: 0 } } })).toEqual([]);
      await addMessage(store, quiet.id, { receivedAt: later(7) });
      const fullAccount = one.userId;
      expect(await claim(store, { now, slots, fullAccount })).toEqual([]);
      expect(await store.nextDeliveryDue([], fullAccount)).toEqual(later(7));
      expect(await store.nextDeliveryDue([crowd[0]!.id], fullAccount)).toEqual(later(7));
      expect(await store.nextDeliveryDue([quiet.id], fullAccount)).toBeNull();
      expect(owners(await claim(store, { now: later(7), slots, fullAccount }))).toEqual([quiet.userId]);
    });

  test("a claim for endpoints that are named takes theirs, the oldest of each first, and within their slots", async () => {
    await using fresh = await freshSubject(it);
    const { store } = fresh;
    const [one, two, other] = await queue(store, 3, 3);
    const older = await addMessage(store, one!, { receivedAt: later(-1) });
    const first = await claim(store, { named: [one!, two!], slots: slotsOf(2, { [one!]: 1 }) });
    expect(first.map((row) => row.endpointId).sort()).toEqual([one!, two!, two!].sort());
    expect(first.find((row) => row.endpointId === one)?.messageId).toBe(older.id);
    expect(await claim(store, { named: [one!, two!], limit: 2 })).toHaveLength(2);
    expect(await claim(store, { named: ["nobody@agents.example"] })).toEqual([]);
    const rest = await claim(store);
    expect(rest).toHaveLength(10 - 3 - 2);
    expect(rest.filter((row) => row.endpointId === other)).toHaveLength(3);
  });

  test("nobody is hidden by the pile of a dead endpoint, and all behind it have their turn", async () => {
    await using fresh = await freshSubject(it);
    const { store } = fresh;
    const [dead] = await queue(store, 1, 1);
    await multiplyDeliveries(fresh, 6_000);
    const live = await Promise.all(Array.from({ length: 10 }, () => addAgent(store, { mode: "cloud" })));
    const ids = live.map((agent) => agent.id);
    for (let i = 0; i < 5; i++) await store.acceptInbound(mailFor(ids, { receivedAt: later(1 + i) }));
    expect(await store.nextDeliveryDue([dead!])).toEqual(later(1));
    expect(await store.nextDeliveryDue([dead!, ...ids])).toBeNull();

    const rows: DeliveryRow[] = [];
    let after = "";
    const claimBehind = async () => {
      const found = await claimFrom(store, { now: later(9), limit: 3, busy: [dead!], slots: slotsOf(1), after });
      after = found.after;
      return found.claimed;
    };
    for (let round = 1; round <= 10; round++) {
      rows.push(...(await claimBehind()));
      // No endpoint is more than one turn ahead of another.
      const served = ids.map((id) => rows.filter((row) => row.endpointId === id).length);
      expect([rows.length, Math.max(...served) - Math.min(...served) <= 1]).toEqual([3 * round, true]);
    }
    // Each endpoint's oldest come first.
    const times = rows.filter((row) => row.endpointId === ids[0]).map((row) => row.createdAt);
    expect(times).toEqual([later(1), later(2), later(3)]);
    while (rows.length < 50) {
      const more = await claimBehind();
      expect(more).not.toEqual([]);
      rows.push(...more);
    }
    expect(await claimBehind()).toEqual([]);
    expect(new Set(rows.map((row) => row.id)).size).toBe(50);
    expect(await store.nextDeliveryDue([dead!])).toEqual(later(9 + LEASE_MS));
  });

  test("a lease that ends gives its work back, and its old holder can record nothing any more", async () => {
    await using fresh = await freshSubject(it);
    const { store } = fresh;
    await queue(store, 1, 1);
    const [old] = await claim(store);
    expect(await claim(store, { now: later(LEASE_MS - 1) })).toEqual([]);
    const [again] = await claim(store, { now: later(LEASE_MS) });
    expect(again?.id).toBe(old!.id);
    for (const step of [{ kind: "succeeded" }, { kind: "failed" }, { kind: "retry", at: noon }] as const)
      expect(await store.finishDelivery(old!, step, attempt(1), later(LEASE_MS))).toBe(false);
    expect((await store.deliveriesOf(old!.messageId!))[0]).toMatchObject({ status: "pending", attempts: 0, tries: [] });

    expect(await store.finishDelivery(again!, { kind: "succeeded" }, attempt(1), later(LEASE_MS + 5))).toBe(true);
    expect(await store.finishDelivery(again!, { kind: "failed" }, attempt(2), later(LEASE_MS + 6))).toBe(false);
    expect((await store.deliveriesOf(old!.messageId!))[0]).toMatchObject({
      status: "succeeded",
      attempts: 1,
      leaseToken: null,
      lastStatus: 503,
      lastError: "HTTP 503",
      finishedAt: later(LEASE_MS + 5),
    });
    expect(await claim(store, { now: later(10 * LEASE_MS) })).toEqual([]);
  });

  test("every attempt is kept; a retry comes back when it is due, a released one as it was", async () => {
    await using fresh = await freshSubject(it);
    const { store } = fresh;
    await queue(store, 1, 1);
    const [first] = await claim(store);
    await store.finishDelivery(first!, { kind: "released", at: later(7) }, null, later(1));
    expect(await claim(store, { now: later(6) })).toEqual([]);
    const [second] = await claim(store, { now: later(7) });
    expect(second).toMatchObject({ attempts: 0, lastStatus: null });
    await store.finishDelivery(second!, { kind: "retry", at: later(5_000) }, attempt(1, later(7)), later(8));
    expect(await claim(store, { now: later(4_999) })).toEqual([]);
    const [third] = await claim(store, { now: later(5_000) });
    expect(third).toMatchObject({ attempts: 1, lastStatus: 503 });
    const failed = { ...attempt(2, later(5_000)), status: null, error: "timed out", answer: null };
    await store.finishDelivery(third!, { kind: "failed" }, failed, later(5_001));
    const [row] = await store.deliveriesOf(first!.messageId!);
    expect(row).toMatchObject({ status: "failed", attempts: 2, lastStatus: null, finishedAt: later(5_001) });
    expect(row!.tries).toEqual([
      { deliveryId: row!.id, ...attempt(1, later(7)) },
      { deliveryId: row!.id, ...failed },
    ]);
  });

  test("work has the message, its bytes, the agent and the secrets, newest first; null when one is gone", async () => {
    const agent = await addAgent(it.store, { mode: "cloud" });
    const message = await addMessage(it.store, agent.id);
    const [delivery] = await it.store.deliveriesOf(message.id);
    const work = await it.store.deliveryWork(delivery!);
    if (work?.content.kind !== "message") throw new Error("no message");
    expect(work.content.mail.message.id).toBe(message.id);
    expect(work.content.mail.raw.toString()).toContain("Hello");
    expect(work.endpoint).toMatchObject({ id: agent.id, url: agent.webhookUrl, failingSince: null });
    expect(work.secrets.map((secret) => secret.userId)).toEqual([agent.userId]);
    await it.store.deleteMessage(agent.id, message.id);
    expect(await it.store.deliveryWork(delivery!)).toBeNull();
    expect(await it.store.finishDelivery(delivery!, { kind: "failed" }, attempt(1), noon)).toBe(false);
  });

  test("the size of what a delivery carries is known without reading it", async () => {
    const agent = await addAgent(it.store, { mode: "cloud" });
    const message = await addMessage(it.store, agent.id);
    const [delivery] = await it.store.deliveriesOf(message.id);
    const work = await it.store.largeDeliveryWork(delivery!);
    if (work?.content.kind !== "message") throw new Error("no message");
    const { raw, content } = work.content.mail;
    const bytes = raw.byteLength + Buffer.byteLength(JSON.stringify(content));
    expect(await it.store.deliveryBytes(delivery!)).toBe(bytes);
    expect(await it.store.deliveryBytes({ messageId: null })).toBe(0);
    expect(await it.store.deliveryBytes({ messageId: "msg_gone" })).toBe(0);
  });

  test("a lease can be made longer by its holder only", async () => {
    await using fresh = await freshSubject(it);
    const { store } = fresh;
    const agent = await addAgent(store, { mode: "cloud" });
    await addMessage(store, agent.id);
    const claim = async (at: number) => {
      const leased = { now: later(at), leaseUntil: later(at + 100), leaseToken: `at-${at}`, limit: 1, busy: [] };
      const slots = { of: new Map(), others: 1, failing: new Set<string>(), failingMax: 1 };
      return (await store.claimDueDeliveries({ ...leased, slots })).claimed;
    };
    const [first] = await claim(1_000);
    expect(await store.renewDelivery(first!, later(5_000))).toBe(true);
    expect(await claim(4_999)).toEqual([]);
    expect(await claim(5_000)).toHaveLength(1);
    expect(await store.renewDelivery(first!, later(9_000))).toBe(false);
    expect(await claim(5_100)).toHaveLength(1);
  });

  test("pausing freezes what waits and what comes; un-pausing makes it due at once", async () => {
    await using fresh = await freshSubject(it);
    const { store } = fresh;
    const [paused, other] = await queue(store, 2, 2);
    const heard: string[] = [];
    store.onSignal((signal) => heard.push(signal.topic));
    await store.updateAgent(paused!, { paused: true }, noon);
    await store.acceptInbound(mailFor(paused!));
    const first = await claim(store);
    expect(first.map((row) => row.endpointId)).toEqual([other!, other!]);
    expect(await store.nextDeliveryDue([])).toEqual(later(LEASE_MS));
    expect((await store.queueState(noon)).waiting).toBe(2);

    heard.length = 0;
    await store.updateAgent(paused!, { paused: false }, later(100));
    expect(heard).toContain("deliveries");
    expect(await store.nextDeliveryDue([])).toEqual(later(100));
    const second = await claim(store, { now: later(100) });
    expect(second.map((row) => row.endpointId)).toEqual([paused!, paused!, paused!]);
  });

  test("what is in hand while its agent is paused stays with its holder, also when it is un-paused", async () => {
    await using fresh = await freshSubject(it);
    const { store } = fresh;
    const [agent] = await queue(store, 1, 2);
    const [inHand] = await claim(store, { limit: 1 });
    await store.updateAgent(agent!, { paused: true }, later(1));
    await store.updateAgent(agent!, { paused: false }, later(2));
    const others = await claim(store, { now: later(2) });
    expect(others).toHaveLength(1);
    expect(others[0]!.id).not.toBe(inHand!.id);
    // A retry recorded during the pause waits for its end.
    await store.updateAgent(agent!, { paused: true }, later(3));
    expect(await store.finishDelivery(inHand!, { kind: "retry", at: later(10) }, attempt(1), later(4))).toBe(true);
    expect(await store.finishDelivery(others[0]!, { kind: "succeeded" }, attempt(1), later(4))).toBe(true);
    expect(await claim(store, { now: later(100) })).toEqual([]);
    await store.updateAgent(agent!, { paused: false }, later(100));
    expect((await claim(store, { now: later(100) })).map((row) => row.id)).toEqual([inHand!.id]);
  });

  test("pausing and un-pausing at once leaves no delivery in the other state", async () => {
    await using fresh = await freshSubject(it);
    const nodes = await twoNodes(fresh);
    const [agent] = await queue(fresh.store, 1, 5);
    for (let round = 0; round < 10; round++) {
      await Promise.all(
        [true, false, true, false].map((paused, i) => nodes[i % 2]!.store.updateAgent(agent!, { paused }, noon)),
      );
      const { paused } = (await fresh.store.getAgent(agent!))!;
      expect((await fresh.store.queueState(noon)).waiting).toBe(paused ? 0 : 5);
    }
  });

  test("a change that would leave a cloud agent without a webhook is undone", async () => {
    const agent = await addAgent(it.store);
    const errors = [{ field: "webhook_url", message: "is required for a cloud agent" }];
    await expect(it.store.updateAgent(agent.id, { name: "new", mode: "cloud" }, noon)).rejects.toMatchObject({
      ...{ code: "invalid_request", details: { errors } },
    });
    expect(await it.store.getAgent(agent.id)).toMatchObject({ name: "Bot", mode: "local" });
    expect((await it.store.updateAgent(agent.id, {}, noon))?.name).toBe("Bot");
    expect(await it.store.updateAgent("nobody@agents.example", { name: "x" }, noon)).toBeNull();
  });

  test("leases of a dead process are given back at once", async () => {
    await using fresh = await freshSubject(it);
    const { store } = fresh;
    await queue(store, 1, 3);
    const held = await claim(store, { limit: 2 });
    await store.takeOver(later(1));
    expect(await store.finishDelivery(held[0]!, { kind: "succeeded" }, null, later(1))).toBe(false);
    expect(await claim(store, { now: later(1) })).toHaveLength(3);
  });

  test("a lease on what was paused meanwhile is given back at start as well: let go on, it is due at once", async () => {
    await using fresh = await freshSubject(it);
    const { store } = fresh;
    const [agent] = await queue(store, 1, 1);
    await claim(store);
    await store.updateAgent(agent!, { paused: true }, later(1));
    await store.takeOver(later(2));
    await store.updateAgent(agent!, { paused: false }, later(3));
    expect(await claim(store, { now: later(3) })).toHaveLength(1);
  });

  test("a sweep deletes finished deliveries that are old, with their attempts, and no others", async () => {
    await using fresh = await freshSubject(it);
    const { store } = fresh;
    await queue(store, 1, 3);
    const [a, b, c] = await claim(store);
    await store.finishDelivery(a!, { kind: "succeeded" }, attempt(1), later(1));
    await store.finishDelivery(b!, { kind: "failed" }, attempt(1), later(2));
    await store.sweep({ now: noon, messagesBefore: null, deliveriesBefore: null, idempotencyBefore: noon });
    expect(await countRows(fresh, ["deliveries", "events"])).toMatchObject({ deliveries: 3, events: 3 });
    await store.sweep({ now: noon, messagesBefore: null, deliveriesBefore: later(2), idempotencyBefore: noon });
    // Events are as old as their messages, which came at noon; an event with a waiting delivery is kept.
    expect(await countRows(fresh, ["deliveries", "events"])).toMatchObject({ deliveries: 2, events: 1 });
    expect(await store.deliveriesOf(a!.messageId!)).toEqual([]);
    for (const kept of [b!, c!]) expect(await store.deliveriesOf(kept.messageId!)).toHaveLength(1);
  });

  test("a sweep keeps what waits for a paused agent, however long ago its mail came", async () => {
    await using fresh = await freshSubject(it);
    const { store } = fresh;
    const agent = await addAgent(store, { mode: "cloud" });
    const message = await addMessage(store, agent.id);
    await store.updateAgent(agent.id, { paused: true }, noon);
    await store.sweep({ now: noon, messagesBefore: null, deliveriesBefore: later(1), idempotencyBefore: noon });
    await store.updateAgent(agent.id, { paused: false }, later(2));
    expect(await claim(store, { now: later(2) })).toMatchObject([{ messageId: message.id }]);
  });
});
