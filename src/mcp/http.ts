import {
  createMcpHandler,
  isLegacyRequest,
  type Server,
  WebStandardStreamableHTTPServerTransport,
} from "@modelcontextprotocol/server";
import type { Api } from "./api.ts";
import { waitForMessage } from "./inbox-tools.ts";
import { createMcpServer, type McpOptions } from "./server.ts";

/** The answer to a client that is already gone. */
const GONE_STATUS = 499;
/** Messages of a batch at most, as many as the protocol's library takes. */
const BATCH_MAX = 100;
/** Characters of a batch's answers at which no further message gets one. A single answer has up to 4 MB, for a picture. */
const BATCH_CHARS_MAX = 8 * 1024 * 1024;
/** Bytes of a request that waits for mail, which are in memory as long as it waits. */
const WAIT_BYTES_MAX = 4 * 1024;
/** A server error of our own (JSON-RPC 2.0 5.1). */
const NOT_ANSWERED = -32000;

export interface McpHttpOptions extends McpOptions {
  /** Resolves when it is this client's turn for a few milliseconds of work. */
  turn: () => Promise<void>;
}

/**
 * Answers one POST by streamable HTTP, without sessions: each request has its own server, so that any node can answer
 * it. Serves clients of protocol 2026-07-28, and older ones that begin with `initialize`. Answers are JSON. Ends early
 * if `request.signal` aborts.
 */
export async function answerMcp(
  request: Request,
  body: Uint8Array,
  api: Api,
  { turn, ...options }: McpHttpOptions,
): Promise<Response> {
  const parsedBody = parse(body);
  if (parsedBody === undefined) return refusal(-32700, "Parse error: the body is not JSON in UTF-8.");
  const waiting = [parsedBody].flat().find(waits);
  if (waiting !== undefined && (Array.isArray(parsedBody) || body.length > WAIT_BYTES_MAX)) {
    const error = {
      code: -32600,
      message: `Send ${waitForMessage.name} in a request of its own, with at most ${WAIT_BYTES_MAX} bytes.`,
    };
    return Response.json({ jsonrpc: "2.0", id: idOf(waiting), error }, { status: 400 });
  }
  const create = () => createMcpServer(api, options);
  if (await isLegacyRequest(request, parsedBody))
    return Array.isArray(parsedBody)
      ? answerBatch(request, parsedBody, create, turn)
      : answerOlder(request, parsedBody, create());
  // The lists do not change on their own, so there is nothing to subscribe to.
  const handler = createMcpHandler(create, { legacy: "reject", maxSubscriptions: 0 });
  return handler.fetch(request, { parsedBody });
}

/**
 * Answers a batch (JSON-RPC 2.0 6) message by message, each in a turn of its own: all at once, a hundred small messages
 * would keep every other client waiting. Once the answers are long, the other requests are refused, not made.
 */
async function answerBatch(
  request: Request,
  messages: readonly unknown[],
  create: () => Server,
  turn: () => Promise<void>,
): Promise<Response> {
  if (messages.length > BATCH_MAX) return refusal(-32600, `A batch can have at most ${BATCH_MAX} messages.`);
  const answers: string[] = [];
  let chars = 0;
  for (const message of messages) {
    await turn();
    if (request.signal.aborted) return new Response(null, { status: GONE_STATUS });
    const id = chars < BATCH_CHARS_MAX ? null : idOf(message);
    const text = id === null ? await (await answerOlder(request, message, create())).text() : tooLong(id);
    chars += text.length;
    // Notifications have no answer.
    if (text !== "") answers.push(text);
  }
  if (answers.length === 0) return new Response(null, { status: 202 });
  // The library answers a batch with one request by an object, too.
  const json = answers.length === 1 ? answers[0] : `[${answers.join(",")}]`;
  return new Response(json, { headers: { "content-type": "application/json" } });
}

/** Whether a message asks to wait for mail. What else a batch has would be kept meanwhile. */
function waits(message: unknown): boolean {
  const { method, params } = (message ?? {}) as { method?: unknown; params?: { name?: unknown } | null };
  return method === "tools/call" && params?.name === waitForMessage.name;
}

/** The id of a request; null for anything else, such as a notification. */
function idOf(message: unknown): string | number | null {
  if (typeof message !== "object" || message === null || !("method" in message) || !("id" in message)) return null;
  return typeof message.id === "string" || typeof message.id === "number" ? message.id : null;
}

function tooLong(id: string | number): string {
  const message = "The answers to this batch are too long, so this request was not made. Make it again by itself.";
  return JSON.stringify({ jsonrpc: "2.0", id, error: { code: NOT_ANSWERED, message } });
}

/** A JSON-RPC error about the whole request. */
function refusal(code: number, message: string): Response {
  return Response.json({ jsonrpc: "2.0", id: null, error: { code, message } }, { status: 400 });
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
