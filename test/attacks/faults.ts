/**
 * Injects faults under the compiled binary, and compares what it promised with what it kept. Each function runs one
 * scenario and counts messages. A promise is a 250 reply, or a 2xx of the API.
 */

import { type FaultyDisk, faultyDisk } from "../faults/faulty-disk.ts";
import { SmtpClient } from "../smtp/smtp-client.ts";
import { request } from "../support/app.ts";
import { runBinary, type ServeProcess, startBinary } from "../support/binary.ts";

const SENDERS = 4;

export interface Tally {
  /** Messages that were acknowledged. */
  promised: number;
  /** Acknowledged messages that are gone. */
  lost: number;
  /** Messages that were stored or sent more than once. */
  doubled: number;
}

/** A server on a faulty disk, with an agent and senders that never retry a message. */
export interface Victim extends AsyncDisposable {
  readonly disk: FaultyDisk;
  readonly promised: Set<string>;
  /** Refusals, by code. */
  readonly refused: Map<number, number>;
  /** Sends until `enough` returns true; each message once, whatever the reply. */
  send(enough: () => boolean): Promise<void>;
  api(method: string, path: string, body?: unknown): Promise<{ status: number; body: unknown }>;
  /** Why the server is not ready; empty if it is. */
  reasons(): Promise<string[]>;
  /** Waits until the server is ready, or (`false`) not ready. */
  untilReady(ready: boolean): Promise<void>;
  kill(): Promise<void>;
  start(): Promise<void>;
  /** Cuts the power, restarts the server and counts. */
  afterPowerCut(): Promise<Tally>;
  count(): Promise<Tally>;
}

/** Starts the binary on its own faulty disk. */
export async function victimOf(binary: string): Promise<Victim> {
  const disk = await faultyDisk();
  const env: Record<string, string> = {
    ...disk.env,
    E2A_DATA_DIR: disk.folder,
    E2A_SMTP_LISTEN_ADDR: "127.0.0.1:0",
    E2A_HTTP_LISTEN_ADDR: "127.0.0.1:0",
    E2A_SMTP_MAX_MESSAGES_PER_MINUTE_PER_IP: "100000",
    E2A_LIMITS_API_REQUESTS_PER_MINUTE: "100000",
    // No server listens there, so every verdict is temperror at once.
    E2A_DNS_SERVERS: "127.0.0.1:1",
    E2A_LOG_LEVEL: "error",
  };
  const { stdout, stderr } = await runBinary(["bootstrap", "--email", "owner@example.net"], env, binary);
  const key = stdout.match(/API key: (e2a_[0-9a-f]{64})/)?.[1];
  if (!key) throw new Error(`e2a bootstrap failed:\n${stderr}`);
  let server: ServeProcess = await startBinary(env, binary);
  const promised = new Set<string>();
  const refused = new Map<number, number>();
  let offered = 0;

  const api = (method: string, path: string, body?: unknown) =>
    request(`${server.ready.http}/api${path}`, key, method, body);
  const made = await api("POST", "/v1/agents", { slug: "survivor", agent_mode: "local" });
  if (made.status !== 201) throw new Error(`The agent was not made: ${JSON.stringify(made.body)}`);

  async function sender(enough: () => boolean): Promise<void> {
    let client: SmtpClient | null = null;
    while (!enough()) {
      const subject = `message ${offered++}`;
      try {
        if (!client) {
          client = await SmtpClient.connect(server.smtpPort);
          await client.expect("220");
          await client.command("EHLO sender.example");
        }
        const say = async (command: string) => {
          const { code } = await (client as SmtpClient).command(command);
          if (code !== 250) throw new Refused(code);
        };
        await say("MAIL FROM:<sender@sender.example>");
        await say("RCPT TO:<survivor@e2a.localhost>");
        const reply = await client.data(`From: a@sender.example\r\nSubject: ${subject}\r\n\r\nHello\r\n`);
        if (reply.code !== 250) throw new Refused(reply.code);
        promised.add(subject);
      } catch (error) {
        const code = error instanceof Refused ? error.code : 0;
        refused.set(code, (refused.get(code) ?? 0) + 1);
        client?.destroy();
        client = null;
        // Do not flood a server that refuses.
        await Bun.sleep(20);
      }
    }
    client?.destroy();
  }

  const it: Victim = {
    disk,
    promised,
    refused,
    async send(enough) {
      await Promise.all(Array.from({ length: SENDERS }, () => sender(enough)));
    },
    api,
    async reasons() {
      const response = await fetch(`${server.ready.http}/api/ready`);
      const body = (await response.json()) as { reasons?: string[] };
      return response.status === 200 ? [] : (body.reasons ?? ["It says no reason."]);
    },
    async untilReady(ready) {
      while (((await it.reasons()).length === 0) !== ready) await Bun.sleep(50);
    },
    kill: () => server.kill(),
    async start() {
      server = await startBinary(env, binary);
    },
    async afterPowerCut() {
      await server.kill();
      disk.cutPower();
      await it.start();
      return it.count();
    },
    async count() {
      const found = new Map<string, number>();
      for (let token = ""; ; ) {
        const path = `/v1/agents/survivor@e2a.localhost/messages?page_size=100${token && `&token=${token}`}`;
        const { status, body: page } = await request(`${server.ready.http}/api${path}`, key, "GET");
        if (status !== 200) throw new Error(`The messages cannot be read: ${JSON.stringify(page)}`);
        for (const { subject } of page.messages) found.set(subject, (found.get(subject) ?? 0) + 1);
        token = page.next_token ?? "";
        if (token === "") break;
      }
      return {
        promised: promised.size,
        lost: [...promised].filter((subject) => !found.has(subject)).length,
        doubled: [...found.values()].filter((times) => times > 1).length,
      };
    },
    async [Symbol.asyncDispose]() {
      await server.kill();
      await disk[Symbol.asyncDispose]();
    },
  };
  return it;
}

class Refused extends Error {
  constructor(readonly code: number) {
    super(`refused with ${code}`);
  }
}

/** Makes one sync of the log, or of the database in a checkpoint, fail with EIO; then cuts the power. */
export async function syncFailsThenPowerCut(binary: string, which: "log" | "database"): Promise<Tally> {
  await using victim = await victimOf(binary);
  const { disk, promised } = victim;
  const before = promised.size + 20;
  await victim.send(() => promised.size >= before);
  disk.set(which === "log" ? "failLogSync" : "failDatabaseSync", 1);
  await victim.send(() => disk.get("failures") > 0);
  await victim.untilReady(true);
  const after = promised.size + 20;
  await victim.send(() => promised.size >= after);
  return await victim.afterPowerCut();
}

/** Fails writes for a while (ENOSPC, EROFS), then cuts the power. Throws unless the server notices and recovers. */
export async function writesFailForAWhile(binary: string, error: number): Promise<Tally & { reasons: string[] }> {
  await using victim = await victimOf(binary);
  const { disk, promised, refused } = victim;
  await victim.send(() => promised.size >= 20);
  disk.set("writeError", error);
  await victim.send(() => (refused.get(451) ?? 0) >= 8);
  const reasons = await victim.reasons();
  const { status } = await victim.api("POST", "/v1/agents", { slug: "late", agent_mode: "local" });
  if (status !== 503) throw new Error(`POST /agents was answered with ${status} on a disk that takes no writes.`);
  disk.set("writeError", 0);
  await victim.untilReady(true);
  const after = promised.size + 20;
  await victim.send(() => promised.size >= after);
  return { ...(await victim.afterPowerCut()), reasons };
}

/** Kills the process, or cuts the power, at random moments. Some pages reach the disk without a sync. */
export async function killedAtRandom(binary: string, how: "kill -9" | "power cut", rounds: number): Promise<Tally> {
  await using victim = await victimOf(binary);
  const { disk, promised } = victim;
  let tally: Tally = { promised: 0, lost: 0, doubled: 0 };
  for (let round = 0; round < rounds; round++) {
    disk.set("leakPercent", 20 * round);
    const enough = promised.size + 10 + Math.floor(Math.random() * 40);
    let dead = false;
    const sending = victim.send(() => dead);
    while (promised.size < enough) await Bun.sleep(1);
    await victim.kill();
    dead = true;
    await sending;
    if (how === "power cut") disk.cutPower();
    await victim.start();
    tally = await victim.count();
    if (tally.lost > 0 || tally.doubled > 0) break;
  }
  return tally;
}
