import { expect, test } from "bun:test";
import { join } from "node:path";
import { deliver } from "../../../test/smtp/smtp-client.ts";
import { startTestApp, type TestAppOptions } from "../../../test/support/app.ts";
import { createOwner } from "../../accounts.ts";
import { createApprovalTokens } from "../../approval/token.ts";
import { TestClock } from "../../util/clock.ts";
import { createLog } from "../../util/log.ts";
import { createVault, deriveKey, loadOrCreateKeyFile } from "../../vault.ts";

const HOUR_MS = 3_600_000;

/** Starts an app with one held message, and the tokens in its reviewers' links. */
async function startHeld(settings: object = {}, options: TestAppOptions = {}, more: object = {}) {
  const clock = new TestClock();
  const it = await startTestApp({ ...options, seams: { clock, ...options.seams } });
  const { body: agent } = await it.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
  await it.api("PATCH", `/api/v1/agents/${agent.email}`, { hitl_enabled: true, hitl_ttl_seconds: 3600, ...settings });
  const mail = { to: ["ann@outside.example"], subject: "Hello", body: "Good day.", ...more };
  const { body: sent } = await it.api("POST", "/api/v1/send", mail);
  const path = `/api/v1/messages/${sent.message_id}`;
  const { body: held } = await it.api("GET", path);
  const tokens = createApprovalTokens(
    deriveKey(await loadOrCreateKeyFile(join(it.dataDir, "encryption.key")), "approval link"),
  );
  const approval = {
    ...{ messageId: sent.message_id, action: "approve" as const, contentHash: held.content_hash },
    ...{ reviewer: "owner@example.net", expiresAt: new Date(held.approval_expires_at) },
  };
  const url = (action: string) => `${it.app.httpUrl}/api/v1/${action}`;
  return {
    ...{ it, clock, path, approval, tokens },
    open: async (t: string, action = "approve") => pageOf(await fetch(`${url(action)}?t=${t}`)),
    press: async (t: string, action = "approve") =>
      pageOf(await fetch(url(action), { method: "POST", body: new URLSearchParams({ t }) })),
    status: async () => (await it.api("GET", path)).body.status,
    [Symbol.asyncDispose]: () => it[Symbol.asyncDispose](),
  };
}

async function pageOf(response: Response) {
  const text = await response.text();
  return { status: response.status, title: /<h1>(.*?)<\/h1>/.exec(text)?.[1], text };
}

test.each([
  { action: "reject", becomes: "expired_rejected", says: "was rejected and nothing was sent" },
  { action: "approve", becomes: "expired_approved", says: "the email was sent" },
])("a link ends with the wait: $action", async ({ action, becomes, says }) => {
  await using held = await startHeld({ hitl_expiration_action: action });
  const token = held.tokens.make(held.approval);
  held.clock.advance(HOUR_MS - 1);
  expect((await held.open(token)).status).toBe(200);
  held.clock.advance(1);
  for (const look of [held.press, held.open]) {
    const { status, title, text } = await look(token);
    expect({ status, title }).toEqual({ status: 410, title: "This link has expired" });
    expect(text).toContain(says);
  }
  await held.it.app.drain();
  expect(await held.status()).toBe(becomes);
  const { status, text } = await held.press(token);
  expect(status).toBe(410);
  expect(text).toContain(says);
  const late = await held.it.api("POST", `${held.path}/approve`);
  expect(late).toMatchObject({
    status: 409,
    body: { detail: expect.stringMatching(/^No one decided in time, so it was /) },
  });
});

test("a link shows the fields that leave with the message, the ids of its thread among them", async () => {
  const more = { references: ["<a-secret@x>"], headers: { "X-Note": "another secret" } };
  await using held = await startHeld({}, {}, more);
  const { text } = await held.open(held.tokens.make(held.approval));
  for (const line of ["References: &lt;a-secret@x&gt;", "X-Note: another secret"]) expect(text).toContain(line);
});

test("an old link to a message that a person decided says who", async () => {
  await using held = await startHeld();
  const token = held.tokens.make(held.approval);
  await held.it.api("POST", `${held.path}/reject`, { reason: "No." });
  held.clock.advance(2 * HOUR_MS);
  const { status, title, text } = await held.press(token);
  expect({ status, title }).toEqual({ status: 409, title: "Already rejected" });
  expect(text).toContain("owner@example.net");
});

test("a link to other content than waits now decides nothing", async () => {
  await using held = await startHeld();
  const token = held.tokens.make({ ...held.approval, contentHash: "0".repeat(64) });
  for (const look of [held.open, held.press])
    expect(await look(token)).toMatchObject({ status: 409, title: "The email has changed" });
  expect(await held.status()).toBe("pending_approval");
});

test("a link that rejects approves nothing, nor does one of another server or of nobody", async () => {
  await using held = await startHeld();
  const { approval, tokens, open, press } = held;
  const wrong = [
    tokens.make({ ...approval, action: "reject" }),
    createApprovalTokens(new Uint8Array(32)).make(approval),
  ];
  for (const token of wrong) for (const look of [open, press]) expect(await look(token)).toMatchObject({ status: 400 });
  const stranger = tokens.make({ ...approval, reviewer: "eve@outside.example" });
  for (const look of [open, press]) expect(await look(stranger)).toMatchObject({ status: 410 });
  const nothing = tokens.make({ ...approval, messageId: `msg_${"0".repeat(32)}` });
  for (const look of [open, press]) expect(await look(nothing)).toMatchObject({ status: 404 });
  expect(await held.status()).toBe("pending_approval");
});

test("who has another account on the server reviews no more for that", async () => {
  await using held = await startHeld();
  const { it, approval, tokens, open, press } = held;
  const vault = createVault(await loadOrCreateKeyFile(join(it.dataDir, "encryption.key")));
  const email = "eve@outside.example";
  await createOwner(it.app.store, vault, { email, name: "Eve", now: new Date(held.clock.now()) });
  const token = tokens.make({ ...approval, reviewer: email });
  for (const look of [open, press]) expect(await look(token)).toMatchObject({ status: 410 });
  expect(await held.status()).toBe("pending_approval");
});

test("the owner and each reviewer are told, each by links of their own", async () => {
  await using held = await startHeld({ hitl_reviewers: ["bob@review.example"] });
  await held.it.app.drain();
  const { messages } = (await held.it.api("GET", "/api/v1/messages?type=notice")).body;
  expect(messages.map(({ to }: { to: string[] }) => to.join()).sort()).toEqual([
    "bob@review.example",
    "owner@example.net",
  ]);
  const mails = await Promise.all(
    messages.map(async ({ id }: { id: string }) => (await held.it.api("GET", `/api/v1/messages/${id}`)).body.body_text),
  );
  const links = mails.flatMap((text: string) => text.match(/\/api\/v1\/(?:approve|reject)\?t=\S+/g) ?? []);
  expect(new Set(links).size).toBe(4);
});

test("of a stopped loop reviewers read that time rejects it, whatever the agent says of its holds", async () => {
  await using held = await startHeld(
    { hitl_enabled: false, hitl_expiration_action: "approve" },
    { set: { "limits.loop_messages": 1 } },
  );
  const ann = "ann@outside.example";
  /** The agent's answer to a message of hers. */
  const answer = async (subject: string) => {
    held.clock.advance(1_000);
    const id = `<${crypto.randomUUID()}@outside.example>`;
    const message = Buffer.from(`From: ${ann}\r\nMessage-ID: ${id}\r\nSubject: ${subject}\r\n\r\nYes?\r\n`);
    await deliver(held.it.app.smtp.port, { from: ann, to: "bot@e2a.localhost", message });
    held.clock.advance(1_000);
    const path = "/api/v1/agents/bot@e2a.localhost/messages";
    const [{ message_id }] = (await held.it.api("GET", `${path}?sort=desc`)).body.messages;
    return held.it.api("POST", `${path}/${message_id}/reply`, { body: "Good day." });
  };
  await answer("Again");
  const { body } = await answer("Once more");
  const { hold, content_hash: contentHash } = (await held.it.api("GET", `/api/v1/messages/${body.message_id}`)).body;
  expect(hold.rule).toBe("loop");
  const { text } = await held.open(
    held.tokens.make({
      ...{ messageId: body.message_id, action: "approve", contentHash, reviewer: "owner@example.net" },
      expiresAt: new Date(held.clock.now() + HOUR_MS),
    }),
  );
  expect(text).toContain("Unless someone decides first, it is rejected on");
});

test("a suppressed recipient keeps the message waiting, and the page says why", async () => {
  await using held = await startHeld();
  await held.it.api("POST", "/api/v1/suppressions", { address: "ann@outside.example" });
  const { status, text } = await held.press(held.tokens.make(held.approval));
  expect(status).toBe(422);
  expect(text).toContain("ann@outside.example");
  expect(await held.status()).toBe("pending_approval");
});

test("tokens do not reach the log", async () => {
  const lines: string[] = [];
  const log = createLog({ level: "debug", format: "json", stream: { write: (line) => lines.push(line) } });
  await using held = await startHeld({}, { seams: { log } });
  await held.it.app.drain();
  const token = held.tokens.make(held.approval);
  for (const t of [token, `${token}x`]) for (const look of [held.open, held.press]) await look(t);
  expect(lines.join("")).toContain('"path":"/api/v1/approve"');
  expect(lines.join("")).not.toContain(token.slice(0, 40));
});
