import { and, eq, inArray, lt, sql } from "drizzle-orm";
import { type Mailbox, mailboxAddress } from "../../mail.ts";
import { ask, type Scope, type Verb } from "../engine/engine.ts";
import { type Params, statement } from "../engine/statement.ts";
import type { MessageRow } from "../schema.ts";

/** Addresses remembered of one message: its authors and its Reply-To. More than a person would answer to. */
const ADDRESSES_MAX = 100;

const conversationKey = (id: string) => `conversation ${id}`;
/** Sub-addresses reach the same person, so they count as one. */
const addressKey = (address: string) => `address ${mailboxAddress(address) ?? address}`;
/** What was remembered before sub-addresses counted as one is found too. */
const addressKeys = (address: string) => [...new Set([addressKey(address), `address ${address}`])];

/**
 * Remembers a message whose sender is not proven, by its conversation, its authors and its Reply-To. The memory outlives
 * the message.
 */
export function* noteUnproven(s: Scope, message: MessageRow): Verb<void> {
  const { conversationId, from, replyTo } = message;
  yield* note(s, message, [conversationKey(conversationId), ...addressesOf([...from, ...replyTo])]);
}

/**
 * Remembers whom an unsigned Reply-To of a proven message names beside its author: whoever passed the message on could
 * have asked for answers there.
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
 * Forgets that mail from an address was unproven, because mail from it has been proven since. Its conversations stay
 * remembered: what was said there is as doubtful as before.
 */
export function* forgetUnproven(s: Scope, agentId: string, address: string): Verb<void> {
  for (const key of addressKeys(address)) yield* deleteUnproven(s, { agentId, key });
}

/** Whether unproven mail came in the conversation, or from one of the addresses, or asked for answers there. */
export function* isUnproven(
  s: Scope,
  agentId: string,
  conversationId: string | null,
  addresses: readonly string[],
): Verb<boolean> {
  const { unproven } = s.t;
  const keys = [
    ...(conversationId === null ? [] : [conversationKey(conversationId)]),
    ...addresses.flatMap(addressKeys),
  ];
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

/** Forgets up to `limit` conversations and addresses without unproven mail since `before`. */
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
