/** What agents send, as clients see it. Names and shapes are a promise: add, never change. */
import { type Static, Type } from "@sinclair/typebox";
import { furtherFields } from "../../approval/further-fields.ts";
import type { Reviews } from "../../approval/reviews.ts";
import type { Mailbox, Method } from "../../mail.ts";
import type { ShownLink } from "../../message/html/shown-links.ts";
import { type EditedPart, editableParts, editedParts } from "../../store/outbound/edited-parts.ts";
import type { Outbound as StoredOutbound } from "../../store/outbound/outbound.ts";
import type { HeldReview, OriginalContent, OutboundRow, RecipientRow } from "../../store/schema.ts";
import type { Offload } from "../framework/resource.ts";
import {
  Attachment,
  addresses,
  bare,
  type MessageSummary,
  nullable,
  oneOf,
  optional,
  outboundStatuses,
  time,
} from "./wire.ts";

const method = oneOf("relay", "smtp", "capture");
const hold = Type.Object(
  {
    rule: oneOf(
      ...(["approval", "loop", "pattern", "unverified", "new_links", "unsearched"] as const),
      ...(["first_time", "outside", "attachments", "max_recipients"] as const),
    ),
    reason: Type.String({ description: "One sentence." }),
  },
  { description: "Why it waits for somebody's decision." },
);

export const Recipient = Type.Object(
  {
    address: Type.String(),
    status: oneOf("held", "queued", "sending", "sent", "delivered", "deferred", "bounced", "failed", "cancelled"),
    method: Type.Optional(method),
    smtp_reply: nullable(Type.String(), "The last reply of the next host, or of its bounce."),
    error: nullable(Type.String(), "What keeps it from leaving, when no reply says so."),
    attempts: Type.Integer(),
    at: time("When its status last changed."),
    next_attempt_at: Type.Optional(time()),
  },
  { $id: "Recipient" },
);

/** What the sender of a message hears. */
export const Sent = Type.Object(
  {
    message_id: Type.String(),
    status: oneOf("sent", "queued", "pending_approval", "cancelled", "rejected", "expired_rejected"),
    method: Type.Optional(method),
    email_message_id: Type.String({ description: "The Message-ID, with its angle brackets." }),
    conversation_id: Type.String(),
    approval_expires_at: Type.Optional(time()),
    hold: Type.Optional(hold),
    recipients: Type.Array(Recipient),
    fix: Type.Optional(
      Type.String({
        description:
          "Of a reply that left out addresses which nothing proves: which ones, and how to write to them all the same.",
      }),
    ),
  },
  { $id: "Sent" },
);

/** What the sender would hear. */
export const Forecast = Type.Object(
  {
    decision: oneOf("send", "hold"),
    hold: Type.Optional(hold),
    recipients: Type.Array(
      Type.Object({
        address: Type.String(),
        method,
        first_time: Type.Boolean({ description: "The agent neither wrote to it nor heard from it before." }),
      }),
    ),
  },
  { $id: "Forecast" },
);

const contentHash = Type.String({ description: "SHA-256 over all recipients and the bytes: names what would leave." });

const editedPartList = Type.Array(oneOf(...editableParts), {
  description: "In what it differs from what the agent wrote.",
});

/** What who approves a message hears. */
export const Approved = Type.Object(
  {
    ...Sent.properties,
    edited: Type.Boolean({ description: "Whether it is not what the agent wrote." }),
    edited_parts: Type.Optional(editedPartList),
    provider_message_id: Type.Optional(Type.String({ description: "What the upstream called it." })),
    content_hash: contentHash,
  },
  { $id: "Approved" },
);

export const Rejected = Type.Object(
  { message_id: Type.String(), status: oneOf("rejected"), rejection_reason: Type.String() },
  { $id: "Rejected" },
);

export const Original = Type.Object(
  {
    subject: Type.String(),
    to: addresses,
    cc: addresses,
    bcc: addresses,
    body_text: Type.String(),
    body_html: Type.Optional(Type.String()),
    attachments: Type.Array(Attachment),
  },
  { $id: "Original", description: "What the agent wrote, when a reviewer changed it." },
);

export const Outbound = Type.Object(
  {
    id: Type.String(),
    agent_id: Type.String(),
    direction: oneOf("outbound"),
    subject: Type.String(),
    type: oneOf("send", "reply", "forward", "test", "notice"),
    conversation_id: Type.String(),
    from: Type.String({ description: "The agent's address." }),
    to: addresses,
    cc: Type.Optional(addresses),
    bcc: Type.Optional(addresses),
    reply_to: Type.Optional(addresses),
    status: oneOf(...outboundStatuses),
    approval_expires_at: Type.Optional(time()),
    created_at: time(),
    email_message_id: Type.String(),
    body_text: Type.Optional(Type.String({ description: "In lists only while it waits for approval." })),
    body_html: Type.Optional(Type.String()),
    attachments: Type.Optional(Type.Array(Attachment)),
    provider_message_id: Type.Optional(Type.String({ description: "What the upstream called it." })),
    method: Type.Optional(method),
    hold: Type.Optional(hold),
    content_hash: Type.Optional(contentHash),
    first_time: Type.Optional(
      Type.Array(Type.String(), {
        description: "Recipients that the agent had neither written to nor heard from before.",
      }),
    ),
    links: Type.Optional(
      Type.Array(
        Type.Object({
          text: Type.String({ description: "The words of the link." }),
          host: Type.String({ description: "Where it really leads; empty when that is no host." }),
          url: Type.String(),
        }),
        { description: "In lists only while it waits for approval." },
      ),
    ),
    headers: Type.Optional(
      Type.Array(Type.Object({ name: Type.String(), value: Type.String() }), {
        description:
          "What leaves in the header beside the members above: recipients' names, the ids of the thread, the agent's own " +
          "fields. In lists only while it waits for approval.",
      }),
    ),
    unsearched: Type.Optional(
      Type.Array(Type.Object({ name: Type.String(), why: Type.String() }), {
        description: "While it waits for approval: parts that nobody here can read as text.",
      }),
    ),
    review_notes: Type.Optional(
      Type.Array(Type.String(), {
        description: "While it waits for approval: how its HTML differs from its text, and what it hides. Sentences.",
      }),
    ),
    edited: Type.Boolean({ description: "Whether a reviewer changed it." }),
    edited_parts: Type.Optional(editedPartList),
    original: Type.Optional(Original),
    reviewed_at: Type.Optional(time()),
    reviewed_by: Type.Optional(Type.String({ description: "An address, or `expiry`." })),
    rejection_reason: Type.Optional(Type.String({ description: "Why it was not sent; the agent reads it too." })),
    recipients: Type.Array(Recipient),
    attempts: Type.Integer({ description: "Answers so far, of the recipient with the most." }),
  },
  { $id: "Outbound" },
);

/** A message as it stands in lists. */
export function outboundOnWire(outbound: StoredOutbound): Static<typeof Outbound> {
  return onWire(outbound, null, null);
}

/** What finds the links of a message, and what its reviewers are shown. */
export interface Readers {
  readonly reviews: Reviews;
  readonly offload: Offload;
}

/** A message with its texts and links; a held one with what is kept for its reviewers. Failures as of `Offload.links`. */
export async function withBodyOnWire(
  outbound: StoredOutbound,
  { reviews, offload }: Readers,
): Promise<Static<typeof Outbound>> {
  const { status, content, review: kept } = outbound.message;
  const review = status === "pending_approval" ? await reviews.of(outbound) : null;
  const links = (review ?? kept)?.links ?? (await offload.links(content.text, content.html));
  return onWire(outbound, links, review);
}

/** @param links Null for a message without its texts. @param review Null for a message that waits for nobody. */
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
    ...optional("provider_message_id", providerMessageId(recipients)),
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

/** The parts that reviewers changed; undefined of a message as its agent wrote it. */
export function editedPartsOf({ original, subject, content }: OutboundRow): EditedPart[] | undefined {
  return original ? editedParts(original, { ...content, subject }) : undefined;
}

export function originalOnWire({ subject, ...content }: OriginalContent): Static<typeof Original> {
  return {
    ...{ subject, to: bare(content.to), cc: bare(content.cc), bcc: bare(content.bcc), body_text: content.text },
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
    auto_submitted: null,
    list_id: null,
    precedence: null,
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

/** What the answers to a message say of it beside its status. */
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

/** When a message that waits is decided by time; kept, but not shown, of one that does not any more. */
function expiryOf({ approvalExpiresAt, status }: OutboundRow): string | undefined {
  return status === "pending_approval" ? approvalExpiresAt?.toISOString() : undefined;
}

/** Why it waits; kept, but not shown, of a message that does not any more. */
function holdOf({ hold, status }: OutboundRow) {
  return status === "pending_approval" ? (hold ?? undefined) : undefined;
}

/** How a message left; the way out of the server counts before those within. */
function methodOf(recipients: readonly RecipientRow[]): Method | undefined {
  return (["smtp", "capture", "relay"] as const).find((one) =>
    recipients.some(({ method, status }) => method === one && (status === "sent" || status === "delivered")),
  );
}

/** The queue id in the reply to the last DATA, as Postfix, Exim, Amazon SES and their like write it. */
const queueIds = [
  /\bqueued as ([\w.-]{4,200})/i,
  /\bok:? +id=([\w.-]{4,200})/i,
  /^250(?: 2\.\d\.\d)? ok:? +<?([\w.-]*\d[\w.-]{3,200})>?$/i,
];

/** What the upstream called it, when it said so. */
export function providerMessageId(recipients: readonly RecipientRow[]): string | undefined {
  for (const { method, smtpReply } of recipients) {
    if (method !== "smtp" || !smtpReply?.startsWith("250")) continue;
    for (const pattern of queueIds) {
      const [, id] = pattern.exec(smtpReply.trim()) ?? [];
      if (id) return id;
    }
  }
  return undefined;
}

function some(mailboxes: Mailbox[]): string[] | undefined {
  return mailboxes.length > 0 ? bare(mailboxes) : undefined;
}
