import { expect, test } from "bun:test";
import { createTurns } from "./turns.ts";

/** Turns that are held until the test lets them end; says who has one. */
function heldTurns(atOnce: number) {
  const having = new Map<string, () => void>();
  const log: string[] = [];
  const turns = createTurns<string>(atOnce, (item) => {
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
  return { turns, having, log, settle };
}

test("so many at once, in the order in which they asked, each once however often it asked", async () => {
  const { turns, having, log, settle } = heldTurns(2);
  for (const item of ["a", "b", "c", "a", "b", "c", "d"]) turns.ask(item);
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
  const { turns, having, log, settle } = heldTurns(2);
  turns.ask("a");
  await settle();
  turns.ask("a");
  turns.ask("b");
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
  const turns = createTurns<number>(4, async () => {
    taken++;
  });
  for (const item of line) turns.ask(item);
  let rounds = 0;
  while (taken < line.length) {
    await new Promise(setImmediate);
    rounds++;
  }
  expect(rounds).toBeGreaterThanOrEqual(line.length / 4);
});
