/** The shortest run of base64 that is read: 15 bytes, less than any token has. */
const RUN_CHARS_MIN = 20;
/** Control characters but for white space: nothing that is text has them. */
const controls = /[\x00-\x08\x0b\x0e-\x1f\x7f]/;

/**
 * A text without the encodings that mail, web and programs put around text, each by itself: percent-encoding, character
 * references, quoted-printable, escapes of JSON and base64. Only readings that differ from the text. Linear.
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

/** Numeric character references (HTML 13.5), as they stand in text that is not read as HTML. */
function dereferenced(text: string): string {
  return text.replace(/&#(?:x([0-9a-f]{1,6})|([0-9]{1,7}));?/gi, (whole, hex?: string, decimal?: string) => {
    const code = hex ? Number.parseInt(hex, 16) : Number(decimal);
    return code > 0x1f && code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}

/** RFC 2045 6.7: what is ASCII; soft line ends are gone. */
function quotedPrintableDecoded(text: string): string {
  return text
    .replace(/=\r?\n/g, "")
    .replace(/=([2-7][0-9a-f])/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** RFC 8259 7, and what programs add to it. */
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

/** What is base64 in the text (RFC 4648 4 and 5), where that is text again: whole lines together, and single words. */
function base64Decoded(text: string): string {
  const found: string[] = [];
  let block: string[] = [];
  const flush = () => {
    const whole = readable(block.join(""));
    // A word of its own line may have run into it: then each line by itself.
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
  const bytes = Buffer.from(base64, "base64");
  // UTF-16 has a zero beside each ASCII letter.
  const text = bytes.toString("utf8").replaceAll("\0", "");
  return text.includes("\ufffd") || controls.test(text) ? [] : [text];
}
