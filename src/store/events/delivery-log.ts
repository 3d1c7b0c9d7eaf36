import { and, asc, desc, eq, gte, inArray, isNull, lt, type SQL, sql } from "drizzle-orm";
import { Failure } from "../../util/errors.ts";
import { ask, type Scope, type Verb } from "../engine/engine.ts";
import type { DeliveryAttemptRow, DeliveryRow, DeliveryStatus } from "../schema.ts";
import { addDelivery } from "./delivery-queue.ts";
import { type Endpoint, getEndpoint, lockEndpoints } from "./endpoints.ts";

/** The owner of deliveries: an account, or one of its agents for the deliveries to its own webhook. */
export interface DeliveryOwner {
  userId: string;
  agentId: string | null;
}

export interface DeliveryFilter {
  /** Only deliveries about this agent. */
  agentId?: string | undefined;
  endpointId?: string | undefined;
  /** Only deliveries of this event. */
  eventId?: string | undefined;
  status?: DeliveryStatus | undefined;
}

export interface LoggedDelivery {
  delivery: DeliveryRow;
  /** The endpoint's present URL; null if it has none any more. */
  url: string | null;
}

/** One page of deliveries, newest first; `after` is the id of the previous page's last delivery. */
export function* listDeliveries(
  s: Scope,
  owner: DeliveryOwner,
  page: DeliveryFilter & { after?: string; limit: number },
): Verb<LoggedDelivery[]> {
  const { deliveries } = s.t;
  const rows = yield* ask(
    s.db
      .select()
      .from(deliveries)
      .where(and(...scopeOf(s, owner, page), page.after ? lt(deliveries.id, page.after) : undefined))
      .orderBy(desc(deliveries.id))
      .limit(page.limit),
  );
  const urls = new Map<string, string | null>();
  for (const { endpointId } of rows)
    if (!urls.has(endpointId)) urls.set(endpointId, (yield* getEndpoint(s, endpointId))?.url ?? null);
  return rows.map((delivery) => ({ delivery, url: urls.get(delivery.endpointId) ?? null }));
}

/** A delivery with every attempt, oldest first; null if the owner has no delivery of that id. */
export function* getDelivery(
  s: Scope,
  owner: DeliveryOwner,
  id: string,
): Verb<(LoggedDelivery & { tries: DeliveryAttemptRow[] }) | null> {
  const { deliveryAttempts } = s.t;
  const delivery = yield* ownDelivery(s, owner, id);
  if (!delivery) return null;
  const endpoint = yield* getEndpoint(s, delivery.endpointId);
  const tries = yield* ask(
    s.db
      .select()
      .from(deliveryAttempts)
      .where(eq(deliveryAttempts.deliveryId, id))
      .orderBy(asc(deliveryAttempts.attempt)),
  );
  return { delivery, url: endpoint?.url ?? null, tries };
}

/**
 * Delivers again. A waiting delivery becomes due at once. A finished one stays unchanged: a new delivery of the same
 * event is made, with its own schedule, unless one is already waiting. Null if the owner has no delivery of that id.
 * Failure `conflict` if there is no longer an endpoint to deliver to.
 */
export function* redeliver(s: Scope, owner: DeliveryOwner, id: string, now: Date): Verb<LoggedDelivery | null> {
  const found = yield* ownDelivery(s, owner, id);
  if (!found) return null;
  const [endpoint] = yield* lockEndpoints(s, [found.endpointId]);
  // The endpoint's lock keeps out pauses and concurrent redeliveries, so the rows are read again.
  const rows = yield* ask(eventDeliveries(s, found));
  const delivery = rows.find((row) => row.id === id);
  if (!endpoint || !delivery) return null;
  refuseUnreachable(endpoint);
  const waiting = rows.find((row) => row.status === "pending" || row.status === "paused");
  if (waiting) return { delivery: yield* hasten(s, waiting, now), url: endpoint.url };
  return { delivery: yield* again(s, delivery, endpoint, now), url: endpoint.url };
}

function refuseUnreachable({ id, url, disabledAt }: Endpoint): void {
  if (url === null)
    throw new Failure("conflict", `${id} no longer has a webhook.`, {
      fix: "Give the agent a webhook_url and the agent_mode cloud, or read the message in its inbox.",
    });
  if (disabledAt !== null)
    throw new Failure("conflict", `The webhook of ${id} is switched off.`, {
      fix: "Switch it on, which also delivers what waits: set webhook_status, of an account's webhook status, to enabled.",
    });
}

/**
 * Redelivers what failed permanently at `since` or later, oldest first and at most `limit`. Deliveries that were
 * redelivered already, or whose endpoint is gone, are left out. Returns how many there were.
 */
export function* redeliverFailed(
  s: Scope,
  owner: DeliveryOwner,
  input: Omit<DeliveryFilter, "status" | "eventId"> & { since: Date; limit: number; now: Date },
): Verb<number> {
  const { deliveries } = s.t;
  const wanted = input.endpointId ? [input.endpointId] : yield* endpointsOf(s, owner);
  const locked = yield* lockEndpoints(s, wanted);
  const reachable = locked.filter(
    ({ userId, url, disabledAt }) => userId === owner.userId && url !== null && disabledAt === null,
  );
  if (reachable.length === 0) return 0;
  const failed = yield* ask(
    s.db
      .select()
      .from(deliveries)
      .where(
        and(
          inArray(
            deliveries.endpointId,
            reachable.map((endpoint) => endpoint.id),
          ),
          eq(deliveries.status, "failed"),
          gte(deliveries.finishedAt, input.since),
          input.agentId ? eq(deliveries.agentId, input.agentId) : undefined,
          sql`not exists (select 1 from ${deliveries} newer where newer.event_id = ${deliveries.eventId}
            and newer.endpoint_id = ${deliveries.endpointId} and newer.id > ${deliveries.id})`,
        ),
      )
      .orderBy(asc(deliveries.id))
      .limit(input.limit),
  );
  for (const row of failed)
    yield* again(s, row, reachable.find(({ id }) => id === row.endpointId) as Endpoint, input.now);
  return failed.length;
}

/** All endpoints of an owner. */
function* endpointsOf(s: Scope, { userId, agentId }: DeliveryOwner): Verb<string[]> {
  if (agentId !== null) return [agentId];
  const { agents, webhooks } = s.t;
  const own = yield* ask(s.db.select({ id: agents.id }).from(agents).where(eq(agents.userId, userId)));
  const accounts = yield* ask(s.db.select({ id: webhooks.id }).from(webhooks).where(eq(webhooks.userId, userId)));
  return [...own, ...accounts].map(({ id }) => id);
}

/** The owner's deliveries that match the filter. Conditions that must not choose the index are hidden from SQLite. */
function scopeOf(s: Scope, owner: DeliveryOwner, { agentId, status, ...filter }: DeliveryFilter): (SQL | undefined)[] {
  const { deliveries } = s.t;
  const isOwn = sql`${deliveries.userId} || '' = ${owner.userId}`;
  if (filter.eventId)
    return [
      eq(deliveries.eventId, filter.eventId),
      isOwn,
      owner.agentId ? eq(deliveries.endpointId, owner.agentId) : undefined,
      filter.endpointId ? eq(deliveries.endpointId, filter.endpointId) : undefined,
      agentId ? sql`${deliveries.agentId} || '' = ${agentId}` : undefined,
      status ? sql`${deliveries.status} || '' = ${status}` : undefined,
    ];
  const endpointId = owner.agentId ?? filter.endpointId;
  return [
    endpointId ? eq(deliveries.endpointId, endpointId) : agentId ? undefined : eq(deliveries.userId, owner.userId),
    endpointId || agentId ? isOwn : undefined,
    owner.agentId && filter.endpointId ? sql`${deliveries.endpointId} || '' = ${filter.endpointId}` : undefined,
    agentId
      ? endpointId
        ? sql`${deliveries.agentId} || '' = ${agentId}`
        : eq(deliveries.agentId, agentId)
      : undefined,
    status ? eq(deliveries.status, status) : undefined,
    // Written as a constant: the planner uses a partial index only for a constant.
    status && status !== "succeeded" && !endpointId && !agentId ? sql`${deliveries.status} <> 'succeeded'` : undefined,
  ];
}

/** The event that reports a received message; null if the account has no message of that id. */
export function* eventOfMessage(s: Scope, owner: DeliveryOwner, messageId: string): Verb<string | null> {
  const { messages } = s.t;
  const [row] = yield* ask(s.db.select().from(messages).where(eq(messages.id, messageId)));
  const isOwn = row?.userId === owner.userId && (owner.agentId === null || row.agentId === owner.agentId);
  return row && isOwn ? row.eventId : null;
}

function* ownDelivery(s: Scope, owner: DeliveryOwner, id: string): Verb<DeliveryRow | null> {
  const { deliveries } = s.t;
  const [row] = yield* ask(s.db.select().from(deliveries).where(eq(deliveries.id, id)));
  const isOwn = row?.userId === owner.userId && (owner.agentId === null || row.endpointId === owner.agentId);
  return row && isOwn ? row : null;
}

/** All deliveries of the same event to the same endpoint, newest first. */
function eventDeliveries(s: Scope, { eventId, endpointId }: DeliveryRow) {
  const { deliveries } = s.t;
  return s.db
    .select()
    .from(deliveries)
    .where(and(eq(deliveries.eventId, eventId), eq(deliveries.endpointId, endpointId)))
    .orderBy(desc(deliveries.id));
}

/** Makes a waiting delivery due now. A leased one is already being tried, and a paused one waits for its agent. */
function* hasten(s: Scope, waiting: DeliveryRow, now: Date): Verb<DeliveryRow> {
  const { deliveries } = s.t;
  const [row] = yield* ask(
    s.db
      .update(deliveries)
      .set({ nextAttemptAt: now })
      .where(and(eq(deliveries.id, waiting.id), eq(deliveries.status, "pending"), isNull(deliveries.leaseToken)))
      .returning(),
  );
  s.signal({ topic: "deliveries", key: "" });
  return row ?? waiting;
}

/** A new delivery of another delivery's event: receivers recognise it by the same `webhook-id`. */
function* again(s: Scope, delivery: DeliveryRow, { isFrozen }: Endpoint, now: Date): Verb<DeliveryRow> {
  const { userId, agentId, eventId, eventType, messageId, endpointId } = delivery;
  return yield* addDelivery(s, { userId, agentId, eventId, eventType, messageId, endpointId, isFrozen, now });
}
