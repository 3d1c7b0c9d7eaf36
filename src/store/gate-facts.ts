import { and, desc, eq, inArray } from "drizzle-orm";
import { ask, type Scope, type Verb } from "./engine.ts";
import { strangersAmong } from "./send-limits.ts";

/** What the gate wants to know of a message that is not stored yet. */
export interface GateFacts {
  /** Recipients the agent neither wrote to nor heard from. */
  firstTime: string[];
  /** Whether the conversation has mail in it whose sender is not proven. */
  unverified: boolean;
  /** Texts of the conversation so far, the newest first; empty unless asked for. */
  texts: { text: string; html: string | null }[];
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
  if (conversationId === null) return { firstTime, unverified: false, texts: [] };
  const mine = and(eq(messages.agentId, agentId), eq(messages.conversationId, conversationId));
  const [unproven] = yield* ask(
    s.db
      .select({ id: messages.id })
      .from(messages)
      .where(and(mine, eq(messages.verified, false)))
      .limit(1),
  );
  const texts: GateFacts["texts"] = [];
  if (input.withTexts) {
    const received = yield* ask(
      s.db
        .select({ content: rawMail.content })
        .from(messages)
        .innerJoin(rawMail, eq(rawMail.sha256, messages.rawSha256))
        .where(mine)
        .orderBy(desc(messages.seq))
        .limit(TEXTS_MAX),
    );
    // What was only held has been seen by nobody.
    const left = yield* ask(
      s.db
        .select({ content: sent.content })
        .from(sent)
        .where(
          and(
            eq(sent.agentId, agentId),
            eq(sent.conversationId, conversationId),
            inArray(sent.status, ["queued", "sending", "sent", "delivered", "deferred", "expired_approved"]),
          ),
        )
        .orderBy(desc(sent.createdAt))
        .limit(TEXTS_MAX),
    );
    for (const { content } of [...received, ...left]) texts.push({ text: content.text, html: content.html });
  }
  return { firstTime, unverified: unproven !== undefined, texts };
}
