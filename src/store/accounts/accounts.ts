import { and, asc, desc, eq, lte, type SQL, sql } from "drizzle-orm";
import { Failure } from "../../util/errors.ts";
import { newId } from "../../util/id.ts";
import { ask, type Scope, type Verb } from "../engine/engine.ts";
import { type Params, statement } from "../engine/statement.ts";
import type { AgentRow, ApiKeyRow, KeyScope, SigningSecretRow, UserRow } from "../schema.ts";
import { type KeptAnswer, keepAnswer } from "./requests.ts";

/** Signing secrets an account may have: the newest signs, and the others allow receivers to rotate. */
const SIGNING_SECRETS_MAX = 5;
/** Keys an account may have, plus a number for each of its agents: they are listed in one read. */
const KEYS_MAX = 1_000;
const KEYS_PER_AGENT = 2;
/** `last_used_at` is a hint for people; writing it once a minute is enough. */
const LAST_USED_RESOLUTION_MS = 60_000;

export interface NewSecret {
  id: string;
  name: string;
  sealed: Buffer;
  secretPrefix: string;
}

export interface NewKey {
  name: string;
  scope: KeyScope;
  agentId: string | null;
  keyHash: string;
  keyPrefix: string;
  expiresAt: Date | null;
}

export interface NewAccount {
  email: string;
  name: string;
  secret: NewSecret;
  now: Date;
}

/** Creates an account with its first signing secret. Failure `conflict` when the address has one. */
export function* createAccount(s: Scope, input: NewAccount): Verb<UserRow> {
  const { name, now } = input;
  const row: UserRow = { id: newId("usr"), email: input.email.toLowerCase(), name, paused: false, createdAt: now };
  const made = yield* ask(s.db.insert(s.t.users).values(row).onConflictDoNothing().returning());
  if (made.length === 0)
    throw new Failure("conflict", `An account for ${row.email} exists already.`, {
      fix: "Sign in to it, or use another address.",
    });
  yield* ask(
    s.db
      .insert(s.t.signingSecrets)
      .values({ ...input.secret, userId: row.id, createdAt: input.now, lastSignedAt: null }),
  );
  return row;
}

/** The account of this id, or null. */
export function* getUser(s: Scope, id: string): Verb<UserRow | null> {
  const rows = yield* ask(s.db.select().from(s.t.users).where(eq(s.t.users.id, id)));
  return rows[0] ?? null;
}

/** The account by its address, or null. */
export function* findUserByEmail(s: Scope, email: string): Verb<UserRow | null> {
  const rows = yield* ask(s.db.select().from(s.t.users).where(eq(s.t.users.email, email.toLowerCase())));
  return rows[0] ?? null;
}

/** The server's first account: the operator's, which owns whatever no other account owns. */
export function* firstUser(s: Scope): Verb<UserRow | null> {
  const rows = yield* ask(s.db.select().from(s.t.users).orderBy(asc(s.t.users.createdAt), asc(s.t.users.id)).limit(1));
  return rows[0] ?? null;
}

/**
 * Adds an API key. The caller has checked that the agent, if any, belongs to the user. Expired keys are removed to make
 * room; Failure `conflict` if the account has too many valid ones.
 */
export function* createKey(
  s: Scope,
  userId: string,
  key: NewKey,
  now: Date,
  keep: KeptAnswer | null = null,
): Verb<ApiKeyRow> {
  yield* lockUser(s, userId);
  const { apiKeys, agents } = s.t;
  const mine = eq(apiKeys.userId, userId);
  const max = KEYS_MAX + KEYS_PER_AGENT * (yield* countOf(s, agents, eq(agents.userId, userId)));
  if ((yield* countOf(s, apiKeys, mine)) >= max) {
    yield* ask(s.db.delete(apiKeys).where(and(mine, lte(apiKeys.expiresAt, now))));
    if ((yield* countOf(s, apiKeys, mine)) >= max)
      throw new Failure("conflict", `The account already has ${max} API keys, the maximum.`, {
        fix: "Revoke keys that are no longer used.",
      });
  }
  const row = keyRow(userId, key, now);
  yield* ask(s.db.insert(apiKeys).values(row));
  yield* keepAnswer(s, keep);
  return row;
}

function* countOf(s: Scope, table: Scope["t"]["apiKeys" | "agents"], which: SQL): Verb<number> {
  const [row] = yield* ask(s.db.select({ count: sql<number>`count(*)` }).from(table).where(which));
  return Number(row?.count ?? 0);
}

/** A key as `createKey` stores it. */
export function keyRow(userId: string, key: NewKey, now: Date): ApiKeyRow {
  return { id: newId("apk"), userId, ...key, createdAt: now, lastUsedAt: null };
}

export function* listKeys(s: Scope, userId: string): Verb<ApiKeyRow[]> {
  return yield* ask(
    s.db.select().from(s.t.apiKeys).where(eq(s.t.apiKeys.userId, userId)).orderBy(desc(s.t.apiKeys.id)),
  );
}

/**
 * Removes a key and the sessions it opened; false if the user has no key of that id. The signals close their sockets.
 */
export function* deleteKey(s: Scope, userId: string, id: string): Verb<boolean> {
  const { sessions } = s.t;
  const opened = yield* ask(
    s.db
      .delete(sessions)
      .where(and(eq(sessions.keyId, id), eq(sessions.userId, userId)))
      .returning({ id: sessions.id }),
  );
  const gone = yield* ask(
    s.db
      .delete(s.t.apiKeys)
      .where(and(eq(s.t.apiKeys.id, id), eq(s.t.apiKeys.userId, userId)))
      .returning({ id: s.t.apiKeys.id }),
  );
  for (const row of [...opened, ...gone]) s.signal({ topic: "keys", key: row.id });
  return gone.length > 0;
}

const selectKey = statement(({ db, t }, p: Params<{ keyHash: string }>) =>
  db
    .select({ key: t.apiKeys, user: t.users })
    .from(t.apiKeys)
    .innerJoin(t.users, eq(t.users.id, t.apiKeys.userId))
    .where(eq(t.apiKeys.keyHash, p.keyHash)),
);

/** The key with this hash and its account, unless it has expired. */
export function* findKey(s: Scope, keyHash: string, now: Date): Verb<{ key: ApiKeyRow; user: UserRow } | null> {
  const [found] = yield* selectKey(s, { keyHash });
  if (!found || (found.key.expiresAt && found.key.expiresAt <= now)) return null;
  return found;
}

/** Whether `last_used_at` of a key or session is old enough to be written again. */
export function lastUseIsDue({ lastUsedAt }: { lastUsedAt: Date | null }, now: Date): boolean {
  return !lastUsedAt || now.getTime() - lastUsedAt.getTime() >= LAST_USED_RESOLUTION_MS;
}

export function* touchKey(s: Scope, id: string, now: Date): Verb<void> {
  yield* ask(s.db.update(s.t.apiKeys).set({ lastUsedAt: now }).where(eq(s.t.apiKeys.id, id)));
}

const selectProof = statement(({ db, t: { apiKeys, sessions } }, p: Params<{ id: string }>) =>
  db
    .select({ id: apiKeys.id })
    .from(apiKeys)
    .where(eq(apiKeys.id, p.id))
    .unionAll(db.select({ id: sessions.id }).from(sessions).where(eq(sessions.id, p.id))),
);

/** Whether an API key or session of this id exists, expired or not. A revoked one no longer exists. */
export function* proofStands(s: Scope, id: string): Verb<boolean> {
  return (yield* selectProof(s, { id })).length > 0;
}

const selectSecrets = statement(({ db, t: { signingSecrets } }, p: Params<{ userId: string }>) =>
  db.select().from(signingSecrets).where(eq(signingSecrets.userId, p.userId)).orderBy(desc(signingSecrets.id)),
);

/** The account's signing secrets, newest first; sealed. */
export function listSecrets(s: Scope, userId: string): Verb<SigningSecretRow[]> {
  return selectSecrets(s, { userId });
}

/** Adds a secret, which signs from now on. Failure `conflict` if the account has five. */
export function* createSecret(
  s: Scope,
  userId: string,
  secret: NewSecret,
  now: Date,
  keep: KeptAnswer | null = null,
): Verb<SigningSecretRow> {
  yield* lockUser(s, userId);
  const held = yield* listSecrets(s, userId);
  if (held.length >= SIGNING_SECRETS_MAX)
    throw new Failure("conflict", `An account can have at most ${SIGNING_SECRETS_MAX} signing secrets.`, {
      fix: "Delete one that no receiver uses.",
    });
  const row = secretRow(userId, secret, now);
  yield* ask(s.db.insert(s.t.signingSecrets).values(row));
  yield* keepAnswer(s, keep);
  return row;
}

/** A secret as `createSecret` stores it. */
export function secretRow(userId: string, secret: NewSecret, now: Date): SigningSecretRow {
  return { ...secret, userId, createdAt: now, lastSignedAt: null };
}

/** Removes a secret; false if there is none of that id. Failure `conflict` for the last one. */
export function* deleteSecret(s: Scope, userId: string, id: string): Verb<boolean> {
  yield* lockUser(s, userId);
  const held = yield* listSecrets(s, userId);
  if (!held.some((row) => row.id === id)) return false;
  if (held.length === 1)
    throw new Failure("conflict", "The last signing secret cannot be deleted.", { fix: "Create a new one first." });
  yield* ask(s.db.delete(s.t.signingSecrets).where(eq(s.t.signingSecrets.id, id)));
  return true;
}

/** Records when a secret last signed, at most once a minute. */
export function* touchSecret(s: Scope, id: string, now: Date): Verb<void> {
  yield* ask(s.db.update(s.t.signingSecrets).set({ lastSignedAt: now }).where(eq(s.t.signingSecrets.id, id)));
}

/** Serialises count-then-insert rules of one account on Postgres; SQLite has a single writer. */
export function* lockUser(s: Scope, userId: string): Verb<void> {
  yield* ask(s.db.update(s.t.users).set({ id: userId }).where(eq(s.t.users.id, userId)));
}

/** The caller's own agents' addresses, or the one an agent key is bound to. */
export type Caller = { user: UserRow; scope: KeyScope; agentId: string | null };

/** Whether the caller may use this agent. */
export function mayUse(caller: Caller, agent: AgentRow): boolean {
  return agent.userId === caller.user.id && (caller.scope === "account" || caller.agentId === agent.id);
}
