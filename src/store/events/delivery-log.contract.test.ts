import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { addAccount, addAgent, addMessage, later, noon } from "../../../test/store/rows.ts";
import { onDatabases, onEveryDatabase, twoNodes } from "../../../test/store/stores.ts";
import { rejection } from "../../../test/store/verbs.ts";
import { ask, type Verb } from "../engine/engine.ts";
import type { AgentRow, DeliveryRow } from "../schema.ts";
import type { Store } from "../store.ts";
import type { DeliveryStep } from "./deliveries.ts";
import { type DeliveryFilter, type DeliveryOwner, listDeliveries } from "./delivery-log.ts";

const whole = (agent: AgentRow): DeliveryOwner => ({ userId: agent.userId, agentId: null });
const only = (agent: AgentRow): DeliveryOwner => ({ userId: agent.userId, agentId: agent.id });

/** The deliveries of a new message, newest first. */
async function deliver(store: Store, agent: AgentRow): Promise<DeliveryRow> {
  const message = await addMessage(store, agent.id);
  return (await store.deliveriesOf(message.id))[0] as DeliveryRow;
}

/** Makes one attempt at a delivery as a worker does. */
async function attempt(store: Store, delivery: DeliveryRow, step: DeliveryStep, at = later(10)): Promise<void> {
  const rows = await claim(store);
  const held = rows.find((row) => row.id === delivery.id);
  for (const row of rows) if (row !== held) await store.finishDelivery(row, { kind: "released", at: noon }, null, at);
  const number = (held?.attempts ?? 0) + 1;
  const tried = { attempt: number, startedAt: at, durationMs: 12, status: 503, error: null, answer: "try later" };
  expect(await store.finishDelivery(held!, step, tried, at)).toBe(true);
}

/** Claims everything that is due; the tests here share a database without a worker. */
async function claim(store: Store): Promise<DeliveryRow[]> {
  const input = { now: later(1_000), leaseUntil: later(1_001), leaseToken: crypto.randomUUID(), limit: 1_000 };
  const slots = { of: new Map(), others: 1_000, failing: new Set<string>(), failingMax: 0 };
  return (await store.claimDueDeliveries({ ...input, busy: [], slots })).claimed;
}

const failed = { kind: "failed" } as const;
const all = { limit: 100 };

onEveryDatabase((it) => {
  test("an account sees the deliveries of its agents, newest first and page by page; an agent only its own", async () => {
    const { store } = it;
    const { id: userId } = await addAccount(store);
    const one = await addAgent(store, { userId, mode: "cloud" });
    const two = await addAgent(store, { userId, mode: "cloud" });
    const stranger = await addAgent(store, { mode: "cloud" });
    const made: DeliveryRow[] = [];
    for (const agent of [one, two, one, two, one]) made.push(await deliver(store, agent));
    const foreign = await deliver(store, stranger);
    await attempt(store, made[2]!, failed);

    const ids = async (...[owner, page]: Parameters<Store["listDeliveries"]>) =>
      (await store.listDeliveries(owner, page)).map(({ delivery }) => made.findIndex(({ id }) => id === delivery.id));
    expect(await ids(whole(one), all)).toEqual([4, 3, 2, 1, 0]);
    expect(await ids(whole(one), { limit: 2 })).toEqual([4, 3]);
    expect(await ids(whole(one), { limit: 2, after: made[3]!.id })).toEqual([2, 1]);
    expect(await ids(only(two), all)).toEqual([3, 1]);
    expect(await ids(whole(one), { ...all, status: "failed" })).toEqual([2]);
    expect(await ids(only(one), { ...all, status: "pending" })).toEqual([4, 0]);
    // A filter only narrows what its owner sees.
    const { eventId } = made[3]!;
    for (const filter of [{ endpointId: two.id }, { agentId: two.id }, { eventId }])
      expect({ filter, found: await ids(only(one), { ...all, ...filter }) }).toEqual({ filter, found: [] });
    expect(await ids(whole(one), { ...all, eventId })).toEqual([3]);
    expect(await ids(whole(one), { ...all, eventId, endpointId: one.id })).toEqual([]);
    expect((await store.listDeliveries(only(two), all))[0]).toEqual({
      ...{ delivery: expect.objectContaining({ id: made[3]!.id, agentId: two.id }), url: "https://hooks.example/in" },
    });

    expect((await store.getDelivery(only(one), made[2]!.id))?.tries).toEqual([
      {
        ...{ deliveryId: made[2]!.id, attempt: 1, startedAt: later(10), durationMs: 12 },
        ...{ status: 503, error: null, answer: "try later" },
      },
    ]);
    expect(await store.getDelivery(only(two), made[2]!.id)).toBeNull();
    for (const verb of [store.getDelivery, (...[o, id]: [DeliveryOwner, string]) => store.redeliver(o, id, noon)])
      expect([await verb(whole(one), foreign.id), await verb(only(one), made[1]!.id)]).toEqual([null, null]);
  });

  for (const kind of ["succeeded", "failed"] as const)
    test(`redelivering what ${kind} makes a new delivery of the same event, once until that is finished`, async () => {
      const { store } = it;
      const agent = await addAgent(store, { mode: "cloud" });
      const old = await deliver(store, agent);
      await attempt(store, old, { kind });
      const heard: string[] = [];
      const stop = it.engine.onSignal(({ topic }) => heard.push(topic));
      const fresh = (await store.redeliver(whole(agent), old.id, later(100)))!;
      stop();
      expect(heard).toContain("deliveries");
      expect(fresh.delivery).toMatchObject({
        ...{ eventId: old.eventId, messageId: old.messageId, endpointId: agent.id },
        ...{ status: "pending", attempts: 0, nextAttemptAt: later(100), createdAt: later(100), finishedAt: null },
      });
      expect(fresh.delivery.id > old.id).toBe(true);
      const more = await Promise.all(
        [old.id, fresh.delivery.id].map((id) => store.redeliver(only(agent), id, later(101))),
      );
      expect(more.map((row) => row?.delivery.id)).toEqual([fresh.delivery.id, fresh.delivery.id]);
      expect(await store.getDelivery(whole(agent), old.id)).toMatchObject({
        ...{ delivery: { status: kind, attempts: 1 }, tries: [{ attempt: 1 }] },
      });
      await attempt(store, fresh.delivery, { kind: "succeeded" });
      expect((await store.redeliver(whole(agent), old.id, later(102)))?.delivery.id).not.toBe(fresh.delivery.id);
      expect(await store.listDeliveries(whole(agent), all)).toHaveLength(3);
    });

  test("redelivering what waits makes it due with its attempts; what is in hand or paused stays as it is", async () => {
    const { store } = it;
    const agent = await addAgent(store, { mode: "cloud" });
    const delivery = await deliver(store, agent);
    await attempt(store, delivery, { kind: "retry", at: later(99_000) });
    const redeliver = async () => (await store.redeliver(whole(agent), delivery.id, later(500)))?.delivery;
    expect(await redeliver()).toMatchObject({
      id: delivery.id,
      status: "pending",
      attempts: 1,
      nextAttemptAt: later(500),
    });
    expect((await claim(store)).map((row) => row.id)).toContain(delivery.id);
    expect(await redeliver()).toMatchObject({ id: delivery.id, nextAttemptAt: later(1_001) });
    await store.updateAgent(agent.id, { paused: true }, noon);
    expect(await redeliver()).toMatchObject({ id: delivery.id, status: "paused" });
    expect(await store.listDeliveries(whole(agent), all)).toHaveLength(1);
  });

  test("of an agent without a webhook nothing is delivered again; of a paused one, when it goes on", async () => {
    const { store } = it;
    const agent = await addAgent(store, { mode: "cloud" });
    const delivery = await deliver(store, agent);
    await attempt(store, delivery, failed);
    await store.updateAgent(agent.id, { mode: "local" }, noon);
    expect(await rejection(store.redeliver(whole(agent), delivery.id, noon))).toMatchObject({ code: "conflict" });
    expect(await store.redeliverFailed(whole(agent), { since: noon, limit: 100, now: noon })).toBe(0);
    expect((await store.getDelivery(whole(agent), delivery.id))?.url).toBeNull();
    await store.updateAgent(agent.id, { mode: "cloud", paused: true }, noon);
    const fresh = (await store.redeliver(whole(agent), delivery.id, noon))!.delivery;
    expect(fresh.status).toBe("paused");
    await store.updateAgent(agent.id, { paused: false }, later(7));
    expect((await store.getDelivery(whole(agent), fresh.id))?.delivery).toMatchObject({
      ...{ status: "pending", nextAttemptAt: later(7) },
    });
  });

  test("what failed since a time is delivered again, each event once, oldest first", async () => {
    const { store } = it;
    const { id: userId } = await addAccount(store);
    const one = await addAgent(store, { userId, mode: "cloud" });
    const two = await addAgent(store, { userId, mode: "cloud" });
    const stranger = await addAgent(store, { mode: "cloud" });
    const made: DeliveryRow[] = [];
    for (const agent of [one, one, two, one, stranger]) made.push(await deliver(store, agent));
    const [early, late, others, done, foreign] = made as [DeliveryRow, ...DeliveryRow[]];
    await attempt(store, early, failed, later(10));
    for (const row of [late, others, foreign]) await attempt(store, row!, failed, later(20));
    await attempt(store, done!, { kind: "succeeded" }, later(20));

    expect(await store.redeliverFailed(only(one), { since: later(20), limit: 100, now: later(30) })).toBe(1);
    expect(await store.redeliverFailed(whole(one), { since: later(20), limit: 100, now: later(30) })).toBe(1);
    expect(await store.redeliverFailed(whole(one), { since: later(20), limit: 100, now: later(30) })).toBe(0);
    expect(await store.redeliverFailed(whole(one), { since: later(10), limit: 100, now: later(30) })).toBe(1);
    const fresh = await store.listDeliveries(whole(one), { ...all, status: "pending" });
    expect(fresh.map(({ delivery }) => delivery.eventId)).toEqual([early, others!, late!].map((row) => row.eventId));
    // A repeated failure counts; the delivery it was repeated from does not.
    await attempt(store, fresh[0]!.delivery, failed, later(40));
    expect(await store.redeliverFailed(whole(one), { since: noon, limit: 100, now: later(50) })).toBe(1);
  });

  test("several at once make one new delivery of each event, and no more than they may", async () => {
    const { store } = it;
    const agent = await addAgent(store, { mode: "cloud" });
    const made: DeliveryRow[] = [];
    for (let i = 0; i < 5; i++) made.push(await deliver(store, agent));
    for (const row of made) await attempt(store, row, failed);
    const nodes = await twoNodes(it);
    const race = <R>(run: (store: Store) => Promise<R>) =>
      Promise.all(Array.from({ length: 8 }, (_, n) => run(nodes[n % 2]!.store)));
    const single = await race((node) => node.redeliver(whole(agent), made[4]!.id, later(20)));
    expect(new Set(single.map((row) => row?.delivery.id)).size).toBe(1);
    const counts = await race((node) => node.redeliverFailed(whole(agent), { since: noon, limit: 3, now: later(30) }));
    expect(counts.sort().reverse()).toEqual([3, 1, 0, 0, 0, 0, 0, 0]);
    expect(await store.listDeliveries(whole(agent), all)).toHaveLength(10);
  });
});

onDatabases(
  (database) => database.name === "SQLite file",
  (it) => {
    test("a page of deliveries is read in the order of an index, whoever asks for what", async () => {
      const agent = await addAgent(it.store, { mode: "cloud" });
      await deliver(it.store, agent);
      using file = new Database(it.place.location);
      const cases: [owner: DeliveryOwner, filter: DeliveryFilter, index: string][] = [
        [only(agent), {}, "deliveries_log (endpoint_id=? AND id<?)"],
        [only(agent), { status: "failed" }, "deliveries_endpoint (endpoint_id=? AND status=? AND id<?)"],
        [whole(agent), {}, "deliveries_user (user_id=? AND id<?)"],
        [whole(agent), { status: "failed" }, "deliveries_open (user_id=? AND id<?)"],
        [whole(agent), { endpointId: agent.id }, "deliveries_log (endpoint_id=? AND id<?)"],
        [whole(agent), { agentId: agent.id }, "deliveries_agent (agent_id=? AND id<?)"],
      ];
      for (const [owner, filter, index] of cases) {
        const page = { ...all, after: "dlv_f", ...filter };
        const statement = await it.engine.read(function* (s): Verb<string> {
          const query = listDeliveries(s, owner, page).next().value as unknown as { toSQL(): { sql: string } };
          yield* ask(s.db.select().from(s.t.meta));
          return query.toSQL().sql;
        });
        const plan = file.query(`EXPLAIN QUERY PLAN ${statement}`).all() as { detail: string }[];
        expect(plan.map((row) => row.detail)).toEqual([`SEARCH deliveries USING INDEX ${index}`]);
      }
    });
  },
);
