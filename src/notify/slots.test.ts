import { describe, expect, test } from "bun:test";
import { deliver } from "../../test/smtp/smtp-client.ts";
import { request, startTestApp } from "../../test/support/app.ts";
import { serveRaw } from "../../test/support/raw-server.ts";
import { startSink } from "../../test/support/sink.ts";
import { until } from "../../test/support/until.ts";
import { TestClock } from "../util/clock.ts";
import { createSlots, type Slots } from "./slots.ts";

function places(options: { all?: number; failing?: string[] } = {}) {
  const clock = new TestClock();
  const { all = 8, failing = [] } = options;
  return { clock, ...createSlots({ all, perEndpoint: 4, failing }, clock, () => 1) };
}

const at = (endpointId: string, userId = "usr_1") => ({ endpointId, userId });

/** How many attempts each of these endpoints may have in one claim. */
function granted(it: Pick<Slots, "forClaim">, endpoints: string[]): number[] {
  const { of, others } = it.forClaim();
  return endpoints.map((endpoint) => of.get(endpoint) ?? others);
}

describe("places", () => {
  test("a stranger has one, an endpoint that answers all of its own, one that failed one again", () => {
    const it = places();
    expect(granted(it, ["a"])).toEqual([1]);
    it.take(at("a"));
    expect(granted(it, ["a"])).toEqual([0]);
    expect(it.busy()).toEqual(["a"]);
    it.done(at("a"), true);
    expect(granted(it, ["a"])).toEqual([4]);
    it.take(at("a"));
    expect(granted(it, ["a"])).toEqual([3]);
    it.done(at("a"), false);
    expect(granted(it, ["a"])).toEqual([1]);
  });

  test("those that fail share half of all, also those from before the start", () => {
    const failing = ["a", "b", "c", "d", "e", "f"];
    const it = places({ failing });
    expect(it.forClaim()).toMatchObject({ others: 1, failingMax: 4 });
    expect([...it.forClaim().failing]).toEqual(failing);
    for (const endpoint of ["a", "b", "c"]) it.take(at(endpoint));
    expect(it.forClaim().failingMax).toBe(1);
    expect(granted(it, ["a", "d", "e"])).toEqual([0, 1, 1]);
    it.done(at("a"), false);
    expect(it.forClaim().failingMax).toBe(2);
  });

  test("a claim for named endpoints is told of those alone", () => {
    const it = places({ failing: ["a", "b"] });
    it.take(at("c"));
    const { of, failing } = it.forClaim(["b", "c"]);
    expect([[...of], [...failing]]).toEqual([
      [
        ["b", 1],
        ["c", 0],
      ],
      ["b"],
    ]);
  });

  test("of endpoints that answer the last two thousand are known", () => {
    const it = places();
    for (let n = 0; n <= 2_000; n++) {
      it.take(at(`e${n}`));
      it.done(at(`e${n}`), true);
    }
    expect(granted(it, ["e0", "e1", "e2000"])).toEqual([1, 4, 4]);
  });

  test("one that goes on failing rests, longer each time but never long, until it answers or is changed", () => {
    const it = places();
    const restsMs: number[] = [];
    for (let failures = 1; failures <= 9; failures++) {
      it.take(at("a"));
      it.done(at("a"), false);
      restsMs.push((it.nextFreeAt()?.getTime() ?? it.clock.now()) - it.clock.now());
      expect(granted(it, ["a"])).toEqual([restsMs.at(-1) === 0 ? 1 : 0]);
      it.clock.advance(restsMs.at(-1) as number);
      expect(granted(it, ["a"])).toEqual([1]);
    }
    expect(restsMs).toEqual([0, 0, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000]);
    it.take(at("a"));
    it.done(at("a"), false);
    expect(it.busy()).toEqual(["a"]);
    it.forget("a");
    expect([it.busy(), it.nextFreeAt(), granted(it, ["a"])]).toEqual([[], null, [1]]);
  });

  test("an account has three quarters of all, however many endpoints it has, and others the rest", () => {
    const it = places();
    for (let n = 0; n < 5; n++) it.take(at(`e${n}`));
    expect(it.fullAccount()).toBeNull();
    it.take(at("e5"));
    expect(it.fullAccount()).toBe("usr_1");
    it.take(at("f", "usr_2"));
    const { accounts } = it.forClaim();
    expect([...(accounts?.of ?? [])]).toEqual([
      ["usr_1", 0],
      ["usr_2", 5],
    ]);
    expect(accounts?.others).toBe(6);
    it.done(at("e0"), true);
    expect([it.fullAccount(), it.forClaim().accounts?.of.get("usr_1")]).toEqual([null, 1]);
  });

  test("one that waits keeps the place of its endpoint, and others get the rest", () => {
    const it = places({ failing: ["a"] });
    const seen = () => [it.free(), it.forClaim().accounts?.of.get("usr_1") ?? 6, it.forClaim().failingMax];
    it.take(at("a"));
    expect(seen()).toEqual([7, 5, 3]);
    it.pause(at("a"));
    expect(seen()).toEqual([8, 6, 4]);
    expect(it.busy()).toEqual(["a"]);
    it.resume(at("a"));
    expect(seen()).toEqual([7, 5, 3]);
    it.done(at("a"), null);
    expect([...seen(), ...it.busy()]).toEqual([8, 6, 4]);
  });

  test("an attempt that taught nothing changes nothing but its place", () => {
    const it = places();
    it.take(at("a"));
    it.done(at("a"), true);
    it.take(at("a"));
    it.done(at("a"), null);
    expect(granted(it, ["a"])).toEqual([4]);
  });
});

/** Agents whose endpoints hang, each with waiting mail, and one whose endpoint answers. */
test("endpoints that hang never keep an endpoint that answers waiting, after a restart neither", async () => {
  // This server never answers, and time stands still, so attempts stay in progress.
  const heard = new Set<string>();
  using silent = await serveRaw((_, text) => heard.add(/^POST \/(\S*)/.exec(text)?.[1] ?? ""));
  await using sink = startSink();
  const clock = new TestClock();
  await using t = await startTestApp({ seams: { clock }, set: { "webhook.concurrency": 4 } });
  const slugs = ["a-silent", "b-silent", "c-silent", "d-silent", "e-silent", "f-silent"];
  for (const slug of slugs) {
    const webhook_url = `http://127.0.0.1:${silent.port}/${slug}`;
    expect((await t.api("POST", "/api/v1/agents", { slug, webhook_url })).status).toBe(201);
  }
  await t.api("POST", "/api/v1/agents", { slug: "live", webhook_url: sink.url });
  const send = async (slug: string) => {
    const message = `From: a@client.example\r\nSubject: ${slug}\r\nMessage-ID: <${crypto.randomUUID()}@client.example>\r\n\r\nHi\r\n`;
    expect((await deliver(t.app.smtp.port, { to: `${slug}@e2a.localhost`, message })).code).toBe(250);
  };
  const open = () => silent.connections.filter((connection) => !connection.closed).length;
  // Each endpoint fails once, as if it had been tried for half a minute.
  for (const slug of slugs) {
    await send(slug);
    const owner = { userId: t.userId, agentId: `${slug}@e2a.localhost` };
    const attempts = async () => (await t.app.store.listDeliveries(owner, { limit: 1 }))[0]?.delivery.attempts;
    await until(`${slug} is tried`, () => heard.has(slug));
    clock.advance(30_000);
    await until(`the attempt at ${slug} has failed`, async () => (await attempts()) !== 0);
  }
  for (const slug of slugs) await send(slug);
  clock.advance(29_000);
  await until("two are tried", () => open() >= 2);
  await send("live");
  await sink.reached(1);
  expect(open()).toBe(2);

  await t.restart();
  await until("two are tried again", () => open() >= 2);
  await send("live");
  await sink.reached(2);
  expect(open()).toBe(2);
  expect(sink.requests.map(({ body }) => body.subject)).toEqual(["live", "live"]);
});

test("an account whose endpoints are slow never keeps another account's endpoint waiting", async () => {
  using silent = await serveRaw(() => {});
  await using sink = startSink();
  await using t = await startTestApp({ set: { "webhook.concurrency": 4 } });
  const slugs = ["a-slow", "b-slow", "c-slow", "d-slow", "e-slow"];
  for (const slug of slugs)
    await t.api("POST", "/api/v1/agents", { slug, webhook_url: `http://127.0.0.1:${silent.port}/${slug}` });
  const neighbour = await t.newAccount();
  const live = { slug: "live", webhook_url: sink.url };
  expect((await request(`${t.app.httpUrl}/api/v1/agents`, neighbour, "POST", live)).status).toBe(201);
  for (const slug of [...slugs, "live"]) {
    const message = `From: a@client.example\r\nSubject: ${slug}\r\nMessage-ID: <${slug}@client.example>\r\n\r\nHi\r\n`;
    expect((await deliver(t.app.smtp.port, { to: `${slug}@e2a.localhost`, message })).code).toBe(250);
  }
  await sink.reached(1);
  expect(sink.requests[0]?.body.subject).toBe("live");
  const open = () => silent.connections.filter((connection) => !connection.closed).length;
  await until("three are tried", () => open() >= 3);
  expect(open()).toBe(3);
});
