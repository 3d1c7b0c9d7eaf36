import { and, eq, inArray, lt, sql } from "drizzle-orm";
import { type Mailbox, mailboxAddress } from "../../mail.ts";
import { ask, type Scope, type Verb } from "../engine/engine.ts";
import { type Params, statement } from "../engine/statement.ts";
import type { MessageRow } from "../schema.ts";

/** Addresses remembered per message, from its authors and Reply-To: more than a person would answer. */
const ADDRESSES_MAX = 100;

const conversationKey = (id: string) => `conversation ${id}`;
/** A sub-address reaches the same person, so it counts as the address itself. */
const addressKey = (address: string) => `address ${mailboxAddress(address) ?? address}`;
/** Also finds addresses that older versions stored with their sub-address. */
const addressKeys = (address: string) => [...new Set([addressKey(address), `address ${address}`])];

/** Remembers a message with an unproven sender by its conversation, authors and Reply-To, even after it is deleted. */
export function* noteUnproven(s: Scope, message: MessageRow): Verb<void> {
  const { conversationId, from, replyTo } = message;
  yield* note(s, message, [conversationKey(conversationId), ...addressesOf([...from, ...replyTo])]);
}

/**
 * Remembers the addresses of an unsigned Reply-To in a proven message, except its author's: any server that relayed the
 * message could have added them.
 */
export function* noteUnsignedReplyTo(s: Scope, message: MessageRow): Verb<void> {
  const author = addressKey(message.fromAddress);
  const keys = addressesOf(message.replyTo).filter((key) => key !== author);
  if (keys.length > 0) yield* note(s, message, keys);
}

function addressesOf(mailboxes: readonly Mailbox[]): string[] {
  return mailboxes.slice(0, ADDRESSES_MAX).map(({ address }) => addressKey(address));
}

function* note(s: Scope, { agentId, createdAt }: MessageRow, given: string[]): Verb<void> {
  const keys = [...new Set(given)].sort();
  yield* ask(
    s.db
      .insert(s.t.unproven)
      .values(keys.map((key) => ({ agentId, key, lastAt: createdAt })))
      .onConflictDoUpdate({
        target: [s.t.unproven.agentId, s.t.unproven.key],
        set: { lastAt: sql`excluded.last_at` },
      }),
  );
}

const deleteUnproven = statement(({ db, t: { unproven } }, p: Params<{ agentId: string; key: string }>) =>
  db.delete(unproven).where(and(eq(unproven.agentId, p.agentId), eq(unproven.key, p.key))),
);

/**
 * Forgets an unproven address, because mail from it has been proven since. Its conversations stay remembered: their
 * earlier mail is still unproven.
 */
export function* forgetUnproven(s: Scope, agentId: string, address: string): Verb<void> {
  for (const key of addressKeys(address)) yield* deleteUnproven(s, { agentId, key });
}

/**
 * Whether unproven mail came in one of the conversations, came from one of the addresses, or named one in its Reply-To.
 */
export function* isUnproven(
  s: Scope,
  agentId: string,
  conversations: readonly string[],
  addresses: readonly string[],
): Verb<boolean> {
  const { unproven } = s.t;
  const keys = [...conversations.map(conversationKey), ...addresses.flatMap(addressKeys)];
  if (keys.length === 0) return false;
  const found = yield* ask(
    s.db
      .select({ key: unproven.key })
      .from(unproven)
      .where(and(eq(unproven.agentId, agentId), inArray(unproven.key, keys)))
      .limit(1),
  );
  return found.length > 0;
}

/** Forgets up to `limit` conversations and addresses that have had no unproven mail since `before`. */
export function* sweepUnproven(s: Scope, before: Date, limit: number): Verb<number> {
  const { unproven } = s.t;
  const old = yield* ask(
    s.db
      .select({ agentId: unproven.agentId, key: unproven.key })
      .from(unproven)
      .where(lt(unproven.lastAt, before))
      .limit(limit),
  );
  for (const { agentId, key } of old)
    yield* ask(
      s.db
        .delete(unproven)
        .where(and(eq(unproven.agentId, agentId), eq(unproven.key, key), lt(unproven.lastAt, before))),
    );
  return old.length;
}
