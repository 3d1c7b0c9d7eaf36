import type { PostOutcome } from "./post.ts";

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

/** Waits between attempts, 75 hours in all: the first suits a restart, and all together outlast a weekend's outage. */
const retryDelaysMs: readonly number[] = [
  5 * SECOND_MS,
  5 * MINUTE_MS,
  30 * MINUTE_MS,
  2 * HOUR_MS,
  5 * HOUR_MS,
  10 * HOUR_MS,
  14 * HOUR_MS,
  20 * HOUR_MS,
  24 * HOUR_MS,
];
export const attemptsMax = retryDelaysMs.length + 1;
/** Waits vary by this fraction, so that deliveries that failed together are not retried together. */
const JITTER = 0.15;
/** Longest Retry-After that is respected: our own longest wait. */
const RETRY_AFTER_MAX_MS = 24 * HOUR_MS;

export type NextStep =
  | { kind: "done" }
  | { kind: "retry" /** Milliseconds since the epoch. */; atMs: number }
  | { kind: "given_up"; reason: string };

/**
 * Decides what follows from one attempt to deliver. 2xx is success. 410 means that the endpoint is gone, and the
 * response header `webhook-delivery: abort-message` that it does not want this delivery; both end it. Anything else,
 * including a redirect, is retried on the schedule. Retry-After only lengthens a wait: it says when the receiver is
 * ready at the earliest, and early attempts would use up the schedule (RFC 9110 10.2.3).
 *
 * @param input.attempt number of the attempt just made, from 1
 * @param input.random a number in [0, 1), for the JITTER
 */
export function nextStep(input: {
  attempt: number;
  outcome: PostOutcome;
  nowMs: number;
  random: () => number;
}): NextStep {
  const { attempt, outcome, nowMs } = input;
  const status = outcome.kind === "answered" ? outcome.status : null;
  if (status !== null && status >= 200 && status <= 299) return { kind: "done" };
  if (status === 410) return { kind: "given_up", reason: "The endpoint answered 410: it is gone." };
  if (wishOf(outcome) === "abort-message") return { kind: "given_up", reason: "The endpoint asked not to try again." };
  // Stopped on our side, for example to shut down: the endpoint is not to blame, and is tried again after the restart.
  if (outcome.kind === "failed" && outcome.reason === "aborted") return { kind: "retry", atMs: nowMs };

  const delayMs = retryDelaysMs[attempt - 1];
  if (delayMs === undefined) {
    const last = outcome.kind === "answered" ? `status ${outcome.status}` : outcome.message;
    return { kind: "given_up", reason: `All ${attempt} attempts failed, the last with: ${last}` };
  }
  const chance = input.random();
  const scheduledMs = delayMs * (1 + JITTER * (2 * chance - 1));
  const askedSeconds = outcome.kind === "answered" ? (outcome.retryAfterSeconds ?? 0) : 0;
  const askedMs = Math.min(askedSeconds * SECOND_MS, RETRY_AFTER_MAX_MS) * (1 + JITTER * chance);
  return { kind: "retry", atMs: nowMs + Math.ceil(Math.max(scheduledMs, askedMs)) };
}

/** Reads the response header `webhook-delivery`: drop this delivery, or send no more; null for anything else. */
export function wishOf(outcome: PostOutcome): "abort-message" | "disable" | null {
  const wish = outcome.kind === "answered" ? outcome.headers["webhook-delivery"]?.trim().toLowerCase() : undefined;
  return wish === "abort-message" || wish === "disable" ? wish : null;
}
