import libmime from "libmime";
import { decodeWith, isCharset, isUtf7 } from "./charset.ts";

const word = /=\?([^?*\s]{1,40})(?:\*[^?\s]{0,40})?\?([bq])\?([^?]{0,2000})\?=/gi;
/** Charsets that the library decodes as ours does, with words cut inside a character. */
const common = /^(?:utf-?8|us-ascii|iso-8859-1|windows-1252)$/i;

/** Decodes encoded words (RFC 2047). Broken ones stay as they are. */
export function decodeWords(text: string): string {
  if (!text.includes("=?")) return text;
  try {
    return libmime.decodeWords(inUtf8(text));
  } catch {
    return text;
  }
}

interface Word {
  start: number;
  end: number;
  charset: string;
  encoding: string;
  content: string;
}

/**
 * Writes encoded words in UTF-8 for a library that knows fewer charsets. A character may be cut between two words.
 * Words in unknown charsets, and bytes that their charset cannot hold, stay as they are.
 */
export function inUtf8(text: string): string {
  if (!text.includes("=?")) return text;
  let written = "";
  let at = 0;
  for (const words of runs(text)) {
    const [{ charset }] = words;
    if (common.test(charset) || !isCharset(charset)) continue;
    // A shift of UTF-7 may last until its word ends (RFC 2152), and not into the next one.
    const joined = isUtf7(charset) ? null : decodeWith(Buffer.concat(words.map(bytesOf)), charset);
    const parts = joined === null ? words.map((one) => decodeWith(bytesOf(one), charset)) : [joined];
    if (parts.includes(null)) continue;
    written += `${text.slice(at, words[0].start)}=?utf-8?B?${Buffer.from(parts.join("")).toString("base64")}?=`;
    at = (words.at(-1) as Word).end;
  }
  return written + text.slice(at);
}

/** Finds words of the same charset and encoding with only white space between them. */
function* runs(text: string): Generator<[Word, ...Word[]]> {
  let run: [Word, ...Word[]] | null = null;
  for (const { 0: whole, 1: charset = "", 2: encoding = "", 3: content = "", index } of text.matchAll(word)) {
    const next: Word = {
      ...{ start: index, end: index + whole.length },
      ...{ charset: charset.toLowerCase(), encoding: encoding.toLowerCase(), content },
    };
    const last = run?.at(-1);
    const isRun = last?.charset === next.charset && last.encoding === next.encoding;
    if (run && last && isRun && text.slice(last.end, next.start).trim() === "") run.push(next);
    else {
      if (run) yield run;
      run = [next];
    }
  }
  if (run) yield run;
}

function bytesOf({ encoding, content }: Word): Buffer {
  if (encoding === "b") return Buffer.from(content, "base64");
  const spaced = content.replaceAll("_", " ");
  const decoded = spaced.replace(/=([0-9A-Fa-f]{2})/g, (_, code) => String.fromCharCode(Number.parseInt(code, 16)));
  return Buffer.from(decoded, "latin1");
}
