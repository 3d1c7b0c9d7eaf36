import { and, desc, eq, inArray } from "drizzle-orm";
import { Failure } from "../../util/errors.ts";
import { newId } from "../../util/id.ts";
import type { EventType } from "../../wire/event-types.ts";
import { lockUser } from "../accounts/accounts.ts";
import { type KeptAnswer, keepAnswer } from "../accounts/requests.ts";
import { ask, type Scope, type Verb } from "../engine/engine.ts";
import { type Params, statement } from "../engine/statement.ts";
import type { DeliveryRow, EventRow, WebhookRow } from "../schema.ts";
import { addDelivery } from "./delivery-queue.ts";
import { freezeDeliveries, type Health, healthy, releaseDeliveries, switchedOff } from "./endpoints.ts";

/** Webhooks that an account can have. Each event is checked against all of them. */
const WEBHOOKS_MAX = 50;

export type NewWebhook = Pick<WebhookRow, "userId" | "url" | "events" | "agents" | "description">;

/** Adds a webhook. Failure `conflict` if the account has the maximum. */
export function* createWebhook(
  s: Scope,
  webhook: NewWebhook,
  now: Date,
  keep: KeptAnswer | null = null,
): Verb<WebhookRow> {
  yield* lockUser(s, webhook.userId);
  if ((yield* listWebhooks(s, webhook.userId)).length >= WEBHOOKS_MAX)
    throw new Failure("conflict", `An account can have at most ${WEBHOOKS_MAX} webhooks.`, {
      fix: "Delete one that is not used, or let one endpoint get more types of events.",
    });
  const row = webhookRow(webhook, now);
  yield* ask(s.db.insert(s.t.webhooks).values(row));
  yield* keepAnswer(s, keep);
  return row;
}

/** A webhook as `createWebhook` stores it. */
export function webhookRow(webhook: NewWebhook, now: Date): WebhookRow {
  return {
    id: newId("whk"),
    ...webhook,
    failingSince: null,
    lastFailedAt: null,
    disabledAt: null,
    disabledReason: null,
    createdAt: now,
    updatedAt: now,
  };
}

const selectWebhooks = statement(({ db, t: { webhooks } }, p: Params<{ userId: string }>) =>
  db.select().from(webhooks).where(eq(webhooks.userId, p.userId)).orderBy(desc(webhooks.id)),
);

/** The account's webhooks, newest first. */
export function listWebhooks(s: Scope, userId: string): Verb<WebhookRow[]> {
  return selectWebhooks(s, { userId });
}

/** The account's webhook of this id, or null. */
export function* getWebhook(s: Scope, userId: string, id: string): Verb<WebhookRow | null> {
  const { webhooks } = s.t;
  const rows = yield* ask(
    s.db
      .select()
      .from(webhooks)
      .where(and(eq(webhooks.id, id), eq(webhooks.userId, userId))),
  );
  return rows[0] ?? null;
}

/** What an owner can change about a webhook. */
export type WebhookChanges = Partial<Pick<WebhookRow, "url" | "events" | "agents" | "description">> & {
  isEnabled?: boolean;
};

/** Changes a webhook in one step; a new URL also switches it on. Null if the account has no webhook of that id. */
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
  const health: Health = enabled && (isMoved || !wasEnabled) ? healthy : !enabled && wasEnabled ? switchedOff(now) : {};
  const [after] = yield* ask(
    s.db
      .update(webhooks)
      .set({ ...changes, ...health, updatedAt: now })
      .where(own)
      .returning(),
  );
  if (enabled !== wasEnabled) yield* enabled ? releaseDeliveries(s, id, now) : freezeDeliveries(s, id);
  s.signal({ topic: "webhook", key: id });
  return after ?? null;
}

/** Deletes a webhook; false if the account has none of that id. `dropDeliveries` deletes its deliveries. */
export function* deleteWebhook(s: Scope, userId: string, id: string): Verb<boolean> {
  const { webhooks } = s.t;
  const gone = yield* ask(
    s.db
      .delete(webhooks)
      .where(and(eq(webhooks.id, id), eq(webhooks.userId, userId)))
      .returning({ id: webhooks.id }),
  );
  s.signal({ topic: "webhook", key: id });
  return gone.length > 0;
}

/** Deletes up to `limit` deliveries to a deleted endpoint. Returns how many. */
export function* dropDeliveries(s: Scope, endpointId: string, limit: number): Verb<number> {
  const { deliveries } = s.t;
  const some = s.db
    .select({ id: deliveries.id })
    .from(deliveries)
    .where(eq(deliveries.endpointId, endpointId))
    .limit(limit);
  const gone = yield* ask(s.db.delete(deliveries).where(inArray(deliveries.id, some)).returning({ id: deliveries.id }));
  return gone.length;
}

type Event = Pick<EventRow, "id" | "userId" | "agentId" | "type" | "createdAt">;

/** Queues an event for each webhook of its account that wants it. */
export function* queueForWebhooks(s: Scope, event: Event): Verb<void> {
  for (const webhook of yield* listWebhooks(s, event.userId))
    if (wants(webhook, event)) yield* queueFor(s, webhook, event, webhook.disabledAt !== null);
}

/** Queues an event for one webhook, whether or not it wants such events. */
export function* queueFor(s: Scope, webhook: WebhookRow, event: Event, isFrozen: boolean): Verb<DeliveryRow> {
  return yield* addDelivery(s, {
    userId: event.userId,
    agentId: event.agentId,
    eventId: event.id,
    eventType: event.type,
    messageId: null,
    endpointId: webhook.id,
    isFrozen,
    now: event.createdAt,
  });
}

function wants({ events, agents }: WebhookRow, { type, agentId }: Pick<EventRow, "type" | "agentId">): boolean {
  const isWanted = events.length === 0 || events.includes(type as EventType);
  return isWanted && (agents.length === 0 || (agentId !== null && agents.includes(agentId)));
}
