import { tokenHash } from "../../accounts.ts";
import type { Config } from "../../config.ts";
import { limitKey, networkTest, plainAddress } from "../../net/client-address.ts";
import { type Caller, lastUseIsDue } from "../../store/accounts/accounts.ts";
import type { ApiKeyRow, UserRow } from "../../store/schema.ts";
import type { Store } from "../../store/store.ts";
import type { Clock } from "../../util/clock.ts";
import { Failure } from "../../util/errors.ts";
import type { Log } from "../../util/log.ts";
import type { RateLimits } from "./limits.ts";
import { requestUrl } from "./request-url.ts";

/** The browser's session cookie, as `cookie` and `cookieName` take it. */
export const sessionCookie = "e2a_session";

/** The caller of a request, and its proof. */
export interface Identity extends Caller {
  /** The id of the API key or session, by which rate limits and sockets are counted. */
  readonly proofId: string;
  readonly via: "key" | "session";
  /** When the proof expires; null for never. */
  readonly expiresAt: Date | null;
}

export interface Identify {
  /**
   * Identifies the caller of a request by its API key, or else its session cookie. `queryTokens` are keys from the URL:
   * each must be valid, whatever else proves the caller; an empty one counts as not given. Failures: `unauthenticated`,
   * `rate_limited` after too many wrong keys, `forbidden` for a foreign Origin.
   */
  caller(request: Request, clientIp: string, queryTokens?: string[]): Promise<Identity>;
  /** Finds an API key and its account. Failures: `unauthenticated`, `rate_limited` after too many wrong keys. */
  keyHolder(key: string, clientIp: string): Promise<{ key: ApiKeyRow; user: UserRow }>;
}

/**
 * Creates the authentication of callers. Keys and session tokens are looked up by their SHA-256, so no comparison leaks
 * how much of one was right. Wrong ones are counted by client address; a right one always passes, even from an address
 * over its limit.
 */
export function createIdentify(deps: {
  config: Config;
  store: Store;
  clock: Clock;
  log: Log;
  limits: RateLimits;
}): Identify {
  const { config, store, clock, log, limits } = deps;

  async function refuse(clientIp: string, message: string): Promise<never> {
    await limits.take("address", `auth ${limitKey(clientIp)}`, config.limits.authFailuresPerMinute);
    throw new Failure("unauthenticated", message, {
      fix: "Send a valid API key as `Authorization: Bearer e2a_…`; make one with POST /api/v1/keys or `e2a bootstrap`.",
    });
  }

  async function keyHolder(key: string, clientIp: string) {
    const now = new Date(clock.now());
    const found = /^e2a_[0-9a-f]{64}$/.test(key) ? await store.findKey(tokenHash(key), now) : null;
    if (!found) return refuse(clientIp, "The API key is unknown, revoked or expired.");
    const { id } = found.key;
    if (lastUseIsDue(found.key, now))
      void store.touchKey(id, now).catch((error) => log.warn("key.touch_failed", { key: id }, error));
    return found;
  }

  async function byKey(given: string, clientIp: string): Promise<Identity> {
    const { key, user } = await keyHolder(given, clientIp);
    return { user, scope: key.scope, agentId: key.agentId, proofId: key.id, via: "key", expiresAt: key.expiresAt };
  }

  async function bySession(token: string, request: Request, clientIp: string): Promise<Identity> {
    const now = new Date(clock.now());
    const found = await store.findSession(tokenHash(token), now);
    if (!found) return refuse(clientIp, "The session has ended.");
    if (!["GET", "HEAD"].includes(request.method)) requireOwnOrigin(request, config.http.publicUrl);
    const { id } = found.session;
    if (lastUseIsDue(found.session, now))
      void store
        .touchSession(id, { now, ip: clientIp })
        .catch((error) => log.warn("session.touch_failed", { session: id }, error));
    return {
      user: found.user,
      scope: "account",
      agentId: null,
      proofId: id,
      via: "session",
      expiresAt: found.session.expiresAt,
    };
  }

  async function caller(request: Request, clientIp: string, queryTokens: string[] = []): Promise<Identity> {
    const byToken: Identity[] = [];
    for (const token of new Set(queryTokens)) if (token !== "") byToken.push(await byKey(token, clientIp));
    const authorization = request.headers.get("authorization");
    if (authorization !== null) {
      const [, key = ""] = /^Bearer +(\S+) *$/i.exec(authorization) ?? [];
      return byKey(key, clientIp);
    }
    if (byToken[0]) return byToken[0];
    const session = cookie(request, config, sessionCookie);
    if (session) return bySession(session, request, clientIp);
    throw new Failure("unauthenticated", "This needs an API key.", {
      fix: "Send it as `Authorization: Bearer e2a_…`; make one with POST /api/v1/keys or `e2a bootstrap`.",
    });
  }

  return { caller, keyHolder };
}

/**
 * Checks the caller again before an answer that waited. Failure `unauthenticated` if the key or session has ended
 * meanwhile; the hub closes a WebSocket in the same case.
 */
export async function requireStanding(
  { store, clock }: { store: Store; clock: Clock },
  { proofId, expiresAt, via }: Identity,
): Promise<void> {
  const hasExpired = expiresAt !== null && expiresAt.getTime() <= clock.now();
  if (!hasExpired && (await store.proofStands(proofId))) return;
  const message = via === "session" ? "The session has ended." : "The API key was revoked or has expired.";
  throw new Failure("unauthenticated", `${message} This happened while the request waited.`);
}

/** How long a check of a key or session stays good. */
const STANDING_MS = 1_000;

/**
 * Returns a `requireStanding` for a request that takes long: if the client sends or reads slowly, or waits for its
 * turn, its key may end before the request does. Call it after each wait; it asks the store at most once a second. The
 * caller must have been identified just before.
 */
export function watchStanding(deps: { store: Store; clock: Clock }, identity: Identity): () => Promise<void> {
  let lookedAt = deps.clock.elapsed();
  return async () => {
    if (deps.clock.elapsed() - lookedAt < STANDING_MS) return;
    await requireStanding(deps, identity);
    lookedAt = deps.clock.elapsed();
  };
}

/**
 * Requires that a request that changes something by cookie, or signs a browser in, comes from our own pages (RFC 6265
 * 8.2 describes the attack). Throws Failure `forbidden` otherwise.
 */
export function requireOwnOrigin(request: Request, publicUrl: string | null): void {
  if (isOwnOrigin(request, publicUrl)) return;
  throw new Failure("forbidden", "This request must come from one of this server's own pages.", {
    fix:
      "Use an API key outside the browser. Behind a proxy that does TLS, set http.public_url to the address in the " +
      "browser, such as https://mail.example.com.",
  });
}

/**
 * Whether the Origin is the public address, or the address that the client used for this request: scheme, host and port
 * (RFC 6454 4). Under the host of the public address, only the public address counts: cookies ignore scheme and port,
 * so a page at http:// or on another port has them too.
 */
export function isOwnOrigin(request: Request, publicUrl: string | null): boolean {
  const origin = request.headers.get("origin") ?? "";
  const known = publicUrl === null ? null : new URL(publicUrl);
  if (origin === "" || origin === known?.origin) return origin !== "";
  const came = URL.parse(`${requestUrl(request).protocol}//${request.headers.get("host")}`);
  return origin === came?.origin && came.hostname !== known?.hostname;
}

/** Whether browsers reach this server by https, and so send its cookies over nothing else. */
export function isHttps({ http }: Config): boolean {
  return http.tlsCert !== null || http.publicUrl?.startsWith("https:") === true;
}

/**
 * The name under which browsers keep a cookie. With `__Host-` they take it only from this very host (RFC 6265bis 4.1.3.2);
 * without, every host of the same domain may set it here. Needs https, and the path "/".
 */
export function cookieName(config: Config, name: string): string {
  return isHttps(config) ? `__Host-${name}` : name;
}

/**
 * The value of a cookie (RFC 6265 4.2). Null if there is none, or more than one: nobody can tell which of them this server
 * set, and another host chooses, by their paths, which comes first.
 */
export function cookie(request: Request, config: Config, name: string): string | null {
  const wanted = cookieName(config, name);
  const values = (request.headers.get("cookie") ?? "").split(";").flatMap((pair) => {
    const [key, value] = pair.trim().split("=", 2);
    return key === wanted && value ? [value] : [];
  });
  return new Set(values).size === 1 ? (values[0] ?? null) : null;
}

/**
 * Creates the function that finds the client's address: that of the connection or, if it is a trusted proxy, the last
 * address in X-Forwarded-For that is not a trusted proxy. Clients can forge the rest of that field.
 */
export function createClientAddress(trustedProxies: readonly string[]): (peer: string, request: Request) => string {
  const trusted = networkTest(trustedProxies);
  return (peer, request) => {
    let client = plainAddress(peer) || peer;
    const forwarded = request.headers.get("x-forwarded-for");
    if (forwarded === null) return client;
    const hops = forwarded.split(",").reverse();
    for (const hop of hops) {
      if (!trusted(client)) break;
      const named = plainAddress(hop.trim());
      if (named === "") break;
      client = named;
    }
    return client;
  };
}
