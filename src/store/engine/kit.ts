import { bigint, boolean, json, pgTable, customType as pgType, timestamp } from "drizzle-orm/pg-core";
import { blob, integer, sqliteTable, text as sqliteText, customType as sqliteType } from "drizzle-orm/sqlite-core";

/** Makes a value storable in both databases: Postgres takes no NUL in text, and received mail may contain one. */
export function storable<T>(value: T): T {
  return typeof value === "string" ? (value.replaceAll("\0", "\ufffd") as T) : value;
}

const text = { dataType: () => "text", toDriver: storable };
const textOfSqlite = sqliteType<{ data: string; driverData: string }>(text);
const textOfPostgres = pgType<{ data: string; driverData: string }>(text);
const bytea = pgType<{ data: Buffer }>({ dataType: () => "bytea" });

/**
 * The column kit: the column types in which `schema.ts` declares every table once. Portable rules: ids are text that
 * e2a makes, times are UTC milliseconds as Date, JSON is only read whole, byte columns are Buffers.
 */
export const sqliteKit = {
  table: sqliteTable,
  text: (name: string) => textOfSqlite(name),
  int: (name: string) => integer(name),
  bool: (name: string) => integer(name, { mode: "boolean" }),
  time: (name: string) => integer(name, { mode: "timestamp_ms" }),
  json: <T>(name: string) => sqliteText(name, { mode: "json" }).$type<T>(),
  bytes: (name: string) => blob(name, { mode: "buffer" }),
};

export type Kit = typeof sqliteKit;

// The verbs are typed against SQLite's builders. Both dialects share the subset of the query builder in use, as the
// contract suite proves on a real server; hence this one cast.
export const postgresKit = {
  table: pgTable,
  text: (name: string) => textOfPostgres(name),
  int: (name: string) => bigint(name, { mode: "number" }),
  bool: (name: string) => boolean(name),
  time: (name: string) => timestamp(name, { withTimezone: true, precision: 3, mode: "date" }),
  json: <T>(name: string) => json(name).$type<T>(),
  bytes: (name: string) => bytea(name),
} as unknown as Kit;
