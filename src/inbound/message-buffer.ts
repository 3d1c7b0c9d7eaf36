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

/** The memory that all messages on their way in may take together. */
export class ByteBudget {
  private taken = 0;

  constructor(private readonly maxBytes: number) {}

  take(bytes: number): boolean {
    if (this.taken + bytes > this.maxBytes) return false;
    this.taken += bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.taken -= bytes;
  }
}

const noBytes = new Uint8Array(0);

/** Collects DATA, dots already removed. Each byte is copied once, and once more each time the room doubles. */
export class MessageBuffer {
  private bytes = noBytes;
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
    this.resize(Math.min(maxBytes, Math.max(firstBytes, Math.min(declaredBytes, declaredBytesMax))));
  }

  append(chunk: Uint8Array): void {
    if (this.excess === null && this.length + chunk.length > this.maxBytes) this.excess = "message";
    if (this.excess === null && this.defect === null) this.inspect(chunk);
    if (this.excess === null) this.makeRoom(chunk.length);
    // What cannot be kept is read to its end all the same: the client hears the reply only then.
    if (this.excess !== null) {
      this.release();
      return;
    }
    this.bytes.set(chunk, this.length);
    this.length += chunk.length;
  }

  /** Gives the memory back. To be called once the message is stored, refused or abandoned. */
  release(): void {
    this.budget.giveBack(this.bytes.length);
    this.bytes = noBytes;
  }

  /**
   * The whole message, a view: its buffer may be up to twice as long. Throws Failure `too_large`, or `message_malformed` for a CR or LF outside a CRLF: a server that
   * takes one for a line ending sees other messages than one that does not (RFC 5321 2.3.8; "SMTP smuggling").
   */
  finish(): Uint8Array {
    if (this.excess === "message") throw new Failure("too_large", `The message is larger than ${this.maxBytes} bytes`);
    if (this.excess === "server")
      throw new Failure("overloaded", "Too much mail is on its way in at the moment; try again later");
    if (this.afterCr) this.defect = bareLineEnding;
    if (this.defect !== null) throw new Failure("message_malformed", this.defect);
    return this.bytes.subarray(0, this.length);
  }

  private makeRoom(more: number): void {
    const needed = this.length + more;
    if (needed > this.bytes.length) this.resize(Math.min(this.maxBytes, Math.max(needed, this.bytes.length * 2)));
  }

  private resize(bytes: number): void {
    if (!this.budget.take(bytes - this.bytes.length)) {
      this.excess = "server";
      return;
    }
    const larger = new Uint8Array(bytes);
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
