/** Received messages as the API shows them. */
import type { Static } from "@sinclair/typebox";
import type { LabelledMessage, StoredMail } from "../../../store/mail/messages.ts";
import { contentOnWire, messageOnWire } from "../../../store/mail/received.ts";
import { InboxMessage, MessageDetail, MessageSummary } from "../../../wire/message.ts";
import { pick } from "../../../wire/words.ts";
import { Base64Bytes } from "../../body/base64.ts";

/** A message in a list of one agent's. */
export function summaryOnWire(row: LabelledMessage): Static<typeof MessageSummary> {
  return pick(MessageSummary, { ...messageOnWire(row), labels: row.labels });
}

/** A message in the list of all agents' mail. */
export function inboxOnWire(row: LabelledMessage): Static<typeof InboxMessage> {
  return pick(InboxMessage, { ...messageOnWire(row), labels: row.labels });
}

/** A message that somebody reads, with its proof. */
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

/** Bytes as JSON has them: `Base64Bytes`, of which only what writes JSON makes text, in pieces when it is long. */
export function asBase64(bytes: Uint8Array): string {
  return new Base64Bytes(bytes) as unknown as string;
}
