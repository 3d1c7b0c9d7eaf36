import { and, asc, eq, inArray, isNotNull, lt, lte, type SQL, sql } from "drizzle-orm";
import { newId } from "../id.ts";
import { listSecrets } from "./accounts.ts";
import { getAgent } from "./agents.ts";
import { ask, askRaw, placeholders, type Scope, timePlaceholder, type Verb } from "./engine.ts";
import { getMessage, type StoredMail } from "./messages.ts";
import type { AgentRow, DeliveryAttemptRow, DeliveryRow, MessageRow, SigningSecretRow } from "./schema.ts";

/** Due rows looked at in one claim, for each row wanted: enough to see past a busy endpoint's pile. */
const CANDIDATES_PER_CLAIM = 4;

/** Queues the event of a message for the agent's own webhook. */
export function* addDelivery(s: Scope, message: MessageRow, agent: AgentRow, now: Date): Verb<void> {
  yield* ask(
    s.prepared(
      "addDelivery",
      () =>
        s.db.insert(s.t.deliveries).values({
          id: sql.placeholder("id"),
          eventId: sql.placeholder("eventId"),
          messageId: sql.placeholder("messageId"),
          endpointId: sql.placeholder("endpointId"),
          status: sql.placeholder("status"),
          attempts: 0,
          nextAttemptAt: sql.placeholder("now"),
          createdAt: sql.placeholder("now"),
        }),
      {
        id: newId("dlv"),
        eventId: message.eventId,
        messageId: message.id,
        endpointId: agent.id,
        status: agent.paused ? "paused" : "pending",
        now,
      },
    ),
  );
  s.signal({ topic: "deliveries", key: "" });
}

/**
 * Claims due deliveries for `leaseToken`: their due time moves to `leaseUntil`, so that a claimer
 * that dies loses nothing. `slots` says how many more an endpoint may have in hand; `busy` names
 * endpoints with none, so that a dead one never fills the claim of another.
 */
export function* claimDueDeliveries(
  s: Scope,
  input: {
    now: Date;
    leaseUntil: Date;
    leaseToken: string;
    limit: number;
    busy: string[];
    slots: (endpointId: string) => number;
  },
): Verb<DeliveryRow[]> {
  const { deliveries } = s.t;
  const candidates = yield* ask(
    s.prepared(
      `dueDeliveries ${input.busy.length}`,
      () =>
        s.skipLocked(
          s.db
            .select({ id: deliveries.id, endpointId: deliveries.endpointId })
            .from(deliveries)
            .where(and(pending(s), lte(deliveries.nextAttemptAt, timePlaceholder(s, "now")), notBusy(s, input.busy)))
            .orderBy(asc(deliveries.nextAttemptAt))
            .limit(sql.placeholder("limit")),
        ),
      { now: input.now, limit: input.limit * CANDIDATES_PER_CLAIM, ...busyValues(input.busy) },
    ),
  );
  const taken = new Map<string, number>();
  const ids: string[] = [];
  for (const { id, endpointId } of candidates) {
    const already = taken.get(endpointId) ?? 0;
    if (ids.length >= input.limit || already >= input.slots(endpointId)) continue;
    taken.set(endpointId, already + 1);
    ids.push(id);
  }
  const claimed: DeliveryRow[] = [];
  for (const id of ids)
    claimed.push(
      ...(yield* ask(
        s.prepared(
          "leaseDelivery",
          () =>
            s.db
              .update(deliveries)
              .set({
                nextAttemptAt: timePlaceholder(s, "leaseUntil"),
                leaseToken: sql`${sql.placeholder("leaseToken")}`,
              })
              .where(eq(deliveries.id, sql.placeholder("id")))
              .returning(),
          { id, leaseUntil: input.leaseUntil, leaseToken: input.leaseToken },
        ),
      )),
    );
  return claimed;
}

/** Written out, because a partial index is only found by a constant. */
function pending(s: Scope): SQL {
  return sql`${s.t.deliveries.status} = 'pending'`;
}

function notBusy(s: Scope, busy: string[]): SQL | undefined {
  if (busy.length === 0) return undefined;
  const places = busy.map((_, i) => sql`${sql.placeholder(`busy${i}`)}`);
  return sql`${s.t.deliveries.endpointId} not in (${sql.join(places, sql`, `)})`;
}

function busyValues(busy: string[]): Record<string, string> {
  return Object.fromEntries(busy.map((endpoint, i) => [`busy${i}`, endpoint]));
}

/** All that one attempt needs; null when the message or its agent is gone. */
export interface DeliveryWork {
  mail: StoredMail;
  agent: AgentRow;
  /** Newest first; the first one signs. */
  secrets: SigningSecretRow[];
}

export function* deliveryWork(s: Scope, delivery: DeliveryRow): Verb<DeliveryWork | null> {
  const agent = yield* getAgent(s, delivery.endpointId);
  if (!agent) return null;
  const mail = yield* getMessage(s, agent.id, delivery.messageId);
  if (!mail) return null;
  return { mail, agent, secrets: yield* listSecrets(s, agent.userId) };
}

export type DeliveryStep =
  | { kind: "succeeded" }
  | { kind: "retry"; at: Date }
  | { kind: "failed" }
  /** Nothing was tried; it goes back as it was. */
  | { kind: "released"; at: Date };

/**
 * Records what an attempt came to. Does nothing, and returns false, when the lease has passed
 * to somebody else meanwhile.
 */
export function* finishDelivery(
  s: Scope,
  delivery: Pick<DeliveryRow, "id" | "leaseToken">,
  step: DeliveryStep,
  attempt: Omit<DeliveryAttemptRow, "deliveryId"> | null,
  now: Date,
): Verb<boolean> {
  const { deliveries, deliveryAttempts } = s.t;
  const done = step.kind === "succeeded" || step.kind === "failed";
  const tried = attempt !== null;
  const rows = yield* ask(
    s.prepared(
      `finishDelivery ${done} ${tried}`,
      () =>
        s.db
          .update(deliveries)
          .set({
            leaseToken: null,
            ...(done
              ? { status: sql`${sql.placeholder("status")}`, finishedAt: timePlaceholder(s, "at") }
              : { nextAttemptAt: timePlaceholder(s, "at") }),
            ...(tried
              ? {
                  attempts: sql`${sql.placeholder("attempts")}`,
                  lastStatus: sql`${sql.placeholder("lastStatus")}`,
                  lastError: sql`${sql.placeholder("lastError")}`,
                }
              : {}),
          })
          .where(
            and(eq(deliveries.id, sql.placeholder("id")), eq(deliveries.leaseToken, sql.placeholder("leaseToken"))),
          )
          .returning({ id: deliveries.id }),
      {
        id: delivery.id,
        leaseToken: delivery.leaseToken ?? "",
        status: step.kind,
        at: "at" in step ? step.at : now,
        attempts: attempt?.attempt,
        lastStatus: attempt?.status,
        lastError: attempt?.error,
      },
    ),
  );
  if (rows.length === 0) return false;
  if (attempt) {
    const row: DeliveryAttemptRow = { deliveryId: delivery.id, ...attempt };
    yield* ask(
      s.prepared("insertAttempt", () => s.db.insert(deliveryAttempts).values(placeholders(deliveryAttempts, row)), row),
    );
  }
  return true;
}

/** When the next delivery is due, busy endpoints left out; null when none waits. */
export function* nextDeliveryDue(s: Scope, busy: string[]): Verb<Date | null> {
  const { deliveries } = s.t;
  const rows = yield* ask(
    s.prepared(
      `nextDeliveryDue ${busy.length}`,
      () =>
        s.db
          .select({ at: deliveries.nextAttemptAt })
          .from(deliveries)
          .where(and(pending(s), notBusy(s, busy)))
          .orderBy(asc(deliveries.nextAttemptAt))
          .limit(1),
      busyValues(busy),
    ),
  );
  return rows[0]?.at ?? null;
}

/**
 * Gives back every lease at once. Only for a store that one process owns (SQLite), at start:
 * whoever held them is dead.
 */
export function* releaseLeases(s: Scope, now: Date): Verb<number> {
  const { deliveries } = s.t;
  const rows = yield* ask(
    s.db
      .update(deliveries)
      .set({ leaseToken: null, nextAttemptAt: now })
      .where(and(pending(s), isNotNull(deliveries.leaseToken)))
      .returning({ id: deliveries.id }),
  );
  return rows.length;
}

/** An agent's deliveries of one message with their attempts, for people who ask what happened. */
export function* deliveriesOf(s: Scope, messageId: string): Verb<(DeliveryRow & { tries: DeliveryAttemptRow[] })[]> {
  const { deliveries, deliveryAttempts } = s.t;
  const rows = yield* ask(s.db.select().from(deliveries).where(eq(deliveries.messageId, messageId)));
  const all: (DeliveryRow & { tries: DeliveryAttemptRow[] })[] = [];
  for (const row of rows) {
    const tries = yield* ask(
      s.db
        .select()
        .from(deliveryAttempts)
        .where(eq(deliveryAttempts.deliveryId, row.id))
        .orderBy(asc(deliveryAttempts.attempt)),
    );
    all.push({ ...row, tries });
  }
  return all;
}

/** Figures for readiness and metrics: how many wait, and since when the oldest overdue one has. */
export function* queueState(s: Scope, now: Date): Verb<{ waiting: number; oldestDueAt: Date | null }> {
  const { deliveries } = s.t;
  const [count] = yield* askRaw<{ waiting: number }>(
    sql`select count(*) as waiting from ${deliveries} where ${deliveries.status} = 'pending'`,
  );
  const due = yield* nextDeliveryDue(s, []);
  return { waiting: Number(count?.waiting ?? 0), oldestDueAt: due && due <= now ? due : null };
}

/** Deletes up to `limit` finished deliveries older than `before`. */
export function* sweepDeliveries(s: Scope, before: Date, limit: number): Verb<number> {
  const { deliveries } = s.t;
  const old = s.db
    .select({ id: deliveries.id })
    .from(deliveries)
    .where(and(isNotNull(deliveries.finishedAt), lt(deliveries.finishedAt, before)))
    .limit(limit);
  const gone = yield* ask(s.db.delete(deliveries).where(inArray(deliveries.id, old)).returning({ id: deliveries.id }));
  return gone.length;
}

/** Deletes up to `limit` events older than `before`. */
export function* sweepEvents(s: Scope, before: Date, limit: number): Verb<number> {
  const { events } = s.t;
  const old = s.db.select({ id: events.id }).from(events).where(lt(events.createdAt, before)).limit(limit);
  const gone = yield* ask(s.db.delete(events).where(inArray(events.id, old)).returning({ id: events.id }));
  return gone.length;
}
