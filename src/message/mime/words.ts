import libmime from "libmime";
import { decodeWith, isCharset } from "./charset.ts";

const word = /=\?([^?*\s]{1,40})(?:\*[^?\s]{0,40})?\?([bq])\?([^?]{0,2000})\?=/gi;
/** Charsets of which the library knows nothing. */
const unknownToLibrary = /^(?:hz|iso-?2022-?(?:kr|cn)|(?:csunicode|unicode-)?(?:1-?1-?)?utf-?7)/i;

/** Decodes encoded words (RFC 2047). Broken ones stay as they are. */
export function decodeWords(text: string): string {
  if (!text.includes("=?")) return text;
  try {
    return libmime.decodeWords(text.replace(word, inUtf8));
  } catch {
    return text;
  }
}

/** An encoded word in a rare charset as one in UTF-8, so that words beside it are joined as usual. */
function inUtf8(whole: string, charset: string, encoding: string, content: string): string {
  if (!unknownToLibrary.test(charset) || !isCharset(charset)) return whole;
  const bytes =
    encoding.toLowerCase() === "b"
      ? Buffer.from(content, "base64")
      : Buffer.from(
          content
            .replaceAll("_", " ")
            .replace(/=([0-9A-Fa-f]{2})/g, (_, code) => String.fromCharCode(Number.parseInt(code, 16))),
          "latin1",
        );
  const decoded = decodeWith(bytes, charset);
  return decoded === null ? whole : `=?utf-8?B?${Buffer.from(decoded).toString("base64")}?=`;
}
