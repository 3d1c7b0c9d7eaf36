/** A message while it arrives: kept in one piece, never beyond its limit, its line endings watched. */
import { Failure } from "../errors.ts";

/** Room taken at first. Most mail fits. */
const firstBytes = 16 * 1024;
/** The most a declared size is believed before any of it has arrived. */
const declaredBytesMax = 1024 * 1024;
/**
 * RFC 5321 4.5.3.1.6 asks for 1,000 octets a line and for no upper bound where possible. Mail with a whole
 * page or an attachment on one line exists and is taken; this is where a line stops being a line.
 */
const lineBytesMax = 1024 * 1024;

const cr = 13;
const lf = 10;

/** Collects DATA, dots already removed. Each byte is copied once, and once more each time the room doubles. */
export class MessageBuffer {
  private bytes: Uint8Array;
  private length = 0;
  private tooLarge = false;
  private defect: string | null = null;
  private afterCr = false;
  private lineBytes = 0;

  /** @param declaredBytes The SIZE of MAIL FROM, or 0: a hint, not a promise. */
  constructor(
    private readonly maxBytes: number,
    declaredBytes = 0,
  ) {
    this.bytes = new Uint8Array(Math.min(maxBytes, Math.max(firstBytes, Math.min(declaredBytes, declaredBytesMax))));
  }

  append(chunk: Uint8Array): void {
    if (this.tooLarge) return;
    if (this.length + chunk.length > this.maxBytes) {
      this.tooLarge = true;
      this.bytes = new Uint8Array(0);
      return;
    }
    if (this.defect === null) this.inspect(chunk);
    this.makeRoom(chunk.length);
    this.bytes.set(chunk, this.length);
    this.length += chunk.length;
  }

  /**
   * The whole message, a view: its buffer may be up to twice as long. Throws Failure `too_large`, or `message_malformed` for a CR or LF outside a CRLF: a server that
   * takes one for a line ending sees other messages than one that does not (RFC 5321 2.3.8; "SMTP smuggling").
   */
  finish(): Uint8Array {
    if (this.tooLarge) throw new Failure("too_large", `The message is larger than ${this.maxBytes} bytes`);
    if (this.afterCr) this.defect = bareLineEnding;
    if (this.defect !== null) throw new Failure("message_malformed", this.defect);
    return this.bytes.subarray(0, this.length);
  }

  private makeRoom(more: number): void {
    const needed = this.length + more;
    if (needed <= this.bytes.length) return;
    const larger = new Uint8Array(Math.min(this.maxBytes, Math.max(needed, this.bytes.length * 2)));
    larger.set(this.bytes.subarray(0, this.length));
    this.bytes = larger;
  }

  private inspect(chunk: Uint8Array): void {
    let at = 0;
    if (this.afterCr && chunk.length > 0) {
      this.afterCr = false;
      if (chunk[0] !== lf) this.defect = bareLineEnding;
      this.lineBytes = 0;
      at = 1;
    }
    while (this.defect === null && at < chunk.length) {
      const nextCr = chunk.indexOf(cr, at);
      const nextLf = chunk.indexOf(lf, at);
      const end = nextCr === -1 ? chunk.length : nextCr;
      this.lineBytes += end - at;
      this.afterCr = nextCr === chunk.length - 1;
      if (nextLf !== (nextCr === -1 || this.afterCr ? -1 : nextCr + 1)) this.defect = bareLineEnding;
      else if (this.lineBytes > lineBytesMax) this.defect = `A line is longer than ${lineBytesMax} bytes`;
      if (nextLf !== -1) this.lineBytes = 0;
      at = end + 2;
    }
  }
}

const bareLineEnding = "Lines must end with CR LF: the message has a CR or a LF alone";
