import type { TSchema } from "@sinclair/typebox";
import type { DocumentDecoration } from "elysia";
import { Failure, type FailureCode } from "../../util/errors.ts";
import { Problem } from "../../wire/problem.ts";
import type { Input } from "./input.ts";

/** How a route describes itself, in addition to its schemas. */
export interface Operation {
  /** Unique and stable: SDK generators name methods after it. */
  id: string;
  tag: string;
  summary: string;
  description?: string;
  /** Needs no key. The door reads this too. */
  public?: true;
  /** Its body may have up to `http.max_body_size`; all other bodies are small. */
  takesAttachments?: true;
  /** Failures beyond those of all routes of its kind. */
  failures?: FailureCode[];
  /** A success without JSON: its status and meaning, and its media type if it has a body. */
  produces?: { status: number; description: string; type?: string };
  /** Failures that are shown as pages: the meaning of each status. */
  pages?: Record<number, string>;
  /** An example of a request body. */
  example?: unknown;
}

interface Described {
  /** Who may use it: `open` to everyone, or only a `caller`; `raw` routes need a caller and read their own bodies. */
  access?: Access;
  operation?: Operation;
  /** As in `Operation`, for a route that is not in the document. */
  takesAttachments?: true;
  /** Largest body in bytes, however large `http.max_body_size` is. */
  bodyBytesMax?: number;
}

export type Access = "open" | "caller" | "raw";

/** Options for a set of routes. */
export function access(access: Access): { detail: DocumentDecoration } {
  return { detail: { access } as DocumentDecoration };
}

/** Options for a route that describe it; spread them beside its schemas. */
export function operation(operation: Operation): { detail: DocumentDecoration } {
  return { detail: { operation } as DocumentDecoration };
}

/** Options for a route that is not in the document and takes attachments, in bodies of at most `bodyBytesMax`. */
export function withAttachments(bodyBytesMax: number): { detail: DocumentDecoration } {
  return { detail: { takesAttachments: true, bodyBytesMax } as DocumentDecoration };
}

/** The parts of an Elysia route that the door, `callRoute` and the document need. */
export interface Route {
  method: string;
  path: string;
  handler(context: Record<string, unknown>): unknown;
  hooks: {
    detail?: Described;
    body?: Input<unknown>;
    query?: Input<unknown>;
    response?: Record<string, Input<unknown>>;
  };
}

type Json = Record<string, unknown>;

const parameterTexts: Record<string, string> = {
  email: "The agent's address; `@` may be written `%40`, case does not matter.",
  id: "The resource's id.",
  domain: "The domain's name.",
  index: "The attachment's place in the message, from 0.",
  address: "The mail address; `@` may be written `%40`, case does not matter.",
};

/** Builds the OpenAPI 3.1 document of all routes that describe themselves. */
export function openApiDocument(routes: readonly Route[], version: string): Json {
  const schemas: Json = {};
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    const about = route.hooks.detail?.operation;
    if (!about) continue;
    const path = route.path.replace(/:(\w+)/g, "{$1}");
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: describe(route, about, schemas) };
  }
  jsonSchema(Problem, schemas);
  const tags = [...new Set(routes.flatMap((route) => route.hooks.detail?.operation?.tag ?? []))];
  return {
    openapi: "3.1.0",
    info: {
      title: "e2a",
      version: version.replace(/\+.*/, ""),
      summary: "Email for AI agents.",
      description:
        "Every agent has an address; mail to it arrives verified and signed. Errors are problem documents " +
        "(RFC 9457): decide by `code`, do what `fix` says. A member or query parameter that no route knows is refused with 400, which names it and the nearest known one.",
    },
    servers: [{ url: "/" }],
    security: [{ key: [] }, { session: [] }],
    tags: tags.map((name) => ({ name })),
    paths,
    components: {
      securitySchemes: {
        key: { type: "http", scheme: "bearer", description: "An API key, `e2a_` and 64 hex digits." },
        session: {
          type: "apiKey",
          in: "cookie",
          name: "e2a_session",
          description: "The dashboard's session; over https its name is `__Host-e2a_session`.",
        },
      },
      schemas,
    },
  };
}

function describe(route: Route, about: Operation, schemas: Json): Json {
  const parameters = parametersOf(route, about, schemas);
  const { body } = route.hooks;
  return {
    operationId: about.id,
    tags: [about.tag],
    summary: about.summary,
    ...(about.description ? { description: about.description } : {}),
    ...(about.public ? { security: [] } : {}),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(body
      ? {
          requestBody: {
            required: !body.isOptional,
            content: {
              "application/json": {
                schema: jsonSchema(body.schema, schemas),
                ...(about.example === undefined ? {} : { example: about.example }),
              },
            },
          },
        }
      : {}),
    responses: { ...successes(route, about, schemas), ...problems(route, about), ...pagesOf(about) },
  };
}

function parametersOf(route: Route, about: Operation, schemas: Json): Json[] {
  const inPath = [...route.path.matchAll(/:(\w+)/g)].map(([, name = ""]) => ({
    name,
    in: "path",
    required: true,
    description: parameterTexts[name] ?? "",
    schema: { type: "string" },
  }));
  const query = route.hooks.query ? jsonSchema(route.hooks.query.schema, schemas) : {};
  const required = (query.required ?? []) as string[];
  const inQuery = Object.entries((query.properties ?? {}) as Record<string, Json>).map(([name, property]) => {
    const { description, ...schema } = property;
    return { name, in: "query", required: required.includes(name), ...(description ? { description } : {}), schema };
  });
  const idempotency = {
    name: "Idempotency-Key",
    in: "header",
    description: "The same request with the same key within 24 hours gets the first one's answer again.",
    schema: { type: "string", minLength: 1, maxLength: 255 },
  };
  return [...inPath, ...inQuery, ...(route.method === "POST" && !about.public ? [idempotency] : [])];
}

function successes(route: Route, about: Operation, schemas: Json): Json {
  const answers: Json = {};
  for (const [status, { schema }] of Object.entries(route.hooks.response ?? {}))
    answers[status] = {
      description: String(schema.title ?? schema.$id ?? "Done"),
      content: { "application/json": { schema: jsonSchema(schema, schemas) } },
    };
  const { produces } = about;
  if (produces)
    answers[produces.status] = {
      description: produces.description,
      ...(produces.type ? { content: { [produces.type]: {} } } : {}),
    };
  return answers;
}

function pagesOf({ pages = {} }: Operation): Json {
  return Object.fromEntries(
    Object.entries(pages).map(([status, description]) => [status, { description, content: { "text/html": {} } }]),
  );
}

/** Every failure code that some route answers with. */
export function problemCodes(routes: readonly Route[]): FailureCode[] {
  const all = routes.flatMap((route) => {
    const about = route.hooks.detail?.operation;
    return about ? failuresOf(route, about) : [];
  });
  return [...new Set<FailureCode>([...all, "method_not_allowed", "internal"])].sort(
    (a, b) => new Failure(a, "").http.status - new Failure(b, "").http.status,
  );
}

/** The failures of a route: those of its kind, and its own. */
function failuresOf(route: Route, about: Operation): FailureCode[] {
  const { body, query } = route.hooks;
  const named = route.path.includes("/:");
  return [
    ...(body || query || named || !about.public ? (["invalid_request"] as const) : []),
    ...(about.public ? [] : (["unauthenticated", "rate_limited"] as const)),
    ...(named ? (["not_found"] as const) : []),
    ...(body ? (["too_large", "unsupported_media_type", "request_timeout", "overloaded"] as const) : []),
    ...(route.method === "POST" && !about.public ? (["idempotency_key_reused"] as const) : []),
    ...(about.failures ?? []),
  ];
}

function problems(route: Route, about: Operation): Json {
  const byStatus = Map.groupBy(new Set(failuresOf(route, about)), (code) => new Failure(code, "").http.status);
  return Object.fromEntries(
    [...byStatus].map(([status, group]) => [
      status,
      {
        description: group.map((code) => `\`${code}\`: ${new Failure(code, "").http.title}.`).join(" "),
        content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
      },
    ]),
  );
}

/** Returns schemas with an `$id`, and those that they refer to, as components of the document, by name. */
export function schemaComponents(schemas: readonly TSchema[]): Json {
  const components: Json = {};
  for (const schema of schemas) jsonSchema(schema, components);
  return components;
}

/** A schema as plain JSON Schema. Schemas with an `$id` move to the components and become references. */
function jsonSchema(schema: TSchema, schemas: Json): Json {
  const { $id, ...rest } = schema;
  const plain = plainSchema(rest, schemas);
  if (!$id) return plain;
  schemas[$id] = plain;
  return { $ref: `#/components/schemas/${$id}` };
}

function plainSchema(schema: Json, schemas: Json): Json {
  const convert = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(convert);
    return typeof value === "object" && value !== null ? jsonSchema(value as TSchema, schemas) : value;
  };
  const plain = Object.fromEntries(Object.entries(schema).map(([name, value]) => [name, convert(value)]));
  return Array.isArray(plain.anyOf) ? shortUnion(plain, plain.anyOf) : plain;
}

/**
 * Shortens unions: TypeBox writes both a choice of constants and "or null" as a union; JSON Schema has shorter forms.
 */
function shortUnion({ anyOf: _, ...rest }: Json, members: Json[]): Json {
  if (members.every((member) => "const" in member))
    return { ...rest, type: "string", enum: members.map((member) => member.const) };
  const [first, second] = members;
  if (members.length === 2 && first && second?.type === "null" && typeof first.type === "string") {
    const options = first.enum ? { enum: [...(first.enum as unknown[]), null] } : {};
    return { ...first, ...rest, type: [first.type, "null"], ...options };
  }
  return { ...rest, anyOf: members };
}
