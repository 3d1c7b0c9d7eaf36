/** The layout of readable reports. */
import type { CpuUse } from "./process.ts";
import type { Latency } from "./statistics.ts";

/** One row: a name, figures, and at the end the goal. */
export type Row = readonly (string | undefined)[];

/** Formats rows: the first of `columns` is left-aligned, the figures right-aligned; the goal follows. */
export function table(rows: readonly Row[], columns: number): string[] {
  const widths = Array.from({ length: columns }, (_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  return rows.map((row) =>
    [
      ...widths.map((width, i) => (i === 0 ? (row[i] ?? "").padEnd(width) : (row[i] ?? "").padStart(width))),
      row[columns] ?? "",
    ]
      .join("  ")
      .trimEnd(),
  );
}

export const whole = (value: number) => Math.round(value).toLocaleString("en");
export const percent = (value: number) => `${Math.round(value * 100)} %`;
export const cpu = ({ all, main }: CpuUse) => `${all.toFixed(2)} / ${main.toFixed(2)}`;
export const times = ({ p50, p99 }: Latency) => `${p50.toFixed(1)} / ${p99.toFixed(1)}`;
export const cores = (series: { loadCores: number; otherCores: number }) =>
  `${series.loadCores.toFixed(2)} / ${series.otherCores.toFixed(2)}`;
export const mark = (good: boolean) => (good ? "✓" : "✗");
export const below = (value: number, limit: number, unit: string) => `< ${limit} ${unit} ${mark(value < limit)}`;
export const atLeast = (value: number, limit: number) => `≥ ${percent(limit)} ${mark(value >= limit)}`;
