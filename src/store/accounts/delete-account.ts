import { eq, sql } from "drizzle-orm";
import { ask, askRaw, type Scope, type Verb } from "../engine/engine.ts";
import { dropMessagesOf } from "../mail/messages.ts";
import { dropSendCounts } from "../outbound/send-limits.ts";
import { lockUser } from "./accounts.ts";
import { reserveAddresses } from "./reserved-addresses.ts";

/** The number of rows deleted, by resource. */
export type DeletedRows = Record<
  "agents" | "messages" | "outboundMessages" | "domains" | "keys" | "secrets" | "suppressions" | "webhooks",
  number
>;

/** Mailboxes of an account, role mailboxes included. */
export function* mailboxesOf(s: Scope, userId: string): Verb<string[]> {
  const { agents } = s.t;
  const rows = yield* ask(s.db.select({ id: agents.id }).from(agents).where(eq(agents.userId, userId)));
  return rows.map(({ id }) => id);
}

/**
 * Deletes an account and everything it owns; foreign keys delete what is not counted here. Null if there is no such
 * account. Signals tell its sockets. Its addresses on the server's domains stay reserved for a later account with the
 * same email address.
 */
export function* deleteAccount(s: Scope, userId: string, now: Date): Verb<DeletedRows | null> {
  const { users, agents, apiKeys, sessions } = s.t;
  yield* lockUser(s, userId);
  // Locked, so that no message can arrive in between and leave its bytes behind.
  const mine = yield* ask(
    s.db.update(agents).set({ userId }).where(eq(agents.userId, userId)).returning({ id: agents.id }),
  );
  const keys = yield* ask(s.db.select({ id: apiKeys.id }).from(apiKeys).where(eq(apiKeys.userId, userId)));
  const open = yield* ask(s.db.select({ id: sessions.id }).from(sessions).where(eq(sessions.userId, userId)));
  const rows: DeletedRows = {
    agents: mine.length,
    messages: yield* count(s.t.messages, userId),
    outboundMessages: yield* count(s.t.outboundMessages, userId),
    domains: yield* count(s.t.domains, userId),
    keys: keys.length,
    secrets: yield* count(s.t.signingSecrets, userId),
    suppressions: yield* count(s.t.suppressions, userId),
    webhooks: yield* count(s.t.webhooks, userId),
  };
  yield* reserveAddresses(
    s,
    mine.map(({ id }) => id),
    now,
  );
  for (const agent of mine) yield* dropMessagesOf(s, agent.id);
  // The server's own mail to the account's owner lies in a server mailbox, and names the owner's address.
  const { outboundMessages } = s.t;
  yield* ask(s.db.delete(outboundMessages).where(eq(outboundMessages.userId, userId)));
  yield* dropSendCounts(s, userId);
  const gone = yield* ask(s.db.delete(users).where(eq(users.id, userId)).returning({ id: users.id }));
  if (gone.length === 0) return null;
  for (const { id } of mine) s.signal({ topic: "agent", key: id });
  for (const { id } of [...keys, ...open]) s.signal({ topic: "keys", key: id });
  return rows;
}

type Owned = Scope["t"]["messages" | "outboundMessages" | "domains" | "signingSecrets" | "suppressions" | "webhooks"];

function* count(table: Owned, userId: string): Verb<number> {
  const [row] = yield* askRaw<{ n: number }>(sql`select count(*) as n from ${table} where ${table.userId} = ${userId}`);
  return Number(row?.n ?? 0);
}
