import { isAscii } from "node:buffer";
import { randomBytes } from "node:crypto";
import type { HeaderField, OutboundAttachment, OutboundMail } from "../mail.ts";
import { writtenDate } from "./date.ts";
import { idField, isMessageId, mailboxField, textField } from "./fields.ts";
import { cleanFilename } from "./text/clean.ts";

/** Ids kept in References: the oldest, which names the thread, and the latest (RFC 5322 3.6.4, RFC 5537 3.4.4). */
const REFERENCES_MAX = 50;
/** Real ids have 30 to 100 characters; some servers refuse header fields of more than 10 to 20 KB. */
const REFERENCES_CHARS_MAX = 8 * 1024;
/** RFC 5322 2.1.1, without CRLF. */
const LINE_BYTES_MAX = 998;
/** Longer field names do not leave room for a value on the line. */
const FIELD_NAME_CHARS_MAX = 76;

/** Fields that describe a message, which `compose` writes, or its route, which servers on the way write. */
const ownFields = new Set([
  ...["from", "sender", "reply-to", "to", "cc", "bcc", "subject", "date", "message-id", "in-reply-to", "references"],
  ...["auto-submitted", "x-auto-response-suppress", "mime-version", "dkim-signature", "domainkey-signature"],
  ...["received", "return-path", "received-spf", "authentication-results", "delivered-to"],
]);
const ownPrefixes = /^(?:content|resent|arc|x-e2a)-/;

/**
 * Whether the author of a message may add this header field: its name is valid (RFC 5322 3.6.8) and not one that
 * `compose` or a server on the way writes.
 */
export function isFreeField(name: string): boolean {
  const key = name.toLowerCase();
  if (!/^[\x21-\x39\x3b-\x7e]+$/.test(name) || name.length > FIELD_NAME_CHARS_MAX) return false;
  return !ownFields.has(key) && !ownPrefixes.test(key);
}

/**
 * Writes the message as bytes: MIME, with CRLF and no line over 998 bytes (RFC 5322, RFC 2045). Bcc is left out.
 *
 * The same mail gives the same bytes, except for the boundaries, which are unpredictable. 8-bit bytes occur only in
 * addresses whose local part is not ASCII (RFC 6532) and inside attached messages. Invalid addresses, ids and fields
 * are left out, and nothing in a mail can become another field or part.
 * Throws if the author or the Message-ID is unusable, because nothing could be sent then.
 */
export async function compose(mail: OutboundMail): Promise<Buffer> {
  const { mimeFields, body } = await composeEntity(mail);
  const from = mailboxField("From", [mail.from]);
  if (from === "") throw new Error("the author's address is not an address");
  const messageId = idField("Message-ID", [mail.messageId]);
  if (messageId === "") throw new Error("the Message-ID is not a message id");
  const head = [
    from,
    mailboxField("Reply-To", mail.replyTo),
    mailboxField("To", mail.to),
    mailboxField("Cc", mail.cc),
    textField("Subject", mail.subject),
    messageId,
    `Date: ${writtenDate(mail.date)}\r\n`,
    idField("In-Reply-To", mail.inReplyTo === null ? [] : [mail.inReplyTo]),
    idField("References", boundedReferences(mail.references)),
    "Auto-Submitted: auto-generated\r\n",
    "X-Auto-Response-Suppress: All\r\n",
    ...mail.headers.map(freeField),
    ...mimeFields,
    "\r\n",
  ];
  return Buffer.concat([Buffer.from(head.join("")), body]);
}

function freeField({ name, value }: HeaderField): string {
  return isFreeField(name) && value.trim() !== "" ? textField(name, value) : "";
}

/** The first id and as many of the last ones as fit. */
function boundedReferences(references: readonly string[]): string[] {
  const ids = references.filter(isMessageId);
  const [first, ...rest] = ids;
  if (first === undefined) return [];
  let chars = first.length;
  const kept: string[] = [];
  for (const id of rest.reverse()) {
    chars += 1 + id.length;
    if (kept.length === REFERENCES_MAX - 1 || chars > REFERENCES_CHARS_MAX) break;
    kept.push(id);
  }
  return [first, ...kept.reverse()];
}

/**
 * Builds the MIME part of the message with MailComposer. MailComposer's fields for addresses and threads are not used:
 * it passes encoded words through, turns A-labels back into Unicode beside a non-ASCII local part, and does not cut
 * long words.
 */
async function composeEntity(mail: OutboundMail): Promise<{ mimeFields: string[]; body: Buffer }> {
  // Loaded only when needed: an idle server does without it.
  const { default: MailComposer } = await import("nodemailer/lib/mail-composer");
  const text = { contentType: "text/plain; charset=utf-8", content: withCrlf(mail.text) };
  const html = mail.html === null ? [] : [{ contentType: "text/html; charset=utf-8", content: withCrlf(mail.html) }];
  const hasText = mail.text !== "" || html.length === 0;
  const attachments = mail.attachments.map((attachment, i) => attachmentPart(attachment, i, html.length > 0));
  // A multipart declares the widest encoding of its parts (RFC 2045 6.4).
  const eightBit = attachments.some((part) => isMessage(part.contentType) && !isAscii(part.content));
  const options = {
    alternatives: [...(hasText ? [text] : []), ...html],
    attachments,
    ...(eightBit && { headers: { "Content-Transfer-Encoding": "8bit" } }),
    // "=_" never occurs in quoted-printable or base64 text (RFC 2045 6.7); the rest is unpredictable.
    boundaryPrefix: "=_",
    baseBoundary: randomBytes(16).toString("hex"),
    disableFileAccess: true,
    disableUrlAccess: true,
    // Neither is used; without them the composer makes up its own.
    messageId: "<unused@invalid>",
    date: mail.date,
  };
  const bytes = await new Promise<Buffer>((resolve, reject) =>
    new MailComposer(options).compile().build((error, built) => (error ? reject(error) : resolve(built))),
  );
  const bodyStart = bytes.indexOf("\r\n\r\n") + 4;
  const fields = bytes.toString("latin1", 0, bodyStart - 4).split(/\r\n(?![ \t])/);
  const mimeFields = fields.filter((field) => /^(?:MIME-Version|Content-[\w-]+):/i.test(field));
  return { mimeFields: mimeFields.map((field) => `${field}\r\n`), body: bytes.subarray(bodyStart) };
}

function withCrlf(text: string): string {
  return text.replace(/\r\n?|\n/g, "\r\n");
}

/** The name and the type with which `compose` writes an attachment, unless it can write it as a message/rfc822. */
export function sentFile(
  { contentType, filename }: Pick<OutboundAttachment, "contentType" | "filename">,
  index: number,
): Pick<OutboundAttachment, "contentType" | "filename"> {
  return {
    filename: cleanFilename(filename, `attachment-${index + 1}`),
    contentType: safeContentType(contentType),
  };
}

function attachmentPart(attachment: OutboundAttachment, index: number, hasHtml: boolean) {
  const { buffer, byteOffset, byteLength } = attachment.content;
  const bytes = Buffer.from(buffer, byteOffset, byteLength);
  const { filename, contentType: type } = sentFile(attachment, index);
  const message = isMessage(attachment.contentType) ? sendableMessage(bytes) : null;
  if (message) return { ...named("message/rfc822", "attachment", filename), content: message };

  const cid = hasHtml && /^[\x21-\x3b\x3d\x3f-\x7e]{1,255}$/.test(attachment.contentId ?? "") && attachment.contentId;
  return { ...named(type, cid ? "inline" : "attachment", filename), content: bytes, ...(cid && { cid }) };
}

/**
 * Gives both fields the name as a parameter, which MailComposer encodes by RFC 2231. Given a `filename`, it would write
 * encoded words in quotes, which RFC 2047 5 forbids.
 */
function named(type: string, disposition: string, filename: string) {
  const name = `"${filename.replace(/["\\]/g, "\\$&")}"`;
  return {
    filename: false as const,
    contentType: `${type}; name=${name}`,
    contentDisposition: `${disposition}; filename=${name}`,
  };
}

function isMessage(contentType: string): boolean {
  return /^\s*message\/rfc822\s*(?:;|$)/i.test(contentType);
}

/**
 * Prepares a message as the content of a message/rfc822 part, which must not be encoded (RFC 2046 5.2.1): its lines end
 * in CRLF, so that none of them can end the outer message. Null if only an encoding could carry it, because it has NUL
 * or lines longer than SMTP allows.
 */
function sendableMessage(bytes: Buffer): Buffer | null {
  const lines = scanLines(bytes);
  if (lines.nul || lines.longestBytes > LINE_BYTES_MAX) return null;
  return lines.stray ? crlfLines(bytes) : bytes;
}

/** Converts every line end of a message to CRLF, a lone CR or LF too. Returns the same buffer if nothing changes. */
export function wholeLines(bytes: Buffer): Buffer {
  return scanLines(bytes).stray ? crlfLines(bytes) : bytes;
}

function crlfLines(bytes: Buffer): Buffer {
  return Buffer.from(bytes.toString("latin1").replace(/\r\n?|\n/g, "\r\n"), "latin1");
}

/** Looks in one pass for NUL, for CR or LF without the other, and for the longest line, whatever ends it. */
function scanLines(bytes: Buffer): { nul: boolean; stray: boolean; longestBytes: number } {
  let stray = bytes.at(-1) === 0x0d;
  let nul = false;
  let longestBytes = 0;
  let start = 0;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] as number;
    if (byte > 0x0d) continue;
    if (byte === 0) nul = true;
    if (byte !== 0x0d && byte !== 0x0a) continue;
    stray ||= byte === 0x0a ? bytes[i - 1] !== 0x0d : bytes[i + 1] !== 0x0a;
    longestBytes = Math.max(longestBytes, i - start);
    start = i + 1;
  }
  return { nul, stray, longestBytes: Math.max(longestBytes, bytes.length - start) };
}

const typeToken = /^[A-Za-z0-9][\w.+-]{0,126}\/[A-Za-z0-9][\w.+-]{0,126}$/;
const typeParameter = /^\s*([a-z]+)\s*=\s*"?([\w.+:-]{1,100})"?\s*$/i;
/** Parameters that say how to read the content. The others describe parts and names, which `compose` sets itself. */
const typeParameters = new Set(["charset", "method", "format", "profile", "version"]);

/**
 * The type with its harmless parameters, each once. Types whose content must itself be MIME, and invalid types (RFC 2045
 * 5.1), become application/octet-stream.
 */
function safeContentType(given: string): string {
  const [type = "", ...parameters] = given.split(";");
  if (!typeToken.test(type.trim()) || /^\s*(?:multipart|message)\//i.test(type)) return "application/octet-stream";
  const kept = new Map<string, string>();
  for (const parameter of parameters) {
    const [, name = "", value = ""] = typeParameter.exec(parameter) ?? [];
    const key = name.toLowerCase();
    if (typeParameters.has(key) && !kept.has(key)) kept.set(key, value);
  }
  return [type.trim().toLowerCase(), ...[...kept].map(([name, value]) => `${name}=${value}`)].join("; ");
}
