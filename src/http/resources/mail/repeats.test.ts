/** The same request again, without an Idempotency-Key: when it means the same mail, and when another one. */
import { expect, test } from "bun:test";
import { type ScriptedOptions, scriptedSmtp } from "../../../../test/smtp/scripted-smtp.ts";
import { request, startTestApp, type TestAppOptions } from "../../../../test/support/app.ts";
import { until } from "../../../../test/support/until.ts";
import { TestClock } from "../../../util/clock.ts";
import { type LogFields, silentLog } from "../../../util/log.ts";

const ann = "ann@outside.example";

/** Starts an app with one agent and an upstream that answers as scripted. */
async function startSending(on: ScriptedOptions["on"], options: TestAppOptions = {}) {
  const upstream = await scriptedSmtp(on ? { on } : {});
  const it = await startTestApp({
    ...options,
    set: {
      "outbound_smtp.host": upstream.host,
      "outbound_smtp.port": upstream.port,
      "outbound_smtp.tls": "off",
      "limits.loop_messages": 0,
      ...options.set,
    },
  });
  const { body: agent } = await it.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
  const mail = (more: object = {}) => ({ from: agent.email, to: [ann], subject: "Hello", body: "Good day.", ...more });
  const close = it[Symbol.asyncDispose].bind(it);
  return Object.assign(it, {
    upstream,
    agent: agent.email as string,
    mail,
    send: (more: object = {}, headers: Record<string, string> = {}) =>
      it.api("POST", "/api/v1/send", mail(more), headers),
    stored: async (): Promise<string[]> =>
      (await it.api("GET", "/api/v1/messages")).body.messages.map(({ id }: { id: string }) => id),
    async [Symbol.asyncDispose]() {
      await close();
      await upstream[Symbol.asyncDispose]();
    },
  });
}

type Answer = Awaited<ReturnType<typeof request>>;
const replayed = ({ headers }: Answer) => headers.get("idempotent-replayed");

for (const database of ["sqlite", "postgres"] as const) {
  test(`an answer that was not final is given again for two minutes, also after a restart (${database})`, async () => {
    const clock = new TestClock();
    await using it = await startSending((stage) => (stage === "rcpt" ? "451 4.7.1 Greylisted" : undefined), {
      ...{ database, seams: { clock } },
    });
    const first = await it.send();
    expect([first.status, first.body.status, replayed(first)]).toEqual([202, "queued", null]);
    clock.advance(60_000);
    await it.restart();
    clock.advance(69_000);
    const again = await it.send();
    expect([again.status, again.body.message_id, replayed(again)]).toEqual([202, first.body.message_id, "true"]);
    expect(await it.stored()).toEqual([first.body.message_id]);
    clock.advance(2_000);
    const later = await it.send();
    expect([later.status, replayed(later)]).toEqual([202, null]);
    expect(later.body.message_id).not.toBe(first.body.message_id);
  });

  test(`what was sent, and said to be, is sent again when it is asked for again (${database})`, async () => {
    await using it = await startSending(undefined, { database });
    const ids = new Set<string>();
    for (let i = 0; i < 5; i++) {
      const answer = await it.send();
      expect([answer.status, replayed(answer)]).toEqual([200, null]);
      ids.add(answer.body.message_id);
    }
    expect(ids.size).toBe(5);
    expect(await it.upstream.received(5)).toHaveLength(5);
  });

  test(`a client that gave up before its answer, and tries again, joins its first mail (${database})`, async () => {
    const asked = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    await using it = await startSending(
      async (stage) => {
        if (stage !== "message") return undefined;
        asked.resolve();
        await released.promise;
        return undefined;
      },
      { database },
    );
    const abandoned = new AbortController();
    const first = fetch(`${it.app.httpUrl}/api/v1/send`, {
      method: "POST",
      headers: { authorization: `Bearer ${it.key}`, "content-type": "application/json" },
      body: JSON.stringify(it.mail()),
      signal: abandoned.signal,
    }).catch(() => null);
    await asked.promise;
    // A second request joins the first while that is still running.
    const meanwhile = it.send();
    abandoned.abort();
    expect(await first).toBeNull();
    released.resolve();
    const joined = await meanwhile;
    expect([joined.status, joined.body.status, replayed(joined)]).toEqual([200, "sent", "true"]);
    expect(await it.stored()).toEqual([joined.body.message_id]);
    expect(it.upstream.messages).toHaveLength(1);
    // That answer was final and reached the client.
    const next = await it.send();
    expect([next.status, replayed(next)]).toEqual([200, null]);
    expect(it.upstream.messages).toHaveLength(2);
  });

  test(`a mail that left after its client had gone is what the client's next try means (${database})`, async () => {
    const asked = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    await using it = await startSending(
      async (stage) => {
        if (stage !== "message") return undefined;
        asked.resolve();
        await released.promise;
        return undefined;
      },
      { database },
    );
    const abandoned = new AbortController();
    const first = fetch(`${it.app.httpUrl}/api/v1/send`, {
      method: "POST",
      headers: { authorization: `Bearer ${it.key}`, "content-type": "application/json" },
      body: JSON.stringify(it.mail()),
      signal: abandoned.signal,
    }).catch(() => null);
    await asked.promise;
    abandoned.abort();
    expect(await first).toBeNull();
    released.resolve();
    const [id] = await it.stored();
    await until("it is sent", async () => (await it.api("GET", `/api/v1/messages/${id}`)).body.status === "sent");
    const again = await it.send();
    expect([again.status, again.body.message_id, again.body.status, replayed(again)]).toEqual([
      200,
      id,
      "sent",
      "true",
    ]);
    expect(it.upstream.messages).toHaveLength(1);
  });

  test(`many at once are one mail (${database})`, async () => {
    const released = Promise.withResolvers<void>();
    await using it = await startSending(
      async (stage) => {
        if (stage === "message") await released.promise;
        return undefined;
      },
      { database },
    );
    const all = Promise.all(Array.from({ length: 6 }, () => it.send()));
    await until("one is stored", async () => (await it.stored()).length > 0);
    released.resolve();
    const answers = await all;
    expect(new Set(answers.map(({ body }) => body.message_id)).size).toBe(1);
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 6 }, () => 200));
    expect(answers.filter((one) => replayed(one) === "true")).toHaveLength(5);
    expect(it.upstream.messages).toHaveLength(1);
  });

  test(`what waits for a person waits once, whatever is decided (${database})`, async () => {
    await using it = await startSending(undefined, { database });
    await it.api("PATCH", `/api/v1/agents/${it.agent}`, { hitl_enabled: true, hitl_notify_email: false });
    const { body: issued } = await it.api("POST", "/api/v1/keys", { name: "bot", scope: "agent", agent: it.agent });
    const send = () => request(`${it.app.httpUrl}/api/v1/send`, issued.key, "POST", it.mail());
    const first = await send();
    expect(first.body.status).toBe("pending_approval");
    const again = await send();
    expect([again.status, again.body.message_id, replayed(again)]).toEqual([202, first.body.message_id, "true"]);
    await it.api("POST", `/api/v1/messages/${first.body.message_id}/reject`, { reason: "No." });
    const told = await send();
    expect([told.status, told.body.status, replayed(told)]).toEqual([200, "rejected", "true"]);
    expect(await it.stored()).toEqual([first.body.message_id]);
    // The client has had the answer now.
    expect((await send()).body).toMatchObject({ status: "pending_approval" });
  });
}

test("a client that hangs up ends its request: nobody waits on for what becomes of the mail", async () => {
  const asked = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const ends: string[] = [];
  const info = (event: string, { path, method }: LogFields = {}) => {
    if (event === "outbound.sent" || (method === "POST" && path === "/api/v1/send")) ends.push(event);
  };
  const on = async (stage: string) => {
    if (stage !== "message") return undefined;
    asked.resolve();
    await released.promise;
    return undefined;
  };
  // The clock stands still, so that no wait times out.
  await using it = await startSending(on, { seams: { clock: new TestClock(), log: { ...silentLog, info } } });
  const abandoned = new AbortController();
  const first = fetch(`${it.app.httpUrl}/api/v1/send`, {
    method: "POST",
    headers: { authorization: `Bearer ${it.key}`, "content-type": "application/json" },
    body: JSON.stringify(it.mail()),
    signal: abandoned.signal,
  }).catch(() => null);
  await asked.promise;
  abandoned.abort();
  expect(await first).toBeNull();
  const [id] = await it.stored();
  const status = async () => (await it.api("GET", `/api/v1/messages/${id}`)).body.status;
  for (let n = 0; n < 200 && ends.length === 0; n++) expect(await status()).toBe("sending");
  released.resolve();
  while ((await status()) !== "sent");
  await it.app.drain();
  expect(ends).toEqual(["http.request", "outbound.sent"]);
});

test("a refusal for good is told again, and nothing is tried again", async () => {
  await using it = await startSending((stage) => (stage === "rcpt" ? "550 5.1.1 No such user here" : undefined));
  const first = await it.send();
  expect([first.status, replayed(first)]).toEqual([502, null]);
  const again = await it.send();
  expect([again.status, again.body.message_id, replayed(again)]).toEqual([502, first.body.message_id, "true"]);
  expect(it.upstream.lines.filter((line) => line.startsWith("RCPT"))).toHaveLength(1);
});

test("another request is another mail: other bytes, another key, another agent, a reply, an Idempotency-Key", async () => {
  await using it = await startSending(undefined);
  await it.api("PATCH", `/api/v1/agents/${it.agent}`, { paused: true });
  const { body: other } = await it.api("POST", "/api/v1/keys", { name: "other", scope: "account" });
  const file = (data: string) => ({ attachments: [{ filename: "a.txt", data }] });
  const answers = [
    await it.send(),
    await it.send({ subject: "Hello." }),
    await it.send(file("b25l")),
    await it.send(file("dHdv")),
    await it.send({ headers: { "X-Order": "1" } }),
    await it.send({ references: ["<a@outside.example>"] }),
    await request(`${it.app.httpUrl}/api/v1/send`, other.key, "POST", it.mail()),
    await it.send({}, { "idempotency-key": "one" }),
    await it.send({}, { "idempotency-key": "two" }),
  ];
  expect(answers.map(({ status, headers }) => [status, headers.get("idempotent-replayed")])).toEqual(
    answers.map(() => [202, null]),
  );
  expect(new Set(answers.map(({ body }) => body.message_id)).size).toBe(answers.length);
  expect((await it.send()).body.message_id).toBe(answers[0]?.body.message_id);

  const path = `/api/v1/agents/${it.agent}/messages/${answers[0]?.body.message_id}`;
  for (const [action, body] of [
    ["reply", { body: "Thanks." }],
    ["forward", { to: [ann] }],
  ] as const) {
    const [first, again] = [
      await it.api("POST", `${path}/${action}`, body),
      await it.api("POST", `${path}/${action}`, body),
    ];
    expect([action, first.status, replayed(first)]).toEqual([action, 202, null]);
    expect([action, again.body.message_id, replayed(again)]).toEqual([action, first.body.message_id, "true"]);
  }
});

test("what its sender has cancelled is not what it asks for next; what somebody else has cancelled stays so", async () => {
  await using it = await startSending(undefined);
  await it.api("PATCH", `/api/v1/agents/${it.agent}`, { paused: true });
  const { body: issued } = await it.api("POST", "/api/v1/keys", { name: "bot", scope: "agent", agent: it.agent });
  const bot = (method: string, path: string, body?: object) =>
    request(`${it.app.httpUrl}/api/v1${path}`, issued.key, method, body);
  const { body: first } = await bot("POST", "/send", it.mail());
  await bot("POST", `/messages/${first.message_id}/cancel`);
  const second = await bot("POST", "/send", it.mail());
  expect(replayed(second)).toBeNull();
  expect(second.body.message_id).not.toBe(first.message_id);
  await it.api("POST", `/api/v1/messages/${second.body.message_id}/cancel`);
  const again = await bot("POST", "/send", it.mail());
  expect([again.status, again.body.status, replayed(again)]).toEqual([200, "cancelled", "true"]);
});

test("an Idempotency-Key names one request, whose every byte counts, also when its answer was not kept", async () => {
  await using it = await startSending((stage) => (stage === "rcpt" ? "550 5.1.1 No such user here" : undefined));
  const headers = { "idempotency-key": "once" };
  const file = (data: string) => ({ attachments: [{ filename: "a.txt", data }] });
  const first = await it.send(file("b25l"), headers);
  expect(first.status).toBe(502);
  const same = await it.send(file("b25l"), headers);
  expect([same.status, same.body.message_id, replayed(same)]).toEqual([502, first.body.message_id, "true"]);
  expect(same.headers.get("idempotency-replayed")).toBe("true");
  for (const more of [
    file("dHdv"),
    { ...file("b25l"), headers: { "X-A": "b" } },
    { ...file("b25l"), references: ["<a@x.example>"] },
  ])
    expect(await it.send(more, headers)).toMatchObject({ status: 422, body: { code: "idempotency_key_reused" } });
  expect(await it.stored()).toEqual([first.body.message_id]);
});
