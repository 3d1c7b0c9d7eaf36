import { describe, expect, test } from "bun:test";
import { startTestApp, type TestApp } from "../testing/app.ts";
import { listen } from "../testing/listener.ts";
import { deliver } from "../testing/smtp-client.ts";
import { until } from "../testing/until.ts";

const bot = "bot@e2a.localhost";

async function appWithBot(database: "sqlite" | "postgres" = "sqlite"): Promise<TestApp> {
  const t = await startTestApp({ database });
  expect((await t.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" })).status).toBe(201);
  return t;
}

async function send(t: TestApp, subject: string) {
  const message = `From: a@client.example\r\nSubject: ${subject}\r\nMessage-ID: <${subject}@client.example>\r\n\r\nHi\r\n`;
  expect((await deliver(t.app.smtp.port, { to: bot, message })).code).toBe(250);
}

for (const database of ["sqlite", "postgres"] as const)
  test(`unread first, oldest first, then live: no gap and no double (${database})`, async () => {
    await using t = await appWithBot(database);
    for (const n of [0, 1, 2]) await send(t, `early-${n}`);
    // One of the early ones is read already and is not told again.
    const { body } = await t.api("GET", `/api/v1/agents/${bot}/messages`);
    await t.api("GET", `/api/v1/agents/${bot}/messages/${body.messages[1].message_id}`);

    const total = 60;
    const sending = Promise.all(
      Array.from({ length: 4 }, async (_, sender) => {
        for (let i = 0; i < total / 4; i++) await send(t, `live-${sender}-${i}`);
      }),
    );
    // The consumer comes in the middle of the stream, as the one case in which both halves meet.
    await using listener = listen(t.app.httpUrl, bot, t.key);
    await sending;
    await listener.reached(2 + total);

    const { body: all } = await t.api("GET", `/api/v1/agents/${bot}/messages?status=all&page_size=100`);
    const inOrder = all.messages.map((m: { subject: string }) => m.subject).filter((s: string) => s !== "early-1");
    expect(listener.frames.map((frame) => frame.subject)).toEqual(inOrder);
    const first = all.messages[0];
    expect(listener.frames[0]).toEqual({
      type: "message.received",
      event_id: expect.stringMatching(/^evt_[0-9a-f]{32}$/),
      message_id: first.message_id,
      conversation_id: first.conversation_id,
      from: "a@client.example",
      recipient: bot,
      subject: "early-0",
      received_at: first.created_at,
      verified: false,
      auto_submitted: null,
      list_id: null,
      precedence: null,
    });
  });

/** Resolves when the server has told another agent's listener of mail: whoever listened before has had a turn. */
async function othersHaveHeard(t: TestApp, slug: string) {
  await t.api("POST", "/api/v1/agents", { slug, agent_mode: "local" });
  const address = `${slug}@e2a.localhost`;
  await using listener = listen(t.app.httpUrl, address, t.key);
  await listener.opened;
  await t.api("POST", `/api/v1/agents/${address}/test`);
  await listener.reached(1);
}

test("who has read everything hears only what is new when it comes back", async () => {
  await using t = await appWithBot();
  for (const n of [1, 2]) await send(t, `m-${n}`);
  const { body } = await t.api("GET", `/api/v1/agents/${bot}/messages`);
  for (const { message_id } of body.messages) await t.api("GET", `/api/v1/agents/${bot}/messages/${message_id}`);
  await using again = listen(t.app.httpUrl, bot, t.key);
  await again.opened;
  await othersHaveHeard(t, "other");
  for (const n of [3, 4]) {
    await send(t, `m-${n}`);
    await again.reached(n - 2);
  }
  expect(again.frames.map((frame) => frame.subject)).toEqual(["m-3", "m-4"]);
});

test("what was acknowledged does not come again, what was not does", async () => {
  await using t = await appWithBot();
  for (const n of [1, 2]) await send(t, `m-${n}`);
  {
    await using listener = listen(t.app.httpUrl, bot, t.key);
    await listener.reached(2);
    listener.send({ ack: listener.frames[0].message_id });
    // Anything else a client may send is ignored.
    for (const nonsense of ["", { ack: 7 }, { ack: "msg_unknown" }, null]) listener.send(nonsense);
    await until("one of two is read", async () => {
      const { body } = await t.api("GET", `/api/v1/agents/${bot}/messages`);
      return body.messages.length === 1;
    });
  }
  await using again = listen(t.app.httpUrl, bot, t.key);
  await again.reached(1);
  await send(t, "m-3");
  await again.reached(2);
  expect(again.frames.map((frame) => frame.subject)).toEqual(["m-2", "m-3"]);
});

describe("a consumer is closed with a code that says why", () => {
  test("4000 when a newer one comes", async () => {
    await using t = await appWithBot();
    await using first = listen(t.app.httpUrl, bot, t.key);
    await first.opened;
    await using second = listen(t.app.httpUrl, bot, t.key);
    expect(await first.closed).toEqual({ code: 4000, reason: "replaced" });
    await send(t, "for the second");
    await second.reached(1);
    expect(first.frames).toEqual([]);
  });

  test("1001 when the server stops", async () => {
    await using t = await appWithBot();
    await using listener = listen(t.app.httpUrl, bot, t.key);
    await listener.opened;
    await t.restart();
    expect(await listener.closed).toEqual({ code: 1001, reason: "shutting down" });
  });

  test("1008 when its key is revoked or its agent deleted", async () => {
    await using t = await appWithBot();
    const { body: key } = await t.api("POST", "/api/v1/keys", { name: "bot", scope: "agent", agent: bot });
    await using listener = listen(t.app.httpUrl, bot, key.key);
    await listener.opened;
    await t.api("DELETE", `/api/v1/keys/${key.id}`);
    expect(await listener.closed).toEqual({ code: 1008, reason: "key revoked" });

    await using other = listen(t.app.httpUrl, bot, t.key);
    await other.opened;
    await t.api("DELETE", `/api/v1/agents/${bot}`);
    expect(await other.closed).toEqual({ code: 1008, reason: "agent deleted" });
  });
});

test("a frame says when no person wrote the message", async () => {
  await using t = await appWithBot();
  await using listener = listen(t.app.httpUrl, bot, t.key);
  await listener.opened;
  const message = [
    "From: Away <away@client.example>",
    "Subject: Out of office",
    "Auto-Submitted: auto-replied (vacation)",
    "List-Id: Friends <friends.client.example>",
    "Precedence: Bulk",
    "",
    "Back on Monday",
    "",
  ].join("\r\n");
  expect((await deliver(t.app.smtp.port, { to: bot, message })).code).toBe(250);
  await listener.reached(1);
  expect(listener.frames[0]).toMatchObject({
    auto_submitted: "auto-replied",
    list_id: "friends.client.example",
    precedence: "bulk",
  });
});

test("a paused agent hears nothing until it is released", async () => {
  await using t = await appWithBot();
  await t.api("PATCH", `/api/v1/agents/${bot}`, { paused: true });
  await send(t, "while paused");
  await using listener = listen(t.app.httpUrl, bot, t.key);
  await listener.opened;
  await othersHaveHeard(t, "other");
  await send(t, "while it listens");
  await othersHaveHeard(t, "third");
  expect(listener.frames).toEqual([]);
  await t.api("PATCH", `/api/v1/agents/${bot}`, { paused: false });
  await listener.reached(2);
  expect(listener.frames.map((frame) => frame.subject)).toEqual(["while paused", "while it listens"]);
});

test("wait answers as soon as mail is there", async () => {
  await using t = await appWithBot();
  const waiting = t.api("GET", `/api/v1/agents/${bot}/messages/wait?timeout=30`);
  await send(t, "worth the wait");
  const answer = await waiting;
  expect(answer.status).toBe(200);
  expect(JSON.stringify(answer.body)).toContain("worth the wait");
});
