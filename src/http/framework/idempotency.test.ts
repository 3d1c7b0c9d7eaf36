/**
 * Idempotency-Keys: which caller they belong to, and what a repetition gets if the first request was never answered.
 */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { scriptedSmtp } from "../../../test/smtp/scripted-smtp.ts";
import { request, startTestApp } from "../../../test/support/app.ts";
import { TestClock } from "../../util/clock.ts";
import type { Failure } from "../../util/errors.ts";
import { silentLog } from "../../util/log.ts";
import { createVault, loadOrCreateKeyFile } from "../../vault.ts";
import { createIdempotency, RequestHash } from "./idempotency.ts";
import type { Identity } from "./identity.ts";

const loopback = "http://127.0.0.1:9/hook";

for (const database of ["sqlite", "postgres"] as const) {
  test(`a request that died behind its commit is not carried out again: its repetition gets the answer (${database})`, async () => {
    await using it = await startTestApp({ database });
    await it.api("POST", "/api/v1/agents", { slug: "first", agent_mode: "local" });
    const requests = [
      ["/api/v1/agents", { slug: "bot", agent_mode: "local" }, "/api/v1/agents"],
      ["/api/v1/domains", { domain: "agents.customer.example" }, "/api/v1/domains"],
      ["/api/v1/keys", { name: "reader", scope: "agent", agent: "first@e2a.localhost" }, "/api/v1/keys"],
      ["/api/v1/users/me/signing-secrets", { name: "next" }, "/api/v1/users/me/signing-secrets"],
      ["/api/v1/webhooks", { url: loopback, events: ["message.held"] }, "/api/v1/webhooks"],
    ] as const;
    const count = async (list: string) => Object.values((await it.api("GET", list)).body).flat().length;
    // As if the process were killed between the commit and the answer: the answer is not stored.
    it.app.store.finishIdempotent = () => Promise.reject(new Error("The process is dead."));
    const before = [];
    for (const [i, [path, body, list]] of requests.entries()) {
      const first = await it.api("POST", path, body, { "idempotency-key": `key ${i}` });
      expect(first.status).toBeLessThan(202);
      before.push({ answer: first.body, rows: await count(list) });
    }
    await it.restart();
    for (const [i, [path, body, list]] of requests.entries()) {
      const again = await it.api("POST", path, body, { "idempotency-key": `key ${i}` });
      expect({ answer: again.body, rows: await count(list) }).toEqual(before[i] as (typeof before)[number]);
      expect(again.headers.get("idempotent-replayed")).toBe("true");
    }
  });
}

test("a first request that outlives its patience makes nothing once its repetition was carried out", async () => {
  await using it = await startTestApp();
  const { store } = it.app;
  const answer = { userId: it.userId, key: "slow", answer: { status: 201, body: "sealed" } };
  const webhook = { userId: it.userId, url: loopback, events: [], agents: [], description: "" };
  const now = new Date();
  const start = { userId: it.userId, key: "slow", requestHash: "hash", now, expiredBefore: new Date(0) };
  await store.startIdempotent({ ...start, abandonedBefore: new Date(0) });
  expect(await store.startIdempotent({ ...start, abandonedBefore: new Date(now.getTime() + 1) })).toEqual({
    kind: "first",
  });
  await store.createWebhook(webhook, now, answer);
  const late = store.createWebhook(webhook, now, answer);
  expect(await late.catch(({ code }: Failure) => code)).toBe("conflict");
  expect(await store.listWebhooks(it.userId)).toHaveLength(1);
});

test("a request that ended in a failure of the server leaves its Idempotency-Key free at once", async () => {
  await using it = await startTestApp();
  const { store } = it.app;
  const create = () =>
    it.api("POST", "/api/v1/webhooks", { url: loopback, events: ["message.held"] }, { "idempotency-key": "once" });
  const { createWebhook } = store;
  store.createWebhook = () => Promise.reject(new Error("The disk made a noise."));
  expect((await create()).status).toBe(500);
  store.createWebhook = createWebhook;
  const [first, again] = [await create(), await create()];
  expect([first.status, first.headers.get("idempotency-replayed")]).toEqual([201, null]);
  expect([again.body, again.headers.get("idempotency-replayed")]).toEqual([first.body, "true"]);
});

test("a request that came too soon is carried out under the same Idempotency-Key when its time has come", async () => {
  const clock = new TestClock();
  await using it = await startTestApp({ set: { "limits.sends_per_minute_per_account": 1 }, seams: { clock } });
  await it.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
  const send = (key: string) =>
    it.api(
      "POST",
      "/api/v1/send",
      { to: ["ann@outside.example"], subject: key, body: "Hi" },
      { "idempotency-key": key },
    );
  expect((await send("first")).status).toBe(200);
  for (const _ of ["once", "twice"]) {
    const { status, headers } = await send("second");
    expect([status, headers.get("idempotency-replayed")]).toEqual([429, null]);
  }
  clock.advance(60_000);
  const [made, again] = [await send("second"), await send("second")];
  expect([made.status, made.headers.get("idempotency-replayed")]).toEqual([200, null]);
  expect([again.body, again.headers.get("idempotency-replayed")]).toEqual([made.body, "true"]);
});

test("what throws on the way to its answer leaves its Idempotency-Key free at once", async () => {
  await using it = await startTestApp();
  const vault = createVault(await loadOrCreateKeyFile(join(it.dataDir, "encryption.key")));
  const idempotency = createIdempotency({ store: it.app.store, vault, clock: new TestClock(), log: silentLog });
  const identity = { user: { id: it.userId }, agentId: null } as Identity;
  const once = (run: () => Promise<Response>) => {
    const request = new Request("http://e2a.localhost/api/v1/keys", {
      ...{ method: "POST", headers: { "idempotency-key": "thrown" } },
    });
    return idempotency.once(request, identity, new RequestHash(request, identity), run);
  };
  const thrown = new Error("It broke in the middle.");
  expect(await once(() => Promise.reject(thrown)).catch((error) => error)).toBe(thrown);
  expect((await once(async () => Response.json({}, { status: 201 }))).status).toBe(201);
});

test("a request that comes too late does not replace the answer of its repetition", async () => {
  await using it = await startTestApp();
  const { store } = it.app;
  const clock = new TestClock();
  const vault = createVault(await loadOrCreateKeyFile(join(it.dataDir, "encryption.key")));
  const idempotency = createIdempotency({ store, vault, clock, log: silentLog });
  const identity = { user: { id: it.userId }, agentId: null } as Identity;
  const once = (run: Parameters<typeof idempotency.once>[3]) => {
    const request = new Request("http://e2a.localhost/api/v1/webhooks", {
      ...{ method: "POST", headers: { "idempotency-key": "slow" } },
    });
    return idempotency.once(request, identity, new RequestHash(request, identity), run);
  };
  const webhook = { userId: it.userId, url: loopback, events: [], agents: [], description: "" };
  const create: Parameters<typeof once>[0] = (keep) =>
    store.createWebhook(webhook, new Date(), keep(201, "made")).then(
      () => Response.json("made", { status: 201 }),
      ({ code }: Failure) => Response.json(code, { status: 409 }),
    );
  const started = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const late = once(async (keep) => {
    started.resolve();
    await released.promise;
    return create(keep);
  });
  await started.promise;
  clock.advance(31_000);
  expect((await once(create)).status).toBe(201);
  released.resolve();
  expect((await late).status).toBe(409);
  const again = await once(create);
  expect([again.status, await again.json()]).toEqual([201, "made"]);
  expect(await store.listWebhooks(it.userId)).toHaveLength(1);
});

test("another request with the key of a mail is refused, and the mail's own request still gets its answer", async () => {
  await using upstream = await scriptedSmtp({
    on: (stage) => (stage === "rcpt" ? "550 5.1.1 No such user" : undefined),
  });
  await using it = await startTestApp({
    set: {
      ...{ "outbound_smtp.host": upstream.host, "outbound_smtp.port": upstream.port, "outbound_smtp.tls": "off" },
    },
  });
  await it.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
  const send = (subject: string) =>
    it.api(
      ...(["POST", "/api/v1/send"] as const),
      { to: ["ann@outside.example"], subject, body: "Good day." },
      { "idempotency-key": "once" },
    );
  const first = await send("First");
  expect(first.status).toBe(502);
  expect(await send("Second")).toMatchObject({ status: 422, body: { code: "idempotency_key_reused" } });
  const again = await send("First");
  expect([again.status, again.body.message_id]).toEqual([502, first.body.message_id]);
});

for (const database of ["sqlite", "postgres"] as const)
  test(`each agent's keys have Idempotency-Keys of their own, and the account's keys share theirs (${database})`, async () => {
    await using it = await startTestApp({ database });
    const agents = [];
    for (const slug of ["one", "two"]) {
      const { body: agent } = await it.api("POST", "/api/v1/agents", { slug, agent_mode: "local" });
      const { body } = await it.api("POST", "/api/v1/keys", { name: slug, scope: "agent", agent: agent.email });
      agents.push({ from: agent.email as string, key: body.key as string });
    }
    const send = (key: string, from: string) =>
      request(
        `${it.app.httpUrl}/api/v1/send`,
        key,
        "POST",
        { from, to: ["ann@outside.example"], subject: "Hello", body: "Good day." },
        { "idempotency-key": "the same" },
      );
    const answers = [];
    for (const { key, from } of agents) answers.push(await send(key, from));
    answers.push(await send(it.key, agents[0]?.from ?? ""));
    expect(answers.map(({ status, headers }) => [status, headers.get("idempotent-replayed")])).toEqual(
      Array.from({ length: 3 }, () => [200, null]),
    );
    expect(new Set(answers.map(({ body }) => body.message_id)).size).toBe(3);

    const { body: other } = await it.api("POST", "/api/v1/keys", { name: "other", scope: "account" });
    const { body: second } = await it.api("POST", "/api/v1/keys", {
      ...{ name: "second", scope: "agent", agent: agents[1]?.from },
    });
    const again = [await send(other.key, agents[0]?.from ?? ""), await send(second.key, agents[1]?.from ?? "")];
    expect(again.map(({ body, headers }) => [body.message_id, headers.get("idempotent-replayed")])).toEqual([
      [answers[2]?.body.message_id, "true"],
      [answers[1]?.body.message_id, "true"],
    ]);
  });
