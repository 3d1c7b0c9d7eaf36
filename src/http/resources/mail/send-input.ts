/** The common parts of a new message, a reply and a forward: their members, the checks, and the conversion. */
import { type Static, Type } from "@sinclair/typebox";
import type { HeaderField, Mailbox, OutboundAttachment } from "../../../mail.ts";
import { readMailbox } from "../../../message/addresses.ts";
import { isFreeField } from "../../../message/compose.ts";
import { isMessageId } from "../../../message/fields.ts";
import { distinct } from "../../../outbound/reply.ts";
import type { Store } from "../../../store/store.ts";
import { decodeBase64 } from "../../body/base64.ts";
import { ignoredMembers } from "../../body/ignored-members.ts";
import { TEXT_BYTES_MAX, textTooLong } from "../../body/json-body.ts";
import { base64, type Complain, expects, list, text } from "../../framework/input.ts";

/** Entries of one list: well above any `limits.recipients_per_message`. */
const ADDRESSES_MAX = 1_000;
export const ATTACHMENTS_MAX = 100;
const FILENAME_CHARS_MAX = 255;
const HEADERS_MAX = 50;
/** RFC 5322 2.1.1. */
const LINE_CHARS_MAX = 998;
/** Message-IDs of one thread; the oldest and the latest are enough. */
const REFERENCES_MAX = 100;

const oneAddress = Type.String();

/** Addresses as `a@b.example` or `Name <a@b.example>`: a list, or a single one. */
export function addressList(description?: string) {
  return Type.Union([Type.Array(oneAddress, { maxItems: ADDRESSES_MAX }), oneAddress], {
    [expects]: `a list of at most ${ADDRESSES_MAX} addresses`,
    ...(description ? { description } : {}),
  });
}

// Only types: the content is checked below, so that one wrong entry does not hide the others.
const anyText = (description?: string) => Type.String({ [expects]: "text", ...(description ? { description } : {}) });

export const subjectLine = text({
  max: LINE_CHARS_MAX,
  pattern: "^[^\\x00-\\x08\\x0a-\\x1f\\x7f\\x85\\u2028\\u2029]*$",
  says: `one line of at most ${LINE_CHARS_MAX} characters, without line breaks`,
});

/** Reports a subject without words. */
export function checkSubject(subject: string | undefined, complain: Complain): void {
  if (subject?.trim() === "") complain("subject", "must not be empty");
}

export const bodyText = anyText("Plain text.");

export const bodyHtml = anyText("Empty for none.");

const attachmentMembers = {
  filename: anyText("1 to 255 characters without slashes."),
  content_type: Type.Optional(anyText("Default: application/octet-stream.")),
  data: base64(),
  content_id: Type.Optional(anyText("For a picture that the HTML shows as `cid:…`.")),
};
const attachmentSays = { [expects]: "an object with filename and data" };
const attachment = Type.Object(attachmentMembers, attachmentSays);
/** An attachment as a reviewer may return it, with the further members that the message listed. */
export const approvedAttachment = Type.Object(
  { ...attachmentMembers, ...ignoredMembers.approvedAttachment },
  attachmentSays,
);

export const contentMembers = {
  html_body: Type.Optional(anyText()),
  cc: Type.Optional(addressList()),
  bcc: Type.Optional(addressList("Hidden from the other recipients.")),
  conversation_id: Type.Optional(
    text({
      max: 64,
      pattern: "^[^\\x00-\\x1f\\x7f]*$",
      says: "at most 64 characters without line breaks",
      description: "By default, the conversation of the message it answers, or a new one.",
    }),
  ),
  attachments: Type.Optional(list(attachment, ATTACHMENTS_MAX)),
  headers: Type.Optional(
    Type.Record(Type.String({ pattern: "^[\\s\\S]*$" }), anyText(), {
      maxProperties: HEADERS_MAX,
      [expects]: `an object of at most ${HEADERS_MAX} names and values`,
      description: "Further header fields, such as List-Unsubscribe.",
    }),
  ),
};

/** Members that may name recipients. */
export interface GivenRecipients {
  to?: string | string[];
  cc?: string | string[];
  bcc?: string | string[];
}

/** The members that all three kinds of message share; those that do not fit their schemas are missing. */
export interface GivenContent extends GivenRecipients {
  body?: string;
  html_body?: string;
  conversation_id?: string;
  attachments?: Static<typeof attachment>[];
  headers?: Record<string, string>;
}

export interface ContentLimits {
  recipientsPerMessage: number;
  outboundMessageSize: number;
}

const nobody: Complain = () => {};

/** Reports every error in a message that its schema cannot express. */
export function checkContent(given: GivenContent, complain: Complain, limits: ContentLimits): void {
  checkCount(readRecipients(given, complain), complain, limits);
  checkHeaders(given.headers ?? {}, complain);
  let bytes = checkAttachments(given.attachments ?? [], complain);
  for (const name of ["body", "html_body"] as const) {
    const ofText = Buffer.byteLength(given[name] ?? "");
    bytes += ofText;
    if (ofText > TEXT_BYTES_MAX) complain(name, textTooLong(name).message);
  }
  const { outboundMessageSize: max } = limits;
  if (bytes > max)
    complain(given.attachments?.length ? "attachments" : "body", `makes ${bytes} bytes; the limit is ${max}`);
}

/** Reports recipients at this server's domains that have no mailbox. */
export async function checkKnown(
  given: GivenRecipients,
  complain: Complain,
  { store, config }: { store: Store; config: { sharedDomain: string } },
): Promise<void> {
  for (const name of ["to", "cc", "bcc"] as const)
    for (const [i, entry] of entriesOf(given[name]).entries()) {
      const read = readMailbox(entry);
      if (!("mailbox" in read)) continue;
      const { address } = read.mailbox;
      const { kind } = await store.findMailbox(address, config.sharedDomain);
      const field = typeof given[name] === "string" ? name : `${name}.${i}`;
      if (kind !== "mailbox" && kind !== "foreign")
        complain(field, `is ${address}, which does not exist on this server: check the address`);
    }
}

/** Reports an error if there are more recipients than one message may have. */
export function checkCount(
  { to, cc, bcc }: Record<"to" | "cc" | "bcc", Mailbox[]>,
  complain: Complain,
  { recipientsPerMessage: max }: ContentLimits,
): void {
  const count = to.length + cc.length + bcc.length;
  if (count > max) complain("to", `with cc and bcc names ${count} recipients; a message has at most ${max}`);
}

/** Reports an error if a message whose client must name the recipients names none. */
export function checkAddressed(given: GivenRecipients, complain: Complain, isWrong: (name: string) => boolean): void {
  const names = ["to", "cc", "bcc"] as const;
  if (names.every((name) => entriesOf(given[name]).length === 0 && !isWrong(name)))
    complain("to", "is required: name at least one recipient in to, cc or bcc");
}

/** The recipients, without duplicates. */
export function readRecipients(given: GivenRecipients, complain = nobody): Record<"to" | "cc" | "bcc", Mailbox[]> {
  return distinct({
    to: readMailboxes("to", given.to, complain),
    cc: readMailboxes("cc", given.cc, complain),
    bcc: readMailboxes("bcc", given.bcc, complain),
  });
}

/** Reads addresses as mailboxes. Invalid ones are reported by their place: `to.1`. */
export function readMailboxes(field: string, given: string | string[] | undefined, complain = nobody): Mailbox[] {
  return entriesOf(given).flatMap((entry, i) => {
    const read = readMailbox(entry);
    if ("mailbox" in read) return [read.mailbox];
    complain(typeof given === "string" ? field : `${field}.${i}`, read.problem);
    return [];
  });
}

/** The content of a checked message, under our own names. */
export function contentOf(given: GivenContent): {
  text: string;
  html: string | null;
  attachments: OutboundAttachment[];
  headers: HeaderField[];
} {
  return {
    text: given.body ?? "",
    html: given.html_body || null,
    attachments: (given.attachments ?? []).map(({ filename, content_type, data, content_id }) => ({
      filename,
      contentType: content_type || "application/octet-stream",
      ...(bareId(content_id) === "" ? {} : { contentId: bareId(content_id) }),
      content: decodeBase64(data) ?? new Uint8Array(),
    })),
    headers: Object.entries(given.headers ?? {}).map(([name, value]) => ({ name, value })),
  };
}

/** Message-IDs of other messages, with their angle brackets. */
export const referenceList = list(anyText(), REFERENCES_MAX, {
  description: "Message-IDs with their angle brackets, oldest first.",
});

export function checkReferences(references: readonly string[], complain: Complain): void {
  for (const [i, id] of references.entries())
    if (!isThreadId(id)) complain(`references.${i}`, "must be a Message-ID such as <id@host.example>");
}

export function isThreadId(id: string): boolean {
  return isMessageId(id) && /^<[^@]+@[^@]+>$/.test(id);
}

/** The entries of a list or single value. An empty text counts as none: some clients send every member they know. */
function entriesOf(given: string | string[] | undefined): string[] {
  return given === undefined || given === "" ? [] : [given].flat();
}

/** Text without control characters or line ends of any kind. */
const oneLine = /^[^\x00-\x1f\x7f-\x9f\u2028\u2029]+$/;
/** A media type with parameters (RFC 2045 5.1). */
const mediaType = /^[\w!#$&^.+-]{1,127}\/[\w!#$&^.+-]{1,127} *(?:;[\x20-\x7e]{0,255})?$/;
const contentId = /^[\x21-\x3b\x3d\x3f-\x7e]{1,255}$/;
/** Fields that would make the recipient's program send an answer to an address. */
const receiptFields = /^(?:disposition-notification-(?:to|options)|return-receipt-to|x-confirm-reading-to|errors-to)$/i;
/**
 * Fields by which mail services and relays take commands, among them other recipients, templates, and links and pictures
 * that count readers. By their documentation or public code: AhaSend; SendGrid and Aurora SendCloud, SparkPost, UniOne, Mandrill,
 * Mailjet, Mailgun, MailerQ, Postmark, Amazon SES, Brevo, Mailtrap, Tipimail, Sendmachine, MailerSend, SMTPeter,
 * GreenArrow, Alibaba DirectMail, Contactlab, Leadpush, Unosend, Exchange; PowerMTA, IIS and ZoneMTA; ReachMail.
 */
const commandFields =
  /^(?:ahasend-.*|x-(?:smtpapi|msys-api|unione|(?:unione|mc|mj|mailjet|mailgun|mq|pm|ses|mailin|sib|mt|tm|sm|mailersend|smtpeter|greenarrow|alidm|clab|leadpush|unosend|ms-exchange)-.*|virtual-mta|sender|receiver|sending-zone|tracking))$/i;

function checkHeaders(headers: Record<string, string>, complain: Complain): void {
  const seen = new Set<string>();
  for (const [name, value] of Object.entries(headers)) {
    const field = `headers.${name.slice(0, 100)}`;
    const key = name.toLowerCase();
    if (!/^[a-z0-9-]{1,76}$/.test(key)) complain(field, "must have a name of 1 to 76 letters, digits and hyphens");
    else if (!isFreeField(name)) complain(field, "is set by the server");
    else if (commandFields.test(name))
      complain(field, "is a command to a mail service, which could add recipients or change the content");
    else if (receiptFields.test(name)) complain(field, "asks for receipts, which this server does not deliver");
    else if (seen.has(key)) complain(field, "is given twice");
    else if (!/\S/.test(value) || value.length > LINE_CHARS_MAX || !oneLine.test(value))
      complain(field, `must be one line of 1 to ${LINE_CHARS_MAX} printable characters`);
    seen.add(key);
  }
}

/** Checks the attachments and returns the size of all of them, decoded, in bytes. */
function checkAttachments(attachments: Static<typeof attachment>[], complain: Complain): number {
  const ids = new Set<string>();
  let bytes = 0;
  for (const [i, { filename, content_type, data, content_id }] of attachments.entries()) {
    const field = `attachments.${i}`;
    if (!oneLine.test(filename) || /[/\\]/.test(filename) || filename.length > FILENAME_CHARS_MAX)
      complain(`${field}.filename`, `must be 1 to ${FILENAME_CHARS_MAX} characters without slashes and line breaks`);
    if (content_type && !mediaType.test(content_type))
      complain(`${field}.content_type`, "must be a media type such as application/pdf");
    const decoded = decodeBase64(data);
    if (decoded === null)
      complain(`${field}.data`, "must be base64 (RFC 4648 4), whole or in lines of at least 16 characters");
    bytes += decoded?.byteLength ?? 0;
    const id = bareId(content_id);
    if (id === "") continue;
    if (!contentId.test(id))
      complain(`${field}.content_id`, "must be at most 255 ASCII characters without white space");
    else if (ids.has(id)) complain(`${field}.content_id`, "is used by another attachment");
    ids.add(id);
  }
  return bytes;
}

function bareId(id = ""): string {
  return id.replace(/^<|>$/g, "");
}
