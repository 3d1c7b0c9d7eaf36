import { and, eq, lt } from "drizzle-orm";
import { ask, type Scope, type Verb } from "./engine.ts";

export type IdempotentStart =
  /** This request is the first: answer it, then call `finishIdempotent`. */
  { kind: "first" } | { kind: "replay"; status: number; body: string } | { kind: "running" } | { kind: "reused" };

/**
 * Claims an Idempotency-Key for a request. Keys older than `expiredBefore` are forgotten;
 * a first request that died before it answered blocks its key until then or `runningSince`.
 */
export function* startIdempotent(
  s: Scope,
  input: {
    userId: string;
    key: string;
    requestHash: string;
    now: Date;
    expiredBefore: Date;
    /** A first request without an answer since before this is taken for dead. */
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
  yield* ask(s.db.update(keys).set({ createdAt: input.now }).where(mine));
  return { kind: "first" };
}

/** Keeps the answer for replays; `answer` null forgets the key, so that a failed request can be tried again. */
export function* finishIdempotent(
  s: Scope,
  userId: string,
  key: string,
  answer: { status: number; body: string } | null,
): Verb<void> {
  const { idempotencyKeys: keys } = s.t;
  const mine = and(eq(keys.userId, userId), eq(keys.key, key));
  if (answer) yield* ask(s.db.update(keys).set(answer).where(mine));
  else yield* ask(s.db.delete(keys).where(mine));
}

/** Forgets keys older than `before`. */
export function* sweepIdempotency(s: Scope, before: Date): Verb<void> {
  yield* ask(s.db.delete(s.t.idempotencyKeys).where(lt(s.t.idempotencyKeys.createdAt, before)));
}

/** Proves that the store takes writes: one row that reaches the disk. */
export function* probeWrite(s: Scope, now: Date): Verb<void> {
  const value = now.toISOString();
  yield* ask(
    s.db.insert(s.t.meta).values({ key: "probe", value }).onConflictDoUpdate({ target: s.t.meta.key, set: { value } }),
  );
}
