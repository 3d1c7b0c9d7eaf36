import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Outbound } from "../../../sdks/typescript/src/index.ts";
import { outbound, recipient } from "../testing/answers.ts";
import { Shell } from "../testing/shell.ts";
import { bot, startWorld, type World } from "../testing/world.ts";

let shell: Shell;
let world: World;
beforeEach(async () => {
  shell = await Shell.open();
  world = await startWorld({ agents: ["other", "bot"], set: { "limits.loop_messages": "10" } });
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
  await shell.close();
});

const run = (line: string[], terminal = true, env = {}) =>
  shell.run(line, { env: { ...world.env, ...env }, terminal, columns: 120 });
const id = outbound(1).id;
const lists = (...messages: Outbound[]) => world.shows("/messages", { messages });
const has = (mail: Outbound) => world.shows(`/messages/${mail.id}`, mail);
/** Writes a mail as the agent; returns its id. It stays on the server, which has no upstream. */
const written = async (more: object = {}): Promise<string> => {
  const mail = { from: bot, to: ["bob@example.com"], subject: "Report 1", body: "Text 1", ...more };
  return (await world.api("POST", "/send", mail)).message_id;
};
const hostile = "\x1b]0;owned\x07Pay \x1b[31mnow\u202efdp\nTo: bank@example.com";

describe("the list", () => {
  test("one line a mail, newest first: mark, recipients, subject, status, age, id", async () => {
    const old = new Date(Date.now() - 3 * 3_600_000).toISOString();
    lists(
      outbound(3, { status: "bounced" }),
      outbound(2, { status: "pending_approval", subject: hostile }),
      outbound(1, { created_at: old, cc: ["c@example.com"], bcc: ["d@example.com"], status: "delivered" }),
    );
    const [head, ...lines] = (await run(["outbox"])).out.trimEnd().split("\n");
    expect(head).toMatch(/^ +TO +SUBJECT +STATUS +AGE +ID$/);
    expect(lines).toHaveLength(3);
    expect(lines[0]).toMatch(/^✗ {2}bob@example.com +Report 3 +bounced +now +msg_0{31}3$/);
    expect(lines[1]).toMatch(/^! {2}bob@example.com +Pay nowfdp To: bank@example.com +pending approval +now +msg_/);
    expect(lines[2]).toMatch(/^✓ {2}bob@example.com \+2 +Report 1 +delivered +3h +msg_0{31}1$/);
  });

  test("is of all agents unless one is named", async () => {
    const [mine, others] = [await written(), await written({ from: "other@e2a.localhost" })];
    const ids = async (flags: string[], env = {}) =>
      JSON.parse((await run(["outbox", ...flags], false, env)).out).messages.map((mail: { id: string }) => mail.id);
    expect(await ids([])).toEqual([others, mine]);
    expect(await ids(["--agent", "bot"])).toEqual([mine]);
    expect(await ids([], { E2A_AGENT_EMAIL: "other@e2a.localhost" })).toEqual([others]);
  });

  test("filters and pages", async () => {
    for (let n = 0; n < 6; n++) await written({ to: [`b${n}@example.com`] });
    await world.api("PATCH", `/agents/${bot}`, { paused: true });
    for (let n = 0; n < 6; n++) await written({ to: [`b${n}@example.com`] });
    const { out } = await run(["outbox", "--status", "queued", "--limit", "4"]);
    expect(out.trimEnd().split("\n")).toHaveLength(6);
    const [, token = ""] = /There is more: add --token (\S+)\n$/.exec(out) ?? [];
    const rest = JSON.parse((await run(["outbox", "--status", "queued", "--token", token], false)).out);
    expect([rest.messages.length, rest.next_token]).toEqual([2, undefined]);
    expect(JSON.parse((await run(["outbox", "--limit", "120"], false)).out).messages).toHaveLength(12);
  });

  test("nothing there is said in words", async () => {
    expect((await run(["outbox"])).out).toBe("Nothing sent.\n");
    expect((await run(["outbox", "--status", "deferred", "--agent", "bot"])).out).toBe(
      "Nothing deferred by bot@e2a.localhost.\n",
    );
    expect((await run(["outbox"], false)).out).toBe('{"messages":[]}\n');
  });
});

describe("one mail", () => {
  test("facts, the fate of each recipient, text, attachments", async () => {
    const next = new Date(Date.now() + 20 * 60_000).toISOString();
    const mail = outbound(1, {
      type: "reply",
      status: "deferred",
      subject: hostile,
      cc: ["carol@example.net"],
      body_text: "Hi,\x1b[2J\r\nbye",
      attachments: [{ index: 0, filename: "re\u202eport.pdf", content_type: "application/pdf", size: 123_456 }],
      recipients: [
        recipient("bob@example.com", "delivered", { method: "smtp", smtp_reply: "250 ok" }),
        recipient("carol@example.net", "deferred", { attempts: 3, error: "No route\x07", next_attempt_at: next }),
      ],
    });
    has(mail);
    const { code, out } = await run(["outbox", id]);
    expect(code).toBe(0);
    expect(out).toContain("Cc:            carol@example.net\n");
    expect(out).toContain(
      "Subject:       ⟨U+001B⟩]0;owned⟨U+0007⟩Pay ⟨U+001B⟩[31mnow⟨U+202E⟩fdp To: bank@example.com\n",
    );
    expect(out).toContain("Kind:          reply\n");
    expect(out).toContain("\n! deferred\n");
    expect(out).toMatch(/\n✓ {2}bob@example.com +delivered +smtp +1 +250 ok\n/);
    expect(out).toMatch(/\n! {2}carol@example.net +deferred +3 +in 20m +No route\n/);
    expect(out).toContain("\n\nHi,⟨U+001B⟩[2J\nbye\n\n[0] re⟨U+202E⟩port.pdf (application/pdf, 123.5 KB)\n");
    expect(out).not.toMatch(/[\x1b\x07\u202e]/);
    expect(JSON.parse((await run(["outbox", id], false)).out)).toEqual(mail);
  });

  test("one that the loop breaker holds is let go by --release", async () => {
    const ping = { subject: "Ping", reply_to_message_id: "<ping@example.com>" };
    for (let n = 0; n < 10; n++) await written(ping);
    const id = await written(ping);
    const held = (await run(["outbox", id])).out;
    expect(held).toMatch(/^Held: {10}\S.*bob@example.com/m);
    expect(held).toContain(`\nLet it go: e2a outbox ${id} --release\n`);
    expect((await run(["outbox", id, "--release"])).code).toBe(0);
    const again = await run(["outbox", id, "--release"]);
    expect([again.code, again.out, again.err]).toEqual([1, "", expect.stringMatching(/^error: \S/)]);
  });

  test("an unknown id, and a release of nothing", async () => {
    expect(await run(["outbox", id])).toMatchObject({ code: 1, out: "" });
    expect(await run(["outbox", "--release"])).toMatchObject({ code: 2, out: "" });
    expect(await run(["outbox", "--status", "lost"])).toMatchObject({ code: 2, out: "" });
  });
});

describe("cancel", () => {
  test("says what it stopped", async () => {
    await world.api("PATCH", `/agents/${bot}`, { paused: true });
    const id = await written();
    expect((await run(["cancel", id])).out).toBe("✓ Cancelled for bob@example.com: Report 1\n");
    expect((await world.api("GET", `/messages/${id}`)).status).toBe("cancelled");
  });

  test("says who has it already", async () => {
    const recipients = [recipient("bob@example.com", "cancelled"), recipient("carol@example.net", "sent")];
    world.proxy.instead = ({ path }) =>
      path.endsWith("/cancel") ? Response.json(outbound(1, { status: "sent", recipients })) : null;
    const { code, out } = await run(["cancel", id]);
    expect(code).toBe(0);
    expect(out).toStartWith("✓ Cancelled for bob@example.com: Report 1\n\n");
    expect(out).toMatch(/\n✓ {2}carol@example.net +sent /);
  });

  test("too late is a failure with the server's words", async () => {
    const { code, out, err } = await run(["cancel", await written()]);
    expect([code, out, err]).toEqual([1, "", expect.stringMatching(/^error: \S.*\n/)]);
  });
});
