import { describe, expect, test } from "bun:test";
import { isAscii } from "node:buffer";
import { join } from "node:path";
import { type ScriptedOptions, scriptedSmtp } from "../../test/smtp/scripted-smtp.ts";
import { addAgent, addOutbound, claimRecipients } from "../../test/store/rows.ts";
import { request, startTestApp, type TestApp } from "../../test/support/app.ts";
import { testPool } from "../../test/support/pool.ts";
import { until } from "../../test/support/until.ts";
import { outbound, withUpstream } from "../../test/support/upstream-app.ts";
import type { Config } from "../config.ts";
import { verifyDkim } from "../inbound/dkim-verify.ts";
import { findBody } from "../message/headers.ts";
import { readAttachments } from "../message/read.ts";
import { createReturnPaths } from "../return-path.ts";
import type { Store } from "../store/store.ts";
import { TestClock } from "../util/clock.ts";
import { Failure } from "../util/errors.ts";
import { createLog, silentLog } from "../util/log.ts";
import { type DispatchOptions, startDispatch } from "./dispatch.ts";
import { openOutcomeJournal } from "./outcome-journal.ts";
import { createRoutes, localLane } from "./routes.ts";

const minuteMs = 60_000;

const events = async (it: TestApp) =>
  (await it.app.store.listOutbound(it.userId, {}, { limit: 100 })).flatMap(({ recipients }) => recipients);

describe("an upstream that", () => {
  const answers: [
    name: string,
    script: ScriptedOptions,
    expected: { http: number; status: string; smtp_reply?: unknown; error?: unknown },
  ][] = [
    ["takes it", {}, { http: 200, status: "sent", smtp_reply: expect.stringMatching(/^250/) }],
    [
      "refuses the recipient for good",
      { on: (stage) => (stage === "rcpt" ? "550 5.7.1 Not from you" : undefined) },
      { http: 502, status: "failed", smtp_reply: "550 5.7.1 Not from you" },
    ],
    [
      "does not know the recipient",
      { on: (stage) => (stage === "rcpt" ? "550 5.1.1 User unknown" : undefined) },
      { http: 502, status: "failed", smtp_reply: "550 5.1.1 User unknown" },
    ],
    [
      "does not know the sender, in the words for a recipient",
      { on: (stage) => (stage === "mail" ? "550 5.1.1 User unknown here" : undefined) },
      { http: 502, status: "failed", smtp_reply: "550 5.1.1 User unknown here" },
    ],
    [
      "refuses the content",
      { on: (stage) => (stage === "message" ? "554 5.6.0 No" : undefined) },
      { http: 502, status: "failed", smtp_reply: "554 5.6.0 No" },
    ],
    [
      "puts it off",
      { on: (stage) => (stage === "rcpt" ? "450 4.2.1 Later" : undefined) },
      { http: 202, status: "deferred", smtp_reply: "450 4.2.1 Later" },
    ],
    [
      "hangs after the recipient",
      { on: (stage) => (stage === "rcpt" ? { do: "hang" } : undefined) },
      { http: 202, status: "deferred" },
    ],
    [
      "resets after DATA",
      { on: (stage) => (stage === "data" ? { do: "reset" } : undefined) },
      { http: 202, status: "deferred" },
    ],
    [
      "closes behind the final dot",
      { on: (stage) => (stage === "message" ? { do: "close" } : undefined) },
      { http: 202, status: "deferred", error: expect.any(String) },
    ],
    [
      "speaks nonsense",
      { on: (stage) => (stage === "greeting" ? "GET / HTTP/1.1" : undefined) },
      { http: 202, status: "queued", error: expect.any(String) },
    ],
    [
      "is too busy at the door",
      { on: (stage) => (stage === "greeting" ? "421 4.3.2 Too busy" : undefined) },
      { http: 202, status: "queued", error: expect.any(String) },
    ],
  ];
  test.each(answers)("%s", async (_name, script, expected) => {
    await using world = await withUpstream(script);
    const { status, body } = await world.send("alice@outside.example");
    expect({ status, detail: body.detail }).toMatchObject({ status: expected.http });
    const message = await outbound(world.it, body.message_id);
    const { http: _, ...fate } = expected;
    expect(message).toMatchObject({ status: fate.status, recipients: [{ address: "alice@outside.example", ...fate }] });
    expect(message.recipients).toHaveLength(1);
    // Only an address that does not exist is suppressed.
    const suppressed = await world.it.app.store.listSuppressions(world.it.userId, { limit: 9 });
    expect(suppressed).toHaveLength(fate.smtp_reply === "550 5.1.1 User unknown" ? 1 : 0);
  });

  test("refuses one of three recipients: the others have it, and each knows its fate", async () => {
    await using world = await withUpstream({
      on: (stage, address) => (stage === "rcpt" && address === "b@outside.example" ? "550 5.7.1 No" : undefined),
    });
    const { status, body } = await world.send(["a@outside.example", "b@outside.example", "c@outside.example"]);
    expect({ status, body }).toMatchObject({
      status: 200,
      body: {
        status: "sent",
        method: "smtp",
        recipients: [
          { address: "a@outside.example", status: "sent" },
          { address: "b@outside.example", status: "failed", smtp_reply: "550 5.7.1 No" },
          { address: "c@outside.example", status: "sent" },
        ],
      },
    });
    expect(world.smtp.messages.flatMap((message) => message.to).sort()).toEqual([
      "a@outside.example",
      "c@outside.example",
    ]);
  });
});

test("an upstream without 8BITMIME gets attached 8-bit messages encoded, and quoted local parts as they are", async () => {
  await using world = await withUpstream({ extensions: ["PIPELINING"] });
  const original = Buffer.from("From: a@b.example\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nGrüße\r\n");
  const { status, body } = await world.it.api("POST", "/api/v1/send", {
    to: ['Ann <"Ann B"@outside.example>', '"bob"@outside.example'],
    subject: "Hello",
    body: "Hi",
    attachments: [
      { filename: "grüße.eml", content_type: "message/rfc822", data: original.toString("base64") },
      { filename: "ascii.eml", content_type: "message/rfc822", data: btoa("From: a@b.example\r\n\r\nHi\r\n") },
    ],
  });
  expect({ status, body }).toMatchObject({ status: 200, body: { status: "sent" } });
  const messages = await world.smtp.received(2);
  expect(messages.map(({ to }) => to[0]).sort()).toEqual(['"ann b"@outside.example', "bob@outside.example"]);
  for (const { raw } of messages) {
    expect(isAscii(raw)).toBe(true);
    const text = raw.toString();
    expect(text).toContain('To: Ann <"ann b"@outside.example>, bob@outside.example\r\n');
    expect(text).toContain("name*0*=utf-8''gr%C3%BC%C3%9Fe.eml");
    expect(text).not.toContain('"=?');
    const files = await readAttachments(raw, { maxParts: 100, maxDepth: 10, maxHeaderBytes: 65_536 });
    expect(files.map(({ attachment }) => [attachment.filename, attachment.content_type])).toEqual([
      ["grüße.eml", "application/octet-stream"],
      ["ascii.eml", "message/rfc822"],
    ]);
    expect(Buffer.from(files[0]?.content ?? []).equals(original)).toBe(true);
    const { results } = await verifyDkim(raw, findBody(raw).bodyStart, {
      strict: true,
      resolver: async () => {
        throw Object.assign(new Error("no key"), { code: "ENOTFOUND" });
      },
    });
    // The signature covers what was sent.
    expect(results.map(({ bodyHash, bodyHashExpecting }) => bodyHash === bodyHashExpecting)).not.toContain(false);
    expect(results[0]?.bodyHash).toBeString();
  }
});

test("a message that the server is too busy to encode waits a minute: no reply, no try", async () => {
  await using smtp = await scriptedSmtp({ extensions: ["PIPELINING"] });
  await using it = await startTestApp();
  const { store, config } = it.app;
  const clock = new TestClock();
  const journal = openOutcomeJournal(join(it.dataDir, "other.journal"), silentLog);
  let isBusy = true;
  const dispatch = ownDispatch(config, smtp, {
    ...{ store, clock, journal },
    sevenBit: async () => {
      if (isBusy) throw new Failure("overloaded", "The server is busy.");
      return Buffer.from("From: <a@b.example>\r\nSubject: Hello\r\n\r\nEncoded\r\n");
    },
  });
  const agent = await addAgent(store, { userId: it.userId });
  const raw = Buffer.from(`From: <${agent.id}>\r\nSubject: Hello\r\n\r\nGrüße\r\n`);
  const { message } = await addOutbound(store, agent.id, { raw, now: new Date(clock.now()) });
  const recipient = async () => (await store.getOutbound(it.userId, message.id))?.recipients[0];
  await dispatch.drain();
  const dueAt = new Date(clock.now() + minuteMs);
  expect(await recipient()).toMatchObject({
    ...{ status: "queued", attempts: 0, smtpReply: null, error: "The server is busy.", nextAttemptAt: dueAt },
  });
  isBusy = false;
  clock.advance(minuteMs);
  await dispatch.drain();
  expect(await recipient()).toMatchObject({ status: "sent", attempts: 1 });
  expect(smtp.messages).toHaveLength(1);
  await dispatch.close(1_000);
  await journal.close();
});

test("a message whose gate cannot be asked stays here, and is asked about again in a minute", async () => {
  await using smtp = await scriptedSmtp();
  await using it = await startTestApp();
  const { store, config } = it.app;
  const clock = new TestClock();
  const journal = openOutcomeJournal(join(it.dataDir, "other.journal"), silentLog);
  let fails = true;
  const dispatch = ownDispatch(config, smtp, {
    ...{ store, clock, journal },
    gatekeeper: {
      ask: () => Promise.reject(new Error("nothing is asked")),
      async holds() {
        if (fails) throw new Error("The patterns cannot be searched.");
        return false;
      },
    },
  });
  const { id } = await addAgent(store, { userId: it.userId });
  const raw = Buffer.from(`From: <${id}>\r\nSubject: Hello\r\n\r\nHi there\r\n`);
  const { message } = await addOutbound(store, id, { raw, now: new Date(clock.now()) });
  const recipient = async () => (await store.getOutbound(it.userId, message.id))?.recipients[0];
  await dispatch.drain();
  const error = "The gate could not be asked; see the server's log.";
  const nextAttemptAt = new Date(clock.now() + minuteMs);
  expect(await recipient()).toMatchObject({ status: "queued", attempts: 0, error, nextAttemptAt });
  expect(smtp.messages).toEqual([]);
  fails = false;
  clock.advance(minuteMs);
  await dispatch.drain();
  expect(await recipient()).toMatchObject({ status: "sent", attempts: 1, error: null });
  expect(smtp.messages).toHaveLength(1);
  await dispatch.close(1_000);
  await journal.close();
});

test("a message that was put off is tried again on the schedule, and given up after three days", async () => {
  const clock = new TestClock();
  let replies = 0;
  await using world = await withUpstream(
    {
      on(stage) {
        if (stage !== "rcpt") return undefined;
        replies++;
        return "450 4.2.1 Later";
      },
    },
    // Every reply counts here, even a slow one.
    { seams: { clock }, set: { "outbound_smtp.timeout": "20s" } },
  );
  const { body } = await world.send("alice@outside.example");
  await world.it.app.drain();
  expect(replies).toBe(1);
  // Goes from one due time to the next: a longer step could end the lease of a try that began on the way.
  const next = () => world.it.app.store.nextRecipientDue(["upstream"]);
  for (let due = await next(); due !== null; due = await next()) {
    clock.advance(Math.max(0, due.getTime() - clock.now()));
    await world.it.app.drain();
  }
  const message = await outbound(world.it, body.message_id);
  expect(message).toMatchObject({
    status: "failed",
    recipients: [{ status: "failed", smtp_reply: "450 4.2.1 Later", error: expect.stringContaining("three days") }],
  });
  expect(message.recipients[0].attempts).toBe(replies);
  expect(replies).toBeGreaterThan(15);
});

test("mail to an agent here that cannot be taken now is tried again, and arrives once", async () => {
  const clock = new TestClock();
  const pool = testPool();
  let busy = 2;
  const seams = {
    clock,
    pool: {
      ...pool,
      async run(...task: Parameters<typeof pool.run>) {
        if (task[0] === "examine" && busy-- > 0) throw new Failure("overloaded", "Too much at once.");
        return pool.run(...task);
      },
    },
  };
  await using world = await withUpstream({}, { seams });
  const { it } = world;
  await it.api("POST", "/api/v1/agents", { slug: "peer", agent_mode: "local" });
  const mail = { from: "bot@e2a.localhost", to: ["peer@e2a.localhost"], subject: "Hello", body: "Hi" };
  const { status, body } = await it.api("POST", "/api/v1/send", mail);
  const shown = () => outbound(it, body.message_id);
  expect(status).toBe(202);
  expect((await shown()).recipients).toMatchObject([{ status: "deferred", smtp_reply: "452 4.3.1 Too much at once." }]);
  for (const [attempts, fate] of [
    [2, "deferred"],
    [3, "delivered"],
  ] as const) {
    clock.advance(60 * minuteMs);
    await it.app.drain();
    expect((await shown()).recipients).toMatchObject([{ status: fate, attempts }]);
  }
  expect((await it.api("GET", "/api/v1/agents/peer@e2a.localhost/messages")).body.messages).toHaveLength(1);
});

test("sends that are refused take nothing of the room for tries at once", async () => {
  const clock = new TestClock();
  const set = { "outbound_smtp.connections": 1, "limits.sends_per_minute_per_account": 1 };
  await using world = await withUpstream({}, { seams: { clock }, set });
  const { it, send } = world;
  await it.api("POST", "/api/v1/suppressions", { address: "gone@outside.example" });
  const atOnce = { prefer: "respond-async" };
  // More than the 10 that one connection has room for, with several recipients each.
  for (let n = 0; n < 6; n++)
    expect((await send(["ann@outside.example", "gone@outside.example"], atOnce)).status).toBe(422);
  const leaves = async (to: string) => {
    const { body } = await send(to, atOnce);
    await it.app.drain();
    expect((await outbound(it, body.message_id)).status).toBe("sent");
  };
  await leaves("ann@outside.example");
  for (let n = 0; n < 6; n++)
    expect((await send(["ann@outside.example", "bob@outside.example"], atOnce)).status).toBe(429);
  // The room of sent mail is free again as well.
  for (let n = 0; n < 12; n++) {
    clock.advance(minuteMs);
    await leaves(`person-${n}@outside.example`);
  }
});

test("mail in hand for longer than a lease stays in hand, also when every lane is full and nothing is claimed", async () => {
  const clock = new TestClock();
  const asked = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const real = testPool();
  let received = 0;
  const pool = {
    ...real,
    async run(...task: Parameters<typeof real.run>) {
      if (task[0] === "examine") {
        received++;
        await released.promise;
      }
      return real.run(...task);
    },
  };
  await using world = await withUpstream(
    {
      async on(stage) {
        if (stage !== "message") return undefined;
        asked.resolve();
        await released.promise;
        return undefined;
      },
    },
    {
      seams: { clock, pool },
      set: {
        ...{ "outbound_smtp.timeout": "20s", "outbound_smtp.connections": 1 },
        // In production there is no lane that only captures mail, which would never be full.
        ...{ env: "production", shared_domain: "agents.example", "http.public_url": "https://agents.example" },
      },
    },
  );
  const { store } = world.it.app;
  const sent = [];
  for (const to of ["alice@outside.example", "bob@outside.example"])
    sent.push((await world.send(to, { prefer: "respond-async" })).body.message_id);
  await asked.promise;
  const bot = "bot@agents.example";
  const local = Array.from({ length: 32 }, () => ({ address: bot, lane: localLane }));
  sent.push((await addOutbound(store, bot, { recipients: local, now: new Date(clock.now()) })).message.id);
  await until("the lane of mail to agents here is full", () => received === local.length);
  for (let seconds = 0; seconds < 200; seconds += 20) {
    clock.advance(20_000);
    // Queues behind the renewal, since there is a single writer.
    await store.probeWrite(new Date(clock.now()));
    const now = new Date(clock.now());
    const lanes = ["upstream", localLane].map((lane) => ({ lane, free: 9 }));
    // Claims as another node would.
    expect(await claimRecipients(store, { now, leaseUntil: now, leaseToken: "other", lanes })).toEqual([]);
  }
  released.resolve();
  await world.it.app.drain();
  expect(world.smtp.messages.flatMap(({ to }) => to).sort()).toEqual(["alice@outside.example", "bob@outside.example"]);
  for (const [n, status] of ["sent", "sent", "delivered"].entries())
    expect(await outbound(world.it, sent[n])).toMatchObject({ status, attempts: 1 });
});

/** An app whose upstream has one connection, and withholds its answer to the first message until the test resolves it. */
async function withBusyUpstream() {
  const clock = new TestClock();
  const [asked, answer] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const on = async (stage: string) => {
    if (stage !== "message") return undefined;
    asked.resolve();
    await answer.promise;
    return undefined;
  };
  const set = { "outbound_smtp.connections": 1, "outbound_smtp.timeout": "20s" };
  const world = await withUpstream({ on }, { seams: { clock }, set });
  return { ...world, clock, asked, answer };
}

describe("mail that waits for a connection does not leave after", () => {
  const bot = "/api/v1/agents/bot@e2a.localhost";
  const changes: [name: string, change: (it: TestApp, now: number) => Promise<unknown>, status: string | undefined][] =
    [
      ["its agent is paused", (it) => it.api("PATCH", bot, { paused: true }), "queued"],
      ["its account is paused", (it) => it.api("PATCH", "/api/v1/users/me", { paused: true }), "queued"],
      ["the gate is switched on", (it) => it.api("PATCH", bot, { hitl_enabled: true }), "pending_approval"],
      ["its agent is deleted", (it) => it.api("DELETE", bot), undefined],
      [
        "its lease has passed to another node",
        async ({ app }, nowMs) => {
          const now = new Date(nowMs + 10 * minuteMs);
          const lanes = [{ lane: "upstream", free: 9 }];
          await claimRecipients(app.store, { now, leaseUntil: now, leaseToken: "other", lanes });
        },
        "sending",
      ],
    ];
  test.each(changes)("%s", async (_name, change, status) => {
    await using world = await withBusyUpstream();
    const { answer, asked, clock } = world;
    const { it, smtp } = world;
    const atOnce = { prefer: "respond-async" };
    await world.send("first@outside.example", atOnce);
    await asked.promise;
    const { body } = await world.send("second@outside.example", atOnce);
    expect(await outbound(it, body.message_id)).toMatchObject({ status: "sending" });
    clock.advance(2_000);
    await change(it, clock.now());
    answer.resolve();
    await it.app.drain();
    expect(smtp.messages.flatMap(({ to }) => to)).not.toContain("second@outside.example");
    expect((await outbound(it, body.message_id)).status).toBe(status ?? 404);
  });

  const words = (raw: Buffer) => /the (?:agent|reviewer)'s words/.exec(raw.toString("latin1"))?.[0];
  test.each<[name: string, decide: (it: TestApp, id: string) => Promise<unknown>, sent: [to: string, words: string][]]>(
    [
      ["the message is held through its other recipient", async () => {}, []],
      ["and a reviewer rejects it", (it, id) => it.api("POST", `/api/v1/messages/${id}/reject`, { reason: "No." }), []],
      [
        "and a reviewer removes the recipient, and changes the text",
        (it, id) =>
          it.api(
            "POST",
            `/api/v1/messages/${id}/approve`,
            { to: ["third@outside.example"], body_text: "the reviewer's words" },
            { prefer: "respond-async" },
          ),
        [["third@outside.example", "the reviewer's words"]],
      ],
    ],
  )("%s", async (_name, decide, sent) => {
    await using world = await withBusyUpstream();
    const { answer, asked, clock } = world;
    const { it, smtp } = world;
    const { store } = it.app;
    const mail = { subject: "s", body: "the agent's words" };
    const send = async (...to: string[]) =>
      (await it.api("POST", "/api/v1/send", { ...mail, to }, { prefer: "respond-async" })).body.message_id;
    await send("first@outside.example");
    await asked.promise;
    const id = await send("second@outside.example", "third@outside.example");
    clock.advance(2_000);
    const found = await store.getOutbound(it.userId, id);
    const third = found?.recipients[1];
    const agent = await store.getAgent("bot@e2a.localhost");
    if (!third?.leaseToken || !agent) throw new Error("it is not in hand");
    const gate = { hold: { rule: "approval" as const, reason: "A test holds it." }, settings: agent };
    const now = new Date(clock.now());
    expect(await store.holdQueued({ recipient: third, gate, review: null, now })).toBe("held");
    await decide(it, id);
    answer.resolve();
    await it.app.drain();
    const left = smtp.messages
      .map(({ raw, to }) => [to[0] as string, words(raw)])
      .filter(([to]) => to?.endsWith("@outside.example"));
    expect(left).toEqual([["first@outside.example", "the agent's words"], ...sent]);
  });

  test("a pause, and leaves when it ends", async () => {
    await using world = await withBusyUpstream();
    const { answer, asked, clock } = world;
    const { it, smtp } = world;
    const atOnce = { prefer: "respond-async" };
    await world.send("first@outside.example", atOnce);
    await asked.promise;
    await world.send("second@outside.example", atOnce);
    clock.advance(2_000);
    await it.api("PATCH", bot, { paused: true });
    answer.resolve();
    await it.app.drain();
    await it.api("PATCH", bot, { paused: false });
    await it.app.drain();
    expect(smtp.messages.flatMap(({ to }) => to)).toEqual(["first@outside.example", "second@outside.example"]);
  });
});

test("while the upstream is down nothing is lost, doubled or used up", async () => {
  const clock = new TestClock();
  let down = true;
  await using world = await withUpstream(
    { on: (stage) => (stage === "greeting" && down ? { do: "close" } : undefined) },
    { seams: { clock } },
  );
  const ids: string[] = [];
  for (const n of [1, 2, 3, 4, 5]) {
    const { status, body } = await world.send(`person-${n}@outside.example`);
    expect([status, body.status]).toEqual([202, "queued"]);
    ids.push(body.message_id);
  }
  for (let hours = 0; hours < 100; hours += 10) {
    clock.advance(10 * 60 * minuteMs);
    await world.it.app.drain();
  }
  expect(await outbound(world.it, ids[0]!)).toMatchObject({ status: "queued", recipients: [{ attempts: 0 }] });
  down = false;
  clock.advance(6 * minuteMs);
  await world.it.app.drain();
  expect(world.smtp.messages.flatMap((message) => message.to).sort()).toEqual(
    [1, 2, 3, 4, 5].map((n) => `person-${n}@outside.example`),
  );
  for (const id of ids) expect(await outbound(world.it, id)).toMatchObject({ status: "sent", attempts: 1 });
  // The outage is over: both recipients of a mail are tried at once, not only one as a probe.
  const { body } = await world.send(["ann@outside.example", "bob@outside.example"], { prefer: "respond-async" });
  expect(body.recipients).toMatchObject([{ status: "sending" }, { status: "sending" }]);
});

test("readiness says that mail waits for an upstream, however often that is asked meanwhile", async () => {
  const clock = new TestClock();
  await using world = await withUpstream(
    { on: (stage) => (stage === "greeting" ? { do: "close" } : undefined) },
    { seams: { clock } },
  );
  await world.send("alice@outside.example");
  const ready = () => fetch(`${world.it.app.httpUrl}/api/ready`);
  expect((await ready()).status).toBe(200);
  for (let minutes = 0; minutes < 20; minutes++) {
    clock.advance(minuteMs);
    await world.it.app.drain();
  }
  const answer = await ready();
  expect([answer.status, await answer.text()]).toEqual([503, expect.stringContaining("Outbound mail has been due")]);
});

test("whatever an account has handed in, another account's mail has its turn", async () => {
  const answer = Promise.withResolvers<void>();
  const on = async (stage: string) => (stage === "message" ? void (await answer.promise) : undefined);
  const set = { "outbound_smtp.connections": 1, "outbound_smtp.timeout": "20s" };
  await using t = await withUpstream({ on }, { set });
  const neighbour = await t.it.newAccount();
  const call = (path: string, body: unknown) =>
    request(`${t.it.app.httpUrl}/api/v1${path}`, neighbour, "POST", body, { prefer: "respond-async" });
  await call("/agents", { slug: "neighbour", agent_mode: "local" });
  const many = Array.from({ length: 20 }, (_, i) => `p${i}@outside.example`);
  for (const key of ["one", "two", "three"])
    expect((await t.send(many, { prefer: "respond-async", "idempotency-key": key })).status).toBe(202);
  const one = { to: ["friend@outside.example"], subject: "Hello", body: "Hi there" };
  expect((await call("/send", one)).status).toBe(202);
  answer.resolve();
  await t.it.app.drain();
  const order = t.smtp.messages.flatMap(({ to }) => to);
  expect(order).toHaveLength(61);
  expect(order.indexOf("friend@outside.example")).toBeLessThan(30);
});

test("one upstream that is down holds up no other", async () => {
  await using other = await scriptedSmtp({ on: (stage) => (stage === "greeting" ? { do: "close" } : undefined) });
  await using world = await withUpstream(
    {},
    { set: { "outbound_smtp.by_domain": `other.example=smtp://127.0.0.1:${other.port}?tls=off` } },
  );
  const { it } = world;
  await it.api("POST", "/api/v1/domains", { domain: "other.example" });
  await it.api("POST", "/api/v1/domains/other.example/verify");
  await it.api("POST", "/api/v1/agents", { email: "x@other.example", agent_mode: "local" });
  const from = (address: string) =>
    it.api("POST", "/api/v1/send", { from: address, to: ["alice@outside.example"], subject: "s", body: "b" });
  expect(await from("x@other.example")).toMatchObject({ status: 202 });
  expect(await from("bot@e2a.localhost")).toMatchObject({ status: 200 });
  expect(world.smtp.messages.map((message) => message.raw.toString().match(/^From: .*$/m)?.[0])).toEqual([
    "From: bot@e2a.localhost",
  ]);
});

/** A dispatch beside that of an app, which serves no upstream itself. */
function ownDispatch(
  config: Config,
  smtp: { host: string; port: number },
  more: Pick<DispatchOptions, "store" | "clock" | "journal"> & Partial<DispatchOptions>,
) {
  const outboundSmtp = { ...config.outboundSmtp, host: smtp.host, port: smtp.port, tls: "off" as const };
  return startDispatch({
    ...{ log: silentLog, fromDomain: null, sharedDomain: config.sharedDomain, hostname: "e2a.example" },
    routes: createRoutes({ ...config, outboundSmtp }, null),
    returnPaths: createReturnPaths(new Uint8Array(32), "e2a.example"),
    receive: () => Promise.reject(new Error("nothing is for an agent here")),
    gatekeeper: { ask: () => Promise.reject(new Error("nothing is asked")), holds: async () => false },
    signingKeys: async () => ({ keys: [], published: [] }),
    isPublished: async () => true,
    sevenBit: async () => null,
    ...more,
  });
}

test("a dialogue that hangs when the server stops is broken off: it was a try, and the next start goes on", async () => {
  let hangs = true;
  const asked = Promise.withResolvers<void>();
  await using smtp = await scriptedSmtp({
    on(stage) {
      if (stage !== "rcpt" || !hangs) return undefined;
      asked.resolve();
      return { do: "hang" };
    },
  });
  // It serves no upstream itself: mail waiting for one is left to the dispatches made here.
  await using it = await startTestApp();
  const { store, config } = it.app;
  const clock = new TestClock();
  let isRecorded = false;
  const slow: Store = {
    ...store,
    async finishRecipient(...outcome) {
      const status = await store.finishRecipient(...outcome);
      for (let turns = 0; turns < 20; turns++) await new Promise(setImmediate);
      isRecorded = true;
      return status;
    },
  };
  const journal = openOutcomeJournal(join(it.dataDir, "other.journal"), silentLog);
  const begin = () => ownDispatch(config, smtp, { store: slow, clock, journal });
  const agent = await addAgent(store, { userId: it.userId });
  const raw = Buffer.from(`From: <${agent.id}>\r\nSubject: Hello\r\n\r\nHi there\r\n`);
  const { message } = await addOutbound(store, agent.id, { raw, now: new Date(clock.now()) });
  const first = begin();
  await asked.promise;
  await first.close(500);
  // Recorded before the store is closed.
  expect(isRecorded).toBe(true);
  const recipient = async () => (await store.getOutbound(it.userId, message.id))?.recipients[0];
  expect(await recipient()).toMatchObject({ status: "deferred", attempts: 1, leaseToken: null });
  expect(smtp.connections.open).toBe(0);
  hangs = false;
  clock.advance(10 * minuteMs);
  const second = begin();
  await second.drain();
  await second.close(1_000);
  await journal.close();
  expect(await recipient()).toMatchObject({ status: "sent", attempts: 2 });
  expect(smtp.messages).toHaveLength(1);
});

test("a try that hangs until the server has stopped sends and writes nothing more", async () => {
  await using smtp = await scriptedSmtp({});
  await using it = await startTestApp();
  const { store, config } = it.app;
  const lines: string[] = [];
  const log = createLog({ level: "debug", format: "json", stream: { write: (line) => lines.push(line) } });
  const journal = openOutcomeJournal(join(it.dataDir, "other.journal"), log);
  const asked = Promise.withResolvers<void>();
  const answered = Promise.withResolvers<boolean>();
  const clock = new TestClock();
  const agent = await addAgent(store, { userId: it.userId });
  const raw = Buffer.from(`From: <${agent.id}>\r\nSubject: Hello\r\n\r\nHi there\r\n`);
  await addOutbound(store, agent.id, { raw, now: new Date(clock.now()) });
  let writes = 0;
  const watched: Store = {
    ...store,
    finishRecipient(...outcome) {
      writes++;
      return store.finishRecipient(...outcome);
    },
  };
  const dispatch = ownDispatch(config, smtp, {
    ...{ store: watched, clock, journal, log, fromDomain: "via.example" },
    isPublished() {
      asked.resolve();
      return answered.promise;
    },
  });
  await asked.promise;
  await dispatch.close(1);
  await journal.close();
  answered.resolve(true);
  for (let turn = 0; turn < 200; turn++) await new Promise(setImmediate);
  expect(writes).toBe(0);
  expect(smtp.connections.open).toBe(0);
  expect(smtp.messages).toEqual([]);
  expect(lines).toEqual([]);
});

test("mail to an agent here and to a person outside goes both ways, each with its fate", async () => {
  await using world = await withUpstream();
  const { it, smtp } = world;
  await it.api("POST", "/api/v1/agents", { slug: "peer", agent_mode: "local" });
  const { status, body } = await it.api("POST", "/api/v1/send", {
    from: "bot@e2a.localhost",
    to: ["peer@e2a.localhost"],
    cc: ["alice@outside.example"],
    subject: "Both",
    body: "Hi",
  });
  expect({ status, body }).toMatchObject({
    status: 200,
    body: {
      recipients: [
        { address: "peer@e2a.localhost", status: "delivered", method: "relay" },
        { address: "alice@outside.example", status: "sent", method: "smtp" },
      ],
    },
  });
  const [arrived] = (await it.api("GET", "/api/v1/agents/peer@e2a.localhost/messages")).body.messages;
  expect(arrived).toMatchObject({ from: "bot@e2a.localhost", verified: true, verified_domain: "e2a.localhost" });
  expect(arrived.cc).toEqual(["alice@outside.example"]);
  expect(smtp.messages).toHaveLength(1);
  expect((await events(it)).every((recipient) => recipient.queue === "done")).toBe(true);
});
