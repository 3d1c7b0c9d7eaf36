import { dashboardFile } from "../../assets.ts";
import { html } from "../../util/html.ts";
import { pageShell } from "../../util/page.ts";

/**
 * Own files only, own origin only: no inline script or style, nothing to post to elsewhere, and nobody frames it.
 * `data:` is for small images. Frames are for mail, which comes with a policy of its own (mail-view.ts).
 */
const policy = [
  "default-src 'none'",
  ...["script-src 'self'", "style-src 'self'", "img-src 'self' data:", "connect-src 'self'", "frame-src 'self'"],
  ...["form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"],
  // Strings cannot become markup or script: React builds nodes, and nothing here uses innerHTML.
  ...["require-trusted-types-for 'script'", "trusted-types 'none'"],
].join("; ");

/** Paths below these are never pages of the dashboard: what is missing there is missing. */
const notPages = ["/api", "/assets", "/metrics", "/mcp", "/sign-in", "/welcome", "/.well-known"];

/**
 * The dashboard's file for a decoded path, or null when there is none. A browser that asks for a page gets index.html
 * at any other path: the routes are the dashboard's own.
 */
export function dashboardResponse(path: string, requested: Headers): Response | null {
  const accepts = (coding: string) =>
    (requested.get("accept-encoding") ?? "")
      .split(",")
      .some((one) => one.split(";")[0]?.trim() === coding && !/;\s*q=0(?:\.0*)?\s*$/.test(one));
  const isPage = path === "/" || path === "/index.html" || isClientRoute(path, requested);
  const file = dashboardFile(isPage ? "/" : path, accepts);
  if (!file) return isPage ? notBuilt() : null;
  return new Response(file.body, {
    headers: {
      "content-type": file.contentType,
      "cache-control": file.immutable ? "public, max-age=31536000, immutable" : "no-cache",
      "content-security-policy": policy,
      "referrer-policy": "no-referrer",
      "cross-origin-opener-policy": "same-origin",
      vary: "accept-encoding",
      ...(file.encoding && { "content-encoding": file.encoding }),
    },
  });
}

function isClientRoute(path: string, requested: Headers): boolean {
  if (!/\btext\/html\b/.test(requested.get("accept") ?? "")) return false;
  return !notPages.some((prefix) => path === prefix || path.startsWith(`${prefix}/`)) && !dashboardFile(path);
}

/** In place of the dashboard, when the server runs from source and nobody has built it. */
function notBuilt(): Response {
  return pageShell({ style: "body { max-width: 44rem; }" }).respond(
    "The dashboard is not built",
    html`<p>This server runs from source. Build its dashboard with <code>bun scripts/web.ts</code> and
reload; add <code>--watch</code> to build again after each change.</p>
<p>Everything else works: <a href="/api/docs">API reference</a>, <a href="/api/v1/openapi.json">OpenAPI</a>,
<a href="/api/ready">readiness</a>, and <code>e2a --help</code> on the command line.</p>`,
  );
}
