/**
 * Limits by fixed minutes: each key gets exactly its number of requests, and Retry-After leads into the next minute.
 */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { onDatabases, unique } from "../../../test/store/stores.ts";
import { holds } from "../../../test/support/property.ts";
import { TestClock } from "../../util/clock.ts";
import type { Failure } from "../../util/errors.ts";
import { createRateLimits } from "./limits.ts";

const MINUTE_MS = 60_000;
const steps = fc.array(
  fc.record({ key: fc.nat(2), kind: fc.constantFrom("proof" as const, "address" as const), ms: fc.nat(30_000) }),
  {
    maxLength: 60,
    size: "max",
  },
);

onDatabases(
  ({ name }) => name !== "SQLite file",
  (it) => {
    test("a key has so many requests in each minute, whatever others do", async () => {
      const run = async (perMinute: number, asked: { key: number; kind: "proof" | "address"; ms: number }[]) => {
        const clock = new TestClock(Date.parse("2026-05-15T12:00:00.123Z"));
        const limits = createRateLimits(it.store, clock);
        const name = unique("key");
        const counts = new Map<string, number>();
        for (const { key, kind, ms } of asked) {
          clock.advance(ms);
          const minute = Math.floor(clock.now() / MINUTE_MS);
          const counted = `${kind} ${key} ${minute}`;
          counts.set(counted, (counts.get(counted) ?? 0) + 1);
          const failure = await limits.take(kind, `${name} ${kind} ${key}`, perMinute).then(
            () => null,
            (error: Failure) => error,
          );
          expect(failure?.code).toBe((counts.get(counted) ?? 0) > perMinute ? "rate_limited" : undefined);
          if (!failure) continue;
          const freeAt = clock.now() + (failure.details.retryAfterSeconds ?? 0) * 1000;
          expect(Math.floor(freeAt / MINUTE_MS)).toBe(minute + 1);
        }
      };
      await holds(fc.asyncProperty(fc.integer({ min: 1, max: 5 }), steps, run), {
        share: it.place.dialect === "sqlite" ? 1 : 0.1,
      });
    });
  },
);
