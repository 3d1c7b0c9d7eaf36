import { and, asc, desc, eq, gte, inArray, lt, type SQL, sql } from "drizzle-orm";
import { ask, type Scope, type Verb } from "../engine/engine.ts";
import { type LabelledMessage, type MessageFilter, withLabels } from "./messages.ts";
import { matching } from "./search.ts";

/** Where a page of an inbox ended. */
export interface InboxCursor {
  createdAt: Date;
  id: string;
}

export type InboxFilter = Omit<MessageFilter, "conversationId">;

/** One page of everything received in an account's mailboxes, by time; keyset, never offset. */
export function* listInbox(
  s: Scope,
  userId: string,
  filter: InboxFilter,
  page: { sort: "asc" | "desc"; after?: InboxCursor; limit: number },
): Verb<LabelledMessage[]> {
  const { messages, messageLabels } = s.t;
  const { createdAt, id } = messages;
  const inOrder = page.sort === "asc" ? asc : desc;
  const conditions: (SQL | undefined)[] = [
    eq(messages.userId, userId),
    filter.status === "unread" ? sql`${messages.status} = 'unread'` : undefined,
    filter.status === "read" ? eq(messages.status, "read") : undefined,
    filter.from ? eq(messages.fromAddress, filter.from) : undefined,
    filter.since ? gte(createdAt, filter.since) : undefined,
    filter.until ? lt(createdAt, filter.until) : undefined,
    filter.label
      ? inArray(
          id,
          s.db.select({ id: messageLabels.messageId }).from(messageLabels).where(eq(messageLabels.label, filter.label)),
        )
      : undefined,
    filter.q ? matching(s, { userId, agentId: null }, filter.q) : undefined,
    page.after ? beyond(s, page.sort, page.after) : undefined,
  ];
  const rows = yield* ask(
    s.db
      .select()
      .from(messages)
      .where(and(...conditions))
      .orderBy(inOrder(createdAt), inOrder(id))
      .limit(page.limit),
  );
  return yield* withLabels(s, rows);
}

/** Rows after the cursor, in a single comparison: with two, SQLite would scan from the beginning. */
function beyond(s: Scope, sort: "asc" | "desc", after: InboxCursor): SQL {
  const { createdAt, id } = s.t.messages;
  const sign = sql.raw(sort === "asc" ? ">" : "<");
  return sql`(${createdAt}, ${id}) ${sign} (${sql.param(after.createdAt, createdAt)}, ${after.id})`;
}
