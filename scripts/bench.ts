import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { benchInbound } from "./bench/inbound.ts";
import { inboundReport, isComplete } from "./bench/inbound-report.ts";

/**
 * Measures the product next to a yardstick, both in one run on this machine, on loopback only.
 *
 *   bun run bench inbound                  mail in, beside a bare smtp-server; about a minute and a half
 *     --rounds 3                           in turn; the table shows medians
 *     --messages 2500                      at full speed in each round
 *     --connections 10
 *     --no-pipelining                      each SMTP command after the reply to the one before
 *     --database sqlite | postgres         postgres: as the tests run it, see src/testing/postgres.ts
 *     --binary dist/e2a | source           default: dist/e2a when it has been built, else the source
 *     --profile <folder>                   source only: writes CPU profiles there
 *     --json                               the whole result as one JSON document
 *
 * Leaves with 1 when a message was lost, doubled or not verified.
 */
const usage =
  "Usage: bun run bench inbound [--rounds N] [--messages N] [--connections N] [--no-pipelining] [--database sqlite|postgres] [--binary FILE|source] [--profile FOLDER] [--json]";

const project = join(import.meta.dir, "..");

const { values, positionals } = read();
const numbers = [values.rounds, values.messages, values.connections].map(Number);
const [rounds = 0, messages = 0, connections = 0] = numbers;
const { database } = values;
if (
  positionals.join() !== "inbound" ||
  !numbers.every((number) => Number.isSafeInteger(number) && number > 0) ||
  (database !== "sqlite" && database !== "postgres")
) {
  console.error(usage);
  process.exit(2);
}

// Else a signal would end us without what `exit` cleans up.
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(130));

const result = await benchInbound({
  rounds,
  messages,
  connections,
  pipelined: !values["no-pipelining"],
  database,
  command: command(),
  progress: (text) => console.error(`· ${text}`),
});
console.log(values.json ? JSON.stringify(result, null, 2) : inboundReport(result));
process.exitCode = isComplete(result) ? 0 : 1;

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
