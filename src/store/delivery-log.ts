import { and, asc, desc, eq, getTableColumns, gte, inArray, isNull, lt, sql } from "drizzle-orm";
import { Failure } from "../errors.ts";
import { newId } from "../id.ts";
import { ask, type Scope, type Verb } from "./engine.ts";
import type { AgentRow, DeliveryAttemptRow, DeliveryRow, DeliveryStatus } from "./schema.ts";

/** Whose deliveries: an account's, or those of one of its agents. */
export interface DeliveryOwner {
  userId: string;
  agentId: string | null;
}

export interface LoggedDelivery {
  delivery: DeliveryRow;
  agentId: string;
  /** Where the agent's webhook is now; null when it has none. */
  url: string | null;
}

/** One page of deliveries, newest first; `after` is the id of the last one of the page before. */
export function* listDeliveries(
  s: Scope,
  owner: DeliveryOwner,
  page: { status?: DeliveryStatus; after?: string; limit: number },
): Verb<LoggedDelivery[]> {
  const { deliveries } = s.t;
  const rows = yield* ask(
    ownDeliveries(s, owner, [
      page.status ? eq(deliveries.status, page.status) : undefined,
      page.after ? lt(deliveries.id, page.after) : undefined,
    ])
      .orderBy(desc(deliveries.id))
      .limit(page.limit),
  );
  return rows.map(logged);
}

/** A delivery with every attempt, the first one first; null when the owner has none of that id. */
export function* getDelivery(
  s: Scope,
  owner: DeliveryOwner,
  id: string,
): Verb<(LoggedDelivery & { tries: DeliveryAttemptRow[] }) | null> {
  const { deliveries, deliveryAttempts } = s.t;
  const [row] = yield* ask(ownDeliveries(s, owner, [eq(deliveries.id, id)]));
  if (!row) return null;
  const tries = yield* ask(
    s.db
      .select()
      .from(deliveryAttempts)
      .where(eq(deliveryAttempts.deliveryId, id))
      .orderBy(asc(deliveryAttempts.attempt)),
  );
  return { ...logged(row), tries };
}

/**
 * Delivers again. One that is waiting is due at once; a finished one stays as it is, and a new delivery of the same
 * event, with a schedule of its own, is made. One that waits already for this event is not doubled.
 * Null when the owner has no delivery of that id. Failure `conflict` when the agent has no webhook any more.
 */
export function* redeliver(s: Scope, owner: DeliveryOwner, id: string, now: Date): Verb<LoggedDelivery | null> {
  const { deliveries } = s.t;
  const [found] = yield* ask(ownDeliveries(s, owner, [eq(deliveries.id, id)]));
  const [agent] = found ? yield* lockAgents(s, [found.agent.id]) : [];
  // Its agent's lock keeps off pauses and others who redeliver, so the rows are looked at again.
  const rows = found && agent ? yield* ask(eventDeliveries(s, found.delivery)) : [];
  const delivery = rows.find((row) => row.id === id);
  if (!agent || !delivery) return null;
  const url = webhookOf(agent);
  if (url === null)
    throw new Failure("conflict", `${agent.id} has no webhook any more.`, {
      fix: "Give the agent a webhook_url and the agent_mode cloud, or read the message in its inbox.",
    });
  const waiting = rows.find((row) => row.status === "pending" || row.status === "paused");
  const due = waiting ? yield* hasten(s, waiting, now) : again(delivery, agent, now);
  if (!waiting) yield* ask(s.db.insert(deliveries).values(due));
  s.signal({ topic: "deliveries", key: "" });
  return { delivery: due, agentId: agent.id, url };
}

/**
 * Delivers again what failed for good at `since` or later, the oldest first, and `limit` at most. What was delivered
 * again already, and what has no webhook any more, is left out. Returns how many there were.
 */
export function* redeliverFailed(
  s: Scope,
  owner: DeliveryOwner,
  input: { since: Date; limit: number; now: Date },
): Verb<number> {
  const { agents, deliveries } = s.t;
  const mine = yield* ask(
    s.db.select({ id: agents.id }).from(agents).where(ownAgents(s, owner)).orderBy(asc(agents.id)),
  );
  const locked = yield* lockAgents(
    s,
    mine.map((agent) => agent.id),
  );
  const reachable = new Map(locked.filter((agent) => webhookOf(agent) !== null).map((agent) => [agent.id, agent]));
  if (reachable.size === 0) return 0;
  const failed = yield* ask(
    s.db
      .select()
      .from(deliveries)
      .where(
        and(
          inArray(deliveries.endpointId, [...reachable.keys()]),
          eq(deliveries.status, "failed"),
          gte(deliveries.finishedAt, input.since),
          sql`not exists (select 1 from ${deliveries} newer where newer.message_id = ${deliveries.messageId}
            and newer.event_id = ${deliveries.eventId} and newer.endpoint_id = ${deliveries.endpointId}
            and newer.id > ${deliveries.id})`,
        ),
      )
      .orderBy(asc(deliveries.id))
      .limit(input.limit),
  );
  if (failed.length === 0) return 0;
  const rows = failed.map((row) => again(row, reachable.get(row.endpointId) as AgentRow, input.now));
  yield* ask(s.db.insert(deliveries).values(rows));
  s.signal({ topic: "deliveries", key: "" });
  return rows.length;
}

function ownAgents(s: Scope, { userId, agentId }: DeliveryOwner) {
  const { agents } = s.t;
  return and(eq(agents.userId, userId), agentId === null ? undefined : eq(agents.id, agentId));
}

/** An agent's own webhook is the endpoint that has its address. */
function ownDeliveries(s: Scope, owner: DeliveryOwner, conditions: Parameters<typeof and>) {
  const { agents, deliveries } = s.t;
  return s.db
    .select({ delivery: getTableColumns(deliveries), agent: getTableColumns(agents) })
    .from(deliveries)
    .innerJoin(agents, eq(agents.id, deliveries.endpointId))
    .where(and(ownAgents(s, owner), ...conditions))
    .$dynamic();
}

/** All deliveries of the same event to the same endpoint, the newest first. */
function eventDeliveries(s: Scope, { messageId, eventId, endpointId }: DeliveryRow) {
  const { deliveries } = s.t;
  const same = [
    eq(deliveries.messageId, messageId),
    eq(deliveries.eventId, eventId),
    eq(deliveries.endpointId, endpointId),
  ];
  return s.db
    .select()
    .from(deliveries)
    .where(and(...same))
    .orderBy(desc(deliveries.id));
}

/** In the order of their addresses, as everybody does who locks several. */
function* lockAgents(s: Scope, ids: string[]): Verb<AgentRow[]> {
  if (ids.length === 0) return [];
  const { agents } = s.t;
  return yield* ask(s.locked(s.db.select().from(agents).where(inArray(agents.id, ids)).orderBy(asc(agents.id))));
}

/** Makes a waiting delivery due now. What is in somebody's hand is being tried, and what is paused waits for its agent. */
function* hasten(s: Scope, waiting: DeliveryRow, now: Date): Verb<DeliveryRow> {
  const { deliveries } = s.t;
  const [row] = yield* ask(
    s.db
      .update(deliveries)
      .set({ nextAttemptAt: now })
      .where(and(eq(deliveries.id, waiting.id), eq(deliveries.status, "pending"), isNull(deliveries.leaseToken)))
      .returning(),
  );
  return row ?? waiting;
}

/** A new delivery of the event of another one: receivers know it by the same `webhook-id`. */
function again({ eventId, messageId, endpointId }: DeliveryRow, agent: AgentRow, now: Date): DeliveryRow {
  return {
    ...{ id: newId("dlv"), eventId, messageId, endpointId },
    status: agent.paused ? "paused" : "pending",
    attempts: 0,
    nextAttemptAt: now,
    leaseToken: null,
    lastStatus: null,
    lastError: null,
    createdAt: now,
    finishedAt: null,
  };
}

function webhookOf({ mode, webhookUrl }: AgentRow): string | null {
  return mode === "cloud" && webhookUrl !== "" ? webhookUrl : null;
}

function logged({ delivery, agent }: { delivery: DeliveryRow; agent: AgentRow }): LoggedDelivery {
  return { delivery, agentId: agent.id, url: webhookOf(agent) };
}
