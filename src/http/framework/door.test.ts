import { expect, test } from "bun:test";
import { connect } from "node:net";
import { join } from "node:path";
import { addAgent, addMessage, multiplyMessages, outboundFor } from "../../../test/store/rows.ts";
import { request, startTestApp } from "../../../test/support/app.ts";
import { testPool } from "../../../test/support/pool.ts";
import { SocketClient } from "../../../test/support/socket-client.ts";
import { until } from "../../../test/support/until.ts";
import { issueKey } from "../../accounts.ts";
import { TestClock } from "../../util/clock.ts";
import { type LogFields, silentLog } from "../../util/log.ts";
import { RequestHash } from "./idempotency.ts";

const wrongKey = `e2a_${"0".repeat(64)}`;

test("a key has so many requests a minute, and is told when to come back", async () => {
  for (const database of ["sqlite", "postgres"] as const) {
    const clock = new TestClock(Date.UTC(2026, 4, 15, 12, 0, 20));
    await using it = await startTestApp({ database, set: { "limits.api_requests_per_minute": 3 }, seams: { clock } });
    for (let n = 0; n < 3; n++) expect((await it.api("GET", "/api/v1/agents")).status).toBe(200);
    const { status, headers, body } = await it.api("GET", "/api/v1/agents");
    expect({ status, code: body.code, after: headers.get("retry-after") }).toEqual({
      ...{ status: 429, code: "rate_limited", after: "40" },
    });
    // Paths that need no key are not counted.
    expect((await fetch(`${it.app.httpUrl}/api/health`)).status).toBe(200);
    clock.advance(40_000);
    expect((await it.api("GET", "/api/v1/agents")).status).toBe(200);
  }
});

test("wrong keys are counted by address; a right one still passes", async () => {
  const clock = new TestClock();
  const set = { "limits.auth_failures_per_minute": 2, "http.trusted_proxies": "127.0.0.1" };
  await using it = await startTestApp({ set, seams: { clock } });
  const url = `${it.app.httpUrl}/api/v1/agents`;
  const from = (client: string, key = wrongKey) => request(url, key, "GET", undefined, { "x-forwarded-for": client });
  expect((await from("192.0.2.1")).status).toBe(401);
  expect((await from("192.0.2.1")).status).toBe(401);
  const refused = await from("192.0.2.1");
  expect(refused.status).toBe(429);
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
  // The part of the header that the client wrote itself is ignored; another address has its own count.
  expect((await from("203.0.113.9, 192.0.2.1")).status).toBe(429);
  expect((await from("192.0.2.2")).status).toBe(401);
  expect((await from("192.0.2.1", it.key)).status).toBe(200);
  // A client with one address of an IPv6 network has all 2^64 of it.
  for (const [client, status] of [
    ["2001:db8:1:2::1", 401],
    ["2001:db8:1:2:ffff::2", 401],
    ["2001:db8:1:2:1:2:3:4", 429],
    ["2001:db8:1:3::1", 401],
  ] as const)
    expect([client, (await from(client)).status]).toEqual([client, status]);
});

test("an account that searches many times at once leaves a thread for the lists of others", async () => {
  await using it = await startTestApp();
  const { store, httpUrl } = it.app;
  const bot = await addAgent(store);
  await addMessage(store, bot.id);
  multiplyMessages(join(it.dataDir, "e2a.db"), 40_000);
  const issued = { userId: bot.userId, name: "searcher", scope: "account" as const, agentId: null, expiresAt: null };
  const { key } = await issueKey(store, { ...issued, now: new Date() });
  let answered = 0;
  const first = Promise.withResolvers<void>();
  const searches = Array.from({ length: 30 }, async () => {
    const search = `${httpUrl}/api/v1/agents/${bot.id}/messages?status=all&from=nobody@people.example`;
    const { status } = await request(search, key, "GET");
    answered++;
    first.resolve();
    return status;
  });
  await first.promise;
  expect((await it.api("GET", "/api/v1/agents")).status).toBe(200);
  // One of the searches was running, and a few more may have while this test waited for its own thread.
  expect(answered).toBeLessThan(10);
  expect(new Set(await Promise.all(searches))).toEqual(new Set([200]));
}, 60_000);

test("X-Forwarded-For is believed from trusted proxies only", async () => {
  await using it = await startTestApp({ set: { "limits.auth_failures_per_minute": 1 } });
  const from = (client: string) =>
    request(`${it.app.httpUrl}/api/v1/agents`, wrongKey, "GET", undefined, { "x-forwarded-for": client });
  expect((await from("192.0.2.1")).status).toBe(401);
  expect((await from("192.0.2.2")).status).toBe(429);
});

test("a key has so many WebSockets", async () => {
  await using it = await startTestApp({ set: { "limits.websockets_per_key": 1 } });
  const agents = ["one", "two"].map((slug) => `${slug}-bot@${it.app.config.sharedDomain}`);
  for (const agent of agents)
    await it.api("POST", "/api/v1/agents", { slug: agent.split("@")[0], agent_mode: "local" });
  const urls = agents.map((agent) => `${it.app.httpUrl.replace(/^http/, "ws")}/api/v1/agents/${agent}/ws`);
  const first = await SocketClient.open(urls[0] as string, it.key);
  expect(await SocketClient.refusal(urls[1] as string, it.key)).toBe(429);
  await first[Symbol.asyncDispose]();
  // The server notices the end a moment after the client.
  await until(
    "the socket that was closed counts no more",
    async () => (await SocketClient.refusal(urls[1] as string, it.key)) !== 429,
  );
});

/** Sends a POST except for its last byte; `end` sends that one, and resolves with the status. */
function slowPost(url: string, headers: Record<string, string>, body: unknown): { end(): Promise<number> } {
  const { hostname, port, pathname } = new URL(url);
  const text = JSON.stringify(body);
  const fields = { host: `${hostname}:${port}`, "content-type": "application/json", ...headers };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  const socket = connect(Number(port), hostname);
  const answer = new Promise<string>((resolve) => socket.once("data", (data) => resolve(data.toString())));
  socket.write(
    `POST ${pathname} HTTP/1.1\r\n${lines.join("")}content-length: ${text.length}\r\n\r\n${text.slice(0, -1)}`,
  );
  return {
    async end() {
      socket.write(text.slice(-1));
      const status = Number((await answer).slice("HTTP/1.1 ".length, "HTTP/1.1 200".length));
      socket.destroy();
      return status;
    },
  };
}

test("a key or session that ends while a body arrives opens nothing", async () => {
  const clock = new TestClock();
  await using it = await startTestApp({ seams: { clock } });
  const { httpUrl, config } = it.app;
  const agent = `bot@${config.sharedDomain}`;
  await it.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
  const issue = async (more: object) => (await it.api("POST", "/api/v1/keys", { name: "stolen", ...more })).body;
  const [whole, own, signedIn] = [
    await issue({ scope: "account" }),
    await issue({ scope: "agent", agent }),
    await issue({ scope: "account" }),
  ];
  const form = new URLSearchParams({ api_key: signedIn.key });
  const entered = await fetch(`${httpUrl}/sign-in/key`, {
    ...{ method: "POST", body: form, headers: { origin: httpUrl }, redirect: "manual" },
  });
  const session = (entered.headers.get("set-cookie") ?? "").split(";")[0] ?? "";
  const newKey = { name: "made with it", scope: "account" };
  const post = (path: string, headers: Record<string, string>, body: unknown) =>
    slowPost(`${httpUrl}/api/v1${path}`, headers, body);
  const uploads = [
    post("/keys", { authorization: `Bearer ${whole.key}` }, newKey),
    post("/send", { authorization: `Bearer ${own.key}` }, { to: [agent], subject: "Late", body: "x" }),
    post("/keys", { cookie: session, origin: httpUrl }, newKey),
  ];
  await until("all of them are known by their keys", async () => {
    const [{ keys }, { sessions }] = await Promise.all(
      ["/api/v1/keys", "/api/v1/sessions"].map(async (path) => (await it.api("GET", path)).body),
    );
    const used = keys.filter((key: { id: string; last_used_at: string | null }) => key.last_used_at !== null);
    return (
      [whole, own].every(({ id }) => used.some((key: { id: string }) => key.id === id)) && sessions[0].last_used_at
    );
  });
  for (const { id } of [whole, own, signedIn]) expect((await it.api("DELETE", `/api/v1/keys/${id}`)).status).toBe(204);
  clock.advance(1_000);
  expect(await Promise.all(uploads.map((upload) => upload.end()))).toEqual([401, 401, 401]);
  const { keys } = (await it.api("GET", "/api/v1/keys")).body;
  expect(keys.some(({ name }: { name: string }) => name === newKey.name)).toBe(false);
  expect((await it.api("GET", `/api/v1/agents/${agent}/messages?status=all`)).body.messages).toEqual([]);
});

test("a key that ends while a child process keeps its requests waiting sends, decides and reads nothing", async () => {
  const clock = new TestClock();
  const pool = testPool();
  const waiting: string[] = [];
  let gate = Promise.resolve();
  const held: typeof pool.run = async (name, ...rest) => {
    waiting.push(name);
    await gate;
    return pool.run(name, ...rest);
  };
  await using it = await startTestApp({ seams: { clock, pool: { ...pool, run: held } } });
  const agent = `bot@${it.app.config.sharedDomain}`;
  await it.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
  const attachments = [{ filename: "a.txt", data: "YQ==" }];
  const mail = { to: [agent], subject: "Hello", body: "x", attachments };
  const sent = (await it.api("POST", "/api/v1/send", mail)).body.message_id;
  await it.api("PATCH", `/api/v1/agents/${agent}`, { hitl_enabled: true, hitl_notify_email: false });
  const waits = (await it.api("POST", "/api/v1/send", { ...mail, to: ["ann@outside.example"] })).body.message_id;
  await it.api("PATCH", `/api/v1/agents/${agent}`, { hitl_enabled: false });

  const stolen = (await it.api("POST", "/api/v1/keys", { name: "stolen", scope: "account" })).body;
  const { promise, resolve: open } = Promise.withResolvers<void>();
  gate = promise;
  waiting.length = 0;
  const ask = (method: string, path: string, body?: unknown, more = {}) =>
    request(`${it.app.httpUrl}/api/v1${path}`, stolen.key, method, body, more);
  const once = { "idempotency-key": "order-17" };
  const late = { ...mail, subject: "Late" };
  const asked = [
    ask("POST", "/send", late, once),
    ask("POST", `/messages/${waits}/approve`, { subject: "Late" }),
    ask("GET", `/messages/${sent}/attachments/0`),
  ];
  await until("all of them wait", () => waiting.length === asked.length);
  expect((await it.api("DELETE", `/api/v1/keys/${stolen.id}`)).status).toBe(204);
  clock.advance(1_000);
  open();
  expect((await Promise.all(asked)).map(({ status }) => status)).toEqual([401, 401, 401]);
  const { messages } = (await it.api("GET", "/api/v1/messages")).body;
  const seen = messages.map(({ id, subject, status }: Record<string, string>) => [id, subject, status]);
  expect(seen).toEqual([
    [waits, "Hello", "pending_approval"],
    [sent, "Hello", "delivered"],
  ]);
  // No other request gets the answer that the key was given.
  expect((await it.api("POST", "/api/v1/send", late, once)).status).toBe(200);
});

test("a key in a path does not reach the log", async () => {
  const paths: unknown[] = [];
  const info = (_event: string, fields: LogFields = {}) => paths.push(fields.path);
  await using it = await startTestApp({ seams: { log: { ...silentLog, info } } });
  await it.api("GET", `/api/v1/agents/${it.key}`);
  await it.api("GET", `/${it.key.toUpperCase()}/x`);
  expect(paths).toContain("/api/v1/agents/e2a_…");
  expect(paths.join("\n").toLowerCase()).not.toContain(it.key.slice("e2a_".length));
});

test("an answer to an Idempotency-Key outlives the server, sealed, and is forgotten after a day", async () => {
  const clock = new TestClock();
  await using it = await startTestApp({ seams: { clock } });
  const body = { name: "secret", scope: "account" };
  const headers = { "idempotency-key": "k" };
  const first = await it.api("POST", "/api/v1/keys", body, headers);
  await it.restart();
  const again = await it.api("POST", "/api/v1/keys", body, headers);
  expect(again.headers.get("idempotency-replayed")).toBe("true");
  expect(again.body).toEqual(first.body);
  for await (const file of new Bun.Glob("e2a.db*").scan(it.dataDir))
    expect(await Bun.file(`${it.dataDir}/${file}`).text()).not.toContain(first.body.key);
  clock.advance(24 * 3_600_000 + 1);
  const later = await it.api("POST", "/api/v1/keys", body, headers);
  expect(later.headers.has("idempotency-replayed")).toBe(false);
  expect(later.body.id).not.toBe(first.body.id);
});

test("a failed request leaves its Idempotency-Key free only when it may end otherwise next time", async () => {
  await using it = await startTestApp({ set: { "limits.api_requests_per_minute": 100 } });
  const headers = { "idempotency-key": "k" };
  const slug = { slug: "postmaster", agent_mode: "local" };
  expect((await it.api("POST", "/api/v1/agents", slug, headers)).status).toBe(400);
  const replayed = await it.api("POST", "/api/v1/agents", slug, headers);
  expect(replayed.headers.get("idempotency-replayed")).toBe("true");
  expect(replayed.headers.get("content-type")).toBe("application/problem+json");
});

test("what failed by chance leaves its Idempotency-Key free at once, and a first request that died after 30 s", async () => {
  const clock = new TestClock(Date.UTC(2026, 4, 15, 12, 0, 20));
  await using it = await startTestApp({ set: { "limits.sends_per_minute_per_account": 1 }, seams: { clock } });
  const agent = `limited@${it.app.config.sharedDomain}`;
  await it.api("POST", "/api/v1/agents", { slug: "limited", agent_mode: "local" });
  const send = (subject: string, key: string) =>
    it.api("POST", "/api/v1/send", { from: agent, to: [agent], subject, body: "x" }, { "idempotency-key": key });
  expect((await send("First", "one")).status).toBe(200);
  expect((await send("Second", "two")).status).toBe(429);
  clock.advance(60_000);
  const [second, again] = [await send("Second", "two"), await send("Second", "two")];
  expect([second.status, again.body.message_id]).toEqual([200, second.body.message_id]);

  // The state that a process leaves if it dies before it answers.
  const body = { name: "k", scope: "account" };
  const url = `${it.app.httpUrl}/api/v1/keys`;
  const hash = new RequestHash(new Request(url, { method: "POST" }), null);
  hash.update(Buffer.from(JSON.stringify(body)));
  await it.app.store.startIdempotent({
    ...{ userId: it.userId, key: "three", requestHash: hash.digest(), now: new Date(clock.now()) },
    ...{ expiredBefore: new Date(0), abandonedBefore: new Date(0) },
  });
  const create = () => request(url, it.key, "POST", body, { "idempotency-key": "three" });
  clock.advance(29_000);
  expect((await create()).status).toBe(409);
  clock.advance(2_000);
  expect((await create()).status).toBe(201);
});

test("closing lets a running request end, and wakes who waits", async () => {
  await using it = await startTestApp();
  await it.api("POST", "/api/v1/agents", { slug: "my-bot", agent_mode: "local" });
  const agent = `my-bot@${it.app.config.sharedDomain}`;
  const waiting = it.api("GET", `/api/v1/agents/${agent}/messages/wait?timeout=60`);
  await it.api("POST", "/api/v1/domains", { domain: "d.example" });
  // Resolves as soon as it asks DNS.
  const asked = it.dns.nextQuery();
  const looking = it.api("GET", "/api/v1/domains/d.example");
  await asked;
  await using socket = await SocketClient.open(
    `${it.app.httpUrl.replace(/^http/, "ws")}/api/v1/agents/${agent}/ws`,
    it.key,
  );
  await it.app.close();
  expect((await waiting).body).toEqual({ messages: [] });
  expect((await looking).status).toBe(200);
  expect((await socket.closed).code).toBe(1001);
});

test("a client that sends no more of its body holds nobody up", async () => {
  await using it = await startTestApp();
  const { port } = new URL(it.app.httpUrl);
  const socket = connect(Number(port), "127.0.0.1");
  const head = ["POST /api/v1/agents HTTP/1.1", "Host: x", `Authorization: Bearer ${it.key}`];
  socket.write(`${[...head, "Content-Type: application/json", "Content-Length: 1000"].join("\r\n")}\r\n\r\n{`);
  expect((await it.api("GET", "/api/v1/agents")).status).toBe(200);
  socket.destroy();
  expect((await it.api("GET", "/api/v1/agents")).status).toBe(200);
});

test("the log has a path of any length with its beginning only", async () => {
  const paths: unknown[] = [];
  const info = (event: string, fields: LogFields = {}) => void (event === "http.request" && paths.push(fields.path));
  await using it = await startTestApp({ seams: { log: { ...silentLog, info } } });
  expect((await it.api("GET", `/api/v1/agents/${"x".repeat(5_000)}`)).status).toBe(404);
  expect((await it.api("GET", `/api/v1/${"y".repeat(5_000)}`)).status).toBe(404);
  expect(paths).toEqual([`/api/v1/agents/${"x".repeat(185)}`, `/api/v1/${"y".repeat(192)}`]);
});

test("readiness names what is in the way", async () => {
  await using it = await startTestApp();
  expect((await fetch(`${it.app.httpUrl}/api/ready`)).status).toBe(200);
});

test("metrics are on their own listener, counted by route", async () => {
  await using it = await startTestApp({ set: { "metrics.listen_addr": "127.0.0.1:0" } });
  await it.api("GET", "/api/v1/agents/nobody@x.example");
  const { metricsUrl } = it.app;
  const text = await (await fetch(metricsUrl as string)).text();
  expect(text).toContain('e2a_http_requests_total{method="GET",route="/api/v1/agents/:email",status="404"} 1\n');
  expect(text).toMatch(/^process_resident_memory_bytes \d+$/m);
  expect((await fetch(`${it.app.httpUrl}/metrics`)).status).toBe(404);
});

test("metrics tell how much mail out waits on each way, and since when", async () => {
  const clock = new TestClock();
  await using it = await startTestApp({ set: { "metrics.listen_addr": "127.0.0.1:0" }, seams: { clock } });
  const figures = async () => (await (await fetch(it.app.metricsUrl as string)).text()).match(/^e2a_outbound_.*$/gm);
  expect(await figures()).toEqual(["e2a_outbound_oldest_due_seconds 0"]);
  // Lanes that this server does not serve, so that no worker sends the mail.
  const [agent, now] = [await addAgent(it.app.store), new Date(clock.now())];
  for (const lane of ["north", "north", 'quo"te'])
    await it.app.store.acceptOutbound(outboundFor(agent.id, { recipients: [{ lane }], now }));
  clock.advance(90_000);
  expect(await figures()).toEqual([
    'e2a_outbound_waiting{lane="north"} 2',
    'e2a_outbound_waiting{lane="quo\\"te"} 1',
    "e2a_outbound_oldest_due_seconds 90",
  ]);
});

/** The answers to requests that are written at the same moment, each on its own connection, in the order of arrival. */
async function answersInOrder(url: string, key: string, paths: readonly string[]): Promise<string[]> {
  const { hostname, port } = new URL(url);
  const sockets = await Promise.all(
    paths.map(
      () =>
        new Promise<ReturnType<typeof connect>>((resolve, reject) => {
          const socket = connect(Number(port), hostname, () => resolve(socket));
          socket.on("error", reject);
        }),
    ),
  );
  const came: string[] = [];
  const answered = sockets.map(
    (socket, i) =>
      new Promise<void>((resolve) => {
        socket.once("data", (data) => {
          came.push(`${paths[i]} ${data.toString("latin1").split(" ")[1]}`);
          resolve();
        });
      }),
  );
  for (const [i, socket] of sockets.entries())
    socket.write(`GET ${paths[i]} HTTP/1.1\r\nHost: e2a\r\nAuthorization: Bearer ${key}\r\n\r\n`);
  await Promise.all(answered);
  for (const socket of sockets) socket.destroy();
  return came;
}

test("a burst of requests keeps no load balancer waiting for its probe", async () => {
  await using it = await startTestApp({ set: { "limits.api_requests_per_minute": 10_000 } });
  const burst = Array.from({ length: 300 }, () => "/api/v1/agents");
  const came = await answersInOrder(it.app.httpUrl, it.key, [...burst, "/api/health"]);
  expect(came).toHaveLength(301);
  expect(came.filter((answer) => answer.endsWith(" 200"))).toHaveLength(301);
  expect(came.indexOf("/api/health 200")).toBeLessThan(150);
});

test("a connection that does not send its first request is closed, and one that waits for an answer is not", async () => {
  await using it = await startTestApp();
  await it.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
  const { hostname, port } = new URL(it.app.httpUrl);
  const waiting = it.api("GET", "/api/v1/agents/bot@e2a.localhost/messages/wait?timeout=20");
  const half = connect(Number(port), hostname, () => half.write("GET /api/health HTTP/1.1\r\nX: "));
  half.on("error", () => {}).resume();
  const closed = new Promise((resolve) => half.on("close", () => resolve("closed")));
  expect(await Promise.race([closed, waiting])).toBe("closed");
  expect((await waiting).status).toBe(200);
}, 60_000);
