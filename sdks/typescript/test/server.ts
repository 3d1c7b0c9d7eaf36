import { deliver } from "../../../test/smtp/smtp-client.ts";
import { freePort, runBinary, type ServeProcess, startBinary } from "../../../test/support/binary.ts";
import { testPostgres } from "../../../test/support/postgres.ts";
import { startSink } from "../../../test/support/sink.ts";
import { tempDir } from "../../../test/support/temp.ts";
import type { World } from "./contract/play.ts";

/** The compiled binary, run for an SDK: an account with a key and a signing secret, on fixed ports. */
export interface TestServer extends World, AsyncDisposable {
  readonly smtpPort: number;
}

export async function startServer(database: "sqlite" | "postgres" = "sqlite"): Promise<TestServer> {
  const dir = await tempDir();
  const postgres = database === "postgres" ? await testPostgres() : null;
  const [smtpPort, httpPort] = [await freePort(), await freePort()];
  const baseUrl = `http://127.0.0.1:${httpPort}`;
  const env = {
    ...{ HOME: dir.path, E2A_ENV: "development", E2A_DATA_DIR: dir.path, E2A_DNS_SERVERS: "127.0.0.1:1" },
    ...{ E2A_SMTP_LISTEN_ADDR: `127.0.0.1:${smtpPort}`, E2A_HTTP_LISTEN_ADDR: `127.0.0.1:${httpPort}` },
    // A test may poll until something has happened.
    E2A_LIMITS_API_REQUESTS_PER_MINUTE: "100000",
    ...(postgres ? { E2A_DATABASE_URL: postgres.url } : {}),
  };
  const { stdout } = await runBinary(["bootstrap", "--email", "you@example.com"], env);
  const apiKey = stdout.match(/e2a_[0-9a-f]{64}/)?.[0] ?? "";
  let server: ServeProcess = await startBinary(env);
  const made = await fetch(`${baseUrl}/api/v1/users/me/signing-secrets`, {
    method: "POST",
    headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
    body: JSON.stringify({ name: "test" }),
  });
  const { secret } = (await made.json()) as { secret: string };
  const sinks = new Map<string, ReturnType<typeof startSink>>();

  return {
    ...{ baseUrl, apiKey, secret, smtpPort },
    async deliver(mail) {
      const { code, lines } = await deliver(smtpPort, mail);
      if (code !== 250) throw new Error(`The mail was refused: ${lines.join("\n")}`);
    },
    async restart(how) {
      await (how === "kill" ? server.kill() : server.stop());
      server = await startBinary(env);
    },
    async sink() {
      const sink = startSink();
      sinks.set(sink.url, sink);
      return sink.url;
    },
    async requests(url, count) {
      const sink = sinks.get(url);
      await sink?.reached(count);
      return (sink?.requests ?? []).map(({ headers, text }) => ({ headers, text }));
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      for (const sink of sinks.values()) await sink[Symbol.asyncDispose]();
      await postgres?.drop();
      await dir[Symbol.asyncDispose]();
    },
  };
}
