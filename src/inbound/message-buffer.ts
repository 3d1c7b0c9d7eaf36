/** A message while it arrives: kept in pieces, never beyond its limit, its line endings watched. */
import type { Clock } from "../util/clock.ts";
import { Failure } from "../util/errors.ts";

/** Room taken at first. Most mail fits. */
const FIRST_BYTES = 16 * 1024;
/** The most that is taken at once, whatever size was declared. */
const PIECE_BYTES_MAX = 1024 * 1024;
/** A message exists as it came and, from its examination to the end of its transaction, as it is stored. */
const COPIES = 2;
/**
 * RFC 5321 4.5.3.1.6 asks for 1,000 octets a line and for no upper bound where possible. Mail with a whole
 * page or an attachment on one line exists and is taken; this is where a line stops being a line.
 */
const LINE_BYTES_MAX = 1024 * 1024;

const CR = 13;
const LF = 10;

/** Share of the budget for one client's messages, unless it has only one. */
const CLIENT_SHARE = 1 / 2;
/** A message slower than a slow line (512 kbit/s) loses its memory to messages that find none. */
const SLOW_BYTES_PER_MS = 64;
/** How long the rate of a message is measured. */
const RATE_WINDOW_MS = 10_000;

/** A message that holds memory. */
interface Holder {
  /** Its client, as `limitKey` counts them. */
  readonly client: string;
  /** Bytes of all its pieces. */
  readonly room: number;
  /** Whether it arrives so slowly that it has to make room for others. */
  isTooSlow(now: number): boolean;
  /** Releases its memory. Its client gets 452 at the end of the message. */
  giveUp(): void;
}

/**
 * The memory that all messages on their way in may take together, in all their COPIES here. What the children that
 * examine them take is bounded by the pool.
 *
 * A client has a share of the memory, so that no client fills it alone. A message that arrives slowly loses its memory
 * when another message finds none, so that a client that sends a lot and then falls silent keeps nobody out.
 */
export class ByteBudget {
  private taken = 0;
  private readonly byClient = new Map<string, number>();
  /** Messages whose end has not arrived. */
  private readonly arriving = new Set<Holder>();
  /** Pieces to be used again: freed memory is collected late, and a burst would have it twice. */
  private spare: Uint8Array[] = [];

  constructor(
    private readonly maxBytes: number,
    readonly clock: Clock,
  ) {}

  /** Whether a message of this size would find room now. 0 is an unknown size, and finds room. */
  hasRoom(messageBytes: number, client: string): boolean {
    return messageBytes === 0 || this.makeRoom(messageBytes * COPIES, client, null);
  }

  /**
   * A piece of a message; null when there is no room. The only message in hand may exceed the budget, and a client's
   * only message the share, so that the largest message that is allowed always comes in.
   */
  take(bytes: number, message: Holder): Uint8Array | null {
    const more = bytes * COPIES;
    if (!this.makeRoom(more, message.client, message)) return null;
    this.arriving.add(message);
    this.count(more, message.client);
    return (bytes === PIECE_BYTES_MAX && this.spare.pop()) || new Uint8Array(bytes);
  }

  /** The end of the message has arrived: from now on it keeps its memory until `giveBack`. */
  arrived(message: Holder): void {
    this.arriving.delete(message);
  }

  giveBack(pieces: readonly Uint8Array[], message: Holder): void {
    this.arriving.delete(message);
    for (const piece of pieces) {
      this.count(-piece.length * COPIES, message.client);
      if (piece.length === PIECE_BYTES_MAX) this.spare.push(piece);
    }
    if (this.taken === 0) this.spare = [];
  }

  private count(more: number, client: string): void {
    this.taken += more;
    const ofClient = (this.byClient.get(client) ?? 0) + more;
    if (ofClient > 0) this.byClient.set(client, ofClient);
    else this.byClient.delete(client);
  }

  /** Gives up slow messages, the largest first, until there is room. Returns whether there is. */
  private makeRoom(more: number, client: string, message: Holder | null): boolean {
    const own = (message?.room ?? 0) * COPIES;
    const ofClient = () => this.byClient.get(client) ?? 0;
    const isFair = () => ofClient() + more <= this.maxBytes * CLIENT_SHARE || ofClient() === own;
    const fits = () => this.taken + more <= this.maxBytes || this.taken === own;
    if (fits() && isFair()) return true;
    const now = this.clock.elapsed();
    const slow = [...this.arriving].filter((other) => other !== message && other.isTooSlow(now));
    for (const other of slow.sort((a, b) => b.room - a.room)) {
      if (fits() && (isFair() || other.client !== client)) continue;
      other.giveUp();
    }
    return fits() && isFair();
  }
}

/** What all connections together may hand over in one turn of the event loop: a millisecond or two. */
const TURN_BYTES_MAX = 1024 * 1024;

/** Sources that go on in one turn; each hands over a buffer of 64 KiB or so. */
const RESUMED_AT_ONCE = 4;

/** A source that can be told to wait. */
interface Pausable {
  pause(): unknown;
  resume(): unknown;
}

/**
 * Keeps mail on its way in from holding up everything else: what all connections hand over in one turn of the event
 * loop is bounded, and whoever comes when that is used up goes on in the next one, in the order of coming.
 */
export class IntakeScheduler {
  private taken = 0;
  private isScheduled = false;
  private readonly waiting: Pausable[] = [];

  /** Counts what a source has just handed over, and pauses it when the turn is used up. */
  took(bytes: number, source: Pausable): void {
    this.taken += bytes;
    if (this.taken >= TURN_BYTES_MAX) {
      source.pause();
      this.waiting.push(source);
    }
    this.schedule();
  }

  private schedule(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    setImmediate(() => {
      this.isScheduled = false;
      this.taken = 0;
      for (const source of this.waiting.splice(0, RESUMED_AT_ONCE)) source.resume();
      if (this.waiting.length > 0) this.schedule();
    });
  }
}

/** Collects DATA, dots already removed. Each byte is copied once. */
export class MessageBuffer implements Holder {
  /** Full, but for the last one. */
  private pieces: Uint8Array[] = [];
  room = 0;
  private length = 0;
  private excess: "message" | "server" | null = null;
  private defect: string | null = null;
  private afterCr = false;
  private lineBytes = 0;
  /** Start of the current measurement, the bytes since then, and whether the previous measurement was slow. */
  private measuredFrom: number;
  private measuredBytes = 0;
  private wasSlow = false;

  /** @param declaredBytes The SIZE of MAIL FROM, or 0: a hint, not a promise. */
  constructor(
    private readonly maxBytes: number,
    private readonly budget: ByteBudget,
    readonly client: string,
    declaredBytes = 0,
  ) {
    this.measuredFrom = budget.clock.elapsed();
    this.grow(Math.max(FIRST_BYTES, declaredBytes));
  }

  append(chunk: Uint8Array): void {
    this.measure(chunk.length);
    if (this.excess === null && this.length + chunk.length > this.maxBytes) this.excess = "message";
    if (this.excess === null && this.defect === null) this.inspect(chunk);
    for (let at = 0; this.excess === null && at < chunk.length; ) {
      if (this.length === this.room) this.grow(this.room);
      const piece = this.pieces.at(-1);
      if (this.excess !== null || !piece) break;
      const part = chunk.subarray(at, at + this.room - this.length);
      piece.set(part, piece.length - (this.room - this.length));
      this.length += part.length;
      at += part.length;
    }
    // What cannot be kept is read to its end all the same: the client hears the reply only then.
    if (this.excess !== null) this.release();
  }

  /** Gives the memory back. To be called once the message is stored, refused or abandoned; its pieces are used again. */
  release(): void {
    this.budget.giveBack(this.pieces, this);
    this.pieces = [];
    this.room = 0;
    this.length = 0;
  }

  /**
   * The whole message in pieces, valid until `release`. Throws Failure `too_large`, `overloaded`, or
   * `message_malformed` for a CR or LF outside a CRLF: a server that takes one for a line ending sees other messages
   * than one that does not (RFC 5321 2.3.8; "SMTP smuggling").
   */
  finish(): Uint8Array[] {
    this.budget.arrived(this);
    if (this.excess === "message") throw new Failure("too_large", `The message is larger than ${this.maxBytes} bytes`);
    if (this.excess === "server") throw overloaded();
    if (this.afterCr) this.defect = bareLineEnding;
    if (this.defect !== null) throw new Failure("message_malformed", this.defect);
    const unused = this.room - this.length;
    return this.pieces.map((piece, i) =>
      i === this.pieces.length - 1 ? piece.subarray(0, piece.length - unused) : piece,
    );
  }

  isTooSlow(now: number): boolean {
    return this.wasSlow || this.isSlow(now);
  }

  giveUp(): void {
    this.excess = "server";
    this.release();
  }

  private measure(bytes: number): void {
    const now = this.budget.clock.elapsed();
    if (now - this.measuredFrom >= RATE_WINDOW_MS) {
      this.wasSlow = this.isSlow(now);
      this.measuredFrom = now;
      this.measuredBytes = 0;
    }
    this.measuredBytes += bytes;
  }

  private isSlow(now: number): boolean {
    const elapsedMs = now - this.measuredFrom;
    return elapsedMs >= RATE_WINDOW_MS && this.measuredBytes < elapsedMs * SLOW_BYTES_PER_MS;
  }

  private grow(wanted: number): void {
    const bytes = Math.min(wanted, PIECE_BYTES_MAX, this.maxBytes - this.room);
    const piece = this.budget.take(bytes, this);
    if (piece === null) {
      this.excess = "server";
      return;
    }
    this.pieces.push(piece);
    this.room += bytes;
  }

  private inspect(chunk: Uint8Array): void {
    let at = 0;
    if (this.afterCr && chunk.length > 0) {
      this.afterCr = false;
      if (chunk[0] !== LF) this.defect = bareLineEnding;
      this.lineBytes = 0;
      at = 1;
    }
    while (this.defect === null && at < chunk.length) {
      const nextCr = chunk.indexOf(CR, at);
      const nextLf = chunk.indexOf(LF, at);
      const end = nextCr === -1 ? chunk.length : nextCr;
      this.lineBytes += end - at;
      this.afterCr = nextCr === chunk.length - 1;
      if (nextLf !== (nextCr === -1 || this.afterCr ? -1 : nextCr + 1)) this.defect = bareLineEnding;
      else if (this.lineBytes > LINE_BYTES_MAX) this.defect = `A line is longer than ${LINE_BYTES_MAX} bytes`;
      if (nextLf !== -1) this.lineBytes = 0;
      at = end + 2;
    }
  }
}

const bareLineEnding = "Lines must end with CR LF: the message has a CR or a LF alone";

export function overloaded(): Failure {
  return new Failure("overloaded", "Too much mail is on its way in at the moment; try again later");
}
