import { randomBytes } from "node:crypto";
import { Type } from "@sinclair/typebox";
import { createFirstOwner, emailPattern, issueKey, tokenHash } from "../../accounts.ts";
import type { ApiKeyRow, UserRow } from "../../store/schema.ts";
import type { Store } from "../../store/store.ts";
import type { Clock } from "../../util/clock.ts";
import { asFailure, Failure } from "../../util/errors.ts";
import { createIdentify, requireOwnOrigin } from "../framework/identity.ts";
import { choice, invalid, query, text } from "../framework/input.ts";
import { operation } from "../framework/openapi.ts";
import { type Exchange, openResource, type RouteDeps } from "../framework/resource.ts";
import { oidcProviders } from "./oidc-client.ts";
import { callbackPaths, createOidcSignIn } from "./oidc-flow.ts";
import { confirmPage, emailPage, handOverPage, linkPage, mailedPage, type WaysIn, waysInPage } from "./pages.ts";
import { type CliCallback, isCliState, localPath, loopbackUrl, signInPath } from "./return-to.ts";
import { createBrowserSessions, requireWholeAccount } from "./session.ts";

/** Long enough to get from the console to a browser; short enough for a link in a scroll-back buffer. */
const LINK_LIFETIME_MS = 15 * 60_000;

/**
 * Makes a link that signs in once, within 15 minutes, to the first account; on an empty server it creates that account.
 */
export async function createSignInLink(store: Store, clock: Clock, baseUrl: string): Promise<string> {
  const token = randomBytes(32).toString("base64url");
  const now = new Date(clock.now());
  const expiresAt = new Date(now.getTime() + LINK_LIFETIME_MS);
  await store.createSignInToken({ tokenHash: tokenHash(token), userId: null, returnTo: "/", expiresAt, now });
  return `${baseUrl}/sign-in?t=${token}`;
}

/**
 * The routes for signing in with a browser, on pages that need neither the dashboard nor scripts. GET only shows pages
 * (or leads to a provider). POST acts, and only from our own pages: otherwise an attacker could sign users in to an
 * account of the attacker's.
 */
export function signIn(deps: RouteDeps) {
  const { config, store, vault, clock, signInMail } = deps;
  const now = () => new Date(clock.now());
  const sessions = createBrowserSessions(deps);
  const identify = createIdentify(deps);
  const oidc = createOidcSignIn(deps);
  const tag = "account";

  async function requireLink(token: string) {
    const found = token === "" ? null : await store.findSignInToken(tokenHash(token), now());
    if (found) return found;
    throw new Failure("invalid_request", "This link was already used or has expired.", {
      fix: "Ask for a new one on the sign-in page, or restart `e2a serve`, which prints one.",
    });
  }

  async function waysIn(returnTo: string, wrong?: WaysIn["wrong"]): Promise<Response> {
    const isFirst = (await store.firstUser()) === null;
    const { isAvailable: emailLink } = signInMail;
    return waysInPage({ isFirst, providers: oidcProviders(config), emailLink, returnTo, ...(wrong ? { wrong } : {}) });
  }

  async function letIn(request: Request, exchange: Exchange, who: { user: UserRow; key?: ApiKeyRow }, to: string) {
    const { setCookie } = await sessions.open(request, exchange, who);
    return new Response(null, { status: 303, headers: { location: to, "set-cookie": setCookie } });
  }

  async function owner(email: string): Promise<UserRow> {
    const made = await createFirstOwner(store, vault, { email, name: "", now: now() });
    // Another link created the first account a moment earlier.
    return made ?? ((await store.firstUser()) as UserRow);
  }

  return openResource("")
    .get(
      "/api/auth/login",
      async ({ request, query, exchange }) => {
        const cli = cliOf(query.cli_callback, query.cli_state);
        const returnTo = cli ? signInPath({ cli }) : localPath(query.return_to ?? "/");
        if (returnTo === null)
          throw invalid([{ field: "return_to", message: "must be a path of this server, such as /agents" }]);
        const signedIn = await sessions.of(request);
        if (signedIn && cli) return confirmPage(signedIn.user.email, cli);
        if (signedIn) return new Response(null, { status: 303, headers: { location: returnTo } });
        if (query.provider) return oidc.leave(exchange, query.provider, returnTo);
        return waysIn(returnTo);
      },
      {
        query: query(
          {
            provider: Type.Optional(
              choice(["google", "oidc"], { description: "Redirects to this provider at once, if it is configured." }),
            ),
            return_to: Type.Optional(text({ max: 2_000, description: "A path of this server, for afterwards." })),
            cli_callback: Type.Optional(
              text({ max: 256, description: "Where a command line waits for a key: http on this computer itself." }),
            ),
            cli_state: Type.Optional(
              text({ max: 256, description: "Goes with `cli_callback`, and comes back to it." }),
            ),
          },
          // Links on other sites lead here, and those sites add tracking parameters.
          { others: "ignored" },
        ),
        ...operation({
          id: "signIn",
          tag,
          summary: "Sign in with a browser",
          description:
            "A page with every way to sign in. With `cli_callback` the browser, once the user has signed in and agreed, posts a " +
            "form with `cli_state`, `api_key` and `agent_email` there.",
          public: true,
          produces: { status: 200, description: "The page", type: "text/html" },
          pages: {
            400: "The callback or return path is not allowed.",
            429: "Too many attempts.",
            503: "The provider does not answer.",
          },
        }),
      },
    )
    .get(
      callbackPaths.google,
      ({ request, exchange }) => oidc.comeBack(request, exchange, "google"),
      comingBack("finishGoogleSignIn", "Come back from Google"),
    )
    .get(
      callbackPaths.oidc,
      ({ request, exchange }) => oidc.comeBack(request, exchange, "oidc"),
      comingBack("finishOidcSignIn", "Return from the OpenID provider"),
    )
    .get("/sign-in", async ({ exchange }) => {
      const token = exchange.url.searchParams.get("t") ?? "";
      const { user } = await requireLink(token);
      return linkPage(token, user?.email ?? null);
    })
    .post("/sign-in", async ({ request, exchange }) => {
      requireOwnOrigin(request, config.http.publicUrl);
      await sessions.attempt(exchange);
      const form = formOf(exchange.body);
      const token = form.get("t") ?? "";
      const email = (form.get("email") ?? "").trim();
      const { user } = await requireLink(token);
      // Checked before the link is used up, so that the link survives a typing mistake.
      if (!user && !emailPattern.test(email)) return emailPage(token, email);
      const used = await store.useSignInToken(tokenHash(token), now());
      if (!used)
        throw new Failure("conflict", "This link was used a moment ago.", { fix: "Continue where you opened it." });
      return letIn(request, exchange, { user: used.user ?? (await owner(email)) }, used.returnTo);
    })
    .post("/sign-in/email", async ({ request, exchange }) => {
      requireOwnOrigin(request, config.http.publicUrl);
      await sessions.attempt(exchange);
      const form = formOf(exchange.body);
      const [email, returnTo] = [(form.get("email") ?? "").trim(), localPath(form.get("return_to") ?? "") ?? "/"];
      if (!emailPattern.test(email))
        return waysIn(returnTo, { form: "email", message: "This is not an email address.", status: 400 });
      signInMail.ask({ email, returnTo, clientIp: exchange.clientIp });
      return mailedPage(email);
    })
    .post("/sign-in/key", async ({ request, exchange }) => {
      requireOwnOrigin(request, config.http.publicUrl);
      await sessions.attempt(exchange);
      const form = formOf(exchange.body);
      const returnTo = localPath(form.get("return_to") ?? "") ?? "/";
      try {
        const who = await identify.keyHolder((form.get("api_key") ?? "").trim(), exchange.clientIp);
        requireWholeAccount(who.key);
        return await letIn(request, exchange, who, returnTo);
      } catch (error) {
        const { code, message, http } = asFailure(error);
        if (code !== "unauthenticated" && code !== "forbidden") throw error;
        return waysIn(returnTo, { form: "key", message, status: http.status });
      }
    })
    .post("/sign-in/cli", async ({ request, exchange }) => {
      requireOwnOrigin(request, config.http.publicUrl);
      await sessions.attempt(exchange);
      const form = formOf(exchange.body);
      const cli = cliOf(form.get("cli_callback") ?? "", form.get("cli_state") ?? "");
      if (!cli) throw invalid([{ field: "cli_callback", message: "is required" }]);
      const { user } = await sessions.require(request);
      const agents = await store.listAgents(user.id);
      const { key } = await issueKey(store, {
        userId: user.id,
        name: "Command line (e2a login)",
        scope: "account",
        agentId: null,
        expiresAt: null,
        now: now(),
      });
      return handOverPage(cli, key, agents.at(-1)?.id ?? "");
    });
}

/** The command line that waits for a key; undefined if none does. Failure `invalid_request` if it is incomplete. */
function cliOf(callback: string | undefined, state: string | undefined): CliCallback | undefined {
  if (!callback && !state) return undefined;
  const url = loopbackUrl(callback ?? "");
  const wrong = [
    ...(url
      ? []
      : [
          {
            field: "cli_callback",
            message: "must be an http:// address on this computer, such as http://127.0.0.1:49152/",
          },
        ]),
    ...(isCliState(state ?? "")
      ? []
      : [{ field: "cli_state", message: "must be 1 to 256 printable characters without spaces" }]),
  ];
  if (!url || wrong.length > 0) throw invalid(wrong, "Run `e2a login` again.");
  return { url, state: state ?? "" };
}

/** The documentation of the paths to which providers send browsers back. */
function comingBack(id: string, summary: string) {
  return operation({
    id,
    tag: "account",
    summary,
    public: true,
    description: "Where the provider sends the browser; it goes on to where the sign-in began.",
    produces: { status: 303, description: "Signed in", type: "text/html" },
    pages: {
      403: "Not signed in: the page says why.",
      404: "The provider is not configured.",
      503: "It does not answer.",
    },
  });
}

function formOf(body: Uint8Array): URLSearchParams {
  return new URLSearchParams(new TextDecoder().decode(body));
}
