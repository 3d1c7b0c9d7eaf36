/** A received message, in each of its shapes. */
import { Type } from "@sinclair/typebox";
import { Attachment } from "./attachment.ts";
import { Calendar } from "./calendar.ts";
import { outboundStatuses } from "./outbound.ts";
import { addresses, nullable, oneOf, time } from "./words.ts";

/**
 * What the sender claims in the header; nothing proves it. Every shape of a received message has these members: lists,
 * the event, the frame and the webhook's body. In sent messages they are null.
 */
const claims = {
  auto_submitted: nullable(
    Type.String(),
    "Set if no person wrote it, such as `auto-replied` (RFC 3834); do not answer such mail automatically.",
  ),
  list_id: nullable(Type.String(), "The mailing list that it came through (RFC 2919); null for outbound messages."),
  precedence: nullable(
    Type.String(),
    "Such as `bulk`, `list` or `junk`: do not answer such mail automatically. Null for outbound messages.",
  ),
  in_reply_to: nullable(
    Type.String(),
    "The Message-ID, with its angle brackets, that it says it answers: the first in its In-Reply-To field (RFC 5322). " +
      "Null for outbound messages.",
  ),
};

/** The claims of a message that was not received. */
export const noClaims = Object.fromEntries(Object.keys(claims).map((name) => [name, null])) as {
  [Name in keyof typeof claims]: null;
};

/** The members that every event about a message has. */
export const aboutMessage = {
  message_id: Type.String(),
  agent_id: Type.String({ description: "The agent's address." }),
  conversation_id: Type.String(),
};

/** The members that every shape of a message in the API has, and that other shapes share. */
const summary = {
  message_id: Type.String(),
  from: Type.String({ description: "The bare address of the From field; empty when it has none." }),
  from_name: Type.String(),
  to: addresses,
  cc: Type.Optional(addresses),
  reply_to: Type.Optional(addresses),
  recipient: Type.String({ description: "The address that the envelope named; of an outbound message, the first." }),
  subject: Type.String(),
  conversation_id: Type.String(),
  status: oneOf("unread", "read", ...outboundStatuses),
  created_at: time("When it was received or submitted."),
  direction: oneOf("inbound", "outbound"),
  verified: Type.Boolean({ description: "Whether the From domain itself is proven." }),
  verified_domain: nullable(Type.String()),
  snippet: Type.String(),
  has_attachments: Type.Boolean(),
  labels: Type.Array(Type.String()),
  ...claims,
};

export const MessageSummary = Type.Object(summary, { $id: "MessageSummary" });

const dkimResult = oneOf("pass", "fail", "neutral", "none", "policy", "temperror", "permerror");
const dmarcResult = oneOf("pass", "fail", "none", "temperror", "permerror");

const Authentication = Type.Object(
  {
    spf: Type.Object({
      result: oneOf("pass", "fail", "softfail", "neutral", "none", "temperror", "permerror"),
      domain: Type.String(),
    }),
    dkim: Type.Array(
      Type.Object({
        result: dkimResult,
        domain: Type.String(),
        selector: Type.String(),
        algorithm: Type.String(),
        aligned: Type.Boolean(),
      }),
    ),
    dmarc: Type.Object({
      result: dmarcResult,
      policy: nullable(oneOf("none", "quarantine", "reject")),
      aligned_by: Type.Array(oneOf("spf", "dkim")),
    }),
    arc: Type.Object({ result: dmarcResult }),
    unsigned: Type.Array(Type.String(), {
      description:
        "If the proof rests on DKIM alone: fields of the message that no proving signature covers, such as `Reply-To`. " +
        "Any server that relayed the message could have written them. Empty if SPF also aligns, and if nothing is proven.",
    }),
  },
  { $id: "Authentication" },
);

const Defect = Type.Object(
  {
    code: Type.String({ description: "Stable, such as `charset_wrong`; docs/delivery.md lists them." }),
    detail: Type.String({ description: "One sentence for people." }),
  },
  { $id: "Defect", description: "Something that was repaired, guessed or left out when the message was read." },
);

const signed = {
  auth_headers: Type.Record(Type.String(), Type.String(), {
    description: "X-E2A-Auth-*, signed for this answer with the newest signing secret.",
  }),
  raw_message: Type.String({
    contentEncoding: "base64",
    description: "The stored message: the body hash is over its bytes.",
  }),
};

const content = {
  text: Type.String(),
  html: nullable(Type.String()),
  reply_text: Type.String({ description: "The new part of the text, without quotes. What is forwarded stays." }),
  attachments: Type.Array(Attachment),
  calendar: Type.Optional(Calendar),
};

/** A message that is attached to another. */
export const AttachedMessage = Type.Object(
  {
    from: Type.String({
      description: "The bare address of the From field; empty when it has none. Nothing proves it.",
    }),
    from_name: Type.String(),
    to: addresses,
    cc: Type.Optional(addresses),
    reply_to: Type.Optional(addresses),
    subject: Type.String(),
    date: nullable(Type.String({ format: "date-time" }), "What its Date field says; null if that cannot be read."),
    email_message_id: nullable(Type.String()),
    ...content,
    headers: Type.Array(Type.Object({ name: Type.String(), value: Type.String() })),
    defects: Type.Array(Defect),
  },
  { $id: "AttachedMessage" },
);

export const MessageDetail = Type.Object(
  {
    ...summary,
    ...signed,
    envelope_from: Type.String(),
    email_message_id: nullable(Type.String()),
    ...content,
    authentication: Authentication,
    headers: Type.Array(Type.Object({ name: Type.String(), value: Type.String() })),
    defects: Type.Array(Defect),
  },
  { $id: "MessageDetail" },
);

export const InboxMessage = Type.Object(
  {
    ...MessageSummary.properties,
    agent_id: Type.String({ description: "The mailbox that received it." }),
    authentication: Authentication,
  },
  { $id: "InboxMessage" },
);

/** The data of the event `message.received`. */
export const ReceivedData = Type.Object({
  ...aboutMessage,
  email_message_id: nullable(Type.String(), "The Message-ID field; null when it has none."),
  from: Type.String({ description: "The From field's address. Believe it only when `verified`." }),
  recipient: Type.String({ description: "The envelope's recipient, sub-address included." }),
  subject: Type.String({ description: "Up to 1,000 characters." }),
  snippet: summary.snippet,
  has_attachments: summary.has_attachments,
  calendar: Type.Optional(Calendar),
  entity_type: oneOf("human", "agent"),
  verified: Type.Boolean({ description: "The From domain itself is proven." }),
  verified_domain: summary.verified_domain,
  ...claims,
  received_at: time(),
});

/** The members shared by the frame of an agent's WebSocket and the body of an agent's own webhook. */
const told = {
  type: Type.Literal("message.received"),
  event_id: Type.String({ description: "The same in the event log." }),
  message_id: summary.message_id,
  conversation_id: summary.conversation_id,
  from: Type.String({ description: "The From field's address. Believe it only when `verified`." }),
};

/** A frame of an agent's WebSocket. */
export const MessageFrame = Type.Object(
  {
    ...told,
    recipient: Type.String({ description: "The envelope's recipient, sub-address included." }),
    subject: Type.String({ description: "Up to 998 characters." }),
    received_at: time(),
    verified: summary.verified,
    ...claims,
  },
  { $id: "MessageFrame" },
);

/** The body that an agent's own webhook receives for a message. */
export const WebhookMessage = Type.Object(
  {
    ...told,
    from_name: summary.from_name,
    to: summary.to,
    cc: summary.cc,
    reply_to: summary.reply_to,
    recipient: Type.String({ description: "The envelope's recipient, sub-address included." }),
    subject: summary.subject,
    received_at: time(),
    verified: summary.verified,
    ...claims,
    authentication: Authentication,
    auth_headers: signed.auth_headers,
    ...content,
    defects: Type.Array(Defect),
    raw_message: signed.raw_message,
  },
  { $id: "WebhookMessage" },
);
