import { expect, test } from "bun:test";
import fc from "fast-check";
import { holds } from "../../test/support/property.ts";
import { TestClock } from "../util/clock.ts";
import { ClientCounts, MinuteRate } from "./smtp-limits.ts";
import { Refusal } from "./smtp-reply.ts";

const MINUTE_MS = 60_000;
const gap = fc.oneof(
  { weight: 8, arbitrary: fc.nat(2_000) },
  fc.nat(70_000),
  fc.constantFrom(0, 30_000, 59_999, 60_000, 120_000),
);
const gaps = fc.array(fc.tuple(fc.nat(1), gap), { maxLength: 200, size: "max" });

// The window is an estimate: never twice the limit in a minute, and hardly more than one and a half times in half a
// minute.
test("no minute has twice the limit, and nobody is refused who has not used the limit in two minutes", () =>
  holds(
    fc.property(fc.integer({ min: 1, max: 10 }), gaps, (limit, steps) => {
      const clock = new TestClock(0);
      const rate = new MinuteRate(limit, clock);
      const taken: number[][] = [[], []];
      for (const [key, ms] of steps) {
        clock.advance(ms);
        const mine = taken[key] as number[];
        const since = (age: number) => mine.filter((at) => at > clock.now() - age).length;
        if (rate.take(`${key}`)) {
          mine.push(clock.now());
          expect(since(MINUTE_MS)).toBeLessThanOrEqual(2 * limit);
          expect(since(MINUTE_MS / 2)).toBeLessThanOrEqual(1.5 * limit + 1);
        } else expect(since(2 * MINUTE_MS)).toBeGreaterThanOrEqual(limit);
      }
    }),
    { share: 3 },
  ));

test("connections are counted in and out, once each, whatever the order", () =>
  holds(
    fc.property(
      fc.record({ all: fc.integer({ min: 1, max: 6 }), each: fc.integer({ min: 1, max: 3 }) }),
      fc.array(fc.oneof(fc.record({ enter: fc.nat(2) }), fc.record({ leave: fc.nat(20) })), {
        maxLength: 60,
        size: "max",
      }),
      ({ all, each }, steps) => {
        const counts = new ClientCounts(
          { maxConnections: all, maxConnectionsPerIp: each, maxMessagesPerMinutePerIp: 1 },
          new TestClock(0),
        );
        const made: { address: number; leave: () => void; isOpen: boolean }[] = [];
        const open = (address?: number) =>
          made.filter((one) => one.isOpen && (address === undefined || one.address === address)).length;
        for (const step of steps) {
          if ("leave" in step) {
            // Connections that have left already may leave again; that changes nothing.
            const one = made[step.leave % Math.max(1, made.length)];
            one?.leave();
            if (one) one.isOpen = false;
            continue;
          }
          const mayEnter = open() < all && open(step.enter) < each;
          let leave: (() => void) | null = null;
          try {
            leave = counts.enter(`192.0.2.${step.enter}`);
          } catch (error) {
            expect(error).toBeInstanceOf(Refusal);
          }
          expect(leave !== null).toBe(mayEnter);
          if (leave) made.push({ address: step.enter, leave, isOpen: true });
        }
      },
    ),
    { share: 3 },
  ));
