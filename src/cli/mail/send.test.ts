import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdir, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Outbound, Sent } from "../../../sdks/typescript/src/index.ts";
import { recipient } from "../testing/answers.ts";
import { BrokenLine } from "../testing/cut.ts";
import { type Setup, Shell } from "../testing/shell.ts";
import { bot, idOf, startWorld, type World } from "../testing/world.ts";
import { addresses } from "./compose.ts";

let shell: Shell;
let world: World;
beforeEach(async () => {
  shell = await Shell.open();
  world = await startWorld({ agents: ["bot", "other"] });
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
  await shell.close();
});

const id = idOf(1);
const run = (line: string[], setup: Setup = {}) =>
  shell.run(line, { env: { ...world.env, E2A_AGENT_EMAIL: bot }, ...setup });
const send = (flags: string[] = [], setup: Setup = {}) =>
  run(["send", "--to", "bob@example.com", "--subject", "Hello", ...flags], setup);
const posted = () => world.proxy.requests.filter(({ method }) => method === "POST");
/** The agent's sent mail, as the server returns it. */
const mails = async (): Promise<Outbound[]> => (await world.api("GET", "/messages")).messages;
/** From now on the server answers this to a sent mail. */
function says(more: Partial<Sent>): void {
  const sent: Sent = {
    ...{ message_id: id, status: "sent", method: "relay", email_message_id: "<1@e2a.localhost>" },
    ...{ conversation_id: "conv_1", recipients: [recipient("bob@example.com", "sent", { method: "relay" })], ...more },
  };
  const status = sent.status === "sent" ? 200 : 202;
  world.proxy.instead = ({ path }) => (path === "/send" ? Response.json(sent, { status }) : null);
}
const body = () => posted().at(-1)?.body as Record<string, unknown>;

describe("what is sent", () => {
  test("every flag arrives under its name on the wire", async () => {
    await writeFile(join(shell.home, "mail.html"), "<p>Grüße</p>");
    says({});
    const { code } = await send([
      ...["--to", 'carol@example.com, "Doe, Dan" <dan@example.com>', "--cc", "c@example.com", "--bcc", "d@example.com"],
      ...["--body", "Hi", "--html-body", `@${join(shell.home, "mail.html")}`, "--reply-to", "desk@example.com"],
      ...["--conversation", "conv_1", "--header", "List-Id: <a: b>", "--header", "X-Empty:"],
    ]);
    expect(code).toBe(0);
    expect(body()).toEqual({
      from: "bot@e2a.localhost",
      to: ["bob@example.com", "carol@example.com", '"Doe, Dan" <dan@example.com>'],
      cc: ["c@example.com"],
      bcc: ["d@example.com"],
      subject: "Hello",
      body: "Hi",
      html_body: "<p>Grüße</p>",
      reply_to: ["desk@example.com"],
      conversation_id: "conv_1",
      headers: { "List-Id": "<a: b>", "X-Empty": "" },
    });
  });

  test("the text comes from the pipe, also by name", async () => {
    await send([], { stdin: "Grüße\nfrom the pipe\n" });
    expect(body().body).toBe("Grüße\nfrom the pipe");
    await send(["--body", "-"], { stdin: "named\n", terminal: true });
    expect(body().body).toBe("named");
  });

  test("the text comes from a file, as it is", async () => {
    const file = join(shell.home, "text");
    await writeFile(file, "line\n");
    await send(["--body-file", file]);
    expect(body().body).toBe("line\n");
  });

  test("an HTML body may stand alone", async () => {
    await send(["--html-body", "<p>Hi</p>"], { terminal: true });
    expect(body()).toMatchObject({ body: "", html_body: "<p>Hi</p>" });
  });

  test("attachments arrive byte for byte, with name and type", async () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, n) => n));
    const paths = ["a.png", "b.txt", "no-type"].map((name) => join(shell.home, name));
    for (const path of paths) await writeFile(path, bytes);
    await send(["--body", "Hi", "--attach", ...paths.slice(0, 2), "--attach", paths[2] ?? ""]);
    const data = bytes.toString("base64");
    expect(body().attachments).toEqual([
      { filename: "a.png", content_type: "image/png", data },
      { filename: "b.txt", content_type: "text/plain", data },
      { filename: "no-type", content_type: "application/octet-stream", data },
    ]);
  });

  test("reply and forward name the agent and the message", async () => {
    await world.receive(1);
    const flags = ["--all", "--cc", "c@example.com", "--conversation", "trip"];
    expect((await run(["reply", id, ...flags], { stdin: "Yes" })).code).toBe(0);
    expect(posted().at(-1)?.path).toBe(`/agents/bot@e2a.localhost/messages/${id}/reply`);
    expect(body()).toEqual({ body: "Yes", reply_all: true, cc: ["c@example.com"], conversation_id: "trip" });
    // The pipe is read only if a flag names it: it may never end.
    expect((await run(["forward", id, "--to", "b@example.com", "--include", "none"])).code).toBe(0);
    expect(posted().at(-1)?.path).toBe(`/agents/bot@e2a.localhost/messages/${id}/forward`);
    expect(body()).toEqual({ to: ["b@example.com"], include: "none" });
  });

  test("of several agents, the one that received the message answers it and passes it on", async () => {
    await world.api("POST", "/agents", { slug: "another", agent_mode: "local" });
    await world.receive(1);
    for (const [flags, stdin] of [
      [["reply", id], "Yes"],
      [["forward", id, "--to", "b@example.com"], ""],
    ] as const) {
      expect((await run([...flags], { stdin })).code).toBe(0);
      expect(posted().at(-1)?.path).toBe(`/agents/bot@e2a.localhost/messages/${id}/${flags[0]}`);
    }
  });

  const lists: [list: string, found: string[]][] = [
    ["a@x, b@y,c@z", ["a@x", "b@y", "c@z"]],
    ['"Doe, \\"J\\", Jr" <j@x>,k@y', ['"Doe, \\"J\\", Jr" <j@x>', "k@y"]],
    ["Bob <b@x>", ["Bob <b@x>"]],
    [" a@x ,, ", ["a@x"]],
    ['"open, a@x', ['"open', "a@x"]],
  ];
  for (const [list, found] of lists) test(`addresses ${list}`, () => expect(addresses(list)).toEqual(found));
});

describe("what the caller is told", () => {
  const say = async (flags: string[] = []) => send(["--body", "Hi", ...flags], { terminal: true });

  test("sent, in one line; in a pipe the answer as JSON", async () => {
    const toOther = ["send", "--to", "other@e2a.localhost", "--subject", "Hello", "--body", "Hi"];
    const { code, out, err } = await run(toOther, { terminal: true });
    const [sent] = await mails();
    expect([code, out, err]).toEqual([0, `✓ Sent to other@e2a.localhost by relay (${sent?.id})\n`, ""]);
    expect(JSON.parse((await run(toOther)).out)).toMatchObject({
      status: "sent",
      method: "relay",
      recipients: [{ address: "other@e2a.localhost", status: "delivered" }],
    });
  });

  test("many recipients are counted", async () => {
    const others = ["b@x", "c@x", "d@x", "e@x"];
    says({
      recipients: ["bob@example.com", ...others].map((address) => recipient(address, "sent", { method: "relay" })),
    });
    const { out } = await say(["--to", others.join()]);
    expect(out).toStartWith("✓ Sent to bob@example.com, b@x, c@x and 2 more by relay (");
  });

  test("queued: where to look", async () => {
    const { out } = await say(["--no-wait"]);
    expect(out).toBe(`… Queued for bob@example.com, see e2a outbox ${(await mails())[0]?.id}\n`);
    expect(posted().at(-1)?.headers.get("prefer")).toBe("respond-async");
  });

  test("kept in development", async () => {
    expect((await say()).out).toContain("Kept for bob@example.com, not sent");
  });

  test("held ends with 3, and the answer is still there", async () => {
    const expires = new Date(Date.now() + 7 * 86_400_000).toISOString();
    const hold = { rule: "approval", reason: "A person approves what this agent sends." } as const;
    says({ status: "pending_approval", approval_expires_at: expires, hold });
    expect(await say()).toEqual({
      code: 3,
      out: `! Held: A person approves what this agent sends. Expires in 7d. Decide: e2a pending ${id}\n`,
      err: "",
    });
    const piped = await send(["--body", "Hi"]);
    expect([piped.code, piped.err]).toEqual([3, ""]);
    expect(JSON.parse(piped.out)).toMatchObject({ status: "pending_approval", hold });
  });

  test("different fates are a table, and a refused recipient is a failure", async () => {
    const refused = { method: "smtp" as const, smtp_reply: "550 5.1.1 No \x1b[2Jsuch user" };
    says({
      recipients: [
        recipient("bot2@e2a.localhost", "sent", { method: "relay" }),
        recipient("bob@example.com", "failed", refused),
      ],
    });
    const { code, out, err } = await say();
    expect(code).toBe(1);
    expect(out).toContain(`✓ Sent to bot2@e2a.localhost by relay (${id})\n`);
    expect(out).toMatch(/\n✗ {2}bob@example.com +failed +smtp +1 +550 5.1.1 No such user\n/);
    expect(err).toStartWith("error: Not delivered to bob@example.com.\nfix: `e2a outbox ");
  });

  test("every wrong field", async () => {
    const { code, err } = await say(["--cc", "carol,dan"]);
    expect(code).toBe(1);
    expect(err).toBe("error: cc.0 is not an address: there is no @; cc.1 is not an address: there is no @.\n");
  });

  test("how long to wait when there is too much", async () => {
    world.refuses([429, { detail: "Too many.", code: "rate_limited" }, { "retry-after": "17" }]);
    const { code, err } = await run(
      ["send", "--agent", "bot@e2a.localhost", "--to", "b@x", "--subject", "S", "--body", "B"],
      {},
    );
    expect(code).toBe(1);
    expect(err).toBe("error: Too many.\nfix: Try again in 17 s.\n");
    expect(posted()).toHaveLength(1);
  });
});

describe("usage errors, before anything is sent", () => {
  const mail = ["send", "--to", "b@x", "--subject", "S"];
  const cases: [line: string[], said: string][] = [
    [["send", "--subject", "S", "--body", "B"], "--to"],
    [["send", "--to", "b@x", "--body", "B"], "--subject"],
    [["send", "--to", " , ", "--subject", "S"], "Give an address"],
    [[...mail], "pipe the text into the command"],
    [[...mail, "--body", "B", "--body-file", "F"], "cannot be used with"],
    [[...mail, "--body-file", "/nonexistent/text"], "/nonexistent/text cannot be read"],
    [[...mail, "--body", "B", "--attach", "/nonexistent/file"], "/nonexistent/file cannot be attached"],
    [[...mail, "--body", "B", "--attach", "/"], "is not a file"],
    [[...mail, "--body", "B", "--header", "no colon"], "Name: value"],
    [[...mail, "--body", "B", "--header", "A: 1", "--header", "A: 2"], "twice"],
    [[...mail, "--from", "bot@agents.example"], "Name the agent that sends with --agent."],
    [["reply", "--body", "B"], "missing required argument 'id'"],
    [["forward", id], "--to"],
    [["forward", id, "--to", "b@x", "--include", "half"], "message, attachments, none"],
  ];
  for (const [line, said] of cases) {
    test(line.join(" "), async () => {
      const { code, out, err } = await run(line, { terminal: true });
      expect([code, out, world.proxy.requests]).toEqual([2, "", []]);
      expect(err).toContain(said);
    });
  }

  test("an empty pipe is no text", async () => {
    expect(await send([], { stdin: "" })).toMatchObject({ code: 2, err: expect.stringContaining("no text") });
  });

  test("more than 25 MiB of attachments", async () => {
    const [file, folder] = [join(shell.home, "large"), join(shell.home, "folder")];
    await mkdir(folder);
    await writeFile(file, "");
    await truncate(file, 13 * 1024 * 1024);
    const { code, err } = await send(["--body", "B", "--attach", file, file]);
    expect(code).toBe(1);
    expect(err).toContain("The attachments have 27.3 MB; a mail may have 26.2 MB.");
    expect(world.proxy.requests).toEqual([]);
  });
});

describe("a lost answer", () => {
  const lossy = async (losses: number) => {
    const line = await BrokenLine.to(world.proxy.url, losses);
    const flags = ["--agent", "bot@e2a.localhost", "--to", "other@e2a.localhost", "--subject", "S", "--body", "B"];
    const ran = await run(["send", ...flags, "--url", line.url], { terminal: true }).finally(() => line.close());
    return { ...ran, keys: posted().map(({ headers }) => headers.get("idempotency-key")) };
  };

  test("is asked for again with the same key, and the mail is there once", async () => {
    const { code, out, keys } = await lossy(1);
    expect([code, out]).toEqual([0, `✓ Sent to other@e2a.localhost by relay (${(await mails())[0]?.id})\n`]);
    expect(keys[0]).toMatch(/^[0-9a-f-]{36}$/);
    expect(keys).toEqual([keys[0] ?? "", keys[0] ?? ""]);
    expect(await mails()).toHaveLength(1);
  });

  test("three times says that the mail may have left", async () => {
    const { code, err, keys } = await lossy(9);
    expect([code, keys.length, (await mails()).length]).toEqual([1, 3, 1]);
    expect(err).toContain("check `e2a outbox` before you send it again");
  });

  test("of a proxy is asked for again, a refusal of the server is not", async () => {
    let asked = 0;
    const proxy = Bun.serve({
      port: 0,
      fetch: () => (++asked === 1 ? new Response("Bad gateway", { status: 502 }) : refusal()),
    });
    const refusal = () => Response.json({ detail: "550 no", code: "upstream_rejected" }, { status: 502 });
    const flags = ["--agent", "bot@e2a.localhost", "--to", "b@x", "--subject", "S", "--body", "B"];
    const { code, err } = await run(["send", ...flags, "--url", proxy.url.origin]);
    await proxy.stop(true);
    expect([code, err, asked]).toEqual([1, "error: 550 no\n", 2]);
  });

  const problem = (status: number, code?: string) =>
    Response.json({ detail: "Not now", ...(code && { code }) }, { status });
  test.each<[said: string, later: () => Response, asked: number]>([
    ["then a server that is too busy", () => problem(503, "overloaded"), 2],
    ["then a limit", () => problem(429, "rate_limited"), 2],
    ["then a proxy with a problem of its own", () => problem(504), 3],
  ])("%s: the mail may have left", async (_said, later, expected) => {
    let asked = 0;
    const proxy = Bun.serve({
      port: 0,
      fetch: () => (++asked === 1 ? new Response("Bad gateway", { status: 502 }) : later()),
    });
    const flags = ["--agent", "bot@e2a.localhost", "--to", "b@x", "--subject", "S", "--body", "B"];
    const { code, err } = await run(["send", ...flags, "--url", proxy.url.origin]);
    await proxy.stop(true);
    expect([code === 0, asked]).toEqual([false, expected]);
    expect(err).toContain("check `e2a outbox` before you send it again");
  });

  test("is waited for while the server is still at the first request", async () => {
    const answers = [
      () => new Response("Bad gateway", { status: 502 }),
      () => Response.json({ detail: "Still running.", code: "conflict" }, { status: 409 }),
      () => Response.json({ message_id: id, status: "sent", method: "smtp", recipients: [recipient("b@x", "sent")] }),
    ];
    const slow = Bun.serve({ port: 0, fetch: () => answers.shift()?.() ?? new Response(null, { status: 500 }) });
    const flags = ["--agent", "bot@e2a.localhost", "--to", "b@x", "--subject", "S", "--body", "B"];
    const ran = await run(["send", ...flags, "--url", slow.url.origin], { terminal: true });
    await slow.stop(true);
    expect(ran).toEqual({ code: 0, out: `✓ Sent to b@x by smtp (${id})\n`, err: "" });
  });

  test("is not suspected where the first answer is a conflict", async () => {
    let asked = 0;
    const conflict = () => Response.json({ detail: "No such turn.", code: "conflict" }, { status: 409 });
    const busy = Bun.serve({
      port: 0,
      fetch: () => (++asked === 1 ? conflict() : new Response(null, { status: 204 })),
    });
    const flags = ["--agent", "bot@e2a.localhost", "--to", "b@x", "--subject", "S", "--body", "B"];
    const { code, err } = await run(["send", ...flags, "--url", busy.url.origin]);
    await busy.stop(true);
    expect([code, err, asked]).toEqual([1, "error: No such turn.\n", 1]);
  });

  test("is not suspected where nobody listens: the mail has not left", async () => {
    const env = { ...world.env, E2A_URL: "http://127.0.0.1:1", E2A_AGENT_EMAIL: bot };
    const { code, err } = await send(["--body", "B"], { env });
    expect([code, err]).toEqual([1, expect.stringContaining("Is the server running?")]);
    expect(err).not.toContain("outbox");
  });

  test("each command has its own key", async () => {
    for (const text of ["one", "one"]) await send(["--body", text]);
    expect(new Set(posted().map(({ headers }) => headers.get("idempotency-key"))).size).toBe(2);
    expect(await mails()).toHaveLength(2);
  });
});

describe("a large file", () => {
  const large = async (setup: Setup) => {
    const file = join(shell.home, "large.bin");
    await writeFile(file, Buffer.alloc(6_000_000, 7));
    return send(["--body", "B", "--attach", file], setup);
  };

  test("shows how far it is, and takes the line away", async () => {
    const { code, err } = await large({ terminal: true });
    expect(code).toBe(0);
    const percents = [...err.matchAll(/\rSending [\d.]+ [KM]?B of 8\.0 MB, (\d+)%/g)].map(([, percent]) =>
      Number(percent),
    );
    expect(percents.length).toBeGreaterThan(50);
    expect(percents).toEqual(percents.toSorted((a, b) => a - b));
    expect(err).toMatch(/\rSent 8\.0 MB, waiting for the answer… *\r +\r$/);
    const [{ data = "" } = {}] = body().attachments as { data?: string }[];
    expect(Buffer.from(data, "base64").equals(Buffer.alloc(6_000_000, 7))).toBe(true);
  });

  test("is silent in a pipe, and so is a small one", async () => {
    expect((await large({})).err).toBe("");
    expect((await send(["--body", "B"], { terminal: true })).err).toBe("");
  });
});
