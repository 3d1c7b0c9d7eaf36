/** `listen --forward`: POSTs each message. */
import { version } from "../../util/version.ts";
import { usageError } from "../connect/failure.ts";
import type { MessageDetail } from "../connect/shapes.ts";
import { plain } from "../terminal/output.ts";
import { NotTaken, type Target } from "./target.ts";

export interface UrlOptions {
  url: URL;
  /** Sent as `Authorization: Bearer`. */
  token: string | undefined;
  /** How long one answer may take. */
  timeoutMs: number;
}

/** Makes a target that gets the whole message as JSON, and its signed headers as HTTP headers. Any 2xx takes it. */
export function urlTarget(options: UrlOptions): Target {
  return {
    name: shownUrl(options.url),
    async take(message) {
      const response = await postTo(options, message, message);
      // The body is not used, and may be long.
      await response.body?.cancel().catch(() => {});
      return undefined;
    },
  };
}

/** Reads the URL of a target. Throws a usage error if it is not http or https. */
export function targetUrl(text: string): URL {
  const url = URL.parse(text);
  if (url && ["http:", "https:"].includes(url.protocol)) return url;
  throw usageError(`"${text}" is not a URL to forward to.`, "Give it whole, for example http://127.0.0.1:3000/mail.");
}

/** The URL without parts that may be secret: user, password, query. */
export function shownUrl({ origin, pathname }: URL): string {
  return origin + pathname;
}

/** Characters of an answer that are shown: as much as fits a line or two. */
const SAID_CHARS_MAX = 200;
/** Bytes of a refusal that are read to find its text. */
const REFUSAL_BYTES_MAX = 4 * 1024;
/** The longest pause that an endpoint can ask for with Retry-After. */
const RETRY_AFTER_MAX_MS = 3_600_000;

/** POSTs `body` with the signed headers of `message`. Returns a 2xx answer; throws NotTaken for any other. */
export async function postTo({ url, token, timeoutMs }: UrlOptions, body: unknown, message: MessageDetail) {
  const signed = Object.entries(message.auth_headers).filter(([name]) => /^x-e2a-auth-/i.test(name));
  const response = await reaching(url, timeoutMs, () =>
    fetch(url, {
      method: "POST",
      headers: {
        ...Object.fromEntries(signed),
        "content-type": "application/json",
        "user-agent": `e2a/${version}`,
        ...(token ? { authorization: `Bearer ${token}` } : {}),
      },
      body: JSON.stringify(body),
      redirect: "manual",
      signal: AbortSignal.timeout(timeoutMs),
    }),
  );
  if (response.ok) return response;
  throw await refusal(url, response);
}

/** Reads the answer's body as text. Throws NotTaken if it is too long, breaks off or takes too long. */
export async function readText(url: URL, response: Response, bytesMax: number, timeoutMs: number): Promise<string> {
  const text = await reaching(url, timeoutMs, () => firstText(response, bytesMax));
  if (text === null) throw new NotTaken(`${shownUrl(url)} answered more than ${bytesMax / 1_000_000} MB`);
  return text;
}

/** The body as text; null if it is longer than `bytesMax`. */
async function firstText(response: Response, bytesMax: number): Promise<string | null> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > bytesMax) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

async function refusal(url: URL, response: Response): Promise<NotTaken> {
  const { status, headers } = response;
  const location = headers.get("location");
  if (status >= 300 && status < 400 && location) {
    await response.body?.cancel().catch(() => {});
    return new NotTaken(`${shownUrl(url)} redirects to ${plain(location)}, which is not followed`);
  }
  const text = await firstText(response, REFUSAL_BYTES_MAX).catch(() => null);
  const words = plain(text ?? "").trim();
  const said = words ? `: ${words.slice(0, SAID_CHARS_MAX)}` : "";
  const waitMs = retryAfterMs(headers.get("retry-after"), Date.now());
  return new NotTaken(`${shownUrl(url)} answered ${status}${said}`, status === 429 || waitMs !== undefined, waitMs);
}

/** Reads `Retry-After`, seconds or a date (RFC 9110 10.2.3), as milliseconds from now; undefined if there is none. */
export function retryAfterMs(header: string | null, nowMs: number): number | undefined {
  if (header === null) return undefined;
  const waitMs = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - nowMs;
  return Number.isNaN(waitMs) ? undefined : Math.min(Math.max(0, waitMs), RETRY_AFTER_MAX_MS);
}

/** Errors before anything was sent to the target, so the message cannot be the cause. */
const unreached = new Set([
  ...["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "ENETUNREACH", "EHOSTUNREACH", "ETIMEDOUT", "ENETDOWN"],
]);

/** Runs one step of an exchange, and turns a broken connection into NotTaken. */
async function reaching<T>(url: URL, timeoutMs: number, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (cause) {
    const { code, name, message } = cause as { code?: string; name?: string; message?: string };
    if (name === "TimeoutError") throw new NotTaken(`${shownUrl(url)} did not answer within ${timeoutMs / 1000} s`);
    const isAway = unreached.has(code ?? "");
    throw new NotTaken(`${shownUrl(url)} ${isAway ? "cannot be reached" : "broke off"} (${code ?? message})`, isAway);
  }
}
