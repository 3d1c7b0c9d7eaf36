import { and, eq, sql } from "drizzle-orm";
import { getAgent } from "../accounts/agents.ts";
import type { Scope, Verb } from "../engine/engine.ts";
import { type Params, statement } from "../engine/statement.ts";
import type { AgentRow, OutboundRow, RecipientRow } from "../schema.ts";

/** Everything that one try needs. */
export interface OutboundWork {
  message: OutboundRow;
  agent: AgentRow;
  raw: Buffer;
}

const selectWork = statement(({ db, t: { outboundMessages, outboundRaw } }, p: Params<{ messageId: string }>) =>
  db
    .select({ message: outboundMessages, raw: outboundRaw.bytes })
    .from(outboundMessages)
    .innerJoin(outboundRaw, eq(outboundRaw.messageId, outboundMessages.id))
    .where(eq(outboundMessages.id, p.messageId)),
);

/** What a try of this message needs; null if the message or its agent is gone. */
export function* outboundWork(s: Scope, messageId: string): Verb<OutboundWork | null> {
  const [found] = yield* selectWork(s, { messageId });
  const agent = found && (yield* getAgent(s, found.message.agentId));
  return found && agent ? { ...found, agent } : null;
}

const selectBytes = statement(({ db, t: { outboundRaw } }, p: Params<{ messageId: string }>) =>
  db
    .select({ bytes: sql<number>`octet_length(${outboundRaw.bytes})` })
    .from(outboundRaw)
    .where(eq(outboundRaw.messageId, p.messageId)),
);

/** The size of a message in bytes, without reading it; 0 if it is gone. */
export function* outboundSize(s: Scope, messageId: string): Verb<number> {
  const [row] = yield* selectBytes(s, { messageId });
  return Number(row?.bytes ?? 0);
}

const selectLeased = statement(
  (
    { db, t: { outboundMessages: messages, outboundRecipients: recipients } },
    p: Params<Pick<RecipientRow, "messageId" | "n" | "leaseToken">>,
  ) =>
    db
      .select({
        agentId: messages.agentId,
        status: messages.status,
        reviewedAt: messages.reviewedAt,
        contentHash: messages.contentHash,
      })
      .from(recipients)
      .innerJoin(messages, eq(messages.id, recipients.messageId))
      .where(
        and(
          eq(recipients.messageId, p.messageId),
          eq(recipients.n, p.n),
          eq(recipients.leaseToken, p.leaseToken),
          eq(recipients.queue, "ready"),
        ),
      ),
);

/** What may have changed about a message since a recipient of it was claimed. */
export interface LeasedState extends Pick<OutboundRow, "status" | "reviewedAt" | "contentHash"> {
  agent: AgentRow;
}

/**
 * The present state of a leased recipient's message. Null if the lease has ended, or if the recipient was paused or
 * deleted meanwhile.
 */
export function* leasedState(
  s: Scope,
  { messageId, n, leaseToken }: Pick<RecipientRow, "messageId" | "n" | "leaseToken">,
): Verb<LeasedState | null> {
  const [found] = yield* selectLeased(s, { messageId, n, leaseToken });
  const agent = found && (yield* getAgent(s, found.agentId));
  if (!found || !agent) return null;
  const { agentId: _, ...state } = found;
  return { ...state, agent };
}
