import { expect, test } from "bun:test";
import { addAgent, addOutbound, claimRecipients, decision, later, noon, watch } from "../../../test/store/rows.ts";
import { freshSubject, onEveryDatabase, twoNodes } from "../../../test/store/stores.ts";
import { eventsOf } from "../../../test/store/verbs.ts";
import type { AgentChanges } from "../accounts/agents.ts";
import type { Store } from "../store.ts";
import type { RecipientOutcome } from "./queue.ts";

const TTL_MS = 60_000;

/** An agent whose holds expire after a minute. */
async function minuteAgent(store: Store, changes: AgentChanges = {}) {
  return watch(store, (await addAgent(store)).id, { hitlTtlSeconds: TTL_MS / 1000, ...changes });
}

const approves = { hitlExpirationAction: "approve" } as const;

onEveryDatabase((it) => {
  test("at its time, not before, a held message is rejected or sent, as its agent says then", async () => {
    await using fresh = await freshSubject(it);
    const { store } = fresh;
    const [rejecting, approving] = [await minuteAgent(store), await minuteAgent(store)];
    const [no, yes] = [await addOutbound(store, rejecting.id), await addOutbound(store, approving.id)];
    await store.updateAgent(approving.id, approves, later(1));
    expect(await store.expireHolds(later(TTL_MS - 1), 100)).toBe(0);
    expect(await store.expireHolds(later(TTL_MS), 100)).toBe(2);
    expect(await store.expireHolds(later(TTL_MS), 100)).toBe(0);
    const by = { reviewedBy: "expiry", reviewedAt: later(TTL_MS), noticeDueAt: null };
    const reason = "No one decided in time.";
    expect(await store.getOutbound(rejecting.userId, no.message.id)).toMatchObject({
      message: { status: "expired_rejected", rejectionReason: reason, ...by },
      recipients: [{ status: "cancelled", queue: "done" }],
    });
    expect(await store.getOutbound(approving.userId, yes.message.id)).toMatchObject({
      message: { status: "expired_approved", rejectionReason: null, ...by },
      recipients: [{ status: "queued", queue: "ready", nextAttemptAt: later(TTL_MS) }],
    });
    const entry = { decidedBy: "expiry", how: "expiry", ip: null, createdAt: later(TTL_MS) };
    const { contentHash } = no.message;
    expect(await store.listAudit(rejecting.userId, { limit: 9 })).toMatchObject([
      { ...entry, action: "expire_reject", detail: { reason }, contentHash },
    ]);
    expect(await store.listAudit(approving.userId, { limit: 9 })).toMatchObject([
      { ...entry, action: "expire_approve", detail: null },
    ]);
    expect((await eventsOf(fresh, rejecting.userId)).at(-1)).toMatchObject({
      ...{ type: "message.expired", data: { action: "reject", rejection_reason: reason } },
    });
    expect((await eventsOf(fresh, approving.userId)).at(-1)).toMatchObject({
      ...{ type: "message.expired", data: { action: "approve" } },
    });
    for (const { message } of [no, yes])
      expect(await store.decideHold(decision(message.id))).toMatchObject({ kind: "decided" });
  });

  test("mail that the loop breaker stopped is not sent when its hold expires", async () => {
    await using fresh = await freshSubject(it);
    const agent = await addAgent(fresh.store);
    await fresh.store.updateAgent(agent.id, { ...approves, hitlTtlSeconds: 60 }, noon);
    const say = () =>
      addOutbound(fresh.store, agent.id, { conversationId: "conv_a", limits: { loopMessages: 1 }, now: noon });
    await say();
    const { message } = await say();
    expect(message.hold?.rule).toBe("loop");
    await fresh.store.expireHolds(later(TTL_MS), 9);
    expect((await fresh.store.getOutbound(agent.userId, message.id))?.message.status).toBe("expired_rejected");
  });

  test("nor is it if the gate holds it too, until a person approves it", async () => {
    await using fresh = await freshSubject(it);
    const agent = await minuteAgent(fresh.store, approves);
    const say = () =>
      addOutbound(fresh.store, agent.id, { conversationId: "conv_a", limits: { loopMessages: 1 }, now: noon });
    const [first, late, wanted] = [await say(), await say(), await say()];
    expect(first.message).toMatchObject({ hold: { rule: "approval" }, loopKey: null });
    expect(late.message).toMatchObject({
      hold: { rule: "loop", reason: expect.stringMatching(/^Every message waits\. It looks like a loop: more than 1/) },
      loopKey: "conversation conv_a",
    });
    expect((await eventsOf(fresh, agent.userId)).map(({ type }) => type)).toEqual([
      ...["message.held", "message.held", "loop.stopped", "message.held"],
    ]);
    expect(await fresh.store.decideHold(decision(wanted.message.id))).toMatchObject({ kind: "done" });
    await fresh.store.expireHolds(later(TTL_MS), 9);
    const statusOf = async ({ message }: typeof first) =>
      (await fresh.store.getOutbound(agent.userId, message.id))?.message.status;
    expect([await statusOf(first), await statusOf(late), await statusOf(wanted)]).toEqual([
      ...(["expired_approved", "expired_rejected", "queued"] as const),
    ]);
  });

  test("what may not leave any more is rejected, with the reason, and holds up no other", async () => {
    await using fresh = await freshSubject(it);
    const { store } = fresh;
    const agent = await minuteAgent(store, approves);
    const [bad, good] = [
      await addOutbound(store, agent.id, { recipients: ["bob@people.example", "eve@people.example"] }),
      await addOutbound(store, agent.id),
    ];
    await store.suppress({
      ...{ userId: agent.userId, address: "eve@people.example", reason: "bounce", detail: "", messageId: null },
      now: noon,
    });
    expect(await store.expireHolds(later(TTL_MS), 9)).toBe(2);
    const rejected = await store.getOutbound(agent.userId, bad.message.id);
    expect(rejected?.message.status).toBe("expired_rejected");
    expect(rejected?.message.rejectionReason).toContain("eve@people.example, which is on the suppression list");
    expect(rejected?.recipients.map(({ status }) => status)).toEqual(["cancelled", "cancelled"]);
    expect((await store.getOutbound(agent.userId, good.message.id))?.message.status).toBe("expired_approved");
  });

  test("so many at once as asked, the oldest first, and each by one node only", async () => {
    await using fresh = await freshSubject(it);
    const nodes = await twoNodes(fresh);
    const agent = await minuteAgent(fresh.store);
    const ids: string[] = [];
    for (const ms of [3, 1, 2, 4, 5])
      ids.push((await addOutbound(fresh.store, agent.id, { now: later(ms) })).message.id);
    const now = later(TTL_MS + 10);
    expect(await fresh.store.expireHolds(now, 2)).toBe(2);
    const pending = async () =>
      (await fresh.store.listOutbound(agent.userId, { status: "pending_approval" }, { limit: 9, sort: "asc" })).map(
        ({ message }) => message.id,
      );
    expect(await pending()).toEqual([ids[0]!, ids[3]!, ids[4]!]);
    const both = await Promise.all(nodes.map((node) => node.store.expireHolds(now, 9)));
    expect(both.reduce((a, b) => a + b)).toBe(3);
    expect(await pending()).toEqual([]);
    expect(await fresh.store.listAudit(agent.userId, { limit: 99 })).toHaveLength(5);
  });

  test.each<{ what: string; outcome: RecipientOutcome }>([
    { what: "sent", outcome: { kind: "sent", method: "smtp", status: "sent", reply: "250 OK" } },
    { what: "put off", outcome: { kind: "retry", at: later(1e9), reply: "451 later", error: null } },
    { what: "refused", outcome: { kind: "failed", reply: "550 no", error: null, suppress: false } },
  ])(
    "how it was decided stays said when its recipient is $what, bounced, cancelled or claimed again",
    async ({ outcome }) => {
      await using fresh = await freshSubject(it);
      const { store } = fresh;
      const agent = await minuteAgent(store, approves);
      const { message } = await addOutbound(store, agent.id, { recipients: ["a@people.example", "b@people.example"] });
      const now = later(TTL_MS);
      await store.expireHolds(now, 9);
      const status = async () => (await store.getOutbound(agent.userId, message.id))?.message.status;
      const lanes = [{ lane: "upstream", free: 1 }];
      const [claimed] = await claimRecipients(store, { now, leaseUntil: later(1e6), leaseToken: "mine", lanes });
      expect(await status()).toBe("expired_approved");
      expect(await store.finishRecipient(claimed!, outcome, now)).toBe("expired_approved");
      await store.recordReport({
        ...{
          messageId: message.id,
          n: claimed!.n,
          status: "bounced",
          detail: "550",
          suppress: false,
          addresses: [],
          now,
        },
      });
      expect(await store.cancelOutbound(agent.userId, message.id, now)).toMatchObject({ message: { id: message.id } });
      await store.takeOver(now);
      expect(await status()).toBe("expired_approved");
    },
  );

  test("the next due time is that of the next expiry or the next mail to reviewers", async () => {
    await using fresh = await freshSubject(it);
    const { store } = fresh;
    expect(await store.nextHoldDue()).toBeNull();
    const quiet = await minuteAgent(store, { hitlNotifyEmail: false });
    const first = await addOutbound(store, quiet.id, { now: later(5) });
    expect(await store.nextHoldDue()).toEqual(later(5 + TTL_MS));
    await addOutbound(store, quiet.id, { now: later(1) });
    expect(await store.nextHoldDue()).toEqual(later(1 + TTL_MS));
    const loud = await minuteAgent(store);
    const told = await addOutbound(store, loud.id, { now: later(9) });
    expect(await store.nextHoldDue()).toEqual(later(9));
    await store.decideHold(decision(told.message.id));
    expect(await store.nextHoldDue()).toEqual(later(1 + TTL_MS));
    await store.expireHolds(later(1 + TTL_MS), 9);
    expect(await store.nextHoldDue()).toEqual(later(5 + TTL_MS));
    await store.cancelOutbound(quiet.userId, first.message.id, later(10));
    expect(await store.nextHoldDue()).toBeNull();
  });
});
