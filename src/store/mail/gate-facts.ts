import { and, desc, eq, exists, inArray, isNotNull, ne, or } from "drizzle-orm";
import { ask, type Scope, type Verb } from "../engine/engine.ts";
import { strangersAmong } from "./correspondents.ts";
import { isUnproven } from "./unproven.ts";

/** What the gate wants to know of a message that is not stored yet. */
export interface GateFacts {
  /** Recipients to whom nothing has gone, and from whom nothing proven has come. */
  firstTime: string[];
  /** Whether mail whose sender is not proven came in the conversation or from a recipient. */
  unverified: boolean;
  /** Texts of the conversation that a recipient has seen, those that came in first, then the newest; empty unless asked for. */
  texts: SeenText[];
}

/** A text of a conversation and those of the recipients who have seen it. */
export interface SeenText {
  subject: string;
  text: string;
  html: string | null;
  seenBy: string[];
}

/** Messages of a conversation whose links count as seen. */
const TEXTS_MAX = 50;

export function* gateFacts(
  s: Scope,
  input: { agentId: string; conversationId: string | null; addresses: string[]; withTexts: boolean },
): Verb<GateFacts> {
  const { agentId, conversationId } = input;
  const firstTime = yield* strangersAmong(s, agentId, input.addresses);
  const unverified = yield* isUnproven(s, agentId, conversationId, input.addresses);
  if (conversationId === null) return { firstTime, unverified, texts: [] };
  const texts = input.withTexts ? yield* seenTexts(s, agentId, conversationId, [...new Set(input.addresses)]) : [];
  return { firstTime, unverified, texts };
}

/**
 * The texts of a conversation that recipients have seen. Mail that proved to be from one of them counts for all: its links
 * come from that person. Mail that left counts for those whom it reached, or will once a person has approved it. What an
 * unproven sender wrote counts for nobody: anybody may have put it into the conversation.
 */
function* seenTexts(s: Scope, agentId: string, conversationId: string, addresses: string[]): Verb<SeenText[]> {
  const { messages, rawMail, outboundMessages: sent, outboundRecipients: recipients } = s.t;
  if (addresses.length === 0) return [];
  const received = yield* ask(
    s.db
      .select({ subject: messages.subject, content: rawMail.content })
      .from(messages)
      .innerJoin(rawMail, eq(rawMail.sha256, messages.rawSha256))
      .where(
        and(
          eq(messages.agentId, agentId),
          eq(messages.conversationId, conversationId),
          eq(messages.verified, true),
          inArray(messages.fromAddress, addresses),
        ),
      )
      .orderBy(desc(messages.seq))
      .limit(TEXTS_MAX),
  );
  const reached = and(
    eq(recipients.messageId, sent.id),
    inArray(recipients.address, addresses),
    or(
      inArray(recipients.status, ["sent", "delivered"]),
      and(isNotNull(sent.reviewedAt), inArray(recipients.status, ["queued", "sending", "deferred"])),
    ),
  );
  const left = yield* ask(
    s.db
      .select({ id: sent.id, subject: sent.subject, content: sent.content })
      .from(sent)
      .where(
        and(
          eq(sent.agentId, agentId),
          eq(sent.conversationId, conversationId),
          // What is held has been seen by nobody; what a person approved has been seen by that person.
          ne(sent.status, "pending_approval"),
          exists(s.db.select({ n: recipients.n }).from(recipients).where(reached)),
        ),
      )
      .orderBy(desc(sent.createdAt))
      .limit(TEXTS_MAX),
  );
  const texts = received.map(({ subject, content }) => ({
    subject,
    text: content.text,
    html: content.html,
    seenBy: addresses,
  }));
  for (const { id, subject, content } of left) {
    const seen = yield* ask(
      s.db.select({ address: recipients.address }).from(sent).innerJoin(recipients, reached).where(eq(sent.id, id)),
    );
    texts.push({ subject, text: content.text, html: content.html, seenBy: seen.map(({ address }) => address) });
  }
  return texts;
}
