/** Checks answers against an OpenAPI document, as a generated client would. */

interface Schema {
  $ref?: string;
  type?: string | string[];
  enum?: unknown[];
  const?: unknown;
  format?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  anyOf?: Schema[];
  patternProperties?: Record<string, Schema>;
  additionalProperties?: unknown;
}

interface Operation {
  parameters?: { name: string; in: string }[];
  requestBody?: { content: Record<string, { schema: Schema }> };
  responses: Record<string, { content?: Record<string, { schema?: Schema }> }>;
}

export interface OpenApi {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
}

/** What is wrong with an answer, one sentence each: an unknown path, status or media type, or an invalid member. */
export function complaints(
  document: OpenApi,
  method: string,
  path: string,
  answer: { status: number; contentType: string | null; body: unknown },
): string[] {
  const [template, operation] = find(document, method, path);
  if (!operation) return [];
  const where = `${method} ${template} → ${answer.status}`;
  const response = operation.responses[answer.status];
  if (!response) return [`${where} is not documented`];
  if (!response.content) return answer.contentType === null ? [] : [`${where} has a body, but documents none`];
  const type = answer.contentType?.split(";")[0] ?? "";
  const media = response.content[type] ?? response.content["*/*"];
  if (!media) return [`${where} has type ${type}, documented are ${Object.keys(response.content).join(", ")}`];
  return media.schema ? [...misfits(document, media.schema, answer.body, where)] : [];
}

/** Query parameters, and members of a body at any depth, that an operation does not document. */
export function unknownInRequest(
  document: OpenApi,
  method: string,
  { pathname, searchParams }: URL,
  body: unknown,
): string[] {
  const [, operation] = find(document, method, pathname);
  if (!operation) return [];
  const known = (operation.parameters ?? []).filter((one) => one.in === "query").map(({ name }) => name);
  const schema = operation.requestBody?.content["application/json"]?.schema ?? { properties: {} };
  return [...[...searchParams.keys()].filter((name) => !known.includes(name)), ...unknownMembers(schema, body)];
}

function unknownMembers(schema: Schema, value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap((one) => unknownMembers(schema.items ?? {}, one));
  const { properties } = schema;
  if (typeof value !== "object" || value === null || !properties) return [];
  return Object.entries(value).flatMap(([name, inner]) => {
    const member = Object.hasOwn(properties, name) ? properties[name] : undefined;
    return member ? unknownMembers(member, inner).map((deeper) => `${name}.${deeper}`) : [name];
  });
}

/** The operation of a path, and the path's template in the document. */
function find(document: OpenApi, method: string, path: string): [template: string, operation: Operation | undefined] {
  const parts = path.split("/");
  const [template = ""] = Object.keys(document.paths)
    .filter((candidate) => matches(candidate.split("/"), parts))
    .sort((a, b) => a.split("{").length - b.split("{").length);
  return [template, document.paths[template]?.[method.toLowerCase()]];
}

/** Whether the parts of a path match a template's: `{name}` matches any part that is not empty. */
function matches(template: readonly string[], path: readonly string[]): boolean {
  return (
    template.length === path.length &&
    template.every((part, i) => (/^\{\w+\}$/.test(part) ? path[i] !== "" : part === path[i]))
  );
}

/** What does not conform to a standalone schema, one sentence each. */
export function schemaComplaints(schema: object, value: unknown): string[] {
  const document: OpenApi = { openapi: "3.1.0", paths: {}, components: { schemas: {} } };
  return [...misfits(document, schema as Schema, value, "value")];
}

function* misfits(document: OpenApi, schema: Schema, value: unknown, where: string): Generator<string> {
  if (schema.$ref) {
    const name = schema.$ref.split("/").at(-1) ?? "";
    yield* misfits(document, document.components.schemas[name] as Schema, value, where);
    return;
  }
  if (schema.anyOf) {
    if (!schema.anyOf.some((one) => [...misfits(document, one, value, where)].length === 0))
      yield `${where}: ${JSON.stringify(value)} is none of the choices`;
    return;
  }
  if (schema.const !== undefined && schema.const !== value) yield `${where}: is not ${schema.const}`;
  if (schema.enum && !schema.enum.includes(value)) yield `${where}: ${JSON.stringify(value)} is not in the enum`;
  const type = typeOf(value);
  const types = [schema.type ?? type].flat();
  if (!types.includes(type) && !(type === "integer" && types.includes("number"))) {
    yield `${where}: is ${type}, not ${types.join(" or ")}`;
    return;
  }
  if (schema.format === "date-time" && type === "string" && Number.isNaN(Date.parse(String(value))))
    yield `${where}: ${value} is no time`;
  if (type === "array" && schema.items)
    for (const [i, item] of (value as unknown[]).entries())
      yield* misfits(document, schema.items, item, `${where}.${i}`);
  if (type === "object") yield* misfitMembers(document, schema, value as Record<string, unknown>, where);
}

function* misfitMembers(
  document: OpenApi,
  schema: Schema,
  value: Record<string, unknown>,
  where: string,
): Generator<string> {
  for (const name of schema.required ?? []) if (!(name in value)) yield `${where}.${name} is missing`;
  for (const [name, member] of Object.entries(value)) {
    const known = schema.properties?.[name] ?? Object.values(schema.patternProperties ?? {})[0];
    if (known) yield* misfits(document, known, member, `${where}.${name}`);
    // A problem may have members that the document does not list (RFC 9457 3.2).
    else if (schema.properties && !("code" in schema.properties)) yield `${where}.${name} is not documented`;
  }
}

function typeOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  return Number.isInteger(value) ? "integer" : typeof value;
}
