import { describe, expect, test } from "bun:test";
import type { PostFailure, PostOutcome } from "./post.ts";
import { attemptsMax, nextStep } from "./retry.ts";

const nowMs = Date.parse("2026-05-15T12:00:00Z");
const middle = () => 0.5;

function answered(status: number, retryAfterSeconds?: number): PostOutcome {
  const retryAfter = retryAfterSeconds === undefined ? {} : { retryAfterSeconds };
  return { kind: "answered", status, ...retryAfter, bodyStart: "", headers: {}, durationMs: 1, address: "192.0.2.1" };
}

function failed(reason: PostFailure): PostOutcome {
  return { kind: "failed", reason, message: `It was ${reason}.`, durationMs: 1 };
}

const kinds: [name: string, outcome: PostOutcome, kind: string][] = [
  ["200", answered(200), "done"],
  ["204", answered(204), "done"],
  ["299", answered(299), "done"],
  ["301", answered(301), "retry"],
  ["304", answered(304), "retry"],
  ["400", answered(400), "retry"],
  ["404", answered(404), "retry"],
  ["410", answered(410), "given_up"],
  ["410 with Retry-After", answered(410, 5), "given_up"],
  ["429", answered(429), "retry"],
  ["500", answered(500), "retry"],
  ["999", answered(999), "retry"],
  ["dns", failed("dns"), "retry"],
  ["forbidden_address", failed("forbidden_address"), "retry"],
  ["connect", failed("connect"), "retry"],
  ["tls", failed("tls"), "retry"],
  ["timeout", failed("timeout"), "retry"],
  ["reset", failed("reset"), "retry"],
  ["protocol", failed("protocol"), "retry"],
];
test.each(kinds)("%s", (_name, outcome, kind) => {
  expect(nextStep({ attempt: 1, outcome, nowMs, random: middle }).kind).toBe(kind as "done");
});

describe("the schedule", () => {
  const secondsAfterAttempt = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];

  test("has ten attempts over 75 hours", () => {
    const waits = secondsAfterAttempt.map((_, i) => waitSeconds(i + 1, answered(500), middle));
    expect(waits).toEqual(secondsAfterAttempt);
    expect(Math.floor(waits.reduce((sum, wait) => sum + wait, 0) / 3600)).toBe(75);
    expect(attemptsMax).toBe(10);
  });

  test("waits vary by up to 15 percent to either side", () => {
    expect(waitSeconds(4, answered(500), () => 0)).toBe(7_200 * 0.85);
    expect(waitSeconds(4, answered(500), () => 0.999999)).toBeCloseTo(7_200 * 1.15, 0);
  });

  test("the last attempt's failure ends it, and says why", () => {
    const end = (outcome: PostOutcome) => nextStep({ attempt: 10, outcome, nowMs, random: middle });
    expect(end(answered(503, 60))).toEqual({
      kind: "given_up",
      reason: "All 10 attempts failed, the last with: status 503",
    });
    expect(end(failed("tls"))).toMatchObject({ reason: expect.stringContaining("It was tls.") });
    expect(end(answered(200))).toEqual({ kind: "done" });
    expect(nextStep({ attempt: 11, outcome: answered(500), nowMs, random: middle }).kind).toBe("given_up");
  });
});

describe("Retry-After", () => {
  const rows: [attempt: number, asked: number, waits: number][] = [
    [1, 60, 60 * 1.075],
    [2, 600, 600 * 1.075],
    [1, 0, 5],
    [1, 2, 5],
    [4, 30, 7_200],
    [1, 86_400 * 365, 86_400 * 1.075],
    [1, 9_999_999_999, 86_400 * 1.075],
  ];
  test.each(rows)("after attempt %i, asked for %i s, it waits %d s", (attempt, asked, waits) => {
    expect(waitSeconds(attempt, answered(503, asked), middle)).toBe(waits);
  });

  test("is never undercut by the jitter", () => {
    for (const chance of [0, 0.3, 0.999999])
      expect(waitSeconds(1, answered(429, 100), () => chance)).toBeGreaterThanOrEqual(100);
  });
});

test("an attempt that we stopped is made again at once, also the last", () => {
  for (const attempt of [1, 10])
    expect(nextStep({ attempt, outcome: failed("aborted"), nowMs, random: middle })).toEqual({
      kind: "retry",
      atMs: nowMs,
    });
});

function waitSeconds(attempt: number, outcome: PostOutcome, random: () => number): number {
  const step = nextStep({ attempt, outcome, nowMs, random });
  if (step.kind !== "retry") throw new Error(`${step.kind} instead of a retry`);
  return (step.atMs - nowMs) / 1000;
}
