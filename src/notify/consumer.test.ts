import { describe, expect, test } from "bun:test";
import { SQL } from "bun";
import { mailFor } from "../../test/store/rows.ts";
import { openNode } from "../../test/store/stores.ts";
import { startTestApp, type TestApp } from "../../test/support/app.ts";
import { listen } from "../../test/support/listener.ts";
import { opcode, RawWebSocket } from "../../test/support/raw-websocket.ts";
import { SocketClient } from "../../test/support/socket-client.ts";
import { until } from "../../test/support/until.ts";
import { tokenHash } from "../accounts.ts";
import { start } from "../app.ts";
import { TestClock } from "../util/clock.ts";
import { silentLog } from "../util/log.ts";

/** What happens to a WebSocket that is slow, silent, greedy, or whose right to listen ends. */

const bot = "bot@e2a.localhost";

/** An app with the agent; its clock stands still unless the test moves it. */
async function appWithBot(database: "sqlite" | "postgres" = "sqlite") {
  const clock = new TestClock();
  const t = await startTestApp({ database, seams: { clock } });
  expect((await t.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" })).status).toBe(201);
  const connect = (headers: Record<string, string> = { authorization: `Bearer ${t.key}` }) =>
    RawWebSocket.open(t.app.httpUrl, bot, headers);
  return { t, clock, connect, [Symbol.asyncDispose]: () => t[Symbol.asyncDispose]() };
}

/** Stores `count` messages. The subject starts with the number, from `first` on. */
async function store(t: TestApp, count: number, filler = "", first = 1): Promise<void> {
  const mails = Array.from({ length: count }, (_, i) => mailFor(bot, { subject: `${first + i} ${filler}` }));
  // One after the other, so that they are numbered in this order.
  for (const mail of mails) await t.app.store.acceptInbound(mail);
}

const numbersOf = (frames: { subject: string }[]) => frames.map(({ subject }) => Number.parseInt(subject, 10));
const upTo = (count: number) => Array.from({ length: count }, (_, i) => i + 1);

/**
 * The server is in this process: after this many turns of the event loop and answers of its store, its work is done.
 */
async function serverIsAtRest(t: TestApp): Promise<void> {
  for (let turn = 0; turn < 200; turn++) {
    await t.app.store.queueState(new Date());
    await new Promise(setImmediate);
  }
}

describe("a consumer that stops reading", () => {
  /** Characters of 4 bytes, so that the messages are more than the network buffers (4 MB on loopback). */
  const filler = "\u{1f600}".repeat(2_000);
  const many = 2_000;

  test("is closed with 1013 when it goes on for half a minute, and gets the rest when it comes back", async () => {
    await using it = await appWithBot();
    await store(it.t, many, filler);
    await using slow = await it.connect();
    slow.pause();
    await serverIsAtRest(it.t);
    it.clock.advance(29_000);
    await serverIsAtRest(it.t);
    it.clock.advance(1_000);
    slow.resume();
    expect(await slow.closed()).toEqual({ code: 1013, reason: "too slow" });
    const taken = slow.texts().length;
    expect(taken).toBeLessThan(many);
    expect(numbersOf(slow.texts())).toEqual(upTo(taken));
    await slow.ended;

    await using again = await it.connect();
    await again.reached(many);
    expect(numbersOf(again.texts())).toEqual(upTo(many));
  });

  test("gets all, each once and in order, when it reads on before that", async () => {
    await using it = await appWithBot();
    await store(it.t, many - 1, filler);
    await using slow = await it.connect();
    slow.pause();
    await serverIsAtRest(it.t);
    await store(it.t, 1, "live", many);
    it.clock.advance(29_000);
    slow.resume();
    await slow.reached(many);
    it.clock.advance(1_000);
    expect(numbersOf(slow.texts())).toEqual(upTo(many));
  });

  test("and keeps sending pings is closed", async () => {
    await using it = await appWithBot();
    await using slow = await it.connect();
    slow.pause();
    const pings = Array.from({ length: 1_000 }, () => "x".repeat(125));
    slow.send(opcode.ping, ...pings);
    slow.send(opcode.ping, "one more");
    await serverIsAtRest(it.t);
    slow.resume();
    expect(await slow.closed()).toEqual({ code: 1008, reason: "too many frames" });
    await slow.ended;
  });
});

test("a frame carries at most one line of a subject; the message has it whole", async () => {
  await using it = await appWithBot();
  const subject = `1 ${"long ".repeat(400)}`;
  await it.t.app.store.acceptInbound(mailFor(bot, { subject }));
  await using client = await it.connect();
  await client.reached(1);
  const [frame] = client.texts();
  expect(frame.subject).toBe(subject.slice(0, 998));
  expect((await it.t.api("GET", `/api/v1/agents/${bot}/messages/${frame.message_id}`)).body.subject).toBe(subject);
});

test("a consumer is pinged every half minute, and closed when it has not answered by the next one", async () => {
  await using it = await appWithBot();
  await store(it.t, 1);
  await using client = await it.connect();
  await client.reached(1);
  it.clock.advance(30_000);
  await client.until(opcode.ping);
  // The ack after the pong shows when the server has received both.
  client.send(opcode.pong, "");
  client.send(opcode.text, JSON.stringify({ ack: client.texts()[0].message_id }));
  await until("all is read", async () => {
    const { body } = await it.t.api("GET", `/api/v1/agents/${bot}/messages`);
    return body.messages.length === 0;
  });
  const seen = client.frames.length;
  it.clock.advance(30_000);
  await client.until(opcode.ping, seen);
  it.clock.advance(30_000);
  expect(await client.closed()).toEqual({ code: 1001, reason: "ping timeout" });
});

test("a client that acknowledges without end is closed, and its acks of frames count", async () => {
  await using it = await appWithBot();
  await store(it.t, 300);
  await using client = await it.connect();
  await client.reached(300);
  client.send(opcode.text, ...client.texts().map(({ message_id }) => JSON.stringify({ ack: message_id })));
  await until("all is read", async () => {
    const { body } = await it.t.api("GET", `/api/v1/agents/${bot}/messages`);
    return body.messages.length === 0;
  });
  client.send(opcode.text, ...Array.from({ length: 200_000 }, () => `{"ack":"msg_nonsense"}`));
  expect(await client.closed()).toEqual({ code: 1008, reason: "too many frames" });
});

test("a client may reconnect, acknowledge the frames of an earlier connection, and leave at once", async () => {
  await using it = await appWithBot();
  await store(it.t, 2_000);
  await using early = await it.connect();
  await early.reached(2_000);
  await early[Symbol.asyncDispose]();
  await using again = await it.connect();
  again.send(opcode.text, ...early.texts().map(({ message_id }) => JSON.stringify({ ack: message_id })));
  again.send(opcode.close, "");
  await until("all is read", async () => {
    const { body } = await it.t.api("GET", `/api/v1/agents/${bot}/messages`);
    return body.messages.length === 0;
  });
});

describe("the right to listen ends", () => {
  test("with the key's time", async () => {
    await using it = await appWithBot();
    const expires_at = new Date(it.clock.now() + 20_000).toISOString();
    const { body } = await it.t.api("POST", "/api/v1/keys", { name: "short", scope: "agent", agent: bot, expires_at });
    await using client = await it.connect({ authorization: `Bearer ${body.key}` });
    it.clock.advance(19_000);
    await store(it.t, 1);
    await client.reached(1);
    it.clock.advance(1_000);
    await store(it.t, 1);
    expect(await client.closed()).toEqual({ code: 1008, reason: "key expired" });
    expect(client.texts()).toHaveLength(1);
  });

  const session = async ({ t, clock }: Awaited<ReturnType<typeof appWithBot>>) => {
    const now = new Date(clock.now());
    const expiresAt = new Date(clock.now() + 20_000);
    await t.app.store.createSession({
      userId: t.userId,
      tokenHash: tokenHash("browser"),
      now,
      ...{ keyId: null, userAgent: null, ip: null },
      expiresAt,
    });
    return { cookie: "e2a_session=browser", origin: t.app.httpUrl };
  };

  test("with the session's time", async () => {
    await using it = await appWithBot();
    await using client = await it.connect(await session(it));
    it.clock.advance(20_000);
    expect(await client.closed()).toEqual({ code: 1008, reason: "session ended" });
  });

  test("when the browser signs out", async () => {
    await using it = await appWithBot();
    const headers = await session(it);
    await using client = await it.connect(headers);
    const out = await fetch(`${it.t.app.httpUrl}/api/auth/logout`, { method: "POST", headers });
    expect(out.status).toBe(204);
    expect(await client.closed()).toEqual({ code: 1008, reason: "session ended" });
  });

  for (const database of ["sqlite", "postgres"] as const) {
    test(`with the account (${database})`, async () => {
      await using it = await appWithBot(database);
      await using client = await it.connect();
      expect((await it.t.api("DELETE", "/api/v1/users/me?confirm=DELETE")).status).toBe(200);
      expect((await client.closed()).code).toBe(1008);
    });

    test(`with the agent, also when its address is somebody's again at once (${database})`, async () => {
      await using it = await appWithBot(database);
      await store(it.t, 3);
      await using client = await it.connect();
      await client.reached(3);
      const agent = await it.t.app.store.getAgent(bot);
      await it.t.app.store.deleteAgent(bot, new Date());
      it.clock.advance(1);
      await it.t.app.store.createAgent({ ...agent!, lastSeq: 0, createdAt: new Date(it.clock.now()) }, 10);
      await store(it.t, 5);
      expect(await client.closed()).toEqual({ code: 1008, reason: "agent deleted" });
      expect(client.texts()).toHaveLength(3);
    });
  }

  test("with a key that was revoked while nobody could tell this node", async () => {
    await using it = await appWithBot("postgres");
    const { body: key } = await it.t.api("POST", "/api/v1/keys", { name: "bot", scope: "agent", agent: bot });
    await using client = await it.connect({ authorization: `Bearer ${key.key}` });
    await store(it.t, 1);
    await client.reached(1);
    await using sql = new SQL((it.t.app.config.database as { url: string }).url, { max: 1 });
    await sql`DELETE FROM api_keys WHERE id = ${key.id}`;
    await sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND application_name = 'e2a listen'`;
    expect(await client.closed()).toEqual({ code: 1008, reason: "key revoked" });
  });
});

describe("one consumer an agent", () => {
  for (const database of ["sqlite", "postgres"] as const)
    test(`of many that come at once exactly one stays, and hears (${database})`, async () => {
      await using it = await appWithBot(database);
      const clients = await Promise.all(Array.from({ length: 10 }, () => it.connect()));
      await store(it.t, 1);
      const outcomes = await Promise.all(
        clients.map((client) => Promise.race([client.closed().then(({ code }) => code), client.reached(1)])),
      );
      const open = clients.filter((_, i) => outcomes[i] === undefined);
      expect(outcomes.filter((code) => code === 4000)).toHaveLength(9);
      expect(open).toHaveLength(1);
      for (const client of clients) await client[Symbol.asyncDispose]();
    });

  test("over all nodes: the newer one wins, wherever it comes", async () => {
    await using it = await appWithBot("postgres");
    const other = await start(it.t.app.config, { log: silentLog });
    try {
      await store(it.t, 1);
      const here = await it.connect();
      // A consumer that receives a frame has its place in the order.
      await here.reached(1);
      const there = listen(other.httpUrl, bot, it.t.key);
      expect(await here.closed()).toEqual({ code: 4000, reason: "replaced" });
      await there.reached(1);
      await using hereAgain = await it.connect();
      expect(await there.closed).toEqual({ code: 4000, reason: "replaced" });
      await hereAgain.reached(1);
    } finally {
      await other.close();
    }
  });

  test("over all nodes, coming at once: exactly one stays", async () => {
    await using it = await appWithBot("postgres");
    const other = await start(it.t.app.config, { log: silentLog });
    try {
      for (let round = 1; round <= 10; round++) {
        const urls = [it.t.app.httpUrl, other.httpUrl];
        const headers = { authorization: `Bearer ${it.t.key}` };
        const both = await Promise.all(urls.map((url) => RawWebSocket.open(url, bot, headers)));
        const code = await Promise.race(both.map((client) => client.closed().then((closed) => closed.code)));
        expect(code).toBe(4000);
        await store(it.t, 1, "", round);
        await Promise.any(both.map((client) => client.reached(round)));
        for (const client of both) await client[Symbol.asyncDispose]();
      }
    } finally {
      await other.close();
    }
  });

  test("over all nodes, in one order: by time, then by name, told again to who has not heard", async () => {
    await using it = await appWithBot("postgres");
    const { store: own, config } = it.t.app;
    const other = await openNode("postgres", (config.database as { url: string }).url);
    try {
      const told: { id: string; since: number | null }[] = [];
      let since = 0;
      const { announceConsumers } = own;
      own.announceConsumers = async (consumers) => {
        told.push(...consumers.map(({ id, since }) => ({ id, since })));
        since = await announceConsumers(consumers);
        return since;
      };
      await store(it.t, 1);
      await using client = await it.connect();
      await client.reached(1);
      await store(it.t, 1, "", 2);
      await client.reached(2);
      // Its own announcement does not count as another consumer's.
      expect(told).toEqual([{ id: expect.any(String), since: null }]);
      const id = told[0]?.id ?? "";
      const place = since;
      /** Another node's consumer, which this node hears of before the mail that follows. */
      const rival = async (name: string, at: number, number: number) => {
        await other.store.announceConsumers([{ agentId: bot, id: name, since: at }]);
        await other.store.acceptInbound(mailFor(bot, { subject: `${number}` }));
        return Promise.race([client.closed(), client.reached(number)]);
      };
      // An older one whose announcement comes late has missed this one.
      expect(await rival("~", place - 1, 3)).toBeUndefined();
      expect(told.slice(1)).toEqual([{ id, since: place }]);
      // If two came in the same microsecond, their names decide.
      expect(await rival("!", place, 4)).toBeUndefined();
      expect(told.slice(2)).toEqual([{ id, since: place }]);
      expect(await rival("~", place, 5)).toEqual({ code: 4000, reason: "replaced" });
    } finally {
      await other.store.close();
    }
  });

  test("one that the other nodes could not be told of is closed with 1011", async () => {
    await using it = await appWithBot("postgres");
    it.t.app.store.announceConsumers = () => Promise.reject(new Error("The database is away."));
    await using client = await it.connect();
    const outcome = await Promise.race([client.closed(), serverIsAtRest(it.t)]);
    expect(outcome).toEqual({ code: 1011, reason: "internal error" });
  });

  test("one that takes the place of the key's own does not count against the key's limit", async () => {
    await using t = await startTestApp({ set: { "limits.websockets_per_key": 1 } });
    await t.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
    await using first = listen(t.app.httpUrl, bot, t.key);
    await first.opened;
    await using second = listen(t.app.httpUrl, bot, t.key);
    await second.opened;
    expect((await first.closed).code).toBe(4000);
  });
});

test("attempts to connect count as requests do", async () => {
  const clock = new TestClock();
  await using t = await startTestApp({ set: { "limits.api_requests_per_minute": 4 }, seams: { clock } });
  await t.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
  const connect = () => RawWebSocket.open(t.app.httpUrl, bot, { authorization: `Bearer ${t.key}` });
  for (let n = 0; n < 3; n++) await (await connect())[Symbol.asyncDispose]();
  await expect(connect()).rejects.toThrow(/429/);
  clock.advance(60_000);
  await (await connect())[Symbol.asyncDispose]();
});

describe("a client that sends too many frames is closed", () => {
  const tooMany = { code: 1008, reason: "too many frames" };

  for (const [what, kind, payload, allowed] of [
    ["text", opcode.text, "x", 1_000],
    ["empty text", opcode.text, "", 1_000],
    ["acks of messages that it did not get", opcode.text, `{"ack":"msg_${"0".repeat(32)}"}`, 3_000],
    ["bytes", opcode.binary, "x", 1_000],
    ["pings", opcode.ping, "x", 1_000],
    ["pongs", opcode.pong, "x", 1_000],
  ] as const)
    test(`to its agent: ${what}`, async () => {
      await using it = await appWithBot();
      await using client = await it.connect();
      client.send(kind, ...Array.from({ length: allowed + 1 }, () => payload));
      expect(await client.closed()).toEqual(tooMany);
      await client.ended;
    });

  test("to an event log", async () => {
    await using it = await appWithBot();
    const path = `${it.t.app.httpUrl.replace(/^http/, "ws")}/api/v1/events/ws`;
    await using client = await SocketClient.open(path, it.t.key);
    for (let n = 0; n < 1_001; n++) client.send("x");
    expect(await client.closed).toEqual(tooMany);
    await using other = await SocketClient.open(path, it.t.key);
    other.send("x".repeat(1_025));
    expect(await other.closed).toEqual({ code: 1009, reason: "message too large" });
  });

  test("but may send some frames a second, and an ack of each frame that it gets", async () => {
    await using it = await appWithBot();
    await store(it.t, 3);
    await using client = await it.connect();
    await client.reached(3);
    const say = (count: number) => client.send(opcode.text, ...Array.from({ length: count }, () => "x"));
    say(1_000);
    client.send(opcode.text, ...client.texts().map(({ message_id }) => JSON.stringify({ ack: message_id })));
    await until("all is read", async () => {
      const { body } = await it.t.api("GET", `/api/v1/agents/${bot}/messages`);
      return body.messages.length === 0;
    });
    it.clock.advance(1_000);
    say(100);
    await store(it.t, 1, "", 4);
    await client.reached(4);
    client.send(opcode.text, JSON.stringify({ ack: client.texts()[3].message_id }));
    await until("the last is read", async () => {
      const { body } = await it.t.api("GET", `/api/v1/agents/${bot}/messages`);
      return body.messages.length === 0;
    });
    say(1);
    expect(await client.closed()).toEqual(tooMany);
  });
});
