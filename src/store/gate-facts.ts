import { and, desc, eq, inArray, isNotNull, or } from "drizzle-orm";
import { strangersAmong } from "./correspondents.ts";
import { ask, type Scope, type Verb } from "./engine.ts";
import { isUnproven } from "./unproven.ts";

/** What the gate wants to know of a message that is not stored yet. */
export interface GateFacts {
  /** Recipients to whom nothing has gone, and from whom nothing proven has come. */
  firstTime: string[];
  /** Whether mail whose sender is not proven came in the conversation or from a recipient. */
  unverified: boolean;
  /** Texts of the conversation that came in or really left, the newest first; empty unless asked for. */
  texts: { subject: string; text: string; html: string | null }[];
}

/** Messages of a conversation whose links count as seen. */
const TEXTS_MAX = 50;

export function* gateFacts(
  s: Scope,
  input: { agentId: string; conversationId: string | null; addresses: string[]; withTexts: boolean },
): Verb<GateFacts> {
  const { agentId, conversationId } = input;
  const { messages, rawMail, outboundMessages: sent } = s.t;
  const firstTime = yield* strangersAmong(s, agentId, input.addresses);
  const unverified = yield* isUnproven(s, agentId, conversationId, input.addresses);
  if (conversationId === null) return { firstTime, unverified, texts: [] };
  const mine = and(eq(messages.agentId, agentId), eq(messages.conversationId, conversationId));
  const texts: GateFacts["texts"] = [];
  if (input.withTexts) {
    const received = yield* ask(
      s.db
        .select({ subject: messages.subject, content: rawMail.content })
        .from(messages)
        .innerJoin(rawMail, eq(rawMail.sha256, messages.rawSha256))
        .where(mine)
        .orderBy(desc(messages.seq))
        .limit(TEXTS_MAX),
    );
    // What is held or queued has been seen by nobody; what a person approved has been seen by that person.
    const left = yield* ask(
      s.db
        .select({ subject: sent.subject, content: sent.content })
        .from(sent)
        .where(
          and(
            eq(sent.agentId, agentId),
            eq(sent.conversationId, conversationId),
            or(
              inArray(sent.status, ["sent", "delivered", "expired_approved"]),
              and(isNotNull(sent.reviewedAt), inArray(sent.status, ["queued", "sending", "deferred"])),
            ),
          ),
        )
        .orderBy(desc(sent.createdAt))
        .limit(TEXTS_MAX),
    );
    for (const { subject, content } of [...received, ...left])
      texts.push({ subject, text: content.text, html: content.html });
  }
  return { firstTime, unverified, texts };
}
