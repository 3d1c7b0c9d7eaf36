import { expect, test } from "bun:test";
import { join } from "node:path";
import { type ScriptedSmtp, scriptedSmtp } from "../../test/smtp/scripted-smtp.ts";
import { request } from "../../test/support/app.ts";
import { freePort, runBinary, type ServeProcess, startBinary } from "../../test/support/binary.ts";
import { cuttableLine } from "../../test/support/line.ts";
import { testPostgres } from "../../test/support/postgres.ts";
import { tempDir } from "../../test/support/temp.ts";
import { until } from "../../test/support/until.ts";

const senders = 4;
const messages = 80;
const kills = 3;

for (const database of ["sqlite", "postgres"] as const) {
  test(`kill -9 in a loop: every accepted message leaves, and no request sends two (${database})`, async () => {
    await using dir = await tempDir();
    await using sink = await scriptedSmtp();
    await using postgres = database === "postgres" ? await testPostgres() : null;
    const [smtpPort, httpPort] = [await freePort(), await freePort()];
    const env = {
      E2A_DATA_DIR: dir.path,
      E2A_SMTP_LISTEN_ADDR: `127.0.0.1:${smtpPort}`,
      E2A_HTTP_LISTEN_ADDR: `127.0.0.1:${httpPort}`,
      E2A_OUTBOUND_SMTP_HOST: sink.host,
      E2A_OUTBOUND_SMTP_PORT: String(sink.port),
      E2A_OUTBOUND_SMTP_TLS: "off",
      E2A_LIMITS_SENDS_PER_MINUTE_PER_AGENT: "0",
      E2A_LIMITS_SENDS_PER_MINUTE_PER_ACCOUNT: "0",
      E2A_LIMITS_NEW_RECIPIENTS_PER_DAY_PER_ACCOUNT: "0",
      E2A_LIMITS_LOOP_MESSAGES: "0",
      E2A_LIMITS_API_REQUESTS_PER_MINUTE: "100000",
      E2A_LOG_LEVEL: "error",
      ...(postgres ? { E2A_DATABASE_URL: postgres.url } : {}),
    };
    const { stdout } = await runBinary(["bootstrap", "--email", "owner@example.net"], env);
    const key = stdout.match(/API key: (e2a_[0-9a-f]{64})/)?.[1] ?? "";
    let server: ServeProcess = await startBinary(env);
    const api = `http://127.0.0.1:${httpPort}/api/v1`;
    const agent = await request(`${api}/agents`, key, "POST", { slug: "survivor", agent_mode: "local" });
    expect(agent.status).toBe(201);

    /** Resolves while the server is running. */
    let up = Promise.resolve();
    let accepted = 0;
    const progress = new Map<number, () => void>();
    const reached = (count: number) => new Promise<void>((resolve) => progress.set(count, resolve));
    const marks = Array.from({ length: kills }, (_, i) => reached(Math.floor(((i + 1) * messages) / (kills + 1))));

    /** A well-behaved client: it repeats the same request with the same key until it gets an answer. */
    const sendAll = async (sender: number) => {
      for (let i = 0; i < messages / senders; ) {
        const headers = { "idempotency-key": `${sender}-${i}`, prefer: "respond-async" };
        const mail = {
          to: [`person-${sender}-${i}@outside.example`],
          subject: `message ${sender}-${i}`,
          body: "Hello",
        };
        const answer = await request(`${api}/send`, key, "POST", mail, headers).catch(() => null);
        // 409: the first request with this key died with its process; its key is freed later (on SQLite at once).
        if (answer && [200, 202].includes(answer.status)) {
          i++;
          progress.get(++accepted)?.();
        } else if (answer && ![409, 503].includes(answer.status)) {
          throw new Error(JSON.stringify(answer.body));
        } else await up;
      }
    };
    const sending = Promise.all(Array.from({ length: senders }, (_, sender) => sendAll(sender)));
    for (const mark of marks) {
      await mark;
      const back = Promise.withResolvers<void>();
      up = back.promise;
      await server.kill();
      server = await startBinary(env);
      back.resolve();
    }
    await sending;
    const expected = Array.from({ length: senders }, (_, sender) =>
      Array.from({ length: messages / senders }, (_, i) => `person-${sender}-${i}@outside.example`),
    ).flat();
    const arrived = await arrivedAt(sink, expected.length);
    expect(arrived.toSorted()).toEqual(expected.toSorted());

    let stored = 0;
    for (let token = ""; ; ) {
      const page = await request(`${api}/messages?page_size=100${token && `&token=${token}`}`, key, "GET");
      stored += page.body.messages.length;
      token = page.body.next_token ?? "";
      if (token === "") break;
    }
    expect(stored).toBe(messages);
    expect(await server.stop()).toBe(0);
  }, 120_000);
}

test("kill -9 between a decision and the sending loses neither", async () => {
  await using dir = await tempDir();
  const asked = Promise.withResolvers<void>();
  let isHeld = true;
  await using sink = await scriptedSmtp({
    on(stage) {
      if (stage !== "mail" || !isHeld) return undefined;
      asked.resolve();
      return { do: "hang" };
    },
  });
  const httpPort = await freePort();
  const env = {
    E2A_DATA_DIR: dir.path,
    E2A_SMTP_LISTEN_ADDR: `127.0.0.1:${await freePort()}`,
    E2A_HTTP_LISTEN_ADDR: `127.0.0.1:${httpPort}`,
    E2A_OUTBOUND_SMTP_HOST: sink.host,
    E2A_OUTBOUND_SMTP_PORT: String(sink.port),
    E2A_LOG_LEVEL: "error",
  };
  const { stdout } = await runBinary(["bootstrap", "--email", "owner@example.net"], env);
  const key = stdout.match(/API key: (e2a_[0-9a-f]{64})/)?.[1] ?? "";
  const api = `http://127.0.0.1:${httpPort}/api/v1`;
  const server = await startBinary(env);
  await request(`${api}/agents`, key, "POST", { slug: "held", agent_mode: "local" });
  await request(`${api}/agents/held@e2a.localhost`, key, "PATCH", { hitl_enabled: true, hitl_notify_email: false });
  const mail = { to: ["ann@outside.example"], subject: "Held", body: "Hello" };
  const { body } = await request(`${api}/send`, key, "POST", mail);
  expect(body.status).toBe("pending_approval");
  const approving = request(`${api}/messages/${body.message_id}/approve`, key, "POST", {}).catch(() => null);
  await asked.promise;
  await server.kill();
  await approving;
  isHeld = false;

  const again = await startBinary(env);
  const [arrived] = await sink.received(1);
  expect(arrived?.to).toEqual(["ann@outside.example"]);
  const { body: audit } = await request(`${api}/audit`, key, "GET");
  expect(audit.entries).toMatchObject([{ action: "approve", message_id: body.message_id, by: "owner@example.net" }]);
  expect((await request(`${api}/messages/${body.message_id}/reject`, key, "POST", {})).status).toBe(409);
  expect(await again.stop()).toBe(0);
  expect(sink.messages).toHaveLength(1);
}, 60_000);

for (const database of ["sqlite", "postgres"] as const)
  test(`kill -9 between commit and answer: the same request again finds its mail (${database})`, async () => {
    await using dir = await tempDir();
    await using postgres = database === "postgres" ? await testPostgres() : null;
    const asked = Promise.withResolvers<void>();
    let isHeld = true;
    await using sink = await scriptedSmtp({
      on(stage) {
        if (stage !== "mail" || !isHeld) return undefined;
        asked.resolve();
        return { do: "hang" };
      },
    });
    const httpPort = await freePort();
    const env = {
      E2A_DATA_DIR: dir.path,
      E2A_SMTP_LISTEN_ADDR: `127.0.0.1:${await freePort()}`,
      E2A_HTTP_LISTEN_ADDR: `127.0.0.1:${httpPort}`,
      E2A_OUTBOUND_SMTP_HOST: sink.host,
      E2A_OUTBOUND_SMTP_PORT: String(sink.port),
      E2A_LOG_LEVEL: "error",
      ...(postgres ? { E2A_DATABASE_URL: postgres.url } : {}),
    };
    const { stdout } = await runBinary(["bootstrap", "--email", "owner@example.net"], env);
    const key = stdout.match(/API key: (e2a_[0-9a-f]{64})/)?.[1] ?? "";
    const api = `http://127.0.0.1:${httpPort}/api/v1`;
    const server = await startBinary(env);
    await request(`${api}/agents`, key, "POST", { slug: "caller", agent_mode: "local" });
    // One request without an Idempotency-Key, and one whose first request never got to store its answer.
    const mail = { to: ["ann@outside.example"], subject: "Once", body: "Hello" };
    const keyed = { "idempotency-key": "once" };
    const sending = [
      request(`${api}/send`, key, "POST", mail).catch(() => null),
      request(`${api}/send`, key, "POST", mail, keyed).catch(() => null),
    ];
    await asked.promise;
    const stored = async (): Promise<string[]> =>
      (await request(`${api}/messages`, key, "GET")).body.messages.map(({ id }: { id: string }) => id);
    await until("both are stored", async () => (await stored()).length >= 2);
    const ids = await stored();
    await server.kill();
    expect(await Promise.all(sending)).toEqual([null, null]);
    isHeld = false;

    const again = await startBinary(env);
    const plain = await request(`${api}/send`, key, "POST", mail);
    // 409 for 30 s on Postgres, where the first request may still be running on another node.
    const { headers, body } = await request(`${api}/send`, key, "POST", mail, keyed);
    const answers = [plain, ...(database === "sqlite" ? [{ headers, body }] : [])];
    for (const answer of answers) {
      expect(ids).toContain(answer.body.message_id);
      expect(answer.headers.get("idempotent-replayed")).toBe("true");
    }
    expect(new Set(answers.map((answer) => answer.body.message_id)).size).toBe(answers.length);
    const other = await request(`${api}/send`, key, "POST", { ...mail, cc: ["bob@outside.example"] }, keyed);
    expect(other).toMatchObject({ status: 422, body: { code: "idempotency_key_reused" } });
    await sink.received(2);
    expect((await stored()).toSorted()).toEqual(ids.toSorted());
    expect(await again.stop()).toBe(0);
    expect(sink.messages).toHaveLength(2);
  }, 60_000);

/** The recipients that got mail, once there are `count` of them or the sink has stayed silent. */
async function arrivedAt(sink: ScriptedSmtp, count: number): Promise<string[]> {
  const people = () => new Set(sink.messages.flatMap((message) => message.to));
  for (let seen = sink.messages.length; people().size < count; seen++) await sink.received(seen);
  return [...people()];
}

test("kill -9 behind the upstream's 250, while the database is silent: the message is not sent again", async () => {
  await using dir = await tempDir();
  await using postgres = await testPostgres();
  await using line = await cuttableLine(postgres.url);
  const [reached, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  await using sink = await scriptedSmtp({
    async on(stage) {
      if (stage !== "message") return undefined;
      reached.resolve();
      await released.promise;
      return undefined;
    },
  });
  const httpPort = await freePort();
  const env = {
    E2A_DATA_DIR: dir.path,
    E2A_SMTP_LISTEN_ADDR: `127.0.0.1:${await freePort()}`,
    E2A_HTTP_LISTEN_ADDR: `127.0.0.1:${httpPort}`,
    E2A_OUTBOUND_SMTP_HOST: sink.host,
    E2A_OUTBOUND_SMTP_PORT: String(sink.port),
    E2A_OUTBOUND_SMTP_TLS: "off",
    E2A_LOG_LEVEL: "error",
    E2A_DATABASE_URL: line.urlOf(postgres.url),
  };
  const { stdout } = await runBinary(["bootstrap", "--email", "owner@example.net"], env);
  const key = stdout.match(/API key: (e2a_[0-9a-f]{64})/)?.[1] ?? "";
  const api = `http://127.0.0.1:${httpPort}/api/v1`;
  const server = await startBinary(env);
  await request(`${api}/agents`, key, "POST", { slug: "once", agent_mode: "local" });
  const mail = { to: ["ann@outside.example"], subject: "Once", body: "Hello" };
  const { body } = await request(`${api}/send`, key, "POST", mail, { prefer: "respond-async" });
  await reached.promise;
  line.freeze();
  released.resolve();
  await sink.received(1);
  const journal = Bun.file(join(dir.path, "outcomes.journal"));
  await until("its outcome is in the journal", async () => (await journal.text()).includes(body.message_id));
  await server.kill();
  line.cut();
  line.mend();

  const again = await startBinary(env);
  expect((await request(`${api}/messages/${body.message_id}`, key, "GET")).body.status).toBe("sent");
  await request(`${api}/send`, key, "POST", { ...mail, subject: "Second" });
  expect((await sink.received(2)).map(({ raw }) => /^Subject: (.*)\r$/m.exec(raw.toString())?.[1])).toEqual([
    "Once",
    "Second",
  ]);
  expect(await again.stop()).toBe(0);
  expect(sink.messages).toHaveLength(2);
}, 60_000);
