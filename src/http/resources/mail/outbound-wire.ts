/** Sent messages as the API shows them. */
import type { Static } from "@sinclair/typebox";
import { furtherFields } from "../../../approval/further-fields.ts";
import type { Reviews } from "../../../approval/reviews.ts";
import type { Mailbox, Method } from "../../../mail.ts";
import type { ShownLink } from "../../../message/html/shown-links.ts";
import { providerIdOf } from "../../../outbound/provider-id.ts";
import { bare } from "../../../store/mail/received.ts";
import { editedParts } from "../../../store/outbound/edited-parts.ts";
import type { Outbound as StoredOutbound } from "../../../store/outbound/outbound.ts";
import type { HeldReview, OriginalContent, OutboundRow, RecipientRow } from "../../../store/schema.ts";
import { type MessageSummary, noClaims } from "../../../wire/message.ts";
import type { EditedPart, Original, Outbound, Recipient, Sent } from "../../../wire/outbound.ts";
import { optional } from "../../../wire/words.ts";
import type { Offload } from "../../framework/resource.ts";

/** A message as lists show it. */
export function outboundOnWire(outbound: StoredOutbound): Static<typeof Outbound> {
  return onWire(outbound, null, null);
}

/** What finds the links of a message, and what its reviewers are shown. */
export interface Readers {
  readonly reviews: Reviews;
  readonly offload: Offload;
}

/** A message with its texts and links, and a held one's review. Failures as with `Offload.links`. */
export async function withBodyOnWire(
  outbound: StoredOutbound,
  { reviews, offload }: Readers,
): Promise<Static<typeof Outbound>> {
  const { status, content, review: kept } = outbound.message;
  const review = status === "pending_approval" ? await reviews.of(outbound) : null;
  const links = (review ?? kept)?.links ?? (await offload.links(outbound.message, content.text, content.html));
  return onWire(outbound, links, review);
}

/**
 * @param links Null for a message without its texts.
 * @param review Null for a message that does not wait for a decision.
 */
function onWire(
  { message, recipients }: StoredOutbound,
  links: ShownLink[] | null,
  review: HeldReview | null,
): Static<typeof Outbound> {
  const { content, original } = message;
  const headers = links ? furtherFields(content) : [];
  const firstTime = recipients.flatMap((recipient) => (recipient.firstTime ? [recipient.address] : []));
  return {
    id: message.id,
    agent_id: message.agentId,
    direction: "outbound",
    subject: message.subject,
    type: message.type,
    conversation_id: message.conversationId,
    from: content.from.address,
    to: bare(content.to),
    ...optional("cc", some(content.cc)),
    ...optional("bcc", some(content.bcc)),
    ...optional("reply_to", some(content.replyTo)),
    status: message.status,
    ...optional("approval_expires_at", expiryOf(message)),
    created_at: message.createdAt.toISOString(),
    email_message_id: message.emailMessageId,
    ...(links ? { body_text: content.text, ...optional("body_html", content.html ?? undefined) } : {}),
    ...optional("attachments", content.attachments.length > 0 ? content.attachments : undefined),
    ...optional("provider_message_id", providerMessageId(message, recipients)),
    ...optional("method", methodOf(recipients)),
    ...optional("hold", holdOf(message)),
    ...optional("content_hash", message.contentHash || undefined),
    ...optional("first_time", firstTime.length > 0 ? firstTime : undefined),
    ...optional("links", links && links.length > 0 ? links : undefined),
    ...optional("headers", headers.length > 0 ? headers : undefined),
    ...optional("unsearched", review?.unsearched.length ? review.unsearched : undefined),
    ...optional("review_notes", review?.notes.length ? review.notes : undefined),
    edited: original !== null,
    ...optional("edited_parts", editedPartsOf(message)),
    ...optional("original", original && links ? originalOnWire(original) : undefined),
    ...optional("reviewed_at", message.reviewedAt?.toISOString()),
    ...optional("reviewed_by", message.reviewedBy ?? undefined),
    ...optional("rejection_reason", message.rejectionReason ?? undefined),
    recipients: recipients.map(recipientOnWire),
    attempts: Math.max(0, ...recipients.map((recipient) => recipient.attempts)),
  };
}

/** The parts that reviewers changed; undefined if the message is as its agent wrote it. */
export function editedPartsOf({ original, subject, content }: OutboundRow): EditedPart[] | undefined {
  return original ? editedParts(original, { ...content, subject }) : undefined;
}

export function originalOnWire({ subject, ...content }: OriginalContent): Static<typeof Original> {
  return {
    subject,
    to: bare(content.to),
    cc: bare(content.cc),
    bcc: bare(content.bcc),
    body_text: content.text,
    ...optional("body_html", content.html ?? undefined),
    attachments: content.attachments,
  };
}

/** An outbound message in an agent's list of messages. */
export function outboundSummaryOnWire(
  { message, recipients }: StoredOutbound,
  domain: string,
): Static<typeof MessageSummary> {
  const { content } = message;
  return {
    message_id: message.id,
    from: content.from.address,
    from_name: content.from.name,
    to: bare(content.to),
    ...optional("cc", some(content.cc)),
    ...optional("reply_to", some(content.replyTo)),
    recipient: recipients[0]?.address ?? "",
    subject: message.subject,
    conversation_id: message.conversationId,
    status: message.status,
    created_at: message.createdAt.toISOString(),
    direction: "outbound",
    verified: true,
    verified_domain: domain,
    snippet: message.snippet,
    has_attachments: content.attachments.length > 0,
    labels: [],
    ...noClaims,
  };
}

export function recipientOnWire(row: RecipientRow): Static<typeof Recipient> {
  const waits = row.status === "queued" || row.status === "deferred";
  return {
    address: row.address,
    status: row.status,
    ...optional("method", row.method ?? undefined),
    smtp_reply: row.smtpReply,
    error: row.error,
    attempts: row.attempts,
    at: row.updatedAt.toISOString(),
    ...optional("next_attempt_at", waits && row.queue === "ready" ? row.nextAttemptAt.toISOString() : undefined),
  };
}

/** What the answers about a message contain, with the given status. */
export function sentOnWire(
  message: OutboundRow,
  recipients: RecipientRow[],
  status: Static<typeof Sent>["status"],
): Static<typeof Sent> {
  return {
    message_id: message.id,
    status,
    ...optional("method", methodOf(recipients)),
    email_message_id: message.emailMessageId,
    conversation_id: message.conversationId,
    ...optional("approval_expires_at", expiryOf(message)),
    ...optional("hold", holdOf(message)),
    recipients: recipients.map(recipientOnWire),
  };
}

/** When a waiting message is decided by time. It stays stored after the decision, but is not shown. */
function expiryOf({ approvalExpiresAt, status }: OutboundRow): string | undefined {
  return status === "pending_approval" ? approvalExpiresAt?.toISOString() : undefined;
}

/** Why a message waits. It stays stored after the decision, but is not shown. */
function holdOf({ hold, status }: OutboundRow) {
  return status === "pending_approval" ? (hold ?? undefined) : undefined;
}

/** How a message left. Delivery through an upstream takes precedence over delivery within the server. */
function methodOf(recipients: readonly RecipientRow[]): Method | undefined {
  return (["smtp", "capture", "relay"] as const).find((one) =>
    recipients.some(({ method, status }) => method === one && (status === "sent" || status === "delivered")),
  );
}

/** The upstream's id for the message, of the first recipient that has one. */
export function providerMessageId(message: OutboundRow, recipients: readonly RecipientRow[]): string | undefined {
  for (const { method, address, smtpReply, providerMessageId: id } of recipients) {
    // Earlier versions kept only the reply.
    const known = { messageId: message.emailMessageId, recipient: address };
    const found = id ?? (method === "smtp" ? providerIdOf(smtpReply, known) : null);
    if (found !== null) return found;
  }
  return undefined;
}

function some(mailboxes: Mailbox[]): string[] | undefined {
  return mailboxes.length > 0 ? bare(mailboxes) : undefined;
}
