import { isUtf8 } from "node:buffer";
import { base64Readings } from "../message/mime/base64.ts";

/** The shortest run of base64 that is read: 15 bytes, less than any token has. */
const RUN_CHARS_MIN = 20;
/** Control characters other than white space. Text has none of them. */
const controls = /[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]/;

/**
 * Undoes the encodings that mail, web and programs put around text, each separately: percent-encoding, character
 * references, quoted-printable, JSON escapes and base64. Returns only readings that differ from the text. Linear.
 */
export function decodings(text: string): string[] {
  const readings = [
    ...(text.includes("%") ? decodedBytes(text, "%") : []),
    text.includes("&#") ? dereferenced(text) : text,
    // Servers may add blanks to soft line ends (RFC 2045 6.7).
    ...(text.includes("=") ? decodedBytes(text.replace(/=[ \t]*\r?\n/g, ""), "=") : []),
    text.includes("\\") ? unescaped(text) : text,
    base64Decoded(text),
  ];
  return readings.filter((reading) => reading !== text && reading !== "");
}

/**
 * Decodes the bytes that are written as a sign and two hexadecimal digits, except for control characters that end no
 * line: in UTF-8, and if they are not that everywhere, also in Latin-1.
 */
function decodedBytes(text: string, sign: "%" | "="): string[] {
  const bytes = Buffer.from(text);
  const first = sign.charCodeAt(0);
  let length = 0;
  for (let at = 0; at < bytes.length; at++) {
    const decoded = bytes[at] === first ? byteOf(bytes[at + 1], bytes[at + 2]) : -1;
    bytes[length++] = decoded < 0 ? (bytes[at] as number) : decoded;
    if (decoded >= 0) at += 2;
  }
  const whole = bytes.subarray(0, length);
  const readings = [whole.toString("utf8")];
  if (!isUtf8(whole)) readings.push(text.replace(sign === "%" ? percentByte : quotedByte, fromLatin1));
  return readings;
}

const percentByte = /%(0[ad]|[2-9a-f][0-9a-f])/gi;
const quotedByte = /=(0[ad]|[2-9a-f][0-9a-f])/gi;
const fromLatin1 = (_: string, hex: string) => String.fromCharCode(Number.parseInt(hex, 16));

/** The byte that two hexadecimal digits stand for, given as their codes; -1 if it is none that is decoded. */
function byteOf(high: number | undefined, low: number | undefined): number {
  const byte = digitOf(high) * 16 + digitOf(low);
  return byte >= 0x20 || byte === 0x0a || byte === 0x0d ? byte : -1;
}

/** The value of a hexadecimal digit; far below zero for other characters. */
function digitOf(code = 0): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1_000;
}

/** Numeric character references (HTML 13.5) in text that is not read as HTML. */
function dereferenced(text: string): string {
  return text.replace(/&#(?:x([0-9a-f]{1,6})|([0-9]{1,7}));?/gi, (whole, hex?: string, decimal?: string) => {
    const code = hex ? Number.parseInt(hex, 16) : Number(decimal);
    return code > 0x1f && code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}

/** Escapes of RFC 8259 7, and those that programs add to them. */
function unescaped(text: string): string {
  return text.replace(
    /\\(?:u\{([0-9a-f]{1,6})\}|u([0-9a-f]{4})|x([0-9a-f]{2})|([nrt/]))/gi,
    (whole, braced?: string, long?: string, short?: string, one?: string) => {
      const hex = braced ?? long ?? short;
      const code = Number.parseInt(hex ?? "", 16);
      if (hex !== undefined) return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
      return one === "/" ? "/" : "\n";
    },
  );
}

/** The base64 in the text (RFC 4648 4 and 5) that decodes to text: consecutive lines together, and single words. */
function base64Decoded(text: string): string {
  const found: string[] = [];
  let block: string[] = [];
  const flush = () => {
    const whole = readable(block.join(""));
    // A single word on a line may have joined the block: then decode each line separately.
    found.push(...(whole.length > 0 ? whole : [block.flatMap(readable).join("")]));
    block = [];
  };
  for (const line of text.split("\n")) {
    const word = line.replace(/^[> \t]{1,20}/, "").trimEnd();
    if (/^[A-Za-z0-9+/_-]+={0,2}$/.test(word) && (block.length > 0 || word.length >= RUN_CHARS_MIN)) {
      block.push(word);
      continue;
    }
    if (block.length > 0) flush();
    if (line.length < RUN_CHARS_MIN) continue;
    for (const [run] of line.matchAll(/[A-Za-z0-9+/_-]+/g))
      if (run.length >= RUN_CHARS_MIN) found.push(...readable(run));
  }
  if (block.length > 0) flush();
  return found.filter((one) => one !== "").join("\n");
}

function readable(base64: string): string[] {
  const found = base64Readings(Buffer.from(base64)).flatMap((bytes) => {
    const wide = bytes.includes(0) ? [bytes.toString("utf16le")] : [];
    // UTF-16 has a zero beside each ASCII letter.
    const narrow = isUtf8(bytes) ? bytes.toString("utf8").replaceAll("\0", "") : bytes.toString("latin1");
    return [...wide, narrow];
  });
  return [...new Set(found)].filter((text) => text.isWellFormed() && !controls.test(text));
}
