/** A received message, in each of its shapes. */
import { Type } from "@sinclair/typebox";
import { Attachment } from "./attachment.ts";
import { outboundStatuses } from "./outbound.ts";
import { addresses, nullable, oneOf, time } from "./words.ts";

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
  created_at: time("When it was received, or handed in."),
  direction: oneOf("inbound", "outbound"),
  verified: Type.Boolean({ description: "Whether the From domain itself is proven." }),
  verified_domain: nullable(Type.String()),
  snippet: Type.String(),
  has_attachments: Type.Boolean(),
  labels: Type.Array(Type.String()),
  auto_submitted: nullable(
    Type.String(),
    "What says that no person wrote it, such as `auto-replied` (RFC 3834); do not answer such mail automatically.",
  ),
  list_id: nullable(Type.String(), "The mailing list that it came through (RFC 2919); null for outbound messages."),
  precedence: nullable(
    Type.String(),
    "`bulk`, `list`, `junk` and the like: do not answer such mail automatically. Null for outbound messages.",
  ),
};

export const MessageSummary = Type.Object(summary, { $id: "MessageSummary" });

const dkimResult = oneOf("pass", "fail", "neutral", "none", "policy", "temperror", "permerror");
const dmarcResult = oneOf("pass", "fail", "none", "temperror", "permerror");

export const Authentication = Type.Object(
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
        "When the proof rests on DKIM alone: fields of the message that no proving signature covers, such as `Reply-To`. " +
        "Whoever passed the message on could have written them. Empty when SPF aligns, too, and when nothing is proven.",
    }),
  },
  { $id: "Authentication" },
);

export const MessageDetail = Type.Object(
  {
    ...summary,
    auth_headers: Type.Record(Type.String(), Type.String(), {
      description: "X-E2A-Auth-*, signed for this answer with the newest signing secret.",
    }),
    raw_message: Type.String({
      contentEncoding: "base64",
      description: "The stored message: the body hash is over its bytes.",
    }),
    envelope_from: Type.String(),
    email_message_id: nullable(Type.String()),
    text: Type.String(),
    html: nullable(Type.String()),
    reply_text: Type.String({ description: "The new part of the text, quotes stripped." }),
    attachments: Type.Array(Attachment),
    authentication: Authentication,
    headers: Type.Array(Type.Object({ name: Type.String(), value: Type.String() })),
    defects: Type.Array(Type.String(), { description: "What was wrong with the message, one sentence each." }),
  },
  { $id: "MessageDetail" },
);

export const InboxMessage = Type.Object(
  {
    ...MessageSummary.properties,
    agent_id: Type.String({ description: "The mailbox that has it." }),
    authentication: Authentication,
  },
  { $id: "InboxMessage" },
);
