/**
 * A received message on its way through the store: the parts kept of the mail, the columns, the row, and the row's
 * members on the wire. The API's lists and details, the event, the frame and the webhook's body all start from the
 * functions below.
 */
import { getTableColumns } from "drizzle-orm";
import {
  type Attachment,
  type Authentication,
  type Calendar,
  type Defect,
  type EntityType,
  type HeaderField,
  type Mailbox,
  READER_VERSION,
  type ReadMail,
  type ReadStatus,
  type Verdict,
  wholeAuthentication,
} from "../../mail.ts";
import { ReceivedData } from "../../wire/message.ts";
import { optional, pick } from "../../wire/words.ts";
import type { Kit } from "../engine/kit.ts";

/** The subject's length in an event, whose row must stay small; the message has the whole subject. */
const EVENT_SUBJECT_CHARS_MAX = 1_000;

/** What was parsed from a raw message once, and is shared by all its recipients. */
export interface MailContent {
  text: string;
  html: string | null;
  replyText: string;
  headers: HeaderField[];
  attachments: Attachment[];
  /** Absent in rows of earlier versions, and if there is none. */
  calendar?: Calendar;
  defects: Defect[];
  /** The READER_VERSION that parsed it; the first one wrote none, and its defects were strings. */
  reader?: number;
}

/** The columns of a received message. */
export function messagesTable(k: Kit) {
  return k.table("messages", {
    id: k.text("id").primaryKey(),
    agentId: k.text("agent_id").notNull(),
    userId: k.text("user_id").notNull(),
    /** 1, 2, 3 … for each agent, in commit order: the list cursor and the WebSocket's position. */
    seq: k.int("seq").notNull(),
    direction: k.text("direction").$type<"inbound">().notNull(),
    status: k.text("status").$type<ReadStatus>().notNull(),
    eventId: k.text("event_id").notNull(),
    conversationId: k.text("conversation_id").notNull(),
    emailMessageId: k.text("email_message_id"),
    /** SHA-256 over envelope sender, Message-ID, received bytes and verdict: a repetition finds its first copy. */
    dedupeKey: k.text("dedupe_key"),
    envelopeFrom: k.text("envelope_from").notNull(),
    recipient: k.text("recipient").notNull(),
    fromAddress: k.text("from_address").notNull(),
    from: k.json<Mailbox[]>("from_mailboxes").notNull(),
    to: k.json<Mailbox[]>("to_mailboxes").notNull(),
    cc: k.json<Mailbox[]>("cc_mailboxes").notNull(),
    replyTo: k.json<Mailbox[]>("reply_to_mailboxes").notNull(),
    subject: k.text("subject").notNull(),
    snippet: k.text("snippet").notNull(),
    hasAttachments: k.bool("has_attachments").notNull(),
    entityType: k.text("entity_type").$type<EntityType>().notNull(),
    verified: k.bool("verified").notNull(),
    verifiedDomain: k.text("verified_domain"),
    domainCheck: k.text("domain_check").notNull(),
    authentication: k.json<Authentication>("authentication").notNull(),
    /** Signs that no person wrote it: the keyword of Auto-Submitted, List-Id, Precedence. */
    autoSubmitted: k.text("auto_submitted"),
    listId: k.text("list_id"),
    precedence: k.text("precedence"),
    /** The Message-ID it replies to, with brackets. */
    inReplyTo: k.text("in_reply_to"),
    rawSha256: k.text("raw_sha256").notNull(),
    createdAt: k.time("created_at").notNull(),
  });
}

export type MessageRow = ReturnType<typeof messagesTable>["$inferSelect"];

/** One inbound message for all its recipients on this server, ready to store. */
export interface InboundMail {
  envelopeFrom: string;
  /** The recipient as given in the envelope, the mailbox it reaches, and the id of its message. */
  recipients: {
    address: string;
    mailbox: string;
    messageId: string;
    /** Where it belongs unless its own references say so. */
    conversationId?: string;
  }[];
  raw: { sha256: string; bytes: Uint8Array };
  content: MailContent;
  emailMessageId: string | null;
  /** Message-IDs of In-Reply-To and References, with brackets, oldest first. */
  references: string[];
  from: Mailbox[];
  to: Mailbox[];
  cc: Mailbox[];
  replyTo: Mailbox[];
  subject: string;
  snippet: string;
  entityType: EntityType;
  verdict: Verdict;
  /** Signs that no person wrote it. */
  autoSubmitted: string | null;
  listId: string | null;
  precedence: string | null;
  /** The first Message-ID of In-Reply-To, with brackets. */
  inReplyTo: string | null;
  dedupeKey: string | null;
  receivedAt: Date;
}

/** The parts of a parsed mail that are kept. */
export function keptOf(mail: ReadMail) {
  return {
    content: {
      text: mail.text,
      html: mail.html,
      replyText: mail.replyText,
      headers: mail.headers,
      attachments: mail.attachments,
      ...optional("calendar", mail.calendar ?? undefined),
      defects: mail.defects,
      reader: READER_VERSION,
    },
    emailMessageId: mail.messageId,
    references: [...mail.references, ...mail.inReplyTo],
    inReplyTo: mail.inReplyTo[0] ?? null,
    from: mail.from,
    to: mail.to,
    cc: mail.cc,
    replyTo: mail.replyTo,
    subject: mail.subject,
    snippet: mail.snippet,
  } satisfies Partial<InboundMail>;
}

/** A message's row for one of its recipients. `agent` gives the mailbox, and the sequence number that the row takes. */
export function receivedRow(
  mail: InboundMail,
  recipient: InboundMail["recipients"][number],
  agent: { id: string; userId: string; lastSeq: number },
  ids: { eventId: string; conversationId: string },
): MessageRow {
  return {
    id: recipient.messageId,
    agentId: agent.id,
    userId: agent.userId,
    seq: agent.lastSeq,
    direction: "inbound",
    status: "unread",
    ...ids,
    emailMessageId: mail.emailMessageId,
    dedupeKey: mail.dedupeKey,
    envelopeFrom: mail.envelopeFrom,
    recipient: recipient.address.toLowerCase(),
    fromAddress: mail.from[0]?.address ?? "",
    from: mail.from,
    to: mail.to,
    cc: mail.cc,
    replyTo: mail.replyTo,
    subject: mail.subject,
    snippet: mail.snippet,
    hasAttachments: mail.content.attachments.length > 0,
    entityType: mail.entityType,
    verified: mail.verdict.verified,
    verifiedDomain: mail.verdict.verifiedDomain,
    domainCheck: mail.verdict.domainCheck,
    authentication: mail.verdict.authentication,
    autoSubmitted: mail.autoSubmitted,
    listId: mail.listId,
    precedence: mail.precedence,
    inReplyTo: mail.inReplyTo,
    rawSha256: mail.raw.sha256,
    createdAt: mail.receivedAt,
  };
}

/** Columns that no frame shows. A socket's reader skips them: they are more than half of a row, and some are long. */
const unframed = [
  "agentId",
  "userId",
  "direction",
  "status",
  "emailMessageId",
  "dedupeKey",
  "envelopeFrom",
  "from",
  "to",
  "cc",
  "replyTo",
  "snippet",
  "hasAttachments",
  "entityType",
  "verifiedDomain",
  "domainCheck",
  "authentication",
  "rawSha256",
] as const satisfies (keyof MessageRow)[];

export type FrameRow = Omit<MessageRow, (typeof unframed)[number]>;

/** The columns of a `FrameRow`. */
export function frameColumns(messages: ReturnType<typeof messagesTable>) {
  const all = getTableColumns(messages);
  const framed = Object.entries(all).filter(([name]) => !(unframed as readonly string[]).includes(name));
  return Object.fromEntries(framed) as Pick<typeof all, keyof FrameRow>;
}

/** A frame's members of a message, by their names on the wire. */
export function frameOnWire(row: FrameRow) {
  return {
    event_id: row.eventId,
    message_id: row.id,
    conversation_id: row.conversationId,
    from: row.fromAddress,
    recipient: row.recipient,
    subject: row.subject,
    received_at: row.createdAt.toISOString(),
    verified: row.verified,
    auto_submitted: row.autoSubmitted,
    list_id: row.listId,
    precedence: row.precedence,
    in_reply_to: row.inReplyTo,
  };
}

/** All members of a message, by their names on the wire; each shape picks those in its schema. */
export function messageOnWire(row: MessageRow) {
  return {
    ...frameOnWire(row),
    agent_id: row.agentId,
    email_message_id: row.emailMessageId,
    direction: row.direction,
    status: row.status,
    envelope_from: row.envelopeFrom,
    from_name: row.from[0]?.name ?? "",
    to: bare(row.to),
    ...optional("cc", row.cc.length > 0 ? bare(row.cc) : undefined),
    ...optional("reply_to", row.replyTo.length > 0 ? bare(row.replyTo) : undefined),
    snippet: row.snippet,
    has_attachments: row.hasAttachments,
    entity_type: row.entityType,
    verified_domain: row.verifiedDomain,
    authentication: wholeAuthentication(row.authentication),
    created_at: row.createdAt.toISOString(),
  };
}

/** The content parsed from the bytes, on the wire. */
export function contentOnWire({ replyText, reader: _, ...content }: MailContent) {
  return { ...content, reply_text: replyText };
}

/** A message's data in the event `message.received`. */
export function receivedData(row: MessageRow, { calendar }: Pick<MailContent, "calendar">) {
  const subject = row.subject.slice(0, EVENT_SUBJECT_CHARS_MAX).toWellFormed();
  return pick(ReceivedData, { ...messageOnWire(row), subject, ...optional("calendar", calendar) });
}

/** The addresses of mailboxes, without their names. */
export function bare(mailboxes: readonly Mailbox[]): string[] {
  return mailboxes.map((mailbox) => mailbox.address);
}
