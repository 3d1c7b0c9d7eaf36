import { expect, test } from "bun:test";
import {
  addAgent,
  addMessage,
  addOutbound,
  claimRecipients,
  decision,
  later,
  mailFor,
  noon,
  outboundFor,
  watch,
} from "../../../test/store/rows.ts";
import { onEveryDatabase, unique } from "../../../test/store/stores.ts";
import type { Outbound } from "../outbound/outbound.ts";
import type { OutboundContent } from "../schema.ts";

const unproven = { ...mailFor("x").verdict, verified: false, verifiedDomain: null };

onEveryDatabase((it) => {
  /** Makes the message leave: its one recipient is claimed, and the next host takes it. */
  const leave = async (sent: Outbound) => {
    const lease = { leaseUntil: later(9e6), leaseToken: unique("lease") };
    const lanes = [{ lane: sent.recipients[0]?.lane ?? "", free: 9_999 }];
    const claimed = await claimRecipients(it.store, { ...lease, now: later(1e6), lanes });
    for (const row of claimed.filter(({ messageId }) => messageId === sent.message.id))
      await it.store.finishRecipient(row, { kind: "sent", method: "smtp", status: "sent", reply: "250 ok" }, later(1));
  };

  test("first-time recipients are those to whom nothing went and from whom nothing proven came", async () => {
    const [agent, other] = [await addAgent(it.store), await addAgent(it.store)];
    await leave(await addOutbound(it.store, agent.id, { recipients: ["wrote@people.example"] }));
    await leave(await addOutbound(it.store, other.id, { recipients: ["others@people.example"] }));
    await addMessage(it.store, agent.id, { from: [{ address: "heard@people.example", name: "" }] });
    await watch(it.store, agent.id);
    await addOutbound(it.store, agent.id, { recipients: ["held@people.example"] });
    const addresses = ["wrote", "others", "heard", "held", "others"].map((name) => `${name}@people.example`);
    expect(await it.store.gateFacts({ agentId: agent.id, conversations: [], addresses })).toEqual({
      ...{ firstTime: ["others@people.example", "held@people.example"], unverified: false },
    });
  });

  test("mail that waits, came back or was forged makes nobody known, and a sub-address is somebody else", async () => {
    const agent = await addAgent(it.store);
    const strangers = async (...addresses: string[]) =>
      (await it.store.gateFacts({ agentId: agent.id, conversations: [], addresses })).firstTime;
    await addOutbound(it.store, agent.id, { recipients: ["queued@people.example"] });
    expect(await strangers("queued@people.example")).toEqual(["queued@people.example"]);

    const sent = await addOutbound(it.store, agent.id, { recipients: ["gone@people.example"] });
    await leave(sent);
    expect(await strangers("gone@people.example", "gone+x@people.example")).toEqual(["gone+x@people.example"]);
    const report = { messageId: sent.message.id, n: 0, status: "bounced", detail: "550 5.1.1 no such user" } as const;
    await it.store.recordReport({ ...report, suppress: false, addresses: [], now: later(2) });
    expect(await strangers("gone@people.example")).toEqual(["gone@people.example"]);

    // Earlier mail reached this one, as its host confirmed: one bounce does not make it a stranger.
    for (const status of ["delivered", "bounced"] as const) {
      const next = await addOutbound(it.store, agent.id, { recipients: ["full@people.example"] });
      await leave(next);
      const said = { n: 0, status, detail: status, suppress: false, addresses: [], now: later(2) };
      expect(await it.store.recordReport({ ...said, messageId: next.message.id })).toMatchObject({ status });
    }
    expect(await strangers("full@people.example")).toEqual([]);

    const from = [{ address: "ceo@people.example", name: "" }];
    await addMessage(it.store, agent.id, { from, verdict: unproven });
    expect(await strangers("ceo@people.example")).toEqual(["ceo@people.example"]);
    const { id } = await addMessage(it.store, agent.id, { from });
    await it.store.deleteMessage(agent.id, id);
    expect(await strangers("ceo@people.example")).toEqual([]);
  });

  test("an unproven sender is remembered by address and Reply-To, though the message is deleted", async () => {
    const agent = await addAgent(it.store);
    const doubtful = async (address: string, ...conversations: string[]) =>
      (await it.store.gateFacts({ agentId: agent.id, conversations, addresses: [address] })).unverified;
    const message = await addMessage(it.store, agent.id, {
      from: [{ address: "mallory@evil.example", name: "" }],
      replyTo: [{ address: "drop+box@evil.example", name: "" }],
      verdict: unproven,
    });
    await it.store.deleteMessage(agent.id, message.id);
    for (const address of ["mallory@evil.example", "mallory+new@evil.example", "drop@evil.example"])
      expect({ address, is: await doubtful(address) }).toEqual({ address, is: true });
    expect(await doubtful("ann@people.example")).toBe(false);
    expect(await doubtful("ann@people.example", message.conversationId)).toBe(true);

    await addMessage(it.store, agent.id, { from: [{ address: "mallory@evil.example", name: "" }] });
    expect(await doubtful("mallory@evil.example")).toBe(false);
    expect(await doubtful("drop@evil.example")).toBe(true);
    expect(await doubtful("mallory@evil.example", message.conversationId)).toBe(true);

    const swept = { deliveriesBefore: null, idempotencyBefore: noon };
    await it.store.sweep({ ...swept, now: later(400 * 86_400_000), messagesBefore: null });
    await it.store.sweep({ ...swept, now: later(300 * 86_400_000), messagesBefore: later(299 * 86_400_000) });
    expect(await doubtful("drop@evil.example")).toBe(true);
    await it.store.sweep({ ...swept, now: later(400 * 86_400_000), messagesBefore: later(370 * 86_400_000) });
    expect(await doubtful("drop@evil.example")).toBe(false);
  });

  test("an unproven sender is remembered for a year after its last mail, not after its first", async () => {
    const agent = await addAgent(it.store);
    const day = (n: number) => later(n * 86_400_000);
    const from = [{ address: "mallory@evil.example", name: "" }];
    for (const receivedAt of [day(0), day(300)])
      await addMessage(it.store, agent.id, { from, receivedAt, verdict: unproven });
    const doubtfulOn = async (n: number) => {
      const swept = { deliveriesBefore: null, idempotencyBefore: noon, messagesBefore: day(n - 1), now: day(n) };
      await it.store.sweep(swept);
      const about = { agentId: agent.id, conversations: [], addresses: ["mallory@evil.example"] };
      return (await it.store.gateFacts(about)).unverified;
    };
    expect(await doubtfulOn(400)).toBe(true);
    expect(await doubtfulOn(700)).toBe(false);
  });

  test("a conversation is unverified when one of its messages is", async () => {
    const agent = await addAgent(it.store);
    const first = await addMessage(it.store, agent.id);
    const facts = { agentId: agent.id, conversations: [first.conversationId], addresses: [] };
    expect((await it.store.gateFacts(facts)).unverified).toBe(false);
    await addMessage(it.store, agent.id, { verdict: unproven });
    expect((await it.store.gateFacts(facts)).unverified).toBe(false);
    await addMessage(it.store, agent.id, { verdict: unproven, references: [first.emailMessageId ?? ""] });
    expect((await it.store.gateFacts(facts)).unverified).toBe(true);
    const other = await addAgent(it.store);
    expect((await it.store.gateFacts({ ...facts, agentId: other.id })).unverified).toBe(false);
  });

  test("one unproven conversation among as many as a message refers to is enough, wherever it stands", async () => {
    const agent = await addAgent(it.store);
    const forged = await addMessage(it.store, agent.id, { verdict: unproven });
    const proven = await Promise.all(Array.from({ length: 3 }, () => addMessage(it.store, agent.id)));
    const others = proven.map(({ conversationId }) => conversationId);
    const unknown = Array.from({ length: 199 }, (_, i) => `conv_${i}`);
    const addresses = Array.from({ length: 50 }, (_, i) => `p${i}@people.example`);
    const isUnverified = async (...conversations: string[]) =>
      (await it.store.gateFacts({ agentId: agent.id, conversations, addresses })).unverified;
    expect(await isUnverified(...others, ...unknown)).toBe(false);
    expect(await isUnverified(forged.conversationId, ...others)).toBe(true);
    expect(await isUnverified(...others, ...unknown, forged.conversationId)).toBe(true);
  });

  test("the texts of a conversation are those that a recipient wrote provenly or got, not what waits or was refused", async () => {
    const agent = await addAgent(it.store);
    const from = [{ address: "ann@people.example", name: "" }];
    const first = await addMessage(it.store, agent.id, { from, content: { text: "first", html: "<p>first" } });
    const { conversationId } = first;
    const references = [first.emailMessageId ?? ""];
    await addMessage(it.store, agent.id, { from, content: { text: "second" }, references });
    await addMessage(it.store, agent.id, { from, content: { text: "forged" }, references, verdict: unproven });
    await addMessage(it.store, agent.id, { content: { text: "by somebody else" }, references });
    await addMessage(it.store, agent.id, { content: { text: "of another conversation" } });
    const { content } = outboundFor(agent.id).message;
    const bob = "bob@people.example";
    const say = async (text: string, ms: number, to = bob) => {
      const message = { content: { ...content, text } satisfies OutboundContent };
      return await addOutbound(it.store, agent.id, { conversationId, message, recipients: [to], now: later(ms) });
    };
    await leave(await say("left", 1));
    await leave(await say("to somebody else", 1, "eve@people.example"));
    await say("queued", 1);
    const cancelled = (await say("cancelled", 2)).message.id;
    await it.store.cancelOutbound(agent.userId, cancelled, later(3));
    await watch(it.store, agent.id);
    await say("waits", 4);
    await it.store.decideHold(
      decision((await say("rejected", 5)).message.id, { verdict: { kind: "reject", reason: "" } }),
    );
    await it.store.decideHold(decision((await say("approved", 6)).message.id));
    const facts = { agentId: agent.id, conversationId, addresses: ["ann@people.example", bob] };
    expect(await it.store.seenTexts(facts)).toEqual([
      { subject: "Greeting", text: "second", html: null, seenBy: facts.addresses },
      { subject: "Greeting", text: "first", html: "<p>first", seenBy: facts.addresses },
      { subject: "Question", text: "approved", html: null, seenBy: [bob] },
      { subject: "Question", text: "left", html: null, seenBy: [bob] },
    ]);
    expect(await it.store.seenTexts({ ...facts, addresses: [] })).toEqual([]);
  });
});
