import { rootCertificates } from "node:tls";
import type { Lookup } from "../net/lookup.ts";
import type { Clock } from "../util/clock.ts";
import { Failure } from "../util/errors.ts";
import { streamOf } from "../util/pieces.ts";
import { checkWebhookUrl, forbiddenReason, isLocalhost, literalAddress, type UrlPolicy } from "./address-guard.ts";

/** The outcome of one POST. A failure is data too: the caller decides whether to try again. */
export type PostOutcome =
  | {
      kind: "answered";
      status: number;
      /** Retry-After, as seconds from now; absent if it was not sent or cannot be read (RFC 9110 10.2.3). */
      retryAfterSeconds?: number;
      /** The beginning of the body as text, for people to read. */
      bodyStart: string;
      /** A few header fields of the response, names in lower case. */
      headers: Record<string, string>;
      durationMs: number;
      /** The address that answered. */
      address: string;
    }
  | { kind: "failed"; reason: PostFailure; message: string; durationMs: number };

/** `aborted`: the caller or `close()` stopped it, which says nothing about the endpoint. */
export type PostFailure =
  | "dns"
  | "forbidden_address"
  | "connect"
  | "tls"
  | "timeout"
  | "reset"
  | "protocol"
  | "aborted";

export interface PostRequest {
  headers: Record<string, string>;
  body: string | Uint8Array | BodyInPieces;
  signal?: AbortSignal;
}

/** A large body, of which only what the endpoint is about to take is in memory. */
export interface BodyInPieces {
  /** The length of all pieces. */
  readonly bytes: number;
  /** Makes the pieces, which are the same each time. */
  pieces(): Iterator<Uint8Array>;
  /** Resolves when there is time for another piece. */
  turn(): Promise<void>;
}

export interface Poster {
  /** POSTs once. Never rejects, never follows a redirect, never uses a proxy. */
  post(url: string, request: PostRequest): Promise<PostOutcome>;
  /** Stops POSTs in progress, with outcome `aborted`, and closes idle connections. */
  close(): void;
}

export interface PosterOptions {
  lookup: Lookup;
  policy: UrlPolicy;
  /** For one whole POST: name, connection, handshake, request, response header. */
  timeoutMs: number;
  clock: Clock;
  /** How much of a response body is kept. Default 1 KiB, which is what a delivery shows. */
  maxAnswerBytes?: number;
  /** PEM certificates that are trusted in addition to the public ones. */
  extraCa?: string;
}

const ANSWER_KEPT_BYTES = 1_024;
/** Short responses are read to the end, so that the connection can be reused; longer ones are cut off. */
const ANSWER_READ_BYTES = 64 * 1024;
/** The status decides. The body is only for people to read and must not hold a slot in the queue. */
const BODY_WAIT_MS = 2_000;
/** A name with more addresses is a large site. If these fail, the next attempt may do better. */
const ADDRESSES_TRIED_MAX = 4;
/** Below the 5 s after which Node servers close an idle connection, so that we rarely write to one that is closing. */
const IDLE_CONNECTION_SECONDS = 4;
const IDLE_CONNECTIONS_MAX = 64;
/** Response headers worth keeping for people, and the length to which each is cut. */
const keptHeaders = ["content-type", "location", "retry-after", "server", "webhook-delivery", "x-request-id"];
const KEPT_HEADER_CHARS = 256;
/** Fields that say how the request itself is carried; the caller must not set them (RFC 9110 7.6.1). */
const ownHeaders = new Set(["host", "connection", "content-length", "expect", "te", "trailer", "transfer-encoding"]);

class Stopped extends Error {
  constructor(
    readonly reason: PostFailure,
    message: string,
  ) {
    super(message);
  }
}

/**
 * Creates a client for POSTs to addresses that strangers choose.
 *
 * Each POST resolves its host name once, checks every address, and connects to a checked address by number, so a name
 * that changes its address cannot lead into the private network. The name still goes into Host and SNI, and the
 * certificate must be for it. Bun keeps idle connections by address, port and TLS settings, including the server name:
 * a connection is never used for another name, and its address has just been checked.
 */
export function createPoster(options: PosterOptions): Poster {
  const { clock, policy } = options;
  const closing = new AbortController();
  const session = new Bun.FetchSession({
    proxy: false,
    keepAlive: { idleTimeout: IDLE_CONNECTION_SECONDS, maxIdleSockets: IDLE_CONNECTIONS_MAX },
  });
  const ca = options.extraCa === undefined ? {} : { ca: [...rootCertificates, options.extraCa] };

  async function answer(url: URL, request: PostRequest, stop: AbortSignal): Promise<Omit<Answered, "durationMs">> {
    const host = url.hostname;
    const literal = literalAddress(host);
    const addresses = permitted(host, literal ? [literal] : await untilStopped(resolve(host, stop), stop), policy);
    for (const [i, address] of addresses.entries()) {
      const target = new URL(url);
      target.hostname = address.includes(":") ? `[${address}]` : address;
      try {
        const response = await session.fetch(target.href, {
          method: "POST",
          body: bodyOf(request),
          headers: {
            ...ownedByCaller(request.headers),
            host: url.host,
            "accept-encoding": "identity",
            ...lengthOf(request),
          },
          redirect: "manual",
          decompress: false,
          signal: stop,
          ...(url.protocol === "https:"
            ? {
                // Otherwise an Alt-Svc header could, under a flag of Bun's, lead to another port.
                protocol: "http1.1" as const,
                tls: { rejectUnauthorized: true, ...(literal ? {} : { serverName: host }), ...ca },
              }
            : {}),
        });
        return await readAnswer(response, address);
      } catch (error) {
        // Nothing has been sent yet, so trying the next address does not repeat the request.
        if (stop.aborted || failureOf(error) !== "connect" || i === addresses.length - 1) throw error;
      }
    }
    throw new Stopped("dns", `${host} has no address.`);
  }

  async function resolve(host: string, stop: AbortSignal): Promise<string[]> {
    if (isLocalhost(host)) return ["127.0.0.1", "::1"];
    const found = await options.lookup(host, stop).catch((error: unknown) => {
      throw new Stopped("dns", `${host} was not found (${codeOf(error)}).`);
    });
    return found.map(({ address }) => address);
  }

  async function readAnswer(response: Response, address: string): Promise<Omit<Answered, "durationMs">> {
    const retryAfterSeconds = parseRetryAfter(response.headers.get("retry-after"), clock.now());
    return {
      kind: "answered",
      status: response.status,
      ...(retryAfterSeconds === null ? {} : { retryAfterSeconds }),
      bodyStart: await bodyStart(response, options.maxAnswerBytes ?? ANSWER_KEPT_BYTES, clock),
      headers: Object.fromEntries(
        keptHeaders.flatMap((name) => {
          const value = response.headers.get(name);
          return value === null ? [] : [[name, printable(value).slice(0, KEPT_HEADER_CHARS)]];
        }),
      ),
      address,
    };
  }

  return {
    async post(url, request) {
      const startedAt = performance.now();
      const timeout = new AbortController();
      const cancelTimer = clock.after(options.timeoutMs, () => timeout.abort());
      const stop = AbortSignal.any([timeout.signal, closing.signal, ...(request.signal ? [request.signal] : [])]);
      const failed = (reason: PostFailure, message: string): PostOutcome => ({
        kind: "failed",
        reason,
        message,
        durationMs: performance.now() - startedAt,
      });
      try {
        stop.throwIfAborted();
        const answered = await answer(new URL(checkWebhookUrl(url, policy)), request, stop);
        return { ...answered, durationMs: performance.now() - startedAt };
      } catch (error) {
        if (timeout.signal.aborted) return failed("timeout", `No answer within ${options.timeoutMs / 1000} s.`);
        if (stop.aborted) return failed("aborted", "The attempt was stopped on our side.");
        if (error instanceof Stopped) return failed(error.reason, error.message);
        if (error instanceof Failure)
          return failed("forbidden_address", (error.details.errors ?? []).map((e) => e.message).join(" "));
        const reason = failureOf(error);
        return failed(reason, `${explanations[reason]} (${codeOf(error)}).`);
      } finally {
        cancelTimer();
      }
    },
    close() {
      closing.abort();
      session.close();
    },
  };
}

function bodyOf({ body }: PostRequest): string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> {
  if (typeof body === "string" || body instanceof Uint8Array) return body as string | Uint8Array<ArrayBuffer>;
  return streamOf(body.pieces(), body.turn, () => {});
}

/** The length of a body in pieces. Without it, Bun would send the body in chunks, which few endpoints expect. */
function lengthOf({ body }: PostRequest): Record<string, string> {
  return typeof body === "string" || body instanceof Uint8Array ? {} : { "content-length": String(body.bytes) };
}

type Answered = Extract<PostOutcome, { kind: "answered" }>;

/** @throws Stopped without naming an address: what a name resolves to inside our network is private. */
function permitted(host: string, addresses: string[], policy: UrlPolicy): string[] {
  if (addresses.length === 0) throw new Stopped("dns", `${host} has no address.`);
  const reasons = new Set<string>();
  const good = addresses.filter((address) => {
    const reason = forbiddenReason(address, policy);
    if (reason) reasons.add(reason);
    return !reason;
  });
  if (good.length === 0) throw new Stopped("forbidden_address", `${host} is ${[...reasons].join(", ")}.`);
  return good.slice(0, ADDRESSES_TRIED_MAX).map((address) => literalAddress(address) ?? address);
}

function untilStopped<T>(promise: Promise<T>, stop: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stopped = () => reject(stop.reason);
    stop.addEventListener("abort", stopped, { once: true });
    promise.then(resolve, reject).finally(() => stop.removeEventListener("abort", stopped));
  });
}

function ownedByCaller(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !ownHeaders.has(name.toLowerCase())));
}

/** The beginning of a response body as text; "" if it is empty, compressed, or late. */
async function bodyStart(response: Response, keptBytes: number, clock: Clock): Promise<string> {
  const reader = response.body?.getReader();
  if (!reader) return "";
  const decoder = new TextDecoder();
  let [text, read] = ["", 0];
  // Cancelling closes the connection unless the body has ended, and ends a pending read.
  const cancel = () => void reader.cancel().catch(() => {});
  const cancelTimer = clock.after(BODY_WAIT_MS, cancel);
  try {
    while (read < ANSWER_READ_BYTES) {
      const { done, value } = await reader.read();
      if (done) break;
      if (read < keptBytes) text += decoder.decode(value.subarray(0, keptBytes - read), { stream: true });
      read += value.length;
    }
  } catch {
    // A body that breaks off does not change the status.
  } finally {
    cancelTimer();
    cancel();
  }
  const encoding = response.headers.get("content-encoding") ?? "identity";
  return encoding === "identity" ? printable(text) : "";
}

/** Removes control characters (C0 but tab and line feed, DEL, C1), which could steer a terminal or a log. */
function printable(text: string): string {
  return text.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, "");
}

/** Seconds to wait, from a number of seconds or an HTTP-date (RFC 9110 10.2.3), or null. A past date is 0. */
function parseRetryAfter(value: string | null, nowMs: number): number | null {
  if (value === null) return null;
  if (/^\d{1,10}$/.test(value)) return Number(value);
  const at = /^[A-Z][a-z]+, .* GMT$/.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(at) ? null : Math.max(0, Math.ceil((at - nowMs) / 1000));
}

const explanations: Record<PostFailure, string> = {
  dns: "The host was not found",
  forbidden_address: "The address is not permitted",
  connect: "No connection could be made",
  tls: "No trusted TLS connection could be made",
  timeout: "No answer came in time",
  reset: "The connection was closed before an answer came",
  protocol: "The request or the answer was not valid HTTP",
  aborted: "The attempt was stopped on our side",
};

/** Classifies the errors of Bun's fetch by their code. An unknown code is from the HTTP parser. */
function failureOf(error: unknown): PostFailure {
  const code = codeOf(error);
  if (
    /^(ECONNREFUSED|ENETUNREACH|EHOSTUNREACH|ENETDOWN|EHOSTDOWN|EADDRNOTAVAIL|EAFNOSUPPORT|EINVAL|EACCES|EPERM)$/.test(
      code,
    )
  )
    return "connect";
  if (/^(ECONNRESET|ECONNABORTED|EPIPE)$/.test(code)) return "reset";
  if (code === "ETIMEDOUT") return "timeout";
  if (/CERT|TLS|SSL|^EPROTO$|SIGNATURE|CRL|ISSUER|PATH_LENGTH|PURPOSE|HOSTNAME/.test(code)) return "tls";
  return "protocol";
}

function codeOf(error: unknown): string {
  const { code, name } = error as { code?: unknown; name?: unknown };
  return String(typeof code === "string" ? code : (name ?? "unknown"));
}
