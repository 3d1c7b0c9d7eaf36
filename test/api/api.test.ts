import { join } from "node:path";
import { createOwner, issueKey } from "../../src/accounts.ts";
import type { Store } from "../../src/store/store.ts";
import { createVault, loadOrCreateKeyFile } from "../../src/vault.ts";
import { deliver } from "../smtp/smtp-client.ts";
import { openNode } from "../store/stores.ts";
import { startTestApp } from "../support/app.ts";
import { runBinary, startBinary } from "../support/binary.ts";
import { testPostgres } from "../support/postgres.ts";
import { tempDir } from "../support/temp.ts";
import { type ApiUnderTest, apiSuite } from "./suite.ts";

/** The application in this process, on SQLite. */
async function openApp(): Promise<ApiUnderTest> {
  const it = await startTestApp({
    set: {
      "http.max_body_size": "64KiB",
      "limits.api_requests_per_minute": 100_000,
      "limits.auth_failures_per_minute": 100_000,
    },
  });
  const { app } = it;
  return {
    url: app.httpUrl,
    key: it.key,
    sharedDomain: app.config.sharedDomain,
    newAccount: accountMaker(app.store, it.dataDir),
    deliver: deliverTo(app.smtp.port),
    close: async () => it[Symbol.asyncDispose](),
  };
}

/** The compiled binary, on Postgres. Uses only its command line and ports, except to make additional accounts. */
async function openBinary(): Promise<ApiUnderTest> {
  const dir = await tempDir();
  const database = await testPostgres();
  const env = {
    HOME: dir.path,
    E2A_DATA_DIR: dir.path,
    E2A_DATABASE_URL: database.url,
    E2A_SMTP_LISTEN_ADDR: "127.0.0.1:0",
    E2A_HTTP_LISTEN_ADDR: "127.0.0.1:0",
    E2A_DNS_SERVERS: "127.0.0.1:1",
    E2A_HTTP_MAX_BODY_SIZE: "64KiB",
    E2A_LIMITS_API_REQUESTS_PER_MINUTE: "100000",
    E2A_LIMITS_AUTH_FAILURES_PER_MINUTE: "100000",
    E2A_LOG_LEVEL: "error",
  };
  const { stdout } = await runBinary(["bootstrap", "--email", "owner@example.net"], env);
  const server = await startBinary(env);
  const node = await openNode("postgres", database.url);
  return {
    url: server.ready.http,
    key: stdout.match(/e2a_[0-9a-f]{64}/)?.[0] ?? "",
    sharedDomain: "e2a.localhost",
    // Does the same as bootstrap; starting a program for each account would be a fifth of the work of all cases.
    newAccount: accountMaker(node.store, dir.path),
    deliver: deliverTo(server.smtpPort),
    async close() {
      await node.engine.close();
      await server.stop();
      await database.drop();
      await dir[Symbol.asyncDispose]();
    },
  };
}

function accountMaker(store: Store, dataDir: string): ApiUnderTest["newAccount"] {
  return async () => {
    const vault = createVault(await loadOrCreateKeyFile(join(dataDir, "encryption.key")));
    const now = new Date();
    const email = `${crypto.randomUUID()}@owner.example`;
    const user = await createOwner(store, vault, { email, name: "", now });
    const issued = { userId: user.id, name: "test", scope: "account" as const, agentId: null, expiresAt: null, now };
    return (await issueKey(store, issued)).key;
  };
}

function deliverTo(port: number): ApiUnderTest["deliver"] {
  return async ({ to, from, message }) => {
    const reply = await deliver(port, { to, message, ...(from ? { from } : {}) });
    if (reply.code !== 250) throw new Error(`${to}: ${reply.lines.join(" ")}`);
  };
}

// Each case must run from source and compiled, and on both databases; two runs cover all four.
apiSuite("API on SQLite", openApp);
apiSuite("API of the compiled binary on Postgres", openBinary);
