import type { DeliverySlots } from "../store/events/delivery-queue.ts";
import type { DeliveryRow } from "../store/schema.ts";
import { type Clock, earliest } from "../util/clock.ts";
import { Tally } from "../util/tally.ts";

/** Share of all slots for endpoints whose last attempt failed, so that hanging ones never take the slots of others. */
const FAILING_SHARE = 0.5;
/**
 * Share of all slots for the endpoints of one account, so that endpoints which answer slowly, and well, never keep the
 * other accounts waiting. It is more than half, so that at most one account is at its limit at a time.
 */
const ACCOUNT_SHARE = 0.75;
/**
 * Failures in a row after which an endpoint rests before each attempt. Otherwise one that refuses is called all the
 * time.
 */
const FAILURES_WITHOUT_REST = 3;
/**
 * The rest doubles with each failure; `max` is how long an endpoint that answers again waits at most. Half of it is
 * random, so that endpoints which failed together are not all retried at the same moment.
 */
const REST_MS = { first: 1_000, max: 15_000 };
/** Endpoints remembered as healthy. The one served least recently is forgotten and counts as unknown again. */
const HEALTHY_MAX = 2_000;
/** Resting endpoints named to a claim. If there are more, one of them soon ends its rest anyway. */
const RESTING_LISTED_MAX = 100;

/** A delivery that takes a slot of its endpoint and account. */
type InSlot = Pick<DeliveryRow, "endpointId" | "userId">;

/** Limits the attempts in progress: in total, for each endpoint, and for each account. */
export interface Slots {
  /** How many more attempts endpoints may have in one claim: all endpoints that are known, or only those in `named`. */
  forClaim(named?: readonly string[]): DeliverySlots;
  /** Endpoints that have no free slot, as far as they are worth naming. */
  busy(): string[];
  /** The account that has no free slot; null if every account has one. */
  fullAccount(): string | null;
  /** How many more attempts there may be in all; less than one if none. */
  free(): number;
  isFailing(endpoint: string): boolean;
  take(delivery: InSlot): void;
  /** Gives the slot up to other endpoints while a delivery waits, which keeps that of its endpoint. */
  pause(delivery: InSlot): void;
  /** Takes the slot again, even if none is free. */
  resume(delivery: InSlot): void;
  /** Ends an attempt. `isHealthy`: whether the endpoint accepted it; null if nothing was learnt about it. */
  done(delivery: InSlot, isHealthy: boolean | null): void;
  /** Forgets failures of an endpoint that was changed. Returns whether it had failed last. */
  forget(endpoint: string): boolean;
  /** When the first resting endpoint may be called again; null if none rests. */
  nextFreeAt(): Date | null;
}

/**
 * Creates the slots. An endpoint whose last attempt succeeded has `perEndpoint` slots, and an unknown one has one. One
 * whose last attempt failed also has one, taken from the share of all failing endpoints; if it keeps failing, it rests
 * in between.
 *
 * @param all slots in total
 * @param failing endpoints that failed before this process began
 */
export function createSlots(
  options: { all: number; perEndpoint: number; failing: readonly string[] },
  clock: Clock,
  random: () => number,
): Slots {
  const inHand = new Tally();
  /** Those of `inHand` that wait. */
  const paused = new Tally();
  const byAccount = new Tally();
  let taken = 0;
  const accountMax = Math.ceil(options.all * ACCOUNT_SHARE);
  const healthy = new Set<string>();
  const failing = new Map(options.failing.map((endpoint) => [endpoint, { failures: 1, restsUntil: 0 }]));
  const failingMax = Math.max(1, Math.floor(options.all * FAILING_SHARE));

  const restMsOf = (endpoint: string) => (failing.get(endpoint)?.restsUntil ?? 0) - clock.elapsed();
  const rests = (endpoint: string) => restMsOf(endpoint) > 0;
  const free = (endpoint: string) => {
    if (rests(endpoint)) return 0;
    return (healthy.has(endpoint) ? options.perEndpoint : 1) - inHand.of(endpoint);
  };
  const isTried = (endpoint: string) => inHand.of(endpoint) > paused.of(endpoint);
  const failingInHand = () => inHand.keys().filter((endpoint) => failing.has(endpoint) && isTried(endpoint)).length;
  const count = (account: string, by: number) => {
    taken += by;
    byAccount.add(account, by);
  };
  const resting = () => [...failing.keys()].filter(rests);

  return {
    forClaim(named) {
      const known = named ?? new Set([...inHand.keys(), ...healthy, ...failing.keys()]);
      const of = new Map<string, number>();
      for (const endpoint of known) of.set(endpoint, free(endpoint));
      return {
        of,
        others: 1,
        accounts: {
          of: new Map(byAccount.keys().map((account) => [account, accountMax - byAccount.of(account)])),
          others: accountMax,
        },
        failing: new Set(named ? named.filter((endpoint) => failing.has(endpoint)) : failing.keys()),
        failingMax: Math.max(0, failingMax - failingInHand()),
      };
    },
    busy: () => [
      ...new Set([
        ...inHand.keys().filter((endpoint) => free(endpoint) <= 0),
        ...resting().slice(0, RESTING_LISTED_MAX),
      ]),
    ],
    fullAccount: () => byAccount.keys().find((account) => byAccount.of(account) >= accountMax) ?? null,
    free: () => options.all - taken,
    isFailing: (endpoint) => failing.has(endpoint),
    take({ endpointId, userId }) {
      inHand.add(endpointId, +1);
      count(userId, +1);
    },
    pause({ endpointId, userId }) {
      paused.add(endpointId, +1);
      count(userId, -1);
    },
    resume({ endpointId, userId }) {
      paused.add(endpointId, -1);
      count(userId, +1);
    },
    done({ endpointId: endpoint, userId }, isHealthy) {
      inHand.add(endpoint, -1);
      count(userId, -1);
      if (isHealthy === null) return;
      if (isHealthy) {
        failing.delete(endpoint);
        healthy.delete(endpoint);
        healthy.add(endpoint);
        if (healthy.size > HEALTHY_MAX) for (const oldest of healthy) return healthy.delete(oldest);
        return;
      }
      healthy.delete(endpoint);
      const failures = (failing.get(endpoint)?.failures ?? 0) + 1;
      const doubled = REST_MS.first * 2 ** Math.min(failures - FAILURES_WITHOUT_REST, 10);
      const chance = 0.5 + random() / 2;
      const restMs = failures < FAILURES_WITHOUT_REST ? 0 : Math.min(REST_MS.max, doubled) * chance;
      failing.set(endpoint, { failures, restsUntil: clock.elapsed() + restMs });
    },
    forget: (endpoint) => failing.delete(endpoint),
    nextFreeAt: () => earliest(resting().map((endpoint) => clock.now() + Math.ceil(restMsOf(endpoint)))),
  };
}
