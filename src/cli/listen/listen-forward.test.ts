import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { freePort } from "../../../test/support/binary.ts";
import { type Sink, startSink } from "../../../test/support/sink.ts";
import { message } from "../testing/answers.ts";
import { type Setup, Shell } from "../testing/shell.ts";
import { bot, idOf, startWorld, type World } from "../testing/world.ts";
import { retryAfterMs } from "./target-url.ts";

let shell: Shell;
let world: World;
let sink: Sink;
beforeEach(async () => {
  shell = await Shell.open();
  world = await startWorld();
  sink = startSink();
});
afterEach(async () => {
  await sink[Symbol.asyncDispose]();
  await world[Symbol.asyncDispose]();
  await shell.close();
});

const id = (n: number) => idOf(n);
const forward = (flags: string[] = [], setup: Setup = {}) =>
  shell.start(["listen", "--forward", sink.url, ...flags], { ...setup, env: { ...world.env, ...setup.env } });
const got = () => sink.requests.map(({ body }) => body.message_id);

test("the whole message goes there, with its signed headers and the token; then it is read and printed", async () => {
  const auth_headers = { "X-E2A-Auth-Verified": "true", "X-E2A-Auth-Signature": "ab", Authorization: "Bearer forged" };
  const whole = message(1, { auth_headers });
  world.shows(`/agents/${bot}/messages/${id(1)}`, whole);
  await world.receive(1);
  const running = forward(["--forward-token", "t0k3n"]);
  await world.read(1);
  await world.receive(2);
  await running.printed(id(2));
  running.interrupt();
  const { code, out, err } = await running.done;
  expect(code).toBe(0);
  expect(err).toStartWith(`Listening for bot@e2a.localhost and handing it to ${sink.url}. Ctrl-C stops.\n`);
  const [first] = sink.requests;
  expect(first?.body).toEqual(whole);
  expect(first?.headers).toMatchObject({
    authorization: "Bearer t0k3n",
    "content-type": "application/json",
    "x-e2a-auth-verified": "true",
    "x-e2a-auth-signature": "ab",
  });
  expect(world.proxy.requests.find(({ path }) => path.endsWith(id(1)))?.query).toEqual({ peek: "true" });
  expect([got(), world.marked(), world.proxy.acks]).toEqual([[id(1), id(2)], [id(1), id(2)], []]);
  expect(
    out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).message_id),
  ).toEqual([id(1), id(2)]);
});

test("the token may come from the environment; without one there is no Authorization", async () => {
  await world.receive(1);
  await forward(["--once"]).done;
  await world.receive(2);
  await forward(["--once"], { env: { E2A_FORWARD_TOKEN: "secret" } }).done;
  expect(sink.requests.map(({ headers }) => headers.authorization)).toEqual([undefined, "Bearer secret"]);
});

test("a target that fails twice and then answers has each message once, in order", async () => {
  await world.receive(1);
  await world.receive(2);
  await world.receive(3);
  sink.answer = () => new Response("Oops\x1b[2J\nmore", { status: sink.requests.length <= 2 ? 500 : 200 });
  const running = forward();
  await world.read(3);
  running.interrupt();
  const { err } = await running.done;
  expect(got()).toEqual([id(1), id(1), id(1), id(2), id(3)]);
  expect(world.marked()).toEqual([id(1), id(2), id(3)]);
  expect(err).toMatch(
    /\nmsg_0{31}1: http:\/\/\S+\/mail answered 500: Oops more; try 2 of 4, trying again in \d\.\d s\n/,
  );
});

test("a target that is not there yet is waited for, and a restart of the server in between changes nothing", async () => {
  const port = await freePort();
  await world.receive(1);
  await world.receive(2);
  const running = shell.start(["listen", "--forward", `http://127.0.0.1:${port}/`], { env: world.env });
  await running.said(`${id(1)}: http://127.0.0.1:${port}/ cannot be reached (ECONNREFUSED); trying again`);
  world.proxy.drop(1001, "shutting down");
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
  await world.read(2);
  await late.stop(true);
  running.interrupt();
  expect((await running.done).code).toBe(0);
  expect([posted, world.marked()]).toEqual([
    [id(1), id(2)],
    [id(1), id(2)],
  ]);
});

test("what was taken while the server was away is not handed over again", async () => {
  await world.receive(1);
  sink.answer = () => {
    world.refuses([503, { detail: "Shutting down." }]);
    world.proxy.drop();
    return new Response();
  };
  const running = forward();
  await running.said("was taken but could not be marked read");
  sink.answer = () => new Response();
  world.refuses(null);
  await world.read(1);
  await running.said("Connected again.");
  await world.receive(2);
  await running.printed(id(2));
  running.interrupt();
  await running.done;
  expect(got()).toEqual([id(1), id(2)]);
});

test("Ctrl-C brings the message in hand to its end and begins no other", async () => {
  await world.receive(1);
  await world.receive(2);
  const inHand = Promise.withResolvers<Response>();
  sink.answer = () => inHand.promise;
  const running = forward();
  await sink.reached(1);
  running.interrupt();
  await running.said("Finishing the message in hand.");
  inHand.resolve(new Response());
  expect((await running.done).code).toBe(0);
  expect([got(), world.marked()]).toEqual([[id(1)], [id(1)]]);
});

describe("--once", () => {
  test("ends with 0 when the first message is taken", async () => {
    await world.receive(1);
    await world.receive(2);
    expect((await forward(["--once"]).done).code).toBe(0);
    expect([got(), world.marked()]).toEqual([[id(1)], [id(1)]]);
  });

  test("ends with 1, the message unread, when it is not; a redirect is a refusal", async () => {
    await world.receive(1);
    sink.answer = () => Response.redirect(`${world.proxy.url}/api/v1/agents`, 307);
    const { code, out, err } = await forward(["--once"]).done;
    expect([code, out, sink.requests.length]).toEqual([1, "", 4]);
    expect(err).toContain(`error: ${id(1)} was not taken: ${sink.url} redirects to ${world.proxy.url}/api/v1/agents`);
    expect(err).toEndWith("fix: It stays unread, and comes again.\n");
    expect(await world.api("GET", `/agents/${bot}/messages/${id(1)}?peek=true`)).toMatchObject({ status: "unread" });
    expect(world.proxy.requests.some(({ method }) => method === "POST")).toBe(false);
  });

  test("a target that does not answer in time has not taken it", async () => {
    await world.receive(1);
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
      const { code, out, err } = await shell.run(["listen", ...flags], { env: world.env });
      expect([code, out]).toEqual([2, ""]);
      expect(err).toContain(said);
    });
  }
});
