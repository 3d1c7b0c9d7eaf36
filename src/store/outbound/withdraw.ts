import { and, eq, inArray, isNull } from "drizzle-orm";
import { addAudit, decisionAbout } from "../accounts/audit.ts";
import { ask, type Scope, type Verb } from "../engine/engine.ts";
import type { DecisionChannel, OutboundRow } from "../schema.ts";
import { type BriefOutbound, briefColumns, briefOutbound, lockAgent, recipientsOf, tellHeld } from "./outbound.ts";
import { lockRecipients } from "./queue.ts";

const MINUTE_MS = 60_000;
/** The time given to a hold that expired while its approval stood, so that expiry does not decide for the reviewer. */
const REOPENED_MS = 15 * MINUTE_MS;

export interface Withdrawal {
  userId: string;
  id: string;
  /** The email address of the person who takes the approval back. */
  by: string;
  how: DecisionChannel;
  ip: string | null;
  now: Date;
}

export type Withdrawn =
  | { kind: "done"; outbound: BriefOutbound }
  /** It already waits for a decision. */
  | { kind: "waiting"; outbound: BriefOutbound }
  /** At least one recipient is being tried, or was. */
  | { kind: "leaving"; outbound: BriefOutbound }
  /** There is no person's approval: never held, rejected, cancelled, or decided by expiry. */
  | { kind: "not_approved"; outbound: BriefOutbound };

/**
 * Takes a person's approval back: the message waits again as before, with its expiry and its reviewers' links, and with
 * the reviewer's changes if there were any. All or nothing: once a recipient is being tried, it is too late. Null if
 * the account has no such message.
 *
 * Locks in the order of `lockRecipients`, so dispatch has either claimed the message before, which is seen here, or
 * skips it.
 */
export function* withdrawApproval(s: Scope, input: Withdrawal): Verb<Withdrawn | null> {
  const { userId, id, by, how, ip, now } = input;
  const { outboundMessages: messages, outboundRecipients } = s.t;
  const [about] = yield* ask(s.db.select({ agentId: messages.agentId }).from(messages).where(eq(messages.id, id)));
  const agent = about && (yield* lockAgent(s, about.agentId));
  const [message] = yield* ask(s.locked(s.db.select(briefColumns(s)).from(messages).where(eq(messages.id, id))));
  if (!agent || !message || message.userId !== userId) return null;
  yield* lockRecipients(s, eq(outboundRecipients.messageId, id));
  const recipients = yield* recipientsOf(s, id);
  const outbound = { message, recipients };
  if (message.status === "pending_approval") return { kind: "waiting", outbound };
  const decision = message.reviewedAt ? yield* decisionAbout(s, message) : null;
  const isApproved = decision?.action === "approve" || decision?.action === "edit_approve";
  if (!isApproved || !message.reviewedAt || message.status === "cancelled") return { kind: "not_approved", outbound };
  const isUntried = recipients.every(
    ({ queue, leaseToken, attempts }) => (queue === "ready" || queue === "paused") && !leaseToken && attempts === 0,
  );
  if (!isUntried) return { kind: "leaving", outbound };

  const { approvalExpiresAt, notifiedAt, reviewedAt } = message;
  // Reviewers are told if they were not told before, or if the links they have name another content.
  const mustTell = notifiedAt === null || decision.action === "edit_approve";
  const reopened = {
    status: "pending_approval",
    reviewedAt: null,
    reviewedBy: null,
    approvalExpiresAt:
      approvalExpiresAt && approvalExpiresAt > now ? approvalExpiresAt : new Date(now.getTime() + REOPENED_MS),
    noticeDueAt: mustTell && agent.hitlNotifyEmail ? now : null,
  } satisfies Partial<OutboundRow>;
  yield* ask(s.db.update(messages).set(reopened).where(eq(messages.id, id)));
  yield* ask(
    s.db
      .update(outboundRecipients)
      .set({ status: "held", queue: "held", nextAttemptAt: now, error: null, updatedAt: now })
      .where(eq(outboundRecipients.messageId, id)),
  );
  yield* forgetCorrespondents(
    s,
    agent.id,
    recipients.flatMap(({ address, firstTime }) => (firstTime ? [address] : [])),
    reviewedAt,
  );
  const after = { ...message, ...reopened };
  yield* addAudit(s, after, { action: "undo", by, how, ip, detail: null, now });
  if (message.hold) yield* tellHeld(s, { message: after, recipients }, message.hold, false, now, by);
  s.signal({ topic: "outcome", key: id });
  s.signal({ topic: "holds", key: "" });
  const done = yield* briefOutbound(s, id);
  return done && { kind: "done", outbound: done };
}

/** Undoes what `noteWritten` recorded at the approval: no mail has gone there. */
function* forgetCorrespondents(s: Scope, agentId: string, addresses: string[], notedAt: Date): Verb<void> {
  if (addresses.length === 0) return;
  const { correspondents } = s.t;
  yield* ask(
    s.db
      .delete(correspondents)
      .where(
        and(
          eq(correspondents.agentId, agentId),
          inArray(correspondents.address, addresses),
          eq(correspondents.createdAt, notedAt),
          isNull(correspondents.leftAt),
          isNull(correspondents.heardAt),
        ),
      ),
  );
}
