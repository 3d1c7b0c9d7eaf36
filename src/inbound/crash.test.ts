import { expect, test } from "bun:test";
import { sendStubbornly } from "../../test/smtp/stubborn-sender.ts";
import { request } from "../../test/support/app.ts";
import { freePort, runBinary, type ServeProcess, startBinary } from "../../test/support/binary.ts";
import { testPostgres } from "../../test/support/postgres.ts";
import { tempDir } from "../../test/support/temp.ts";

const senders = 4;
const messages = 120;
const kills = 4;

function subjectsOf(sender: number): string[] {
  return Array.from({ length: messages / senders }, (_, i) => `message ${sender}-${i}`);
}

for (const database of ["sqlite", "postgres"] as const) {
  test(`kill -9 in a loop: every message that got its 250 is there once (${database})`, async () => {
    await using dir = await tempDir();
    await using postgres = database === "postgres" ? await testPostgres() : null;
    const [smtpPort, httpPort] = [await freePort(), await freePort()];
    const env = {
      E2A_DATA_DIR: dir.path,
      E2A_SMTP_LISTEN_ADDR: `127.0.0.1:${smtpPort}`,
      E2A_HTTP_LISTEN_ADDR: `127.0.0.1:${httpPort}`,
      E2A_SMTP_MAX_MESSAGES_PER_MINUTE_PER_IP: "100000",
      // No server listens there, so DNS fails and every verdict is temperror, immediately.
      E2A_DNS_SERVERS: "127.0.0.1:1",
      E2A_LOG_LEVEL: "error",
      ...(postgres ? { E2A_DATABASE_URL: postgres.url } : {}),
    };
    const { stdout } = await runBinary(["bootstrap", "--email", "owner@example.net"], env);
    const key = stdout.match(/API key: (e2a_[0-9a-f]{64})/)?.[1] ?? "";
    let server: ServeProcess = await startBinary(env);
    const api = `http://127.0.0.1:${httpPort}/api/v1`;
    const agent = await request(`${api}/agents`, key, "POST", { slug: "survivor", agent_mode: "local" });
    expect(agent.status).toBe(201);

    /** Resolved while the server is up. */
    let up = Promise.resolve();
    let accepted = 0;
    const progress = new Map<number, () => void>();
    const reached = (count: number) => new Promise<void>((resolve) => progress.set(count, resolve));
    const onAccepted = () => progress.get(++accepted)?.();
    const marks = Array.from({ length: kills }, (_, i) => reached(Math.floor(((i + 1) * messages) / (kills + 1))));
    const sending = Promise.all(
      Array.from({ length: senders }, (_, sender) =>
        sendStubbornly(
          smtpPort,
          { to: ["survivor@e2a.localhost"], subjects: subjectsOf(sender) },
          onAccepted,
          () => up,
        ),
      ),
    );
    for (const mark of marks) {
      await mark;
      const back = Promise.withResolvers<void>();
      up = back.promise;
      await server.kill();
      server = await startBinary(env);
      back.resolve();
    }
    await sending;

    const found: string[] = [];
    for (let token = ""; ; ) {
      const path = `${api}/agents/survivor@e2a.localhost/messages?page_size=100${token && `&token=${token}`}`;
      const page = await request(path, key, "GET");
      expect(page.status).toBe(200);
      for (const message of page.body.messages) found.push(message.subject);
      token = page.body.next_token ?? "";
      if (token === "") break;
    }
    const expected = Array.from({ length: senders }, (_, sender) => subjectsOf(sender)).flat();
    expect(found.toSorted()).toEqual(expected.toSorted());
    expect(await server.stop()).toBe(0);
  }, 120_000);
}
