import { expect, test } from "bun:test";
import fc from "fast-check";
import { holds } from "../../test/support/property.ts";
import { TestClock } from "../util/clock.ts";
import { createRateLimit } from "./rate-limit.ts";

const steps = fc.array(
  fc.record({ endpoint: fc.nat(1), ms: fc.oneof(fc.nat(300), fc.nat(5_000)), wanted: fc.nat(8) }),
  {
    maxLength: 60,
    size: "max",
  },
);

test("an endpoint is called at its pace and at once as often as in a second, never more and never less", () =>
  holds(
    fc.property(fc.integer({ min: 1, max: 50 }), steps, (perSecond, calls) => {
      const clock = new TestClock(1_000_000);
      const rateLimit = createRateLimit(perSecond, clock);
      const taken: number[][] = [[], []];
      for (const { endpoint, ms, wanted } of calls) {
        clock.advance(ms);
        const name = `${endpoint}`;
        const mine = taken[endpoint] as number[];
        const free = rateLimit.free(name);
        expect(free).toBeLessThanOrEqual(perSecond);
        // An endpoint that has not been called for a second may have a second's worth of calls at once.
        if (!mine.some((at) => at > clock.now() - 1_000)) expect(free).toBe(perSecond);
        for (let n = 0; n < Math.min(free, wanted); n++) {
          rateLimit.take(name);
          mine.push(clock.now());
        }
        for (const [i, at] of mine.entries())
          expect(mine.length - i).toBeLessThanOrEqual(perSecond * (1 + (clock.now() - at) / 1_000) + 1e-6);
        expect(rateLimit.waiting().toSorted()).toEqual(["0", "1"].filter((one) => rateLimit.free(one) === 0));
        const next = rateLimit.nextFreeAt();
        expect(next === null).toBe(rateLimit.waiting().length === 0);
        if (!next) continue;
        expect(next.getTime()).toBeGreaterThan(clock.now());
        expect(next.getTime() - clock.now()).toBeLessThanOrEqual(Math.ceil(1_000 / perSecond));
      }
    }),
    { share: 2 },
  ));

test("whoever waits until an endpoint is said to be free finds it free", () =>
  holds(
    fc.property(fc.integer({ min: 1, max: 1_000 }), fc.array(fc.nat(1_000), { minLength: 1 }), (perSecond, pauses) => {
      const clock = new TestClock(1_000_000);
      const rateLimit = createRateLimit(perSecond, clock);
      for (const ms of pauses) {
        clock.advance(ms);
        for (let taken = 0; rateLimit.free("hook") > 0; taken++) {
          expect(taken).toBeLessThan(perSecond);
          rateLimit.take("hook");
        }
        const next = rateLimit.nextFreeAt() as Date;
        clock.advance(next.getTime() - clock.now());
        expect(rateLimit.free("hook")).toBeGreaterThan(0);
      }
    }),
  ));

test("a wait that adds up to one attempt only in fractions is long enough", () => {
  const clock = new TestClock(1_000_000);
  const rateLimit = createRateLimit(6, clock);
  for (const ms of [0, 692, 0]) {
    clock.advance(ms);
    while (rateLimit.free("hook") > 0) rateLimit.take("hook");
    clock.advance((rateLimit.nextFreeAt()?.getTime() ?? 0) - clock.now());
    expect(rateLimit.free("hook")).toBe(1);
  }
});

test("a clock that is set back stops no endpoint", () => {
  const clock = new TestClock();
  const rateLimit = createRateLimit(1, clock);
  rateLimit.take("hook");
  clock.step(-3_600_000);
  expect(rateLimit.nextFreeAt()).toEqual(new Date(clock.now() + 1_000));
  clock.advance(1_000);
  expect(rateLimit.free("hook")).toBe(1);
});
