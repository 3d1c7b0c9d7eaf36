import { expect, test } from "bun:test";
import {
  addAccount,
  addAgent,
  addMessage,
  addOutbound,
  claimRecipients,
  decision,
  later,
  mailFor,
  outboundFor,
  unlimited,
  watch,
} from "../../../test/store/rows.ts";
import { freshSubject, onEveryDatabase, unique } from "../../../test/store/stores.ts";
import { eventsOf } from "../../../test/store/verbs.ts";

const WINDOW_MS = 600_000;
const limits = { loopMessages: 3, loopWindowMs: WINDOW_MS };

/** A person's release of a loop. */
function release(userId: string, id: string, now: Date) {
  return { ...{ userId, id, now }, by: "ann@people.example", how: "api" as const, ip: null };
}

onEveryDatabase((it) => {
  /** Sends in a conversation, to a new stranger by default; returns whether it was held, and why. */
  async function say(agentId: string, conversationId: string, ms: number, to = `${unique("bob")}@people.example`) {
    const { message } = await addOutbound(it.store, agentId, {
      ...{ conversationId, limits, now: later(ms), recipients: [to] },
    });
    return message;
  }
  const told = async (userId: string) => (await eventsOf(it, userId)).map(({ type }) => type);

  test("one message too many in a conversation is held, with its event and the way to release it", async () => {
    const agent = await addAgent(it.store);
    for (let i = 0; i < 3; i++) expect((await say(agent.id, "conv_a", i)).hold).toBeNull();
    const held = await say(agent.id, "conv_a", 3);
    expect(held).toMatchObject({ status: "pending_approval", loopKey: "conversation conv_a", hold: { rule: "loop" } });
    expect(held.hold?.reason).toContain("more than 3 answers in this conversation within 10 minutes");
    const events = await eventsOf(it, agent.userId);
    const about = {
      ...{ message_id: held.id, agent_id: agent.id, conversation_id: "conv_a", ...held.hold },
      ...{ subject: "Question", recipients: [expect.stringContaining("bob-")] },
    };
    const approval_expires_at = held.approvalExpiresAt?.toISOString() ?? "";
    expect(events).toEqual([
      { type: "message.held", agentId: agent.id, data: { ...about, approval_expires_at } },
      {
        type: "loop.stopped",
        agentId: agent.id,
        data: { ...about, release: `POST /api/v1/messages/${held.id}/release` },
      },
    ]);
    expect((await say(agent.id, "conv_b", 4)).hold).toBeNull();
    const other = await addAgent(it.store);
    expect((await say(other.id, "conv_a", 4)).hold).toBeNull();
  });

  test("after the clock is set back, answers that are dated later do not count", async () => {
    const agent = await addAgent(it.store);
    for (let i = 0; i < 3; i++) await say(agent.id, "conv_back", 6 * WINDOW_MS + i);
    expect((await say(agent.id, "conv_back", 0)).hold).toBeNull();
  });

  test("a limit of 0 holds nothing", async () => {
    const agent = await addAgent(it.store);
    for (let i = 0; i < 5; i++) {
      const zero = { ...limits, loopMessages: 0 };
      const more = { conversationId: "conv_a", references: ["<q@people.example>"], limits: zero, now: later(i) };
      const { message } = await addOutbound(it.store, agent.id, { ...more, recipients: ["bob@people.example"] });
      expect(message.hold).toBeNull();
    }
  });

  test("one message too many to an address is held, whatever the conversation", async () => {
    const agent = await addAgent(it.store);
    const to = "machine with a space@people.example";
    for (let i = 0; i < 3; i++) expect((await say(agent.id, `conv_${i}`, i, to)).hold).toBeNull();
    const held = await say(agent.id, "conv_9", 3, to);
    expect(held).toMatchObject({ loopKey: `address ${to}` });
    expect(held.hold?.reason).toContain(`answers to ${to} within`);
    expect((await say(agent.id, "conv_9", 4)).hold).toBeNull();
  });

  test("a first message, of no conversation yet, counts for its addresses only", async () => {
    const agent = await addAgent(it.store);
    const begin = (ms: number) => addOutbound(it.store, agent.id, { limits, now: later(ms) });
    for (let i = 0; i < 5; i++) expect((await begin(i)).message.hold).toBeNull();
  });

  test("mail that nobody answers is no loop, however often it is sent", async () => {
    const agent = await addAgent(it.store);
    const to = `${unique("pager")}@people.example`;
    let ms = 0;
    const alert = async (conversationId: string | null, references: string[] = []) => {
      const one = { conversationId, references, limits, now: later(ms++), recipients: [to] };
      const alerted = outboundFor(agent.id, one);
      alerted.message.content.inReplyTo = references.at(-1) ?? null;
      return (await it.store.acceptOutbound(alerted))!.message;
    };
    let last = await alert(null);
    for (let i = 0; i < 5; i++) {
      expect((await alert(null)).hold).toBeNull();
      // One below the other, as answers to the agent's own mail.
      last = await alert(last.conversationId, [last.emailMessageId]);
      expect(last.hold).toBeNull();
    }
    // Both sides write anew each time, and neither names what it answers.
    const turns: (string | undefined)[] = [];
    for (let i = 0; i < 5; i++) {
      await addMessage(it.store, agent.id, { from: [{ address: to, name: "" }], receivedAt: later(ms++) });
      ms++;
      turns.push((await alert(null)).hold?.rule);
    }
    expect(turns).toEqual([undefined, undefined, undefined, "loop", "loop"]);
    expect((await alert(null)).hold).toBeNull();
  });

  test("updates in a conversation are no loop, even after one answer", async () => {
    const agent = await addAgent(it.store);
    const update = async (conversationId: string | null, ms: number) => {
      const one = outboundFor(agent.id, { conversationId, limits, now: later(ms) });
      one.message.content.inReplyTo = null;
      return (await it.store.acceptOutbound(one))!.message;
    };
    const { conversationId, emailMessageId } = await update(null, 0);
    const references = [emailMessageId];
    const answer = { references, inReplyTo: emailMessageId, receivedAt: later(1) };
    expect((await addMessage(it.store, agent.id, answer)).conversationId).toBe(conversationId);
    for (let i = 2; i < 9; i++) expect((await update(conversationId, i)).hold).toBeNull();
  });

  test("answers that a reviewer edited still count as answers", async () => {
    const agent = await watch(it.store, (await addAgent(it.store)).id);
    const to = `${unique("bob")}@people.example`;
    for (let i = 0; i < 3; i++) {
      const { id, content, snippet } = await say(agent.id, `conv_${i}`, i, to);
      const edit = {
        ...{ subject: "Edited", snippet, content, contentHash: unique("hash") },
        ...{ review: null, raw: Buffer.from("edited") },
        ...{ recipients: [{ address: to, kind: "to" as const, lane: "upstream" }], limits: unlimited },
      };
      const decided = await it.store.decideHold(decision(id, { verdict: { kind: "approve", edit } }));
      expect(decided?.kind).toBe("done");
    }
    await it.store.updateAgent(agent.id, { hitlEnabled: false }, later(4));
    expect(await say(agent.id, "conv_9", 5, to)).toMatchObject({ loopKey: `address ${to}`, hold: { rule: "loop" } });
  });

  test("a follow-up to the agent's own mail by the id that the upstream gave it is no answer", async () => {
    const agent = await addAgent(it.store);
    const to = `${unique("pager")}@people.example`;
    const providerId = `0100018f2a3b4c5d-${crypto.randomUUID()}-000000`;
    const first = outboundFor(agent.id, { recipients: [{ address: to, lease: "l" }], now: later(0) });
    const { message } = (await it.store.acceptOutbound(first))!;
    const sent = { kind: "sent", method: "smtp", status: "sent", reply: "250 Ok", providerId } as const;
    await it.store.finishRecipient({ messageId: message.id, n: 0, leaseToken: "l" }, sent, later(1));
    const followUp = async (id: string, ms: number) => {
      const one = outboundFor(agent.id, { limits, now: later(ms), recipients: [to], references: [id] });
      one.message.content.inReplyTo = id;
      return (await it.store.acceptOutbound(one))!.message;
    };
    for (let i = 0; i < 5; i++)
      expect(await followUp(`<${providerId}@email.amazonses.com>`, 10 + i)).toMatchObject({
        ...{ hold: null, isAnswer: false, conversationId: message.conversationId },
      });
    const others = `<0100018f2a3b4c5d-${crypto.randomUUID()}-000000@email.amazonses.com>`;
    const holds = [20, 21, 22, 23].map((ms) => followUp(others, ms));
    expect((await Promise.all(holds)).filter(({ hold }) => hold?.rule === "loop")).toHaveLength(1);
  });

  test("mail that only claims to be from the address answers nothing, unless it names the agent's mail", async () => {
    const agent = await addAgent(it.store);
    const to = `${unique("ops")}@people.example`;
    let ms = 0;
    const turn = async (forgery: (id: string) => Parameters<typeof addMessage>[2]) => {
      const alerted = outboundFor(agent.id, { limits, now: later(ms++), recipients: [to] });
      alerted.message.content.inReplyTo = null;
      const message = (await it.store.acceptOutbound(alerted))!.message;
      const { verdict } = mailFor(agent.id);
      const claimed = { from: [{ address: to, name: "" }], verdict: { ...verdict, verified: false } };
      await addMessage(it.store, agent.id, { ...claimed, receivedAt: later(ms++), ...forgery(message.emailMessageId) });
      return message.hold?.rule;
    };
    for (let i = 0; i < 6; i++) expect(await turn(() => ({}))).toBeUndefined();
    const rules: (string | undefined)[] = [];
    for (let i = 0; i < 5; i++) rules.push(await turn((id) => ({ references: [id], inReplyTo: id })));
    expect(rules).toEqual([undefined, undefined, undefined, undefined, "loop"]);
  });

  test("a list or help desk that answers from another address makes a loop too", async () => {
    const agent = await addAgent(it.store);
    let ms = 0;
    const alert = async (to: string) => {
      const alerted = outboundFor(agent.id, { limits, now: later(ms++), recipients: [to] });
      alerted.message.content.inReplyTo = null;
      return (await it.store.acceptOutbound(alerted))!.message;
    };
    const turn = async (to: string) => {
      const message = await alert(to);
      await addMessage(it.store, agent.id, {
        ...{
          from: [{ address: `${unique("ticket")}@people.example`, name: "" }],
          references: [message.emailMessageId],
        },
        ...{ inReplyTo: message.emailMessageId, receivedAt: later(ms++) },
      });
      return message.hold?.rule;
    };
    const to = `${unique("support")}@people.example`;
    const rules: (string | undefined)[] = [];
    for (let i = 0; i < 5; i++) rules.push(await turn(to));
    expect(rules).toEqual([undefined, undefined, undefined, undefined, "loop"]);
    // Answers of others say nothing about this one.
    const silent = `${unique("pager")}@people.example`;
    for (let i = 0; i < 3; i++) await turn(`${unique("bob")}@people.example`);
    for (let i = 0; i < 5; i++) expect((await alert(silent)).hold).toBeNull();
  });

  test("only what was sent within the window counts", async () => {
    const agent = await addAgent(it.store);
    for (const ms of [0, 1_000, 2_000]) await say(agent.id, "conv_a", ms);
    expect((await say(agent.id, "conv_a", WINDOW_MS)).hold).toBeNull();
    // Three are in the window again: those sent at 1 s, 2 s and 10 min.
    expect((await say(agent.id, "conv_a", WINDOW_MS + 999)).hold).not.toBeNull();
  });

  test("a stop lasts until it is released, is told once, and lets everything go that it held", async () => {
    await using fresh = await freshSubject(it);
    const { store } = fresh;
    const agent = await addAgent(store);
    const say = async (ms: number) =>
      (
        await addOutbound(store, agent.id, {
          ...{ conversationId: "conv_a", limits, now: later(ms), recipients: ["bob@people.example"] },
        })
      ).message;
    for (let i = 0; i < 3; i++) await say(i);
    const held = [await say(3), await say(4), await say(10 * WINDOW_MS)];
    const types = async () => (await eventsOf(fresh, agent.userId)).map(({ type }) => type);
    expect(await types()).toEqual(["message.held", "loop.stopped", "message.held", "message.held"]);

    const now = later(10 * WINDOW_MS + 1);
    const claim = () =>
      claimRecipients(store, {
        ...{ now, leaseUntil: later(1e9), leaseToken: "c", lanes: [{ lane: "upstream", free: 9 }] },
      });
    expect(await claim()).toHaveLength(3);
    const released = await store.releaseLoop(release(agent.userId, held[1]!.id, now));
    expect(released).toMatchObject({ released: 3, message: { id: held[1]!.id, status: "queued" } });
    for (const { id } of held) {
      const after = await store.getOutbound(agent.userId, id);
      expect(after?.message).toMatchObject({ status: "queued", hold: { rule: "loop" } });
      expect(after?.recipients[0]).toMatchObject({ status: "queued", queue: "ready", nextAttemptAt: now });
    }
    expect((await claim()).map((row) => row.messageId)).toEqual(held.map(({ id }) => id));
    expect(await store.releaseLoop(release(agent.userId, held[0]!.id, now))).toMatchObject({ released: 0 });
  });

  test("after a release the count begins anew, for the conversation and for whom it went to", async () => {
    const agent = await addAgent(it.store);
    const to = "bob@people.example";
    for (let i = 0; i < 3; i++) await say(agent.id, "conv_a", i, to);
    const held = await say(agent.id, "conv_a", 3, to);
    await it.store.releaseLoop(release(agent.userId, held.id, later(10)));
    for (let i = 11; i < 14; i++) expect((await say(agent.id, "conv_a", i, to)).hold).toBeNull();
    expect((await say(agent.id, "conv_a", 14, to)).loopKey).toBe("conversation conv_a");
    expect((await told(agent.userId)).filter((type) => type === "loop.stopped")).toHaveLength(2);
    // A release older than the window changes nothing.
    const quiet = await addAgent(it.store);
    for (let i = 0; i < 3; i++) await say(quiet.id, "conv_a", i, to);
    await it.store.releaseLoop(release(quiet.userId, (await say(quiet.id, "conv_a", 3, to)).id, later(10)));
    const laterOn = 2 * WINDOW_MS;
    for (let i = 0; i < 3; i++) expect((await say(quiet.id, "conv_a", laterOn + i, to)).hold).toBeNull();
    expect((await say(quiet.id, "conv_a", laterOn + 3, to)).hold).not.toBeNull();
  });

  test("released mail that the gate then holds is no longer the breaker's, and stops nothing", async () => {
    const agent = await addAgent(it.store);
    const { userId } = agent;
    for (let i = 0; i < 3; i++) await say(agent.id, "conv_a", i);
    const lane = unique("lane");
    const { message } = await addOutbound(it.store, agent.id, {
      ...{ conversationId: "conv_a", limits, now: later(3), recipients: [{ address: "bob@people.example", lane }] },
    });
    await it.store.releaseLoop(release(userId, message.id, later(4)));
    const lease = { leaseUntil: later(9e6), leaseToken: unique("lease"), lanes: [{ lane, free: 1 }] };
    const [recipient] = await claimRecipients(it.store, { ...lease, now: later(5) });
    const settings = await watch(it.store, agent.id);
    const hold = { rule: "outside", reason: "It goes outside." } as const;
    const held = { recipient: recipient!, gate: { hold, settings }, review: null, now: later(6) };
    expect(await it.store.holdQueued(held)).toBe("held");
    expect(await it.store.releaseLoop(release(userId, message.id, later(7)))).toMatchObject({ released: 0 });
    await it.store.updateAgent(agent.id, { hitlEnabled: false }, later(8));
    expect((await say(agent.id, "conv_a", 9)).hold).toBeNull();
  });

  test("one stop's release leaves the others as they are", async () => {
    const agent = await addAgent(it.store);
    for (let i = 0; i < 3; i++) {
      await say(agent.id, "conv_a", i);
      await say(agent.id, "conv_b", i);
    }
    const [a, b] = [await say(agent.id, "conv_a", 3), await say(agent.id, "conv_b", 3)];
    expect(await it.store.releaseLoop(release(agent.userId, a.id, later(4)))).toMatchObject({ released: 1 });
    expect((await it.store.getOutbound(agent.userId, b.id))?.message.status).toBe("pending_approval");
    expect((await say(agent.id, "conv_b", 5)).hold).not.toBeNull();
  });

  test("released mail of a paused agent waits for the end of the pause", async () => {
    const agent = await addAgent(it.store);
    for (let i = 0; i < 3; i++) await say(agent.id, "conv_a", i);
    const held = await say(agent.id, "conv_a", 3);
    await it.store.updateAgent(agent.id, { paused: true }, later(4));
    const released = await it.store.releaseLoop(release(agent.userId, held.id, later(5)));
    expect(released?.recipients[0]).toMatchObject({ status: "queued", queue: "paused" });
    expect(released?.message.status).toBe("queued");
  });

  test("only what the breaker holds is released, and only by its owner", async () => {
    const [agent, stranger] = [await addAgent(it.store), await addAccount(it.store)];
    const sent = await say(agent.id, "conv_a", 0);
    expect(await it.store.releaseLoop(release(agent.userId, sent.id, later(1)))).toMatchObject({ released: 0 });
    for (let i = 1; i < 3; i++) await say(agent.id, "conv_a", i);
    const held = await say(agent.id, "conv_a", 3);
    expect(await it.store.releaseLoop(release(stranger.id, held.id, later(4)))).toBeNull();
    await it.store.cancelOutbound(agent.userId, held.id, later(5));
    expect(await it.store.releaseLoop(release(agent.userId, held.id, later(6)))).toMatchObject({
      ...{ released: 0, message: { status: "cancelled" } },
    });
    await it.store.updateAgent(agent.id, { hitlEnabled: true }, later(7));
    const gated = await say(agent.id, "conv_b", 8);
    expect(gated.hold?.rule).toBe("approval");
    expect(await it.store.releaseLoop(release(agent.userId, gated.id, later(9)))).toMatchObject({ released: 0 });
  });
});
