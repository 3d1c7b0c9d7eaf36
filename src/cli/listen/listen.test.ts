import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { cuttableLine } from "../../../test/support/line.ts";
import { until } from "../../../test/support/until.ts";
import { connect } from "../connect/connect.ts";
import { Shell } from "../testing/shell.ts";
import { bot, idOf, startWorld, type World } from "../testing/world.ts";
import { retryWaitMs } from "./handover.ts";

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

const listen = (flags: string[] = [], setup = {}) => shell.start(["listen", ...flags], { env: world.env, ...setup });
const ids = (out: string): string[] =>
  out
    .trim()
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line).message_id);
const acknowledged = (count: number) => until(`${count} are acknowledged`, () => world.proxy.acks.length >= count);
const id = (n: number) => idOf(n);

test("unread first, then live; one line of JSON a message; Ctrl-C ends with 0", async () => {
  await world.receive(1);
  await world.receive(2);
  await world.api("PATCH", `/agents/${bot}/messages/${id(2)}`, { status: "read" });
  await world.receive(3);
  const running = listen(["--json"]);
  await running.printed(id(3));
  await world.receive(4);
  await running.printed(id(4));
  running.interrupt();
  const { code, out, err } = await running.done;
  expect(code).toBe(0);
  expect(ids(out)).toEqual([id(1), id(3), id(4)]);
  expect(err).toBe("Listening for bot@e2a.localhost. Ctrl-C stops.\n");
});

test("a terminal shows time, mark, sender, subject and id, and nothing hostile", async () => {
  await world.receive(1);
  await world.receive(2, { verified: false, subject: "\x1b]0;owned\x07Pay\u202e\nnow", from: "m\x1b[2J@evil.example" });
  const running = listen([], { terminal: true });
  await running.printed(id(2));
  running.interrupt();
  const lines = (await running.done).out.split("\n");
  expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d {2}✓ {2}alice@example.com {2}Hello 1 {2}msg_0{31}1$/);
  expect(lines[1]).toMatch(/^\d\d:\d\d:\d\d {2}✗ {2}m@evil.example {2}Pay now {2}msg_0{31}2$/);
});

describe("a lost connection", () => {
  test("comes back by itself, says so, and prints nothing twice", async () => {
    await world.receive(1);
    const running = listen();
    await running.printed(id(1));
    world.proxy.drop();
    await running.said("Connected again.");
    await world.receive(2);
    await running.printed(id(2));
    running.interrupt();
    const { code, out, err } = await running.done;
    expect(code).toBe(0);
    expect(ids(out)).toEqual([id(1), id(2)]);
    expect(err).toMatch(/connection lost \(1006\); trying again in 0\.\d s\nConnected again\.\n/);
  });

  test("a server that went away is waited for", async () => {
    await using line = await cuttableLine(world.proxy.url);
    const running = listen([], { env: { ...world.env, E2A_URL: new URL(line.urlOf(world.proxy.url)).origin } });
    await running.said("Listening");
    line.cut();
    await running.said("Cannot reach");
    line.mend();
    await world.receive(7);
    await running.printed(id(7));
    running.interrupt();
    expect((await running.done).code).toBe(0);
  });

  test("the interrupt also ends the wait", async () => {
    const running = listen();
    await running.said("Listening");
    world.refuses([503, { detail: "Shutting down." }]);
    world.proxy.drop();
    await running.said("trying again");
    running.interrupt();
    expect((await running.done).code).toBe(0);
  });

  test("when the key was revoked meanwhile, it stops", async () => {
    const running = listen();
    await running.said("Listening");
    world.refuses([401, { detail: "The API key is unknown, revoked or expired.", code: "unauthenticated" }]);
    world.proxy.drop(1001, "shutting down");
    const { code, err } = await running.done;
    expect(code).toBe(4);
    expect(err).toContain("connection closed: shutting down; trying again");
    expect(err).toContain("error: The API key is unknown, revoked or expired.");
  });

  test("waits grow to half a minute, and chance spreads them", () => {
    expect([0, 1, 2, 6, 50].map((n) => retryWaitMs(n, 0))).toEqual([250, 500, 1000, 15_000, 15_000]);
    expect([0, 1, 2, 6, 50].map((n) => retryWaitMs(n, 1))).toEqual([500, 1000, 2000, 30_000, 30_000]);
  });
});

describe("trying again cannot help", () => {
  test("a newer listener took over", async () => {
    const running = listen();
    await running.said("Listening");
    world.proxy.drop(4000, "replaced");
    const { code, err } = await running.done;
    expect(code).toBe(1);
    expect(err).toContain("error: Another listener took over bot@e2a.localhost");
  });

  test("a wrong key", async () => {
    const running = listen(["--agent", "bot@e2a.localhost"], { env: { ...world.env, E2A_API_KEY: "e2a_wrong" } });
    expect(await running.done).toMatchObject({
      code: 4,
      err: expect.stringContaining("The API key is unknown, revoked or expired."),
    });
  });

  test("an unknown agent", async () => {
    const running = listen(["--agent", "gone@e2a.localhost"]);
    expect(await running.done).toMatchObject({
      code: 1,
      err: expect.stringContaining("There is no such agent"),
    });
  });

  test("no server at the start", async () => {
    const env = { ...world.env, E2A_URL: "http://127.0.0.1:1" };
    const running = listen(["--agent", "bot@e2a.localhost"], { env });
    expect(await running.done).toMatchObject({ code: 1, err: expect.stringContaining("Is the server running?") });
  });
});

test("a server that is not ready at the start is waited for", async () => {
  world.refuses([503, { detail: "Starting up." }]);
  const running = listen(["--agent", "bot@e2a.localhost"]);
  await running.said("Starting up; trying again");
  world.refuses(null);
  await running.said("Listening");
  running.interrupt();
  expect((await running.done).code).toBe(0);
});

describe("acknowledging", () => {
  test("only with --ack, after printing, and again when the server shows it again", async () => {
    await world.receive(1);
    await world.receive(2);
    world.proxy.losesAcks = true;
    const running = listen(["--ack"]);
    await acknowledged(2);
    world.proxy.drop();
    await acknowledged(4);
    running.interrupt();
    expect(ids((await running.done).out)).toEqual([id(1), id(2)]);
    expect(world.proxy.acks).toEqual([id(1), id(2), id(1), id(2)]);
  });

  test("not without it", async () => {
    await world.receive(1);
    const running = listen(["--once"]);
    expect(await running.done).toMatchObject({ code: 0 });
    expect(world.proxy.acks).toEqual([]);
  });

  test("--once --ack ends after one, acknowledged", async () => {
    await world.receive(1);
    await world.receive(2);
    const { code, out } = await listen(["--once", "--ack"]).done;
    expect([code, ids(out)]).toEqual([0, [id(1)]]);
    await acknowledged(1);
    expect(world.proxy.acks).toEqual([id(1)]);
  });
});

test("a backlog that is larger than what is kept here comes in parts, in order, each message once", async () => {
  for (let n = 0; n < 7; n++) await world.receive(n);
  const handled: string[] = [];
  let connections = 0;
  const client = connect(world.proxy.url, world.app.key);
  await client.watch("bot@e2a.localhost", {
    ...{ acknowledge: true, aheadMax: 3 },
    async onMessage({ message_id }) {
      // Takes longer than the rest of the backlog needs to arrive.
      await client.agents.list();
      handled.push(message_id);
      await world.api("PATCH", `/agents/${bot}/messages/${message_id}`, { status: "read" });
      return handled.length === 7 ? "stop" : undefined;
    },
    onConnected: () => void connections++,
    onRetry: (reason) => expect.unreachable(String(reason)),
  });
  expect([handled, connections]).toEqual([Array.from({ length: 7 }, (_, n) => id(n)), 3]);
});
