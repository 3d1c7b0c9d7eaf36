import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { MessageDetail, MessageSummary } from "../../../sdks/typescript/src/index.ts";
import { deliver } from "../../../test/smtp/smtp-client.ts";
import { mailFor } from "../../../test/store/rows.ts";
import { message, summary } from "../testing/answers.ts";
import { Shell } from "../testing/shell.ts";
import { bot, idOf, startWorld, type World } from "../testing/world.ts";

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

const hostile = "\x1b]0;owned\x07Pay \x1b[31mnow\u202efdp\nFrom: bank@example.com";

describe("inbox", () => {
  const lists = (...messages: MessageSummary[]) => world.shows(`/agents/${bot}/messages`, { messages });
  const list = (flags: string[] = [], terminal = true) => shell.run(["inbox", ...flags], { env: world.env, terminal });

  test("one line a message: mark, sender, subject, age, id", async () => {
    const old = new Date(Date.now() - 3 * 3_600_000).toISOString();
    const mallory = summary(2, { verified: false, verified_domain: null, from: "mallory@evil.example" });
    lists(summary(1, { created_at: old }), mallory);
    const lines = (await list()).out.split("\n");
    expect(lines[1]).toMatch(/^✓ {2}alice@example.com +Hello 1 +3h +msg_0{31}1$/);
    expect(lines[2]).toMatch(/^✗ {2}mallory@evil.example +Hello 2 +now +msg_0{31}2$/);
  });

  test("a hostile subject stays one harmless line", async () => {
    lists(summary(1, { subject: hostile, from: "a\x1b[2J@example.com" }));
    const { out } = await list();
    expect(out).not.toMatch(/[\x1b\x07\u202e]/);
    expect(out.trim().split("\n")).toHaveLength(2);
  });

  test("the filters reach the server", async () => {
    const before = Date.now();
    await list(["--status", "all", "--q", "two words", "--from", "a@example.com", "--since", "2h", "--limit", "7"]);
    const { since, ...query } = world.proxy.requests.at(-1)?.query ?? {};
    expect(query).toEqual({ status: "all", q: "two words", from: "a@example.com", page_size: "7" });
    expect(Math.abs(Date.parse(since ?? "") - (before - 7_200_000))).toBeLessThan(60_000);
  });

  test("pages are joined up to the limit, and next_token goes on from there", async () => {
    for (let n = 0; n < 260; n++) await world.app.app.store.acceptInbound(mailFor(bot));
    const first = JSON.parse((await list(["--limit", "250"], false)).out);
    expect(first.messages).toHaveLength(250);
    const rest = JSON.parse((await list(["--limit", "250", "--token", first.next_token], false)).out);
    expect(rest.messages).toHaveLength(10);
    expect(rest.next_token).toBeUndefined();
    expect(
      world.proxy.requests.filter(({ path }) => path.endsWith("/messages")).map(({ query }) => query.page_size),
    ).toEqual(["100", "100", "50", "100"]);
  });

  test("nothing there is said in words, and is an empty list in a pipe", async () => {
    expect((await list()).out).toBe("No unread mail for bot@e2a.localhost.\n");
    expect((await list(["--status", "all", "--q", "x"])).out).toBe("No mail for bot@e2a.localhost that matches.\n");
    expect((await list([], false)).out).toBe('{"messages":[]}\n');
  });
});

describe("read", () => {
  const has = (message: MessageDetail) => world.shows(`/agents/${bot}/messages/${message.message_id}`, message);
  const read = (flags: string[] = [], terminal = true) =>
    shell.run(["read", message(1).message_id, ...flags], { env: world.env, terminal });

  test("headers, verdict, text, attachments", async () => {
    const attachment = { index: 0, filename: "re\u202eport.pdf", content_type: "application/pdf", size: 123_456 };
    has(
      message(1, {
        subject: hostile,
        text: "Hi,\n\tline\x1b[2Jtwo\r\nbye",
        headers: [{ name: "From", value: "Alice Example <alice@example.com>" }],
        attachments: [attachment],
      }),
    );
    const { code, out } = await read();
    expect(code).toBe(0);
    expect(out).toContain("From:      Alice Example <alice@example.com>\n");
    expect(out).toContain("Subject:   Pay nowfdp From: bank@example.com\n");
    expect(out).toContain("✓ proven: example.com (DMARC by DKIM)\n");
    expect(out).toContain("\nHi,\n\tlinetwo\nbye\n");
    expect(out).toContain("[0] report.pdf (application/pdf, 123.5 KB)");
    expect(out).not.toMatch(/[\x1b\x07\u202e]/);
  });

  test("what its reader left out or guessed is below its verdict", async () => {
    const hidden = {
      code: "html_text_hidden" as const,
      detail: "The HTML has 48 characters\x1b[2J that readers do not see.",
    };
    const cut = { code: "multipart_unclosed" as const, detail: "A multipart is not closed." };
    has(message(1, { defects: [hidden, cut] }));
    const lines = ["! The HTML has 48 characters that readers do not see.", "! A multipart is not closed."];
    expect((await read()).out).toContain(`(DMARC by DKIM)\n${lines.join("\n")}\n\nText 1\n`);
    has(message(1));
    expect((await read()).out).toContain("(DMARC by DKIM)\n\nText 1\n");
  });

  test("what no person wrote is marked as such", async () => {
    const flags = { auto_submitted: "auto-replied", list_id: "friends.example", precedence: "bulk" };
    has(message(1, flags));
    expect((await read()).out).toContain("Automatic:  auto-replied, list friends.example, precedence bulk\n");
    has(message(1, { ...flags, list_id: null, precedence: null }));
    expect((await read()).out).toContain("Automatic:  auto-replied\n");
    has(message(1));
    expect((await read()).out).not.toContain("Automatic:");
  });

  test("what it answers is in its head, without what could harm a terminal", async () => {
    has(message(1, { in_reply_to: "<1@\x1b[2Jexample.com>" }));
    expect((await read()).out).toContain("In-Reply-To:  <1@example.com>\n");
    has(message(1, { in_reply_to: null }));
    expect((await read()).out).not.toContain("In-Reply-To:");
  });

  test("an invitation is in its head", async () => {
    const calendar = {
      ...{ method: "REQUEST", uid: "1", summary: "Lun\x1b[2Jch", location: "Bonn", organizer: "al@example.com" },
      ...{ start: "2026-06-15T12:00:00+02:00", end: "2026-06-15T13:00:00+02:00", organizer_name: "Al" },
    };
    has(message(1, { calendar: { ...calendar, attendees: 2, recurring: true } }));
    expect((await read()).out).toContain(
      "Invitation: Lunch, 2026-06-15 12:00 to 13:00 +02:00 and again later, in Bonn, " + "by al@example.com\n",
    );
  });

  test("--attachment shows a message that is attached", async () => {
    const attached = {
      ...{ from: "bob@example.com", from_name: "Bob", to: ["c@example.com"], subject: "In\x1b[2Jner" },
      defects: [{ code: "charset_missing", detail: "A text part declares no charset." }],
      ...{ date: "2026-06-01T10:00:00.000Z", email_message_id: null, text: "Inner words", html: "<p>Inner</p>" },
      ...{ reply_text: "Inner words", headers: [{ name: "From", value: "Bob <bob@example.com>" }] },
      attachments: [{ index: 0, filename: "deep.csv", content_type: "text/csv", size: 3 }],
    };
    has(message(1));
    world.shows(`/agents/${bot}/messages/${message(1).message_id}/attachments/2.1/message`, attached);
    const { code, out } = await read(["--attachment", "2.1"]);
    expect(code).toBe(0);
    for (const words of [
      "From:     Bob <bob@example.com>",
      "Subject:  Inner\n",
      "nothing proves",
      "\nInner words\n",
      "\n! A text part declares no charset.\n",
    ])
      expect(out).toContain(words);
    expect(out).toContain("[2.1.0] deep.csv (text/csv, 3 B)");
    expect(JSON.parse((await read(["--attachment", "2.1"], false)).out)).toEqual(attached);
    expect((await read(["--attachment", "2.1", "--html"], false)).out).toBe("<p>Inner</p>");
    expect((await read(["--attachment", "2.1", "--save-attachments", "."])).code).toBe(2);
  });

  test("reading marks it read, --peek does not", async () => {
    const id = await world.mail("Hello");
    const status = async () => (await world.api("GET", `/agents/${bot}/messages?status=all`)).messages[0].status;
    await shell.run(["read", id, "--peek"], { env: world.env });
    expect(await status()).toBe("unread");
    await shell.run(["read", id], { env: world.env });
    expect(await status()).toBe("read");
  });

  test("a pipe gets the whole message as JSON", async () => {
    const id = await world.mail("Hello");
    const { out } = await shell.run(["read", id, "--peek"], { env: world.env });
    expect(JSON.parse(out)).toEqual(await world.api("GET", `/agents/${bot}/messages/${id}?peek=true`));
  });

  test("of one agent, the postmaster's is found too", async () => {
    const message = "From: admin@isp.example\r\nSubject: Your disk\r\n\r\nHi\r\n";
    await deliver(world.app.app.smtp.port, { to: "postmaster@e2a.localhost", message });
    const listed = await shell.run(["inbox", "--agent", "postmaster@e2a.localhost"], { env: world.env });
    const [{ message_id }] = JSON.parse(listed.out).messages;
    expect(JSON.parse((await shell.run(["read", message_id], { env: world.env })).out).subject).toBe("Your disk");
    const { body: issued } = await world.app.api("POST", "/api/v1/keys", { name: "bot", scope: "agent", agent: bot });
    const asAgent = { ...world.env, E2A_API_KEY: issued.key };
    for (const [env, id] of [
      [world.env, idOf(9)],
      [asAgent, message_id],
    ] as const) {
      const missing = await shell.run(["read", id], { env, terminal: true });
      expect(missing.code).toBe(1);
      expect(missing.err).toContain("Your agent has not received a message with this id.");
    }
  });

  test("of several agents, the one that received it is found", async () => {
    await world.api("POST", "/agents", { slug: "another", agent_mode: "local" });
    await world.api("POST", "/agents", { slug: "zeta", agent_mode: "local" });
    const id = await world.mail("Hello");
    const { code, out } = await shell.run(["read", id], { env: world.env });
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ message_id: id, subject: "Hello" });
    const message = "From: admin@isp.example\r\nSubject: Your server\r\n\r\nHi\r\n";
    await deliver(world.app.app.smtp.port, { to: "postmaster@e2a.localhost", message });
    const listed = await shell.run(["inbox", "--agent", "postmaster@e2a.localhost"], { env: world.env });
    const [{ message_id }] = JSON.parse(listed.out).messages.slice(-1);
    expect(JSON.parse((await shell.run(["read", message_id], { env: world.env })).out).subject).toBe("Your server");
    const missing = await shell.run(["read", idOf(9)], { env: world.env, terminal: true });
    expect(missing.code).toBe(1);
    expect(missing.err).toContain("None of your 3 agents received a message with this id.");
  });

  test("--raw is exact in a pipe and harmless in a terminal", async () => {
    const raw = "Subject: \x1b]0;owned\x07x\r\n\r\nbody\r\n";
    has(message(1, { raw_message: Buffer.from(raw).toString("base64") }));
    expect((await read(["--raw"], false)).out).toBe(raw);
    expect((await read(["--raw"])).out).toBe("Subject: ⟨U+001B⟩]0;owned⟨U+0007⟩x\n\nbody\n");
  });

  test("--html", async () => {
    has(message(1, { html: "<p>Hi</p>", text: "" }));
    expect((await read(["--html"], false)).out).toBe("<p>Hi</p>");
    expect((await read()).out).toContain("read it with --html");
    has(message(1, { html: "<p>Hi\x1b]0;owned\x07</p>" }));
    expect((await read(["--html"])).out).toBe("<p>Hi⟨U+001B⟩]0;owned⟨U+0007⟩</p>\n");
    has(message(1));
    expect(await read(["--html"], false)).toMatchObject({ code: 1, out: "" });
  });

  test("--save-attachments keeps hostile names inside the folder", async () => {
    const file = (index: number, filename: string) => ({ index, filename, content_type: "text/plain", size: 9 });
    has(message(1, { attachments: [file(0, "../../escape.txt"), file(1, "escape.txt")] }));
    const shown = world.proxy.instead;
    world.proxy.instead = (request) => {
      const [, index] = /\/attachments\/(\d)$/.exec(request.path) ?? [];
      return index === undefined ? shown(request) : new Response(`content ${index}`);
    };
    const folder = join(shell.home, "deep", "saved");
    const { code, out, err } = await read(["--save-attachments", folder], false);
    expect(code).toBe(0);
    expect(JSON.parse(out).message_id).toBe(message(1).message_id);
    expect(err).toBe(`Saved ${join(folder, "escape.txt")}\nSaved ${join(folder, "escape (2).txt")}\n`);
    expect((await readdir(folder)).sort()).toEqual(["escape (2).txt", "escape.txt"]);
    expect(await readFile(join(folder, "escape (2).txt"), "utf8")).toBe("content 1");
  });

  test("an unknown id", async () => {
    expect(await read()).toMatchObject({ code: 1, out: "" });
  });
});
