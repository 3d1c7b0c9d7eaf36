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
} from "../mail.ts";

export interface Agent {
  id: string;
  domain: string;
  email: string;
  name: string;
  webhook_url: string | null;
  agent_mode: AgentMode;
  domain_verified: boolean;
  created_at: string;
  hitl_enabled: boolean;
  paused?: boolean;
}

export interface AgentChange {
  name?: string;
  webhook_url?: string;
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
}

export interface Domain {
  domain: string;
  verified: boolean;
  verification_token: string;
  dns_records: Record<string, DnsRecord | DnsRecord[]>;
  created_at: string;
  verified_at?: string | null;
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
  status: ReadStatus;
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
  status: OutboundStatus;
  approval_expires_at?: string | null;
  created_at: string;
  email_message_id?: string | null;
  body_text?: string;
  body_html?: string | null;
  attachments?: Attachment[];
  method?: Method | null;
  hold?: Hold | null;
  recipients: Recipient[];
}

export interface OutboxFilter {
  status?: OutboundStatus;
  agent?: string;
}

export interface OutboxPage {
  messages: Outbound[];
  next_token?: string;
}
