import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createHash, createHmac } from "node:crypto";
import { deliver } from "../../../test/smtp/smtp-client.ts";
import { startTestApp, type TestApp } from "../../../test/support/app.ts";
import { freePort } from "../../../test/support/binary.ts";
import { type Sink, startSink } from "../../../test/support/sink.ts";
import { Shell } from "../testing/shell.ts";

const bot = "bot@e2a.localhost";

let server: TestApp;
let shell: Shell;
let sink: Sink;
let env: Record<string, string>;
beforeEach(async () => {
  // A fixed port, so that the listener finds the server again after a restart.
  const port = await freePort();
  server = await startTestApp({ set: { "http.listen_addr": `127.0.0.1:${port}` } });
  await server.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
  env = { E2A_URL: `http://127.0.0.1:${port}`, E2A_API_KEY: server.key, PATH: process.env.PATH ?? "" };
  shell = await Shell.open();
  sink = startSink();
});
afterEach(async () => {
  await sink[Symbol.asyncDispose]();
  await shell.close();
  await server[Symbol.asyncDispose]();
});

async function mail(subject: string): Promise<void> {
  const message = `From: ann@client.example\r\nTo: ${bot}\r\nSubject: ${subject}\r\n\r\nHi\r\n`;
  expect((await deliver(server.app.smtp.port, { to: bot, message })).code).toBe(250);
}

async function statuses(): Promise<string[]> {
  const { body } = await server.api("GET", `/api/v1/agents/${bot}/messages?status=all&page_size=100`);
  return body.messages.map(({ subject, status }: { subject: string; status: string }) => `${subject} ${status}`);
}

test("--forward: a target that fails, a server that restarts in mid-stream twice: each message once, in order, signed", async () => {
  const { body: signing } = await server.api("POST", "/api/v1/users/me/signing-secrets", { name: "test" });
  const subjects = Array.from({ length: 30 }, (_, n) => `mail ${n}`);
  const taken: string[] = [];
  const [again, arrived] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  sink.answer = async ({ body, headers }) => {
    const n = taken.length;
    if (sink.requests.length <= 2) return new Response("not yet", { status: 500 });
    expect(headers["x-e2a-auth-signature"]).toBe(signature(headers, body.raw_message, signing.secret));
    taken.push(body.subject);
    // The message is taken, but the acknowledgement cannot be sent.
    if (n === 9) await server.restart().then(again.resolve);
    if (n === 19) await arrived.promise.then(server.restart);
    return new Response();
  };
  for (const subject of subjects.slice(0, 15)) await mail(subject);
  const running = shell.start(["listen", "--agent", bot, "--forward", sink.url], { env });
  await again.promise;
  for (const subject of subjects.slice(15)) await mail(subject);
  arrived.resolve();
  await running.printed('"subject":"mail 29"');
  running.interrupt();
  const { code, err } = await running.done;
  expect(code).toBe(0);
  expect(taken).toEqual(subjects);
  expect(await statuses()).toEqual(subjects.map((subject) => `${subject} read`));
  expect(err).toContain("answered 500: not yet; try 2 of 4");
}, 60_000);

describe("a model", () => {
  const words = (text: string) =>
    Response.json({ status: "completed", output: [{ type: "message", content: [{ type: "output_text", text }] }] });
  const listen = () =>
    shell.start(["listen", "--agent", bot, "--forward", `${new URL(sink.url).origin}/v1/responses`], { env });
  const answers = async () => (await server.api("GET", "/api/v1/messages")).body.messages;

  test("answers each message once: through a restart, and again after its listener died too early", async () => {
    await mail("one");
    await mail("two");
    sink.answer = async () => {
      if (sink.requests.length === 1) await server.restart();
      return words(`Answer ${sink.requests.length}`);
    };
    const first = listen();
    await first.printed('"subject":"two"');
    first.interrupt();
    expect((await first.done).code).toBe(0);
    const sent = await answers();
    expect(sent.map((one: { subject: string; to: string[] }) => [one.subject, ...one.to])).toEqual([
      ["Re: two", "ann@client.example"],
      ["Re: one", "ann@client.example"],
    ]);
    expect(await statuses()).toEqual(["one read", "two read"]);

    // As if the listener had ended between the reply and the mark.
    const { body } = await server.api("GET", `/api/v1/agents/${bot}/messages?status=all`);
    for (const { message_id } of body.messages)
      await server.api("PATCH", `/api/v1/agents/${bot}/messages/${message_id}`, { status: "unread" });
    const second = listen();
    await second.printed('"subject":"two"');
    second.interrupt();
    expect((await second.done).err).toContain("answered before");
    expect(await answers()).toEqual(sent);
    expect(await statuses()).toEqual(["one read", "two read"]);
  }, 60_000);
});

test("--exec: the command reads the message, and what was proven of it", async () => {
  await mail("question");
  const out = await shell.run(["listen", "--once", "--exec", 'test "$E2A_VERIFIED" = false && cat'], { env });
  expect([out.code, JSON.parse(out.out)]).toEqual([0, expect.objectContaining({ subject: "question", text: "Hi\n" })]);
  expect(await statuses()).toEqual(["question read"]);
});

/** The signature as a receiver computes it (docs/delivery.md). */
function signature(headers: Record<string, string>, raw: string, secret: string): string {
  const value = (name: string) => headers[`x-e2a-auth-${name}`] ?? "";
  const bodyHash = createHash("sha256").update(Buffer.from(raw, "base64")).digest("hex");
  const names = ["verified", "sender", "entity-type", "domain-check", "delegation", "timestamp", "message-id"];
  const text = [...names.map(value), bodyHash].join("\n");
  return createHmac("sha256", secret).update(text).digest("hex");
}
