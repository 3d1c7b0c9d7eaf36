import { dashboardFile } from "../../assets.ts";
import { html } from "../../util/html.ts";
import { pageShell } from "../../util/page.ts";

/**
 * Allows only files and requests of our own origin: no inline script or style, no forms to other servers, no framing.
 * `data:` is for small images. Frames are for mail, which has its own policy (mail-view.ts).
 */
const policy = [
  "default-src 'none'",
  ...["script-src 'self'", "style-src 'self'", "img-src 'self' data:", "connect-src 'self'", "frame-src 'self'"],
  ...["form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"],
  // Strings cannot become markup or script: React creates the nodes, and our code does not use innerHTML.
  ...["require-trusted-types-for 'script'", "trusted-types 'none'"],
].join("; ");

/** Paths that are never pages of the dashboard: a missing file there is answered 404. */
const notPages = ["/api", "/assets", "/metrics", "/mcp", "/sign-in", "/welcome", "/.well-known"];

/**
 * Returns the dashboard's file for a decoded path, or null if there is none. A browser that asks for a page at any
 * other path gets index.html, because the dashboard has its own routes.
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

/** The page in place of a dashboard that was not built, if the server runs from source. */
function notBuilt(): Response {
  return pageShell({ style: "body { max-width: 44rem; }" }).respond(
    "The dashboard is not built",
    html`<p>This server runs from source. Build its dashboard with <code>bun scripts/web.ts</code> and
reload; add <code>--watch</code> to build again after each change.</p>
<p>Everything else works: <a href="/api/docs">API reference</a>, <a href="/api/v1/openapi.json">OpenAPI</a>,
<a href="/api/ready">readiness</a>, and <code>e2a --help</code> on the command line.</p>`,
  );
}
