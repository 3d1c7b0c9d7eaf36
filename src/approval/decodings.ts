import { base64Readings } from "../message/mime/base64.ts";

/** The shortest run of base64 that is read: 15 bytes, less than any token has. */
const RUN_CHARS_MIN = 20;
/** Control characters other than white space. Text has none of them. */
const controls = /[\x00-\x08\x0b\x0e-\x1f\x7f]/;

/**
 * Undoes the encodings that mail, web and programs put around text, each separately: percent-encoding, character
 * references, quoted-printable, JSON escapes and base64. Returns only readings that differ from the text. Linear.
 */
export function decodings(text: string): string[] {
  const readings = [
    text.includes("%") ? percentDecoded(text) : text,
    text.includes("&#") ? dereferenced(text) : text,
    text.includes("=") ? quotedPrintableDecoded(text) : text,
    text.includes("\\") ? unescaped(text) : text,
    base64Decoded(text),
  ];
  return readings.filter((reading) => reading !== text && reading !== "");
}

function percentDecoded(text: string): string {
  return text.replace(/%([2-7][0-9a-f])/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** Numeric character references (HTML 13.5) in text that is not read as HTML. */
function dereferenced(text: string): string {
  return text.replace(/&#(?:x([0-9a-f]{1,6})|([0-9]{1,7}));?/gi, (whole, hex?: string, decimal?: string) => {
    const code = hex ? Number.parseInt(hex, 16) : Number(decimal);
    return code > 0x1f && code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}

/** RFC 2045 6.7, for ASCII only; soft line ends are removed. */
function quotedPrintableDecoded(text: string): string {
  return text
    .replace(/=\r?\n/g, "")
    .replace(/=([2-7][0-9a-f])/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** Escapes of RFC 8259 7, and those that programs add to them. */
function unescaped(text: string): string {
  return text.replace(
    /\\(?:u([0-9a-f]{4})|x([0-9a-f]{2})|([nrt/]))/gi,
    (_, long?: string, short?: string, one?: string) => {
      const hex = long ?? short;
      if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
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
  return base64Readings(Buffer.from(base64)).flatMap((bytes) => {
    // UTF-16 has a zero beside each ASCII letter.
    const text = bytes.toString("utf8").replaceAll("\0", "");
    return text.includes("\ufffd") || controls.test(text) ? [] : [text];
  });
}
