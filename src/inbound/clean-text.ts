/**
 * Decoded text fit for storing and showing. Control characters go: PostgreSQL refuses NUL, terminals obey the others.
 * Line ends become LF, tabs stay, and halves of characters become U+FFFD.
 */
export function cleanText(text: string): string {
  return text
    .replace(/\r\n?/g, "\n")
    .replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, "")
    .toWellFormed();
}

/** The same on one line: white space of any kind is one space. */
export function cleanLine(text: string): string {
  return cleanText(text).replace(/\s+/g, " ").trim();
}

/** File systems allow 255 bytes a name; this leaves room for what a client adds. */
const filenameBytesMax = 200;

/**
 * A file name that is one component on every system and shows as it is: no separators, no characters that Windows
 * refuses, no control, invisible or direction-changing characters, no dots at its ends. `fallback` when nothing is left.
 */
export function cleanFilename(name: string, fallback: string): string {
  const plain = cleanLine(name.replace(/[\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g, ""))
    .replace(/[/\\:*?"<>|]/g, "_")
    .replace(/^[. ]+|[. ]+$/g, "");
  if (plain === "") return fallback;
  if (Buffer.byteLength(plain) <= filenameBytesMax) return plain;
  const extension = /\.[A-Za-z0-9]{1,10}$/.exec(plain)?.[0] ?? "";
  let stem = plain.slice(0, plain.length - extension.length);
  while (Buffer.byteLength(stem) > filenameBytesMax - extension.length) stem = stem.slice(0, -1);
  return `${stem.toWellFormed()}${extension}`;
}
