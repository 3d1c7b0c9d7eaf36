import { sql } from "drizzle-orm";
import type {
  AgentMode,
  Attachment,
  GateRules,
  HeaderField,
  HitlExpirationAction,
  Mailbox,
  Method,
  OutboundStatus,
  OutboundType,
  RecipientStatus,
} from "../mail.ts";
import type { deliveryStatuses } from "../wire/delivery.ts";
import type { EventType } from "../wire/event-types.ts";
import type { EventData } from "../wire/events.ts";
import type { Kit } from "./engine/kit.ts";
import { type MailContent, type MessageRow, messagesTable } from "./mail/received.ts";

export type { MailContent, MessageRow };

export type KeyScope = "account" | "agent";
export type DeliveryStatus = (typeof deliveryStatuses)[number];

/** What an agent wrote, in full, as clients and reviewers read it; the composed bytes are in `outboundRaw`. */
export interface OutboundContent {
  from: Mailbox;
  replyTo: Mailbox[];
  to: Mailbox[];
  cc: Mailbox[];
  bcc: Mailbox[];
  text: string;
  html: string | null;
  attachments: Attachment[];
  inReplyTo: string | null;
  references: string[];
  headers: HeaderField[];
  /** The conversation of the message it replies to or forwards, if the agent filed it in another one. */
  originalConversation?: string;
}

/** `approval`: the agent's mail is always held. `loop`: the loop breaker. The others: the gate's (`GateRules`). */
export type HoldRule = "approval" | "loop" | Exclude<keyof GateRules, "patterns"> | "pattern";

/** Why a message waits for a decision. */
export interface Hold {
  rule: HoldRule;
  /** One sentence. */
  reason: string;
}

/** What a reviewer sees of a held message besides its own text: computed once, and bounded. */
export interface HeldReview {
  /** The hash of the content it was computed from. */
  contentHash: string;
  /** Links in the mail, as `linksOf` returns them; `moreLinks` counts those left out. */
  links: { text: string; host: string; url: string }[];
  moreLinks: number;
  /** The HTML as text; null if there is no HTML. */
  htmlText: string | null;
  /** Whether the HTML reads the same as the text; `notes` are further remarks on it, as sentences. */
  isSame: boolean;
  notes: string[];
  /** Attachments that are text, by index. `moreChars` counts the characters left out. */
  attachmentTexts: { index: number; text: string; moreChars: number }[];
  /** Parts that the server cannot read as text. */
  unsearched: { name: string; why: string }[];
}

/** A message as it was before a reviewer changed it. */
export type OriginalContent = OutboundContent & { subject: string };
export type AuditAction =
  | "approve"
  | "edit_approve"
  | "reject"
  | "expire_approve"
  | "expire_reject"
  | "release"
  | "undo";
/** The channel that a decision came by. */
export type DecisionChannel = "api" | "session" | "cli" | "link" | "expiry";

/** `ready`: claimed when due. `done`: not tried again. */
export type QueueState = "ready" | "held" | "paused" | "done";
export type RecipientKind = "to" | "cc" | "bcc";
export type SuppressionReason = "bounce" | "complaint" | "manual";

/**
 * Declares every table once for both databases. The DDL is in migrations/sqlite and migrations/postgres; the contract
 * suite fails if a column declared here is missing there.
 */
export function schema(k: Kit) {
  return {
    /** Facts about the database itself. */
    meta: k.table("meta", {
      key: k.text("key").primaryKey(),
      value: k.text("value").notNull(),
    }),

    users: k.table("users", {
      id: k.text("id").primaryKey(),
      email: k.text("email").notNull(),
      name: k.text("name").notNull(),
      /** All outbound mail of the account is frozen. */
      paused: k.bool("paused").notNull(),
      createdAt: k.time("created_at").notNull(),
    }),

    apiKeys: k.table("api_keys", {
      id: k.text("id").primaryKey(),
      userId: k.text("user_id").notNull(),
      name: k.text("name").notNull(),
      scope: k.text("scope").$type<KeyScope>().notNull(),
      agentId: k.text("agent_id"),
      /** Lower-hex SHA-256 of the key; the key itself is never stored. */
      keyHash: k.text("key_hash").notNull(),
      keyPrefix: k.text("key_prefix").notNull(),
      createdAt: k.time("created_at").notNull(),
      expiresAt: k.time("expires_at"),
      lastUsedAt: k.time("last_used_at"),
    }),

    sessions: k.table("sessions", {
      id: k.text("id").primaryKey(),
      userId: k.text("user_id").notNull(),
      tokenHash: k.text("token_hash").notNull(),
      /** The API key that opened the session; revoking the key ends the session. */
      keyId: k.text("key_id"),
      /** The browser's User-Agent when it signed in. */
      userAgent: k.text("user_agent"),
      /** The address it was last used from. */
      ip: k.text("ip"),
      createdAt: k.time("created_at").notNull(),
      expiresAt: k.time("expires_at").notNull(),
      lastUsedAt: k.time("last_used_at"),
    }),

    signInTokens: k.table("sign_in_tokens", {
      tokenHash: k.text("token_hash").primaryKey(),
      /** The account it signs in; null if it creates the server's first account. */
      userId: k.text("user_id"),
      /** The path on this server that the browser is sent to afterwards. */
      returnTo: k.text("return_to").notNull(),
      createdAt: k.time("created_at").notNull(),
      expiresAt: k.time("expires_at").notNull(),
    }),

    signingSecrets: k.table("signing_secrets", {
      id: k.text("id").primaryKey(),
      userId: k.text("user_id").notNull(),
      name: k.text("name").notNull(),
      /** The 64-character secret, sealed by the vault with the row's id as context. */
      sealed: k.bytes("sealed").notNull(),
      secretPrefix: k.text("secret_prefix").notNull(),
      createdAt: k.time("created_at").notNull(),
      lastSignedAt: k.time("last_signed_at"),
    }),

    domains: k.table("domains", {
      id: k.text("id").primaryKey(),
      /** Null for the shared domain, which belongs to the server. */
      userId: k.text("user_id"),
      domain: k.text("domain").notNull(),
      verificationToken: k.text("verification_token").notNull(),
      /** Outbound mail of the domain's agents is frozen. */
      paused: k.bool("paused").notNull(),
      createdAt: k.time("created_at").notNull(),
      verifiedAt: k.time("verified_at"),
      /** When its records are looked up next; null means now. */
      checkDueAt: k.time("check_due_at"),
      /** Names of the records that DNS has had: only a record seen before can be lost. */
      seenRecords: k.json<string[]>("seen_records").notNull(),
      /** When a record was first found missing; a second look-up decides. */
      suspectSince: k.time("suspect_since"),
      /** When the owner was told that records are missing. */
      degradedAt: k.time("degraded_at"),
    }),

    dkimKeys: k.table("dkim_keys", {
      id: k.text("id").primaryKey(),
      domainId: k.text("domain_id").notNull(),
      selector: k.text("selector").notNull(),
      algorithm: k.text("algorithm").$type<"rsa-sha256" | "ed25519-sha256">().notNull(),
      /** Base64 of the public key as the p= tag wants it (RFC 6376 3.6.1, RFC 8463 4). */
      publicKey: k.text("public_key").notNull(),
      /** PKCS #8 PEM, sealed by the vault with the row's id as context. */
      sealedPrivateKey: k.bytes("sealed_private_key").notNull(),
      createdAt: k.time("created_at").notNull(),
    }),

    agents: k.table("agents", {
      /** The lower-cased address. */
      id: k.text("id").primaryKey(),
      userId: k.text("user_id").notNull(),
      domain: k.text("domain").notNull(),
      name: k.text("name").notNull(),
      webhookUrl: k.text("webhook_url").notNull(),
      mode: k.text("mode").$type<AgentMode>().notNull(),
      /** A role mailbox (postmaster@): readable by the owner, not listed as an agent. */
      role: k.bool("role").notNull(),
      paused: k.bool("paused").notNull(),
      hitlEnabled: k.bool("hitl_enabled").notNull(),
      hitlTtlSeconds: k.int("hitl_ttl_seconds").notNull(),
      hitlExpirationAction: k.text("hitl_expiration_action").$type<HitlExpirationAction>().notNull(),
      hitlNotifyEmail: k.bool("hitl_notify_email").notNull(),
      /** What is held; null holds every message. Ignored while the gate is off. */
      hitlRules: k.json<GateRules>("hitl_rules"),
      /** Addresses and whole domains that the gate lets through. */
      hitlAllow: k.json<string[]>("hitl_allow").notNull(),
      /** Reviewers besides the account's own address. */
      hitlReviewers: k.json<string[]>("hitl_reviewers").notNull(),
      /** How long mail waits before it leaves, during which it can be cancelled. */
      undoSeconds: k.int("undo_seconds").notNull(),
      /** For the agent's own webhook, the same as `webhooks.failingSince`. */
      webhookFailingSince: k.time("webhook_failing_since"),
      webhookLastFailedAt: k.time("webhook_last_failed_at"),
      webhookDisabledAt: k.time("webhook_disabled_at"),
      webhookDisabledReason: k.text("webhook_disabled_reason"),
      /** Sequence number of the agent's newest message; its row lock makes `messages.seq` follow commit order. */
      lastSeq: k.int("last_seq").notNull(),
      createdAt: k.time("created_at").notNull(),
    }),

    /** Addresses of deleted agents on the server's own domains. Only the account that had one can take it again. */
    reservedAddresses: k.table("reserved_addresses", {
      address: k.text("address").primaryKey(),
      /** Lower-hex SHA-256 of the account's email address, so that the reservation outlives the account. */
      ownerHash: k.text("owner_hash").notNull(),
      releasedAt: k.time("released_at").notNull(),
    }),

    rawMail: k.table("raw_mail", {
      /** Lower-hex SHA-256 of `bytes`: the key, and the signed body hash. */
      sha256: k.text("sha256").primaryKey(),
      bytes: k.bytes("bytes").notNull(),
      content: k.json<MailContent>("content").notNull(),
      createdAt: k.time("created_at").notNull(),
    }),

    messages: messagesTable(k),

    outboundMessages: k.table("outbound_messages", {
      id: k.text("id").primaryKey(),
      agentId: k.text("agent_id").notNull(),
      userId: k.text("user_id").notNull(),
      type: k.text("type").$type<OutboundType>().notNull(),
      /** Derived from the recipients' statuses until a decision sets it; stored so that lists can filter by it. */
      status: k.text("status").$type<OutboundStatus>().notNull(),
      conversationId: k.text("conversation_id").notNull(),
      emailMessageId: k.text("email_message_id").notNull(),
      /** The request's Idempotency-Key, as in `idempotencyKeys`: a repetition finds the message by it. */
      idempotencyKey: k.text("idempotency_key"),
      /** SHA-256 over the request that created it; null for the server's own mail. */
      requestHash: k.text("request_hash"),
      /** The API key or session of that request. */
      requestBy: k.text("request_by"),
      /** When the client got a final answer. Until then, and for a while after, a repetition finds this message. */
      answeredAt: k.time("answered_at"),
      subject: k.text("subject").notNull(),
      snippet: k.text("snippet").notNull(),
      content: k.json<OutboundContent>("content").notNull(),
      hold: k.json<Hold>("hold"),
      /** It answers a message of its conversation: what the loop breaker counts. */
      isAnswer: k.bool("is_answer").notNull(),
      /** What the loop breaker counted: `conversation <id>` or `address <address>`. */
      loopKey: k.text("loop_key"),
      approvalExpiresAt: k.time("approval_expires_at"),
      /** SHA-256 over recipients and bytes; a decision applies to exactly this content. */
      contentHash: k.text("content_hash").notNull(),
      /** What the agent wrote, if a reviewer changed it. */
      original: k.json<OriginalContent>("original"),
      reviewedAt: k.time("reviewed_at"),
      /** Who decided: an address, or `expiry`. */
      reviewedBy: k.text("reviewed_by"),
      rejectionReason: k.text("rejection_reason"),
      /** When the reviewers must be told; while they are being told, it is moved on as a lease. */
      noticeDueAt: k.time("notice_due_at"),
      /** When they were told, or when telling them began. */
      notifiedAt: k.time("notified_at"),
      /** What its reviewers are shown; null until it is held, and until it is first looked at. */
      review: k.json<HeldReview>("review"),
      /** Its place in the agent's pace: it is not tried earlier. */
      notBefore: k.time("not_before").notNull(),
      createdAt: k.time("created_at").notNull(),
    }),

    outboundRaw: k.table("outbound_raw", {
      messageId: k.text("message_id").primaryKey(),
      /** As composed, without DKIM-Signature: each try adds its own. */
      bytes: k.bytes("bytes").notNull(),
    }),

    /** One row for each recipient: the outbound queue, and each recipient's outcome. */
    outboundRecipients: k.table("outbound_recipients", {
      messageId: k.text("message_id").notNull(),
      /** 0, 1, 2 …: its place in the message and in the return path. */
      n: k.int("n").notNull(),
      agentId: k.text("agent_id").notNull(),
      /** The account whose turn it takes when it leaves. */
      userId: k.text("user_id").notNull(),
      address: k.text("address").notNull(),
      kind: k.text("kind").$type<RecipientKind>().notNull(),
      /** The agent had neither written to this address nor heard from it when it submitted the message. */
      firstTime: k.bool("first_time").notNull(),
      /** It answers a message of this address, or is a reply that also goes there: what the loop breaker counts. */
      isAnswer: k.bool("is_answer").notNull(),
      status: k.text("status").$type<RecipientStatus>().notNull(),
      queue: k.text("queue").$type<QueueState>().notNull(),
      /** The route: `relay`, `capture` or an upstream's name. A lane that is down does not delay the others. */
      lane: k.text("lane").notNull(),
      /** How it left. */
      method: k.text("method").$type<Method>(),
      /** Answers about this recipient so far; an upstream that is down gives none. */
      attempts: k.int("attempts").notNull(),
      nextAttemptAt: k.time("next_attempt_at").notNull(),
      leaseToken: k.text("lease_token"),
      /** The last reply of the next host, or the one its bounce reports. */
      smtpReply: k.text("smtp_reply"),
      /** The upstream's id of the message, or the Message-ID, without brackets, under which it sent the message. */
      providerMessageId: k.text("provider_message_id"),
      /** The Message-ID, with brackets, by which the upstream replaced ours; null if it is not known to have done so. */
      sentAs: k.text("sent_as"),
      /** Why it cannot leave, one sentence, if no reply says so. */
      error: k.text("error"),
      createdAt: k.time("created_at").notNull(),
      /** When its status last changed. */
      updatedAt: k.time("updated_at").notNull(),
    }),

    /** An agent's correspondents. An address without `leftAt` and `heardAt` is a first-time recipient. */
    correspondents: k.table("correspondents", {
      agentId: k.text("agent_id").notNull(),
      address: k.text("address").notNull(),
      createdAt: k.time("created_at").notNull(),
      /** When mail first left for it; null if all of it came back. */
      leftAt: k.time("left_at"),
      /** When mail proven to be from it first arrived. */
      heardAt: k.time("heard_at"),
    }),

    /** An agent's conversations and addresses with mail from an unproven sender. Outlives that mail. */
    unproven: k.table("unproven", {
      agentId: k.text("agent_id").notNull(),
      /** `conversation <id>` or `address <address>`. */
      key: k.text("key").notNull(),
      /** When the latest such mail arrived. */
      lastAt: k.time("last_at").notNull(),
    }),

    /** Messages of an account per minute or day: `minute <user>`, `day <user>`, `new <user>`. */
    sendCounts: k.table("send_counts", {
      key: k.text("key").notNull(),
      /** Milliseconds since the epoch at which the minute or day begins. */
      bucket: k.int("bucket").notNull(),
      count: k.int("count").notNull(),
    }),

    /** When a person last released a loop: mail sent before that does not count. */
    loopReleases: k.table("loop_releases", {
      agentId: k.text("agent_id").notNull(),
      loopKey: k.text("loop_key").notNull(),
      releasedAt: k.time("released_at").notNull(),
    }),

    suppressions: k.table("suppressions", {
      userId: k.text("user_id").notNull(),
      address: k.text("address").notNull(),
      reason: k.text("reason").$type<SuppressionReason>().notNull(),
      /** The reply or report that caused it, or a note written by a person. */
      detail: k.text("detail").notNull(),
      messageId: k.text("message_id"),
      createdAt: k.time("created_at").notNull(),
    }),

    /** Decisions on held mail. Entries are never changed. */
    audit: k.table("audit", {
      id: k.text("id").primaryKey(),
      userId: k.text("user_id").notNull(),
      agentId: k.text("agent_id").notNull(),
      messageId: k.text("message_id").notNull(),
      action: k.text("action").$type<AuditAction>().notNull(),
      /** An address, or `expiry`. */
      decidedBy: k.text("decided_by").notNull(),
      how: k.text("how").$type<DecisionChannel>().notNull(),
      ip: k.text("ip"),
      contentHash: k.text("content_hash").notNull(),
      /** The reason for a rejection; for an edit, the earlier content and the parts that changed. */
      detail: k.json<Record<string, unknown>>("detail"),
      createdAt: k.time("created_at").notNull(),
    }),

    messageLabels: k.table("message_labels", {
      messageId: k.text("message_id").notNull(),
      label: k.text("label").notNull(),
    }),

    /**
     * The event log, read in order of `xid`, then `seq`. On Postgres an event can commit after a newer one, but no
     * event can still appear below the oldest running transaction. The database assigns both numbers.
     */
    events: k.table("events", {
      id: k.text("id").notNull(),
      /** The transaction that wrote it; 0 on SQLite, which has one writer. */
      xid: k.int("xid").notNull().default(0),
      seq: k.int("seq").notNull().default(sql`null`),
      userId: k.text("user_id").notNull(),
      agentId: k.text("agent_id"),
      type: k.text("type").$type<EventType>().notNull(),
      data: k.json<EventData[EventType]>("data").notNull(),
      createdAt: k.time("created_at").notNull(),
    }),

    /** Endpoints of an account, for the events it chooses. */
    webhooks: k.table("webhooks", {
      id: k.text("id").primaryKey(),
      userId: k.text("user_id").notNull(),
      url: k.text("url").notNull(),
      /** The event types it receives; an empty list means all. */
      events: k.json<EventType[]>("events").notNull(),
      /** The agents whose events it receives; an empty list means all, and events about no agent. */
      agents: k.json<string[]>("agents").notNull(),
      description: k.text("description").notNull(),
      /** When attempts began to fail without a success since; null while it is healthy. */
      failingSince: k.time("failing_since"),
      lastFailedAt: k.time("last_failed_at"),
      disabledAt: k.time("disabled_at"),
      disabledReason: k.text("disabled_reason"),
      createdAt: k.time("created_at").notNull(),
      updatedAt: k.time("updated_at").notNull(),
    }),

    deliveries: k.table("deliveries", {
      id: k.text("id").primaryKey(),
      userId: k.text("user_id").notNull(),
      /** The agent that the event is about, if any. */
      agentId: k.text("agent_id"),
      eventId: k.text("event_id").notNull(),
      eventType: k.text("event_type").$type<EventType>().notNull(),
      /** The message that an agent's own webhook receives; null for an account's webhook, which receives the event. */
      messageId: k.text("message_id"),
      /** The endpoint's id; for an agent's own webhook, the agent's address. */
      endpointId: k.text("endpoint_id").notNull(),
      status: k.text("status").$type<DeliveryStatus>().notNull(),
      /** Attempts made so far. */
      attempts: k.int("attempts").notNull(),
      /** When it is due. A claim moves it to the end of the lease, so a crashed claimer's work is due again then. */
      nextAttemptAt: k.time("next_attempt_at").notNull(),
      /** The holder of the lease; only it can record the outcome. */
      leaseToken: k.text("lease_token"),
      lastStatus: k.int("last_status"),
      lastError: k.text("last_error"),
      createdAt: k.time("created_at").notNull(),
      finishedAt: k.time("finished_at"),
    }),

    deliveryAttempts: k.table("delivery_attempts", {
      deliveryId: k.text("delivery_id").notNull(),
      attempt: k.int("attempt").notNull(),
      startedAt: k.time("started_at").notNull(),
      durationMs: k.int("duration_ms").notNull(),
      status: k.int("status"),
      error: k.text("error"),
      /** The first KiB of the response. */
      answer: k.text("answer"),
    }),

    idempotencyKeys: k.table("idempotency_keys", {
      userId: k.text("user_id").notNull(),
      /** The key as its caller sent it; for an agent's API key, prefixed with the agent's address and a line end. */
      key: k.text("key").notNull(),
      requestHash: k.text("request_hash").notNull(),
      /** Null while the first request is still running. */
      status: k.int("status"),
      body: k.text("body"),
      createdAt: k.time("created_at").notNull(),
    }),

    /** Requests of each key per minute, for limits that hold across all nodes. */
    requestCounts: k.table("request_counts", {
      key: k.text("key").notNull(),
      /** Minutes since the epoch. */
      minute: k.int("minute").notNull(),
      count: k.int("count").notNull(),
    }),
  };
}

export type Tables = ReturnType<typeof schema>;
export type UserRow = Tables["users"]["$inferSelect"];
export type ApiKeyRow = Tables["apiKeys"]["$inferSelect"];
export type SessionRow = Tables["sessions"]["$inferSelect"];
export type SignInTokenRow = Tables["signInTokens"]["$inferSelect"];
export type SigningSecretRow = Tables["signingSecrets"]["$inferSelect"];
export type DomainRow = Tables["domains"]["$inferSelect"];
export type DkimKeyRow = Tables["dkimKeys"]["$inferSelect"];
export type AgentRow = Tables["agents"]["$inferSelect"];
export type OutboundRow = Tables["outboundMessages"]["$inferSelect"];
export type RecipientRow = Tables["outboundRecipients"]["$inferSelect"];
export type AuditRow = Tables["audit"]["$inferSelect"];
export type SuppressionRow = Tables["suppressions"]["$inferSelect"];
export type EventRow = Tables["events"]["$inferSelect"];
export type WebhookRow = Tables["webhooks"]["$inferSelect"];
export type DeliveryRow = Tables["deliveries"]["$inferSelect"];
export type DeliveryAttemptRow = Tables["deliveryAttempts"]["$inferSelect"];
