import { isUtf8 } from "node:buffer";
import { asBuffer } from "../message/headers.ts";
import { walkHtml } from "../message/html/walk.ts";
import { decodeWith } from "../message/mime/charset.ts";

/** The texts that bytes stand for. */
export interface TextReadings {
  /** Each once. The first is in the charset that is declared or that the bytes suggest. */
  texts: string[];
  /** False if another program may read the bytes in a charset that is not decoded here. */
  isWhole: boolean;
}

/** Bytes at the beginning of a file by which text is recognised. */
export const HEAD_BYTES = 4 * 1024;
/** Charsets that one file may name; a page names one or two. */
const LABELS_MAX = 4;
/** Bytes decoded in a charset that browsers do not know: each shift in it costs time. */
const RARE_BYTES_MAX = 512 * 1024;

/**
 * Decodes the bytes in every way in which they are text; null if they are not. The charsets are those that the
 * Content-Type and the file itself name, UTF-8, and those that programs take for granted if nothing fits. Linear.
 */
export function textReadings(content: Uint8Array, contentType: string): TextReadings | null {
  const bytes = asBuffer(content);
  const type = (contentType.split(";")[0] ?? "").trim().toLowerCase();
  const isDeclared = /^text\/|^message\/|[/+](?:json|xml|yaml|x-yaml|javascript|sql|x-sh|csv)$/.test(type);
  const declared = decodedBy(charsetsIn(contentType), bytes);
  // Some readers join a charset in pieces (RFC 2231 3); others ignore it.
  const isInPieces = /charset\*/i.test(contentType);
  const isWhole = declared.isWhole && !isInPieces;
  const marked = byteOrderMark(bytes);
  if (marked || bytes.includes(0)) {
    const wide = marked ?? wideCharset(bytes) ?? declared.wide;
    if (!wide && !isDeclared && declared.texts.length === 0) return null;
    const decoded = wide ? [new TextDecoder(wide).decode(bytes)] : [];
    // An archive after a text in UTF-16 decodes to lone surrogates.
    const isText = wide !== null && !decoded.some((text) => text.includes("\ufffd"));
    // In UTF-32, or around a stray zero, the letters are between the zeros.
    const texts = [...decoded, ...declared.texts, latin1(bytes).replaceAll("\0", "")];
    return { texts: [...new Set(texts)], isWhole: isWhole && isText };
  }
  const named = decodedBy(
    namedCharsets(latin1(bytes)).filter((label) => !isWide(label)),
    bytes,
  );
  const texts = [...declared.texts, ...named.texts];
  const utf8 = bytes.toString("utf8");
  if (isUtf8(bytes)) texts.push(utf8);
  else {
    if (!isDeclared && texts.length === 0 && !looksLikeText(bytes)) return null;
    texts.push(new TextDecoder("windows-1252").decode(bytes), utf8, ...eastAsianReadings(bytes));
  }
  if (switches.test(utf8)) texts.push(new TextDecoder("iso-2022-jp").decode(bytes));
  return { texts: [...new Set(texts)], isWhole: isWhole && named.isWhole };
}

/** The charsets that a Content-Type names. It should be one. */
function charsetsIn(contentType: string): string[] {
  return [...contentType.matchAll(/charset\s*=[\s"']*([\w.:+-]{1,40})/gi)].map(([, label = ""]) => label);
}

/**
 * The charsets that a file names inside: an XML declaration (XML 1.0 4.3.3), a style sheet (CSS Syntax 3, 3.2), or HTML
 * wherever it does so (HTML standard 13.2.3.2, 13.2.6.4.4).
 * @param text The bytes as Latin-1.
 */
function namedCharsets(text: string): string[] {
  const start = text.replace(/^\xef\xbb\xbf/, "").trimStart();
  const [, xml = ""] = /^<\?xml([^>]*)/i.exec(start) ?? [];
  const labels = [
    /encoding\s*=[\s"']*([\w.:+-]{1,40})/i.exec(xml)?.[1],
    /^@charset[\s"']*([\w.:+-]{1,40})/i.exec(start)?.[1],
  ];
  if (/<meta/i.test(text))
    walkHtml(text, {
      text() {},
      begin(name, attributes) {
        if (name !== "meta") return;
        labels.push(attributes.get("charset")?.trim(), ...charsetsIn(attributes.get("content") ?? ""));
      },
    });
  return labels.flatMap((label) => label || []);
}

/** The bytes in each of the charsets. `isWhole`: browsers know them all. `wide`: the one of them that is UTF-16. */
function decodedBy(labels: readonly string[], bytes: Buffer) {
  const known = [...new Set(labels.map((label) => label.toLowerCase()))];
  const texts: string[] = [];
  let isWhole = known.length <= LABELS_MAX;
  let wide: "utf-16le" | "utf-16be" | null = null;
  for (const label of known.slice(0, LABELS_MAX)) {
    const decoder = decoderOf(label);
    const text = decoder ? decoder.decode(bytes) : decodeWith(bytes.subarray(0, RARE_BYTES_MAX), label);
    if (text !== null) texts.push(text);
    isWhole &&= decoder !== null;
    if (decoder && isWide(label)) wide = decoder.encoding as "utf-16le" | "utf-16be";
  }
  return { texts, isWhole, wide };
}

function decoderOf(label: string): TextDecoder | null {
  try {
    return new TextDecoder(label as Bun.Encoding);
  } catch {
    return null;
  }
}

/** Whether a label means UTF-16. A file whose declaration can be read as ASCII is in another charset. */
function isWide(label: string): boolean {
  return decoderOf(label)?.encoding.startsWith("utf-16") ?? false;
}

/** Charsets of East Asia, which programs there take for granted, and browsers guess. */
const eastAsian = ["gb18030", "shift_jis", "big5", "euc-jp", "euc-kr"] as const;
/** Characters that show as ASCII letters or as nothing. Text wrongly decoded in another charset rarely has one. */
const disguised = /[\u2100-\u218f\u2460-\u24ff\u3200-\u33ff\uff01-\uff5e\p{Default_Ignorable_Code_Point}]/u;

/** The bytes in each charset of East Asia in which they are valid or have something disguised. */
function eastAsianReadings(bytes: Buffer): string[] {
  return eastAsian
    .map((label) => new TextDecoder(label as Bun.Encoding).decode(bytes))
    .filter((text) => !text.includes("\ufffd") || disguised.test(text));
}

function byteOrderMark(bytes: Buffer): "utf-16le" | "utf-16be" | null {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return "utf-16le";
  return bytes[0] === 0xfe && bytes[1] === 0xff ? "utf-16be" : null;
}

/** Recognises UTF-16 by zeros in every other byte. */
function wideCharset(bytes: Buffer): "utf-16le" | "utf-16be" | null {
  const end = Math.min(bytes.length, HEAD_BYTES) & ~1;
  let [even, odd] = [0, 0];
  for (let i = 0; i < end; i += 2) {
    if (bytes[i] === 0) even++;
    if (bytes[i + 1] === 0) odd++;
  }
  if (odd > end / 8 && even < odd / 8) return "utf-16le";
  return even > end / 8 && odd < even / 8 ? "utf-16be" : null;
}

/** How ISO-2022-JP switches charsets. Browsers that decode it show nothing there. */
const switches = /\x1b[($]/;

/** Whether bytes that are not UTF-8 are text in another charset: almost none are control characters. */
function looksLikeText(bytes: Buffer): boolean {
  const end = Math.min(bytes.length, HEAD_BYTES);
  let controls = 0;
  for (let i = 0; i < end; i++) {
    const byte = bytes[i] as number;
    if (byte < 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0c && byte !== 0x0d && byte !== 0x1b) controls++;
  }
  return controls <= end / 100;
}

/** One character for each byte. */
export function latin1(bytes: Uint8Array): string {
  return asBuffer(bytes).toString("latin1");
}
