import { and, eq, inArray, min, sql } from "drizzle-orm";
import { ask, type Scope, type Verb } from "../engine/engine.ts";
import { isUnguessable, providerKeys } from "../outbound/provider-keys.ts";

/**
 * Message-IDs looked up for one message: the first half and the last half of more. Each takes some 100 µs of the writer.
 * Mail programs keep a few dozen (RFC 5537 3.4.4), while a header of 1 MiB holds 100,000.
 */
const IDS_MAX = 200;

/** The conversation that these Message-IDs belong to; null if none is known. As `conversationsOf`. */
export function* conversationOf(
  s: Scope,
  agentId: string,
  references: string[],
  answer?: AnswerFacts,
): Verb<string | null> {
  const [first] = yield* conversationsOf(s, agentId, references, answer);
  return first ?? null;
}

/** What else a received message says of itself. */
export interface AnswerFacts {
  /** Its From address, lower-cased. */
  from: string;
  /** The Message-ID of its In-Reply-To. */
  parent: string | null;
}

/**
 * The conversations of all messages that these Message-IDs name, each once. First those of the agent's own mail, then
 * those of received mail, each in the order of the ids: the oldest known message comes first. Before all others comes
 * the agent's own message that `answer` answers, because the agent may have sent that in another conversation.
 *
 * A sender can reuse the Message-ID of another mail, so that replies to it are filed in the sender's conversation.
 * Therefore an id of the agent's own mail never stands for received mail, and any other id stands for the first mail
 * that had it. A sender who guesses an id can be the first to use it. The agent's own ids cannot be guessed, so they
 * come before all others.
 *
 * The ids that upstreams give to the agent's mail are among its own. Those that could be guessed count only in mail from
 * the recipient they were given for, so a stranger who guesses one, and writes in that recipient's name, reaches only a
 * conversation with that recipient.
 */
export function* conversationsOf(
  s: Scope,
  agentId: string,
  references: string[],
  answer?: AnswerFacts,
): Verb<string[]> {
  const ids = [...new Set(references)];
  const wanted = ids.length > IDS_MAX ? [...ids.slice(0, IDS_MAX / 2), ...ids.slice(-IDS_MAX / 2)] : ids;
  if (wanted.length === 0) return [];
  const own = yield* ownAmong(s, agentId, wanted, answer);
  const received = new Map<string, string>();
  const others = wanted.filter((id) => !own.has(id));
  const firsts = others.length === 0 ? [] : yield* selectFirsts(s, { agentId, ids: others });
  const seqs = firsts.flatMap(({ seq }) => seq ?? []);
  if (seqs.length > 0)
    for (const row of yield* selectReceived(s, { agentId, seqs }))
      received.set(row.emailMessageId ?? "", row.conversationId);
  const parent = answer?.parent ?? "";
  const found = new Set([parent, ...wanted].flatMap((id) => own.get(id) ?? []));
  for (const id of others) {
    const conversation = received.get(id);
    if (conversation !== undefined) found.add(conversation);
  }
  // The server's own mail has no conversation. If a reviewer forwards it to the agent, it begins one.
  found.delete("");
  return [...found];
}

/**
 * Those of the Message-IDs that the agent's own mail has, by e2a or by an upstream, with its conversations. As
 * `conversationsOf`.
 */
export function* ownAmong(s: Scope, agentId: string, ids: string[], answer?: AnswerFacts): Verb<Map<string, string>> {
  const own = yield* renamedIn(s, agentId, ids, answer);
  for (const row of yield* selectOwn(s, { agentId, ids })) own.set(row.emailMessageId, row.conversationId);
  return own;
}

function selectOwn(s: Scope, { agentId, ids }: { agentId: string; ids: string[] }) {
  const { emailMessageId, conversationId, agentId: owner } = s.t.outboundMessages;
  return ask(
    s.db
      .select({ emailMessageId, conversationId })
      .from(s.t.outboundMessages)
      .where(and(eq(owner, agentId), inArray(emailMessageId, ids))),
  );
}

function selectFirsts(s: Scope, { agentId, ids }: { agentId: string; ids: string[] }) {
  const { messages } = s.t;
  return ask(
    s.db
      .select({ seq: min(messages.seq) })
      .from(messages)
      .where(and(eq(messages.agentId, agentId), inArray(messages.emailMessageId, ids)))
      .groupBy(messages.emailMessageId),
  );
}

function selectReceived(s: Scope, { agentId, seqs }: { agentId: string; seqs: number[] }) {
  const { messages } = s.t;
  return ask(
    s.db
      .select({ emailMessageId: messages.emailMessageId, conversationId: messages.conversationId })
      .from(messages)
      .where(and(eq(messages.agentId, agentId), inArray(messages.seq, seqs))),
  );
}

/** Those of the ids that upstreams gave to the agent's mail, with its conversations. */
function* renamedIn(
  s: Scope,
  agentId: string,
  ids: readonly string[],
  answer: AnswerFacts | undefined,
): Verb<Map<string, string>> {
  const { outboundMessages: messages, outboundRecipients: recipients } = s.t;
  const keys = new Map<string, { id: string; isSafe: boolean }>();
  for (const id of ids) for (const key of providerKeys(id)) keys.set(key, { id, isSafe: isUnguessable(key) });
  const found = new Map<string, string>();
  if (keys.size === 0) return found;
  const rows = yield* ask(
    s.db
      .select({
        key: recipients.providerMessageId,
        address: recipients.address,
        conversationId: messages.conversationId,
      })
      .from(recipients)
      .innerJoin(messages, eq(messages.id, recipients.messageId))
      .where(and(eq(recipients.agentId, agentId), inArray(recipients.providerMessageId, [...keys.keys()])))
      // By an expression: with the bare column, SQLite may walk all of the agent's mail to avoid a sort.
      .orderBy(sql`${messages.id} || ''`),
  );
  for (const { key, address, conversationId } of rows) {
    const known = keys.get(key ?? "");
    if (known && (known.isSafe || answer === undefined || answer.from === address)) found.set(known.id, conversationId);
  }
  return found;
}
