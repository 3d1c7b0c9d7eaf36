import { and, desc, eq, gt, isNull, lt, sql } from "drizzle-orm";
import { newId } from "../../util/id.ts";
import { ask, type Scope, type Verb } from "../engine/engine.ts";
import { type Params, statement } from "../engine/statement.ts";
import { type Notice, queueNotice } from "../outbound/notices.ts";
import type { SessionRow, SignInTokenRow, UserRow } from "../schema.ts";
import { createAccount, firstUser, lockUser, type NewAccount } from "./accounts.ts";
import { ensureRoleMailbox } from "./agents.ts";

/** Valid links in mail that an account may have at once, so that requests for links cannot flood its mailbox. */
const MAIL_LINKS_MAX = 3;

/**
 * Creates a server's first account, the operator's. Null if the server has one. Only one of several concurrent calls
 * succeeds.
 */
export function* createFirstAccount(s: Scope, input: NewAccount): Verb<UserRow | null> {
  // The server's own domain always exists. The second of two callers waits for its row lock, then sees the account.
  yield* ask(s.locked(s.db.select({ id: s.t.domains.id }).from(s.t.domains).where(isNull(s.t.domains.userId))));
  if (yield* firstUser(s)) return null;
  return yield* createAccount(s, input);
}

/** Stores the hash of a one-time sign-in token. */
export function* createSignInToken(
  s: Scope,
  { now, ...token }: Omit<SignInTokenRow, "createdAt"> & { now: Date },
): Verb<void> {
  yield* ask(s.db.insert(s.t.signInTokens).values({ ...token, createdAt: now }));
}

/**
 * Stores a one-time token for an account, and queues the mail that carries it. Does nothing and returns false when the
 * account has the maximum of valid ones. `notice.agentId` is the mailbox of the server that sends it.
 */
export function* mailSignInToken(
  s: Scope,
  input: { token: Omit<SignInTokenRow, "createdAt"> & { userId: string }; notice: Notice; now: Date },
): Verb<boolean> {
  const { token, notice, now } = input;
  const { signInTokens } = s.t;
  yield* lockUser(s, token.userId);
  const [open] = yield* ask(
    s.db
      .select({ n: sql<number>`count(*)` })
      .from(signInTokens)
      .where(and(eq(signInTokens.userId, token.userId), gt(signInTokens.expiresAt, now))),
  );
  if (Number(open?.n) >= MAIL_LINKS_MAX) return false;
  if (!(yield* ensureRoleMailbox(s, notice.agentId, now))) return false;
  yield* createSignInToken(s, { ...token, now });
  yield* queueNotice(s, notice, now);
  s.signal({ topic: "outbound", key: notice.lane });
  return true;
}

/** The result of a sign-in. `user`: null when the server has no account yet, and this token creates it. */
export interface SignIn {
  user: UserRow | null;
  returnTo: string;
}

/** The sign-in of a token, or null when it is unknown or expired. The token stays valid. */
export function* findSignInToken(s: Scope, tokenHash: string, now: Date): Verb<SignIn | null> {
  const rows = yield* ask(s.db.select().from(s.t.signInTokens).where(eq(s.t.signInTokens.tokenHash, tokenHash)));
  return yield* signInOf(s, rows[0], now);
}

/** Uses up a one-time token: only one caller gets its sign-in. */
export function* useSignInToken(s: Scope, tokenHash: string, now: Date): Verb<SignIn | null> {
  const used = yield* ask(s.db.delete(s.t.signInTokens).where(eq(s.t.signInTokens.tokenHash, tokenHash)).returning());
  return yield* signInOf(s, used[0], now);
}

function* signInOf(s: Scope, token: SignInTokenRow | undefined, now: Date): Verb<SignIn | null> {
  if (!token || token.expiresAt <= now) return null;
  const { returnTo, userId } = token;
  if (userId === null) return { returnTo, user: yield* firstUser(s) };
  const rows = yield* ask(s.db.select().from(s.t.users).where(eq(s.t.users.id, userId)));
  return { returnTo, user: rows[0] ?? null };
}

export type NewSession = Omit<SessionRow, "id" | "createdAt" | "lastUsedAt"> & { now: Date };

/** Opens a session. */
export function* createSession(s: Scope, { now, ...session }: NewSession): Verb<SessionRow> {
  const row: SessionRow = { id: newId("ses"), ...session, createdAt: now, lastUsedAt: null };
  yield* ask(s.db.insert(s.t.sessions).values(row));
  return row;
}

const selectSession = statement(({ db, t: { sessions, users } }, p: Params<{ tokenHash: string }>) =>
  db
    .select({ session: sessions, user: users })
    .from(sessions)
    .innerJoin(users, eq(users.id, sessions.userId))
    .where(eq(sessions.tokenHash, p.tokenHash)),
);

/** The session of a token and its account, unless it has expired. */
export function* findSession(
  s: Scope,
  tokenHash: string,
  now: Date,
): Verb<{ session: SessionRow; user: UserRow } | null> {
  const [found] = yield* selectSession(s, { tokenHash });
  return found && found.session.expiresAt > now ? found : null;
}

/** The account's sessions that have not expired, newest first. */
export function* listSessions(s: Scope, userId: string, now: Date): Verb<SessionRow[]> {
  const { sessions } = s.t;
  return yield* ask(
    s.db
      .select()
      .from(sessions)
      .where(and(eq(sessions.userId, userId), gt(sessions.expiresAt, now)))
      .orderBy(desc(sessions.id)),
  );
}

/** Records when, and from where, a session was last used. */
export function* touchSession(s: Scope, id: string, use: { now: Date; ip: string }): Verb<void> {
  yield* ask(s.db.update(s.t.sessions).set({ lastUsedAt: use.now, ip: use.ip }).where(eq(s.t.sessions.id, id)));
}

/** Ends a session; false when the account has none of that id. The signal closes its sockets. */
export function* deleteSession(s: Scope, userId: string, id: string): Verb<boolean> {
  const { sessions } = s.t;
  const gone = yield* ask(
    s.db
      .delete(sessions)
      .where(and(eq(sessions.id, id), eq(sessions.userId, userId)))
      .returning({ id: sessions.id }),
  );
  if (gone.length > 0) s.signal({ topic: "keys", key: id });
  return gone.length > 0;
}

/** Ends the session of a token, if it has one. */
export function* endSession(s: Scope, tokenHash: string): Verb<void> {
  const { sessions } = s.t;
  const gone = yield* ask(
    s.db.delete(sessions).where(eq(sessions.tokenHash, tokenHash)).returning({ id: sessions.id }),
  );
  for (const { id } of gone) s.signal({ topic: "keys", key: id });
}

/** Deletes expired sessions and tokens. */
export function* sweepSessions(s: Scope, now: Date): Verb<void> {
  yield* ask(s.db.delete(s.t.sessions).where(lt(s.t.sessions.expiresAt, now)));
  yield* ask(s.db.delete(s.t.signInTokens).where(lt(s.t.signInTokens.expiresAt, now)));
}
