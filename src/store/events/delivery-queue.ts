import { and, asc, eq, isNotNull, lte, ne, notInArray, type SQL, sql } from "drizzle-orm";
import { newId } from "../../util/id.ts";
import { Tally } from "../../util/tally.ts";
import { ask, askRaw, type Scope, type Verb } from "../engine/engine.ts";
import { insertStatement, type Parameter, type Params, statement } from "../engine/statement.ts";
import { walkOf } from "../engine/walk.ts";
import type { DeliveryRow } from "../schema.ts";

/** A claim first looks at this many of the oldest due rows for each row it wants, which usually avoids a walk. */
const CANDIDATES_PER_CLAIM = 4;
/** Endpoints that one step of a walk looks at. */
const WALKED_AT_ONCE = 64;
/**
 * The list of busy endpoints is padded to a multiple of this, so that it has few lengths: each is a prepared statement.
 */
const BUSY_STEP = 32;
/** Rows looked at for the next due time before a walk: a read of one or two pages. */
const NEXT_DUE_CANDIDATES = 100;
/**
 * With more due rows than this, a claim walks from endpoint to endpoint: reading past the rows of busy endpoints would
 * take milliseconds.
 */
const PILE_ROWS = 5_000;

/** An event to be delivered to one endpoint. */
export type NewDelivery = Pick<
  DeliveryRow,
  "userId" | "agentId" | "eventId" | "eventType" | "messageId" | "endpointId"
> & {
  /** It waits until its endpoint, or its agent, is switched on again. */
  isFrozen: boolean;
  now: Date;
};

const insertDelivery = insertStatement((t) => t.deliveries);

/** Queues a delivery, due at once, and returns it. */
export function* addDelivery(s: Scope, { isFrozen, now, ...about }: NewDelivery): Verb<DeliveryRow> {
  const row: DeliveryRow = {
    id: newId("dlv"),
    ...about,
    status: isFrozen ? "paused" : "pending",
    attempts: 0,
    nextAttemptAt: now,
    leaseToken: null,
    lastStatus: null,
    lastError: null,
    createdAt: now,
    finishedAt: null,
  };
  yield* insertDelivery(s, row);
  s.signal({ topic: "deliveries", key: about.endpointId });
  return row;
}

interface DeliveryClaim {
  now: Date;
  leaseUntil: Date;
  leaseToken: string;
  limit: number;
  /** Endpoints with no free slot. */
  busy: string[];
  /** The account without a free slot, if there is one. */
  fullAccount?: string | null;
  slots: DeliverySlots;
  /** Claims only for these endpoints, which are known to have something due. Each costs one seek. */
  named?: readonly string[];
  /** The endpoint that the last walk served last, or "": the next walk continues after it, to give each a turn. */
  after?: string;
}

/** How many more deliveries can be in hand. */
export interface DeliverySlots {
  /** Endpoint → free slots. */
  of: ReadonlyMap<string, number>;
  /** Free slots of each endpoint that `of` does not name. */
  others: number;
  /** The same for all endpoints of an account together. */
  accounts?: { of: ReadonlyMap<string, number>; others: number };
  /** Endpoints whose last attempt failed; one claim serves at most `failingMax` of them. */
  failing: ReadonlySet<string>;
  failingMax: number;
}

/** The slots of an endpoint in one claim. Only the first `failingMax` failing endpoints asked for get any. */
function slotsFor({ of, others, failing, failingMax }: DeliverySlots): (endpoint: string) => number {
  const granted = new Set<string>();
  return (endpoint) => {
    const free = of.get(endpoint) ?? others;
    if (free <= 0 || !failing.has(endpoint) || granted.has(endpoint)) return free;
    if (granted.size >= failingMax) return 0;
    granted.add(endpoint);
    return free;
  };
}

const updateToLeased = statement(
  ({ db, t: { deliveries } }, p: Params<{ id: string; leaseUntil: Date; leaseToken: string }>) =>
    db
      .update(deliveries)
      .set({ nextAttemptAt: p.leaseUntil, leaseToken: p.leaseToken })
      .where(eq(deliveries.id, p.id))
      .returning(),
);

/**
 * Claims due deliveries for `leaseToken`, oldest first. Their due time moves to `leaseUntil`, so they are due again if
 * the claimer dies. If the rows of busy endpoints hide all others, the claim walks from endpoint to endpoint: a dead
 * endpoint never delays the others, however large its backlog. Returns the deliveries, and `after` for the next claim.
 */
export function* claimDueDeliveries(s: Scope, input: DeliveryClaim): Verb<{ claimed: DeliveryRow[]; after: string }> {
  const { now, limit, leaseUntil, leaseToken } = input;
  const slots = slotsFor(input.slots);
  let after = input.after ?? "";
  const ids = new Set<string>();
  const taken = new Tally();
  const takenBy = new Tally();
  const { accounts } = input.slots;
  const slotsOf = (account: string) => accounts?.of.get(account) ?? accounts?.others ?? Number.POSITIVE_INFINITY;
  const take = (rows: Candidate[]) => {
    for (const { id, endpointId, userId } of rows) {
      if (ids.size >= limit || ids.has(id) || takenBy.of(userId) >= slotsOf(userId)) continue;
      if (input.busy.includes(endpointId) || taken.of(endpointId) >= slots(endpointId)) continue;
      taken.add(endpointId, +1);
      takenBy.add(userId, +1);
      ids.add(id);
    }
  };

  const search = function* (): Verb<void> {
    const looked = limit * CANDIDATES_PER_CLAIM;
    const among = { now, busy: [], fullAccount: input.fullAccount ?? "", limit: looked };
    const oldest = yield* selectOldestDue(s, among);
    take(oldest);
    if (ids.size === limit || oldest.length < looked) return;
    const filled = takenBy.keys().find((account) => takenBy.of(account) >= slotsOf(account));
    const fullAccount = input.fullAccount ?? filled ?? "";
    const busy = filledUp([...input.busy, ...taken.keys().filter((one) => taken.of(one) >= slots(one))]);
    if (yield* isPile(s, now))
      after = yield* walk(s, { now, busy, fullAccount, slots, after }, () => limit - ids.size, take);
    else take(yield* selectOldestDue(s, { ...among, busy, fullAccount }));
  };
  if (!input.named) yield* search();
  else
    for (const endpoint of input.named)
      take(yield* oldestDueOf(s, endpoint, now, Math.min(limit - ids.size, slots(endpoint))));

  const claimed: DeliveryRow[] = [];
  for (const id of ids) claimed.push(...(yield* updateToLeased(s, { id, leaseUntil, leaseToken })));
  return { claimed, after };
}

type Candidate = Pick<DeliveryRow, "id" | "endpointId" | "userId">;

/**
 * Walks from endpoint to endpoint, from where the last walk ended, and passes the oldest rows of each to `take` while
 * rows are wanted. Returns the endpoint served last.
 */
function* walk(
  s: Scope,
  input: LeftOut & { now: Date; slots: (endpoint: string) => number; after: string },
  wanted: () => number,
  take: (rows: Candidate[]) => void,
): Verb<string> {
  const { now, busy, fullAccount, slots, after } = input;
  let served = after;
  // First to the last endpoint, then from the first one to where the walk began.
  for (const [from, to] of [
    [after, null],
    ["", after],
  ] as const)
    for (let last: string | undefined = from; wanted() > 0 && last !== undefined; ) {
      const place = { now, busy, fullAccount, from: last, to, limit: WALKED_AT_ONCE };
      const due: { endpoint: string }[] = yield* selectDueEndpoints(s, place, to !== null);
      for (const { endpoint } of due) {
        if (wanted() <= 0) break;
        take(yield* oldestDueOf(s, endpoint, now, Math.min(wanted(), slots(endpoint))));
        served = endpoint;
      }
      last = due.length < WALKED_AT_ONCE ? undefined : due.at(-1)?.endpoint;
    }
  return served;
}

const selectAtPile = statement((s, p: Params<{ by: Date | null }>, isUpTo: boolean) => {
  const { deliveries } = s.t;
  return s.db
    .select({ at: deliveries.nextAttemptAt })
    .from(deliveries)
    .where(and(pending(s), isUpTo ? lte(deliveries.nextAttemptAt, p.by) : undefined))
    .orderBy(asc(deliveries.nextAttemptAt))
    .limit(1)
    .offset(PILE_ROWS);
});

/** Whether more rows are pending, and due by `by` if given, than a query should read past. */
function* isPile(s: Scope, by: Date | null): Verb<boolean> {
  return (yield* selectAtPile(s, { by }, by !== null)).length > 0;
}

/** What the statements below exclude. */
interface LeftOut {
  /** Padded to one of a few lengths (`filledUp`), or empty: a statement is prepared for each length. */
  busy: string[];
  /** "" means no account; no account has that id. */
  fullAccount: string;
}

const selectOldestDue = statement((s, p: Params<LeftOut & { now: Date; limit: number }>) => {
  const { deliveries } = s.t;
  return s.skipLocked(
    s.db
      .select({ id: deliveries.id, endpointId: deliveries.endpointId, userId: deliveries.userId })
      .from(deliveries)
      .where(
        and(
          pending(s),
          lte(deliveries.nextAttemptAt, p.now),
          notBusy(sql`${deliveries.endpointId}`, p.busy),
          ne(deliveries.userId, p.fullAccount),
        ),
      )
      .orderBy(asc(deliveries.nextAttemptAt))
      .limit(p.limit),
  );
});

const selectOldestDueOf = statement((s, p: Params<{ endpointId: string; now: Date; limit: number }>) => {
  const { deliveries } = s.t;
  return s.skipLocked(
    s.db
      .select({ id: deliveries.id, endpointId: deliveries.endpointId, userId: deliveries.userId })
      .from(deliveries)
      .where(and(pending(s), eq(deliveries.endpointId, p.endpointId), lte(deliveries.nextAttemptAt, p.now)))
      .orderBy(asc(deliveries.endpointId), asc(deliveries.nextAttemptAt))
      .limit(p.limit),
  );
});

function* oldestDueOf(s: Scope, endpointId: string, now: Date, limit: number): Verb<Candidate[]> {
  return limit <= 0 ? [] : yield* selectOldestDueOf(s, { endpointId, now, limit });
}

/** Endpoints that are not excluded and have a due delivery, after `from` and up to `to`, in order. */
const selectDueEndpoints = statement(
  (s, p: Params<LeftOut & { now: Date; from: string; to: string | null; limit: number }>, hasEnd: boolean) =>
    s.db
      .select({ endpoint: sql<string>`walk.id` })
      .from(waitingEndpoints(s, p.from, hasEnd ? p.to : undefined))
      .where(and(notBusy(sql`walk.id`, p.busy), sql`walk.due <= ${p.now}`, ne(accountOfWalked(s), p.fullAccount)))
      .limit(p.limit),
);

/** Endpoints after the given one that have a pending delivery, as `walkOf` returns them. */
function waitingEndpoints(s: Scope, after: SQL, upTo?: SQL): SQL {
  const { endpointId: id, nextAttemptAt: due } = s.t.deliveries;
  return walkOf(pending(s), { id, due }, after, upTo);
}

/** A constant, because a parameter would not match the partial index. */
function pending(s: Scope): SQL {
  return sql`${s.t.deliveries.status} = 'pending'`;
}

function notBusy(endpoint: SQL, busy: Parameter<string>[]): SQL | undefined {
  return busy.length === 0 ? undefined : notInArray(endpoint, busy);
}

/** The account of the endpoint that a walk has reached: one seek. */
function accountOfWalked(s: Scope): SQL {
  return sql`(select user_id from ${s.t.deliveries} where status = 'pending' and endpoint_id = walk.id limit 1)`;
}

function filledUp(busy: string[]): string[] {
  const [first] = busy;
  const missing = (BUSY_STEP - (busy.length % BUSY_STEP)) % BUSY_STEP;
  return first === undefined ? [] : [...busy, ...Array<string>(missing).fill(first)];
}

const selectEarliest = statement((s, p: Params<LeftOut & { limit: number }>) => {
  const { deliveries } = s.t;
  return s.db
    .select({ endpointId: deliveries.endpointId, at: deliveries.nextAttemptAt })
    .from(deliveries)
    .where(and(pending(s), notBusy(sql`${deliveries.endpointId}`, p.busy), ne(deliveries.userId, p.fullAccount)))
    .orderBy(asc(deliveries.nextAttemptAt))
    .limit(p.limit);
});

const selectEarliestWalked = statement((s, p: Params<LeftOut & { from: string }>) =>
  s.db
    .select({ at: sql<Date | null>`min(walk.due)`.mapWith(s.t.deliveries.nextAttemptAt) })
    .from(waitingEndpoints(s, p.from))
    .where(and(notBusy(sql`walk.id`, p.busy), ne(accountOfWalked(s), p.fullAccount))),
);

/**
 * When the next delivery is due, except those of busy endpoints and of a full account. Null if no other delivery waits.
 */
export function* nextDeliveryDue(s: Scope, endpoints: string[], account: string | null = null): Verb<Date | null> {
  const busy = filledUp(endpoints);
  const fullAccount = account ?? "";
  const isAny = busy.length === 0;
  const looked = isAny ? 1 : NEXT_DUE_CANDIDATES;
  const earliest = yield* selectEarliest(s, { busy: [], fullAccount, limit: looked });
  const found = earliest.find((row) => !busy.includes(row.endpointId));
  if (found || isAny || earliest.length < looked) return found?.at ?? null;
  const [rest] = (yield* isPile(s, null))
    ? yield* selectEarliestWalked(s, { busy, fullAccount, from: "" })
    : yield* selectEarliest(s, { busy, fullAccount, limit: 1 });
  return rest?.at ?? null;
}

/**
 * Ends every lease. Call it only at start, before anything is claimed and while no other server has the database open:
 * the process that held them has ended.
 */
export function* releaseLeases(s: Scope, now: Date): Verb<number> {
  const { deliveries } = s.t;
  let released = 0;
  // Paused deliveries too: switched on again, they would otherwise wait for a lease whose holder is gone.
  for (const waiting of [pending(s), sql`${deliveries.status} = 'paused'`]) {
    const rows = yield* ask(
      s.db
        .update(deliveries)
        .set({ leaseToken: null, nextAttemptAt: now })
        .where(and(waiting, isNotNull(deliveries.leaseToken)))
        .returning({ id: deliveries.id }),
    );
    released += rows.length;
  }
  return released;
}

/** For readiness and metrics: how many deliveries wait, and when the oldest overdue one was due. */
export function* queueState(s: Scope, now: Date): Verb<{ waiting: number; oldestDueAt: Date | null }> {
  const { deliveries } = s.t;
  const [count] = yield* askRaw<{ waiting: number }>(
    sql`select count(*) as waiting from ${deliveries} where ${deliveries.status} = 'pending'`,
  );
  const due = yield* nextDeliveryDue(s, []);
  return { waiting: Number(count?.waiting ?? 0), oldestDueAt: due && due <= now ? due : null };
}
