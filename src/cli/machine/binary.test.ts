import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { dependencies } from "../../../package.json" with { type: "json" };
import { deliver } from "../../../test/smtp/smtp-client.ts";
import { binaryPath, freePort, runBinary, startBinary } from "../../../test/support/binary.ts";
import { testPostgres } from "../../../test/support/postgres.ts";
import { startSink } from "../../../test/support/sink.ts";
import { tempDir } from "../../../test/support/temp.ts";

const mail = (subject: string) =>
  `From: ann@client.example\r\nTo: my-bot@e2a.localhost\r\nSubject: ${subject}\r\n\r\nHi\r\n`;

describe("the compiled binary, as a newcomer uses it", () => {
  test("serve, bootstrap, register, listen, mail, inbox, read; listen lives through a restart", async () => {
    await using dir = await tempDir();
    const [smtpPort, httpPort] = [await freePort(), await freePort()];
    const env = {
      HOME: dir.path,
      E2A_DATA_DIR: join(dir.path, "data"),
      E2A_SMTP_LISTEN_ADDR: `127.0.0.1:${smtpPort}`,
      E2A_HTTP_LISTEN_ADDR: `127.0.0.1:${httpPort}`,
      E2A_DNS_SERVERS: "127.0.0.1:1",
      E2A_URL: `http://127.0.0.1:${httpPort}`,
    };
    const bootstrap = await runBinary(["bootstrap", "--email", "You@example.com"], env);
    expect(bootstrap.stdout).toMatch(
      /^User: {4}you@example\.com \(id=usr_[0-9a-f]{32}\)\nAPI key: e2a_[0-9a-f]{64}\n$/,
    );
    const cli = { ...env, E2A_API_KEY: bootstrap.stdout.match(/e2a_[0-9a-f]{64}/)?.[0] ?? "" };

    let server = await startBinary(env);
    expect(server.ready.sign_in).toStartWith(`http://127.0.0.1:${httpPort}/sign-in?t=`);
    const registered = await runBinary(["agents", "register", "--slug", "my-bot", "--mode", "local"], cli);
    expect(JSON.parse(registered.stdout)).toMatchObject({ email: "my-bot@e2a.localhost", agent_mode: "local" });
    const taken = await runBinary(["agents", "register", "--slug", "my-bot", "--mode", "local", "--json"], cli);
    expect([taken.code, JSON.parse(taken.stderr).status]).toEqual([1, 409]);

    const listener = Bun.spawn([binaryPath(), "listen", "--agent", "my-bot@e2a.localhost", "--json", "--ack"], {
      env: { PATH: process.env.PATH ?? "", ...cli },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "ignore",
    });
    const lines = linesOf(listener.stdout);
    expect((await deliver(smtpPort, { to: "my-bot@e2a.localhost", tls: true, message: mail("first") })).code).toBe(250);
    expect(JSON.parse((await lines.next()).value ?? "")).toMatchObject({ subject: "first", verified: false });
    expect(await server.stop()).toBe(0);
    server = await startBinary(env);
    expect((await deliver(smtpPort, { to: "my-bot@e2a.localhost", message: mail("second") })).code).toBe(250);
    const second = JSON.parse((await lines.next()).value ?? "");
    expect(second.subject).toBe("second");
    listener.kill("SIGINT");
    expect(await listener.exited).toBe(0);

    const inbox = JSON.parse((await runBinary(["inbox", "--status", "all"], cli)).stdout);
    expect(inbox.messages.map((m: { subject: string }) => m.subject)).toEqual(["first", "second"]);
    const read = await runBinary(["read", second.message_id, "--peek"], cli);
    expect(JSON.parse(read.stdout)).toMatchObject({ subject: "second", text: expect.stringContaining("Hi") });
    expect(await server.stop()).toBe(0);
  }, 60_000);

  test("listen --forward through kill -9 of the server, then --exec that answers with e2a itself", async () => {
    await using dir = await tempDir();
    await using sink = startSink();
    const [smtpPort, httpPort] = [await freePort(), await freePort()];
    const env = {
      ...serverEnv(dir.path, "data"),
      E2A_SMTP_LISTEN_ADDR: `127.0.0.1:${smtpPort}`,
      E2A_HTTP_LISTEN_ADDR: `127.0.0.1:${httpPort}`,
      E2A_URL: `http://127.0.0.1:${httpPort}`,
    };
    const { stdout } = await runBinary(["bootstrap", "--email", "you@example.com"], env);
    const cli = { PATH: process.env.PATH ?? "", ...env, E2A_API_KEY: stdout.match(/e2a_[0-9a-f]{64}/)?.[0] ?? "" };
    let server = await startBinary(env);
    await runBinary(["agents", "register", "--slug", "my-bot"], cli);
    const subjects = Array.from({ length: 20 }, (_, n) => `mail ${n}`);
    for (const subject of subjects)
      expect((await deliver(smtpPort, { to: "my-bot@e2a.localhost", message: mail(subject) })).code).toBe(250);

    sink.answer = async () => {
      if ([5, 12].includes(sink.requests.length)) {
        await server.kill();
        server = await startBinary(env);
      }
      return new Response();
    };
    const listener = Bun.spawn([binaryPath(), "listen", "--forward", sink.url], {
      ...{ env: cli, stdin: "ignore", stdout: "pipe", stderr: "ignore" },
    });
    const lines = linesOf(listener.stdout);
    const taken: string[] = [];
    while (taken.length < subjects.length) taken.push(JSON.parse((await lines.next()).value ?? "").subject);
    listener.kill("SIGINT");
    expect(await listener.exited).toBe(0);
    expect(sink.requests.map(({ body }) => body.subject)).toEqual(subjects);
    expect(taken).toEqual(subjects);
    expect(JSON.parse((await runBinary(["inbox"], cli)).stdout).messages).toEqual([]);

    await deliver(smtpPort, { to: "my-bot@e2a.localhost", message: mail("$(touch owned)") });
    const answer = `printf 'Thank you, %s' "$E2A_FROM" | "${binaryPath()}" reply "$E2A_MESSAGE_ID" --body -`;
    const { code, stdout: sent } = await runBinary(["listen", "--once", "--exec", answer], cli);
    expect([code, JSON.parse(sent).status]).toEqual([0, "sent"]);
    const [reply] = JSON.parse((await runBinary(["outbox"], cli)).stdout).messages;
    expect([reply.subject, reply.to]).toEqual(["Re: $(touch owned)", ["ann@client.example"]]);
    expect(await server.stop()).toBe(0);
  }, 60_000);

  test("a wrong configuration: exit code 2 and every complaint at once, with the remedy", async () => {
    await using dir = await tempDir();
    const { code, stderr, stdout } = await runBinary(["serve"], {
      E2A_DATA_DIR: dir.path,
      E2A_ENV: "production",
      E2A_SMTP_LISTEN_ADDR: "nonsense",
      E2A_HMAC_SECRET: "changeme",
    });
    expect([code, stdout]).toEqual([2, ""]);
    for (const part of ["smtp.listen_addr", "signing.hmac_secret", "shared_domain", "http.public_url", "→"])
      expect(stderr).toContain(part);
    expect(stderr).not.toContain("changeme");
  });

  test("an address in use: one sentence and the remedy", async () => {
    await using dir = await tempDir();
    await using first = await startBinary(serverEnv(dir.path, "first"));
    const { code, stderr } = await runBinary(["serve"], {
      ...serverEnv(dir.path, "second"),
      E2A_SMTP_LISTEN_ADDR: first.ready.smtp,
    });
    expect(code).toBe(1);
    expect(stderr).toContain("in use");
    expect(stderr).toContain("smtp.listen_addr");
  });

  test("serve --print-config masks secrets", async () => {
    await using dir = await tempDir();
    const secret = "p0stgres-Passw0rd-that-nobody-should-see";
    const { stdout } = await runBinary(["serve", "--print-config"], {
      E2A_DATA_DIR: dir.path,
      E2A_OUTBOUND_SMTP_HOST: "smtp.example.com",
      E2A_OUTBOUND_SMTP_PASSWORD: secret,
      E2A_OUTBOUND_SMTP_USERNAME: "user",
    });
    expect(stdout).toContain("smtp.example.com");
    expect(stdout).not.toContain(secret);
  });

  test("three servers that start at once on an empty Postgres agree", async () => {
    await using dir = await tempDir();
    await using postgres = await testPostgres();
    const env = { ...serverEnv(dir.path, "shared"), E2A_DATABASE_URL: postgres.url };
    const servers = await Promise.all([startBinary(env), startBinary(env), startBinary(env)]);
    for (const server of servers) {
      expect((await fetch(`${server.ready.http}/api/ready`)).status).toBe(200);
      expect(await server.stop()).toBe(0);
    }
  }, 60_000);

  test("three servers that start at once on an empty SQLite folder: one serves, the others end with 2", async () => {
    await using dir = await tempDir();
    const env = serverEnv(dir.path, "shared");
    const started = await Promise.allSettled([startBinary(env), startBinary(env), startBinary(env)]);
    const [server, ...more] = started.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    expect(more).toEqual([]);
    for (const one of started)
      if (one.status === "rejected") expect(String(one.reason)).toContain("Another e2a process");
    expect(await server?.stop()).toBe(0);
  }, 60_000);

  test("licenses: its own, and the notice of each package that it is made of", async () => {
    const { code, stdout } = await runBinary(["licenses"], {});
    expect(code).toBe(0);
    expect(stdout).toStartWith("e2a\n\nMIT License\n");
    for (const name of Object.keys(dependencies)) expect(stdout).toMatch(new RegExp(`^${name} [0-9]+\\.`, "m"));
  });
});

function serverEnv(dir: string, data: string): Record<string, string> {
  return {
    E2A_DATA_DIR: join(dir, data),
    E2A_SMTP_LISTEN_ADDR: "127.0.0.1:0",
    E2A_HTTP_LISTEN_ADDR: "127.0.0.1:0",
    E2A_DNS_SERVERS: "127.0.0.1:1",
  };
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    text += decoder.decode(chunk, { stream: true });
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
      yield text.slice(0, end);
      text = text.slice(end + 1);
    }
  }
}
