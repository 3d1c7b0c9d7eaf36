import { and, eq, sql } from "drizzle-orm";
import { newId } from "../../id.ts";
import { type EntityType, type Mailbox, type Verdict, wholeAuthentication } from "../../mail.ts";
import { ensureRoleMailbox } from "../accounts/agents.ts";
import { ask, placeholders, type Scope, type Verb } from "../engine/engine.ts";
import { addDelivery } from "../events/delivery-queue.ts";
import { agentEndpoint } from "../events/endpoints.ts";
import { addEvent } from "../events/events.ts";
import { conversationOf } from "../outbound/outbound.ts";
import type { AgentRow, MailContent, MessageRow } from "../schema.ts";
import { makeKnown } from "./correspondents.ts";
import { dropOrphanedRaw } from "./messages.ts";
import { indexMessage, searchWords } from "./search.ts";
import { forgetUnproven, noteUnproven, noteUnsignedReplyTo } from "./unproven.ts";

/** A subject in an event, whose row shall stay small; the message has it whole. */
const EVENT_SUBJECT_CHARS_MAX = 1_000;

/** One inbound message for all its recipients on this server, ready to be stored. */
export interface InboundMail {
  envelopeFrom: string;
  /** Recipient as the envelope gave it, the mailbox it reaches, and the id its message gets. */
  recipients: { address: string; mailbox: string; messageId: string }[];
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
  /** What says that no person wrote it. */
  autoSubmitted: string | null;
  listId: string | null;
  precedence: string | null;
  dedupeKey: string | null;
  receivedAt: Date;
}

export interface Accepted {
  message: MessageRow;
  /** False when the same message had been stored for this recipient before. */
  fresh: boolean;
}

/**
 * Stores an inbound message for each of its recipients, with its event and, for cloud agents,
 * its delivery: all or nothing. A message that was offered before is found, not stored again.
 * A recipient whose mailbox is gone meanwhile is left out; the caller sees it missing.
 */
export function* acceptInbound(s: Scope, mail: InboundMail): Verb<Accepted[]> {
  yield* ask(
    s.prepared(
      "insertRawMail",
      () =>
        s.db
          .insert(s.t.rawMail)
          .values({
            sha256: sql.placeholder("sha256"),
            bytes: sql.placeholder("bytes"),
            content: sql.placeholder("content"),
            createdAt: sql.placeholder("createdAt"),
          })
          // An update, though of nothing: it waits for a sweep that may be deleting the same bytes.
          .onConflictDoUpdate({ target: s.t.rawMail.sha256, set: { sha256: sql`excluded.sha256` } }),
      {
        sha256: mail.raw.sha256,
        bytes: Buffer.from(mail.raw.bytes.buffer, mail.raw.bytes.byteOffset, mail.raw.bytes.byteLength),
        content: mail.content,
        createdAt: mail.receivedAt,
      },
    ),
  );
  const accepted: Accepted[] = [];
  // Agents are locked in the order of their addresses, so two messages cannot wait for each other.
  const recipients = [...mail.recipients].sort((a, b) => (a.mailbox < b.mailbox ? -1 : 1));
  const words = searchWords(mail, mail.content, recipients.length);
  let previous = "";
  for (const recipient of recipients) {
    if (recipient.mailbox === previous) continue;
    previous = recipient.mailbox;
    const one = yield* acceptFor(s, mail, recipient, words);
    if (one) accepted.push(one);
  }
  // The bytes of a second offer carry a newer Received field and belong to nobody.
  if (!accepted.some(({ fresh }) => fresh)) yield* dropOrphanedRaw(s, [mail.raw.sha256]);
  return accepted;
}

function* acceptFor(
  s: Scope,
  mail: InboundMail,
  recipient: InboundMail["recipients"][number],
  words: string,
): Verb<Accepted | null> {
  const agent =
    (yield* takeSeq(s, recipient.mailbox)) ??
    ((yield* ensureRoleMailbox(s, recipient.mailbox, mail.receivedAt)) && (yield* takeSeq(s, recipient.mailbox)));
  if (!agent) return null;

  const row: MessageRow = {
    id: recipient.messageId,
    agentId: agent.id,
    userId: agent.userId,
    seq: agent.lastSeq,
    direction: "inbound",
    status: "unread",
    eventId: newId("evt"),
    conversationId: (yield* conversationOf(s, agent.id, mail.references)) ?? newId("conv"),
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
    rawSha256: mail.raw.sha256,
    createdAt: mail.receivedAt,
  };
  const stored = yield* ask(
    s.prepared(
      "insertMessage",
      () =>
        s.db
          .insert(s.t.messages)
          .values(placeholders(s.t.messages, row))
          .onConflictDoNothing()
          .returning({ id: s.t.messages.id }),
      row,
    ),
  );
  if (stored.length === 0) return yield* earlierCopy(s, agent.id, mail);

  yield* indexMessage(s, row, words);
  yield* rememberSender(s, row);
  yield* tellReceived(s, row);
  const endpoint = agentEndpoint(agent);
  if (endpoint.url !== null)
    yield* addDelivery(s, {
      ...{ userId: row.userId, agentId: agent.id, eventId: row.eventId, eventType: "message.received" },
      ...{ messageId: row.id, endpointId: agent.id, isFrozen: endpoint.isFrozen, now: mail.receivedAt },
    });
  s.signal({ topic: "mail", key: agent.id });
  return { message: row, fresh: true };
}

/** What the gate will ask about the sender; it does not depend on whether the message is kept. */
function* rememberSender(s: Scope, row: MessageRow): Verb<void> {
  const { agentId, fromAddress: address, createdAt: now } = row;
  if (!row.verified) return yield* noteUnproven(s, row);
  if (wholeAuthentication(row.authentication).unsigned.includes("Reply-To")) yield* noteUnsignedReplyTo(s, row);
  if (address !== "") {
    yield* makeKnown(s, "heard", { agentId, address, now });
    yield* forgetUnproven(s, agentId, address);
  }
}

function* tellReceived(s: Scope, row: MessageRow): Verb<void> {
  yield* addEvent(s, {
    id: row.eventId,
    userId: row.userId,
    agentId: row.agentId,
    type: "message.received",
    data: {
      message_id: row.id,
      agent_id: row.agentId,
      conversation_id: row.conversationId,
      email_message_id: row.emailMessageId,
      from: row.fromAddress,
      recipient: row.recipient,
      subject: row.subject.slice(0, EVENT_SUBJECT_CHARS_MAX).toWellFormed(),
      snippet: row.snippet,
      has_attachments: row.hasAttachments,
      entity_type: row.entityType,
      verified: row.verified,
      verified_domain: row.verifiedDomain,
      auto_submitted: row.autoSubmitted,
      list_id: row.listId,
      precedence: row.precedence,
      received_at: row.createdAt.toISOString(),
    },
    now: row.createdAt,
  });
}

/** Takes the agent's next sequence number; the row lock makes numbers follow commit order. */
function* takeSeq(s: Scope, id: string): Verb<AgentRow | null> {
  const rows = yield* ask(
    s.prepared(
      "takeSeq",
      () =>
        s.db
          .update(s.t.agents)
          .set({ lastSeq: sql`${s.t.agents.lastSeq} + 1` })
          .where(eq(s.t.agents.id, sql.placeholder("id")))
          .returning(),
      { id },
    ),
  );
  return rows[0] ?? null;
}

function* earlierCopy(s: Scope, agentId: string, mail: InboundMail): Verb<Accepted | null> {
  if (mail.dedupeKey === null) return null;
  const { messages } = s.t;
  const rows = yield* ask(
    s.db
      .select()
      .from(messages)
      .where(and(eq(messages.agentId, agentId), eq(messages.dedupeKey, mail.dedupeKey))),
  );
  return rows[0] ? { message: rows[0], fresh: false } : null;
}
