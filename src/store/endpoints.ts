import { and, asc, eq, inArray, isNotNull } from "drizzle-orm";
import { ask, type Scope, type Verb } from "./engine.ts";
import { addEvent, logEvent } from "./events.ts";
import type { AgentRow, DeliveryRow, WebhookRow } from "./schema.ts";
import { getWebhook, queueFor } from "./webhooks.ts";

const HOUR_MS = 3_600_000;
/** An endpoint that has only failed for so long is switched off. */
const FAILING_MS_MAX = 5 * 24 * HOUR_MS;
/** Between failures further apart than this (the longest wait between attempts, with jitter) nobody knows how it did. */
const SILENCE_MS_MAX = 36 * HOUR_MS;
/** The last failure need not be known more exactly: an agent's row is not written at every attempt. */
const LAST_FAILED_RESOLUTION_MS = HOUR_MS;

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

/** Notes that an endpoint answers again. */
export function* noteSuccess(s: Scope, id: string): Verb<void> {
  yield* setHealth(s, id, { failingSince: null, lastFailedAt: null });
}

/**
 * Notes that an attempt failed at `at`, and switches the endpoint off when it has only failed for five days, or with
 * `disable`, the endpoint's own wish.
 */
export function* noteFailure(s: Scope, id: string, at: Date, disable: string | null): Verb<void> {
  const [endpoint] = yield* lockEndpoints(s, [id]);
  if (!endpoint || endpoint.disabledAt) return;
  const { failingSince, lastFailedAt } = endpoint;
  const isNew = !failingSince || !lastFailedAt || at.getTime() - lastFailedAt.getTime() > SILENCE_MS_MAX;
  const since = isNew ? at : failingSince;
  const isTooLong = at.getTime() - since.getTime() >= FAILING_MS_MAX;
  if (disable !== null || isTooLong)
    return yield* disableEndpoint(
      s,
      { ...endpoint, failingSince: since },
      disable ?? "Every attempt has failed for five days.",
      at,
    );
  if (isNew || at.getTime() - lastFailedAt.getTime() >= LAST_FAILED_RESOLUTION_MS)
    yield* setHealth(s, id, { failingSince: since, lastFailedAt: at });
}

/** Switches an endpoint off, with an event: what is made for it waits until somebody switches it on. */
function* disableEndpoint(s: Scope, endpoint: Endpoint, reason: string, now: Date): Verb<void> {
  const { id, userId, agentId, webhookId, failingSince } = endpoint;
  yield* setHealth(s, id, { failingSince, lastFailedAt: now, disabledAt: now, disabledReason: reason });
  yield* freezeDeliveries(s, id);
  yield* addEvent(s, {
    userId,
    agentId,
    type: "webhook.disabled",
    data: {
      endpoint_id: id,
      webhook_id: webhookId,
      agent_id: agentId,
      url: endpoint.url ?? "",
      reason,
      failing_since: failingSince?.toISOString() ?? null,
    },
    now,
  });
  if (agentId) s.signal({ topic: "agent", key: agentId });
}

/** What an owner may change of a webhook. */
export type WebhookChanges = Partial<Pick<WebhookRow, "url" | "events" | "agents" | "description">> & {
  isEnabled?: boolean;
};

/** Changes a webhook in one step; another URL switches it on as well. Null when the account has none of that id. */
export function* updateWebhook(
  s: Scope,
  userId: string,
  id: string,
  { isEnabled, ...changes }: WebhookChanges,
  now: Date,
): Verb<WebhookRow | null> {
  const { webhooks } = s.t;
  const own = and(eq(webhooks.id, id), eq(webhooks.userId, userId));
  const [before] = yield* ask(s.locked(s.db.select().from(webhooks).where(own)));
  if (!before) return null;
  const isMoved = changes.url !== undefined && changes.url !== before.url;
  const wasEnabled = before.disabledAt === null;
  const enabled = isEnabled ?? (isMoved || wasEnabled);
  const health: Health = enabled && (isMoved || !wasEnabled) ? well : !enabled && wasEnabled ? switchedOff(now) : {};
  const [after] = yield* ask(
    s.db
      .update(webhooks)
      .set({ ...changes, ...health, updatedAt: now })
      .where(own)
      .returning(),
  );
  if (enabled !== wasEnabled) yield* enabled ? releaseDeliveries(s, id, now) : freezeDeliveries(s, id);
  return after ?? null;
}

/** The health of an endpoint that was switched on, or is a new one. */
export const well = { failingSince: null, lastFailedAt: null, disabledAt: null, disabledReason: null } as const;

/** The health of an endpoint that its owner has switched off. */
export function switchedOff(now: Date) {
  return { disabledAt: now, disabledReason: "Its owner switched it off." };
}

/** Sends a test event to a webhook alone, even to one that is switched off. Null when the account has none of that id. */
export function* testWebhook(s: Scope, userId: string, id: string, now: Date): Verb<LoggedTest | null> {
  const webhook = yield* getWebhook(s, userId, id);
  if (!webhook) return null;
  const { url } = webhook;
  const event = yield* logEvent(s, { userId, agentId: null, type: "webhook.test", data: { webhook_id: id, url }, now });
  return { delivery: yield* queueFor(s, webhook, event, false), url };
}

interface LoggedTest {
  delivery: DeliveryRow;
  url: string;
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

type Health = Partial<Pick<WebhookRow, "failingSince" | "lastFailedAt" | "disabledAt" | "disabledReason">>;

function* setHealth(s: Scope, id: string, health: Health): Verb<void> {
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
