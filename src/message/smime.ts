/**
 * What an S/MIME file holds (RFC 8551 3.4): a signed entity, something that cannot be read without a key, signatures or
 * certificates without an entity (`empty`), or something else, such as compressed data.
 */
export type Cms = { kind: "signed"; content: Buffer } | { kind: "encrypted" | "empty" | "other" };

/** Ids of content types, as their bytes in DER (RFC 5652, RFC 5083). */
const signedData = "2a864886f70d010702";
const encrypting = ["2a864886f70d010703", "2a864886f70d010706", "2a864886f70d0109100117"];

const OBJECT_ID = 0x06;
const OCTETS = 0x04;
const CONSTRUCTED_OCTETS = 0x24;
const SEQUENCE = 0x30;
const EXPLICIT_0 = 0xa0;
/** Pieces inside pieces of a string. */
const DEPTH_MAX = 4;

/** An element in BER (X.690 8.1). */
interface Element {
  tag: number;
  start: number;
  /** Null if its end is marked by two zeros instead of a length. */
  end: number | null;
}

/** Reads a CMS ContentInfo (RFC 5652 3) without verifying anything. Null if it is not one. Time is linear. */
export function readCms(bytes: Buffer): Cms | null {
  try {
    const info = expect(bytes, 0, SEQUENCE);
    const type = expect(bytes, info.start, OBJECT_ID);
    const id = idOf(bytes, type);
    if (encrypting.includes(id)) return { kind: "encrypted" };
    if (id !== signedData) return { kind: "other" };
    const data = expect(bytes, expect(bytes, endOf(bytes, type), EXPLICIT_0).start, SEQUENCE);
    const version = elementAt(bytes, data.start);
    const digests = elementAt(bytes, endOf(bytes, version));
    const inner = expect(bytes, endOf(bytes, digests), SEQUENCE);
    const innerType = expect(bytes, inner.start, OBJECT_ID);
    const at = endOf(bytes, innerType);
    // RFC 5652 5.2: without content, only certificates, or a signature of something elsewhere.
    if ((inner.end !== null && at >= inner.end) || bytes[at] !== EXPLICIT_0) return { kind: "empty" };
    // A list of the pieces would take a hundred times the memory of the shortest ones.
    const out: Output = { bytes: Buffer.allocUnsafe(bytes.length), length: 0 };
    collect(bytes, expect(bytes, at, EXPLICIT_0).start, out, 0);
    return { kind: "signed", content: out.bytes.subarray(0, out.length) };
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

function idOf(bytes: Buffer, { start, end }: Element): string {
  return bytes.toString("hex", start, end ?? start);
}

interface Output {
  bytes: Buffer;
  length: number;
}

/** Adds the pieces of the string at `at`, and returns where it ends. */
function collect(bytes: Buffer, at: number, out: Output, depth: number): number {
  const { tag, start, end } = elementAt(bytes, at);
  if (tag === OCTETS && end !== null) {
    out.length += bytes.copy(out.bytes, out.length, start, end);
    return end;
  }
  if (tag !== CONSTRUCTED_OCTETS || depth === DEPTH_MAX) throw new RangeError("not a string");
  let next = start;
  while (end === null ? !isEnd(bytes, next) : next < end) next = collect(bytes, next, out, depth + 1);
  return end ?? next + 2;
}

function expect(bytes: Buffer, at: number, tag: number): Element {
  const element = elementAt(bytes, at);
  if (element.tag !== tag) throw new RangeError("another element");
  return element;
}

function elementAt(bytes: Buffer, at: number): Element {
  const tag = bytes.readUInt8(at);
  const first = bytes.readUInt8(at + 1);
  if (first === 0x80) return { tag, start: at + 2, end: null };
  const digits = first > 0x80 ? first & 0x7f : 0;
  if (digits > 4) throw new RangeError("too long");
  const start = at + 2 + digits;
  const end = start + (digits === 0 ? first : bytes.readUIntBE(at + 2, digits));
  if (end > bytes.length) throw new RangeError("cut off");
  return { tag, start, end };
}

function isEnd(bytes: Buffer, at: number): boolean {
  return bytes.readUInt8(at) === 0 && bytes.readUInt8(at + 1) === 0;
}

/** Where an element ends, and the next one begins. */
function endOf(bytes: Buffer, element: Element): number {
  if (element.end !== null) return element.end;
  let open = 1;
  let at = element.start;
  while (open > 0) {
    if (isEnd(bytes, at)) {
      open--;
      at += 2;
      continue;
    }
    const { start, end } = elementAt(bytes, at);
    if (end === null) open++;
    at = end ?? start;
  }
  return at;
}
