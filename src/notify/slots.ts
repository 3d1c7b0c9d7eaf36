import type { DeliverySlots } from "../store/events/delivery-queue.ts";
import type { DeliveryRow } from "../store/schema.ts";
import { type Clock, earliest } from "../util/clock.ts";
import { Tally } from "../util/tally.ts";

/** Share of all slots for endpoints whose last attempt failed, so that endpoints that hang never take every slot. */
const FAILING_SHARE = 0.5;
/**
 * Share of all slots for the endpoints of one account, so that an account whose endpoints are slow, though healthy,
 * never keeps the others waiting. More than half, so that only one account at a time can have its full share.
 */
const ACCOUNT_SHARE = 0.75;
/**
 * After so many failures in a row an endpoint rests before the next attempt: else one that refuses is called all the
 * time.
 */
const FAILURES_WITHOUT_REST = 3;
/**
 * The rest doubles with each failure, up to the longest wait for an endpoint that answers again. Half of it is random,
 * so that endpoints that failed together are not all tried again at the same moment.
 */
const REST_MS = { first: 1_000, max: 15_000 };
/** Healthy endpoints that are remembered. Beyond that, the one served least recently is forgotten. */
const HEALTHY_MAX = 2_000;
/** Resting endpoints that a claim is told of. Where there are more, one of them soon ends its rest anyway. */
const RESTING_LISTED_MAX = 100;

/** What takes a slot: a delivery to an endpoint of an account. */
type InSlot = Pick<DeliveryRow, "endpointId" | "userId">;

/** Limits the attempts in hand: of all endpoints together, of each endpoint, and of each account. */
export interface Slots {
  /** How many more attempts each known endpoint may have, for one claim; only those of `named` if given. */
  forClaim(named?: readonly string[]): DeliverySlots;
  /** Endpoints without a free slot; of those that rest, the first hundred. */
  busy(): string[];
  /** The account that has its full share; null when no account has. */
  fullAccount(): string | null;
  take(delivery: InSlot): void;
  /** Ends an attempt. `isHealthy`: whether the endpoint accepted it, null when nothing was learned about it. */
  done(delivery: InSlot, isHealthy: boolean | null): void;
  /** Forgets the failures of an endpoint that was changed. Returns whether it had any. */
  forget(endpoint: string): boolean;
  /** When the first resting endpoint ends its rest; null when no endpoint rests. */
  nextFreeAt(): Date | null;
}

/**
 * A healthy endpoint has `perEndpoint` slots; an unknown one has one. A failing endpoint has one of the slots that all
 * failing endpoints share, and rests between attempts when it goes on failing.
 *
 * @param all slots in all
 * @param failing endpoints that failed before this process began
 */
export function createSlots(
  options: { all: number; perEndpoint: number; failing: readonly string[] },
  clock: Clock,
  random: () => number,
): Slots {
  const inHand = new Tally();
  const byAccount = new Tally();
  const accountMax = Math.ceil(options.all * ACCOUNT_SHARE);
  const healthy = new Set<string>();
  const failing = new Map(options.failing.map((endpoint) => [endpoint, { failures: 1, restsUntil: 0 }]));
  const failingMax = Math.max(1, Math.floor(options.all * FAILING_SHARE));

  const rests = (endpoint: string) => (failing.get(endpoint)?.restsUntil ?? 0) > clock.now();
  const free = (endpoint: string) => {
    if (rests(endpoint)) return 0;
    return (healthy.has(endpoint) ? options.perEndpoint : 1) - inHand.of(endpoint);
  };
  const failingInHand = () => inHand.keys().filter((endpoint) => failing.has(endpoint)).length;
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
    take({ endpointId, userId }) {
      inHand.add(endpointId, +1);
      byAccount.add(userId, +1);
    },
    done({ endpointId: endpoint, userId }, isHealthy) {
      inHand.add(endpoint, -1);
      byAccount.add(userId, -1);
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
    nextFreeAt: () => earliest(resting().map((endpoint) => failing.get(endpoint)?.restsUntil)),
  };
}
