import { createHash } from "node:crypto";
import PostalMime, { addressParser, type Email } from "postal-mime";
import type { Mailbox, ReadMail } from "../../src/mail.ts";
import { readAttachments, readMail } from "../../src/message/read.ts";
import { cleanLine, cleanText } from "../../src/message/text/clean.ts";
import { asciiDomain } from "../../src/net/host-name.ts";
import { squeezed } from "./composed.ts";

/** What a parser makes of a message, in one shape for both parsers. */
export interface Reading {
  from: Mailbox[];
  to: Mailbox[];
  cc: Mailbox[];
  replyTo: Mailbox[];
  subject: string;
  messageId: string;
  inReplyTo: string[];
  references: string[];
  date: string;
  /** With one space for each run of white space. */
  text: string;
  html: string;
  files: ReadFile[];
}

export interface ReadFile {
  name: string;
  type: string;
  size: number;
  sha256: string;
  contentId: string;
  /** Of the content with LF for each line end, and none at its end. */
  sha256OfLines: string;
  content: Buffer;
}

const limits = { maxParts: 1_000, maxDepth: 50, maxHeaderBytes: 1024 * 1024 };

export interface OurReading extends Reading {
  mail: ReadMail;
}

export async function readByUs(raw: Buffer): Promise<OurReading> {
  const mail = await readMail(raw, limits);
  const files = mail.attachments.length > 0 ? await readAttachments(raw, limits) : [];
  return {
    ...{ from: mail.from, to: mail.to, cc: mail.cc, replyTo: mail.replyTo, subject: mail.subject },
    messageId: mail.messageId ?? "",
    ...{ inReplyTo: mail.inReplyTo, references: mail.references },
    date: mail.date?.toISOString() ?? "",
    text: squeezed(mail.text),
    html: squeezed(mail.html ?? ""),
    files: files.map(({ attachment, content }) =>
      readFile(attachment.filename, attachment.content_type, attachment.content_id ?? "", Buffer.from(content)),
    ),
    mail,
  };
}

export async function readByPostalMime(raw: Buffer): Promise<Reading> {
  const email = await PostalMime.parse(raw, { forceRfc822Attachments: true });
  const ids = (text = "") => text.match(/<[^<>\s]+>/g) ?? [];
  const date = new Date(email.date ?? "");
  return {
    from: mailboxesOf(email, "from"),
    to: mailboxesOf(email, "to"),
    cc: mailboxesOf(email, "cc"),
    replyTo: mailboxesOf(email, "reply-to"),
    subject: cleanLine(email.subject ?? ""),
    messageId: ids(email.messageId)[0] ?? "",
    // The other parser repeats an id that stands there twice.
    inReplyTo: [...new Set(ids(email.inReplyTo))],
    references: [...new Set(ids(email.references))],
    date: Number.isNaN(date.getTime()) ? "" : date.toISOString(),
    text: squeezed(cleanText(email.text ?? "")),
    html: squeezed(cleanText(email.html ?? "")),
    files: email.attachments.map(({ filename, mimeType, contentId, content }) =>
      readFile(filename ?? "", mimeType, (contentId ?? "").replace(/^<|>$/g, ""), Buffer.from(content as ArrayBuffer)),
    ),
  };
}

function mailboxesOf({ headers }: Email, key: string): Mailbox[] {
  return headers
    .filter((field) => field.key === key)
    .flatMap(({ value }) => addressParser(value, { flatten: true }))
    .map(({ name, address = "" }) => ({ name: cleanLine(name), address: normalAddress(address) }))
    .filter(({ address }) => address !== "");
}

function normalAddress(address: string): string {
  const at = address.lastIndexOf("@");
  return at < 0 ? address : `${address.slice(0, at)}@${asciiDomain(address.slice(at + 1)) ?? address.slice(at + 1)}`;
}

function readFile(name: string, type: string, contentId: string, content: Buffer): ReadFile {
  const lines = content.toString("latin1").replace(/\r*\n/g, "\n").replace(/\n$/, "");
  return {
    name,
    type,
    size: content.length,
    sha256: sha256(content),
    contentId,
    sha256OfLines: sha256(Buffer.from(lines, "latin1")),
    content,
  };
}

function sha256(content: Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}
