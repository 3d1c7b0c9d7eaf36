/** Request bodies: how they are read, and how much memory they may take together. */
import type { Clock } from "../../util/clock.ts";
import { Failure } from "../../util/errors.ts";
import { Tally } from "../../util/tally.ts";
import { JsonShape } from "./json-shape.ts";

/**
 * Copies of each body byte in memory until the request is answered: as received, as text, as the parsed value, decoded,
 * and in the message that is made of it.
 */
const BODY_COPIES = 5;
/** The share of the memory that is reserved for small bodies, so that large sends do not lock out small ones. */
const SMALL_SHARE = 0.25;
/** The largest small body, which is also the limit of routes without attachments. */
export const SMALL_BODY_BYTES_MAX = 256 * 1024;
/**
 * The share of either part that one key, session or address may take, and that an account may take in total, because it
 * can make any number of keys.
 */
const CALLER_SHARE = 0.5;
const ACCOUNT_SHARE = 0.75;
const RETRY_AFTER_SECONDS = 2;

/** The holders of the memory: the key, session or address of a request, and its account, if it has one. */
export interface BodyCaller {
  readonly id: string;
  readonly account: string | null;
}

/** The memory that all request bodies may take together, and the share of each caller and account. */
export class BodyBudget {
  private readonly large: Account;
  private readonly small: Account;

  /** @param copies How many bytes of memory one byte costs. */
  constructor(maxBytes: number, copies = BODY_COPIES) {
    this.large = new Account(maxBytes * (1 - SMALL_SHARE), copies);
    this.small = new Account(maxBytes * SMALL_SHARE, copies);
  }

  /** Starts counting one request, which has taken nothing yet. */
  open({ id, account }: BodyCaller): BodyHold {
    const shares = new Map([[id, CALLER_SHARE]]);
    if (account !== null) shares.set(account, ACCOUNT_SHARE);
    return new BodyHold(this.small, this.large, shares);
  }

  /** Bytes taken by all requests in progress. */
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

/** The memory that one request has taken; `release` returns it. */
export class BodyHold {
  private bytes = 0;

  /** @param large Where a body is counted once it is no longer small. */
  constructor(
    private account: Account,
    private large: Account | null,
    private readonly shares: ReadonlyMap<string, number>,
  ) {}

  /** Raises the memory held to that of a body of `bodyBytes`. Failure `overloaded`, with Retry-After, if it is full. */
  reserve(bodyBytes: number): void {
    const more = this.checked(bodyBytes);
    if (more <= 0) return;
    this.count(more);
  }

  /** Adds the memory for so many further bytes. Fails as `reserve` does. */
  add(bytes: number): void {
    this.reserve(this.bytes / this.account.copies + bytes);
  }

  /** Fails as `reserve` does but takes nothing: an announced length costs no memory until the bytes arrive. */
  check(bodyBytes: number): void {
    this.checked(bodyBytes);
  }

  /**
   * Returns the memory that a body of `bodyBytes` needs beyond what is held. Moves the body to the account of its size.
   */
  private checked(bodyBytes: number): number {
    if (this.large && bodyBytes > SMALL_BODY_BYTES_MAX) {
      this.release();
      this.account = this.large;
      this.large = null;
    }
    const { account } = this;
    const more = bodyBytes * account.copies - this.bytes;
    if (more <= 0) return 0;
    // The largest allowed body always fits if it is the only one of its caller, of its account, or of all.
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

/** The time a body may take, and how fast it must arrive to get more time: at the rate of a slow line (512 kbit/s). */
const ARRIVAL_MS = 30_000;
const ARRIVAL_BYTES_PER_MS = 64;
/** How often the rate is checked: a stalled body keeps its memory no longer than this. */
const RATE_WINDOW_MS = 10_000;
/** Bytes processed in one turn: a millisecond or two. */
const PIECE_BYTES = 64 * 1024;

/** Receives a body piece by piece; an error that it throws ends the reading. It may keep the pieces. */
export interface BodyTaker {
  push(piece: Uint8Array): void;
}

export interface BodyOptions {
  bytesMax: number;
  /** Null if the body is already in memory and counted. */
  hold: BodyHold | null;
  clock: Clock;
  /** Resolves when there is time for another piece. */
  turn(): Promise<void>;
}

/**
 * Reads the whole body into `taker`, one piece per turn, and returns its length in bytes. Failures: `too_large` as soon
 * as it is known to exceed `bytesMax`, `overloaded` if there is no memory for it, `request_timeout` if it arrives too
 * slowly, and those of the taker.
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
      // Bytes that arrive meanwhile come as one chunk, however small their packets were.
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

/** Keeps a body as the bytes that came. */
export class WholeBody implements BodyTaker {
  private readonly pieces: Uint8Array[] = [];
  private readonly shape = new JsonShape();

  /** @param isJson Whether the shape of the JSON is checked while it arrives. */
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
