import { expect, test } from "bun:test";
import {
  addAccount,
  addAgent,
  addOutbound,
  claimRecipients,
  decision,
  later,
  noon,
  unlimited,
  watch,
} from "../../../test/store/rows.ts";
import { onEveryDatabase, twoNodes } from "../../../test/store/stores.ts";
import { eventsOf } from "../../../test/store/verbs.ts";
import type { Edit } from "./holds.ts";
import type { Withdrawal } from "./withdraw.ts";

const bob = "bob@people.example";
const minuteMs = 60_000;

function editTo(subject: string, content: Edit["content"]): Edit {
  return {
    ...{ subject, snippet: "Changed.", content, contentHash: "another hash", raw: Buffer.from("x") },
    ...{ review: null, limits: unlimited, recipients: [{ address: bob, kind: "to", lane: "upstream" }] },
  };
}

onEveryDatabase((it) => {
  /** An approved message of an agent with an undo time of one minute. */
  async function approved(recipients = [bob], verdict: Parameters<typeof decision>[1] = {}) {
    const agent = await watch(it.store, (await addAgent(it.store)).id, { undoSeconds: 60 });
    const { message } = await addOutbound(it.store, agent.id, { recipients });
    await it.store.decideHold(decision(message.id, verdict));
    return { agent, message, id: message.id, userId: agent.userId };
  }
  const undo = (userId: string, id: string, more: Partial<Withdrawal> = {}) =>
    it.store.withdrawApproval({
      ...{ userId, id, by: "ann@people.example", how: "session", ip: "192.0.2.7", now: later(90_000) },
      ...more,
    });
  /** Those of the message's recipients that dispatch would try then; other tests have left theirs in the queue. */
  const claim = async (id: string, at: number) => {
    const lanes = [{ lane: "upstream", free: 100 }];
    const rows = await claimRecipients(it.store, {
      ...{ now: later(at), leaseUntil: later(at + minuteMs), leaseToken: "a token", lanes },
    });
    return rows.filter(({ messageId }) => messageId === id);
  };
  const strangers = async (agentId: string) =>
    (await it.store.gateFacts({ agentId, conversations: [], addresses: [bob] })).firstTime;

  test("an approval taken back: the message waits as it did before, and it is told and written down", async () => {
    const { agent, message, id, userId } = await approved();
    expect(await strangers(agent.id)).toEqual([bob]);
    const done = await undo(userId, id);
    if (done?.kind !== "done") return expect.unreachable();
    // No reviewer was told of it yet, so a notice is still due.
    const now = await it.store.getOutbound(userId, id);
    expect(now?.message).toEqual({ ...message, noticeDueAt: later(90_000) });
    expect(done.outbound.recipients).toMatchObject([{ address: bob, status: "held", queue: "held", firstTime: true }]);
    expect(now).toMatchObject(done.outbound);
    // Mail that was only held makes no recipient known.
    expect(await strangers(agent.id)).toEqual([bob]);
    expect(await claim(id, minuteMs * 10)).toEqual([]);
    expect((await eventsOf(it, userId)).at(-1)).toMatchObject({
      type: "message.held",
      data: {
        ...{ message_id: id, rule: "approval", withdrawn_by: "ann@people.example" },
        approval_expires_at: message.approvalExpiresAt?.toISOString(),
      },
    });
    expect(await it.store.listAudit(userId, { limit: 9 })).toMatchObject([
      { action: "undo", decidedBy: "ann@people.example", how: "session", ip: "192.0.2.7", createdAt: later(90_000) },
      { action: "approve" },
    ]);
    // It can then be decided as before.
    expect(await it.store.decideHold(decision(id, { now: later(100_000) }))).toMatchObject({ kind: "done" });
    expect(await strangers(agent.id)).toEqual([bob]);
    expect(await claim(id, minuteMs * 10)).toHaveLength(1);
  });

  test("an approval with changes taken back: they stay in it, and reviewers are told of the new content", async () => {
    const edit = editTo("Changed", { ...(await approved()).message.content, text: "Changed." });
    const { id, userId, message } = await approved([bob], { verdict: { kind: "approve", edit } });
    expect(await undo(userId, id)).toMatchObject({ kind: "done" });
    expect((await it.store.getOutbound(userId, id))?.message).toMatchObject({
      ...{ status: "pending_approval", subject: "Changed", contentHash: "another hash" },
      ...{ original: { subject: message.subject }, noticeDueAt: later(90_000) },
    });
    // A reviewer who saw only what the agent wrote cannot decide the edited message.
    expect(await it.store.decideHold(decision(id, { contentHash: message.contentHash }))).toMatchObject({
      kind: "superseded",
    });
    expect(await it.store.listAudit(userId, { limit: 9 })).toMatchObject([
      { action: "undo" },
      { action: "edit_approve", detail: { changed: ["subject", "body_text"] } },
    ]);
  });

  test("a hold whose time ran out meanwhile does not decide itself at once", async () => {
    const { id, userId, message } = await approved();
    const late = new Date((message.approvalExpiresAt?.getTime() ?? 0) + 1);
    expect(await undo(userId, id, { now: late })).toMatchObject({ kind: "done" });
    const statusAt = async (now: Date) => {
      while ((await it.store.expireHolds(now, 100)) > 0);
      return (await it.store.getOutbound(userId, id))?.message.status;
    };
    expect(await statusAt(late)).toBe("pending_approval");
    expect(await statusAt(new Date(late.getTime() + minuteMs * 15))).toBe("expired_rejected");
  });

  test("reviewers who were told are told again only when their links name another content", async () => {
    const agent = await watch(it.store, (await addAgent(it.store)).id, { undoSeconds: 60 });
    const { id, content } = (await addOutbound(it.store, agent.id, { recipients: [bob] })).message;
    await it.store.storeNotices([], [id], unlimited, later(1_000));
    await it.store.decideHold(decision(id));
    expect(await undo(agent.userId, id)).toMatchObject({
      outbound: { message: { noticeDueAt: null, notifiedAt: later(1_000) } },
    });
    await it.store.decideHold(decision(id, { verdict: { kind: "approve", edit: editTo("Changed", content) } }));
    expect(await undo(agent.userId, id)).toMatchObject({
      outbound: { message: { noticeDueAt: later(90_000), notifiedAt: later(1_000) } },
    });
  });

  test("what the agent wrote is kept beside the message, however often it is changed", async () => {
    const { id, userId, message } = await approved();
    for (const subject of ["Changed", "Changed again"]) {
      await undo(userId, id);
      await it.store.decideHold(decision(id, { verdict: { kind: "approve", edit: editTo(subject, message.content) } }));
      expect((await it.store.getOutbound(userId, id))?.message).toMatchObject({
        ...{ subject, original: { ...message.content, subject: message.subject } },
      });
    }
    const [last] = await it.store.listAudit(userId, { limit: 1 });
    expect(last).toMatchObject({ action: "edit_approve", detail: { before: { subject: "Changed" } } });
  });

  test("whom an approval taken back would have reached for the first time is new again to the day's limit", async () => {
    const { agent, id, userId } = await approved();
    expect(await undo(userId, id)).toMatchObject({ kind: "done" });
    const limits = { newRecipientsPerDayPerAccount: 1 };
    const send = (address: string) =>
      addOutbound(it.store, agent.id, { recipients: [address], limits, gate: { hold: null, settings: agent } });
    expect((await send("carol@people.example")).fresh).toBe(true);
    expect(await send(bob).catch((error) => error)).toMatchObject({ code: "rate_limited" });
  });

  test("it is too late once a recipient is being tried", async () => {
    const { id, userId } = await approved([bob, "eve@people.example"]);
    expect(await claim(id, 2 * minuteMs)).toHaveLength(2);
    const before = await it.store.getOutbound(userId, id);
    expect(await undo(userId, id)).toMatchObject({ kind: "leaving" });
    expect(await it.store.getOutbound(userId, id)).toEqual(before);
    expect(await it.store.listAudit(userId, { limit: 9 })).toHaveLength(1);
  });

  test("only a person's approval that stands is taken back, by its own account", async () => {
    const { id, userId } = await approved();
    expect(await undo((await addAccount(it.store)).id, id)).toBeNull();
    expect((await it.store.getOutbound(userId, id))?.message.status).toBe("queued");
    expect(await undo(userId, "msg_0")).toBeNull();
    await it.store.cancelOutbound(userId, id, later(70_000));
    expect(await undo(userId, id)).toMatchObject({ kind: "not_approved" });

    const rejected = await approved([bob], { verdict: { kind: "reject", reason: "" } });
    expect(await undo(rejected.userId, rejected.id)).toMatchObject({ kind: "not_approved" });

    const open = await addAgent(it.store);
    const sent = await addOutbound(it.store, open.id, { recipients: [bob] });
    expect(await undo(open.userId, sent.message.id)).toMatchObject({ kind: "not_approved" });

    const agent = await watch(it.store, (await addAgent(it.store)).id);
    const held = await addOutbound(it.store, agent.id, { recipients: [bob] });
    expect(await undo(agent.userId, held.message.id)).toMatchObject({ kind: "waiting" });
  });

  test("frozen by a pause, it waits again, and leaves after a second approval at the end of the pause", async () => {
    const { agent, id, userId } = await approved();
    await it.store.updateAgent(agent.id, { paused: true }, noon);
    expect(await undo(userId, id)).toMatchObject({ kind: "done", outbound: { recipients: [{ queue: "held" }] } });
    await it.store.updateAgent(agent.id, { paused: false }, noon);
    expect(await claim(id, minuteMs * 10)).toEqual([]);
  });

  test("of an undo and a claim at the same moment one counts", async () => {
    const [one, other] = await twoNodes(it);
    for (let round = 0; round < 10; round++) {
      const { id, userId } = await approved();
      const now = later(2 * minuteMs);
      const [undone, claimed] = await Promise.all([
        one.store.withdrawApproval({ userId, id, by: "ann@people.example", how: "api", ip: null, now }),
        claimRecipients(other.store, {
          now,
          leaseUntil: later(9 * minuteMs),
          leaseToken: `round ${round}`,
          lanes: [{ lane: "upstream", free: 100 }],
        }),
      ]);
      const isClaimed = claimed.some(({ messageId }) => messageId === id);
      expect(undone?.kind).toBe(isClaimed ? "leaving" : "done");
    }
  });
});
