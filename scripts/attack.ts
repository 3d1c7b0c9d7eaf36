import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { attackFaults } from "./attack/faults.ts";
import { attackForgeries } from "./attack/forgeries.ts";
import { attackInputs } from "./attack/inputs.ts";
import { attackLeaks } from "./attack/leaks.ts";
import { type Findings, faultsFindings, forgeriesFindings, inputsFindings, leaksFindings } from "./attack/report.ts";
import type { AttackOptions, Database } from "./attack/world.ts";

/**
 * Attacks the compiled binary on loopback, on SQLite and on Postgres, and reports the results.
 *
 *   bun run attack                         everything
 *   bun run attack forgeries               forged identities: tried, believed
 *   bun run attack inputs                  hostile mail and requests: longest wait for /api/health, most memory
 *   bun run attack leaks                   secrets in every field of held mail: tried, let through
 *   bun run attack faults                  kill -9, EIO, ENOSPC, power cut: promised, lost, doubled
 *     --database sqlite | postgres | both  default: both
 *     --only <words>                       inputs: those whose name has these words
 *     --binary dist/e2a | source           default: dist/e2a
 *     --json                               the whole result as one JSON document
 *
 * Exits with 1 if anything was believed, let through, lost or answered wrongly. Times are printed but not judged: a
 * busy machine adds to them, and the column `machine` says how much.
 */
const usage =
  "Usage: bun run attack [forgeries|inputs|leaks|faults] [--database sqlite|postgres|both] [--only WORDS] [--binary FILE|source] [--json]";

const project = join(import.meta.dir, "..");

const attacks = ["forgeries", "inputs", "leaks", "faults"] as const;
type Attack = (typeof attacks)[number];

const { values, positionals } = read();
const wanted = positionals.length === 0 ? attacks : (positionals as Attack[]);
const databases: Database[] = values.database === "both" ? ["sqlite", "postgres"] : [values.database as Database];
if (!wanted.every((one) => attacks.includes(one)) || !["sqlite", "postgres", "both"].includes(values.database)) {
  console.error(usage);
  process.exit(2);
}
// Otherwise a signal would end the process without the cleanup on `exit`.
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(130));

const results: Record<string, unknown> = {};
for (const database of databases)
  for (const attack of wanted) {
    const result = await run(attack, { command: command(), database, progress: (text) => console.error(`· ${text}`) });
    results[`${attack} on ${database}`] = result.found;
    if (!result.isClean) process.exitCode = 1;
    if (!values.json) console.log(`${result.report}\n`);
  }
if (values.json) console.log(JSON.stringify(results, null, 2));

async function run(attack: Attack, options: AttackOptions): Promise<Findings<unknown>> {
  switch (attack) {
    case "forgeries":
      return forgeriesFindings(options.database, await attackForgeries(options));
    case "inputs":
      return inputsFindings(options.database, await attackInputs({ ...options, only: values.only }));
    case "leaks":
      return leaksFindings(options.database, await attackLeaks(options));
    case "faults":
      return faultsFindings(options.database, await attackFaults(options));
  }
}

function command(): string[] {
  if (values.binary === "source") return [process.execPath, join(project, "src", "main.ts")];
  const binary = resolve(values.binary ?? join(project, "dist", "e2a"));
  if (existsSync(binary)) return [binary];
  console.error(`There is no binary at ${binary}. Build it with: bun run build`);
  process.exit(2);
}

function read() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        database: { type: "string", default: "both" },
        only: { type: "string", default: "" },
        binary: { type: "string" },
        json: { type: "boolean", default: false },
      },
    });
  } catch (error) {
    console.error(`${(error as Error).message}\n${usage}`);
    process.exit(2);
  }
}
