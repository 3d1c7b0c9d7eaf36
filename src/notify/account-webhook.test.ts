import { describe, expect, test } from "bun:test";
import { Webhook } from "standardwebhooks";
import { deliver } from "../../test/smtp/smtp-client.ts";
import { startTestApp, type TestApp } from "../../test/support/app.ts";
import { startSink } from "../../test/support/sink.ts";
import { TestClock } from "../util/clock.ts";

const bot = "bot@e2a.localhost";
const HOUR_MS = 3_600_000;

async function newBot(t: TestApp, more: object = { agent_mode: "local" }) {
  expect((await t.api("POST", "/api/v1/agents", { slug: "bot", ...more })).status).toBe(201);
}

async function hook(t: TestApp, url: string, more: object = {}): Promise<string> {
  const { status, body } = await t.api("POST", "/api/v1/webhooks", { url, ...more });
  expect(status).toBe(201);
  return body.id;
}

async function newSecret(t: TestApp): Promise<string> {
  return (await t.api("POST", "/api/v1/users/me/signing-secrets", { name: "test" })).body.secret;
}

async function mail(t: TestApp, subject = "Hi") {
  const message = `From: Ann <ann@client.example>\r\nTo: <${bot}>\r\nSubject: ${subject}\r\n\r\nHello\r\n`;
  expect((await deliver(t.app.smtp.port, { to: bot, message })).code).toBe(250);
}

test("an event is the same at an agent's webhook, an account's, and in the log; a stock verifier takes both", async () => {
  await using own = startSink();
  await using account = startSink();
  await using t = await startTestApp();
  const secret = await newSecret(t);
  await newBot(t, { webhook_url: own.url });
  await hook(t, account.url);
  await mail(t);
  await t.app.drain();
  const [whole] = own.requests;
  const [event] = account.requests;
  for (const request of [whole, event]) new Webhook(`whsec_${btoa(secret)}`).verify(request!.text, request!.headers);
  const log = (await t.api("GET", "/api/v1/events")).body.events;
  expect(event?.body).toEqual(log[0]);
  expect(event?.headers["webhook-id"]).toBe(log[0].id);
  expect(whole?.headers["webhook-id"]).toBe(log[0].id);
  expect(whole?.body).toMatchObject({ event_id: log[0].id, message_id: log[0].data.message_id });
  // The results of the message's authentication go with both.
  for (const name of ["verified", "sender", "message-id", "body-hash"])
    expect(event?.headers[`x-e2a-auth-${name}`]).toBe(whole?.headers[`x-e2a-auth-${name}`] as string);
});

test("events of mail out come without proof headers", async () => {
  await using sink = startSink();
  await using t = await startTestApp();
  await newBot(t);
  await hook(t, sink.url, { events: ["message.sent"] });
  await t.api("POST", "/api/v1/send", { to: ["bob@people.example"], subject: "Hi", body: "Hello" });
  await t.app.drain();
  expect(sink.requests).toHaveLength(1);
  expect(sink.requests[0]?.body).toMatchObject({
    ...{ type: "message.sent", agent_id: bot, timestamp: expect.any(String) },
    data: { recipient: "bob@people.example", status: "sent", method: "capture" },
  });
  expect(Object.keys(sink.requests[0]!.headers).filter((name) => name.startsWith("x-e2a"))).toEqual([]);
});

test("for a day after a new secret was made the one before it signs as well", async () => {
  const clock = new TestClock();
  await using own = startSink();
  await using account = startSink();
  await using t = await startTestApp({ seams: { clock } });
  await newBot(t, { webhook_url: own.url });
  await hook(t, account.url);
  const old = await newSecret(t);
  clock.advance(48 * HOUR_MS);
  const fresh = await newSecret(t);
  const accepted = (secret: string, request: { text: string; headers: Record<string, string> }) => {
    // The published verifier uses the real time of day.
    const headers = { ...request.headers };
    const [id, at] = [headers["webhook-id"], headers["webhook-timestamp"]];
    const mac = new Bun.CryptoHasher("sha256", secret).update(`${id}.${at}.${request.text}`).digest("base64");
    return headers["webhook-signature"]?.split(" ").includes(`v1,${mac}`);
  };
  const signs = (secret: string, headers: Record<string, string>, name: string) => {
    const field = (one: string) => headers[`x-e2a-auth-${one}`] ?? "";
    const names = [
      "verified",
      "sender",
      "entity-type",
      "domain-check",
      "delegation",
      "timestamp",
      "message-id",
      "body-hash",
    ];
    const mac = new Bun.CryptoHasher("sha256", secret).update(names.map(field).join("\n")).digest("hex");
    return field(name).split(" ").includes(mac);
  };
  clock.advance(23 * HOUR_MS);
  await mail(t, "within a day");
  await t.app.drain();
  for (const request of [own.requests[0]!, account.requests[0]!]) {
    expect([accepted(fresh, request), accepted(old, request)]).toEqual([true, true]);
    expect(signs(fresh, request.headers, "signature")).toBe(true);
    expect(signs(old, request.headers, "signature-previous")).toBe(true);
  }
  clock.advance(2 * HOUR_MS);
  await mail(t, "later");
  await t.app.drain();
  for (const request of [own.requests[1]!, account.requests[1]!]) {
    expect([accepted(fresh, request), accepted(old, request)]).toEqual([true, false]);
    expect(request.headers["x-e2a-auth-signature-previous"]).toBeUndefined();
  }
});

describe("an endpoint", () => {
  test("that answers webhook-delivery: abort-message is not asked again for this one", async () => {
    const clock = new TestClock();
    await using sink = startSink();
    await using t = await startTestApp({ seams: { clock } });
    await newBot(t);
    const id = await hook(t, sink.url);
    sink.answer = () => new Response(null, { status: 422, headers: { "webhook-delivery": "abort-message" } });
    await mail(t);
    await t.app.drain();
    clock.advance(100 * HOUR_MS);
    await t.app.drain();
    expect(sink.requests).toHaveLength(1);
    const { body } = await t.api("GET", `/api/v1/deliveries?webhook=${id}`);
    expect(body.deliveries).toMatchObject([{ status: "failed", attempts: 1, webhook_id: id }]);
  });

  test("that answers webhook-delivery: disable is switched off, and gets what waited once it is on again", async () => {
    const clock = new TestClock();
    await using sink = startSink();
    await using t = await startTestApp({ seams: { clock } });
    await newBot(t);
    const id = await hook(t, sink.url, { events: ["message.received"] });
    sink.answer = () => new Response(null, { status: 503, headers: { "webhook-delivery": "disable" } });
    for (const subject of ["one", "two"]) await mail(t, subject);
    await t.app.drain();
    const off = (await t.api("GET", `/api/v1/webhooks/${id}`)).body;
    expect(off).toMatchObject({ status: "disabled", disabled_reason: "The endpoint asked for no more deliveries." });
    const told = (await t.api("GET", "/api/v1/events?types=webhook.disabled")).body.events;
    expect(told).toMatchObject([{ type: "webhook.disabled", data: { endpoint_id: id, url: sink.url } }]);
    const { messages } = (await t.api("GET", "/api/v1/messages?type=notice")).body;
    expect(messages).toMatchObject([{ to: ["owner@example.net"], subject: expect.stringContaining("switched off") }]);
    const mailed = (await t.api("GET", `/api/v1/messages/${messages[0].id}`)).body.body_text;
    expect(mailed).toContain(`e2a webhooks update ${id} --status enabled`);
    await mail(t, "three");
    clock.advance(100 * HOUR_MS);
    await t.app.drain();
    const before = new Set(sink.requests.map(({ headers }) => headers["webhook-id"]));
    sink.answer = () => new Response(null, { status: 204 });
    await t.api("PATCH", `/api/v1/webhooks/${id}`, { status: "enabled" });
    await t.app.drain();
    const all = new Set(sink.requests.map(({ headers }) => headers["webhook-id"]));
    expect([before.size <= 2, all.size]).toEqual([true, 3]);
    const { body } = await t.api("GET", `/api/v1/deliveries?webhook=${id}&status=succeeded`);
    expect(body.deliveries).toHaveLength(3);
  });

  test("that has only failed for five days is switched off, though mail keeps coming", async () => {
    const clock = new TestClock();
    await using sink = startSink();
    await using t = await startTestApp({ seams: { clock } });
    await newBot(t, { webhook_url: sink.url });
    sink.answer = () => new Response(null, { status: 500 });
    for (let hour = 0; hour < 126; hour += 6) {
      await mail(t, `hour ${hour}`);
      await t.app.drain();
      clock.advance(6 * HOUR_MS);
    }
    await t.app.drain();
    const { body } = await t.api("GET", `/api/v1/agents/${bot}`);
    expect(body).toMatchObject({
      ...{ webhook_status: "disabled", webhook_failing_since: expect.any(String) },
      webhook_disabled_reason: "Every attempt has failed for five days.",
    });
    const asked = sink.requests.length;
    await mail(t, "while it is off");
    await t.app.drain();
    expect(sink.requests).toHaveLength(asked);
    sink.answer = () => new Response(null, { status: 204 });
    const on = await t.api("PATCH", `/api/v1/agents/${bot}`, { webhook_status: "enabled" });
    expect(on.body.webhook_status).toBe("enabled");
    expect(on.body.webhook_failing_since).toBeUndefined();
    await t.app.drain();
    expect(sink.requests.at(-1)?.body.type).toBe("message.received");
    expect((await t.api("GET", `/api/v1/deliveries?agent=${bot}&status=paused`)).body.deliveries).toEqual([]);
  });

  test("that succeeds after five bad days stays on, and its next failure is a first one", async () => {
    const clock = new TestClock();
    await using sink = startSink();
    await using t = await startTestApp({ seams: { clock } });
    await newBot(t, { webhook_url: sink.url });
    const pass = async (hours: number) => {
      clock.advance(hours * HOUR_MS);
      await t.app.drain();
    };
    const shown = async () => (await t.api("GET", `/api/v1/agents/${bot}`)).body;
    sink.answer = () => new Response(null, { status: 500 });
    for (let hour = 0; hour < 120; hour += 6) {
      await mail(t, `hour ${hour}`);
      await pass(hour === 114 ? 0 : 6);
    }
    expect(await shown()).toMatchObject({ webhook_status: "enabled", webhook_failing_since: expect.any(String) });
    sink.answer = () => new Response(null, { status: 204 });
    await pass(12);
    const well = await shown();
    expect([well.webhook_status, well.webhook_failing_since]).toEqual(["enabled", undefined]);
    sink.answer = () => new Response(null, { status: 500 });
    await mail(t, "once more");
    await pass(0);
    expect(await shown()).toMatchObject({
      ...{ webhook_status: "enabled", webhook_failing_since: new Date(clock.now()).toISOString() },
    });
  });

  test("that rests after failures is asked at once when its URL is changed, or it is switched on again", async () => {
    // The clock stands still, so a rest never ends automatically.
    const clock = new TestClock();
    await using down = startSink();
    await using up = startSink();
    await using t = await startTestApp({ seams: { clock } });
    await newBot(t);
    const id = await hook(t, down.url, { events: ["message.received"] });
    down.answer = () => new Response(null, { status: 500 });
    const failThreeTimes = async () => {
      const before = down.requests.length;
      for (const subject of ["one", "two", "three", "while it rests"]) {
        await mail(t, subject);
        await t.app.drain();
      }
      expect(down.requests).toHaveLength(before + 3);
    };
    const change = async (body: object) =>
      expect((await t.api("PATCH", `/api/v1/webhooks/${id}`, body)).status).toBe(200);
    await failThreeTimes();
    await change({ url: up.url });
    await up.reached(1);
    expect(up.requests[0]?.body.data.subject).toBe("while it rests");
    await change({ url: down.url });
    await failThreeTimes();
    await change({ status: "disabled" });
    down.answer = () => new Response(null, { status: 204 });
    await change({ status: "enabled" });
    await down.reached(7);
  });

  test("that was dead for an hour gets everything in the end, each event under one id", async () => {
    const clock = new TestClock();
    await using sink = startSink();
    await using t = await startTestApp({ seams: { clock } });
    await newBot(t);
    await hook(t, sink.url, { events: ["message.received"] });
    const taken = new Set<string>();
    sink.answer = () => new Response(null, { status: 502 });
    for (let minute = 0; minute < 60; minute += 5) {
      await mail(t, `minute ${minute}`);
      await t.app.drain();
      clock.advance(300_000);
    }
    sink.answer = ({ headers }) => {
      taken.add(headers["webhook-id"] ?? "");
      return new Response(null, { status: 204 });
    };
    for (let hour = 0; hour < 6; hour++) {
      await t.app.drain();
      clock.advance(HOUR_MS);
    }
    await t.app.drain();
    const { events } = (await t.api("GET", "/api/v1/events?types=message.received")).body;
    expect(taken).toEqual(new Set(events.map(({ id }: { id: string }) => id)));
    expect(taken.size).toBe(12);
  });

  test("is called no faster than configured, while others are not held up", async () => {
    const clock = new TestClock();
    await using slow = startSink();
    await using quick = startSink();
    await using t = await startTestApp({ seams: { clock }, set: { "webhook.rate_per_endpoint": 2 } });
    await newBot(t);
    await hook(t, slow.url, { events: ["message.received"] });
    for (let i = 0; i < 5; i++) await mail(t, `${i}`);
    await t.app.drain();
    expect(slow.requests).toHaveLength(2);
    await hook(t, quick.url, { events: ["message.received"] });
    await mail(t, "last");
    await t.app.drain();
    expect([slow.requests.length, quick.requests.length]).toEqual([2, 1]);
    for (const count of [3, 4, 5, 6]) {
      clock.advance(500);
      // It arrives by time alone, not by another search for work.
      await slow.reached(count);
      await t.app.drain();
      expect(slow.requests).toHaveLength(count);
    }
  });
});
