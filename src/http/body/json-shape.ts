/** Limits on the shape of a JSON text, checked while it arrives, before it is parsed. */
import { Failure } from "../../util/errors.ts";

/** Our own schemas are four levels deep. A parser's stack is limited, and each level costs it time. */
const JSON_DEPTH_MAX = 32;
/** Values in total: a hundred attachments and a thousand recipients are some thousands. */
const JSON_VALUES_MAX = 20_000;
/** Bytes outside strings: numbers, brackets and white space of a body with so many values. */
const JSON_BARE_BYTES_MAX = 512 * 1024;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Receives the parts of a JSON text, each in pieces of any length: the bytes from `start` to before `end`. */
export interface JsonParts {
  /** Bytes outside strings. */
  bare(bytes: Uint8Array, start: number, end: number): void;
  /** Bytes between the quotes of a string, with its escapes. */
  text(bytes: Uint8Array, start: number, end: number): void;
  /** The string has ended. */
  textEnd(): void;
}

/**
 * Bounds what parsing a JSON text can cost, before it is parsed: one pass over its bytes, piece by piece. It does not
 * check whether the text is JSON. Failure `invalid_request` names the limit.
 */
export class JsonShape {
  /** Whether the last byte is inside a string. */
  inString = false;
  private depth = 0;
  private values = 0;
  private bareBytes = 0;
  /** Whether the previous piece ended in a BACKSLASH that escapes the next byte. */
  private isEscaping = false;

  constructor(private readonly parts: JsonParts | null = null) {}

  push(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) at = this.inString ? this.skipString(bytes, at) : this.takeBare(bytes, at);
  }

  /** The index after the string, or the end of the piece. */
  private skipString(bytes: Uint8Array, start: number): number {
    let from = this.isEscaping ? start + 1 : start;
    this.isEscaping = false;
    for (;;) {
      const found = bytes.indexOf(QUOTE, from);
      const end = found < 0 ? bytes.length : found;
      let backslashes = 0;
      while (end - 1 - backslashes >= from && bytes[end - 1 - backslashes] === BACKSLASH) backslashes++;
      const isEscaped = backslashes % 2 === 1;
      if (found < 0) {
        this.isEscaping = isEscaped;
        this.parts?.text(bytes, start, bytes.length);
        return bytes.length;
      }
      if (!isEscaped) {
        this.inString = false;
        this.parts?.text(bytes, start, found);
        this.parts?.textEnd();
        return found + 1;
      }
      from = found + 1;
    }
  }

  /** The index after the next QUOTE, or the end of the piece. */
  private takeBare(bytes: Uint8Array, start: number): number {
    const found = bytes.indexOf(QUOTE, start);
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
    if (end > start) this.parts?.bare(bytes, start, end);
    if (found < 0) return end;
    this.inString = true;
    return found + 1;
  }
}

/** Makes the Failure `invalid_request` for a body. `what` completes "The body …". */
export function wrongShape(what: string): Failure {
  return new Failure("invalid_request", `The body ${what}.`, {
    errors: [{ field: "body", message: what }],
    fix: "Send what the route asks for, and nothing else.",
  });
}
