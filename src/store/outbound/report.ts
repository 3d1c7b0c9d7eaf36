import { and, eq, inArray } from "drizzle-orm";
import type { RecipientStatus } from "../../mail.ts";
import { suppress } from "../accounts/suppressions.ts";
import { ask, type Scope, type Verb } from "../engine/engine.ts";
import { forgetBounced } from "../mail/correspondents.ts";
import type { RecipientRow } from "../schema.ts";
import { lockMessage, refreshStatus, tellFate } from "./queue.ts";

/** What a report from another server says about one recipient (RFC 3464, RFC 5965). */
export interface ReportedFate {
  messageId: string;
  /** Its place in the message, as in the return path. */
  n: number;
  status: Extract<RecipientStatus, "bounced" | "deferred" | "delivered"> | "complained";
  /** One line: the diagnostic of the host that gave up. */
  detail: string;
  /** Whether the account must not write to the address again. */
  suppress: boolean;
  /** The addresses it names. The recipient is suppressed if it is one of them, or if the report names none. */
  addresses: string[];
  now: Date;
}

/**
 * Records what a report says about a recipient, with its event; a report without news changes nothing. Returns the
 * recipient, or null if the message is gone. A recipient still "sending" has no outcome yet: the report arrived first,
 * and the caller should try it again later.
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
    // A complaint counts in any state; it says nothing about whether the message arrived.
    yield* suppressRecipient(s, message, row, report, "complaint");
    yield* tellFate(s, message, { ...row, smtpReply: detail }, now, "message.complained");
    return row;
  }
  // Only mail that has left can bounce; a bounce is final.
  const mayChange =
    row.status === "sent" || row.status === "deferred" || (row.status === "delivered" && status === "bounced");
  // A repeated bounce must not suppress an address again after a person took it off the list.
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

/**
 * The agent that wrote a message, and the conversation it is in. Null if it is gone, or if this server wrote it: tests
 * and mail to reviewers.
 */
export function* senderOf(s: Scope, messageId: string): Verb<{ agentId: string; conversationId: string } | null> {
  const { outboundMessages: messages } = s.t;
  const [row] = yield* ask(
    s.db
      .select({ agentId: messages.agentId, conversationId: messages.conversationId })
      .from(messages)
      .where(and(eq(messages.id, messageId), inArray(messages.type, ["send", "reply", "forward"]))),
  );
  return row ?? null;
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
