/**
 * The nouns. This file knows nothing of SMTP, HTTP or SQL, and imports no other file of the project.
 *
 * Glossary (RFC 5598 terms where it has one):
 *   account       a person's user row; owns agents, domains, keys and secrets
 *   agent         a mailbox with an address; its id is its address, lower-cased
 *   role mailbox  postmaster@ of a hosted domain, read by the domain's owner (RFC 5321 4.5.1, RFC 2142)
 *   envelope      what the SMTP dialogue said: reverse-path, recipients, client
 *   verdict       what SPF, DKIM, DMARC and ARC proved about a message
 *   raw mail      the stored bytes: the received message under our own trace fields
 *   conversation  messages of one agent linked by Message-ID, In-Reply-To and References
 *   event         a fact that clients can learn of: a row written in the same transaction as the change that it reports
 *   delivery      one event on its way to one webhook endpoint
 *   upstream      the SMTP server that takes mail for the outside world (RFC 5598: an MTA or MSA)
 *   return path   the address for bounces of a message to one recipient: signed, on our own domain (VERP)
 *   suppression   an address to which an account no longer sends, because mail bounced or its reader complained
 */

export type AgentMode = "cloud" | "local";
export type HitlExpirationAction = "approve" | "reject";
export type EntityType = "human" | "agent";
export type ReadStatus = "unread" | "read";
/** `notice`: mail that the server itself sends to reviewers. */
export type OutboundType = "send" | "reply" | "forward" | "test" | "notice";

/** The status of an outbound message. It follows from those of its recipients, unless a decision or expiry sets it. */
export type OutboundStatus =
  | "pending_approval"
  | "queued"
  | "sending"
  | "sent"
  | "delivered"
  | "deferred"
  | "bounced"
  | "failed"
  | "cancelled"
  | "rejected"
  | "expired_approved"
  | "expired_rejected";

/** The status of a message for one of its recipients. `held`: a reviewer must decide first. */
export type RecipientStatus =
  | "held"
  | "queued"
  | "sending"
  | "sent"
  | "delivered"
  | "deferred"
  | "bounced"
  | "failed"
  | "cancelled";

/**
 * The rules that hold an agent's mail for review, besides "always". A message that matches any rule is held. Stored as
 * it is, so its keys are the wire's.
 */
export interface GateRules {
  /** A recipient is not an agent of the account. */
  outside?: boolean;
  /** A recipient to whom the agent has sent no mail yet, and from whom it has received none that was proven. */
  first_time?: boolean;
  /** More recipients than this. */
  max_recipients?: number;
  attachments?: boolean;
  /** A link to a host that a recipient has not seen in the conversation. */
  new_links?: boolean;
  /** The conversation, or a recipient, has mail whose sender is not proven. */
  unverified?: boolean;
  /** A part that the server cannot search as text: binary, encrypted or too large. */
  unsearched?: boolean;
  /** Text that looks like this: `secrets` (API keys, private keys), or words with `*` for anything. */
  patterns?: string[];
}

/** How a message left: to an agent of this server, through an upstream, or captured in development. */
export type Method = "relay" | "smtp" | "capture";

/** What the SMTP dialogue established about one message (RFC 5321 2.3.1). */
export interface Envelope {
  /** RFC5321.MailFrom without brackets; "" is the null reverse-path. */
  readonly mailFrom: string;
  /** RFC5321.RcptTo, as given, one per accepted RCPT. */
  readonly rcptTo: readonly string[];
  /** Client address, IPv4 or IPv6 text; behind a proxy, the one that the PROXY header names. */
  readonly remoteAddress: string;
  /** The EHLO or HELO name, unchecked. */
  readonly helo: string;
  /** ESMTP, ESMTPS, … (RFC 3848, RFC 6531): the `with` clause of Received. */
  readonly protocol: string;
  /** TLS version and cipher, when the session was encrypted. */
  readonly tls?: { readonly version: string; readonly cipher: string };
  readonly receivedAt: Date;
}

export type SpfResult = "pass" | "fail" | "softfail" | "neutral" | "none" | "temperror" | "permerror";
export type DkimResult = "pass" | "fail" | "neutral" | "none" | "policy" | "temperror" | "permerror";
export type DmarcResult = "pass" | "fail" | "none" | "temperror" | "permerror";
export type ArcResult = "pass" | "fail" | "none" | "temperror" | "permerror";

/** The results that clients read in the member `authentication`. Stored as it is, so its keys are the wire's. */
export interface Authentication {
  spf: { result: SpfResult; domain: string };
  dkim: { result: DkimResult; domain: string; selector: string; algorithm: string; aligned: boolean }[];
  dmarc: { result: DmarcResult; policy: "none" | "quarantine" | "reject" | null; aligned_by: ("spf" | "dkim")[] };
  arc: { result: ArcResult };
  /**
   * If the proof rests on DKIM alone: fields that the message has once and that no proving signature covers, such as
   * "Reply-To". Empty if SPF aligns too, because then a host of the From domain delivered the message as it is. Absent
   * in rows of earlier versions.
   */
  unsigned?: string[];
}

/** Adds the members that rows of earlier versions lack. */
export function wholeAuthentication(stored: Authentication): Required<Authentication> {
  return { ...stored, unsigned: stored.unsigned ?? [] };
}

/** What authentication proved about a message's From domain. */
export interface Verdict {
  authentication: Authentication;
  /** True only when the From domain itself is proven: DMARC passes, or, without a DMARC record, an aligned SPF or DKIM. */
  verified: boolean;
  /** The proven From domain, when verified. */
  verifiedDomain: string | null;
  /** `spf=pass; dkim=pass; dmarc=pass`: the value of X-E2A-Auth-Domain-Check. */
  domainCheck: string;
  /** The value of our Authentication-Results field, without the field name (RFC 8601). */
  authenticationResults: string;
}

export interface Attachment {
  /** Position in the message, from 0; what the attachment's path names. */
  index: number;
  filename: string;
  content_type: string;
  /** Decoded size in bytes. */
  size: number;
  /** Content-ID without brackets, for inline parts. */
  content_id?: string;
}

/** Messages inside messages that are read, one in the other. */
export const ATTACHED_DEPTH_MAX = 5;

/** Whether an attachment is a message, by its type, or by its name because some programs do not know the type. */
export function isMessageFile({ content_type, filename }: Pick<Attachment, "content_type" | "filename">): boolean {
  return /^message\/(?:rfc822|global)$/.test(content_type) || /\.eml$/i.test(filename);
}

/** The event that a message invites to, changes, answers or cancels. Stored as it is, so its keys are the wire's. */
export interface Calendar {
  /** What the sender wants, in capitals: "REQUEST", "CANCEL", "REPLY" … (RFC 5546 1.4); null if it does not say. */
  method: string | null;
  uid: string;
  /**
   * RFC 3339 with the offset of its time zone, "2026-06-15T10:00:00+02:00"; only the day, "2026-06-15", of an event that
   * takes all day; without an offset if the time is not in a known zone. Null if it cannot be read.
   */
  start: string | null;
  /** Like `start`. Exclusive: an event of one whole day ends on the next. */
  end: string | null;
  summary: string;
  location: string;
  /** Bare address, or null. Nothing proves it. */
  organizer: string | null;
  organizer_name: string;
  attendees: number;
  /** Whether it is a series. `start` and `end` are those of its first event. */
  recurring: boolean;
}

/** One header field, decoded and unfolded, in message order. */
export interface HeaderField {
  name: string;
  value: string;
}

export interface Mailbox {
  /** Bare addr-spec, lower-cased. */
  address: string;
  /** Decoded display name, "" when absent. */
  name: string;
}

/** An attachment of an outbound message. */
export interface OutboundAttachment {
  filename: string;
  contentType: string;
  /** Content-ID without brackets, for a part that the HTML shows (`cid:`). */
  contentId?: string;
  content: Uint8Array;
}

/** An outbound message before it is composed into bytes (RFC 5322, RFC 2045). */
export interface OutboundMail {
  from: Mailbox;
  replyTo: Mailbox[];
  to: Mailbox[];
  cc: Mailbox[];
  /** In the envelope only. */
  bcc: Mailbox[];
  subject: string;
  text: string;
  html: string | null;
  attachments: OutboundAttachment[];
  /** With its angle brackets. */
  messageId: string;
  date: Date;
  /** Message-IDs with brackets; oldest first. */
  inReplyTo: string | null;
  references: string[];
  /** Further fields, such as List-Unsubscribe; checked already. */
  headers: HeaderField[];
}

/**
 * The version of the reader of mail. Content that a reader of another version parsed is parsed again when it is next
 * opened, so increase it when mail that is stored already should be read anew.
 */
export const READER_VERSION = 6;

/** A message as parsed from its bytes. Parsing never fails: `defects` lists what could not be read. */
export interface ReadMail {
  /** RFC5322.From mailboxes; more than one From address is a defect and proves nothing. */
  from: Mailbox[];
  to: Mailbox[];
  cc: Mailbox[];
  replyTo: Mailbox[];
  subject: string;
  /** Message-ID with its angle brackets, or null. */
  messageId: string | null;
  /** Message-IDs, with brackets, in order. */
  inReplyTo: string[];
  references: string[];
  /** Date field, or null when absent or unreadable. */
  date: Date | null;
  text: string;
  html: string | null;
  /** The new part of `text`, quoted history stripped. */
  replyText: string;
  /** The first 200 characters of the new text, white space folded. */
  snippet: string;
  attachments: Attachment[];
  /** The event of an invitation, or of another message about an event; null if it has none. */
  calendar: Calendar | null;
  headers: HeaderField[];
  defects: Defect[];
}

/** Something that was repaired, guessed or left out when a message was read. */
export interface Defect {
  /** One of those in message/defects.ts. */
  code: string;
  /** One sentence for people. */
  detail: string;
}

/**
 * Derives a message's status from its recipients' statuses: first the unfinished ones, then success for any recipient,
 * then failure. So "bounced" and "failed" mean that no recipient has it, and that sending it again duplicates nothing.
 */
export function statusOf(recipients: readonly RecipientStatus[]): OutboundStatus {
  const has = (status: RecipientStatus) => recipients.includes(status);
  if (has("held")) return "pending_approval";
  if (has("sending")) return "sending";
  if (has("queued")) return "queued";
  if (has("deferred")) return "deferred";
  if (has("sent")) return "sent";
  if (has("delivered")) return "delivered";
  if (has("bounced")) return "bounced";
  return has("failed") ? "failed" : "cancelled";
}

/** The value of a header field by name, first occurrence, or null. Names are case-insensitive (RFC 5322 1.2.2). */
export function headerValue(headers: readonly HeaderField[], name: string): string | null {
  const wanted = name.toLowerCase();
  return headers.find((field) => field.name.toLowerCase() === wanted)?.value ?? null;
}

/**
 * Splits an address at its last "@" and lower-cases it; addresses are compared case-insensitively throughout (stricter
 * than RFC 5321 2.4, as every large provider does). A quoted local part comes back in its one spelling (RFC 5321 4.1.2):
 * `"bot"` is `bot`, and `"a\ b"` is `"a b"`. Null if there is no local part or no domain.
 */
export function splitAddress(address: string): { local: string; domain: string } | null {
  const at = address.lastIndexOf("@");
  if (at <= 0 || at === address.length - 1) return null;
  return {
    local: plainLocal(address.slice(0, at)).toLowerCase().normalize("NFC"),
    domain: address
      .slice(at + 1)
      .toLowerCase()
      .replace(/\.$/, ""),
  };
}

/** The longest local part that is unquoted; RFC 5321 4.5.3.1.1 allows 64 octets. */
const LOCAL_CHARS_MAX = 320;
/** A dot-atom (RFC 5322 3.2.3, RFC 6531 3.3). */
const dotAtom = /^[^\x00-\x20"(),.:;<>@[\\\]\x7f]+(?:\.[^\x00-\x20"(),.:;<>@[\\\]\x7f]+)*$/;
const quotedString = /^"((?:[^"\\\x00-\x1f\x7f]|\\[^\x00-\x1f\x7f])*)"$/;

/** A local part without needless quotes and backslashes. Anything but a quoted string stays as it is. */
export function plainLocal(local: string): string {
  if (!local.startsWith('"') || local.length > LOCAL_CHARS_MAX) return local;
  const inner = quotedString.exec(local)?.[1]?.replace(/\\(.)/gsu, "$1");
  return inner === undefined ? local : quotedLocal(inner);
}

/** Writes a local part, in quotes if it needs them. */
export function quotedLocal(local: string): string {
  return dotAtom.test(local) ? local : `"${local.replace(/["\\]/g, "\\$&")}"`;
}

/** Whether a local part is a quoted string, as `splitAddress` spells it. */
export function isQuoted(local: string): boolean {
  return quotedString.test(local);
}

/** `bot+tag@example.com` → `bot@example.com`: sub-addresses reach the agent (RFC 5233). Null when not an address. */
export function mailboxAddress(address: string): string | null {
  const parts = splitAddress(address);
  if (!parts) return null;
  const plus = isQuoted(parts.local) ? -1 : parts.local.indexOf("+");
  const local = plus > 0 ? parts.local.slice(0, plus) : parts.local;
  return `${local}@${parts.domain}`;
}
