import { createHash } from "node:crypto";
import { html, raw, type SafeHtml } from "./html.ts";

/** The style that pages outside the dashboard share: fonts, light and dark colours, links, the focus ring. */
const baseStyle = `
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 25%, transparent); --link: light-dark(#1d4ed8, #93c5fd); }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; padding: 1.5rem 1rem 3rem; overflow-wrap: anywhere; background: light-dark(#fff, #18181b); color: light-dark(#18181b, #f4f4f5); }
h1, h2, h3 { line-height: 1.25; }
a { color: var(--link); }
code, pre { font: 14px/1.4 ui-monospace, monospace; }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
`;

interface PageOptions {
  /** The page's style sheet. Follows the shared style, unless `bare`. */
  style: string;
  bare?: boolean;
  script?: string;
  /** Where its forms may be submitted, as a CSP source list. Default: nowhere; null: anywhere. */
  formTo?: string | null;
  /** Default: `no-referrer`, which makes the Origin of its forms `null` (Fetch 3.2). */
  referrer?: "no-referrer" | "same-origin";
  /** Default: `no-store`. */
  caching?: "no-store" | "no-cache";
}

/** A kind of page that the server writes itself. */
export interface PageShell {
  /** The headers of its pages. The policy allows only the page's own script and styles, and forbids framing. */
  readonly headers: Readonly<Record<string, string>>;
  /** A page with a heading, and `content` below it. */
  markup(heading: string, content: SafeHtml): string;
  /** The shell around a body that brings its own heading. */
  around(title: string, body: SafeHtml): string;
  /** The page of `markup` as a response. */
  respond(heading: string, content: SafeHtml, status?: number): Response;
}

/** Makes the shell of pages: their markup, headers and Content-Security-Policy. */
export function pageShell(options: PageOptions): PageShell {
  const { bare, script, formTo = "'none'", referrer = "no-referrer", caching = "no-store" } = options;
  const style = bare ? options.style : baseStyle + options.style;
  const policy = [
    `default-src 'none'; style-src ${hashSource(style)}`,
    ...(script ? [`script-src ${hashSource(script)}`] : []),
    ...(formTo === null ? [] : [`form-action ${formTo}`]),
    "base-uri 'none'; frame-ancestors 'none'",
  ];
  const shell: PageShell = {
    headers: {
      "content-type": "text/html; charset=utf-8",
      "cache-control": caching,
      "content-security-policy": policy.join("; "),
      "x-frame-options": "DENY",
      "x-content-type-options": "nosniff",
      "referrer-policy": referrer,
      "x-robots-tag": "noindex, nofollow",
    },
    markup: (heading, content) =>
      shell.around(`${heading} · e2a`, html`<main>\n<h1>${heading}</h1>\n${content}\n</main>`),
    around: (title, body) =>
      html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${raw(style)}</style>
</head>
<body>
${body}
${script ? html`<script>${raw(script)}</script>\n` : ""}</body>
</html>
`.text,
    respond: (heading, content, status = 200) =>
      new Response(shell.markup(heading, content), { status, headers: shell.headers }),
  };
  return shell;
}

/** A CSP source that allows exactly this text (CSP Level 3, 2.3.1). */
function hashSource(text: string): string {
  return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
}
