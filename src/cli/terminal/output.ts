/**
 * Output for users and programs. Text from mail is hostile and must pass `plain` before it reaches a terminal: escape
 * sequences could move the cursor, set the title or fill the clipboard, and bidirectional overrides could reverse an
 * address.
 */

import type { Attachment } from "../../mail.ts";

export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";
export type Paint = (style: Style, text: string) => string;

const sgr: Record<Style, readonly [on: number, off: number]> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
};

/** Makes a function that colours text; without `colour` it returns the text unchanged. */
export function painter(colour: boolean): Paint {
  if (!colour) return (_style, text) => text;
  return (style, text) => `\x1b[${sgr[style][0]}m${text}\x1b[${sgr[style][1]}m`;
}

// Whole control sequences (ECMA-48 8.3: CSI; OSC, DCS, APC, PM and SOS with their strings); `unsafe` removes any
// control characters left. A string ends where the next one begins, so that each character is examined once.
const controlSequence =
  /(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x90\x98\x9c-\x9f]*(?:\x07|\x1b\\|\x9c)/g;
// Control characters, bidirectional overrides and invisible characters (zero-width spaces, tags). ZWJ and ZWNJ stay:
// scripts and emoji need them.
const unsafe = /[\p{Cc}\p{Bidi_Control}\u200b\u2028\u2029\u2060-\u2064\ufeff\u{e0000}-\u{e007f}]/gu;
const unsafeExceptLayout = new RegExp(`(?![\\t\\n])${unsafe.source}`, "gu");

/** Line breaks in JSON are only layout; those in texts are escaped. */
const unsafeInJson = new RegExp(`(?!\\n)${unsafe.source}`, "gu");

/** One line of safe text: no control sequences, control characters, bidirectional overrides or invisible tags. */
export function plain(text: string): string {
  return text
    .toWellFormed()
    .replace(controlSequence, "")
    .replace(/[\t\r\n\v\f\u2028\u2029]+/g, " ")
    .replace(unsafe, "");
}

/** As `plain`, but keeps line breaks and tabs: for bodies. */
export function plainLines(text: string): string {
  return text
    .toWellFormed()
    .replace(controlSequence, "")
    .replace(/\r\n?|[\u2028\u2029]/g, "\n")
    .replace(unsafeExceptLayout, "");
}

/**
 * Writes JSON that is safe to show in a terminal: characters that JSON does not escape, but that a terminal may obey or
 * a reader cannot see, become \uXXXX.
 */
export function toJson(value: unknown, indented: boolean): string {
  return JSON.stringify(value, null, indented ? 2 : 0).replace(unsafeInJson, (char) =>
    Array.from({ length: char.length }, (_, i) => `\\u${char.charCodeAt(i).toString(16).padStart(4, "0")}`).join(""),
  );
}

/** Cuts text to `width` terminal columns, with an ellipsis; wide characters count as two. */
export function fit(text: string, width: number): string {
  if (Bun.stringWidth(text) <= width) return text;
  // Bun's own cut can be one column too wide if it falls inside a wide character.
  for (let end = width; end > 0; end--) {
    const cut = Bun.sliceAnsi(text, 0, end, "…");
    if (Bun.stringWidth(cut) <= width) return cut;
  }
  return "";
}

/** Fills text with spaces up to `width` terminal columns. */
function pad(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - Bun.stringWidth(text)));
}

export interface Column<Row> {
  title: string;
  value(row: Row): string;
  /** May be cut if the terminal is narrow. Other columns are always whole: ids, addresses to copy. */
  shrinks?: boolean;
  style?(row: Row): Style | null;
}

const gap = "  ";
/** A column is not cut below this many terminal columns; less is useless. */
const NARROWEST_COLUMN = 8;

/** Makes an aligned table with a header line, at most `width` columns wide if possible. Values are made safe. */
export function table<Row>(
  columns: Column<Row>[],
  rows: readonly Row[],
  options: { width: number; paint: Paint },
): string {
  const cells = rows.map((row) => columns.map((column) => plain(column.value(row))));
  const widths = columns.map((column, i) =>
    Math.max(Bun.stringWidth(column.title), ...cells.map((line) => Bun.stringWidth(line[i] ?? ""))),
  );
  shrink(columns, widths, options.width);
  const line = (values: readonly string[], style: (i: number) => Style | null) =>
    values
      .map((value, i) => {
        const text = fit(value, widths[i] ?? 0);
        const filled = i === values.length - 1 ? text : pad(text, widths[i] ?? 0);
        const wanted = style(i);
        return wanted ? options.paint(wanted, filled) : filled;
      })
      .join(gap)
      .trimEnd();
  const header = line(
    columns.map((column) => column.title),
    () => "dim",
  );
  return [header, ...rows.map((row, r) => line(cells[r] ?? [], (i) => columns[i]?.style?.(row) ?? null))].join("\n");
}

function shrink<Row>(columns: Column<Row>[], widths: number[], room: number): void {
  for (;;) {
    const total = widths.reduce((sum, width) => sum + width, 0) + gap.length * (widths.length - 1);
    if (total <= room) return;
    let widest = -1;
    columns.forEach((column, i) => {
      if (column.shrinks && (widths[i] ?? 0) > Math.max(NARROWEST_COLUMN, widths[widest] ?? 0)) widest = i;
    });
    if (widest < 0) return;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
}

/** Makes aligned `Name: value` lines without empty values. Values are made safe. */
export function facts(
  pairs: readonly (readonly [name: string, value: string | null | undefined])[],
  paint: Paint,
): string {
  const shown = pairs.filter((pair): pair is readonly [string, string] => Boolean(pair[1]));
  const width = Math.max(0, ...shown.map(([name]) => name.length + 1));
  return shown.map(([name, value]) => `${paint("dim", pad(`${name}:`, width))}  ${plain(value)}`).join("\n");
}

/** A URL for narrow columns, without its scheme. */
export function shortUrl(url: string): string {
  return url.replace(/^https?:\/\//, "");
}

/** The mark for a proven From domain, an unproven one, and an unchecked one. */
export function verifiedMark(verified: boolean | null | undefined): { mark: string; style: Style } {
  if (verified === true) return { mark: "✓", style: "green" };
  if (verified === false) return { mark: "✗", style: "yellow" };
  return { mark: "·", style: "dim" };
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** How long ago an RFC 3339 time was: "now", "5m", "3h", "12d", or the date after 60 days. "" if it is unreadable. */
export function age(time: string, nowMs: number): string {
  const then = Date.parse(time);
  if (Number.isNaN(then)) return "";
  const passedMs = nowMs - then;
  if (passedMs < MINUTE_MS) return "now";
  if (passedMs < HOUR_MS) return `${Math.floor(passedMs / MINUTE_MS)}m`;
  if (passedMs < 2 * DAY_MS) return `${Math.floor(passedMs / HOUR_MS)}h`;
  if (passedMs < 60 * DAY_MS) return `${Math.floor(passedMs / DAY_MS)}d`;
  return new Date(then).toISOString().slice(0, 10);
}

/** How far ahead an RFC 3339 time is: "in 5m", "in 3h", "in 7d", or "now" if it is due. "" if it is unreadable. */
export function until(time: string, nowMs: number): string {
  const aheadMs = Date.parse(time) - nowMs;
  if (Number.isNaN(aheadMs)) return "";
  if (aheadMs <= 0) return "now";
  if (aheadMs < HOUR_MS) return `in ${Math.ceil(aheadMs / MINUTE_MS)}m`;
  if (aheadMs < 2 * DAY_MS) return `in ${Math.round(aheadMs / HOUR_MS)}h`;
  return `in ${Math.round(aheadMs / DAY_MS)}d`;
}

/** A size for users: "17 B", "4.0 KB", "1.5 MB"; decimal units, as in file managers. */
export function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1_000_000) return `${(bytes / 1000).toFixed(1)} KB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

/** One line for each attachment: "[0] report.pdf (application/pdf, 12.3 KB)". */
export function attachmentLines(
  attachments: readonly (Omit<Attachment, "index"> & { index: number | string })[] | undefined,
  paint: Paint,
): string {
  const lines = (attachments ?? []).map(
    ({ index, filename, content_type, size: bytes }) =>
      `${paint("dim", `[${index}]`)} ${plain(filename)} (${plain(content_type)}, ${size(bytes)})`,
  );
  return lines.join("\n");
}
