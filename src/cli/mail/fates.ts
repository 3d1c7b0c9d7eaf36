/** The state of a mail and of each of its recipients, as text. */
import type { OutboundStatus, RecipientStatus } from "../../mail.ts";
import type { Session } from "../connect/session.ts";
import type { Recipient } from "../connect/shapes.ts";
import { plain, type Style, table, until } from "../terminal/output.ts";

type Mark = { mark: string; style: Style };
const waiting: Mark = { mark: "…", style: "dim" };
const good: Mark = { mark: "✓", style: "green" };
const attention: Mark = { mark: "!", style: "yellow" };
const bad: Mark = { mark: "✗", style: "red" };
const undone: Mark = { mark: "–", style: "dim" };

const marks: Record<OutboundStatus | RecipientStatus, Mark> = {
  pending_approval: attention,
  held: attention,
  queued: waiting,
  sending: waiting,
  sent: good,
  delivered: good,
  deferred: attention,
  bounced: bad,
  failed: bad,
  cancelled: undone,
  rejected: bad,
  expired_approved: good,
  expired_rejected: bad,
};

/** Every status a mail can have, in the order of its life. */
export const outboundStatuses = (Object.keys(marks) as (OutboundStatus | RecipientStatus)[]).filter(
  (status): status is OutboundStatus => status !== "held",
);

/** The mark of a status. A newer server may have other statuses. */
export function statusMark(status: OutboundStatus | RecipientStatus): Mark {
  return marks[status] ?? waiting;
}

/** "pending_approval" → "pending approval" */
export function statusWords(status: string): string {
  return plain(status).replaceAll("_", " ");
}

/** Names shown in one sentence; the others are counted. */
const NAMED_MAX = 3;

/** "a@x, b@y and 3 more" */
export function names(addresses: readonly string[]): string {
  const named = addresses.slice(0, NAMED_MAX).map(plain).join(", ");
  return addresses.length > NAMED_MAX ? `${named} and ${addresses.length - NAMED_MAX} more` : named;
}

/** Whether recipients differ in status or method, and so must be listed one by one. */
export function differ(recipients: readonly Recipient[]): boolean {
  return new Set(recipients.map(({ status, method }) => `${status} ${method}`)).size > 1;
}

/** One line for each recipient: status, attempts, the other server's reply, and the next attempt. */
export function recipientTable({ paint, width }: Session, recipients: readonly Recipient[]): string {
  const now = Date.now();
  return table<Recipient>(
    [
      {
        title: " ",
        value: (recipient) => statusMark(recipient.status).mark,
        style: (recipient) => statusMark(recipient.status).style,
      },
      { title: "RECIPIENT", value: (recipient) => recipient.address },
      { title: "STATUS", value: (recipient) => statusWords(recipient.status) },
      { title: "BY", value: (recipient) => recipient.method ?? "" },
      { title: "TRIES", value: (recipient) => String(recipient.attempts) },
      { title: "NEXT", value: ({ next_attempt_at: next }) => (next ? until(next, now) : "") },
      { title: "REPLY", value: (recipient) => recipient.smtp_reply ?? recipient.error ?? "", shrinks: true },
    ],
    recipients,
    { width, paint },
  );
}
