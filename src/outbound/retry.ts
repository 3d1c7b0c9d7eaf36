const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** RFC 5321 4.5.4.1 asks for at least 30 minutes; greylisting hosts take five. Most senders grow to four hours. */
const FIRST_DELAY_MS = 5 * MINUTE_MS;
const LONGEST_DELAY_MS = 4 * HOUR_MS;
/** RFC 5321 4.5.4.1: give up after four or five days at most; three days tell an agent sooner. */
const GIVE_UP_AFTER_MS = 72 * HOUR_MS;
/** Each wait varies by this fraction, so that mail that failed together is not retried together. */
const JITTER = 0.15;

/**
 * How long to wait after the `attempt`-th try (from 1) was deferred: 5, 10, 20 … minutes, then every 4 hours; null at
 * the end of the three-day schedule. An upstream that is down does not use it up.
 *
 * @param random a number in [0, 1)
 */
export function retryDelay(attempt: number, random: number): number | null {
  if (attempt >= attemptsMax) return null;
  return Math.round(plainDelay(attempt) * (1 - JITTER + 2 * JITTER * random));
}

function plainDelay(attempt: number): number {
  return Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (attempt - 1));
}

/** The maximum number of tries, the first one included. */
export const attemptsMax = (() => {
  let attempts = 1;
  for (let waited = 0; waited + plainDelay(attempts) <= GIVE_UP_AFTER_MS; attempts++) waited += plainDelay(attempts);
  return attempts;
})();

/** An upstream that is down is tried again after this time, which doubles with each failure. */
const FIRST_OUTAGE_MS = 5_000;
const LONGEST_OUTAGE_MS = 5 * MINUTE_MS;

/** How long to leave an upstream alone after it could not be reached `failures` times in a row. */
export function outageDelay(failures: number, random: number): number {
  const plain = Math.min(LONGEST_OUTAGE_MS, FIRST_OUTAGE_MS * 2 ** Math.min(10, failures - 1));
  return Math.round(plain * (1 - JITTER + 2 * JITTER * random));
}
