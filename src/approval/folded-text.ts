/** Calendars and address books (RFC 5545, RFC 6350, vCard 2.1): their text is folded, and may hold files. */
import { createHash } from "node:crypto";
import { isCalendar } from "../message/calendar/calendar.ts";
import { base64Readings } from "../message/mime/base64.ts";
import { decodeTransfer } from "../message/mime/transfer.ts";
import { contentsOf, type DataUrl, dataUrls, isBase64 } from "./data-urls.ts";

/** Whether programs open a file as a calendar or an address book, by its type or its name. */
export function isFolded(type: string, filename: string): boolean {
  return isCalendar(type, filename) || /calendar|vcard|^text\/directory$/.test(type) || foldedName.test(filename);
}

/** File names that calendars and address books open, whatever the type. */
const foldedName = /\.(?:ics|ifb|vcs|vcf)$/i;

/** The text with each property on one line (RFC 5545 3.1). */
export function unfolded(text: string): string {
  return text.replace(/(?:\r\n?|\n)[ \t]/g, "");
}

/** The text without the backslashes before other signs (RFC 5545 3.3.11); programs drop needless ones, too. */
export function withoutEscapes(text: string): string {
  return text.replace(/\\([^nN\r\n])/g, "$1");
}

/** A file inside a calendar or an address book, by what its property says of it. */
export interface FoldedFile {
  filename: string;
  contentType: string;
  content: Buffer;
}

/** The files inside a calendar or an address book. */
export interface FoldedFiles {
  /** Each once. */
  files: FoldedFile[];
  /** Whether all programs find the same files. If not, `files` has what some of them may find. */
  isCertain: boolean;
  /** Whether these are all. */
  isWhole: boolean;
}

/** Values that are decoded, in all readings together: address books repeat a picture for many people. */
const VALUES_MAX = 10_000;

/** Collects files up to a limit. */
class Finds {
  private readonly files = new Map<string, FoldedFile>();
  private values = 0;
  isCertain = true;
  isWhole = true;

  constructor(private readonly filesMax: number) {}

  /** Counts a value that is about to be decoded. False: over the limit. */
  begin(): boolean {
    if (++this.values > VALUES_MAX) this.isWhole = false;
    return this.isWhole;
  }

  add(file: FoldedFile): void {
    if (file.content.length === 0) return;
    const hash = createHash("sha256").update(`${file.contentType}\n${file.filename}\n`).update(file.content);
    const key = hash.digest("base64");
    if (this.files.has(key)) return;
    if (this.files.size < this.filesMax) this.files.set(key, file);
    else this.isWhole = false;
  }

  result(): FoldedFiles {
    return { files: [...this.files.values()], isCertain: this.isCertain, isWhole: this.isWhole };
  }
}

/** Parameters that say base64: `ENCODING=B`, `ENCODING=BASE64`, `VALUE=BINARY`, and in vCard 2.1 `BASE64` alone. */
const saysBase64 = /[;=,](?:b|b64|binary|[a-z-]{0,20}base64)[;:,]/i;
/** The same after a colon: in a card inside a property, or where programs disagree about quotes. */
const saysBase64Late = /;(?:(?:encoding|value)=)?"?base64"?[;:]|;encoding="?b"?[;:]|;value="?binary"?[;:]/i;
const saysQuotedPrintable = /[;=,]quoted-printable[;:,]/i;
const saysEncoding = /;encoding=([^;:,]{0,40})/i;
const knownEncoding = /^(?:[78]-?bit|none|binary|b|b64|[a-z-]{0,20}base64|quoted-printable)$/i;

/** Properties whose value some programs take for base64 even if no parameter says so. */
const fileProperty = /^(?:[\w-]{1,80}\.)?(?:photo|logo|sound|key)[;:]/i;
/** The least base64 that counts as a file there, alone and with other characters inside. Names have less. */
const FILE_CHARS_MIN = 20;
const DAMAGED_FILE_CHARS_MIN = 64;

const strictBase64 = /^[A-Za-z0-9+/]*={0,2}$/;
/** Pieces that other characters separate and that are decoded, since each may be a file. */
const PIECES_MAX = 10;

/** In the `lettersOf` every text and line that may have a value in base64 or in an unknown encoding. */
const base64Sign = /[;=,](?:b|b64|binary)[;:,]|base64[;:,]|;encoding=|(?:photo|logo|sound|key)[;:]/i;
const encodingSign = /;encoding=/i;
const urlSign = /data:/i;
const quotedPrintableSign = /quoted-printable/i;

/** The text without what may separate the letters of a word: white space, line ends, quotes and escapes. */
function lettersOf(text: string): string {
  return /[\x00-\x20"\\]/.test(text) ? text.replace(/[\x00-\x20"\\]+/g, "") : text;
}

/**
 * The files inside a calendar or an address book: values in base64, `data:` URLs, and quoted-printable. Programs
 * disagree about quotes, unfolded lines, parameters left out, and characters that are not base64. Linear.
 * @param readings The text in each charset that programs may take it for.
 * @param filesMax Ends at this many files.
 */
export function filesIn(readings: readonly string[], filesMax: number): FoldedFiles {
  const finds = new Finds(filesMax);
  const read = new Set<string>();
  for (const text of readings) {
    const letters = lettersOf(text);
    if (quotedPrintableSign.test(letters)) findQuotedPrintable(text, finds);
    if (urlSign.test(letters)) findUrls(text, finds);
    if (!base64Sign.test(letters)) continue;
    // Most charsets differ only in letters that neither names nor base64 have.
    const ascii = text.replace(/[^\x00-\x7f]+/g, FOREIGN);
    if (!read.has(ascii)) findBase64(ascii, finds);
    read.add(ascii);
  }
  return finds.result();
}

/** Stands for letters that are not ASCII. */
const FOREIGN = "\x7f";

const lineEnd = /\r\n?|\n/;

function findBase64(text: string, finds: Finds): void {
  // To a program that knows LF only, a CR alone is part of a value.
  const isMixed = /\r(?!\n)/.test(text) && text.includes("\n");
  const lines = unfolded(text).split(lineEnd);
  for (let at = 0; at < lines.length && finds.isWhole; at++) {
    const line = lines[at] as string;
    const letters = line.includes(":") ? lettersOf(line) : "";
    if (!base64Sign.test(letters)) continue;
    const property = base64Property(compact(line));
    if (property) {
      // vCard 2.1 does without folding, up to an empty line; some programs skip that as well.
      let rest = "";
      while (at + 1 < lines.length && !isProperty(lines[at + 1] as string)) rest += compact(lines[++at] as string);
      for (const value of property.values.map((value) => value + rest)) {
        if (!property.isSaid && !isLikelyFile(value)) continue;
        finds.isCertain &&= property.isCertain && !isMixed && strictBase64.test(value);
        if (value === "") continue;
        if (!finds.begin()) return;
        const about = describedIn(property.head);
        for (const content of decoded(value)) finds.add({ ...about, content });
      }
    }
    if (encodingSign.test(letters)) finds.isCertain &&= !saysUnknownEncoding(line);
  }
}

function saysUnknownEncoding(line: string): boolean {
  const encoding = saysEncoding.exec(headOf(line))?.[1];
  return encoding !== undefined && !knownEncoding.test(encoding);
}

function findUrls(text: string, finds: Finds): void {
  for (const line of unfolded(text).split(lineEnd)) {
    if (!line.includes(":")) continue;
    for (const url of urlsIn(withoutEscapes(line))) {
      if (!finds.begin()) return;
      finds.isCertain &&= !isBase64(url) || strictBase64.test(compact(url.data));
      for (const content of contentsOf(url)) finds.add({ filename: "", contentType: openedType(url.type), content });
    }
  }
}

/** The text without white space and control characters, which mean nothing in parameters and in base64. */
function compact(text: string): string {
  return /[\x00-\x20]/.test(text) ? text.replace(/[\x00-\x20]+/g, "") : text;
}

/** The name and the parameters of a property, up to its first colon, without quotes around single words. */
function headOf(line: string): string {
  const head = compact(line.slice(0, line.indexOf(":") + 1));
  return head.includes('"') ? head.replace(/"([^";:,]*)"/g, "$1") : head;
}

/** A property that has, or may have, a value in base64. */
interface Base64Property {
  /** Its name and parameters. */
  head: string;
  /** What follows the colon: one value for each colon that programs may take for it. */
  values: string[];
  /** Whether parameters say that it is base64. */
  isSaid: boolean;
  /** Whether all programs see them. */
  isCertain: boolean;
}

function base64Property(line: string): Base64Property | null {
  const head = headOf(line);
  const isSaidFirst = saysBase64.test(head);
  const late = isSaidFirst ? null : saysBase64Late.exec(line);
  const isSaid = isSaidFirst || late !== null;
  if (!isSaid && !fileProperty.test(head)) return null;
  const starts = valueStarts(line, late ? late.index + late[0].length - 1 : 0);
  return {
    head: line.slice(0, starts[0]),
    values: starts.map((start) => line.slice(start)),
    isSaid,
    isCertain: late === null && starts.length === 1 && !saysQuotedPrintable.test(head),
  };
}

/** Where a value may begin, from a place on: after the first colon, as in vCard 2.1, or the first outside quotes. */
function valueStarts(line: string, from: number): number[] {
  const first = line.indexOf(":", from);
  if (!line.includes('"')) return [(first < 0 ? line.length : first) + 1];
  let inQuotes = false;
  let outside = -1;
  for (let at = 0; at < line.length && outside < 0; at++) {
    if (line[at] === '"') inQuotes = !inQuotes;
    else if (line[at] === ":" && at >= from && !inQuotes) outside = at;
  }
  const starts = [first, outside === -1 ? line.length : outside];
  return [...new Set(starts)].filter((start) => start >= 0).map((start) => start + 1);
}

/**
 * Whether a line begins a property, so that it does not continue the one before. Android counts lines of unknown names
 * to a value in base64.
 */
function isProperty(line: string): boolean {
  if (!/^[\w.-]+[ \t]*[;:]/.test(line)) return false;
  const isUnknown = /^(?:[\w-]{1,80}\.)?x-/i.test(line) && !saysBase64.test(headOf(line));
  return !isUnknown || !/[;:][A-Za-z0-9+/=]{40,}$/.test(compact(line));
}

/** Whether a value may be a file though no parameter says base64. */
function isLikelyFile(value: string): boolean {
  if (value.length < FILE_CHARS_MIN) return false;
  if (strictBase64.test(value)) return true;
  return !/^"?(?:http|data:)/i.test(value) && value.replace(/[^A-Za-z0-9+/]+/g, "").length >= DAMAGED_FILE_CHARS_MIN;
}

/** What programs decode: the whole value, or the pieces that other characters separate. */
function decoded(value: string): Buffer[] {
  if (strictBase64.test(value)) return [Buffer.from(value, "base64")];
  const pieces = value.split(/[^A-Za-z0-9+/=_-]+/, PIECES_MAX);
  return [...base64Readings(Buffer.from(value)), ...pieces.map((piece) => Buffer.from(piece, "base64"))];
}

function describedIn(head: string): Pick<FoldedFile, "filename" | "contentType"> {
  const [, type = ""] = /[;=]"?([\w.+-]{1,80}\/[\w.+-]{1,80})/.exec(head) ?? [];
  const [, filename = ""] = /(?:filename|label)="?([^";:]{1,200})/i.exec(head) ?? [];
  return { filename, contentType: openedType(type) };
}

/** The type if it says how to find more inside the file. Otherwise the bytes show what it is. */
function openedType(type: string): string {
  return /^(?:message|multipart)\/|calendar|vcard|directory|html|xml|pkcs7|pgp/i.test(type) ? type : "";
}

/** The `data:` URLs of a property: its value, or those in its parameters and its text. */
function urlsIn(line: string): DataUrl[] {
  if (!urlSign.test(line)) return [];
  const values = valueStarts(line, 0).map((start) => line.slice(start).trimStart());
  const whole = values.filter((value) => /^data:/i.test(value));
  return (whole.length > 0 ? whole : [line]).flatMap((place) => [...dataUrls(place)]);
}

/**
 * The values in quoted-printable (vCard 2.1), whose soft line ends take the place of folding. Those that are text
 * count as one file for each charset: an address book has hundreds.
 */
function findQuotedPrintable(text: string, finds: Finds): void {
  const texts = new Map<string, string[]>();
  const lines = text.replace(/(=[ \t]*)?(?:\r\n?|\n)[ \t]/g, (all, soft) => (soft ? all : "")).split(lineEnd);
  for (let at = 0; at < lines.length && finds.isWhole; at++) {
    const line = lines[at] as string;
    if (!line.includes(":") || !quotedPrintableSign.test(lettersOf(line))) continue;
    const head = headOf(line);
    if (!saysQuotedPrintable.test(head)) continue;
    let value = line.slice(line.indexOf(":") + 1);
    for (let last = value; at + 1 < lines.length && last.trimEnd().endsWith("="); value += `\n${last}`)
      last = lines[++at] as string;
    const [, charset] = /;charset=([^;:,]{1,40})/i.exec(head) ?? [];
    const contentType = charset === undefined ? "" : `;charset=${charset}`;
    const same = texts.get(contentType);
    if (controlCode.test(value)) {
      if (!finds.begin()) return;
      finds.add(quotedPrintableFile(contentType, value));
    } else if (same) same.push(value);
    else texts.set(contentType, [value]);
  }
  for (const [contentType, values] of texts)
    if (finds.begin()) finds.add(quotedPrintableFile(contentType, values.join("\n")));
}

/** A control character that text does not have, as it is or encoded. */
const controlCode = /[\x00-\x08\x0e-\x1f]|=(?:0[0-8ef]|1[0-9a-f])/i;

function quotedPrintableFile(contentType: string, value: string): FoldedFile {
  return { filename: "", contentType, content: decodeTransfer(Buffer.from(value), "quoted-printable").content };
}
