import { expect, test } from "bun:test";
import { systemClock, TestClock } from "../../util/clock.ts";
import { createScheduler, createSlots, type Party, type Scheduler } from "./scheduler.ts";

const client = (address: string, connection = "1"): Party => ({ lane: "client", address, connection });
const probe: Party = { lane: "probe", address: "load balancer", connection: "1" };

/** Keeps the thread busy: turns requested later in this round have to wait. */
async function useUp(scheduler: Scheduler): Promise<void> {
  while (scheduler.waiting === 0) void scheduler.take(client("busy"));
}

/** Requests turns in this order, all in one round, and returns the order in which they came. */
async function order(asked: [name: string, party: Party][]): Promise<string> {
  const scheduler = createScheduler(() => 0);
  await useUp(scheduler);
  const came: string[] = [];
  await Promise.all(asked.map(([name, party]) => scheduler.take(party).then(() => came.push(name))));
  return came.join(" ");
}

test("the turns of one connection come in their order", async () => {
  const one = client("a");
  expect(
    await order([
      ["1", one],
      ["2", one],
      ["3", one],
    ]),
  ).toBe("1 2 3");
});

test("turns go round the addresses, whatever each has asked for", async () => {
  expect(
    await order([
      ["a1", client("a")],
      ["a2", client("a")],
      ["a3", client("a")],
      ["b1", client("b")],
    ]),
  ).toBe("a1 b1 a2 a3");
});

test("turns of an address go round its connections", async () => {
  expect(
    await order([
      ["1.1", client("a", "1")],
      ["1.2", client("a", "1")],
      ["1.3", client("a", "1")],
      ["2.1", client("a", "2")],
      ["other", client("b")],
    ]),
  ).toBe("1.1 other 2.1 1.2 1.3");
});

test("a probe waits for one client at most, however many there are", async () => {
  const crowd = Array.from({ length: 100 }, (_, i): [string, Party] => [`${i}`, client(`${i}`)]);
  const came = (await order([...crowd, ["probe", probe]])).split(" ");
  expect(came.indexOf("probe")).toBeLessThanOrEqual(1);
});

test("while nothing waits, some turns come at once; the event loop comes round before any further one", async () => {
  const scheduler = createScheduler(() => 0);
  let rounds = 0;
  let isOver = false;
  const count = () => {
    rounds++;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  const seen: number[] = [];
  await Promise.all(Array.from({ length: 20 }, () => scheduler.take(client("a")).then(() => seen.push(rounds))));
  isOver = true;
  expect(seen[0]).toBe(0);
  // Each turn that had to wait came in a different round.
  const waited = seen.filter((round) => round > 0);
  expect(waited.length).toBeGreaterThan(0);
  expect(new Set(waited).size).toBe(waited.length);
});

test("a turn that took long ends the round", async () => {
  let now = 0;
  const scheduler = createScheduler(() => now);
  await scheduler.take(client("a"));
  now += 1_000;
  let hasCome = false;
  const next = scheduler.take(client("a")).then(() => {
    hasCome = true;
  });
  for (let i = 0; i < 100; i++) await null;
  expect(hasCome).toBe(false);
  await next;
});

test("few works run at a time, and a party that has many waits longer than one that has one", async () => {
  const slots = createSlots(2, systemClock);
  const gates = Array.from({ length: 5 }, () => Promise.withResolvers<void>());
  const began: string[] = [];
  const run = (name: string, party: Party, gate: number) =>
    slots(party, async () => {
      began.push(name);
      await gates[gate]?.promise;
    });
  const all = [
    run("a1", client("a"), 0),
    run("a2", client("a"), 1),
    run("a3", client("a"), 2),
    run("a4", client("a"), 3),
    run("b1", client("b"), 4),
  ];
  expect(began).toEqual(["a1", "a2"]);
  gates[0]?.reject(new Error("it failed"));
  await expect(all[0] as Promise<void>).rejects.toThrow("it failed");
  gates[1]?.resolve();
  await all[1];
  expect(began).toEqual(["a1", "a2", "a3", "b1"]);
  for (const gate of gates) gate.resolve();
  await Promise.all(all.slice(1));
  expect(began.at(-1)).toBe("a4");
});

test("an address at its limit leaves the other slots to others, however long it has waited", async () => {
  const slots = createSlots(2, systemClock, 1);
  const gates = new Map<string, PromiseWithResolvers<void>>();
  const began: string[] = [];
  const run = (name: string, address: string) =>
    slots(client(address), async () => {
      began.push(name);
      const gate = Promise.withResolvers<void>();
      gates.set(name, gate);
      await gate.promise;
    });
  const end = async (name: string, work: Promise<void>) => {
    gates.get(name)?.resolve();
    await work;
  };
  const a1 = run("a1", "a");
  const a2 = run("a2", "a");
  const a3 = run("a3", "a");
  expect(began).toEqual(["a1"]);
  const b1 = run("b1", "b");
  const c1 = run("c1", "c");
  expect(began).toEqual(["a1", "b1"]);
  await end("b1", b1);
  expect(began).toEqual(["a1", "b1", "c1"]);
  await end("c1", c1);
  expect(began).toEqual(["a1", "b1", "c1"]);
  await end("a1", a1);
  await end("a2", a2);
  await end("a3", a3);
  expect(began).toEqual(["a1", "b1", "c1", "a2", "a3"]);
});

test("who gets no turn in a minute is told so, and takes no slot from others", async () => {
  const clock = new TestClock();
  const slots = createSlots(1, clock);
  const gate = Promise.withResolvers<void>();
  const began: string[] = [];
  const first = slots(client("a"), () => gate.promise);
  const late = slots(client("a"), async () => void began.push("late")).catch((error) => error);
  clock.advance(30_000);
  const next = slots(client("b"), async () => void began.push("next"));
  clock.advance(30_000);
  expect(await late).toMatchObject({ code: "overloaded", details: { retryAfterSeconds: 5 } });
  gate.resolve();
  await Promise.all([first, next]);
  await slots(client("a"), async () => void began.push("again"));
  expect(began).toEqual(["next", "again"]);
});
