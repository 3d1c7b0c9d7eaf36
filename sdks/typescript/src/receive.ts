import { E2AError, UnverifiedEmailError } from "./errors.ts";
import { type ParseOptions, parseWebhook, secretsOf, type WebhookEvent } from "./webhook.ts";

export interface ReceiveOptions extends ParseOptions {
  /** Signing secrets. Default: `E2A_WEBHOOK_SECRET`, separated by commas. */
  secrets?: string | readonly string[] | undefined;
  /** Maximum length of the body in bytes. Default: 50 MB; a 25 MiB message takes 35 MB as base64, plus its text. */
  maxBytes?: number | undefined;
}

/** Called with a verified event. May return a Response; the default is 204. If it throws, the server retries. */
export type OnEvent = (event: WebhookEvent, request: Request) => unknown;

const BYTES_MAX = 50_000_000;

/**
 * Makes a webhook endpoint for frameworks with `Request` and `Response`: Hono, Next.js route handlers, Bun, Deno,
 * Workers.
 *
 *     app.post("/mail", (c) => webhookHandler(onEvent)(c.req.raw));       // Hono
 *     export const POST = webhookHandler(onEvent);                        // Next.js, app/mail/route.ts
 *     Bun.serve({ routes: { "/mail": { POST: webhookHandler(onEvent) } } });
 *
 * It answers 401 to requests that it cannot verify. Deliveries may come twice, with the same `event.id`.
 */
export function webhookHandler(
  onEvent: OnEvent,
  options: ReceiveOptions = {},
): (request: Request) => Promise<Response> {
  const secrets = secretsOf(options.secrets);
  return async (request) => {
    const body = await bodyOf(request, options.maxBytes ?? BYTES_MAX);
    if (!body) return new Response("The body is too long.\n", { status: 413 });
    try {
      const event = await parseWebhook(body, request.headers, secrets, options);
      const answer = await onEvent(event, request);
      return answer instanceof Response ? answer : new Response(null, { status: 204 });
    } catch (error) {
      if (error instanceof UnverifiedEmailError) return new Response(`${error.message}\n`, { status: 401 });
      throw error;
    }
  };
}

/** The part of Node's request that the handler uses. */
export interface NodeRequest extends AsyncIterable<Uint8Array> {
  method?: string | undefined;
  url?: string | undefined;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Set by Express after `express.raw()`. */
  body?: unknown;
}

/** The part of Node's response that the handler uses. */
export interface NodeResponse {
  statusCode: number;
  setHeader(name: string, value: string): unknown;
  end(body?: Uint8Array): unknown;
}

/**
 * The same for `node:http` and Express. The only body parser allowed before it is `express.raw()`: the signature covers
 * the bytes.
 *
 *     app.post("/mail", nodeWebhookHandler(onEvent));                      // Express
 *     createServer(nodeWebhookHandler(onEvent)).listen(3000);             // node:http
 */
export function nodeWebhookHandler(
  onEvent: OnEvent,
  options: ReceiveOptions = {},
): (request: NodeRequest, response: NodeResponse, next?: (error: unknown) => void) => Promise<void> {
  const handle = webhookHandler(onEvent, options);
  const maxBytes = options.maxBytes ?? BYTES_MAX;
  return async (incoming, outgoing, next) => {
    try {
      const answer = await handle(await requestOf(incoming, maxBytes));
      outgoing.statusCode = answer.status;
      for (const [name, value] of answer.headers) outgoing.setHeader(name, value);
      outgoing.end(new Uint8Array(await answer.arrayBuffer()));
    } catch (error) {
      if (next) return next(error);
      // biome-ignore lint/suspicious/noConsole: node:http has no other way to report it, and an unhandled rejection would end the program.
      console.error(error);
      outgoing.statusCode = 500;
      outgoing.end();
    }
  };
}

/** Reads the body; null if it is longer than `maxBytes`. */
async function bodyOf(request: Request, maxBytes: number): Promise<Uint8Array<ArrayBuffer> | null> {
  if (!request.body) return new Uint8Array();
  const reader = request.body.getReader();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return joined(chunks, size);
    size += value.length;
    if (size > maxBytes) {
      await reader.cancel();
      return null;
    }
    chunks.push(value);
  }
}

function joined(chunks: Uint8Array[], size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

async function requestOf(incoming: NodeRequest, maxBytes: number): Promise<Request> {
  const headers = new Headers();
  for (const [name, value] of Object.entries(incoming.headers))
    for (const one of [value ?? []].flat()) if (!name.startsWith(":")) headers.append(name, one);
  const { method = "POST", url = "/" } = incoming;
  const hasBody = method !== "GET" && method !== "HEAD";
  return new Request(`http://localhost${url.startsWith("/") ? url : "/"}`, {
    method,
    headers,
    ...(hasBody ? { body: await nodeBody(incoming, maxBytes) } : {}),
  });
}

/** The body from Node or from `express.raw()`. Stops reading beyond `maxBytes`; the handler then refuses the body. */
async function nodeBody(incoming: NodeRequest, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const { body } = incoming;
  if (body instanceof Uint8Array) return new Uint8Array(body);
  if (body !== undefined && body !== null && !isEmpty(body))
    throw new E2AError(
      "A body parser ran before the webhook handler. Put the handler before it, or use express.raw({ type: '*/*', limit: '50mb' }).",
    );
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of incoming) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > maxBytes) break;
  }
  return joined(chunks, size);
}

/** Express's body parsers set {} if they did not parse the body. */
function isEmpty(body: unknown): boolean {
  return typeof body === "object" && Object.keys(body ?? {}).length === 0;
}
