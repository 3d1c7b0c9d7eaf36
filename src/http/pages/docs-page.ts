import { Failure, type FailureCode } from "../../util/errors.ts";
import { html, type SafeHtml } from "../../util/html.ts";
import { pageShell } from "../../util/page.ts";

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

/** The colours and sizes of the dashboard (web/src/styles.css), so that both look alike. */
const shell = pageShell({
  bare: true,
  caching: "no-cache",
  style: `
:root { color-scheme: light dark; --canvas: light-dark(#f7f7f8, #0c0d10); --surface: light-dark(#fff, #14161a); --sunken: light-dark(#f0f0f3, #0f1115); --line: light-dark(#e4e4e9, #262a32); --ink: light-dark(#17181c, #eceef2); --muted: light-dark(#5f626d, #9aa0ac); --accent: light-dark(#4338ca, #a5a2ff); }
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body { margin: 0; font: 14px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; background: var(--canvas); color: var(--ink); overflow-wrap: anywhere; }
a { color: var(--accent); text-underline-offset: 2px; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
main { max-width: 56rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { margin: 0; font-size: 1.5rem; letter-spacing: -.02em; }
h1 small { font-size: .8rem; font-weight: 400; color: var(--muted); }
h2 { margin: 3rem 0 1rem; font-size: 1.2rem; letter-spacing: -.01em; text-transform: capitalize; }
h3 { margin: 0; font-size: 1rem; }
h4 { margin: 1rem 0 .25rem; font-size: .75rem; font-weight: 500; color: var(--muted); }
p { margin: .4rem 0; max-width: 65ch; }
code, pre { font: 12px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
pre { overflow: auto; margin: .5rem 0; padding: .75rem; border: 1px solid var(--line); border-radius: 8px; background: var(--sunken); }
table { border-collapse: collapse; width: 100%; margin: .25rem 0; font-size: 13px; }
th { font-weight: 500; font-size: .75rem; color: var(--muted); }
th, td { text-align: left; vertical-align: top; padding: .3rem .75rem .3rem 0; border-bottom: 1px solid var(--line); }
tr:last-child td { border-bottom: 0; }
td { min-width: 3.5rem; }
section { margin: 0 0 1rem; padding: 1rem; border: 1px solid var(--line); border-radius: 12px; background: var(--surface); }
nav { padding: 1rem; border-bottom: 1px solid var(--line); background: var(--sunken); }
nav a { display: block; padding: .15rem .5rem; border-radius: 6px; color: var(--muted); text-decoration: none; }
nav a:hover { color: var(--ink); text-decoration: underline; }
nav summary { padding: .25rem .5rem; font-weight: 500; text-transform: capitalize; cursor: pointer; }
nav .home { font-weight: 600; color: var(--ink); }
.method { display: inline-block; margin-right: .25rem; padding: 0 .4rem; border-radius: 999px; font-weight: 600; background: light-dark(#ececf0, #23272f); }
.GET { background: light-dark(#e5effc, #12284a); color: light-dark(#1d5fbf, #7db4ff); }
.POST { background: light-dark(#e3f5ea, #10301f); color: light-dark(#0f7040, #4cc38a); }
.PATCH, .PUT { background: light-dark(#fdf1dc, #38280c); color: light-dark(#8a5200, #f0b354); }
.DELETE { background: light-dark(#fdeae8, #3d1714); color: light-dark(#b3261e, #ff8b80); }
@media (min-width: 60rem) {
  body { display: grid; grid-template-columns: 16rem minmax(0, 1fr); }
  nav { position: sticky; top: 0; height: 100vh; overflow: auto; border: 0; border-right: 1px solid var(--line); }
  main { width: 100%; padding: 2rem 2rem 6rem; }
}
`,
});

/** The headers of the page. */
export const docsHeaders = shell.headers;

/** Builds the API reference as one page, from the OpenAPI document. */
export function docsPage(json: Record<string, unknown>, codes: readonly FailureCode[]): string {
  const document = json as unknown as Document;
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  );
  const byTag = Map.groupBy(operations, ({ operation }) => operation.tags[0] ?? "");
  return shell.around(
    `${document.info.title} API`,
    html`<nav aria-label="Contents">
<a class="home" href="/">← ${document.info.title} dashboard</a>
${[...byTag].map(
  ([tag, group]) => html`<details><summary>${tag}</summary>
<a href="#${tag}">All of ${tag}</a>
${group.map(({ operation }) => html`<a href="#${operation.operationId}">${operation.summary}</a>`)}</details>`,
)}
<a href="#schemas">Schemas</a> <a href="#errors">Errors</a>
</nav>
<main>
<h1>${document.info.title} API <small>${document.info.version}</small></h1>
<p>${marked(document.info.description)}</p>
<p>Authenticate with <code>Authorization: Bearer e2a_…</code>. The same as a file: <a href="/api/v1/openapi.json">openapi.json</a>.</p>
${[...byTag].map(
  ([tag, group]) => html`<h2 id="${tag}">${tag}</h2>
${group.map(({ method, path, operation }) => operationSection(method, path, operation))}`,
)}
<h2 id="schemas">schemas</h2>
${Object.entries(document.components.schemas).map(
  ([name, schema]) => html`<section id="schema-${name}"><h3>${name}</h3>${membersTable(schema)}</section>`,
)}
<h2 id="errors">errors</h2>
<section><table><tr><th>code<th>status<th>meaning${codes.map((code) => {
      const { status, title } = new Failure(code, "").http;
      return html`<tr id="${code}"><td><code>${code}</code><td>${String(status)}<td>${title}`;
    })}</table></section>
</main>`,
  );
}

function operationSection(method: string, path: string, operation: Operation): SafeHtml {
  const request = operation.requestBody?.content["application/json"];
  return html`<section id="${operation.operationId}"><h3>${operation.summary}</h3>
<p><code><span class="method ${method}">${method}</span> ${path}</code>${operation.security?.length === 0 ? " · public" : ""}</p>
${operation.description ? html`<p>${marked(operation.description)}</p>` : ""}
${
  operation.parameters
    ? html`<table><tr><th>parameter<th>in<th>type<th>meaning${operation.parameters.map(
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
  })}</table></section>
`;
}

function membersTable(schema: Schema): SafeHtml {
  if (!schema.properties) return html`<p>${typeOf(schema)}</p>`;
  return html`<table><tr><th>member<th>type<th>meaning${Object.entries(schema.properties).map(
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
