import { randomBytes } from "node:crypto";
import { tokenHash } from "../../accounts.ts";
import { limitKey } from "../../net/client-address.ts";
import type { ApiKeyRow, SessionRow, UserRow } from "../../store/schema.ts";
import { Failure } from "../../util/errors.ts";
import { cookie, sessionCookie } from "../framework/identity.ts";
import type { Exchange, RouteDeps } from "../framework/resource.ts";
import { SESSION_LIFETIME_MS, sessionCookieHeader } from "./session-cookie.ts";

/** As much of a User-Agent as people need to tell their browsers apart. */
const USER_AGENT_CHARS_MAX = 300;

export interface SignedIn {
  session: SessionRow;
  user: UserRow;
}

/** The sessions of browsers, for all ways of signing in. */
export interface BrowserSessions {
  /** Counts an attempt to sign in by the client's address. Failure `rate_limited`. */
  attempt(exchange: Exchange): Promise<void>;
  /**
   * Signs the browser in: a new session, whatever it had before, which ends. One that a key opens lives no longer than
   * that key. `setCookie` is the header for the answer.
   */
  open(
    request: Request,
    exchange: Exchange,
    who: { user: UserRow; key?: ApiKeyRow },
  ): Promise<{ session: SessionRow; setCookie: string }>;
  /** Who is signed in, or null. */
  of(request: Request): Promise<SignedIn | null>;
  /** The same. Failure `unauthenticated` when nobody is. */
  require(request: Request): Promise<SignedIn>;
}

export function createBrowserSessions({ config, store, clock, limits }: RouteDeps): BrowserSessions {
  const of = async (request: Request) => {
    const token = cookie(request, config, sessionCookie);
    return token ? store.findSession(tokenHash(token), new Date(clock.now())) : null;
  };

  return {
    attempt: ({ clientIp }) => limits.take("address", `sign-in ${limitKey(clientIp)}`, config.limits.signInsPerMinute),
    async open(request, { clientIp }, { user, key }) {
      const earlier = cookie(request, config, sessionCookie);
      if (earlier) await store.endSession(tokenHash(earlier));
      const token = randomBytes(32).toString("base64url");
      const now = new Date(clock.now());
      const end = now.getTime() + SESSION_LIFETIME_MS;
      const session = await store.createSession({
        userId: user.id,
        tokenHash: tokenHash(token),
        keyId: key?.id ?? null,
        userAgent: request.headers.get("user-agent")?.slice(0, USER_AGENT_CHARS_MAX) ?? null,
        ip: clientIp,
        now,
        expiresAt: new Date(Math.min(end, key?.expiresAt?.getTime() ?? end)),
      });
      return { session, setCookie: sessionCookieHeader(config, token) };
    },
    of,
    async require(request) {
      const signedIn = await of(request);
      if (signedIn) return signedIn;
      throw new Failure("unauthenticated", "You are not signed in.", { fix: "Sign in first." });
    },
  };
}

/** Failure `forbidden` for a key that opens less than its account: a session opens all of it. */
export function requireWholeAccount(key: ApiKeyRow): void {
  if (key.scope !== "account")
    throw new Failure("forbidden", "This key is for one agent, not for the account.", {
      fix: "Use an account key: `e2a bootstrap` on the server prints one for a new account.",
    });
}
