import { and, desc, eq, gt, sql } from "drizzle-orm";
import { ask, type Scope, type Verb } from "../engine/engine.ts";
import { type Params, statement } from "../engine/statement.ts";
import { ownAmong } from "../mail/references.ts";
import type { Hold } from "../schema.ts";
import type { SendLimits } from "./send-limits.ts";

const MINUTE_MS = 60_000;

/** The keys under which the loop breaker counts a message: its conversation, unless it begins one, and each recipient. */
export function loopKeys(conversationId: string | null, recipients: { address: string }[]): string[] {
  const addresses = new Set(recipients.map(({ address }) => addressKey(address)));
  return [...(conversationId ? [conversationKey(conversationId)] : []), ...addresses];
}

export const conversationKey = (id: string) => `conversation ${id}`;
export const addressKey = (address: string) => `address ${address}`;

function partsOf(key: string): { kind: string; name: string } {
  const space = key.indexOf(" ");
  return { kind: key.slice(0, space), name: key.slice(space + 1) };
}

/**
 * Returns those of the keys for which a new message is an answer, and so may be a turn of a loop. A reply to a message
 * that is not the agent's own, under either of its ids, is one for all of its keys; any other message is one where mail
 * has come in since the agent's last: in the conversation; from the address, if that is proven; or in the conversation
 * of the last message to the address, because a list or a help desk answers from another, and only who has the agent's
 * mail can answer there. An agent that writes unasked makes no loop, however often.
 */
export function* answeredKeys(
  s: Scope,
  agentId: string,
  keys: string[],
  inReplyTo: string | null,
): Verb<ReadonlySet<string>> {
  // Without a limit there are no keys.
  if (keys.length > 0 && inReplyTo !== null && (yield* ownAmong(s, agentId, [inReplyTo])).size === 0)
    return new Set(keys);
  const answered = new Set<string>();
  for (const key of keys) if (yield* hasBeenAnswered(s, agentId, key)) answered.add(key);
  return answered;
}

const selectLastSentIn = statement(
  ({ db, t: { outboundMessages: messages } }, p: Params<{ agentId: string; conversationId: string }>) =>
    db
      .select({ at: messages.createdAt })
      .from(messages)
      .where(and(eq(messages.agentId, p.agentId), eq(messages.conversationId, p.conversationId)))
      .orderBy(desc(messages.createdAt))
      .limit(1),
);

const selectLastSentTo = statement(
  (
    { db, t: { outboundMessages: messages, outboundRecipients: recipients } },
    p: Params<{ agentId: string; address: string }>,
  ) =>
    db
      .select({ at: recipients.createdAt, conversationId: messages.conversationId })
      .from(recipients)
      .innerJoin(messages, eq(messages.id, recipients.messageId))
      .where(and(eq(recipients.agentId, p.agentId), eq(recipients.address, p.address)))
      .orderBy(desc(recipients.createdAt))
      .limit(1),
);

const selectLastInConversation = statement(
  ({ db, t: { messages } }, p: Params<{ agentId: string; conversationId: string }>) =>
    db
      .select({ at: messages.createdAt })
      .from(messages)
      .where(and(eq(messages.agentId, p.agentId), eq(messages.conversationId, p.conversationId)))
      .orderBy(desc(messages.seq))
      .limit(1),
);

/** Mails that claim an address among which a proven one is looked for, so that a flood of forged ones costs little. */
const CLAIMS_MAX = 1_000;

const selectLastProven = statement(({ db, t: { messages } }, p: Params<{ agentId: string; address: string }>) => {
  const claims = db
    .select({ at: messages.createdAt, verified: messages.verified })
    .from(messages)
    .where(and(eq(messages.agentId, p.agentId), eq(messages.fromAddress, p.address)))
    .orderBy(desc(messages.createdAt))
    .limit(CLAIMS_MAX)
    .as("claims");
  return db.select({ at: claims.at }).from(claims).where(eq(claims.verified, true)).orderBy(desc(claims.at)).limit(1);
});

/** Whether mail of this key has come in after the last that the agent sent. */
function* hasBeenAnswered(s: Scope, agentId: string, key: string): Verb<boolean> {
  const { kind, name } = partsOf(key);
  const inConversation = (conversationId: string) => selectLastInConversation(s, { agentId, conversationId });
  if (kind === "conversation") {
    const [received] = yield* inConversation(name);
    const [sent] = received ? yield* selectLastSentIn(s, { agentId, conversationId: name }) : [];
    return received !== undefined && (!sent || received.at > sent.at);
  }
  const [from] = yield* selectLastProven(s, { agentId, address: name });
  const [sent] = yield* selectLastSentTo(s, { agentId, address: name });
  if (!sent) return from !== undefined;
  if (from && from.at > sent.at) return true;
  const [about] = yield* inConversation(sent.conversationId);
  return about !== undefined && about.at > sent.at;
}

/**
 * Holds a message that looks like one more turn of a loop: one of its `keys`, for which it is an answer, has reached its
 * limit within the window, or is stopped already. `first`: this message stops the loop. Null if it can continue.
 */
export function* holdLoop(
  s: Scope,
  agentId: string,
  keys: Iterable<string>,
  limits: SendLimits,
  now: Date,
): Verb<{ key: string; hold: Hold; first: boolean } | null> {
  const { loopMessages, loopWindowMs } = limits;
  const since = new Date(now.getTime() - loopWindowMs);
  for (const key of keys) {
    const stopped = yield* isStopped(s, agentId, key);
    if (!stopped) {
      if (!(yield* hadItsShare(s, agentId, key, since, loopMessages))) continue;
      const released = yield* releasedAt(s, agentId, key);
      if (released && released > since && !(yield* hadItsShare(s, agentId, key, released, loopMessages))) continue;
    }
    const { kind, name } = partsOf(key);
    const where = kind === "conversation" ? "in this conversation" : `to ${name}`;
    const answers = loopMessages === 1 ? "1 answer" : `${loopMessages} answers`;
    const minutes = Math.round(loopWindowMs / MINUTE_MS);
    const reason = `It looks like a loop: more than ${answers} ${where} within ${minutes} minutes.`;
    return { key, hold: { rule: "loop", reason }, first: !stopped };
  }
  return null;
}

const selectStopped = statement(
  ({ db, t: { outboundMessages: messages } }, p: Params<{ agentId: string; key: string }>) =>
    db
      .select({ id: messages.id })
      .from(messages)
      .where(
        and(
          eq(messages.agentId, p.agentId),
          eq(messages.loopKey, p.key),
          // A constant, because a parameter would not match the partial index.
          sql`${messages.status} = 'pending_approval'`,
        ),
      )
      .limit(1),
);

function* isStopped(s: Scope, agentId: string, key: string): Verb<boolean> {
  return (yield* selectStopped(s, { agentId, key })).length > 0;
}

/** The table and the column by which a kind of key is counted. */
function countedIn({ outboundMessages, outboundRecipients }: Scope["t"], kind: string) {
  return kind === "conversation"
    ? ({ table: outboundMessages, column: outboundMessages.conversationId } as const)
    : ({ table: outboundRecipients, column: outboundRecipients.address } as const);
}

const selectAnswers = statement(
  ({ db, t }, p: Params<{ agentId: string; name: string; after: Date; share: number }>, kind: string) => {
    const { table, column } = countedIn(t, kind);
    return db
      .select({ at: table.createdAt })
      .from(table)
      .where(
        and(eq(table.agentId, p.agentId), eq(column, p.name), gt(table.createdAt, p.after), eq(table.isAnswer, true)),
      )
      .limit(p.share);
  },
);

/** Whether an agent has sent `share` answers since a time, in a conversation or to an address. */
function* hadItsShare(s: Scope, agentId: string, key: string, after: Date, share: number): Verb<boolean> {
  const { kind, name } = partsOf(key);
  return (yield* selectAnswers(s, { agentId, name, after, share }, kind)).length >= share;
}

function* releasedAt(s: Scope, agentId: string, key: string): Verb<Date | null> {
  const { loopReleases } = s.t;
  const rows = yield* ask(
    s.db
      .select({ at: loopReleases.releasedAt })
      .from(loopReleases)
      .where(and(eq(loopReleases.agentId, agentId), eq(loopReleases.loopKey, key))),
  );
  return rows[0]?.at ?? null;
}
