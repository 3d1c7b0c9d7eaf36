import { eq, sql } from "drizzle-orm";
import { getAgent } from "../accounts/agents.ts";
import { ask, type Scope, type Verb } from "../engine/engine.ts";
import type { AgentRow, OutboundRow } from "../schema.ts";

/** All that one try needs. */
export interface OutboundWork {
  message: OutboundRow;
  agent: AgentRow;
  raw: Buffer;
}

/** What a try of this message needs; null when the message or its agent is gone. */
export function* outboundWork(s: Scope, messageId: string): Verb<OutboundWork | null> {
  const { outboundMessages, outboundRaw } = s.t;
  const rows = yield* ask(
    s.prepared(
      "outboundWork",
      () =>
        s.db
          .select({ message: outboundMessages, raw: outboundRaw.bytes })
          .from(outboundMessages)
          .innerJoin(outboundRaw, eq(outboundRaw.messageId, outboundMessages.id))
          .where(eq(outboundMessages.id, sql.placeholder("messageId"))),
      { messageId },
    ),
  );
  const agent = rows[0] && (yield* getAgent(s, rows[0].message.agentId));
  return rows[0] && agent ? { ...rows[0], agent } : null;
}
