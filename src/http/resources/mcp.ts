import { Failure } from "../../util/errors.ts";
import { isOwnOrigin } from "../framework/identity.ts";
import { withAttachments } from "../framework/openapi.ts";
import { type RouteDeps, resource } from "../framework/resource.ts";

/**
 * A request. It is parsed at once, and what it asks the API for is written as JSON once more: some 10 ms. Models write
 * less; programs have the API, which takes large bodies apart while they arrive.
 */
const REQUEST_BYTES_MAX = 2 * 1024 * 1024;

/**
 * The Model Context Protocol, for models. Its tools are clients of the API: what they ask goes through the same door
 * once more, as the same caller, so that limits, Idempotency-Keys, rights and the log are the API's own.
 */
export function mcp(deps: RouteDeps) {
  const { config, log } = deps;

  return resource("/mcp", { raw: true }).post(
    "",
    async ({ request, exchange, caller }) => {
      requireKnownOrigin(request, config.http.publicUrl);
      // A session is somebody's browser. What runs there has no need of this, and what attacks it has.
      if (caller.via !== "key")
        throw new Failure("unauthenticated", "This takes an API key, not a session.", {
          fix: "Send `Authorization: Bearer e2a_…`; keys are made in the dashboard or with `e2a keys create`.",
        });
      // With the protocol's library, as a server without models does without it.
      const [{ localApi }, { answerMcp }] = await Promise.all([
        import("../../mcp/local.ts"),
        import("../../mcp/http.ts"),
      ]);
      const who = { scope: caller.scope, agent: caller.agentId };
      const api = localApi(request, exchange.url, (further) => exchange.ask(further), who);
      const headers = new Headers(request.headers);
      headers.set("content-type", "application/json");
      const posted = new Request(exchange.url.href, { method: "POST", headers, signal: exchange.signal });
      return answerMcp(posted, exchange.body, api, {
        readHtml: (html) => deps.offload.readHtml(html),
        onFault: (tool, error) => log.error("mcp.tool_failed", { request: exchange.id, tool }, error),
      });
    },
    withAttachments(REQUEST_BYTES_MAX),
  );
}

/**
 * Only programs and our own pages may come here. A browser tells where a page is from, and a page whose name was bound
 * anew to this address ("DNS rebinding") is of our own host by name only: so a name has to be the public one, or this
 * computer's; numbers cannot be bound anew. Throws Failure `forbidden`.
 */
function requireKnownOrigin(request: Request, publicUrl: string | null): void {
  const origin = request.headers.get("origin");
  if (origin === null || (publicUrl && origin === new URL(publicUrl).origin)) return;
  const url = isOwnOrigin(request, publicUrl) ? URL.parse(origin) : null;
  const isNumber = url !== null && (/^[\d.]+$/.test(url.hostname) || url.hostname.startsWith("["));
  const isHere = url !== null && (url.hostname === "localhost" || url.hostname.endsWith(".localhost"));
  if (isNumber || isHere) return;
  throw new Failure("forbidden", "Pages of other sites may not connect here.", {
    fix: "Connect from a program, or set http.public_url to the address under which this server's own pages are reached.",
  });
}
