import libmime from "libmime";
import { asBuffer, fieldsNamed, fieldText, type HeaderBlock, type RawField, scanHeaders } from "./headers.ts";

export interface ReadLimits {
  /** MIME parts in the whole message. */
  maxParts: number;
  /** Multiparts inside multiparts. */
  maxDepth: number;
  /** Bytes of the message's header, and of all its parts' headers together. */
  maxHeaderBytes: number;
}

export interface Structure {
  /** Why the message is not worth parsing as MIME, or null. */
  excess: string | null;
  /** Whether text/html stands beside the other parts instead of being an alternative to plain text. */
  htmlAlone: boolean;
  /** Tolerable faults in the structure, one sentence each. */
  defects: string[];
  /**
   * Whether white space that may change on the way decides which part a line belongs to. That is so for a line of only
   * white space inside a part's header, for more white space after a delimiter than is allowed, and for a line that is
   * or is not a delimiter depending on how much white space it has.
   */
  hangsOnSpaces: boolean;
  /** Preambles and epilogues of multiparts (RFC 2046 5.1.1), as offsets. */
  outside: [start: number, end: number][];
}

/** Each line costs a parser about 250 ns, however short. 25 MB of real text or base64 has less than half as many. */
const LINES_MAX = 1_000_000;
/** Each line that begins with "--" is compared with every open boundary. */
const DASH_LINES_MAX = 100_000;
/** Fields read from one part's header. In real mail the few that MIME defines come first. */
const PART_FIELDS_MAX = 200;

interface OpenMultipart {
  /** `--` and the boundary. */
  delimiter: Buffer;
  /** The delimiter's words, when it has white space. */
  spaced: string[] | null;
  /** Whether this multipart, or one around it, is multipart/alternative. */
  alternative: boolean;
}

/** A part whose end is not found yet. */
interface OpenLeaf {
  start: number;
  base64: boolean;
}

/**
 * Walks the MIME structure in one cheap pass before a parser gets the bytes (RFC 2046 5.1): counts parts, nesting and
 * header sizes against the limits, and notes what a parser silently repairs. Attached messages are not entered.
 */
export function scanStructure(raw: Uint8Array, block: HeaderBlock, limits: ReadLimits): Structure {
  const bytes = asBuffer(raw);
  const defects = new Set<string>();
  const open: OpenMultipart[] = [];
  let htmlAlone = false;
  let hangsOnSpaces = false;
  const outside: Structure["outside"] = [];
  let outsideStart = -1;
  const over = (excess: string): Structure => ({ excess, htmlAlone, defects: [...defects], hangsOnSpaces, outside });
  let parts = 1;
  let dashLines = 0;
  let headerBytes = 0;
  let leaf: OpenLeaf | null = null;

  /** Opens the part that the header describes; false if that is one multipart too deep. */
  const enter = (header: HeaderBlock, start: number): boolean => {
    const part = describe(header, defects);
    const alternative = open.at(-1)?.alternative ?? false;
    if (part.boundary === null) {
      leaf = { start, base64: part.encoding === "base64" };
      htmlAlone ||= part.inlineHtml && !alternative;
      return true;
    }
    const delimiter = Buffer.from(`--${part.boundary}`, "latin1");
    const spaced = /[ \t]/.test(part.boundary) ? delimiter.toString("latin1").split(/[ \t]+/) : null;
    open.push({ delimiter, spaced, alternative: alternative || part.type === "multipart/alternative" });
    outsideStart = start;
    leaf = null;
    return open.length <= limits.maxDepth;
  };
  const leave = (end: number) => {
    if (leaf?.base64 && isCutBase64(bytes.subarray(leaf.start, end))) defects.add("A base64 part is cut off.");
    leaf = null;
    if (outsideStart >= 0 && outsideStart < end) outside.push([outsideStart, end]);
    outsideStart = -1;
  };

  const tooDeep = `The message has multiparts nested more than ${limits.maxDepth} deep.`;
  if (hasMoreLines(bytes, LINES_MAX)) return over(`The message has more than ${LINES_MAX} lines.`);
  if (!enter(block, block.bodyStart)) return over(tooDeep);
  // Start at the line end before the body, so that a delimiter on its first line counts.
  for (let at = lineStart(bytes, block.bodyStart); at >= 0; ) {
    if (++dashLines > DASH_LINES_MAX) return over("The message has too many lines that may be boundaries.");
    const found = matchDelimiter(bytes, at, open);
    if (found === "respaced") hangsOnSpaces = true;
    if (!found || found === "respaced") {
      at = lineStart(bytes, at + 1);
      continue;
    }
    leave(at);
    if (open.length - 1 > found.level) defects.add("A multipart is not closed.");
    open.length = found.closes ? found.level : found.level + 1;
    at = found.end;
    if (found.closes) outsideStart = at;
    else {
      if (++parts > limits.maxParts) return over(`The message has more than ${limits.maxParts} parts.`);
      const headerEnd = partHeaderEnd(bytes, at, limits.maxHeaderBytes - headerBytes);
      if (headerEnd < 0) return over(`The headers of the parts have more than ${limits.maxHeaderBytes} bytes.`);
      headerBytes += headerEnd - at;
      hangsOnSpaces ||= hasBlankLine(bytes.toString("latin1", at, headerEnd));
      const header = scanHeaders(bytes.subarray(at, headerEnd), {
        bytesMax: limits.maxHeaderBytes,
        fieldsMax: PART_FIELDS_MAX,
      });
      if (!enter(header, headerEnd)) return over(tooDeep);
      at = headerEnd;
    }
    at = lineStart(bytes, at);
  }
  leave(bytes.length);
  if (open.length > 0) defects.add("A multipart is not closed.");
  return { excess: null, htmlAlone, defects: [...defects], hangsOnSpaces, outside };
}

/** Whether any line is white space and nothing else. */
function hasBlankLine(lines: string): boolean {
  return lines.split("\n").some((line) => line.trim() === "" && /^[ \t]/.test(line));
}

function hasMoreLines(bytes: Buffer, count: number): boolean {
  if (bytes.length <= count) return false;
  let lines = 0;
  for (let i = 0; i < bytes.length; i++) if (bytes[i] === 0x0a) lines++;
  return lines > count;
}

/** The next line from `from` on that begins with "--", or -1. */
function lineStart(bytes: Buffer, from: number): number {
  if (from === 0 && bytes[0] === 0x2d && bytes[1] === 0x2d) return 0;
  const lf = bytes.indexOf("\n--", Math.max(0, from - 1));
  return lf < 0 ? -1 : lf + 1;
}

/** White space and line end after a delimiter, and how far to look for them (RFC 2046 5.1.1 transport padding). */
const delimiterTail = /^(--)?[ \t]*(?:\r*\n|$)/;
const DELIMITER_TAIL_MAX = 1_000;

function matchDelimiter(bytes: Buffer, at: number, open: readonly OpenMultipart[]) {
  for (let level = open.length - 1; level >= 0; level--) {
    const { delimiter, spaced } = open[level] as OpenMultipart;
    const behind = at + delimiter.length;
    if (behind > bytes.length || bytes.compare(delimiter, 0, delimiter.length, at, behind) !== 0) {
      if (spaced !== null && isSpacedLine(bytes, at, spaced)) return "respaced";
      continue;
    }
    const text = bytes.toString("latin1", behind, behind + DELIMITER_TAIL_MAX);
    const tail = delimiterTail.exec(text);
    if (!tail && (text.startsWith("--") ? text.slice(2) : text).trim() === "") return "respaced";
    if (tail) return { level, closes: tail[1] !== undefined, end: behind + tail[0].length };
  }
  return null;
}

/** Whether the line at `at` is these words with any white space between them, and perhaps two hyphens at its end. */
function isSpacedLine(bytes: Buffer, at: number, words: readonly string[]): boolean {
  const isSpace = (byte: number | undefined) => byte === 0x20 || byte === 0x09;
  let next = at;
  for (const [i, word] of words.entries()) {
    const start = next;
    while (isSpace(bytes[next])) next++;
    if (i > 0 && next === start) return false;
    if (bytes.toString("latin1", next, next + word.length) !== word) return false;
    next += word.length;
  }
  if (bytes[next] === 0x2d && bytes[next + 1] === 0x2d) next += 2;
  while (isSpace(bytes[next]) || bytes[next] === 0x0d) next++;
  return next >= bytes.length || bytes[next] === 0x0a;
}

/** The end of a part's header: after its empty line, or at a line that may be a delimiter; -1 past `bytesMax`. */
function partHeaderEnd(bytes: Buffer, start: number, bytesMax: number): number {
  for (let at = start; ; ) {
    if (at - start > bytesMax) return -1;
    if (at >= bytes.length) return bytes.length;
    if (bytes[at] === 0x2d && bytes[at + 1] === 0x2d) return at;
    if (bytes[at] === 0x0a) return at + 1;
    if (bytes[at] === 0x0d && bytes[at + 1] === 0x0a) return at + 2;
    const lf = bytes.subarray(at, at + bytesMax + 1).indexOf(0x0a);
    if (lf < 0) return at + bytesMax >= bytes.length ? bytes.length : -1;
    at += lf + 1;
  }
}

/** Defects of parts that are left encoded, though another program may decode them into words. */
export const unknownEncoding = "A part has an unknown transfer encoding.";
export const unknownCharset = "A text part has an unknown charset.";
/** A defect that other programs may repair differently. */
export const ambiguousPart = "How a part is encoded can be read in two ways.";

const describing = ["content-type", "content-transfer-encoding", "content-disposition"];

const encodings = ["7bit", "8bit", "binary", "base64", "quoted-printable"];

function describe(header: HeaderBlock, defects: Set<string>) {
  const value = (key: string, absent: string) => {
    const [field] = fieldsNamed(header, key);
    return libmime.parseHeaderValue(field ? fieldText(field) : absent, { stripComments: true });
  };
  const { value: typeText, params } = value("content-type", "text/plain");
  const type = typeText.toLowerCase();
  const encoding = value("content-transfer-encoding", "7bit").value.toLowerCase();
  // A boundary does not end in a space (RFC 2046 5.1.1).
  const boundary = type.startsWith("multipart/") ? (params.boundary?.trimEnd() ?? "") : null;
  if (boundary === "") defects.add("A multipart has no boundary.");
  if (!encodings.includes(encoding)) defects.add(unknownEncoding);
  const isRepeated = describing.some((key) => fieldsNamed(header, key).length > 1);
  // RFC 2045 6.4: a multipart is not encoded itself.
  const isEncodedWhole = boundary !== null && ["base64", "quoted-printable"].includes(encoding);
  if (isRepeated || isEncodedWhole || header.fields.some(hasOddLine)) defects.add(ambiguousPart);
  if (type.startsWith("text/") && params.charset && !isCharset(params.charset)) {
    defects.add(unknownCharset);
  }
  const inlineHtml = type === "text/html" && value("content-disposition", "inline").value.toLowerCase() === "inline";
  return { type, boundary: boundary || null, encoding, inlineHtml };
}

/** Whether a line of the value lacks a fold or is only white space: some readers begin a field there. */
function hasOddLine({ binary }: RawField): boolean {
  const further = binary.split("\n").slice(1);
  return further.some((line) => line !== "" && (!/^[ \t]/.test(line) || line.trim() === ""));
}

/** Whether the label is in the Encoding Standard, or is a code page or national set that the standard leaves out. */
export function isCharset(label: string): boolean {
  if (/^(?:cp|ibm)-?\d{3,5}$|^iso-2022-(?:kr|cn)$|^hz-gb-2312$/i.test(label.trim())) return true;
  try {
    return new TextDecoder(label as Bun.Encoding) !== null;
  } catch {
    return false;
  }
}

/**
 * Whether the number of base64 digits is not a multiple of four. Almost every line has a multiple, so the last line
 * decides; all digits are counted only if that line looks wrong.
 */
function isCutBase64(content: Buffer): boolean {
  let end = content.length;
  while (end > 0 && (content[end - 1] as number) <= 0x20) end--;
  const last = content.subarray(content.lastIndexOf(0x0a, end - 1) + 1, end);
  if (last.length % 4 === 0) return false;
  let digits = 0;
  for (let i = 0; i < end; i++) if ((content[i] as number) > 0x20) digits++;
  return digits % 4 !== 0;
}
