import {
  and,
  desc,
  eq,
  getTableColumns,
  gt,
  gte,
  inArray,
  isNotNull,
  isNull,
  lt,
  ne,
  or,
  type SQL,
  sql,
} from "drizzle-orm";
import type { OutboundStatus, OutboundType } from "../../mail.ts";
import { Failure } from "../../util/errors.ts";
import { newId } from "../../util/id.ts";
import { isPausedAbove } from "../accounts/pauses.ts";
import { IDEMPOTENCY_KEPT_MS } from "../accounts/requests.ts";
import { ask, type Scope, type Verb } from "../engine/engine.ts";
import { insertStatement, type Params, statement } from "../engine/statement.ts";
import { addEvent } from "../events/events.ts";
import { noteWritten, strangersAmong, unwrittenAmong } from "../mail/correspondents.ts";
import { conversationOf } from "../mail/references.ts";
import type { AgentRow, HeldReview, Hold, OutboundRow, RecipientKind, RecipientRow } from "../schema.ts";
import { addressKey, answeredKeys, conversationKey, holdLoop, loopKeys } from "./loop-breaker.ts";
import { lockRecipients, refreshStatus } from "./queue.ts";
import { countSend, paceOf, refuseSuppressed, type SendLimits } from "./send-limits.ts";

/**
 * How long a repeated request without an Idempotency-Key finds the first message, while the client has no final answer:
 * two minutes after the answer (WIRE), which takes at most 10 s.
 */
const REPEAT_MS = 130_000;
/** The most recipients that an event names, so that its row stays small. */
const EVENT_RECIPIENTS_MAX = 50;

export interface NewOutbound {
  message: Pick<
    OutboundRow,
    | ("id" | "agentId" | "type" | "emailMessageId" | "idempotencyKey" | "requestHash" | "requestBy")
    | ("subject" | "snippet" | "content" | "contentHash")
  >;
  /** Its conversation; null finds it by the references, or begins one. */
  conversationId: string | null;
  raw: Buffer;
  /** In the order of the message. `lease`: the caller has room for it and tries it at once, until `leaseUntil`. */
  recipients: { address: string; kind: RecipientKind; lane: string; lease: string | null }[];
  leaseUntil: Date;
  /** The gate's decision, and the settings it was based on. */
  gate: { hold: Hold | null; settings: GateSettings };
  /** What reviewers are shown if the gate holds it. */
  review: HeldReview | null;
  limits: SendLimits;
  now: Date;
}

/** The settings of an agent's gate. */
export type GateSettings = Pick<AgentRow, "hitlEnabled" | "hitlRules" | "hitlAllow">;

/** Whether two gates have the same settings. */
export function sameGate(one: GateSettings, other: GateSettings): boolean {
  const facts = ({ hitlEnabled, hitlRules, hitlAllow }: GateSettings) =>
    JSON.stringify([hitlEnabled, hitlRules, hitlAllow]);
  return facts(one) === facts(other);
}

export interface Outbound {
  message: OutboundRow;
  /** In the order of the message. */
  recipients: RecipientRow[];
}

/** A message without what it says, which may be megabytes. */
export interface BriefOutbound extends Omit<Outbound, "message"> {
  message: Omit<OutboundRow, "content" | "original" | "review">;
}

/**
 * Stores an outbound message and queues it for each of its recipients: all or nothing. A repeated request finds the
 * first message (`fresh` false): by its Idempotency-Key, or without one while the client has no final answer. A message
 * stopped by the gate or the loop breaker is stored held. Does nothing and returns null if the gate was changed since
 * it decided: the caller decides again. Failures: `idempotency_key_reused` for a different request, `not_found` if the
 * agent is gone, `recipient_suppressed`, and `rate_limited` with the time to wait.
 */
export function* acceptOutbound(s: Scope, input: NewOutbound): Verb<(Outbound & { fresh: boolean }) | null> {
  const { message, limits, now } = input;
  const agent = yield* lockAgent(s, message.agentId);
  if (!agent || agent.role) throw new Failure("not_found", "There is no such agent.");
  const earlier = yield* earlierMessage(s, agent.userId, message, now);
  if (earlier) return { message: earlier, recipients: yield* recipientsOf(s, earlier.id), fresh: false };
  if (!sameGate(agent, input.gate.settings)) return null;
  const addresses = input.recipients.map((recipient) => recipient.address);
  yield* refuseSuppressed(s, agent.userId, input.recipients);
  const strangers = yield* strangersAmong(s, agent.id, addresses);
  const unwritten = yield* unwrittenAmong(s, agent.id, addresses);
  yield* countSend(s, agent, unwritten.length, limits, now);
  // The rate limit counts messages as they leave, so the undo time comes first.
  const notBefore = yield* paceOf(s, agent.id, limits, new Date(now.getTime() + agent.undoSeconds * 1000));
  const found = input.conversationId || (yield* conversationOf(s, agent.id, message.content.references));
  const conversationId = found ?? newId("conv");

  const gate = input.gate.hold;
  const keys = limits.loopMessages > 0 ? loopKeys(found, input.recipients) : [];
  const answered = yield* answeredKeys(s, agent.id, keys, message.content.inReplyTo);
  // Also if the gate holds it: a loop must not go on through holds that expire.
  const loop = yield* holdLoop(s, agent.id, answered, limits, now);
  const hold =
    gate && loop ? { ...loop.hold, reason: `${gate.reason} ${loop.hold.reason}` } : (gate ?? loop?.hold ?? null);
  const isPaused = agent.paused || (yield* isPausedAbove(s, agent));
  const queue = hold ? "held" : isPaused ? "paused" : "ready";
  const mayLease = queue === "ready" && notBefore <= now;
  const row: OutboundRow = {
    ...message,
    answeredAt: null,
    userId: agent.userId,
    status: hold ? "pending_approval" : "queued",
    conversationId,
    hold,
    isAnswer: answered.has(conversationKey(conversationId)),
    loopKey: loop?.key ?? null,
    approvalExpiresAt: hold ? new Date(now.getTime() + agent.hitlTtlSeconds * 1000) : null,
    original: null,
    review: hold ? input.review : null,
    reviewedAt: null,
    reviewedBy: null,
    rejectionReason: null,
    noticeDueAt: hold && agent.hitlNotifyEmail ? now : null,
    notifiedAt: null,
    notBefore,
    createdAt: now,
  };
  const recipients = input.recipients.map(({ lease: wanted, ...recipient }, n): RecipientRow => {
    const lease = mayLease ? wanted : null;
    return {
      messageId: row.id,
      n,
      agentId: agent.id,
      userId: row.userId,
      ...recipient,
      firstTime: strangers.includes(recipient.address),
      isAnswer: answered.has(addressKey(recipient.address)),
      status: hold ? "held" : lease ? "sending" : "queued",
      queue,
      method: null,
      attempts: 0,
      nextAttemptAt: lease ? input.leaseUntil : notBefore,
      leaseToken: lease,
      smtpReply: null,
      providerMessageId: null,
      sentAs: null,
      error: null,
      createdAt: now,
      updatedAt: now,
    };
  });
  if (recipients.some((recipient) => recipient.leaseToken)) row.status = "sending";
  yield* insertOutbound(s, row, recipients, input.raw);
  if (hold) s.signal({ topic: "holds", key: "" });
  if (hold) yield* tellHeld(s, { message: row, recipients }, hold, loop?.first ?? false, now);
  else if (unwritten.length > 0) yield* noteWritten(s, agent.id, unwritten, now);
  if (queue === "ready")
    for (const lane of new Set(recipients.filter((one) => one.leaseToken === null).map((one) => one.lane)))
      s.signal({ topic: "outbound", key: lane });
  return { message: row, recipients, fresh: true };
}

const selectLockedAgent = statement(({ db, t: { agents }, locked }, p: Params<{ id: string }>) =>
  locked(db.select().from(agents).where(eq(agents.id, p.id))),
);

/** The agent's row, locked: messages of one agent are accepted one at a time, so its limits hold. */
export function* lockAgent(s: Scope, id: string): Verb<AgentRow | null> {
  const [agent] = yield* selectLockedAgent(s, { id });
  return agent ?? null;
}

type Asked = Pick<OutboundRow, "agentId" | "idempotencyKey" | "requestHash" | "requestBy">;

/** The message that the same request stored before, or null. The caller has locked the agent. */
function* earlierMessage(s: Scope, userId: string, asked: Asked, now: Date): Verb<OutboundRow | null> {
  const { idempotencyKey: key, requestHash, requestBy } = asked;
  if (key === null) return requestHash && requestBy ? yield* unansweredMessage(s, asked, now) : null;
  const found = yield* keyedMessage(s, userId, key, now);
  if (found && found.requestHash !== requestHash)
    throw new Failure("idempotency_key_reused", "This Idempotency-Key was already used for a different message.", {
      fix: "Use a new key for each new message.",
    });
  return found;
}

const selectKeyed = statement(({ db, t: { outboundMessages: messages } }, p: Params<{ userId: string; key: string }>) =>
  db
    .select()
    .from(messages)
    .where(and(eq(messages.userId, p.userId), eq(messages.idempotencyKey, p.key))),
);

/** The message that came with this Idempotency-Key. When the key expires, the message loses it. */
function* keyedMessage(s: Scope, userId: string, key: string, now: Date): Verb<OutboundRow | null> {
  const { outboundMessages } = s.t;
  const [found] = yield* selectKeyed(s, { userId, key });
  if (!found) return null;
  if (now.getTime() - found.createdAt.getTime() < IDEMPOTENCY_KEPT_MS) return found;
  yield* ask(s.db.update(outboundMessages).set({ idempotencyKey: null }).where(eq(outboundMessages.id, found.id)));
  return null;
}

const selectUnanswered = statement(
  ({ db, t: { outboundMessages: messages } }, p: Params<Pick<OutboundRow, "agentId" | "requestHash" | "requestBy">>) =>
    db
      .select()
      .from(messages)
      .where(
        and(
          eq(messages.agentId, p.agentId),
          eq(messages.requestHash, p.requestHash),
          isNotNull(messages.requestHash),
          isNull(messages.idempotencyKey),
          isNull(messages.answeredAt),
          eq(messages.requestBy, p.requestBy),
        ),
      )
      .orderBy(desc(messages.createdAt))
      .limit(1),
);

/** The newest message of the same request by the same caller, while the caller has no final answer. */
function* unansweredMessage(s: Scope, asked: Asked, now: Date): Verb<OutboundRow | null> {
  const [found] = yield* selectUnanswered(s, asked);
  return found && now.getTime() - found.createdAt.getTime() <= REPEAT_MS ? found : null;
}

/** Records that the client has a final answer about the message: the same request then makes a new one. */
export function* noteAnswered(s: Scope, id: string, now: Date): Verb<void> {
  const { outboundMessages } = s.t;
  yield* ask(
    s.db
      .update(outboundMessages)
      .set({ answeredAt: now })
      .where(and(eq(outboundMessages.id, id), isNull(outboundMessages.answeredAt))),
  );
}

const insertMessage = insertStatement((t) => t.outboundMessages);
const insertRaw = insertStatement((t) => t.outboundRaw);
const insertRecipient = insertStatement((t) => t.outboundRecipients);

/** Stores an outbound message with its bytes and recipients, unchanged. */
export function* insertOutbound(s: Scope, row: OutboundRow, recipients: RecipientRow[], raw: Buffer): Verb<void> {
  yield* insertMessage(s, row);
  yield* insertRaw(s, { messageId: row.id, bytes: raw });
  for (const recipient of recipients) yield* insertRecipient(s, recipient);
}

/**
 * Adds the event `message.held`, and `loop.stopped` for the first message of a loop. `withdrawnBy`: the person who took
 * the approval back, so that the message is held again.
 */
export function* tellHeld(
  s: Scope,
  { message, recipients }: BriefOutbound,
  hold: Hold,
  loopBegins: boolean,
  now: Date,
  withdrawnBy?: string,
): Verb<void> {
  const about = { userId: message.userId, agentId: message.agentId, now };
  const data = {
    message_id: message.id,
    agent_id: message.agentId,
    conversation_id: message.conversationId,
    subject: message.subject,
    recipients: recipients.slice(0, EVENT_RECIPIENTS_MAX).map(({ address }) => address),
    ...hold,
  };
  const approval_expires_at = message.approvalExpiresAt?.toISOString() ?? null;
  yield* addEvent(s, {
    ...about,
    type: "message.held",
    data: { ...data, approval_expires_at, ...(withdrawnBy === undefined ? {} : { withdrawn_by: withdrawnBy }) },
  });
  if (loopBegins)
    yield* addEvent(s, {
      ...about,
      type: "loop.stopped",
      data: { ...data, release: `POST /api/v1/messages/${message.id}/release` },
    });
}

const selectRecipients = statement(({ db, t: { outboundRecipients: recipients } }, p: Params<{ messageId: string }>) =>
  db.select().from(recipients).where(eq(recipients.messageId, p.messageId)).orderBy(recipients.n),
);

/** The recipients of a message, in its order. */
export function recipientsOf(s: Scope, messageId: string): Verb<RecipientRow[]> {
  return selectRecipients(s, { messageId });
}

const selectMessage = statement(
  ({ db, t: { outboundMessages: messages } }, p: Params<{ id: string; userId: string }>) =>
    db
      .select()
      .from(messages)
      .where(and(eq(messages.id, p.id), eq(messages.userId, p.userId))),
);

/** An outbound message with its recipients; null if the account has no message of that id. */
export function* getOutbound(s: Scope, userId: string, id: string): Verb<Outbound | null> {
  const [message] = yield* selectMessage(s, { id, userId });
  return message ? { message, recipients: yield* recipientsOf(s, id) } : null;
}

/** The columns of `BriefOutbound`. */
export function briefColumns({ t }: Scope) {
  const { content: _content, original: _original, review: _review, ...brief } = getTableColumns(t.outboundMessages);
  return brief;
}

/** An outbound message by its id alone, without what it says; null if there is none. */
export function* briefOutbound(s: Scope, id: string): Verb<BriefOutbound | null> {
  const { outboundMessages: messages } = s.t;
  const [message] = yield* ask(s.db.select(briefColumns(s)).from(messages).where(eq(messages.id, id)));
  return message ? { message, recipients: yield* recipientsOf(s, id) } : null;
}

/** Whether a reviewer has changed a message. */
export function* isEdited(s: Scope, id: string): Verb<boolean> {
  const { outboundMessages: messages } = s.t;
  const found = yield* ask(
    s.db
      .select({ id: messages.id })
      .from(messages)
      .where(and(eq(messages.id, id), isNotNull(messages.original))),
  );
  return found.length > 0;
}

/** The bytes of an outbound message as composed; null if it is gone. */
export function* outboundBytes(s: Scope, id: string): Verb<Buffer | null> {
  const { outboundRaw } = s.t;
  const rows = yield* ask(
    s.db.select({ bytes: outboundRaw.bytes }).from(outboundRaw).where(eq(outboundRaw.messageId, id)),
  );
  return rows[0]?.bytes ?? null;
}

export interface OutboundFilter {
  status?: OutboundStatus;
  agentId?: string;
  conversationId?: string;
  since?: Date;
  until?: Date;
  /** If omitted, all but the server's own mail (`notice`). */
  type?: OutboundType;
}

/** Where a page of outbound messages ended: its last message, and when that expires if pages are ordered by it. */
export interface OutboundPlace {
  id: string;
  expiresAt?: Date | undefined;
}

export interface OutboundPage {
  after?: OutboundPlace | undefined;
  limit: number;
  /** Default: `desc`, newest first. `expiry`: only those that wait for approval, the soonest expiry first. */
  sort?: "asc" | "desc" | "expiry";
  /** Without their texts, as `withoutTexts` makes them. */
  isBrief?: boolean;
}

/** One page of an account's outbound messages. */
export function* listOutbound(
  s: Scope,
  userId: string,
  filter: OutboundFilter,
  { after, limit, sort = "desc", isBrief = false }: OutboundPage,
): Verb<Outbound[]> {
  const { outboundMessages: messages } = s.t;
  const { id, approvalExpiresAt } = messages;
  const orders = { asc: [id], desc: [desc(id)], expiry: [approvalExpiresAt, id] };
  const conditions: (SQL | undefined)[] = [
    eq(messages.userId, userId),
    filter.status && sort !== "expiry" ? eq(messages.status, filter.status) : undefined,
    filter.type ? eq(messages.type, filter.type) : ne(messages.type, "notice"),
    filter.agentId ? eq(messages.agentId, filter.agentId) : undefined,
    filter.conversationId ? eq(messages.conversationId, filter.conversationId) : undefined,
    filter.since ? gte(messages.createdAt, filter.since) : undefined,
    filter.until ? lt(messages.createdAt, filter.until) : undefined,
    after && sort === "asc" ? gt(id, after.id) : undefined,
    after && sort === "desc" ? lt(id, after.id) : undefined,
    ...(sort === "expiry" ? [isPending(s), after?.expiresAt && isLater(messages, after.id, after.expiresAt)] : []),
  ];
  const rows = yield* ask(
    s.db
      .select()
      .from(messages)
      .where(and(...conditions))
      .orderBy(...orders[sort])
      .limit(limit),
  );
  return yield* withRecipients(s, isBrief ? rows.map(withoutTexts) : rows);
}

function isLater({ id, approvalExpiresAt }: Scope["t"]["outboundMessages"], afterId: string, expiresAt: Date) {
  return and(gte(approvalExpiresAt, expiresAt), or(gt(approvalExpiresAt, expiresAt), gt(id, afterId)));
}

/** Waiting for a decision: a constant, because a parameter would not match the partial indexes. */
export function isPending(s: Scope): SQL {
  return sql`${s.t.outboundMessages.status} = 'pending_approval'`;
}

/**
 * A message without its texts, which are megabytes that the store's thread need not hand over. One that a reviewer has
 * edited keeps them, to be compared.
 */
export function withoutTexts(message: OutboundRow): OutboundRow {
  if (message.original !== null) return message;
  return { ...message, content: { ...message.content, text: "", html: null }, review: null };
}

/** Outbound messages with their recipients, in the order given. */
export function* withRecipients(s: Scope, rows: OutboundRow[]): Verb<Outbound[]> {
  if (rows.length === 0) return [];
  const { outboundRecipients } = s.t;
  const ids = rows.map((row) => row.id);
  const recipients = yield* ask(
    s.db
      .select()
      .from(outboundRecipients)
      .where(inArray(outboundRecipients.messageId, ids))
      .orderBy(outboundRecipients.messageId, outboundRecipients.n),
  );
  const byMessage = Map.groupBy(recipients, (recipient) => recipient.messageId);
  return rows.map((message) => ({ message, recipients: byMessage.get(message.id) ?? [] }));
}

/**
 * Cancels a message for the recipients that it has not left for. `cancelled` counts them; 0 means too late. Null if the
 * account has no such message.
 */
export function* cancelOutbound(
  s: Scope,
  userId: string,
  id: string,
  now: Date,
): Verb<(BriefOutbound & { cancelled: number }) | null> {
  const { outboundRecipients, outboundMessages } = s.t;
  yield* ask(
    s.locked(s.db.select({ id: outboundMessages.id }).from(outboundMessages).where(eq(outboundMessages.id, id))),
  );
  const before = yield* briefOutbound(s, id);
  if (before?.message.userId !== userId) return null;
  yield* lockRecipients(s, eq(outboundRecipients.messageId, id));
  const gone = yield* ask(
    s.db
      .update(outboundRecipients)
      .set({ status: "cancelled", queue: "done", error: null, updatedAt: now })
      .where(
        and(
          eq(outboundRecipients.messageId, id),
          inArray(outboundRecipients.queue, ["ready", "held", "paused"]),
          // A leased recipient's mail may have reached the next host already.
          isNull(outboundRecipients.leaseToken),
        ),
      )
      .returning({ n: outboundRecipients.n }),
  );
  if (gone.length > 0) yield* refreshStatus(s, id);
  s.signal({ topic: "outcome", key: id });
  const after = yield* briefOutbound(s, id);
  return after && { ...after, cancelled: gone.length };
}

/**
 * Deletes up to `limit` outbound messages older than `before`, of this type if given, that have no recipient waiting.
 */
export function* sweepOutbound(s: Scope, before: Date, limit: number, type?: OutboundType): Verb<number> {
  const { outboundMessages } = s.t;
  const old = s.db
    .select({ id: outboundMessages.id })
    .from(outboundMessages)
    .where(
      and(
        lt(outboundMessages.createdAt, before),
        type ? eq(outboundMessages.type, type) : undefined,
        sql`not exists (select 1 from outbound_recipients r where r.message_id = ${outboundMessages.id} and r.queue <> 'done')`,
      ),
    )
    .limit(limit);
  const gone = yield* ask(
    s.db.delete(outboundMessages).where(inArray(outboundMessages.id, old)).returning({ id: outboundMessages.id }),
  );
  return gone.length;
}

/** Deletes up to `limit` outbound messages of an agent, or of an account with all its agents. Returns the number. */
export function* dropSomeOutboundOf(
  s: Scope,
  owner: { agentId: string } | { userId: string },
  limit: number,
): Verb<number> {
  const { outboundMessages: messages } = s.t;
  const whose = "agentId" in owner ? eq(messages.agentId, owner.agentId) : eq(messages.userId, owner.userId);
  const some = s.db.select({ id: messages.id }).from(messages).where(whose).limit(limit);
  const gone = yield* ask(s.db.delete(messages).where(inArray(messages.id, some)).returning({ id: messages.id }));
  return gone.length;
}
