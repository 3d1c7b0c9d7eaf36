/**
 * Webhook retries on a model of the clock: each wait is longer than the last, they end, and a restart changes no time.
 */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { startTestApp } from "../../test/support/app.ts";
import { holds } from "../../test/support/property.ts";
import { startSink } from "../../test/support/sink.ts";
import { TestClock } from "../util/clock.ts";
import type { PostOutcome } from "./post.ts";
import { attemptsMax, nextStep } from "./retry.ts";

const HOUR_MS = 3_600_000;
const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const outcome = fc.oneof(
  fc
    .record({
      status: fc.integer({ min: 100, max: 599 }).filter((status) => Math.floor(status / 100) !== 2 && status !== 410),
      retryAfterSeconds: fc.option(fc.oneof(fc.nat(), fc.constantFrom(0, 1, 1e9, 1e300)), { nil: undefined }),
    })
    .map(
      ({ status, retryAfterSeconds }): PostOutcome => ({
        ...{ kind: "answered", status, bodyStart: "", headers: {}, durationMs: 1, address: "192.0.2.1" },
        ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
      }),
    ),
  fc
    .constantFrom("connect" as const, "timeout" as const, "tls" as const, "dns" as const)
    .map((reason): PostOutcome => ({ kind: "failed", reason, message: "It failed.", durationMs: 1 })),
);

test("waits are longer each time, whatever is answered, and after the last one it is given up", () =>
  holds(
    fc.property(fc.array(fc.tuple(outcome, chance), { minLength: attemptsMax, maxLength: attemptsMax }), (attempts) => {
      let now = 0;
      let shortest = 0;
      for (const [i, [what, random]] of attempts.entries()) {
        const step = nextStep({ attempt: i + 1, outcome: what, nowMs: now, random: () => random });
        if (i + 1 === attemptsMax) return expect(step.kind).toBe("given_up");
        if (step.kind !== "retry") throw new Error(step.kind);
        const wait = step.atMs - now;
        expect(wait).toBeLessThanOrEqual(24 * 1.15 * HOUR_MS + 1);
        // Retry-After only lengthens a wait.
        const plain = nextStep({
          ...{ attempt: i + 1, nowMs: now, random: () => random },
          outcome: { kind: "failed", reason: "connect", message: "", durationMs: 1 },
        });
        if (plain.kind !== "retry") throw new Error(plain.kind);
        expect(step.atMs).toBeGreaterThanOrEqual(plain.atMs);
        const asked = what.kind === "answered" ? (what.retryAfterSeconds ?? 0) * 1_000 : 0;
        expect(wait).toBeGreaterThanOrEqual(Math.min(asked, 24 * HOUR_MS));
        expect(plain.atMs - now).toBeGreaterThan(shortest);
        // Even with jitter, each wait is longer than the previous one.
        shortest = (plain.atMs - now) * (0.85 / 1.15);
        now = step.atMs;
      }
    }),
  ));

test("a delivery is tried when its time has come and not before, across restarts, until it is given up", async () => {
  const clock = new TestClock();
  await using sink = startSink();
  sink.answer = () => new Response("no", { status: 503 });
  await using it = await startTestApp({ seams: { clock } });
  let n = 0;
  const run = async (moves: { part: number; restarts: boolean }[]) => {
    // An endpoint that has failed often rests as well; a new one does not.
    const { body: agent } = await it.api("POST", "/api/v1/agents", {
      ...{ slug: `bot-${n++}`, agent_mode: "cloud", webhook_url: sink.url },
    });
    const { body: sent } = await it.api("POST", `/api/v1/agents/${agent.email}/test`);
    await it.app.drain();
    const look = async () => {
      const [delivery] = await it.app.store.deliveriesOf(sent.message_id);
      if (!delivery) throw new Error("the delivery is gone");
      return { attempts: delivery.attempts, status: delivery.status, due: delivery.nextAttemptAt.getTime() };
    };
    const tries = () => sink.requests.filter(({ body }) => body.message_id === sent.message_id).length;
    for (let i = 0; ; i++) {
      const before = await look();
      expect(before.attempts).toBe(tries());
      if (before.status === "failed") break;
      const { part, restarts } = moves[i % moves.length] as (typeof moves)[number];
      if (restarts) {
        await it.restart();
        expect(await look()).toEqual(before);
      }
      clock.advance(Math.ceil((before.due - clock.now()) * part));
      await it.app.drain();
      if (part < 1) expect(await look()).toEqual(before);
      clock.advance(Math.max(0, before.due - clock.now()));
      await it.app.drain();
      const { attempts, status, due } = await look();
      expect(attempts).toBe(before.attempts + 1);
      if (status !== "failed") expect(due).toBeGreaterThan(clock.now());
    }
    expect((await look()).attempts).toBe(attemptsMax);
  };
  const move = fc.record({ part: fc.constantFrom(0, 0.5, 0.999, 1, 1.5), restarts: fc.boolean() });
  await holds(fc.asyncProperty(fc.array(move, { minLength: 6, maxLength: 12 }), run), { share: 0.01 });
});
