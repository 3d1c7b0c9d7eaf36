import { expect, test } from "bun:test";
import { deliver } from "../../../../test/smtp/smtp-client.ts";
import { startTestApp } from "../../../../test/support/app.ts";
import { recordingPool } from "../../../../test/support/recording-pool.ts";

const bot = "bot@e2a.localhost";
const long = "a\n".repeat(50_000);

/** An agent that has received one message with HTML and a file, in an app that records its child tasks. */
async function world() {
  const pool = recordingPool();
  const it = await startTestApp({ seams: { pool } });
  await it.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
  const lines = [
    "From: ann@outside.example",
    "Subject: Hi",
    "Content-Type: multipart/mixed; boundary=b",
    ...["", "--b", "Content-Type: text/html", "", "<p>Hello</p>"],
    ...["--b", "Content-Type: text/plain; name=a.txt", "Content-Disposition: attachment", "", "file", "--b--", ""],
  ];
  const message = Buffer.from(lines.join("\r\n"));
  expect((await deliver(it.app.smtp.port, { from: "ann@outside.example", to: bot, message })).code).toBe(250);
  const [{ message_id: id }] = (await it.api("GET", `/api/v1/agents/${bot}/messages`)).body.messages;
  return {
    it,
    pool,
    received: `/api/v1/agents/${bot}/messages/${id}`,
    /** The names of the tasks since the last call. */
    tasks: () => pool.tasks.splice(0).map(({ name }) => name),
    [Symbol.asyncDispose]: () => it[Symbol.asyncDispose](),
  };
}

test("a child process quotes texts that are long or HTML", async () => {
  await using w = await world();
  const { it, received } = w;
  for (const [way, more, begins] of [
    ["reply", { quote_history: true }, "<p>a<br>\na<br>\n"],
    ["forward", { to: ["bob@outside.example"] }, "<p>a<br>\na<br>\n"],
    ["reply", { quote_history: true, html_body: "<p>b</p></body>" }, "<p>b</p>"],
  ] as const) {
    w.tasks();
    const sent = await it.api("POST", `${received}/${way}`, { body: long, ...more });
    expect(sent.status).toBe(200);
    expect(w.tasks()).toContain("quote");
    const { body } = await it.api("GET", `/api/v1/messages/${sent.body.message_id}`);
    expect(body.body_text.startsWith(long.trimEnd())).toBe(true);
    expect(body.body_text.slice(long.length)).toMatch(/(?:wrote:\n> Hello|Forwarded message[\s\S]*Hello)\n$/);
    expect(body.body_html.startsWith(begins)).toBe(true);
    expect(body.body_html.slice(-300)).toContain("<p>Hello</p>");
  }
});

test("texts that are too long with what they quote are refused, and nothing is sent", async () => {
  await using w = await world();
  const most = 4 * 1024 * 1024 - 20;
  for (const [field, body] of [
    ["body", { body: "a\n".repeat(most / 2) }],
    ["html_body", { body: "", html_body: "a".repeat(most) }],
  ] as const) {
    const refused = await w.it.api("POST", `${w.received}/reply`, { ...body, quote_history: true });
    const message = "makes more than 4194304 bytes with what it quotes";
    expect([refused.status, refused.body.errors]).toEqual([400, [{ field, message }]]);
  }
  expect((await w.it.api("GET", "/api/v1/messages")).body.messages).toEqual([]);
});

test("a child process makes the other text of an edited message, once its recipients are known to exist", async () => {
  await using w = await world();
  const { it } = w;
  await it.api("PATCH", `/api/v1/agents/${bot}`, { hitl_enabled: true, hitl_notify_email: false });
  const mail = { from: bot, to: ["bob@outside.example"], subject: "s", body: "x", html_body: "<p>x</p>" };
  for (const [change, task, made] of [
    [{ body_text: long }, "htmlFromText", { body_html: `<p>${"a<br>\n".repeat(49_999)}a</p>` }],
    [{ body_html: "<p>a".repeat(1_000) }, "htmlToText", { body_text: `${"a\n\n".repeat(999)}a` }],
  ] as const) {
    const { message_id: id } = (await it.api("POST", "/api/v1/send", mail)).body;
    w.tasks();
    const nobody = { ...change, to: ["nobody@e2a.localhost"] };
    expect((await it.api("POST", `/api/v1/messages/${id}/approve`, nobody)).status).toBe(400);
    expect(w.tasks()).not.toContain(task);
    expect((await it.api("POST", `/api/v1/messages/${id}/approve`, change)).status).toBe(200);
    expect(w.tasks()).toContain(task);
    expect((await it.api("GET", `/api/v1/messages/${id}`)).body).toMatchObject({ ...change, ...made });
  }
});

test("every task that a client waits for names its account and agent as the owner", async () => {
  await using w = await world();
  const { it, received, pool } = w;
  const get = (path: string) => it.api("GET", path);
  await get(`${received}/html`);
  await get(`${received}/attachments/0`);
  const rules = { patterns: ["secrets"], attachments: true };
  await it.api("PATCH", `/api/v1/agents/${bot}`, { hitl_enabled: true, hitl_rules: rules });
  const attachments = [{ filename: "a.txt", data: btoa("file") }];
  const mail = { from: bot, to: ["bob@outside.example"], subject: "s", body: long, html_body: "<p>x</p>", attachments };
  const held = await it.api("POST", "/api/v1/send", mail);
  expect(held.body.status).toBe("pending_approval");
  const path = `/api/v1/messages/${held.body.message_id}`;
  await it.app.drain();
  await get(path);
  await get(`${path}/attachments/0`);
  await it.api("POST", `${received}/forward`, { to: ["bob@outside.example"] });
  await it.api("POST", `${path}/approve`, { body_html: "<p>y</p>" });
  const urgent = pool.tasks.filter(({ name }) => name !== "examine");
  expect(new Set(urgent.map(({ name }) => name))).toEqual(
    new Set([
      ...["safeHtml", "attachments", "searchOutgoing", "heldReview", "reviewMail", "compose", "quote", "htmlToText"],
    ]),
  );
  const owners = new Set(urgent.map(({ isUrgent, owner, part }) => `${isUrgent} ${owner} ${part}`));
  expect([...owners]).toEqual([`true ${it.userId} ${bot}`]);
});
