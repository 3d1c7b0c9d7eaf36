import { describe, expect, test } from "bun:test";
import { SQL } from "bun";
import { deliver } from "../../test/smtp/smtp-client.ts";
import { mailFor } from "../../test/store/rows.ts";
import { request, startTestApp, type TestApp } from "../../test/support/app.ts";
import { listen } from "../../test/support/listener.ts";
import { SocketClient } from "../../test/support/socket-client.ts";
import { until } from "../../test/support/until.ts";
import { type Signal, tell } from "../store/engine/engine.ts";
import type { AgentRow, EventRow } from "../store/schema.ts";
import { type Clock, systemClock, TestClock } from "../util/clock.ts";
import { silentLog } from "../util/log.ts";
import { createEventFeed } from "./event-feed.ts";
import { createHub, type HubConnection } from "./hub.ts";
import type { HubSocket } from "./live-socket.ts";

const bot = "bot@e2a.localhost";

async function appWithBot(database: "sqlite" | "postgres" = "sqlite"): Promise<TestApp> {
  const t = await startTestApp({ database });
  expect((await t.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" })).status).toBe(201);
  return t;
}

async function send(t: TestApp, subject: string) {
  const message = `From: a@client.example\r\nSubject: ${subject}\r\nMessage-ID: <${subject}@client.example>\r\n\r\nHi\r\n`;
  expect((await deliver(t.app.smtp.port, { to: bot, message })).code).toBe(250);
}

for (const database of ["sqlite", "postgres"] as const)
  test(`unread first, oldest first, then live: no gap and no double (${database})`, async () => {
    await using t = await appWithBot(database);
    for (const n of [0, 1, 2]) await send(t, `early-${n}`);
    // One of the early messages is read already and is not sent again.
    const { body } = await t.api("GET", `/api/v1/agents/${bot}/messages`);
    await t.api("GET", `/api/v1/agents/${bot}/messages/${body.messages[1].message_id}`);

    const total = 60;
    const sending = Promise.all(
      Array.from({ length: 4 }, async (_, sender) => {
        for (let i = 0; i < total / 4; i++) await send(t, `live-${sender}-${i}`);
      }),
    );
    // The consumer connects in the middle of the stream: the case in which stored and live messages meet.
    await using listener = listen(t.app.httpUrl, bot, t.key);
    await sending;
    await listener.reached(2 + total);

    const { body: all } = await t.api("GET", `/api/v1/agents/${bot}/messages?status=all&page_size=100`);
    const inOrder = all.messages.map((m: { subject: string }) => m.subject).filter((s: string) => s !== "early-1");
    expect(listener.frames.map((frame) => frame.subject)).toEqual(inOrder);
    const first = all.messages[0];
    expect(listener.frames[0]).toEqual({
      type: "message.received",
      event_id: expect.stringMatching(/^evt_[0-9a-f]{32}$/),
      message_id: first.message_id,
      conversation_id: first.conversation_id,
      from: "a@client.example",
      recipient: bot,
      subject: "early-0",
      received_at: first.created_at,
      verified: false,
      auto_submitted: null,
      list_id: null,
      precedence: null,
      in_reply_to: null,
    });
  });

/** Resolves when the server has sent mail to another agent's listener: earlier listeners have had a turn by then. */
async function othersHaveHeard(t: TestApp, slug: string) {
  await t.api("POST", "/api/v1/agents", { slug, agent_mode: "local" });
  const address = `${slug}@e2a.localhost`;
  await using listener = listen(t.app.httpUrl, address, t.key);
  await listener.opened;
  await t.api("POST", `/api/v1/agents/${address}/test`);
  await listener.reached(1);
}

test("who has read everything hears only what is new when it comes back", async () => {
  await using t = await appWithBot();
  for (const n of [1, 2]) await send(t, `m-${n}`);
  const { body } = await t.api("GET", `/api/v1/agents/${bot}/messages`);
  for (const { message_id } of body.messages) await t.api("GET", `/api/v1/agents/${bot}/messages/${message_id}`);
  await using again = listen(t.app.httpUrl, bot, t.key);
  await again.opened;
  await othersHaveHeard(t, "other");
  for (const n of [3, 4]) {
    await send(t, `m-${n}`);
    await again.reached(n - 2);
  }
  expect(again.frames.map((frame) => frame.subject)).toEqual(["m-3", "m-4"]);
});

test("what was acknowledged does not come again, what was not does", async () => {
  await using t = await appWithBot();
  for (const n of [1, 2]) await send(t, `m-${n}`);
  {
    await using listener = listen(t.app.httpUrl, bot, t.key);
    await listener.reached(2);
    listener.send({ ack: listener.frames[0].message_id });
    // Anything else a client may send is ignored.
    for (const nonsense of ["", { ack: 7 }, { ack: "msg_unknown" }, null]) listener.send(nonsense);
    await until("one of two is read", async () => {
      const { body } = await t.api("GET", `/api/v1/agents/${bot}/messages`);
      return body.messages.length === 1;
    });
  }
  await using again = listen(t.app.httpUrl, bot, t.key);
  await again.reached(1);
  await send(t, "m-3");
  await again.reached(2);
  expect(again.frames.map((frame) => frame.subject)).toEqual(["m-2", "m-3"]);
});

describe("a consumer is closed with a code that says why", () => {
  test("4000 when a newer one comes", async () => {
    await using t = await appWithBot();
    await using first = listen(t.app.httpUrl, bot, t.key);
    await first.opened;
    await using second = listen(t.app.httpUrl, bot, t.key);
    expect(await first.closed).toEqual({ code: 4000, reason: "replaced" });
    await send(t, "for the second");
    await second.reached(1);
    expect(first.frames).toEqual([]);
  });

  test("1001 when the server stops", async () => {
    await using t = await appWithBot();
    await using listener = listen(t.app.httpUrl, bot, t.key);
    await listener.opened;
    await t.restart();
    expect(await listener.closed).toEqual({ code: 1001, reason: "shutting down" });
  });

  test("1008 when its key is revoked or its agent deleted", async () => {
    await using t = await appWithBot();
    const { body: key } = await t.api("POST", "/api/v1/keys", { name: "bot", scope: "agent", agent: bot });
    await using listener = listen(t.app.httpUrl, bot, key.key);
    await listener.opened;
    await t.api("DELETE", `/api/v1/keys/${key.id}`);
    expect(await listener.closed).toEqual({ code: 1008, reason: "key revoked" });

    await using other = listen(t.app.httpUrl, bot, t.key);
    await other.opened;
    await t.api("DELETE", `/api/v1/agents/${bot}`);
    expect(await other.closed).toEqual({ code: 1008, reason: "agent deleted" });
  });
});

test("a frame says when no person wrote the message", async () => {
  await using t = await appWithBot();
  await using listener = listen(t.app.httpUrl, bot, t.key);
  await listener.opened;
  const message = [
    "From: Away <away@client.example>",
    "Subject: Out of office",
    "Auto-Submitted: auto-replied (vacation)",
    "List-Id: Friends <friends.client.example>",
    "Precedence: Bulk",
    "",
    "Back on Monday",
    "",
  ].join("\r\n");
  expect((await deliver(t.app.smtp.port, { to: bot, message })).code).toBe(250);
  await listener.reached(1);
  expect(listener.frames[0]).toMatchObject({
    auto_submitted: "auto-replied",
    list_id: "friends.client.example",
    precedence: "bulk",
  });
});

test("a frame says which message it answers", async () => {
  await using t = await appWithBot();
  await using listener = listen(t.app.httpUrl, bot, t.key);
  await listener.opened;
  const message =
    "From: a@client.example\r\nSubject: Re\r\nIn-Reply-To: <1@e2a.localhost> <2@x.example>\r\n\r\nYes\r\n";
  expect((await deliver(t.app.smtp.port, { to: bot, message })).code).toBe(250);
  await listener.reached(1);
  expect(listener.frames[0]).toMatchObject({ in_reply_to: "<1@e2a.localhost>" });
});

test("a paused agent hears nothing until it is released", async () => {
  await using t = await appWithBot();
  await t.api("PATCH", `/api/v1/agents/${bot}`, { paused: true });
  await send(t, "while paused");
  await using listener = listen(t.app.httpUrl, bot, t.key);
  await listener.opened;
  await othersHaveHeard(t, "other");
  await send(t, "while it listens");
  await othersHaveHeard(t, "third");
  expect(listener.frames).toEqual([]);
  await t.api("PATCH", `/api/v1/agents/${bot}`, { paused: false });
  await listener.reached(2);
  expect(listener.frames.map((frame) => frame.subject)).toEqual(["while paused", "while it listens"]);
});

test("wait answers as soon as mail is there", async () => {
  await using t = await appWithBot();
  const waiting = t.api("GET", `/api/v1/agents/${bot}/messages/wait?timeout=30`);
  await send(t, "worth the wait");
  const answer = await waiting;
  expect(answer.status).toBe(200);
  expect(JSON.stringify(answer.body)).toContain("worth the wait");
});

test("what was acknowledged just before the server stops is read when it is back", async () => {
  await using t = await appWithBot();
  await send(t, "m-1");
  const { store } = t.app;
  const { markRead } = store;
  const taken = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  store.markRead = async (...asked) => {
    taken.resolve();
    await released.promise;
    return markRead(...asked);
  };
  await using listener = listen(t.app.httpUrl, bot, t.key);
  await listener.reached(1);
  listener.send({ ack: listener.frames[0].message_id });
  await taken.promise;
  const { httpUrl } = t.app;
  const restarted = t.restart();
  expect((await listener.closed).code).toBe(1001);
  // A server that did not wait for the ack would continue its shutdown and answer no more requests.
  const answers = () =>
    fetch(`${httpUrl}/api/health`)
      .then(({ ok }) => ok)
      .catch(() => false);
  for (let n = 0; n < 30 && (await answers()); n++);
  for (let turn = 0; turn < 200; turn++) await new Promise(setImmediate);
  released.resolve();
  await restarted;
  expect((await t.api("GET", `/api/v1/agents/${bot}/messages`)).body.messages).toEqual([]);
});

test("what nobody could tell this node while its line was lost is found once it is back", async () => {
  await using t = await appWithBot("postgres");
  await send(t, "m-1");
  const { store } = t.app;
  const [event] = (await t.api("GET", "/api/v1/events")).body.events;
  await store.setReadStatus(bot, event.data.message_id, "read");
  const follow = `${t.app.httpUrl.replace(/^http/, "ws")}/api/v1/events/ws?after=${event.id}`;
  const looked = Promise.withResolvers<void>();
  let looks = 0;
  const { listMessages, readEvents } = store;
  const counted = async <T>(look: Promise<T>): Promise<T> => {
    const found = await look;
    if (++looks === 3) looked.resolve();
    return found;
  };
  store.listMessages = (...asked) => counted(listMessages(...asked));
  store.readEvents = (...asked) => counted(readEvents(...asked));
  await using follower = await SocketClient.open(follow, t.key);
  const mail = t.api("GET", `/api/v1/agents/${bot}/messages/wait?timeout=15`);
  const events = t.api("GET", `/api/v1/events?after=${event.id}&wait=15`);
  await looked.promise;
  // Write past the application, without a signal.
  await using sql = new SQL((t.app.config.database as { url: string }).url, { max: 1 });
  await sql`UPDATE messages SET status = 'unread'`;
  await sql`INSERT INTO events (id, user_id, agent_id, type, data, created_at)
    SELECT ${`evt_${"f".repeat(32)}`}, user_id, agent_id, type, data, created_at FROM events WHERE id = ${event.id}`;
  await sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'e2a listen'`;
  expect((await mail).body.messages).toMatchObject([{ subject: "m-1" }]);
  expect((await events).body.events).toMatchObject([{ id: `evt_${"f".repeat(32)}` }]);
  expect(await follower.next()).toMatchObject({ id: `evt_${"f".repeat(32)}` });
});

/** A separate hub on the app's store, with three messages for the agent; the test controls its sockets and signals. */
async function ownHub(clock: Clock = systemClock) {
  const t = await appWithBot();
  const { store } = t.app;
  for (const n of [1, 2, 3]) await store.acceptInbound(mailFor(bot, { subject: `m-${n}` }));
  const agent = await store.getAgent(bot);
  if (!agent) throw new Error("there is no agent");
  const listeners: ((signal: Signal) => void)[] = [];
  const line = { isLost: false, tell: (signal: Signal) => tell(listeners, signal) };
  const { onSignal } = store;
  store.onSignal = (listener) => {
    listeners.push(listener);
    return onSignal((signal) => !line.isLost && listener(signal));
  };
  const feed = createEventFeed({ store, clock });
  const hub = createHub({ store, feed, clock, log: silentLog });
  const { body } = await t.api("GET", "/api/v1/keys");
  const proof = { id: body.keys[0].id as string, via: "key", expiresAt: null } as const;
  /** A socket that drops the frame of this number, counted from 1, and in which so many bytes wait. */
  const attach = (kind: "mail" | "events", dropped = 0, waitingBytes = 0, to: AgentRow = agent) => {
    const subjects: string[] = [];
    const closes: unknown[] = [];
    let tried = 0;
    let wake = () => {};
    const socket: HubSocket = {
      send(frame) {
        const isDropped = ++tried === dropped;
        const { subject, data } = JSON.parse(frame);
        if (!isDropped) subjects.push(subject ?? data.subject);
        wake();
        return isDropped ? 0 : waitingBytes > 0 ? -1 : frame.length;
      },
      getBufferedAmount: () => waitingBytes,
      ping() {},
      close: (code, reason) => void closes.push({ code, reason }),
    };
    const owner = { userId: t.userId, agentId: null };
    return {
      subjects,
      closes,
      connection:
        kind === "mail" ? hub.attach(to, proof, socket) : hub.follow({ owner, types: [], after: null }, proof, socket),
      async until(isThere: (tried: number) => boolean) {
        while (!isThere(tried))
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      },
    };
  };
  return {
    ...{ t, hub, feed, attach, line },
    async [Symbol.asyncDispose]() {
      await hub.close();
      feed.close();
      await t[Symbol.asyncDispose]();
    },
  };
}

for (const kind of ["mail", "events"] as const)
  test(`a frame that the network dropped comes again when there is room (${kind})`, async () => {
    await using it = await ownHub();
    const { subjects, connection, until } = it.attach(kind, 2);
    await until((tried) => tried === 2);
    connection.onDrain();
    await until(() => subjects.includes("m-3"));
    expect(subjects).toEqual(["m-1", "m-2", "m-3"]);
  });

for (const kind of ["mail", "events"] as const)
  test(`whoever reads only a part of what waits is too slow all the same (${kind})`, async () => {
    const clock = new TestClock();
    await using it = await ownHub(clock);
    const { closes, connection, until } = it.attach(kind, 0, 1_000_000);
    await until((tried) => tried === 1);
    clock.advance(20_000);
    connection.onDrain();
    expect(closes).toEqual([]);
    clock.advance(10_000);
    expect(closes).toEqual([{ code: 1013, reason: "too slow" }]);
  });

for (const kind of ["mail", "events"] as const)
  test(`who may have missed a signal reads on (${kind})`, async () => {
    await using it = await ownHub();
    const { subjects, until } = it.attach(kind);
    await until((tried) => tried === 3);
    it.line.isLost = true;
    await it.t.app.store.acceptInbound(mailFor(bot, { subject: "m-4" }));
    it.line.tell({ topic: kind, key: "" });
    await until((tried) => tried === 4);
    expect(subjects).toEqual(["m-1", "m-2", "m-3", "m-4"]);
  });

test("who waits for mail and may have missed a signal looks again at once", async () => {
  await using it = await ownHub(new TestClock());
  const woken = it.hub.waitForMail(bot, 60_000).then(() => true);
  const asleep = () => new Promise((resolve) => setImmediate(() => resolve(false)));
  expect(await Promise.race([woken, asleep()])).toBe(false);
  it.line.tell({ topic: "mail", key: "" });
  expect(await Promise.race([woken, asleep()])).toBe(true);
});

test("who waits for an event and may have missed a signal looks again at once", async () => {
  await using it = await ownHub(new TestClock());
  const { store } = it.t.app;
  const log = { owner: { userId: it.t.userId, agentId: null }, types: [], limit: 1 };
  const [last] = (await it.feed.look({ ...log, after: null, sort: "desc" })).rows;
  const { readEvents } = store;
  const looked = Promise.withResolvers<void>();
  store.readEvents = async (...asked) => {
    const found = await readEvents(...asked);
    looked.resolve();
    return found;
  };
  const waiting = it.feed.read({ ...log, after: last as EventRow, sort: "asc" }, 60_000);
  await looked.promise;
  it.line.isLost = true;
  await store.acceptInbound(mailFor(bot, { subject: "m-4" }));
  it.line.tell({ topic: "events", key: "" });
  expect(await waiting).toMatchObject([{ data: { subject: "m-4" } }]);
});

test("a wait for mail that is over takes no memory, while another one goes on", async () => {
  await using it = await ownHub(new TestClock());
  const longer = it.hub.waitForMail(bot, 60_000);
  const waits = Array.from({ length: 100 }, () => {
    const gone = new AbortController();
    const over = it.hub.waitForMail(bot, 60_000, gone.signal);
    gone.abort();
    return { signal: new WeakRef(gone.signal), over };
  });
  await Promise.all(waits.map(({ over }) => over));
  await new Promise(setImmediate);
  Bun.gc(true);
  // The collector may take a few for used.
  expect(waits.filter(({ signal }) => signal.deref()).length).toBeLessThan(50);
  await it.hub.close();
  await longer;
});

test("what a consumer says after its end counts for nothing", async () => {
  await using it = await ownHub();
  const { store } = it.t.app;
  const [first, second] = await store.listMessages(bot, { status: "unread" }, { sort: "asc", limit: 2 });
  const old = it.attach("mail");
  await old.until((tried) => tried === 3);
  const now = it.attach("mail");
  old.connection.onMessage(JSON.stringify({ ack: first?.id }));
  now.connection.onMessage(JSON.stringify({ ack: second?.id }));
  const unread = async () =>
    (await it.t.api("GET", `/api/v1/agents/${bot}/messages`)).body.messages.map((m: { subject: string }) => m.subject);
  while ((await unread()).includes("m-2"));
  expect(await unread()).toEqual(["m-1", "m-3"]);
});

test("one write at a time stores the acks of all consumers, and accounts take turns", async () => {
  await using it = await ownHub();
  const { store } = it.t.app;
  const key = await it.t.newAccount();
  await request(`${it.t.app.httpUrl}/api/v1/agents`, key, "POST", { slug: "other", agent_mode: "local" });
  const other = await store.getAgent("other@e2a.localhost");
  if (!other) throw new Error("there is no agent");
  const { markRead } = store;
  const writes: { asked: Parameters<typeof markRead>[0]; end: () => void }[] = [];
  let wake = () => {};
  store.markRead = async (asked) => {
    await new Promise<void>((end) => {
      writes.push({ asked, end });
      wake();
    });
    return markRead(asked);
  };
  const nth = async (n: number) => {
    while (writes.length < n)
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    return writes[n - 1]!;
  };
  const countsOf = ({ asked }: (typeof writes)[number]) =>
    asked.map(({ agentId, messageIds }) => [agentId, messageIds.length]);
  const ack = (from: { connection: HubConnection }, id: string) =>
    from.connection.onMessage(JSON.stringify({ ack: id }));
  const greedy = it.attach("mail");
  const modest = it.attach("mail", 0, 0, other);

  ack(greedy, "msg_first");
  const first = await nth(1);
  for (let n = 0; n < 700; n++) ack(greedy, `msg_${n}`);
  const [mine] = await store.listMessages(bot, { status: "unread" }, { sort: "asc", limit: 1 });
  ack(modest, "msg_modest");
  ack(greedy, mine?.id ?? "");
  expect(countsOf(first)).toEqual([[bot, 1]]);
  first.end();
  const second = await nth(2);
  expect(new Map(countsOf(second) as [string, number][])).toEqual(
    new Map([
      [bot, 499],
      [other.id, 1],
    ]),
  );
  second.end();
  const third = await nth(3);
  expect(countsOf(third)).toEqual([[bot, 202]]);
  expect(writes).toHaveLength(3);
  third.end();
  await it.hub.close();
  expect(await store.listMessages(bot, { status: "unread" }, { sort: "asc", limit: 9 })).toHaveLength(2);
});

describe("while the store is busy", () => {
  /** A hub whose first write of acks ends when the hub closes, and a client for each agent that acknowledges. */
  async function busyHub() {
    const it = await ownHub();
    const { store } = it.t.app;
    const taken = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    const stored: string[] = [];
    store.markRead = async (asked) => {
      for (const { messageIds } of asked) stored.push(...messageIds);
      taken.resolve();
      await released.promise;
    };
    const ack = ({ connection }: { connection: HubConnection }, name: string, count: number) => {
      for (let n = 0; n < count; n++) connection.onMessage(`{"ack":"msg_${name}_${n}"}`);
    };
    ack(it.attach("mail"), "first", 1);
    await taken.promise;
    return {
      ...{ attach: it.attach, ack },
      /** How many acks of each name were stored, once all are. */
      async counts() {
        released.resolve();
        await it.hub.close();
        return Object.fromEntries(
          Map.groupBy(stored, (id) => id.split("_")[1])
            .entries()
            .map(([k, v]) => [k, v.length]),
        );
      },
      [Symbol.asyncDispose]: () => it[Symbol.asyncDispose](),
    };
  }

  test("the acks of a client that has left are stored once each", async () => {
    await using it = await busyHub();
    const client = it.attach("mail");
    it.ack(client, "left", 2_000);
    it.ack(client, "left", 900);
    client.connection.onClose();
    const again = it.attach("mail");
    it.ack(again, "left", 2_000);
    expect([client.closes, again.closes]).toEqual([[], []]);
    expect(await it.counts()).toEqual({ first: 1, left: 2_000 });
  });

  test("acks within the limit are stored, also of a client that exceeds it", async () => {
    await using it = await busyHub();
    const client = it.attach("mail");
    it.ack(client, "greedy", 5_000);
    expect(client.closes).toEqual([{ code: 1008, reason: "too many frames" }]);
    expect(await it.counts()).toEqual({ first: 1, greedy: 3_000 });
  });

  test("clients that connect, acknowledge and leave cannot fill the memory, and acks of frames sent are stored", async () => {
    await using it = await busyHub();
    for (const name of ["a", "b", "c", "d"]) {
      const client = it.attach("mail");
      it.ack(client, name, 1_000);
      client.connection.onClose();
    }
    const last = it.attach("mail");
    await last.until((tried) => tried === 3);
    it.ack(last, "last", 5);
    expect(await it.counts()).toEqual({ first: 1, a: 1_000, b: 1_000, c: 1_000, last: 3 });
  });
});

test("a hub that has closed takes nobody in any more, and each that it had was told once", async () => {
  await using it = await ownHub();
  const early = [it.attach("mail"), it.attach("events")];
  await it.hub.close();
  const late = [it.attach("mail"), it.attach("events")];
  for (const { connection } of [...early, ...late]) {
    connection.onDrain();
    connection.onClose();
  }
  expect([...early, ...late].map(({ closes }) => closes)).toEqual(
    Array.from({ length: 4 }, () => [{ code: 1001, reason: "shutting down" }]),
  );
});
