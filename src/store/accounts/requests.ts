import { and, eq, isNull, lt, sql } from "drizzle-orm";
import { Failure } from "../../util/errors.ts";
import { ask, type Scope, type Verb } from "../engine/engine.ts";

/** How long an Idempotency-Key stands for its first request and the response to it (WIRE). */
export const IDEMPOTENCY_KEPT_MS = 24 * 3_600_000;

export type IdempotentStart =
  /** This request is the first: answer it, then call `finishIdempotent`. */
  { kind: "first" } | { kind: "replay"; status: number; body: string } | { kind: "running" } | { kind: "reused" };

/**
 * Claims an Idempotency-Key for a request. Keys older than `expiredBefore` are forgotten. If a first request died
 * before it answered, its key stays blocked until it is older than `abandonedBefore`.
 */
export function* startIdempotent(
  s: Scope,
  input: {
    userId: string;
    key: string;
    requestHash: string;
    now: Date;
    expiredBefore: Date;
    /** An unanswered first request from before this time counts as dead. */
    abandonedBefore: Date;
  },
): Verb<IdempotentStart> {
  const { idempotencyKeys: keys } = s.t;
  const mine = and(eq(keys.userId, input.userId), eq(keys.key, input.key));
  yield* ask(s.db.delete(keys).where(and(mine, lt(keys.createdAt, input.expiredBefore))));
  const made = yield* ask(
    s.db
      .insert(keys)
      .values({ userId: input.userId, key: input.key, requestHash: input.requestHash, createdAt: input.now })
      .onConflictDoNothing()
      .returning({ key: keys.key }),
  );
  if (made.length > 0) return { kind: "first" };
  const [found] = yield* ask(s.db.select().from(keys).where(mine));
  if (!found) return { kind: "running" };
  if (found.requestHash !== input.requestHash) return { kind: "reused" };
  if (found.status !== null) return { kind: "replay", status: found.status, body: found.body ?? "" };
  if (found.createdAt >= input.abandonedBefore) return { kind: "running" };
  const taken = yield* ask(
    s.db
      .update(keys)
      .set({ createdAt: input.now })
      .where(and(mine, eq(keys.createdAt, found.createdAt)))
      .returning({ key: keys.key }),
  );
  return { kind: taken.length > 0 ? "first" : "running" };
}

/**
 * Forgets keys whose first request has no answer: either it died before it made anything, or its message is found by
 * the key anyway.
 */
export function* forgetUnanswered(s: Scope): Verb<void> {
  yield* ask(s.db.delete(s.t.idempotencyKeys).where(isNull(s.t.idempotencyKeys.status)));
}

/** A stored answer for repetitions of a request; `body` is sealed. */
export interface KeptAnswer {
  userId: string;
  key: string;
  answer: { status: number; body: string };
}

/**
 * Keeps the answer for replays. If `answer` is null, forgets the key, so that a failed request can be retried. A key
 * that has an answer is left unchanged: its request was carried out, whatever failed afterwards or came too late.
 */
export function* finishIdempotent(
  s: Scope,
  userId: string,
  key: string,
  answer: KeptAnswer["answer"] | null,
): Verb<void> {
  const { idempotencyKeys: keys } = s.t;
  const unanswered = and(eq(keys.userId, userId), eq(keys.key, key), isNull(keys.status));
  if (answer) yield* ask(s.db.update(keys).set(answer).where(unanswered));
  else yield* ask(s.db.delete(keys).where(unanswered));
}

/**
 * Keeps the answer in the same transaction as what the request makes. Failure `conflict`, which rolls that back, if the
 * key has an answer by now: the request took so long that a repetition of it was carried out instead.
 */
export function* keepAnswer(s: Scope, keep: KeptAnswer | null): Verb<void> {
  if (!keep) return;
  const { userId, key, answer } = keep;
  const { idempotencyKeys: keys } = s.t;
  const kept = yield* ask(
    s.db
      .update(keys)
      .set(answer)
      .where(and(eq(keys.userId, userId), eq(keys.key, key), isNull(keys.status)))
      .returning({ key: keys.key }),
  );
  if (kept.length === 0)
    throw new Failure("conflict", "Another request with this Idempotency-Key finished first.", {
      fix: "Send the request again: it gets that answer.",
    });
}

/** Forgets keys older than `before`. */
export function* sweepIdempotency(s: Scope, before: Date): Verb<void> {
  yield* ask(s.db.delete(s.t.idempotencyKeys).where(lt(s.t.idempotencyKeys.createdAt, before)));
}

/** Counts one more request for `key` in a minute since the epoch; returns the new count across all nodes. */
export function* countRequest(s: Scope, key: string, minute: number): Verb<number> {
  const { requestCounts: counts } = s.t;
  const rows = yield* ask(
    s.db
      .insert(counts)
      .values({ key, minute, count: 1 })
      .onConflictDoUpdate({ target: [counts.key, counts.minute], set: { count: sql`${counts.count} + 1` } })
      .returning({ count: counts.count }),
  );
  return rows[0]?.count ?? 1;
}

/** Forgets counts of minutes before `minute`. */
export function* sweepRequestCounts(s: Scope, minute: number): Verb<void> {
  yield* ask(s.db.delete(s.t.requestCounts).where(lt(s.t.requestCounts.minute, minute)));
}

/** Proves that the store takes writes, by writing one row to disk. */
export function* probeWrite(s: Scope, now: Date): Verb<void> {
  const value = now.toISOString();
  yield* ask(
    s.db.insert(s.t.meta).values({ key: "probe", value }).onConflictDoUpdate({ target: s.t.meta.key, set: { value } }),
  );
}
