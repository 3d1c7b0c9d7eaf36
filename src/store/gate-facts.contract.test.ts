import { expect, test } from "bun:test";
import {
  addAgent,
  addMessage,
  addOutbound,
  decision,
  later,
  mailFor,
  outboundFor,
  watch,
} from "../testing/store-rows.ts";
import { onEveryDatabase } from "../testing/stores.ts";
import type { OutboundContent } from "./schema.ts";

const unproven = { ...mailFor("x").verdict, verified: false, verifiedDomain: null };

onEveryDatabase((it) => {
  test("first-time recipients are those whom the agent neither wrote to nor heard from", async () => {
    const [agent, other] = [await addAgent(it.store), await addAgent(it.store)];
    await addOutbound(it.store, agent.id, { recipients: ["wrote@people.example"] });
    await addOutbound(it.store, other.id, { recipients: ["others@people.example"] });
    await addMessage(it.store, agent.id, { from: [{ address: "heard@people.example", name: "" }] });
    await watch(it.store, agent.id);
    await addOutbound(it.store, agent.id, { recipients: ["held@people.example"] });
    const addresses = ["wrote", "others", "heard", "held", "others"].map((name) => `${name}@people.example`);
    const facts = { agentId: agent.id, conversationId: null, addresses, withTexts: true };
    expect(await it.store.gateFacts(facts)).toEqual({
      ...{ firstTime: ["others@people.example", "held@people.example"], unverified: false, texts: [] },
    });
  });

  test("a conversation is unverified when one of its messages is", async () => {
    const agent = await addAgent(it.store);
    const first = await addMessage(it.store, agent.id);
    const facts = { agentId: agent.id, conversationId: first.conversationId, addresses: [], withTexts: false };
    expect((await it.store.gateFacts(facts)).unverified).toBe(false);
    await addMessage(it.store, agent.id, { verdict: unproven });
    expect((await it.store.gateFacts(facts)).unverified).toBe(false);
    await addMessage(it.store, agent.id, { verdict: unproven, references: [first.emailMessageId ?? ""] });
    expect((await it.store.gateFacts(facts)).unverified).toBe(true);
    const other = await addAgent(it.store);
    expect((await it.store.gateFacts({ ...facts, agentId: other.id })).unverified).toBe(false);
  });

  test("the texts of a conversation are what came in and what left, not what waits or was refused", async () => {
    const agent = await addAgent(it.store);
    const first = await addMessage(it.store, agent.id, { content: { text: "first", html: "<p>first" } });
    const { conversationId } = first;
    const references = [first.emailMessageId ?? ""];
    await addMessage(it.store, agent.id, { content: { text: "second" }, references });
    await addMessage(it.store, agent.id, { content: { text: "of another conversation" } });
    const { content } = outboundFor(agent.id).message;
    const say = async (text: string, ms: number) => {
      const said: OutboundContent = { ...content, text };
      return (await addOutbound(it.store, agent.id, { conversationId, message: { content: said }, now: later(ms) }))
        .message.id;
    };
    await say("left", 1);
    const cancelled = await say("cancelled", 2);
    await it.store.cancelOutbound(agent.userId, cancelled, later(3));
    await watch(it.store, agent.id);
    await say("waits", 4);
    await it.store.decideHold(decision(await say("rejected", 5), { verdict: { kind: "reject", reason: "" } }));
    await it.store.decideHold(decision(await say("approved", 6)));
    const facts = { agentId: agent.id, conversationId, addresses: [] };
    const { texts } = await it.store.gateFacts({ ...facts, withTexts: true });
    expect(texts).toEqual([
      { text: "second", html: null },
      { text: "first", html: "<p>first" },
      { text: "approved", html: null },
      { text: "left", html: null },
    ]);
    expect((await it.store.gateFacts({ ...facts, withTexts: false })).texts).toEqual([]);
  });
});
