import { wholeLines } from "../message/compose.ts";
import type { DefectCode } from "../message/defects.ts";
import { asBuffer, type HeaderBlock, scanHeaders } from "../message/headers.ts";
import { SEARCHED_CHARS_MAX } from "../message/html/links.ts";
import { isMisreadable, isTnef } from "../message/mime/body.ts";
import { isCharset, isUtf7 } from "../message/mime/charset.ts";
import { type MimePart, type ReadLimits, type Structure, scanStructure } from "../message/mime/structure.ts";
import { cleanLine } from "../message/text/clean.ts";
import { fileType, contentOf as tnefContent, nameOf as tnefName } from "../message/tnef/message.ts";
import { readTnef } from "../message/tnef/tnef.ts";
import { uuencodedFiles } from "../message/uuencode.ts";
import { filesIn, isFolded, unfolded, withoutEscapes } from "./folded-text.ts";
import { secretKinds } from "./secrets.ts";
import { HEAD_BYTES, latin1, textReadings } from "./text-readings.ts";

/** One text of a message that a recipient could read after it has left. */
export interface OutgoingText {
  /** As a sentence names it: "the subject", "the header field X-Note", "the attachment plan.csv". */
  where: string;
  text: string;
  /**
   * `words`: bare host names in it count as links. `data`: only URLs with a scheme do. `html`: it is markup. `raw`: a
   * message in transfer encoding, whose links are found in its decoded parts.
   */
  form: "words" | "data" | "html" | "raw";
}

/** A part of a message that the server cannot read as text. */
export interface Unsearched {
  /** As a sentence names it. */
  name: string;
  why: "binary" | "encrypted" | "unreadable" | "searched in part" | "too large";
}

/** All texts of a message or of one file, and the parts that could not be read. */
export interface OutgoingTexts {
  texts: OutgoingText[];
  unsearched: Unsearched[];
}

/** Characters that are searched, in all attached texts together: a long book. Longer text is reported as too large. */
const TEXT_CHARS_MAX = 4 * 1024 * 1024;
/** Bytes that are parsed, in all attached messages together: what a large upstream accepts in one mail. */
const MESSAGE_BYTES_MAX = 32 * 1024 * 1024;
/** Parts of all attached messages together: a few for each of as many files as are opened. */
const PARTS_MAX = 2_000;
/** Files in total, including those in attached messages. */
const FILES_MAX = 500;
/** Messages inside messages. */
const DEPTH_MAX = 4;
const readLimits: ReadLimits = { maxParts: 500, maxDepth: 20, maxHeaderBytes: 256 * 1024 };
const HEADER_FIELDS_MAX = 1_000;
/** Characters of a file's or header field's name that a sentence repeats. */
const NAME_CHARS_MAX = 60;

/** What is left to read of one message. */
export interface FileBudget {
  textChars: number;
  messageBytes: number;
  parts: number;
  files: number;
}

export function newFileBudget(): FileBudget {
  return { textChars: TEXT_CHARS_MAX, messageBytes: MESSAGE_BYTES_MAX, parts: PARTS_MAX, files: FILES_MAX };
}

interface File {
  filename: string;
  contentType: string;
  content: Uint8Array;
}

/** `name`: as a sentence names it. */
interface NamedFile extends File {
  name: string;
}

/** Types whose bytes are encrypted or wrapped in a signature that hides the content (RFC 8551, RFC 3156). */
const sealedType = /^application\/(?:x-)?(?:pkcs7-mime|pgp-encrypted)$/;
/** Types that carry their content in another form than text. */
const otherType =
  /^(?:image\/(?!svg)|audio\/|video\/|font\/|application\/(?:pdf|zip|gzip|x-tar|vnd\.|msword|(?:x-)?rtf|postscript))|^text\/rtf$/;
/** First bytes of files that pack their text: ZIP (also office files), gzip, 7z, RAR, xz, bzip2, zstd, RTF, PostScript. */
const packed = /^\s*(?:PK\x03\x04|\x1f\x8b|7z\xbc\xaf|Rar!|\xfd7zXZ|BZh|\x28\xb5\x2f\xfd|\{\\rt|%!PS)/;
/** Bytes at the beginning within which readers look for the header of a PDF (ISO 32000-1, Annex H 3.4.1). */
const PDF_BYTES_MAX = 1024;
const messageType = /^message\/(?:rfc822|global|partial|external-body)$/;
/** File names of messages. A saved page with its resources is a message too (RFC 2557). */
const messageName = /\.(?:eml|mht|mhtml)$/i;
/** Types and file names that browsers open as markup, and Markdown, which has HTML inside. */
const markupType = /^text\/(?:x-)?markdown$|^(?:text|application|image)\/(?:[\w.-]+\+)?(?:html|xml)$/;
const markupName = /\.(?:x?html?|xht|xml|svg|md|markdown)$/i;
/** Types and file names of texts in which programs make links of bare host names. */
const proseType = /^text\/(?:plain|(?:x-)?markdown|csv)$/;
const proseName = /\.(?:te?xt|md|markdown|csv)$/i;

/**
 * Collects the texts of one attached file and of everything inside it. A message is read as a mail program reads it,
 * and also as plain text, because mail programs disagree. Some parts may be in `unsearched` twice. Never throws.
 */
export async function attachedTexts(file: File, where: string, budget: FileBudget, depth = 0): Promise<OutgoingTexts> {
  const type = (file.contentType.split(";")[0] ?? "").trim().toLowerCase();
  const texts: OutgoingText[] = [];
  const unsearched: Unsearched[] = [];
  const miss = (why: Unsearched["why"], name = where) => unsearched.push({ name, why });
  if (file.content.byteLength === 0) return { texts, unsearched };
  if (--budget.files < 0) return { texts, unsearched: [{ name: where, why: "too large" }] };
  const isSealed = sealedType.test(type) || /\.(?:gpg|pgp|p7m)$/i.test(file.filename);

  // A character has at most four bytes, so the bytes after these would not be searched anyway.
  const room = Math.max(0, Math.min(SEARCHED_CHARS_MAX, budget.textChars));
  const head = file.content.subarray(0, Math.max(HEAD_BYTES, room * 4));
  const isCut = head.byteLength < file.content.byteLength;
  const read = textReadings(head, file.contentType);
  if (isSealed || !read) miss(isSealed ? "encrypted" : "binary");
  if (read) {
    if (!read.isWhole) miss("unreadable");
    else if (otherType.test(type) || isPacked(latin1(head.subarray(0, PDF_BYTES_MAX)))) miss("binary");
    const isInLines = isFolded(type, file.filename);
    for (const whole of isInLines ? unfoldedTexts(head, file.contentType, read.texts) : read.texts) {
      const text = whole.slice(0, Math.max(0, Math.min(SEARCHED_CHARS_MAX, budget.textChars)));
      budget.textChars -= text.length;
      // XML 1.0 4.2: what readers show in place of a reference to one of these is not looked up.
      if (text.includes("<!ENTITY")) miss("unreadable");
      // For a message, this is the encoded form; its content is read below.
      if (isCut || text.length < whole.length) miss(messageType.test(type) ? "searched in part" : "too large");
      texts.push(...formsOf(text, type, file.filename, where));
    }
  }
  const { files, isCertain, isWhole } = filesInside(file, type, where, read?.texts ?? [], depth, budget.files);
  if (!isCertain) miss("unreadable", `a file inside ${where}`);
  if (!isWhole) miss("too large", `a file inside ${where}`);
  const packedTexts = await filesTexts(files, budget, depth + 1);
  texts.push(...packedTexts.texts);
  unsearched.push(...packedTexts.unsearched);
  // Its rich text may say something else than its plain text.
  if (isTnef(type, file.filename)) miss("binary");

  const isMultipart = type.startsWith("multipart/");
  if (!messageType.test(type) && !isMultipart && !messageName.test(file.filename)) return { texts, unsearched };
  if (type === "message/partial" || type === "message/external-body") miss("unreadable");
  budget.messageBytes -= file.content.byteLength;
  if (depth >= DEPTH_MAX || budget.messageBytes < 0 || budget.parts < 0) {
    miss("too large");
    return { texts, unsearched };
  }
  // The content has the parts, but not the header that says how to find them.
  const whole = isMultipart
    ? Buffer.concat([Buffer.from(`Content-Type: ${file.contentType}\r\n\r\n`), file.content])
    : file.content;
  // Read it with the line ends that it leaves with.
  const inside = await messageTexts(wholeLines(asBuffer(whole)), where, budget, depth);
  // Files packed in the message are reported by their own names.
  return { texts: [...texts, ...inside.texts], unsearched: [...unsearched, ...inside.unsearched] };
}

/** Like `attachedTexts`, for files and the names of their places. The first file that the budget leaves out is named. */
export async function filesTexts(files: readonly NamedFile[], budget: FileBudget, depth = 0): Promise<OutgoingTexts> {
  const texts: OutgoingText[] = [];
  const unsearched: Unsearched[] = [];
  for (const { name, ...file } of files) {
    const found = await attachedTexts(file, name, budget, depth);
    texts.push(...found.texts);
    unsearched.push(...found.unsearched);
    if (budget.files < 0) break;
  }
  return { texts, unsearched };
}

/**
 * The files packed in a calendar, an address book, or winmail.dat, which also has a text. `isCertain`: all programs
 * find the same ones. `isWhole`: a calendar or an address book has no others.
 */
function filesInside(
  { content, filename }: File,
  type: string,
  where: string,
  readings: readonly string[],
  depth: number,
  filesMax: number,
): { files: NamedFile[]; isCertain: boolean; isWhole: boolean } {
  if (isFolded(type, filename)) {
    const found = filesIn(readings, filesMax);
    return { ...found, files: found.files.map((one) => ({ ...one, name: `a file inside ${where}` })) };
  }
  const packed = isTnef(type, filename) && depth < DEPTH_MAX ? readTnef(asBuffer(content)) : null;
  if (!packed) return { files: [], isCertain: true, isWhole: true };
  const file = (contentType: string, text: string) => ({
    filename: "",
    contentType,
    content: Buffer.from(text),
    name: where,
  });
  const files = [
    file("text/plain", `${packed.subject}\n${packed.text}\n${packed.hidden}`),
    file("text/html", packed.html ?? ""),
    ...packed.files.map((one, i) => ({
      ...{ filename: tnefName(one), contentType: fileType(one), content: tnefContent(one) },
      name: `${named(tnefName(one), `file ${i + 1}`)} in ${where}`,
    })),
  ];
  return { files, isCertain: true, isWhole: true };
}

/**
 * A name as a sentence quotes it. `place` instead, if the name is long or empty or looks like a secret, which a
 * sentence must not repeat.
 */
export function named(name: string, place: string): string {
  const isPlain = name.trim() !== "" && [...name].length <= NAME_CHARS_MAX && secretKinds(name).length === 0;
  return isPlain ? inQuotes(name) : place;
}

/** Joins short texts, because each that is searched alone costs time, however short. */
export function lines(parts: readonly string[]): string {
  return parts.filter((part) => part !== "").join("\n#\n");
}

/** Quotes foreign words in a sentence of ours, so that they are not taken for ours. */
export function inQuotes(words: string): string {
  return `“${cleanLine(words).replace(/[“”„]/g, "'")}”`;
}

/** The texts of a message as a mail program shows it: header, bodies, and its own attachments. */
async function messageTexts(raw: Uint8Array, where: string, budget: FileBudget, depth: number): Promise<OutgoingTexts> {
  const texts: OutgoingText[] = [];
  const unsearched: Unsearched[] = [];
  const add = (whole: string, form: OutgoingText["form"]) => {
    const text = whole.slice(0, Math.max(0, Math.min(SEARCHED_CHARS_MAX, budget.textChars)));
    budget.textChars -= text.length;
    // `readMail` itself stops after this many characters.
    if (text.length < whole.length || text.length === SEARCHED_CHARS_MAX)
      unsearched.push({ name: where, why: "too large" });
    if (text !== "") texts.push({ where, text, form });
  };
  try {
    // Loaded with its parser only when needed: a server without mail does without it.
    const { readEveryPart, readMail } = await import("../message/read.ts");
    const block = scanHeaders(raw, { bytesMax: readLimits.maxHeaderBytes, fieldsMax: HEADER_FIELDS_MAX });
    const structure = scanStructure(raw, block, readLimits);
    budget.parts -= partsIn(structure.root);
    const outside = structure.outside.map(([start, end]) => Buffer.from(raw.subarray(start, end)).toString("utf8"));
    add(lines(outside), "words");
    const mail = await readMail(raw, readLimits);
    const isReadAlike = isWhollyRead(raw, block, structure) && !mail.defects.some(isMisreadable);
    // Another program may see a delimiter there, and parts after it.
    if (!isReadAlike || outside.some((text) => /^--/m.test(text))) {
      unsearched.push({ name: where, why: "unreadable" });
      // Other programs may show the encoded form as it is.
      add(Buffer.from(raw).toString("utf8"), "data");
    }
    const fields = Map.groupBy(mail.headers, ({ name }) => (traceField.test(name) ? "data" : "words"));
    for (const [form, some] of fields) add(lines(some.map(({ name, value }) => `${name}: ${value}`)), form);
    add(mail.text, "words");
    if (mail.html !== null) add(mail.html, "html");
    const parts = await readEveryPart(raw, readLimits);
    add(
      lines(parts.flatMap(({ attachment: { filename, content_id: contentId = "" } }) => [filename, contentId])),
      "data",
    );
    const files = [
      ...uuencodedFiles(mail.text).map((file) => ({ ...file, contentType: "", name: where })),
      ...parts.map(({ attachment: { filename, content_type: contentType, index }, content }) => ({
        ...{ filename, contentType, content },
        name: `${named(filename, `attachment ${index + 1}`)} in ${where}`,
      })),
    ];
    const inside = await filesTexts(files, budget, depth + 1);
    texts.push(...inside.texts);
    unsearched.push(...inside.unsearched);
  } catch {
    unsearched.push({ name: where, why: "unreadable" });
  }
  return { texts, unsearched };
}

function partsIn({ parts }: MimePart): number {
  return parts.reduce((sum, part) => sum + partsIn(part), 1);
}

/** Fields that route or authenticate a message. They hold host names that lead nowhere. */
const traceField = /^(?:received|arc-|dkim-|authentication-|message-id|references|in-reply-to|return-path)/i;

/** Defects of parts that are left encoded or read one way of two, though another program may show other words. */
const unread: ReadonlySet<string> = new Set<DefectCode>([
  ...(["charset_unknown", "charset_utf7", "encoding_unknown", "part_ambiguous", "boundary_missing"] as const),
]);

/**
 * Whether every part of a message was read. False if it is over a limit, uses an unknown charset or encoding, or is
 * encoded in a way that two readers take differently.
 */
function isWhollyRead(raw: Uint8Array, block: HeaderBlock, { excess, defects }: Structure): boolean {
  if (block.cut || excess !== null || defects.some(({ code }) => unread.has(code))) return false;
  // Names of files are in the headers of parts.
  return latin1(raw)
    .matchAll(encodedWord)
    .every(([, label = "", base64 = "?"]) => isCharset(label) && !isUtf7(label) && wholeBase64.test(base64));
}

/** An encoded word (RFC 2047 2, RFC 2231 5) with its charset, and its base64 up to the question mark after it. */
const encodedWord = /=\?([^?*\s]{1,40})(?:\*[^?\s]{0,40})?\?(?:q\?|b\?([^?]{0,2000}\??))/gi;
/** Base64 that every program decodes alike. */
const wholeBase64 = /^[A-Za-z0-9+/]*={0,2}\?$/;

/** Whether a file packs its text, by its first bytes as Latin-1. */
function isPacked(head: string): boolean {
  return packed.test(head) || head.includes("%PDF-");
}

/**
 * The texts of a calendar or an address book with each property on one line. Lines may be folded inside a character
 * (RFC 5545 3.1), so that most programs unfold the bytes, and some the text.
 */
function unfoldedTexts(bytes: Uint8Array, contentType: string, texts: readonly string[]): string[] {
  const whole = bytes.includes(0) ? null : textReadings(Buffer.from(unfolded(latin1(bytes)), "latin1"), contentType);
  return [...new Set([...(whole?.texts ?? []), ...texts.map(unfolded)])];
}

/** The forms in which a text is searched for links, by its type and name. Markup counts both as data and as HTML. */
function formsOf(whole: string, type: string, filename: string, where: string): OutgoingText[] {
  if (messageType.test(type)) return [{ where, text: whole, form: "raw" }];
  const isInLines = isFolded(type, filename);
  const isProse = isInLines || proseType.test(type) || proseName.test(filename);
  const isNamedMarkup = markupType.test(type) || markupName.test(filename);
  const texts = isInLines && whole.includes("\\") ? [whole, withoutEscapes(whole)] : [whole];
  return texts.flatMap((text) => {
    const forms: OutgoingText[] = [{ where, text, form: isProse ? "words" : "data" }];
    // A calendar says of a property that it holds HTML.
    const isMarkup = isNamedMarkup || text.includes("</") || (isInLines && /text\/html/i.test(text));
    if (isMarkup) forms.push({ where, text, form: "html" });
    // XML 1.0 2.7: its content is text, also where HTML has a comment.
    if (isMarkup && text.includes("<![CDATA["))
      forms.push({ where, text: text.replaceAll("<![CDATA[", "").replaceAll("]]>", ""), form: "html" });
    return forms;
  });
}
