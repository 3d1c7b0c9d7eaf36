import { and, asc, eq, inArray, isNotNull, isNull, lt, sql } from "drizzle-orm";
import type { EventData } from "../../wire/events.ts";
import { listSecrets } from "../accounts/accounts.ts";
import { ask, type Scope, type Verb } from "../engine/engine.ts";
import { insertStatement, type Params, statement } from "../engine/statement.ts";
import { getMessage, type StoredMail } from "../mail/messages.ts";
import type { DeliveryAttemptRow, DeliveryRow, EventRow, MessageRow, SigningSecretRow } from "../schema.ts";
import { type Disabling, noteFailure, noteSuccess } from "./endpoint-health.ts";
import { type Endpoint, getEndpoint } from "./endpoints.ts";
import { getEvent } from "./events.ts";

/** Everything that one attempt needs; null if the content or its endpoint is gone. */
export interface DeliveryWork {
  endpoint: Endpoint;
  /** An agent's own webhook gets the message; an account's gets the event, and what was proven about its message. */
  content: { kind: "message"; mail: StoredMail } | { kind: "event"; event: EventRow; message: MessageRow | null };
  /** Newest first. */
  secrets: SigningSecretRow[];
}

export function* deliveryWork(s: Scope, delivery: DeliveryRow): Verb<DeliveryWork | null> {
  const endpoint = yield* getEndpoint(s, delivery.endpointId);
  const content = endpoint && (yield* contentOf(s, delivery));
  return content && { endpoint, content, secrets: yield* listSecrets(s, delivery.userId) };
}

const selectBytes = statement(({ db, dialect, t: { messages, rawMail } }, p: Params<{ id: string }>) => {
  const content = dialect === "postgres" ? sql`${rawMail.content}::text` : rawMail.content;
  return db
    .select({ bytes: sql<number>`octet_length(${rawMail.bytes}) + octet_length(${content})` })
    .from(messages)
    .innerJoin(rawMail, eq(rawMail.sha256, messages.rawSha256))
    .where(eq(messages.id, p.id));
});

/** About how much memory `deliveryWork` takes for a delivery's message; 0 without one. It does not read the message. */
export function* deliveryBytes(s: Scope, { messageId }: Pick<DeliveryRow, "messageId">): Verb<number> {
  const [row] = messageId === null ? [] : yield* selectBytes(s, { id: messageId });
  return Number(row?.bytes ?? 0);
}

/** Moves the end of a lease; false if it has passed to another claimer. */
export function* renewDelivery(
  s: Scope,
  { id, leaseToken }: Pick<DeliveryRow, "id" | "leaseToken">,
  leaseUntil: Date,
): Verb<boolean> {
  const { deliveries } = s.t;
  const rows = yield* ask(
    s.db
      .update(deliveries)
      .set({ nextAttemptAt: leaseUntil })
      .where(and(eq(deliveries.id, id), eq(deliveries.leaseToken, leaseToken ?? "")))
      .returning({ id: deliveries.id }),
  );
  return rows.length > 0;
}

function* contentOf(s: Scope, delivery: DeliveryRow): Verb<DeliveryWork["content"] | null> {
  if (delivery.messageId !== null) {
    const mail = yield* getMessage(s, delivery.endpointId, delivery.messageId);
    return mail && { kind: "message", mail };
  }
  const event = yield* getEvent(s, delivery.eventId);
  if (!event) return null;
  if (event.type !== "message.received") return { kind: "event", event, message: null };
  const { message_id } = event.data as EventData["message.received"];
  const [message] = yield* ask(s.db.select().from(s.t.messages).where(eq(s.t.messages.id, message_id)));
  return { kind: "event", event, message: message ?? null };
}

/** Deletes a delivery whose message, event or endpoint is gone. */
export function* dropDelivery(s: Scope, { id, leaseToken }: Pick<DeliveryRow, "id" | "leaseToken">): Verb<void> {
  const { deliveries } = s.t;
  yield* ask(s.db.delete(deliveries).where(and(eq(deliveries.id, id), eq(deliveries.leaseToken, leaseToken ?? ""))));
}

export type DeliveryStep =
  | { kind: "succeeded" }
  | { kind: "retry"; at: Date }
  | { kind: "failed" }
  /** No attempt was made; the delivery is released unchanged. */
  | { kind: "released"; at: Date };

/** What an attempt shows about its endpoint. */
export type EndpointNews = { kind: "healthy" } | { kind: "failing"; disable: Disabling | null };

const updateDelivery = statement(
  (
    { db, t: { deliveries } },
    p: Params<{
      id: string;
      leaseToken: string;
      status: string;
      at: Date;
      attempts: number | undefined;
      lastStatus: number | null | undefined;
      lastError: string | null | undefined;
    }>,
    { isDone, isTried }: { isDone: boolean; isTried: boolean },
  ) =>
    db
      .update(deliveries)
      .set({
        leaseToken: null,
        ...(isDone ? { status: p.status, finishedAt: p.at } : { nextAttemptAt: p.at }),
        ...(isTried ? { attempts: p.attempts, lastStatus: p.lastStatus, lastError: p.lastError } : {}),
      })
      .where(and(eq(deliveries.id, p.id), eq(deliveries.leaseToken, p.leaseToken)))
      .returning({ id: deliveries.id }),
);

const insertAttempt = insertStatement((t) => t.deliveryAttempts);

/**
 * Records the outcome of an attempt, and what it shows about the endpoint. Does nothing and returns false if the lease
 * has passed to another claimer.
 */
export function* finishDelivery(
  s: Scope,
  delivery: Pick<DeliveryRow, "id" | "leaseToken" | "endpointId">,
  step: DeliveryStep,
  attempt: Omit<DeliveryAttemptRow, "deliveryId"> | null,
  now: Date,
  news: EndpointNews | null = null,
): Verb<boolean> {
  const values = {
    id: delivery.id,
    leaseToken: delivery.leaseToken ?? "",
    status: step.kind,
    at: "at" in step ? step.at : now,
    attempts: attempt?.attempt,
    lastStatus: attempt?.status,
    lastError: attempt?.error,
  };
  const isDone = step.kind === "succeeded" || step.kind === "failed";
  const rows = yield* updateDelivery(s, values, { isDone, isTried: attempt !== null });
  if (rows.length === 0) return false;
  if (attempt) yield* insertAttempt(s, { deliveryId: delivery.id, ...attempt });
  if (news?.kind === "healthy") yield* noteSuccess(s, delivery.endpointId);
  else if (news) yield* noteFailure(s, delivery.endpointId, attempt?.startedAt ?? now, news.disable);
  return true;
}

/** An agent's deliveries of one message, with their attempts. */
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

/**
 * Deletes up to `limit` deliveries older than `before` that are finished, or wait for an account webhook that is
 * switched off.
 */
export function* sweepDeliveries(s: Scope, before: Date, limit: number): Verb<number> {
  const { deliveries } = s.t;
  let gone = 0;
  for (const isOld of [
    and(isNotNull(deliveries.finishedAt), lt(deliveries.finishedAt, before)),
    // A constant, because a parameter would not match the partial index.
    and(sql`${deliveries.status} = 'paused'`, lt(deliveries.createdAt, before), isNull(deliveries.messageId)),
  ]) {
    const old = s.db
      .select({ id: deliveries.id })
      .from(deliveries)
      .where(isOld)
      .limit(limit - gone);
    gone += (yield* ask(s.db.delete(deliveries).where(inArray(deliveries.id, old)).returning({ id: deliveries.id })))
      .length;
  }
  return gone;
}
