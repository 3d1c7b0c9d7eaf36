/** The findings as readable tables. */
import { table, whole } from "../bench/table.ts";
import type { FaultRow } from "./faults.ts";
import type { ForgeriesResult } from "./forgeries.ts";
import type { InputRow } from "./inputs.ts";
import type { LeaksResult } from "./leaks.ts";

export interface Findings<T> {
  found: T;
  /** Readable text. */
  report: string;
  /** Whether every attack failed. */
  isClean: boolean;
}

/** The goal for the longest wait of `/api/health` while the server processes a hostile input. */
const HEALTH_MS_AIM = 100;
/** The table of inputs shows this many rows, the slowest ones. */
const INPUT_ROWS_MAX = 25;

export function forgeriesFindings(database: string, found: ForgeriesResult): Findings<ForgeriesResult> {
  const { tried, refused, believed, honest, disbelieved } = found;
  const lines = [
    `Forged identities on ${database}: ${tried} tried, ${refused} refused, ${believed.length} believed`,
    ...believed.map((name) => `  believed: ${name}`),
    `  honest mail: ${honest} tried, ${honest - disbelieved.length} believed`,
    ...disbelieved.map((name) => `  not believed: ${name}`),
  ];
  return { found, report: lines.join("\n"), isClean: believed.length + disbelieved.length === 0 };
}

export function leaksFindings(database: string, found: LeaksResult): Findings<LeaksResult> {
  const { tried, leaked, heldInVain } = found;
  const lines = [
    `Secrets in mail out on ${database}: ${tried} channels tried, ${leaked.length} let one through, ${heldInVain.length} held an ordinary word`,
    ...leaked.map((channel) => `  let through: ${channel}`),
    ...heldInVain.map((channel) => `  held in vain: ${channel}`),
  ];
  return { found, report: lines.join("\n"), isClean: leaked.length + heldInVain.length === 0 };
}

/** The slowest inputs first, and the sums over all of them. */
export function inputsFindings(database: string, found: InputRow[]): Findings<InputRow[]> {
  const slowest = found.toSorted((a, b) => b.healthMs - a.healthMs);
  const wrong = found.filter((row) => !row.isRight);
  const most = (of: (row: InputRow) => number) => whole(Math.max(0, ...found.map(of)));
  const shown = [...new Set([...slowest.slice(0, INPUT_ROWS_MAX), ...wrong])];
  const lines = table(
    [
      ["input", "seconds", "health ms", "machine ms", "peak MB", "answers"],
      ...shown.map((row) => [
        row.name,
        row.seconds.toFixed(1),
        whole(row.healthMs),
        whole(row.controlMs),
        whole(row.peakMB),
        `${row.answers}${row.isRight ? "" : " ✗"}`,
      ]),
    ],
    5,
  );
  const report = [
    `Hostile inputs on ${database}: ${found.length} tried, ${wrong.length} answered wrongly`,
    `  longest wait for /api/health ${most((row) => row.healthMs)} ms (aim: below ${HEALTH_MS_AIM}), most memory ${most((row) => row.peakMB)} MB`,
    ...lines.map((line) => `  ${line}`),
  ].join("\n");
  return { found, report, isClean: wrong.length === 0 };
}

export function faultsFindings(database: string, found: FaultRow[]): Findings<FaultRow[]> {
  const lines = table(
    [
      ["fault", "promised", "lost", "doubled", ""],
      ...found.map((row) => [row.name, whole(row.promised), whole(row.lost), whole(row.doubled), row.error ?? ""]),
    ],
    4,
  );
  const report = [`Faults under ${database}:`, ...lines.map((line) => `  ${line}`)].join("\n");
  return { found, report, isClean: found.every((row) => row.lost + row.doubled === 0 && row.error === undefined) };
}
