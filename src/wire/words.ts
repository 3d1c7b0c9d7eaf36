/**
 * The building blocks of this folder's schemas. The folder declares each resource, event and frame once: the API, the
 * OpenAPI document, the event log, the clients and both SDKs take their shapes from here. Names and shapes are a promise:
 * add, never change.
 */
import { type Static, type TObject, type TSchema, Type } from "@sinclair/typebox";

export const time = (description?: string) =>
  Type.String({ format: "date-time", ...(description ? { description } : {}) });
export const nullable = <T extends TSchema>(schema: T, description?: string) =>
  Type.Union([schema, Type.Null()], description ? { description } : {});
export const oneOf = <const T extends string[]>(...values: T) =>
  Type.Unsafe<T[number]>({ type: "string", enum: values as string[] });
export const addresses = Type.Array(Type.String());
/** Leaves an undefined member out: TypeBox's optional members are absent from the JSON rather than null. */
export const optional = <K extends string, V>(key: K, value: V | undefined) =>
  (value === undefined ? {} : { [key]: value }) as { [P in K]?: V };

/** `{<name>: […], next_token?}` */
export function page<N extends string, T extends TSchema>(name: N, items: T) {
  return Type.Object({
    ...({ [name]: Type.Array(items) } as { [P in N]: ReturnType<typeof Type.Array<T>> }),
    next_token: Type.Optional(
      Type.String({ description: "Pass it as `token` for the next page; absent on the last." }),
    ),
  });
}

/** The members of `values` that the schema names, in the schema's order, without undefined ones. */
export function pick<S extends TObject>(schema: S, values: Static<S>): Static<S> {
  const all = values as Record<string, unknown>;
  const names = Object.keys(schema.properties).filter((name) => all[name] !== undefined);
  return Object.fromEntries(names.map((name) => [name, all[name]])) as Static<S>;
}
