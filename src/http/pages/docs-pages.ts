import { docPages } from "../../assets.ts";
import { html, raw, type SafeHtml } from "../../util/html.ts";
import { pageShell } from "../../util/page.ts";
import { notFound } from "../framework/problem.ts";
import { openResource, type RouteDeps } from "../framework/resource.ts";

/** Pages that do not help users of a server. */
const asides = new Set(["architecture", "benchmarks", "standards"]);
/** A description in a list is a sentence or two. */
const DESCRIPTION_CHARS_MAX = 200;

const shell = pageShell({
  caching: "no-cache",
  style: `
body { max-width: 46rem; padding: 1rem; }
h2 { margin-top: 2.5rem; }
pre { overflow: auto; padding: .75rem; border: 1px solid var(--line); border-radius: 6px; }
table { display: block; overflow: auto; border-collapse: collapse; }
th, td { text-align: left; vertical-align: top; padding: .375rem 1rem .375rem 0; border-bottom: 1px solid var(--line); }
`,
});

interface Page {
  name: string;
  title: string;
  description: string;
  markdown: string;
}

/**
 * The routes for the documentation in the binary: Markdown for models at `/docs/<name>.md`, listed in `/llms.txt`
 * (llmstxt.org), and HTML for people at `/docs`.
 */
export function docsPages({ config }: RouteDeps) {
  let known: Page[] | undefined;
  const pages = () => (known ??= docPages().map(describe));
  const base = config.http.publicUrl?.replace(/\/$/, "") ?? "";

  return openResource("")
    .get("/llms.txt", () => text(llmsTxt(pages(), base), "text/plain"))
    .get("/docs", () => page("Documentation", index(pages())))
    .get("/docs/:page", ({ params }) => {
      const asMarkdown = params.page.endsWith(".md");
      const found = pages().find(({ name }) => name === params.page.replace(/\.md$/, ""));
      if (!found) throw notFound("page");
      return asMarkdown ? text(found.markdown, "text/markdown") : page(found.title, rendered(found));
    });
}

/** A page with its title, and the start of its prose as a description. */
function describe({ name, markdown }: { name: string; markdown: string }): Page {
  const [, title = name] = /^# (.+)$/m.exec(markdown) ?? [];
  const blocks = markdown.replace(/^```[\s\S]*?^```$/gm, "").split(/\n{2,}/);
  const prose = blocks.find((block) => /^[\w`*"]/.test(block.trim())) ?? "";
  const plain = prose
    .replace(/\[([^\]]*)\]\([^)]*\)|`/g, "$1")
    .replace(/\s+/g, " ")
    .trim();
  // A sentence that ends in a colon introduces what follows it on the page.
  const told = plain.replace(/(?<=\.) [^.]*:$/, "").replace(/:$/, ".");
  const cut =
    told.length > DESCRIPTION_CHARS_MAX ? `${told.slice(0, DESCRIPTION_CHARS_MAX).replace(/\s\S*$/, "")} …` : told;
  return { name, title, description: cut, markdown };
}

function llmsTxt(pages: readonly Page[], base: string): string {
  const entry = ({ name, title, description }: Page) => `- [${title}](${base}/docs/${name}.md): ${description}`;
  return [
    "# e2a",
    "",
    "> Email for AI agents: an agent gets a real address. Mail to it arrives verified and signed, by webhook, WebSocket or request; what it sends goes through an HTTP API, and a person can hold the leash.",
    "",
    "Requests need `Authorization: Bearer e2a_…`, a key of an account or of one agent. Errors are problem documents: decide by `code`, do what `fix` says. Models can use the tools at `/mcp` (Model Context Protocol, streamable HTTP) with the same keys.",
    "",
    "## Docs",
    "",
    ...pages.filter(({ name }) => !asides.has(name)).map(entry),
    "",
    "## API",
    "",
    `- [OpenAPI 3.1](${base}/api/v1/openapi.json): every route, parameter and answer`,
    `- [Reference](${base}/api/docs): the same to read`,
    "",
    "## Optional",
    "",
    ...pages.filter(({ name }) => asides.has(name)).map(entry),
    "",
  ].join("\n");
}

function index(pages: readonly Page[]): SafeHtml {
  return html`<h1>Documentation</h1>
<ul>
${pages.map(({ name, title, description }) => html`<li><a href="/docs/${name}">${title}</a>: ${description}</li>\n`)}</ul>
<p>The API: <a href="/api/docs">reference</a>, <a href="/api/v1/openapi.json">OpenAPI</a>. For models: <a href="/llms.txt">llms.txt</a>.</p>`;
}

/** Our Markdown as HTML. Links between files become links between pages. */
function rendered({ name, markdown }: Page): SafeHtml {
  const body = Bun.markdown.html(markdown, { headings: { ids: true } });
  return html`<p><a href="/docs">Documentation</a> · <a href="/docs/${name}.md">Markdown</a></p>
${raw(body.replace(/(<a href=")([\w-]+)\.md([#"])/g, "$1/docs/$2$3"))}`;
}

function page(title: string, content: SafeHtml): Response {
  const markup = shell.around(`${title} · e2a`, html`<main>\n${content}\n</main>`);
  return new Response(markup, { headers: shell.headers });
}

function text(body: string, type: string): Response {
  return new Response(body, { headers: { "content-type": `${type}; charset=utf-8`, "cache-control": "no-cache" } });
}
