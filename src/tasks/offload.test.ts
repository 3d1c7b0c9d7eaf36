import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { plainMail, senderZone, signingKey, signMail } from "../../test/smtp/signed-mail.ts";
import { deliver, SmtpClient } from "../../test/smtp/smtp-client.ts";
import { request, startTestApp } from "../../test/support/app.ts";
import { freePort, runBinary, startBinary } from "../../test/support/binary.ts";
import { tempDir } from "../../test/support/temp.ts";
import { silentLog } from "../util/log.ts";
import { createPool } from "../workers/pool.ts";

const bot = "bot@e2a.localhost";
const envelope = { from: "alice@example.com", to: bot };
const rsa = signingKey("example.com");
const zone = { ...senderZone("example.com"), ...rsa.zone };

/** An application whose children fail on mail with the header X-Test-Poison, in the way that it names. */
async function hostileApp(set: Record<string, unknown> = {}) {
  const pool = createPool({
    command: [process.execPath, join(import.meta.dir, "../../test/support/hostile-child.ts")],
    log: silentLog,
    size: 1,
    // Below the default, but more than a fresh child needs for its first ordinary mail on a busy machine.
    limits: { stallMs: 2_000 },
  });
  const app = await startTestApp({ zone, set, seams: { pool } });
  await app.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
  const poisoned = (how: string, subject: string) =>
    signMail(plainMail({ to: bot, subject, messageId: `<${how}@example.com>`, extra: [`X-Test-Poison: ${how}`] }), rsa);
  return {
    app,
    pool,
    poisoned,
    send: (message: Uint8Array) => deliver(app.app.smtp.port, { ...envelope, message }),
    async inbox() {
      const { body } = await app.api("GET", `/api/v1/agents/${bot}/messages?status=all`);
      const ids = body.messages.map(({ message_id }: { message_id: string }) => message_id);
      const all = ids.map((id: string) => app.api("GET", `/api/v1/agents/${bot}/messages/${id}`));
      return (await Promise.all(all)).map((answer) => answer.body);
    },
    async [Symbol.asyncDispose]() {
      await app[Symbol.asyncDispose]();
      await pool.close();
    },
  };
}

describe("mail that a child does not survive", () => {
  test.each([
    ["whole", "Only part of the message was read: reading it takes too much time."],
    ["crash", "Only part of the message was read: reading it crashes the process."],
    ["error", "Only part of the message was read: reading it fails."],
  ])("(%s) is verified and arrives as raw text with a defect; mail beside it arrives as ever", async (how, detail) => {
    await using t = await hostileApp();
    const ordinary = await signMail(plainMail({ to: bot, subject: "ordinary" }), rsa);
    const raw = await t.poisoned(how, "=?utf-8?q?poison?=");
    const replies = await Promise.all([t.send(raw), t.send(ordinary)]);
    expect(replies.map(({ code }) => code)).toEqual([250, 250]);
    const mails = await t.inbox();
    const [poison, other] = ["poison", "ordinary"].map((subject) => mails.find((mail) => mail.subject === subject));
    expect(mails).toHaveLength(2);
    expect(poison).toMatchObject({ verified: true, verified_domain: "example.com", from: "alice@example.com" });
    expect(poison.defects).toContainEqual({ code: "reading_failed", detail });
    expect(poison.text).toContain("please read this");
    expect(Buffer.from(poison.raw_message, "base64").subarray(-raw.length).equals(raw)).toBe(true);
    expect(other).toMatchObject({ verified: true, defects: [] });
  });

  test("even as raw text is put off, and the server goes on", async () => {
    await using t = await hostileApp();
    const reply = await t.send(await t.poisoned("always", "poison"));
    expect(reply.lines[0]).toMatch(/^451 4\.3\.0 The message cannot be examined right now; try again later/);
    expect((await t.send(await signMail(plainMail({ to: bot, subject: "ordinary" }), rsa))).code).toBe(250);
    expect((await t.inbox()).map(({ subject }) => subject)).toEqual(["ordinary"]);
  });
});

test("mail of one client that takes long to be read leaves room for the mail of others", async () => {
  await using t = await hostileApp({ "smtp.proxy_trusted": "127.0.0.1" });
  const { port } = t.app.app.smtp;
  const proxy = (address: string) => `PROXY TCP4 ${address} 192.0.2.99 1024 25\r\n`;
  const hostile = await t.poisoned("stays", "poison");
  const clients: SmtpClient[] = [];
  for (let i = 0; i < 20; i++) {
    const client = await SmtpClient.connect(port, { first: proxy("192.0.2.1") });
    await client.play(`
      < 220
      > EHLO client.example
      < 250
      > MAIL FROM:<alice@example.com>
      < 250
      > RCPT TO:<${bot}>
      < 250
      > DATA
      < 354`);
    clients.push(client);
  }
  for (const client of clients) client.send(Buffer.concat([hostile, Buffer.from("\r\n.\r\n")]));
  const message = await signMail(plainMail({ to: bot, subject: "ordinary" }), rsa);
  const reply = await deliver(port, { ...envelope, message, proxy: proxy("192.0.2.2") });
  expect(reply.code).toBe(250);
  expect((await t.inbox()).map(({ subject }) => subject)).toEqual(["ordinary"]);
  await t.pool.close();
  for (const client of clients) client.destroy();
});

test("mail arrives at once, however many searches one client waits for", async () => {
  await using t = await hostileApp();
  const { api } = t.app;
  await api("PATCH", `/api/v1/agents/${bot}`, { hitl_enabled: true, hitl_rules: { patterns: ["secrets"] } });
  const mail = { to: ["ann@outside.example"], subject: "s", body: "X-Test-Stays" };
  const checks = Array.from({ length: 20 }, () => api("POST", `/api/v1/agents/${bot}/check`, mail).catch(() => null));
  while (t.pool.pids().length === 0) await Bun.sleep(1);
  expect((await t.send(await signMail(plainMail({ to: bot, subject: "ordinary" }), rsa))).code).toBe(250);
  expect((await t.inbox()).map(({ subject }) => subject)).toEqual(["ordinary"]);
  await t.pool.close();
  await Promise.all(checks);
});

describe("held mail that a child does not survive", () => {
  test.each([["reviewMail"], ["heldReview reviewMail"], ["attachments heldReview reviewMail"]])(
    "(%s): its reviewers are told, with links to decide and nothing of what it says",
    async (tasks) => {
      await using t = await hostileApp();
      const { app } = t;
      await app.api("PATCH", `/api/v1/agents/${bot}`, { hitl_enabled: true });
      const file = { filename: "a.txt", content_type: "text/plain", data: btoa("Hello") };
      const mail = { to: ["ann@outside.example"], subject: "Quarterly figures", body: `X-Test-Poison: ${tasks}` };
      const sent = await app.api("POST", "/api/v1/send", { ...mail, attachments: [file] });
      expect(sent.body.status).toBe("pending_approval");
      await app.app.drain();
      const [notice] = await app.app.store.listOutbound(app.userId, { type: "notice" }, { limit: 1 });
      const { subject, content } = notice?.message ?? {};
      expect(content?.to).toEqual([{ address: "owner@example.net", name: "" }]);
      expect(subject).toBe("An email is waiting for your approval");
      expect(content?.text).toContain(sent.body.message_id);
      expect(`${content?.text}${content?.html}`).not.toMatch(/Quarterly|Poison|ann@outside/);
      const approve = /^Approve: (http\S+)$/m.exec(content?.text ?? "")?.[1] ?? "";
      expect(content?.html).toContain(Bun.escapeHTML(approve));
      const token = new URL(approve).searchParams.get("t") ?? "";
      await fetch(new URL("/api/v1/approve", approve), { method: "POST", body: new URLSearchParams({ t: token }) });
      expect((await app.api("GET", `/api/v1/messages/${sent.body.message_id}`)).body.reviewed_by).toBe(
        "owner@example.net",
      );
    },
    60_000,
  );
});

test("texts that a child does not survive are quoted without the HTML, or not converted", async () => {
  await using t = await hostileApp();
  const { api } = t.app;
  const reply = async (html: string) => {
    const raw = ["From: ann@outside.example", "Subject: Hi", "Content-Type: text/html", "", html, ""].join("\r\n");
    expect((await t.send(Buffer.from(raw))).code).toBe(250);
    const id = (await t.inbox()).at(-1).message_id;
    return api("POST", `/api/v1/agents/${bot}/messages/${id}/reply`, { body: "Fine.", quote_history: true });
  };
  const { message_id: id } = (await reply("<p>Hello</p><!-- X-Test-Poison: quote -->")).body;
  const { body } = await api("GET", `/api/v1/messages/${id}`);
  expect(body.body_text).toMatch(/^Fine\.\n\n[\s\S]*\n> Hello\n$/);
  expect(body.body_html).toBeUndefined();
  // The text is quoted, too.
  const { status, body: refused } = await reply("<p>X-Test-Poison: quote</p>");
  expect([status, refused.code]).toEqual([503, "unavailable"]);
  await api("PATCH", `/api/v1/agents/${bot}`, { hitl_enabled: true, hitl_notify_email: false });
  const held = await api("POST", "/api/v1/send", { to: [bot], subject: "s", body: "x" });
  const change = { body_html: "<p>X-Test-Poison: htmlToText</p>" };
  const edited = await api("POST", `/api/v1/messages/${held.body.message_id}/approve`, change);
  expect([edited.status, edited.body.code]).toEqual([503, "unavailable"]);
});

test("a model reads the text of held mail whose HTML a child does not survive, and learns of the HTML", async () => {
  await using t = await hostileApp();
  const { app, api, key } = t.app;
  await api("PATCH", `/api/v1/agents/${bot}`, { hitl_enabled: true, hitl_notify_email: false });
  const mail = { to: ["ann@outside.example"], subject: "s", body: "We accept." };
  await api("POST", "/api/v1/send", { ...mail, html_body: "<p>X-Test-Poison: readMessage</p>" });
  const response = await fetch(`${app.httpUrl}/mcp`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${key}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
    },
    body: JSON.stringify({
      ...{ jsonrpc: "2.0", id: 1, method: "tools/call" },
      params: { name: "list_pending", arguments: {} },
    }),
  });
  const { result } = (await response.json()) as { result: { structuredContent: { pending: unknown[] } } };
  expect(result.structuredContent.pending).toMatchObject([
    {
      hidden: [expect.stringMatching(/^The HTML version, which most programs show, takes too much time/)],
      untrusted: { text: "We accept.", has_html: true },
    },
  ]);
});

test("an attached message that a child does not survive is shown as raw text, with a defect", async () => {
  await using t = await hostileApp();
  const inner = ["X-Test-Poison: attachedMessage", "Subject: =?utf-8?q?inner?=", "", "inner words", ""].join("\r\n");
  const outer = ["From: a@example.com", "Content-Type: message/rfc822", "", inner].join("\r\n");
  expect((await t.send(Buffer.from(outer))).code).toBe(250);
  const [{ message_id: id }] = await t.inbox();
  const { status, body } = await t.app.api("GET", `/api/v1/agents/${bot}/messages/${id}/attachments/0/message`);
  expect({ status, body }).toMatchObject({ status: 200, body: { subject: "inner", text: "inner words\n" } });
  expect(body.defects.map(({ code }: { code: string }) => code)).toContain("reading_failed");
});

test("kill -9 of the child that has a message: the message is there once", async () => {
  await using t = await hostileApp();
  const kill = () => process.kill(t.pool.pids()[0] as number, "SIGKILL");
  const sent = Promise.all(
    Array.from({ length: 20 }, (_, i) => {
      const from = `alice@host${i}.example.com`;
      const message = plainMail({ to: bot, from, subject: `number ${i}`, messageId: `<${i}@example.com>` });
      return deliver(t.app.app.smtp.port, { from, to: bot, message });
    }),
  );
  // Once the child asks DNS about senders, it is working on messages.
  while (!t.app.dns.queries.some(({ name }) => name.includes("host"))) await Bun.sleep(1);
  kill();
  expect((await sent).map(({ code }) => code)).toEqual(Array.from({ length: 20 }, () => 250));
  const subjects = (await t.inbox()).map(({ subject }) => subject);
  const expected = Array.from({ length: 20 }, (_, i) => `number ${i}`);
  expect(subjects.toSorted()).toEqual(expected.toSorted());
});

/** Process ids of a process's children. */
function childrenOf(pid: number): number[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "latin1");
      return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1] === String(pid) ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}

const isAlive = (pid: number) =>
  existsSync(`/proc/${pid}`) && !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "latin1"));

test.each(["stop", "kill"] as const)(
  "the compiled server's children know no secret, and go with it (%s)",
  async (end) => {
    await using dir = await tempDir();
    const [smtpPort, httpPort] = [await freePort(), await freePort()];
    const env = {
      E2A_DATA_DIR: dir.path,
      E2A_SMTP_LISTEN_ADDR: `127.0.0.1:${smtpPort}`,
      E2A_HTTP_LISTEN_ADDR: `127.0.0.1:${httpPort}`,
      E2A_SIGNING_ENCRYPTION_KEY: "ab".repeat(32),
      E2A_DNS_SERVERS: "127.0.0.1:1",
      E2A_LOG_LEVEL: "error",
    };
    const { stdout } = await runBinary(["bootstrap", "--email", "owner@example.net"], env);
    const key = stdout.match(/API key: (e2a_[0-9a-f]{64})/)?.[1] ?? "";
    await using server = await startBinary(env);
    const api = `http://127.0.0.1:${httpPort}/api/v1`;
    expect((await request(`${api}/agents`, key, "POST", { slug: "bot", agent_mode: "local" })).status).toBe(201);
    expect(childrenOf(server.process.pid)).toEqual([]);
    expect((await deliver(smtpPort, { ...envelope, message: plainMail({ to: bot }) })).code).toBe(250);
    const children = childrenOf(server.process.pid);
    expect(children.length).toBeGreaterThan(0);
    for (const child of children) {
      const seen = ["environ", "cmdline"].map((file) => readFileSync(`/proc/${child}/${file}`, "latin1")).join("\0");
      expect(seen).not.toContain("ab".repeat(32));
      expect(seen).not.toContain("E2A_");
      // A terminal sends this to the whole process group.
      process.kill(child, "SIGINT");
    }
    expect((await deliver(smtpPort, { ...envelope, message: plainMail({ to: bot }) })).code).toBe(250);
    expect(childrenOf(server.process.pid)).toEqual(children);
    if (end === "stop") expect(await server.stop()).toBe(0);
    else await server.kill();
    while (children.some(isAlive)) await Bun.sleep(5);
  },
);

test("long texts reach a child and the reader as they were written, whatever is beside them", async () => {
  await using app = await startTestApp();
  await app.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
  // The length of a piece is not a multiple of these, so each kind of character is cut somewhere.
  const text = `a${"wörd 😀 ".repeat(20_000)}end`;
  const html = `<p>${"😀é ".repeat(30_000)}</p>`;
  const attachments = [{ filename: "a.txt", data: Buffer.from("attached").toString("base64") }];
  for (const [more, words] of [
    [{ body: text }, { text }],
    [
      { body: "short", html_body: html },
      { text: "short", html },
    ],
    [
      { body: text, html_body: html, attachments },
      { text, html },
    ],
  ] as const) {
    const sent = await app.api("POST", "/api/v1/send", { to: [bot], subject: "s", ...more });
    expect(sent.status).toBe(200);
    const { messages } = (await app.api("GET", `/api/v1/agents/${bot}/messages?sort=desc`)).body;
    const received = await app.api("GET", `/api/v1/agents/${bot}/messages/${messages[0].message_id}?peek=true`);
    const { text: itsText, html: itsHtml } = received.body;
    expect(itsText.trimEnd() === words.text).toBe(true);
    if ("html" in words) expect(itsHtml.trimEnd() === words.html).toBe(true);
  }
  await app.api("PUT", `/api/v1/agents/${bot}`, { hitl_enabled: true, hitl_notify_email: false });
  const held = await app.api("POST", "/api/v1/send", { to: [bot], subject: "s", body: text, html_body: html });
  const { body } = await app.api("GET", `/api/v1/messages/${held.body.message_id}`);
  expect([body.status, body.body_text === text]).toEqual(["pending_approval", true]);
});
