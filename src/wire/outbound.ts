/** A message that an agent sends, and the answers to the client that sends it. */
import { Type } from "@sinclair/typebox";
import { Attachment } from "./attachment.ts";
import { addresses, nullable, oneOf, time } from "./words.ts";

/** Every status an outbound message can have, in the order of its life. */
export const outboundStatuses = [
  ...(["pending_approval", "queued", "sending", "deferred", "sent", "delivered", "bounced", "failed"] as const),
  ...(["cancelled", "rejected", "expired_approved", "expired_rejected"] as const),
] as const;

/** The parts of a message that a reviewer can change, in the order in which answers list them. */
export const editableParts = ["to", "cc", "bcc", "subject", "body_text", "body_html", "attachments"] as const;
export type EditedPart = (typeof editableParts)[number];

const method = oneOf("relay", "smtp", "capture");
const hold = Type.Object(
  {
    rule: oneOf(
      ...(["approval", "loop", "pattern", "unverified", "new_links", "unsearched"] as const),
      ...(["first_time", "outside", "attachments", "max_recipients"] as const),
    ),
    reason: Type.String({ description: "One sentence, or two if the gate and the loop breaker both hold it." }),
  },
  { description: "Why the message is held." },
);

export const Recipient = Type.Object(
  {
    address: Type.String(),
    status: oneOf("held", "queued", "sending", "sent", "delivered", "deferred", "bounced", "failed", "cancelled"),
    method: Type.Optional(method),
    smtp_reply: nullable(Type.String(), "The last reply of the next host, or of its bounce."),
    error: nullable(Type.String(), "Why it has not left, if no reply says so."),
    attempts: Type.Integer(),
    at: time("When its status last changed."),
    next_attempt_at: Type.Optional(time()),
  },
  { $id: "Recipient" },
);

/** The answer to a message that was sent. */
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
        description: "For a reply that left out unproven addresses: which ones, and how to write to them anyway.",
      }),
    ),
  },
  { $id: "Sent" },
);

/** The answer to a dry run. */
export const Forecast = Type.Object(
  {
    decision: oneOf("send", "hold"),
    hold: Type.Optional(hold),
    recipients: Type.Array(
      Type.Object({
        address: Type.String(),
        method,
        first_time: Type.Boolean({ description: "The agent has never written to it or heard from it." }),
      }),
    ),
  },
  { $id: "Forecast" },
);

const contentHash = Type.String({
  description: "SHA-256 over all recipients and the bytes: identifies what would be sent.",
});

const editedPartList = Type.Array(oneOf(...editableParts), {
  description: "The parts that differ from what the agent wrote.",
});

/** The answer to an approval. */
export const Approved = Type.Object(
  {
    ...Sent.properties,
    edited: Type.Boolean({ description: "Whether it is not what the agent wrote." }),
    edited_parts: Type.Optional(editedPartList),
    provider_message_id: Type.Optional(Type.String({ description: "The upstream's own id of the message." })),
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

const OutboundAttachment = Type.Object(
  {
    ...Attachment.properties,
    data: Type.Optional(
      Type.String({
        contentEncoding: "base64",
        description: "The file, while the message waits for approval; in answers to GET, unless `data=false`.",
      }),
    ),
  },
  { $id: "OutboundAttachment" },
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
    attachments: Type.Optional(Type.Array(OutboundAttachment)),
    provider_message_id: Type.Optional(Type.String({ description: "The upstream's own id of the message." })),
    method: Type.Optional(method),
    hold: Type.Optional(hold),
    content_hash: Type.Optional(contentHash),
    first_time: Type.Optional(
      Type.Array(Type.String(), {
        description: "Recipients that the agent had never written to or heard from.",
      }),
    ),
    links: Type.Optional(
      Type.Array(
        Type.Object({
          text: Type.String({ description: "The words of the link." }),
          host: Type.String({ description: "The host that the link leads to; empty if it has none." }),
          url: Type.String(),
        }),
        { description: "In lists only while it waits for approval." },
      ),
    ),
    headers: Type.Optional(
      Type.Array(Type.Object({ name: Type.String(), value: Type.String() }), {
        description:
          "Header fields that are sent in addition to the members above: recipients' names, the ids of the thread, the agent's own " +
          "fields. In lists only while it waits for approval.",
      }),
    ),
    unsearched: Type.Optional(
      Type.Array(Type.Object({ name: Type.String(), why: Type.String() }), {
        description: "While it waits for approval: parts that the server cannot search as text.",
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
