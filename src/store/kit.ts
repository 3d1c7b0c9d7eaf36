import { bigint, boolean, customType, json, pgTable, text as pgText, timestamp } from "drizzle-orm/pg-core";
import { blob, integer, sqliteTable, text } from "drizzle-orm/sqlite-core";

/**
 * The column kit: the dozen words in which `schema.ts` declares every table once.
 * Portable rules: ids are text made by us, times are UTC milliseconds as Date,
 * JSON is only ever read whole, byte columns are Buffers.
 */
export const sqliteKit = {
  table: sqliteTable,
  text: (name: string) => text(name),
  int: (name: string) => integer(name),
  bool: (name: string) => integer(name, { mode: "boolean" }),
  time: (name: string) => integer(name, { mode: "timestamp_ms" }),
  json: <T>(name: string) => text(name, { mode: "json" }).$type<T>(),
  bytes: (name: string) => blob(name, { mode: "buffer" }),
};

export type Kit = typeof sqliteKit;

const bytea = customType<{ data: Buffer }>({ dataType: () => "bytea" });

// The verbs are typed against SQLite's builders. Both speak the same subset of the query
// builder, which the contract suite proves on a real server; hence this one cast.
export const postgresKit = {
  table: pgTable,
  text: (name: string) => pgText(name),
  int: (name: string) => bigint(name, { mode: "number" }),
  bool: (name: string) => boolean(name),
  time: (name: string) => timestamp(name, { withTimezone: true, precision: 3, mode: "date" }),
  json: <T>(name: string) => json(name).$type<T>(),
  bytes: (name: string) => bytea(name),
} as unknown as Kit;
