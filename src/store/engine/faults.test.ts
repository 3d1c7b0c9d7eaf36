import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { killedAtRandom, syncFailsThenPowerCut, victimOf, writesFailForAWhile } from "../../../test/attacks/faults.ts";
import { canInjectFaults, errno, faultyDisk } from "../../../test/faults/faulty-disk.ts";
import { binaryPath, runBinary, startBinary } from "../../../test/support/binary.ts";
import { testPostgres } from "../../../test/support/postgres.ts";
import { tempDir } from "../../../test/support/temp.ts";

const serverEnv = (folder: string) => ({
  E2A_DATA_DIR: folder,
  E2A_SMTP_LISTEN_ADDR: "127.0.0.1:0",
  E2A_HTTP_LISTEN_ADDR: "127.0.0.1:0",
  E2A_DNS_SERVERS: "127.0.0.1:1",
  E2A_LOG_LEVEL: "error",
});

test.each(["e2a.db", "e2a.db-journal"])("a folder in place of %s: the start ends with 2 and says why", async (name) => {
  await using dir = await tempDir();
  mkdirSync(join(dir.path, name));
  const { code, stderr } = await runBinary(["serve"], serverEnv(dir.path));
  expect([code, stderr]).toEqual([2, expect.stringContaining("cannot be opened")]);
  expect(stderr).toContain(join(dir.path, "e2a.db"));
  expect(stderr).toContain("fix: Make sure that these are files");
});

describe.skipIf(!canInjectFaults)("a disk that fails under the compiled binary", () => {
  for (const which of ["log", "database"] as const)
    test(`one failed sync of the ${which}, then a power cut: nothing that was promised is lost`, async () => {
      const { promised, lost, doubled } = await syncFailsThenPowerCut(binaryPath(), which);
      expect(promised).toBeGreaterThanOrEqual(40);
      expect({ lost, doubled }).toEqual({ lost: 0, doubled: 0 });
    }, 120_000);

  for (const [name, reason] of [
    ["ENOSPC", /disk is full/],
    ["EROFS", /does not accept writes/],
  ] as const)
    test(`${name}: 451 and 503, readiness says why, and it passes by itself`, async () => {
      const { promised, lost, doubled, reasons } = await writesFailForAWhile(binaryPath(), errno[name]);
      expect(promised).toBeGreaterThanOrEqual(40);
      expect({ lost, doubled }).toEqual({ lost: 0, doubled: 0 });
      expect(reasons[0]).toMatch(reason);
    }, 120_000);

  for (const [name, reason] of [
    ["ENOSPC", "its disk is full"],
    ["EROFS", "The store does not accept writes"],
  ] as const)
    test(`${name} during a migration: the start ends with 2 and says why, and the next one finds all as it was`, async () => {
      await using disk = await faultyDisk();
      const env = { ...disk.env, ...serverEnv(disk.folder) };
      const path = join(disk.folder, "e2a.db");
      for (const prepare of [
        () => {},
        // The database as an earlier release left it.
        () => {
          using database = new Database(path);
          database.exec("DROP TABLE reserved_addresses; DELETE FROM schema_migrations WHERE number = 13");
        },
      ]) {
        prepare();
        disk.set("writeError", errno[name]);
        const { code, stderr } = await runBinary(["serve"], env);
        expect([code, stderr]).toEqual([2, expect.stringContaining(reason)]);
        expect(stderr).toContain(path);
        disk.set("writeError", 0);
        expect((await runBinary(["bootstrap", "--email", "you@example.com"], env)).code).toBe(0);
      }
      await using server = await startBinary(env);
      expect((await fetch(`${server.ready.http}/api/ready`)).status).toBe(200);
    }, 60_000);

  for (const how of ["kill -9", "power cut"] as const)
    test(`${how} at random moments: nothing that was promised is lost`, async () => {
      const { promised, lost, doubled } = await killedAtRandom(binaryPath(), how, 3);
      expect(promised).toBeGreaterThanOrEqual(30);
      expect({ lost, doubled }).toEqual({ lost: 0, doubled: 0 });
    }, 120_000);

  test("a sync that fails under POST /agents: 503 that says it may have happened, and the agent is not there", async () => {
    await using victim = await victimOf(binaryPath());
    victim.disk.set("failLogSync", 1);
    // An Idempotency-Key is a row of its own; without one this request is the next commit.
    const { status, body } = await victim.api("POST", "/v1/agents", { slug: "perhaps", agent_mode: "local" });
    expect(status).toBe(503);
    expect(body).toMatchObject({
      code: "unavailable",
      detail: expect.stringContaining("may or may not have happened"),
    });
    await victim.untilReady(true);
    expect((await victim.api("GET", "/v1/agents/perhaps@e2a.localhost")).status).toBe(404);
    expect((await victim.api("POST", "/v1/agents", { slug: "perhaps", agent_mode: "local" })).status).toBe(201);
  }, 60_000);

  const damages: [name: string, damage: (log: string) => void][] = [
    ["is gone", (log) => rmSync(log)],
    ["has a spoilt header", (log) => overwrite(log, 16, Buffer.alloc(8, 0xff))],
    ["has a spoilt page in its middle", (log) => overwrite(log, 32 + 3 * 4120 + 2_000, Buffer.alloc(8, 0xff))],
    ["was cut short", (log) => truncateSync(log, 32 + 4120)],
  ];
  for (const [name, damage] of damages)
    test(`the log of a killed server ${name}: the start ends with 2 and says what to do`, async () => {
      await using victim = await victimOf(binaryPath());
      const { disk, promised } = victim;
      await victim.send(() => promised.size >= 20);
      await victim.kill();
      const log = join(disk.folder, "e2a.db-wal");
      const intact = readFileSync(log);
      damage(log);
      const { code, stderr } = await runBinary(["serve"], serverEnv(disk.folder));
      expect(code).toBe(2);
      expect(stderr).toContain(log);
      expect(stderr).toContain(`delete ${disk.folder}/e2a.db-mark`);
      // The failed start changed nothing: with the log back, nothing is missing.
      writeFileSync(log, intact);
      await victim.start();
      expect(await victim.count()).toMatchObject({ lost: 0, doubled: 0 });
      // An operator who decides to go on without the log can do so.
      await victim.kill();
      rmSync(log, { force: true });
      rmSync(join(disk.folder, "e2a.db-mark"));
      await victim.start();
    }, 60_000);
});

function overwrite(path: string, at: number, bytes: Buffer): void {
  const fd = openSync(path, "r+");
  writeSync(fd, bytes, 0, bytes.length, at);
  closeSync(fd);
}

test.skipIf(Bun.which("prlimit") === null && !process.env.CI)(
  "a server whose clients have taken all descriptors before the first read goes on when some are free",
  async () => {
    await using dir = await tempDir();
    const env = serverEnv(dir.path);
    const { stdout } = await runBinary(["bootstrap", "--email", "you@example.com"], env);
    const key = stdout.match(/API key: (\S+)/)?.[1] ?? "";
    await using server = await startBinary(env);
    const ask = async (path: string) => {
      const response = await fetch(`${server.ready.http}${path}`, { headers: { authorization: `Bearer ${key}` } });
      await response.text();
      return response.status;
    };
    // The connection can be used again.
    expect(await ask("/api/health")).toBe(200);
    const { pid } = server.process;
    const limit = (descriptors: number) =>
      expect(Bun.spawnSync(["prlimit", "--pid", `${pid}`, `--nofile=${descriptors}:`]).exitCode).toBe(0);
    limit(Math.max(...readdirSync(`/proc/${pid}/fd`).map(Number)) + 1);
    expect(await ask("/api/v1/agents")).toBeOneOf([200, 503]);
    limit(1_024);
    expect(await ask("/api/v1/agents")).toBe(200);
  },
  60_000,
);

describe("another program has the database open", () => {
  /** Opens the database as sqlite3 would, reads, and closes it when told to. `hold` stays inside a read transaction. */
  function reader(folder: string, hold: boolean) {
    const program = `
      const { Database } = require("bun:sqlite");
      const database = new Database(process.argv[1]);
      database.exec("BEGIN");
      database.query("SELECT count(*) FROM messages").get();
      console.log("reading");
      process.stdin.once("data", () => { database.exec("ROLLBACK"); database.close(); process.exit(); });
      process.stdin.resume();`;
    const child = Bun.spawn([process.execPath, "-e", program, join(folder, "e2a.db")], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    });
    const close = async () => {
      child.stdin.write("x");
      await child.stdin.end();
      await child.exited;
    };
    return {
      close,
      started: child.stdout
        .getReader()
        .read()
        .then(() => (hold ? undefined : close())),
    };
  }

  async function served(folder: string) {
    const env = serverEnv(folder);
    const { stdout } = await runBinary(["bootstrap", "--email", "you@example.com"], env);
    const key = stdout.match(/API key: (\S+)/)?.[1] ?? "";
    const server = await startBinary(env);
    const ask = async (at: string, method: string, path: string, body?: unknown) => {
      const response = await fetch(`${at}/api/v1${path}`, {
        method,
        headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
        ...(body ? { body: JSON.stringify(body) } : {}),
      });
      return (await response.json()) as { agents: { email: string }[] };
    };
    const make = (slug: string) => ask(server.ready.http, "POST", "/agents", { slug, agent_mode: "local" });
    const names = async (at: string) =>
      (await ask(at, "GET", "/agents")).agents.map(({ email }) => email.split("@")[0]).toSorted();
    return { env, server, make, names };
  }

  test("it copies the log of a killed server and removes it: nothing is lost, and the next start works", async () => {
    await using dir = await tempDir();
    const { env, server, make, names } = await served(dir.path);
    await using _ = server;
    await make("first");
    await make("second");
    await server.kill();
    await reader(dir.path, false).started;
    expect(await Bun.file(join(dir.path, "e2a.db-wal")).exists()).toBe(false);
    await using next = await startBinary(env);
    expect(await names(next.ready.http)).toEqual(["first", "second"]);
  }, 60_000);

  test("a log that has grown beyond what memory can hold is no obstacle to a start", async () => {
    await using dir = await tempDir();
    const { env, server, make, names } = await served(dir.path);
    await using _ = server;
    await make("first");
    await server.kill();
    // Bytes after the last frame do not belong to the log; the file is sparse, so it takes no space on disk.
    truncateSync(join(dir.path, "e2a.db-wal"), 5 * 1024 ** 3);
    await using next = await startBinary(env);
    expect(await names(next.ready.http)).toEqual(["first"]);
  }, 60_000);

  test("it reads across a stop and a start: the start works, while it reads and after it has closed", async () => {
    await using dir = await tempDir();
    const { env, server, make, names } = await served(dir.path);
    await using _ = server;
    await make("first");
    const reading = reader(dir.path, true);
    await reading.started;
    await make("second");
    expect(await server.stop()).toBe(0);
    await using beside = await startBinary(env);
    expect(await names(beside.ready.http)).toEqual(["first", "second"]);
    expect(await beside.stop()).toBe(0);
    await reading.close();
    await using next = await startBinary(env);
    expect(await names(next.ready.http)).toEqual(["first", "second"]);
  }, 60_000);
});

describe("one server has a SQLite folder", () => {
  test("a lock file with spoilt content keeps nobody out", async () => {
    await using dir = await tempDir();
    const env = serverEnv(dir.path);
    for (const content of [Buffer.alloc(4096), Buffer.from("12345\n")]) {
      writeFileSync(join(dir.path, "e2a.db-lock"), content);
      await using server = await startBinary(env);
      const second = await runBinary(["serve"], env);
      expect([second.code, second.stderr]).toEqual([2, expect.stringContaining(`pid ${server.process.pid}`)]);
    }
  }, 60_000);

  test("a second one ends with 2 and names the first; bootstrap works beside it; kill -9 leaves no lock", async () => {
    await using dir = await tempDir();
    const env = serverEnv(join(dir.path, "data"));
    await using first = await startBinary(env);
    const second = await runBinary(["serve"], env);
    expect(second.code).toBe(2);
    expect(second.stderr).toContain(`pid ${first.process.pid}`);
    expect(second.stderr).toContain(join(dir.path, "data"));
    const beside = await runBinary(["bootstrap", "--email", "you@example.com"], env);
    expect([beside.code, beside.stdout]).toEqual([0, expect.stringContaining("API key: e2a_")]);
    await first.kill();
    await using third = await startBinary(env);
    expect(await third.stop()).toBe(0);
  }, 60_000);

  test("the lock file removed from under a server lets no second one in, and bootstrap works beside it", async () => {
    await using dir = await tempDir();
    const env = serverEnv(dir.path);
    await using first = await startBinary(env);
    for (const replace of [() => {}, () => writeFileSync(join(dir.path, "e2a.db-lock"), "")]) {
      rmSync(join(dir.path, "e2a.db-lock"));
      replace();
      const second = await runBinary(["serve"], env);
      expect([second.code, second.stderr]).toEqual([2, expect.stringContaining(`pid ${first.process.pid}`)]);
    }
    rmSync(join(dir.path, "e2a.db-lock"));
    const beside = await runBinary(["bootstrap", "--email", "you@example.com"], env);
    expect([beside.code, beside.stdout]).toEqual([0, expect.stringContaining("API key: e2a_")]);
    expect((await fetch(`${first.ready.http}/api/ready`)).status).toBe(200);
    await first.kill();
    await using third = await startBinary(env);
    expect(await third.stop()).toBe(0);
  }, 60_000);

  test("a database behind a link is served from where it lies, and has one server by either name", async () => {
    await using dir = await tempDir();
    const [real, linked] = [join(dir.path, "real"), join(dir.path, "linked")];
    mkdirSync(real);
    mkdirSync(linked);
    symlinkSync("../real/mail.db", join(linked, "e2a.db"));
    await using first = await startBinary(serverEnv(linked));
    expect(existsSync(join(real, "mail.db-lock"))).toBe(true);
    expect(readdirSync(linked).filter((name) => name.startsWith("e2a.db-") || name === "outcomes.journal")).toEqual([]);
    const second = await runBinary(["serve"], {
      ...serverEnv(join(dir.path, "other")),
      E2A_DATABASE_URL: `sqlite:${join(real, "mail.db")}`,
    });
    expect([second.code, second.stderr]).toEqual([2, expect.stringContaining(`pid ${first.process.pid}`)]);
    await first.kill();
    await using again = await startBinary(serverEnv(linked));
    expect(await again.stop()).toBe(0);
  }, 60_000);
});

for (const database of ["sqlite", "postgres"] as const)
  describe(`the encryption key (${database})`, () => {
    test("missing, or another one: the start ends with 2 and says what to do; no key is made", async () => {
      await using dir = await tempDir();
      await using postgres = database === "postgres" ? await testPostgres() : null;
      const env = { ...serverEnv(dir.path), ...(postgres ? { E2A_DATABASE_URL: postgres.url } : {}) };
      const keyFile = join(dir.path, "encryption.key");
      expect((await runBinary(["bootstrap", "--email", "you@example.com"], env)).code).toBe(0);
      const key = readFileSync(keyFile, "utf8");

      rmSync(keyFile);
      const missing = await runBinary(["serve"], env);
      expect([missing.code, missing.stderr]).toEqual([2, expect.stringContaining(`${keyFile} is missing`)]);
      expect(await Bun.file(keyFile).exists()).toBe(false);
      expect((await runBinary(["bootstrap", "--email", "you@example.com"], env)).code).toBe(2);

      writeFileSync(keyFile, `${"ab".repeat(32)}\n`, { mode: 0o600 });
      const wrong = await runBinary(["serve"], env);
      expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining("is not the one that sealed")]);

      writeFileSync(keyFile, key, { mode: 0o600 });
      await using server = await startBinary(env);
      expect((await fetch(`${server.ready.http}/api/ready`)).status).toBe(200);
    }, 60_000);
  });

test("nodes with different keys that start at once on an empty Postgres: one key wins, and the others end with 2", async () => {
  await using dir = await tempDir();
  await using postgres = await testPostgres();
  const env = (node: number) => ({ ...serverEnv(join(dir.path, `${node}`)), E2A_DATABASE_URL: postgres.url });
  const nodes = await Promise.all(
    [1, 2, 3].map((node) => runBinary(["bootstrap", "--email", `n${node}@example.com`], env(node))),
  );
  expect(nodes.map(({ code }) => code).toSorted()).toEqual([0, 2, 2]);
}, 60_000);
