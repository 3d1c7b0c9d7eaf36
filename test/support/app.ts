import { join } from "node:path";
import { createOwner, issueKey } from "../../src/accounts.ts";
import { type App, type Seams, start } from "../../src/app.ts";
import { loadConfig } from "../../src/config.ts";
import { silentLog } from "../../src/util/log.ts";
import { createVault, loadOrCreateKeyFile } from "../../src/vault.ts";
import { testStoreThreads } from "../store/threads.ts";
import { type DnsServer, startDnsServer, type Zone } from "./dns-server.ts";
import { testPool } from "./pool.ts";
import { migratedPostgres } from "./postgres.ts";
import { tempDir } from "./temp.ts";

export interface TestApp extends AsyncDisposable {
  readonly app: App;
  readonly dns: DnsServer;
  readonly dataDir: string;
  /** The owner's account key. */
  readonly key: string;
  readonly userId: string;
  /** Makes another account; resolves with its key. */
  newAccount(): Promise<string>;
  /** Makes an API request as the owner; sends `body` as JSON. */
  api(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<ApiAnswer>;
  /** Stops the app and starts it again with the same data, on new ports. */
  restart(): Promise<void>;
}

export interface ApiAnswer {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads the shape that it expects, and fails if it differs.
  body: any;
}

export interface TestAppOptions {
  database?: "sqlite" | "postgres";
  zone?: Zone;
  /** Settings by key path. They override the defaults of tests (free ports, own data folder, own DNS). */
  set?: Record<string, unknown>;
  seams?: Partial<Seams>;
}

/** Starts the real application on free ports, with its own data folder and DNS server, an owner and a key. */
export async function startTestApp(options: TestAppOptions = {}): Promise<TestApp> {
  const dir = await tempDir();
  const dns = await startDnsServer(options.zone ?? {});
  const postgres = options.database === "postgres" ? await migratedPostgres() : null;
  const config = loadConfig({
    env: {},
    cwd: dir.path,
    root: dir.path,
    flags: {
      data_dir: join(dir.path, "data"),
      "smtp.listen_addr": "127.0.0.1:0",
      "http.listen_addr": "127.0.0.1:0",
      "dns.servers": dns.address,
      ...(postgres ? { "database.url": postgres.url } : {}),
      ...options.set,
    },
  });
  const begin = () =>
    start(config, { log: silentLog, pool: testPool(), storeThreads: testStoreThreads(), ...options.seams });
  let app = await begin();

  const vault = createVault(await loadOrCreateKeyFile(join(config.dataDir, "encryption.key")));
  const now = new Date();
  async function account(email: string) {
    const user = await createOwner(app.store, vault, { email, name: "Owner", now });
    const issued = { userId: user.id, name: "test", scope: "account" as const, agentId: null, expiresAt: null, now };
    return { userId: user.id, key: (await issueKey(app.store, issued)).key };
  }
  const { userId, key } = await account("owner@example.net");

  return {
    get app() {
      return app;
    },
    dns,
    dataDir: config.dataDir,
    key,
    userId,
    newAccount: async () => (await account(`${crypto.randomUUID()}@example.net`)).key,
    api: (method, path, body, headers) => request(`${app.httpUrl}${path}`, key, method, body, headers),
    async restart() {
      await app.close();
      app = await begin();
    },
    async [Symbol.asyncDispose]() {
      await app.close();
      await dns.close();
      await postgres?.drop();
      await dir[Symbol.asyncDispose]();
    },
  };
}

/** Makes a JSON request with a Bearer key. */
export async function request(
  url: string,
  key: string,
  method: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<ApiAnswer> {
  const response = await fetch(url, {
    method,
    headers: {
      authorization: `Bearer ${key}`,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const json = response.headers.get("content-type")?.includes("json");
  return { status: response.status, headers: response.headers, body: json && text !== "" ? JSON.parse(text) : text };
}
