import { parseAddressHeader } from "mailparser";
import type { Attachment, Defect, HeaderField, Mailbox, ReadMail } from "../mail.ts";
import { ATTACHED_DEPTH_MAX, isMessageFile, isQuoted, splitAddress } from "../mail.ts";
import { asciiDomain } from "../net/host-name.ts";
import { directionControls } from "./addresses.ts";
import { singleAuthor } from "./author.ts";
import { readDate } from "./date.ts";
import { Defects, defect } from "./defects.ts";
import type { HeaderBlock, RawField, WholeHeader } from "./headers.ts";
import { asBuffer, fieldsNamed, fieldText, hasHeader, hasStrayBytes, noHeader, scanHeaders } from "./headers.ts";
import { HtmlBudget } from "./html/budget.ts";
import { seenText } from "./html/text.ts";
import { messageIdsIn } from "./message-ids.ts";
import { type AttachedFile, type Body, type BodyOptions, declaredCharset, joinedHtml, readBody } from "./mime/body.ts";
import { type ReadLimits, type Structure, scanStructure } from "./mime/structure.ts";
import { decodeWords, inUtf8 } from "./mime/words.ts";
import { withoutObsoleteSyntax } from "./obsolete-syntax.ts";
import { cleanLine, cleanText, squeezed } from "./text/clean.ts";
import { replyText } from "./text/reply.ts";

export type { ReadLimits } from "./mime/structure.ts";

/** Real mail has 20 to 100 fields. */
const FIELDS_MAX = 1_000;
/** Mailboxes kept from one field. A longer list is not meant to be read. */
const MAILBOXES_MAX = 1_000;
/** Bytes of all mailboxes kept from a message, because a list shows 100 messages at once. Enough for some 700 people. */
const MAILBOXES_BYTES_MAX = 32 * 1024;
/** Text parsed from one kind of address field: several times what is kept of it. */
const ADDRESS_FIELD_CHARS_MAX = 64 * 1024;
/** Names of real people and lists have fewer than 100 characters. */
const NAME_CHARS_MAX = 998;
/** Two lines of the greatest length (RFC 5322 2.1.1). The header's fields have the whole Subject. */
const SUBJECT_CHARS_MAX = 2 * 998;
/** Read from the field, so that a Subject in encoded words (RFC 2047) reaches SUBJECT_CHARS_MAX. */
const SUBJECT_FIELD_CHARS_MAX = 32 * 1024;
/** RFC 5321 4.5.3.1.3 allows 254. Longer addresses are undeliverable, and a Postgres index entry holds 2,704 bytes. */
const ADDRESS_BYTES_MAX = 998;
/** Text kept from a message; the raw mail has all of it. */
const TEXT_CHARS_MAX = 1024 * 1024;
const HTML_CHARS_MAX = 4 * 1024 * 1024;
/** Raw text shown if the structure is not worth parsing, and the bytes that it is read from if gaps fill it. */
const RAW_TEXT_BYTES_MAX = 256 * 1024;
const RAW_BYTES_MAX = 1024 * 1024;
const SNIPPET_CHARS_MAX = 200;

/**
 * Reads a message: decoded header, text, HTML, the new part of the text, and attachments (RFC 5322, 2045 to 2047).
 *
 * Never throws. Broken MIME is read as far as possible, and `defects` says what was wrong. Past a limit the structure
 * is not parsed: the result is the header, the raw text and a defect. Parts of type message/rfc822 are attachments.
 * Strings have no control characters; address domains are A-labels.
 * @param failure Why reading the message failed before, if it did. The result is then the header and the raw text, with
 * this among the defects.
 * @param header The message's header, if it has been scanned.
 * @param budget What its HTML may cost, together with other messages.
 */
export async function readMail(
  raw: Uint8Array,
  limits: ReadLimits,
  failure: Defect | null = null,
  header: WholeHeader | null = null,
  budget: HtmlBudget = new HtmlBudget(),
): Promise<ReadMail> {
  return withNewText(await readWords(raw, limits, failure, header, budget));
}

/** Finds which words of a message are new. */
export function withNewText({ isDescription: _, ...mail }: ReadWords): ReadMail {
  const newText = replyText(mail.text, mail.subject);
  return { ...mail, replyText: newText, snippet: cut(cleanLine(newText || mail.text), SNIPPET_CHARS_MAX) };
}

/** All of a message but which of its words are new. */
export interface ReadWords extends Omit<ReadMail, "replyText" | "snippet"> {
  /** Whether its text is the description of its event, because it has no other. */
  isDescription: boolean;
}

/** Like `readMail`, without looking for the new part of the text. */
export async function readWords(
  raw: Uint8Array,
  limits: ReadLimits,
  failure: Defect | null,
  header: WholeHeader | null,
  budget: HtmlBudget,
): Promise<ReadWords> {
  const isKnown = header && header.bodyStart <= limits.maxHeaderBytes && header.fields.length <= FIELDS_MAX;
  const block = isKnown ? header : headerOf(raw, limits);
  // Reading the structure may be what failed.
  const structure = failure === null ? scanStructure(raw, block, limits) : null;
  const excess = structure ? structure.excess : failure;
  const fields = readHeader(block, structure === null ? null : declaredCharset(structure.root));
  const body: Body =
    structure && excess === null
      ? await readBody(structure.root, { limits, opens: true, wanted: null })
      : {
          pieces: [],
          files: [],
          calendar: null,
          isDescription: false,
          outside: [],
          room: { left: 0 },
          defects: excess === null ? [] : [excess],
        };
  const said = structure && excess === null ? words(body, structure, raw, block, budget) : rawWords(raw, block);

  const html = joinedHtml(body.pieces, body.room);
  const whole = fitting(cleanText(said.text), TEXT_CHARS_MAX);
  const cleanHtml = html === null ? null : fitting(cleanText(html), HTML_CHARS_MAX);
  const text = cut(whole, TEXT_CHARS_MAX);
  const isHtmlCut = body.room.left < 0 || (cleanHtml?.length ?? 0) > HTML_CHARS_MAX;
  const isCut = said.isCut || isHtmlCut || whole.length > TEXT_CHARS_MAX;
  const defects = new Defects();
  for (const found of [fields.defects, structure?.defects ?? [], body.defects, said.defects].flat())
    defects.take(found);
  if (whole.includes("\ufffd")) defects.add("characters_invalid");
  if (isCut) defects.add("text_truncated");
  return {
    ...fields,
    text,
    html: cleanHtml === null ? null : cut(cleanHtml, HTML_CHARS_MAX),
    attachments: body.files.map((file) => file.attachment),
    calendar: body.calendar,
    isDescription: body.isDescription,
    defects: defects.list,
  };
}

/** The text of a message, and what a reader of it should know. */
interface Words {
  text: string;
  defects: Defect[];
  /** Whether the text lacks the end of a piece. */
  isCut: boolean;
}

/**
 * The text of a message: its pieces in order, as their reader sees them. A message without any has the words around its
 * parts, or else, if it is broken, its raw text.
 */
function words(body: Body, structure: Structure, raw: Uint8Array, block: HeaderBlock, budget: HtmlBudget): Words {
  let text = "";
  let isCut = false;
  let hiddenChars: number | null = 0;
  let isUnsure = false;
  let wasHtml = false;
  for (const piece of body.pieces) {
    const { text: plain, html } = piece;
    const seen = plain === null && html !== null ? seenText(html, "pictures", budget) : null;
    const shown = seen?.text ?? plain ?? "";
    if (seen) {
      hiddenChars = hiddenChars === null || seen.hiddenChars === null ? null : hiddenChars + seen.hiddenChars;
      isUnsure ||= seen.isUnsure;
      isCut ||= seen.isCut;
    }
    if (shown.trim() === "") continue;
    const isHtml = seen !== null;
    // HTML begins and ends a paragraph.
    text += text === "" ? shown : `${isHtml || wasHtml ? "\n\n" : "\n"}${shown}`;
    wasHtml = isHtml;
  }
  const defects = hiding(hiddenChars, isUnsure);
  const around = [...structure.outside.map(([start, end]) => asBuffer(raw).subarray(start, end)), ...body.outside].map(
    (bytes) => bytes.toString("utf8").trim().replace(usualPreamble, "").trim(),
  );
  const said = around.filter((one) => one !== "").join("\n");
  if (text !== "") return { text, defects: said === "" ? defects : [...defects, defect("text_outside_left")], isCut };
  if (said !== "") return { text: said, defects: [...defects, defect("text_outside_parts")], isCut };
  const isBroken = structure.defects.length + body.defects.length > 0;
  const isEmpty = body.pieces.length === 0 && body.files.length === 0;
  return { text: isEmpty && isBroken ? rawText(raw, block) : text, defects, isCut };
}

/** What programs say to readers without MIME, on one line or several. */
const usualPreamble =
  /^this (?:is an? (?:multi-?part|mime|cryptographically signed|openpgp\/mime signed)|message is in mime)[^\n]*(?:\n(?!\s{0,20}\n|.{0,200}[:=-])[^\n]*)*/i;

/** The body as it is, of a message whose structure is not read. */
function rawWords(raw: Uint8Array, block: HeaderBlock): Words {
  return { text: rawText(raw, block), defects: [defect("body_undecoded")], isCut: false };
}

function rawText(raw: Uint8Array, { bodyStart }: HeaderBlock): string {
  const bytes = asBuffer(raw);
  if (bytes.length - bodyStart <= RAW_TEXT_BYTES_MAX) return bytes.toString("utf8", bodyStart);
  return cut(squeezed(cleanText(bytes.toString("utf8", bodyStart, bodyStart + RAW_BYTES_MAX))), RAW_TEXT_BYTES_MAX);
}

function hiding(hiddenChars: number | null, isUnsure: boolean): Defect[] {
  const defects: Defect[] = [];
  if (hiddenChars !== null && hiddenChars > 0)
    defects.push(
      defect(
        "html_text_hidden",
        `The HTML has ${hiddenChars} characters that readers do not see; they are not in the text.`,
      ),
    );
  if (hiddenChars === null || isUnsure) defects.push(defect("html_too_complex"));
  return defects;
}

/** An attachment with its decoded bytes. */
export interface WholeAttachment {
  attachment: Attachment;
  content: Uint8Array;
}

/**
 * Reads an attachment with its decoded bytes.
 * @param path Its index among `readMail(raw).attachments`; of a file in an attached message, the index of the message
 * and that of the file in it, and so on.
 * @returns Null if there is none.
 */
export async function readAttachment(
  raw: Uint8Array,
  path: number | readonly number[],
  limits: ReadLimits,
): Promise<WholeAttachment | null> {
  const [index = -1, ...inside] = [path].flat();
  const file = (await filesOf(raw, limits, { wanted: index, opens: true }))[index];
  if (!file?.content) return null;
  if (inside.length === 0) return { attachment: file.attachment, content: file.content };
  const isRead = isMessageFile(file.attachment) && inside.length <= ATTACHED_DEPTH_MAX;
  return isRead ? readAttachment(file.content, inside, limits) : null;
}

/** Reads an attached message by the same rules as any other, `failure` included. Null if there is none at this path. */
export async function readAttachedMessage(
  raw: Uint8Array,
  path: readonly number[],
  limits: ReadLimits,
  failure: Defect | null = null,
): Promise<ReadMail | null> {
  const found = path.length <= ATTACHED_DEPTH_MAX ? await readAttachment(raw, path, limits) : null;
  return found && isMessageFile(found.attachment) ? readMail(found.content, limits, failure) : null;
}

/**
 * Reads every attachment with its decoded bytes. Empty past a limit.
 * @param opens Whether to list them as `readMail(raw).attachments` does, with what is packed in winmail.dat, or as they
 * were sent.
 */
export async function readAttachments(
  raw: Uint8Array,
  limits: ReadLimits,
  { opens } = { opens: true },
): Promise<WholeAttachment[]> {
  return whole(await filesOf(raw, limits, { wanted: "all", opens }));
}

function whole(files: readonly AttachedFile[]): WholeAttachment[] {
  return files.flatMap(({ attachment, content }) => (content ? [{ attachment, content }] : []));
}

function headerOf(raw: Uint8Array, limits: ReadLimits): HeaderBlock {
  if (!hasHeader(raw)) return noHeader;
  return scanHeaders(raw, { bytesMax: limits.maxHeaderBytes, fieldsMax: FIELDS_MAX });
}

/**
 * Reads every part that a program may show besides `readMail(raw).text`: attachments, forms of the message that only
 * some programs show, and text that they may decode differently. Empty past a limit.
 */
export async function readEveryPart(raw: Uint8Array, limits: ReadLimits): Promise<WholeAttachment[]> {
  return whole(await filesOf(raw, limits, { wanted: "every part", opens: true }));
}

async function filesOf(
  raw: Uint8Array,
  limits: ReadLimits,
  how: Pick<BodyOptions, "opens" | "wanted">,
): Promise<AttachedFile[]> {
  const { excess, root } = scanStructure(raw, headerOf(raw, limits), limits);
  return excess === null ? (await readBody(root, { ...how, limits })).files : [];
}

type Header = Pick<
  ReadMail,
  | "from"
  | "to"
  | "cc"
  | "replyTo"
  | "subject"
  | "messageId"
  | "inReplyTo"
  | "references"
  | "date"
  | "headers"
  | "defects"
>;

/** Fields that RFC 5322 3.6 allows once, and that readers of the message rely on. */
const onceOnly = ["From", "Sender", "Reply-To", "To", "Cc", "Subject", "Date", "Message-ID", "Content-Type"];

/** @param charset What bytes outside ASCII are written in, unless they are UTF-8. */
function readHeader(block: HeaderBlock, charset: string | null): Header {
  const first = (key: string) => {
    const [field] = fieldsNamed(block, key);
    return field ? foldedText(field, charset) : "";
  };
  const idsIn = (key: string) => messageIdsIn(first(key), key === "references" ? "references" : "other");
  const defects = new Defects();
  if (block.cut) defects.add("header_truncated");
  if (block.fields.some(hasStrayBytes)) defects.add("header_charset_unknown");
  if (block.fields.some((field) => field.key === "")) defects.add("header_line_invalid");
  for (const name of onceOnly) {
    const count = fieldsNamed(block, name.toLowerCase()).length;
    if (count > 1) defects.add("field_repeated", `The message has ${count} ${name} fields.`);
  }

  const author = singleAuthor(block);
  const mailboxes = readMailboxes(block, charset);
  const read = mailboxes.from;
  if (mailboxes.isCut) defects.add("addresses_truncated");
  const from = author ? [{ address: author.address, name: read[0]?.name ?? "" }] : read;
  if (fieldsNamed(block, "from").length === 0) defects.add("from_missing");
  else if (from.length === 0) defects.add("from_without_address");
  else if (from.length > 1) defects.add("from_multiple");
  else if (!author) defects.add("from_ambiguous");

  const dateField = first("date");
  const date = readDate(dateField);
  if (!date) defects.add(dateField.trim() ? "date_invalid" : "date_missing");

  const subjectField = first("subject");
  const subjectText = decodeWords(subjectField.slice(0, SUBJECT_FIELD_CHARS_MAX));
  const subject = shownLine(subjectText);
  if (subject !== cleanLine(subjectText)) defects.add("subject_controls_removed");
  if (subject.length > SUBJECT_CHARS_MAX || subjectField.length > SUBJECT_FIELD_CHARS_MAX)
    defects.add("subject_truncated");

  return {
    from,
    to: mailboxes.to,
    cc: mailboxes.cc,
    replyTo: mailboxes.replyTo,
    subject: cut(subject, SUBJECT_CHARS_MAX),
    messageId: idsIn("message-id")[0] ?? null,
    inReplyTo: idsIn("in-reply-to"),
    references: idsIn("references"),
    date,
    headers: readFields(block, charset),
    defects: defects.list,
  };
}

function readFields(block: HeaderBlock, charset: string | null): HeaderField[] {
  return block.fields
    .filter((field) => field.name !== "")
    .map((field) => ({ name: field.name, value: cleanLine(decodeWords(fieldText(field, charset))) }));
}

type Mailboxes = Pick<Header, "from" | "replyTo" | "to" | "cc">;

/** Reads From, Reply-To, To and Cc, in this order, up to MAILBOXES_BYTES_MAX. `isCut`: some mailboxes were left out. */
function readMailboxes(block: HeaderBlock, charset: string | null): Mailboxes & { isCut: boolean } {
  let isCut = false;
  let bytesLeft = MAILBOXES_BYTES_MAX;
  const take = (key: string): Mailbox[] => {
    const field = addressField(block, key, charset);
    isCut ||= field.isCut;
    const kept: Mailbox[] = [];
    // A quote that is never closed in From or Reply-To leaves doubt about who it is.
    const isList = key === "to" || key === "cc";
    for (const mailbox of parseMailboxes(isList ? field.values.map(closedQuotes) : field.values)) {
      bytesLeft -= Buffer.byteLength(mailbox.address) + Buffer.byteLength(mailbox.name);
      if (bytesLeft >= 0 && kept.length < MAILBOXES_MAX) kept.push(mailbox);
      else isCut = true;
      if (bytesLeft < 0) break;
    }
    return kept;
  };
  return { from: take("from"), replyTo: take("reply-to"), to: take("to"), cc: take("cc"), isCut };
}

/** Values of all fields of this name, up to ADDRESS_FIELD_CHARS_MAX. A cut value ends after a whole mailbox. */
function addressField(block: HeaderBlock, key: string, charset: string | null): { values: string[]; isCut: boolean } {
  const values: string[] = [];
  let left = ADDRESS_FIELD_CHARS_MAX;
  for (const field of fieldsNamed(block, key)) {
    const value = foldedText(field, charset);
    if (value.length > left) {
      values.push(value.slice(0, Math.max(0, value.lastIndexOf(",", left - 1))));
      return { values, isCut: true };
    }
    values.push(value);
    left -= value.length;
  }
  return { values, isCut: false };
}

/** Parses mailboxes in order, members of groups included (RFC 5322 3.4). */
function* parseMailboxes(values: string[]): Generator<Mailbox> {
  if (values.length === 0) return;
  let found = false;
  const current = values.map((value) => inUtf8(withoutObsoleteSyntax(value)));
  for (const { address, name } of parseAddressHeader(current, { flatten: true, decodePunycode: false }).value) {
    const whole = readAddress(address ?? "");
    if (whole === null) continue;
    found = true;
    yield { address: whole, name: cut(shownLine(name), NAME_CHARS_MAX) };
  }
  const only = found ? null : onlyAddress(current);
  if (only) yield { address: only, name: "" };
}

/** An address with its domain in A-labels; null if it is not one that other programs read alike. */
function readAddress(text: string): string | null {
  const parts = splitAddress(cleanLine(text).replace(/^mailto:/i, ""));
  if (!parts || /[\s<>[\]]/.test(parts.domain)) return null;
  if ((isQuoted(parts.local) ? /[<>@]/ : /[\s<>"]/).test(parts.local)) return null;
  const domain = asciiDomain(parts.domain) ?? parts.domain;
  const whole = `${parts.local}@${domain}`;
  return Buffer.byteLength(whole) <= ADDRESS_BYTES_MAX ? whole : null;
}

/** A list without the quote that is never closed, which would make one name of all addresses after it. */
function closedQuotes(value: string): string {
  const plain = value.replace(/\\./g, "");
  if (plain.split('"').length % 2 === 1) return value;
  const last = plain.lastIndexOf('"');
  return plain.slice(0, last) + plain.slice(last + 1);
}

/** The one address in text that is not a list of mailboxes, such as a name with a quote that is never closed. */
function onlyAddress(values: string[]): string | null {
  const words = values.flatMap((value) => value.split(/[\s"<>()[\],:;]/)).filter((word) => word.includes("@"));
  const [only, ...others] = new Set(words);
  return only === undefined || others.length > 0 ? null : readAddress(only);
}

/** Text for one line of a list, without what turns the direction of the text around it. */
function shownLine(text: string): string {
  return cleanLine(text.replace(directionControls, ""));
}

/** A field's text as a signature sees it (RFC 6376 3.4.2): white space that is added on the way pushes nothing over a limit. */
function foldedText(field: RawField, charset: string | null): string {
  return fieldText(field, charset).replace(/[ \t]+/g, " ");
}

/** A text that would have to be cut without the white space on which no signature depends, so that words stay. */
function fitting(text: string, charsMax: number): string {
  return text.length > charsMax ? squeezed(text) : text;
}

function cut(text: string, charsMax: number): string {
  return text.length > charsMax ? text.slice(0, charsMax).toWellFormed() : text;
}
