/** The product as an operator runs it: a separate process with its own folder, on loopback. */
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { testPostgres } from "../../test/support/postgres.ts";
import { within } from "./child.ts";
import { memoryMB } from "./process.ts";

const START_TIMEOUT_MS = 20_000;
const STOP_TIMEOUT_MS = 30_000;
const LOG_TAIL_BYTES = 2_000;
/** Time between "ready" and the measurement of idle memory. */
const IDLE_SETTLE_MS = 1_500;

export interface E2aOptions {
  /** The command line before `serve`: the binary, or Bun and the source file. */
  command: readonly string[];
  /** An empty folder, or the folder of an earlier run. */
  folder: string;
  /** E2A_* variables in addition to those about listeners and folder. */
  settings: Record<string, string>;
}

export interface E2a {
  readonly pid: number;
  readonly httpUrl: string;
  readonly smtpPort: number;
  /** From the start of the process to its "ready" line. */
  readonly readyMs: number;
  /** Stops it as an operator would; it finishes its work first. Safe to call twice. */
  stop(): Promise<void>;
}

/** Starts `e2a serve` and resolves when it is ready. Rejects with the end of its log if it does not start. */
export async function startE2a(options: E2aOptions): Promise<E2a> {
  const logPath = join(options.folder, "serve.log");
  const log = openSync(logPath, "a");
  const startedAt = performance.now();
  const server = Bun.spawn({
    cmd: [...options.command, "serve"],
    cwd: options.folder,
    env: environment(options),
    stdio: ["ignore", "pipe", log],
  });
  closeSync(log);
  const kill = () => server.kill("SIGKILL");
  process.once("exit", kill);
  let stopping: Promise<void> | undefined;
  const stop = async () => {
    server.kill("SIGTERM");
    await within(STOP_TIMEOUT_MS, "stopping e2a", server.exited).finally(kill);
    process.off("exit", kill);
  };
  try {
    const line = await within(START_TIMEOUT_MS, "the start of e2a", firstLine(server.stdout));
    const readyMs = performance.now() - startedAt;
    const ready = JSON.parse(line) as { http: string; smtp: string };
    const smtpPort = Number(ready.smtp.slice(ready.smtp.lastIndexOf(":") + 1));
    return { pid: server.pid, httpUrl: ready.http, smtpPort, readyMs, stop: () => (stopping ??= stop()) };
  } catch (error) {
    kill();
    const tail = readFileSync(logPath, "utf8").slice(-LOG_TAIL_BYTES);
    throw new Error(`e2a did not start: ${error}\n${tail}`);
  }
}

/** A server under load, with an account. */
export interface PreparedE2a {
  server: E2a;
  key: string;
  /** Resident memory, in MB, shortly after it was ready. */
  idleMB: number;
  /** Time to start on an empty folder, and again on the same folder. */
  readyMs: { first: number; again: number };
  /** The options with which it was started, for a restart. */
  product: E2aOptions;
}

/**
 * Starts on an empty folder, makes an account, runs `prepare`, and restarts.
 * @param options.firstSettings Settings for the first start only.
 */
export async function startPrepared(
  options: E2aOptions & { database: "sqlite" | "postgres"; firstSettings?: Record<string, string> },
  cleanUp: AsyncDisposableStack,
  prepare: (server: E2a, key: string) => Promise<unknown>,
): Promise<PreparedE2a> {
  const settings = { ...options.settings };
  if (options.database === "postgres") {
    const database = await testPostgres();
    cleanUp.defer(() => database.drop());
    settings.E2A_DATABASE_URL = database.url;
  }
  const product: E2aOptions = { command: options.command, folder: options.folder, settings };
  const empty = await startE2a({ ...product, settings: { ...settings, ...options.firstSettings } });
  cleanUp.defer(() => empty.stop());
  const key = await makeAccount(product);
  await prepare(empty, key);
  await empty.stop();

  const server = await startE2a(product);
  cleanUp.defer(() => server.stop());
  await Bun.sleep(IDLE_SETTLE_MS);
  const idleMB = memoryMB(server.pid).now;
  return { server, key, idleMB, readyMs: { first: empty.readyMs, again: server.readyMs }, product };
}

/** Makes an account in the folder of a running server and returns its API key. */
async function makeAccount(options: E2aOptions): Promise<string> {
  const bootstrap = Bun.spawn({
    cmd: [...options.command, "bootstrap", "--email", "owner@example.net", "--json"],
    cwd: options.folder,
    env: environment(options),
    stdio: ["ignore", "pipe", "inherit"],
  });
  const text = await within(START_TIMEOUT_MS, "e2a bootstrap", bootstrap.stdout.text());
  return (JSON.parse(text) as { api_key: string }).api_key;
}

/** Makes an API request. Throws unless the answer is a success. */
export async function api<T>(server: E2a, key: string, method: string, path: string, body?: unknown): Promise<T> {
  const response = await fetch(`${server.httpUrl}/api/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return JSON.parse(text) as T;
}

/** Counts an agent's messages as a client sees them, page by page. */
export async function countMessages(server: E2a, key: string, agent: string) {
  let [messages, verified] = [0, 0];
  for await (const page of pages<{ verified: boolean }>(
    server,
    key,
    `/agents/${encodeURIComponent(agent)}/messages?status=all`,
  )) {
    messages += page.length;
    verified += page.filter((message) => message.verified).length;
  }
  return { messages, verified };
}

/** The pages of a list of messages. `path` already contains a query. */
export async function* pages<T>(server: E2a, key: string, path: string): AsyncIterable<T[]> {
  let token = "";
  do {
    const page: { messages: T[]; next_token?: string | null } = await api(
      server,
      key,
      "GET",
      `${path}&page_size=100${token && `&token=${token}`}`,
    );
    yield page.messages;
    token = encodeURIComponent(page.next_token ?? "");
  } while (token);
}

function environment({ folder, settings }: E2aOptions): Record<string, string> {
  return {
    PATH: process.env.PATH ?? "",
    HOME: folder,
    E2A_DATA_DIR: join(folder, "data"),
    E2A_SMTP_LISTEN_ADDR: "127.0.0.1:0",
    E2A_HTTP_LISTEN_ADDR: "127.0.0.1:0",
    ...settings,
  };
}

/** Resolves with the first line. Keeps reading after it, or the server would write into a closed pipe. */
function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  (async () => {
    const decoder = new TextDecoder();
    let text = "";
    for await (const chunk of stream) {
      if (text.includes("\n")) continue;
      text += decoder.decode(chunk, { stream: true });
      if (text.includes("\n")) resolve(text.slice(0, text.indexOf("\n")));
    }
    reject(new Error("it ended"));
  })().catch(reject);
  return promise;
}
