import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { freePort } from "../../../test/support/binary.ts";
import { type Sink, startSink } from "../../../test/support/sink.ts";
import { agent, message } from "../testing/samples.ts";
import { WireServer } from "../testing/server.ts";
import { type Setup, Shell } from "../testing/shell.ts";
import { retryAfterMs } from "./target-url.ts";

let shell: Shell;
let server: WireServer;
let sink: Sink;
beforeEach(async () => {
  shell = await Shell.open();
  server = new WireServer();
  server.agents = [agent("bot@e2a.localhost")];
  sink = startSink();
});
afterEach(async () => {
  await sink[Symbol.asyncDispose]();
  await server.close();
  await shell.close();
});

const id = (n: number) => message(n).message_id;
const forward = (flags: string[] = [], setup: Setup = {}) =>
  shell.start(["listen", "--forward", sink.url, ...flags], { ...setup, env: { ...server.env, ...setup.env } });
const got = () => sink.requests.map(({ body }) => body.message_id);

test("the whole message goes there, with its signed headers and the token; then it is read and printed", async () => {
  const auth_headers = { "X-E2A-Auth-Verified": "true", "X-E2A-Auth-Signature": "ab", Authorization: "Bearer forged" };
  server.messages = [message(1, { auth_headers })];
  const running = forward(["--forward-token", "t0k3n"]);
  await server.read(1);
  server.deliver(message(2));
  await running.printed(id(2));
  running.interrupt();
  const { code, out, err } = await running.done;
  expect(code).toBe(0);
  expect(err).toStartWith(`Listening for bot@e2a.localhost and handing it to ${sink.url}. Ctrl-C stops.\n`);
  const [first] = sink.requests;
  expect(first?.body).toEqual({ ...server.messages[0], status: "unread" });
  expect(first?.headers).toMatchObject({
    authorization: "Bearer t0k3n",
    "content-type": "application/json",
    "x-e2a-auth-verified": "true",
    "x-e2a-auth-signature": "ab",
  });
  expect(server.requests.find(({ path }) => path.endsWith(id(1)))?.query).toEqual({ peek: "true" });
  expect([got(), server.marked, server.acks]).toEqual([[id(1), id(2)], [id(1), id(2)], []]);
  expect(
    out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).message_id),
  ).toEqual([id(1), id(2)]);
});

test("the token may come from the environment; without one there is no Authorization", async () => {
  server.messages = [message(1)];
  await forward(["--once"]).done;
  server.messages = [message(2)];
  await forward(["--once"], { env: { E2A_FORWARD_TOKEN: "secret" } }).done;
  expect(sink.requests.map(({ headers }) => headers.authorization)).toEqual([undefined, "Bearer secret"]);
});

test("a target that fails twice and then answers has each message once, in order", async () => {
  server.messages = [message(1), message(2), message(3)];
  sink.answer = () => new Response("Oops\x1b[2J\nmore", { status: sink.requests.length <= 2 ? 500 : 200 });
  const running = forward();
  await server.read(3);
  running.interrupt();
  const { err } = await running.done;
  expect(got()).toEqual([id(1), id(1), id(1), id(2), id(3)]);
  expect(server.marked).toEqual([id(1), id(2), id(3)]);
  expect(err).toMatch(
    /\nmsg_0{31}1: http:\/\/\S+\/mail answered 500: Oops more; try 2 of 4, trying again in \d\.\d s\n/,
  );
});

test("a target that is not there yet is waited for, and a restart of the server in between changes nothing", async () => {
  const port = await freePort();
  server.messages = [message(1), message(2)];
  const running = shell.start(["listen", "--forward", `http://127.0.0.1:${port}/`], { env: server.env });
  await running.said(`${id(1)}: http://127.0.0.1:${port}/ cannot be reached (ECONNREFUSED); trying again`);
  server.drop(1001, "shutting down");
  await running.said("Connected again.");
  const posted: string[] = [];
  const late = Bun.serve({
    port,
    hostname: "127.0.0.1",
    async fetch(request) {
      posted.push(((await request.json()) as { message_id: string }).message_id);
      return new Response();
    },
  });
  await server.read(2);
  await late.stop(true);
  running.interrupt();
  expect((await running.done).code).toBe(0);
  expect([posted, server.marked]).toEqual([
    [id(1), id(2)],
    [id(1), id(2)],
  ]);
});

test("what was taken while the server was away is not handed over again", async () => {
  server.messages = [message(1)];
  sink.answer = () => {
    server.refusal = [503, { detail: "Shutting down." }];
    server.drop();
    return new Response();
  };
  const running = forward();
  await running.said("was taken but could not be marked read");
  sink.answer = () => new Response();
  server.refusal = null;
  await server.read(1);
  await running.said("Connected again.");
  server.deliver(message(2));
  await running.printed(id(2));
  running.interrupt();
  await running.done;
  expect(got()).toEqual([id(1), id(2)]);
});

test("Ctrl-C brings the message in hand to its end and begins no other", async () => {
  server.messages = [message(1), message(2)];
  const inHand = Promise.withResolvers<Response>();
  sink.answer = () => inHand.promise;
  const running = forward();
  await sink.reached(1);
  running.interrupt();
  await running.said("Finishing the message in hand.");
  inHand.resolve(new Response());
  expect((await running.done).code).toBe(0);
  expect([got(), server.marked]).toEqual([[id(1)], [id(1)]]);
});

describe("--once", () => {
  test("ends with 0 when the first message is taken", async () => {
    server.messages = [message(1), message(2)];
    expect((await forward(["--once"]).done).code).toBe(0);
    expect([got(), server.marked]).toEqual([[id(1)], [id(1)]]);
  });

  test("ends with 1, the message unread, when it is not; a redirect is a refusal", async () => {
    server.messages = [message(1)];
    sink.answer = () => Response.redirect(`${server.url}/api/v1/agents`, 307);
    const { code, out, err } = await forward(["--once"]).done;
    expect([code, out, sink.requests.length]).toEqual([1, "", 4]);
    expect(err).toContain(`error: ${id(1)} was not taken: ${sink.url} redirects to ${server.url}/api/v1/agents`);
    expect(err).toEndWith("fix: It stays unread, and comes again.\n");
    expect(server.messages[0]?.status).toBe("unread");
    expect(server.requests.some(({ method }) => method === "POST")).toBe(false);
  });

  test("a target that does not answer in time has not taken it", async () => {
    server.messages = [message(1)];
    sink.answer = () => new Promise(() => {});
    const { code, err } = await forward(["--once", "--timeout", "0.05"]).done;
    expect([code, err]).toEqual([1, expect.stringContaining("did not answer within 0.05 s")]);
  });
});

test("Retry-After: seconds, a date, nonsense, and never more than an hour", () => {
  const now = Date.parse("2026-05-15T12:00:00Z");
  const cases = ["7", " 0 ", "Fri, 15 May 2026 12:01:00 GMT", "Fri, 15 May 2026 11:00:00 GMT", "86400", "soon", null];
  expect(cases.map((header) => retryAfterMs(header, now))).toEqual([
    ...[7_000, 0, 60_000, 0, 3_600_000, undefined, undefined],
  ]);
});

describe("usage errors", () => {
  const cases: [flags: string[], said: string][] = [
    [["--forward", "localhost:3000"], "http://127.0.0.1:3000/mail"],
    [["--forward", "http://127.0.0.1:3000", "--exec", "cat"], "cannot be used with"],
    [["--forward-token", "t"], "goes with --forward"],
    [["--forward", "http://127.0.0.1:3000/mail", "--model", "m"], "/v1/responses"],
    [["--timeout", "3"], "--forward or --exec"],
    [["--exec", "cat", "--timeout", "never"], "number of seconds"],
  ];
  for (const [flags, said] of cases) {
    test(flags.join(" "), async () => {
      const { code, out, err } = await shell.run(["listen", ...flags], { env: server.env });
      expect([code, out]).toEqual([2, ""]);
      expect(err).toContain(said);
    });
  }
});
