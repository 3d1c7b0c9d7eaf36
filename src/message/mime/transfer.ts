/** Names of the transfer encodings of RFC 2045 6 that change bytes, and one for the others. */
export type TransferEncoding = "base64" | "quoted-printable" | "identity";

/** The content of a part without its transfer encoding. */
export interface Transferred {
  content: Buffer;
  /** Whether bytes behind the end of base64 were left out, such as the footer of a mailing list. */
  hasTail: boolean;
  /** Whether the header says base64 of content that is none. It stays as it is. */
  isPlain: boolean;
}

/** Decodes the content of a part. Never throws; invalid bytes are skipped, or stay as they are. Time is linear. */
export function decodeTransfer(bytes: Buffer, encoding: TransferEncoding): Transferred {
  if (encoding === "base64") return decodeBase64(bytes);
  return found(encoding === "identity" ? bytes : decodeQuotedPrintable(bytes));
}

function found(content: Buffer, { hasTail = false, isPlain = false } = {}): Transferred {
  return { content, hasTail, isPlain };
}

/** A line with foreign characters is still data if it has no white space, and is this long or has few of them. */
const DAMAGED_LINE_CHARS_MIN = 60;
const FOREIGN_SHARE_MAX = 1 / 8;
/** Data that continues behind its end has a line of this length, or ends in padding. */
const CONTINUED_LINE_CHARS_MIN = 32;

/**
 * RFC 2045 6.8. Data ends at a line with other characters, and behind padding or an empty line unless base64 continues
 * there: some programs encode a file piece by piece.
 */
function decodeBase64(bytes: Buffer): Transferred {
  const text = bytes.toString("latin1");
  if (isClean(text)) return found(Buffer.from(text, "base64"));
  let data = "";
  let hasEnded = false;
  let isContinued = false;
  for (let at = 0; at < text.length; ) {
    const lf = text.indexOf("\n", at);
    const end = lf < 0 ? text.length : lf + 1;
    const line = text.slice(at, end).trim();
    if (line === "") hasEnded ||= data !== "";
    else {
      if (hasEnded && !isContinued) {
        if (!continues(text.slice(at), data.endsWith("="))) return found(decodeGroups(data), { hasTail: true });
        isContinued = true;
      }
      const isData = /^[A-Za-z0-9+/]*={0,3}$/.test(line);
      const isDamaged = !isData && isDamagedData(line);
      if (!isData && !isDamaged) {
        return data === "" ? found(bytes, { isPlain: true }) : found(decodeGroups(data), { hasTail: true });
      }
      data += line;
      hasEnded ||= line.endsWith("=");
    }
    at = end;
  }
  return found(decodeGroups(data));
}

/** Whether a line is base64 with characters in it that decoders ignore (RFC 2045 6.8). */
function isDamagedData(line: string): boolean {
  if (/\s|:\/\//.test(line)) return false;
  const foreign = line.match(/[^A-Za-z0-9+/=]/g)?.length ?? 0;
  return line.length >= DAMAGED_LINE_CHARS_MIN || foreign <= line.length * FOREIGN_SHARE_MAX;
}

/** Decodes everything that can be base64, as decoders do that look for no end. */
export function decodeAllBase64(bytes: Buffer): Buffer {
  return decodeGroups(bytes.toString("latin1").replace(/[^A-Za-z0-9+/=]+/g, ""));
}

/** Whether a text is base64 with padding at its end at most, and without white space between its words. */
function isClean(text: string): boolean {
  // An empty line may be the end of the data.
  const body = text.trim();
  if (/\n[ \t\r]*\n/.test(body) || /\S[ \t]+[^\s=]/.test(body)) return false;
  const other = text.search(/[^A-Za-z0-9+/\s]/);
  return other < 0 || (text[other] === "=" && !/[^=\s]/.test(text.slice(other)));
}

/**
 * Whether a text that follows the end of base64 is base64 as well. An empty line alone ends nothing. Behind padding it
 * has to be in whole groups of four characters.
 */
function continues(text: string, isPadded: boolean): boolean {
  if (/[^A-Za-z0-9+/=\s]/.test(text)) return false;
  if (!isPadded) return true;
  const lines = text.split("\n").map((line) => line.trim());
  const characters = lines.reduce((sum, line) => sum + line.length, 0);
  const isLikely = lines.some((line) => line.endsWith("=") || line.length >= CONTINUED_LINE_CHARS_MIN);
  return isLikely && characters % 4 === 0;
}

/** Decodes base64 that may have padding between its pieces. */
function decodeGroups(data: string): Buffer {
  const out = Buffer.allocUnsafe(Math.ceil((data.length / 4) * 3));
  let length = 0;
  for (const piece of data.split(/=+/)) length += out.write(piece, length, "base64");
  return out.subarray(0, length);
}

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const EQUALS = 0x3d;

/** RFC 2045 6.7. White space before a line end was added on the way; an "=" that begins no code stays. */
function decodeQuotedPrintable(bytes: Buffer): Buffer {
  const out = Buffer.allocUnsafe(bytes.length);
  let length = 0;
  for (let at = 0; at < bytes.length; ) {
    const byte = bytes[at] as number;
    if (byte === EQUALS) {
      const code = hexDigit(bytes[at + 1]) * 16 + hexDigit(bytes[at + 2]);
      const lineEnd = Number.isNaN(code) ? lineEndBehind(bytes, at + 1) : -1;
      if (!Number.isNaN(code)) {
        out[length++] = code;
        at += 3;
      } else if (lineEnd >= 0) at = behindLineEnd(bytes, lineEnd);
      else {
        out[length++] = byte;
        at++;
      }
    } else if (byte === SPACE || byte === TAB) {
      const behind = behindSpaces(bytes, at);
      if (isLineEnd(bytes, behind)) at = behind;
      else {
        length += bytes.copy(out, length, at, behind);
        at = behind;
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
function lineEndBehind(bytes: Buffer, at: number): number {
  const behind = behindSpaces(bytes, at);
  return isLineEnd(bytes, behind) ? behind : -1;
}

function behindSpaces(bytes: Buffer, at: number): number {
  let behind = at;
  while (bytes[behind] === SPACE || bytes[behind] === TAB) behind++;
  return behind;
}

function isLineEnd(bytes: Buffer, at: number): boolean {
  return at >= bytes.length || bytes[at] === LF || (bytes[at] === CR && bytes[at + 1] === LF);
}

function behindLineEnd(bytes: Buffer, at: number): number {
  return at + (bytes[at] === CR ? 2 : 1);
}
