import libmime from "libmime";
import type { Attachment } from "../../mail.ts";
import { cleanFilename, cleanLine } from "../text/clean.ts";
import { unflowed } from "../text/flowed.ts";
import { decodeText } from "./charset.ts";
import { contentId, describedName, fileName } from "./part.ts";
import type { MimePart } from "./structure.ts";
import { decodeTransfer } from "./transfer.ts";

/** A piece of what a message says, in reading order: plain text, HTML, or the same in both forms. */
export type Piece = { text: string; html: null } | { text: string | null; html: string };

export interface AttachedFile {
  attachment: Attachment;
  /** Null unless it was asked for. */
  content: Buffer | null;
}

/** Whether a defect says that a program which reads the message another way may show other words. */
export function isMisreadable(defect: string): boolean {
  return /^(?:A text part |A part is not in base64|Text behind the end of a base64 part|The text has bytes)/.test(
    defect,
  );
}

export interface Body {
  pieces: Piece[];
  files: AttachedFile[];
  defects: string[];
}

/** Text decoded of all parts together; far more than is kept. */
const TEXT_BYTES_MAX = 16 * 1024 * 1024;

/**
 * Reads the body of a message whose structure is known: its text, and its attachments in order.
 * @param wanted Index of the attachment whose content is wanted, or all of them. With `every part`, parts count as
 * attachments that other programs may show instead of the text: alternatives that are left out here, and text in
 * charsets that not every program decodes.
 */
export async function readBody(
  bytes: Buffer,
  root: MimePart,
  wanted: number | "all" | "every part" | null,
): Promise<Body> {
  const charset = declaredCharset(root);
  const files: AttachedFile[] = [];
  const defects = new Set<string>();
  const isAll = wanted === "all" || wanted === "every part";
  let bytesLeft = TEXT_BYTES_MAX;

  const contentOf = ({ header, start, end }: MimePart) => {
    const { content, hasTail, isPlain } = decodeTransfer(bytes.subarray(start, end), header.encoding);
    if (hasTail) defects.add("Text behind the end of a base64 part was left out.");
    if (isPlain) defects.add("A part is not in base64, as its header says it is.");
    return content;
  };
  const attach = (part: MimePart) => {
    const index = files.length;
    const content = contentOf(part);
    const { type, encoding } = part.header;
    if (encoding !== "base64" && !type.startsWith("message/") && isStillEncoded(headOf(content)))
      defects.add(stillEncoded);
    const id = cleanLine(contentId(part.header));
    const named = fileName(part.header, charset) || describedName(part.header);
    const filename = cleanFilename(named, defaultName(index, type));
    if (named !== "" && cleanLine(named) !== filename) defects.add("The name of an attachment was changed.");
    const attachment: Attachment = {
      index,
      filename,
      content_type: type,
      size: content.length,
      ...(id && { content_id: id }),
    };
    files.push({ attachment, content: isAll || wanted === index ? content : null });
  };
  const readText = async (part: MimePart): Promise<Piece> => {
    const { charset, flowed, type } = part.header;
    const whole = contentOf(part);
    const content = whole.subarray(0, bytesLeft);
    if (content.length < whole.length) defects.add("A text part is too long to be read whole.");
    bytesLeft -= content.length;
    const { text, defect } = await decodeText(content, charset, type === "text/html");
    if (defect) defects.add(defect);
    if (isStillEncoded(text)) defects.add(stillEncoded);
    if (type === "text/html") return { text: null, html: text };
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
      const found = alternatives(pieces);
      // Without a text that is read, another form is better than nothing.
      if (wanted === "every part" || found.every(isBlank)) part.parts.filter(isOtherForm).forEach(attach);
      return found;
    }
    const isText = isReadable(part) && part.header.disposition !== "attachment";
    const isMessage = isText && (!isNamed(part) || isBody(part, parent));
    if (isMessage && wanted === "every part" && !isCommon(part.header.charset)) attach(part);
    if (isMessage) return [await readText(part)];
    if (isText) textFiles.push(part);
    if (!(parent?.header.type === "multipart/alternative" && isOtherForm(part))) attach(part);
    return [];
  };
  const pieces = await read(root, null);
  const [only] = textFiles;
  // A mail whose one text has the name of a file is no mail without words.
  if (only && pieces.every(isBlank)) pieces.push(await readText(only));
  return { pieces, files, defects: [...defects] };
}

const stillEncoded = "A part has content that may still be encoded.";
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

/** Types that say again, for few programs, what another alternative says. */
const otherForms = new Set(["text/x-amp-html", "text/watch-html", "text/enriched", "text/richtext"]);

function isOtherForm({ header: { type } }: MimePart): boolean {
  return otherForms.has(type);
}

/** Whether every mail program decodes a charset, and ASCII stays ASCII in it. */
function isCommon(charset: string | null): boolean {
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

/** The pieces of which each says the same in another form: plain text and HTML become one. */
function alternatives(read: Piece[][]): Piece[] {
  const rich = read.filter((pieces) => pieces.some(({ html }) => html !== null)).flat();
  const plain = read.filter((pieces) => pieces.every(({ html }) => html === null)).flat();
  const text = plain.map(({ text }) => text).join("\n");
  const html = joinedHtml(rich);
  if (html === null) return plain;
  return text.trim() === "" ? rich : [{ text, html }];
}

/** The HTML of a message: its pieces in order, those of plain text included; null if no piece is HTML. */
export function joinedHtml(pieces: readonly Piece[]): string | null {
  if (pieces.every(({ html }) => html === null)) return null;
  return pieces
    .filter((piece) => !isBlank(piece))
    .map(({ text, html }) => html ?? textToHtml(text as string))
    .join("<br/>\n");
}

function textToHtml(text: string): string {
  const escaped = text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  return `<p>${escaped.replace(/\r?\n/g, "<br/>")}</p>`;
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
