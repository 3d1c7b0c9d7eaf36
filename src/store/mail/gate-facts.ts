import { and, desc, eq, exists, inArray, isNotNull, ne, or } from "drizzle-orm";
import { ask, type Scope, type Verb } from "../engine/engine.ts";
import { strangersAmong } from "./correspondents.ts";
import { isUnproven } from "./unproven.ts";

/** What the gate needs to know about a message before it is stored. */
export interface GateFacts {
  /** Recipients that no mail has gone to, and that no proven mail has come from. */
  firstTime: string[];
  /** Whether mail from an unproven sender came in one of the conversations, or came from a recipient. */
  unverified: boolean;
}

/** A text of a conversation, and the recipients who have seen it. */
export interface SeenText {
  subject: string;
  text: string;
  html: string | null;
  seenBy: string[];
}

/** Messages of a conversation whose links count as seen. */
const TEXTS_MAX = 50;

/** Two statements, however many the conversations and addresses: it is asked for each recipient of a message. */
export function* gateFacts(
  s: Scope,
  { agentId, conversations, addresses }: { agentId: string; conversations: string[]; addresses: string[] },
): Verb<GateFacts> {
  const firstTime = yield* strangersAmong(s, agentId, addresses);
  const unverified = yield* isUnproven(s, agentId, conversations, addresses);
  return { firstTime, unverified };
}

/**
 * The texts of a conversation that recipients have seen: received, then sent, newest first. Mail proven to be from one
 * of them counts for all, since that person supplied its links. Mail that left counts for the recipients that it
 * reached, or that it will reach after a person approved it. Mail from an unproven sender counts for no recipient:
 * anyone may have put it into the conversation.
 */
export function* seenTexts(
  s: Scope,
  input: { agentId: string; conversationId: string; addresses: string[] },
): Verb<SeenText[]> {
  const { messages, rawMail, outboundMessages: sent, outboundRecipients: recipients } = s.t;
  const { agentId, conversationId } = input;
  const addresses = [...new Set(input.addresses)];
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
          // Held mail has been seen by no one; approved mail has been seen by the person who approved it.
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
