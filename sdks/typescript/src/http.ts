import { pause, toBase64, webCrypto } from "./environment.ts";
import { APIError, apiError, E2AConnectionError, E2ATimeoutError, type Problem } from "./errors.ts";
import type { NewAttachment } from "./types.ts";

/** How one call is made. */
export interface CallOptions {
  /** Ends the call; it rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
  /** Milliseconds for each attempt. */
  timeoutMs?: number | undefined;
  /** Further attempts after one that got no answer, 429, or an answer of 500 or more. */
  retries?: number | undefined;
}

/** How a POST is made. */
export interface PostOptions extends CallOptions {
  /**
   * 1 to 255 characters; the same again within 24 hours does nothing twice and gets the first answer. Default: one for this
   * call, so that its own retries do nothing twice.
   */
  idempotencyKey?: string | undefined;
}

/** As much of `fetch` as is used here. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export interface HttpOptions {
  /** Without a path. */
  origin: string;
  apiKey: string;
  fetch: Fetch;
  timeoutMs: number;
  retries: number;
}

export type QueryValues = Readonly<Record<string, unknown>>;

export interface Request {
  method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  query?: QueryValues | undefined;
  body?: object | undefined;
}

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
        throw apiError(problemOf(response, ""));
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
    const headers: Record<string, string> = { authorization: `Bearer ${this.options.apiKey}` };
    if (body) headers["content-type"] = "application/json";
    if (method === "POST") headers["idempotency-key"] = options.idempotencyKey ?? (await newKey());
    const init = { method, headers, ...(body ? { body: JSON.stringify(await withBase64(body)) } : {}) };

    const retries = options.retries ?? this.options.retries;
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.attempt(url, init, options, read);
      } catch (error) {
        // The attempt before may have done it without our hearing of it.
        if (method === "DELETE" && attempt > 0 && error instanceof APIError && error.status === 404) return null as T;
        const waitMs = attempt < retries ? retryDelayMs(error, attempt) : null;
        if (waitMs === null) throw error;
        await pause(waitMs, options.signal);
      }
    }
  }

  private async attempt<T>(
    url: string,
    init: RequestInit,
    { signal, timeoutMs = this.options.timeoutMs }: CallOptions,
    read: (response: Response) => Promise<T>,
  ): Promise<T> {
    if (signal?.aborted) throw signal.reason;
    const ended = new AbortController();
    const stop = () => ended.abort(signal?.reason);
    signal?.addEventListener("abort", stop);
    const timer = setTimeout(() => ended.abort(), timeoutMs);
    try {
      // A redirect would take the key elsewhere, and not every runtime knows "error".
      const response = await this.options.fetch(url, { ...init, redirect: "manual", signal: ended.signal });
      if (!response.ok) throw await errorOf(response);
      return await read(response);
    } catch (error) {
      if (error instanceof APIError) throw error;
      if (signal?.aborted) throw signal.reason;
      const { method } = init;
      const path = new URL(url).pathname;
      if (ended.signal.aborted)
        throw new E2ATimeoutError(`${method} ${path}: no answer within ${timeoutMs} ms.`, { cause: error });
      throw new E2AConnectionError(
        `${method} ${path}: ${this.options.origin} cannot be reached (${causeOf(error)}). Is the server running, and is E2A_URL right?`,
        { cause: error },
      );
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", stop);
    }
  }
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

async function errorOf(response: Response): Promise<APIError> {
  const text = await response.text().catch(() => "");
  const header = response.headers.get("retry-after");
  const retryAfter = header !== null && /^\d+$/.test(header) ? Number(header) : undefined;
  return apiError(problemOf(response, text), retryAfter);
}

function problemOf(response: Response, text: string): Problem {
  const { status } = response;
  try {
    const problem = JSON.parse(text) as Partial<Problem> | null;
    if (typeof problem?.code === "string" && typeof problem.detail === "string")
      return { ...problem, status } as Problem;
  } catch {
    // A proxy's page.
  }
  // A browser does not tell the status of a redirect that is not followed.
  const isRedirect = response.type === "opaqueredirect" || (status >= 300 && status < 400);
  return {
    status,
    code: isRedirect ? "redirected" : "unexpected_answer",
    detail: isRedirect
      ? `The server redirects to ${response.headers.get("location") ?? "another place"}.`
      : `The answer was ${status} ${response.statusText}, and not one of e2a's.`,
    fix: "Look whether E2A_URL (baseUrl) is the address of an e2a server.",
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
