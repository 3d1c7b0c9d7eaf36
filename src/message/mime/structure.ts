import type { Defect } from "../../mail.ts";
import { type DefectCode, Defects, defect } from "../defects.ts";
import { asBuffer, type HeaderBlock, scanHeaders } from "../headers.ts";
import { describePart, type PartHeader } from "./part.ts";

export interface ReadLimits {
  /** MIME parts in the whole message. */
  maxParts: number;
  /** Multiparts inside multiparts. */
  maxDepth: number;
  /** Bytes of the message's header, and of all its parts' headers together. */
  maxHeaderBytes: number;
}

/** A part of a message (RFC 2046), as offsets into its bytes. */
export interface MimePart {
  header: PartHeader;
  /** The bytes that the offsets refer to. */
  bytes: Buffer;
  /** The content, still encoded; of a multipart, from its first part on. */
  start: number;
  end: number;
  /** The parts of a multipart, in order. */
  parts: MimePart[];
}

export interface Structure {
  /** Why the message is not worth parsing as MIME, or null. */
  excess: Defect | null;
  /** The message itself. Not complete if there is an `excess`. */
  root: MimePart;
  /** Tolerable faults in the structure. */
  defects: Defect[];
  /**
   * Whether white space that may change on the way decides which part a line belongs to. That is so for a line of only
   * white space inside a part's header, for more white space after a delimiter than is allowed, and for a line that is
   * or is not a delimiter depending on how much white space it has.
   */
  dependsOnSpaces: boolean;
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
  /** The delimiter with one space for each run of white space; null if it has none. */
  spaced: string | null;
  part: MimePart;
}

/**
 * Walks the MIME structure in one cheap pass before a parser gets the bytes (RFC 2046 5.1): counts parts, nesting and
 * header sizes against the limits, and notes what a parser silently repairs. Attached messages are not entered.
 */
export function scanStructure(raw: Uint8Array, block: HeaderBlock, limits: ReadLimits): Structure {
  const bytes = hasMoreLines(asBuffer(raw), LINES_MAX) ? withoutEnd(asBuffer(raw), block.bodyStart) : asBuffer(raw);
  const defects = new Defects();
  const open: OpenMultipart[] = [];
  let dependsOnSpaces = false;
  const outside: Structure["outside"] = [];
  let outsideStart = -1;
  const over = (code: DefectCode, detail?: string): Structure => {
    return { excess: defect(code, detail), root, defects: defects.list, dependsOnSpaces, outside };
  };
  let parts = 1;
  let dashLines = 0;
  let headerBytes = 0;
  /** A part whose end is not found yet, unless it is a multipart. */
  let leaf: MimePart | null = null;

  /** Opens the part that the header describes; false if that is one multipart too deep. */
  const enter = (part: MimePart): boolean => {
    open.at(-1)?.part.parts.push(part);
    leaf = null;
    const { boundary } = part.header;
    if (boundary === null) {
      leaf = part;
      return true;
    }
    const delimiter = Buffer.from(`--${boundary}`, "latin1");
    const spaced = /[ \t]/.test(boundary) ? headerLine(delimiter, 0, delimiter.length) : null;
    open.push({ delimiter, spaced, part });
    outsideStart = part.start;
    return open.length <= limits.maxDepth;
  };
  const leave = (end: number) => {
    if (leaf) {
      leaf.end = Math.max(leaf.start, end);
      const content = bytes.subarray(leaf.start, leaf.end);
      if (leaf.header.encoding === "base64" && isCutBase64(content)) defects.add("base64_truncated");
    }
    leaf = null;
    if (outsideStart >= 0 && outsideStart < end) outside.push([outsideStart, end]);
    outsideStart = -1;
  };

  const part = (header: HeaderBlock, start: number, defaultType: string): MimePart => ({
    header: describePart(header, defaultType, defects),
    ...{ bytes, start, end: bytes.length, parts: [] },
  });
  const root = part(block, block.bodyStart, "text/plain");
  if (hasMoreLines(bytes, LINES_MAX)) return over("lines_exceeded", `The message has more than ${LINES_MAX} lines.`);
  if (root.header.type.startsWith("text/")) {
    root.start = textStart(bytes, block.bodyStart);
    if (root.start < block.bodyStart) {
      dependsOnSpaces = true;
      defects.add("header_unterminated");
    }
  }
  const tooDeep = () => over("depth_exceeded", `The message has multiparts nested more than ${limits.maxDepth} deep.`);
  if (!enter(root)) return tooDeep();
  // Start at the line end before the body, so that a delimiter on its first line counts.
  for (let at = lineStart(bytes, block.bodyStart); at >= 0; ) {
    if (++dashLines > DASH_LINES_MAX) return over("boundaries_exceeded");
    const found = matchDelimiter(bytes, at, open);
    if (found === "respaced") dependsOnSpaces = true;
    if (!found || found === "respaced") {
      at = lineStart(bytes, at + 1);
      continue;
    }
    leave(beforeLineEnd(bytes, at));
    if (open.length - 1 > found.level) defects.add("multipart_unclosed");
    open.length = found.closes ? found.level : found.level + 1;
    at = found.end;
    if (found.closes) outsideStart = at;
    else {
      if (++parts > limits.maxParts)
        return over("parts_exceeded", `The message has more than ${limits.maxParts} parts.`);
      const header = partHeaderEnd(bytes, at, limits.maxHeaderBytes - headerBytes);
      if (!header) {
        const detail = `The headers of the parts have more than ${limits.maxHeaderBytes} bytes.`;
        return over("part_headers_exceeded", detail);
      }
      const { end: headerEnd, isMarked } = header;
      // Other programs may take the content for a part of the header.
      if (!isMarked) defects.add("part_ambiguous");
      headerBytes += headerEnd - at;
      if (hasBlankLine(bytes.toString("latin1", at, headerEnd))) {
        dependsOnSpaces = true;
        // Other programs may begin the content there.
        defects.add("part_ambiguous");
      }
      const fields = scanHeaders(bytes.subarray(at, headerEnd), {
        bytesMax: limits.maxHeaderBytes,
        fieldsMax: PART_FIELDS_MAX,
      });
      // RFC 2046 5.1.5.
      const isDigest = open.at(-1)?.part.header.type === "multipart/digest";
      const defaultType = isDigest ? "message/rfc822" : "text/plain";
      const joined = joinedMessage(bytes, fields, headerEnd);
      const own = { ...fields, fields: fields.fields.filter(({ start }) => joined === null || start < joined) };
      let next = part(own, at + (joined ?? headerEnd - at), defaultType);
      if (joined !== null && next.header.type === "message/rfc822") defects.add("part_ambiguous");
      else if (joined !== null) next = part(fields, headerEnd, defaultType);
      if (!enter(next)) return tooDeep();
      at = headerEnd;
    }
    at = lineStart(bytes, at);
  }
  leave(bytes.length);
  if (open.length > 0) defects.add("multipart_unclosed");
  return { excess: null, root, defects: defects.list, dependsOnSpaces, outside };
}

/** Where the line end before `at` begins: it belongs to the delimiter (RFC 2046 5.1.1). */
function beforeLineEnd(bytes: Buffer, at: number): number {
  if (bytes[at - 1] !== 0x0a) return at;
  return bytes[at - 2] === 0x0d ? at - 2 : at - 1;
}

/** Whether any line is white space and nothing else. */
function hasBlankLine(lines: string): boolean {
  return lines.split("\n").some((line) => line.trim() === "" && /^[ \t]/.test(line));
}

/** The message without empty lines at the end of its body, which no signature covers (RFC 6376 3.4.3, 3.4.4). */
export function withoutEnd(bytes: Buffer, bodyStart: number): Buffer {
  let end = bytes.length;
  while (end > bodyStart && " \t\r\n".includes(String.fromCharCode(bytes[end - 1] as number))) end--;
  return bytes.subarray(0, end);
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
/** What follows a delimiter on a line with other white space. */
const spacedTail = /^(?:--)?[ \r]*$/;

function matchDelimiter(bytes: Buffer, at: number, open: readonly OpenMultipart[]) {
  /** The line as `spaced` is written, once that is needed: its white space may be megabytes. */
  let line: string | null = null;
  for (let level = open.length - 1; level >= 0; level--) {
    const { delimiter, spaced } = open[level] as OpenMultipart;
    const after = at + delimiter.length;
    if (after > bytes.length || bytes.compare(delimiter, 0, delimiter.length, at, after) !== 0) {
      if (spaced === null) continue;
      line ??= lineAt(bytes, at);
      if (line.startsWith(spaced) && spacedTail.test(line.slice(spaced.length))) return "respaced";
      continue;
    }
    const text = bytes.toString("latin1", after, after + DELIMITER_TAIL_MAX);
    const tail = delimiterTail.exec(text);
    if (!tail && (text.startsWith("--") ? text.slice(2) : text).trim() === "") return "respaced";
    // As much white space as that is more than was looked at.
    if (tail && tail[0].length === DELIMITER_TAIL_MAX && !tail[0].endsWith("\n")) return "respaced";
    if (tail) return { level, closes: tail[1] !== undefined, end: after + tail[0].length };
  }
  return null;
}

/**
 * Where a part's header ends and its content begins: around its empty line, or, if that is missing, at the first line
 * that is neither a field nor the rest of one. Null past `bytesMax`.
 */
function partHeaderEnd(bytes: Buffer, start: number, bytesMax: number): { end: number; isMarked: boolean } | null {
  let line = "";
  for (let at = start; ; ) {
    if (at - start > bytesMax) return null;
    if (at >= bytes.length) return { end: bytes.length, isMarked: true };
    if (bytes[at] === 0x2d && bytes[at + 1] === 0x2d) return { end: at, isMarked: at === start };
    if (bytes[at] === 0x0a) return { end: at + 1, isMarked: true };
    if (bytes[at] === 0x0d && bytes[at + 1] === 0x0a) return { end: at + 2, isMarked: true };
    const lf = bytes.subarray(at, at + bytesMax + 1).indexOf(0x0a);
    if (lf < 0 && at + bytesMax < bytes.length) return null;
    const end = lf < 0 ? bytes.length : at + lf + 1;
    const before = line;
    line = headerLine(bytes, at, end);
    if (!isHeaderLine(line, before, bytes, end)) return { end: at, isMarked: false };
    at = end;
  }
}

/**
 * Whether the header ends in lines that are words of the text, or a part of its last field, depending on the program.
 * True as well if it is too long to tell.
 */
export function hasTextInHeader(raw: Uint8Array, { bodyStart }: HeaderBlock): boolean {
  return bodyStart > TEXT_HEADER_BYTES_MAX || textStart(asBuffer(raw), bodyStart) < bodyStart;
}

/** Each line of a header costs far more than one of a body. A header of this length is cut, and said to be. */
const TEXT_HEADER_BYTES_MAX = 1024 * 1024;

/**
 * Where the text of a message begins: after the last line of the header that belongs to a field. Lines after it are words,
 * if the empty line is missing or has white space. A header that is too long counts as one as it is.
 */
function textStart(bytes: Buffer, bodyStart: number): number {
  if (bodyStart > TEXT_HEADER_BYTES_MAX) return bodyStart;
  let before = "";
  let fieldsEnd = 0;
  for (let at = 0; at < bodyStart; ) {
    const lf = bytes.indexOf(0x0a, at);
    const end = lf < 0 || lf >= bodyStart ? bodyStart : lf + 1;
    const line = headerLine(bytes, at, end);
    if (end === bodyStart && /^\r?\n$/.test(line)) return fieldsEnd < at ? fieldsEnd : bodyStart;
    const isOfField = line.trim() !== "" && (colonNext.test(line) || isHeaderLine(line, before, bytes, end));
    if (isOfField) fieldsEnd = end;
    before = isOfField ? line : "";
    at = end;
  }
  return fieldsEnd;
}

/** Fields that a message has, and the header of a part does not. */
const ofMessages = ["from", "to", "subject", "date", "received", "message-id", "return-path"];

/**
 * Where an attached message begins whose header follows that of its part without an empty line, as an offset into that
 * header; null if the message begins after the header.
 */
function joinedMessage(bytes: Buffer, { fields }: HeaderBlock, bodyStart: number): number | null {
  if (!fields.some(({ key }) => ofMessages.includes(key))) return null;
  const first = /^[^:\r\n]{1,100}(?=:)/.exec(bytes.toString("latin1", bodyStart, bodyStart + FIELD_NAME_CHARS_MAX));
  if (ofMessages.includes(first?.[0].trimEnd().toLowerCase() ?? "")) return null;
  return fields.find(({ key }) => !/^content-|^mime-version$/.test(key))?.start ?? null;
}

/** Longer than the names of the fields that a message begins with. */
const FIELD_NAME_CHARS_MAX = 101;

/** As much of a line as it takes to tell whether it is one of a header. */
const HEADER_LINE_CHARS_MAX = 1_000;
const spaces = /[ \t]+/g;

/** The line at `at` so written, without its line feed. */
function lineAt(bytes: Buffer, at: number): string {
  const lf = bytes.indexOf(0x0a, at);
  return headerLine(bytes, at, lf < 0 ? bytes.length : lf);
}

/** The beginning of a line, with one space for each run of white space, which a host on the way may lengthen. */
function headerLine(bytes: Buffer, start: number, end: number): string {
  return bytes.toString("latin1", start, end).replace(spaces, " ").slice(0, HEADER_LINE_CHARS_MAX);
}

const fieldName = /^[\x21-\x39\x3b-\x7e]{1,200}[ \t]?:/;
/** A parameter, which broken programs write without the white space of a fold. */
const parameter = /^(?:boundary|charset|name|filename|format|type|start|size|protocol|micalg)\*?\d*\*?[ \t]?=/i;
const colonNext = /^[ \t]+:/;
/** Any parameter, but no line of base64. */
const anyParameter = /^[\w*-]{1,60}[ \t]?=[ \t]?[^\s=]/;

/** Whether a line begins a field, or belongs to the field of the line before. */
function isHeaderLine(line: string, before: string, bytes: Buffer, end: number): boolean {
  // A line of only white space is an empty line to some programs, and a fold to others.
  if (/^[ \t]/.test(line)) return before !== "" || line.trim() === "";
  if (fieldName.test(line) || /^content-/i.test(line.replace(/[^\x21-\x7e]/g, ""))) return true;
  if (parameter.test(line) || (before.trimEnd().endsWith(";") && anyParameter.test(line))) return before !== "";
  // A name may be folded before its colon (RFC 5322 4.5.8).
  const isSpace = (byte: number | undefined) => byte === 0x20 || byte === 0x09;
  let next = end;
  while (isSpace(bytes[next])) next++;
  return next > end && bytes[next] === 0x3a;
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
