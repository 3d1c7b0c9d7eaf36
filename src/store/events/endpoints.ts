import { and, asc, eq, inArray, isNotNull } from "drizzle-orm";
import { ask, type Scope, type Verb } from "../engine/engine.ts";
import type { AgentRow, WebhookRow } from "../schema.ts";

/** Where deliveries go: an agent's own webhook, whose id is the agent's address, or a webhook of an account. */
export interface Endpoint {
  id: string;
  userId: string;
  /** The agent whose own it is. */
  agentId: string | null;
  webhookId: string | null;
  /** Null when the agent has none any more. */
  url: string | null;
  /** What is made for it waits. */
  isFrozen: boolean;
  failingSince: Date | null;
  lastFailedAt: Date | null;
  disabledAt: Date | null;
}

/** The agent's own webhook; its URL is null when the agent gets none. */
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

/** Those of these endpoints that there are, locked: agents' own in the order of their addresses, then the others. */
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

/** An agent's own webhook has its address for an id. */
function isAddress(endpointId: string): boolean {
  return endpointId.includes("@");
}

/** The health of an endpoint that was switched on, or is a new one. */
export const healthy = { failingSince: null, lastFailedAt: null, disabledAt: null, disabledReason: null } as const;

/** The health of an endpoint that its owner has switched off. */
export function switchedOff(now: Date) {
  return { disabledAt: now, disabledReason: "Its owner switched it off." };
}

/** An endpoint's health as an agent's row has it. */
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

/** How an endpoint does: the columns of a webhook's row. */
export type Health = Partial<Pick<WebhookRow, "failingSince" | "lastFailedAt" | "disabledAt" | "disabledReason">>;

/** Writes what is given of an endpoint's health. */
export function* setHealth(s: Scope, id: string, health: Health): Verb<void> {
  const { agents, webhooks } = s.t;
  if (!isAddress(id)) return void (yield* ask(s.db.update(webhooks).set(health).where(eq(webhooks.id, id))));
  yield* ask(s.db.update(agents).set(webhookHealth(health)).where(eq(agents.id, id)));
}

/** Freezes what waits for an endpoint. What is in somebody's hand is finished. */
export function* freezeDeliveries(s: Scope, endpointId: string): Verb<void> {
  const { deliveries } = s.t;
  yield* ask(
    s.db
      .update(deliveries)
      .set({ status: "paused" })
      .where(and(eq(deliveries.endpointId, endpointId), eq(deliveries.status, "pending"))),
  );
}

/** Releases what `freezeDeliveries` froze; it is due at once, but for what is still in somebody's hand. */
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
