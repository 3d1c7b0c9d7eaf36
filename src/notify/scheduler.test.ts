import { expect, test } from "bun:test";
import { createScheduler } from "./scheduler.ts";

/** A scheduler whose turns last until the test ends them, and the items that have one. */
function heldTurns(atOnce: number) {
  const having = new Map<string, () => void>();
  const log: string[] = [];
  const scheduler = createScheduler<string>(atOnce, (item) => {
    log.push(item);
    return new Promise((resolve) => {
      having.set(item, () => {
        having.delete(item);
        resolve();
      });
    });
  });
  const settle = async () => {
    for (let i = 0; i < 5; i++) await new Promise(setImmediate);
  };
  return { scheduler, having, log, settle };
}

test("so many at once, in the order in which they asked, each once however often it asked", async () => {
  const { scheduler, having, log, settle } = heldTurns(2);
  for (const item of ["a", "b", "c", "a", "b", "c", "d"]) scheduler.schedule(item);
  await settle();
  expect([...having.keys()]).toEqual(["a", "b"]);
  for (const item of ["a", "b", "c"]) {
    having.get(item)?.();
    await settle();
  }
  having.get("d")?.();
  await settle();
  expect(log).toEqual(["a", "b", "c", "d"]);
  expect(having.size).toBe(0);
});

test("who asks during its own turn gets another one after those who wait, never two at once", async () => {
  const { scheduler, having, log, settle } = heldTurns(2);
  scheduler.schedule("a");
  await settle();
  scheduler.schedule("a");
  scheduler.schedule("b");
  await settle();
  expect([...having.keys()]).toEqual(["a", "b"]);
  having.get("a")?.();
  await settle();
  expect(log).toEqual(["a", "b", "a"]);
  having.get("a")?.();
  having.get("b")?.();
  await settle();
  expect(having.size).toBe(0);
});

test("the event loop comes round between turns that wait for nothing", async () => {
  let taken = 0;
  const line = Array.from({ length: 1_000 }, (_, i) => i);
  const scheduler = createScheduler<number>(4, async () => {
    taken++;
  });
  for (const item of line) scheduler.schedule(item);
  let rounds = 0;
  while (taken < line.length) {
    await new Promise(setImmediate);
    rounds++;
  }
  expect(rounds).toBeGreaterThanOrEqual(line.length / 4);
});
