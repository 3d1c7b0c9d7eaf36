import { type Column, type DriverValueEncoder, getTableColumns, Param, Placeholder, SQL } from "drizzle-orm";
import type { SQLiteInsertBase, SQLiteTable } from "drizzle-orm/sqlite-core";
import type { Tables } from "../schema.ts";
import { type PreparableQuery, Run, type Scope, type Step } from "./engine.ts";
import { storable } from "./kit.ts";

/** A value that a statement can take. */
type Value = string | number | boolean | Date | Buffer | readonly string[] | null | undefined;

/** Distinguishes the texts of one statement that has several. Each is prepared on each connection: keep them few. */
type Form = string | boolean | Readonly<Record<string, boolean>>;

/** A parameter for each value of a statement; for a list, one for each of its members. */
export type Params<V> = {
  readonly [K in keyof V]-?: V[K] extends readonly (infer Member)[] ? Parameter<Member>[] : Parameter<V[K]>;
};

/** Runs a statement as a step of a verb: `const rows = yield* selectDomain(s, { domain })`. */
type Statement<V, R, F extends [form?: Form]> = (s: Scope, values: V, ...form: F) => Generator<Step, R, unknown>;

/** The place of a value that each run supplies. It goes wherever Drizzle takes SQL or a placeholder. */
export class Parameter<T> extends SQL<T> {
  /** Only for the type: `limit` and `offset` take a number or a `Placeholder`, and this makes it one. */
  declare protected: T;

  constructor(
    readonly name: string,
    encode: Encode,
  ) {
    super([new Param(new Placeholder(name), { mapToDriverValue: encode })]);
  }
}

/**
 * Declares a query that is built and prepared once on each connection, and later only gets its values: for the hot
 * path, where building a query costs more than running it. Its text may depend only on the form and on the length of
 * each list; each combination is prepared separately.
 *
 * @param build makes the query from the scope, the parameters and the form
 */
export function statement<V extends { [K in keyof V]: Value }, R, F extends [form?: Form] = []>(
  build: (s: Scope, p: Params<V>, ...form: F) => PreparableQuery<R>,
): Statement<V, R, F> {
  return preparedOnce(
    (values, [form]) => {
      let text = form === undefined ? "" : JSON.stringify(form);
      for (const name in values) {
        const value = values[name];
        if (Array.isArray(value)) text += ` ${name} ${value.length}`;
      }
      return text;
    },
    (s, values, ...form) => build(s, paramsFor(s.t, values), ...form),
  );
}

/** The columns of a row that have no default. */
type Row<T extends SQLiteTable> = {
  [K in keyof T["_"]["columns"] & keyof T["$inferSelect"] as T["_"]["columns"][K]["_"]["hasDefault"] extends true
    ? never
    : K]: T["$inferSelect"][K];
};

/** Declares the insert of a whole row. `extend` adds clauses after the values: `ON CONFLICT`, `RETURNING`. */
export function insertStatement<T extends SQLiteTable, R = unknown>(
  table: (t: Tables) => T,
  extend?: (insert: SQLiteInsertBase<T, "sync", void>, t: T) => PreparableQuery<R>,
): Statement<Row<T>, R, []> {
  const build = ({ db, t }: Scope) => {
    const into = table(t);
    const columns = Object.entries<Column>(getTableColumns(into)).filter(([, column]) => !column.hasDefault);
    const row = columns.map(([key, column]) => [key, new SQL([new Param(new Placeholder(key), nullable(column))])]);
    const insert = db.insert(into).values(Object.fromEntries(row)) as SQLiteInsertBase<T, "sync", void>;
    return extend ? extend(insert, into) : (insert as unknown as PreparableQuery<R>);
  };
  return preparedOnce(() => "", build);
}

/** The number of names given out. */
let named = 0;

/**
 * `textOf` tells apart the texts that `build` makes. Each has its own name in this process, by which Postgres keeps it.
 */
function preparedOnce<V extends object, R, F extends [form?: Form]>(
  textOf: (values: V, form: F) => string,
  build: (s: Scope, values: V, ...form: F) => PreparableQuery<R>,
): Statement<V, R, F> {
  const names = new Map<string, string>();
  return function* (s, values, ...form) {
    const text = textOf(values, form);
    if (!names.has(text)) names.set(text, `e2a_${++named}`);
    const name = names.get(text) as string;
    const query = s.prepared(name, () => build(s, values, ...form));
    return (yield new Run(query, values as Record<string, unknown>)) as R;
  };
}

/**
 * The parameters of a statement for such values. It does not keep the values, because the query lives as long as its
 * connection.
 */
function paramsFor<V extends object>(t: Tables, values: V): Params<V> {
  const encode = encoderFor(t);
  return new Proxy({} as Params<V>, {
    get(_, key) {
      const name = String(key);
      const value = values[name as keyof V];
      if (!Array.isArray(value)) return new Parameter(name, encode);
      return value.map((_, i) => memberOf(name, i, encode));
    },
  });
}

type Encode = (value: unknown) => unknown;

/** Encodes a time as a time column does, and text as a text column does. */
function encoderFor({ events }: Tables): Encode {
  return (value) => (value instanceof Date ? events.createdAt.mapToDriverValue(value) : storable(value));
}

function memberOf(list: string, i: number, encode: Encode): Parameter<unknown> {
  return new Parameter(list, (members) => encode((members as unknown[])[i]));
}

/** Drizzle passes a placeholder's value to its column unchecked, and columns of times or JSON do not handle null. */
function nullable(column: Column): DriverValueEncoder<unknown, unknown> {
  return { mapToDriverValue: (value) => (value === null ? null : column.mapToDriverValue(value)) };
}
