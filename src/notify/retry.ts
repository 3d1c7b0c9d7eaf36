import type { PostOutcome } from "./post.ts";

const secondMs = 1_000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;

/** Waits between one attempt and the next, 75 hours in all: short for a restart, long enough for a weekend's outage. */
const retryDelaysMs: readonly number[] = [
  5 * secondMs,
  5 * minuteMs,
  30 * minuteMs,
  2 * hourMs,
  5 * hourMs,
  10 * hourMs,
  14 * hourMs,
  20 * hourMs,
  24 * hourMs,
];
export const attemptsMax = retryDelaysMs.length + 1;
/** Waits vary by this part of themselves, so that deliveries that failed together do not come back together. */
const jitter = 0.15;
/** Longest Retry-After that is believed: no longer than our own longest wait. */
const retryAfterMaxMs = 24 * hourMs;

export type NextStep =
  | { kind: "done" }
  | { kind: "retry" /** Milliseconds since the epoch. */; atMs: number }
  | { kind: "given_up"; reason: string };

/**
 * What follows from one attempt to deliver. 2xx is success; 410 means that nobody wants this any more, and so does the
 * answer's header `webhook-delivery: abort-message`; anything else, redirects included, is tried again on the schedule. Retry-After only lengthens a wait: it says when the receiver is ready at
 * the earliest, and early attempts would use the schedule up (RFC 9110 10.2.3).
 *
 * @param input.attempt number of the attempt just made, from 1
 * @param input.random a number in [0, 1), for the jitter
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
  // Stopped on our side, for example to shut down: the endpoint is not to blame and is tried when we are back.
  if (outcome.kind === "failed" && outcome.reason === "aborted") return { kind: "retry", atMs: nowMs };

  const delayMs = retryDelaysMs[attempt - 1];
  if (delayMs === undefined) {
    const last = outcome.kind === "answered" ? `status ${outcome.status}` : outcome.message;
    return { kind: "given_up", reason: `All ${attempt} attempts failed, the last with: ${last}` };
  }
  const chance = input.random();
  const scheduledMs = delayMs * (1 + jitter * (2 * chance - 1));
  const askedSeconds = outcome.kind === "answered" ? (outcome.retryAfterSeconds ?? 0) : 0;
  const askedMs = Math.min(askedSeconds * secondMs, retryAfterMaxMs) * (1 + jitter * chance);
  return { kind: "retry", atMs: nowMs + Math.ceil(Math.max(scheduledMs, askedMs)) };
}

/** What an endpoint asks for by the header `webhook-delivery` of its answer: to drop this delivery, or to send none at all. */
export function wishOf(outcome: PostOutcome): "abort-message" | "disable" | null {
  const wish = outcome.kind === "answered" ? outcome.headers["webhook-delivery"]?.trim().toLowerCase() : undefined;
  return wish === "abort-message" || wish === "disable" ? wish : null;
}
