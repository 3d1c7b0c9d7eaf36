import { and, asc, desc, eq, gt, gte, inArray, lt, type SQL, sql } from "drizzle-orm";
import type { ReadStatus } from "../../mail.ts";
import { Failure } from "../../util/errors.ts";
import { ask, type Scope, type Verb } from "../engine/engine.ts";
import { type Params, statement } from "../engine/statement.ts";
import type { MailContent, MessageRow } from "../schema.ts";
import { type FrameRow, frameColumns } from "./received.ts";
import { matching } from "./search.ts";

export interface MessageFilter {
  status?: ReadStatus;
  q?: string;
  from?: string;
  conversationId?: string;
  label?: string;
  since?: Date;
  until?: Date;
}

/** Labels of a message, at most. */
export const LABELS_MAX = 100;

export type LabelledMessage = MessageRow & { labels: string[] };

const selectAccount = statement(({ db, t: { agents } }, p: Params<{ agentId: string }>) =>
  db.select({ userId: agents.userId }).from(agents).where(eq(agents.id, p.agentId)),
);

/**
 * One page of an agent's messages, in order of arrival. `after` is the `seq` of the previous page's last row; keyset,
 * never offset.
 */
export function* listMessages(
  s: Scope,
  agentId: string,
  filter: MessageFilter,
  page: { sort: "asc" | "desc"; after?: number; limit: number },
): Verb<LabelledMessage[]> {
  const { messages, messageLabels } = s.t;
  const [agent] = filter.q ? yield* selectAccount(s, { agentId }) : [];
  if (filter.q && !agent) return [];
  const conditions: (SQL | undefined)[] = [
    eq(messages.agentId, agentId),
    filter.status === "unread" ? sql`${messages.status} = 'unread'` : undefined,
    filter.status === "read" ? eq(messages.status, "read") : undefined,
    filter.from ? eq(messages.fromAddress, filter.from) : undefined,
    filter.conversationId ? eq(messages.conversationId, filter.conversationId) : undefined,
    filter.since ? gte(messages.createdAt, filter.since) : undefined,
    filter.until ? lt(messages.createdAt, filter.until) : undefined,
    filter.label
      ? inArray(
          messages.id,
          s.db.select({ id: messageLabels.messageId }).from(messageLabels).where(eq(messageLabels.label, filter.label)),
        )
      : undefined,
    filter.q && agent ? matching(s, { userId: agent.userId, agentId }, filter.q) : undefined,
    page.after === undefined
      ? undefined
      : page.sort === "asc"
        ? gt(messages.seq, page.after)
        : lt(messages.seq, page.after),
  ];
  const rows = yield* ask(
    s.db
      .select()
      .from(messages)
      .where(and(...conditions))
      .orderBy(page.sort === "asc" ? asc(messages.seq) : desc(messages.seq))
      .limit(page.limit),
  );
  return yield* withLabels(s, rows);
}

/** The longest subject in a notification: one line of RFC 5322 2.1.1. The message itself has the whole subject. */
const NEWS_SUBJECT_CHARS = 998;

const selectMessagesAfter = statement(
  ({ db, t: { messages } }, p: Params<{ agentId: string; after: number; limit: number }>, unreadOnly: boolean) =>
    db
      .select({
        ...frameColumns(messages),
        subject: sql<string>`substr(${messages.subject}, 1, ${sql.raw(`${NEWS_SUBJECT_CHARS}`)})`,
      })
      .from(messages)
      .where(
        and(
          eq(messages.agentId, p.agentId),
          gt(messages.seq, p.after),
          // A constant, because a parameter would not match the partial index.
          unreadOnly ? sql`${messages.status} = 'unread'` : undefined,
        ),
      )
      .orderBy(asc(messages.seq))
      .limit(p.limit),
);

/** An agent's messages after a position, oldest first, for the WebSocket hub. */
export function messagesAfter(
  s: Scope,
  agentId: string,
  after: number,
  { unreadOnly, limit }: { unreadOnly: boolean; limit: number },
): Verb<FrameRow[]> {
  return selectMessagesAfter(s, { agentId, after, limit }, unreadOnly);
}

export interface StoredMail {
  message: LabelledMessage;
  raw: Buffer;
  content: MailContent;
}

const selectMessage = statement(({ db, t: { messages, rawMail } }, p: Params<{ id: string; agentId: string }>) =>
  db
    .select({ message: messages, raw: rawMail.bytes, content: rawMail.content })
    .from(messages)
    .innerJoin(rawMail, eq(rawMail.sha256, messages.rawSha256))
    .where(and(eq(messages.id, p.id), eq(messages.agentId, p.agentId))),
);

const selectLabels = statement(({ db, t: { messageLabels } }, p: Params<{ id: string }>) =>
  db.select().from(messageLabels).where(eq(messageLabels.messageId, p.id)),
);

/** A message with its bytes and its parsed content; null if the agent has no message of that id. */
export function* getMessage(s: Scope, agentId: string, id: string): Verb<StoredMail | null> {
  const [row] = yield* selectMessage(s, { id, agentId });
  if (!row) return null;
  const labels = yield* selectLabels(s, { id });
  const message = { ...row.message, labels: labels.map(({ label }) => label).sort() };
  return { message, raw: row.raw, content: row.content };
}

/** Sets the read status; null if the agent has no such message. */
export function* setReadStatus(s: Scope, agentId: string, id: string, status: ReadStatus): Verb<MessageRow | null> {
  const { messages } = s.t;
  const rows = yield* ask(
    s.db
      .update(messages)
      .set({ status })
      .where(and(eq(messages.id, id), eq(messages.agentId, agentId)))
      .returning(),
  );
  return rows[0] ?? null;
}

/** Marks messages read, as far as they are unread messages of these agents. */
export function* markRead(s: Scope, read: readonly { agentId: string; messageIds: readonly string[] }[]): Verb<void> {
  const { messages } = s.t;
  const agentsOf = new Map<string, Set<string>>();
  for (const { agentId, messageIds } of read)
    for (const id of messageIds) agentsOf.set(id, (agentsOf.get(id) ?? new Set()).add(agentId));
  const ids = [...agentsOf.keys()];
  const rows = yield* ask(
    s.db
      .select({ id: messages.id, agentId: messages.agentId })
      .from(messages)
      .where(and(inArray(messages.id, ids), eq(messages.status, "unread"))),
  );
  const found = rows.filter(({ id, agentId }) => agentsOf.get(id)?.has(agentId)).map(({ id }) => id);
  if (found.length > 0) yield* ask(s.db.update(messages).set({ status: "read" }).where(inArray(messages.id, found)));
}

/**
 * Changes status and labels in one step; null if the agent has no such message. Failure `invalid_request` if labels are
 * added and the message then has more than 100.
 */
export function* updateMessage(
  s: Scope,
  agentId: string,
  id: string,
  changes: { status?: ReadStatus; addLabels: string[]; removeLabels: string[] },
): Verb<LabelledMessage | null> {
  const { messages, messageLabels } = s.t;
  const found = changes.status
    ? yield* setReadStatus(s, agentId, id, changes.status)
    : // Locked, so that changes at the same time count the labels one after the other.
      (yield* ask(
        s.locked(
          s.db
            .select()
            .from(messages)
            .where(and(eq(messages.id, id), eq(messages.agentId, agentId))),
        ),
      ))[0];
  if (!found) return null;
  if (changes.removeLabels.length > 0)
    yield* ask(
      s.db
        .delete(messageLabels)
        .where(and(eq(messageLabels.messageId, id), inArray(messageLabels.label, changes.removeLabels))),
    );
  if (changes.addLabels.length > 0) {
    const added = yield* ask(
      s.db
        .insert(messageLabels)
        .values(changes.addLabels.map((label) => ({ messageId: id, label })))
        .onConflictDoNothing()
        .returning({ label: messageLabels.label }),
    );
    // Messages of earlier versions may have more. Such a message takes no further one, but can lose some.
    if (added.length > 0) yield* requireFewLabels(s, id);
  }
  return (yield* withLabels(s, [found]))[0] ?? null;
}

const countLabels = statement(({ db, t: { messageLabels } }, p: Params<{ id: string }>) =>
  db.select({ n: sql<number>`count(*)` }).from(messageLabels).where(eq(messageLabels.messageId, p.id)),
);

/** Lists show all labels of each message. */
function* requireFewLabels(s: Scope, id: string): Verb<void> {
  const [row] = yield* countLabels(s, { id });
  if (Number(row?.n) <= LABELS_MAX) return;
  throw new Failure("invalid_request", `A message has at most ${LABELS_MAX} labels.`, {
    errors: [{ field: "add_labels", message: `would give the message more than ${LABELS_MAX} labels` }],
    fix: "Take off labels that are no longer needed, by remove_labels in this request or before it.",
  });
}

/** Deletes a message, and its bytes if no other message refers to them. */
export function* deleteMessage(s: Scope, agentId: string, id: string): Verb<boolean> {
  const { messages } = s.t;
  const gone = yield* ask(
    s.db
      .delete(messages)
      .where(and(eq(messages.id, id), eq(messages.agentId, agentId)))
      .returning({ raw: messages.rawSha256 }),
  );
  yield* dropOrphanedRaw(
    s,
    gone.map((row) => row.raw),
  );
  return gone.length > 0;
}

/** Deletes all messages of an agent, which receives no more until the transaction ends. */
export function* dropMessagesOf(s: Scope, agentId: string): Verb<void> {
  const { messages, agents } = s.t;
  yield* ask(s.locked(s.db.select({ id: agents.id }).from(agents).where(eq(agents.id, agentId))));
  yield* dropMessages(s, eq(messages.agentId, agentId));
}

/** Deletes up to `limit` of an agent's messages; returns how many were deleted. */
export function* dropSomeMessagesOf(s: Scope, agentId: string, limit: number): Verb<number> {
  const { messages, agents } = s.t;
  yield* ask(s.locked(s.db.select({ id: agents.id }).from(agents).where(eq(agents.id, agentId))));
  const some = s.db.select({ id: messages.id }).from(messages).where(eq(messages.agentId, agentId)).limit(limit);
  return yield* dropMessages(s, inArray(messages.id, some));
}

/** Deletes up to `limit` messages older than `before`; returns how many were deleted. */
export function* sweepMessages(s: Scope, before: Date, limit: number): Verb<number> {
  const { messages } = s.t;
  const old = s.db.select({ id: messages.id }).from(messages).where(lt(messages.createdAt, before)).limit(limit);
  return yield* dropMessages(s, inArray(messages.id, old));
}

/** Deletes messages, and their bytes if no other message refers to them. Returns how many were deleted. */
function* dropMessages(s: Scope, which: SQL): Verb<number> {
  const { messages } = s.t;
  const gone = yield* ask(s.db.delete(messages).where(which).returning({ raw: messages.rawSha256 }));
  yield* dropOrphanedRaw(
    s,
    gone.map((row) => row.raw),
  );
  return gone.length;
}

/** Deletes those of the raw mails that no message refers to any more. */
export function* dropOrphanedRaw(s: Scope, hashes: string[]): Verb<void> {
  const { rawMail, messages } = s.t;
  const unique = [...new Set(hashes)];
  // Both databases bound the number of parameters in one statement.
  for (let i = 0; i < unique.length; i += 500) {
    const some = inArray(rawMail.sha256, unique.slice(i, i + 500));
    // Locked first: another transaction that deletes a message of these bytes ends before the next statement looks.
    yield* ask(s.locked(s.db.select({ sha256: rawMail.sha256 }).from(rawMail).where(some).orderBy(rawMail.sha256)));
    yield* ask(
      s.db
        .delete(rawMail)
        .where(and(some, sql`not exists (select 1 from ${messages} where ${messages.rawSha256} = ${rawMail.sha256})`)),
    );
  }
}

/** Messages with their labels, in the order given. */
export function* withLabels(s: Scope, rows: MessageRow[]): Verb<LabelledMessage[]> {
  if (rows.length === 0) return [];
  const { messageLabels } = s.t;
  const labels = yield* ask(
    s.db
      .select()
      .from(messageLabels)
      .where(
        inArray(
          messageLabels.messageId,
          rows.map((row) => row.id),
        ),
      ),
  );
  const byMessage = Map.groupBy(labels, (row) => row.messageId);
  // Sorted here, because the two databases collate text differently.
  const labelsOf = (id: string) => (byMessage.get(id) ?? []).map((row) => row.label).sort();
  return rows.map((row) => ({ ...row, labels: labelsOf(row.id) }));
}

/** How many messages an agent has, and how many are unread. */
export function* countMessages(s: Scope, agentId: string): Verb<{ total: number; unread: number }> {
  const { messages } = s.t;
  const mine = eq(messages.agentId, agentId);
  // Two queries, because an index alone answers each of them.
  const total = yield* ask(s.db.select({ n: sql<number>`count(*)` }).from(messages).where(mine));
  const unread = yield* ask(
    s.db
      .select({ n: sql<number>`count(*)` })
      .from(messages)
      .where(and(mine, sql`${messages.status} = 'unread'`)),
  );
  return { total: Number(total[0]?.n), unread: Number(unread[0]?.n) };
}
