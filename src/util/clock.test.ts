import { expect, test } from "bun:test";
import { createElapsed, followClock, TestClock } from "./clock.ts";

/** Two clocks of a machine that a test moves. */
function machine() {
  const time = { now: 1_700_000_000_000, monotonic: 5_000 };
  return {
    time,
    elapsed: createElapsed(
      () => time.now,
      () => time.monotonic,
    ),
    pass(ms: number) {
      time.now += ms;
      time.monotonic += ms;
    },
  };
}

test("what has passed does not go back with the time of day", () => {
  const { time, elapsed, pass } = machine();
  const start = elapsed();
  pass(1_000);
  time.now -= 3_600_000;
  pass(500);
  expect(elapsed() - start).toBe(1_500);
  pass(500);
  expect(elapsed() - start).toBe(2_000);
});

test("the time in which the machine sleeps has passed, too", () => {
  const { time, elapsed, pass } = machine();
  const start = elapsed();
  time.now += 3_600_000;
  pass(500);
  expect(elapsed() - start).toBe(3_600_500);
});

test("corrections by milliseconds, as NTP makes them, do not add up", () => {
  const { time, elapsed, pass } = machine();
  const start = elapsed();
  for (let second = 0; second < 3_600; second++) {
    pass(1_000);
    time.now += second % 2 === 0 ? 400 : -400;
    elapsed();
  }
  expect(elapsed() - start).toBe(3_600_000);
});

test("a clock that follows another does not step back with its machine's", async () => {
  const own = new TestClock();
  const begin = own.now();
  const differs: number[] = [];
  const clock = await followClock(
    async () => begin + own.elapsed() + 60_000,
    own,
    (aheadMs) => differs.push(aheadMs),
  );
  own.step(-3_600_000);
  own.advance(1_000);
  expect(clock.now()).toBe(begin + 61_000);
  own.advance(20_000);
  expect(clock.now()).toBe(begin + 81_000);
  expect(differs).toEqual([60_000]);
  clock.close();
});
