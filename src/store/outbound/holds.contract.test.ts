import { expect, test } from "bun:test";
import {
  addAccount,
  addAgent,
  addMessage,
  addOutbound,
  claimRecipients,
  decision,
  later,
  noon,
  unlimited,
  watch,
} from "../../../test/store/rows.ts";
import { freshSubject, onEveryDatabase, type Subject, twoNodes } from "../../../test/store/stores.ts";
import { eventsOf, rejection } from "../../../test/store/verbs.ts";
import type { Signal } from "../engine/engine.ts";
import type { Decision, Edit } from "./holds.ts";

const approve = { kind: "approve", edit: null } as const;
const reject = { kind: "reject", reason: "Too friendly." } as const;

onEveryDatabase((it) => {
  /** An agent with a gate, and one of its messages, held. */
  async function held(recipients = ["bob@people.example"], store = it.store) {
    const agent = await watch(store, (await addAgent(store)).id);
    const { message } = await addOutbound(store, agent.id, { recipients });
    return { agent, message, id: message.id };
  }
  const typesOf = async (userId: string, of: Subject = it) => (await eventsOf(of, userId)).map(({ type }) => type);
  const strangers = async (agentId: string, addresses: string[]) =>
    (await it.store.gateFacts({ agentId, conversations: [], addresses })).firstTime;
  const shownIn = async (userId: string, id: string) => {
    const found = await it.store.getOutbound(userId, id);
    return found && { status: found.message.status, recipients: found.recipients.map(({ status }) => status) };
  };

  test("approved: it is queued at once, and it is written down who said so, how, from where and about what", async () => {
    const { agent, message, id } = await held(["bob@people.example", "eve@people.example"]);
    expect(await strangers(agent.id, ["bob@people.example", "eve@people.example"])).toHaveLength(2);
    const heard: Signal[] = [];
    const unsubscribe = it.store.onSignal((signal) => heard.push(signal));
    const decided = await it.store.decideHold(
      decision(id, { userId: agent.userId, contentHash: message.contentHash, how: "session" }),
    );
    unsubscribe();
    for (const topic of ["outbound", "holds"] as const) expect(heard).toContainEqual({ topic, key: "" });
    if (decided?.kind !== "done") return expect.unreachable();
    expect(decided.outbound.message).toEqual({
      ...{ ...message, status: "queued", noticeDueAt: null },
      ...{ reviewedAt: later(60_000), reviewedBy: "ann@people.example" },
    });
    for (const row of decided.outbound.recipients)
      expect(row).toMatchObject({ status: "queued", queue: "ready", nextAttemptAt: later(60_000), firstTime: true });
    expect(await it.store.getOutbound(agent.userId, id)).toEqual(decided.outbound);
    expect((await eventsOf(it, agent.userId)).at(-1)).toEqual({
      type: "message.approved",
      agentId: agent.id,
      data: {
        ...{ message_id: id, agent_id: agent.id, conversation_id: message.conversationId },
        ...{ by: "ann@people.example", how: "session", edited: false },
      },
    });
    const [entry, ...others] = await it.store.listAudit(agent.userId, { limit: 9 });
    expect(others).toEqual([]);
    expect(entry).toEqual({
      ...{ id: expect.stringMatching(/^aud_/), userId: agent.userId, agentId: agent.id, messageId: id },
      ...{ action: "approve", decidedBy: "ann@people.example", how: "session", ip: "192.0.2.7" },
      ...{ contentHash: message.contentHash, detail: null, createdAt: later(60_000) },
    });
    // Approval makes no recipient known; only mail that leaves does.
    const recipients = ["bob@people.example", "eve@people.example"];
    expect(await strangers(agent.id, recipients)).toEqual(recipients);
  });

  test("approved by mistake: it can be taken back until the agent's time for second thoughts is over", async () => {
    const { agent, id } = await held();
    await it.store.updateAgent(agent.id, { undoSeconds: 30 }, noon);
    const decided = await it.store.decideHold(decision(id));
    expect(decided).toMatchObject({ outbound: { recipients: [{ status: "queued", nextAttemptAt: later(90_000) }] } });
    expect(await it.store.cancelOutbound(agent.userId, id, later(89_999))).toMatchObject({ cancelled: 1 });
  });

  test("rejected: nothing leaves, the agent learns why, and nobody becomes known by it", async () => {
    const { agent, id } = await held();
    const decided = await it.store.decideHold(decision(id, { verdict: reject, ip: null, how: "link" }));
    expect(decided).toMatchObject({
      kind: "done",
      outbound: {
        message: {
          ...{ status: "rejected", rejectionReason: "Too friendly.", reviewedBy: "ann@people.example" },
          ...{ reviewedAt: later(60_000), noticeDueAt: null, approvalExpiresAt: null },
        },
        recipients: [{ status: "cancelled", queue: "done" }],
      },
    });
    expect((await eventsOf(it, agent.userId)).at(-1)).toMatchObject({
      ...{ type: "message.rejected", data: { rejection_reason: "Too friendly.", by: "ann@people.example" } },
    });
    expect(await it.store.listAudit(agent.userId, { limit: 9 })).toMatchObject([
      { action: "reject", detail: { reason: "Too friendly." }, how: "link", ip: null },
    ]);
    expect(await strangers(agent.id, ["bob@people.example"])).toEqual(["bob@people.example"]);
    const again = await addOutbound(it.store, agent.id, { recipients: ["bob@people.example"] });
    expect(again.recipients[0]?.firstTime).toBe(true);
    expect(await it.store.cancelOutbound(agent.userId, id, later(61_000))).toMatchObject({ cancelled: 0 });
    expect(await shownIn(agent.userId, id)).toEqual({ status: "rejected", recipients: ["cancelled"] });
  });

  test.each<{ what: string; first: Decision["verdict"]; status: string }>([
    { what: "approved", first: approve, status: "queued" },
    { what: "rejected", first: reject, status: "rejected" },
  ])("whoever comes second learns who was first and when: $what", async ({ first, status }) => {
    const { agent, id } = await held();
    await it.store.decideHold(decision(id, { verdict: first, by: "first@people.example" }));
    for (const verdict of [approve, reject]) {
      const second = await it.store.decideHold(decision(id, { verdict, now: later(90_000), contentHash: "another" }));
      expect(second).toMatchObject({
        kind: "decided",
        outbound: { message: { status, reviewedBy: "first@people.example", reviewedAt: later(60_000) } },
      });
    }
    expect(await it.store.listAudit(agent.userId, { limit: 9 })).toHaveLength(1);
    expect(await typesOf(agent.userId)).toHaveLength(2);
  });

  test("of another message than was shown, nothing is decided", async () => {
    const { agent, message, id } = await held();
    for (const verdict of [approve, reject])
      expect(await it.store.decideHold(decision(id, { verdict, contentHash: "another" }))).toMatchObject({
        ...{ kind: "superseded", outbound: { message: { id, contentHash: message.contentHash } } },
      });
    expect(await shownIn(agent.userId, id)).toEqual({ status: "pending_approval", recipients: ["held"] });
    expect(await it.store.listAudit(agent.userId, { limit: 9 })).toEqual([]);
    expect(await typesOf(agent.userId)).toEqual(["message.held"]);
  });

  test("only its own account decides about a message; a link, which has no account, does too", async () => {
    const { agent, id } = await held();
    const stranger = await addAccount(it.store);
    expect(await it.store.decideHold(decision(id, { userId: stranger.id }))).toBeNull();
    expect(await it.store.decideHold(decision("msg_0"))).toBeNull();
    expect(await shownIn(agent.userId, id)).toMatchObject({ status: "pending_approval" });
    expect(await it.store.heldMessage("msg_0")).toBeNull();
    expect(await it.store.heldMessage(id)).toEqual(await it.store.getOutbound(agent.userId, id));
    expect(await it.store.decideHold(decision(id))).toMatchObject({ kind: "done" });
  });

  test("recipients that an edit adds count as first-time ones of the account; beyond its limit the message stays held", async () => {
    const limits = { ...unlimited, newRecipientsPerDayPerAccount: 3 };
    const agent = await watch(it.store, (await addAgent(it.store)).id);
    const { message } = await addOutbound(it.store, agent.id, { limits, recipients: ["bob@people.example"] });
    const approveFor = (...names: string[]) => {
      const recipients = names.map((name) => ({
        ...{ address: `${name}@people.example`, kind: "to" as const, lane: "upstream" },
      }));
      const edit = { ...edited(recipients), limits };
      return it.store.decideHold(decision(message.id, { verdict: { kind: "approve", edit } }));
    };
    expect(await rejection(approveFor("bob", "carol", "dave", "eve"))).toMatchObject({ code: "rate_limited" });
    expect(await it.store.heldMessage(message.id)).toMatchObject({ message, recipients: [{ status: "held" }] });
    // Bob was counted when the agent wrote to him.
    expect(await approveFor("bob", "carol", "dave")).toMatchObject({ kind: "done" });
    const more = addOutbound(it.store, agent.id, { limits, recipients: ["eve@people.example"] });
    expect(await rejection(more)).toMatchObject({ code: "rate_limited" });
  });

  test("what went to the suppression list meanwhile is refused, and stays held", async () => {
    const { agent, message, id } = await held();
    const suppression = { reason: "manual", detail: "", messageId: null, now: noon } as const;
    await it.store.suppress({ userId: agent.userId, address: "bob@people.example", ...suppression });
    expect(await rejection(it.store.decideHold(decision(id)))).toMatchObject({ code: "recipient_suppressed" });
    expect((await it.store.getOutbound(agent.userId, id))?.message).toEqual(message);
    const edit = edited([{ address: "bob@people.example", kind: "cc", lane: "upstream" }]);
    const verdict = { kind: "approve", edit } as const;
    expect(await rejection(it.store.decideHold(decision(id, { verdict })))).toMatchObject({
      code: "recipient_suppressed",
    });
    expect((await it.store.getOutbound(agent.userId, id))?.message).toEqual(message);
    expect(await it.store.listAudit(agent.userId, { limit: 9 })).toEqual([]);
    expect(await it.store.decideHold(decision(id, { verdict: reject }))).toMatchObject({ kind: "done" });
  });

  test("edited: what the reviewer wrote leaves, and what the agent wrote is kept beside it", async () => {
    const { agent, message, id } = await held(["bob@people.example", "eve@people.example"]);
    await addMessage(it.store, agent.id, { from: [{ address: "carol@people.example", name: "" }] });
    const edit = edited([
      { address: "carol@people.example", kind: "to", lane: "relay" },
      { address: "dave@people.example", kind: "bcc", lane: "upstream" },
      { address: "bob@people.example", kind: "cc", lane: "upstream" },
    ]);
    const verdict = { kind: "approve", edit } as const;
    const decided = await it.store.decideHold(decision(id, { verdict, contentHash: message.contentHash }));
    if (decided?.kind !== "done") return expect.unreachable();
    const { subject, snippet, content, contentHash } = edit;
    const before = { ...message.content, subject: "Question" };
    expect(decided.outbound.message).toMatchObject({ subject, snippet, content, contentHash, original: before });
    expect(
      decided.outbound.recipients.map(({ address, kind, lane, firstTime }) => [address, kind, lane, firstTime]),
    ).toEqual([
      ["carol@people.example", "to", "relay", false],
      ["dave@people.example", "bcc", "upstream", true],
      ["bob@people.example", "cc", "upstream", true],
    ]);
    for (const row of decided.outbound.recipients) expect(row).toMatchObject({ queue: "ready", status: "queued" });
    expect(await it.store.outboundBytes(id)).toEqual(edit.raw);
    expect((await it.store.outboundWork(id))?.raw).toEqual(edit.raw);
    expect(await it.store.listAudit(agent.userId, { limit: 9 })).toMatchObject([
      { action: "edit_approve", contentHash, detail: { before } },
    ]);
    expect((await eventsOf(it, agent.userId)).at(-1)).toMatchObject({ data: { edited: true } });
  });

  test("approved while its agent is paused, it waits for the end of the pause", async () => {
    const { agent, id } = await held();
    await it.store.updateAgent(agent.id, { paused: true }, noon);
    const decided = await it.store.decideHold(decision(id));
    expect(decided?.outbound.recipients).toMatchObject([{ status: "queued", queue: "paused" }]);
    await it.store.updateAgent(agent.id, { paused: false }, later(70_000));
    expect((await it.store.getOutbound(agent.userId, id))?.recipients).toMatchObject([{ queue: "ready" }]);
  });

  test("what its agent took back waits for nobody any more", async () => {
    const { agent, id } = await held();
    expect(await it.store.cancelOutbound(agent.userId, id, later(1))).toMatchObject({ cancelled: 1 });
    for (const verdict of [approve, reject])
      expect(await it.store.decideHold(decision(id, { verdict }))).toMatchObject({
        ...{ kind: "decided", outbound: { message: { status: "cancelled", reviewedBy: null } } },
      });
    expect(await shownIn(agent.userId, id)).toEqual({ status: "cancelled", recipients: ["cancelled"] });
    expect(await strangers(agent.id, ["bob@people.example"])).toEqual(["bob@people.example"]);
  });

  test("of fifty decisions at the same moment one counts", async () => {
    const nodes = await twoNodes(it);
    const { agent, id } = await held();
    const all = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        nodes[i % 2]!.store.decideHold(
          decision(id, { verdict: i % 3 === 0 ? reject : approve, by: `person-${i}@people.example` }),
        ),
      ),
    );
    const done = all.filter((one) => one?.kind === "done");
    expect(done).toHaveLength(1);
    const by = done[0]?.outbound.message.reviewedBy ?? "";
    for (const one of all) expect(one?.outbound.message.reviewedBy).toBe(by);
    expect(all.filter((one) => one?.kind === "decided")).toHaveLength(49);
    expect(await it.store.listAudit(agent.userId, { limit: 9 })).toMatchObject([{ decidedBy: by }]);
    expect(await typesOf(agent.userId)).toHaveLength(2);
  });

  test("a decision and a cancellation at the same moment: one of them counts", async () => {
    const nodes = await twoNodes(it);
    for (let i = 0; i < 5; i++) {
      const { agent, id } = await held();
      const [decided, cancelled] = await Promise.all([
        nodes[0].store.decideHold(decision(id, { verdict: reject })),
        nodes[1].store.cancelOutbound(agent.userId, id, later(60_000)),
      ]);
      expect((decided?.kind === "done" ? 1 : 0) + (cancelled?.cancelled ?? 0)).toBe(1);
    }
  });

  test("decisions, pauses, releases, cancellations and claims at the same time never wait in a circle", async () => {
    await using fresh = await freshSubject(it);
    const nodes = await twoNodes(fresh);
    const { id: userId } = await addAccount(fresh.store);
    const loop = { loopMessages: 1, loopWindowMs: 1e9 };
    const agents = [await addAgent(fresh.store, { userId }), await addAgent(fresh.store, { userId })];
    const [watched, looping] = [agents[0]!.id, agents[1]!.id];
    await watch(fresh.store, watched);
    const work: (() => Promise<unknown>)[] = [];
    const [one, other] = [nodes[0].store, nodes[1].store];
    for (let i = 0; i < 12; i++) {
      const recipients = ["a@people.example", "b@people.example", "c@people.example"];
      const held = (await addOutbound(one, watched, { recipients })).message.id;
      const say = { conversationId: "conv_a", recipients: ["a@people.example"], limits: loop };
      const looped = (await addOutbound(one, looping, say)).message.id;
      const queued = (await addOutbound(one, looping, { recipients })).message.id;
      const now = later(i);
      const lanes = [{ lane: "upstream", free: 5 }];
      const [leaseUntil, leaseToken] = [later(1e6), `token ${i}`];
      work.push(
        () => one.decideHold(decision(held, { verdict: i % 4 === 0 ? reject : approve })),
        () => other.decideHold(decision(looped)),
        () => other.releaseLoop({ ...{ userId, id: looped, now }, by: "ann@people.example", how: "api", ip: null }),
        () => one.cancelOutbound(userId, queued, now),
        () => other.cancelOutbound(userId, held, now),
        () => claimRecipients(one, { now, leaseUntil, leaseToken, lanes }),
        () => other.renewLeases([`token ${i}`, `token ${i - 1}`], later(2e6)),
        () => one.pauseAccount(userId, i % 2 === 0),
        () => other.updateAgent(looping, { paused: i % 3 === 0 }, now),
        () => other.expireHolds(later(1e9), 3),
        () => one.claimNotices({ ...{ now: later(1e5), leaseUntil: later(2e5 + i) }, perMinute: 5, limit: 100 }),
        () => addOutbound(other, looping, { recipients, now }),
      );
    }
    const failed = (await Promise.allSettled(work.map((run) => run()))).filter((one) => one.status === "rejected");
    expect(failed).toEqual([]);
    // Whichever came first, each held message has at most one decision, and the queue follows the pauses.
    const audit = await one.listAudit(userId, { limit: 1_000 });
    expect(new Set(audit.map((entry) => entry.messageId)).size).toBe(audit.length);
    await one.pauseAccount(userId, true);
    const open = (await one.listOutbound(userId, {}, { limit: 1_000 })).flatMap(({ recipients }) => recipients);
    expect(open.filter((row) => row.queue === "ready")).toEqual([]);
  });

  test("a loop's release is told and written down for each message that it let go", async () => {
    const { id: agentId, userId } = await addAgent(it.store);
    const say = (ms: number) =>
      addOutbound(it.store, agentId, {
        ...{
          conversationId: "conv_a",
          limits: { loopMessages: 1 },
          now: later(ms),
          recipients: ["bob@people.example"],
        },
      });
    await say(0);
    const looped = [(await say(1)).message.id, (await say(2)).message.id];
    const by = { by: "ann@people.example", how: "cli", ip: "192.0.2.7" } as const;
    await it.store.releaseLoop({ userId, id: looped[0]!, now: later(3), ...by });
    const audit = await it.store.listAudit(userId, { limit: 9 });
    expect(audit.map(({ messageId, action, decidedBy, how }) => [messageId, action, decidedBy, how])).toEqual(
      looped.toReversed().map((id) => [id, "release", "ann@people.example", "cli"]),
    );
    expect((await typesOf(userId)).filter((type) => type === "message.approved")).toHaveLength(2);
  });
});

/** A reviewer's edit of any message, for these recipients. */
function edited(recipients: Edit["recipients"]): Edit {
  const mailbox = { address: "carol@people.example", name: "" };
  return {
    ...{ subject: "Answer", snippet: "All is well.", contentHash: "the new hash", review: null, recipients },
    limits: unlimited,
    content: {
      ...{ from: { address: "bot@agents.example", name: "Bot" }, replyTo: [], to: [mailbox], cc: [], bcc: [] },
      ...{ text: "All is well.", html: null, attachments: [], inReplyTo: null, references: [], headers: [] },
    },
    raw: Buffer.from("Subject: Answer\r\n\r\nAll is well.\r\n"),
  };
}
