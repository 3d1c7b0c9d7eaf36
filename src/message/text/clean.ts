/**
 * Cleans decoded text for storing and showing. Control characters are removed: PostgreSQL refuses NUL, and terminals
 * obey the others. Line ends become LF, tabs stay, and lone surrogates become U+FFFD.
 */
export function cleanText(text: string): string {
  return text
    .replace(/\r\n?/g, "\n")
    .replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, "")
    .toWellFormed();
}

/** Text with one space for each run of spaces and tabs, without those at line ends, and without empty lines at its end. */
export function squeezed(text: string): string {
  return text
    .replace(/[ \t]+/g, " ")
    .replaceAll(" \n", "\n")
    .trimEnd();
}

/** Like `cleanText`, on one line: each run of white space becomes one space. */
export function cleanLine(text: string): string {
  return cleanText(text).replace(/\s+/g, " ").trim();
}

/** File systems allow 255 bytes per name; the rest is room for what a client adds. */
const FILENAME_BYTES_MAX = 200;
/** Only the beginning and the end, with the extension, of a longer name are read. */
const FILENAME_CHARS_MAX = 2_000;

/**
 * Makes a file name that is one component on every system and shows as it is: no separators, no characters that Windows
 * refuses, no control, invisible or direction-changing characters, no dots at its ends. `fallback` if nothing is left.
 */
export function cleanFilename(name: string, fallback: string): string {
  const line = name.replace(/[ \t\r\n]+/g, " ");
  const looked =
    line.length <= FILENAME_CHARS_MAX
      ? line
      : line.slice(0, FILENAME_CHARS_MAX / 2) + line.slice(-FILENAME_CHARS_MAX / 2);
  const visible = cleanLine(looked.replace(/[\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g, ""));
  const plain = withoutEnds(visible.replace(/[/\\:*?"<>|]/g, "_"), ". ");
  if (plain === "") return fallback;
  if (Buffer.byteLength(plain) <= FILENAME_BYTES_MAX) return plain;
  const extension = /\.[A-Za-z0-9]{1,10}$/.exec(plain.slice(-11))?.[0] ?? "";
  let stem = plain.slice(0, plain.length - extension.length);
  while (Buffer.byteLength(stem) > FILENAME_BYTES_MAX - extension.length) stem = stem.slice(0, -1);
  return `${withoutEnds(stem.toWellFormed(), ". ")}${extension}`;
}

/** Text without any of these characters at its beginning and its end. */
export function withoutEnds(text: string, characters: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && characters.includes(text[start] as string)) start++;
  while (end > start && characters.includes(text[end - 1] as string)) end--;
  return text.slice(start, end);
}
