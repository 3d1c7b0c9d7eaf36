import { expect, test } from "bun:test";
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
import { startWebhooks } from "./webhook.ts";

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
