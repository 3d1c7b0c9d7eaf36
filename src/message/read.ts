import libmime from "libmime";
import { type AttachmentStream, MailParser, type MessageText, parseAddressHeader } from "mailparser";
import type { Attachment, HeaderField, Mailbox, ReadMail } from "../mail.ts";
import { splitAddress } from "../mail.ts";
import { asciiDomain } from "../net/host-name.ts";
import { singleAuthor } from "./author.ts";
import type { HeaderBlock, WholeHeader } from "./headers.ts";
import { asBuffer, fieldsNamed, fieldText, hasStrayBytes, scanHeaders, unfolded } from "./headers.ts";
import { HTML_CHARS_MAX as readHtmlCharsMax, seenText } from "./html/text.ts";
import { type ReadLimits, scanStructure } from "./structure.ts";
import { cleanFilename, cleanLine, cleanText } from "./text/clean.ts";
import { replyText } from "./text/reply.ts";

export type { ReadLimits } from "./structure.ts";

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
/** Ids kept from a References field: the latest, because threads are found by the last few. */
const REFERENCES_MAX = 100;
/** RFC 5322 2.1.1: an id does not fold. */
const MESSAGE_ID_BYTES_MAX = 998;
/** Text kept from a message; the raw mail has all of it. */
const TEXT_CHARS_MAX = 1024 * 1024;
const HTML_CHARS_MAX = 4 * 1024 * 1024;
/** Raw text shown if the structure is not worth parsing. */
const RAW_TEXT_BYTES_MAX = 256 * 1024;
const SNIPPET_CHARS_MAX = 200;
/** A parser that stalls must not stall the session; 25 MB take well under a second. */
const PARSE_TIMEOUT_MS = 20_000;

/**
 * Reads a message: decoded header, text, HTML, the new part of the text, and attachments (RFC 5322, 2045 to 2047).
 *
 * Never throws. Broken MIME is read as far as possible, and `defects` says what was wrong. Past a limit the structure
 * is not parsed: the result is the header, the raw text and a defect. Parts of type message/rfc822 are attachments.
 * Strings have no control characters; address domains are A-labels.
 * @param defect Why reading the message failed before, if it did. The result is then the header and the raw text, with
 * this among the defects.
 * @param header The message's header, if it has been scanned.
 */
export async function readMail(
  raw: Uint8Array,
  limits: ReadLimits,
  defect: string | null = null,
  header: WholeHeader | null = null,
): Promise<ReadMail> {
  const isKnown = header && header.bodyStart <= limits.maxHeaderBytes && header.fields.length <= FIELDS_MAX;
  const block = isKnown ? header : scanHeaders(raw, { bytesMax: limits.maxHeaderBytes, fieldsMax: FIELDS_MAX });
  const structure =
    defect === null
      ? scanStructure(raw, block, limits)
      : { excess: defect, htmlAlone: false, defects: [], hangsOnSpaces: false, outside: [] };
  const fields = readHeader(block);
  const body = structure.excess ? rawBody(raw, block, structure.excess) : await parseBody(raw, block, limits);

  // A broken message that yielded nothing is shown as raw text.
  const empty = body.text === null && body.html === null && body.parts.length === 0;
  if (empty && structure.defects.length + body.defects.length > 0) body.text = rawText(raw, block);

  const fromHtml = body.html !== null && (body.text === null || structure.htmlAlone);
  const seen = fromHtml ? seenText(body.html ?? "") : null;
  const isPartOfHtml = fromHtml && (body.html?.length ?? 0) > readHtmlCharsMax;
  const whole = cleanText(seen?.text ?? body.text ?? "");
  const text = cut(whole, TEXT_CHARS_MAX);
  const html = body.html === null ? null : cut(cleanText(body.html), HTML_CHARS_MAX);
  const newText = replyText(text, fields.subject);
  return {
    ...fields,
    text,
    html,
    replyText: newText,
    snippet: cleanLine((newText || text).slice(0, 4 * SNIPPET_CHARS_MAX))
      .slice(0, SNIPPET_CHARS_MAX)
      .toWellFormed(),
    attachments: body.parts.map((part) => part.attachment),
    defects: [
      ...fields.defects,
      ...structure.defects,
      ...body.defects,
      ...(seen ? hiding(seen.hiddenChars) : []),
      ...(whole.includes("\ufffd") ? ["The text has bytes that its charset cannot hold."] : []),
      ...(isPartOfHtml || whole.length > TEXT_CHARS_MAX || (body.html?.length ?? 0) > HTML_CHARS_MAX
        ? ["The text is too long; the rest is in the raw message."]
        : []),
    ],
  };
}

function hiding(hiddenChars: number | null): string[] {
  if (hiddenChars === 0) return [];
  return hiddenChars === null
    ? ["The HTML is too complex to tell what it hides from readers."]
    : [`The HTML has ${hiddenChars} characters that readers do not see; they are not in the text.`];
}

/** Reads the attachment at an index of `readMail(raw).attachments`, with its decoded bytes. Null if there is none. */
export async function readAttachment(
  raw: Uint8Array,
  index: number,
  limits: ReadLimits,
): Promise<{ attachment: Attachment; content: Uint8Array } | null> {
  const block = scanHeaders(raw, { bytesMax: limits.maxHeaderBytes, fieldsMax: FIELDS_MAX });
  if (scanStructure(raw, block, limits).excess) return null;
  const { parts } = await parseBody(raw, block, limits, index);
  const part = parts[index];
  return part?.content ? { attachment: part.attachment, content: part.content } : null;
}

/** Reads every attachment with its decoded bytes, in the order of `readMail(raw).attachments`. Empty past a limit. */
export async function readAttachments(
  raw: Uint8Array,
  limits: ReadLimits,
): Promise<{ attachment: Attachment; content: Uint8Array }[]> {
  const block = scanHeaders(raw, { bytesMax: limits.maxHeaderBytes, fieldsMax: FIELDS_MAX });
  if (scanStructure(raw, block, limits).excess) return [];
  const { parts } = await parseBody(raw, block, limits, "all");
  return parts.flatMap(({ attachment, content }) => (content ? [{ attachment, content }] : []));
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

function readHeader(block: HeaderBlock): Header {
  const first = (key: string) => {
    const [field] = fieldsNamed(block, key);
    return field ? fieldText(field) : "";
  };
  const defects: string[] = [];
  if (block.cut) defects.push("The header is too large; fields are missing.");
  if (block.fields.some(hasStrayBytes)) defects.push("The header has 8-bit characters that are not UTF-8.");
  if (block.fields.some((field) => field.key === "")) defects.push("The header has a line that is not a field.");
  for (const name of onceOnly) {
    const count = fieldsNamed(block, name.toLowerCase()).length;
    if (count > 1) defects.push(`The message has ${count} ${name} fields.`);
  }

  const author = singleAuthor(block);
  const mailboxes = readMailboxes(block);
  const read = mailboxes.from;
  if (mailboxes.isCut) defects.push("The message names more addresses than are shown; the rest is in its header.");
  const from = author ? [{ address: author.address, name: read[0]?.name ?? "" }] : read;
  if (fieldsNamed(block, "from").length === 0) defects.push("The message has no From field.");
  else if (from.length === 0) defects.push("The From field has no address.");
  else if (from.length > 1) defects.push("The message has more than one From address.");
  else if (!author) defects.push("The From field can be read in more than one way.");

  const dateText = first("date").replace(/\([^()]*\)/g, "");
  const date = new Date(dateText);
  const dated = date.getTime() > 0 && date.getUTCFullYear() < 10_000;
  if (!dated) defects.push(dateText ? "The Date field cannot be read." : "The message has no Date field.");

  const subjectField = first("subject");
  const subject = cleanLine(decodeWords(subjectField.slice(0, SUBJECT_FIELD_CHARS_MAX)));
  if (subject.length > SUBJECT_CHARS_MAX || subjectField.length > SUBJECT_FIELD_CHARS_MAX)
    defects.push("The Subject is too long; the rest is in the header.");

  return {
    from,
    to: mailboxes.to,
    cc: mailboxes.cc,
    replyTo: mailboxes.replyTo,
    subject: cut(subject, SUBJECT_CHARS_MAX),
    messageId: readMessageIds(first("message-id"))[0] ?? null,
    inReplyTo: readMessageIds(first("in-reply-to")),
    references: readMessageIds(first("references")),
    date: dated ? date : null,
    headers: readFields(block),
    defects,
  };
}

function readFields(block: HeaderBlock): HeaderField[] {
  return block.fields
    .filter((field) => field.name !== "")
    .map((field) => ({ name: field.name, value: cleanLine(decodeWords(fieldText(field))) }));
}

type Mailboxes = Pick<Header, "from" | "replyTo" | "to" | "cc">;

/** Reads From, Reply-To, To and Cc, in this order, up to MAILBOXES_BYTES_MAX. `isCut`: some mailboxes were left out. */
function readMailboxes(block: HeaderBlock): Mailboxes & { isCut: boolean } {
  let isCut = false;
  let bytesLeft = MAILBOXES_BYTES_MAX;
  const take = (key: string): Mailbox[] => {
    const field = addressField(block, key);
    isCut ||= field.isCut;
    const kept: Mailbox[] = [];
    for (const mailbox of parseMailboxes(field.values)) {
      bytesLeft -= Buffer.byteLength(mailbox.address) + Buffer.byteLength(mailbox.name);
      if (bytesLeft >= 0 && kept.length < MAILBOXES_MAX) kept.push(mailbox);
      else isCut = true;
      if (bytesLeft < 0) break;
    }
    return kept;
  };
  return { from: take("from"), replyTo: take("reply-to"), to: take("to"), cc: take("cc"), isCut };
}

/** Values of all fields of this name, up to ADDRESS_FIELD_CHARS_MAX. A cut value ends behind a whole mailbox. */
function addressField(block: HeaderBlock, key: string): { values: string[]; isCut: boolean } {
  const values: string[] = [];
  let left = ADDRESS_FIELD_CHARS_MAX;
  for (const field of fieldsNamed(block, key)) {
    const value = fieldText(field);
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
  for (const { address, name } of parseAddressHeader(values, { flatten: true, decodePunycode: false }).value) {
    const parts = splitAddress(cleanLine(address ?? ""));
    if (!parts || /[\s<>]/.test(parts.local)) continue;
    const domain = asciiDomain(parts.domain) ?? parts.domain;
    const whole = `${parts.local}@${domain}`;
    if (Buffer.byteLength(whole) <= ADDRESS_BYTES_MAX)
      yield { address: whole, name: cut(cleanLine(name), NAME_CHARS_MAX) };
  }
}

/** Ids in angle brackets. If there are none, words with an "@" count as ids (RFC 5322 3.6.4). */
function readMessageIds(value: string): string[] {
  const bracketed = value.match(/<[^<>\s]+>/g) ?? [];
  const ids = bracketed.length > 0 ? bracketed : value.split(/[\s,]+/).filter((word) => /^[^<>@]+@[^<>@]+$/.test(word));
  return ids
    .filter((id) => Buffer.byteLength(id) <= MESSAGE_ID_BYTES_MAX)
    .slice(-REFERENCES_MAX)
    .map((id) => cleanLine(id.startsWith("<") ? id : `<${id}>`));
}

/** RFC 2047. Broken encoded words stay as they are. */
function decodeWords(text: string): string {
  if (!text.includes("=?")) return text;
  try {
    return libmime.decodeWords(text);
  } catch {
    return text;
  }
}

interface Part {
  attachment: Attachment;
  /** Null for parts whose content was not asked for. */
  content: Buffer | null;
}

interface Body {
  /** Null when no part is plain text. */
  text: string | null;
  html: string | null;
  parts: Part[];
  defects: string[];
}

/** The body to show when its structure is not parsed. */
function rawBody(raw: Uint8Array, block: HeaderBlock, defect: string): Body {
  const defects = [defect, "The body is shown as it was received."];
  return { text: rawText(raw, block), html: null, parts: [], defects };
}

function rawText(raw: Uint8Array, { bodyStart }: HeaderBlock): string {
  return asBuffer(raw).toString("utf8", bodyStart, bodyStart + RAW_TEXT_BYTES_MAX);
}

/** The parser without its costly link detection. */
class BodyParser extends MailParser {
  /** How text parts look inside the HTML of the message. */
  override textToHtml(text: string): string {
    const escaped = text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
    return `<p>${escaped.replace(/\n/g, "<br/>")}</p>`;
  }
}

/** Parses the body with mailparser, which gets only the header fields that describe the body. */
async function parseBody(
  raw: Uint8Array,
  block: HeaderBlock,
  limits: ReadLimits,
  wanted: number | "all" = -1,
): Promise<Body> {
  const parser = new BodyParser({
    skipHtmlToText: true,
    ignoreEmbedded: true,
    keepDeliveryStatus: true,
    checksumAlgo: false,
    maxHeadSize: limits.maxHeaderBytes * HEADER_COST_FACTOR,
    maxChildNodes: limits.maxParts,
  });
  const body: Body = { text: null, html: null, parts: [], defects: [] };
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => stop("it takes too long"), PARSE_TIMEOUT_MS);
    const stop = (reason: string) => {
      body.defects.push(`The MIME structure cannot be read to its end: ${reason}.`);
      finish();
    };
    const finish = () => {
      clearTimeout(timer);
      parser
        .removeAllListeners("data")
        .on("error", () => {})
        .destroy();
      resolve();
    };
    parser.on("data", (data: AttachmentStream | MessageText) => {
      if (data.type === "attachment") collect(data, body.parts, wanted);
      else {
        body.text = data.text?.trim() ? data.text : null;
        body.html = data.html ?? null;
      }
    });
    parser.on("error", (error: Error) => stop(cleanLine(error.message)));
    parser.on("end", finish);
    const described = block.fields.filter((field) => /^(?:content-|mime-version$)/.test(field.key));
    // One line each: the parser would take a value's other lines for fields that no other reader sees.
    const lines = described.map((field) => `${field.name}:${unfolded(field)}\r\n`);
    parser.write(Buffer.from(`${lines.join("")}\r\n`, "latin1"));
    parser.end(asBuffer(raw).subarray(block.bodyStart));
  });
  return body;
}

/** mailsplit counts every header line as at least 64 bytes; scanStructure has counted the real bytes. */
const HEADER_COST_FACTOR = 64;

function collect(part: AttachmentStream, parts: Part[], wanted: number | "all"): void {
  const index = parts.length;
  const isWanted = wanted === "all" || wanted === index;
  const contentType = /^[\w.+-]+\/[\w.+-]+$/.test(part.contentType ?? "")
    ? part.contentType.toLowerCase()
    : "application/octet-stream";
  const contentId = part.cid ? cleanLine(part.cid) : "";
  const attachment: Attachment = {
    index,
    filename: cleanFilename(part.filename || "", defaultName(index, contentType)),
    content_type: contentType,
    size: 0,
    ...(contentId && { content_id: contentId }),
  };
  const read: Part = { attachment, content: null };
  parts.push(read);
  const chunks: Buffer[] = [];
  part.content.on("data", (chunk: Buffer) => {
    attachment.size += chunk.length;
    if (isWanted) chunks.push(chunk);
  });
  part.content.on("error", () => part.release?.());
  part.content.on("end", () => {
    if (isWanted) read.content = Buffer.concat(chunks);
    part.release?.();
  });
}

function defaultName(index: number, contentType: string): string {
  const extension = contentType === "message/rfc822" ? "eml" : libmime.detectExtension(contentType);
  return `attachment-${index + 1}.${extension}`;
}

function cut(text: string, charsMax: number): string {
  return text.length > charsMax ? text.slice(0, charsMax).toWellFormed() : text;
}
