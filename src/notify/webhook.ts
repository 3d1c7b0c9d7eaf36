import type { DeliveryStep, DeliveryWork, EndpointNews } from "../store/events/deliveries.ts";
import { hasFailedTooLong } from "../store/events/endpoint-health.ts";
import type { Endpoint } from "../store/events/endpoints.ts";
import type { StoredMail } from "../store/mail/messages.ts";
import { contentOnWire, messageOnWire } from "../store/mail/received.ts";
import type { Notice } from "../store/outbound/notices.ts";
import type { DeliveryRow, EventRow, MessageRow, SigningSecretRow } from "../store/schema.ts";
import type { Store } from "../store/store.ts";
import { type Clock, earliest } from "../util/clock.ts";
import type { Log } from "../util/log.ts";
import { Base64Bytes, createTurns, joined, jsonPieces } from "../util/pieces.ts";
import { createRoom } from "../util/room.ts";
import { startWork, type Work } from "../util/work.ts";
import type { Vault } from "../vault.ts";
import { WebhookMessage } from "../wire/message.ts";
import { pick } from "../wire/words.ts";
import type { BodyInPieces, Poster, PostOutcome } from "./post.ts";
import { createRateLimit } from "./rate-limit.ts";
import { nextStep, wishOf } from "./retry.ts";
import { authHeaders, signers, standardWebhookHeaders, standardWebhookSigner } from "./sign.ts";
import { createSlots } from "./slots.ts";

/** A lease outlasts an attempt by this much, so that it is never passed on while its holder still posts. */
const LEASE_MARGIN_MS = 15_000;
/** `last_signed_at` is a hint for people, so writing it once a minute is enough. */
const LAST_SIGNED_RESOLUTION_MS = 60_000;

/** A larger message needs room, and its body is made in pieces, as the endpoint takes it. */
const LARGE_BYTES = 64 * 1024;
/**
 * Room for all large messages that are being delivered: three of the largest. So an account has room for two, one of
 * them to an endpoint that fails.
 */
const ROOM_BYTES = 96 * 1024 * 1024;
/** How long a delivery keeps its lease while it waits for room; then it gets back into the queue. */
const ROOM_WAIT_MS = 120_000;
/** When a delivery that got no room is due again. */
const NO_ROOM_RETRY_MS = 15_000;

/** The pause after a search, as a multiple of the time that the search took. */
const SEARCH_PAUSE_FACTOR = 50;
/** Deliveries that one search takes: few, so that it ends soon. */
const SEARCHED_AT_ONCE = 8;
/** Endpoints in one claim; each costs a seek. */
const NAMED_AT_ONCE = 50;

export interface WebhookOptions {
  store: Store;
  vault: Vault;
  poster: Poster;
  clock: Clock;
  log: Log;
  /** Attempts in progress, at most: over all endpoints, and for each. */
  concurrency: number;
  concurrencyPerEndpoint: number;
  /** Endpoints whose last attempt had failed when this process began. */
  failing: readonly string[];
  /** Attempts per second for each endpoint; 0 means no limit. */
  ratePerEndpoint: number;
  timeoutMs: number;
  /** Writes the mail to the owner of an endpoint that is switched off. */
  writeMail: WriteMail;
  random?: () => number;
}

type WriteMail = (
  to: { id: string; email: string },
  mail: { subject: string; text: string; now: Date },
) => Promise<Notice | null>;

/**
 * Delivers messages to agents' webhooks and events to accounts' webhooks: claim → sign → POST → done, later or given
 * up. An endpoint has few attempts in progress, and an account not all of them, so a dead or slow one never delays
 * others.
 */
export function startWebhooks(options: WebhookOptions): Omit<Work<DeliveryRow>, "take"> {
  const { store, clock } = options;
  let after = "";
  const random = options.random ?? Math.random;
  const { concurrency: all, concurrencyPerEndpoint: perEndpoint, failing } = options;
  const slots = createSlots({ all, perEndpoint, failing }, clock, random);
  const rateLimit = createRateLimit(options.ratePerEndpoint, clock);
  const isFailing = ({ endpointId }: DeliveryRow) => slots.isFailing(endpointId);
  const room = createRoom({ bytes: ROOM_BYTES, waiting: all, waitMs: ROOM_WAIT_MS, isFailing }, clock);
  const turn = createTurns();
  let closed = false;
  const busy = () => [...new Set([...slots.busy(), ...rateLimit.waiting()])];
  /** Endpoints that signals have named as having something due. */
  const named = new Set<string>();
  /** Endpoints that had as many attempts as they may have, and perhaps more that is due. */
  const limited = new Set<string>();
  /**
   * When the next search for due deliveries that were not named may begin, so that a large backlog, which makes
   * searches expensive, slows nothing else; by `clock.elapsed()`.
   */
  let searchAt = 0;
  /**
   * The due time of the next delivery, if it was still ahead at the last search; undefined if another may have been
   * added.
   */
  let nextDue: Date | null | undefined;
  /** The number of callers that wait for everything due to be done. */
  let draining = 0;

  async function claim(limit: number, only?: readonly string[]): Promise<DeliveryRow[]> {
    const free = slots.forClaim(only);
    const allowed = new Map(
      [...free.of].map(([endpoint, count]) => [endpoint, Math.min(count, rateLimit.free(endpoint))]),
    );
    const now = clock.now();
    const { claimed, ...next } = await store.claimDueDeliveries({
      now: new Date(now),
      leaseUntil: new Date(now + options.timeoutMs + LEASE_MARGIN_MS),
      leaseToken: crypto.randomUUID(),
      limit,
      busy: busy(),
      fullAccount: slots.fullAccount(),
      slots: { ...free, of: allowed },
      after,
      ...(only ? { named: only } : {}),
    });
    after = next.after;
    for (const delivery of claimed) {
      slots.take(delivery);
      rateLimit.take(delivery.endpointId);
      if (rateLimit.free(delivery.endpointId) < 1) limited.add(delivery.endpointId);
    }
    return claimed;
  }

  async function search(limit: number): Promise<DeliveryRow[]> {
    nextDue = undefined;
    if (clock.elapsed() < searchAt && draining === 0) return [];
    const [startedAt, now] = [performance.now(), clock.now()];
    const wanted = Math.min(limit, SEARCHED_AT_ONCE);
    const claimed = await claim(wanted);
    if (claimed.length === 0) {
      const due = await store.nextDeliveryDue(busy(), slots.fullAccount());
      // A due delivery that was not claimed has no free slot. It is looked for again when a slot is free.
      nextDue = due && due.getTime() > now ? due : null;
    }
    if (claimed.length < wanted) searchAt = clock.elapsed() + (performance.now() - startedAt) * SEARCH_PAUSE_FACTOR;
    return claimed;
  }

  /** Waits until a large message has room, under its lease; null if it must come again later. */
  async function waitForRoom(delivery: DeliveryRow, bytes: number): Promise<(() => void) | null> {
    slots.pause(delivery);
    work.wake();
    try {
      const until = new Date(clock.now() + ROOM_WAIT_MS + options.timeoutMs + LEASE_MARGIN_MS);
      return (await store.renewDelivery(delivery, until)) ? await room.wait(delivery, bytes) : null;
    } finally {
      slots.resume(delivery);
    }
  }

  const work = startWork<DeliveryRow>({
    name: "webhook",
    // `slots` limit it. Deliveries that wait for room do not count.
    concurrency: Number.POSITIVE_INFINITY,
    clock,
    log: options.log,
    async claim() {
      const limit = slots.free();
      if (limit <= 0) return [];
      for (const endpoint of limited)
        if (rateLimit.free(endpoint) >= 1 && limited.delete(endpoint)) named.add(endpoint);
      const some = [...named].slice(0, NAMED_AT_ONCE);
      for (const endpoint of some) named.delete(endpoint);
      const claimed = some.length > 0 ? await claim(limit, some) : [];
      return claimed.length > 0 || named.size > 0 ? claimed : search(limit);
    },
    async run(delivery) {
      let isHealthy: boolean | null = null;
      let leave: (() => void) | null = null;
      let hasRoom = true;
      try {
        const bytes = delivery.messageId === null ? 0 : await store.deliveryBytes(delivery);
        const isLarge = bytes > LARGE_BYTES;
        if (isLarge) leave = room.enter(delivery, bytes) ?? (await waitForRoom(delivery, bytes));
        hasRoom = !isLarge || leave !== null;
        if (hasRoom) isHealthy = await attempt(delivery, isLarge ? turn : null, options, random);
        else {
          const now = clock.now();
          const at = new Date(closed ? now : now + NO_ROOM_RETRY_MS);
          await store.finishDelivery(delivery, { kind: "released", at }, null, new Date(now));
        }
      } finally {
        slots.done(delivery, isHealthy);
        leave?.();
        // The endpoint may have more deliveries, which had no free slot.
        if (hasRoom && isHealthy !== false) named.add(delivery.endpointId);
      }
    },
    async nextDue() {
      if (slots.free() <= 0) return null;
      return earliest([
        nextDue === undefined ? clock.now() + Math.ceil(searchAt - clock.elapsed()) : nextDue,
        slots.nextFreeAt(),
        rateLimit.nextFreeAt(),
      ]);
    },
  });
  const unsubscribe = store.onSignal((signal) => {
    const isChanged = signal.topic === "agent" || signal.topic === "webhook";
    // Deliveries that wait for a resting endpoint may go to another URL now.
    if (!(isChanged ? slots.forget(signal.key) : signal.topic === "deliveries")) return;
    if (signal.key === "") searchAt = 0;
    else named.add(signal.key);
    work.wake();
  });
  work.wake();
  return {
    wake: work.wake,
    drain() {
      draining++;
      return work.drain().finally(() => {
        draining--;
      });
    },
    close(graceMs) {
      closed = true;
      unsubscribe();
      room.close();
      return work.close(graceMs);
    },
  };
}

/**
 * Makes one attempt and records it. Returns whether the endpoint accepted it; null if the endpoint was not called.
 *
 * @param turn makes the body in pieces, for a large message; null makes it at once
 */
async function attempt(
  delivery: DeliveryRow,
  turn: BodyInPieces["turn"] | null,
  options: WebhookOptions,
  random: () => number,
): Promise<boolean | null> {
  const { store, vault, poster, clock, log } = options;
  const record = (step: DeliveryStep, row: Parameters<Store["finishDelivery"]>[2], news: EndpointNews | null = null) =>
    store.finishDelivery(delivery, step, row, new Date(clock.now()), news);

  const work = await (turn ? store.largeDeliveryWork(delivery) : store.deliveryWork(delivery));
  const startedAt = new Date(clock.now());
  const signing = signers(work?.secrets ?? [], startedAt);
  if (!work || signing.length === 0) {
    await store.dropDelivery(delivery);
    return null;
  }
  const number = delivery.attempts + 1;
  const { endpoint } = work;
  if (endpoint.url === null) {
    const error = "The agent no longer has a webhook; the message is in its inbox.";
    await record({ kind: "failed" }, { attempt: number, startedAt, durationMs: 0, status: null, error, answer: null });
    return null;
  }

  const secrets = signing.map((secret) => vault.openText(secret.sealed, secret.id));
  const { content, message } = requestOf(work, delivery, secrets, startedAt);
  const signed = { id: delivery.eventId, secrets, now: startedAt };
  const { body, headers } = turn ? await inPieces(content, signed, turn) : atOnce(content, signed);
  const outcome = await poster.post(endpoint.url, {
    headers: {
      "content-type": "application/json",
      "user-agent": "e2a",
      ...(message ? authHeadersOf(message, secrets, startedAt) : {}),
      ...headers,
    },
    body,
  });
  if (outcome.kind === "failed" && outcome.reason === "aborted") {
    // We are stopping: the attempt says nothing about the endpoint, so it does not count.
    await record({ kind: "released", at: startedAt }, null);
    return null;
  }
  for (const secret of signing) noteSigned(store, secret, startedAt, log);

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
    await newsOf(work, outcome, step.kind === "done", startedAt, options),
  );
  const fields = {
    delivery: delivery.id,
    event_id: delivery.eventId,
    endpoint: endpoint.id,
    attempt: number,
    ...outcomeFields(outcome),
  };
  if (step.kind === "done") log.info("webhook.delivered", fields);
  else if (step.kind === "retry") log.warn("webhook.retry", { ...fields, next_at: new Date(step.atMs).toISOString() });
  else log.error("webhook.given_up", fields);
  return step.kind === "done";
}

type Signed = Parameters<typeof standardWebhookSigner>[0];

function atOnce(content: object, signed: Signed): { body: string; headers: Record<string, string> } {
  const body = JSON.stringify(content);
  return { body, headers: standardWebhookHeaders({ ...signed, body }) };
}

/** The same body, made twice: here, to be signed and measured, and again while it is sent. */
async function inPieces(
  content: object,
  signed: Signed,
  turn: BodyInPieces["turn"],
): Promise<{ body: BodyInPieces; headers: Record<string, string> }> {
  const encoder = new TextEncoder();
  function* pieces() {
    for (const text of joined(jsonPieces(content))) yield encoder.encode(text);
  }
  const signer = standardWebhookSigner(signed);
  let bytes = 0;
  for (const piece of pieces()) {
    signer.update(piece);
    bytes += piece.byteLength;
    await turn();
  }
  return { body: { bytes, pieces, turn }, headers: signer.headers() };
}

/** What to send, and the message whose authentication headers go with it. */
function requestOf(
  { content }: DeliveryWork,
  delivery: DeliveryRow,
  secrets: string[],
  now: Date,
): { content: object; message: MessageRow | null } {
  if (content.kind === "message")
    return { content: webhookBody(content.mail, delivery, secrets, now), message: content.mail.message };
  return { content: eventBody(content.event), message: content.message };
}

/** Makes an event's JSON as webhooks, the log and its WebSocket show it. */
export function eventBody({ id, type, createdAt, agentId, data: stored }: EventRow) {
  // Events stored by older servers do not have this member.
  const data = type === "message.received" ? { in_reply_to: null, ...stored } : stored;
  return { id, type, timestamp: createdAt.toISOString(), ...(agentId === null ? {} : { agent_id: agentId }), data };
}

/** What an attempt says about its endpoint; null if that is not new, so that nothing needs to be written. */
async function newsOf(
  { endpoint }: DeliveryWork,
  outcome: PostOutcome,
  isDone: boolean,
  at: Date,
  { store, writeMail }: WebhookOptions,
): Promise<EndpointNews | null> {
  const reason =
    wishOf(outcome) === "disable"
      ? "The endpoint asked for no more deliveries."
      : !isDone && hasFailedTooLong(endpoint, at)
        ? "Every attempt has failed for five days."
        : null;
  if (reason !== null && !endpoint.disabledAt) {
    const user = await store.getUser(endpoint.userId);
    const notice = user && (await writeMail(user, { ...disabledMail(endpoint, reason, outcome), now: at }));
    return { kind: "failing", disable: { reason, notice } };
  }
  if (!isDone) return { kind: "failing", disable: null };
  return endpoint.failingSince ? { kind: "healthy" } : null;
}

/** The mail to the owner of an endpoint that is switched off. */
function disabledMail(endpoint: Endpoint, reason: string, outcome: PostOutcome): { subject: string; text: string } {
  const { agentId, id, url } = endpoint;
  const last = outcome.kind === "answered" ? `It answered with status ${outcome.status}.` : outcome.message;
  const remedy = agentId
    ? `e2a agents update ${agentId} --webhook-status enabled`
    : `e2a webhooks update ${id} --status enabled`;
  return {
    subject: `A webhook was switched off: ${new URL(url ?? "").host}`,
    text: [
      agentId ? `The webhook of ${agentId} was switched off:` : `The webhook ${id} was switched off:`,
      "",
      `  ${url}`,
      "",
      reason,
      `The last attempt: ${last}`,
      "",
      "Its deliveries are kept, and resume as soon as you switch it on again:",
      "",
      `  ${remedy}`,
      "",
      ...(agentId ? ["Meanwhile, mail to the agent still arrives in its inbox.", ""] : []),
    ].join("\n"),
  };
}

/** Makes the signed headers of a message, as the webhook request and `auth_headers` carry them. */
export function authHeadersOf(message: MessageRow, secrets: readonly string[], now: Date): Record<string, string> {
  return authHeaders(
    {
      verified: message.verified,
      sender: message.fromAddress,
      entityType: message.entityType,
      domainCheck: message.domainCheck,
      messageId: message.id,
      bodyHash: message.rawSha256,
    },
    secrets,
    now,
  );
}

function webhookBody(
  { message, raw, content }: StoredMail,
  delivery: DeliveryRow,
  secrets: string[],
  now: Date,
): object {
  return pick(WebhookMessage, {
    ...messageOnWire(message),
    ...contentOnWire(content),
    type: "message.received",
    event_id: delivery.eventId,
    auth_headers: authHeadersOf(message, secrets, now),
    // Its JSON is a text.
    raw_message: new Base64Bytes(raw) as unknown as string,
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
