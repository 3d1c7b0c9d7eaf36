/**
 * Structured log: one line per event, `LEVEL event key=value …` in a terminal, JSON in a pipe.
 * Fields are ids, counts and durations; never bodies, secrets, tokens or whole headers.
 */
export type LogLevel = "debug" | "info" | "warn" | "error";
/** A field cannot have the name of a member that each line has. */
export type LogFields = Record<string, string | number | boolean | null | undefined> & {
  time?: undefined;
  level?: undefined;
  event?: undefined;
};

export interface Log {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields, error?: unknown): void;
  error(event: string, fields?: LogFields, error?: unknown): void;
}

const rank: Record<LogLevel, number> = { debug: 10, info: 20, warn: 30, error: 40 };
const colour: Record<LogLevel, string> = { debug: "\x1b[2m", info: "\x1b[36m", warn: "\x1b[33m", error: "\x1b[31m" };

export interface LogOptions {
  level: LogLevel;
  format: "auto" | "human" | "json";
  /** Where lines go. Default: standard error, so that standard output stays clean for data. */
  stream?: { write(line: string): unknown; isTTY?: boolean };
}

/** A log that writes to `stream`; `auto` picks human lines for a terminal and JSON otherwise. */
export function createLog(options: LogOptions): Log {
  const stream = options.stream ?? process.stderr;
  const human = options.format === "human" || (options.format === "auto" && stream.isTTY === true);
  const write = (level: LogLevel, event: string, fields: LogFields = {}, error?: unknown) => {
    if (rank[level] < rank[options.level]) return;
    const all = error === undefined ? fields : { ...fields, error: describe(error) };
    stream.write(human ? humanLine(level, event, all) : jsonLine(level, event, all));
  };
  return {
    debug: (event, fields) => write("debug", event, fields),
    info: (event, fields) => write("info", event, fields),
    warn: (event, fields, error) => write("warn", event, fields, error),
    error: (event, fields, error) => write("error", event, fields, error),
  };
}

/** A log that drops everything. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

function jsonLine(level: LogLevel, event: string, fields: LogFields): string {
  return `${JSON.stringify({ time: new Date().toISOString(), level, event, ...fields })}\n`;
}

function humanLine(level: LogLevel, event: string, fields: LogFields): string {
  const time = new Date().toISOString().slice(11, 19);
  const pairs = Object.entries(fields)
    .filter(([, value]) => value !== undefined && value !== null && value !== "")
    .map(([key, value]) => ` \x1b[2m${key}=\x1b[0m${/[\s"]/.test(String(value)) ? JSON.stringify(value) : value}`);
  return `\x1b[2m${time}\x1b[0m ${colour[level]}${level.padEnd(5)}\x1b[0m ${event}${pairs.join("")}\n`;
}

/** The error and up to four of its causes on one line. */
function describe(error: unknown): string {
  const parts: string[] = [];
  for (let e: unknown = error; e !== undefined && e !== null && parts.length < 5; e = (e as { cause?: unknown }).cause)
    parts.push(e instanceof Error ? `${e.name}: ${e.message}` : String(e));
  return parts.join(" ← ");
}
