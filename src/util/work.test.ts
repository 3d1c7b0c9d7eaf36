import { expect, test } from "bun:test";
import { TestClock } from "./clock.ts";
import { silentLog } from "./log.ts";
import { startWork } from "./work.ts";

/** A loop over a list of due items; `fail` makes its next claim fail. */
function loop() {
  const clock = new TestClock();
  const due: string[] = [];
  const done: string[] = [];
  let [claims, failures] = [0, 0];
  const work = startWork<string>({
    ...{ name: "test", concurrency: 2, clock, log: silentLog },
    async claim(free) {
      claims++;
      if (failures > 0) {
        failures--;
        throw new Error("The database is away.");
      }
      return due.splice(0, free);
    },
    async run(item) {
      if (item === "broken") throw new Error("It cannot be done.");
      done.push(item);
    },
    nextDue: async () => null,
  });
  return {
    ...{ clock, due, done, work },
    claims: () => claims,
    fail(times: number) {
      failures = times;
    },
    /** Lets the running work settle, without waking the loop. */
    async rest() {
      for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
    },
  };
}

test("a claim that failed is made again a second later, until it succeeds, though nobody says that something is due", async () => {
  const { clock, due, done, work, claims, fail, rest } = loop();
  due.push("one");
  fail(2);
  work.wake();
  await rest();
  for (const [ms, made] of [
    [999, 1],
    [1, 2],
    [999, 2],
  ] as const) {
    clock.advance(ms);
    await rest();
    expect(claims()).toBe(made);
  }
  expect(done).toEqual([]);
  clock.advance(1);
  await rest();
  expect(done).toEqual(["one"]);
  await work.close(0);
});

test("what nobody was woken for is found after 15 seconds", async () => {
  const { clock, due, done, work, rest } = loop();
  work.wake();
  await rest();
  due.push("lost");
  clock.advance(14_999);
  await rest();
  expect(done).toEqual([]);
  clock.advance(1);
  await rest();
  expect(done).toEqual(["lost"]);
  await work.close(0);
});

test("an item that fails takes no place from the others, and once closed nothing is claimed", async () => {
  const { clock, due, done, work, claims, rest } = loop();
  due.push("broken", "broken", "one", "two");
  await work.drain();
  expect(done).toEqual(["one", "two"]);
  await work.close(0);
  const before = claims();
  due.push("late");
  work.wake();
  clock.advance(60_000);
  await rest();
  expect([claims(), done]).toEqual([before, ["one", "two"]]);
});

test("a claim that hangs does not keep the loop from closing", async () => {
  const asked = Promise.withResolvers<void>();
  const work = startWork<string>({
    ...{ name: "test", concurrency: 2, clock: new TestClock(), log: silentLog },
    claim() {
      asked.resolve();
      return new Promise(() => {});
    },
    run: async () => {},
    nextDue: async () => null,
  });
  work.wake();
  await asked.promise;
  await work.close(1);
});
