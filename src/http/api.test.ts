import { join } from "node:path";
import { createOwner, issueKey } from "../accounts.ts";
import { type ApiUnderTest, apiSuite } from "../testing/api-suite.ts";
import { startTestApp } from "../testing/app.ts";
import { deliver } from "../testing/smtp-client.ts";
import { createVault, loadOrCreateKeyFile } from "../vault.ts";

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
    async deliver({ to, from, message }) {
      const reply = await deliver(app.smtp.port, { to, message, ...(from ? { from } : {}) });
      if (reply.code !== 250) throw new Error(`${to}: ${reply.lines.join(" ")}`);
    },
    close: async () => it[Symbol.asyncDispose](),
  };
}

apiSuite("API on SQLite", () => openApp("sqlite"));
apiSuite("API on Postgres", () => openApp("postgres"));
