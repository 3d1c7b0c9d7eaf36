import { and, asc, eq, inArray, isNotNull, isNull, lte, or, sql } from "drizzle-orm";
import { ask, type Scope, type Verb } from "../engine/engine.ts";
import { addEvent } from "../events/events.ts";
import type { DkimKeyRow, DomainRow } from "../schema.ts";

const MINUTE_MS = 60_000;
/** The interval for a domain whose records are in place. */
const CHECK_INTERVAL_MS = 6 * 60 * MINUTE_MS;
/** One look-up can be wrong: a missing record is looked up once more before its owner is told. */
const SUSPECT_INTERVAL_MS = 10 * MINUTE_MS;
/** The interval for a degraded domain, until its records are back. */
const DEGRADED_INTERVAL_MS = 60 * MINUTE_MS;

export type WatchedDomain = DomainRow & { dkimKeys: DkimKeyRow[] };

/** The result of a DNS look-up. A record that DNS gave no answer about is in neither list. */
export interface DomainCheck {
  found: string[];
  problems: { record: string; status: "missing" | "mismatch" }[];
}

/** Claims accounts' proven domains that are due for a look-up; a dead claimer's are due again at `leaseUntil`. */
export function* claimDomainChecks(
  s: Scope,
  input: { now: Date; leaseUntil: Date; limit: number },
): Verb<WatchedDomain[]> {
  const { domains, dkimKeys } = s.t;
  const due = yield* ask(
    s.skipLocked(
      s.db
        .select()
        .from(domains)
        .where(and(isWatched(s), or(isNull(domains.checkDueAt), lte(domains.checkDueAt, input.now))))
        .orderBy(asc(domains.id))
        .limit(input.limit),
    ),
  );
  if (due.length === 0) return [];
  const ids = due.map((row) => row.id);
  yield* ask(s.db.update(domains).set({ checkDueAt: input.leaseUntil }).where(inArray(domains.id, ids)));
  const keys = yield* ask(s.db.select().from(dkimKeys).where(inArray(dkimKeys.domainId, ids)));
  return due.map((row) => ({ ...row, dkimKeys: keys.filter((key) => key.domainId === row.id) }));
}

/**
 * Records the result of a look-up. A record that was once present and is missing twice in a row raises
 * `domain.degraded`; when all are back, `domain.verified`.
 */
export function* recordDomainCheck(s: Scope, id: string, check: DomainCheck, now: Date): Verb<void> {
  const { domains } = s.t;
  const [domain] = yield* ask(s.locked(s.db.select().from(domains).where(eq(domains.id, id))));
  if (!domain?.userId || !domain.verifiedAt) return;
  const lost = check.problems.filter(({ record }) => domain.seenRecords.includes(record));
  const seenRecords = [...new Set([...domain.seenRecords, ...check.found])];
  const after = stateAfter(domain, lost.length > 0, now);
  yield* ask(
    s.db
      .update(domains)
      .set({ seenRecords, ...after })
      .where(eq(domains.id, id)),
  );
  const about = { userId: domain.userId, agentId: null, now };
  if (after.degradedAt && !domain.degradedAt)
    yield* addEvent(s, {
      ...about,
      type: "domain.degraded",
      data: { domain: domain.domain, problems: lost },
    });
  if (!after.degradedAt && domain.degradedAt)
    yield* addEvent(s, { ...about, type: "domain.verified", data: { domain: domain.domain } });
}

/** The state that follows from one look-up. Pure. */
function stateAfter(
  { suspectSince, degradedAt }: DomainRow,
  isLost: boolean,
  now: Date,
): Pick<DomainRow, "suspectSince" | "degradedAt" | "checkDueAt"> {
  const dueIn = (ms: number) => new Date(now.getTime() + ms);
  if (!isLost) return { suspectSince: null, degradedAt: null, checkDueAt: dueIn(CHECK_INTERVAL_MS) };
  if (!suspectSince) return { suspectSince: now, degradedAt: null, checkDueAt: dueIn(SUSPECT_INTERVAL_MS) };
  return { suspectSince, degradedAt: degradedAt ?? now, checkDueAt: dueIn(DEGRADED_INTERVAL_MS) };
}

/** When the next domain is due for a look-up; null if no domain is proven. */
export function* nextDomainCheckDue(s: Scope): Verb<Date | null> {
  const { domains } = s.t;
  const [row] = yield* ask(
    s.db
      .select({ at: domains.checkDueAt })
      .from(domains)
      .where(isWatched(s))
      .orderBy(sql`${domains.checkDueAt} asc nulls first`)
      .limit(1),
  );
  return row ? (row.at ?? new Date(0)) : null;
}

/** Excludes the server's own domains, which have no owner to tell. */
function isWatched(s: Scope) {
  return and(isNotNull(s.t.domains.verifiedAt), isNotNull(s.t.domains.userId));
}
