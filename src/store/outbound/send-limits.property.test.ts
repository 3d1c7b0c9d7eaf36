/** Checks the sending limits against a model: no more than the limit leaves, and mail within it is never refused. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { addAccount, addAgent, addOutbound, later, noon } from "../../../test/store/rows.ts";
import { onDatabases, unique } from "../../../test/store/stores.ts";
import { holds } from "../../../test/support/property.ts";
import type { Failure } from "../../util/errors.ts";
import type { SendLimits } from "./send-limits.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

const limits = fc.record({
  perMinutePerAgent: fc.nat(3),
  burstPerAgent: fc.nat(3),
  perMinutePerAccount: fc.constantFrom(0, 2, 5),
  perDayPerAccount: fc.constantFrom(0, 4, 8),
  newRecipientsPerDayPerAccount: fc.constantFrom(0, 3, 6),
});
const gap = fc.constantFrom(0, 1, 500, 20_000, MINUTE_MS - 1, MINUTE_MS, DAY_MS / 2);
const requests = fc.array(fc.record({ gap, agent: fc.nat(1), friends: fc.uniqueArray(fc.nat(3), { minLength: 1 }) }), {
  minLength: 1,
  maxLength: 25,
  size: "max",
});

/** An accepted message: its time, when it can leave, and how many first-time recipients it has. */
interface Taken {
  agent: number;
  at: number;
  leaves: number;
  strangers: number;
}

const sameBucket = (bucketMs: number, at: number) => (one: Taken) =>
  Math.floor(one.at / bucketMs) === Math.floor(at / bucketMs);
const sum = (taken: Taken[]) => taken.reduce((all, { strangers }) => all + strangers, 0);

/** The limits that a request would exceed. 0 means no limit. */
function overLimits(
  taken: Taken[],
  max: typeof limits extends fc.Arbitrary<infer L> ? L : never,
  next: Taken,
): string[] {
  const [minute, day] = [MINUTE_MS, DAY_MS].map((ms) => taken.filter(sameBucket(ms, next.at))) as [Taken[], Taken[]];
  const mine = taken.filter(({ agent }) => agent === next.agent);
  const isFull = mine.filter(({ leaves }) => leaves > next.at - MINUTE_MS).length >= max.perMinutePerAgent;
  const waiting = mine.filter(({ leaves }) => leaves > next.at).length;
  return [
    ...(max.perMinutePerAccount > 0 && minute.length >= max.perMinutePerAccount ? ["minute"] : []),
    ...(max.perDayPerAccount > 0 && day.length >= max.perDayPerAccount ? ["day"] : []),
    ...(max.newRecipientsPerDayPerAccount > 0 &&
    next.strangers > 0 &&
    sum(day) + next.strangers > max.newRecipientsPerDayPerAccount
      ? ["strangers"]
      : []),
    ...(max.perMinutePerAgent > 0 && isFull && waiting >= max.burstPerAgent ? ["pace"] : []),
  ];
}

onDatabases(
  ({ name }) => name !== "SQLite file",
  (it) => {
    test("no window has more than its limit, nobody is refused without a reason, and Retry-After is true", async () => {
      const { store } = it;
      const run = async (
        max: Parameters<typeof overLimits>[1],
        asked: { gap: number; agent: number; friends: number[] }[],
      ) => {
        const { id: userId } = await addAccount(store);
        const agents = [await addAgent(store, { userId }), await addAgent(store, { userId })].map(({ id }) => id);
        const people = unique("people");
        const known = new Set<string>();
        const taken: Taken[] = [];
        const send = async (agent: number, ms: number, friends: number[]): Promise<Failure | null> => {
          const at = noon.getTime() + ms;
          const strangers = friends.filter((n) => !known.has(`${agent} ${n}`));
          const over = overLimits(taken, max, { agent, at, leaves: at, strangers: strangers.length });
          const sent = await addOutbound(store, agents[agent] ?? "", {
            ...{ now: later(ms), limits: max satisfies Partial<SendLimits> },
            recipients: friends.map((n) => `${n}@${people}.example`),
          }).catch((error: Failure) => error);
          if ("code" in sent) {
            expect(sent.code).toBe("rate_limited");
            expect(over).not.toEqual([]);
            return sent;
          }
          expect(over).toEqual([]);
          const leaves = sent.message.notBefore.getTime();
          const mine = taken.filter((one) => one.agent === agent);
          const isFull = mine.filter((one) => one.leaves > at - MINUTE_MS).length >= max.perMinutePerAgent;
          if (max.perMinutePerAgent === 0 || !isFull) expect(leaves).toBe(at);
          taken.push({ agent, at, leaves, strangers: strangers.length });
          for (const n of strangers) known.add(`${agent} ${n}`);
          return null;
        };
        let ms = 0;
        for (const { gap: pause, agent, friends } of asked) {
          ms += pause;
          const refused = await send(agent, ms, friends);
          if (!refused) continue;
          const { retryAfterSeconds } = refused.details;
          expect(retryAfterSeconds).toBeGreaterThan(0);
          const over = overLimits(taken, max, {
            ...{ agent, at: noon.getTime() + ms + (retryAfterSeconds ?? 0) * 1000, leaves: 0 },
            strangers: friends.filter((n) => !known.has(`${agent} ${n}`)).length,
          });
          // Only a per-minute refusal is checked: by then its limit has room, unless the request alone exceeds it.
          if (!/minutes?\b/.test(refused.message)) continue;
          expect(over.filter((one) => one === (/account/.test(refused.message) ? "minute" : "pace"))).toEqual([]);
        }
        for (const agent of max.perMinutePerAgent > 0 ? agents.keys() : []) {
          const times = taken
            .filter((one) => one.agent === agent)
            .map(({ leaves }) => leaves)
            .toSorted((a, b) => a - b);
          for (const [i, time] of times.entries()) {
            const next = times[i + max.perMinutePerAgent];
            if (next !== undefined) expect(next - time).toBeGreaterThanOrEqual(MINUTE_MS);
          }
        }
      };
      await holds(fc.asyncProperty(limits, requests, run), { share: it.place.dialect === "sqlite" ? 0.5 : 0.1 });
    });
  },
);
