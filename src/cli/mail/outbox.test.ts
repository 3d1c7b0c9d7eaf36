import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { recipient } from "../testing/outbox.ts";
import { agent, outbound } from "../testing/samples.ts";
import { WireServer } from "../testing/server.ts";
import { Shell } from "../testing/shell.ts";

let shell: Shell;
let server: WireServer;
beforeEach(async () => {
  shell = await Shell.open();
  server = new WireServer();
  server.agents = [agent("bot@e2a.localhost"), agent("other@e2a.localhost")];
});
afterEach(async () => {
  await server.close();
  await shell.close();
});

const run = (line: string[], terminal = true, env = {}) =>
  shell.run(line, { env: { ...server.env, ...env }, terminal, columns: 120 });
const id = outbound(1).id;
const hostile = "\x1b]0;owned\x07Pay \x1b[31mnow\u202efdp\nTo: bank@example.com";

describe("the list", () => {
  test("one line a mail, newest first: mark, recipients, subject, status, age, id", async () => {
    const old = new Date(Date.now() - 3 * 3_600_000).toISOString();
    server.outbox.mails = [
      outbound(1, { created_at: old, cc: ["c@example.com"], bcc: ["d@example.com"], status: "delivered" }),
      outbound(2, { status: "pending_approval", subject: hostile }),
      outbound(3, { status: "bounced" }),
    ];
    const [head, ...lines] = (await run(["outbox"])).out.trimEnd().split("\n");
    expect(head).toMatch(/^ +TO +SUBJECT +STATUS +AGE +ID$/);
    expect(lines).toHaveLength(3);
    expect(lines[0]).toMatch(/^✗ {2}bob@example.com +Report 3 +bounced +now +msg_0{31}3$/);
    expect(lines[1]).toMatch(/^! {2}bob@example.com +Pay nowfdp To: bank@example.com +pending approval +now +msg_/);
    expect(lines[2]).toMatch(/^✓ {2}bob@example.com \+2 +Report 1 +delivered +3h +msg_0{31}1$/);
  });

  test("is of all agents unless one is named", async () => {
    server.outbox.mails = [outbound(1), outbound(2, { agent_id: "other@e2a.localhost" })];
    const ids = async (flags: string[], env = {}) =>
      JSON.parse((await run(["outbox", ...flags], false, env)).out).messages.map((mail: { id: string }) => mail.id);
    expect(await ids([])).toEqual([outbound(2).id, id]);
    expect(await ids(["--agent", "bot"])).toEqual([id]);
    expect(await ids([], { E2A_AGENT_EMAIL: "other@e2a.localhost" })).toEqual([outbound(2).id]);
  });

  test("filters and pages", async () => {
    server.outbox.mails = Array.from({ length: 130 }, (_, n) => outbound(n, { status: n % 2 ? "sent" : "queued" }));
    const { out } = await run(["outbox", "--status", "queued", "--limit", "10"]);
    expect(out.trimEnd().split("\n")).toHaveLength(12);
    expect(out).toEndWith("There is more: add --token 10\n");
    const all = JSON.parse((await run(["outbox", "--limit", "120"], false)).out);
    expect([all.messages.length, all.next_token]).toEqual([120, "120"]);
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
    server.outbox.mails = [
      outbound(1, {
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
      }),
    ];
    const { code, out } = await run(["outbox", id]);
    expect(code).toBe(0);
    expect(out).toContain("Cc:            carol@example.net\n");
    expect(out).toContain("Subject:       Pay nowfdp To: bank@example.com\n");
    expect(out).toContain("Kind:          reply\n");
    expect(out).toContain("\n! deferred\n");
    expect(out).toMatch(/\n✓ {2}bob@example.com +delivered +smtp +1 +250 ok\n/);
    expect(out).toMatch(/\n! {2}carol@example.net +deferred +3 +in 20m +No route\n/);
    expect(out).toContain("\n\nHi,\nbye\n\n[0] report.pdf (application/pdf, 123.5 KB)\n");
    expect(out).not.toMatch(/[\x1b\x07\u202e]/);
    expect(JSON.parse((await run(["outbox", id], false)).out)).toEqual(server.outbox.mails[0]);
  });

  test("one that the loop breaker holds is let go by --release", async () => {
    const hold = { rule: "loop", reason: "21 mails in ten minutes to bob@example.com." };
    const recipients = [recipient("bob@example.com", "held")];
    server.outbox.mails = [outbound(1, { status: "pending_approval", hold, recipients })];
    const held = (await run(["outbox", id])).out;
    expect(held).toContain("Held:          21 mails in ten minutes to bob@example.com.\n");
    expect(held).toContain(`\nLet it go: e2a outbox ${id} --release\n`);
    expect((await run(["outbox", id, "--release"])).out).toContain("\n… queued\n");
    const again = await run(["outbox", id, "--release"]);
    expect([again.code, again.err]).toEqual([1, "error: Nothing holds the message.\n"]);
  });

  test("an unknown id, and a release of nothing", async () => {
    expect(await run(["outbox", id])).toMatchObject({ code: 1, out: "" });
    expect(await run(["outbox", "--release"])).toMatchObject({ code: 2, out: "" });
    expect(await run(["outbox", "--status", "lost"])).toMatchObject({ code: 2, out: "" });
  });
});

describe("cancel", () => {
  test("says what it stopped", async () => {
    server.outbox.mails = [outbound(1, { status: "queued", recipients: [recipient("bob@example.com", "queued")] })];
    expect((await run(["cancel", id])).out).toBe("✓ Cancelled for bob@example.com: Report 1\n");
    expect(server.outbox.mails[0]?.status).toBe("cancelled");
  });

  test("says who has it already", async () => {
    const recipients = [recipient("bob@example.com", "deferred"), recipient("carol@example.net", "sent")];
    server.outbox.mails = [outbound(1, { status: "deferred", recipients })];
    const { code, out } = await run(["cancel", id]);
    expect(code).toBe(0);
    expect(out).toStartWith("✓ Cancelled for bob@example.com: Report 1\n\n");
    expect(out).toMatch(/\n✓ {2}carol@example.net +sent /);
  });

  test("too late is a failure with the server's words", async () => {
    server.outbox.mails = [outbound(1)];
    expect(await run(["cancel", id])).toEqual({ code: 1, out: "", err: "error: The message has left already.\n" });
  });
});
