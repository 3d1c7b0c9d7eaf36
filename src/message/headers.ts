/** One header field where it stands in the raw bytes. */
export interface RawField {
  /** Name as written, without white space. */
  name: string;
  /** Lower-cased name; what fields are looked up by. */
  key: string;
  /** Offset of the first byte of the name. */
  start: number;
  /** Offset behind the field's last line end. */
  end: number;
  /** The value, still folded, one character a byte. */
  binary: string;
}

export interface HeaderBlock {
  fields: RawField[];
  /** Offset of the body's first byte, behind the empty line; the message's length when there is no body. */
  bodyStart: number;
  /** True when fields were left out because the block is over a limit. */
  cut: boolean;
}

/** A block that was scanned to its end, so that all who read the same message can share it. */
export type WholeHeader = HeaderBlock & { cut: false };

export interface HeaderLimits {
  bytesMax: number;
  fieldsMax: number;
}
const noLimits: HeaderLimits = { bytesMax: Number.POSITIVE_INFINITY, fieldsMax: Number.POSITIVE_INFINITY };

/**
 * Finds the fields of the top header block (RFC 5322 2.2) without decoding or changing anything.
 *
 * The block ends at the first empty line, CRLF or LF. A line belongs to the field above it when it begins with white
 * space or has no name before a colon. White space and characters that no name may have are ignored in names, so that
 * `X-Foo :`, a name whose colon is on the next line, and `From` with a no-break space in it are seen as what a lenient
 * reader may take them for. Past a limit the rest of the block is skipped; `bodyStart` is right all the same.
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

/** Headers beyond these are scanned by each reader for itself, within its own limits; real ones are below 64 KB. */
const sharedLimits: HeaderLimits = { bytesMax: 256 * 1024, fieldsMax: 500 };

/** The header for all who read a message; null when it is too large to be kept for them. */
export function scanOnce(raw: Uint8Array): WholeHeader | null {
  const block = scanHeaders(raw, sharedLimits);
  return isWhole(block) ? block : null;
}

function isWhole(block: HeaderBlock): block is WholeHeader {
  return !block.cut;
}

/** The fields one by one, for blocks of any size; `headerEnd` as `findBody` gives it. */
export function* walkFields(raw: Uint8Array, headerEnd: number): Generator<RawField> {
  const text = asBuffer(raw).toString("latin1", 0, headerEnd);
  for (let start = 0; start < text.length; ) {
    let end = lineEnd(text, start);
    while (end < text.length && !beginsField(text, end)) end = lineEnd(text, end);
    const unit = text.slice(start, end);
    const colon = unit.indexOf(":");
    const name = unit.slice(0, Math.max(colon, 0)).replace(/[^\x21-\x7e]/g, "");
    yield { name, key: name.toLowerCase(), start, end, binary: unit.slice(colon + 1) };
    start = end;
  }
}

/** Where the top header block ends and, behind the empty line, the body starts. */
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

function beginsField(text: string, start: number): boolean {
  const first = text.charCodeAt(start);
  if (first === 0x20 || first === 0x09) return false;
  const end = lineEnd(text, start);
  const colon = text.slice(start, end).indexOf(":");
  if (colon >= 0) return colon > 0;
  // The name may be folded before its colon (RFC 5322 4.5.8), which verifiers of DKIM take without the white space, too.
  colonNext.lastIndex = end;
  return colonNext.test(text);
}

const colonNext = /[ \t]*:/y;

export function fieldsNamed(block: HeaderBlock, key: string): RawField[] {
  return block.fields.filter((field) => field.key === key);
}

const utf8 = new TextDecoder("utf-8", { fatal: true });
const windows1252 = new TextDecoder("windows-1252");

/** The value on one line, one character a byte (RFC 5322 2.2.3). A line end before anything but white space is a space. */
export function unfolded({ binary }: RawField): string {
  return binary.replace(/\r?\n(?=[ \t])/g, "").replace(/[\r\n]+/g, " ");
}

/** The value unfolded and trimmed, as UTF-8 (RFC 6532), or as Windows-1252 where it is not UTF-8. */
export function fieldText(field: RawField): string {
  return decodeBinary(unfolded(field)).trim();
}

function decodeBinary(binary: string): string {
  if (!/[\x80-\xff]/.test(binary)) return binary;
  const bytes = Buffer.from(binary, "latin1");
  try {
    return utf8.decode(bytes);
  } catch {
    return windows1252.decode(bytes);
  }
}

/** Whether the value holds bytes above 127 that are no UTF-8: neither RFC 5322 nor RFC 6532 allows them. */
export function hasStrayBytes(field: RawField): boolean {
  if (!/[\x80-\xff]/.test(field.binary)) return false;
  try {
    utf8.decode(Buffer.from(field.binary, "latin1"));
    return false;
  } catch {
    return true;
  }
}
