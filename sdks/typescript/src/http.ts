import { pause, streamsBodies, toBase64, webCrypto } from "./environment.ts";
import { APIError, apiError, E2AConnectionError, E2ATimeoutError, type Problem } from "./errors.ts";
import type { NewAttachment } from "./types.ts";

/** Options of one call. */
export interface CallOptions {
  /** Aborts the call, which then rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
  /** Milliseconds for each attempt; a request body adds one second per 50 KB. */
  timeoutMs?: number | undefined;
  /** How many more attempts after no answer, 429, or 500 and above; or a function that decides about each. */
  retries?: number | RetryPolicy | undefined;
  /** Additional headers of the request. */
  headers?: Readonly<Record<string, string>> | undefined;
  /** Called with the status and headers of each answer, even an error, before its body is read. */
  onResponse?: ((response: Pick<Response, "status" | "headers">) => void) | undefined;
}

/**
 * Decides after a failed attempt (`attempt` counts from 0): returns the milliseconds to wait before the next attempt,
 * or null to give up. The call then throws `error`, an {@link E2AError}.
 */
export type RetryPolicy = (error: unknown, attempt: number) => number | null;

/** Options of a POST. */
export interface PostOptions extends CallOptions {
  /**
   * 1 to 255 characters. A request with the same key within 24 hours has no second effect and gets the first answer.
   * Default: a key for this call, so that its retries have no second effect.
   */
  idempotencyKey?: string | undefined;
  /**
   * Called repeatedly during the upload, with the bytes given to the network so far and the total. Browsers do not
   * report progress: there it is called only at the beginning and at the end.
   */
  onUpload?: ((sentBytes: number, totalBytes: number) => void) | undefined;
}

/** The part of `fetch` that the client uses. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export interface HttpOptions {
  /** Without a path. */
  origin: string;
  apiKey: string;
  fetch: Fetch;
  timeoutMs: number;
  retries: number | RetryPolicy;
  headers: Readonly<Record<string, string>>;
  /** Reads an answer's JSON; a SyntaxError if it is none. */
  readJson: (response: Response) => Promise<unknown>;
}

/** An answer's JSON; null if it has no body. */
export async function readJson(response: Response): Promise<unknown> {
  const text = await response.text();
  return text === "" ? null : JSON.parse(text);
}

export type QueryValues = Readonly<Record<string, unknown>>;

export interface Request {
  method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  query?: QueryValues | undefined;
  body?: object | undefined;
}

/** The slowest connection that does not time out on a large body: the timeout grows by a second for this many bytes. */
const BYTES_A_SECOND = 50_000;
/** The size of an upload's pieces: small enough to report progress, large enough to cost nothing. */
const PIECE_BYTES = 65_536;
/** How much longer than the server's wait a long poll may take. */
const WAIT_MARGIN_MS = 15_000;
const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 8_000;
/** If the server asks for a longer wait, the call fails instead of retrying. */
const RETRY_AFTER_MAX_SECONDS = 60;

/** Requests to one server with one key: retries, time limits, errors. */
export class Http {
  readonly options: HttpOptions;

  constructor(options: HttpOptions) {
    this.options = options;
  }

  /** Resolves with an answer's JSON; null if it has no body. */
  async json<T>(path: string, request: Request = {}, options: PostOptions = {}): Promise<T> {
    return this.send(path, request, options, async (response) => {
      try {
        return (await this.options.readJson(response)) as T;
      } catch (error) {
        if (error instanceof SyntaxError) throw apiError(problemOf(response, ""), this.options.origin);
        throw error;
      }
    });
  }

  /** Resolves with an answer's bytes. */
  async bytes(path: string, options: CallOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
    return this.send(path, {}, options, async (response) => new Uint8Array(await response.arrayBuffer()));
  }

  /** Makes a long poll, which the server answers within `waitSeconds`. Extends the timeout accordingly. */
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
    // In lower case, so that our own headers below replace them.
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
        // An earlier attempt may have deleted it although its answer was lost.
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
      // A redirect would send the key to another server. Not every runtime supports "error".
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

/** The body for `fetch`: whole, or in pieces if `onUpload` must be called. */
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
        // A request for more means that the earlier pieces have been sent.
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

/** Milliseconds before the next attempt; null if a retry is pointless. */
function retryDelayMs(error: unknown, attempt: number): number | null {
  const delayMs = backoffMs(attempt, RETRY_FIRST_MS, RETRY_MAX_MS);
  if (error instanceof E2AConnectionError || error instanceof E2ATimeoutError) return delayMs;
  if (!(error instanceof APIError)) return null;
  const { status, code, retryAfter } = error;
  const isWorthIt =
    status === 429 ||
    status === 408 ||
    // `upstream_rejected` is final: the upstream has refused the mail.
    (status >= 500 && code !== "upstream_rejected") ||
    // An earlier attempt of this call is still running.
    (status === 409 && attempt > 0);
  if (!isWorthIt || (retryAfter ?? 0) > RETRY_AFTER_MAX_SECONDS) return null;
  return retryAfter === undefined ? delayMs : retryAfter * 1000;
}

/** Doubles the delay with each attempt, up to `maxMs`; then takes 50 to 100 % of it, so that clients spread out. */
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
    // A problem document that a proxy made (RFC 9457) has no code.
    if (typeof problem?.detail === "string") return { ...problem, status, code: problem.code ?? "unknown" } as Problem;
  } catch {
    // The body is not JSON, such as a proxy's error page.
  }
  // Browsers hide the status of a redirect that is not followed.
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

/** Encodes the bytes of a body's attachments as base64. */
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
