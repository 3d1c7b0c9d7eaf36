import { randomBytes } from "node:crypto";
import { createOwner, issueKey, tokenHash } from "../accounts.ts";
import type { Clock } from "../clock.ts";
import { asFailure, Failure } from "../errors.ts";
import type { UserRow } from "../store/schema.ts";
import type { Store } from "../store/store.ts";
import { cookie, requireOwnOrigin, sessionCookie } from "./identity.ts";
import { openResource, type RouteDeps } from "./resource.ts";
import { SESSION_LIFETIME_MS, sessionCookieHeader } from "./session-cookie.ts";
import { emailPage, keyPage, signInPage, welcomePage } from "./sign-in-pages.ts";

/** Long enough to go from the console to a browser; short enough for a link in a scroll-back. */
const LINK_LIFETIME_MS = 15 * 60_000;

/** What an account's address must look like; mail to it proves the rest. */
const emailPattern = /^[^\s@<>",;:\\]{1,64}@[^\s@<>",;:\\]{1,189}$/;

/** Makes a link that signs in once, within 15 minutes, to the first account; on an empty server it makes that account. */
export async function createSignInLink(store: Store, clock: Clock, baseUrl: string): Promise<string> {
  const token = randomBytes(32).toString("base64url");
  const now = clock.now();
  await store.createSignInToken(tokenHash(token), new Date(now), new Date(now + LINK_LIFETIME_MS));
  return `${baseUrl}/sign-in?t=${token}`;
}

/** The pages behind that link. GET only shows; POST acts. */
export function signIn(deps: RouteDeps) {
  const { config, store, vault, clock } = deps;
  const now = () => new Date(clock.now());

  async function requireLink(token: string): Promise<string> {
    if (token !== "" && (await store.signInTokenIsValid(tokenHash(token), now()))) return tokenHash(token);
    throw new Failure("invalid_request", "This link was used already or has expired.", {
      fix: "Restart `e2a serve` for a new one, or run `e2a bootstrap` on the server.",
    });
  }

  async function owner(email: string): Promise<UserRow> {
    const first = await store.firstUser();
    if (first) return first;
    try {
      return await createOwner(store, vault, { email, name: "", now: now() });
    } catch (error) {
      // Somebody else's link was faster by a moment.
      const made = asFailure(error).code === "conflict" ? await store.firstUser() : null;
      if (!made) throw error;
      return made;
    }
  }

  async function signedIn(request: Request): Promise<UserRow> {
    const token = cookie(request, sessionCookie);
    const session = token ? await store.findSession(tokenHash(token), now()) : null;
    if (session) return session.user;
    throw new Failure("unauthenticated", "You are not signed in.", { fix: "Open a new sign-in link." });
  }

  return openResource(deps, "")
    .get("/sign-in", async ({ request }) => {
      const token = new URL(request.url).searchParams.get("t") ?? "";
      await requireLink(token);
      return signInPage(token, (await store.firstUser())?.email ?? null);
    })
    .post("/sign-in", async ({ exchange }) => {
      const form = formOf(exchange.body);
      const hash = await requireLink(form.get("t") ?? "");
      const email = (form.get("email") ?? "").trim();
      // Checked before the link is used up, so that a typing mistake costs nothing.
      if (!(await store.firstUser()) && !emailPattern.test(email)) return emailPage(form.get("t") ?? "", email);
      if (!(await store.useSignInToken(hash, now())))
        throw new Failure("conflict", "This link was used a moment ago.", { fix: "Go on where it was opened." });
      const user = await owner(email);
      const session = randomBytes(32).toString("base64url");
      const expiresAt = new Date(clock.now() + SESSION_LIFETIME_MS);
      await store.createSession({ userId: user.id, tokenHash: tokenHash(session), now: now(), expiresAt });
      return new Response(null, {
        status: 303,
        headers: { location: "/welcome", "set-cookie": sessionCookieHeader(config, session) },
      });
    })
    .get("/welcome", async ({ request }) => welcomePage((await signedIn(request)).email))
    .post("/welcome", async ({ request }) => {
      requireOwnOrigin(request, config.http.publicUrl);
      const user = await signedIn(request);
      const { key } = await issueKey(store, {
        userId: user.id,
        name: "first steps",
        scope: "account",
        agentId: null,
        expiresAt: null,
        now: now(),
      });
      return keyPage(key, config.http.publicUrl ?? new URL(request.url).origin, config.sharedDomain);
    });
}

function formOf(body: Uint8Array): URLSearchParams {
  return new URLSearchParams(new TextDecoder().decode(body));
}
