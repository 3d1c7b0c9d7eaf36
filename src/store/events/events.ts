import { and, asc, desc, eq, inArray, lt, type SQL, sql } from "drizzle-orm";
import { newId } from "../../util/id.ts";
import type { EventType } from "../../wire/event-types.ts";
import type { EventData } from "../../wire/events.ts";
import { ask, askRaw, type Scope, type Verb } from "../engine/engine.ts";
import { insertStatement, type Params, statement } from "../engine/statement.ts";
import type { EventRow } from "../schema.ts";
import { queueForWebhooks } from "./webhooks.ts";

/** Rows that one read looks at if only some types are wanted: a few milliseconds. */
const SCAN_ROWS = 2_000;

/** An event to write in the same transaction as the change it reports. */
export type NewEvent = {
  [T in EventType]: {
    /** A new id unless given. */
    id?: string;
    userId: string;
    agentId: string | null;
    type: T;
    data: EventData[T];
    now: Date;
  };
}[EventType];

/** Adds an event to the log and queues it for the account's webhooks. Returns its id. */
export function* addEvent(s: Scope, event: NewEvent): Verb<string> {
  const added = yield* logEvent(s, event);
  yield* queueForWebhooks(s, added);
  return added.id;
}

const insertEvent = insertStatement((t) => t.events);

/** Adds an event to the log alone. */
export function* logEvent(s: Scope, event: NewEvent): Verb<Omit<EventRow, "xid" | "seq">> {
  const { now, id = newId("evt"), ...rest } = event;
  const row = { id, ...rest, createdAt: now };
  yield* insertEvent(s, row);
  s.signal({ topic: "events", key: event.userId });
  return row;
}

const selectEvent = statement(({ db, t: { events } }, p: Params<{ id: string }>) =>
  db.select().from(events).where(eq(events.id, p.id)),
);

/** The event of this id, of any account, or null. */
export function* getEvent(s: Scope, id: string): Verb<EventRow | null> {
  const [event] = yield* selectEvent(s, { id });
  return event ?? null;
}

/** The owner of events: a whole account, or one of its agents for the events about it. */
export interface EventOwner {
  userId: string;
  agentId: string | null;
}

/** The position of an event in the log. */
export type EventPosition = Pick<EventRow, "xid" | "seq">;

export interface EventPage {
  rows: EventRow[];
  /** Where to continue if there are fewer `rows` than wanted but the log goes on; null at its end. */
  scannedTo: EventPosition | null;
  /** A committed event is withheld because an older one may still commit. It can be read a moment later. */
  isBehind: boolean;
}

/**
 * Events in the order of the log, at most `limit`, from `after` on. A later event always follows those already read: on
 * Postgres only events older than every running transaction are shown.
 */
export function* readEvents(
  s: Scope,
  owner: EventOwner,
  page: { after: EventPosition | null; sort: "asc" | "desc"; types: EventType[]; limit: number },
): Verb<EventPage> {
  const { events } = s.t;
  const { after, sort, types, limit } = page;
  const horizon = yield* horizonOf(s);
  // SQLite has one transaction at a time, and uses an index only for the first of two compared columns.
  const isOne = s.dialect === "sqlite";
  const beyond = (from: EventPosition | null, operator: SQL) => {
    if (!from) return undefined;
    if (isOne) return sql`${events.seq} ${operator} ${from.seq}`;
    return sql`(${events.xid}, ${events.seq}) ${operator} (${from.xid}, ${from.seq})`;
  };
  const base = [
    ...ownedBy(s, owner),
    horizon === null ? undefined : lt(events.xid, horizon),
    beyond(after, sort === "asc" ? sql`>` : sql`<`),
  ];
  const order = (isOne ? [events.seq] : [events.xid, events.seq]).map(sort === "asc" ? asc : desc);
  let scannedTo: EventPosition | null = null;
  if (types.length > 0) {
    const [last] = yield* ask(
      s.db
        .select({ xid: events.xid, seq: events.seq })
        .from(events)
        .where(and(...base))
        .orderBy(...order)
        .limit(1)
        .offset(SCAN_ROWS - 1),
    );
    scannedTo = last ?? null;
  }
  const rows = yield* ask(
    s.db
      .select()
      .from(events)
      .where(
        and(
          ...base,
          types.length > 0 ? inArray(events.type, types) : undefined,
          beyond(scannedTo, sort === "asc" ? sql`<=` : sql`>=`),
        ),
      )
      .orderBy(...order)
      .limit(limit),
  );
  const isBehind = horizon !== null && (yield* isAnyFrom(s, owner, horizon));
  return { rows, scannedTo: rows.length < limit ? scannedTo : null, isBehind };
}

/**
 * Matches the account as well as the agent, because an address can have had another owner before. The account's column
 * is in an expression, so that SQLite uses the agent's index.
 */
function ownedBy(s: Scope, { userId, agentId }: EventOwner): SQL[] {
  const { events } = s.t;
  return agentId === null
    ? [eq(events.userId, userId)]
    : [eq(events.agentId, agentId), sql`${events.userId} || '' = ${userId}`];
}

/** The last position that can be read now; null when the log is empty. */
export function* lastPosition(s: Scope, owner: EventOwner): Verb<EventPosition | null> {
  const { rows } = yield* readEvents(s, owner, { after: null, sort: "desc", types: [], limit: 1 });
  return rows[0] ?? null;
}

/** The oldest running transaction; null on SQLite. Events of younger ones may still get older ones before them. */
function* horizonOf(s: Scope): Verb<number | null> {
  if (s.dialect === "sqlite") return null;
  const [row] = yield* askRaw<{ xmin: string }>(sql`select pg_snapshot_xmin(pg_current_snapshot())::text as xmin`);
  return Number(row?.xmin);
}

function* isAnyFrom(s: Scope, owner: EventOwner, horizon: number): Verb<boolean> {
  const { events } = s.t;
  const rows = yield* ask(
    s.db
      .select({ id: events.id })
      .from(events)
      .where(and(eq(events.userId, owner.userId), sql`${events.xid} >= ${horizon}`))
      .limit(1),
  );
  return rows.length > 0;
}

/**
 * Makes a log readable that was restored from another Postgres server, whose transaction numbers differ. Call it only
 * while no other server has the database open.
 */
export function* adoptEvents(s: Scope): Verb<void> {
  if (s.dialect === "sqlite") return;
  const { events } = s.t;
  const horizon = yield* horizonOf(s);
  const [newest] = yield* ask(s.db.select({ xid: events.xid }).from(events).orderBy(desc(events.createdAt)).limit(1));
  if (newest && horizon !== null && newest.xid >= horizon) yield* ask(s.db.update(events).set({ xid: 0 }));
}

/** Deletes up to `limit` events older than `before`, except those that still wait for an endpoint. */
export function* sweepEvents(s: Scope, before: Date, limit: number): Verb<number> {
  const { events, deliveries } = s.t;
  const old = s.db
    .select({ id: events.id })
    .from(events)
    .where(
      and(
        lt(events.createdAt, before),
        sql`not exists (select 1 from ${deliveries} where ${deliveries.eventId} = ${events.id} and ${deliveries.finishedAt} is null)`,
      ),
    )
    .limit(limit);
  const gone = yield* ask(s.db.delete(events).where(inArray(events.id, old)).returning({ id: events.id }));
  return gone.length;
}

/** Deletes up to `limit` events of an account; returns how many were deleted. */
export function* dropSomeEventsOf(s: Scope, userId: string, limit: number): Verb<number> {
  const { events } = s.t;
  const some = s.db.select({ id: events.id }).from(events).where(eq(events.userId, userId)).limit(limit);
  const gone = yield* ask(s.db.delete(events).where(inArray(events.id, some)).returning({ id: events.id }));
  return gone.length;
}
