import { and, eq } from "drizzle-orm";
import type { RecipientStatus } from "../../mail.ts";
import { suppress } from "../accounts/suppressions.ts";
import { ask, type Scope, type Verb } from "../engine/engine.ts";
import { forgetBounced } from "../mail/correspondents.ts";
import type { RecipientRow } from "../schema.ts";
import { lockMessage, refreshStatus, tellFate } from "./queue.ts";

/** What a report from outside says about one recipient (RFC 3464, RFC 5965). */
export interface ReportedFate {
  messageId: string;
  /** Its place in the message, as the return path names it. */
  n: number;
  status: Extract<RecipientStatus, "bounced" | "deferred" | "delivered"> | "complained";
  /** One line: the diagnostic of the host that gave up. */
  detail: string;
  /** Whether the account shall not write to the address again. */
  suppress: boolean;
  /** The addresses it speaks of. The recipient is suppressed when it is one of them, or when it speaks of none. */
  addresses: string[];
  now: Date;
}

/**
 * Records what a report says about a recipient, with its event; a report that says nothing new changes nothing.
 * Returns the recipient, or null when the message is gone. One that is "sending" has no outcome yet: the report was
 * faster, and is worth being asked for again.
 */
export function* recordReport(s: Scope, report: ReportedFate): Verb<RecipientRow | null> {
  const { outboundRecipients: recipients } = s.t;
  const { messageId, n, status, detail, now } = report;
  const message = yield* lockMessage(s, messageId);
  const [row] = yield* ask(
    s.db
      .select()
      .from(recipients)
      .where(and(eq(recipients.messageId, messageId), eq(recipients.n, n))),
  );
  if (!message || !row) return null;
  if (status === "complained") {
    // A complaint counts whatever is known; it says nothing about whether the message arrived.
    yield* suppressRecipient(s, message, row, report, "complaint");
    yield* tellFate(s, message, { ...row, smtpReply: detail }, now, "message.complained");
    return row;
  }
  // Only what has left can come back; a bounce is the last word.
  const mayChange =
    row.status === "sent" || row.status === "deferred" || (row.status === "delivered" && status === "bounced");
  // A bounce that comes twice shall not undo what a person took off the list.
  if (!mayChange || row.queue !== "done" || (row.status === status && row.smtpReply === detail)) return row;
  yield* suppressRecipient(s, message, row, report, "bounce");
  const after = { ...row, status, smtpReply: detail, updatedAt: now };
  yield* ask(
    s.db
      .update(recipients)
      .set({ status, smtpReply: detail, updatedAt: now })
      .where(and(eq(recipients.messageId, messageId), eq(recipients.n, n))),
  );
  if (status === "bounced") yield* forgetBounced(s, { agentId: message.agentId, address: row.address, messageId });
  yield* tellFate(s, message, after, now);
  yield* refreshStatus(s, messageId, message);
  s.signal({ topic: "outcome", key: messageId });
  return after;
}

function* suppressRecipient(
  s: Scope,
  message: { id: string; userId: string },
  row: RecipientRow,
  report: ReportedFate,
  reason: "bounce" | "complaint",
): Verb<void> {
  const { addresses, detail, now } = report;
  if (!report.suppress || (addresses.length > 0 && !addresses.includes(row.address))) return;
  yield* suppress(s, { userId: message.userId, address: row.address, reason, detail, messageId: message.id, now });
}
