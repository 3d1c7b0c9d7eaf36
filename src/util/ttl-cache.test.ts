import { expect, test } from "bun:test";
import { TestClock } from "./clock.ts";
import { TtlCache } from "./ttl-cache.ts";

test("a value is gone when its time is up", () => {
  const clock = new TestClock();
  const cache = new TtlCache<number>(clock, 10, 1_000);
  cache.set("a", 1, 500, 1);
  clock.advance(499);
  expect(cache.get("a")).toBe(1);
  clock.advance(1);
  expect(cache.get("a")).toBeUndefined();
});

test("a value is gone when its time is up, even if the clock was set back meanwhile", () => {
  const clock = new TestClock();
  const cache = new TtlCache<number>(clock, 10, 1_000);
  cache.set("a", 1, 500, 1);
  clock.step(-3_600_000);
  clock.advance(500);
  expect(cache.get("a")).toBeUndefined();
});

test("past the number of entries the least recently used goes", () => {
  const cache = new TtlCache<number>(new TestClock(), 2, 1_000);
  cache.set("a", 1, 500, 1);
  cache.set("b", 2, 500, 1);
  cache.get("a");
  cache.set("c", 3, 500, 1);
  expect([cache.get("a"), cache.get("b"), cache.get("c")]).toEqual([1, undefined, 3]);
});

test("heavy values push out others, and a value too heavy for the cache is not kept", () => {
  const cache = new TtlCache<number>(new TestClock(), 10, 100);
  cache.set("a", 1, 500, 60);
  cache.set("b", 2, 500, 60);
  expect([cache.get("a"), cache.get("b")]).toEqual([undefined, 2]);
  cache.set("c", 3, 500, 200);
  expect([cache.get("b"), cache.get("c")]).toEqual([undefined, undefined]);
  cache.set("d", 4, 500, 90);
  expect(cache.get("d")).toBe(4);
});
