import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { addAgent, addMessage, addOutbound, claimRecipients, later, mailFor, watch } from "../../test/store/rows.ts";
import { databases } from "../../test/store/stores.ts";
import type { TestApp } from "../../test/support/app.ts";
import { recordingPool } from "../../test/support/recording-pool.ts";
import { outbound, withUpstream } from "../../test/support/upstream-app.ts";
import type { Seams } from "../app.ts";
import type { GateRules } from "../mail.ts";
import { TestClock } from "../util/clock.ts";
import { createGatekeeper } from "./gatekeeper.ts";
import { searchOutgoing } from "./search.ts";

const agent = "bot@e2a.localhost";
const outside = "ann@outside.example";

/** The application with an agent, a clock that stands still, and an upstream. */
async function withGate(settings: object, seams: Partial<Seams> = {}) {
  const clock = new TestClock();
  const world = await withUpstream({}, { set: { "outbound_smtp.timeout": "60s" }, seams: { clock, ...seams } });
  const { it } = world;
  await it.api("PATCH", `/api/v1/agents/${agent}`, settings);
  return {
    ...{ ...world, clock },
    send: async (to: string[], more: object = {}) =>
      (
        await it.api(
          "POST",
          "/api/v1/send",
          { from: agent, to, subject: "Hello", body: "Hi there", ...more },
          { prefer: "respond-async" },
        )
      ).body,
    shown: (id: string) => outbound(it, id),
    async pass(ms: number) {
      clock.advance(ms);
      await it.app.drain();
    },
  };
}

/** Changes the database behind the application's back. */
function tamper(it: TestApp, statement: string, ...values: (string | Uint8Array)[]): void {
  using file = new Database(join(it.dataDir, "e2a.db"));
  // The application may be writing at the same time.
  file.run("PRAGMA busy_timeout = 10000");
  file.query(statement).run(...values);
}

describe("the gate is asked again", () => {
  test("when an undo time ends: what it holds now waits for a person, and leaves once after that", async () => {
    await using world = await withGate({ undo_seconds: 60 });
    const { it, smtp, shown, pass } = world;
    const { message_id: id } = await world.send([outside, "bob@outside.example"]);
    await it.api("PATCH", `/api/v1/agents/${agent}`, { hitl_enabled: true });
    await pass(61_000);
    expect(await shown(id)).toMatchObject({
      ...{ status: "pending_approval", hold: { rule: "approval" } },
      recipients: [{ status: "held" }, { status: "held" }],
    });
    const toOthers = () => smtp.messages.filter(({ to }) => to.some((one) => one.endsWith("@outside.example")));
    expect(toOthers()).toEqual([]);
    await it.api("POST", `/api/v1/messages/${id}/approve`, undefined, { prefer: "respond-async" });
    await pass(61_000);
    expect((await shown(id)).status).toBe("sent");
    await pass(3_600_000);
    expect(toOthers()).toHaveLength(2);
  });

  test("but not when its settings let the message go, or when nobody switched it on", async () => {
    await using world = await withGate({ undo_seconds: 60 });
    const first = await world.send([outside]);
    await world.pass(61_000);
    expect((await world.shown(first.message_id)).status).toBe("sent");
    const second = await world.send([outside]);
    await world.it.api("PATCH", `/api/v1/agents/${agent}`, { hitl_rules: { first_time: true, patterns: ["secrets"] } });
    await world.pass(61_000);
    expect((await world.shown(second.message_id)).status).toBe("sent");
  });

  test("for a message whose only outside recipient is in bcc", async () => {
    await using world = await withGate({ undo_seconds: 60 });
    const { it, smtp, shown, pass } = world;
    await it.api("POST", "/api/v1/agents", { slug: "other", agent_mode: "local" });
    const { message_id: id } = await world.send(["other@e2a.localhost"], { bcc: [outside] });
    await it.api("PATCH", `/api/v1/agents/${agent}`, { hitl_enabled: true, hitl_rules: { outside: true } });
    await pass(61_000);
    expect(await shown(id)).toMatchObject({ status: "pending_approval", hold: { rule: "outside" } });
    expect(smtp.messages.filter(({ to }) => to.includes(outside))).toEqual([]);
  });

  test("for a message to a local and an outside recipient, which a reviewer then edits", async () => {
    await using world = await withGate({ undo_seconds: 60 });
    const { it, shown, pass } = world;
    await it.api("POST", "/api/v1/agents", { slug: "other", agent_mode: "local" });
    const { message_id: id } = await world.send(["other@e2a.localhost", outside]);
    await it.api("PATCH", `/api/v1/agents/${agent}`, { hitl_rules: { outside: true } });
    await pass(61_000);
    expect((await shown(id)).recipients.map(({ status }: { status: string }) => status)).toEqual(["held", "held"]);
    const change = { to: ["other@e2a.localhost"], body_text: "Hi there, changed" };
    await it.api("POST", `/api/v1/messages/${id}/approve`, change, { prefer: "respond-async" });
    await pass(61_000);
    const { status, recipients } = await shown(id);
    expect({ status, to: recipients.map(({ address }: { address: string }) => address) }).toEqual({
      ...{ status: "delivered", to: ["other@e2a.localhost"] },
    });
  });
});

test("one search counts for all recipients whose turns come together, until the settings change", async () => {
  const pool = recordingPool();
  const rules = { hitl_enabled: true, hitl_rules: { patterns: ["secrets"] } };
  await using world = await withGate({ undo_seconds: 60, ...rules }, { pool });
  const { it } = world;
  const searches = () => pool.tasks.splice(0).filter(({ name }) => name === "searchOutgoing").length;
  const { message_id: id } = await world.send([outside, "bob@outside.example", "cy@outside.example"]);
  expect(searches()).toBe(1);
  await world.pass(61_000);
  expect(searches()).toBe(1);
  expect((await world.shown(id)).status).toBe("sent");
  const { message_id: second } = await world.send([outside, "bob@outside.example"]);
  await it.api("PATCH", `/api/v1/agents/${agent}`, { hitl_rules: { patterns: ["Hi there"] } });
  searches();
  await world.pass(61_000);
  expect(searches()).toBe(1);
  expect((await world.shown(second)).status).toBe("pending_approval");
});

/**
 * A message to Ann and Bob whose turns have come. It refers to three others, each of its own conversation. Counts the
 * gatekeeper's searches, and its questions to the store.
 */
async function withTwoRecipients() {
  const place = await databases[0]!.create();
  const { store } = await place.open();
  const { id: agentId } = await addAgent(store);
  const recipients = ["ann", "bob"].map((name) => ({ address: `${name}@outside.example`, lane: "out" }));
  const references: string[] = [];
  for (let i = 0; i < 3; i++) references.push((await addOutbound(store, agentId)).message.emailMessageId);
  const { message } = await addOutbound(store, agentId, { recipients, references });
  const claimed = await claimRecipients(store, {
    ...{ now: later(1), leaseUntil: later(9e6), leaseToken: "one", lanes: [{ lane: "out", free: 2 }] },
  });
  const clock = new TestClock();
  let searches = 0;
  let questions = 0;
  const gateFacts: typeof store.gateFacts = (about) => {
    if (++questions > 9) throw new Error("the store is asked without end");
    return store.gateFacts(about);
  };
  const gatekeeper = createGatekeeper({
    ...{ store: { ...store, gateFacts }, clock, sharedDomain: "agents.example", attachments: async () => [] },
    search: (_, request) => {
      searches++;
      return searchOutgoing(request);
    },
  });
  return {
    ...{ store, agentId, clock, references },
    messageId: message.id,
    searches: () => searches,
    questions: () => questions,
    setRules: (hitlRules: GateRules) => store.updateAgent(agentId, { hitlEnabled: true, hitlRules }, later(2)),
    isHeld: async (n: 0 | 1) => gatekeeper.holds(claimed[n]!, (await store.outboundWork(message.id))!),
    [Symbol.asyncDispose]: () => place[Symbol.asyncDispose](),
  };
}

for (const [what, rules] of <[string, [GateRules, GateRules]][]>[
  ["settings", [{ max_recipients: 9 }, { max_recipients: 1 }]],
  ["patterns", [{ patterns: ["Goodbye"] }, { patterns: ["How are you"] }]],
])
  test(`an answer by earlier ${what} does not count for the next recipient`, async () => {
    await using it = await withTwoRecipients();
    await it.setRules(rules[0]);
    expect(await it.isHeld(0)).toBe(false);
    await it.setRules(rules[1]);
    expect(await it.isHeld(1)).toBe(true);
  });

test("mail from an unproven sender counts for the next recipient at once, without another search", async () => {
  await using it = await withTwoRecipients();
  await it.setRules({ unverified: true, patterns: ["Goodbye"] });
  expect(await it.isHeld(0)).toBe(false);
  await addMessage(it.store, it.agentId, {
    from: [{ address: "bob@outside.example", name: "" }],
    verdict: { ...mailFor("x").verdict, verified: false, verifiedDomain: null },
  });
  expect(await it.isHeld(1)).toBe(true);
  expect(it.searches()).toBe(1);
});

test("unproven mail in any of the conversations counts for the next recipient, by one question for all of them", async () => {
  for (const n of [0, 1, 2]) {
    await using it = await withTwoRecipients();
    await it.setRules({ unverified: true });
    expect(await it.isHeld(0)).toBe(false);
    await addMessage(it.store, it.agentId, {
      references: [it.references[n]!],
      verdict: { ...mailFor("x").verdict, verified: false, verifiedDomain: null },
    });
    expect(await it.isHeld(1)).toBe(true);
    expect(it.questions()).toBe(2);
  }
});

test("a search counts for ten seconds, though the machine's clock is set back", async () => {
  await using it = await withTwoRecipients();
  await it.setRules({ patterns: ["Goodbye"] });
  expect(await it.isHeld(0)).toBe(false);
  it.clock.step(-3_600_000);
  it.clock.advance(9_999);
  expect(await it.isHeld(1)).toBe(false);
  expect(it.searches()).toBe(1);
  it.clock.advance(1);
  expect(await it.isHeld(1)).toBe(false);
  expect(it.searches()).toBe(2);
});

test("a message that another node took over meanwhile is not held by this one, and does not leave from it", async () => {
  await using it = await withTwoRecipients();
  await it.setRules({ max_recipients: 1 });
  const lanes = [{ lane: "out", free: 2 }];
  const taken = await claimRecipients(it.store, {
    ...{ now: later(10e6), leaseUntil: later(20e6), leaseToken: "other", lanes },
  });
  expect(taken).toHaveLength(2);
  expect(await it.isHeld(0)).toBe(true);
  // It asked once: the answer is not for this node to act upon.
  expect(it.questions()).toBe(1);
  const after = await it.store.outboundWork(it.messageId);
  expect(after?.message.status).toBe("sending");
});

test("the rest of a message that waits for a person waits too, though the gate was switched off meanwhile", async () => {
  await using place = await databases[0]!.create();
  const { store } = await place.open();
  const { id: agentId } = await addAgent(store);
  const recipients = ["ann", "bob"].map((name) => ({ address: `${name}@outside.example`, lane: "out" }));
  const { message } = await addOutbound(store, agentId, { recipients });
  // Two nodes have one recipient each; the first finds that the gate holds the message.
  const claim = (leaseToken: string) =>
    claimRecipients(store, {
      ...{ now: later(1), leaseUntil: later(9e6), leaseToken, lanes: [{ lane: "out", free: 1 }] },
    });
  const [[first], [second]] = [await claim("one"), await claim("other")];
  const settings = await watch(store, agentId);
  const hold = { rule: "outside", reason: "It goes outside." } as const;
  const held = { recipient: first!, gate: { hold, settings }, review: null, now: later(2) };
  expect(await store.holdQueued(held)).toBe("held");
  await store.updateAgent(agentId, { hitlEnabled: false }, later(3));
  const gatekeeper = createGatekeeper({
    ...{ store, clock: new TestClock(), sharedDomain: "agents.example" },
    ...{ attachments: async () => [], search: (_, request) => searchOutgoing(request) },
  });
  const work = await store.outboundWork(message.id);
  expect(await gatekeeper.holds(second!, work!)).toBe(true);
  const after = await store.heldMessage(message.id);
  expect(after?.recipients.map(({ status }) => status)).toEqual(["held", "held"]);
});

test("bytes that were changed after the approval do not leave", async () => {
  await using world = await withGate({ undo_seconds: 60, hitl_enabled: true, hitl_notify_email: false });
  const { message_id: id } = await world.send([outside]);
  await world.it.api("POST", `/api/v1/messages/${id}/approve`, undefined, { prefer: "respond-async" });
  tamper(
    world.it,
    "UPDATE outbound_raw SET bytes = ? WHERE message_id = ?",
    Buffer.from("Subject: x\r\n\r\ny\r\n"),
    id,
  );
  await world.pass(61_000);
  expect(await world.shown(id)).toMatchObject({
    status: "failed",
    recipients: [{ smtp_reply: expect.stringMatching(/^554 5.6.0/) }],
  });
  expect(world.smtp.messages).toEqual([]);
});
