import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ConfigError, configKeys, type LoadOptions, loadConfig, printConfig } from "./config.ts";

const examplePath = fileURLToPath(new URL("../config.yaml.example", import.meta.url));
const goodSecret = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "e2a-config-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A machine of its own, isolated from this one's environment, folders and files. */
function machine(files: Record<string, string> = {}): Required<Pick<LoadOptions, "cwd" | "root" | "platform">> {
  const root = mkdtempSync(join(folder, "root-"));
  const cwd = join(root, "cwd");
  for (const [path, text] of Object.entries({ "cwd/.keep": "", ...files })) {
    mkdirSync(join(root, path, ".."), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return { root, cwd, platform: "linux" };
}

function load(options: LoadOptions = {}, files: Record<string, string> = {}) {
  return loadConfig({ env: { HOME: "/home/ada" }, ...machine(files), ...options });
}

function complaintsOf(options: LoadOptions, files: Record<string, string> = {}) {
  try {
    load(options, files);
  } catch (error) {
    if (error instanceof ConfigError) return error.complaints;
    throw error;
  }
  throw new Error("the configuration was accepted");
}

describe("no configuration at all", () => {
  test("is a development setup on loopback with SQLite in the data folder", () => {
    const config = load();
    expect(config).toMatchObject({
      env: "development",
      sharedDomain: "e2a.localhost",
      dataDir: "/home/ada/.local/share/e2a",
      smtp: { listenAddr: { host: "127.0.0.1", port: 2525 }, domain: "e2a.localhost", tlsCert: null },
      http: { listenAddr: { host: "127.0.0.1", port: 8080 }, publicUrl: null, maxBodySize: 40 * 1024 * 1024 },
      metrics: { listenAddr: null },
      database: { kind: "sqlite", path: "/home/ada/.local/share/e2a/e2a.db", poolSize: 10 },
      outboundSmtp: {
        ...{ host: null, port: 587, tls: "starttls", caFile: null, timeout: 60_000, connections: 10 },
        ...{ byDomain: [], returnPathDomain: "e2a.localhost" },
      },
      limits: {
        ...{ sendsPerMinutePerAgent: 60, sendBurstPerAgent: 60, sendsPerMinutePerAccount: 600 },
        ...{ sendsPerDayPerAccount: 10_000, newRecipientsPerDayPerAccount: 500, loopMessages: 20, loopWindow: 600_000 },
        ...{ recipientsPerMessage: 50, outboundMessageSize: 25 * 1024 * 1024 },
      },
      dns: { servers: [], timeout: 5000 },
      retention: { messages: 0, deliveries: 30 * 86_400_000 },
    });
    expect(config.warnings).toEqual([]);
  });

  test("is frozen to its leaves", () => {
    const config = load();
    expect(Object.isFrozen(config) && Object.isFrozen(config.smtp) && Object.isFrozen(config.dns.servers)).toBeTrue();
  });

  const dataFolders: [name: string, options: LoadOptions, expected: string][] = [
    ["XDG_DATA_HOME", { env: { HOME: "/home/ada", XDG_DATA_HOME: "/data" } }, "/data/e2a"],
    ["a relative XDG_DATA_HOME is ignored", { env: { HOME: "/h", XDG_DATA_HOME: "data" } }, "/h/.local/share/e2a"],
    ["systemd's state folder", { env: { STATE_DIRECTORY: "/var/lib/private/e2a:/x" } }, "/var/lib/private/e2a"],
    ["macOS", { env: { HOME: "/Users/ada" }, platform: "darwin" }, "/Users/ada/Library/Application Support/e2a"],
    ["Windows", { env: { LOCALAPPDATA: "/AppData/Local" }, platform: "win32" }, "/AppData/Local/e2a"],
    ["E2A_DATA_DIR", { env: { E2A_DATA_DIR: "~/mail", HOME: "/home/ada" } }, "/home/ada/mail"],
  ];
  test.each(dataFolders)("data folder: %s", (_name, options, expected) => {
    expect(load(options).dataDir).toBe(expected);
  });

  test("data folder: /var/lib/e2a when it may be written", () => {
    const place = machine({ "var/lib/e2a/.keep": "" });
    expect(loadConfig({ env: {}, ...place }).dataDir).toBe(join(place.root, "var/lib/e2a"));
  });
});

describe("precedence", () => {
  const yaml = { "cwd/config.yaml": "http:\n  listen_addr: :7001\n" };
  const cases: [name: string, options: LoadOptions, files: Record<string, string>, port: number, source: string][] = [
    ["default", {}, {}, 8080, "default"],
    ["YAML over default", {}, yaml, 7001, "config.yaml line 2"],
    ["variable over YAML", { env: { E2A_HTTP_LISTEN_ADDR: ":7002" } }, yaml, 7002, "E2A_HTTP_LISTEN_ADDR"],
    ["empty variable is unset", { env: { E2A_HTTP_LISTEN_ADDR: "" } }, yaml, 7001, "config.yaml line 2"],
    [
      "flag over variable",
      { flags: { "http.listen_addr": ":7003" }, env: { E2A_HTTP_LISTEN_ADDR: ":7002" } },
      yaml,
      7003,
      "the command line",
    ],
    ["undefined flag is not given", { flags: { "http.listen_addr": undefined } }, yaml, 7001, "config.yaml line 2"],
  ];
  test.each(cases)("%s", (_name, options, files, port, source) => {
    const config = load(options, files);
    expect(config.http.listenAddr.port).toBe(port);
    expect(config.sources["http.listen_addr"]).toBe(source);
  });

  test("files: named, E2A_CONFIG, ./config.yaml, /etc/e2a/config.yaml, in that order", () => {
    const place = machine({
      "cwd/config.yaml": "shared_domain: here.example",
      "cwd/named.yaml": "shared_domain: named.example",
      "cwd/variable.yaml": "shared_domain: variable.example",
      "etc/e2a/config.yaml": "shared_domain: etc.example",
    });
    const env = { E2A_CONFIG: "variable.yaml" };
    expect(loadConfig({ ...place, env, file: "named.yaml" }).sharedDomain).toBe("named.example");
    expect(loadConfig({ ...place, env }).sharedDomain).toBe("variable.example");
    expect(loadConfig({ ...place, env: {} }).sharedDomain).toBe("here.example");
    rmSync(join(place.cwd, "config.yaml"));
    expect(loadConfig({ ...place, env: {} }).sharedDomain).toBe("etc.example");
  });

  test("a named file that is not there is a complaint", () => {
    expect(complaintsOf({ file: "missing.yaml" })).toMatchObject([{ key: "missing.yaml", source: "missing.yaml" }]);
  });

  test("every key has a variable derived from its path, and the original's shorter names work", () => {
    for (const { key, env } of configKeys) expect(env[0]).toBe(`E2A_${key.toUpperCase().replaceAll(".", "_")}`);
    const config = load({
      env: {
        E2A_HMAC_SECRET: goodSecret,
        E2A_PUBLIC_URL: "https://mail.example.com/",
        E2A_GOOGLE_CLIENT_ID: "id",
        E2A_GOOGLE_CLIENT_SECRET: "s3cr3t-of-google",
        E2A_OAUTH_REDIRECT_URL: "https://mail.example.com/api/auth/callback",
        E2A_SHARED_DOMAIN: "Agents.Example.com.",
        E2A_OUTBOUND_SMTP_HOST: "smtp.example.net",
        E2A_OUTBOUND_SMTP_PORT: "2587",
        E2A_OUTBOUND_SMTP_FROM_DOMAIN: "send.example.com",
      },
    });
    expect(config).toMatchObject({
      sharedDomain: "agents.example.com",
      smtp: { domain: "agents.example.com" },
      http: { publicUrl: "https://mail.example.com" },
      signing: { hmacSecret: goodSecret },
      oauth: { googleClientId: "id", redirectUrl: "https://mail.example.com/api/auth/callback" },
      outboundSmtp: { host: "smtp.example.net", port: 2587, fromDomain: "send.example.com", tls: "starttls" },
    });
  });

  test("relative paths start at the file that names them", () => {
    const place = machine({
      "etc/e2a/config.yaml": "smtp: {tls_cert: tls/cert.pem, tls_key: tls/key.pem}\ndatabase: {url: sqlite:mail.db}",
      "etc/e2a/tls/cert.pem": "",
      "etc/e2a/tls/key.pem": "",
    });
    const config = loadConfig({ ...place, env: { E2A_DATA_DIR: "data" } });
    expect(config.smtp.tlsCert).toBe(join(place.root, "etc/e2a/tls/cert.pem"));
    expect(config.database).toEqual({ kind: "sqlite", path: join(place.cwd, "data/mail.db"), poolSize: 10 });
  });
});

describe("values", () => {
  type Case = [key: string, text: unknown, expected: unknown];
  const accepted: Case[] = [
    ["smtp.listen_addr", ":25", { host: "", port: 25 }],
    ["smtp.listen_addr", "0.0.0.0:0", { host: "0.0.0.0", port: 0 }],
    ["smtp.listen_addr", "[::1]:25", { host: "::1", port: 25 }],
    ["smtp.listen_addr", "localhost:2525", { host: "localhost", port: 2525 }],
    ["metrics.listen_addr", "127.0.0.1:9090", { host: "127.0.0.1", port: 9090 }],
    ["metrics.listen_addr", "off", null],
    ["smtp.max_recipients", "1", 1],
    ["smtp.max_recipients", 10_000, 10_000],
    ["smtp.max_message_size", "10MB", 10_000_000],
    ["smtp.max_message_size", 1_048_576, 1_048_576],
    ["smtp.max_message_size", "30mib", 30 * 1024 * 1024],
    ["smtp.idle_timeout", "500ms", 500],
    ["smtp.session_timeout", "2h", 7_200_000],
    ["retention.messages", "7d", 604_800_000],
    ["smtp.proxy_trusted", "10.0.0.0/8, 2001:db8::1", ["10.0.0.0/8", "2001:db8::1/128"]],
    ["http.trusted_proxies", ["127.0.0.1"], ["127.0.0.1/32"]],
    ["dns.servers", "1.1.1.1,127.0.0.1:5399,::1", ["1.1.1.1:53", "127.0.0.1:5399", "[::1]:53"]],
    ["database.url", "sqlite::memory:", { kind: "sqlite", path: ":memory:", poolSize: 10 }],
    ["database.url", "sqlite:///srv/e2a.db", { kind: "sqlite", path: "/srv/e2a.db", poolSize: 10 }],
    ["database.url", "postgres://u:p@h/db", { kind: "postgres", url: "postgres://u:p@h/db", poolSize: 10 }],
    ["signing.encryption_key", Buffer.from(goodSecret, "hex").toString("base64"), goodSecret],
    ["shared_domain", "bücher.example", "xn--bcher-kva.example"],
    ["outbound_smtp.host", "127.0.0.1", "127.0.0.1"],
    ["outbound_smtp.timeout", "10m", 600_000],
    ["outbound_smtp.ca_file", examplePath, examplePath],
    ["outbound_smtp.return_path_domain", "Bounces.Bücher.example", "bounces.xn--bcher-kva.example"],
    ["oauth.allowed_emails", "Ann@Example.com, bob@bücher.example", ["ann@example.com", "bob@bücher.example"]],
    ["oauth.allowed_domains", ["Example.com", "bücher.example"], ["example.com", "xn--bcher-kva.example"]],
    [
      "oauth.redirect_url",
      "https://mail.example.com/e2a/api/auth/callback",
      "https://mail.example.com/e2a/api/auth/callback",
    ],
    ["limits.sends_per_minute_per_agent", 0, 0],
    ["limits.send_burst_per_agent", 0, 0],
    ["limits.sends_per_minute_per_account", 0, 0],
    ["limits.sends_per_day_per_account", 0, 0],
    ["limits.new_recipients_per_day_per_account", 0, 0],
    ["limits.loop_messages", 0, 0],
    ["limits.loop_window", "1d", 86_400_000],
    ["limits.recipients_per_message", 1000, 1000],
    ["limits.outbound_message_size", "64KiB", 65_536],
  ];
  test.each(accepted)("%s: %p is accepted", (key, text, expected) => {
    const config = load({ flags: { [key]: text } }) as unknown as Record<string, unknown>;
    const path = (key === "database.url" ? "database" : key).replace(/_(.)/g, (_m, letter) => letter.toUpperCase());
    const value = path.split(".").reduce((tree: unknown, name) => (tree as typeof config)[name], config);
    expect(value).toEqual(expected);
  });

  const refused: [key: string, text: string][] = [
    ["env", "prod"],
    ["smtp.listen_addr", "2525"],
    ["smtp.listen_addr", "::1:25"],
    ["smtp.listen_addr", ":65536"],
    ["smtp.listen_addr", "300.1.1.1:25"],
    ["smtp.max_recipients", "1.5"],
    ["smtp.max_recipients", "0"],
    ["smtp.max_recipients", "10001"],
    ["smtp.max_message_size", "25M"],
    ["smtp.max_message_size", "1GiB"],
    ["smtp.idle_timeout", "5"],
    ["smtp.idle_timeout", "0"],
    ["smtp.proxy_trusted", "10.0.0.0/33"],
    ["smtp.proxy_trusted", "10.8/16"],
    ["dns.servers", "dns.example.com"],
    ["dns.servers", "127.0.0.1:0"],
    ["http.public_url", "mail.example.com"],
    ["http.public_url", "https://mail.example.com/?a=b"],
    ["http.public_url", "https://user:word@mail.example.com"],
    ["database.url", "mysql://localhost/db"],
    ["database.url", "postgres://u:1/2@h/db"],
    ["database.url", "postgres://u:100%@h/db"],
    ["signing.hmac_secret", "too short"],
    ["signing.encryption_key", "00ff"],
    ["shared_domain", "under_score.example"],
    ["shared_domain", "192.0.2.1"],
    ["outbound_smtp.tls", "opportunistic"],
    ["outbound_smtp.timeout", "0"],
    ["outbound_smtp.timeout", "11m"],
    ["outbound_smtp.ca_file", "absent.pem"],
    ["outbound_smtp.connections", "0"],
    ["outbound_smtp.return_path_domain", "bounce@example.com"],
    ["oauth.oidc_name", "single\r\nsign-on"],
    ["oauth.allowed_emails", "ann@example.com, bob"],
    ["oauth.allowed_domains", "@example.com"],
    ["limits.sends_per_minute_per_agent", "-1"],
    ["limits.loop_window", "59s"],
    ["limits.loop_window", "0"],
    ["limits.recipients_per_message", "0"],
    ["limits.recipients_per_message", "1001"],
    ["limits.outbound_message_size", "63KiB"],
  ];
  test.each(refused)("%s: %p is refused, with the key and a remedy", (key, text) => {
    const [complaint, ...others] = complaintsOf({ flags: { [key]: text } });
    expect(others).toEqual([]);
    expect(complaint).toMatchObject({ key, source: "the command line" });
    expect(complaint?.remedy).toStartWith("Correct");
  });

  const wrongSecrets: [key: string, text: string][] = [
    ["signing.hmac_secret", "hunter2"],
    ["signing.encryption_key", "hunter2"],
    ["database.url", "postgres://u:hunter2/@h/db"],
    ["outbound_smtp.by_domain", "a.example=smtp://u:hunter2@smtp.example.net:0"],
    ["http.public_url", "https://ann:hunter2@mail.example.com"],
    ["oauth.oidc_issuer", "https://ann:hunter2/@login.example.com/realms/main"],
  ];
  test.each(wrongSecrets)("%s: %p is refused without being shown", (key, text) => {
    const complaints = complaintsOf({ flags: { [key]: text } });
    expect(complaints).toMatchObject([{ key }]);
    expect(new ConfigError(complaints).message).not.toContain("hunter2");
  });

  test("texts in YAML stay as they are written", () => {
    const yaml = "outbound_smtp: {host: smtp.example.net, username: 007, password: 0123e5}\nhttp: {public_url: null}";
    const { outboundSmtp, http } = load({}, { "cwd/config.yaml": yaml });
    expect(outboundSmtp).toMatchObject({ username: "007", password: "0123e5" });
    expect(http.publicUrl).toBeNull();
  });
});

describe("complaints", () => {
  test("come all at once, each with its key, source and remedy, and as one text", () => {
    const yaml = [
      "shared_domian: agents.example.com",
      "smtp:",
      "  max_recipients: many",
      "  tls_cert: absent.pem",
      "listen_addr: :80",
      "dns: 1.1.1.1",
      "log: {level: {loud: true}}",
    ].join("\n");
    const options: LoadOptions = {
      env: { E2A_SMTP_IDLE_TIMEOUT: "soon", E2A_SMTP_DOMIAN: "x", E2A_PORT: "tcp://10.0.0.1:80", E2A_URL: "http://x" },
      flags: { "http.port": 80 },
    };
    const complaints = complaintsOf(options, { "cwd/config.yaml": yaml });
    const seen = complaints.map(({ key, source }) => `${key} · ${source}`);
    expect(seen.sort()).toEqual([
      "dns · config.yaml line 6",
      "http.port · the command line",
      "listen_addr · config.yaml line 5",
      "log.level · config.yaml line 7",
      "shared_domian · config.yaml line 1",
      "smtp.domain · E2A_SMTP_DOMIAN",
      "smtp.idle_timeout · E2A_SMTP_IDLE_TIMEOUT",
      "smtp.max_recipients · config.yaml line 3",
      "smtp.tls_cert · config.yaml line 4",
      "smtp.tls_key · not set",
    ]);
    const text = new ConfigError(complaints).message;
    for (const { key, message, remedy } of complaints) {
      expect(remedy).toMatch(/[.?]$/);
      for (const part of [key, message, remedy]) expect(text).toContain(part);
    }
    expect(text).toContain("10 problems");
  });

  const suggestions: [unknown: string, remedy: string][] = [
    ["shared_domian: x", "Did you mean shared_domain?"],
    ["smpt:\n  domain: x", "Did you mean smtp?"],
    ["smtp:\n  listen_address: x", "Did you mean smtp.listen_addr?"],
    ["listen_addr: x", "Did you mean smtp.listen_addr or http.listen_addr or metrics.listen_addr?"],
    ["completely_else: x", "Remove it; config.yaml.example lists every key."],
  ];
  test.each(suggestions)("unknown key %p", (yaml, remedy) => {
    expect(complaintsOf({}, { "cwd/config.yaml": yaml })).toMatchObject([{ remedy }]);
  });

  const broken: [yaml: string, line: number, says: string][] = [
    ["env: development\nhttp:\n\tlisten_addr: :80\n", 3, "Tabs are not allowed"],
    ["env: development\nenv: production\n", 2, "Map keys must be unique"],
    ["outbound_smtp:\n  password: @hunter2\n", 2, "reserved character"],
    ["outbound_smtp:\n  password: !hunter2\n", 2, "Unresolved tag"],
    ["- env\n", 1, "is a section"],
    ["outbound_smtp:\n  password: *hunter2\n", 2, "no anchor"],
  ];
  test.each(broken)("broken YAML %p names its line and shows no value", (yaml, line, says) => {
    const [complaint] = complaintsOf({}, { "cwd/config.yaml": yaml });
    expect(complaint?.source).toBe(`config.yaml line ${line}`);
    expect(complaint?.message).toContain(says);
    expect(JSON.stringify(complaint)).not.toContain("hunter2");
  });

  const unpaired: [set: string, value: string, missing: string][] = [
    ["http.tls_cert", examplePath, "http.tls_key"],
    ["oauth.google_client_id", "id", "oauth.google_client_secret"],
    ["oauth.oidc_issuer", "https://login.example.com", "oauth.oidc_client_id"],
    ["oauth.oidc_client_id", "id", "oauth.oidc_issuer"],
    ["outbound_smtp.password", "x", "outbound_smtp.username"],
  ];
  test.each(unpaired)("%s alone", (set, value, missing) => {
    expect(complaintsOf({ flags: { [set]: value } })).toMatchObject([{ key: missing, source: "not set" }]);
  });

  const issuers: [issuer: string, accepted: boolean][] = [
    ["https://login.example.com/application/o/e2a/", true],
    ["http://127.0.0.1:8090", true],
    ["http://localhost:8090/realms/main", true],
    ["http://[::1]:8090", true],
    ["http://login.example.com", false],
    ["https://login.example.com/?realm=main", false],
    ["login.example.com", false],
  ];
  test.each(issuers)("oauth.oidc_issuer %p", (issuer, accepted) => {
    const flags = { "oauth.oidc_issuer": issuer, "oauth.oidc_client_id": "e2a" };
    if (accepted) expect(load({ flags }).oauth.oidcIssuer).toBe(issuer);
    else expect(complaintsOf({ flags })).toMatchObject([{ key: "oauth.oidc_issuer" }]);
  });

  test("a redirect address at which nobody answers", () => {
    const flags = { "oauth.redirect_url": "https://mail.example.com/oauth/google" };
    const [complaint] = complaintsOf({ flags });
    expect(complaint).toMatchObject({
      key: "oauth.redirect_url",
      remedy: expect.stringContaining("/api/auth/callback"),
    });
  });
});

describe("secrets in files", () => {
  test("one final line break is not part of the secret", () => {
    const files = { "cwd/hmac": `${goodSecret}\n`, "cwd/url": "postgres://u:p@h/db\r\n" };
    const config = load({ env: { E2A_HMAC_SECRET_FILE: "hmac", E2A_DATABASE_URL_FILE: "url" } }, files);
    expect(config.signing.hmacSecret).toBe(goodSecret);
    expect(config.database).toMatchObject({ url: "postgres://u:p@h/db" });
    expect(config.sources["signing.hmac_secret"]).toBe("E2A_HMAC_SECRET_FILE (hmac)");
  });

  test("every secret has the twin, no other key has it", () => {
    expect(configKeys.filter((row) => row.secret).map((row) => row.key)).toEqual([
      "database.url",
      "oauth.google_client_secret",
      "oauth.oidc_client_secret",
      "signing.hmac_secret",
      "signing.encryption_key",
      "outbound_smtp.password",
      "outbound_smtp.by_domain",
    ]);
    for (const { key, env, secret } of configKeys) {
      const complaints = complaintsOf({ env: { [`${env[0]}_FILE`]: "absent" } });
      expect(complaints[0]).toMatchObject({ key, source: `${env[0]}_FILE` });
      expect(complaints[0]?.message).toContain(secret ? "cannot be read" : "not a variable");
    }
  });

  const both: [env: Record<string, string>][] = [
    [{ E2A_HMAC_SECRET: goodSecret, E2A_HMAC_SECRET_FILE: "hmac" }],
    [{ E2A_SIGNING_HMAC_SECRET: goodSecret, E2A_HMAC_SECRET: goodSecret }],
  ];
  test.each(both)("two variables for one secret %#", (env) => {
    const [complaint] = complaintsOf({ env }, { "cwd/hmac": goodSecret });
    expect(complaint?.key).toBe("signing.hmac_secret");
    for (const name of Object.keys(env)) expect(complaint?.message).toContain(name);
    expect(complaint?.message).not.toContain(goodSecret);
  });

  test("an empty file is a complaint", () => {
    expect(complaintsOf({ env: { E2A_HMAC_SECRET_FILE: "empty" } }, { "cwd/empty": "\n" })).toHaveLength(1);
  });
});

describe("production", () => {
  const live = {
    env: "production",
    shared_domain: "agents.example.com",
    "http.public_url": "https://mail.example.com",
  };

  test("listens on every interface and accepts a real configuration", () => {
    const config = load({ flags: { ...live, "signing.hmac_secret": goodSecret } });
    expect(config.smtp.listenAddr).toEqual({ host: "", port: 2525 });
    expect(config.http.listenAddr).toEqual({ host: "", port: 8080 });
    expect(config.warnings).toEqual([]);
  });

  test("asks for the shared domain and the public URL", () => {
    const keys = complaintsOf({ env: { E2A_ENV: "production" } }).map((complaint) => complaint.key);
    expect(keys).toEqual(["shared_domain", "http.public_url"]);
    expect(complaintsOf({ flags: { ...live, shared_domain: "my.localhost" } })).toHaveLength(1);
  });

  test("warns about an address without TLS", () => {
    const config = load({ flags: { ...live, "http.public_url": "http://mail.example.com" } });
    expect(config.warnings).toMatchObject([{ key: "http.public_url" }]);
  });

  const weak: [key: string, value: string][] = [
    ["signing.hmac_secret", "changeme-changeme-changeme-changeme"],
    ["signing.hmac_secret", "your-secret-key-at-least-32-characters"],
    ["signing.hmac_secret", "a".repeat(64)],
    ["signing.hmac_secret", "0123456789abcdef".repeat(4)],
    ["signing.hmac_secret", "k7qzm2xwbv9t".repeat(4)],
    ["signing.hmac_secret", "12345678901234567890123456789012"],
    ["signing.hmac_secret", "abcdefghijklmnopqrstuvwxyz0123456789"],
    ["signing.encryption_key", "0".repeat(64)],
    ["outbound_smtp.password", "ChangeMe123"],
    ["outbound_smtp.password", "Passw0rd!"],
    ["database.url", "postgres://e2a:e2a@db/e2a"],
    ["database.url", "postgres://e2a:changeme@db/e2a"],
  ];
  test.each(weak)("%s %p is refused there, and only there", (key, value) => {
    const upstream = { "outbound_smtp.host": "smtp.example.net", "outbound_smtp.username": "u" };
    const flags = { ...(key === "outbound_smtp.password" ? upstream : {}), [key]: value };
    expect(load({ flags }).env).toBe("development");
    const complaints = complaintsOf({ flags: { ...live, ...flags } });
    expect(complaints).toMatchObject([{ key, source: "the command line" }]);
    expect(new ConfigError(complaints).message).not.toContain(value);
  });

  test("takes random secrets of any usual alphabet, and databases without a password", () => {
    const random = () => crypto.getRandomValues(Buffer.alloc(32));
    for (let i = 0; i < 200; i++) {
      const flags = {
        ...live,
        "signing.hmac_secret": random().toString(i % 2 ? "hex" : "base64"),
        "signing.encryption_key": random().toString(i % 2 ? "base64" : "hex"),
        "database.url":
          i % 2 ? "postgres:///e2a?host=/run/postgresql" : `postgres://e2a:${random().toString("hex")}@db/e2a`,
      };
      expect(load({ flags }).env).toBe("production");
    }
  });
});

describe("printConfig", () => {
  test("shows every key and its source, and no secret", () => {
    const secrets = {
      E2A_HMAC_SECRET: goodSecret,
      E2A_SIGNING_ENCRYPTION_KEY: [...goodSecret].reverse().join(""),
      E2A_GOOGLE_CLIENT_SECRET: "GOCSPX-of-google",
      E2A_OUTBOUND_SMTP_PASSWORD: "correct horse battery",
    };
    const config = load({
      env: {
        ...secrets,
        E2A_DATABASE_URL: "postgres://e2a:hunter%232@db.example:5432/e2a?sslmode=require&sslpassword=hunter3",
        E2A_GOOGLE_CLIENT_ID: "id",
        E2A_OUTBOUND_SMTP_HOST: "smtp.example.net",
        E2A_OUTBOUND_SMTP_USERNAME: "u",
        E2A_HTTP_LISTEN_ADDR: "[::1]:9000",
        E2A_DNS_SERVERS: "1.1.1.1,::1",
      },
      flags: { "smtp.max_message_size": "10MB" },
    });
    const printed = printConfig(config);
    for (const secret of [...Object.values(secrets), "hunter"]) expect(printed).not.toContain(secret);
    expect(printed).toContain("  hmac_secret: •••• (set) # from E2A_HMAC_SECRET");
    expect(printed).toContain(
      "  url: postgres://e2a:••••@db.example:5432/e2a?sslmode=require&sslpassword=•••• # from E2A_DATABASE_URL",
    );
    expect(printed).toContain('  listen_addr: "[::1]:9000" # from E2A_HTTP_LISTEN_ADDR');
    expect(printed).toContain("  max_message_size: 10MB # from the command line");
    expect(printed).toContain("  idle_timeout: 5m\n");
    for (const { key } of configKeys) expect(printed).toMatch(new RegExp(`^ *${key.split(".").at(-1)}:`, "m"));
  });

  test("prints what loads again to the same configuration", () => {
    const flags = { "dns.servers": "1.1.1.1,::1", "smtp.proxy_trusted": "10.0.0.0/8", "metrics.listen_addr": ":9090" };
    const config = load({ flags });
    const again = load({}, { "cwd/config.yaml": printConfig(config) });
    expect({ ...again, sources: {} }).toEqual({ ...config, sources: {} });
  });
});

describe("config.yaml.example", () => {
  const example = readFileSync(examplePath, "utf8");
  const uncommented = example.replace(/^( *)#(?=[a-z_]+:)/gm, "$1");

  test("parses, as it is and with every key uncommented, to exactly the defaults", () => {
    const defaults = { ...load(), sources: {} };
    expect({ ...load({}, { "cwd/config.yaml": example }), sources: {} }).toEqual(defaults);
    expect({ ...load({}, { "cwd/config.yaml": uncommented }), sources: {} }).toEqual(defaults);
  });

  test("has every key once, in its section and in the schema's order, explained with its variables and default", () => {
    let section = "";
    let comment = "";
    const seen: string[] = [];
    for (const line of example.split("\n")) {
      const [, indent, mark, name, text] = /^( *)(#?)([a-z_]+):(.*)$/.exec(line) ?? [];
      if (name === undefined) comment = line.trim() === "" ? "" : `${comment} ${line.trim().replace(/^# ?/, "")}`;
      else if (mark === "") section = `${name}.`;
      else {
        const key = indent ? `${section}${name}` : name;
        const row = configKeys.find((candidate) => candidate.key === key);
        seen.push(key);
        expect(comment).toEndWith(`[${row?.env.join(", ")}]`);
        if (row?.default) expect(text?.trim()).toBe(row.default);
        comment = "";
      }
    }
    expect(seen).toEqual(configKeys.map((row) => row.key));
  });

  test("its lines for a server of your own are a complete production configuration", () => {
    const snippet = /^# {3}env: production$[\s\S]*?^#$/m.exec(example)?.[0].replace(/^# ?/gm, "") ?? "";
    const config = load({}, { "cwd/config.yaml": snippet });
    expect(config).toMatchObject({
      env: "production",
      smtp: { listenAddr: { host: "", port: 25 }, domain: "mail.example.com" },
      warnings: [],
    });
  });
});
