import { isNotNull } from "drizzle-orm";
import { ensureRoleMailbox } from "../accounts/agents.ts";
import { ask, type Scope, type Verb } from "../engine/engine.ts";
import { type Notice, queueNotice } from "../outbound/notices.ts";
import type { DeliveryRow } from "../schema.ts";
import { type Endpoint, freezeDeliveries, lockEndpoints, setHealth } from "./endpoints.ts";
import { addEvent, logEvent } from "./events.ts";
import { getWebhook, queueFor } from "./webhooks.ts";

const HOUR_MS = 3_600_000;
/** An endpoint that has only failed for this long is switched off. */
const FAILING_MS_MAX = 5 * 24 * HOUR_MS;
/** Failures further apart than this (the longest wait between attempts, with jitter) do not count as continuous. */
const SILENCE_MS_MAX = 36 * HOUR_MS;
/** The last failure is stored at this resolution, so that an agent's row is not written at every attempt. */
const LAST_FAILED_RESOLUTION_MS = HOUR_MS;

/** Records that an endpoint answers again. */
export function* noteSuccess(s: Scope, id: string): Verb<void> {
  yield* setHealth(s, id, { failingSince: null, lastFailedAt: null });
}

/** Endpoints whose last attempt failed. */
export function* failingEndpoints(s: Scope): Verb<string[]> {
  const { agents, webhooks } = s.t;
  const own = yield* ask(s.db.select({ id: agents.id }).from(agents).where(isNotNull(agents.webhookFailingSince)));
  const others = yield* ask(s.db.select({ id: webhooks.id }).from(webhooks).where(isNotNull(webhooks.failingSince)));
  return [...own, ...others].map(({ id }) => id);
}

/** The start of an endpoint's unbroken failure, given that it also fails at `at`. */
function failingSince({ failingSince: since, lastFailedAt }: Endpoint, at: Date): Date {
  const isNew = !since || !lastFailedAt || at.getTime() - lastFailedAt.getTime() > SILENCE_MS_MAX;
  return isNew ? at : since;
}

/** Whether an endpoint that fails at `at` has only failed for so long that it must be switched off. */
export function hasFailedTooLong(endpoint: Endpoint, at: Date): boolean {
  return at.getTime() - failingSince(endpoint, at).getTime() >= FAILING_MS_MAX;
}

/** Why an endpoint is switched off, and the mail that tells its owner; null if no mail can be sent. */
export interface Disabling {
  reason: string;
  notice: Notice | null;
}

/** Records that an attempt failed at `at`. With a `disable`, the endpoint is switched off unless it already is. */
export function* noteFailure(s: Scope, id: string, at: Date, disable: Disabling | null): Verb<void> {
  const [endpoint] = yield* lockEndpoints(s, [id]);
  if (!endpoint || endpoint.disabledAt) return;
  const since = failingSince(endpoint, at);
  if (disable) return yield* disableEndpoint(s, { ...endpoint, failingSince: since }, disable, at);
  const { lastFailedAt } = endpoint;
  const isKnown = since === endpoint.failingSince && lastFailedAt !== null;
  if (!isKnown || at.getTime() - lastFailedAt.getTime() >= LAST_FAILED_RESOLUTION_MS)
    yield* setHealth(s, id, { failingSince: since, lastFailedAt: at });
}

/** Switches an endpoint off, with an event: its deliveries wait until it is switched on again. */
function* disableEndpoint(s: Scope, endpoint: Endpoint, { reason, notice }: Disabling, now: Date): Verb<void> {
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
  if (notice && (yield* ensureRoleMailbox(s, notice.agentId, now))) {
    yield* queueNotice(s, notice, now);
    s.signal({ topic: "outbound", key: "" });
  }
  if (agentId) s.signal({ topic: "agent", key: agentId });
}

/** Sends a test event to one webhook, even if it is switched off. Null if the account has no webhook of that id. */
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
