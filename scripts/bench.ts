import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { benchDelivery } from "./bench/delivery.ts";
import * as delivery from "./bench/delivery-report.ts";
import { benchInbound } from "./bench/inbound.ts";
import * as inbound from "./bench/inbound-report.ts";
import { benchOutbound } from "./bench/outbound.ts";
import * as outbound from "./bench/outbound-report.ts";

/**
 * Measures the product beside a baseline, both in one run on this machine, on loopback only.
 *
 *   bun run bench inbound                  mail in, beside a bare smtp-server; about a minute and a half
 *   bun run bench outbound                 mail out, beside nodemailer's pool alone; about two minutes
 *   bun run bench delivery                 WebSockets by the thousand, and webhooks beside dead ones; about six minutes
 *     --rounds 3                           in turn; the table shows medians
 *     --messages 2500                      at full speed in each round
 *     --connections 10                     SMTP, in or out
 *     --senders 50                         outbound: agents that send at the same time
 *     --listeners 10000                    delivery: agents on a WebSocket
 *     --waiting 200000                     delivery: deliveries that wait for endpoints which do not answer
 *     --part sockets | endpoints | all     delivery
 *     --no-pipelining                      inbound: each SMTP command after the reply to the one before
 *     --database sqlite | postgres         postgres: as the tests run it, see test/support/postgres.ts
 *     --binary dist/e2a | source           default: dist/e2a if it has been built, else the source
 *     --profile <folder>                   source only: writes CPU profiles there
 *     --json                               the whole result as one JSON document
 *
 * Outbound mail goes to Postfix's smtp-sink if it is installed, else to a bare smtp-server.
 * Exits with 1 if a message was lost, duplicated, or not verified or signed.
 */
const usage =
  "Usage: bun run bench inbound|outbound|delivery [--rounds N] [--messages N] [--connections N] [--senders N] [--listeners N] [--waiting N] [--part sockets|endpoints|all] [--no-pipelining] [--database sqlite|postgres] [--binary FILE|source] [--profile FOLDER] [--json]";

const project = join(import.meta.dir, "..");

const { values, positionals } = read();
const number = (name: "rounds" | "messages" | "connections" | "senders" | "listeners" | "waiting") =>
  Number(values[name]);
const [rounds, messages, connections] = [number("rounds"), number("messages"), number("connections")];
const [senders, listeners, waiting] = [number("senders"), number("listeners"), number("waiting")];
const { database, part } = values;
const benchmark = positionals.join(" ");
if (
  (benchmark !== "inbound" && benchmark !== "outbound" && benchmark !== "delivery") ||
  ![rounds, messages, connections, senders, listeners, waiting].every((n) => Number.isSafeInteger(n) && n > 0) ||
  (database !== "sqlite" && database !== "postgres") ||
  (part !== "sockets" && part !== "endpoints" && part !== "all")
) {
  console.error(usage);
  process.exit(2);
}

// Otherwise a signal would end the process without the cleanup on `exit`.
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(130));

const progress = (text: string) => console.error(`· ${text}`);
const options = { rounds, messages, connections, database, command: command(), progress } as const;
if (benchmark === "inbound") {
  const result = await benchInbound({ ...options, pipelined: !values["no-pipelining"] });
  finish(result, inbound.inboundReport(result), inbound.isComplete(result));
} else if (benchmark === "delivery") {
  const result = await benchDelivery({ ...options, listeners, waiting, part });
  finish(result, delivery.deliveryReport(result), delivery.isComplete(result));
} else {
  const result = await benchOutbound({ ...options, senders });
  finish(result, outbound.outboundReport(result), outbound.isComplete(result));
}

function finish(result: object, report: string, isComplete: boolean): void {
  console.log(values.json ? JSON.stringify(result, null, 2) : report);
  process.exitCode = isComplete ? 0 : 1;
}

function command(): string[] {
  const built = join(project, "dist", "e2a");
  const binary = values.profile ? "source" : (values.binary ?? (existsSync(built) ? built : "source"));
  if (binary !== "source") return [resolve(binary)];
  const profile = values.profile ? ["--cpu-prof", `--cpu-prof-dir=${resolve(values.profile)}`] : [];
  return [process.execPath, ...profile, join(project, "src", "main.ts")];
}

function read() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        rounds: { type: "string", default: "3" },
        messages: { type: "string", default: "2500" },
        connections: { type: "string", default: "10" },
        senders: { type: "string", default: "50" },
        listeners: { type: "string", default: "10000" },
        waiting: { type: "string", default: "200000" },
        part: { type: "string", default: "all" },
        "no-pipelining": { type: "boolean", default: false },
        database: { type: "string", default: "sqlite" },
        binary: { type: "string" },
        profile: { type: "string" },
        json: { type: "boolean", default: false },
      },
    });
  } catch (error) {
    console.error(`${(error as Error).message}\n${usage}`);
    process.exit(2);
  }
}
