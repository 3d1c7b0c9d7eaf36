import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { deliver } from "../../../test/smtp/smtp-client.ts";
import { startTestApp, type TestApp } from "../../../test/support/app.ts";
import { freePort } from "../../../test/support/binary.ts";
import { cuttableLine, type Line } from "../../../test/support/line.ts";
import type * as Sdk from "../src/index.ts";
import {
  AuthenticationError,
  ConnectionClosedError,
  E2AClient,
  E2AConnectionError,
  ListenerReplacedError,
  type Message,
  NotFoundError,
} from "../src/index.ts";

/** Listening and following beyond the contract: broken connections, other consumers, revoked keys. */

const bot = "bot@e2a.localhost";

let server: TestApp;
let line: Line;
beforeEach(async () => {
  const port = await freePort();
  server = await startTestApp({
    set: { "http.listen_addr": `127.0.0.1:${port}`, "limits.api_requests_per_minute": 100_000 },
  });
  await server.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
  line = await cuttableLine(server.app.httpUrl);
});
afterEach(async () => {
  await line[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

async function mail(subject: string): Promise<void> {
  const message = `From: ann@client.example\r\nTo: ${bot}\r\nSubject: ${subject}\r\n\r\n${subject}\r\n`;
  expect((await deliver(server.app.smtp.port, { to: bot, message })).code).toBe(250);
}

const clientWith = (options: object = {}) =>
  new E2AClient({ baseUrl: line.urlOf(server.app.httpUrl), apiKey: server.key, agentEmail: bot, ...options });

async function unread(): Promise<string[]> {
  const { body } = await server.api("GET", `/api/v1/agents/${bot}/messages?page_size=100`);
  return body.messages.map(({ subject }: { subject: string }) => subject);
}

/** Waits for acknowledgements that are still on their way. */
async function expectUnread(...subjects: string[]): Promise<void> {
  for (let attempt = 0; attempt < 100 && (await unread()).length !== subjects.length; attempt++);
  expect(await unread()).toEqual(subjects);
}

async function take(messages: AsyncIterator<Message, void>, count: number): Promise<string[]> {
  const subjects: string[] = [];
  while (subjects.length < count) {
    const { value, done } = await messages.next();
    if (done) throw new Error("The iteration has ended.");
    subjects.push((value as Message).subject);
  }
  return subjects;
}

type Event = Extract<Sdk.Event, { type: "message.received" }>;

const caught = (promise: Promise<unknown>) =>
  promise.then(
    () => null,
    (error: unknown) => error,
  );

/** By socket, and by long polls as if there were no socket. */
const ways = { "by WebSocket": {}, "by long polls": { webSocket: false } } as const;

for (const [way, options] of Object.entries(ways))
  describe(`listening ${way}`, () => {
    test("each message comes once, in order, through lines that break again and again, and is read in the end", async () => {
      const subjects = Array.from({ length: 40 }, (_, n) => `mail ${n}`);
      for (const subject of subjects.slice(0, 20)) await mail(subject);
      const taken: string[] = [];
      for await (const message of clientWith(options).listen()) {
        taken.push(message.subject);
        if (taken.length === subjects.length) {
          await message.ack();
          break;
        }
        const at = taken.length - 1;
        if (at % 4 === 3) {
          line.cut();
          // The client's next call meets the broken connection.
          void line.attempt(1).then(() => line.mend());
        }
        if (at < 20) await mail(subjects[20 + at] ?? "");
      }
      expect(taken).toEqual(subjects);
      await expectUnread();
    }, 60_000);

    test("leaving the loop by an error leaves the message unread", async () => {
      for (const subject of ["one", "two"]) await mail(subject);
      const client = clientWith(options);
      const failing = async () => {
        for await (const message of client.listen()) if (message.subject === "two") throw new Error("no idea");
      };
      expect(await caught(failing())).toMatchObject({ message: "no idea" });
      await expectUnread("two");
      expect(await take(client.listen(), 1)).toEqual(["two"]);
    });

    test("a message that is deleted before its turn is left out", async () => {
      for (const subject of ["one", "two", "three"]) await mail(subject);
      const client = clientWith(options);
      const messages = client.listen();
      expect(await take(messages, 1)).toEqual(["one"]);
      const { body } = await server.api("GET", `/api/v1/agents/${bot}/messages`);
      const { message_id } = body.messages.find(({ subject }: { subject: string }) => subject === "two");
      await client.messages.delete(message_id);
      expect(await take(messages, 1)).toEqual(["three"]);
      await messages.return();
    });

    test("it ends with an error when its key is revoked, for an unknown agent and with a wrong key", async () => {
      const { body: key } = await server.api("POST", "/api/v1/keys", { name: "k", scope: "account" });
      const messages = clientWith({ ...options, apiKey: key.key }).listen();
      await mail("one");
      expect(await take(messages, 1)).toEqual(["one"]);
      await server.api("DELETE", `/api/v1/keys/${key.id}`);
      expect(await caught(messages.next())).toBeInstanceOf(AuthenticationError);
      expect(await messages.next()).toEqual({ done: true, value: undefined });
      const nobody = clientWith(options).listen("nobody@e2a.localhost");
      expect(await caught(nobody.next())).toBeInstanceOf(NotFoundError);
      const wrong = clientWith({ ...options, apiKey: "e2a_wrong" }).listen();
      expect(await caught(wrong.next())).toBeInstanceOf(AuthenticationError);
    });

    test("it stops at once when it is left or aborted while it waits", async () => {
      const left = clientWith(options).listen();
      const waiting = left.next();
      await left.return();
      expect(await waiting).toEqual({ done: true, value: undefined });
      const stop = new AbortController();
      const aborted = clientWith(options).listen(bot, { signal: stop.signal });
      const next = caught(aborted.next());
      stop.abort(new Error("enough"));
      expect(await next).toMatchObject({ message: "enough" });
      const never = clientWith(options).listen(bot, { signal: AbortSignal.abort(new Error("never")) });
      expect(await caught(never.next())).toMatchObject({ message: "never" });
    });
  });

describe("listening by WebSocket", () => {
  test("another consumer takes the place, and the first ends with what it had in hand done", async () => {
    for (const subject of ["one", "two"]) await mail(subject);
    const first = clientWith().listen();
    expect(await take(first, 1)).toEqual(["one"]);
    const second = clientWith().listen();
    expect(await take(second, 2)).toEqual(["one", "two"]);
    expect(await caught(first.next())).toBeInstanceOf(ListenerReplacedError);
    await second.return();
    await expectUnread("two");
  });

  test("acknowledgements that were lost with a socket are told again, and what they were for does not come again", async () => {
    let isLossy = true;
    const sockets: WebSocket[] = [];
    class Lossy extends WebSocket {
      constructor(url: string) {
        super(url);
        sockets.push(this);
      }
      override send(data: string): void {
        if (!isLossy) super.send(data);
      }
    }
    const cut = async () => {
      const closed = new Promise((resolve) => sockets.at(-1)?.addEventListener("close", resolve));
      line.cut();
      await closed;
      line.mend();
    };
    for (const subject of ["one", "two"]) await mail(subject);
    const messages = clientWith({ webSocket: Lossy }).listen();
    expect(await take(messages, 2)).toEqual(["one", "two"]);
    isLossy = false;
    await cut();
    await mail("three");
    // The server delivers "one" once more.
    expect(await take(messages, 1)).toEqual(["three"]);
    await expectUnread("three");
    isLossy = true;
    await mail("four");
    expect(await take(messages, 1)).toEqual(["four"]);
    await expectUnread("three", "four");
    await cut();
    await messages.return();
    await expectUnread("four");
  });

  test("where something between does not know WebSocket, long polls take its place", async () => {
    class Deaf extends EventTarget {
      readyState = 3;
      constructor() {
        super();
        queueMicrotask(() => this.dispatchEvent(new CloseEvent("close", { code: 1006 })));
      }
      send() {}
      close() {}
    }
    await mail("one");
    const messages = clientWith({ webSocket: Deaf }).listen();
    expect(await take(messages, 1)).toEqual(["one"]);
    await messages.return();
  });

  test("a constructor that was handed in gets the key with the URL", async () => {
    const urls: string[] = [];
    class Own extends WebSocket {
      constructor(url: string) {
        super(url);
        urls.push(url);
      }
    }
    await mail("one");
    const messages = clientWith({ webSocket: Own }).listen();
    expect(await take(messages, 1)).toEqual(["one"]);
    await messages.return();
    expect(urls).toEqual([expect.stringMatching(/^ws:.*\/agents\/bot%40e2a\.localhost\/ws\?token=e2a_[0-9a-f]{64}$/)]);
  });
});

describe("watching", () => {
  test("announces what is unread, then what comes, fetches nothing, and marks nothing read", async () => {
    await mail("one");
    const seen: string[] = [];
    const done = clientWith().watch(bot, {
      onMessage({ type, subject, recipient }) {
        seen.push(`${type} ${subject} ${recipient}`);
        return seen.length === 2 ? "stop" : undefined;
      },
      onConnected: () => void mail("two"),
    });
    await done;
    expect(seen).toEqual([`message.received one ${bot}`, `message.received two ${bot}`]);
    await expectUnread("one", "two");
  });

  test("each message comes once, over lines that break; what was acknowledged is read", async () => {
    const subjects = Array.from({ length: 12 }, (_, n) => `mail ${n}`);
    for (const subject of subjects.slice(0, 6)) await mail(subject);
    const seen: string[] = [];
    const ended: AbortSignal[] = [];
    const reasons: unknown[] = [];
    await clientWith().watch(bot, {
      acknowledge: true,
      async onMessage({ subject }, connection) {
        seen.push(subject);
        if (seen.length === 4) {
          ended.push(connection);
          const lost = new Promise((resolve) => connection.addEventListener("abort", resolve));
          line.cut();
          await lost;
          void line.attempt(1).then(() => line.mend());
          for (const subject of subjects.slice(6)) await mail(subject);
        }
        return seen.length === subjects.length ? "stop" : undefined;
      },
      onRetry: (error) => void reasons.push(error),
    });
    expect(seen).toEqual(subjects);
    expect([ended.length, ended[0]?.aborted, reasons.length > 0]).toEqual([1, true, true]);
    expect(reasons[0]).toBeInstanceOf(ConnectionClosedError);
    await expectUnread();
  });

  test("what was left comes again with the next connection", async () => {
    for (const subject of ["one", "two", "three"]) await mail(subject);
    const seen: string[] = [];
    await clientWith().watch(bot, {
      acknowledge: true,
      async onMessage({ subject }) {
        seen.push(subject);
        if (seen.length === 1) return "left";
        if (seen.length === 4) return "stop";
        if (seen.length === 2) return undefined;
        // The server has received every earlier acknowledgement.
        await expectUnread("one", "three");
        line.cut();
        void line.attempt(1).then(() => line.mend());
        return undefined;
      },
    });
    expect(seen).toEqual(["one", "two", "three", "one"]);
  });

  test("ends with what is wrong, with what a callback throws, and quietly when it is aborted", async () => {
    await mail("one");
    const onMessage = () => "stop" as const;
    const wrong = clientWith({ apiKey: "e2a_wrong" });
    expect(await caught(wrong.watch(bot, { onMessage }))).toBeInstanceOf(AuthenticationError);
    expect(await caught(clientWith().watch("nobody@e2a.localhost", { onMessage }))).toBeInstanceOf(NotFoundError);
    const failing = clientWith().watch(bot, {
      onMessage() {
        throw new Error("no idea");
      },
    });
    expect(await caught(failing)).toMatchObject({ message: "no idea" });
    const impatient = clientWith();
    line.cut();
    const given = impatient.watch(bot, {
      onMessage,
      onRetry(error) {
        throw error;
      },
    });
    expect(await caught(given)).toBeInstanceOf(E2AConnectionError);
    line.mend();
    const stop = new AbortController();
    const quiet = clientWith().watch(bot, {
      onMessage: () => undefined,
      onConnected: () => stop.abort(),
      signal: stop.signal,
    });
    expect(await caught(quiet)).toBeNull();
    expect(await caught(clientWith({ webSocket: false }).watch(bot, { onMessage }))).toMatchObject({
      message: expect.stringContaining("webSocket"),
    });
    await expectUnread("one");
  });

  test("ends when another consumer takes its place", async () => {
    const first = caught(
      clientWith().watch(bot, {
        onMessage: () => undefined,
        onConnected: () => void clientWith().watch(bot, { onMessage: () => "stop" }),
      }),
    );
    expect(await first).toBeInstanceOf(ListenerReplacedError);
    await mail("for the second");
  });
});

describe("following events", () => {
  test("goes back to the oldest, and tells of broken lines and that they are mended", async () => {
    await mail("one");
    const told: string[] = [];
    const client = clientWith();
    const events = client.events.follow({
      ...{ after: null, types: ["message.received"] },
      onRetry: (error, waitMs) => void told.push(`${(error as Error).name} ${waitMs > 0}`),
      onRecovery: () => void told.push("recovered"),
    });
    expect((await events.next()).value).toMatchObject({ data: { subject: "one" } });
    line.cut();
    const next = events.next();
    await line.attempt(1);
    await mail("two");
    line.mend();
    expect((await next).value).toMatchObject({ data: { subject: "two" } });
    expect([told[0], told.at(-1)]).toEqual(["E2AConnectionError true", "recovered"]);
    await events.return();
  });

  test("begins now, in an empty log too, and misses nothing while the line is broken", async () => {
    const client = clientWith();
    const events = client.events.follow({ types: ["message.received"] });
    let first: Event | undefined;
    const begun = events.next().then(({ value }) => {
      first = value as Event;
    });
    // "Now" is the moment of the first request.
    while (!first) await mail("one");
    await begun;
    expect(first).toMatchObject({ data: { subject: "one" } });

    const { body } = await server.api("GET", "/api/v1/events?sort=desc&page_size=1");
    const later = client.events.follow({ agent: bot, after: body.events[0].id });
    line.cut();
    const next = later.next();
    await line.attempt(1);
    await mail("two");
    line.mend();
    expect((await next).value).toMatchObject({ data: { subject: "two" } });
    const subjects: string[] = [];
    while (subjects.at(-1) !== "two") subjects.push(((await events.next()).value as Event).data.subject);
    expect(new Set(subjects.slice(0, -1))).toEqual(new Set(subjects.length > 1 ? ["one"] : []));
    await Promise.all([events.return(), later.return()]);
  });

  test("ends with what is wrong", async () => {
    const error = await caught(clientWith().events.follow({ after: "evt_0" }).next());
    expect(error).toMatchObject({ status: 400, errors: [{ field: "after" }] });
  });
});
