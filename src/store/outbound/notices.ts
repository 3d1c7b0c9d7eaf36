import { and, asc, desc, eq, gt, inArray, isNotNull, lte, notInArray } from "drizzle-orm";
import { getAgent } from "../accounts/agents.ts";
import { getSuppression } from "../accounts/suppressions.ts";
import { ask, type Scope, type Verb } from "../engine/engine.ts";
import type { OutboundContent, OutboundRow, RecipientRow } from "../schema.ts";
import { insertOutbound } from "./outbound.ts";
import { hasRoomForStrangers, latestPast, type SendLimits } from "./send-limits.ts";

/** The period in which mails to an account's reviewers are counted. */
const MINUTE_MS = 60_000;

/** Held messages of one account that its reviewers must be told of. */
export interface DueNotice {
  userId: string;
  userEmail: string;
  /** One mail for all of them, because there are too many. */
  digest: boolean;
  /** Ids alone: all the messages together may be larger than memory. */
  messageIds: string[];
}

/**
 * Claims the messages that reviewers must be told of: each in its own mail, up to `perMinute` per minute and account;
 * the rest wait for the minute to end and come in one digest. A dead claimer's work is due again at `leaseUntil`.
 */
export function* claimNotices(
  s: Scope,
  input: { now: Date; leaseUntil: Date; perMinute: number; limit: number },
): Verb<DueNotice[]> {
  const { now, leaseUntil, perMinute } = input;
  const { outboundMessages: messages, users } = s.t;
  const isDue = and(isNotNull(messages.noticeDueAt), lte(messages.noticeDueAt, now));
  const dueFirst = [asc(messages.noticeDueAt), asc(messages.id)];
  const waiting = yield* ask(
    s.db
      .select({ userId: messages.userId })
      .from(messages)
      .where(isDue)
      .orderBy(...dueFirst)
      .limit(input.limit),
  );
  if (waiting.length === 0) return [];
  // Locked, so that two claimers do not both use up an account's limit.
  const ids = [...new Set(waiting.map((row) => row.userId))];
  const accounts = yield* ask(s.locked(s.db.select().from(users).where(inArray(users.id, ids)).orderBy(users.id)));
  const due = yield* ask(
    s.skipLocked(
      s.db
        .select({
          id: messages.id,
          userId: messages.userId,
          status: messages.status,
          createdAt: messages.createdAt,
          noticeDueAt: messages.noticeDueAt,
          notifiedAt: messages.notifiedAt,
        })
        .from(messages)
        .where(isDue)
        .orderBy(...dueFirst)
        .limit(input.limit),
    ),
  );
  const byAccount = Map.groupBy(due, (row) => row.userId);
  const notices: DueNotice[] = [];
  for (const { id: userId, email: userEmail } of accounts) {
    const rows = byAccount.get(userId) ?? [];
    const pending = rows.filter((row) => row.status === "pending_approval");
    yield* setNotice(
      s,
      rows.filter((row) => row.status !== "pending_approval"),
      { noticeDueAt: null },
    );
    if (pending.length === 0) continue;
    const told = yield* lastTold(s, userId, pending, now, perMinute);
    // Messages that had to wait come as a digest; reclaimed ones come as they would have come before.
    const waited = pending.some((row) => row.notifiedAt === null && row.noticeDueAt && row.noticeDueAt > row.createdAt);
    const digest = waited || pending.length > perMinute - told.length;
    if (digest && !waited && told[0]) {
      yield* setNotice(s, pending, { noticeDueAt: new Date(told[0].getTime() + MINUTE_MS) });
      continue;
    }
    yield* setNotice(s, pending, { noticeDueAt: leaseUntil, notifiedAt: now });
    notices.push({ userId, userEmail, digest, messageIds: pending.map(({ id }) => id) });
  }
  return notices;
}

/** When, in the last minute, an account's reviewers were told of other messages, newest first, at most `limit`. */
function* lastTold(s: Scope, userId: string, but: { id: string }[], now: Date, limit: number): Verb<Date[]> {
  const { outboundMessages: messages } = s.t;
  const ids = but.map((row) => row.id);
  const rows = yield* ask(
    s.db
      .select({ at: messages.notifiedAt })
      .from(messages)
      .where(
        and(
          eq(messages.userId, userId),
          gt(messages.notifiedAt, new Date(now.getTime() - MINUTE_MS)),
          lte(messages.notifiedAt, latestPast(now)),
          notInArray(messages.id, ids),
        ),
      )
      .orderBy(desc(messages.notifiedAt))
      .limit(limit),
  );
  return rows.flatMap(({ at }) => at ?? []);
}

function* setNotice(
  s: Scope,
  rows: { id: string }[],
  changes: Partial<Pick<OutboundRow, "noticeDueAt" | "notifiedAt">>,
): Verb<void> {
  const { outboundMessages: messages } = s.t;
  const ids = rows.map((row) => row.id);
  if (ids.length > 0) yield* ask(s.db.update(messages).set(changes).where(inArray(messages.id, ids)));
}

/** A mail from the server itself to one person. */
export interface Notice {
  id: string;
  /** The agent it is about; the notice is deleted with the agent. */
  agentId: string;
  userId: string;
  emailMessageId: string;
  subject: string;
  content: OutboundContent;
  raw: Buffer;
  recipient: string;
  lane: string;
}

/** A reviewer who gets no mail, and why. */
export interface Untold {
  reviewer: string;
  why: string;
}

/**
 * Queues mail to reviewers, outside gate, pace and pause, and records that they were told: all or nothing. Does nothing
 * if they were told of all these messages meanwhile, or all are decided. An account can name anyone as a reviewer: those on
 * its suppression list, and new ones beyond its first-time recipients of a day, get nothing and are returned. The
 * account's own address always gets its mail.
 */
export function* storeNotices(
  s: Scope,
  notices: Notice[],
  aboutIds: string[],
  limits: SendLimits,
  now: Date,
): Verb<Untold[]> {
  const { outboundMessages: messages } = s.t;
  const isDue = and(inArray(messages.id, aboutIds), isNotNull(messages.noticeDueAt));
  const about = yield* ask(s.db.select({ id: messages.id }).from(messages).where(isDue));
  if (about.length === 0) return [];
  const untold: Untold[] = [];
  for (const notice of notices) {
    if (!(yield* getAgent(s, notice.agentId))) continue;
    const why = yield* whyUntold(s, notice, limits, now);
    if (why === null) yield* queueNotice(s, notice, now);
    else untold.push({ reviewer: notice.recipient, why });
  }
  const told = yield* ask(s.locked(s.db.select({ id: messages.id }).from(messages).where(isDue).orderBy(messages.id)));
  yield* setNotice(s, told, { noticeDueAt: null, notifiedAt: now });
  s.signal({ topic: "outbound", key: "" });
  return untold;
}

/** Why a reviewer gets no mail; null if it is sent, and counted. */
function* whyUntold(
  s: Scope,
  { userId, recipient }: Pick<Notice, "userId" | "recipient">,
  limits: SendLimits,
  now: Date,
): Verb<string | null> {
  const { users, outboundRecipients: rows } = s.t;
  const [owner] = yield* ask(s.db.select({ email: users.email }).from(users).where(eq(users.id, userId)));
  if (owner?.email === recipient) return null;
  if (yield* getSuppression(s, userId, recipient)) return "the address is on the suppression list";
  const [earlier] = yield* ask(
    s.db
      .select({ n: rows.n })
      .from(rows)
      // Mail of the server itself is no agent's.
      .where(and(eq(rows.agentId, ""), eq(rows.address, recipient), eq(rows.userId, userId)))
      .limit(1),
  );
  const hasRoom = yield* hasRoomForStrangers(s, userId, earlier ? 0 : 1, limits, now);
  return hasRoom ? null : "the account has had its first-time recipients of the day";
}

/** Queues the server's own mail, outside gate, pace and pause. Its agent must exist. */
export function* queueNotice(s: Scope, { recipient, lane, raw, ...notice }: Notice, now: Date): Verb<void> {
  const row: OutboundRow = {
    ...notice,
    type: "notice",
    status: "queued",
    conversationId: "",
    idempotencyKey: null,
    requestHash: null,
    requestBy: null,
    answeredAt: null,
    snippet: "",
    contentHash: "",
    hold: null,
    isAnswer: false,
    loopKey: null,
    approvalExpiresAt: null,
    original: null,
    review: null,
    reviewedAt: null,
    reviewedBy: null,
    rejectionReason: null,
    noticeDueAt: null,
    notifiedAt: null,
    // Long ago, so that it takes no place in the agent's pace.
    notBefore: new Date(0),
    createdAt: now,
  };
  const one: RecipientRow = {
    messageId: row.id,
    n: 0,
    // No agent, so that neither pauses nor the loop breaker apply to it.
    agentId: "",
    userId: row.userId,
    address: recipient,
    kind: "to",
    firstTime: false,
    isAnswer: false,
    status: "queued",
    queue: "ready",
    lane,
    method: null,
    attempts: 0,
    nextAttemptAt: now,
    leaseToken: null,
    smtpReply: null,
    providerMessageId: null,
    sentAs: null,
    error: null,
    createdAt: now,
    updatedAt: now,
  };
  yield* insertOutbound(s, row, [one], raw);
}
