/** The wire's shapes as the commands use them; members a server may leave out are optional. */
import type {
  AgentMode,
  Attachment,
  Authentication,
  HeaderField,
  Method,
  OutboundStatus,
  OutboundType,
  ReadStatus,
  RecipientStatus,
} from "../../mail.ts";
import type { EndpointStatus } from "./delivery-shapes.ts";

export interface Agent {
  id: string;
  domain: string;
  email: string;
  name: string;
  webhook_url: string | null;
  webhook_status?: EndpointStatus;
  webhook_failing_since?: string | null;
  webhook_disabled_reason?: string | null;
  agent_mode: AgentMode;
  domain_verified: boolean;
  created_at: string;
  hitl_enabled: boolean;
  paused?: boolean;
}

export interface AgentChange {
  name?: string;
  webhook_url?: string;
  webhook_status?: EndpointStatus;
  agent_mode?: AgentMode;
}

export interface NewAgent extends AgentChange {
  slug?: string;
  email?: string;
}

export interface DnsRecord {
  host: string;
  value: string;
  priority?: number;
}

export interface RecordCheck {
  record: string;
  status: "ok" | "missing" | "mismatch";
  found?: string | string[] | null;
  advice?: string | null;
  /** Publish this in place of all that was found. */
  merged?: string | null;
}

export interface Domain {
  domain: string;
  verified: boolean;
  verification_token: string;
  dns_records: Record<string, DnsRecord | DnsRecord[]>;
  created_at: string;
  verified_at?: string | null;
  paused?: boolean;
  checks?: RecordCheck[];
}

export interface MessageSummary {
  message_id: string;
  from: string;
  to: string[];
  cc?: string[];
  reply_to?: string[];
  recipient: string;
  subject: string;
  conversation_id: string | null;
  status: ReadStatus | OutboundStatus;
  created_at: string;
  direction?: "inbound" | "outbound";
  verified?: boolean | null;
  verified_domain?: string | null;
  snippet?: string;
  has_attachments?: boolean;
  auto_submitted?: string | null;
  list_id?: string | null;
  precedence?: string | null;
}

export interface MessageDetail extends MessageSummary {
  auth_headers: Record<string, string>;
  raw_message: string;
  text?: string;
  html?: string | null;
  attachments?: Attachment[];
  authentication?: Authentication;
  headers?: HeaderField[];
}

export interface MessageFilter {
  status?: ReadStatus | "all";
  direction?: "inbound" | "outbound";
  conversation_id?: string;
  q?: string;
  from?: string;
  since?: string;
}

export interface MessagePage {
  messages: MessageSummary[];
  next_token?: string;
}

/** A file on its way out; `data` is base64. */
export interface NewAttachment {
  filename: string;
  content_type: string;
  data: string;
}

/** What a mail, a reply and a forward have in common. */
export interface NewContent {
  cc?: string[];
  bcc?: string[];
  html_body?: string;
  attachments?: NewAttachment[];
}

export interface NewMail extends NewContent {
  from: string;
  to: string[];
  subject: string;
  body: string;
  conversation_id?: string;
  reply_to?: string[];
  headers?: Record<string, string>;
}

export interface NewReply extends NewContent {
  body: string;
  reply_all?: boolean;
  conversation_id?: string;
}

/** What of the original goes along: all of it as a message, its attachments, or nothing. */
export const inclusions = ["message", "attachments", "none"] as const;

export interface NewForward extends NewContent {
  to: string[];
  body?: string;
  include?: (typeof inclusions)[number];
}

export interface Recipient {
  address: string;
  status: RecipientStatus;
  method?: Method | null;
  smtp_reply?: string | null;
  error?: string | null;
  attempts: number;
  at: string;
  next_attempt_at?: string | null;
}

/** Why a mail waits for somebody. */
export interface Hold {
  rule: string;
  reason: string;
}

/** A link in a mail that waits; `host` is where it leads, whatever its text says. */
export interface Link {
  text: string;
  host: string;
  url: string;
}

/** What the server says to a mail it took. */
export interface Sent {
  message_id: string;
  status: OutboundStatus;
  method?: Method;
  email_message_id?: string;
  conversation_id?: string | null;
  approval_expires_at?: string | null;
  hold?: Hold;
  recipients?: Recipient[];
  /** Of a reply: whom it left out, and what to do. */
  fix?: string;
}

export interface Outbound {
  id: string;
  agent_id: string;
  direction: "outbound";
  subject: string;
  type: OutboundType;
  conversation_id?: string | null;
  from: string;
  to: string[];
  cc?: string[];
  bcc?: string[];
  reply_to?: string[];
  status: OutboundStatus;
  approval_expires_at?: string | null;
  created_at: string;
  email_message_id?: string | null;
  body_text?: string;
  body_html?: string | null;
  attachments?: Attachment[];
  method?: Method | null;
  hold?: Hold | null;
  /** Names exactly what would leave: a decision that carries it decides nothing else. */
  content_hash?: string | null;
  /** Recipients the agent had nothing to do with before. */
  first_time?: string[];
  links?: Link[];
  /** What leaves in the header beside the other members. */
  headers?: HeaderField[];
  /** Parts that nobody could search, while it waits. */
  unsearched?: { name: string; why: string }[];
  /** How its HTML differs from its text, and what it hides, while it waits. */
  review_notes?: string[];
  edited?: boolean;
  reviewed_at?: string | null;
  reviewed_by?: string | null;
  rejection_reason?: string | null;
  recipients: Recipient[];
}

/** What a reviewer changes; what is absent stays. An empty `body_html` drops the HTML. */
export interface MailEdit {
  to?: string[];
  cc?: string[];
  bcc?: string[];
  subject?: string;
  body_text?: string;
  body_html?: string;
  attachments?: NewAttachment[];
}

/** A decision counts only while the mail still has this content. */
export interface Bound {
  content_hash?: string;
}

export interface Approved extends Sent {
  edited?: boolean;
  /** In what it differs from what the agent wrote. */
  edited_parts?: string[];
}

export interface Rejected {
  message_id: string;
  status: OutboundStatus;
  rejection_reason?: string | null;
}

/** What would happen to a mail. */
export interface Forecast {
  decision: "send" | "hold";
  hold?: Hold | null;
  recipients: { address: string; method?: Method | null; first_time?: boolean }[];
}

export interface AuditEntry {
  id: string;
  at: string;
  action: string;
  by?: string | null;
  how: string;
  ip?: string | null;
  message_id?: string | null;
  agent_id?: string | null;
  content_hash?: string | null;
  detail?: unknown;
}

export interface AuditPage {
  entries: AuditEntry[];
  next_token?: string;
}

/** What can be paused: an agent, a domain, or with the account everything. */
export interface Pausable {
  paused?: boolean;
}

export interface OutboxFilter {
  status?: OutboundStatus;
  agent?: string;
}

export interface OutboxPage {
  messages: Outbound[];
  next_token?: string;
}
