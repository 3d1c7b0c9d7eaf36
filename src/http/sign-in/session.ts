import { randomBytes } from "node:crypto";
import { tokenHash } from "../../accounts.ts";
import { limitKey } from "../../net/client-address.ts";
import type { ApiKeyRow, SessionRow, UserRow } from "../../store/schema.ts";
import { Failure } from "../../util/errors.ts";
import { cookie, sessionCookie } from "../framework/identity.ts";
import type { Exchange, RouteDeps } from "../framework/resource.ts";
import { SESSION_LIFETIME_MS, sessionCookieHeader } from "./session-cookie.ts";

/** How much of a User-Agent users need to tell their browsers apart. */
const USER_AGENT_CHARS_MAX = 300;

export interface SignedIn {
  session: SessionRow;
  user: UserRow;
}

/** The sessions of browsers, for every way of signing in. */
export interface BrowserSessions {
  /** Counts an attempt to sign in by the client's address. Failure `rate_limited`. */
  attempt(exchange: Exchange): Promise<void>;
  /**
   * Signs the browser in with a new session and ends any previous one. A session opened by a key ends with that key at
   * the latest. `setCookie` is the header for the answer.
   */
  open(
    request: Request,
    exchange: Exchange,
    who: { user: UserRow; key?: ApiKeyRow },
  ): Promise<{ session: SessionRow; setCookie: string }>;
  /** The session of the request and its account; null if there is none. */
  of(request: Request): Promise<SignedIn | null>;
  /** As `of`. Failure `unauthenticated` if there is no session. */
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

/** Throws Failure `forbidden` for a key of a single agent: a session gives access to the whole account. */
export function requireWholeAccount(key: ApiKeyRow): void {
  if (key.scope !== "account")
    throw new Failure("forbidden", "This key is for one agent, not for the account.", {
      fix: "Use an account key: `e2a bootstrap` on the server prints one for a new account.",
    });
}
