import { and, asc, eq, inArray, isNotNull } from "drizzle-orm";
import { ask, type Scope, type Verb } from "../engine/engine.ts";
import type { AgentRow, WebhookRow } from "../schema.ts";

/** A target of deliveries: an agent's own webhook, whose id is the agent's address, or a webhook of an account. */
export interface Endpoint {
  id: string;
  userId: string;
  /** The agent that owns the webhook; null for an account's. */
  agentId: string | null;
  webhookId: string | null;
  /** Null if the agent no longer has a webhook. */
  url: string | null;
  /** Its deliveries wait. */
  isFrozen: boolean;
  failingSince: Date | null;
  lastFailedAt: Date | null;
  disabledAt: Date | null;
}

/** The agent's own webhook; its URL is null if the agent has none. */
export function agentEndpoint(agent: AgentRow): Endpoint {
  return {
    id: agent.id,
    userId: agent.userId,
    agentId: agent.id,
    webhookId: null,
    url: agent.mode === "cloud" && agent.webhookUrl !== "" ? agent.webhookUrl : null,
    isFrozen: agent.paused || agent.webhookDisabledAt !== null,
    failingSince: agent.webhookFailingSince,
    lastFailedAt: agent.webhookLastFailedAt,
    disabledAt: agent.webhookDisabledAt,
  };
}

export function webhookEndpoint(webhook: WebhookRow): Endpoint {
  const { id, userId, url, failingSince, lastFailedAt, disabledAt } = webhook;
  const isFrozen = disabledAt !== null;
  return { id, userId, agentId: null, webhookId: id, url, isFrozen, failingSince, lastFailedAt, disabledAt };
}

/** The endpoint of this id, or null. */
export function* getEndpoint(s: Scope, id: string): Verb<Endpoint | null> {
  return (yield* find(s, [id], false))[0] ?? null;
}

/** The endpoints that exist among these ids, locked: first agents' own in order of address, then the others. */
export function* lockEndpoints(s: Scope, ids: string[]): Verb<Endpoint[]> {
  return yield* find(s, ids, true);
}

function* find(s: Scope, ids: string[], isLocked: boolean): Verb<Endpoint[]> {
  const { agents, webhooks } = s.t;
  const locked = <Q>(query: Q) => (isLocked ? s.locked(query) : query);
  const [own, accounts] = [ids.filter(isAddress), ids.filter((id) => !isAddress(id))];
  const found: Endpoint[] = [];
  if (own.length > 0) {
    const query = s.db.select().from(agents).where(inArray(agents.id, own)).orderBy(asc(agents.id));
    found.push(...(yield* ask(locked(query))).map(agentEndpoint));
  }
  if (accounts.length > 0) {
    const query = s.db.select().from(webhooks).where(inArray(webhooks.id, accounts)).orderBy(asc(webhooks.id));
    found.push(...(yield* ask(locked(query))).map(webhookEndpoint));
  }
  return found;
}

/** The id of an agent's own webhook is the agent's address. */
function isAddress(endpointId: string): boolean {
  return endpointId.includes("@");
}

/** The health of an endpoint that is new or was switched on. */
export const healthy = { failingSince: null, lastFailedAt: null, disabledAt: null, disabledReason: null } as const;

/** The health of an endpoint that its owner has switched off. */
export function switchedOff(now: Date) {
  return { disabledAt: now, disabledReason: "Its owner switched it off." };
}

/** An endpoint's health in the columns of an agent's row. */
export function webhookHealth(health: Health): Partial<AgentRow> {
  const { failingSince, lastFailedAt, disabledAt, disabledReason } = health;
  const columns = {
    webhookFailingSince: failingSince,
    webhookLastFailedAt: lastFailedAt,
    webhookDisabledAt: disabledAt,
    webhookDisabledReason: disabledReason,
  };
  return Object.fromEntries(Object.entries(columns).filter(([, value]) => value !== undefined));
}

/** The health of an endpoint: columns of a webhook's row. */
export type Health = Partial<Pick<WebhookRow, "failingSince" | "lastFailedAt" | "disabledAt" | "disabledReason">>;

/** Writes the given parts of an endpoint's health. */
export function* setHealth(s: Scope, id: string, health: Health): Verb<void> {
  const { agents, webhooks } = s.t;
  if (!isAddress(id)) return void (yield* ask(s.db.update(webhooks).set(health).where(eq(webhooks.id, id))));
  yield* ask(s.db.update(agents).set(webhookHealth(health)).where(eq(agents.id, id)));
}

/** Freezes the waiting deliveries of an endpoint. Leased ones are finished. */
export function* freezeDeliveries(s: Scope, endpointId: string): Verb<void> {
  const { deliveries } = s.t;
  yield* ask(
    s.db
      .update(deliveries)
      .set({ status: "paused" })
      .where(and(eq(deliveries.endpointId, endpointId), eq(deliveries.status, "pending"))),
  );
}

/** Releases what `freezeDeliveries` froze; it is due at once, unless it is still leased. */
export function* releaseDeliveries(s: Scope, endpointId: string, now: Date): Verb<void> {
  const { deliveries } = s.t;
  const frozen = and(eq(deliveries.endpointId, endpointId), eq(deliveries.status, "paused"));
  yield* ask(
    s.db
      .update(deliveries)
      .set({ status: "pending" })
      .where(and(frozen, isNotNull(deliveries.leaseToken))),
  );
  yield* ask(s.db.update(deliveries).set({ status: "pending", nextAttemptAt: now }).where(frozen));
  s.signal({ topic: "deliveries", key: "" });
}
