import type { Store } from "../../store/store.ts";
import type { Clock } from "../../util/clock.ts";
import { Failure } from "../../util/errors.ts";

const MINUTE_MS = 60_000;
/** Counters of each kind kept at once, about 10 MB. Beyond that, new keys of the same minute share one counter. */
const COUNTERS_MAX = 100_000;
const OVERFLOW = "overflow";

/**
 * What is counted: valid keys and sessions, or client addresses. They are kept apart so that a crowd of addresses,
 * which an attacker can easily have, never makes valid keys share a counter.
 */
export type Counted = "proof" | "address";

export interface RateLimits {
  /** Counts one request for `key` in this minute. Failure `rate_limited` beyond `perMinute`. */
  take(counted: Counted, key: string, perMinute: number): Promise<void>;
}

/**
 * Creates rate limits by fixed minutes. On SQLite one process owns the file, so it counts in memory; on Postgres the
 * nodes count together in the store.
 */
export function createRateLimits(store: Store, clock: Clock): RateLimits {
  let minute = 0;
  let kinds = { proof: new Map<string, number>(), address: new Map<string, number>() };

  function countHere(counted: Counted, key: string, now: number): number {
    if (now !== minute) {
      minute = now;
      kinds = { proof: new Map(), address: new Map() };
    }
    const counters = kinds[counted];
    const counter = counters.has(key) || counters.size < COUNTERS_MAX ? key : OVERFLOW;
    const count = (counters.get(counter) ?? 0) + 1;
    counters.set(counter, count);
    return count;
  }

  return {
    async take(counted, key, perMinute) {
      const now = Math.floor(clock.now() / MINUTE_MS);
      const count = store.dialect === "postgres" ? await store.countRequest(key, now) : countHere(counted, key, now);
      if (count <= perMinute) return;
      const seconds = Math.ceil(((now + 1) * MINUTE_MS - clock.now()) / 1000);
      throw new Failure("rate_limited", `More than ${perMinute} requests in this minute.`, {
        fix: `Wait ${seconds} seconds, then send requests more slowly.`,
        retryAfterSeconds: seconds,
      });
    },
  };
}
