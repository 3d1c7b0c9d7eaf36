import { isDeepStrictEqual } from "node:util";
import type { OurReading, ReadFile, Reading } from "./readings.ts";

const singleFields = ["subject", "messageId", "date"] as const;
const listFields = ["from", "to", "cc", "replyTo", "inReplyTo", "references"] as const;
const fileFields = ["file", "file name", "file type", "file id", "file content"] as const;

/** What two parsers read differently; "file" is one that only one of them has. */
export type Field =
  | (typeof singleFields)[number]
  | (typeof listFields)[number]
  | (typeof fileFields)[number]
  | "text"
  | "html";

/** A part of a message that two parsers read differently. */
export interface Difference {
  field: Field;
  ours: OurReading;
  theirs: Reading;
  /** The file, if the difference is in one. */
  ourFile: ReadFile | null;
  theirFile: ReadFile | null;
  /** The message, one character for each byte. */
  raw: string;
  how: readonly string[];
}

export function differencesOf(raw: Buffer, how: readonly string[], ours: OurReading, theirs: Reading): Difference[] {
  const about = { ours, theirs, raw: raw.toString("latin1"), how };
  const fields: Field[] = [
    ...singleFields.filter((field) => ours[field] !== theirs[field]),
    ...listFields.filter((field) => !isDeepStrictEqual(plain(ours[field]), plain(theirs[field]))),
  ];
  // They make no text of a message that has only HTML.
  const hasTheirText = theirs.text !== "" || theirs.html === "";
  if (hasTheirText && ours.text !== theirs.text) fields.push("text");
  if (htmlWords(ours.html) !== htmlWords(theirs.html)) fields.push("html");
  return [
    ...fields.map((field) => ({ ...about, field, ourFile: null, theirFile: null })),
    ...pairs(ours.files, theirs.files).flatMap(([ourFile, theirFile]) =>
      fileDifferences(ourFile, theirFile).map((field) => ({ ...about, field, ourFile, theirFile })),
    ),
  ];
}

function plain(list: Reading["from"] | string[]): string[] {
  return list.map((one) => (typeof one === "string" ? one : `${one.name} <${one.address.toLowerCase()}>`));
}

type Pair = [ReadFile | null, ReadFile | null];

/** Files of the same content, of the same name, and, if as many are left on both sides, the others in order. */
function pairs(ours: readonly ReadFile[], theirs: readonly ReadFile[]): Pair[] {
  const found: Pair[] = [];
  const left = [...theirs];
  let rest = [...ours];
  for (const key of ["sha256OfLines", "name"] as const) {
    rest = rest.filter((file) => {
      const at = file[key] === "" ? -1 : left.findIndex((other) => other[key] === file[key]);
      if (at >= 0) found.push([file, ...left.splice(at, 1)] as Pair);
      return at < 0;
    });
  }
  if (rest.length === left.length) return [...found, ...rest.map((file, i): Pair => [file, left[i] as ReadFile])];
  return [...found, ...rest.map((file): Pair => [file, null]), ...left.map((file): Pair => [null, file])];
}

function fileDifferences(ours: ReadFile | null, theirs: ReadFile | null): Field[] {
  if (!ours || !theirs) return ["file"];
  const fields: Field[] = [];
  if (ours.name !== theirs.name) fields.push("file name");
  if (ours.type !== theirs.type) fields.push("file type");
  if (ours.contentId !== theirs.contentId) fields.push("file id");
  if (ours.sha256 !== theirs.sha256) fields.push("file content");
  return fields;
}

const entities: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', nbsp: " " };

/** The words between the tags of HTML. */
export function htmlWords(html: string): string {
  const text = html.replace(/<(title|style)\b[^>]*>[^<]*<\/\1>/gi, " ").replace(/<[^>]*>/g, " ");
  const decoded = text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex, decimal, name) => {
    if (name) return entities[name] ?? whole;
    return String.fromCodePoint(Number.parseInt(hex ?? decimal, hex ? 16 : 10));
  });
  return decoded.split(/\s+/).join(" ").trim();
}
