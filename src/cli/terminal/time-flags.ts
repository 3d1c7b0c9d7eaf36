/** Flags that take a time: a duration from now, or a date. */
import { InvalidArgumentError, Option } from "commander";

/** A time in the past. */
export function sinceOption(description: string): Option {
  return new Option("--since <time>", `${description}: 30m, 12h, 7d, or an RFC 3339 time`).argParser((text: string) =>
    readTime(text, -1),
  );
}

/** A time in the future. */
export function expiresOption(description: string): Option {
  return new Option("--expires <time>", `${description}: 12h, 30d, or an RFC 3339 time`).argParser((text: string) =>
    readTime(text, 1),
  );
}

const unitMs: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** Reads "12h" before (-1) or after (1) now, or an RFC 3339 time or date, as RFC 3339 in UTC. */
function readTime(text: string, direction: -1 | 1): string {
  const distance = /^(\d{1,6})([smhdw])$/.exec(text);
  const atMs = distance
    ? Date.now() + direction * Number(distance[1]) * (unitMs[distance[2] ?? ""] ?? 0)
    : Date.parse(text);
  const absolute = /^\d{4}-\d{2}-\d{2}([Tt ]|$)/.test(text);
  if (Number.isNaN(atMs) || !(distance || absolute)) {
    throw new InvalidArgumentError("Give a time such as 30m, 12h, 7d or 2026-05-15T12:00:00Z.");
  }
  return new Date(atMs).toISOString();
}
