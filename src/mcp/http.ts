import {
  createMcpHandler,
  isLegacyRequest,
  type Server,
  WebStandardStreamableHTTPServerTransport,
} from "@modelcontextprotocol/server";
import type { Api } from "./api.ts";
import { createMcpServer, type McpOptions } from "./server.ts";

/** The answer to a client that is already gone. */
const GONE_STATUS = 499;

/**
 * Answers one POST by streamable HTTP, without sessions: each request has its own server, so that any node can answer
 * it. Serves clients of protocol 2026-07-28, and older ones that begin with `initialize`. Answers are JSON. Ends early
 * if `request.signal` aborts.
 */
export async function answerMcp(request: Request, body: Uint8Array, api: Api, options: McpOptions): Promise<Response> {
  const parsedBody = parse(body);
  if (parsedBody === undefined) {
    const error = { code: -32700, message: "Parse error: the body is not JSON in UTF-8." };
    return Response.json({ jsonrpc: "2.0", id: null, error }, { status: 400 });
  }
  const create = () => createMcpServer(api, options);
  if (await isLegacyRequest(request, parsedBody)) return answerOlder(request, parsedBody, create());
  // The lists do not change on their own, so there is nothing to subscribe to.
  const handler = createMcpHandler(create, { legacy: "reject", maxSubscriptions: 0 });
  return handler.fetch(request, { parsedBody });
}

async function answerOlder(request: Request, parsedBody: unknown, server: Server): Promise<Response> {
  const { promise: gone, resolve: leave } = Promise.withResolvers<Response>();
  const onAbort = () => leave(new Response(null, { status: GONE_STATUS }));
  request.signal.addEventListener("abort", onAbort, { once: true });
  try {
    const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true });
    await server.connect(transport);
    return await Promise.race([transport.handleRequest(request, { parsedBody }), gone]);
  } finally {
    request.signal.removeEventListener("abort", onAbort);
    // Also ends a tool that is still running.
    await server.close();
  }
}

/** Undefined if the body is not JSON in UTF-8. */
function parse(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    return undefined;
  }
}
