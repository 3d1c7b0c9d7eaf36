import { decodeLeniently, isDigit } from "./base64.ts";

/** Names of the transfer encodings of RFC 2045 6 that change bytes, and one for the others. */
export type TransferEncoding = "base64" | "quoted-printable" | "identity";

/** The content of a part without its transfer encoding. */
export interface Transferred {
  content: Buffer;
  /** Whether bytes after the end of base64 were left out, such as the footer of a mailing list. */
  hasTail: boolean;
  /** Whether the header says base64 of content that is none. It stays as it is. */
  isPlain: boolean;
  /** Whether base64 has foreign characters or padding inside, which decoders read in different ways. */
  isDamaged: boolean;
}

/** Decodes the content of a part. Never throws; invalid bytes are skipped, or stay as they are. Time is linear. */
export function decodeTransfer(bytes: Buffer, encoding: TransferEncoding): Transferred {
  if (encoding === "base64") return decodeBase64(bytes);
  return found(encoding === "identity" ? bytes : decodeQuotedPrintable(bytes));
}

function found(content: Buffer, { hasTail = false, isPlain = false, isDamaged = false } = {}): Transferred {
  return { content, hasTail, isPlain, isDamaged };
}

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const EQUALS = 0x3d;

/** A line with foreign characters is still data if it has no white space, and is this long or has few of them. */
const DAMAGED_LINE_CHARS_MIN = 60;
const FOREIGN_SHARE_MAX = 1 / 8;
/** Data that continues after its end has a line of this length, or ends in padding. */
const CONTINUED_LINE_CHARS_MIN = 32;

/**
 * RFC 2045 6.8. Data ends at a line with other characters, and after padding or an empty line unless base64 continues
 * there: some programs encode a file piece by piece.
 */
function decodeBase64(bytes: Buffer): Transferred {
  const text = bytes.toString("latin1");
  if (isClean(text)) return found(Buffer.from(text, "base64"));
  /** Where the data ends. */
  let end = 0;
  let isPadded = false;
  let hasEnded = false;
  let isContinued = false;
  let isDamaged = false;
  const decoded = (hasTail: boolean) => {
    const content = isDamaged ? decodeLeniently(bytes.subarray(0, end)) : Buffer.from(text.slice(0, end), "base64");
    return found(content, { hasTail, isDamaged });
  };
  for (let at = 0; at < bytes.length; ) {
    const line = base64Line(bytes, at);
    const { characters, foreign } = line;
    at = line.end;
    if (characters === 0) hasEnded ||= end > 0;
    else {
      if (hasEnded && !isContinued) {
        if (!continues(bytes, line.start, isPadded)) return decoded(true);
        isContinued = true;
      }
      const isLikely = characters >= DAMAGED_LINE_CHARS_MIN || foreign <= characters * FOREIGN_SHARE_MAX;
      const isData = !line.hasGap && isLikely && (foreign === 0 || !text.slice(line.start, line.end).includes("://"));
      if (!isData) return end === 0 ? found(bytes, { isPlain: true }) : decoded(true);
      isDamaged ||= foreign > 0 || line.hasInnerPadding || (isPadded && line.hasDigit);
      isPadded ||= line.hasPadding;
      hasEnded ||= line.endsPadded;
      end = line.end;
    }
  }
  return decoded(false);
}

/** What is in a line of a base64 part. */
interface Base64Line {
  start: number;
  /** After its line end. */
  end: number;
  /** How many characters it has that are no white space, and how many of them are neither digits nor padding. */
  characters: number;
  foreign: number;
  hasDigit: boolean;
  hasPadding: boolean;
  /** Whether anything follows a "=". */
  hasInnerPadding: boolean;
  /** Whether the last character is a "=". */
  endsPadded: boolean;
  /** Whether there is white space between its words. */
  hasGap: boolean;
}

function base64Line(bytes: Buffer, start: number): Base64Line {
  let end = start;
  let characters = 0;
  let foreign = 0;
  let hasDigit = false;
  let hasPadding = false;
  let hasInnerPadding = false;
  let endsPadded = false;
  let hasGap = false;
  let isAfterBlank = false;
  for (let isOpen = true; isOpen && end < bytes.length; end++) {
    const byte = bytes[end] as number;
    if (byte === LF) isOpen = false;
    else if (byte === SPACE || byte === TAB) isAfterBlank = characters > 0;
    else if (byte !== CR) {
      characters++;
      endsPadded = byte === EQUALS;
      if (endsPadded) hasPadding = true;
      else {
        hasGap ||= isAfterBlank;
        hasInnerPadding ||= hasPadding;
        if (isDigit(byte)) hasDigit = true;
        else foreign++;
      }
      isAfterBlank = false;
    }
  }
  return { start, end, characters, foreign, hasDigit, hasPadding, hasInnerPadding, endsPadded, hasGap };
}

/** Whether a text is base64 with padding at its end at most, and without white space between its words. */
function isClean(text: string): boolean {
  // An empty line may be the end of the data.
  const body = text.trim();
  if (/\n[ \t\r]*\n/.test(body) || /\S[ \t]+[^\s=]/.test(body)) return false;
  const other = text.search(/[^A-Za-z0-9+/ \t\r\n]/);
  return other < 0 || (text[other] === "=" && !/[^=\s]/.test(text.slice(other)));
}

/**
 * Whether bytes that follow the end of base64 are base64 as well. An empty line alone ends nothing. After padding it
 * has to be in whole groups of four characters.
 */
function continues(bytes: Buffer, from: number, isPadded: boolean): boolean {
  let total = 0;
  let isLikely = false;
  for (let at = from; at < bytes.length; ) {
    const { characters, end, endsPadded, foreign } = base64Line(bytes, at);
    if (foreign > 0) return false;
    at = end;
    total += characters;
    isLikely ||= endsPadded || characters >= CONTINUED_LINE_CHARS_MIN;
  }
  return !isPadded || (isLikely && total % 4 === 0);
}

/** RFC 2045 6.7. White space before a line end was added on the way; an "=" that begins no code stays. */
function decodeQuotedPrintable(bytes: Buffer): Buffer {
  const out = Buffer.allocUnsafe(bytes.length);
  let length = 0;
  for (let at = 0; at < bytes.length; ) {
    const byte = bytes[at] as number;
    if (byte === EQUALS) {
      const code = hexDigit(bytes[at + 1]) * 16 + hexDigit(bytes[at + 2]);
      const lineEnd = Number.isNaN(code) ? lineEndAfter(bytes, at + 1) : -1;
      if (!Number.isNaN(code)) {
        out[length++] = code;
        at += 3;
      } else if (lineEnd >= 0) at = afterLineEnd(bytes, lineEnd);
      else {
        out[length++] = byte;
        at++;
      }
    } else if (byte === SPACE || byte === TAB) {
      const after = afterSpaces(bytes, at);
      if (isLineEnd(bytes, after)) at = after;
      else {
        length += bytes.copy(out, length, at, after);
        at = after;
      }
    } else {
      out[length++] = byte;
      at++;
    }
  }
  return out.subarray(0, length);
}

/** The value of a hexadecimal digit; NaN for anything else. */
function hexDigit(byte = 0): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x61 + 10 : Number.NaN;
}

/** The line end that follows white space at `at`; -1 if something else does. */
function lineEndAfter(bytes: Buffer, at: number): number {
  const after = afterSpaces(bytes, at);
  return isLineEnd(bytes, after) ? after : -1;
}

function afterSpaces(bytes: Buffer, at: number): number {
  let after = at;
  while (bytes[after] === SPACE || bytes[after] === TAB) after++;
  return after;
}

function isLineEnd(bytes: Buffer, at: number): boolean {
  return at >= bytes.length || bytes[at] === LF || (bytes[at] === CR && bytes[at + 1] === LF);
}

function afterLineEnd(bytes: Buffer, at: number): number {
  return at + (bytes[at] === CR ? 2 : 1);
}
