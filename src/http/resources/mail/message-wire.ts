/** Received messages as the API shows them. */
import type { Static } from "@sinclair/typebox";
import type { ReadMail } from "../../../mail.ts";
import type { LabelledMessage, StoredMail } from "../../../store/mail/messages.ts";
import { bare, contentOnWire, keptOf, messageOnWire } from "../../../store/mail/received.ts";
import { Base64Bytes } from "../../../util/pieces.ts";
import { AttachedMessage, InboxMessage, MessageDetail, MessageSummary } from "../../../wire/message.ts";
import { optional, pick } from "../../../wire/words.ts";

/** A message in the list of one agent. */
export function summaryOnWire(row: LabelledMessage): Static<typeof MessageSummary> {
  return pick(MessageSummary, { ...messageOnWire(row), labels: row.labels });
}

/** A message in the list of all agents. */
export function inboxOnWire(row: LabelledMessage): Static<typeof InboxMessage> {
  return pick(InboxMessage, { ...messageOnWire(row), labels: row.labels });
}

/** A single message as it is read, with its signed headers. */
export function detailOnWire(
  { message, content, raw }: StoredMail,
  authHeaders: Record<string, string>,
): Static<typeof MessageDetail> {
  return pick(MessageDetail, {
    ...messageOnWire(message),
    ...contentOnWire(content),
    labels: message.labels,
    auth_headers: authHeaders,
    raw_message: asBase64(raw),
  });
}

/** A message that is attached to another. */
export function attachedOnWire(mail: ReadMail): Static<typeof AttachedMessage> {
  const { cc, date, from, messageId, replyTo, subject, to } = mail;
  return pick(AttachedMessage, {
    from: from[0]?.address ?? "",
    from_name: from[0]?.name ?? "",
    to: bare(to),
    ...optional("cc", cc.length > 0 ? bare(cc) : undefined),
    ...optional("reply_to", replyTo.length > 0 ? bare(replyTo) : undefined),
    subject,
    date: date?.toISOString() ?? null,
    email_message_id: messageId,
    ...contentOnWire(keptOf(mail).content),
  });
}

/**
 * Bytes as a JSON member: `Base64Bytes`, which become text only when the JSON is written, in pieces if they are long.
 */
export function asBase64(bytes: Uint8Array): string {
  return new Base64Bytes(bytes) as unknown as string;
}
