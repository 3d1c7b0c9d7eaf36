import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { heldMail } from "../testing/approvals.ts";
import { agent, domain, outbound } from "../testing/samples.ts";
import { agentKey, WireServer } from "../testing/server.ts";
import { type Setup, Shell } from "../testing/shell.ts";

let shell: Shell;
let server: WireServer;
beforeEach(async () => {
  shell = await Shell.open();
  server = new WireServer();
  server.agents = [agent("bot@e2a.localhost")];
});
afterEach(async () => {
  await server.close();
  await shell.close();
});

const run = (line: string[], setup: Setup = {}) =>
  shell.run(line, { env: server.env, terminal: true, columns: 120, ...setup });
const pipe = { terminal: false };
const { id } = heldMail(1);
const body = () => server.requests.filter(({ method }) => method !== "GET").at(-1)?.body as Record<string, unknown>;

describe("the list", () => {
  test("one line a mail; an agent's column when there are several", async () => {
    server.outbox.mails = [
      outbound(3),
      heldMail(1),
      heldMail(2, { subject: "\x1b[31mPay\nnow", bcc: ["d@example.com"] }),
    ];
    const [head, first, second, ...others] = (await run(["pending", "list"])).out.trimEnd().split("\n");
    expect(head).toMatch(/^TO +SUBJECT +WHY +EXPIRES +ID$/);
    expect(first).toMatch(/^bob@example.com, d@ex\S+ +Pay now +bob@example.com is a first-\S+ +in 7d +msg_0{31}2$/);
    expect(second).toMatch(/^bob@example.com +Report 1 .* in 7d +msg_0{31}1$/);
    expect(others).toEqual([]);
    server.outbox.mails.push(heldMail(4, { agent_id: "other@e2a.localhost", from: "other@e2a.localhost" }));
    expect((await run(["pending", "list"])).out).toStartWith("FROM ");
  });

  test("a pipe gets it as JSON, with or without a subcommand, and nothing waits for keys", async () => {
    server.outbox.mails = [heldMail(1), outbound(2)];
    const expected = { messages: [server.outbox.mails[0]] };
    for (const line of [["pending"], ["pending", "list"], ["pending", "review"], ["pending", id]])
      expect(JSON.parse((await run(line, pipe)).out)).toEqual(expected);
    expect(JSON.parse((await run(["pending", "--json"])).out)).toEqual(expected);
    expect(server.requests[0]?.query).toEqual({ status: "pending_approval", page_size: "50" });
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
    server.outbox.mails = [heldMail(1, { review_notes: ["Only the HTML has the figures 90."], unsearched })];
    const { out } = await run(["pending", "show", id]);
    expect(out).toContain(
      "Before you decide:\n! Only the HTML has the figures 90.\n! Could not be searched: plan.zip (binary).\n",
    );
  });

  test("where answers go, and what else leaves in the header", async () => {
    const headers = [{ name: "X-Note", value: "a\x1b[2J secret" }];
    server.outbox.mails = [heldMail(1, { reply_to: ["desk@example.net"], headers })];
    const { out } = await run(["pending", "show", id]);
    expect(out).toMatch(/^Reply-To: +desk@example\.net$/m);
    expect(out).toContain("Further header fields:\nX-Note: a secret\n");
  });

  test("a held mail whole, a decided one with the decision", async () => {
    const long = Array.from({ length: 99 }, (_, n) => `Line ${n + 1}`).join("\n");
    server.outbox.mails = [heldMail(1, { body_text: long })];
    expect((await run(["pending", "show", id])).out).toContain("\nLine 99\n");
    const decided = { status: "rejected" as const, reviewed_by: "carol@example.com", reviewed_at: "noon" };
    server.outbox.mails = [outbound(1, { ...decided, rejection_reason: "Wrong\x1b[2J price." })];
    const { out } = await run(["pending", "show", id]);
    expect(out).toContain("Decided:       by carol@example.com noon\nRejected:      Wrong price.\n");
    expect(out).toContain("\n✗ rejected\n");
  });
});

describe("approve", () => {
  test("sends the decision about the content as it is now", async () => {
    server.outbox.mails = [heldMail(1)];
    const hash = server.outbox.mails[0]?.content_hash;
    expect(await run(["pending", "approve", id])).toEqual({
      code: 0,
      out: `✓ Approved. Sent to bob@example.com by smtp (${id})\n`,
      err: "",
    });
    expect(body()).toEqual({ content_hash: hash });
  });

  test("every change arrives under its name on the wire", async () => {
    server.outbox.mails = [heldMail(1)];
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
      { message_id: id, status: "sent", edited: true, method: "smtp" },
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
    server.outbox.mails = [heldMail(1)];
    await run(["pending", "approve", id, "--no-attach"]);
    expect(body()).toMatchObject({ attachments: [] });
  });

  test("a new text takes the HTML with it, and so does its answer", async () => {
    server.outbox.mails = [heldMail(1, { body_html: "<p>Text 1</p>" })];
    expect((await run(["pending", "approve", id, "--body", "Pay <110>"])).code).toBe(0);
    expect(body()).toMatchObject({ body_text: "Pay <110>", body_html: "<p>Pay &lt;110&gt;</p>" });
    server.outbox.mails = [heldMail(1)];
    await run(["pending", "approve", id, "--body", "New"]);
    expect(body()).not.toHaveProperty("body_html");
  });

  const refusals: [what: string, line: string[], code: number, said: string][] = [
    ["another content than the one named", ["approve", id, "--content-hash", "abc"], 1, "was changed since you saw it"],
    ["the same for reject", ["reject", id, "--content-hash", "abc"], 1, "was changed since you saw it"],
    ["flags and the editor", ["approve", id, "--edit", "--subject", "New"], 2, "not both"],
    ["what the server does not take", ["approve", id, "--to", "bob"], 1, 'to: "bob" is not an address'],
    ["an unknown mail", ["approve", "msg_9"], 1, "There is no message msg_9."],
  ];
  for (const [what, line, code, said] of refusals)
    test(`refused: ${what}`, async () => {
      server.outbox.mails = [heldMail(1, { body_html: "<p>Text 1</p>" })];
      const ran = await run(["pending", ...line]);
      expect([ran.code, ran.out]).toEqual([code, ""]);
      expect(ran.err).toContain(said);
      expect(server.outbox.mails[0]?.status).toBe("pending_approval");
    });

  test("refused: a second decision, an agent's key, an editor in a pipe", async () => {
    server.outbox.mails = [heldMail(1)];
    expect((await run(["pending", "approve", id], { env: { ...server.env, E2A_API_KEY: agentKey } })).code).toBe(4);
    expect((await run(["pending", "approve", id, "--edit"], pipe)).code).toBe(2);
    await run(["pending", "reject", id]);
    const { code, err } = await run(["pending", "approve", id]);
    expect([code, err]).toEqual([1, expect.stringContaining("It was rejected by owner@example.com at ")]);
  });
});

test("reject gives the agent the reason", async () => {
  server.outbox.mails = [heldMail(1), heldMail(2)];
  const { out } = await run(["pending", "reject", id, "--reason", "The price is wrong."]);
  expect(out).toBe(`✓ Rejected: The price is wrong. (${id})\n`);
  expect(body()).toMatchObject({ reason: "The price is wrong.", content_hash: expect.any(String) });
  expect(JSON.parse((await run(["pending", "reject", heldMail(2).id], pipe)).out).status).toBe("rejected");
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
      server.domains = [domain("agents.example.com")];
      expect((await run(["pause", ...line])).out).toStartWith(
        `! ${name} is paused: nothing leaves, mail still arrives.`,
      );
      expect(server.requests.at(-1)).toMatchObject({ method, path, body: { paused: true } });
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
  const check = (to: string, setup: Setup = {}) =>
    run(["check", "--to", to, "--subject", "Hello", "--body", "Hi", "--reply-to", "desk@example.com"], setup);

  test("says that a mail would be held, why, and ends with 3", async () => {
    const { code, out } = await check("bob@example.com,alice@example.com");
    expect(code).toBe(3);
    expect(out).toStartWith("! Would be held: bob@example.com is a first-time recipient.\n\n");
    expect(out).toMatch(/\nbob@example.com +smtp +first time\nalice@example.com +smtp +yes\n$/);
    expect(server.requests.at(-1)).toMatchObject({
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
  server.outbox.mails = [heldMail(1), heldMail(2)];
  await run(["pending", "approve", id]);
  await run(["pending", "reject", heldMail(2).id]);
  const { out } = await run(["audit", "--limit", "1"]);
  expect(out).toMatch(
    /^WHEN \(UTC\) .*\n2026-05-15 12:00:00 {2}rejected {2}owner@example.com {2}api {2}203.0.113.7 {2}msg_0{31}2\n/,
  );
  expect(out).toEndWith("There is more: add --token 1\n");
  expect(JSON.parse((await run(["audit", "--token", "1"], pipe)).out).entries).toMatchObject([{ action: "approved" }]);
});
