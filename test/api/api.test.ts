import { join } from "node:path";
import { createOwner, issueKey } from "../../src/accounts.ts";
import { createVault, loadOrCreateKeyFile } from "../../src/vault.ts";
import { deliver } from "../smtp/smtp-client.ts";
import { startTestApp } from "../support/app.ts";
import { runBinary, startBinary } from "../support/binary.ts";
import { tempDir } from "../support/temp.ts";
import { type ApiUnderTest, apiSuite } from "./suite.ts";

async function openApp(database: "sqlite" | "postgres"): Promise<ApiUnderTest> {
  const it = await startTestApp({
    database,
    set: {
      "http.max_body_size": "64KiB",
      "limits.api_requests_per_minute": 100_000,
      "limits.auth_failures_per_minute": 100_000,
    },
  });
  const { app } = it;
  const vault = createVault(await loadOrCreateKeyFile(join(it.dataDir, "encryption.key")));
  return {
    url: app.httpUrl,
    key: it.key,
    sharedDomain: app.config.sharedDomain,
    async newAccount() {
      const now = new Date();
      const user = await createOwner(app.store, vault, {
        email: `${crypto.randomUUID()}@owner.example`,
        name: "",
        now,
      });
      const issued = { userId: user.id, name: "test", scope: "account" as const, agentId: null, expiresAt: null, now };
      return (await issueKey(app.store, issued)).key;
    },
    deliver: deliverTo(app.smtp.port),
    close: async () => it[Symbol.asyncDispose](),
  };
}

/** The compiled binary: everything through its command line and its ports. */
async function openBinary(): Promise<ApiUnderTest> {
  const dir = await tempDir();
  const env = {
    HOME: dir.path,
    E2A_DATA_DIR: dir.path,
    E2A_SMTP_LISTEN_ADDR: "127.0.0.1:0",
    E2A_HTTP_LISTEN_ADDR: "127.0.0.1:0",
    E2A_DNS_SERVERS: "127.0.0.1:1",
    E2A_HTTP_MAX_BODY_SIZE: "64KiB",
    E2A_LIMITS_API_REQUESTS_PER_MINUTE: "100000",
    E2A_LIMITS_AUTH_FAILURES_PER_MINUTE: "100000",
    E2A_LOG_LEVEL: "error",
  };
  const newAccount = async () => {
    const { stdout } = await runBinary(["bootstrap", "--email", `${crypto.randomUUID()}@owner.example`], env);
    return stdout.match(/e2a_[0-9a-f]{64}/)?.[0] ?? "";
  };
  const key = await newAccount();
  const server = await startBinary(env);
  return {
    url: server.ready.http,
    key,
    sharedDomain: "e2a.localhost",
    newAccount,
    deliver: deliverTo(server.smtpPort),
    async close() {
      await server.stop();
      await dir[Symbol.asyncDispose]();
    },
  };
}

function deliverTo(port: number): ApiUnderTest["deliver"] {
  return async ({ to, from, message }) => {
    const reply = await deliver(port, { to, message, ...(from ? { from } : {}) });
    if (reply.code !== 250) throw new Error(`${to}: ${reply.lines.join(" ")}`);
  };
}

apiSuite("API on SQLite", () => openApp("sqlite"));
apiSuite("API on Postgres", () => openApp("postgres"));
apiSuite("API of the compiled binary", openBinary);
