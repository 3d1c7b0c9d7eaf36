import { and, eq, gt, sql } from "drizzle-orm";
import { ask, type Scope, type Verb } from "../engine/engine.ts";
import { type Params, statement } from "../engine/statement.ts";
import type { Hold } from "../schema.ts";
import type { SendLimits } from "./send-limits.ts";

const MINUTE_MS = 60_000;

/**
 * The keys that a message counts for in the loop breaker: its conversation, unless it begins one, and each recipient.
 */
export function loopKeys(conversationId: string | null, recipients: { address: string }[]): string[] {
  const addresses = new Set(recipients.map(({ address }) => `address ${address}`));
  return [...(conversationId ? [`conversation ${conversationId}`] : []), ...addresses];
}

function partsOf(key: string): { kind: string; name: string } {
  const space = key.indexOf(" ");
  return { kind: key.slice(0, space), name: key.slice(space + 1) };
}

/**
 * Holds a message that looks like one more turn of a loop: one of its `keys` has reached its limit within the window,
 * or is stopped already. `first`: this message stops the loop. Null if it can continue.
 */
export function* holdLoop(
  s: Scope,
  agentId: string,
  keys: string[],
  limits: SendLimits,
  now: Date,
): Verb<{ key: string; hold: Hold; first: boolean } | null> {
  const { loopMessages, loopWindowMs } = limits;
  if (loopMessages === 0) return null;
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
    const minutes = Math.round(loopWindowMs / MINUTE_MS);
    const reason = `It looks like a loop: more than ${loopMessages} messages ${where} within ${minutes} minutes.`;
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

const selectSent = statement(
  (
    { db, t: { outboundMessages, outboundRecipients } },
    p: Params<{ agentId: string; name: string; after: Date; share: number }>,
    kind: string,
  ) => {
    const [table, column] =
      kind === "conversation"
        ? ([outboundMessages, outboundMessages.conversationId] as const)
        : ([outboundRecipients, outboundRecipients.address] as const);
    return db
      .select({ at: table.createdAt })
      .from(table)
      .where(and(eq(table.agentId, p.agentId), eq(column, p.name), gt(table.createdAt, p.after)))
      .limit(p.share);
  },
);

/** Whether an agent has sent `share` messages since a time, in a conversation or to an address. */
function* hadItsShare(s: Scope, agentId: string, key: string, after: Date, share: number): Verb<boolean> {
  const { kind, name } = partsOf(key);
  return (yield* selectSent(s, { agentId, name, after, share }, kind)).length >= share;
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
