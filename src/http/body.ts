/** Request bodies: how much of them is in hand, how they are read, and what JSON may be like before it is parsed. */
import type { Clock } from "../clock.ts";
import { Failure } from "../errors.ts";

/**
 * Memory that a byte of a body costs until its answer is there: as it came, as text, as the parsed value, decoded, and as
 * the message that is made of it.
 */
const copies = 5;
/** Of all memory for bodies, what small ones have for themselves: large sends lock nobody out who sends a few lines. */
const smallShare = 0.25;
/** A body that is small; it is what routes without attachments take at most. */
export const SMALL_BODY_BYTES_MAX = 256 * 1024;
/** What one caller may take of either part. */
const callerShare = 0.5;
const RETRY_AFTER_SECONDS = 2;

/** The memory that all request bodies in hand may take together, and each caller's share of it. */
export class BodyBudget {
  private readonly large: Account;
  private readonly small: Account;

  constructor(maxBytes: number) {
    this.large = new Account(maxBytes * (1 - smallShare));
    this.small = new Account(maxBytes * smallShare);
  }

  /** What one request has taken so far: nothing. `mayGrow` for routes that take attachments. */
  open(caller: string, mayGrow: boolean): BodyHold {
    return new BodyHold(this.small, mayGrow ? this.large : null, caller);
  }

  /** Bytes taken by all requests in hand. */
  get taken(): number {
    return this.large.taken + this.small.taken;
  }
}

class Account {
  taken = 0;
  readonly byCaller = new Map<string, number>();

  constructor(readonly maxBytes: number) {}
}

/** What one request has taken; `release` gives it back. */
export class BodyHold {
  private bytes = 0;

  /** @param large What a body is counted in once it is not small any more. */
  constructor(
    private account: Account,
    private large: Account | null,
    private readonly caller: string,
  ) {}

  /** Raises what is held to a body of so many bytes. Failure `overloaded`, with Retry-After, when there is no room. */
  reserve(bodyBytes: number): void {
    const more = this.checked(bodyBytes);
    if (more <= 0) return;
    const { account, caller } = this;
    this.bytes += more;
    account.taken += more;
    account.byCaller.set(caller, (account.byCaller.get(caller) ?? 0) + more);
  }

  /** Fails as `reserve` does, and takes nothing: what a client announces costs no memory until it comes. */
  check(bodyBytes: number): void {
    this.checked(bodyBytes);
  }

  /** What a body of so many bytes would take beyond what it has. Moves to the account of its size. */
  private checked(bodyBytes: number): number {
    if (this.large && bodyBytes > SMALL_BODY_BYTES_MAX) {
      this.release();
      this.account = this.large;
      this.large = null;
    }
    const more = bodyBytes * copies - this.bytes;
    if (more <= 0) return 0;
    const { account, caller } = this;
    const ofCaller = account.byCaller.get(caller) ?? 0;
    // The largest body that is allowed always comes in when it is the only one: of the caller, and of all.
    const fits = account.taken + more <= account.maxBytes || account.taken === this.bytes;
    const fair = ofCaller + more <= account.maxBytes * callerShare || ofCaller === this.bytes;
    if (!fits || !fair)
      throw new Failure(
        "overloaded",
        fair ? "Too many large requests are in hand at the moment." : "Too many large requests of yours are in hand.",
        { fix: "Send them one after the other.", retryAfterSeconds: RETRY_AFTER_SECONDS },
      );
    return more;
  }

  release(): void {
    const { account, caller } = this;
    account.taken -= this.bytes;
    const rest = (account.byCaller.get(caller) ?? 0) - this.bytes;
    if (rest > 0) account.byCaller.set(caller, rest);
    else account.byCaller.delete(caller);
    this.bytes = 0;
  }
}

const emptyBody = new Uint8Array();
/** A body has this long, and longer as long as it keeps coming at the rate of a slow line (512 kbit/s). */
const ARRIVAL_MS = 30_000;
const ARRIVAL_BYTES_PER_MS = 64;
/** How often the rate is looked at: what stalls keeps its memory no longer than that. */
const RATE_WINDOW_MS = 10_000;

export interface BodyOptions {
  bytesMax: number;
  /** Null: it is in memory already, and counted. */
  hold: BodyHold | null;
  /** Whether it is JSON, whose shape is checked while it arrives. */
  isJson: boolean;
  clock: Clock;
}

/**
 * The whole body. Failures: `too_large` as soon as it is known to be beyond `bytesMax`, `overloaded` when there is no memory
 * for it, `request_timeout` when it comes too slowly, and those of `JsonShape`.
 */
export async function readBody(request: Request, options: BodyOptions): Promise<Uint8Array> {
  const { bytesMax, hold, clock } = options;
  const tooLarge = () =>
    new Failure("too_large", `The body has more than ${bytesMax} bytes, which is the most that this path takes.`, {
      fix: "Send less at once.",
    });
  if (!request.body) return emptyBody;
  const declared = Number(request.headers.get("content-length") ?? 0);
  if (declared > bytesMax) throw tooLarge();
  hold?.check(declared);
  const lengthMax = declared || bytesMax;
  const shape = options.isJson ? new JsonShape() : null;
  let body = emptyBody;
  let length = 0;
  const reader = (request.body as ReadableStream<Uint8Array>).getReader();
  let isLate = false;
  let cancelCheck = () => {};
  const checkAfter = (ms: number, before: number) => {
    cancelCheck = clock.after(ms, () => {
      if (length - before >= RATE_WINDOW_MS * ARRIVAL_BYTES_PER_MS) return checkAfter(RATE_WINDOW_MS, length);
      isLate = true;
      reader.cancel().catch(() => {});
    });
  };
  checkAfter(ARRIVAL_MS, 0);
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      const chunk = next.value;
      const needed = length + chunk.byteLength;
      if (needed > bytesMax) throw tooLarge();
      shape?.push(chunk);
      if (needed > body.byteLength) {
        const larger = new Uint8Array(Math.max(needed, Math.min(lengthMax, 2 * body.byteLength)));
        hold?.reserve(larger.byteLength);
        larger.set(body.subarray(0, length));
        body = larger;
      }
      body.set(chunk, length);
      length = needed;
    }
  } catch (error) {
    reader.cancel().catch(() => {});
    throw error;
  } finally {
    cancelCheck();
  }
  if (isLate)
    throw new Failure("request_timeout", "The body did not arrive in time.", {
      fix: "Send it at once, on a faster line.",
    });
  hold?.reserve(length);
  return body.subarray(0, length);
}

/** Our own schemas are four levels deep; a parser's stack, and its time for a level, are not. */
const JSON_DEPTH_MAX = 32;
/** Values in all: a hundred attachments and a thousand recipients are some thousands. */
const JSON_VALUES_MAX = 20_000;
/** Outside of strings: numbers, brackets and white space of a body with so many values. */
const JSON_BARE_BYTES_MAX = 512 * 1024;

const quote = 0x22;
const backslash = 0x5c;

/**
 * Bounds what parsing a JSON text can cost, before it is parsed: one pass over its bytes, piece by piece. It takes no
 * notice of whether the text is JSON. Failure `invalid_request` names the limit.
 */
export class JsonShape {
  private depth = 0;
  private values = 0;
  private bareBytes = 0;
  private inString = false;
  /** Whether the piece before ended in a backslash that takes the next byte with it. */
  private isEscaping = false;

  push(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) at = this.inString ? this.skipString(bytes, at) : this.takeBare(bytes, at);
  }

  /** The place behind the string, or the end of the piece. */
  private skipString(bytes: Uint8Array, start: number): number {
    let from = this.isEscaping ? start + 1 : start;
    this.isEscaping = false;
    for (;;) {
      const found = bytes.indexOf(quote, from);
      const end = found < 0 ? bytes.length : found;
      let backslashes = 0;
      while (end - 1 - backslashes >= from && bytes[end - 1 - backslashes] === backslash) backslashes++;
      const isEscaped = backslashes % 2 === 1;
      if (found < 0) {
        this.isEscaping = isEscaped;
        return bytes.length;
      }
      if (!isEscaped) {
        this.inString = false;
        return found + 1;
      }
      from = found + 1;
    }
  }

  /** The place behind the next quote, or the end of the piece. */
  private takeBare(bytes: Uint8Array, start: number): number {
    const found = bytes.indexOf(quote, start);
    const end = found < 0 ? bytes.length : found;
    this.bareBytes += end - start;
    if (this.bareBytes > JSON_BARE_BYTES_MAX)
      throw wrongShape(`has more than ${JSON_BARE_BYTES_MAX} bytes outside of strings`);
    for (let at = start; at < end; at++) {
      const byte = bytes[at];
      // [ and {, then ] and }
      if (byte === 0x5b || byte === 0x7b) {
        this.depth++;
        this.values++;
      } else if (byte === 0x5d || byte === 0x7d) this.depth--;
      else if (byte === 0x2c) this.values++;
      if (this.depth > JSON_DEPTH_MAX) throw wrongShape(`is nested deeper than ${JSON_DEPTH_MAX} levels`);
      if (this.values > JSON_VALUES_MAX) throw wrongShape(`has more than ${JSON_VALUES_MAX} values`);
    }
    if (found < 0) return end;
    this.inString = true;
    return found + 1;
  }
}

function wrongShape(what: string): Failure {
  return new Failure("invalid_request", `The body ${what}.`, {
    errors: [{ field: "body", message: what }],
    fix: "Send what the route asks for, and nothing else.",
  });
}
