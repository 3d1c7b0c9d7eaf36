import { describe, expect, test } from "bun:test";
import { SQL } from "bun";
import { deliver } from "../../test/smtp/smtp-client.ts";
import { startTestApp, type TestApp } from "../../test/support/app.ts";
import { startSink } from "../../test/support/sink.ts";
import { SocketClient } from "../../test/support/socket-client.ts";
import { until } from "../../test/support/until.ts";
import type { EventPage } from "../store/events/events.ts";
import { TestClock } from "../util/clock.ts";
import { createEventFeed } from "./event-feed.ts";

const bots = ["one@e2a.localhost", "two@e2a.localhost"] as const;

async function appWithBots(database: "sqlite" | "postgres" = "sqlite"): Promise<TestApp> {
  const t = await startTestApp({ database });
  for (const bot of bots) await t.api("POST", "/api/v1/agents", { slug: bot.split("@")[0], agent_mode: "local" });
  return t;
}

async function send(t: TestApp, to: string, subject: string) {
  const message = `From: a@client.example\r\nSubject: ${subject}\r\nMessage-ID: <${subject}@client.example>\r\n\r\nHi\r\n`;
  expect((await deliver(t.app.smtp.port, { to, message })).code).toBe(250);
}

const urlOf = (t: TestApp, query = "") => `${t.app.httpUrl.replace(/^http/, "ws")}/api/v1/events/ws?${query}`;
const follow = (t: TestApp, query = "", key = t.key) => SocketClient.open(urlOf(t, query), key);
const subjectOf = (frame: Record<string, unknown>) => (frame.data as { subject: string }).subject;

for (const database of ["sqlite", "postgres"] as const)
  test(`what came after an event, then live: no gap and no double, for each who follows (${database})`, async () => {
    await using t = await appWithBots(database);
    await send(t, bots[0], "seen");
    const [seen] = (await t.api("GET", "/api/v1/events")).body.events;
    for (const n of [1, 2]) await send(t, bots[0], `early-${n}`);
    const total = 40;
    const sending = Promise.all(
      [0, 1, 2, 3].map(async (sender) => {
        for (let i = 0; i < total / 4; i++) await send(t, bots[sender % 2] as string, `live-${sender}-${i}`);
      }),
    );
    await using first = await follow(t, `after=${seen.id}`);
    await using second = await follow(t, `after=${seen.id}&types=message.received`);
    await sending;
    const log = (await t.api("GET", `/api/v1/events?after=${seen.id}&page_size=100`)).body.events;
    expect(log).toHaveLength(2 + total);
    for (const follower of [first, second]) for (const event of log) expect(await follower.next()).toEqual(event);
  });

test("without a position it begins now, and a filter leaves out the rest", async () => {
  await using t = await appWithBots();
  await send(t, bots[0], "before");
  await using all = await follow(t);
  await using ofOne = await follow(t, `agent=${bots[0]}`);
  await using sent = await follow(t, "types=message.sent");
  await send(t, bots[1], "to two");
  await send(t, bots[0], "to one");
  expect([subjectOf(await all.next()), subjectOf(await all.next())]).toEqual(["to two", "to one"]);
  expect(subjectOf(await ofOne.next())).toBe("to one");
  await t.api("POST", "/api/v1/send", { from: bots[0], to: ["bob@people.example"], subject: "Out", body: "Hi" });
  expect(await sent.next()).toMatchObject({ type: "message.sent", data: { recipient: "bob@people.example" } });
});

test("who was away for long gets all that was missed, however much, and then what is new", async () => {
  await using sink = startSink();
  await using t = await appWithBots();
  const { body: webhook } = await t.api("POST", "/api/v1/webhooks", { url: sink.url, events: ["message.bounced"] });
  const test = async () => (await t.app.store.testWebhook(t.userId, webhook.id, new Date()))?.delivery.eventId ?? "";
  const ids: string[] = [];
  for (let n = 0; n <= 250; n++) ids.push(await test());
  await using back = await follow(t, `after=${ids[0]}`);
  for (const id of ids.slice(1)) expect((await back.next()).id).toBe(id);
  const live = await test();
  expect((await back.next()).id).toBe(live);
});

test("a follower takes nobody's place: the agent's own listener stays", async () => {
  await using t = await appWithBots();
  const own = `${t.app.httpUrl.replace(/^http/, "ws")}/api/v1/agents/${bots[0]}/ws`;
  await using listener = await SocketClient.open(own, t.key);
  await using one = await follow(t);
  await using two = await follow(t);
  await send(t, bots[0], "for all");
  const frames = await Promise.all([listener.next(), one.next(), two.next()]);
  expect(frames.map(({ event_id, id }) => event_id ?? id)).toEqual(Array(3).fill(frames[1]?.id));
});

describe("a follower", () => {
  test("with a key of one agent hears of that one", async () => {
    await using t = await appWithBots();
    const { body } = await t.api("POST", "/api/v1/keys", { name: "one", scope: "agent", agent: bots[0] });
    await using bound = await follow(t, "", body.key);
    await send(t, bots[1], "not mine");
    await send(t, bots[0], "mine");
    expect(subjectOf(await bound.next())).toBe("mine");
    await t.api("DELETE", `/api/v1/keys/${body.id}`);
    expect(await bound.closed).toEqual({ code: 1008, reason: "key revoked" });
  });

  test("is refused what it could not read either", async () => {
    await using t = await appWithBots();
    const statuses = ["after=evt_0", "types=message.lost", "agent=nobody@e2a.localhost"].map((query) =>
      SocketClient.refusal(urlOf(t, query), t.key),
    );
    expect(await Promise.all(statuses)).toEqual([400, 400, 404]);
    expect(await SocketClient.refusal(urlOf(t), "e2a_wrong")).toBe(401);
    expect((await t.api("GET", "/api/v1/events/ws")).status).toBe(426);
  });

  test("goes on from its last event after the server was away", async () => {
    await using t = await appWithBots();
    await using before = await follow(t);
    await send(t, bots[0], "before");
    const { id } = await before.next();
    await t.restart();
    expect((await before.closed).code).toBe(1001);
    await send(t, bots[0], "meanwhile");
    await using after = await follow(t, `after=${id}`);
    await send(t, bots[0], "now");
    expect([subjectOf(await after.next()), subjectOf(await after.next())]).toEqual(["meanwhile", "now"]);
  });
});

test("who waits for an event hears of it as soon as no older one can come any more", async () => {
  await using t = await appWithBots("postgres");
  const { store, config } = t.app;
  if (config.database.kind !== "postgres") throw new Error("this is about Postgres");
  const looks: EventPage[] = [];
  const watched = {
    ...store,
    async readEvents(...asked: Parameters<typeof store.readEvents>) {
      const page = await store.readEvents(...asked);
      looks.push(page);
      return page;
    },
  };
  const clock = new TestClock();
  const feed = createEventFeed({ store: watched, clock });
  const owner = { userId: t.userId, agentId: null };
  const query = { owner, after: await store.lastPosition(owner), sort: "asc", types: [], limit: 10 } as const;
  await using older = await new SQL(config.database.url, { max: 1 }).reserve();
  await older`BEGIN`;
  await older`SELECT pg_current_xact_id()`;
  const heard: string[] = [];
  const reading = feed.read({ ...query, types: [] }, 60_000).then((rows) => {
    heard.push(...rows.map(({ type }) => type));
  });
  await send(t, bots[0], "committed first");
  await until("the event is committed", () => looks.some(({ isBehind }) => isBehind));
  await older`COMMIT`;
  for (let ms = 0; heard.length === 0 && ms < 20_000; ms += 25) {
    clock.advance(25);
    await store.lastPosition(owner);
  }
  expect(heard).toEqual(["message.received"]);
  feed.close();
  await reading;
});
