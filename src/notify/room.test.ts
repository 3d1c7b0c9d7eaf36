import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { Webhook } from "standardwebhooks";
import { deliver } from "../../test/smtp/smtp-client.ts";
import { request, startTestApp, type TestApp } from "../../test/support/app.ts";
import { startSink } from "../../test/support/sink.ts";
import { until } from "../../test/support/until.ts";
import { systemLookup } from "../net/lookup.ts";
import { TestClock } from "../util/clock.ts";
import { silentLog } from "../util/log.ts";
import { createVault, loadOrCreateKeyFile } from "../vault.ts";
import { createPoster } from "./post.ts";
import { createRoom } from "./room.ts";
import { startWebhooks } from "./webhook.ts";

/** A room of 80 bytes in which four deliveries may wait, a minute each. */
function smallRoom() {
  const clock = new TestClock();
  const failing = new Set<string>();
  const room = createRoom({ bytes: 80, waiting: 4, waitMs: 60_000 }, clock, (endpoint) => failing.has(endpoint));
  /** What has got room after a wait, and what went without, in order. */
  const ended: string[] = [];
  const leave = new Map<string, () => void>();
  return {
    ...{ room, clock, failing, ended },
    enter(endpointId: string, bytes: number, userId = "usr_1") {
      const left = room.enter({ endpointId, userId }, bytes);
      if (left) leave.set(endpointId, left);
      return left !== null;
    },
    async wait(endpointId: string, bytes: number, userId = "usr_1") {
      const left = await room.wait({ endpointId, userId }, bytes);
      if (left) leave.set(endpointId, left);
      ended.push(left ? endpointId : `-${endpointId}`);
    },
    async leave(endpointId: string) {
      leave.get(endpointId)?.();
      await Promise.resolve();
    },
  };
}

describe("room for large messages", () => {
  test("is counted in bytes, and one of any size has some", () => {
    const it = smallRoom();
    expect(it.enter("a", 1_000)).toBe(true);
    expect(it.enter("b", 1, "usr_2")).toBe(false);
    void it.leave("a");
    expect(it.enter("b", 60)).toBe(true);
    expect(it.enter("c", 21, "usr_2")).toBe(false);
    expect(it.enter("c", 20, "usr_2")).toBe(true);
  });

  test("an account has three quarters of it, failing endpoints half, each at least one message", () => {
    const it = smallRoom();
    expect([it.enter("a", 40), it.enter("b", 21), it.enter("c", 21, "usr_2")]).toEqual([true, false, true]);
    const other = smallRoom();
    for (const endpoint of ["a", "b", "c"]) other.failing.add(endpoint);
    expect([other.enter("a", 30), other.enter("b", 11, "usr_2"), other.enter("c", 10, "usr_3")]).toEqual([
      ...[true, false, true],
    ]);
    expect(other.enter("d", 40, "usr_4")).toBe(true);
  });

  test("goes to accounts in turn, to each in its order", async () => {
    const it = smallRoom();
    it.enter("full", 1_000, "usr_3");
    const all = ["a1", "a2"].map((endpoint) => it.wait(endpoint, 30));
    all.push(...["b1", "b2"].map((endpoint) => it.wait(endpoint, 30, "usr_2")));
    for (const [endpoint, ended] of [
      ["full", ["a1", "b1"]],
      ["b1", ["a1", "b1", "a2"]],
      ["a1", ["a1", "b1", "a2", "b2"]],
    ] as const) {
      await it.leave(endpoint);
      expect(it.ended).toEqual([...ended]);
    }
    await Promise.all(all);
  });

  test("the largest is not passed over while there is too little room for it", async () => {
    const it = smallRoom();
    expect([it.enter("a", 40), it.enter("b", 40, "usr_2")]).toEqual([true, true]);
    const all = [it.wait("a1", 60), it.wait("a2", 10), it.wait("b1", 15, "usr_2")];
    await it.leave("b");
    expect(it.ended).toEqual(["a2", "b1"]);
    expect(it.enter("c", 15, "usr_3")).toBe(true);
    await it.leave("a");
    expect([it.ended, it.enter("d", 1, "usr_3")]).toEqual([["a2", "b1"], true]);
    await it.leave("a2");
    // It would fit, but another one came first.
    expect([it.ended, it.enter("e", 1, "usr_3")]).toEqual([["a2", "b1"], false]);
    await it.leave("c");
    await Promise.all(all);
    expect(it.ended).toEqual(["a2", "b1", "a1"]);
  });

  test("few may wait, of one account three quarters of those; the others come again later", async () => {
    const it = smallRoom();
    it.enter("full", 1_000);
    const all = ["a", "b", "c"].map((endpoint) => it.wait(endpoint, 10));
    await it.wait("d", 10);
    all.push(it.wait("e", 10, "usr_2"));
    await it.wait("f", 10, "usr_3");
    expect(it.ended).toEqual(["-d", "-f"]);
    await it.leave("full");
    await Promise.all(all);
    expect(it.ended.slice(2).toSorted()).toEqual(["a", "b", "c", "e"]);
  });

  test("a wait has an end, and the next one takes its turn; nobody waits once the server stops", async () => {
    const it = smallRoom();
    it.enter("full", 40, "usr_2");
    const [long] = [it.wait("long", 70), it.clock.advance(30_000)];
    const short = it.wait("short", 30, "usr_3");
    expect(it.ended).toEqual([]);
    it.clock.advance(30_000);
    await Promise.all([long, short]);
    expect(it.ended).toEqual(["-long", "short"]);
    const last = it.wait("last", 70);
    it.room.close();
    await last;
    await it.wait("late", 1);
    expect(it.ended.slice(2)).toEqual(["-last", "-late"]);
  });
});

const line = `${"0123456789abcdef".repeat(4)}\r\n`;

/** A mail with about so many bytes, most of them in a file. */
function mailOf(subject: string, bytes: number): string {
  const head = `From: Ann <ann@client.example>\r\nTo: <bot@e2a.localhost>\r\nSubject: ${subject}\r\nMIME-Version: 1.0\r\n`;
  const text = 'Content-Type: text/plain; charset=utf-8\r\n\r\nGrüße "an" alle 😀\\\r\n';
  const file = "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n";
  const parts = `--b\r\n${text}--b\r\n${file}${line.repeat(Math.ceil(bytes / line.length))}--b--\r\n`;
  return `${head}Content-Type: multipart/mixed; boundary=b\r\n\r\n${parts}`;
}

async function send(t: TestApp, slugs: string[], subject: string, bytes: number) {
  const to = slugs.map((slug) => `${slug}@e2a.localhost`);
  expect((await deliver(t.app.smtp.port, { to, message: mailOf(subject, bytes) })).code).toBe(250);
}

/** Endpoints of agents, which answer when they are told to. */
function startEndpoints(holds: (name: string) => boolean) {
  const held = new Map<string, () => void>();
  const posts: { name: string; subject: string }[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    maxRequestBodySize: 1 << 30,
    idleTimeout: 0,
    async fetch(incoming) {
      const name = new URL(incoming.url).pathname.slice(1);
      const { promise, resolve } = Promise.withResolvers<void>();
      if (it.holds(name)) held.set(name, resolve);
      else resolve();
      posts.push({ name, subject: ((await incoming.json()) as { subject: string }).subject });
      await promise;
      return new Response();
    },
  });
  const it = {
    ...{ holds, held, posts },
    /** Lets one answer. */
    release() {
      const [first] = held;
      if (!first) throw new Error("none is held");
      held.delete(first[0]);
      first[1]();
    },
    url: (name: string) => `http://127.0.0.1:${server.port}/${name}`,
    async [Symbol.asyncDispose]() {
      await server.stop(true);
    },
  };
  return it;
}

const large = ["bot-a", "bot-b", "bot-c", "bot-d", "bot-e"];

test("of large messages of one account a few are in hand at once; small ones and another account's do not wait", async () => {
  await using endpoints = startEndpoints((name) => large.includes(name));
  // An account has five slots, as many as there are large messages.
  await using t = await startTestApp({ set: { "webhook.concurrency": 6 } });
  for (const slug of [...large, "small"])
    await t.api("POST", "/api/v1/agents", { slug, webhook_url: endpoints.url(slug) });
  const neighbour = { slug: "neighbour", webhook_url: endpoints.url("neighbour") };
  await request(`${t.app.httpUrl}/api/v1/agents`, await t.newAccount(), "POST", neighbour);
  const arrived = (name: string) => endpoints.posts.filter((post) => post.name === name).length;
  const inHand = () => [...endpoints.held.keys()].length;

  await send(t, large, "large", 20_000_000);
  await until("three are in hand", () => inHand() >= 3);
  await send(t, ["neighbour"], "large", 20_000_000);
  await until("the neighbour has its own", () => arrived("neighbour") === 1);
  let small = 0;
  for (let left = large.length; left > 0; left--) {
    await until("as many are in hand as may be", () => inHand() >= Math.min(left, 3));
    await send(t, ["small"], "small", 100);
    small++;
    await until("the small one is there", () => arrived("small") === small);
    expect(inHand()).toBe(Math.min(left, 3));
    endpoints.release();
  }
  await t.app.drain();
  expect(endpoints.posts.map((post) => post.name).toSorted()).toEqual(
    [...large, "neighbour", ...Array<string>(small).fill("small")].toSorted(),
  );
}, 120_000);

test("a large message is the same JSON, signed by every secret, with its length and not in chunks", async () => {
  await using sink = startSink();
  await using t = await startTestApp();
  await t.api("POST", "/api/v1/agents", { slug: "bot", webhook_url: sink.url });
  const secrets: string[] = [];
  for (const name of ["one", "two"])
    secrets.push((await t.api("POST", "/api/v1/users/me/signing-secrets", { name })).body.secret);
  await send(t, ["bot"], "Größe", 1_000_000);
  await t.app.drain();
  const [post] = sink.requests;
  if (!post) throw new Error("nothing arrived");
  expect(post.headers["content-length"]).toBe(String(Buffer.byteLength(post.text)));
  expect(post.headers["transfer-encoding"]).toBeUndefined();
  expect(post.text === JSON.stringify(post.body)).toBe(true);
  for (const secret of secrets) new Webhook(`whsec_${btoa(secret)}`).verify(post.text, post.headers);
  expect(post.body.text).toContain('Grüße "an" alle 😀\\');
  const path = `/api/v1/agents/bot@e2a.localhost/messages/${post.body.message_id}`;
  const { body } = await t.api("GET", path);
  expect(post.body.raw_message === body.raw_message).toBe(true);
  expect(Buffer.from(post.body.raw_message, "base64").toString()).toContain(line.repeat(15_000));
});

test("large messages that wait when the server stops are delivered after it", async () => {
  await using endpoints = startEndpoints(() => true);
  await using t = await startTestApp();
  for (const slug of large) await t.api("POST", "/api/v1/agents", { slug, webhook_url: endpoints.url(slug) });
  await send(t, large, "large", 20_000_000);
  await until("three are in hand", () => endpoints.held.size >= 3);
  endpoints.holds = () => false;
  await t.restart();
  await t.app.drain();
  const deliveries = (await t.api("GET", "/api/v1/deliveries")).body.deliveries;
  expect(deliveries.map(({ status, attempts }: Record<string, unknown>) => [status, attempts])).toEqual(
    Array<unknown>(large.length).fill(["succeeded", 1]),
  );
}, 120_000);

test("a large message that waits keeps its lease: another node does not post it as well", async () => {
  const clock = new TestClock();
  const timeoutMs = 30_000;
  await using endpoints = startEndpoints(() => true);
  await using t = await startTestApp({ seams: { clock }, set: { "webhook.timeout": `${timeoutMs}ms` } });
  for (const slug of large) await t.api("POST", "/api/v1/agents", { slug, webhook_url: endpoints.url(slug) });
  await send(t, large, "large", 20_000_000);
  await until("three are in hand", () => endpoints.held.size >= 3);
  clock.advance(timeoutMs - 1);
  while (endpoints.held.size > 0) endpoints.release();
  // The others have their turn only now, and still have all of their time.
  await until("the others are in hand", () => endpoints.posts.length === large.length);
  clock.advance(timeoutMs - 1);
  const policy = { allowLoopback: true, allowHttp: true, allowedNetworks: [] };
  const poster = createPoster({ lookup: systemLookup, policy, timeoutMs, clock });
  const other = startWebhooks({
    ...{ store: t.app.store, vault: createVault(await loadOrCreateKeyFile(join(t.dataDir, "encryption.key"))) },
    ...{ poster, clock, log: silentLog, concurrency: 8, concurrencyPerEndpoint: 8, failing: [], ratePerEndpoint: 0 },
    ...{ timeoutMs, writeMail: async () => null },
  });
  endpoints.holds = () => false;
  await other.drain();
  expect(endpoints.posts).toHaveLength(large.length);
  while (endpoints.held.size > 0) endpoints.release();
  await t.app.drain();
  await other.close(0);
  poster.close();
  expect(endpoints.posts).toHaveLength(large.length);
}, 120_000);
