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
  noticeFor,
  unlimited,
  watch,
} from "../../../test/store/rows.ts";
import { countRows, freshSubject, noRows, onEveryDatabase, twoNodes } from "../../../test/store/stores.ts";
import { eventsOf, rejection } from "../../../test/store/verbs.ts";
import type { Store } from "../store.ts";
import type { DueNotice } from "./notices.ts";

const MINUTE_MS = 60_000;
const PER_MINUTE = 3;

function claim(store: Store, ms: number) {
  const leaseUntil = later(ms + MINUTE_MS);
  return store.claimNotices({ now: later(ms), leaseUntil, perMinute: PER_MINUTE, limit: 100 });
}

const idsOf = (due: DueNotice) => due.messageIds;
const shapeOf = (all: DueNotice[]) => all.map(({ digest, messageIds }) => ({ digest, count: messageIds.length }));

/** Records that the reviewers were told, without sending mail. */
async function tell(store: Store, all: DueNotice[], ms: number) {
  for (const due of all) await store.storeNotices([], idsOf(due), unlimited, later(ms));
}

onEveryDatabase((it) => {
  async function world() {
    const fresh = await freshSubject(it);
    const user = await addAccount(fresh.store);
    const agent = await watch(fresh.store, (await addAgent(fresh.store, { userId: user.id })).id);
    const hold = async (ms: number, agentId = agent.id) =>
      (await addOutbound(fresh.store, agentId, { now: later(ms) })).message.id;
    return { fresh, store: fresh.store, user, agent, hold };
  }

  test("each held message is told of by itself, once", async () => {
    const { fresh, store, user, hold } = await world();
    await using _ = fresh;
    const ids = [await hold(0), await hold(1)];
    expect(await claim(store, -1)).toEqual([]);
    const due = await claim(store, 1);
    expect(due).toMatchObject([{ userId: user.id, userEmail: user.email, digest: false }]);
    expect(due.map(idsOf)).toEqual([ids]);
    await tell(store, due, 2);
    expect((await store.heldMessage(ids[0]!))?.message).toMatchObject({ noticeDueAt: null, notifiedAt: later(2) });
    expect(await claim(store, 1e9)).toEqual([]);
  });

  test("a claim has no message's content: all of a burst together may be larger than memory", async () => {
    const { fresh, store, agent } = await world();
    await using _ = fresh;
    const { message } = await addOutbound(store, agent.id, { message: { subject: "Ten thousand words" } });
    const due = await claim(store, 1);
    expect(due.flatMap(idsOf)).toEqual([message.id]);
    expect(JSON.stringify(due)).not.toContain("Ten thousand words");
  });

  test("too many at once come as one digest", async () => {
    const { fresh, store, hold } = await world();
    await using _ = fresh;
    for (let i = 0; i <= PER_MINUTE; i++) await hold(i);
    const due = await claim(store, 10);
    expect(shapeOf(due)).toEqual([{ digest: true, count: PER_MINUTE + 1 }]);
    await tell(store, due, 11);
    await hold(12);
    expect(await claim(store, 12)).toEqual([]);
    // The digest is a minute old, so the message that waited comes now, in its own digest.
    expect(shapeOf(await claim(store, 11 + MINUTE_MS))).toEqual([{ digest: true, count: 1 }]);
  });

  test("what is more than the minute's share waits for its end, and comes as one", async () => {
    const { fresh, store, hold } = await world();
    await using _ = fresh;
    for (const ms of [0, 1_000, 2_000]) {
      await hold(ms);
      const due = await claim(store, ms);
      expect(shapeOf(due)).toEqual([{ digest: false, count: 1 }]);
      await tell(store, due, ms);
    }
    await hold(3_000);
    expect(await claim(store, 3_000)).toEqual([]);
    expect(await store.nextHoldDue()).toEqual(later(2_000 + MINUTE_MS));
    await hold(4_000);
    expect(await claim(store, 4_000)).toEqual([]);
    expect(await claim(store, 2_000 + MINUTE_MS - 1)).toEqual([]);
    const due = await claim(store, 2_000 + MINUTE_MS);
    expect(shapeOf(due)).toEqual([{ digest: true, count: 2 }]);
    await tell(store, due, 2_000 + MINUTE_MS);
    // A minute later there is room again.
    await hold(3_000 + MINUTE_MS);
    expect(shapeOf(await claim(store, 3_000 + MINUTE_MS))).toEqual([{ digest: false, count: 1 }]);
  });

  test("after the clock is set back, reviewers wait for nothing that is dated later", async () => {
    const { fresh, store, hold } = await world();
    await using _ = fresh;
    const hour = 60 * MINUTE_MS;
    for (const ms of [0, 1, 2]) {
      await hold(hour + ms);
      await tell(store, await claim(store, hour + ms), hour + ms);
    }
    await hold(0);
    expect(shapeOf(await claim(store, 0))).toEqual([{ digest: false, count: 1 }]);
  });

  test("what waits is put off once, whatever comes meanwhile", async () => {
    const { fresh, store, hold } = await world();
    await using _ = fresh;
    for (const ms of [0, 10_000, 20_000]) {
      await hold(ms);
      await tell(store, await claim(store, ms), ms);
    }
    const late = await hold(30_000);
    expect(await claim(store, 30_000)).toEqual([]);
    await hold(70_000);
    expect(shapeOf(await claim(store, 70_000))).toEqual([{ digest: false, count: 1 }]);
    expect((await claim(store, 80_000)).map(idsOf)).toEqual([[late]]);
  });

  test("what somebody is about to tell counts already", async () => {
    const { fresh, store, hold } = await world();
    await using _ = fresh;
    for (let i = 0; i < PER_MINUTE; i++) await hold(0);
    expect(shapeOf(await claim(store, 0))).toEqual([{ digest: false, count: PER_MINUTE }]);
    await hold(1);
    expect(await claim(store, 1)).toEqual([]);
  });

  test("accounts do not take each other's share", async () => {
    const { fresh, store, user, hold } = await world();
    await using _ = fresh;
    const other = await watch(store, (await addAgent(store)).id);
    for (let i = 0; i <= PER_MINUTE; i++) await hold(0);
    await hold(0, other.id);
    const due = await claim(store, 0);
    expect(due.find(({ userId }) => userId === user.id)?.digest).toBe(true);
    expect(due.find(({ userId }) => userId === other.userId)).toMatchObject({ digest: false });
    expect(due).toHaveLength(2);
  });

  test("two claimers share an account's minute", async () => {
    const { fresh, hold } = await world();
    await using _ = fresh;
    const nodes = await twoNodes(fresh);
    for (let i = 0; i < 2; i++) await hold(0);
    const claims = Array.from({ length: 6 }, async (_, i) => {
      await hold(0);
      return claim(nodes[i % 2]!.store, 0);
    });
    const all = (await Promise.all(claims)).flat();
    const told = all.flatMap(idsOf);
    expect(new Set(told).size).toBe(told.length);
    expect(all.filter(({ digest }) => !digest).flatMap(idsOf).length).toBeLessThanOrEqual(PER_MINUTE);
  });

  test("what a dead claimer had comes back after its lease, as it would have come", async () => {
    const { fresh, store, hold } = await world();
    await using _ = fresh;
    const id = await hold(0);
    await claim(store, 0);
    expect(await claim(store, MINUTE_MS - 1)).toEqual([]);
    const again = await claim(store, MINUTE_MS);
    expect(again.map(idsOf)).toEqual([[id]]);
    expect(again[0]?.digest).toBe(false);
  });

  test("what is decided or taken back is told to nobody any more", async () => {
    const { fresh, store, user, hold } = await world();
    await using _ = fresh;
    const [approved, cancelled, late] = [await hold(0), await hold(0), await hold(0)];
    await store.decideHold(decision(approved));
    await store.cancelOutbound(user.id, cancelled, noon);
    const due = await claim(store, 0);
    expect(due.map(idsOf)).toEqual([[late]]);
    const agent = (await store.heldMessage(late))!.message;
    await store.decideHold(decision(late));
    await store.storeNotices([noticeFor({ id: agent.agentId, userId: user.id })], [late], unlimited, later(1));
    expect(await store.listOutbound(user.id, { type: "notice" }, { limit: 9 })).toEqual([]);
    expect(await store.nextHoldDue()).toBeNull();
  });

  test("an agent that wants no mail about it gets none", async () => {
    const { fresh, store, agent, hold } = await world();
    await using _ = fresh;
    await store.updateAgent(agent.id, { hitlNotifyEmail: false }, noon);
    await hold(0);
    expect(await claim(store, 1e9)).toEqual([]);
  });

  test("a reviewer who passes such mail on to the agent begins a conversation", async () => {
    const { fresh, store, agent, hold } = await world();
    await using _ = fresh;
    const id = await hold(0);
    const notice = noticeFor(agent);
    await store.storeNotices([notice], [id], unlimited, later(5));
    const references = [notice.emailMessageId];
    const forwarded = await addMessage(store, agent.id, { emailMessageId: "<passed-on@people.example>", references });
    expect(forwarded.conversationId).toStartWith("conv_");
    expect(await store.conversationsOf(agent.id, references)).toEqual([]);
    const listed = await store.listConversations(agent.id, { limit: 9 });
    expect(listed.map((one) => [one.messageCount, one.last.id])).toContainEqual([1, forwarded.id]);
    expect(listed.map((one) => one.id)).not.toContain("");
    // A reply to mail that an older version filed there is not filed there either.
    const answer = await addOutbound(store, agent.id, { conversationId: "", now: later(6) });
    expect(answer.message.conversationId).toStartWith("conv_");
  });

  test("mail to reviewers is due at once, and is none of the agent's", async () => {
    const { fresh, store, user, agent, hold } = await world();
    await using _ = fresh;
    const id = await hold(0);
    const events = await eventsOf(fresh, user.id);
    await store.pauseAccount(user.id, true);
    const notices = [noticeFor(agent), noticeFor(agent, { recipient: "eve@people.example" })];
    await store.storeNotices(notices, [id], unlimited, later(5));
    await store.pauseAccount(user.id, true);

    const lanes = [{ lane: "upstream", free: 9 }];
    const due = { now: later(5), leaseUntil: later(1e6), leaseToken: "mine", lanes };
    const claimed = await claimRecipients(store, due);
    expect(claimed.map(({ messageId, address }) => [messageId, address])).toEqual([
      [notices[0]!.id, "ann@people.example"],
      [notices[1]!.id, "eve@people.example"],
    ]);
    expect((await store.outboundWork(notices[0]!.id))?.raw).toEqual(notices[0]!.raw);
    const outcome = { kind: "sent", method: "smtp", status: "sent", reply: "250 OK" } as const;
    expect(await store.finishRecipient(claimed[0]!, outcome, later(6))).toBe("sent");
    // The agent gets no event, which could lead it to the links.
    expect(await eventsOf(fresh, user.id)).toEqual(events);
    // Once sent, no copy of the text is left for someone who gets hold of the database.
    expect((await store.outboundBytes(notices[0]!.id))?.byteLength).toBe(0);
    const kept = (await store.getOutbound(user.id, notices[0]!.id))?.message;
    expect(kept).toMatchObject({ subject: notices[0]!.subject, content: { text: "", html: null } });
    expect(await store.outboundBytes(notices[1]!.id)).toEqual(notices[1]!.raw);

    const listed = async (type?: "notice") =>
      (await store.listOutbound(user.id, type ? { type } : {}, { limit: 9 })).map(({ message }) => message.id);
    expect(await listed()).toEqual([id]);
    expect(await listed("notice")).toEqual([notices[1]!.id, notices[0]!.id]);
    const conversations = await store.listConversations(agent.id, { limit: 9 });
    expect(conversations.map((one) => one.last.id)).toEqual([id]);
    expect(await store.getConversation(agent.id, "", { limit: 9 })).toBeNull();

    const seen = await store.gateFacts({ agentId: agent.id, conversations: [], addresses: ["ann@people.example"] });
    expect(seen.firstTime).toEqual(["ann@people.example"]);
    await store.updateAgent(agent.id, { hitlEnabled: false }, noon);
    const limits = { ...unlimited, perMinutePerAgent: 2, burstPerAgent: 9, loopMessages: 1 };
    const sent = await addOutbound(store, agent.id, { limits, now: later(7), recipients: ["ann@people.example"] });
    expect(sent.message).toMatchObject({ hold: null, notBefore: later(7) });

    await store.deleteAgent(agent.id, new Date());
    expect(await countRows(fresh)).toEqual(noRows);
  });

  test("reviewers are recipients of the account: none that is suppressed, and no more new ones a day than it may have", async () => {
    const { fresh, store, user, agent, hold } = await world();
    await using _ = fresh;
    const limits = { ...unlimited, newRecipientsPerDayPerAccount: 3 };
    const suppression = { reason: "complaint", detail: "", messageId: null, now: noon } as const;
    await store.suppress({ ...suppression, userId: user.id, address: "eve@people.example" });
    await store.suppress({ ...suppression, userId: user.id, address: user.email });
    const tellAll = async (names: string[], agentId = agent.id) => {
      const notices = names.map((name) =>
        noticeFor(
          { id: agentId, userId: user.id },
          { recipient: name.includes("@") ? name : `${name}@people.example` },
        ),
      );
      return store.storeNotices(notices, [await hold(0, agentId)], limits, later(5));
    };
    const spent = "the account has had its first-time recipients of the day";
    expect(await tellAll([user.email, "eve", "ann", "bob"])).toEqual([
      { reviewer: "eve@people.example", why: "the address is on the suppression list" },
    ]);
    // Those who have had mail are not new, for whichever agent they review.
    const other = await watch(store, (await addAgent(store, { userId: user.id })).id);
    expect(await tellAll([user.email, "ann", "carol", "dave"], other.id)).toEqual([
      { reviewer: "dave@people.example", why: spent },
    ]);
    const told = await store.listOutbound(user.id, { type: "notice" }, { limit: 99 });
    expect(told.flatMap(({ recipients }) => recipients.map(({ address }) => address)).sort()).toEqual(
      [...["ann", "ann", "bob", "carol"].map((name) => `${name}@people.example`), user.email, user.email].sort(),
    );

    // The agents' own mail shares the limit, and a neighbour's has its own.
    await store.updateAgent(agent.id, { hitlEnabled: false }, noon);
    const send = addOutbound(store, agent.id, { limits, now: later(7), recipients: ["fay@people.example"] });
    expect(await rejection(send)).toMatchObject({ code: "rate_limited" });
    const neighbour = await watch(store, (await addAgent(store)).id);
    const notice = noticeFor(neighbour, { recipient: "eve@people.example" });
    expect(await store.storeNotices([notice], [await hold(0, neighbour.id)], limits, later(5))).toEqual([]);
  });

  test("mail to reviewers goes with the retention of deliveries, and no other mail does", async () => {
    const { fresh, store, user, agent, hold } = await world();
    await using _ = fresh;
    const id = await hold(0);
    const [gone, waiting] = [noticeFor(agent), noticeFor(agent, { recipient: "eve@people.example" })];
    await store.storeNotices([gone, waiting], [id], unlimited, later(1));
    const due = { now: later(1), leaseUntil: later(1e6), leaseToken: "mine", lanes: [{ lane: "upstream", free: 1 }] };
    const [claimed] = await claimRecipients(store, due);
    await store.finishRecipient(claimed!, { kind: "sent", method: "smtp", status: "sent", reply: null }, later(2));
    await store.cancelOutbound(user.id, id, later(2));
    const sweep = (messagesBefore: Date | null, deliveriesBefore: Date | null) =>
      store.sweep({ now: noon, messagesBefore, deliveriesBefore, idempotencyBefore: noon });
    const isThere = async (...ids: string[]) =>
      Promise.all(ids.map(async (one) => (await store.getOutbound(user.id, one)) !== null));
    await sweep(null, null);
    expect(await isThere(gone.id, waiting.id, id)).toEqual([true, true, true]);
    await sweep(null, later(9));
    expect(await isThere(gone.id, waiting.id, id)).toEqual([false, true, true]);
    await sweep(later(9), null);
    expect(await isThere(waiting.id, id)).toEqual([true, false]);
  });

  test("a digest about an agent that is gone meanwhile is not lost for the others", async () => {
    const { fresh, store, user, agent, hold } = await world();
    await using _ = fresh;
    const other = await watch(store, (await addAgent(store, { userId: user.id })).id);
    const ids = [await hold(0), await hold(0, other.id)];
    const due = await claim(store, 0);
    await store.deleteAgent(agent.id, new Date());
    await store.storeNotices([noticeFor(agent), noticeFor(other)], ids, unlimited, later(1));
    expect(await store.listOutbound(user.id, { type: "notice" }, { limit: 9 })).toHaveLength(1);
    expect(due).toHaveLength(1);
    expect(await claim(store, 1e9)).toEqual([]);
  });

  test("who comes too late, because another has told them, tells nobody again", async () => {
    const { fresh, store, user, agent, hold } = await world();
    await using _ = fresh;
    const id = await hold(0);
    for (let i = 0; i < 2; i++) await store.storeNotices([noticeFor(agent)], [id], unlimited, later(i));
    expect(await store.listOutbound(user.id, { type: "notice" }, { limit: 9 })).toHaveLength(1);
  });
});
