import { and, desc, eq, lt } from "drizzle-orm";
import { newId } from "../../util/id.ts";
import { ask, type Scope, type Verb } from "../engine/engine.ts";
import type { AuditAction, AuditRow, DecisionChannel, OutboundRow } from "../schema.ts";

/** Records a decision on a message in its present state. */
export function* addAudit(
  s: Scope,
  message: Pick<OutboundRow, "id" | "userId" | "agentId" | "contentHash">,
  entry: {
    action: AuditAction;
    by: string;
    how: DecisionChannel;
    ip: string | null;
    detail: Record<string, unknown> | null;
    now: Date;
  },
): Verb<void> {
  const { by, now, ...rest } = entry;
  const { userId, agentId, id: messageId, contentHash } = message;
  yield* ask(
    s.db
      .insert(s.t.audit)
      .values({ id: newId("aud"), userId, agentId, messageId, contentHash, decidedBy: by, createdAt: now, ...rest }),
  );
}

/** The newest entry about a decided message; null if there is none. */
export function* decisionAbout(s: Scope, message: Pick<OutboundRow, "id" | "userId">): Verb<AuditRow | null> {
  const { audit } = s.t;
  const [row] = yield* ask(
    s.db
      .select()
      .from(audit)
      .where(and(eq(audit.userId, message.userId), eq(audit.messageId, message.id)))
      .orderBy(desc(audit.id))
      .limit(1),
  );
  return row ?? null;
}

/** One page of an account's audit list, newest first. */
export function* listAudit(s: Scope, userId: string, page: { after?: string; limit: number }): Verb<AuditRow[]> {
  const { audit } = s.t;
  return yield* ask(
    s.db
      .select()
      .from(audit)
      .where(and(eq(audit.userId, userId), page.after ? lt(audit.id, page.after) : undefined))
      .orderBy(desc(audit.id))
      .limit(page.limit),
  );
}
