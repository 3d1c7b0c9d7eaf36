import { expect, test } from "bun:test";
import { TestClock } from "../util/clock.ts";
import { createOutages } from "./outage.ts";
import { attemptsMax, outageDelay, retryDelay } from "./retry.ts";

const minuteMs = 60_000;

test("puts off for 5 minutes, then longer, up to 4 hours, for 3 days in all", () => {
  const delays: number[] = [];
  for (let attempt = 1; ; attempt++) {
    const delay = retryDelay(attempt, 0.5);
    if (delay === null) break;
    delays.push(delay / minuteMs);
  }
  expect(delays.slice(0, 8)).toEqual([5, 10, 20, 40, 80, 160, 240, 240]);
  expect(delays.length + 1).toBe(attemptsMax);
  const hours = delays.reduce((sum, delay) => sum + delay, 0) / 60;
  expect(hours).toBeGreaterThan(68);
  expect(hours).toBeLessThanOrEqual(72);
});

test("waits vary, so that what failed together does not come back together", () => {
  expect(retryDelay(1, 0)).toBe(4.25 * minuteMs);
  expect(retryDelay(1, 0.999_999)).toBe(5.75 * minuteMs);
});

test("an upstream that is down is asked every 5 minutes at most", () => {
  const seconds = [1, 2, 3, 7, 8, 500].map((failures) => outageDelay(failures, 0.5) / 1000);
  expect(seconds).toEqual([5, 10, 20, 300, 300, 300]);
});

test("an upstream that is down is asked on time, even if the clock was set back meanwhile", () => {
  const clock = new TestClock();
  const outages = createOutages(clock, () => 0.5);
  outages.down("upstream", "It cannot be reached.");
  clock.step(-3_600_000);
  expect(outages.until("upstream")).toBe(clock.now() + 5_000);
  clock.advance(5_000);
  expect(outages.room("upstream", 9)).toBe(1);
});

test("messages in hand together that find an upstream down count as one failure", () => {
  const clock = new TestClock(0);
  const outages = createOutages(clock, () => 0.5);
  for (let i = 0; i < 10; i++) outages.down("upstream", "It cannot be reached.");
  expect(outages.until("upstream")).toBe(5_000);
  clock.advance(5_000);
  outages.down("upstream", "It cannot be reached.");
  expect(outages.until("upstream")).toBe(15_000);
});
