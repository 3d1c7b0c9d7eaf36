/** Received messages as the API shows them. */
import type { Static } from "@sinclair/typebox";
import { type Mailbox, wholeAuthentication } from "../../mail.ts";
import type { LabelledMessage, StoredMail } from "../../store/mail/messages.ts";
import type { MessageDetail, MessageSummary } from "../../wire/message.ts";
import { optional } from "../../wire/words.ts";
import { Base64Bytes } from "../framework/base64.ts";

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

export function bare(mailboxes: Mailbox[]): string[] {
  return mailboxes.map((mailbox) => mailbox.address);
}
