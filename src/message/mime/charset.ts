import { isAscii, isUtf8 } from "node:buffer";
import iconv from "iconv-lite";
import type { Defect } from "../../mail.ts";
import { defect } from "../defects.ts";
import { walkHtml } from "../html/walk.ts";

/** Text of a part, and what was wrong with its charset. */
export interface DecodedText {
  text: string;
  /** Null if the declared charset was right. */
  defect: Defect | null;
}

type Decoder = (bytes: Buffer) => string;

/** A detector needs no more; its time grows with the length. */
const DETECTED_BYTES_MAX = 64 * 1024;
/** Where HTML declares its charset (HTML standard 13.2.3.2). */
const META_BYTES_MAX = 4 * 1024;

/**
 * Decodes text: by its byte order mark, by the declared charset if the bytes can be that, as UTF-8 if they are, by what
 * the HTML says of itself, or by a detected charset. Never throws; bytes without a character become U+FFFD.
 * @param declared The charset parameter, or null.
 */
export async function decodeText(bytes: Buffer, declared: string | null, isHtml: boolean): Promise<DecodedText> {
  const label = declared === null ? null : labelOf(declared);
  const marked = byteOrderMark(bytes, label);
  if (marked) return { text: (decoderOf(marked) as Decoder)(bytes), defect: null };
  if (label !== null && /^utf-?16$/.test(label) && isPossible(bytes, label)) return fromUtf16(bytes);
  const decode = label === null || isAnyAscii(label) || label === "utf-8" ? null : decoderOf(label);
  // ISO-2022 is ASCII to the eye of UTF-8.
  const isPlain = isUtf8(bytes) && (label === "utf-8" || !hasEscapes(bytes));
  if (decode && isPossible(bytes, label as string)) return declaredText(bytes, decode, label as string);
  const isWide = label !== null && wide.test(label) && bytes.length > 0;
  if (isPlain) {
    const escaped = hasEscapes(bytes) ? defect("charset_escapes") : null;
    return { text: bytes.toString("utf8"), defect: isWide ? misdeclared("utf-8") : escaped };
  }
  if (label === "utf-8" && isMostlyUtf8(bytes)) return { text: bytes.toString("utf8"), defect: null };
  const own = isHtml ? metaCharset(bytes) : null;
  const ownDecode = own === null || isAnyAscii(own) || own === "utf-8" ? null : decoderOf(own);
  if (ownDecode && isPossible(bytes, own as string)) return { text: ownDecode(bytes), defect: null };
  const found = await detected(bytes);
  const text = (decoderOf(found) as Decoder)(bytes);
  return {
    text,
    defect:
      declared === null
        ? defect("charset_missing", `A text part declares no charset; it was read as ${found}.`)
        : misdeclared(found),
  };
}

function misdeclared(found: string): Defect {
  return defect("charset_wrong", `A text part is not in the charset that it declares; it was read as ${found}.`);
}

function declaredText(bytes: Buffer, decode: Decoder, label: string): DecodedText {
  const isCut = isSevenBit(label) && bytes.length > SHIFTED_BYTES_MAX;
  if (!isCut) return { text: decode(bytes), defect: null };
  return { text: decode(bytes.subarray(0, SHIFTED_BYTES_MAX)), defect: defect("part_truncated") };
}

/** Decodes bytes of a header field in a charset; null if it is unknown or the bytes cannot be that. */
export function decodeWith(bytes: Buffer, charset: string): string | null {
  return wholeDecoder(charset)(bytes);
}

/** Like `decodeWith`, for many texts in the same charset. */
export function wholeDecoder(charset: string): (bytes: Buffer) => string | null {
  const decode = decoderOf(labelOf(charset));
  return (bytes) => {
    const text = decode?.(bytes);
    return text === undefined || text.includes("\ufffd") ? null : text;
  };
}

/** Whether text in this charset can be decoded. */
export function isCharset(label: string): boolean {
  return decoderOf(labelOf(label)) !== null;
}

/** Whether a label names UTF-7 (RFC 2152), which writes any character in ASCII letters. */
export function isUtf7(label: string): boolean {
  return utf7.test(lettersOf(labelOf(label)));
}

const utf7 = /^x?(?:cs)?(?:unicode)?(?:\d\d)?utf7$/;

/** The label without the quotes and signs that broken programs leave around it, in lower case. */
function labelOf(charset: string): string {
  const label = charset.toLowerCase().replace(/[^\w:.+-]/g, "");
  return otherUtf8.test(label) ? "utf-8" : label;
}

/** What the Encoding Standard calls UTF-8 as well. */
const otherUtf8 = /^(?:utf8|unicode-1-1-utf-8|unicode11utf8|unicode20utf8|x-unicode20utf8)$/;

function isAnyAscii(label: string): boolean {
  return /^(?:us-?)?ascii$|^ansi_x3\.4/.test(label);
}

/** Bytes decoded of a charset of seven bits, whose every shift costs time. */
const SHIFTED_BYTES_MAX = 2 * 1024 * 1024;
const shifting = /^(?:cs)?(?:iso-?2022-?|hz)/;

/** Whether a charset writes all characters in seven bits. */
function isSevenBit(label: string): boolean {
  return shifting.test(label) || isUtf7(label);
}

/** Whether bytes may be text in this charset, as far as a look at them can tell. */
function isPossible(bytes: Buffer, label: string): boolean {
  if (wide.test(label)) return bytes.includes(0) || !isUtf8(bytes);
  return !(isSevenBit(label) && !isAscii(bytes));
}

/** Charsets of which a character has two bytes or more. */
const wide = /^(?:cs)?(?:utf-?(?:16|32)|unicode$|ucs|iso-?10646)/;

/** Whether bytes contain the escapes of ISO-2022 (RFC 1468, RFC 1557). */
function hasEscapes(bytes: Buffer): boolean {
  return bytes.includes("\x1b$");
}

/** Whether bytes are UTF-8 with some damage, for example where a text was cut. */
export function isMostlyUtf8(bytes: Buffer): boolean {
  const characters = bytes.subarray(0, DETECTED_BYTES_MAX).toString("utf8");
  const broken = characters.match(/\ufffd/g)?.length ?? 0;
  const whole = characters.match(/[^\x00-\x7f\ufffd]/g)?.length ?? 0;
  return whole > 2 * broken;
}

/** The charset that a byte order mark names. That of UTF-16 is two letters in other charsets, so a declaration counts. */
function byteOrderMark(bytes: Buffer, label: string | null): string | null {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) return isUtf8(bytes) ? "utf-8" : null;
  if (label !== null && !/^utf-?16/.test(label)) return null;
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return "utf-16le";
  return bytes[0] === 0xfe && bytes[1] === 0xff ? "utf-16be" : null;
}

/** UTF-16 without a byte order mark: the half of each unit that is zero in Western text tells the order. */
function fromUtf16(bytes: Buffer): DecodedText {
  const sample = bytes.subarray(0, DETECTED_BYTES_MAX);
  let zeros = 0;
  for (let i = 0; i + 1 < sample.length; i += 2) zeros += Number(sample[i] === 0) - Number(sample[i + 1] === 0);
  // RFC 2781 4.3.
  const text = (decoderOf(zeros < 0 ? "utf-16le" : "utf-16be") as Decoder)(bytes);
  return { text, defect: zeros === 0 && bytes.length > 1 ? defect("byte_order_unknown") : null };
}

/** The charset that HTML declares in a `meta` element. */
function metaCharset(bytes: Buffer): string | null {
  let found: string | null = null;
  walkHtml(bytes.toString("latin1", 0, META_BYTES_MAX), {
    text() {},
    begin(name, attributes) {
      if (name !== "meta") return;
      const content = attributes.get("content") ?? "";
      found ??=
        attributes.get("charset") ?? /charset\s{0,20}=\s{0,20}["']?([\w:.+-]{1,40})/i.exec(content)?.[1] ?? null;
    },
  });
  const label = found === null ? null : labelOf(found);
  // HTML standard 13.2.3.2: bytes in which a declaration can be read are neither UTF-16 nor what browsers do not decode.
  const isReadable = label !== null && !/^utf-?16|^x-/.test(label) && (!isSevenBit(label) || label === "iso-2022-jp");
  return isReadable ? label : null;
}

/** What mail without a right declaration is written in, by the detector's names, and the labels of the decoders. */
const detectable: Record<string, string> = {
  big5: "big5",
  big5hkscs: "big5",
  cp874: "windows-874",
  cp932: "shift_jis",
  cp949: "euc-kr",
  "euc-jis-2004": "euc-jp",
  "euc-jp": "euc-jp",
  "euc-kr": "euc-kr",
  gb18030: "gb18030",
  "iso-8859-2": "iso-8859-2",
  "koi8-r": "koi8-r",
  "koi8-u": "koi8-u",
  shift_jis: "shift_jis",
  shift_jis_2004: "shift_jis",
  "windows-1250": "windows-1250",
  "windows-1251": "windows-1251",
  "windows-1252": "windows-1252",
  "windows-1253": "windows-1253",
  "windows-1254": "windows-1254",
  "windows-1255": "windows-1255",
  "windows-1256": "windows-1256",
  "windows-1257": "windows-1257",
  "windows-1258": "windows-1258",
};

/** Charsets of Latin letters that differ from windows-1252 in a few of them, which a short text does not tell apart. */
const otherLatin = new Set(["iso-8859-2", "windows-1250", "windows-1254", "windows-1257", "windows-1258"]);
/** How much less likely than another Latin charset windows-1252, by far the most frequent one, may be. */
const LATIN_MARGIN = 0.6;

/** The detected charset; windows-1252 in case of doubt. */
async function detected(bytes: Buffer): Promise<string> {
  if (hasEscapes(bytes)) return bytes.includes("\x1b$)C") ? "iso-2022-kr" : "iso-2022-jp";
  const sample = bytes.subarray(0, DETECTED_BYTES_MAX);
  const japanese = ["shift_jis", "euc-jp"].find((label) => isKana((decoderOf(label) as Decoder)(sample)));
  if (japanese) return japanese;
  // Its model takes 0.1 s to load, and few messages need it.
  const { detectAll } = await import("jschardet");
  const found = detectAll(sample, { detectEncodings: Object.keys(detectable), minimumThreshold: 0 }).flatMap(
    ({ encoding, confidence }) => {
      const label = detectable[encoding?.toLowerCase() ?? ""];
      return label ? [{ label, confidence }] : [];
    },
  );
  const [best] = found;
  if (!best) return "windows-1252";
  const western = found.find(({ label }) => label === "windows-1252")?.confidence ?? 0;
  const isDoubtful =
    (otherLatin.has(best.label) && western >= best.confidence * LATIN_MARGIN) ||
    // There they are control characters, which would be removed.
    (best.label === "iso-8859-2" && sample.some((byte) => byte >= 0x80 && byte < 0xa0));
  return isDoubtful ? "windows-1252" : best.label;
}

/** Whether a text looks Japanese: a third of what is not ASCII is kana, and hardly anything could not be decoded. */
function isKana(text: string): boolean {
  const others = text.match(/[^\x00-\x7f]/g)?.length ?? 0;
  const kana = text.match(/[\u3041-\u3096\u30a1-\u30fa\u30fc]/g)?.length ?? 0;
  const broken = text.match(/\ufffd/g)?.length ?? 0;
  return kana >= 2 && kana * 3 >= others && broken * 20 <= others;
}

/** Codecs of iconv-lite that are no charsets, by their letters and digits: it ignores other characters. */
const noCharsets = /^(?:x?(?:unicode)?(?:11)?utf7(?:imap)?|base64|hex|binary|internal)$/;

function lettersOf(label: string): string {
  return label.replace(/:\d{4}$/, "").replace(/[^a-z0-9]/g, "");
}

/** The decoder of a charset by its label in the Encoding Standard, or by a name that the standard leaves out. */
function decoderOf(label: string): Decoder | null {
  if (utf7.test(lettersOf(label))) return fromUtf7;
  if (/^(?:cs)?iso-?2022-?kr$/.test(label)) return (bytes) => fromShifts(bytes, "euc-kr");
  if (/^iso-?2022-?cn(?:-ext)?$/.test(label)) return (bytes) => fromShifts(bytes, "gb18030");
  if (/^hz(?:-gb-2312)?$/.test(label)) return fromHz;
  try {
    const decoder = new TextDecoder(label as Bun.Encoding);
    return (bytes) => decoder.decode(bytes);
  } catch {
    const name = macintosh.get(label) ?? label;
    return !noCharsets.test(lettersOf(name)) && iconv.encodingExists(name)
      ? (bytes) => iconv.decode(bytes, name)
      : null;
  }
}

/** Names of Apple's charsets, as mail programs write them, in iconv-lite. */
const macintosh = new Map([
  ["x-mac-ce", "maccenteuro"],
  ["x-mac-centraleurroman", "maccenteuro"],
  ["x-mac-croatian", "maccroatian"],
  ["x-mac-greek", "macgreek"],
  ["x-mac-icelandic", "maciceland"],
  ["x-mac-romania", "macromania"],
  ["x-mac-turkish", "macturkish"],
]);

/** RFC 2152. */
function fromUtf7(bytes: Buffer): string {
  return bytes
    .toString("latin1")
    .replace(/\+([A-Za-z0-9+/]*)-?/g, (_, code: string) =>
      code === "" ? "+" : swapped(Buffer.from(code, "base64")).toString("utf16le"),
    );
}

function swapped(bigEndian: Buffer): Buffer {
  return bigEndian.subarray(0, bigEndian.length - (bigEndian.length % 2)).swap16();
}

const SHIFT_OUT = "\x0e";
const SHIFT_IN = "\x0f";

/** ISO-2022-KR and ISO-2022-CN (RFC 1557, RFC 1922): between shifts, bytes are those of an EUC without its high bits. */
function fromShifts(bytes: Buffer, euc: Bun.Encoding | "euc-kr" | "gb18030"): string {
  const text = bytes.toString("latin1").replace(/\x1b\$[)*+][A-Z]/g, "");
  return text
    .split(SHIFT_OUT)
    .map((piece, i) => {
      const end = i === 0 ? 0 : piece.indexOf(SHIFT_IN);
      const shifted = end < 0 ? piece : piece.slice(0, end);
      return highBits(shifted, euc) + piece.slice(shifted.length).replaceAll(SHIFT_IN, "");
    })
    .join("");
}

/** HZ (RFC 1843). */
function fromHz(bytes: Buffer): string {
  return bytes
    .toString("latin1")
    .split("~{")
    .map((piece, i) => {
      const end = i === 0 ? 0 : piece.indexOf("~}");
      const shifted = end < 0 ? piece : piece.slice(0, end);
      return (
        highBits(shifted, "gb18030") + piece.slice(i === 0 ? 0 : shifted.length + 2).replace(/~(~|\r?\n)/g, unescapeHz)
      );
    })
    .join("");
}

const unescapeHz = (_: string, escaped: string) => (escaped === "~" ? "~" : "");

function highBits(text: string, euc: string): string {
  if (text === "") return "";
  const bytes = Buffer.from(text, "latin1").map((byte) => (byte > 0x20 ? byte | 0x80 : byte));
  return (euc === "euc-kr" ? korean : chinese).decode(bytes);
}

const korean = new TextDecoder("euc-kr" as Bun.Encoding);
const chinese = new TextDecoder("gb18030" as Bun.Encoding);
