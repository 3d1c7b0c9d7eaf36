/**
 * Checks webhook deliveries against a model: after any sequence of operations, every answer and every row match the
 * model, and each claim takes the oldest rows it can.
 */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { addAccount, addAgent, later, mailFor, noon } from "../../../test/store/rows.ts";
import { onDatabases, unique } from "../../../test/store/stores.ts";
import { holds, step } from "../../../test/support/property.ts";
import type { DeliveryRow } from "../schema.ts";
import type { Store } from "../store.ts";
import type { DeliveryStep } from "./deliveries.ts";

const LEASE_MS = 45_000;
/** Rows that a claim looks at for each row it wants: with no more due than that, it finds everything it can take. */
const LOOKED_AT = 4;

interface Row {
  id: string;
  eventId: string;
  endpoint: number;
  /** `waiting`: pending, or paused with its endpoint. */
  status: "waiting" | "succeeded" | "failed";
  attempts: number;
  at: number;
  lease: string | null;
  finishedAt: number | null;
}
interface Model {
  now: number;
  /** Two agents, then the account's webhook. */
  frozen: [boolean, boolean, boolean];
  failing: Set<number>;
  rows: Row[];
  /** Every lease ever given, including ended ones. */
  leases: { row: Row; token: string }[];
}
interface World {
  store: Store;
  userId: string;
  endpoints: string[];
}

const all = (userId: string) => ({ userId, agentId: null });
const statusOf = (model: Model, { status, endpoint }: Row): DeliveryRow["status"] =>
  status !== "waiting" ? status : model.frozen[endpoint] ? "paused" : "pending";
const pendingRows = (model: Model) => model.rows.filter((row) => statusOf(model, row) === "pending");
const earliest = (rows: Row[]) => (rows.length > 0 ? Math.min(...rows.map(({ at }) => at)) : null);

/** Everything visible of the queue matches the model. */
async function compare(model: Model, { store, userId, endpoints }: World): Promise<void> {
  const listed = await store.listDeliveries(all(userId), { limit: 1_000 });
  expect(listed.map(({ delivery }) => seen(delivery))).toEqual(
    model.rows
      .toSorted((a, b) => (a.id < b.id ? 1 : -1))
      .map((row) => ({
        ...{
          id: row.id,
          endpoint: endpoints[row.endpoint] ?? "",
          status: statusOf(model, row),
          attempts: row.attempts,
        },
        ...{ lease: row.lease, at: row.status === "waiting" ? row.at : null, finishedAt: row.finishedAt },
      })),
  );
  const pending = pendingRows(model);
  const due = earliest(pending);
  const oldestDueAt = due !== null && due <= later(model.now).getTime() ? new Date(due) : null;
  expect(await store.queueState(later(model.now))).toEqual({ waiting: pending.length, oldestDueAt });
  for (const busy of endpoints)
    expect((await store.nextDeliveryDue([busy]))?.getTime() ?? null).toBe(
      earliest(pending.filter(({ endpoint }) => endpoints[endpoint] !== busy)),
    );
  const failing = await store.failingEndpoints();
  expect(failing.toSorted()).toEqual([...model.failing].map((endpoint) => endpoints[endpoint] ?? "").toSorted());
}

function seen(row: DeliveryRow) {
  const isWaiting = row.status === "pending" || row.status === "paused";
  return {
    ...{ id: row.id, endpoint: row.endpointId, status: row.status, attempts: row.attempts, lease: row.leaseToken },
    ...{ at: isWaiting ? row.nextAttemptAt.getTime() : null, finishedAt: row.finishedAt?.getTime() ?? null },
  };
}

/** Adds a row that the store has made to the model. */
function adopt(model: Model, { endpoints }: World, made: DeliveryRow): void {
  const { id, eventId, endpointId } = made;
  const endpoint = endpoints.indexOf(endpointId);
  const at = later(model.now).getTime();
  const fresh = { status: "waiting" as const, attempts: 0, lease: null, finishedAt: null };
  model.rows.push({ id, eventId, endpoint, at, ...fresh });
}

const command = <Given>(
  name: string,
  given: fc.Arbitrary<Given>,
  run: (given: Given, model: Model, world: World) => Promise<void>,
) =>
  step<Model, World, Given>(name, given, async (value, model, world) => {
    await run(value, model, world);
    await compare(model, world);
  });

/** Counted from the newest, which is usually the interesting one. */
const which = fc.oneof(fc.constant(0), fc.nat(3), fc.nat(20));
const chosen = <T>(list: T[], index: number): T | undefined => list.at(-1 - (index % Math.max(1, list.length)));

const accept = command("accept", fc.subarray([0, 1], { minLength: 1 }), async (agents, model, world) => {
  const { store, userId, endpoints } = world;
  model.now++;
  const mailboxes = agents.map((n) => endpoints[n] ?? "");
  await store.acceptInbound(mailFor(mailboxes, { receivedAt: later(model.now) }));
  const listed = await store.listDeliveries(all(userId), { limit: 1_000 });
  const made = listed.filter(({ delivery }) => !model.rows.some(({ id }) => id === delivery.id));
  // One delivery for each agent's own webhook, and one to the account's webhook for each agent.
  const wanted = [...mailboxes, ...agents.map(() => endpoints[2] ?? "")];
  expect(made.map(({ delivery }) => delivery.endpointId).toSorted()).toEqual(wanted.toSorted());
  for (const { delivery } of made) adopt(model, world, delivery);
});

const free = fc.constantFrom(2, 1, 4, 0);
const claim = command(
  "claim",
  fc.record({
    limit: fc.integer({ min: 1, max: 6 }),
    slots: fc.tuple(free, free, free),
    busy: fc.constantFrom<number[]>([], [], [], [0], [2], [0, 1]),
    failingMax: fc.constantFrom(1, 1, 3, 0),
    named: fc.option(fc.subarray([0, 1, 2], { minLength: 1 }), { freq: 3 }),
  }),
  async ({ limit, slots, busy, failingMax, named }, model, { store, endpoints }) => {
    const [now, token] = [later(model.now), unique("lease")];
    const nameOf = (endpoint: number) => endpoints[endpoint] ?? "";
    const { claimed } = await store.claimDueDeliveries({
      ...{ now, leaseUntil: later(model.now + LEASE_MS), leaseToken: token, limit, busy: busy.map(nameOf) },
      slots: {
        ...{ of: new Map(slots.map((free, endpoint) => [nameOf(endpoint), free])), others: 0 },
        ...{ failing: new Set([...model.failing].map(nameOf)), failingMax },
      },
      ...(named ? { named: named.map(nameOf) } : {}),
    });
    const due = pendingRows(model).filter(({ at }) => at <= now.getTime());
    const may = (endpoint: number) =>
      busy.includes(endpoint) || (named && !named.includes(endpoint)) ? 0 : (slots[endpoint] ?? 0);
    const taken = claimed.map(({ id }) => due.find((row) => row.id === id) as Row);
    const of = (rows: Row[], endpoint: number) => rows.filter((row) => row.endpoint === endpoint);
    // A row that is not due or is leased must not be claimed: it would leave a hole in `taken`.
    expect([taken.includes(undefined as never), new Set(taken).size]).toEqual([false, claimed.length]);
    expect(taken.length).toBeLessThanOrEqual(limit);
    const failingServed = [...model.failing].filter((endpoint) => of(taken, endpoint).length > 0);
    expect(failingServed.length).toBeLessThanOrEqual(failingMax);
    for (const endpoint of endpoints.keys()) {
      const [mine, left] = [of(taken, endpoint), of(due, endpoint).filter((row) => !taken.includes(row))];
      expect(mine.length).toBeLessThanOrEqual(may(endpoint));
      if (mine.length > 0 && left.length > 0)
        expect(Math.max(...mine.map(({ at }) => at))).toBeLessThanOrEqual(earliest(left) as number);
    }
    const healthy = [0, 1, 2].filter((endpoint) => !model.failing.has(endpoint) || failingMax === 3);
    const possible = healthy
      .map((endpoint) => Math.min(may(endpoint), of(due, endpoint).length))
      .reduce((a, b) => a + b, 0);
    if (due.length <= LOOKED_AT * limit) expect(taken.length).toBeGreaterThanOrEqual(Math.min(limit, possible));
    for (const row of taken) {
      Object.assign(row, { lease: token, at: now.getTime() + LEASE_MS });
      model.leases.push({ row, token });
    }
  },
);

const kinds = fc.constantFrom<DeliveryStep["kind"]>("succeeded", "retry", "failed", "released");
const finish = command(
  "finish",
  fc.record({ which, kind: kinds, ms: fc.constantFrom(0, 1_000, 90_000) }),
  async (given, model, world) => {
    const lease = chosen(model.leases, given.which);
    if (!lease) return;
    const { row, token } = lease;
    const { kind } = given;
    const [now, at] = [later(model.now), later(model.now + given.ms)];
    const isTried = kind !== "released";
    const attempt = { attempt: row.attempts + 1, startedAt: now, durationMs: 12, status: 503, error: null, answer: "" };
    const delivery = { id: row.id, leaseToken: token, endpointId: world.endpoints[row.endpoint] ?? "" };
    const came: DeliveryStep = kind === "retry" || kind === "released" ? { kind, at } : { kind };
    const news = kind === "succeeded" ? { kind: "healthy" as const } : { kind: "failing" as const, disable: null };
    const isOurs = row.lease === token && model.rows.includes(row);
    expect(await world.store.finishDelivery(delivery, came, isTried ? attempt : null, now, isTried ? news : null)).toBe(
      isOurs,
    );
    if (!isOurs) return;
    row.lease = null;
    if (isTried) row.attempts++;
    if (kind === "succeeded" || kind === "failed") Object.assign(row, { status: kind, finishedAt: now.getTime() });
    else row.at = at.getTime();
    if (kind === "succeeded") model.failing.delete(row.endpoint);
    // A switched-off endpoint is not watched.
    else if (isTried && !(row.endpoint === 2 && model.frozen[2])) model.failing.add(row.endpoint);
  },
);

const drop = command("drop", which, async (index, model, { store }) => {
  const lease = chosen(model.leases, index);
  if (!lease) return;
  await store.dropDelivery({ id: lease.row.id, leaseToken: lease.token });
  if (lease.row.lease === lease.token) model.rows = model.rows.filter((row) => row !== lease.row);
});

const advance = command("advance", fc.constantFrom(1, 1_000, 45_000, 3_600_000), async (ms, model) => {
  model.now += ms;
});

const freeze = command("freeze", fc.tuple(fc.nat(2), fc.boolean()), async ([endpoint, isFrozen], model, world) => {
  const { store, userId, endpoints } = world;
  const [id, now] = [endpoints[endpoint] ?? "", later(model.now)];
  if (endpoint === 2) await store.updateWebhook(userId, id, { isEnabled: !isFrozen }, now);
  else await store.updateAgent(id, { paused: isFrozen }, now);
  if (model.frozen[endpoint] && !isFrozen) {
    // An endpoint that was switched off and on again is healthy until it fails.
    if (endpoint === 2) model.failing.delete(2);
    for (const row of model.rows)
      if (row.endpoint === endpoint && row.status === "waiting" && row.lease === null) row.at = now.getTime();
  }
  model.frozen[endpoint] = isFrozen;
});

const redeliver = command("redeliver", which, async (index, model, world) => {
  const row = chosen(model.rows, index);
  if (!row) return;
  const answer = await world.store
    .redeliver(all(world.userId), row.id, later(model.now))
    .catch(({ code }: { code: string }) => code);
  if (row.endpoint === 2 && model.frozen[2]) return expect(answer).toBe("conflict");
  if (answer === null || typeof answer === "string") throw new Error(`${answer}`);
  const mates = model.rows.filter(({ eventId, endpoint }) => eventId === row.eventId && endpoint === row.endpoint);
  const waiting = mates.find(({ status }) => status === "waiting");
  if (!waiting) return adopt(model, world, answer.delivery);
  expect(answer.delivery.id).toBe(waiting.id);
  if (waiting.lease === null && statusOf(model, waiting) === "pending") waiting.at = later(model.now).getTime();
});

const takeOver = command("takeOver", fc.constant(null), async (_, model, { store }) => {
  await store.takeOver(later(model.now));
  for (const row of model.rows)
    if (row.lease !== null) Object.assign(row, { lease: null, at: later(model.now).getTime() });
});

const steps = fc.commands(
  [
    ...[accept, accept, claim, claim, claim, claim, finish, finish, finish, finish],
    ...[drop, advance, advance, freeze, freeze, redeliver, takeOver],
  ],
  { maxCommands: 50, size: "max" },
);

onDatabases(
  ({ name }) => name !== "SQLite file",
  (it) => {
    test("webhook deliveries are as their model, whatever is asked of them", async () => {
      const { store } = it;
      const run = async (commands: Iterable<fc.AsyncCommand<Model, World>>) => {
        const { id: userId } = await addAccount(store);
        const agents = [
          await addAgent(store, { userId, mode: "cloud" }),
          await addAgent(store, { userId, mode: "cloud" }),
        ];
        const about = {
          url: "https://hooks.example/all",
          events: ["message.received" as const],
          agents: [],
          description: "",
        };
        const webhook = await store.createWebhook({ userId, ...about }, noon);
        const endpoints = [...agents.map(({ id }) => id), webhook.id];
        const model: Model = { now: 0, frozen: [false, false, false], failing: new Set(), rows: [], leases: [] };
        try {
          await fc.asyncModelRun(() => ({ model, real: { store, userId, endpoints } }), commands);
        } finally {
          await store.deleteAccount(userId, later(model.now));
        }
      };
      await holds(fc.asyncProperty(steps, run), { share: it.place.dialect === "sqlite" ? 0.4 : 0.06 });
    });
  },
);
