import { base64Readings } from "./mime/base64.ts";

/** A file embedded in text. */
export interface UuencodedFile {
  filename: string;
  content: Uint8Array;
}

const beginLine = /^begin(?:-base64)? [0-7]{3,4} (\S.{0,254})$/;
/** More than the encoded digits of a line, which has at most 45 bytes (POSIX uuencode). */
const DIGITS_MAX = 84;

/**
 * Extracts the uuencoded files that mail programs find in a text and show as attachments (POSIX uuencode, also in its
 * base64 form, of which each reading counts as a file). A file that is cut off is read as far as it goes. Time is linear
 * in the text.
 */
export function uuencodedFiles(text: string): UuencodedFile[] {
  if (!text.includes("begin")) return [];
  const files: UuencodedFile[] = [];
  let filename: string | null = null;
  let isBase64 = false;
  let pieces: Buffer[] = [];
  const close = () => {
    const content = Buffer.concat(pieces);
    if (filename !== null && pieces.length > 0)
      for (const one of isBase64 ? base64Readings(content) : [content]) files.push({ filename, content: one });
    filename = null;
    pieces = [];
  };
  for (const whole of text.split("\n")) {
    const line = whole.endsWith("\r") ? whole.slice(0, -1) : whole;
    const [, name] = beginLine.exec(line) ?? [];
    if (name !== undefined) {
      close();
      filename = name;
      isBase64 = line.startsWith("begin-");
    } else if (filename === null) continue;
    else if (line === "end" || line === "====") close();
    else if (isBase64) pieces.push(Buffer.from(line));
    else pieces.push(decodedLine(line));
  }
  close();
  return files;
}

/** One line: its length, then four characters for each three bytes; "`" and the space are both zero. */
function decodedLine(line: string): Buffer {
  const digit = (at: number) => ((line.charCodeAt(at) || 0x20) - 0x20) & 0x3f;
  const length = line === "" ? 0 : digit(0);
  const bytes = Buffer.alloc(Math.min(length, 45));
  for (let at = 1, to = 0; to < bytes.length && at < DIGITS_MAX; at += 4, to += 3) {
    const bits = (digit(at) << 18) | (digit(at + 1) << 12) | (digit(at + 2) << 6) | digit(at + 3);
    for (const [i, shift] of [16, 8, 0].entries()) if (to + i < bytes.length) bytes[to + i] = (bits >> shift) & 0xff;
  }
  return bytes;
}
