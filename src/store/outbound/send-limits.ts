import { and, desc, eq, gt, inArray, lte, sql } from "drizzle-orm";
import { Failure } from "../../util/errors.ts";
import { ask, type Scope, type Verb } from "../engine/engine.ts";
import { insertStatement, type Params, statement } from "../engine/statement.ts";
import type { AgentRow, RecipientKind } from "../schema.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

const minuteOf = (userId: string) => `minute ${userId}`;
const dayOf = (userId: string) => `day ${userId}`;
const newOf = (userId: string) => `new ${userId}`;

/** The clocks of nodes differ by less. What is dated later than this was stored before the clock was set back. */
const CLOCKS_DIFFER_MS = 10_000;

/**
 * The latest date that counts as the past at `now`. Limits ignore what is dated later, or else a clock that is set back
 * by an hour would make everything of that hour count for an hour.
 */
export function latestPast(now: Date): Date {
  return new Date(now.getTime() + CLOCKS_DIFFER_MS);
}

/** How much mail can leave. 0 means no limit. */
export interface SendLimits {
  perMinutePerAgent: number;
  /** How many more messages are accepted and delayed before an agent is refused. */
  burstPerAgent: number;
  perMinutePerAccount: number;
  perDayPerAccount: number;
  newRecipientsPerDayPerAccount: number;
  /** Messages in one conversation, or to one address, within `loopWindowMs`; more are held. */
  loopMessages: number;
  loopWindowMs: number;
}

const reasons = {
  bounce: "mail to it bounced",
  complaint: "the recipient complained",
  manual: "it was added by hand",
};

const selectSuppressed = statement(({ db, t: { suppressions } }, p: Params<{ userId: string; addresses: string[] }>) =>
  db
    .select()
    .from(suppressions)
    .where(and(eq(suppressions.userId, p.userId), inArray(suppressions.address, p.addresses)))
    .orderBy(suppressions.address),
);

/** Fails with `recipient_suppressed`, which names each recipient on the suppression list of the account. */
export function* refuseSuppressed(
  s: Scope,
  userId: string,
  recipients: { address: string; kind: RecipientKind }[],
): Verb<void> {
  const found = yield* selectSuppressed(s, { userId, addresses: recipients.map(({ address }) => address) });
  if (found.length === 0) return;
  const errors = found.map(({ address, reason }) => ({
    field: recipients.find((recipient) => recipient.address === address)?.kind ?? "to",
    message: `includes ${address}, which is on the suppression list because ${reasons[reason]}`,
  }));
  throw new Failure("recipient_suppressed", `${errors.map((error) => error.message).join("; ")}.`, {
    errors,
    fix: `Leave it out, or take it off the list with DELETE /api/v1/suppressions/${found[0]?.address}.`,
    extra: {
      suppressed: found.map(({ address, reason, detail, createdAt }) => ({
        address,
        reason,
        detail,
        created_at: createdAt.toISOString(),
      })),
    },
  });
}

/** Counts a message and its first-time recipients against the account's limits. Failure `rate_limited` beyond them. */
export function* countSend(s: Scope, agent: AgentRow, strangers: number, limits: SendLimits, now: Date): Verb<void> {
  const user = agent.userId;
  if (limits.perMinutePerAccount > 0)
    if ((yield* add(s, minuteOf(user), MINUTE_MS, 1, now)) > limits.perMinutePerAccount)
      throw refusal(MINUTE_MS, limits.perMinutePerAccount, "messages a minute", now);
  if (limits.perDayPerAccount > 0)
    if ((yield* add(s, dayOf(user), DAY_MS, 1, now)) > limits.perDayPerAccount)
      throw refusal(DAY_MS, limits.perDayPerAccount, "messages a day", now);
  yield* countStrangers(s, user, strangers, limits, now);
}

/** Counts first-time recipients of an account. Failure `rate_limited` beyond its limit. */
export function* countStrangers(s: Scope, user: string, strangers: number, limits: SendLimits, now: Date): Verb<void> {
  if (!(yield* hasRoomForStrangers(s, user, strangers, limits, now)))
    throw refusal(DAY_MS, limits.newRecipientsPerDayPerAccount, "first-time recipients a day", now);
}

/** Counts first-time recipients of an account. False beyond its limit, and nothing is counted. */
export function* hasRoomForStrangers(
  s: Scope,
  user: string,
  strangers: number,
  limits: SendLimits,
  now: Date,
): Verb<boolean> {
  const most = limits.newRecipientsPerDayPerAccount;
  if (strangers === 0 || most === 0) return true;
  if ((yield* add(s, newOf(user), DAY_MS, strangers, now)) <= most) return true;
  yield* add(s, newOf(user), DAY_MS, -strangers, now);
  return false;
}

function refusal(bucketMs: number, count: number, what: string, now: Date): Failure {
  const seconds = Math.ceil((bucketMs - (now.getTime() % bucketMs)) / 1000);
  return new Failure("rate_limited", `This account may send at most ${count} ${what}.`, {
    fix: `Wait ${seconds} seconds; nothing in this request was sent.`,
    retryAfterSeconds: seconds,
  });
}

const addToCount = insertStatement(
  (t) => t.sendCounts,
  (insert, { key, bucket, count }) =>
    insert
      .onConflictDoUpdate({ target: [key, bucket], set: { count: sql`${count} + excluded.count` } })
      .returning({ count }),
);

function* add(s: Scope, key: string, bucketMs: number, by: number, now: Date): Verb<number> {
  const bucket = now.getTime() - (now.getTime() % bucketMs);
  const [row] = yield* addToCount(s, { key, bucket, count: by });
  return row?.count ?? by;
}

const selectFilling = statement(
  ({ db, t: { outboundMessages: messages } }, p: Params<{ agentId: string; after: Date; made: Date; rank: number }>) =>
    db
      .select({ at: messages.notBefore })
      .from(messages)
      .where(and(eq(messages.agentId, p.agentId), gt(messages.notBefore, p.after), lte(messages.createdAt, p.made)))
      .orderBy(desc(messages.notBefore))
      .limit(1)
      .offset(p.rank),
);

const selectWaiting = statement(
  ({ db, t: { outboundMessages: messages } }, p: Params<{ agentId: string; after: Date; made: Date; limit: number }>) =>
    db
      .select({ at: messages.notBefore })
      .from(messages)
      .where(and(eq(messages.agentId, p.agentId), gt(messages.notBefore, p.after), lte(messages.createdAt, p.made)))
      .orderBy(messages.notBefore)
      .limit(p.limit),
);

/**
 * When the agent's next message can be tried: now, or, beyond its rate, a minute after the message that filled it.
 * Failure `rate_limited` if a whole burst is already waiting.
 */
export function* paceOf(s: Scope, agentId: string, limits: SendLimits, now: Date): Verb<Date> {
  const { perMinutePerAgent, burstPerAgent } = limits;
  if (perMinutePerAgent === 0) return now;
  const minuteAgo = new Date(now.getTime() - MINUTE_MS);
  const made = latestPast(now);
  const [filling] = yield* selectFilling(s, { agentId, after: minuteAgo, made, rank: perMinutePerAgent - 1 });
  if (!filling) return now;
  const waiting = yield* selectWaiting(s, { agentId, after: now, made, limit: burstPerAgent + 1 });
  const slot = filling.at.getTime() + MINUTE_MS;
  if (waiting.length < burstPerAgent) return new Date(slot);
  const free = waiting[0]?.at.getTime() ?? slot;
  const seconds = Math.max(1, Math.ceil((free - now.getTime()) / 1000));
  throw new Failure("rate_limited", `This agent sends more than ${perMinutePerAgent} messages a minute.`, {
    fix: `Wait ${seconds} seconds; ${waiting.length} of its messages are waiting already.`,
    retryAfterSeconds: seconds,
  });
}

/** Deletes the counts of an account that is being deleted. */
export function* dropSendCounts(s: Scope, userId: string): Verb<void> {
  const keys = [minuteOf(userId), dayOf(userId), newOf(userId)];
  yield* ask(s.db.delete(s.t.sendCounts).where(inArray(s.t.sendCounts.key, keys)));
}

/** Deletes counts and loop releases that are more than two days old. */
export function* sweepSendCounts(s: Scope, now: Date): Verb<void> {
  const before = now.getTime() - 2 * DAY_MS;
  yield* ask(s.db.delete(s.t.sendCounts).where(sql`${s.t.sendCounts.bucket} < ${before}`));
  yield* ask(
    s.db
      .delete(s.t.loopReleases)
      .where(sql`${s.t.loopReleases.releasedAt} < ${sql.param(new Date(before), s.t.loopReleases.releasedAt)}`),
  );
}
