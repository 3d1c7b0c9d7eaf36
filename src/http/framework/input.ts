/**
 * Schemas of what requests may contain. Elysia takes them as Standard Schemas (standardschema.dev), so that one answer
 * names every wrong field in a plain sentence; Elysia's own TypeBox support stops at the first one and uses TypeBox's
 * wording.
 */
import {
  FormatRegistry,
  Kind,
  type StaticDecode,
  type TObject,
  type TProperties,
  type TSchema,
  type TUnsafe,
  Type,
  TypeRegistry,
} from "@sinclair/typebox";
import { Value, type ValueError, ValueErrorType } from "@sinclair/typebox/value";
import { Failure, type FieldError } from "../../util/errors.ts";
import { Base64Bytes } from "../../util/pieces.ts";
import { shownName, unknownSentence } from "../../util/unknown-name.ts";

/** Completes "must be …" for a value that does not fit. Not part of the JSON schema. */
export const expects = Symbol("expects");
/** The smallest and the largest value of a number that `nearest` made. Not part of the JSON schema. */
const range = Symbol("range");
/** Wrong fields named in one answer, at most. */
const ERRORS_MAX = 50;
/** Errors examined for it: a field may have several, and names that are cut short may coincide. */
const ERRORS_SEEN_MAX = 4 * ERRORS_MAX;

// TypeBox knows only formats that are registered. JavaScript's own parser takes February 30th for March 2nd.
FormatRegistry.Set("date-time", (text) => {
  const [, date] = /^([1-9]\d{3}-\d\d-\d\d)T\d\d:\d\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/i.exec(text) ?? [];
  if (!date || Number.isNaN(Date.parse(text))) return false;
  const midnight = new Date(`${date}T00:00:00Z`);
  return !Number.isNaN(midnight.getTime()) && midnight.toISOString().startsWith(date);
});

// Long base64 is decoded before the body is parsed; short base64 is still text.
TypeRegistry.Set("Base64", (_, value) => typeof value === "string" || value instanceof Base64Bytes);

interface Described {
  description?: string;
  examples?: unknown[];
}

/** Text of at most `max` characters. `says` completes "must be …"; it is required with a pattern. */
export function text(options: { min?: number; max: number; pattern?: string; says?: string } & Described) {
  const { min = 0, max, pattern, says, ...rest } = options;
  const range = min > 0 ? `${min} to ${max}` : `at most ${max}`;
  return Type.String({
    ...(min > 0 ? { minLength: min } : {}),
    maxLength: max,
    ...(pattern ? { pattern } : {}),
    [expects]: says ?? `text of ${range} characters`,
    ...rest,
  });
}

export function whole(min: number, max: number, options: Described & { default?: number } = {}) {
  return Type.Integer({ minimum: min, maximum: max, [expects]: `a whole number from ${min} to ${max}`, ...options });
}

/** A whole number in a query, from `min` to `max`. A smaller or larger one counts as the nearest of these. */
export function nearest(min: number, max: number, options: Described & { default?: number } = {}) {
  return Type.Integer({ [range]: [min, max], [expects]: `a whole number from ${min} to ${max}`, ...options });
}

export function flag(options: Described & { default?: boolean } = {}) {
  return Type.Boolean({ [expects]: "true or false", ...options });
}

export function choice<const T extends string>(values: readonly T[], options: Described & { default?: T } = {}) {
  const literals = values.map((value) => Type.Literal(value));
  // TypeBox infers the members' types only from a tuple; a list has them too.
  return Type.Union(literals, { [expects]: `one of ${values.join(", ")}`, ...options }) as TSchema as TUnsafe<T>;
}

/** Bytes as base64 (RFC 4648 4). `decodeBase64` checks whether the text is base64. */
export function base64() {
  return Type.Unsafe<string | Base64Bytes>({
    [Kind]: "Base64",
    type: "string",
    contentEncoding: "base64",
    [expects]: "base64",
  });
}

/** A time with its zone (RFC 3339), decoded to a Date. */
export function time(options: Described = {}) {
  const says = "a time such as 2026-05-15T12:00:00Z (RFC 3339)";
  return Type.Transform(Type.String({ format: "date-time", [expects]: says, ...options }))
    .Decode((value) => new Date(value))
    .Encode((value) => value.toISOString());
}

export function list<T extends TSchema>(items: T, max: number, options: Described = {}) {
  return Type.Array(items, { maxItems: max, [expects]: `a list of at most ${max} entries`, ...options });
}

/** The schema that `orNull` was given. Not part of the JSON schema. */
const otherwise = Symbol("otherwise");

/** A member for which `null` is a value and does not mean "not given". Only for top-level members of a body. */
export function orNull<T extends TSchema>(schema: T) {
  return Type.Union([schema, Type.Null()], { [otherwise]: schema });
}

/** A schema in the form that Elysia takes. `schema` is for the OpenAPI document. */
export interface Input<T> {
  readonly schema: TSchema;
  /** Whether the request may omit it. */
  readonly isOptional?: boolean;
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: "e2a";
    readonly validate: (value: unknown) => { value: T };
    readonly types?: { readonly input: T; readonly output: T };
  };
}

/** The type that a handler gets for an input. */
export type Given<I> = I extends Input<infer T> ? T : never;

/** The parsed body, wrapped for its schema because Elysia takes a bare `null` or `0` for no body. */
export class JsonBody {
  constructor(readonly value: unknown) {}
}

/** Reports a wrong field in addition to those that do not fit their schema. */
export type Complain = (field: string, message: string) => void;

/**
 * Checks members together. `given` has the members that fit their own schemas; `isWrong` tells one that does not fit
 * from one that is missing.
 */
type Check<P extends TProperties> = (
  given: Partial<StaticDecode<TObject<P>>>,
  complain: Complain,
  isWrong: (name: string) => boolean,
) => void;

/**
 * A JSON object. Members that the schema does not name are refused, in nested objects too, and `null` means "not
 * given". `check` also runs if members do not fit, so that one answer names everything wrong.
 */
export function body<P extends TProperties>(
  properties: P,
  check: Check<P> = () => {},
): Input<StaticDecode<TObject<P>>> {
  const schema = closed(Type.Object(properties));
  const members = splitNulls(schema);
  return input(schema, (value) => {
    const given = value instanceof JsonBody ? value.value : undefined;
    if (typeof given === "object" && given !== null && !Array.isArray(given)) return decode(members, given, check);
    throw invalid([{ field: "body", message: "must be a JSON object" }]);
  });
}

/** A JSON object as with `body`, whose members say what to change. Failure `invalid_request` if it changes nothing. */
export function changeBody<P extends TProperties>(
  properties: P,
  check: Check<P> = () => {},
): Input<StaticDecode<TObject<P>>> {
  const whole = body(properties, check);
  const names = Object.keys(properties);
  const fix = names.length === 1 ? `Give \`${names[0]}\`.` : `Give at least one of ${names.join(", ")}.`;
  return input(whole.schema, (value) => {
    const given = whole["~standard"].validate(value).value;
    if (Object.keys(given).length > 0) return given;
    throw invalid([{ field: "body", message: "changes nothing" }], fix);
  });
}

/** A body whose errors are not reported yet. */
export interface Opened<T> {
  /** The members that fit. */
  readonly fitting: Partial<T>;
  readonly errors: readonly FieldError[];
}

/**
 * A JSON object as with `body`, but its errors wait for `complete`. For bodies with members that only the store can
 * check, so that one answer names those too.
 */
export function openBody<P extends TProperties>(
  properties: P,
  check: Check<P> = () => {},
): Input<Opened<StaticDecode<TObject<P>>>> {
  const schema = closed(Type.Object(properties));
  const members = splitNulls(schema);
  return input(schema, (value) => {
    const given = value instanceof JsonBody ? value.value : undefined;
    if (typeof given === "object" && given !== null && !Array.isArray(given)) return inspect(members, given, check);
    throw invalid([{ field: "body", message: "must be a JSON object" }]);
  });
}

/**
 * Returns the body if nothing is wrong with it. Otherwise `look` reports what else is wrong, and the Failure
 * `invalid_request` names everything. An `invalid_request` that `look` throws is included.
 */
export async function complete<T>(
  { fitting, errors }: Opened<T>,
  look: (fitting: Partial<T>, complain: Complain) => Promise<unknown>,
): Promise<T> {
  if (errors.length === 0) return fitting as T;
  const all = new Map(errors.map((error) => [error.field, error]));
  const complain: Complain = (field, message) => {
    if (!all.has(field) && all.size < ERRORS_MAX) all.set(field, { field, message });
  };
  try {
    await look(fitting, complain);
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== "invalid_request") throw error;
    for (const { field, message } of error.details.errors ?? []) complain(field, message);
  }
  throw invalid([...all.values()]);
}

/** A JSON object as with `body`; a missing body counts as an empty object. */
export function optionalBody<P extends TProperties>(
  properties: P,
  check: Check<P> = () => {},
): Input<StaticDecode<TObject<P>>> {
  const whole = body(properties, check);
  const { validate } = whole["~standard"];
  const read = (value: unknown) => validate(value ?? new JsonBody({})).value;
  return { ...input(whole.schema, read), isOptional: true };
}

/**
 * Query parameters. Each may be given once; an empty one counts as not given. Parameters that the schema does not name
 * are refused, unless `others` are ignored: mail programs and other sites add their own to URLs that users open.
 */
export function query<P extends TProperties>(
  properties: P,
  { others = "refused" }: { others?: "refused" | "ignored" } = {},
): Input<StaticDecode<TObject<P>>> {
  const schema = Type.Object(properties);
  const members = splitNulls(schema);
  return input(schema, (value) => {
    if (others === "refused") refuseUnknown(Object.keys(value as object), Object.keys(properties));
    const given: Record<string, unknown> = {};
    for (const [name, property] of Object.entries(properties)) {
      const raw = (value as Record<string, string | string[]>)[name];
      if (raw !== undefined && raw !== "") given[name] = typeof raw === "string" ? fromQuery(property, raw) : raw;
    }
    return decode(members, given);
  });
}

/** Throws Failure `invalid_request`, which names the query parameters that are not among `known`. */
export function refuseUnknown(names: readonly string[], known: readonly string[]): void {
  const errors = unknownMembers(names, known);
  if (errors.length > 0) throw invalid(errors);
}

/** A success answer, typed and documented. It is neither checked nor altered at run time; the tests check it. */
export function answer<T extends TSchema>(schema: T): Input<T["static"]> {
  return input(schema, (value) => value as T["static"]);
}

function input<T>(schema: TSchema, validate: (value: unknown) => T): Input<T> {
  return {
    schema,
    "~standard": { version: 1, vendor: "e2a", validate: (value) => ({ value: validate(value) }) },
  };
}

/** A query parameter as the type of its schema. Text of another form stays text, which the schema then refuses. */
function fromQuery(schema: TSchema, raw: string): unknown {
  const [min, max] = (schema as { [range]?: [number, number] })[range] ?? [];
  if (min !== undefined && max !== undefined && /^-?\d+$/.test(raw)) return Math.min(max, Math.max(min, Number(raw)));
  if (schema.type === "integer" && /^\d{1,15}$/.test(raw)) return Number(raw);
  if (schema.type === "boolean" && (raw === "true" || raw === "false")) return raw === "true";
  return raw;
}

/** Splits a schema into one for the values other than null, and the names of the members for which null is a value. */
function splitNulls<P extends TProperties>(schema: TObject<P>): { schema: TObject<P>; nullable: Set<string> } {
  const nullable = new Set<string>();
  const properties = Object.entries<TSchema>(schema.properties).map(([name, property]) => {
    const other = (property as { [otherwise]?: TSchema })[otherwise];
    if (other) nullable.add(name);
    return [name, other ? Type.Optional(other) : property];
  });
  if (nullable.size === 0) return { schema, nullable };
  return { schema: closed(Type.Object(Object.fromEntries(properties))) as unknown as TObject<P>, nullable };
}

/** The schema with every object in it closed: an object takes only the members that it names. */
function closed<T extends TSchema>(schema: T): T {
  if (schema.type === "array" && schema.items) return { ...schema, items: closed(schema.items) };
  if (schema.type !== "object" || !schema.properties) return schema;
  const properties = Object.entries<TSchema>(schema.properties).map(([name, property]) => {
    const other = (property as { [otherwise]?: TSchema })[otherwise];
    return [name, other ? Type.Optional(orNull(closed(other))) : closed(property)];
  });
  return { additionalProperties: false, ...schema, properties: Object.fromEntries(properties) };
}

/** An error for each name that is not among `known`. */
function unknownMembers(names: readonly string[], known: readonly string[]): FieldError[] {
  const errors: FieldError[] = [];
  for (const name of names) {
    if (errors.length >= ERRORS_MAX) break;
    if (!known.includes(name)) errors.push({ field: shownName(name), message: unknownSentence(name, known) });
  }
  return errors;
}

function decode<P extends TProperties>(
  members: ReturnType<typeof splitNulls<P>>,
  given: object,
  check: Check<P> = () => {},
): StaticDecode<TObject<P>> {
  const { fitting, errors } = inspect(members, given, check);
  if (errors.length > 0) throw invalid([...errors]);
  return fitting as StaticDecode<TObject<P>>;
}

function inspect<P extends TProperties>(
  { schema, nullable }: ReturnType<typeof splitNulls<P>>,
  given: object,
  check: Check<P>,
): Opened<StaticDecode<TObject<P>>> {
  const known: Record<string, unknown> = {};
  const nulls: Record<string, null> = {};
  for (const name of Object.keys(schema.properties)) {
    const value = Object.hasOwn(given, name) ? (given as Record<string, unknown>)[name] : undefined;
    if (value !== undefined && value !== null) known[name] = value;
    else if (value === null && nullable.has(name)) nulls[name] = null;
  }
  // Unknown names come first: a missing member was probably given under the wrong name.
  const unknown = unknownMembers(Object.keys(given), Object.keys(schema.properties));
  const errors = new Map(unknown.map((error) => [error.field, error]));
  const complain = (field: string, message: string) => {
    if (!errors.has(field) && errors.size < ERRORS_MAX) errors.set(field, { field, message });
  };
  let seen = 0;
  for (const error of Value.Errors(schema, known)) {
    const field = shownPath(error);
    if (!errors.has(field)) complain(field, sentence(error));
    if (errors.size >= ERRORS_MAX || ++seen >= ERRORS_SEEN_MAX) break;
  }
  // Also those that are not named, because the answer is full.
  const unfit = new Set(
    Object.entries(known).flatMap(([name, value]) =>
      Value.Check(schema.properties[name] as TSchema, value) ? [] : [name],
    ),
  );
  const isWrong = (name: string) => unfit.has(name) || [...errors.keys()].some((field) => field.split(".")[0] === name);
  // After `Clean` has removed unknown members, a value that fits its schema is at most as deep as the schema. Only such
  // a value is safe to walk.
  for (const [name, value] of Object.entries(known))
    if (!isWrong(name)) badText(Value.Clean(schema.properties[name] as TSchema, value), name, complain);
  const decoded = Object.entries(known)
    .filter(([name]) => !isWrong(name))
    .map(([name, value]) => [name, Value.Decode(schema.properties[name] as TSchema, value)]);
  const result = { ...nulls, ...Object.fromEntries(decoded) } as StaticDecode<TObject<P>>;
  check(result, complain, isWrong);
  return { fitting: result, errors: [...errors.values()] };
}

function sentence(error: ValueError): string {
  if (error.type === ValueErrorType.ObjectRequiredProperty) return "is required";
  if (error.type === ValueErrorType.ObjectAdditionalProperties)
    return unknownSentence(lastOf(error.path), Object.keys(error.schema.properties));
  const says = (error.schema as { [expects]?: string })[expects];
  return says ? `must be ${says}` : "is not valid";
}

/** The path of the wrong field, with names that the client chose cut short. */
function shownPath({ type, path }: ValueError): string {
  if (type !== ValueErrorType.ObjectAdditionalProperties) return fieldOf(path);
  const name = shownName(lastOf(path));
  return `${fieldOf(path.slice(0, path.lastIndexOf("/")))}.${name}`;
}

/** The last name in a JSON pointer (RFC 6901 4). */
function lastOf(pointer: string): string {
  return pointer
    .slice(pointer.lastIndexOf("/") + 1)
    .replaceAll("~1", "/")
    .replaceAll("~0", "~");
}

/** JSON pointer → dotted path: `/attachments/0/filename` → `attachments.0.filename`. */
function fieldOf(pointer: string): string {
  return pointer.slice(1).replaceAll("/", ".").replaceAll("~1", "/").replaceAll("~0", "~");
}

/** Reports texts that not every database stores faithfully: with NUL, which Postgres refuses, or a lone surrogate. */
function badText(value: unknown, field: string, complain: Complain): void {
  if (typeof value === "string") {
    if (value.includes("\0")) complain(field, "must not contain the NUL character");
    else if (!value.isWellFormed()) complain(field, "must be well-formed Unicode (it has a lone surrogate)");
  } else if (typeof value === "object" && value !== null && !(value instanceof Base64Bytes)) {
    for (const [key, inner] of Object.entries(value)) badText(inner, `${field}.${key}`, complain);
  }
}

/** The failure that names wrong fields; its detail lists them in one line. */
export function invalid(errors: FieldError[], fix?: string): Failure {
  const parts = errors.map(({ field, message }) => `${field} ${message}`.trim().replace(/\.$/, ""));
  // A question already ends with its mark.
  const detail = parts.map((part, i) => part + (part.endsWith("?") ? "" : i < parts.length - 1 ? ";" : ".")).join(" ");
  return new Failure("invalid_request", detail, { errors, ...(fix ? { fix } : {}) });
}
