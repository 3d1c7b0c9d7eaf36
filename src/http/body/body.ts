/** Request bodies: how much of them is in hand, and how they are read. */
import type { Clock } from "../../util/clock.ts";
import { Failure } from "../../util/errors.ts";
import { Tally } from "../../util/tally.ts";
import { JsonShape } from "./json-shape.ts";

/**
 * Memory that a byte of a body costs until its answer is there: as it came, as text, as the parsed value, decoded, and as
 * the message that is made of it.
 */
const BODY_COPIES = 5;
/** Of all memory for bodies, what small ones have for themselves: large sends lock nobody out who sends a few lines. */
const SMALL_SHARE = 0.25;
/** A body that is small; it is what routes without attachments take at most. */
export const SMALL_BODY_BYTES_MAX = 256 * 1024;
/** What one key, session or address may take of either part, and all of an account together: keys cost nothing. */
const CALLER_SHARE = 0.5;
const ACCOUNT_SHARE = 0.75;
const RETRY_AFTER_SECONDS = 2;

/** Whose memory it is: by what a request is made, and the account, where that has one. */
export interface BodyCaller {
  readonly id: string;
  readonly account: string | null;
}

/** The memory that all request bodies in hand may take together, and each caller's and account's share of it. */
export class BodyBudget {
  private readonly large: Account;
  private readonly small: Account;

  /** @param copies Memory that a byte costs. */
  constructor(maxBytes: number, copies = BODY_COPIES) {
    this.large = new Account(maxBytes * (1 - SMALL_SHARE), copies);
    this.small = new Account(maxBytes * SMALL_SHARE, copies);
  }

  /** What one request has taken so far: nothing. `mayGrow` for routes that take attachments. */
  open({ id, account }: BodyCaller, mayGrow: boolean): BodyHold {
    const shares = new Map([[id, CALLER_SHARE]]);
    if (account !== null) shares.set(account, ACCOUNT_SHARE);
    return new BodyHold(this.small, mayGrow ? this.large : null, shares);
  }

  /** Bytes taken by all requests in hand. */
  get taken(): number {
    return this.large.taken + this.small.taken;
  }
}

class Account {
  taken = 0;
  readonly byCaller = new Tally();

  constructor(
    readonly maxBytes: number,
    readonly copies: number,
  ) {}
}

/** What one request has taken; `release` gives it back. */
export class BodyHold {
  private bytes = 0;

  /** @param large What a body is counted in once it is not small any more. */
  constructor(
    private account: Account,
    private large: Account | null,
    private readonly shares: ReadonlyMap<string, number>,
  ) {}

  /** Raises what is held to a body of so many bytes. Failure `overloaded`, with Retry-After, when there is no room. */
  reserve(bodyBytes: number): void {
    const more = this.checked(bodyBytes);
    if (more <= 0) return;
    this.count(more);
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
    const { account } = this;
    const more = bodyBytes * account.copies - this.bytes;
    if (more <= 0) return 0;
    // The largest body that is allowed always comes in when it is the only one: of the caller, of the account, and of all.
    const fits = account.taken + more <= account.maxBytes || account.taken === this.bytes;
    const fair = [...this.shares].every(([holder, share]) => {
      const held = account.byCaller.of(holder);
      return held + more <= account.maxBytes * share || held === this.bytes;
    });
    if (!fits || !fair)
      throw new Failure(
        "overloaded",
        fair ? "The server is busy with too many large requests." : "Too many of your large requests are in progress.",
        { fix: "Send them one after the other.", retryAfterSeconds: RETRY_AFTER_SECONDS },
      );
    return more;
  }

  release(): void {
    this.count(-this.bytes);
  }

  private count(more: number): void {
    const { account } = this;
    this.bytes += more;
    account.taken += more;
    for (const holder of this.shares.keys()) account.byCaller.add(holder, more);
  }
}

/** A body has this long, and longer as long as it keeps coming at the rate of a slow line (512 kbit/s). */
const ARRIVAL_MS = 30_000;
const ARRIVAL_BYTES_PER_MS = 64;
/** How often the rate is looked at: what stalls keeps its memory no longer than that. */
const RATE_WINDOW_MS = 10_000;
/** Looked at in one turn: a millisecond or two. */
const PIECE_BYTES = 64 * 1024;

/** Takes a body piece by piece; what it throws ends the reading. A piece is the taker's to keep. */
export interface BodyTaker {
  push(piece: Uint8Array): void;
}

export interface BodyOptions {
  bytesMax: number;
  /** Null: it is in memory already, and counted. */
  hold: BodyHold | null;
  clock: Clock;
  /** Resolves when there is time for another piece. */
  turn(): Promise<void>;
}

/**
 * Reads the whole body into `taker`, a piece a turn, and tells how many bytes it had. Failures: `too_large` as soon as it
 * is known to be beyond `bytesMax`, `overloaded` when there is no memory for it, `request_timeout` when it comes too slowly,
 * and those of the taker.
 */
export async function readBody(request: Request, taker: BodyTaker, options: BodyOptions): Promise<number> {
  const { bytesMax, hold, clock, turn } = options;
  const tooLarge = () =>
    new Failure("too_large", `The body has more than ${bytesMax} bytes, which is the most that this path takes.`, {
      fix: "Send less at once.",
    });
  if (!request.body) return 0;
  const declared = Number(request.headers.get("content-length") ?? 0);
  if (declared > bytesMax) throw tooLarge();
  hold?.check(declared);
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
      length += chunk.byteLength;
      if (length > bytesMax) throw tooLarge();
      hold?.reserve(length);
      for (let at = 0; at < chunk.byteLength; at += PIECE_BYTES) {
        if (at > 0) await turn();
        taker.push(chunk.subarray(at, at + PIECE_BYTES));
      }
      if (length === declared) continue;
      // What arrives meanwhile comes as one chunk, however small its pieces were on the line.
      await new Promise(setImmediate);
      await turn();
    }
  } catch (error) {
    reader.cancel().catch(() => {});
    throw error;
  } finally {
    cancelCheck();
  }
  if (isLate)
    throw new Failure("request_timeout", "The body did not arrive in time.", {
      fix: "Send the request again over a faster connection.",
    });
  return length;
}

/** A body as the bytes that came. */
export class WholeBody implements BodyTaker {
  private readonly pieces: Uint8Array[] = [];
  private readonly shape = new JsonShape();

  /** @param isJson Whether its shape is checked while it arrives. */
  constructor(private readonly isJson: boolean) {}

  push(piece: Uint8Array): void {
    if (this.isJson) this.shape.push(piece);
    this.pieces.push(piece);
  }

  get bytes(): Uint8Array {
    const [first, ...more] = this.pieces;
    if (!first) return emptyBody;
    return more.length === 0 ? first : Buffer.concat(this.pieces);
  }
}

const emptyBody = new Uint8Array();
