import type { Config } from "../../config.ts";
import { sessionCookie } from "../framework/identity.ts";

/** How long a browser stays signed in, from the moment of signing in; use does not prolong it. */
export const SESSION_LIFETIME_MS = 14 * 24 * 3_600_000;

/** The Set-Cookie header that gives the browser its session, or removes it. */
export function sessionCookieHeader(config: Config, token: string | null): string {
  return cookieHeader(config, { name: sessionCookie, value: token, path: "/", lifetimeMs: SESSION_LIFETIME_MS });
}

/**
 * A Set-Cookie header (RFC 6265 4.1) for requests to `path` and below, hidden from scripts; null removes the cookie.
 */
export function cookieHeader(
  config: Config,
  cookie: { name: string; value: string | null; path: string; lifetimeMs: number },
): string {
  const { name, value, path, lifetimeMs } = cookie;
  const secure = config.http.tlsCert !== null || config.http.publicUrl?.startsWith("https:");
  const maxAge = value === null ? 0 : lifetimeMs / 1000;
  return `${name}=${value ?? ""}; Path=${path}; Max-Age=${maxAge}; HttpOnly; SameSite=Lax${secure ? "; Secure" : ""}`;
}
