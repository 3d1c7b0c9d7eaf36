/** The API's answers, as far as tools read them. */
import type { Authentication } from "../mail.ts";

export interface Summary {
  message_id: string;
  from: string;
  from_name: string;
  to: string[];
  cc?: string[];
  reply_to?: string[];
  subject: string;
  conversation_id: string;
  status: string;
  created_at: string;
  direction: "inbound" | "outbound";
  verified: boolean;
  verified_domain: string | null;
  snippet: string;
  has_attachments: boolean;
  labels: string[];
  auto_submitted: string | null;
  list_id: string | null;
  precedence: string | null;
}

export interface Attachment {
  index: number;
  filename: string;
  content_type: string;
  size: number;
}

export interface Detail extends Summary {
  text: string;
  html: string | null;
  reply_text: string;
  attachments: Attachment[];
  authentication: Authentication;
  defects: string[];
}

export interface Recipient {
  address: string;
  status: string;
  smtp_reply?: string | null;
  error?: string | null;
}

export interface Hold {
  rule: string;
  reason: string;
}

export interface Sent {
  message_id: string;
  status: string;
  method?: string;
  conversation_id: string;
  approval_expires_at?: string;
  hold?: Hold;
  recipients: Recipient[];
  /** Of a reply: whom it left out, and what to do. */
  fix?: string;
}

export interface Outbound extends Omit<Sent, "message_id"> {
  id: string;
  agent_id: string;
  type: string;
  subject: string;
  from: string;
  to: string[];
  cc?: string[];
  bcc?: string[];
  reply_to?: string[];
  headers?: { name: string; value: string }[];
  created_at: string;
  body_text?: string;
  body_html?: string;
  attachments?: Attachment[];
  content_hash?: string;
  first_time?: string[];
  links?: { text: string; host: string; url: string }[];
  /** Of a held one: what the server says of its HTML. */
  review_notes?: string[];
  /** Of a held one: parts that nobody could search. */
  unsearched?: { name: string; why: string }[];
  rejection_reason?: string;
}
