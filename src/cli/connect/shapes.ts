/** The wire's shapes as commands use them; members that a server may omit are optional. */
import type { Static } from "@sinclair/typebox";
import type { AgentMode, Authentication, OutboundStatus, ReadStatus } from "../../mail.ts";
import type * as agent from "../../wire/agent.ts";
import type * as audit from "../../wire/audit.ts";
import type * as domain from "../../wire/domain.ts";
import type * as message from "../../wire/message.ts";
import type * as outbound from "../../wire/outbound.ts";
import type { EndpointStatus } from "./delivery-shapes.ts";
import type { Lenient } from "./lenient.ts";

export type Agent = Lenient<
  Omit<Static<typeof agent.Agent>, "webhook_url">,
  "id" | "domain" | "email" | "name" | "agent_mode" | "domain_verified" | "created_at" | "hitl_enabled"
> & { webhook_url: string | null };

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
  /** Absent from older servers, whose `host` is the whole name. */
  name?: string;
  value: string;
  priority?: number;
}

type WholeDomain = Static<typeof domain.Domain>;
type WholeCheck = NonNullable<WholeDomain["checks"]>[number];
export type RecordCheck = Lenient<Omit<WholeCheck, "record">, "status"> & { record: string };

export type Domain = Lenient<
  Omit<WholeDomain, "dns_records" | "checks">,
  "domain" | "verified" | "verification_token" | "created_at"
> & {
  dns_records: Record<string, DnsRecord | DnsRecord[]>;
  checks?: RecordCheck[];
};

export type MessageSummary = Lenient<
  Omit<Static<typeof message.MessageSummary>, "conversation_id">,
  "message_id" | "from" | "to" | "recipient" | "subject" | "status" | "created_at"
> & { conversation_id: string | null };

export type MessageDetail = MessageSummary &
  Lenient<
    Omit<Static<typeof message.MessageDetail>, keyof MessageSummary | "authentication">,
    "auth_headers" | "raw_message"
  > & { authentication?: Authentication };

/** A message that is attached to another. */
export type AttachedMessage = Static<typeof message.AttachedMessage>;

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

/** A file to send; `data` is base64. */
export interface NewAttachment {
  filename: string;
  content_type: string;
  data: string;
}

/** What a new mail, a reply and a forward have in common. */
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

/** The parts of the original to include: all of it as a message, its attachments, or none. */
export const inclusions = ["message", "attachments", "none"] as const;

export interface NewForward extends NewContent {
  to: string[];
  body?: string;
  include?: (typeof inclusions)[number];
}

export type Recipient = Lenient<Static<typeof outbound.Recipient>, "address" | "status" | "attempts" | "at">;

type WholeOutbound = Static<typeof outbound.Outbound>;
/** Why a mail is held. A newer server may have more rules. */
export type Hold = { rule: string; reason: string };
/** A link in a held mail; `host` is where it leads, whatever its text says. */
export type Link = NonNullable<WholeOutbound["links"]>[number];

/** The members of a mail that are looser here than on the wire. */
interface Loose {
  status: OutboundStatus;
  hold?: Hold;
  conversation_id?: string | null;
  approval_expires_at?: string | null;
}

/** The server's answer for a mail it accepted. */
export type Sent = Loose &
  Lenient<Omit<Static<typeof outbound.Sent>, keyof Loose | "recipients">, "message_id"> & { recipients?: Recipient[] };

export type Outbound = Loose &
  Lenient<
    Omit<WholeOutbound, keyof Loose | "recipients">,
    "id" | "agent_id" | "direction" | "subject" | "type" | "from" | "to" | "created_at"
  > & { recipients: Recipient[] };

/** A reviewer's changes; absent members stay unchanged. An empty `body_html` drops the HTML. */
export interface MailEdit {
  to?: string[];
  cc?: string[];
  bcc?: string[];
  subject?: string;
  body_text?: string;
  body_html?: string;
  attachments?: NewAttachment[];
}

/** A decision counts only while the mail has this content. */
export interface Bound {
  content_hash?: string;
}

export type Approved = Sent &
  Partial<Pick<Static<typeof outbound.Approved>, "edited" | "edited_parts" | "provider_message_id" | "content_hash">>;

/** What would happen to a mail if it were sent. */
export type Forecast = Lenient<Omit<Static<typeof outbound.Forecast>, "recipients" | "hold">, "decision"> & {
  hold?: Hold;
  recipients: Lenient<Static<typeof outbound.Forecast>["recipients"][number], "address">[];
};

export type AuditEntry = Lenient<Omit<Static<typeof audit.AuditEntry>, "action" | "how" | "detail">, "id" | "at"> & {
  action: string;
  how: string;
  detail?: unknown;
};

export interface AuditPage {
  entries: AuditEntry[];
  next_token?: string;
}

/** What can be paused: an agent, a domain, or the whole account. */
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
