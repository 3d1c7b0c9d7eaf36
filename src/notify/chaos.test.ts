import { expect, test } from "bun:test";
import type { Socket } from "node:net";
import { sendStubbornly } from "../../test/smtp/stubborn-sender.ts";
import { request } from "../../test/support/app.ts";
import { freePort, runBinary, type ServeProcess, startBinary } from "../../test/support/binary.ts";
import { testPostgres } from "../../test/support/postgres.ts";
import { serveRaw } from "../../test/support/raw-server.ts";
import { tempDir } from "../../test/support/temp.ts";

/** Each makes two events. For a long run: E2A_CHAOS_MESSAGES=2500 bun test chaos --timeout 900000 */
const messages = Number(process.env.E2A_CHAOS_MESSAGES ?? 60);
const senders = 4;
const stops = 3;

/** What an endpoint does to a request that it sees for the first time. */
type Mischief = "take" | "500" | "reset" | "reset in the answer" | "drip" | "garbage";
const moods: Mischief[] = ["take", "take", "take", "take", "500", "reset", "reset in the answer", "garbage"];

/**
 * An endpoint that misbehaves in every way, decided by a request's place in the stream. It accepts a request that it
 * has refused once, like an idempotent consumer: by the webhook-id.
 */
async function moodyEndpoint() {
  const taken = new Map<string, number>();
  const seen = new Set<string>();
  let progress = () => {};
  const server = await serveRaw((socket, text) => {
    const state = socket as Socket & { received?: string };
    state.received = (state.received ?? "") + text;
    for (let whole = requestIn(state.received); whole; whole = requestIn(state.received)) {
      state.received = state.received.slice(whole.length);
      const id = whole.id;
      const mood = seen.has(id)
        ? "take"
        : ((seen.size % 50 === 49 ? "drip" : moods[seen.size % moods.length]) as Mischief);
      seen.add(id);
      if (mood === "take" || mood === "drip") taken.set(id, (taken.get(id) ?? 0) + 1);
      answer(socket, mood);
      progress();
    }
  });
  return {
    url: `http://127.0.0.1:${server.port}/hook`,
    taken,
    onProgress(listener: () => void) {
      progress = listener;
    },
    [Symbol.dispose]: () => server[Symbol.dispose](),
  };
}

function requestIn(text: string): { id: string; length: number } | null {
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return null;
  const head = text.slice(0, end);
  const bodyLength = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0);
  const body = Buffer.from(text.slice(end + 4)).subarray(0, bodyLength);
  if (body.length < bodyLength) return null;
  return { id: /^webhook-id: (\S+)/im.exec(head)?.[1] ?? "", length: end + 4 + body.toString().length };
}

function answer(socket: Socket, mood: Mischief): void {
  if (mood === "take") socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
  // A body that never ends: the status counts, and the rest is cut off.
  if (mood === "drip") socket.write("HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nso");
  if (mood === "500") socket.write("HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n");
  if (mood === "reset") socket.resetAndDestroy();
  if (mood === "reset in the answer") socket.write("HTTP/1.1 20", () => socket.resetAndDestroy());
  if (mood === "garbage") socket.end("\0\0what?\n");
}

for (const database of ["sqlite", "postgres"] as const)
  test(`kill -9, restarts and endpoints in every mood: no event is missing anywhere (${database})`, async () => {
    await using dir = await tempDir();
    await using postgres = database === "postgres" ? await testPostgres() : null;
    using account = await moodyEndpoint();
    using own = await moodyEndpoint();
    const [smtpPort, httpPort] = [await freePort(), await freePort()];
    const env = {
      E2A_DATA_DIR: dir.path,
      E2A_SMTP_LISTEN_ADDR: `127.0.0.1:${smtpPort}`,
      E2A_HTTP_LISTEN_ADDR: `127.0.0.1:${httpPort}`,
      E2A_SMTP_MAX_MESSAGES_PER_MINUTE_PER_IP: "1000000",
      E2A_LIMITS_API_REQUESTS_PER_MINUTE: "1000000",
      E2A_DNS_SERVERS: "127.0.0.1:1",
      E2A_LOG_LEVEL: "error",
      ...(postgres ? { E2A_DATABASE_URL: postgres.url } : {}),
    };
    const { stdout } = await runBinary(["bootstrap", "--email", "owner@example.net"], env);
    const key = stdout.match(/API key: (e2a_[0-9a-f]{64})/)?.[1] ?? "";
    let server: ServeProcess = await startBinary(env);
    const api = `http://127.0.0.1:${httpPort}/api/v1`;
    await request(`${api}/agents`, key, "POST", { slug: "local", agent_mode: "local" });
    await request(`${api}/agents`, key, "POST", { slug: "cloud", webhook_url: own.url });
    await request(`${api}/webhooks`, key, "POST", { url: account.url });

    /** Resolved while the server is up. */
    let up = Promise.resolve();
    const whenUp = () => up;
    let accepted = 0;
    const marks = new Map<number, () => void>();
    const reached = (count: number) => new Promise<void>((resolve) => marks.set(count, resolve));
    const stopping = Array.from({ length: stops }, (_, i) => reached(Math.floor(((i + 1) * messages) / (stops + 1))));
    const total = 2 * messages;
    const done = new AbortController();
    const log = followLog(api, key, total, whenUp);
    const frames = followSocket(`ws://127.0.0.1:${httpPort}/api/v1/events/ws`, key, "id", whenUp, done.signal, {
      after: true,
      count: total,
    });
    const mail = followSocket(
      `ws://127.0.0.1:${httpPort}/api/v1/agents/local@e2a.localhost/ws`,
      key,
      "message_id",
      whenUp,
      done.signal,
      { after: false, count: messages },
    );
    const sending = Promise.all(
      Array.from({ length: senders }, (_, sender) =>
        sendStubbornly(
          smtpPort,
          {
            to: ["local@e2a.localhost", "cloud@e2a.localhost"],
            subjects: Array.from({ length: messages / senders }, (_, i) => `${sender}-${i}`),
          },
          () => marks.get(++accepted)?.(),
          whenUp,
        ),
      ),
    );
    for (const [i, mark] of stopping.entries()) {
      await mark;
      const back = Promise.withResolvers<void>();
      up = back.promise;
      if (i % 3 === 2) await server.stop();
      else await server.kill();
      server = await startBinary(env);
      back.resolve();
    }
    await sending;

    const ids = await log;
    expect(new Set(ids).size).toBe(total);
    expect(await frames).toEqual(new Set(ids));
    expect((await mail).size).toBe(messages);
    await settled(account, total);
    await settled(own, messages);
    done.abort();
    expect(new Set(account.taken.keys())).toEqual(new Set(ids));
    for (const id of own.taken.keys()) expect(ids).toContain(id);
    expect(await server.stop()).toBe(0);
  }, 900_000);

/** Waits until an endpoint has accepted this many different requests. */
function settled(endpoint: Awaited<ReturnType<typeof moodyEndpoint>>, count: number): Promise<void> {
  return new Promise((resolve) => {
    const look = () => {
      if (endpoint.taken.size >= count) resolve();
    };
    endpoint.onProgress(look);
    look();
  });
}

/** Polls the log from the last id it has, over all restarts, and returns the ids in order. */
async function followLog(api: string, key: string, count: number, whenUp: () => Promise<void>): Promise<string[]> {
  const ids: string[] = [];
  while (ids.length < count) {
    await whenUp();
    try {
      const after = ids.length > 0 ? `&after=${ids.at(-1)}` : "";
      const { status, body } = await request(`${api}/events?wait=5&types=message.received${after}`, key, "GET");
      if (status === 200) ids.push(...body.events.map(({ id }: { id: string }) => id));
    } catch {
      // The server went away; the last id is still good.
    }
  }
  return ids;
}

/** Keeps a WebSocket open over all restarts, until it has received `count` different ids. */
async function followSocket(
  url: string,
  key: string,
  name: "id" | "message_id",
  whenUp: () => Promise<void>,
  signal: AbortSignal,
  { after, count }: { after: boolean; count: number },
): Promise<Set<string>> {
  const seen = new Set<string>();
  let last = "";
  while (seen.size < count && !signal.aborted) {
    await whenUp();
    await new Promise<void>((resolve) => {
      const from = after && last !== "" ? `?after=${last}` : "";
      const socket = new WebSocket(`${url}${from}`, { headers: { authorization: `Bearer ${key}` } } as never);
      socket.addEventListener("message", ({ data }) => {
        last = String((JSON.parse(String(data)) as Record<string, unknown>)[name]);
        seen.add(last);
        if (!after) socket.send(JSON.stringify({ ack: last }));
        if (seen.size >= count) socket.close();
      });
      socket.addEventListener("close", () => resolve());
    });
  }
  return seen;
}
