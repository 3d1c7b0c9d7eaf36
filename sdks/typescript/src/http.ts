import { pause, streamsBodies, toBase64, webCrypto } from "./environment.ts";
import { APIError, apiError, E2AConnectionError, E2ATimeoutError, type Problem } from "./errors.ts";
import type { NewAttachment } from "./types.ts";

/** How one call is made. */
export interface CallOptions {
  /** Ends the call; it rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
  /** Milliseconds for each attempt; a large body gets a second more for each 50 KB of it. */
  timeoutMs?: number | undefined;
  /** Further attempts after one that got no answer, 429, or an answer of 500 or more; or what decides about each. */
  retries?: number | RetryPolicy | undefined;
  /** Further header fields of the request. */
  headers?: Readonly<Record<string, string>> | undefined;
  /** Sees each answer, a refusal too, before its body is read: its status and its header fields. */
  onResponse?: ((response: Pick<Response, "status" | "headers">) => void) | undefined;
}

/**
 * Decides after an attempt that failed, the nth from 0: milliseconds to wait before the next one, or null to give up. The
 * call then throws `error`, an {@link E2AError}.
 */
export type RetryPolicy = (error: unknown, attempt: number) => number | null;

/** How a POST is made. */
export interface PostOptions extends CallOptions {
  /**
   * 1 to 255 characters; the same again within 24 hours does nothing twice and gets the first answer. Default: one for this
   * call, so that its own retries do nothing twice.
   */
  idempotencyKey?: string | undefined;
  /**
   * Called again and again while the body leaves, with the bytes handed to the network so far, and all of them. Browsers do
   * not say: there it is called at the beginning and at the end.
   */
  onUpload?: ((sentBytes: number, totalBytes: number) => void) | undefined;
}

/** As much of `fetch` as is used here. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export interface HttpOptions {
  /** Without a path. */
  origin: string;
  apiKey: string;
  fetch: Fetch;
  timeoutMs: number;
  retries: number | RetryPolicy;
  headers: Readonly<Record<string, string>>;
}

export type QueryValues = Readonly<Record<string, unknown>>;

export interface Request {
  method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  query?: QueryValues | undefined;
  body?: object | undefined;
}

/** The slowest line on which a large body is not given up: one second for so many bytes. */
const BYTES_A_SECOND = 50_000;
/** What is handed to the network at once: small enough to count by, large enough to cost nothing. */
const PIECE_BYTES = 65_536;
/** A request that waits on the server gets this much longer than it asked to wait. */
const WAIT_MARGIN_MS = 15_000;
const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 8_000;
/** Who is asked to wait longer is told so instead. */
const RETRY_AFTER_MAX_SECONDS = 60;

/** Requests to one server with one key: retries, time limits, errors. */
export class Http {
  readonly options: HttpOptions;

  constructor(options: HttpOptions) {
    this.options = options;
  }

  /** The JSON of an answer; null when it has none. */
  async json<T>(path: string, request: Request = {}, options: PostOptions = {}): Promise<T> {
    return this.send(path, request, options, async (response) => {
      const text = await response.text();
      if (text === "") return null as T;
      try {
        return JSON.parse(text) as T;
      } catch {
        throw apiError(problemOf(response, ""), this.options.origin);
      }
    });
  }

  /** The bytes of an answer. */
  async bytes(path: string, options: CallOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
    return this.send(path, {}, options, async (response) => new Uint8Array(await response.arrayBuffer()));
  }

  /** A request that the server answers within `waitSeconds`, whatever the time limit is otherwise. */
  async waiting<T>(path: string, query: QueryValues, waitSeconds: number, options: CallOptions = {}): Promise<T> {
    return this.json(
      path,
      { query },
      { ...options, timeoutMs: options.timeoutMs ?? waitSeconds * 1000 + WAIT_MARGIN_MS },
    );
  }

  private async send<T>(
    path: string,
    request: Request,
    options: PostOptions,
    read: (response: Response) => Promise<T>,
  ): Promise<T> {
    const { method = "GET", query, body } = request;
    const url = `${this.options.origin}${path}${queryString(query)}`;
    const headers: Record<string, string> = {};
    // Whatever their case, ours replace them below.
    for (const [name, value] of Object.entries({ ...this.options.headers, ...options.headers }))
      headers[name.toLowerCase()] = value;
    headers.authorization = `Bearer ${this.options.apiKey}`;
    if (body) headers["content-type"] = "application/json";
    if (method === "POST") headers["idempotency-key"] = options.idempotencyKey ?? (await newKey());
    const bytes = body && new TextEncoder().encode(JSON.stringify(await withBase64(body)));

    const retries = options.retries ?? this.options.retries;
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.attempt(url, { method, headers }, bytes, options, read);
      } catch (error) {
        // The attempt before may have done it without our hearing of it.
        if (method === "DELETE" && attempt > 0 && error instanceof APIError && error.status === 404) return null as T;
        const waitMs =
          typeof retries === "function"
            ? retries(error, attempt)
            : attempt < retries
              ? retryDelayMs(error, attempt)
              : null;
        if (waitMs === null || options.signal?.aborted) throw error;
        await pause(waitMs, options.signal);
      }
    }
  }

  private async attempt<T>(
    url: string,
    init: { method: string; headers: Record<string, string> },
    body: Uint8Array<ArrayBuffer> | undefined,
    { signal, timeoutMs: limitMs = this.options.timeoutMs, onUpload, onResponse }: PostOptions,
    read: (response: Response) => Promise<T>,
  ): Promise<T> {
    if (signal?.aborted) throw signal.reason;
    const { origin } = this.options;
    const timeoutMs = limitMs + Math.floor((body?.length ?? 0) / BYTES_A_SECOND) * 1000;
    const ended = new AbortController();
    const stop = () => ended.abort(signal?.reason);
    signal?.addEventListener("abort", stop);
    const timer = setTimeout(() => ended.abort(), timeoutMs);
    try {
      // A redirect would take the key elsewhere, and not every runtime knows "error".
      const how = {
        ...init,
        ...bodyOf(body, init.headers, onUpload),
        redirect: "manual",
        signal: ended.signal,
      } as const;
      const response = await this.options.fetch(url, how);
      onResponse?.(response);
      if (!response.ok) throw await errorOf(response, origin);
      return await read(response);
    } catch (error) {
      if (error instanceof APIError) throw error;
      if (signal?.aborted) throw signal.reason;
      const { method } = init;
      const path = new URL(url).pathname;
      if (ended.signal.aborted)
        throw new E2ATimeoutError(`${method} ${path}: no answer within ${timeoutMs} ms.`, { cause: error, origin });
      throw new E2AConnectionError(
        `${method} ${path}: ${origin} cannot be reached (${causeOf(error)}). Is the server running, and is E2A_URL right?`,
        { cause: error, origin },
      );
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", stop);
    }
  }
}

/** A body as `fetch` takes it: all at once, or, where somebody wants to know how far it is, in pieces. */
function bodyOf(
  body: Uint8Array<ArrayBuffer> | undefined,
  headers: Record<string, string>,
  onUpload: PostOptions["onUpload"],
): RequestInit {
  if (!body) return {};
  if (!onUpload || !streamsBodies()) {
    onUpload?.(0, body.length);
    return { body };
  }
  let sent = 0;
  const pieces = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        // Asked for more: what was given before is gone.
        onUpload(sent, body.length);
        if (sent === body.length) return controller.close();
        const piece = body.subarray(sent, sent + PIECE_BYTES);
        sent += piece.length;
        controller.enqueue(piece);
      },
    },
    { highWaterMark: 0 },
  );
  return {
    body: pieces,
    headers: { ...headers, "content-length": String(body.length) },
    duplex: "half",
  } as RequestInit;
}

/** Milliseconds before the next attempt; null when there is no use in one. */
function retryDelayMs(error: unknown, attempt: number): number | null {
  const delayMs = backoffMs(attempt, RETRY_FIRST_MS, RETRY_MAX_MS);
  if (error instanceof E2AConnectionError || error instanceof E2ATimeoutError) return delayMs;
  if (!(error instanceof APIError)) return null;
  const { status, code, retryAfter } = error;
  const isWorthIt =
    status === 429 ||
    status === 408 ||
    // The other side's final word.
    (status >= 500 && code !== "upstream_rejected") ||
    // The attempt before is still at it.
    (status === 409 && attempt > 0);
  if (!isWorthIt || (retryAfter ?? 0) > RETRY_AFTER_MAX_SECONDS) return null;
  return retryAfter === undefined ? delayMs : retryAfter * 1000;
}

/** Twice as long each time, up to a limit; anything from half of that, so that many clients do not come back as one. */
export function backoffMs(attempt: number, firstMs: number, maxMs: number): number {
  return Math.min(maxMs, firstMs * 2 ** attempt) * (0.5 + Math.random() / 2);
}

async function errorOf(response: Response, origin: string): Promise<APIError> {
  const text = await response.text().catch(() => "");
  const header = response.headers.get("retry-after");
  const retryAfter = header !== null && /^\d+$/.test(header) ? Number(header) : undefined;
  return apiError(problemOf(response, text), origin, retryAfter);
}

function problemOf(response: Response, text: string): Problem {
  const { status } = response;
  try {
    const problem = JSON.parse(text) as Partial<Problem> | null;
    // One of a proxy's own (RFC 9457) has no code.
    if (typeof problem?.detail === "string") return { ...problem, status, code: problem.code ?? "unknown" } as Problem;
  } catch {
    // A proxy's page.
  }
  // A browser does not tell the status of a redirect that is not followed.
  const isRedirect = response.type === "opaqueredirect" || (status >= 300 && status < 400);
  const location = response.headers.get("location");
  return {
    status,
    code: isRedirect ? "redirected" : "unexpected_answer",
    detail: isRedirect
      ? `The server redirects to ${location ?? "another place"}.`
      : `The answer was ${status} ${response.statusText}, and not one of e2a's.`,
    fix: "Look whether E2A_URL (baseUrl) is the address of an e2a server.",
    ...(isRedirect && location !== null ? { location } : {}),
    ...(response.headers.has("x-request-id") ? { request_id: response.headers.get("x-request-id") ?? "" } : {}),
  };
}

function causeOf(error: unknown): string {
  const { cause, message } = error as { cause?: { code?: unknown; message?: unknown }; message?: unknown };
  return String(cause?.code ?? cause?.message ?? message ?? error);
}

function queryString(values: QueryValues = {}): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values))
    if (value !== undefined && value !== null)
      query.set(name, value instanceof Date ? value.toISOString() : String(value));
  const text = query.toString();
  return text === "" ? "" : `?${text}`;
}

async function newKey(): Promise<string> {
  const bytes = (await webCrypto()).getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The body with the bytes of its attachments as base64. */
async function withBase64(body: { attachments?: readonly NewAttachment[] }): Promise<object> {
  if (!body.attachments) return body;
  const attachments = body.attachments.map(async (one) => ({ ...one, data: await base64Of(one.data) }));
  return { ...body, attachments: await Promise.all(attachments) };
}

async function base64Of(data: NewAttachment["data"]): Promise<string> {
  if (typeof data === "string") return data;
  if (data instanceof Uint8Array) return toBase64(data);
  return toBase64(new Uint8Array(data instanceof ArrayBuffer ? data : await data.arrayBuffer()));
}
