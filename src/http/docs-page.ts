import { createHash } from "node:crypto";
import { Failure, type FailureCode } from "../errors.ts";
import { html, raw, type SafeHtml } from "../html.ts";

interface Operation {
  operationId: string;
  summary: string;
  description?: string;
  tags: string[];
  security?: unknown[];
  parameters?: { name: string; in: string; required?: boolean; description?: string; schema: Schema }[];
  requestBody?: { content: Record<string, { schema: Schema; example?: unknown }> };
  responses: Record<string, { description: string; content?: Record<string, { schema?: Schema }> }>;
}

interface Schema {
  $ref?: string;
  type?: string | string[];
  enum?: unknown[];
  format?: string;
  items?: Schema;
  anyOf?: Schema[];
  description?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  minimum?: number;
  maximum?: number;
}

interface Document {
  info: { title: string; version: string; description: string };
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
}

const style = `
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 20%, transparent); }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
h2 { margin-top: 3rem; border-bottom: 1px solid var(--line); }
h3 { margin-top: 2rem; }
code, pre { font: 14px/1.4 ui-monospace, monospace; }
pre { overflow: auto; padding: .75rem; border: 1px solid var(--line); border-radius: 4px; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--line); }
nav a { margin-right: 1rem; white-space: nowrap; }
.method { font-weight: bold; }
`;

/** The policy that goes out with the page: its own style and nothing else, from nowhere. */
export const docsPolicy = `default-src 'none'; style-src 'sha256-${createHash("sha256").update(style).digest("base64")}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/** The reference as one page, made from the OpenAPI document. */
export function docsPage(json: Record<string, unknown>, codes: readonly FailureCode[]): string {
  const document = json as unknown as Document;
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  );
  const byTag = Map.groupBy(operations, ({ operation }) => operation.tags[0] ?? "");
  return html`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${document.info.title} API</title>
<style>${raw(style)}</style>
<h1>${document.info.title} API <small>${document.info.version}</small></h1>
<p>${marked(document.info.description)}</p>
<p>Authenticate with <code>Authorization: Bearer e2a_…</code>. The same as a file: <a href="/api/v1/openapi.json">openapi.json</a>.</p>
<nav>${[...byTag.keys()].map((tag) => html`<a href="#${tag}">${tag}</a> `)}<a href="#schemas">schemas</a> <a href="#errors">errors</a></nav>
${[...byTag].map(
  ([tag, group]) => html`<h2 id="${tag}">${tag}</h2>
${group.map(({ method, path, operation }) => operationSection(method, path, operation))}`,
)}
<h2 id="schemas">schemas</h2>
${Object.entries(document.components.schemas).map(
  ([name, schema]) => html`<h3 id="schema-${name}">${name}</h3>${membersTable(schema)}`,
)}
<h2 id="errors">errors</h2>
<table><tr><th>code<th>status<th>meaning${codes.map((code) => {
    const { status, title } = new Failure(code, "").http;
    return html`<tr id="${code}"><td><code>${code}</code><td>${String(status)}<td>${title}`;
  })}</table>
</html>
`.text;
}

function operationSection(method: string, path: string, operation: Operation): SafeHtml {
  const request = operation.requestBody?.content["application/json"];
  return html`<h3 id="${operation.operationId}">${operation.summary}</h3>
<p><code><span class="method">${method}</span> ${path}</code>${operation.security?.length === 0 ? " · public" : ""}</p>
${operation.description ? html`<p>${marked(operation.description)}</p>` : ""}
${
  operation.parameters
    ? html`<table><tr><th>parameter<th>in<th>type<th>${operation.parameters.map(
        (p) =>
          html`<tr><td><code>${p.name}</code>${p.required ? "" : " (optional)"}<td>${p.in}<td>${typeOf(p.schema)}<td>${marked(p.description ?? "")}`,
      )}</table>`
    : ""
}
${request ? html`<h4>Body</h4>${membersTable(request.schema)}` : ""}
${request?.example === undefined ? "" : html`<pre>${JSON.stringify(request.example, null, 2)}</pre>`}
<h4>Answers</h4>
<table>${Object.entries(operation.responses).map(([status, response]) => {
    const schema = Object.values(response.content ?? {})[0]?.schema;
    return html`<tr><td><code>${status}</code><td>${marked(response.description)}<td>${schema && Number(status) < 400 ? typeOf(schema) : ""}`;
  })}</table>
`;
}

function membersTable(schema: Schema): SafeHtml {
  if (!schema.properties) return html`<p>${typeOf(schema)}</p>`;
  return html`<table><tr><th>member<th>type<th>${Object.entries(schema.properties).map(
    ([name, member]) =>
      html`<tr><td><code>${name}</code>${schema.required?.includes(name) ? "" : " (optional)"}<td>${typeOf(member)}<td>${marked(member.description ?? "")}`,
  )}</table>`;
}

function typeOf(schema: Schema): SafeHtml {
  if (schema.$ref) {
    const name = schema.$ref.split("/").at(-1) ?? "";
    return html`<a href="#schema-${name}">${name}</a>`;
  }
  if (schema.enum) return html`${schema.enum.map((value) => JSON.stringify(value)).join(" | ")}`;
  if (schema.items) return html`list of ${typeOf(schema.items)}`;
  if (schema.anyOf) return html`${schema.anyOf.map((member, i) => html`${i > 0 ? " or " : ""}${typeOf(member)}`)}`;
  if (schema.properties)
    return html`{ ${Object.entries(schema.properties).map(([name, member], i) => html`${i > 0 ? ", " : ""}${name}: ${typeOf(member)}`)} }`;
  const range = schema.minimum === undefined ? "" : ` ${schema.minimum}…${schema.maximum}`;
  return html`${[schema.type ?? "anything"].flat().join(" or ")}${range}${schema.format ? ` (${schema.format})` : ""}`;
}

/** Text with \`code\` in it. */
function marked(text: string): SafeHtml {
  return html`${text.split("`").map((part, i) => (i % 2 === 1 ? html`<code>${part}</code>` : part))}`;
}
