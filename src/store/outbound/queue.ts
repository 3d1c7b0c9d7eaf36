import { and, asc, eq, inArray, isNotNull, lte, notInArray, type SQL, sql } from "drizzle-orm";
import { type Method, type OutboundStatus, statusOf } from "../../mail.ts";
import { earliest } from "../../util/clock.ts";
import { suppress } from "../accounts/suppressions.ts";
import { ask, askRaw, type Scope, type Verb } from "../engine/engine.ts";
import { type Params, statement } from "../engine/statement.ts";
import { walkOf } from "../engine/walk.ts";
import { addEvent } from "../events/events.ts";
import { makeKnown } from "../mail/correspondents.ts";
import type { OutboundRow, RecipientRow } from "../schema.ts";

/** The most accounts that one claim looks at in a lane; the next claim continues after them. */
const ACCOUNTS_PER_CLAIM = 64;

/** How many recipients a claim can take in a lane. */
export interface LaneRoom {
  lane: string;
  free: number;
  /** The account where the last claim stopped; "" starts with the first. */
  after?: string | undefined;
}

/** Leased recipients, and `after` of the next claim for each lane. */
export interface ClaimedRecipients {
  claimed: RecipientRow[];
  after: Record<string, string>;
}

/**
 * Claims due recipients, in each lane as many as it has room for. Their due time moves to the end of the lease, so they
 * are due again if the claimer dies. If more are due than fit, accounts take turns: one that submits much mail does not
 * delay the others. On Postgres a claim skips recipients that are locked, or whose message is: all other verbs lock a
 * message before its recipients, so a claim that waited for one could deadlock.
 */
export function* claimDueRecipients(
  s: Scope,
  input: { now: Date; leaseUntil: Date; leaseToken: string; lanes: LaneRoom[] },
): Verb<ClaimedRecipients> {
  const claimed: RecipientRow[] = [];
  const after: Record<string, string> = {};
  for (const room of input.lanes) {
    const { lane, free } = room;
    let due = yield* selectDue(s, { lane, limit: free, now: input.now }, "all");
    // If all due mail fits, no account has to wait its turn.
    if (free > 0 && due.length === free) {
      const turns = yield* takeTurns(s, room, due, input.now);
      due = turns.due;
      after[lane] = turns.after;
    }
    for (const { messageId, n } of due)
      claimed.push(...(yield* leaseRecipient(s, { messageId, n, until: input.leaseUntil, token: input.leaseToken })));
  }
  return { claimed, after };
}

type Due = Pick<RecipientRow, "messageId" | "n" | "userId">;

/** The oldest due recipients in a lane, of all accounts or of one. */
const selectDue = statement(
  (s, p: Params<{ lane: string; userId?: string; now: Date; limit: number }>, whose: "all" | "one") => {
    const { outboundRecipients: recipients, outboundMessages: messages } = s.t;
    return s.skipLocked(
      s.db
        .select({ messageId: recipients.messageId, n: recipients.n, userId: recipients.userId })
        .from(recipients)
        .innerJoin(messages, eq(messages.id, recipients.messageId))
        .where(
          and(
            ready(s),
            eq(recipients.lane, p.lane),
            whose === "one" ? eq(recipients.userId, p.userId) : undefined,
            lte(recipients.nextAttemptAt, p.now),
          ),
        )
        .orderBy(asc(recipients.nextAttemptAt), asc(recipients.messageId), asc(recipients.n))
        .limit(p.limit),
    );
  },
);

/**
 * Fills a lane with an equal share for each account with due mail, then with the oldest of all. One claim looks at no
 * more than `ACCOUNTS_PER_CLAIM` accounts, so its cost does not grow with their number.
 */
function* takeTurns(
  s: Scope,
  { lane, free, after = "" }: LaneRoom,
  oldest: Due[],
  now: Date,
): Verb<{ due: Due[]; after: string }> {
  const looked = yield* selectAccounts(s, { lane, after, limit: ACCOUNTS_PER_CLAIM });
  const isAll = looked.length < ACCOUNTS_PER_CLAIM;
  if (isAll && after !== "")
    for (const from of yield* selectAccounts(s, { lane, after: "", limit: ACCOUNTS_PER_CLAIM - looked.length }))
      if (from.account <= after) looked.push(from);
  const accounts: string[] = [];
  let next = isAll ? "" : after;
  for (const { account, dueAt } of looked) {
    if (dueAt <= now) accounts.push(account);
    if (accounts.length === free || !isAll) next = account;
    if (accounts.length === free) break;
  }
  if (oldest.every(({ userId }) => accounts.every((account) => account === userId)))
    return { due: oldest, after: next };
  const share = Math.ceil(free / accounts.length);
  const shares: Due[][] = [];
  for (const userId of accounts) shares.push(yield* selectDue(s, { lane, limit: share, now, userId }, "one"));
  const chosen = new Map<string, Due>();
  const choose = (due: Due | undefined) => due && chosen.size < free && chosen.set(`${due.messageId} ${due.n}`, due);
  for (let round = 0; round < share; round++) for (const rows of shares) choose(rows[round]);
  for (const due of oldest) choose(due);
  return { due: [...chosen.values()], after: next };
}

/** Accounts with waiting mail in a lane, by id, each with its earliest due time. */
const selectAccounts = statement((s, p: Params<{ lane: string; after: string; limit: number }>) => {
  const { lane, userId: id, nextAttemptAt: due } = s.t.outboundRecipients;
  return s.db
    .select({ account: sql<string>`walk.id`, dueAt: sql`walk.due`.mapWith(due) })
    .from(walkOf(and(ready(s), eq(lane, p.lane)), { id, due }, p.after))
    .limit(p.limit);
});

const updateToLeased = statement(
  (
    { db, t: { outboundRecipients: recipients } },
    p: Params<{ messageId: string; n: number; until: Date; token: string }>,
  ) =>
    db
      .update(recipients)
      .set({ status: "sending", nextAttemptAt: p.until, leaseToken: p.token })
      .where(and(eq(recipients.messageId, p.messageId), eq(recipients.n, p.n)))
      .returning(),
);

const updateToSending = statement(({ db, t: { outboundMessages: messages } }, p: Params<{ messageId: string }>) =>
  db
    .update(messages)
    .set({ status: "sending" })
    .where(and(eq(messages.id, p.messageId), inArray(messages.status, ["queued", "deferred"]))),
);

function* leaseRecipient(
  s: Scope,
  lease: { messageId: string; n: number; until: Date; token: string },
): Verb<RecipientRow[]> {
  const rows = yield* updateToLeased(s, lease);
  yield* updateToSending(s, lease);
  return rows;
}

/** A constant, because a parameter would not match the partial index. */
function ready(s: Scope): SQL {
  return sql`${s.t.outboundRecipients.queue} = 'ready'`;
}

/** Still to be tried, or to be decided. */
function open(s: Scope): SQL {
  return sql`${s.t.outboundRecipients.queue} <> 'done'`;
}

/** The outcome of a try for one recipient. */
export type RecipientOutcome =
  /** The next host, or a mailbox of this server, has accepted it. */
  | {
      kind: "sent";
      method: Method;
      status: "sent" | "delivered";
      reply: string | null;
      /** The next host's id of the message, if its reply has one. */
      providerId?: string | null;
      /** The Message-ID, with brackets, by which it replaced ours. */
      sentAs?: string | null;
    }
  /** It failed temporarily and is tried again at `at`. */
  | { kind: "retry"; at: Date; reply: string | null; error: string | null }
  /** It failed permanently. `suppress`: the address does not exist, so the account must not write to it again. */
  | { kind: "failed"; reply: string | null; error: string | null; suppress: boolean }
  /** The try showed nothing about this recipient, so it does not count. It is due again at `at`. */
  | { kind: "released"; at: Date; error: string | null };

interface Finish {
  messageId: string;
  n: number;
  leaseToken: string;
  status: RecipientRow["status"];
  error: string | null;
  reply: string | null;
  method: Method | null;
  providerId: string | null;
  sentAs: string | null;
  at: Date;
  now: Date;
}

/** Whether no further try follows such an outcome. */
const isFinal = (kind: RecipientOutcome["kind"]) => kind === "sent" || kind === "failed";

const updateToFinished = statement((s, p: Params<Finish>, kind: RecipientOutcome["kind"]) => {
  const { outboundRecipients: recipients } = s.t;
  const isTried = kind !== "released";
  return s.db
    .update(recipients)
    .set({
      leaseToken: null,
      status: isFinal(kind) ? p.status : waitingStatus(s, isTried ? 1 : 0),
      error: p.error,
      ...(isTried ? { updatedAt: p.now, attempts: sql`${recipients.attempts} + 1`, smtpReply: p.reply } : {}),
      ...(isFinal(kind) ? { queue: "done" as const } : { nextAttemptAt: p.at }),
      ...(kind === "sent" ? { method: p.method, providerMessageId: p.providerId, sentAs: p.sentAs } : {}),
    })
    .where(and(eq(recipients.messageId, p.messageId), eq(recipients.n, p.n), eq(recipients.leaseToken, p.leaseToken)))
    .returning();
});

/**
 * Records the outcome of a try, with its event. Returns the new status of the message. Does nothing and returns null if
 * the lease has passed to another claimer, or the message is gone.
 */
export function* finishRecipient(
  s: Scope,
  recipient: Pick<RecipientRow, "messageId" | "n" | "leaseToken">,
  outcome: RecipientOutcome,
  now: Date,
): Verb<OutboundStatus | null> {
  const message = yield* lockMessage(s, recipient.messageId);
  if (!message) return null;
  const finish: Finish = {
    messageId: recipient.messageId,
    n: recipient.n,
    leaseToken: recipient.leaseToken ?? "",
    status: outcome.kind === "sent" ? outcome.status : "failed",
    error: "error" in outcome ? outcome.error : null,
    reply: "reply" in outcome ? outcome.reply : null,
    method: outcome.kind === "sent" ? outcome.method : null,
    providerId: (outcome.kind === "sent" && outcome.providerId) || null,
    sentAs: (outcome.kind === "sent" && outcome.sentAs) || null,
    at: "at" in outcome ? outcome.at : now,
    now,
  };
  const [row] = yield* updateToFinished(s, finish, outcome.kind);
  if (!row) return null;
  if (outcome.kind === "sent" && message.type !== "notice")
    yield* makeKnown(s, "left", { agentId: message.agentId, address: row.address, now });
  if (outcome.kind !== "released") yield* tellFate(s, message, row, now);
  if (outcome.kind === "failed" && outcome.suppress)
    yield* suppress(s, {
      userId: message.userId,
      address: row.address,
      reason: "bounce",
      detail: outcome.reply ?? outcome.error ?? "",
      messageId: message.id,
      now,
    });
  if (isFinal(outcome.kind) && message.type === "notice" && row.method !== "capture")
    yield* forgetContent(s, message.id);
  s.signal({ topic: "outcome", key: message.id });
  return yield* refreshStatus(s, message.id, message);
}

/**
 * Erases the text of the server's own mail once it is sent: its links sign in or decide held mail, and must not work
 * for someone with a copy of the database. Captured mail keeps its text, because it is read there.
 */
function* forgetContent(s: Scope, messageId: string): Verb<void> {
  const { outboundMessages, outboundRaw } = s.t;
  const mine = eq(outboundMessages.id, messageId);
  const [row] = yield* ask(s.db.select({ content: outboundMessages.content }).from(outboundMessages).where(mine));
  if (!row) return;
  const content = { ...row.content, text: "", html: null };
  yield* ask(s.db.update(outboundMessages).set({ content, snippet: "" }).where(mine));
  yield* ask(
    s.db
      .update(outboundRaw)
      .set({ bytes: Buffer.alloc(0) })
      .where(eq(outboundRaw.messageId, messageId)),
  );
}

/** A recipient that was tried before stays "deferred", even while its upstream is down. */
function waitingStatus(s: Scope, tries: 0 | 1): SQL {
  return sql`case when ${s.t.outboundRecipients.attempts} + ${sql.raw(`${tries}`)} > 0 then 'deferred' else 'queued' end`;
}

/** The columns of a message that a recipient's event needs. The content can be large and is not read. */
type MessageHead = Pick<
  OutboundRow,
  "id" | "userId" | "agentId" | "type" | "conversationId" | "emailMessageId" | "status"
>;

const selectLockedHead = statement(({ db, t: { outboundMessages }, locked }, p: Params<{ id: string }>) => {
  const { id, userId, agentId, type, conversationId, emailMessageId, status } = outboundMessages;
  const head = { id, userId, agentId, type, conversationId, emailMessageId, status };
  return locked(db.select(head).from(outboundMessages).where(eq(id, p.id)));
});

/** The message, locked, so that changes to its recipients happen one at a time. */
export function* lockMessage(s: Scope, id: string): Verb<MessageHead | null> {
  const [head] = yield* selectLockedHead(s, { id });
  return head ?? null;
}

type FateType = `message.${"sent" | "delivered" | "deferred" | "failed" | "bounced" | "complained"}`;

/**
 * Adds the event of a recipient's outcome: `message.sent`, `delivered`, `deferred`, `failed` or `bounced`. Mail to
 * reviewers has no events, because its links control the agent, which must not learn of them.
 */
export function* tellFate(
  s: Scope,
  message: MessageHead,
  recipient: RecipientRow,
  now: Date,
  type = `message.${recipient.status}` as FateType,
): Verb<void> {
  if (message.type === "notice") return;
  yield* addEvent(s, {
    userId: message.userId,
    agentId: message.agentId,
    type,
    data: {
      message_id: message.id,
      agent_id: message.agentId,
      conversation_id: message.conversationId,
      email_message_id: message.emailMessageId,
      recipient: recipient.address,
      status: recipient.status,
      method: recipient.method,
      smtp_reply: recipient.smtpReply,
      error: recipient.error,
      attempts: recipient.attempts,
    },
    now,
  });
}

/** These decisions remain the status of their message, whatever happens to its recipients. */
const decided: OutboundStatus[] = ["rejected", "expired_approved", "expired_rejected"];

const selectFates = statement(({ db, t: { outboundRecipients: recipients } }, p: Params<{ id: string }>) =>
  db.select({ status: recipients.status }).from(recipients).where(eq(recipients.messageId, p.id)),
);

const updateStatus = statement(
  ({ db, t: { outboundMessages: messages } }, p: Params<{ id: string; status: OutboundStatus }>) =>
    db
      .update(messages)
      .set({ status: p.status })
      .where(and(eq(messages.id, p.id), notInArray(messages.status, decided))),
);

/**
 * Updates the status of a message from its recipients' and returns it. `known`: the message, if the caller has read it.
 */
export function* refreshStatus(s: Scope, id: string, known?: Pick<OutboundRow, "status">): Verb<OutboundStatus> {
  const rows = yield* selectFates(s, { id });
  if (known && decided.includes(known.status)) return known.status;
  const status = statusOf(rows.map((row) => row.status));
  if (status !== known?.status) yield* updateStatus(s, { id, status });
  return status;
}

/**
 * Locks recipients in the order that all verbs use, so that no two deadlock. A verb that locks more goes from the top:
 * account, agents by address, messages by id, recipients. SQLite has one writer and needs no locks.
 */
export function* lockRecipients(s: Scope, which: SQL | undefined): Verb<void> {
  if (s.dialect === "sqlite") return;
  const { outboundRecipients: recipients } = s.t;
  const { messageId, n } = recipients;
  yield* ask(s.locked(s.db.select({ n }).from(recipients).where(which).orderBy(messageId, n)));
}

/**
 * Extends the leases of these tokens. Returns the number of recipients, without those that passed to another claimer.
 */
export function* renewLeases(s: Scope, leaseTokens: string[], until: Date): Verb<number> {
  const { outboundRecipients: recipients } = s.t;
  const tokens = [...new Set(leaseTokens)];
  if (tokens.length > 0) yield* lockRecipients(s, inArray(recipients.leaseToken, tokens));
  let renewed = 0;
  for (const token of tokens) {
    const rows = yield* ask(
      s.db
        .update(recipients)
        .set({ nextAttemptAt: until })
        .where(and(eq(recipients.leaseToken, token), eq(recipients.status, "sending")))
        .returning({ n: recipients.n }),
    );
    renewed += rows.length;
  }
  return renewed;
}

/** Extends one recipient's lease. Returns false if it has passed to another claimer. */
export function* renewLease(
  s: Scope,
  recipient: Pick<RecipientRow, "messageId" | "n" | "leaseToken">,
  until: Date,
): Verb<boolean> {
  const { outboundRecipients: recipients } = s.t;
  const rows = yield* ask(
    s.db
      .update(recipients)
      .set({ nextAttemptAt: until })
      .where(
        and(
          eq(recipients.messageId, recipient.messageId),
          eq(recipients.n, recipient.n),
          eq(recipients.leaseToken, recipient.leaseToken ?? ""),
          eq(recipients.status, "sending"),
        ),
      )
      .returning({ n: recipients.n }),
  );
  return rows.length > 0;
}

const selectNextDue = statement((s, p: Params<{ lane: string }>) => {
  const { lane, nextAttemptAt } = s.t.outboundRecipients;
  return s.db
    .select({ at: nextAttemptAt })
    .from(s.t.outboundRecipients)
    .where(and(ready(s), eq(lane, p.lane)))
    .orderBy(asc(nextAttemptAt))
    .limit(1);
});

/** When the next recipient of these lanes is due; null if none waits. */
export function* nextRecipientDue(s: Scope, lanes: string[]): Verb<Date | null> {
  const times: Date[] = [];
  for (const lane of lanes) times.push(...(yield* selectNextDue(s, { lane })).map(({ at }) => at));
  return earliest(times);
}

/**
 * Ends every lease. Call it only at start, before anything is claimed and while no other server has the database open:
 * the process that held them has ended. Mail that it had claimed may have been sent; it is sent again rather than lost.
 */
export function* releaseRecipientLeases(s: Scope, now: Date): Verb<number> {
  const { outboundRecipients: recipients } = s.t;
  const rows = yield* ask(
    s.db
      .update(recipients)
      .set({
        leaseToken: null,
        status: waitingStatus(s, 0),
        nextAttemptAt: now,
      })
      .where(and(open(s), isNotNull(recipients.leaseToken)))
      .returning({ messageId: recipients.messageId }),
  );
  for (const id of new Set(rows.map((row) => row.messageId))) yield* refreshStatus(s, id);
  return rows.length;
}

/** Moves mail from lanes that the configuration no longer has to the lane `fallback`. */
export function* adoptLanes(s: Scope, known: string[], fallback: string): Verb<number> {
  const { outboundRecipients: recipients } = s.t;
  const rows = yield* ask(
    s.db
      .update(recipients)
      .set({ lane: fallback })
      .where(and(open(s), notInArray(recipients.lane, known)))
      .returning({ n: recipients.n }),
  );
  return rows.length;
}

/** Freezes an agent's waiting mail. A try in progress is finished. */
export function* freezeOutbound(s: Scope, agentId: string): Verb<void> {
  const { outboundRecipients: recipients } = s.t;
  const waiting = and(eq(recipients.agentId, agentId), open(s), eq(recipients.queue, "ready"));
  yield* lockRecipients(s, waiting);
  yield* ask(s.db.update(recipients).set({ queue: "paused" }).where(waiting));
}

/** Releases the mail that `freezeOutbound` froze. Due times stay, so the oldest goes first and a retry is not early. */
export function* thawOutbound(s: Scope, agentId: string): Verb<void> {
  const { outboundRecipients: recipients } = s.t;
  const waiting = and(eq(recipients.agentId, agentId), open(s), eq(recipients.queue, "paused"));
  yield* lockRecipients(s, waiting);
  yield* ask(s.db.update(recipients).set({ queue: "ready" }).where(waiting));
  s.signal({ topic: "outbound", key: "" });
}

/** For readiness and metrics: how many recipients wait in each lane, and when the oldest overdue one was due. */
export function* outboundState(
  s: Scope,
  now: Date,
): Verb<{ waiting: { lane: string; count: number }[]; oldestDueAt: Date | null }> {
  const { outboundRecipients: recipients } = s.t;
  const waiting = yield* askRaw<{ lane: string; count: number }>(
    sql`select lane, count(*) as count from ${recipients} where ${ready(s)} group by lane order by lane`,
  );
  const lanes = waiting.map(({ lane, count }) => ({ lane, count: Number(count) }));
  const due = yield* nextRecipientDue(
    s,
    lanes.map(({ lane }) => lane),
  );
  return { waiting: lanes, oldestDueAt: due && due <= now ? due : null };
}
