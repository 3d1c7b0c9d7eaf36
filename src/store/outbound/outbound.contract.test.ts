import { expect, test } from "bun:test";
import {
  addAccount,
  addAgent,
  addMessage,
  addOutbound,
  claimRecipients,
  later,
  noon,
  outboundFor,
  watch,
} from "../../../test/store/rows.ts";
import { countRows, freshSubject, noRows, onEveryDatabase, twoNodes, unique } from "../../../test/store/stores.ts";
import { eventsOf, rejection } from "../../../test/store/verbs.ts";
import type { Failure } from "../../util/errors.ts";
import type { Signal } from "../engine/engine.ts";
import type { Store } from "../store.ts";
import type { OutboundPlace } from "./outbound.ts";

const DAY_MS = 86_400_000;

function claim(store: Store, now = noon) {
  const leaseUntil = new Date(now.getTime() + 45_000);
  return claimRecipients(store, { now, leaseUntil, leaseToken: "claimer", lanes: [{ lane: "upstream", free: 100 }] });
}

onEveryDatabase((it) => {
  test("a message is stored with its bytes and a row for each recipient, in order, due at once", async () => {
    const agent = await addAgent(it.store);
    const heard: Signal[] = [];
    const unsubscribe = it.store.onSignal((signal) => heard.push(signal));
    const input = outboundFor(agent.id, {
      recipients: [
        { address: "z@people.example", kind: "to" },
        { address: "a@people.example", kind: "cc", lane: "relay" },
        { address: "m@people.example", kind: "bcc" },
      ],
    });
    const accepted = await it.store.acceptOutbound(input);
    if (!accepted) return expect.unreachable();
    unsubscribe();
    for (const key of ["upstream", "relay"]) expect(heard).toContainEqual({ topic: "outbound", key });
    expect(accepted).toMatchObject({ fresh: true, message: { ...input.message, userId: agent.userId } });
    expect(accepted.message).toMatchObject({ status: "queued", hold: null, loopKey: null, approvalExpiresAt: null });
    expect(accepted.message.conversationId).toMatch(/^conv_[0-9a-f]{32}$/);
    const { fresh: _, ...rows } = accepted;
    const stored = await it.store.getOutbound(agent.userId, input.message.id);
    expect(stored).toEqual(rows);
    expect(stored!.recipients.map(({ n, address, kind, lane, status }) => [n, address, kind, lane, status])).toEqual([
      [0, "z@people.example", "to", "upstream", "queued"],
      [1, "a@people.example", "cc", "relay", "queued"],
      [2, "m@people.example", "bcc", "upstream", "queued"],
    ]);
    for (const row of stored!.recipients)
      expect(row).toMatchObject({ queue: "ready", attempts: 0, nextAttemptAt: noon, leaseToken: null, method: null });
    expect(await it.store.outboundBytes(input.message.id)).toEqual(input.raw);
    expect(await it.store.outboundWork(input.message.id)).toEqual({ message: rows.message, agent, raw: input.raw });
    expect(await it.store.getOutbound((await addAccount(it.store)).id, input.message.id)).toBeNull();
    expect(await it.store.outboundSize(input.message.id)).toBe(input.raw.byteLength);
    expect(await it.store.outboundSize("msg_0")).toBe(0);
    expect([await it.store.outboundBytes("msg_0"), await it.store.outboundWork("msg_0")]).toEqual([null, null]);
  });

  test("all or nothing: when one recipient cannot be stored, nothing is there and nobody is told", async () => {
    await using fresh = await freshSubject(it);
    const agent = await addAgent(fresh.store);
    const input = outboundFor(agent.id, { recipients: ["a@people.example", { kind: null as never }] });
    const heard: Signal[] = [];
    fresh.store.onSignal((signal) => heard.push(signal));
    const limits = { ...input.limits, perDayPerAccount: 5 };
    await rejection(fresh.store.acceptOutbound({ ...input, limits }));
    expect(heard).toEqual([]);
    expect(await countRows(fresh)).toEqual({ ...noRows, agents: 1 });
  });

  test("without an agent, or from a role mailbox, there is nothing to send", async () => {
    const agent = await addAgent(it.store);
    await addMessage(it.store, "postmaster@agents.example");
    await it.store.deleteAgent(agent.id, new Date());
    for (const sender of [agent.id, "postmaster@agents.example"])
      expect(await rejection(addOutbound(it.store, sender))).toMatchObject({ code: "not_found" });
  });

  test("the same Idempotency-Key finds the first message for a day, each account its own", async () => {
    const [agent, other] = [await addAgent(it.store), await addAgent(it.store)];
    const keyed = (sender: string, now = noon) =>
      addOutbound(it.store, sender, { message: { idempotencyKey: "key 1" }, now });
    const first = await keyed(agent.id);
    expect(await keyed(agent.id, later(DAY_MS - 1))).toEqual({ ...first, fresh: false });
    const foreign = await keyed(other.id);
    expect([foreign.fresh, foreign.message.id === first.message.id]).toEqual([true, false]);
    const anew = await keyed(agent.id, later(DAY_MS));
    expect([anew.fresh, anew.message.id === first.message.id]).toEqual([true, false]);
    expect(await keyed(agent.id, later(DAY_MS + 1))).toEqual({ ...anew, fresh: false });
    expect((await it.store.getOutbound(agent.userId, first.message.id))?.message.idempotencyKey).toBeNull();
  });

  test("an Idempotency-Key is for one request only", async () => {
    const agent = await addAgent(it.store);
    const keyed = (requestHash: string) =>
      addOutbound(it.store, agent.id, { message: { idempotencyKey: "key 2", requestHash, requestBy: "apk_1" } });
    const first = await keyed("one");
    expect(await keyed("one")).toEqual({ ...first, fresh: false });
    expect(await rejection(keyed("two"))).toMatchObject({ code: "idempotency_key_reused" });
  });

  test("the same request without a key finds its message until it is answered, for its caller and for a while", async () => {
    const agent = await addAgent(it.store);
    const asked = (changes: object = {}, now = noon) =>
      addOutbound(it.store, agent.id, { message: { requestHash: "hash", requestBy: "apk_1", ...changes }, now });
    const first = await asked();
    expect(await asked({}, later(130_000))).toEqual({ ...first, fresh: false });
    const others = [{ requestBy: "apk_2" }, { requestHash: "other" }, { idempotencyKey: "key 3" }, { requestBy: null }];
    for (const other of others) expect((await asked(other)).fresh).toBe(true);
    await it.store.noteAnswered(first.message.id, later(1_000));
    const next = await asked();
    expect([next.fresh, next.message.id === first.message.id]).toEqual([true, false]);
    expect((await asked({}, later(130_001))).fresh).toBe(true);
  });

  test("the same request at once, on two nodes, makes one message and counts once", async () => {
    const nodes = await twoNodes(it);
    const agent = await addAgent(it.store);
    const limits = { perMinutePerAccount: 1 };
    const message = { requestHash: "hash", requestBy: "apk_1" };
    const all = await Promise.all(
      Array.from({ length: 6 }, (_, i) => addOutbound(nodes[i % 2]!.store, agent.id, { message, limits })),
    );
    expect(new Set(all.map(({ message }) => message.id)).size).toBe(1);
    expect(all.filter(({ fresh }) => fresh)).toHaveLength(1);
  });

  test("the same Idempotency-Key at once, on two nodes, makes one message and counts once", async () => {
    const nodes = await twoNodes(it);
    const agent = await addAgent(it.store);
    const limits = { perMinutePerAccount: 1 };
    const all = await Promise.all(
      Array.from({ length: 6 }, (_, i) =>
        addOutbound(nodes[i % 2]!.store, agent.id, { message: { idempotencyKey: "key" }, limits }),
      ),
    );
    expect(new Set(all.map(({ message }) => message.id)).size).toBe(1);
    expect(all.filter(({ fresh }) => fresh)).toHaveLength(1);
  });

  test("what waits for approval is held and told, and nothing of it is due", async () => {
    const agent = await addAgent(it.store);
    await it.store.updateAgent(agent.id, { hitlEnabled: true, hitlTtlSeconds: 60 }, noon);
    const recipients = ["a@people.example", { lease: "mine" }];
    const { message, recipients: rows } = await addOutbound(it.store, agent.id, { recipients });
    expect(message).toMatchObject({ status: "pending_approval", approvalExpiresAt: later(60_000), loopKey: null });
    expect(message.hold).toMatchObject({ rule: "approval" });
    for (const row of rows) expect(row).toMatchObject({ status: "held", queue: "held", leaseToken: null });
    expect(await it.store.getOutbound(agent.userId, message.id)).toEqual({ message, recipients: rows });
    expect(await eventsOf(it, agent.userId)).toEqual([
      {
        type: "message.held",
        agentId: agent.id,
        data: {
          ...{ message_id: message.id, agent_id: agent.id, conversation_id: message.conversationId },
          ...message.hold!,
          ...{ subject: "Question", recipients: rows.map(({ address }) => address) },
          approval_expires_at: later(60_000).toISOString(),
        },
      },
    ]);
  });

  test("a gate that was changed after it decided is asked again, and nothing is stored or counted", async () => {
    await using fresh = await freshSubject(it);
    const agent = await addAgent(fresh.store);
    const input = outboundFor(agent.id, { limits: { perDayPerAccount: 1 } });
    for (const hitlRules of [null, { outside: true }]) {
      await fresh.store.updateAgent(agent.id, { hitlEnabled: true, hitlRules }, noon);
      expect(await fresh.store.acceptOutbound(input)).toBeNull();
    }
    expect(await countRows(fresh)).toEqual({ ...noRows, agents: 1 });
    const settings = { hitlEnabled: true, hitlRules: { outside: true }, hitlAllow: [] };
    const accepted = await fresh.store.acceptOutbound({ ...input, gate: { hold: null, settings } });
    expect(accepted).toMatchObject({ fresh: true, message: { status: "queued" } });
  });

  test("what a paused agent sends waits, and leaves in its order when the pause ends", async () => {
    await using fresh = await freshSubject(it);
    const { store } = fresh;
    const agent = await addAgent(store);
    const before = await addOutbound(store, agent.id);
    await store.updateAgent(agent.id, { paused: true }, noon);
    const during = [];
    for (const ms of [3, 1, 2])
      during.push(await addOutbound(store, agent.id, { recipients: [{ lease: "mine" }], now: later(ms) }));
    for (const { recipients } of during)
      expect(recipients[0]).toMatchObject({ status: "queued", queue: "paused", leaseToken: null });
    expect([await claim(store, later(10)), await store.nextRecipientDue(["upstream"])]).toEqual([[], null]);
    const heard: Signal[] = [];
    store.onSignal((signal) => heard.push(signal));
    await store.updateAgent(agent.id, { paused: false }, later(10));
    expect(heard).toContainEqual({ topic: "outbound", key: "" });
    const inOrder = [before, during[1]!, during[2]!, during[0]!].map(({ message }) => message.id);
    expect((await claim(store, later(10))).map((row) => row.messageId)).toEqual(inOrder);
  });

  test("what is in hand while its agent is paused is finished; a retry waits for the end of the pause", async () => {
    await using fresh = await freshSubject(it);
    const { store } = fresh;
    const agent = await addAgent(store);
    const recipients = [{ lease: "mine" }, { lease: "mine" }];
    const { message, recipients: rows } = await addOutbound(store, agent.id, { recipients });
    await store.updateAgent(agent.id, { paused: true }, later(1));
    const sent = { kind: "sent", method: "smtp", status: "sent", reply: "250 OK" } as const;
    expect(await store.finishRecipient(rows[0]!, sent, later(2))).toBe("sending");
    const retry = { kind: "retry", at: later(100), reply: "451 later", error: null } as const;
    expect(await store.finishRecipient(rows[1]!, retry, later(2))).toBe("deferred");
    expect(await claim(store, later(200))).toEqual([]);
    await store.updateAgent(agent.id, { paused: false }, later(50));
    expect(await claim(store, later(99))).toEqual([]);
    expect((await claim(store, later(100))).map(({ messageId, n }) => [messageId, n])).toEqual([[message.id, 1]]);
  });

  test("a message joins the conversation of what it answers, in or out, and never another agent's", async () => {
    const [agent, other] = [await addAgent(it.store), await addAgent(it.store)];
    const question = await addMessage(it.store, agent.id);
    const reply = await addOutbound(it.store, agent.id, { references: [question.emailMessageId!] });
    expect(reply.message.conversationId).toBe(question.conversationId);
    const [begun] = [(await addOutbound(it.store, agent.id)).message];
    const further = await addOutbound(it.store, agent.id, { references: ["<other@x>", begun.emailMessageId] });
    expect(further.message.conversationId).toBe(begun.conversationId);
    const answer = await addMessage(it.store, agent.id, { references: [begun.emailMessageId] });
    expect(answer.conversationId).toBe(begun.conversationId);
    for (const references of [[question.emailMessageId!], [begun.emailMessageId]]) {
      const foreign = (await addOutbound(it.store, other.id, { references })).message.conversationId;
      expect([question.conversationId, begun.conversationId]).not.toContain(foreign);
      const inbound = (await addMessage(it.store, other.id, { references })).conversationId;
      expect([question.conversationId, begun.conversationId]).not.toContain(inbound);
    }
    const chosen = await addOutbound(it.store, agent.id, {
      conversationId: "conv_mine",
      references: [begun.emailMessageId],
    });
    expect(chosen.message.conversationId).toBe("conv_mine");
  });

  test("a lease at birth is in its sender's hand: not due until it ends", async () => {
    await using fresh = await freshSubject(it);
    const { store } = fresh;
    const agent = await addAgent(store);
    const accepted = await addOutbound(store, agent.id, {
      recipients: [{ address: "a@people.example", lease: "mine" }, "b@people.example"],
      leaseUntil: later(5_000),
    });
    expect(accepted.message.status).toBe("sending");
    expect(accepted.recipients.map(({ status, leaseToken }) => [status, leaseToken])).toEqual([
      ["sending", "mine"],
      ["queued", null],
    ]);
    expect((await claim(store)).map((row) => row.address)).toEqual(["b@people.example"]);
    expect(await store.nextRecipientDue(["upstream"])).toEqual(later(5_000));
    expect(await claim(store, later(4_999))).toEqual([]);
    expect((await claim(store, later(5_000))).map((row) => row.address)).toEqual(["a@people.example"]);
    const late = { kind: "sent", method: "smtp", status: "sent", reply: null } as const;
    expect(await store.finishRecipient(accepted.recipients[0]!, late, later(5_001))).toBeNull();
  });

  test("what waits is cancelled, what is held too; what has left or is leaving is not", async () => {
    await using fresh = await freshSubject(it);
    const { store } = fresh;
    const [agent, gated] = [await addAgent(store), await addAgent(store)];
    await store.updateAgent(gated.id, { hitlEnabled: true }, noon);
    const statuses = (outbound: { recipients: { status: string }[] } | null) =>
      outbound?.recipients.map((row) => row.status);

    const queued = await addOutbound(store, agent.id, { recipients: ["a@people.example", "b@people.example"] });
    const heard: Signal[] = [];
    store.onSignal((signal) => heard.push(signal));
    expect(await store.cancelOutbound((await addAgent(store)).userId, queued.message.id, later(1))).toBeNull();
    expect(statuses(await store.getOutbound(agent.userId, queued.message.id))).toEqual(["queued", "queued"]);
    const gone = await store.cancelOutbound(agent.userId, queued.message.id, later(1));
    // Its texts may be megabytes.
    expect(Object.keys(gone?.message ?? {})).not.toContain("content");
    expect(gone).toMatchObject({ cancelled: 2, message: { status: "cancelled" } });
    expect(heard).toContainEqual({ topic: "outcome", key: queued.message.id });
    expect(statuses(gone)).toEqual(["cancelled", "cancelled"]);
    expect(await claim(store, later(10))).toEqual([]);
    expect(await store.cancelOutbound(agent.userId, queued.message.id, later(2))).toMatchObject({ cancelled: 0 });

    const held = await addOutbound(store, gated.id);
    expect(await store.cancelOutbound(gated.userId, held.message.id, later(1))).toMatchObject({ cancelled: 1 });

    const leased = await addOutbound(store, agent.id, { recipients: [{ lease: "mine" }] });
    const kept = await store.cancelOutbound(agent.userId, leased.message.id, later(1));
    expect(kept).toMatchObject({ cancelled: 0, message: { status: "sending" } });

    const partly = await addOutbound(store, agent.id, {
      recipients: [{ lease: "mine" }, "b@people.example", { lease: "mine" }],
    });
    const sent = { kind: "sent", method: "smtp", status: "sent", reply: "250 OK" } as const;
    await store.finishRecipient(partly.recipients[0]!, sent, later(1));
    const rest = await store.cancelOutbound(agent.userId, partly.message.id, later(2));
    expect([rest?.cancelled, rest?.message.status, statuses(rest)]).toEqual([
      1,
      "sending",
      ["sent", "cancelled", "sending"],
    ]);
    expect(await store.finishRecipient(partly.recipients[2]!, sent, later(3))).toBe("sent");

    expect(await store.cancelOutbound(gated.userId, queued.message.id, noon)).toBeNull();
    expect(await store.cancelOutbound(agent.userId, "msg_0", noon)).toBeNull();
  });

  test("a message is either cancelled or claimed, also when both come at once on two nodes", async () => {
    await using fresh = await freshSubject(it);
    const nodes = await twoNodes(fresh);
    const agent = await addAgent(fresh.store);
    const ids: string[] = [];
    for (let i = 0; i < 12; i++) ids.push((await addOutbound(fresh.store, agent.id)).message.id);
    const claims: ReturnType<typeof claim>[] = [];
    const cancels = ids.map((id) => {
      claims.push(claim(nodes[1].store));
      return nodes[0].store.cancelOutbound(agent.userId, id, noon);
    });
    const claimed = (await Promise.all(claims)).flat().map((row) => row.messageId);
    const cancelled = (await Promise.all(cancels)).filter((one) => one?.cancelled === 1).map((one) => one!.message.id);
    expect([...claimed, ...cancelled].sort()).toEqual(ids);
    for (const id of ids)
      expect((await fresh.store.getOutbound(agent.userId, id))?.message.status).toBe(
        cancelled.includes(id) ? "cancelled" : "sending",
      );
  });

  test("pages follow each other in both directions, and filters leave out what they should", async () => {
    const user = await addAccount(it.store);
    const [a, b] = [await addAgent(it.store, { userId: user.id }), await addAgent(it.store, { userId: user.id })];
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) ids.push((await addOutbound(it.store, a.id, { now: later(i) })).message.id);
    const other = await addOutbound(it.store, b.id, { now: later(9), conversationId: "conv_9" });
    await it.store.cancelOutbound(user.id, ids[3]!, later(10));
    const all = [...ids, other.message.id];
    for (const sort of ["asc", "desc"] as const) {
      const seen: string[] = [];
      for (let after: { id: string } | undefined; ; after = { id: seen.at(-1) ?? "" }) {
        const page = await it.store.listOutbound(user.id, {}, { sort, after, limit: 4 });
        seen.push(...page.map(({ message }) => message.id));
        expect(page.every(({ recipients }) => recipients.length === 1)).toBe(true);
        if (page.length < 4) break;
      }
      expect(seen).toEqual(sort === "asc" ? all : all.toReversed());
    }
    const listed = async (filter: Parameters<Store["listOutbound"]>[1]) =>
      (await it.store.listOutbound(user.id, filter, { sort: "asc", limit: 10 })).map(({ message }) => message.id);
    expect(await listed({ agentId: b.id })).toEqual([other.message.id]);
    expect(await listed({ conversationId: "conv_9" })).toEqual([other.message.id]);
    expect(await listed({ status: "cancelled" })).toEqual([ids[3]!]);
    expect(await listed({ since: later(1), until: later(4) })).toEqual(ids.slice(1, 4));
  });

  test("pages of held mail go by expiry, and miss nothing of what expires at the same moment", async () => {
    const user = await addAccount(it.store);
    const [slow, quick] = [
      await addAgent(it.store, { userId: user.id }),
      await addAgent(it.store, { userId: user.id }),
    ];
    await watch(it.store, slow.id, { hitlTtlSeconds: 600 });
    await watch(it.store, quick.id, { hitlTtlSeconds: 60 });
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) ids.push((await addOutbound(it.store, slow.id)).message.id);
    const first = await addOutbound(it.store, quick.id, { now: later(1) });
    await addOutbound(it.store, (await addAgent(it.store, { userId: user.id })).id);
    const seen: string[] = [];
    for (let after: OutboundPlace | undefined; ; ) {
      const page = await it.store.listOutbound(user.id, {}, { sort: "expiry", after, limit: 2 });
      seen.push(...page.map(({ message }) => message.id));
      const last = page.at(-1)?.message;
      if (!last) break;
      after = { id: last.id, expiresAt: last.approvalExpiresAt ?? undefined };
    }
    expect(seen).toEqual([first.message.id, ...ids]);
  });

  test("a deleted agent takes what it sent along, also what waits", async () => {
    await using fresh = await freshSubject(it);
    const { store } = fresh;
    const agent = await addAgent(store);
    const { message, recipients } = await addOutbound(store, agent.id, { recipients: [{ lease: "mine" }] });
    await addOutbound(store, agent.id);
    await store.deleteAgent(agent.id, new Date());
    expect(await countRows(fresh)).toEqual(noRows);
    expect([await store.outboundWork(message.id), await claim(store, later(DAY_MS))]).toEqual([null, []]);
    const failed = { kind: "failed", reply: "550 no", error: null, suppress: true } as const;
    expect(await store.finishRecipient(recipients[0]!, failed, later(1))).toBeNull();
  });

  test("a sweep deletes old messages for which nothing more is tried, and no others", async () => {
    await using fresh = await freshSubject(it);
    const { store } = fresh;
    const agent = await addAgent(store);
    const at = (ms: number, lease: string | null = null) =>
      addOutbound(store, agent.id, { recipients: [{ lease }], now: later(ms), raw: Buffer.from(unique("bytes")) });
    const [waiting, young, cancelled] = [await at(0), await at(5), await at(1)];
    const [leased, sent] = [await at(2, "mine"), await at(3, "mine")];
    for (const { message } of [young, cancelled]) await store.cancelOutbound(agent.userId, message.id, later(6));
    const done = { kind: "sent", method: "smtp", status: "sent", reply: null } as const;
    await store.finishRecipient(sent.recipients[0]!, done, later(6));
    const ages = { now: noon, deliveriesBefore: null, idempotencyBefore: noon };
    await store.sweep({ ...ages, messagesBefore: null });
    expect(await countRows(fresh, ["outbound_messages"])).toEqual({ outbound_messages: 5 });
    await store.sweep({ ...ages, messagesBefore: later(5) });
    const kept = await store.listOutbound(agent.userId, {}, { sort: "asc", limit: 10 });
    expect(kept.map(({ message }) => message.id)).toEqual([waiting, young, leased].map(({ message }) => message.id));
    expect(await countRows(fresh, ["outbound_raw", "outbound_recipients"])).toEqual({
      outbound_raw: 3,
      outbound_recipients: 3,
    });
  });

  test("a recipient on the suppression list refuses the whole message and names each, and nothing moves", async () => {
    await using fresh = await freshSubject(it);
    const { store } = fresh;
    const agent = await addAgent(store);
    const base = { userId: agent.userId, detail: "550 5.1.1 No such user", messageId: null, now: noon };
    await store.suppress({ ...base, address: "gone@people.example", reason: "bounce" });
    await store.suppress({ ...base, address: "angry@people.example", reason: "complaint" });
    const send = () =>
      addOutbound(store, agent.id, {
        recipients: [
          "fine@people.example",
          { address: "gone@people.example", kind: "cc" },
          { address: "angry@people.example", kind: "bcc" },
        ],
        limits: { perMinutePerAccount: 1, perDayPerAccount: 1, newRecipientsPerDayPerAccount: 1 },
      });
    const failure = (await rejection(send())) as Failure;
    expect(failure.code).toBe("recipient_suppressed");
    expect(failure.details.errors?.map(({ field }) => field)).toEqual(["bcc", "cc"]);
    expect(failure.message).toMatch(/angry@people\.example.*gone@people\.example/);
    expect(failure.details.extra).toMatchObject({
      suppressed: [{ address: "angry@people.example" }, { address: "gone@people.example", reason: "bounce" }],
    });
    expect(await countRows(fresh)).toEqual({ ...noRows, agents: 1, suppressions: 2 });
    const stranger = await addAgent(store);
    expect((await addOutbound(store, stranger.id, { recipients: ["gone@people.example"] })).fresh).toBe(true);
  });
});
