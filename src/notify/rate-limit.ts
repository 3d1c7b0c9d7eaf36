import { type Clock, earliest } from "../util/clock.ts";

/** How fast an endpoint may be called: a number of attempts per second, and after a pause that many at once. */
export interface RateLimit {
  /** How many attempts an endpoint may have now. */
  free(endpoint: string): number;
  /** Counts one attempt. */
  take(endpoint: string): void;
  /** Endpoints that must wait. */
  waiting(): string[];
  /** When the first of them may be called again; null if none waits. */
  nextFreeAt(): Date | null;
}

/** Tokens are sums of fractions, which may fall short of a whole token by less than this. */
const ROUNDING = 1e-9;

/** Creates a limit of `perSecond` for each endpoint of this process; 0 means no limit. */
export function createRateLimit(perSecond: number, clock: Clock): RateLimit {
  if (perSecond === 0)
    return { free: () => Number.MAX_SAFE_INTEGER, take: () => {}, waiting: () => [], nextFreeAt: () => null };
  // A token bucket per endpoint; a full one is forgotten.
  const buckets = new Map<string, { tokens: number; at: number }>();

  function tokensOf(endpoint: string): number {
    const bucket = buckets.get(endpoint);
    if (!bucket) return perSecond;
    const tokens = bucket.tokens + ((clock.elapsed() - bucket.at) / 1000) * perSecond;
    if (tokens < perSecond) return tokens;
    buckets.delete(endpoint);
    return perSecond;
  }
  const free = (endpoint: string) => Math.floor(tokensOf(endpoint) + ROUNDING);
  const waiting = () => [...buckets.keys()].filter((endpoint) => free(endpoint) < 1);

  return {
    free,
    take: (endpoint) => buckets.set(endpoint, { tokens: tokensOf(endpoint) - 1, at: clock.elapsed() }),
    waiting,
    nextFreeAt() {
      const whole = 1 - ROUNDING / 2;
      const waitMs = (endpoint: string) => Math.ceil(((whole - tokensOf(endpoint)) / perSecond) * 1000);
      return earliest(waiting().map((endpoint) => clock.now() + waitMs(endpoint)));
    },
  };
}
