import libmime from "libmime";
import { asBuffer, fieldsNamed, fieldText, type HeaderBlock, scanHeaders } from "../headers.ts";

/** A message or one part of it, not decoded. */
export interface Part {
  header: HeaderBlock;
  /** `type/subtype`, lower-cased; text/plain if it is missing or unreadable (RFC 2045 5.2). */
  type: string;
  /** Parameters of Content-Type by lower-cased name. */
  params: Record<string, string>;
  body: Buffer;
  /** Header and body. */
  whole: Buffer;
}

/** Reports have three or four parts (RFC 6522 3). */
const PARTS_MAX = 20;
/** Multiparts inside a report's first part: Gmail puts an alternative inside a related. */
const DEPTH_MAX = 4;
/** The text for people is among the first parts of each multipart. */
const READABLE_AMONG = 3;
/** Lines that begin like a delimiter but are not one. Real mail has none. */
const LOOKALIKES_MAX = 1_000;
/** Limits of the message's header, or of one part's. Hosts on the way add to it; real ones stay below 64 KB. */
const headerLimits = { bytesMax: 256 * 1024, fieldsMax: 1_000 };
/** The fields read here have a few hundred characters (RFC 2045 5.1, RFC 2183). */
const FIELD_CHARS_MAX = 2_000;

/** Reads the message as its own outermost part. Only its header is scanned, and that only if `block` is not given. */
export function readTop(raw: Uint8Array, block: HeaderBlock | null): Part {
  return readPart(asBuffer(raw), block);
}

function readPart(bytes: Buffer, block: HeaderBlock | null = null): Part {
  const header = block ?? scanHeaders(bytes, headerLimits);
  const { value, params } = libmime.parseHeaderValue(fieldOf(header, "content-type") || "text/plain", {
    stripComments: true,
  });
  const type = value.trim().toLowerCase();
  return {
    header,
    type: /^[\w.+-]+\/[\w.+-]+$/.test(type) ? type : "text/plain",
    params,
    body: bytes.subarray(header.bodyStart),
    whole: bytes,
  };
}

/** The first field of that name, unfolded and cut to 2,000 characters; "" when there is none. `key` is lower-cased. */
export function fieldOf(header: HeaderBlock, key: string): string {
  const [field] = fieldsNamed(header, key);
  return field ? fieldText({ ...field, binary: field.binary.slice(0, FIELD_CHARS_MAX) }) : "";
}

/** The file name of an attachment, or "". */
export function fileNameOf(part: Part): string {
  const disposition = fieldOf(part.header, "content-disposition");
  const named = disposition
    ? libmime.parseHeaderValue(disposition, { stripComments: true }).params.filename
    : undefined;
  return named ?? part.params.name ?? "";
}

/** Reads the direct parts of a multipart, at most `max` (RFC 2046 5.1); empty for anything else. Time is linear. */
export function childrenOf(part: Part, max = PARTS_MAX): Part[] {
  const boundary = part.type.startsWith("multipart/") ? part.params.boundary?.trimEnd() : undefined;
  if (!boundary) return [];
  const line = Buffer.from(`\n--${boundary}`, "latin1");
  const children: Part[] = [];
  let start = -1;
  let lookalikes = 0;
  const { whole } = part;
  // Start at the line end before the body, so that a delimiter on its first line counts.
  for (let at = whole.indexOf(line, part.header.bodyStart - 1); at >= 0; at = whole.indexOf(line, at + 1)) {
    const behind = at + line.length;
    const tail = delimiterTail.exec(whole.toString("latin1", behind, behind + DELIMITER_TAIL_MAX));
    if (!tail) {
      if (++lookalikes > LOOKALIKES_MAX) return children;
      continue;
    }
    if (start >= 0) children.push(readPart(whole.subarray(start, at + 1)));
    start = behind + tail[0].length;
    if (tail[1] !== undefined || children.length === max) return children;
  }
  // Cut off, or never closed.
  if (start >= 0) children.push(readPart(whole.subarray(start)));
  return children;
}

/** White space and line end after a delimiter, and how far to look for them (RFC 2046 5.1.1 transport padding). */
const delimiterTail = /^(--)?[ \t]*(?:\r*\n|$)/;
const DELIMITER_TAIL_MAX = 1_000;

/** The first `bytesMax` bytes of a part, its transfer encoding undone (RFC 2045 6). */
export function contentOf(part: Part, bytesMax: number): Buffer {
  switch (fieldOf(part.header, "content-transfer-encoding").toLowerCase()) {
    case "base64":
      return Buffer.from(part.body.toString("latin1", 0, 2 * bytesMax), "base64").subarray(0, bytesMax);
    case "quoted-printable":
      return Buffer.from(
        part.body
          .toString("latin1", 0, bytesMax)
          .replace(/=\r?\n/g, "")
          .replace(/=([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
        "latin1",
      );
    default:
      return part.body.subarray(0, bytesMax);
  }
}

/** The first `bytesMax` bytes of a part as text, in its charset if known and otherwise UTF-8. Line ends become LF. */
export function textOf(part: Part, bytesMax: number): string {
  return decoderFor(part.params.charset).decode(contentOf(part, bytesMax)).replace(/\r\n?/g, "\n");
}

function decoderFor(charset = "utf-8"): TextDecoder {
  try {
    return new TextDecoder((/^(?:us-)?ascii$/i.test(charset) ? "utf-8" : charset) as Bun.Encoding);
  } catch {
    return new TextDecoder();
  }
}

/** Finds the first part for people: plain text before HTML, in nested multiparts too. Null if there is none. */
export function readableOf(part: Part, depth = 0): Part | null {
  if (!part.type.startsWith("multipart/")) return /^text\/(?:plain|html)$/.test(part.type) ? part : null;
  if (depth === DEPTH_MAX) return null;
  let html: Part | null = null;
  for (const child of childrenOf(part, READABLE_AMONG)) {
    const found = readableOf(child, depth + 1);
    if (found?.type === "text/plain") return found;
    html ??= found;
  }
  return html;
}
