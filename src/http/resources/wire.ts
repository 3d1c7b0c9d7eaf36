/** The resources as clients see them, and how rows become them. Names and shapes are a promise: add, never change. */
import { type Static, type TSchema, Type } from "@sinclair/typebox";
import type { AdvisedCheck } from "../../domains/advice.ts";
import type { DomainRecords } from "../../domains/records.ts";
import { type Mailbox, type OutboundStatus, wholeAuthentication } from "../../mail.ts";
import type { LabelledMessage, StoredMail } from "../../store/mail/messages.ts";
import type { AgentRow, ApiKeyRow, DomainRow, SigningSecretRow, UserRow } from "../../store/schema.ts";
import { Base64Bytes } from "../framework/base64.ts";

export const time = (description?: string) =>
  Type.String({ format: "date-time", ...(description ? { description } : {}) });
export const nullable = <T extends TSchema>(schema: T, description?: string) =>
  Type.Union([schema, Type.Null()], description ? { description } : {});
export const oneOf = <const T extends string[]>(...values: T) =>
  Type.Unsafe<T[number]>({ type: "string", enum: values as string[] });
export const addresses = Type.Array(Type.String());
/** Keeps what is undefined out of the JSON, where TypeBox's optional members are missing rather than null. */
export const optional = <K extends string, V>(key: K, value: V | undefined) =>
  (value === undefined ? {} : { [key]: value }) as { [P in K]?: V };

/** `{<name>: […], next_token?}` */
export function page<N extends string, T extends TSchema>(name: N, items: T) {
  return Type.Object({
    ...({ [name]: Type.Array(items) } as { [P in N]: ReturnType<typeof Type.Array<T>> }),
    next_token: Type.Optional(
      Type.String({ description: "Give it as `token` for the next page; absent on the last." }),
    ),
  });
}

export const Agent = Type.Object(
  {
    id: Type.String({ description: "The address again." }),
    domain: Type.String(),
    email: Type.String(),
    name: Type.String(),
    webhook_url: Type.String({ description: "Empty when the agent has none." }),
    webhook_status: oneOf("enabled", "disabled"),
    webhook_failing_since: Type.Optional(time("Since when every attempt has failed; absent while it is well.")),
    webhook_disabled_reason: Type.Optional(Type.String({ description: "One sentence." })),
    agent_mode: oneOf("cloud", "local"),
    domain_verified: Type.Boolean(),
    created_at: time(),
    hitl_enabled: Type.Boolean({ description: "Whether a person approves outbound mail first." }),
    hitl_ttl_seconds: Type.Integer(),
    hitl_expiration_action: oneOf("approve", "reject"),
    hitl_notify_email: Type.Boolean(),
    hitl_rules: nullable(
      Type.Object({
        outside: Type.Optional(Type.Boolean()),
        first_time: Type.Optional(Type.Boolean()),
        max_recipients: Type.Optional(Type.Integer()),
        attachments: Type.Optional(Type.Boolean()),
        new_links: Type.Optional(Type.Boolean()),
        unverified: Type.Optional(Type.Boolean()),
        unsearched: Type.Optional(Type.Boolean()),
        patterns: Type.Optional(Type.Array(Type.String())),
      }),
      "What is held while `hitl_enabled`; null and no rule at all hold everything.",
    ),
    hitl_allow: Type.Array(Type.String(), { description: "Mail only to these addresses and domains is not held." }),
    hitl_reviewers: Type.Array(Type.String(), { description: "Told of held mail beside the account's own address." }),
    undo_seconds: Type.Integer({ description: "How long each message can be cancelled before it leaves." }),
    paused: Type.Boolean({ description: "Outbound mail and deliveries are frozen; inbound mail is still stored." }),
  },
  { $id: "Agent" },
);

export function agentOnWire(row: AgentRow, domainVerified: boolean): Static<typeof Agent> {
  return {
    id: row.id,
    domain: row.domain,
    email: row.id,
    name: row.name,
    webhook_url: row.webhookUrl,
    webhook_status: row.webhookDisabledAt === null ? "enabled" : "disabled",
    ...optional("webhook_failing_since", row.webhookFailingSince?.toISOString()),
    ...optional("webhook_disabled_reason", row.webhookDisabledReason ?? undefined),
    agent_mode: row.mode,
    domain_verified: domainVerified,
    created_at: row.createdAt.toISOString(),
    hitl_enabled: row.hitlEnabled,
    hitl_ttl_seconds: row.hitlTtlSeconds,
    hitl_expiration_action: row.hitlExpirationAction,
    hitl_notify_email: row.hitlNotifyEmail,
    hitl_rules: row.hitlRules,
    hitl_allow: row.hitlAllow,
    hitl_reviewers: row.hitlReviewers,
    undo_seconds: row.undoSeconds,
    paused: row.paused,
  };
}

const record = Type.Object({ host: Type.String(), value: Type.String() });
const recordNames = ["mx", "txt", "dkim", "dkim_ed25519", "spf", "dmarc"];

export const Domain = Type.Object(
  {
    domain: Type.String(),
    verified: Type.Boolean(),
    verification_token: Type.String({ description: "Empty for the server's own domain." }),
    dns_records: Type.Object({
      mx: Type.Object({ host: Type.String(), value: Type.String(), priority: Type.Integer() }),
      txt: Type.Optional(record),
      spf: record,
      dmarc: record,
      dkim: Type.Optional(record),
      dkim_ed25519: Type.Optional(record),
    }),
    created_at: time(),
    verified_at: Type.Optional(time()),
    degraded_at: Type.Optional(time("Since when records that were there are gone; `checks` says which.")),
    paused: Type.Boolean({ description: "Outbound mail of all its agents is frozen." }),
    checks: Type.Optional(
      Type.Array(
        Type.Object({
          record: Type.Unsafe<keyof DomainRecords>({ type: "string", enum: recordNames }),
          status: oneOf("ok", "missing", "mismatch"),
          found: Type.Optional(Type.Array(Type.String(), { description: "What is published instead." })),
          error: Type.Optional(Type.String({ description: "Why DNS did not answer." })),
          advice: Type.Optional(Type.String({ description: "What to do about it." })),
          merged: Type.Optional(
            Type.String({
              description: "The value to publish in place of all that was found: theirs and ours in one.",
            }),
          ),
          suggested_domain: Type.Optional(
            Type.String({ description: "A domain for agents, where this one receives its mail elsewhere." }),
          ),
          lookups: Type.Optional(
            Type.Integer({ description: "DNS look-ups of the SPF record, merged if there is one; 11: more than 10." }),
          ),
        }),
      ),
    ),
  },
  { $id: "Domain" },
);

export function domainOnWire(
  row: DomainRow,
  records: DomainRecords,
  checks: AdvisedCheck[] | undefined,
): Static<typeof Domain> {
  return {
    domain: row.domain,
    verified: row.verifiedAt !== null,
    verification_token: row.verificationToken,
    dns_records: records,
    created_at: row.createdAt.toISOString(),
    ...optional("verified_at", row.verifiedAt?.toISOString()),
    ...optional("degraded_at", row.degradedAt?.toISOString()),
    paused: row.paused,
    ...optional("checks", checks),
  };
}

/** Every status an outbound message can have, in the order of its life. */
export const outboundStatuses = [
  ...(["pending_approval", "queued", "sending", "deferred", "sent", "delivered", "bounced", "failed"] as const),
  ...(["cancelled", "rejected", "expired_approved", "expired_rejected"] as const),
] as const satisfies OutboundStatus[];

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

export function summaryOnWire(row: LabelledMessage): Static<typeof MessageSummary> {
  return {
    message_id: row.id,
    from: row.fromAddress,
    from_name: row.from[0]?.name ?? "",
    to: bare(row.to),
    ...optional("cc", row.cc.length > 0 ? bare(row.cc) : undefined),
    ...optional("reply_to", row.replyTo.length > 0 ? bare(row.replyTo) : undefined),
    recipient: row.recipient,
    subject: row.subject,
    conversation_id: row.conversationId,
    status: row.status,
    created_at: row.createdAt.toISOString(),
    direction: row.direction,
    verified: row.verified,
    verified_domain: row.verifiedDomain,
    snippet: row.snippet,
    has_attachments: row.hasAttachments,
    labels: row.labels,
    auto_submitted: row.autoSubmitted,
    list_id: row.listId,
    precedence: row.precedence,
  };
}

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

export const Attachment = Type.Object(
  {
    index: Type.Integer(),
    filename: Type.String(),
    content_type: Type.String(),
    size: Type.Integer({ description: "Decoded, in bytes." }),
    content_id: Type.Optional(Type.String()),
  },
  { $id: "Attachment" },
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

/** Bytes as JSON has them: `Base64Bytes`, of which only what writes JSON makes text, in pieces when it is long. */
export function asBase64(bytes: Uint8Array): string {
  return new Base64Bytes(bytes) as unknown as string;
}

export function detailOnWire(mail: StoredMail, authHeaders: Record<string, string>): Static<typeof MessageDetail> {
  const { message, content } = mail;
  return {
    ...summaryOnWire(message),
    auth_headers: authHeaders,
    raw_message: asBase64(mail.raw),
    envelope_from: message.envelopeFrom,
    email_message_id: message.emailMessageId,
    text: content.text,
    html: content.html,
    reply_text: content.replyText,
    attachments: content.attachments,
    authentication: wholeAuthentication(message.authentication),
    headers: content.headers,
    defects: content.defects,
  };
}

const secret = {
  id: Type.String(),
  name: Type.String(),
  secret_prefix: Type.String(),
  created_at: time(),
  last_signed_at: Type.Optional(time()),
};

export const SigningSecret = Type.Object(secret, { $id: "SigningSecret" });
export const NewSigningSecret = Type.Object(
  { ...secret, secret: Type.String({ description: "Shown only in this answer." }) },
  { $id: "NewSigningSecret" },
);

export function secretOnWire(row: SigningSecretRow): Static<typeof SigningSecret> {
  return {
    id: row.id,
    name: row.name,
    secret_prefix: row.secretPrefix,
    created_at: row.createdAt.toISOString(),
    ...optional("last_signed_at", row.lastSignedAt?.toISOString()),
  };
}

const key = {
  id: Type.String(),
  name: Type.String(),
  scope: oneOf("account", "agent"),
  agent: nullable(Type.String(), "The one agent that a key of scope `agent` may use."),
  key_prefix: Type.String(),
  created_at: time(),
  expires_at: nullable(time()),
  last_used_at: nullable(time("To the minute.")),
};

export const ApiKey = Type.Object(key, { $id: "ApiKey" });
export const NewApiKey = Type.Object(
  { ...key, key: Type.String({ description: "Shown only in this answer." }) },
  { $id: "NewApiKey" },
);

export function keyOnWire(row: ApiKeyRow): Static<typeof ApiKey> {
  return {
    id: row.id,
    name: row.name,
    scope: row.scope,
    agent: row.agentId,
    key_prefix: row.keyPrefix,
    created_at: row.createdAt.toISOString(),
    expires_at: row.expiresAt?.toISOString() ?? null,
    last_used_at: row.lastUsedAt?.toISOString() ?? null,
  };
}

export const User = Type.Object(
  {
    id: Type.String(),
    email: Type.String(),
    name: Type.String(),
    created_at: time(),
    paused: Type.Boolean({ description: "Outbound mail of all agents is frozen." }),
  },
  { $id: "User" },
);

export function userOnWire(row: UserRow): Static<typeof User> {
  const { id, email, name, paused } = row;
  return { id, email, name, created_at: row.createdAt.toISOString(), paused };
}

export const Problem = Type.Object(
  {
    type: Type.String({ format: "uri-reference" }),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    code: Type.String({ description: "Stable; decide by it." }),
    fix: Type.Optional(Type.String({ description: "What to do next, in one sentence." })),
    request_id: Type.String(),
    errors: Type.Optional(Type.Array(Type.Object({ field: Type.String(), message: Type.String() }))),
  },
  { $id: "Problem" },
);

export function bare(mailboxes: Mailbox[]): string[] {
  return mailboxes.map((mailbox) => mailbox.address);
}
