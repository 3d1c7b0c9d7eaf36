import { and, eq, sql } from "drizzle-orm";
import { wholeAuthentication } from "../../mail.ts";
import { newId } from "../../util/id.ts";
import { ensureRoleMailbox } from "../accounts/agents.ts";
import { ask, type Scope, type Verb } from "../engine/engine.ts";
import { insertStatement, type Params, statement } from "../engine/statement.ts";
import { addDelivery } from "../events/delivery-queue.ts";
import { agentEndpoint } from "../events/endpoints.ts";
import { addEvent } from "../events/events.ts";
import type { AgentRow, MailContent, MessageRow } from "../schema.ts";
import { makeKnown } from "./correspondents.ts";
import { dropOrphanedRaw } from "./messages.ts";
import { type InboundMail, receivedData, receivedRow } from "./received.ts";
import { type AnswerFacts, conversationOf } from "./references.ts";
import { indexMessage, searchWords } from "./search.ts";
import { forgetUnproven, noteUnproven, noteUnsignedReplyTo } from "./unproven.ts";

export interface Accepted {
  message: MessageRow;
  /** False if the same message was stored for this recipient before. */
  fresh: boolean;
}

// An update that changes nothing: it waits for a sweep that may be deleting the same bytes.
const insertRawMail = insertStatement(
  (t) => t.rawMail,
  (insert, { sha256 }) => insert.onConflictDoUpdate({ target: sha256, set: { sha256: sql`excluded.sha256` } }),
);

const insertMessage = insertStatement(
  (t) => t.messages,
  (insert, { id }) => insert.onConflictDoNothing().returning({ id }),
);

/**
 * Stores an inbound message for each of its recipients, with its event and, for agents with a webhook, its delivery: all or
 * nothing. A repeated message is found, not stored again. A recipient whose mailbox has been deleted is missing from
 * the result.
 */
export function* acceptInbound(s: Scope, mail: InboundMail): Verb<Accepted[]> {
  yield* insertRawMail(s, {
    sha256: mail.raw.sha256,
    bytes: Buffer.from(mail.raw.bytes.buffer, mail.raw.bytes.byteOffset, mail.raw.bytes.byteLength),
    content: mail.content,
    createdAt: mail.receivedAt,
  });
  const accepted: Accepted[] = [];
  // Agents are locked in order of address, so that two messages cannot deadlock.
  const recipients = [...mail.recipients].sort((a, b) => (a.mailbox < b.mailbox ? -1 : 1));
  const words = searchWords(mail, mail.content, recipients.length);
  let previous = "";
  for (const recipient of recipients) {
    if (recipient.mailbox === previous) continue;
    previous = recipient.mailbox;
    const one = yield* acceptFor(s, mail, recipient, words);
    if (one) accepted.push(one);
  }
  // A repeated message has a newer Received field, so its bytes are new, and no stored message refers to them.
  if (!accepted.some(({ fresh }) => fresh)) yield* dropOrphanedRaw(s, [mail.raw.sha256]);
  return accepted;
}

function* acceptFor(
  s: Scope,
  mail: InboundMail,
  recipient: InboundMail["recipients"][number],
  words: string,
): Verb<Accepted | null> {
  const agent =
    (yield* takeSeq(s, recipient.mailbox)) ??
    ((yield* ensureRoleMailbox(s, recipient.mailbox, mail.receivedAt)) && (yield* takeSeq(s, recipient.mailbox)));
  if (!agent) return null;

  const row = receivedRow(mail, recipient, agent, {
    eventId: newId("evt"),
    conversationId:
      (yield* conversationOf(s, agent.id, mail.references, answerFacts(mail))) ??
      recipient.conversationId ??
      newId("conv"),
  });
  const stored = yield* insertMessage(s, row);
  if (stored.length === 0) return yield* earlierCopy(s, agent.id, mail);

  yield* indexMessage(s, row, words);
  yield* rememberSender(s, row);
  yield* tellReceived(s, row, mail.content);
  const endpoint = agentEndpoint(agent);
  if (endpoint.url !== null)
    yield* addDelivery(s, {
      userId: row.userId,
      agentId: agent.id,
      eventId: row.eventId,
      eventType: "message.received",
      messageId: row.id,
      endpointId: agent.id,
      isFrozen: endpoint.isFrozen,
      now: mail.receivedAt,
    });
  s.signal({ topic: "mail", key: agent.id });
  return { message: row, fresh: true };
}

function answerFacts({ from, inReplyTo }: InboundMail): AnswerFacts {
  return { from: from[0]?.address ?? "", parent: inReplyTo };
}

/** Remembers what the gate will ask about the sender, even after the message is deleted. */
function* rememberSender(s: Scope, row: MessageRow): Verb<void> {
  const { agentId, fromAddress: address, createdAt: now } = row;
  if (!row.verified) return yield* noteUnproven(s, row);
  if (wholeAuthentication(row.authentication).unsigned.includes("Reply-To")) yield* noteUnsignedReplyTo(s, row);
  if (address !== "") {
    yield* makeKnown(s, "heard", { agentId, address, now });
    yield* forgetUnproven(s, agentId, address);
  }
}

function* tellReceived(s: Scope, row: MessageRow, content: MailContent): Verb<void> {
  yield* addEvent(s, {
    id: row.eventId,
    userId: row.userId,
    agentId: row.agentId,
    type: "message.received",
    data: receivedData(row, content),
    now: row.createdAt,
  });
}

const incrementSeq = statement(({ db, t: { agents } }, p: Params<{ id: string }>) =>
  db
    .update(agents)
    .set({ lastSeq: sql`${agents.lastSeq} + 1` })
    .where(eq(agents.id, p.id))
    .returning(),
);

/** Takes the agent's next sequence number; the row lock makes numbers follow commit order. */
function* takeSeq(s: Scope, id: string): Verb<AgentRow | null> {
  const [agent] = yield* incrementSeq(s, { id });
  return agent ?? null;
}

function* earlierCopy(s: Scope, agentId: string, mail: InboundMail): Verb<Accepted | null> {
  if (mail.dedupeKey === null) return null;
  const { messages } = s.t;
  const rows = yield* ask(
    s.db
      .select()
      .from(messages)
      .where(and(eq(messages.agentId, agentId), eq(messages.dedupeKey, mail.dedupeKey))),
  );
  return rows[0] ? { message: rows[0], fresh: false } : null;
}
