import type { Config } from "../config.ts";
import { sessionCookie } from "./identity.ts";

/** How long a browser stays signed in. */
export const SESSION_LIFETIME_MS = 14 * 24 * 3_600_000;

/** The Set-Cookie header that gives the browser its session, or takes it away (RFC 6265 4.1). */
export function sessionCookieHeader(config: Config, token: string | null): string {
  const secure = config.http.tlsCert !== null || config.http.publicUrl?.startsWith("https:");
  const maxAge = token === null ? 0 : SESSION_LIFETIME_MS / 1000;
  return `${sessionCookie}=${token ?? ""}; Path=/; Max-Age=${maxAge}; HttpOnly; SameSite=Lax${secure ? "; Secure" : ""}`;
}
