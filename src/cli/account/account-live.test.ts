import { afterEach, beforeEach, expect, test } from "bun:test";
import { deliver } from "../../../test/smtp/smtp-client.ts";
import { startTestApp, type TestApp } from "../../../test/support/app.ts";
import { freePort } from "../../../test/support/binary.ts";
import { type Sink, startSink } from "../../../test/support/sink.ts";
import { Shell } from "../testing/shell.ts";

let server: TestApp;
let shell: Shell;
let sink: Sink;
beforeEach(async () => {
  server = await startTestApp();
  shell = await Shell.open();
  sink = startSink();
});
afterEach(async () => {
  await sink[Symbol.asyncDispose]();
  await shell.close();
  await server[Symbol.asyncDispose]();
});

const run = async (line: string[], key = server.key) => {
  const { code, out, err } = await shell.run(line, { env: { E2A_URL: server.app.httpUrl, E2A_API_KEY: key } });
  return { code, err, body: out === "" ? null : JSON.parse(out) };
};

test("deliveries of the real server: listed, shown with their attempts, and made again", async () => {
  await run(["agents", "register", "--slug", "bot", "--webhook-url", sink.url]);
  sink.answer = () => new Response("Gone fishing", { status: 410 });
  const message = "From: ann@client.example\r\nTo: bot@e2a.localhost\r\nSubject: Hi\r\n\r\nHi\r\n";
  expect((await deliver(server.app.smtp.port, { to: "bot@e2a.localhost", message })).code).toBe(250);
  await sink.reached(1);
  let [failed] = (await run(["deliveries", "list", "--status", "failed"])).body.deliveries;
  while (!failed) [failed] = (await run(["deliveries", "list", "--status", "failed"])).body.deliveries;
  const shown = await run(["deliveries", "show", failed.id]);
  expect(shown.body.tries).toMatchObject([{ attempt: 1, status: 410, answer: "Gone fishing" }]);

  sink.answer = () => new Response();
  const again = await run(["deliveries", "redeliver", failed.id]);
  expect([again.code, again.body.event_id]).toEqual([0, failed.event_id]);
  await sink.reached(2);
  expect(sink.requests.map(({ headers }) => headers["webhook-id"])).toEqual([failed.event_id, failed.event_id]);
  const since = await run(["deliveries", "redeliver", "--since", "1h", "--agent", "bot"]);
  expect(since.body).toEqual({ redelivered: 0 });
});

test("a webhook of the real server: made, tested, refusing, switched off and on again", async () => {
  const made = await run(["webhooks", "create", sink.url, "--events", "message.received"]);
  expect([made.code, made.body]).toMatchObject([0, { url: sink.url, events: ["message.received"], agents: [] }]);
  const { id } = made.body;
  const tested = await run(["webhooks", "test", id]);
  expect([tested.code, tested.body]).toMatchObject([0, { event_type: "webhook.test", webhook_id: id }]);
  expect(sink.requests[0]?.body).toMatchObject({ type: "webhook.test", id: tested.body.event_id });

  sink.answer = () => new Response("No room", { status: 507 });
  const refused = await run(["webhooks", "test", id]);
  expect([refused.code, refused.err]).toEqual([1, expect.stringContaining("did not take it: 507.")]);
  expect((await run(["webhooks", "update", id, "--status", "disabled"])).body.status).toBe("disabled");
  sink.answer = () => new Response();
  expect((await run(["webhooks", "test", id])).code).toBe(0);
  const enabled = await run(["webhooks", "update", id, "--status", "enabled", "--events", "all"]);
  expect(enabled.body).toMatchObject({ status: "enabled", events: [] });
  const unknown = await run(["webhooks", "update", id, "--events", "mail"]);
  expect([unknown.code, unknown.err]).toEqual([1, expect.stringContaining("message.received")]);
  expect((await run(["deliveries", "--webhook", id])).body.deliveries).toHaveLength(3);
  expect((await run(["webhooks", "delete", id, "--yes"])).code).toBe(0);
  expect((await run(["webhooks", "list"])).body).toEqual({ webhooks: [] });
});

test("the event log of the real server, followed through a restart: each event once, in order", async () => {
  const port = await freePort();
  await using own = await startTestApp({ set: { "http.listen_addr": `127.0.0.1:${port}` } });
  await own.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
  const env = { E2A_URL: `http://127.0.0.1:${port}`, E2A_API_KEY: own.key };
  const mail = async (subject: string) => {
    const message = `From: ann@client.example\r\nTo: bot@e2a.localhost\r\nSubject: ${subject}\r\n\r\nHi\r\n`;
    expect((await deliver(own.app.smtp.port, { to: "bot@e2a.localhost", message })).code).toBe(250);
  };
  await mail("before");
  const running = shell.start(["events", "--follow", "--types", "message.received"], { env });
  await running.said("Following");
  await mail("first");
  await running.printed('"first"');
  await own.restart();
  await mail("second");
  await running.printed('"second"');
  running.interrupt();
  const { code, out } = await running.done;
  const events = out
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect([code, events.map(({ data }) => data.subject)]).toEqual([0, ["first", "second"]]);
  const again = await shell.run(["events", "--after", events[0].id, "--agent", "bot"], { env });
  expect(JSON.parse(again.out).events.map(({ id }: { id: string }) => id)).toEqual([events[1].id]);
  const newest = await shell.run(["events", "--limit", "2"], { env });
  expect(JSON.parse(newest.out).events.map(({ id }: { id: string }) => id)).toEqual([events[1].id, events[0].id]);
});

test("a key for one agent is that agent's alone, until it is revoked", async () => {
  for (const slug of ["mine", "other"]) await run(["agents", "register", "--slug", slug]);
  const made = (await run(["keys", "create", "bot", "--agent", "mine", "--expires", "30d"])).body;
  expect(made).toMatchObject({ name: "bot", scope: "agent", agent: "mine@e2a.localhost" });
  expect((await run(["inbox", "--agent", "mine@e2a.localhost"], made.key)).code).toBe(0);
  expect((await run(["inbox", "--agent", "other@e2a.localhost"], made.key)).code).toBe(1);
  expect((await run(["keys", "list"])).body.keys.map(({ id }: { id: string }) => id)).toContain(made.id);
  expect((await run(["keys", "delete", made.id, "--yes"])).code).toBe(0);
  expect((await run(["inbox", "--agent", "mine@e2a.localhost"], made.key)).code).toBe(4);
});
