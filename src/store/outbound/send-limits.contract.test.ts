import { expect, test } from "bun:test";
import {
  addAccount,
  addAgent,
  addMessage,
  addOutbound,
  claimRecipients,
  later,
  noon,
} from "../../../test/store/rows.ts";
import { countRows, freshSubject, onEveryDatabase, twoNodes } from "../../../test/store/stores.ts";
import { rejection } from "../../../test/store/verbs.ts";
import type { Failure } from "../../util/errors.ts";
import type { SendLimits } from "./send-limits.ts";

const MINUTE_MS = 60_000;
/** Noon is 0.123 s after a full minute. */
const untilMinuteSeconds = 60;
const untilDaySeconds = 43_200;

onEveryDatabase((it) => {
  const send = (agentId: string, limits: Partial<SendLimits>, ms = 0, recipients: string[] = ["bob@people.example"]) =>
    addOutbound(it.store, agentId, { limits, now: later(ms), recipients });
  const refusal = async (sending: Promise<unknown>) => (await rejection(sending)) as Failure;

  test("beyond an agent's pace a message is put off to a minute after the one that fills it", async () => {
    const agent = await addAgent(it.store);
    const limits = { perMinutePerAgent: 3, burstPerAgent: 4 };
    const sendAt = async (ms: number) =>
      (await send(agent.id, limits, ms)).message.notBefore.getTime() - noon.getTime();
    expect([await sendAt(0), await sendAt(100), await sendAt(200)]).toEqual([0, 100, 200]);
    expect(await sendAt(300)).toBe(MINUTE_MS);
    expect(await sendAt(400)).toBe(MINUTE_MS + 100);
    // The first is outside the minute, but the two that were delayed come before any mail sent now.
    expect(await sendAt(MINUTE_MS + 50)).toBe(MINUTE_MS + 200);
    expect(await sendAt(MINUTE_MS + 60)).toBe(2 * MINUTE_MS);
    expect(await sendAt(4 * MINUTE_MS)).toBe(4 * MINUTE_MS);
  });

  test("what is put off is queued, not leased and not due before its time", async () => {
    await using fresh = await freshSubject(it);
    const agent = await addAgent(fresh.store);
    const limits = { perMinutePerAgent: 1, burstPerAgent: 5 };
    const recipients = [{ lease: "mine" }];
    expect((await addOutbound(fresh.store, agent.id, { limits, recipients })).message.status).toBe("sending");
    const second = await addOutbound(fresh.store, agent.id, { limits, recipients, now: later(5) });
    expect(second.message.status).toBe("queued");
    expect(second.recipients[0]).toMatchObject({ leaseToken: null, nextAttemptAt: later(MINUTE_MS) });
    const claim = (now: Date) =>
      claimRecipients(fresh.store, {
        ...{ now, leaseUntil: later(1e7), leaseToken: "c", lanes: [{ lane: "upstream", free: 9 }] },
      });
    expect((await claim(later(MINUTE_MS - 1))).map((row) => row.messageId)).not.toContain(second.message.id);
    expect((await claim(later(MINUTE_MS))).map((row) => row.messageId)).toContain(second.message.id);
  });

  test("60 a minute: the 61st waits a minute, and when the burst waits the next one is refused", async () => {
    await using fresh = await freshSubject(it);
    const agent = await addAgent(fresh.store);
    const limits = { perMinutePerAgent: 60, burstPerAgent: 2, perDayPerAccount: 1_000 };
    const sendAt = (ms: number) => addOutbound(fresh.store, agent.id, { limits, now: later(ms) });
    for (let i = 0; i < 60; i++) expect((await sendAt(i)).message.notBefore).toEqual(later(i));
    expect((await sendAt(60)).message.notBefore).toEqual(later(MINUTE_MS));
    expect((await sendAt(61)).message.notBefore).toEqual(later(MINUTE_MS + 1));
    const failure = await refusal(sendAt(1_500));
    expect([failure.code, failure.details.retryAfterSeconds]).toEqual(["rate_limited", 59]);
    expect(await countRows(fresh, ["outbound_messages", "outbound_recipients", "correspondents"])).toEqual({
      ...{ outbound_messages: 62, outbound_recipients: 62, correspondents: 62 },
    });
    expect((await sendAt(1_500 + 59_000)).fresh).toBe(true);
  });

  test("after the clock is set back, what was sent later by the old one does not count", async () => {
    const agent = await addAgent(it.store);
    const limits = { perMinutePerAgent: 2, burstPerAgent: 5 };
    const hour = 60 * MINUTE_MS;
    for (const ms of [0, 1, 2]) await send(agent.id, limits, hour + ms);
    expect((await send(agent.id, limits, 0)).message.notBefore).toEqual(noon);
    // By the clock of another node, this one is in the past.
    await send(agent.id, limits, 5_000);
    expect((await send(agent.id, limits, 1)).message.notBefore).toEqual(later(MINUTE_MS));
  });

  test("without a burst an agent at its pace is refused; 0 a minute is no limit", async () => {
    const agent = await addAgent(it.store);
    await send(agent.id, { perMinutePerAgent: 1, burstPerAgent: 0 });
    const failure = await refusal(send(agent.id, { perMinutePerAgent: 1, burstPerAgent: 0 }, 10_000));
    expect([failure.code, failure.details.retryAfterSeconds]).toEqual(["rate_limited", 50]);
    for (let i = 0; i < 5; i++)
      expect((await send(agent.id, { perMinutePerAgent: 0 }, i)).message.notBefore).toEqual(later(i));
  });

  const accountLimits: [name: string, limits: Partial<SendLimits>, waitSeconds: number][] = [
    ["minute", { perMinutePerAccount: 3 }, untilMinuteSeconds],
    ["day", { perDayPerAccount: 3 }, untilDaySeconds],
  ];
  for (const [name, limits, waitSeconds] of accountLimits)
    test(`an account's messages in a ${name} count over all its agents, and a refused one does not`, async () => {
      const user = await addAccount(it.store);
      const [a, b] = [await addAgent(it.store, { userId: user.id }), await addAgent(it.store, { userId: user.id })];
      const other = await addAgent(it.store);
      for (const sender of [a, b, a]) await send(sender.id, limits);
      for (const sender of [a, b, a]) {
        const failure = await refusal(send(sender.id, limits));
        expect([failure.code, failure.details.retryAfterSeconds]).toEqual(["rate_limited", waitSeconds]);
        expect(failure.message).toContain(`3 messages a ${name}`);
      }
      expect((await send(other.id, limits)).fresh).toBe(true);
      for (let i = 0; i < 3; i++) await send(b.id, limits, waitSeconds * 1000);
      expect((await refusal(send(b.id, limits, waitSeconds * 1000))).code).toBe("rate_limited");
    });

  test("first-time recipients are counted by the day; who was written to or heard from is none", async () => {
    const agent = await addAgent(it.store);
    const limits = { newRecipientsPerDayPerAccount: 3 };
    const friend = { address: "friend@people.example", name: "" };
    await addMessage(it.store, agent.id, { from: [friend] });
    await send(agent.id, limits, 0, ["a@people.example", "b@people.example", friend.address]);
    await send(agent.id, limits, 0, ["a@people.example", "b@people.example"]);
    const failure = await refusal(send(agent.id, limits, 0, ["c@people.example", "d@people.example"]));
    expect([failure.code, failure.details.retryAfterSeconds]).toEqual(["rate_limited", untilDaySeconds]);
    // Refused recipients are still strangers, and did not count.
    await send(agent.id, limits, 0, ["c@people.example"]);
    expect((await refusal(send(agent.id, limits, 0, ["d@people.example"]))).code).toBe("rate_limited");
    await send(agent.id, limits, 0, ["a@people.example", "c@people.example", friend.address]);
    await send(agent.id, limits, untilDaySeconds * 1000, ["d@people.example"]);
  });

  test("two nodes at once do not exceed a limit", async () => {
    const nodes = await twoNodes(it);
    const user = await addAccount(it.store);
    const [a, b] = [await addAgent(it.store, { userId: user.id }), await addAgent(it.store, { userId: user.id })];
    const taken = async (limits: Partial<SendLimits>, senders: string[]) => {
      const all = await Promise.allSettled(
        Array.from({ length: 12 }, (_, i) =>
          addOutbound(nodes[i % 2]!.store, senders[i % senders.length]!, { limits, conversationId: "conv_x" }),
        ),
      );
      for (const one of all) if (one.status === "rejected") expect(one.reason).toMatchObject({ code: "rate_limited" });
      return all.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    };
    expect(await taken({ perMinutePerAccount: 5 }, [a.id, b.id])).toHaveLength(5);
    expect(await taken({ newRecipientsPerDayPerAccount: 4 }, [a.id, b.id])).toHaveLength(4);
    const c = await addAgent(it.store);
    expect(await taken({ perMinutePerAgent: 2, burstPerAgent: 3 }, [c.id])).toHaveLength(5);
    const d = await addAgent(it.store);
    const held = (await taken({ loopMessages: 5 }, [d.id])).filter(({ message }) => message.hold);
    expect(held).toHaveLength(7);
  });

  test("a sweep forgets counts of days that are over, and no others", async () => {
    await using fresh = await freshSubject(it);
    const agent = await addAgent(fresh.store);
    const limits = { perMinutePerAccount: 9, perDayPerAccount: 1 };
    await addOutbound(fresh.store, agent.id, { limits });
    const sweep = (days: number) =>
      fresh.store.sweep({
        ...{ now: later(days * 86_400_000), messagesBefore: null, deliveriesBefore: null, idempotencyBefore: noon },
      });
    await sweep(1);
    expect(await rejection(addOutbound(fresh.store, agent.id, { limits }))).toMatchObject({ code: "rate_limited" });
    await sweep(3);
    expect(await countRows(fresh, ["send_counts"])).toEqual({ send_counts: 0 });
  });

  test("a sweep forgets releases of loops when they are days old", async () => {
    await using fresh = await freshSubject(it);
    const agent = await addAgent(fresh.store);
    const limits = { loopMessages: 1 };
    const recipients = ["bob@people.example"];
    const person = { by: "ann@people.example", how: "api" as const, ip: null };
    await addOutbound(fresh.store, agent.id, { limits, recipients });
    const { message } = await addOutbound(fresh.store, agent.id, { limits, recipients });
    await fresh.store.releaseLoop({ ...person, userId: agent.userId, id: message.id, now: noon });
    const ages = { messagesBefore: null, deliveriesBefore: null, idempotencyBefore: noon };
    for (const [days, left] of [
      [1, 2],
      [3, 0],
    ] as const) {
      await fresh.store.sweep({ ...ages, now: later(days * 86_400_000) });
      expect(await countRows(fresh, ["loop_releases"])).toEqual({ loop_releases: left });
    }
  });
});
