import type { DeliverySlots } from "../store/events/delivery-queue.ts";
import type { DeliveryRow } from "../store/schema.ts";
import type { Clock } from "../util/clock.ts";

/** Endpoints that failed last may have this share of all slots, so that those that hang never take the slots of all others. */
const FAILING_SHARE = 0.5;
/**
 * Share of all slots that the endpoints of one account may have: one whose endpoints answer slowly, and well, never keeps the
 * others waiting. More than half, so that at most one account has its part at a time.
 */
const ACCOUNT_SHARE = 0.75;
/** Failures in a row after which an endpoint rests before the next attempt: one that refuses is else called all the time. */
const FAILURES_WITHOUT_REST = 3;
/**
 * The rest doubles with each failure; the end is what somebody waits at most whose endpoint answers again. Half of it is
 * chance, so that endpoints which failed together are not all tried again at the same moment.
 */
const REST_MS = { first: 1_000, max: 15_000 };
/** Endpoints that answered last and are remembered; the one that was served least recently becomes a stranger again. */
const HEALTHY_MAX = 2_000;
/** Resting endpoints that a claim is told of; where there are more, one of them soon ends its rest anyway. */
const RESTING_LISTED_MAX = 100;

/** What takes a slot: a delivery to an endpoint of an account. */
type InSlot = Pick<DeliveryRow, "endpointId" | "userId">;

/** Who may have how many attempts in hand: over all endpoints, for each, and for all of an account. */
export interface Slots {
  /** How many more endpoints may have, for one claim: all of which something is known, or only those of `named`. */
  forClaim(named?: readonly string[]): DeliverySlots;
  /** Endpoints that may have no more, as far as they are worth naming. */
  busy(): string[];
  /** The account that may have no more; null when each may. */
  fullAccount(): string | null;
  take(delivery: InSlot): void;
  /** An attempt has ended; `isHealthy` when the endpoint took it, null when nothing was learnt of it. */
  done(delivery: InSlot, isHealthy: boolean | null): void;
  /** The endpoint was changed: what is known of it may be wrong. Returns whether it had failed last. */
  forget(endpoint: string): boolean;
  /** When the first of those who rest may go on; null when none rests. */
  nextFreeAt(): Date | null;
}

/**
 * An endpoint that answered last has `perEndpoint` slots. One of which nothing is known yet has one, and one that failed
 * last has one as healthy, of those that all failing ones share; when it goes on failing it rests in between.
 *
 * @param all slots in all
 * @param failing endpoints that failed before this process began
 */
export function createSlots(
  options: { all: number; perEndpoint: number; failing: readonly string[] },
  clock: Clock,
  random: () => number,
): Slots {
  const inHand = new Map<string, number>();
  const byAccount = new Map<string, number>();
  const accountMax = Math.ceil(options.all * ACCOUNT_SHARE);
  const healthy = new Set<string>();
  const failing = new Map(options.failing.map((endpoint) => [endpoint, { failures: 1, restsUntil: 0 }]));
  const failingMax = Math.max(1, Math.floor(options.all * FAILING_SHARE));

  const count = (counts: Map<string, number>, key: string, by: number) => {
    const left = (counts.get(key) ?? 0) + by;
    if (left > 0) counts.set(key, left);
    else counts.delete(key);
  };
  const rests = (endpoint: string) => (failing.get(endpoint)?.restsUntil ?? 0) > clock.now();
  const free = (endpoint: string) => {
    if (rests(endpoint)) return 0;
    return (healthy.has(endpoint) ? options.perEndpoint : 1) - (inHand.get(endpoint) ?? 0);
  };
  const failingInHand = () => [...inHand.keys()].filter((endpoint) => failing.has(endpoint)).length;
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
          of: new Map([...byAccount].map(([account, taken]) => [account, accountMax - taken])),
          others: accountMax,
        },
        failing: new Set(named ? named.filter((endpoint) => failing.has(endpoint)) : failing.keys()),
        failingMax: Math.max(0, failingMax - failingInHand()),
      };
    },
    busy: () => [
      ...new Set([
        ...[...inHand.keys()].filter((endpoint) => free(endpoint) <= 0),
        ...resting().slice(0, RESTING_LISTED_MAX),
      ]),
    ],
    fullAccount: () => [...byAccount].find(([, taken]) => taken >= accountMax)?.[0] ?? null,
    take({ endpointId, userId }) {
      count(inHand, endpointId, +1);
      count(byAccount, userId, +1);
    },
    done({ endpointId: endpoint, userId }, isHealthy) {
      count(inHand, endpoint, -1);
      count(byAccount, userId, -1);
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
      failing.set(endpoint, { failures, restsUntil: clock.now() + restMs });
    },
    forget: (endpoint) => failing.delete(endpoint),
    nextFreeAt() {
      let first = Number.POSITIVE_INFINITY;
      for (const endpoint of resting()) first = Math.min(first, failing.get(endpoint)?.restsUntil ?? first);
      return Number.isFinite(first) ? new Date(first) : null;
    },
  };
}
