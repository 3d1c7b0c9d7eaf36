import { asFailure, Failure } from "../../util/errors.ts";
import { ValueResponse } from "../../util/value-response.ts";
import { isOwnOrigin } from "../framework/identity.ts";
import { bodyOf } from "../framework/large-answer.ts";
import { withAttachments } from "../framework/openapi.ts";
import { problemResponse } from "../framework/problem.ts";
import { type Exchange, type RouteDeps, resource } from "../framework/resource.ts";

/**
 * The largest request. It is parsed at once, and its calls of the API are written as JSON again: about 10 ms. Models
 * write less; programs can use the API, which processes large bodies while they arrive.
 */
const REQUEST_BYTES_MAX = 2 * 1024 * 1024;

/**
 * The Model Context Protocol, for models. Its tools are clients of the API: their calls go through the same door again,
 * as the same caller, so that rate limits, Idempotency-Keys, rights and the log are those of the API.
 */
export function mcp(deps: RouteDeps) {
  const { config, log } = deps;

  return resource("/mcp", { raw: true }).post(
    "",
    async ({ request, exchange, caller }) => {
      requireKnownOrigin(request, config.http.publicUrl);
      // A session belongs to a browser. Pages there do not need this path, but an attack by a page would.
      if (caller.via !== "key")
        throw new Failure("unauthenticated", "This takes an API key, not a session.", {
          fix: "Send `Authorization: Bearer e2a_…`; keys are made in the dashboard or with `e2a keys create`.",
        });
      // Loaded with the protocol's library only when needed: a server without models does without it.
      const [{ localApi }, { answerMcp }] = await Promise.all([
        import("../../mcp/local.ts"),
        import("../../mcp/http.ts"),
      ]);
      const who = { scope: caller.scope, agent: caller.agentId };
      const answers = exchange.keepAnswers();
      let isOver = false;
      const kept = {
        // A client that leaves ends the call at once, and what its tool has asked for comes later.
        add: (bytes: number) => (isOver ? undefined : answers.add(bytes)),
        release: () => answers.release(),
      };
      const api = localApi(request, exchange.url, (further) => askCounted(exchange, kept, further), who);
      const headers = new Headers(request.headers);
      headers.set("content-type", "application/json");
      const posted = new Request(exchange.url.href, { method: "POST", headers, signal: exchange.signal });
      try {
        const answered = await answerMcp(posted, exchange.body, api, {
          turn: exchange.turn,
          reader: deps.offload.reader({ userId: caller.user.id, agentId: caller.agentId }),
          onFault: (tool, error) => log.error("mcp.tool_failed", { request: exchange.id, tool }, error),
        });
        if (answered.body === null) return answered;
        return new Response(bodyOf(exchange, new Uint8Array(await answered.arrayBuffer())), answered);
      } finally {
        isOver = true;
        kept.release();
      }
    },
    withAttachments(REQUEST_BYTES_MAX),
  );
}

/** An answer is in memory as it was read, and as what a tool makes of it. */
const ANSWER_COPIES = 2;

/**
 * Makes a request of the API, and counts its answer until the call ends: tools keep what they have read, and may then
 * wait for their turn. Answers `overloaded` if the caller's calls keep too much already.
 */
async function askCounted(
  exchange: Exchange,
  kept: ReturnType<Exchange["keepAnswers"]>,
  request: Request,
): Promise<Response> {
  // Before it waits for mail, a call has only looked up its agent.
  if (request.url.includes("/messages/wait?")) kept.release();
  const response = await exchange.ask(request);
  try {
    if (response instanceof ValueResponse) {
      kept.add(ANSWER_COPIES * response.chars);
      return response;
    }
    const bytes = await response.arrayBuffer();
    kept.add(ANSWER_COPIES * bytes.byteLength);
    return new Response(response.body === null ? null : bytes, response);
  } catch (error) {
    return problemResponse(asFailure(error), exchange.id);
  }
}

/**
 * Requires a request from a program or from one of our own pages. A browser sends the page's origin. A page whose name
 * was rebound to this address ("DNS rebinding") has our host only by name, so a name must be the public one or this
 * computer's; IP addresses cannot be rebound. Throws Failure `forbidden`.
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
