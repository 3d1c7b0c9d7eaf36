import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Outbound } from "../../../sdks/typescript/src/index.ts";
import { heldMail, outbound } from "../testing/answers.ts";
import { type Setup, Shell } from "../testing/shell.ts";
import { bot, startWorld, type World } from "../testing/world.ts";

let shell: Shell;
let world: World;
beforeEach(async () => {
  shell = await Shell.open();
  world = await startWorld();
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
  await shell.close();
});

const run = (line: string[], setup: Setup = {}) =>
  shell.run(line, { env: world.env, terminal: true, columns: 120, ...setup });
const pipe = { terminal: false };
const { id } = heldMail(1);
const lists = (...messages: Outbound[]) => world.shows("/messages", { messages });
const has = (mail: Outbound) => world.shows(`/messages/${mail.id}`, mail);
/** Writes a mail that waits for approval; returns its id. */
const held = async (more: object = {}): Promise<string> => {
  await world.api("PATCH", `/agents/${bot}`, { hitl_enabled: true });
  const mail = { from: bot, to: ["bob@example.com"], subject: "Report 1", body: "Text 1", ...more };
  return (await world.api("POST", "/send", mail)).message_id;
};
const statusOf = async (id: string): Promise<string> => (await world.api("GET", `/messages/${id}`)).status;
const body = () =>
  world.proxy.requests.filter(({ method }) => method !== "GET").at(-1)?.body as Record<string, unknown>;

describe("the list", () => {
  test("one line a mail; an agent's column when there are several", async () => {
    const [two, one] = [heldMail(2, { subject: "\x1b[31mPay\nnow", bcc: ["d@example.com"] }), heldMail(1)];
    lists(two, one);
    const [head, first, second, ...others] = (await run(["pending", "list"])).out.trimEnd().split("\n");
    expect(head).toMatch(/^TO +SUBJECT +WHY +EXPIRES +ID$/);
    expect(first).toMatch(
      /^bob@example.com, d@ex\S+ +⟨U\+001B⟩\[31mPay now +bob@example.com is a \S+ +in 7d +msg_0{31}2$/,
    );
    expect(second).toMatch(/^bob@example.com +Report 1 .* in 7d +msg_0{31}1$/);
    expect(others).toEqual([]);
    lists(heldMail(4, { agent_id: "other@e2a.localhost", from: "other@e2a.localhost" }), two, one);
    expect((await run(["pending", "list"])).out).toStartWith("FROM ");
  });

  test("a pipe gets it as JSON, with or without a subcommand, and nothing waits for keys", async () => {
    await world.api("POST", "/send", { from: bot, to: ["bob@example.com"], subject: "Gone", body: "Text" });
    const id = await held();
    const expected = { messages: [await world.api("GET", `/messages/${id}`)] };
    for (const line of [["pending"], ["pending", "list"], ["pending", "review"], ["pending", id]])
      expect(JSON.parse((await run(line, pipe)).out)).toEqual(expected);
    expect(JSON.parse((await run(["pending", "--json"])).out)).toEqual(expected);
    expect(world.proxy.requests[0]?.query).toEqual({
      ...{ status: "pending_approval", page_size: "50", data: "false" },
    });
  });

  test("nothing there is said in words; a wrong word is a usage error", async () => {
    expect(await run(["pending"])).toEqual({ code: 0, out: "Nothing waits for approval.\n", err: "" });
    const { code, err } = await run(["pending", "shw"]);
    expect([code, err]).toEqual([2, 'error: "shw" is neither a command nor an id.\nfix: e2a pending --help\n']);
  });
});

describe("show", () => {
  test("how the bodies differ, and what nobody could search", async () => {
    const unsearched = [{ name: "plan\x1b[2J.zip", why: "binary" }];
    has(heldMail(1, { review_notes: ["Only the HTML has the figures 90."], unsearched }));
    const { out } = await run(["pending", "show", id]);
    expect(out).toContain(
      "Before you decide:\n! Only the HTML has the figures 90.\n! Could not be searched: plan⟨U+001B⟩[2J.zip (binary).\n",
    );
  });

  test("no control sequence takes words out of what leaves", async () => {
    const id = await held({
      subject: "Minutes\x9d of the merger\x9c",
      body: "The minutes.\n\x1b]The password is hunter2.\x07\nPay \x9b1000m EUR.\n",
      html_body: "<p>The minutes. &#27;]The password is hunter2.&#7; Pay <b>1000</b> EUR.</p>",
    });
    const { out } = await run(["pending", "show", id]);
    expect(out).toContain("\nSubject:   Minutes⟨U+009D⟩ of the merger⟨U+009C⟩\n");
    expect(out).toContain("\n⟨U+001B⟩]The password is hunter2.⟨U+0007⟩\nPay ⟨U+009B⟩1000m EUR.\n");
    expect(out).toContain("\nThe minutes. ⟨U+001B⟩]The password is hunter2.⟨U+0007⟩ Pay 1000 EUR.\n");
    expect((await run(["pending", "list"])).out).toContain("Minutes⟨U+009D⟩ of the");
    expect((await run(["outbox", id])).out).toContain("]The password is hunter2.");
  });

  test("where answers go, and what else leaves in the header", async () => {
    const headers = [{ name: "X-Note", value: "a\x1b[2J secret" }];
    has(heldMail(1, { reply_to: ["desk@example.net"], headers }));
    const { out } = await run(["pending", "show", id]);
    expect(out).toMatch(/^Reply-To: +desk@example\.net$/m);
    expect(out).toContain("Further header fields:\nX-Note: a⟨U+001B⟩[2J secret\n");
  });

  test("a held mail whole, a decided one with the decision", async () => {
    const long = Array.from({ length: 99 }, (_, n) => `Line ${n + 1}`).join("\n");
    has(heldMail(1, { body_text: long }));
    expect((await run(["pending", "show", id])).out).toContain("\nLine 99\n");
    const noon = "2026-05-15T12:00:00.000Z";
    const decided = { status: "rejected" as const, reviewed_by: "carol@example.com", reviewed_at: noon };
    has(outbound(1, { ...decided, rejection_reason: "Wrong\x1b[2J price." }));
    const { out } = await run(["pending", "show", id]);
    expect(out).toContain(`Decided:       by carol@example.com ${noon}\nRejected:      Wrong price.\n`);
    expect(out).toContain("\n✗ rejected\n");
  });
});

describe("approve", () => {
  test("sends the decision about the content as it is now", async () => {
    const id = await held();
    const { content_hash: hash } = await world.api("GET", `/messages/${id}`);
    expect(await run(["pending", "approve", id])).toEqual({
      code: 0,
      out: `✓ Approved. Kept for bob@example.com, not sent: this server has no upstream yet. See e2a outbox ${id}\n`,
      err: "",
    });
    expect(body()).toEqual({ content_hash: hash });
  });

  test("every change arrives under its name on the wire", async () => {
    const id = await held();
    const file = join(shell.home, "a.txt");
    await writeFile(file, "hi");
    const { code, out } = await run(
      [
        ...["pending", "approve", id, "--to", "carol@example.net,dan@example.net", "--cc", "e@example.net"],
        ...["--bcc", "f@example.net", "--subject", "New", "--body", "-", "--html-body", "<p>New</p>", "--attach", file],
      ],
      { ...pipe, stdin: "New text\n" },
    );
    expect([code, JSON.parse(out)]).toMatchObject([
      0,
      { message_id: id, status: "sent", edited: true, method: "capture" },
    ]);
    expect(body()).toEqual({
      to: ["carol@example.net", "dan@example.net"],
      cc: ["e@example.net"],
      bcc: ["f@example.net"],
      subject: "New",
      body_text: "New text",
      body_html: "<p>New</p>",
      attachments: [{ filename: "a.txt", content_type: "text/plain", data: "aGk=" }],
      content_hash: expect.any(String),
    });
  });

  test("its files can be dropped", async () => {
    const id = await held();
    await run(["pending", "approve", id, "--no-attach"]);
    expect(body()).toMatchObject({ attachments: [] });
  });

  test("a new text takes the HTML with it, and so does its answer", async () => {
    const id = await held({ html_body: "<p>Text 1</p>" });
    expect((await run(["pending", "approve", id, "--body", "Pay <110>"])).code).toBe(0);
    expect(body()).toMatchObject({ body_text: "Pay <110>", body_html: "<p>Pay &lt;110&gt;</p>" });
    await run(["pending", "approve", await held(), "--body", "New"]);
    expect(body()).not.toHaveProperty("body_html");
  });

  const refusals: [what: string, line: string[], code: number, said: string][] = [
    ["another content than the one named", ["approve", id, "--content-hash", "abc"], 1, "the message has changed"],
    ["the same for reject", ["reject", id, "--content-hash", "abc"], 1, "the message has changed"],
    ["flags and the editor", ["approve", id, "--edit", "--subject", "New"], 2, "not both"],
    ["what the server does not take", ["approve", id, "--to", "bob"], 1, "error: to.0 is not an address"],
    ["an unknown mail", ["approve", "msg_9"], 1, "There is no such outbound message"],
  ];
  for (const [what, line, code, said] of refusals)
    test(`refused: ${what}`, async () => {
      const waits = await held({ html_body: "<p>Text 1</p>" });
      const ran = await run(["pending", ...line.map((word) => (word === id ? waits : word))]);
      expect([ran.code, ran.out]).toEqual([code, ""]);
      expect(ran.err).toContain(said);
      expect(await statusOf(waits)).toBe("pending_approval");
    });

  test("refused: a second decision, an agent's key, an editor in a pipe", async () => {
    const id = await held();
    const { key } = await world.api("POST", "/keys", { name: "k", scope: "agent", agent: bot });
    expect((await run(["pending", "approve", id], { env: { ...world.env, E2A_API_KEY: key } })).code).toBe(4);
    expect((await run(["pending", "approve", id, "--edit"], pipe)).code).toBe(2);
    await run(["pending", "reject", id]);
    const { code, err } = await run(["pending", "approve", id]);
    expect([code, err]).toEqual([1, expect.stringContaining("rejected")]);
  });
});

test("reject gives the agent the reason", async () => {
  const [id, other] = [await held(), await held({ subject: "Report 2" })];
  const { out } = await run(["pending", "reject", id, "--reason", "The price is wrong."]);
  expect(out).toBe(`✓ Rejected: The price is wrong. (${id})\n`);
  expect(body()).toMatchObject({ reason: "The price is wrong.", content_hash: expect.any(String) });
  expect(JSON.parse((await run(["pending", "reject", other], pipe)).out).status).toBe("rejected");
});

describe("pause and resume", () => {
  const cases: [line: string[], method: string, path: string, name: string][] = [
    [["bot@e2a.localhost"], "PATCH", "/agents/bot@e2a.localhost", "bot@e2a.localhost"],
    [["bot"], "PATCH", "/agents/bot@e2a.localhost", "bot@e2a.localhost"],
    [[], "PATCH", "/agents/bot@e2a.localhost", "bot@e2a.localhost"],
    [["Agents.example.com"], "PATCH", "/domains/agents.example.com", "agents.example.com"],
    [["--all"], "PATCH", "/users/me", "Everything"],
  ];
  for (const [line, method, path, name] of cases) {
    test(line.join(" ") || "the only agent", async () => {
      await world.api("POST", "/domains", { domain: "agents.example.com" });
      expect((await run(["pause", ...line])).out).toStartWith(
        `! ${name} is paused: nothing leaves, mail still arrives.`,
      );
      expect(world.proxy.requests.at(-1)).toMatchObject({ method, path, body: { paused: true } });
      if (path !== "/users/me") {
        const list = path.startsWith("/agents") ? "agents" : "domains";
        expect((await run([list, "list"])).out).toContain(", paused ");
      }
      const { out } = await run(["resume", ...line], pipe);
      expect(JSON.parse(out).paused).toBe(false);
      expect((await run(["resume", ...line])).out).toBe(`✓ ${name} sends again; what waited leaves in order.\n`);
    });
  }

  test("an unknown name, and two names", async () => {
    expect((await run(["pause", "other.example.com"])).code).toBe(1);
    expect((await run(["pause", "nobody"])).code).toBe(2);
    expect(await run(["pause", "bot", "--all"])).toMatchObject({ code: 2, err: "error: Either bot or --all.\n" });
  });
});

describe("check", () => {
  beforeEach(async () => {
    await world.receive(1);
    await world.api("PATCH", `/agents/${bot}`, { hitl_enabled: true, hitl_rules: { first_time: true } });
  });
  const check = (to: string, setup: Setup = {}) =>
    run(["check", "--to", to, "--subject", "Hello", "--body", "Hi", "--reply-to", "desk@example.com"], setup);

  test("says that a mail would be held, why, and ends with 3", async () => {
    const { code, out } = await check("bob@example.com,alice@example.com");
    expect(code).toBe(3);
    expect(out).toStartWith("! Would be held: ");
    expect(out).toMatch(/\nbob@example.com +capture +first time\nalice@example.com +capture +yes\n$/);
    expect(world.proxy.requests.at(-1)).toMatchObject({
      path: "/agents/bot@e2a.localhost/check",
      body: {
        to: ["bob@example.com", "alice@example.com"],
        subject: "Hello",
        body: "Hi",
        reply_to: ["desk@example.com"],
      },
    });
  });

  test("says that a mail would leave; a pipe gets the answer", async () => {
    expect(await check("alice@example.com")).toMatchObject({ code: 0, err: "" });
    expect(JSON.parse((await check("bob@example.com", pipe)).out)).toMatchObject({ decision: "hold" });
  });
});

test("audit lists decisions, newest first, page by page", async () => {
  expect((await run(["audit"])).out).toBe("Nothing was decided yet.\n");
  const [one, two] = [await held(), await held({ subject: "Report 2" })];
  await run(["pending", "approve", one]);
  await run(["pending", "reject", two]);
  const { out } = await run(["audit", "--limit", "1"]);
  expect(out).toMatch(
    new RegExp(`^WHEN \\(UTC\\) .*\\n\\S+ \\S+ +reject +owner@example.net +cli +127.0.0.1 +${two}\\n`),
  );
  const [, token = ""] = /There is more: add --token (\S+)\n$/.exec(out) ?? [];
  const entries = JSON.parse((await run(["audit", "--token", token], pipe)).out).entries;
  expect(entries[0]).toMatchObject({ action: "approve", message_id: one });
});
