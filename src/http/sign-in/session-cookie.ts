import type { Config } from "../../config.ts";
import { cookieName, isHttps, sessionCookie } from "../framework/identity.ts";

/** How long a browser stays signed in, from the moment of signing in; use does not prolong it. */
export const SESSION_LIFETIME_MS = 14 * 24 * 3_600_000;

/** The Set-Cookie header that gives the browser its session, or removes it. */
export function sessionCookieHeader(config: Config, token: string | null): string {
  return cookieHeader(config, { name: sessionCookie, value: token, lifetimeMs: SESSION_LIFETIME_MS });
}

/** A Set-Cookie header (RFC 6265 4.1), hidden from scripts; null removes the cookie. */
export function cookieHeader(
  config: Config,
  cookie: { name: string; value: string | null; lifetimeMs: number },
): string {
  const { name, value, lifetimeMs } = cookie;
  const maxAge = value === null ? 0 : lifetimeMs / 1000;
  const secure = isHttps(config) ? "; Secure" : "";
  return `${cookieName(config, name)}=${value ?? ""}; Path=/; Max-Age=${maxAge}; HttpOnly; SameSite=Lax${secure}`;
}
