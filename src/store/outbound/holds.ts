import { and, asc, eq, inArray, isNotNull, lte } from "drizzle-orm";
import { earliest } from "../../util/clock.ts";
import { Failure } from "../../util/errors.ts";
import type { EventData } from "../../wire/events.ts";
import { addAudit } from "../accounts/audit.ts";
import { isPausedAbove } from "../accounts/pauses.ts";
import { ask, type Scope, type Verb } from "../engine/engine.ts";
import { addEvent, type NewEvent } from "../events/events.ts";
import { noteWritten, strangersAmong, unwrittenAmong } from "../mail/correspondents.ts";
import type {
  AgentRow,
  DecisionChannel,
  HeldReview,
  Hold,
  OriginalContent,
  OutboundContent,
  OutboundRow,
  RecipientKind,
  RecipientRow,
} from "../schema.ts";
import { editedParts } from "./edited-parts.ts";
import { loopKeys } from "./loop-breaker.ts";
import {
  type BriefOutbound,
  briefColumns,
  briefOutbound,
  type GateSettings,
  getOutbound,
  isPending,
  lockAgent,
  type Outbound,
  recipientsOf,
  sameGate,
  tellHeld,
} from "./outbound.ts";
import { lockRecipients, refreshStatus } from "./queue.ts";
import { countStrangers, refuseSuppressed, type SendLimits } from "./send-limits.ts";

/** A message as changed by a reviewer. */
export interface Edit {
  subject: string;
  snippet: string;
  content: OutboundContent;
  contentHash: string;
  /** What reviewers would be shown of it; null computes it when it is first looked at. */
  review: HeldReview | null;
  raw: Buffer;
  recipients: { address: string; kind: RecipientKind; lane: string }[];
  limits: SendLimits;
}

export interface Decision {
  /** The account that must own the message; null for a link, whose signature names the message. */
  userId: string | null;
  id: string;
  verdict: { kind: "approve"; edit: Edit | null } | { kind: "reject"; reason: string };
  /** The hash of the content shown to the reviewer; null if unknown. */
  contentHash: string | null;
  /** An email address. */
  by: string;
  how: DecisionChannel;
  ip: string | null;
  now: Date;
}

export type Decided =
  | { kind: "done"; outbound: Outbound }
  /** It was decided already, or does not wait for a decision. */
  | { kind: "decided"; outbound: BriefOutbound }
  /** The message has changed since it was shown. */
  | { kind: "superseded"; outbound: BriefOutbound };

/**
 * Decides a held message, once: a second reviewer learns of the first decision. Approving queues it, with the edit if
 * there is one; rejecting ends it. Null if there is no such message. Failure `recipient_suppressed`, and the message
 * stays held, if it can no longer leave; `rate_limited` if an edit has too many first-time recipients.
 */
export function* decideHold(s: Scope, decision: Decision): Verb<Decided | null> {
  const { id, verdict, now } = decision;
  const { outboundMessages: messages } = s.t;
  const [about] = yield* ask(s.db.select({ agentId: messages.agentId }).from(messages).where(eq(messages.id, id)));
  const agent = about && (yield* lockAgent(s, about.agentId));
  const [brief] = yield* ask(s.locked(s.db.select(briefColumns(s)).from(messages).where(eq(messages.id, id))));
  if (!agent || !brief || (decision.userId !== null && decision.userId !== brief.userId)) return null;
  const outbound = { message: brief, recipients: yield* recipientsOf(s, id) };
  if (brief.status !== "pending_approval") return { kind: "decided", outbound };
  if (decision.contentHash !== null && decision.contentHash !== brief.contentHash)
    return { kind: "superseded", outbound };
  const [message] = yield* ask(s.db.select().from(messages).where(eq(messages.id, id)));
  if (!message) return null;
  const { by, how, ip } = decision;
  if (verdict.kind === "reject") {
    yield* refuse(s, message, "rejected", { by, reason: verdict.reason, now });
    yield* addAudit(s, message, { action: "reject", by, how, ip, detail: { reason: verdict.reason }, now });
    yield* tell(s, message, { type: "message.rejected", by, how, rejection_reason: verdict.reason }, now);
  } else {
    const { edit } = verdict;
    const after = edit ? yield* applyEdit(s, message, edit, now) : message;
    // A reviewer may press the wrong key, so the agent's undo time applies to approvals too.
    const notBefore = new Date(now.getTime() + agent.undoSeconds * 1000);
    yield* letGo(s, agent, after, by, { status: "queued", isReviewed: true, now, notBefore });
    const before = originalOf(message);
    const detail = edit ? { before, changed: editedParts(before, originalOf(after)) } : null;
    yield* addAudit(s, after, { action: edit ? "edit_approve" : "approve", by, how, ip, detail, now });
    yield* tell(s, after, { type: "message.approved", by, how, edited: edit !== null }, now);
  }
  const done = yield* getOutbound(s, message.userId, id);
  return done && { kind: "done", outbound: done };
}

/** Replaces the content and recipients of a held message; `original` keeps what the agent wrote. */
function* applyEdit(s: Scope, message: OutboundRow, edit: Edit, now: Date): Verb<OutboundRow> {
  const { outboundMessages: messages, outboundRaw, outboundRecipients } = s.t;
  const { subject, snippet, content, contentHash, review } = edit;
  const changes = { subject, snippet, content, contentHash, review, original: message.original ?? originalOf(message) };
  yield* ask(s.db.update(messages).set(changes).where(eq(messages.id, message.id)));
  yield* ask(s.db.update(outboundRaw).set({ bytes: edit.raw }).where(eq(outboundRaw.messageId, message.id)));
  const before = new Map((yield* recipientsOf(s, message.id)).map(({ address, isAnswer }) => [address, isAnswer]));
  const mine = eq(outboundRecipients.messageId, message.id);
  yield* ask(s.db.delete(outboundRecipients).where(and(mine, eq(outboundRecipients.queue, "held"))));
  // Recipients that got it before the gate held the rest are not written to a second time.
  const gone = yield* recipientsOf(s, message.id);
  const first = Math.max(0, ...gone.map(({ n }) => n + 1));
  const others = edit.recipients.filter(({ address }) => !gone.some((one) => one.address === address));
  const addresses = others.map(({ address }) => address);
  const strangers = yield* strangersAmong(s, message.agentId, addresses);
  // Those that the message had before were counted when it came.
  const added = addresses.filter((address) => !before.has(address));
  const unwritten = yield* unwrittenAmong(s, message.agentId, added);
  yield* countStrangers(s, message.userId, unwritten.length, edit.limits, now);
  const rows = others.map(
    (recipient, i): RecipientRow => ({
      messageId: message.id,
      n: first + i,
      agentId: message.agentId,
      userId: message.userId,
      ...recipient,
      firstTime: strangers.includes(recipient.address),
      isAnswer: before.get(recipient.address) ?? message.isAnswer,
      status: "held",
      queue: "held",
      method: null,
      attempts: 0,
      nextAttemptAt: now,
      leaseToken: null,
      smtpReply: null,
      providerMessageId: null,
      sentAs: null,
      error: null,
      createdAt: message.createdAt,
      updatedAt: now,
    }),
  );
  if (rows.length > 0) yield* ask(s.db.insert(outboundRecipients).values(rows));
  return { ...message, ...changes };
}

function originalOf({ subject, content }: OutboundRow): OriginalContent {
  return { ...content, subject };
}

/**
 * Queues a held message; its agent is locked. `isReviewed`: a decision was made, so the gate is not asked when its turn
 * comes. Failure `recipient_suppressed`, before any change, if it cannot leave.
 */
function* letGo(
  s: Scope,
  agent: AgentRow,
  message: OutboundRow,
  by: string,
  how: { status: "queued" | "expired_approved"; isReviewed: boolean; now: Date; notBefore: Date },
): Verb<void> {
  const { status, isReviewed, now, notBefore } = how;
  const { outboundMessages: messages, outboundRecipients } = s.t;
  const recipients = yield* recipientsOf(s, message.id);
  // A message that was held in part may have been refused by another recipient's server before.
  yield* refuseSuppressed(
    s,
    message.userId,
    recipients.filter(({ queue }) => queue === "held"),
  );
  const isPaused = agent.paused || (yield* isPausedAbove(s, agent));
  yield* ask(
    s.db
      .update(messages)
      // The expiry stays, because an approval can be taken back.
      .set({
        status,
        noticeDueAt: null,
        // Released without a review, it no longer belongs to the loop breaker, even if it is held again.
        ...(isReviewed ? { reviewedAt: now, reviewedBy: by } : { loopKey: null }),
      })
      .where(eq(messages.id, message.id)),
  );
  yield* ask(
    s.db
      .update(outboundRecipients)
      .set({ status: "queued", queue: isPaused ? "paused" : "ready", nextAttemptAt: notBefore, updatedAt: now })
      .where(and(eq(outboundRecipients.messageId, message.id), eq(outboundRecipients.queue, "held"))),
  );
  // If it was held only in part, it may be on its way to other recipients.
  yield* refreshStatus(s, message.id, { status });
  yield* noteWritten(
    s,
    message.agentId,
    recipients.map(({ address }) => address),
    now,
  );
  s.signal({ topic: "outbound", key: "" });
  s.signal({ topic: "holds", key: "" });
}

function* refuse(
  s: Scope,
  message: OutboundRow,
  status: "rejected" | "expired_rejected",
  { by, reason, now }: { by: string; reason: string; now: Date },
): Verb<void> {
  const { outboundMessages: messages, outboundRecipients } = s.t;
  yield* ask(
    s.db
      .update(messages)
      .set({
        status,
        reviewedAt: now,
        reviewedBy: by,
        rejectionReason: reason,
        noticeDueAt: null,
        approvalExpiresAt: null,
      })
      .where(eq(messages.id, message.id)),
  );
  yield* ask(
    s.db
      .update(outboundRecipients)
      .set({ status: "cancelled", queue: "done", updatedAt: now })
      .where(and(eq(outboundRecipients.messageId, message.id), eq(outboundRecipients.queue, "held"))),
  );
  s.signal({ topic: "outcome", key: message.id });
  s.signal({ topic: "holds", key: "" });
}

/**
 * Holds a message whose turn has come, because its agent's gate now holds it. `held`: it waits for a decision, and the
 * lease has ended. `changed`: the gate was changed meanwhile, so it must be asked again. `gone`: the lease has passed
 * to another claimer, or the message is gone or decided; nothing is done.
 */
export function* holdQueued(
  s: Scope,
  input: {
    recipient: Pick<RecipientRow, "messageId" | "n" | "leaseToken">;
    gate: { hold: Hold; settings: GateSettings };
    review: HeldReview | null;
    now: Date;
  },
): Verb<"held" | "changed" | "gone"> {
  const { outboundMessages: messages, outboundRecipients: rows } = s.t;
  const { gate, now } = input;
  const { messageId, n, leaseToken } = input.recipient;
  const [about] = yield* ask(
    s.db.select({ agentId: messages.agentId }).from(messages).where(eq(messages.id, messageId)),
  );
  const agent = about && (yield* lockAgent(s, about.agentId));
  const [message] = yield* ask(s.locked(s.db.select().from(messages).where(eq(messages.id, messageId))));
  yield* lockRecipients(s, eq(rows.messageId, messageId));
  const before = yield* recipientsOf(s, messageId);
  const mine = before.find((row) => row.n === n && row.leaseToken === leaseToken && row.queue === "ready");
  if (!agent || !message || !mine || message.reviewedAt) return "gone";
  const isFirst = message.status !== "pending_approval";
  if (isFirst && !sameGate(agent, gate.settings)) return "changed";

  // Recipients leased to another claimer stay with it: they leave, or are held by its check. A tried one is on its way.
  const waiting = before.filter(
    (row) => row === mine || (row.leaseToken === null && row.attempts === 0 && ["ready", "paused"].includes(row.queue)),
  );
  const held = inArray(
    rows.n,
    waiting.map((row) => row.n),
  );
  yield* ask(
    s.db
      .update(rows)
      .set({ status: "held", queue: "held", leaseToken: null, error: null, updatedAt: now })
      .where(and(eq(rows.messageId, messageId), held)),
  );
  s.signal({ topic: "outcome", key: messageId });
  if (!isFirst) return "held";
  const changes = {
    status: "pending_approval" as const,
    hold: gate.hold,
    review: input.review,
    approvalExpiresAt: new Date(now.getTime() + agent.hitlTtlSeconds * 1000),
    noticeDueAt: agent.hitlNotifyEmail ? now : null,
  };
  yield* ask(s.db.update(messages).set(changes).where(eq(messages.id, messageId)));
  yield* tellHeld(s, { message: { ...message, ...changes }, recipients: before }, gate.hold, false, now);
  s.signal({ topic: "holds", key: "" });
  return "held";
}

/** Stores the review of a held message, unless the message has changed since. */
export function* storeReview(s: Scope, id: string, review: HeldReview): Verb<void> {
  const { outboundMessages: messages } = s.t;
  yield* ask(
    s.db
      .update(messages)
      .set({ review })
      .where(and(eq(messages.id, id), eq(messages.contentHash, review.contentHash))),
  );
}

type Told = "message.approved" | "message.rejected" | "message.expired";

/** A decision's event, without the members that all of them share. */
type Tale = { [T in Told]: { type: T } & Omit<EventData[T], "message_id" | "agent_id" | "conversation_id"> }[Told];

function* tell(s: Scope, message: OutboundRow, { type, ...more }: Tale, now: Date): Verb<void> {
  const { userId, agentId, id, conversationId } = message;
  const data = { message_id: id, agent_id: agentId, conversation_id: conversationId, ...more };
  // TypeScript cannot see that type and data belong together, as `Tale` says.
  yield* addEvent(s, { userId, agentId, type, data, now } as NewEvent);
}

/**
 * Decides up to `limit` expired holds as their agents' settings say. A loop is never released by expiry, and a message
 * that can no longer leave is rejected. Returns how many there were.
 */
export function* expireHolds(s: Scope, now: Date, limit: number): Verb<number> {
  const { outboundMessages: messages, agents } = s.t;
  const due = yield* ask(
    s.db
      .select({ id: messages.id, agentId: messages.agentId })
      .from(messages)
      .where(and(isPending(s), lte(messages.approvalExpiresAt, now)))
      .orderBy(asc(messages.approvalExpiresAt), asc(messages.id))
      .limit(limit),
  );
  if (due.length === 0) return 0;
  const agentIds = [...new Set(due.map((row) => row.agentId))];
  const watched = yield* ask(
    s.locked(s.db.select().from(agents).where(inArray(agents.id, agentIds)).orderBy(agents.id)),
  );
  // Skips messages that were decided meanwhile.
  const ids = due.map((row) => row.id);
  const over = yield* ask(
    s.locked(
      s.db
        .select()
        .from(messages)
        .where(and(inArray(messages.id, ids), eq(messages.status, "pending_approval")))
        .orderBy(messages.id),
    ),
  );
  for (const message of over) {
    const agent = watched.find((one) => one.id === message.agentId);
    if (agent) yield* expire(s, agent, message, now);
  }
  return over.length;
}

function* expire(s: Scope, agent: AgentRow, message: OutboundRow, now: Date): Verb<void> {
  const by = "expiry";
  const at = { by, how: "expiry" as const, ip: null, now };
  let reason = "No one decided in time.";
  if (agent.hitlExpirationAction === "approve" && message.hold?.rule !== "loop")
    try {
      yield* letGo(s, agent, message, by, { status: "expired_approved", isReviewed: true, now, notBefore: now });
      yield* addAudit(s, message, { ...at, action: "expire_approve", detail: null });
      return yield* tell(s, message, { type: "message.expired", action: "approve", rejection_reason: null }, now);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      reason = `${reason} ${error.message}`;
    }
  yield* refuse(s, message, "expired_rejected", { by, reason, now });
  yield* addAudit(s, message, { ...at, action: "expire_reject", detail: { reason } });
  yield* tell(s, message, { type: "message.expired", action: "reject", rejection_reason: reason }, now);
}

/** When the next held message expires, or the next notice to reviewers is due; null if neither. */
export function* nextHoldDue(s: Scope): Verb<Date | null> {
  const { outboundMessages: messages } = s.t;
  const [expiry] = yield* ask(
    s.db
      .select({ at: messages.approvalExpiresAt })
      .from(messages)
      .where(and(isPending(s), isNotNull(messages.approvalExpiresAt)))
      .orderBy(asc(messages.approvalExpiresAt))
      .limit(1),
  );
  const [notice] = yield* ask(
    s.db
      .select({ at: messages.noticeDueAt })
      .from(messages)
      .where(isNotNull(messages.noticeDueAt))
      .orderBy(asc(messages.noticeDueAt))
      .limit(1),
  );
  return earliest([expiry?.at, notice?.at]);
}

/** A held or decided message, by id alone: for a link whose signature names it. */
export function* heldMessage(s: Scope, id: string): Verb<Outbound | null> {
  const { outboundMessages: messages } = s.t;
  const [message] = yield* ask(s.db.select().from(messages).where(eq(messages.id, id)));
  return message ? { message, recipients: yield* recipientsOf(s, id) } : null;
}

/**
 * Releases what the loop breaker stopped: this message, and every other that it holds for the same reason. Mail sent so
 * far in its conversation and to its recipients no longer counts. Null if the account has no such message; `released` 0
 * if the breaker does not hold it.
 */
export function* releaseLoop(
  s: Scope,
  input: { userId: string; id: string; by: string; how: DecisionChannel; ip: string | null; now: Date },
): Verb<(BriefOutbound & { released: number }) | null> {
  const { userId, id, now, by, how, ip } = input;
  const { outboundMessages: messages, loopReleases } = s.t;
  const found = yield* briefOutbound(s, id);
  if (found?.message.userId !== userId) return null;
  const { agentId, loopKey, status } = found.message;
  if (!loopKey || status !== "pending_approval") return { ...found, released: 0 };
  const agent = yield* lockAgent(s, agentId);
  if (!agent) return null;
  // Every key that this message counted for: otherwise another one would stop the next message to the same address.
  for (const key of loopKeys(found.message.conversationId, found.recipients))
    yield* ask(
      s.db
        .insert(loopReleases)
        .values({ agentId, loopKey: key, releasedAt: now })
        .onConflictDoUpdate({ target: [loopReleases.agentId, loopReleases.loopKey], set: { releasedAt: now } }),
    );
  const held = yield* ask(
    s.locked(
      s.db
        .select()
        .from(messages)
        .where(and(eq(messages.agentId, agentId), eq(messages.loopKey, loopKey), isPending(s)))
        .orderBy(messages.id),
    ),
  );
  for (const message of held) {
    // A release is not a review of the content: the gate is asked when the message's turn comes.
    yield* letGo(s, agent, message, by, { status: "queued", isReviewed: false, now, notBefore: now });
    yield* addAudit(s, message, { action: "release", by, how, ip, detail: null, now });
    yield* tell(s, message, { type: "message.approved", by, how, edited: false }, now);
  }
  const after = yield* briefOutbound(s, id);
  return after && { ...after, released: held.length };
}
