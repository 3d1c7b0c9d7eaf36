/** The store refuses writes while messages are being sent to the upstream: counts how many leave, and how often. */

import { errno, faultyDisk } from "../faults/faulty-disk.ts";
import { scriptedSmtp } from "../smtp/scripted-smtp.ts";
import { request } from "../support/app.ts";
import { runBinary, startBinary } from "../support/binary.ts";
import { cuttableLine } from "../support/line.ts";
import { testPostgres } from "../support/postgres.ts";
import type { Tally } from "./faults.ts";

/**
 * Accepts messages through the API. While the upstream withholds its last replies, the disk becomes read-only (SQLite)
 * or the connection to the server is cut (Postgres) for this many seconds. More than 90 outlast the leases.
 */
export async function storeAwayWhileSending(
  binary: string,
  database: "sqlite" | "postgres",
  awaySeconds: number,
): Promise<Tally> {
  await using disk = await faultyDisk();
  await using postgres = database === "postgres" ? await testPostgres() : null;
  await using line = postgres ? await cuttableLine(postgres.url) : null;
  const holding = { count: 0, release: Promise.withResolvers<void>() };
  await using smtp = await scriptedSmtp({
    async on(stage) {
      if (stage !== "message") return undefined;
      holding.count++;
      await holding.release.promise;
      return undefined;
    },
  });
  const env: Record<string, string> = {
    ...disk.env,
    E2A_DATA_DIR: disk.folder,
    E2A_SMTP_LISTEN_ADDR: "127.0.0.1:0",
    E2A_HTTP_LISTEN_ADDR: "127.0.0.1:0",
    E2A_DNS_SERVERS: "127.0.0.1:1",
    E2A_OUTBOUND_SMTP_HOST: smtp.host,
    E2A_OUTBOUND_SMTP_PORT: String(smtp.port),
    E2A_OUTBOUND_SMTP_TLS: "off",
    E2A_LOG_LEVEL: "error",
    ...(postgres && line ? { E2A_DATABASE_URL: line.urlOf(postgres.url) } : {}),
  };
  const { stdout } = await runBinary(["bootstrap", "--email", "owner@example.net"], env, binary);
  const key = stdout.match(/API key: (e2a_[0-9a-f]{64})/)?.[1] ?? "";
  await using server = await startBinary(env, binary);
  const api = (path: string, body: unknown) =>
    request(`${server.ready.http}/api/v1${path}`, key, "POST", body, { prefer: "respond-async" });
  await api("/agents", { slug: "survivor", agent_mode: "local" });
  const wanted = Array.from({ length: 6 }, (_, n) => `person-${n}@outside.example`);
  const answers = await Promise.all(wanted.map((to) => api("/send", { to: [to], subject: "Once", body: "Hello" })));
  const promised = wanted.filter((_, n) => [200, 202].includes(answers[n]?.status ?? 0));
  while (holding.count === 0) await Bun.sleep(20);

  if (line) line.cut();
  else disk.set("writeError", errno.EROFS);
  holding.release.resolve();
  await Bun.sleep(awaySeconds * 1_000);
  if (line) line.mend();
  else disk.set("writeError", 0);

  const timesOf = (address: string) => smtp.messages.filter(({ to }) => to.includes(address)).length;
  const deadline = performance.now() + 120_000;
  while (promised.some((address) => timesOf(address) === 0) && performance.now() < deadline) await Bun.sleep(100);
  // By then any message that would be sent again is due.
  await Bun.sleep(15_000);
  return {
    promised: promised.length,
    lost: promised.filter((address) => timesOf(address) === 0).length,
    doubled: wanted.filter((address) => timesOf(address) > 1).length,
  };
}
