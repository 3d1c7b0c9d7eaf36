/** The compiled binary under attack: a separate process with an account and two agents, watched from outside. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Zone } from "../../test/support/dns-server.ts";
import { startDnsServer } from "../../test/support/dns-server.ts";
import { startChild } from "../bench/child.ts";
import { api, type E2a, startPrepared } from "../bench/e2a.ts";
import type { Watched, WatchHandlers } from "./watch.child.ts";

export type Database = "sqlite" | "postgres";

export interface AttackOptions {
  /** The command line before `serve`: the binary, or Bun and the source file. */
  command: readonly string[];
  database: Database;
  /** Reports progress. */
  progress(text: string): void;
}

export interface World extends AsyncDisposable {
  readonly server: E2a;
  readonly key: string;
  /** A local agent without a gate. */
  readonly agent: string;
  /** A local agent that holds all its mail. */
  readonly held: string;
  /** Makes an API request and returns any answer. Sends bytes as they are, and any other `body` as JSON. */
  ask(method: string, path: string, body?: unknown): Promise<{ status: number; text: string }>;
  /** Runs `work`, and measures the server's health and memory meanwhile. */
  watch<T>(work: () => Promise<T>): Promise<{ result: T; watched: Watched }>;
}

/** Starts the binary on an empty folder, with its own DNS server and with limits that let one sender send a lot. */
export async function startWorld(
  options: AttackOptions & { zone?: Zone; sharedDomain?: string; settings?: Record<string, string> },
): Promise<World> {
  const cleanUp = new AsyncDisposableStack();
  try {
    const folder = await mkdtemp(join(tmpdir(), "e2a-attack-"));
    cleanUp.defer(() => rm(folder, { recursive: true, force: true }));
    const dns = await startDnsServer(options.zone ?? {});
    cleanUp.defer(() => dns.close());
    const { sharedDomain = "e2a.localhost" } = options;
    const { server, key } = await startPrepared(
      {
        command: options.command,
        folder,
        database: options.database,
        settings: {
          E2A_DNS_SERVERS: dns.address,
          E2A_SHARED_DOMAIN: sharedDomain,
          E2A_LOG_LEVEL: "warn",
          E2A_SMTP_MAX_MESSAGES_PER_MINUTE_PER_IP: "100000",
          E2A_LIMITS_API_REQUESTS_PER_MINUTE: "1000000",
          E2A_LIMITS_SENDS_PER_MINUTE_PER_AGENT: "100000",
          E2A_LIMITS_SEND_BURST_PER_AGENT: "100000",
          E2A_LIMITS_SENDS_PER_MINUTE_PER_ACCOUNT: "100000",
          E2A_LIMITS_SENDS_PER_DAY_PER_ACCOUNT: "1000000",
          E2A_LIMITS_NEW_RECIPIENTS_PER_DAY_PER_ACCOUNT: "1000000",
          E2A_LIMITS_LOOP_MESSAGES: "100000",
          ...options.settings,
        },
      },
      cleanUp,
      async (first, owner) => {
        for (const slug of ["target", "leashed"])
          await api(first, owner, "POST", "/agents", { slug, agent_mode: "local" });
        await api(first, owner, "PUT", `/agents/leashed@${sharedDomain}`, {
          hitl_enabled: true,
          hitl_notify_email: false,
        });
      },
    );
    const watcher = startChild<WatchHandlers>("../attack/watch.child.ts");
    cleanUp.defer(() => watcher.stop());
    return {
      server,
      key,
      agent: `target@${sharedDomain}`,
      held: `leashed@${sharedDomain}`,
      async ask(method, path, body) {
        const response = await fetch(`${server.httpUrl}/api/v1${path}`, {
          method,
          headers: {
            authorization: `Bearer ${key}`,
            ...(body === undefined ? {} : { "content-type": "application/json" }),
          },
          ...(body === undefined
            ? {}
            : { body: body instanceof Uint8Array || typeof body === "string" ? body : JSON.stringify(body) }),
        });
        return { status: response.status, text: await response.text() };
      },
      async watch(work) {
        await watcher.call("begin", { url: server.httpUrl, pid: server.pid });
        let result: Awaited<ReturnType<typeof work>>;
        let watched: Watched;
        try {
          result = await work();
        } finally {
          watched = await watcher.call("end", undefined as never);
        }
        return { result, watched };
      },
      [Symbol.asyncDispose]: () => cleanUp.disposeAsync(),
    };
  } catch (error) {
    await cleanUp.disposeAsync();
    throw error;
  }
}
