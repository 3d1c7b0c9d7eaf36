/** A message while it arrives: kept in pieces, never beyond its limit, its line endings watched. */
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

/**
 * The memory that all messages on their way in may take together, in all their COPIES here. What the children that
 * examine them take is bounded by the pool.
 */
export class ByteBudget {
  private taken = 0;
  /** Pieces to be used again: freed memory is collected late, and a burst would have it twice. */
  private spare: Uint8Array[] = [];

  constructor(private readonly maxBytes: number) {}

  /** Whether a message of this size would find room now. */
  hasRoom(messageBytes: number): boolean {
    return this.taken === 0 || this.taken + messageBytes * COPIES <= this.maxBytes;
  }

  /**
   * A piece of a message; null when there is no room.
   * @param held What the message has already: if nothing else is in hand, it may have more than its share, so that the
   * largest message that is allowed always comes in.
   */
  take(bytes: number, held: number): Uint8Array | null {
    const more = bytes * COPIES;
    if (this.taken + more > this.maxBytes && this.taken !== held * COPIES) return null;
    this.taken += more;
    return (bytes === PIECE_BYTES_MAX && this.spare.pop()) || new Uint8Array(bytes);
  }

  giveBack(pieces: readonly Uint8Array[]): void {
    for (const piece of pieces) {
      this.taken -= piece.length * COPIES;
      if (piece.length === PIECE_BYTES_MAX) this.spare.push(piece);
    }
    if (this.taken === 0) this.spare = [];
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
 * Keeps mail on its way in from holding up everything else: what all connections hand over in one turn of the event loop is
 * bounded, and whoever comes when that is used up goes on in the next one, in the order of coming.
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
export class MessageBuffer {
  /** Full, but for the last one. */
  private pieces: Uint8Array[] = [];
  /** Of all pieces. */
  private room = 0;
  private length = 0;
  private excess: "message" | "server" | null = null;
  private defect: string | null = null;
  private afterCr = false;
  private lineBytes = 0;

  /** @param declaredBytes The SIZE of MAIL FROM, or 0: a hint, not a promise. */
  constructor(
    private readonly maxBytes: number,
    private readonly budget: ByteBudget,
    declaredBytes = 0,
  ) {
    this.grow(Math.max(FIRST_BYTES, declaredBytes));
  }

  append(chunk: Uint8Array): void {
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
    this.budget.giveBack(this.pieces);
    this.pieces = [];
    this.room = 0;
    this.length = 0;
  }

  /**
   * The whole message in pieces, valid until `release`. Throws Failure `too_large`, `overloaded`, or `message_malformed`
   * for a CR or LF outside a CRLF: a server that takes one for a line ending sees other messages than one that does not
   * (RFC 5321 2.3.8; "SMTP smuggling").
   */
  finish(): Uint8Array[] {
    if (this.excess === "message") throw new Failure("too_large", `The message is larger than ${this.maxBytes} bytes`);
    if (this.excess === "server") throw overloaded();
    if (this.afterCr) this.defect = bareLineEnding;
    if (this.defect !== null) throw new Failure("message_malformed", this.defect);
    const unused = this.room - this.length;
    return this.pieces.map((piece, i) =>
      i === this.pieces.length - 1 ? piece.subarray(0, piece.length - unused) : piece,
    );
  }

  private grow(wanted: number): void {
    const bytes = Math.min(wanted, PIECE_BYTES_MAX, this.maxBytes - this.room);
    const piece = this.budget.take(bytes, this.room);
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
