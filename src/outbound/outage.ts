import type { Clock } from "../util/clock.ts";
import { outageDelay } from "./retry.ts";

/** Tracks lanes whose upstream cannot be reached: one probe at a time, at growing intervals. */
export interface Outages {
  /** How many items a lane can have in hand: all, one as a probe, or none. */
  room(lane: string, capacity: number): number;
  /** When the lane can be tried again, in milliseconds since the epoch; null if it is up. */
  until(lane: string): number | null;
  /** Why the lane is down, one sentence; null if it is up. */
  reason(lane: string): string | null;
  down(lane: string, reason: string): void;
  /** Returns whether the lane was down. */
  up(lane: string): boolean;
}

interface Outage {
  failures: number;
  /** By `clock.elapsed()`. */
  until: number;
  reason: string;
}

export function createOutages(clock: Clock, random: () => number): Outages {
  const outages = new Map<string, Outage>();
  return {
    room(lane, capacity) {
      const outage = outages.get(lane);
      if (!outage) return capacity;
      return outage.until <= clock.elapsed() ? 1 : 0;
    },
    until(lane) {
      const outage = outages.get(lane);
      return outage ? clock.now() + Math.ceil(outage.until - clock.elapsed()) : null;
    },
    reason: (lane) => outages.get(lane)?.reason ?? null,
    down(lane, reason) {
      const known = outages.get(lane);
      // Items that were in hand together fail together, and count once.
      if (known && known.until > clock.elapsed()) return;
      const failures = (known?.failures ?? 0) + 1;
      outages.set(lane, { failures, until: clock.elapsed() + outageDelay(failures, random()), reason });
    },
    up: (lane) => outages.delete(lane),
  };
}
