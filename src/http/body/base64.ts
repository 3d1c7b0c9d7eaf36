/** Base64 in JSON (RFC 4648 4), read in pieces, so that no single step of work grows with the file. */
import { Base64Bytes } from "../../util/pieces.ts";

/**
 * The shortest lines accepted, on average. Real lines have 76 or 64 characters (RFC 2045 6.8, RFC 7468 2), and removing
 * each break costs time.
 */
const LINE_CHARS_MIN = 16;
/**
 * Below this size, decoded bytes are copied to larger memory as they grow; beyond it, all the memory that they can need
 * is allocated at once.
 */
const COPIED_BYTES_MAX = 1024 * 1024;
/** Line breaks accepted in addition, whatever the length of the lines. */
const BREAKS_FREE = 1_000;

/**
 * Decodes base64 that comes in pieces of any length, with line breaks allowed (RFC 2045 6.8). The unused bits of the
 * last character may have any value.
 */
export class Base64Reader {
  /** @param charsMax About how many characters can come at most: memory for large files is allocated once. */
  constructor(private readonly charsMax = 0) {}

  private bytes: Uint8Array = new Uint8Array();
  private byteCount = 0;
  private charCount = 0;
  private padding = 0;
  /** Characters of an incomplete group of four. */
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

  /** The bytes; null if the text was not base64, or its lines had fewer than 16 characters. */
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
    // Not cleared: memory that is never written to costs nothing.
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

/** The number of `=` at the end of base64, which may have line breaks between them. */
function paddingOf(text: string): number {
  const first = text.indexOf("=");
  return first < 0 ? 0 : text.slice(first).replace(/[\r\n]+/g, "").length;
}

/** Decodes complete base64; null as with `Base64Reader`. */
export function decodeBase64(data: string | Base64Bytes): Uint8Array | null {
  if (data instanceof Base64Bytes) return data.bytes;
  const reader = new Base64Reader();
  reader.push(data);
  return reader.end();
}
