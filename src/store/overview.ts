import { and, eq, gte, inArray, isNotNull, type SQL, sql } from "drizzle-orm";
import { ask, type Scope, type Verb } from "./engine/engine.ts";
import { agentEndpoint, webhookEndpoint } from "./events/endpoints.ts";

const DAY_MS = 86_400_000;
/** Deliveries are counted up to this number: reading a whole backlog would take too long. */
const COUNTED_MAX = 10_000;

/** The mail received, sent and failed on one day, in UTC. */
export interface DayVolume {
  /** `2026-05-15` */
  day: string;
  received: number;
  sent: number;
  failed: number;
}

/** An endpoint that has only failed for a while. */
export interface FailingEndpoint {
  endpointId: string;
  url: string;
  failingSince: Date;
  /** Deliveries waiting for it. */
  waiting: number;
}

/** The summary of an account. */
export interface Overview {
  agents: { total: number; paused: number };
  unread: number;
  pendingApproval: number;
  deliveries: { pending: number; failingEndpoints: FailingEndpoint[] };
  domains: { total: number; verified: number };
  /** One entry for each day, oldest first. */
  volume: DayVolume[];
}

/**
 * Summarises an account. It counts by partial indexes, so the cost grows with the unread messages, the waiting
 * deliveries, and the messages of the last `days` days (today included), not with the whole mailbox.
 */
export function* overview(s: Scope, userId: string, options: { now: Date; days: number }): Verb<Overview> {
  const { agents, domains, messages, outboundMessages, deliveries, webhooks } = s.t;
  const endpointIds = s.db
    .select({ id: agents.id })
    .from(agents)
    .where(eq(agents.userId, userId))
    .unionAll(s.db.select({ id: webhooks.id }).from(webhooks).where(eq(webhooks.userId, userId)));
  const ownAgents = and(eq(agents.userId, userId), eq(agents.role, false));
  const ownDomains = eq(domains.userId, userId);
  return {
    agents: {
      total: yield* count(s, agents, ownAgents),
      paused: yield* count(s, agents, and(ownAgents, eq(agents.paused, true))),
    },
    // Written as constants, here and below: the planner uses a partial index only for a constant.
    unread: yield* count(s, messages, and(eq(messages.userId, userId), sql`${messages.status} = 'unread'`)),
    pendingApproval: yield* count(
      s,
      outboundMessages,
      and(eq(outboundMessages.userId, userId), eq(outboundMessages.status, "pending_approval")),
    ),
    deliveries: {
      pending: yield* countUpTo(
        s,
        and(inArray(deliveries.endpointId, endpointIds), sql`${deliveries.status} = 'pending'`),
      ),
      failingEndpoints: yield* failingEndpoints(s, userId),
    },
    domains: {
      total: yield* count(s, domains, ownDomains),
      verified: yield* count(s, domains, and(ownDomains, isNotNull(domains.verifiedAt))),
    },
    volume: yield* volume(s, userId, options),
  };
}

/** The account's endpoints that have only failed for a while. */
function* failingEndpoints(s: Scope, userId: string): Verb<FailingEndpoint[]> {
  const { agents, webhooks, deliveries } = s.t;
  const own = yield* ask(
    s.db
      .select()
      .from(agents)
      .where(and(eq(agents.userId, userId), isNotNull(agents.webhookFailingSince))),
  );
  const accounts = yield* ask(
    s.db
      .select()
      .from(webhooks)
      .where(and(eq(webhooks.userId, userId), isNotNull(webhooks.failingSince))),
  );
  const failing: FailingEndpoint[] = [];
  for (const { id, url, failingSince } of [...own.map(agentEndpoint), ...accounts.map(webhookEndpoint)]) {
    if (url === null || failingSince === null) continue;
    const isWaiting = and(eq(deliveries.endpointId, id), inArray(deliveries.status, ["pending", "paused"]));
    failing.push({ endpointId: id, url, failingSince, waiting: yield* countUpTo(s, isWaiting) });
  }
  return failing;
}

/** The number of matching deliveries, at most `COUNTED_MAX`. */
function* countUpTo(s: Scope, which: SQL | undefined): Verb<number> {
  const { deliveries } = s.t;
  const some = s.db.select({ id: deliveries.id }).from(deliveries).where(which).limit(COUNTED_MAX).as("some");
  const rows = yield* ask(s.db.select({ n: sql<number>`count(*)` }).from(some));
  return Number(rows[0]?.n);
}

type Counted = Scope["t"]["agents" | "domains" | "messages" | "outboundMessages"];

function* count(s: Scope, table: Counted, which: SQL | undefined): Verb<number> {
  const rows = yield* ask(s.db.select({ n: sql<number>`count(*)` }).from(table).where(which));
  return Number(rows[0]?.n);
}

function* volume(s: Scope, userId: string, { now, days }: { now: Date; days: number }): Verb<DayVolume[]> {
  const { messages, outboundMessages: out } = s.t;
  const first = Math.floor(now.getTime() / DAY_MS) - days + 1;
  const isMail = sql`${out.type} <> 'notice'`;
  const received = yield* byDay(s, messages, userId, first);
  const sent = yield* byDay(
    s,
    out,
    userId,
    first,
    and(isMail, sql`${out.status} in ('sent', 'delivered', 'expired_approved')`),
  );
  const failed = yield* byDay(s, out, userId, first, and(isMail, sql`${out.status} in ('failed', 'bounced')`));
  return Array.from({ length: days }, (_, i) => ({
    day: new Date((first + i) * DAY_MS).toISOString().slice(0, 10),
    received: received.get(first + i) ?? 0,
    sent: sent.get(first + i) ?? 0,
    failed: failed.get(first + i) ?? 0,
  }));
}

/** The number of rows for each day from `first` on; days are counted from 1970-01-01. */
function* byDay(
  s: Scope,
  table: Scope["t"]["messages" | "outboundMessages"],
  userId: string,
  first: number,
  which?: SQL,
): Verb<Map<number, number>> {
  const day =
    s.dialect === "sqlite"
      ? sql<number>`${table.createdAt} / ${sql.raw(`${DAY_MS}`)}`
      : sql<number>`(${table.createdAt} at time zone 'UTC')::date - date '1970-01-01'`;
  const rows = yield* ask(
    s.db
      .select({ day, n: sql<number>`count(*)` })
      .from(table)
      .where(and(eq(table.userId, userId), gte(table.createdAt, new Date(first * DAY_MS)), which))
      .groupBy(day),
  );
  return new Map(rows.map((row) => [Number(row.day), Number(row.n)]));
}
