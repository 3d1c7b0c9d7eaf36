import { afterEach, beforeEach, expect, test } from "bun:test";
import { startTestApp, type TestApp } from "../testing/app.ts";
import { type Sink, startSink } from "../testing/sink.ts";
import { deliver } from "../testing/smtp-client.ts";
import { Shell } from "./testing/shell.ts";

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
