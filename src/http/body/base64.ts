/** Base64 in JSON (RFC 4648 4): read and written in pieces, so that no piece of work grows with the file. */

/** Bytes that stand as base64 in JSON, in a request or in an answer. */
export class Base64Bytes {
  constructor(readonly bytes: Uint8Array) {}

  toJSON(): string {
    const { buffer, byteOffset, byteLength } = this.bytes;
    return Buffer.from(buffer, byteOffset, byteLength).toString("base64");
  }
}

/** Lines of base64 are 76 characters long, or 64 (RFC 2045 6.8, RFC 7468 2); taking out breaks costs time for each. */
const LINE_CHARS_MIN = 16;
/** What is decoded is moved to more memory below this, and has all the memory that it can take beyond. */
const COPIED_BYTES_MAX = 1024 * 1024;
/** In lines of any length. */
const BREAKS_FREE = 1_000;

/**
 * Decodes base64 that comes in pieces of any length, with line breaks allowed (RFC 2045 6.8). Bits that stand for no
 * byte may be anything.
 */
export class Base64Reader {
  /** @param charsMax About as many characters as can come at most: memory for large ones is asked for once. */
  constructor(private readonly charsMax = 0) {}

  private bytes: Uint8Array = new Uint8Array();
  private byteCount = 0;
  private charCount = 0;
  private padding = 0;
  /** Characters of a group of four that is not complete. */
  private rest = "";
  private isWrong = false;

  push(text: string): void {
    this.charCount += text.length;
    if (this.isWrong || text === "") return;
    if (this.padding > 0) {
      if (/[^\r\n]/.test(text)) this.refuse();
      return;
    }
    if (/[^A-Za-z0-9+/=\r\n]/.test(text)) {
      this.refuse();
      return;
    }
    const given = this.rest + text;
    this.grow(Math.ceil((given.length * 3) / 4));
    try {
      const room = this.bytes.subarray(this.byteCount);
      const { read, written } = room.setFromBase64(given, { lastChunkHandling: "stop-before-partial" });
      this.byteCount += written;
      this.rest = given.slice(read).replace(/[\r\n]+/g, "");
      this.padding = read === 0 || !given.includes("=") ? 0 : paddingOf(given.slice(0, read));
    } catch {
      this.refuse();
    }
  }

  /** The bytes; null when it was not base64, or in lines of fewer than 16 characters. */
  end(): Uint8Array | null {
    const breaksMax = BREAKS_FREE + 2 * Math.ceil(this.charCount / LINE_CHARS_MIN);
    const breaks = this.charCount - ((this.byteCount + this.padding) / 3) * 4;
    if (this.isWrong || this.rest !== "" || breaks > breaksMax) return null;
    return this.bytes.subarray(0, this.byteCount);
  }

  private grow(by: number): void {
    const needed = this.byteCount + by;
    if (needed <= this.bytes.length) return;
    const doubled = Math.max(needed, 2 * this.bytes.length);
    const whole = Math.ceil((this.charsMax * 3) / 4);
    // Not cleared: what is never written to costs no memory.
    const larger = Buffer.allocUnsafeSlow(doubled < COPIED_BYTES_MAX ? doubled : Math.max(doubled, whole));
    larger.set(this.bytes.subarray(0, this.byteCount));
    this.bytes = larger;
  }

  private refuse(): void {
    this.isWrong = true;
    this.bytes = new Uint8Array();
    this.byteCount = 0;
    this.rest = "";
  }
}

/** How many `=` base64 has; it ends in them, with breaks between them. */
function paddingOf(text: string): number {
  const first = text.indexOf("=");
  return first < 0 ? 0 : text.slice(first).replace(/[\r\n]+/g, "").length;
}

/** The bytes of base64 that is there as a whole; null as of `Base64Reader`. */
export function decodeBase64(data: string | Base64Bytes): Uint8Array | null {
  if (data instanceof Base64Bytes) return data.bytes;
  const reader = new Base64Reader();
  reader.push(data);
  return reader.end();
}
