import { decodeWith, isMostlyUtf8 } from "./mime/charset.ts";

/** One header field, and where it is in the raw bytes. */
export interface RawField {
  /** Name as written, without white space. */
  name: string;
  /** Lower-cased name, by which fields are looked up. */
  key: string;
  /** Offset of the first byte of the name. */
  start: number;
  /** Offset after the field's last line end. */
  end: number;
  /** The value, still folded, one character per byte. */
  binary: string;
}

export interface HeaderBlock {
  fields: RawField[];
  /** Offset of the body's first byte, after the empty line; the message's length if there is no body. */
  bodyStart: number;
  /** True when fields were left out because the block is over a limit. */
  cut: boolean;
}

/** A block that was scanned to its end, which all readers of the same message can share. */
export type WholeHeader = HeaderBlock & { cut: false };

export interface HeaderLimits {
  bytesMax: number;
  fieldsMax: number;
}
const noLimits: HeaderLimits = { bytesMax: Number.POSITIVE_INFINITY, fieldsMax: Number.POSITIVE_INFINITY };

/**
 * Finds the fields of the top header block (RFC 5322 2.2) without decoding or changing anything.
 *
 * The block ends at the first empty line, CRLF or LF. A line belongs to the field above it if it begins with white
 * space or has no name before a colon. White space and characters that are not allowed in names are ignored, so that
 * `X-Foo :`, a name with its colon on the next line, and `From` with a no-break space in it are found under the name
 * that a lenient reader may see. Past a limit, the rest of the block is skipped; `bodyStart` is still correct.
 */
export function scanHeaders(raw: Uint8Array, limits: HeaderLimits = noLimits): HeaderBlock {
  const fields: RawField[] = [];
  const { headerEnd, bodyStart } = findBody(raw);
  let scanned = 0;
  for (const field of walkFields(raw, Math.min(headerEnd, limits.bytesMax))) {
    if (fields.length === limits.fieldsMax) break;
    fields.push(field);
    scanned = field.end;
  }
  return { fields, bodyStart, cut: scanned < headerEnd };
}

/** Each reader scans a header beyond these limits itself, within its own limits. Real headers are below 64 KB. */
const sharedLimits: HeaderLimits = { bytesMax: 256 * 1024, fieldsMax: 500 };

/** Scans the header once for all readers of a message; null if it is too large to keep for them. */
export function scanOnce(raw: Uint8Array): WholeHeader | null {
  const block = scanHeaders(raw, sharedLimits);
  return isWhole(block) ? block : null;
}

function isWhole(block: HeaderBlock): block is WholeHeader {
  return !block.cut;
}

const firstField = /^[\x21-\x39\x3b-\x7e]{1,200}[ \t]{0,20}:/;
const FIRST_LINE_CHARS_MAX = 300;
/** More than authentication reads: mail with more is never taken for a text without a header. */
const everydayLimits: HeaderLimits = { bytesMax: 1024 * 1024, fieldsMax: 2_000 };
const everyday = ["from", "to", "subject", "date", "received", "message-id", "mime-version", "content-type"];

/**
 * Whether a message begins with a header, of which some lines may be broken. Programs that forget it send only the text,
 * whose lines must not be taken for fields.
 */
export function hasHeader(raw: Uint8Array): boolean {
  const bytes = asBuffer(raw);
  const first = bytes.toString("latin1", 0, FIRST_LINE_CHARS_MAX);
  if (first === "" || /^\r?\n/.test(first) || firstField.test(first)) return true;
  const { cut, fields } = scanHeaders(bytes, everydayLimits);
  return cut || fields.some(({ key }) => everyday.includes(key));
}

/** The header of a message that has none: all of it is the body. */
export const noHeader: WholeHeader = { fields: [], bodyStart: 0, cut: false };

/**
 * Yields the fields one by one, for blocks of any size. `headerEnd` comes from `findBody`. With `passes`, it skips
 * fields below the first whose folded names do not pass, at a tenth of the cost: 25 MB hold eight million fields.
 */
export function* walkFields(
  raw: Uint8Array,
  headerEnd: number,
  passes?: (folded: string) => boolean,
): Generator<RawField> {
  const text = asBuffer(raw).toString("latin1", 0, headerEnd);
  const beginsField = fieldStarts(text);
  for (let start = 0; start < text.length; ) {
    let end = lineEnd(text, start);
    if (passes && start > 0 && !(passes(foldedName(text, start)) && beginsField(start))) {
      start = end;
      continue;
    }
    while (end < text.length && !beginsField(end)) end = lineEnd(text, end);
    const unit = text.slice(start, end);
    const colon = unit.indexOf(":");
    const name = unit.slice(0, Math.max(colon, 0)).replace(/[^\x21-\x7e]/g, "");
    yield { name, key: name.toLowerCase(), start, end, binary: unit.slice(colon + 1) };
    start = end;
  }
}

/**
 * A name without case, and without any character but letters and digits: of a field's `key`, or of the line that begins
 * at `start`, up to its colon. Cut off after 64 letters.
 */
export function foldedName(text: string, start = 0): string {
  let name = "";
  for (let at = start; at < text.length && name.length < FOLDED_CHARS_MAX; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x3a || code === 0x0a) break;
    const lower = code | 0x20;
    if ((code >= 0x30 && code <= 0x39) || (lower >= 0x61 && lower <= 0x7a))
      name += String.fromCharCode(code <= 0x39 ? code : lower);
  }
  return name;
}

/** Longer than any name that is looked for. */
const FOLDED_CHARS_MAX = 64;

/** Finds where the top header block ends and, after the empty line, where the body starts. */
export function findBody(raw: Uint8Array): { headerEnd: number; bodyStart: number } {
  const bytes = asBuffer(raw);
  if (bytes[0] === 0x0a) return { headerEnd: 0, bodyStart: 1 };
  if (bytes[0] === 0x0d && bytes[1] === 0x0a) return { headerEnd: 0, bodyStart: 2 };
  const crlf = bytes.indexOf("\n\r\n");
  const lf = bytes.subarray(0, crlf < 0 ? undefined : crlf + 1).indexOf("\n\n");
  if (lf >= 0) return { headerEnd: lf + 1, bodyStart: lf + 2 };
  if (crlf >= 0) return { headerEnd: crlf + 1, bodyStart: crlf + 3 };
  return { headerEnd: bytes.length, bodyStart: bytes.length };
}

/** The same bytes as a Buffer, not copied. */
export function asBuffer(raw: Uint8Array): Buffer {
  return Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength);
}

function lineEnd(text: string, start: number): number {
  const lf = text.indexOf("\n", start);
  return lf < 0 ? text.length : lf + 1;
}

/** Makes a function that tells whether a field begins at a line. Linear if it is asked about lines in order. */
function fieldStarts(text: string): (start: number) => boolean {
  /** The first colon that no line before the last one asked about has. */
  let colon = -1;
  return (start) => {
    if (isBlank(text, start)) return false;
    if (colon < start) colon = text.indexOf(":", start);
    if (colon < 0) colon = Number.POSITIVE_INFINITY;
    let end = lineEnd(text, start);
    if (colon < end) return colon > start;
    // The name may be folded before its colon (RFC 5322 4.5.8). DKIM verifiers also ignore that white space.
    while (end < colon && isBlank(text, end)) end++;
    return end === colon;
  };
}

function isBlank(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code === 0x20 || code === 0x09;
}

export function fieldsNamed(block: HeaderBlock, key: string): RawField[] {
  return block.fields.filter((field) => field.key === key);
}

const utf8 = new TextDecoder("utf-8", { fatal: true });
const windows1252 = new TextDecoder("windows-1252");

/** The value on one line, one character per byte (RFC 5322 2.2.3). A line end that is not a fold becomes a space. */
export function unfolded({ binary }: RawField): string {
  return binary.replace(/\r?\n(?=[ \t])/g, "").replace(/[\r\n]+/g, " ");
}

/**
 * The value unfolded and trimmed, as UTF-8 (RFC 6532) if it is that or was before a few bytes were damaged, or else in
 * the given charset, or as Windows-1252.
 */
export function fieldText(field: RawField, charset: string | null = null): string {
  return decodeBinary(unfolded(field), charset).trim();
}

/** An encoded word in the Q encoding that has raw bytes, although RFC 2047 4.2 forbids them. */
const rawWord = /=\?[^?\s]{1,60}\?q\?[^?]{0,1000}\?=/gi;

function decodeBinary(binary: string, charset: string | null): string {
  if (!/[\x80-\xff]/.test(binary)) return binary;
  const inCodes = binary.replace(rawWord, (word) =>
    word.replace(/[\x80-\xff]/g, (byte) => `=${byte.charCodeAt(0).toString(16).toUpperCase()}`),
  );
  const bytes = Buffer.from(inCodes, "latin1");
  try {
    return utf8.decode(bytes);
  } catch {
    // One damaged byte does not spoil the other letters.
    if (isMostlyUtf8(bytes)) return bytes.toString("utf8");
    return (charset === null ? null : decodeWith(bytes, charset)) ?? windows1252.decode(bytes);
  }
}

/** Whether the value has bytes above 127 that are not valid UTF-8, which neither RFC 5322 nor RFC 6532 allows. */
export function hasStrayBytes(field: RawField): boolean {
  if (!/[\x80-\xff]/.test(field.binary)) return false;
  try {
    utf8.decode(Buffer.from(field.binary, "latin1"));
    return false;
  } catch {
    return true;
  }
}
