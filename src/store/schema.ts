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

/** What an agent said, whole, for people and programs that ask; the bytes are beside it. */
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
  /** The conversation of what it answers or passes on, where the agent filed it in another one. */
  originalConversation?: string;
}

/** `approval`: every message of the agent waits. `loop`: the loop breaker. The others are the gate's (`GateRules`). */
export type HoldRule = "approval" | "loop" | Exclude<keyof GateRules, "patterns"> | "pattern";

/** Why a message waits for somebody's decision. */
export interface Hold {
  rule: HoldRule;
  /** One sentence. */
  reason: string;
}

/** What a reviewer is shown of a held message beside what it says itself: made from it once, bounded. */
export interface HeldReview {
  /** Of the content that it was made from. */
  contentHash: string;
  /** Ways out of the mail, as `linksOf` gives them; `moreLinks` counts what is left out. */
  links: { text: string; host: string; url: string }[];
  moreLinks: number;
  /** The HTML as text; null without HTML. */
  htmlText: string | null;
  /** Whether the HTML says to its reader what the text says, and what else is to be said about it, in sentences. */
  isSame: boolean;
  notes: string[];
  /** Attachments that are text, by their index. `moreChars` are left out. */
  attachmentTexts: { index: number; text: string; moreChars: number }[];
  /** Parts that nobody here can read as text. */
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
/** By which way a decision came. */
export type DecisionChannel = "api" | "session" | "cli" | "link" | "expiry";

/** `ready`: to be claimed when due. `done`: nothing more will be tried. */
export type QueueState = "ready" | "held" | "paused" | "done";
export type RecipientKind = "to" | "cc" | "bcc";
export type SuppressionReason = "bounce" | "complaint" | "manual";

/**
 * Every table, declared once for both databases. The DDL is in migrations/sqlite and
 * migrations/postgres; the contract suite fails when a column here is missing there.
 */
export function schema(k: Kit) {
  return {
    /** Facts about this database itself. */
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
      /** The API key that it was opened with: it ends with that key. */
      keyId: k.text("key_id"),
      /** What the browser said it is, when it signed in. */
      userAgent: k.text("user_agent"),
      /** The address from which it was last used. */
      ip: k.text("ip"),
      createdAt: k.time("created_at").notNull(),
      expiresAt: k.time("expires_at").notNull(),
      lastUsedAt: k.time("last_used_at"),
    }),

    signInTokens: k.table("sign_in_tokens", {
      tokenHash: k.text("token_hash").primaryKey(),
      /** Whom it signs in; null for the server's first account, which it makes when there is none. */
      userId: k.text("user_id"),
      /** A path of this server: where the browser goes then. */
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
      /** Outbound mail of its agents is frozen. */
      paused: k.bool("paused").notNull(),
      createdAt: k.time("created_at").notNull(),
      verifiedAt: k.time("verified_at"),
      /** When its records are looked up again; null is now. */
      checkDueAt: k.time("check_due_at"),
      /** Names of the records that DNS has had: only what was there can be gone. */
      seenRecords: k.json<string[]>("seen_records").notNull(),
      /** Since when one of them is gone, until a second look. */
      suspectSince: k.time("suspect_since"),
      /** Since when the owner has been told of it. */
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
      /** What is held; null holds everything. Means nothing while the gate is off. */
      hitlRules: k.json<GateRules>("hitl_rules"),
      /** Addresses and whole domains that pass the gate. */
      hitlAllow: k.json<string[]>("hitl_allow").notNull(),
      /** Who is asked, beside the account's own address. */
      hitlReviewers: k.json<string[]>("hitl_reviewers").notNull(),
      /** How long mail waits before it leaves, so that it can be cancelled. */
      undoSeconds: k.int("undo_seconds").notNull(),
      /** As of an account's webhook, for the agent's own. */
      webhookFailingSince: k.time("webhook_failing_since"),
      webhookLastFailedAt: k.time("webhook_last_failed_at"),
      webhookDisabledAt: k.time("webhook_disabled_at"),
      webhookDisabledReason: k.text("webhook_disabled_reason"),
      /** Sequence number of the agent's newest message; its row lock makes `messages.seq` follow commit order. */
      lastSeq: k.int("last_seq").notNull(),
      createdAt: k.time("created_at").notNull(),
    }),

    /** Addresses of deleted agents on the server's own domains, which only the account that had them may take again. */
    reservedAddresses: k.table("reserved_addresses", {
      address: k.text("address").primaryKey(),
      /** Lower-hex SHA-256 of the account's address, so that it outlives the account. */
      ownerHash: k.text("owner_hash").notNull(),
      releasedAt: k.time("released_at").notNull(),
    }),

    rawMail: k.table("raw_mail", {
      /** Lower-hex SHA-256 of `bytes`: the key, and the body hash that is signed. */
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
      /** Follows from the recipients' unless somebody decided; kept, so that it can be listed by. */
      status: k.text("status").$type<OutboundStatus>().notNull(),
      conversationId: k.text("conversation_id").notNull(),
      emailMessageId: k.text("email_message_id").notNull(),
      /** The Idempotency-Key it came with, as `idempotencyKeys` has it: the same request finds it, even when its answer was lost. */
      idempotencyKey: k.text("idempotency_key"),
      /** SHA-256 over the request it came with; null for the server's own mail. */
      requestHash: k.text("request_hash"),
      /** The API key or session of that request. */
      requestBy: k.text("request_by"),
      /** When a final answer was handed to the client. Until then, and for a while, the same request means this message. */
      answeredAt: k.time("answered_at"),
      subject: k.text("subject").notNull(),
      snippet: k.text("snippet").notNull(),
      content: k.json<OutboundContent>("content").notNull(),
      hold: k.json<Hold>("hold"),
      /** What the loop breaker counted: `conversation <id>` or `address <address>`. */
      loopKey: k.text("loop_key"),
      approvalExpiresAt: k.time("approval_expires_at"),
      /** SHA-256 over recipients and bytes: what a decision is about. */
      contentHash: k.text("content_hash").notNull(),
      /** What the agent wrote, when a reviewer changed it. */
      original: k.json<OriginalContent>("original"),
      reviewedAt: k.time("reviewed_at"),
      /** Who decided: an address, or `expiry`. */
      reviewedBy: k.text("reviewed_by"),
      rejectionReason: k.text("rejection_reason"),
      /** When the reviewers are to be told; moved on as a lease while they are. */
      noticeDueAt: k.time("notice_due_at"),
      /** When they were told, or somebody set about it. */
      notifiedAt: k.time("notified_at"),
      /** What its reviewers are shown; null until it is held, and when nobody has looked yet. */
      review: k.json<HeldReview>("review"),
      /** Its place in the pace of the agent: not tried before. */
      notBefore: k.time("not_before").notNull(),
      createdAt: k.time("created_at").notNull(),
    }),

    outboundRaw: k.table("outbound_raw", {
      messageId: k.text("message_id").primaryKey(),
      /** As composed, without DKIM-Signature, which is made for each try. */
      bytes: k.bytes("bytes").notNull(),
    }),

    /** One row for each recipient: the queue of mail out, and what became of it. */
    outboundRecipients: k.table("outbound_recipients", {
      messageId: k.text("message_id").notNull(),
      /** 0, 1, 2 …: its place in the message, and in its return path. */
      n: k.int("n").notNull(),
      agentId: k.text("agent_id").notNull(),
      /** Whose turn it is when it leaves. */
      userId: k.text("user_id").notNull(),
      address: k.text("address").notNull(),
      kind: k.text("kind").$type<RecipientKind>().notNull(),
      /** The agent had neither written to nor heard from this address when it handed the message in. */
      firstTime: k.bool("first_time").notNull(),
      status: k.text("status").$type<RecipientStatus>().notNull(),
      queue: k.text("queue").$type<QueueState>().notNull(),
      /** Which way it goes: `relay`, `capture` or an upstream's name. A lane that is down holds up no other. */
      lane: k.text("lane").notNull(),
      /** How it left. */
      method: k.text("method").$type<Method>(),
      /** Answers about this recipient so far; an upstream that is down gives none. */
      attempts: k.int("attempts").notNull(),
      nextAttemptAt: k.time("next_attempt_at").notNull(),
      leaseToken: k.text("lease_token"),
      /** The last reply of the next host, or of its bounce. */
      smtpReply: k.text("smtp_reply"),
      /** What keeps it from leaving, one sentence, when no reply says so. */
      error: k.text("error"),
      createdAt: k.time("created_at").notNull(),
      /** When its status last changed. */
      updatedAt: k.time("updated_at").notNull(),
    }),

    /** Whom an agent writes to and hears from. Everybody without a `leftAt` or `heardAt` is a first-time recipient. */
    correspondents: k.table("correspondents", {
      agentId: k.text("agent_id").notNull(),
      address: k.text("address").notNull(),
      createdAt: k.time("created_at").notNull(),
      /** When mail first went to it; null when all of it came back. */
      leftAt: k.time("left_at"),
      /** When mail that proved to be from it first came. */
      heardAt: k.time("heard_at"),
    }),

    /** Conversations and addresses of an agent with mail whose sender is not proven. Outlives that mail. */
    unproven: k.table("unproven", {
      agentId: k.text("agent_id").notNull(),
      /** `conversation <id>` or `address <address>`. */
      key: k.text("key").notNull(),
      /** When the latest such mail came. */
      lastAt: k.time("last_at").notNull(),
    }),

    /** Messages of an account in a minute or a day: `minute <user>`, `day <user>`, `new <user>`. */
    sendCounts: k.table("send_counts", {
      key: k.text("key").notNull(),
      /** Milliseconds since the epoch at which the minute or day begins. */
      bucket: k.int("bucket").notNull(),
      count: k.int("count").notNull(),
    }),

    /** When a person last let a loop go on: what was sent before does not count any more. */
    loopReleases: k.table("loop_releases", {
      agentId: k.text("agent_id").notNull(),
      loopKey: k.text("loop_key").notNull(),
      releasedAt: k.time("released_at").notNull(),
    }),

    suppressions: k.table("suppressions", {
      userId: k.text("user_id").notNull(),
      address: k.text("address").notNull(),
      reason: k.text("reason").$type<SuppressionReason>().notNull(),
      /** The reply or report that led to it, or a person's note. */
      detail: k.text("detail").notNull(),
      messageId: k.text("message_id"),
      createdAt: k.time("created_at").notNull(),
    }),

    /** Decisions about held mail. Never changed. */
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
      /** The reason of a rejection; for an edit, what was there before and which parts it changed. */
      detail: k.json<Record<string, unknown>>("detail"),
      createdAt: k.time("created_at").notNull(),
    }),

    messageLabels: k.table("message_labels", {
      messageId: k.text("message_id").notNull(),
      label: k.text("label").notNull(),
    }),

    /**
     * The event log, read in the order of `xid`, then `seq`: on Postgres an event can be committed after one that is newer,
     * but nothing that is older than every running transaction can appear any more. The databases number both.
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

    /** Endpoints of an account, for events of its choice. */
    webhooks: k.table("webhooks", {
      id: k.text("id").primaryKey(),
      userId: k.text("user_id").notNull(),
      url: k.text("url").notNull(),
      /** Which types it gets; none named means all. */
      events: k.json<EventType[]>("events").notNull(),
      /** Of which agents; none named means all of the account, and what is about no agent. */
      agents: k.json<string[]>("agents").notNull(),
      description: k.text("description").notNull(),
      /** Since when every attempt has failed; null while it is well. */
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
      /** The agent that the event is about; null when it is about none. */
      agentId: k.text("agent_id"),
      eventId: k.text("event_id").notNull(),
      eventType: k.text("event_type").$type<EventType>().notNull(),
      /** What an agent's own webhook gets; null for an account's, which gets the event. */
      messageId: k.text("message_id"),
      /** The endpoint's id; an agent's own webhook has the agent's address. */
      endpointId: k.text("endpoint_id").notNull(),
      status: k.text("status").$type<DeliveryStatus>().notNull(),
      /** Attempts made so far. */
      attempts: k.int("attempts").notNull(),
      /** When it is due. A claim moves it to the end of the lease, so a crashed claimer's work comes back by itself. */
      nextAttemptAt: k.time("next_attempt_at").notNull(),
      /** Who holds the lease; only the holder may record the outcome. */
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
      /** The first KiB of the answer. */
      answer: k.text("answer"),
    }),

    idempotencyKeys: k.table("idempotency_keys", {
      userId: k.text("user_id").notNull(),
      /** As its principal sent it: of an agent's key, behind the agent's address and a line end. */
      key: k.text("key").notNull(),
      requestHash: k.text("request_hash").notNull(),
      /** Null while the first request is still running. */
      status: k.int("status"),
      body: k.text("body"),
      createdAt: k.time("created_at").notNull(),
    }),

    /** Requests of each key in each minute, for limits that hold over all nodes. */
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
