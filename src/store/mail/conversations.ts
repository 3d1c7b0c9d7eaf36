import { and, asc, desc, eq, gt, inArray, lt, ne, or, sql } from "drizzle-orm";
import { ask, type Scope, type Verb } from "../engine/engine.ts";
import { type Outbound, withoutTexts, withRecipients } from "../outbound/outbound.ts";
import type { OutboundRow } from "../schema.ts";
import { type LabelledMessage, listMessages } from "./messages.ts";

/** Addresses shown per conversation; a busy list has thousands. */
const PARTICIPANTS_MAX = 50;

/**
 * A position in a list of conversations: how far the walk has come in the agent's inbound messages (`seq`) and in its
 * outbound ones (`id`); 0 and "" before it begins.
 */
export type ConversationsPosition = [seq: number, outboundId: string];
/** A position in a conversation: the last inbound message (`seq`) and outbound message (time in ms, `id`) passed. */
export type ConversationPosition = [seq: number, outboundMs: number, outboundId: string];

export interface Conversation {
  id: string;
  /** The subject of the first message. */
  subject: string;
  /** Authors, and recipients the agent wrote to, in alphabetical order; without the agent. */
  participants: string[];
  messageCount: number;
  unreadCount: number;
  last: {
    id: string;
    direction: "inbound" | "outbound";
    from: string;
    /** Whether the From domain is proven; the agent's own mail always is. */
    verified: boolean;
    snippet: string;
    createdAt: Date;
  };
  position: ConversationsPosition;
}

export type ConversationEntry = { position: ConversationPosition } & (
  | { direction: "inbound"; message: LabelledMessage }
  | { direction: "outbound"; outbound: Outbound }
);

interface Head {
  conversationId: string;
  last: Conversation["last"];
  position: ConversationsPosition;
}

/**
 * One page of an agent's conversations, newest activity first.
 *
 * Both tables are walked from their newest message; a message counts if it is the newest of its conversation. A page
 * therefore costs what the walk passes, however large the mailbox: about what it shows, and more only if a conversation
 * has thousands of messages.
 */
export function* listConversations(
  s: Scope,
  agentId: string,
  page: { after?: ConversationsPosition; limit: number },
): Verb<Conversation[]> {
  const heads = yield* headsOf(s, agentId, page);
  if (heads.length === 0) return [];
  const ids = heads.map((head) => head.conversationId);
  const inbound = yield* inboundFigures(s, agentId, ids);
  const outbound = yield* outboundFigures(s, agentId, ids);
  return heads.map(({ conversationId: id, last, position }): Conversation => {
    const [received, sent] = [inbound.get(id), outbound.get(id)];
    const first = [received?.first, sent?.first]
      .filter((one) => one !== undefined)
      .sort((a, b) => a.createdAt.getTime() - b.createdAt.getTime())[0];
    const others = new Set([...(received?.addresses ?? []), ...(sent?.addresses ?? [])]);
    for (const nobody of ["", agentId]) others.delete(nobody);
    return {
      id,
      subject: first?.subject ?? "",
      participants: [...others].sort().slice(0, PARTICIPANTS_MAX),
      messageCount: (received?.count ?? 0) + (sent?.count ?? 0),
      unreadCount: received?.unread ?? 0,
      last,
      position,
    };
  });
}

/** The newest message of each conversation, newest first, as many as the page needs. */
function* headsOf(
  s: Scope,
  agentId: string,
  { after: [afterSeq, afterId] = [0, ""], limit }: { after?: ConversationsPosition; limit: number },
): Verb<Head[]> {
  const { messages, outboundMessages: sent } = s.t;
  const inbound = yield* ask(
    s.db
      .select({
        id: messages.id,
        conversationId: messages.conversationId,
        seq: messages.seq,
        from: messages.fromAddress,
        verified: messages.verified,
        snippet: messages.snippet,
        createdAt: messages.createdAt,
      })
      .from(messages)
      .where(
        and(
          eq(messages.agentId, agentId),
          afterSeq > 0 ? lt(messages.seq, afterSeq) : undefined,
          // Scalar subqueries, not "not exists": Postgres would turn those into a join over the whole mailbox.
          sql`${messages.seq} = (select n.seq from messages n where n.agent_id = ${messages.agentId}
            and n.conversation_id = ${messages.conversationId} order by n.seq desc limit 1)`,
          sql`coalesce((select o.created_at from outbound_messages o where o.agent_id = ${messages.agentId}
            and o.conversation_id = ${messages.conversationId} order by o.created_at desc limit 1) <= ${messages.createdAt}, ${true})`,
        ),
      )
      .orderBy(desc(messages.seq))
      .limit(limit),
  );
  const outbound = yield* ask(
    s.db
      .select({
        id: sent.id,
        conversationId: sent.conversationId,
        snippet: sent.snippet,
        createdAt: sent.createdAt,
      })
      .from(sent)
      .where(
        and(
          eq(sent.agentId, agentId),
          // The server's own mail belongs to no conversation.
          ne(sent.type, "notice"),
          afterId !== "" ? lt(sent.id, afterId) : undefined,
          sql`${sent.id} = (select o.id from outbound_messages o where o.agent_id = ${sent.agentId}
            and o.conversation_id = ${sent.conversationId} order by o.created_at desc, o.id desc limit 1)`,
          // Of two at the same time the inbound one counts as newer, here as above.
          sql`coalesce((select n.created_at from messages n where n.agent_id = ${sent.agentId}
            and n.conversation_id = ${sent.conversationId} order by n.seq desc limit 1) < ${sent.createdAt}, ${true})`,
        ),
      )
      .orderBy(desc(sent.id))
      .limit(limit),
  );
  const position: ConversationsPosition = [afterSeq, afterId];
  return merged(inbound, outbound, "newest first", limit).map((row): Head => {
    if ("seq" in row) position[0] = row.seq;
    else position[1] = row.id;
    return {
      conversationId: row.conversationId,
      last: {
        id: row.id,
        direction: "seq" in row ? "inbound" : "outbound",
        from: "seq" in row ? row.from : agentId,
        verified: "seq" in row ? row.verified : true,
        snippet: row.snippet,
        createdAt: row.createdAt,
      },
      position: [...position],
    };
  });
}

/** The counts and dates of one side of a conversation. */
interface Figures {
  count: number;
  unread: number;
  addresses: string[];
  first?: { subject: string; createdAt: Date };
}

function* inboundFigures(s: Scope, agentId: string, ids: string[]): Verb<Map<string, Figures>> {
  const { messages } = s.t;
  const groups = yield* ask(
    s.db
      .select({
        conversationId: messages.conversationId,
        address: messages.fromAddress,
        count: sql<number>`count(*)`,
        unread: sql<number>`sum(case when ${messages.status} = 'unread' then 1 else 0 end)`,
        firstSeq: sql<number>`min(${messages.seq})`,
      })
      .from(messages)
      .where(and(eq(messages.agentId, agentId), inArray(messages.conversationId, ids)))
      .groupBy(messages.conversationId, messages.fromAddress),
  );
  const figures = new Map<string, Figures>();
  const firstSeqs = new Map<string, number>();
  for (const group of groups) {
    const one = figures.get(group.conversationId) ?? { count: 0, unread: 0, addresses: [] };
    figures.set(group.conversationId, one);
    one.count += Number(group.count);
    one.unread += Number(group.unread);
    one.addresses.push(group.address);
    const known = firstSeqs.get(group.conversationId) ?? Number.POSITIVE_INFINITY;
    firstSeqs.set(group.conversationId, Math.min(known, Number(group.firstSeq)));
  }
  if (figures.size === 0) return figures;
  const firsts = yield* ask(
    s.db
      .select({ id: messages.conversationId, subject: messages.subject, createdAt: messages.createdAt })
      .from(messages)
      .where(and(eq(messages.agentId, agentId), inArray(messages.seq, [...firstSeqs.values()]))),
  );
  for (const { id, ...first } of firsts) Object.assign(figures.get(id) as Figures, { first });
  return figures;
}

function* outboundFigures(s: Scope, agentId: string, ids: string[]): Verb<Map<string, Figures>> {
  const { outboundMessages: sent, outboundRecipients: recipients } = s.t;
  const mine = and(eq(sent.agentId, agentId), inArray(sent.conversationId, ids));
  const groups = yield* ask(
    s.db
      .select({ id: sent.conversationId, count: sql<number>`count(*)`, firstId: sql<string>`min(${sent.id})` })
      .from(sent)
      .where(mine)
      .groupBy(sent.conversationId),
  );
  const figures = new Map<string, Figures>();
  if (groups.length === 0) return figures;
  for (const { id, count } of groups) figures.set(id, { count: Number(count), unread: 0, addresses: [] });
  const firstIds = groups.map((group) => group.firstId);
  const firsts = yield* ask(
    s.db
      .select({ id: sent.conversationId, subject: sent.subject, createdAt: sent.createdAt })
      .from(sent)
      .where(inArray(sent.id, firstIds)),
  );
  for (const { id, ...first } of firsts) Object.assign(figures.get(id) as Figures, { first });
  const written = yield* ask(
    s.db
      .selectDistinct({ id: sent.conversationId, address: recipients.address })
      .from(sent)
      .innerJoin(recipients, eq(recipients.messageId, sent.id))
      .where(mine),
  );
  for (const { id, address } of written) figures.get(id)?.addresses.push(address);
  return figures;
}

/** One page of a conversation, both directions, oldest first; null if the agent has none of that id. */
export function* getConversation(
  s: Scope,
  agentId: string,
  id: string,
  page: { after?: ConversationPosition; limit: number },
): Verb<{ subject: string; entries: ConversationEntry[] } | null> {
  const { outboundMessages: sent } = s.t;
  const received = yield* listMessages(s, agentId, { conversationId: id }, { sort: "asc", limit: 1 });
  const [firstSent] = yield* ask(sentIn(s, agentId, id).limit(1));
  const first = merged(received, firstSent ? [firstSent] : [], "oldest first", 1)[0];
  if (!first) return null;

  const [afterSeq, afterMs, afterId] = page.after ?? [0, 0, ""];
  const after = { sort: "asc", limit: page.limit, ...(afterSeq > 0 ? { after: afterSeq } : {}) } as const;
  const inbound = received.length > 0 ? yield* listMessages(s, agentId, { conversationId: id }, after) : [];
  const passed = new Date(afterMs);
  const later =
    afterId === "" ? undefined : or(gt(sent.createdAt, passed), and(eq(sent.createdAt, passed), gt(sent.id, afterId)));
  const rows = firstSent ? (yield* ask(sentIn(s, agentId, id, later).limit(page.limit))).map(withoutTexts) : [];
  const shown = merged(inbound, rows, "oldest first", page.limit);
  const outbound = yield* withRecipients(
    s,
    shown.filter((row): row is OutboundRow => !("seq" in row)),
  );
  const byId = new Map(outbound.map((one) => [one.message.id, one]));
  const position: ConversationPosition = [afterSeq, afterMs, afterId];
  const entries = shown.map((row): ConversationEntry => {
    if ("seq" in row) {
      position[0] = row.seq;
      return { direction: "inbound", message: row, position: [...position] };
    }
    position[1] = row.createdAt.getTime();
    position[2] = row.id;
    return { direction: "outbound", outbound: byId.get(row.id) as Outbound, position: [...position] };
  });
  return { subject: first.subject, entries };
}

/** The agent's messages in a conversation, oldest first. */
function sentIn(s: Scope, agentId: string, id: string, more?: ReturnType<typeof and>) {
  const { outboundMessages: sent } = s.t;
  return s.db
    .select()
    .from(sent)
    .where(and(eq(sent.agentId, agentId), eq(sent.conversationId, id), ne(sent.type, "notice"), more))
    .orderBy(asc(sent.createdAt), asc(sent.id))
    .$dynamic();
}

/** Merges two ordered lists; of two at the same time the inbound one counts as newer. */
function merged<A extends { createdAt: Date }, B extends { createdAt: Date }>(
  inbound: A[],
  outbound: B[],
  order: "newest first" | "oldest first",
  limit: number,
): (A | B)[] {
  const all: (A | B)[] = [];
  for (let [i, o] = [0, 0]; all.length < limit; ) {
    const [one, other] = [inbound[i], outbound[o]];
    if (!one && !other) break;
    const inboundIsNewer = one && other && one.createdAt >= other.createdAt;
    const inboundIsNext = !other || (one && inboundIsNewer === (order === "newest first"));
    if (inboundIsNext) {
      all.push(one as A);
      i++;
    } else {
      all.push(other);
      o++;
    }
  }
  return all;
}
