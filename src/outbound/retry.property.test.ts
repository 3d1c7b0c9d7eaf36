/** Checks retries against a model of the clock: waits grow, retries end, and a restart changes no time. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { scriptedSmtp } from "../../test/smtp/scripted-smtp.ts";
import { startTestApp } from "../../test/support/app.ts";
import { holds } from "../../test/support/property.ts";
import { TestClock } from "../util/clock.ts";
import { attemptsMax, outageDelay, retryDelay } from "./retry.ts";

const HOUR_MS = 3_600_000;
const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

test("waits are longer each time, whatever the jitter, until none is left after three days", () =>
  holds(
    fc.property(fc.array(chance, { minLength: attemptsMax, maxLength: attemptsMax }), (randoms) => {
      const waits = randoms.map((random, i) => retryDelay(i + 1, random));
      expect(waits.indexOf(null)).toBe(attemptsMax - 1);
      const real = waits.slice(0, -1) as number[];
      for (const [i, wait] of real.entries()) {
        expect(wait).toBeGreaterThanOrEqual(4 * 60_000);
        expect(wait).toBeLessThan(4.6 * HOUR_MS + 1);
        // Doubled, a wait exceeds the previous one whatever the jitter; the longest wait stays the same.
        const before = real[i - 1] ?? 0;
        if (wait < 3.4 * HOUR_MS) expect(wait).toBeGreaterThan(before);
      }
      const all = real.reduce((sum, wait) => sum + wait, 0);
      expect(all).toBeGreaterThan(0.85 * 68 * HOUR_MS);
      expect(all).toBeLessThan(1.15 * 72 * HOUR_MS);
    }),
  ));

test("an upstream that is down is left alone for longer each time, and for minutes at most", () =>
  holds(
    fc.property(fc.integer({ min: 1, max: 10_000 }), chance, (failures, random) => {
      const wait = outageDelay(failures, random);
      expect(wait).toBeGreaterThanOrEqual(4_000);
      expect(wait).toBeLessThanOrEqual(6 * 60_000);
      expect(outageDelay(failures + 1, random)).toBeGreaterThanOrEqual(wait);
    }),
  ));

test("mail that is put off is tried when its time has come and not before, across restarts, until it is given up", async () => {
  const clock = new TestClock();
  await using upstream = await scriptedSmtp({ on: (stage) => (stage === "rcpt" ? "451 4.7.1 Greylisted" : undefined) });
  await using it = await startTestApp({
    seams: { clock },
    set: {
      ...{ "outbound_smtp.host": upstream.host, "outbound_smtp.port": upstream.port, "outbound_smtp.tls": "off" },
      "limits.loop_messages": 0,
    },
  });
  await it.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
  let n = 0;
  const run = async (moves: { part: number; restarts: boolean }[]) => {
    const mail = { to: [`ann${n}@outside.example`], subject: `Hello ${n++}`, body: "Good day." };
    const { body } = await it.api("POST", "/api/v1/send", mail);
    const look = async () => {
      const found = await it.app.store.getOutbound(it.userId, body.message_id);
      const [recipient] = found?.recipients ?? [];
      if (!recipient) throw new Error("the message is gone");
      return { attempts: recipient.attempts, status: recipient.status, due: recipient.nextAttemptAt.getTime() };
    };
    const tries = () => upstream.lines.filter((line) => line.includes(`<${mail.to[0]}>`)).length;
    for (let i = 0; ; i++) {
      const before = await look();
      expect(before.attempts).toBe(tries());
      if (before.status === "failed") break;
      expect(before).toMatchObject({ status: "deferred" });
      const { part, restarts } = moves[i % moves.length] as (typeof moves)[number];
      if (restarts) {
        await it.restart();
        expect(await look()).toEqual(before);
      }
      const wait = before.due - clock.now();
      clock.advance(Math.ceil(wait * part));
      await it.app.drain();
      const after = await look();
      if (part < 1) expect(after).toEqual(before);
      clock.advance(Math.max(0, before.due - clock.now()));
      await it.app.drain();
      const { attempts, status, due } = await look();
      expect(attempts).toBe(before.attempts + 1);
      if (status !== "failed") expect(due).toBeGreaterThan(clock.now());
    }
    expect((await look()).attempts).toBe(attemptsMax);
  };
  const move = fc.record({ part: fc.constantFrom(0, 0.5, 0.999, 1, 1.5), restarts: fc.boolean() });
  const oftenNot = move.map((one) => ({ ...one, restarts: one.restarts && one.part === 0.5 }));
  await holds(fc.asyncProperty(fc.array(oftenNot, { minLength: 6, maxLength: 12 }), run), { share: 0.01 });
});
