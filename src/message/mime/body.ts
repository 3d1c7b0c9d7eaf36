import libmime from "libmime";
import type { Attachment, Calendar, Defect } from "../../mail.ts";
import { type CalendarFile, findCalendar, isCalendar } from "../calendar/calendar.ts";
import { type DefectCode, Defects } from "../defects.ts";
import { scanHeaders } from "../headers.ts";
import { htmlFromText } from "../html/from-text.ts";
import { HTML_CHARS_MAX } from "../html/text.ts";
import { walkHtml } from "../html/walk.ts";
import { readCms } from "../smime.ts";
import { cleanFilename, cleanLine } from "../text/clean.ts";
import { unenriched } from "../text/enriched.ts";
import { unflowed } from "../text/flowed.ts";
import { fileType, contentOf as tnefContent, nameOf as tnefName } from "../tnef/message.ts";
import { newTnefBudget, readTnef, type TnefMessage } from "../tnef/tnef.ts";
import { base64Readings } from "./base64.ts";
import { decodeText, isCharset, isUtf7 } from "./charset.ts";
import { contentId, describedName, fileName, typeParameter } from "./part.ts";
import { type MimePart, type ReadLimits, scanStructure } from "./structure.ts";
import { decodeTransfer } from "./transfer.ts";

/** A piece of what a message says, in reading order: plain text, HTML, or the same in both forms. */
export type Piece = { text: string; html: null } | { text: string | null; html: string };

export interface AttachedFile {
  attachment: Attachment;
  /** Null unless it was asked for. */
  content: Buffer | null;
}

/** Defects of a message that shows other words in a program that reads it another way. */
const misreadable: ReadonlySet<string> = new Set<DefectCode>([
  ...(["charset_unknown", "charset_missing", "charset_wrong", "charset_utf7", "byte_order_unknown"] as const),
  ...(["part_truncated", "base64_tail_removed", "base64_invalid", "base64_damaged"] as const),
  ...(["charset_escapes", "characters_invalid"] as const),
]);

/** Whether a defect says that a program which reads the message another way may show other words. */
export function isMisreadable({ code }: Defect): boolean {
  return misreadable.has(code);
}

export interface Body {
  pieces: Piece[];
  files: AttachedFile[];
  /** Null also if contents of attachments were asked for. */
  calendar: Calendar | null;
  /** Whether the text is the description of the event. */
  isDescription: boolean;
  /** What comes before and after the parts of multiparts inside S/MIME files (RFC 2046 5.1.1). */
  outside: Buffer[];
  /** For HTML of the pieces that are plain text. */
  room: HtmlRoom;
  defects: Defect[];
}

/** Characters of HTML that may still be made of a message's plain text; below zero once text was left out. */
export interface HtmlRoom {
  left: number;
}

/** Text decoded of all parts together; far more than is kept. */
const TEXT_BYTES_MAX = 16 * 1024 * 1024;

/** Characters read of text/enriched, in which every second one may be a command. */
const ENRICHED_CHARS_MAX = 2 * 1024 * 1024;
/** Fields of a signed entity's header, which has a few. */
const SIGNED_FIELDS_MAX = 1_000;
/** S/MIME files opened one inside the other. */
const WRAPPERS_MAX = 3;

export interface BodyOptions {
  /**
   * Index of the attachment whose content is wanted, or all of them. With `every part`, parts count as attachments that
   * other programs may show instead of the text: alternatives that are left out here, text in charsets that not every
   * program decodes, and files that are opened. Their types then have the charset.
   */
  wanted: number | "all" | "every part" | null;
  /** Whether what is packed in winmail.dat and S/MIME files counts as part of the message. */
  opens: boolean;
  limits: ReadLimits;
}

/** Reads the body of a message whose structure is known: its text, and its attachments in order. */
export async function readBody(root: MimePart, { limits, opens, wanted }: BodyOptions): Promise<Body> {
  const charset = declaredCharset(root);
  const files: AttachedFile[] = [];
  const defects = new Defects();
  const calendars: CalendarFile[] = [];
  const outside: Buffer[] = [];
  const room: HtmlRoom = { left: HTML_CHARS_MAX };
  const isAll = wanted === "all" || wanted === "every part";
  /** Texts in files like winmail.dat. */
  const packed: TnefMessage[] = [];
  const tnefBudget = newTnefBudget();
  let wrappers = 0;
  /** Parts that S/MIME files may still have, all together. */
  let signedPartsLeft = limits.maxParts;
  let bytesLeft = TEXT_BYTES_MAX;

  const contentOf = ({ bytes, header, start, end }: MimePart) => {
    const encoded = bytes.subarray(start, end);
    const { content, hasTail, isDamaged, isPlain } = decodeTransfer(encoded, header.encoding);
    if (wanted === "every part" && (hasTail || isDamaged || isPlain))
      for (const reading of base64Readings(encoded)) list("", header.type, "", reading);
    if (hasTail) defects.add("base64_tail_removed");
    if (isPlain) defects.add("base64_invalid");
    if (isDamaged) defects.add("base64_damaged");
    return content;
  };
  const list = (named: string, type: string, id: string, content: Buffer) => {
    const index = files.length;
    const filename = cleanFilename(named, defaultName(index, type));
    if (named !== "" && cleanLine(named) !== filename) defects.add("filename_changed");
    const attachment: Attachment = {
      index,
      filename,
      content_type: type,
      size: content.length,
      ...(id && { content_id: id }),
    };
    files.push({ attachment, content: isAll || wanted === index ? content : null });
    return filename;
  };
  const attach = (part: MimePart, content = contentOf(part)) => {
    const { charset, encoding, type } = part.header;
    if (encoding !== "base64" && !type.startsWith("message/") && isStillEncoded(headOf(content)))
      defects.add("content_encoded");
    const filename = list(nameOf(part), type, cleanLine(contentId(part.header)), content);
    const isKnown = charset !== null && isCharset(charset) && !isUtf7(charset);
    if (wanted === "every part" && isKnown)
      (files.at(-1) as AttachedFile).attachment.content_type = `${type}; charset=${charset}`;
    if (wanted === null && isCalendar(type, filename))
      calendars.push({ content, charset, method: typeParameter(part.header, "method") });
  };
  const nameOf = ({ header }: MimePart) => fileName(header, charset) || describedName(header);
  /** Lists what is in a file like winmail.dat instead of it. False if that cannot be read. */
  const openTnef = (content: Buffer): boolean => {
    const found = readTnef(content, tnefBudget);
    if (found === null) defects.add("tnef_unreadable");
    for (const file of found?.files ?? [])
      list(tnefName(file), fileType(file), cleanLine(file.contentId), tnefContent(file));
    if (found?.isCut) defects.add("part_truncated");
    if (found?.hidden) defects.add("tnef_text_hidden");
    if (found && (found.text !== "" || found.html !== null)) packed.push(found);
    return found !== null;
  };
  /** Reads the entity that an S/MIME file signs, after the file itself. */
  const openSigned = async (content: Buffer, type: string): Promise<Piece[]> => {
    const cms = readCms(content);
    if (cms?.kind === "encrypted" || (cms === null && envelopedType.test(type))) defects.add("message_encrypted");
    else if (cms?.kind === "empty" && type !== "signed-data") return [];
    else if (cms?.kind !== "signed" || wrappers === WRAPPERS_MAX) defects.add("signed_unreadable");
    if (cms?.kind !== "signed" || wrappers === WRAPPERS_MAX) return [];
    const entity = cms.content;
    const block = scanHeaders(entity, { bytesMax: limits.maxHeaderBytes, fieldsMax: SIGNED_FIELDS_MAX });
    const within = { ...limits, maxParts: signedPartsLeft };
    const { defects: found, excess, outside: around, root } = scanStructure(entity, block, within);
    for (const one of found) defects.take(one);
    if (excess !== null) {
      defects.take(excess);
      return [];
    }
    defects.add("signature_unchecked");
    outside.push(...around.map(([start, end]) => entity.subarray(start, end)));
    signedPartsLeft -= countOf(root);
    wrappers++;
    const pieces = await read(root, null);
    wrappers--;
    return pieces;
  };
  const readText = async (part: MimePart): Promise<Piece> => {
    const { charset, flowed, type } = part.header;
    const whole = contentOf(part);
    const content = whole.subarray(0, bytesLeft);
    if (content.length < whole.length) defects.add("part_truncated");
    bytesLeft -= content.length;
    const isHtml = htmlTypes.has(type);
    const { text, defect } = await decodeText(content, charset, isHtml);
    if (defect) defects.take(defect);
    if (isStillEncoded(text)) defects.add("content_encoded");
    if (isHtml) return { text: null, html: text };
    if (enrichedTypes.has(type)) {
      if (text.length > ENRICHED_CHARS_MAX) defects.add("part_truncated");
      return { text: unenriched(text.slice(0, ENRICHED_CHARS_MAX)), html: null };
    }
    return { text: flowed ? unflowed(text, flowed.joinsWords) : text, html: null };
  };
  /** Files that hold text and are shown inline. */
  const textFiles: MimePart[] = [];
  const read = async (part: MimePart, parent: MimePart | null): Promise<Piece[]> => {
    const { type, boundary } = part.header;
    if (boundary !== null) {
      const pieces: Piece[][] = [];
      for (const child of part.parts) pieces.push(await read(child, part));
      if (type !== "multipart/alternative") return pieces.flat();
      const found = alternatives(pieces, room);
      const others = part.parts.filter(isOtherForm);
      if (wanted === "every part") for (const other of others) attach(other);
      if (!found.every(isBlank)) return found;
      // Without a text that every program reads, another form is better than nothing.
      const forms = await Promise.all(others.map(async (other) => [await readText(other)]));
      return alternatives(forms, room);
    }
    const isAlternative = parent?.header.type === "multipart/alternative";
    const isWords = isReadable(part) || (isOtherForm(part) && !isAlternative);
    const isText = isWords && part.header.disposition !== "attachment";
    const isMessage = isText && (!isNamed(part) || isBody(part, parent));
    if (isMessage && wanted === "every part" && !isCommon(part.header)) attach(part);
    if (isMessage) return [await readText(part)];
    if (isText) textFiles.push(part);
    if (isAlternative && isOtherForm(part)) return [];
    const content = contentOf(part);
    if (type === "application/pgp-encrypted") defects.add("message_encrypted");
    const signed = opens && isSmime(type, nameOf(part)) ? typeParameter(part.header, "smime-type") : null;
    const isOpened = opens && wanted !== "every part" && isTnef(type, nameOf(part)) && openTnef(content);
    if (!isOpened) attach(part, content);
    return signed === null ? [] : openSigned(content, signed.toLowerCase());
  };
  const pieces = await read(root, null);
  const [named] = textFiles;
  // A mail whose texts all have the names of files is no mail without words: the first one is its text.
  if (named && pieces.every(isBlank)) pieces.push(await readText(named));
  // Outlook packs the text in rich form, and most mail has it as a part as well.
  const [first, ...others] = packed;
  if (first && pieces.every(isBlank)) pieces.push(pieceOf(first));
  else if (first && !pieces.some(beginsWith(pieceOf(first)))) defects.add("tnef_text_left");
  if (others.length > 0) defects.add("tnef_text_left");
  const found = await findCalendar(calendars);
  for (const code of found.defects) defects.add(code);
  const isDescription = pieces.every(isBlank) && found.description !== "";
  if (isDescription) {
    pieces.push({ text: found.description, html: null });
    if (found.isDescriptionCut) defects.add("part_truncated");
  }
  return { pieces, files, calendar: found.calendar, isDescription, outside, room, defects: defects.list };
}

function countOf({ parts }: MimePart): number {
  return parts.reduce((sum, part) => sum + countOf(part), 1);
}

/** Files are searched for the header of a part as far as this. */
const SEARCHED_BYTES_MAX = 1024 * 1024;
/** A field of a part that was not recognised as one. What follows is encoded. */
const partHeader = /content-transfer-encoding:[ \t]{0,20}"?(?:base|quoted)/i;
const onlyBase64 = /^[A-Za-z0-9+/\r\n]{40,}={0,2}$/;
/** As many codes of quoted-printable as no usual text has. */
const CODES_MIN = 4;

function headOf(content: Buffer): string {
  return content.toString("latin1", 0, SEARCHED_BYTES_MAX);
}

/** Whether decoded content looks as if its encoding was not declared, or has another part in it. */
function isStillEncoded(text: string): boolean {
  if (partHeader.test(text)) return true;
  if (onlyBase64.test(text.trimEnd())) return /[A-Z]/.test(text) && /[a-z]/.test(text) && /\d/.test(text);
  const codes = text.matchAll(/=(?:[0-9A-F]{2}|\r?\n)/gi);
  return [...codes.take(CODES_MIN)].length === CODES_MIN && /=\r?\n/.test(text);
}

/** Whether a file is one like winmail.dat, by its type or its name. */
export function isTnef(type: string, name: string): boolean {
  return /^application\/(?:vnd\.)?ms-tnef$/.test(type) || /^win(?:mail)?\.dat$/i.test(name);
}

/** Types of S/MIME files that are encrypted (RFC 8551 3.2.2), in lower case. */
const envelopedType = /^(?:auth)?enveloped-data$/;

function isSmime(type: string, name: string): boolean {
  return /^application\/(?:x-)?pkcs7-mime$/.test(type) || /\.p7m$/i.test(name);
}

const htmlTypes = new Set(["text/html", "text/x-amp-html", "text/watch-html"]);
const enrichedTypes = new Set(["text/enriched", "text/richtext"]);
/** Types that say again, for few programs, what another alternative says. */
const otherForms = new Set(["text/x-amp-html", "text/watch-html", ...enrichedTypes]);

function isOtherForm({ header: { disposition, type } }: MimePart): boolean {
  return otherForms.has(type) && disposition !== "attachment";
}

/** Whether every mail program shows a text alike: it knows the type and the charset, in which ASCII stays ASCII. */
function isCommon({ charset, type }: MimePart["header"]): boolean {
  if (enrichedTypes.has(type)) return false;
  return charset === null || /^(?:utf-?8|us-ascii|ascii|(?:iso-8859|windows)-\d{1,4}|koi8-[ru])$/i.test(charset);
}

function isReadable({ header: { type } }: MimePart): boolean {
  // A multipart without a boundary can be read as it is.
  return type === "text/plain" || type === "text/html" || type.startsWith("multipart/");
}

function isNamed(part: MimePart): boolean {
  return fileName(part.header, null) !== "";
}

/** Whether a named text is the message itself, and not a file beside it. */
function isBody(part: MimePart, parent: MimePart | null): boolean {
  if (parent === null || parent.header.type === "multipart/alternative") return true;
  return parent.header.type === "multipart/related" && parent.parts[0] === part;
}

function isBlank({ text, html }: Piece): boolean {
  return html === null && text.trim() === "";
}

function pieceOf({ html, text }: TnefMessage): Piece {
  return html === null ? { text, html } : { text: text || null, html };
}

/** Tells whether pieces begin with the letters of another, whose markup and line ends may differ. */
function beginsWith(other: Piece): (piece: Piece) => boolean {
  const [words = ""] = wordsOf(other);
  const letters = lettersOf(words);
  // Signs and pictures alone are words, too.
  const [shapeOf, shape] = letters === "" ? [withoutSpace, withoutSpace(words)] : [lettersOf, letters];
  return (piece) => wordsOf(piece).some((one) => shapeOf(one).startsWith(shape));
}

/** Letters and digits in any script, without accents. */
function lettersOf(words: string): string {
  return words
    .normalize("NFKD")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]/gu, "");
}

function withoutSpace(words: string): string {
  return words.replace(/\s/g, "");
}

/** The words of HTML without its tags, and those of plain text without the targets of its links. */
function wordsOf({ html, text }: Piece): string[] {
  const plain = text === null ? [] : [text.replace(/<[^<>]*>/g, "")];
  if (html === null) return plain;
  let words = "";
  let isShown = true;
  walkHtml(html, {
    text(part) {
      if (isShown) words += part;
    },
    begin(name) {
      isShown = name !== "style" && name !== "title" && name !== "script";
    },
    end() {
      isShown = true;
    },
  });
  return [...plain, words];
}

/** The pieces of which each says the same in another form: plain text and HTML become one. */
function alternatives(read: Piece[][], room: HtmlRoom): Piece[] {
  const rich = read.filter((pieces) => pieces.some(({ html }) => html !== null)).flat();
  const plain = read.filter((pieces) => pieces.every(({ html }) => html === null)).flat();
  // Multiparts in each other must not join the same pieces again and again.
  if (rich.length === 0) return plain;
  if (plain.every(isBlank)) return rich;
  return [{ text: plain.map(({ text }) => text).join("\n"), html: joinedHtml(rich, room) as string }];
}

/** The HTML of a message: its pieces in order, those of plain text as far as there is room; null if none is HTML. */
export function joinedHtml(pieces: readonly Piece[], room: HtmlRoom): string | null {
  if (pieces.every(({ html }) => html === null)) return null;
  return pieces
    .filter((piece) => !isBlank(piece))
    .map(({ text, html }) => html ?? madeHtml(text as string, room))
    .join("<br/>\n");
}

function madeHtml(text: string, room: HtmlRoom): string {
  const html = htmlFromText(text, room.left);
  room.left -= html.length;
  return html;
}

/** The first charset that a text part declares and that is not Unicode's; null if none does. */
export function declaredCharset(part: MimePart): string | null {
  const { charset, type } = part.header;
  if (type.startsWith("text/") && charset && !/^utf|ascii/i.test(charset)) return charset;
  for (const child of part.parts) {
    const found = declaredCharset(child);
    if (found) return found;
  }
  return null;
}

function defaultName(index: number, contentType: string): string {
  const extension = contentType === "message/rfc822" ? "eml" : libmime.detectExtension(contentType);
  return `attachment-${index + 1}.${extension}`;
}
