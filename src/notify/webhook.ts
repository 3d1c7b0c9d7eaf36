import type { Clock } from "../clock.ts";
import type { Log } from "../log.ts";
import type { Mailbox } from "../mail.ts";
import type { DeliveryStep } from "../store/deliveries.ts";
import type { StoredMail } from "../store/messages.ts";
import type { DeliveryRow, SigningSecretRow } from "../store/schema.ts";
import type { Store } from "../store/store.ts";
import type { Vault } from "../vault.ts";
import { startWork, type Work } from "../work.ts";
import type { Poster, PostOutcome } from "./post.ts";
import { nextStep } from "./retry.ts";
import { authHeaders, standardWebhookHeaders } from "./sign.ts";

/** Longer than an attempt may take, so that a lease never passes on while its holder still posts. */
const LEASE_MARGIN_MS = 15_000;
/** `last_signed_at` is a hint for people; writing it once a minute is enough. */
const LAST_SIGNED_RESOLUTION_MS = 60_000;
/** An endpoint that failed gets one attempt at a time until it answers. */
const FAILING_CONCURRENCY = 1;

export interface WebhookOptions {
  store: Store;
  vault: Vault;
  poster: Poster;
  clock: Clock;
  log: Log;
  /** Attempts in hand at most, over all endpoints and for each. */
  concurrency: number;
  concurrencyPerEndpoint: number;
  timeoutMs: number;
  random?: () => number;
}

/**
 * Delivers queued messages to agents' webhooks: claim → sign → POST → done, later or given up.
 * An endpoint has few attempts in hand, so a dead one never holds up another.
 */
export function startWebhooks(options: WebhookOptions): Work<DeliveryRow> {
  const { store, clock } = options;
  const inHand = new Map<string, number>();
  const failing = new Set<string>();
  const turn = { after: "" };
  const random = options.random ?? Math.random;

  const allowed = (endpoint: string) => (failing.has(endpoint) ? FAILING_CONCURRENCY : options.concurrencyPerEndpoint);
  const slots = (endpoint: string) => allowed(endpoint) - (inHand.get(endpoint) ?? 0);
  const busy = () => [...inHand.keys()].filter((endpoint) => slots(endpoint) <= 0);
  const count = (endpoint: string, by: number) => {
    const next = (inHand.get(endpoint) ?? 0) + by;
    if (next > 0) inHand.set(endpoint, next);
    else inHand.delete(endpoint);
  };

  const work = startWork<DeliveryRow>({
    name: "webhook",
    concurrency: options.concurrency,
    clock,
    log: options.log,
    async claim(limit) {
      const claimed = await store.claimDueDeliveries({
        now: new Date(clock.now()),
        leaseUntil: new Date(clock.now() + options.timeoutMs + LEASE_MARGIN_MS),
        leaseToken: crypto.randomUUID(),
        limit,
        busy: busy(),
        slots,
        turn,
      });
      for (const delivery of claimed) count(delivery.endpointId, +1);
      return claimed;
    },
    async run(delivery) {
      try {
        const ok = await attempt(delivery, options, random);
        if (ok) failing.delete(delivery.endpointId);
        else failing.add(delivery.endpointId);
      } finally {
        count(delivery.endpointId, -1);
      }
    },
    nextDue: () => store.nextDeliveryDue(busy()),
  });
  const unsubscribe = store.onSignal((signal) => {
    if (signal.topic === "deliveries") work.wake();
    if (signal.topic === "agent") failing.delete(signal.key);
  });
  work.wake();
  return {
    ...work,
    close(graceMs) {
      unsubscribe();
      return work.close(graceMs);
    },
  };
}

/** Makes one attempt and records it; returns whether the endpoint took it. */
async function attempt(delivery: DeliveryRow, options: WebhookOptions, random: () => number): Promise<boolean> {
  const { store, vault, poster, clock, log } = options;
  const record = (step: DeliveryStep, row: Parameters<Store["finishDelivery"]>[2]) =>
    store.finishDelivery(delivery, step, row, new Date(clock.now()));

  const work = await store.deliveryWork(delivery);
  const secret = work?.secrets[0];
  // The message or its agent was deleted: the row goes with them.
  if (!work || !secret) return true;
  const number = delivery.attempts + 1;
  const startedAt = new Date(clock.now());
  if (work.agent.mode !== "cloud" || work.agent.webhookUrl === "") {
    const error = "The agent has no webhook any more; the message is in its inbox.";
    await record({ kind: "failed" }, { attempt: number, startedAt, durationMs: 0, status: null, error, answer: null });
    return true;
  }

  const plain = vault.openText(secret.sealed, secret.id);
  const body = webhookBody(work.mail, delivery, plain, startedAt);
  const outcome = await poster.post(work.agent.webhookUrl, {
    headers: {
      "content-type": "application/json",
      "user-agent": "e2a",
      ...authHeadersOf(work.mail, plain, startedAt),
      ...standardWebhookHeaders({ id: delivery.eventId, body, secrets: [plain], now: startedAt }),
    },
    body,
  });
  if (outcome.kind === "failed" && outcome.reason === "aborted") {
    // We are stopping: nothing was learnt about the endpoint, so the attempt does not count.
    await record({ kind: "released", at: startedAt }, null);
    return true;
  }
  noteSigned(store, secret, startedAt, log);

  const step = nextStep({ attempt: number, outcome, nowMs: clock.now(), random });
  await record(
    step.kind === "done"
      ? { kind: "succeeded" }
      : step.kind === "retry"
        ? { kind: "retry", at: new Date(step.atMs) }
        : { kind: "failed" },
    {
      attempt: number,
      startedAt,
      durationMs: Math.round(outcome.durationMs),
      status: outcome.kind === "answered" ? outcome.status : null,
      error: outcome.kind === "failed" ? `${outcome.reason}: ${outcome.message}` : null,
      answer: outcome.kind === "answered" ? outcome.bodyStart : null,
    },
  );
  const fields = { delivery: delivery.id, message: delivery.messageId, attempt: number, ...outcomeFields(outcome) };
  if (step.kind === "done") log.info("webhook.delivered", fields);
  else if (step.kind === "retry") log.warn("webhook.retry", { ...fields, next_at: new Date(step.atMs).toISOString() });
  else log.error("webhook.given_up", fields);
  return step.kind === "done";
}

/** The signed headers of a message, as the webhook request and `auth_headers` carry them. */
export function authHeadersOf(mail: StoredMail, secret: string, now: Date): Record<string, string> {
  const { message } = mail;
  return authHeaders(
    {
      verified: message.verified,
      sender: message.fromAddress,
      entityType: message.entityType,
      domainCheck: message.domainCheck,
      messageId: message.id,
      bodyHash: message.rawSha256,
    },
    secret,
    now,
  );
}

function webhookBody(mail: StoredMail, delivery: DeliveryRow, secret: string, now: Date): string {
  const { message, raw, content } = mail;
  const bare = (mailboxes: Mailbox[]) => mailboxes.map((mailbox) => mailbox.address);
  return JSON.stringify({
    type: "message.received",
    event_id: delivery.eventId,
    message_id: message.id,
    conversation_id: message.conversationId,
    from: message.fromAddress,
    to: bare(message.to),
    ...(message.cc.length > 0 ? { cc: bare(message.cc) } : {}),
    ...(message.replyTo.length > 0 ? { reply_to: bare(message.replyTo) } : {}),
    recipient: message.recipient,
    subject: message.subject,
    received_at: message.createdAt.toISOString(),
    verified: message.verified,
    auto_submitted: message.autoSubmitted,
    list_id: message.listId,
    precedence: message.precedence,
    authentication: message.authentication,
    auth_headers: authHeadersOf(mail, secret, now),
    text: content.text,
    html: content.html,
    reply_text: content.replyText,
    attachments: content.attachments,
    raw_message: raw.toString("base64"),
  });
}

export function noteSigned(store: Store, secret: SigningSecretRow, now: Date, log: Log) {
  if (secret.lastSignedAt && now.getTime() - secret.lastSignedAt.getTime() < LAST_SIGNED_RESOLUTION_MS) return;
  void store.touchSecret(secret.id, now).catch((error) => log.warn("secret.touch_failed", { id: secret.id }, error));
}

function outcomeFields(outcome: PostOutcome) {
  const ms = Math.round(outcome.durationMs);
  return outcome.kind === "answered" ? { status: outcome.status, ms } : { reason: outcome.reason, ms };
}
