import { type Static, Type } from "@sinclair/typebox";
import { emailPattern, tokenHash } from "../../accounts.ts";
import { Failure } from "../../util/errors.ts";
import { SignedInBrowser } from "../../wire/session.ts";
import { nullable } from "../../wire/words.ts";
import { cookie, createIdentify, requireOwnOrigin, sessionCookie } from "../framework/identity.ts";
import { answer, body, invalid, text } from "../framework/input.ts";
import { operation } from "../framework/openapi.ts";
import { openResource, type RouteDeps } from "../framework/resource.ts";
import { userOnWire } from "../resources/account/user-wire.ts";
import { oidcProviders } from "./oidc-client.ts";
import { localPath } from "./return-to.ts";
import { createBrowserSessions, requireWholeAccount, type SignedIn } from "./session.ts";
import { sessionCookieHeader } from "./session-cookie.ts";

/** The routes by which the dashboard signs a browser in and out by script. Only our own pages may use them. */
export function authApi(deps: RouteDeps) {
  const { config, store, signInMail } = deps;
  const sessions = createBrowserSessions(deps);
  const identify = createIdentify(deps);
  const tag = "account";

  return openResource("/api/auth")
    .get(
      "/methods",
      async () => {
        const providers = oidcProviders(config);
        const oidc = providers.find(({ id }) => id === "oidc");
        return {
          first_account: (await store.firstUser()) === null,
          google: providers.some(({ id }) => id === "google"),
          oidc: oidc ? { name: oidc.name } : null,
          email_link: signInMail.isAvailable,
        };
      },
      {
        response: {
          200: answer(
            Type.Object({
              first_account: Type.Boolean({
                description: "There is no account yet; the first person to sign in creates it.",
              }),
              google: Type.Boolean(),
              oidc: nullable(Type.Object({ name: Type.String() }), "The other OpenID provider, and what it is called."),
              email_link: Type.Boolean({
                description: "Whether a sign-in link can be mailed. A key and the console's link always work.",
              }),
            }),
          ),
        },
        ...operation({ id: "getSignInMethods", tag, summary: "List the ways to sign in", public: true }),
      },
    )
    .get("/me", async ({ request }) => onWire(await sessions.require(request)), {
      response: { 200: answer(SignedInBrowser) },
      ...operation({
        id: "getSession",
        tag,
        summary: "Get the account that this browser is signed in to",
        public: true,
        failures: ["unauthenticated"],
      }),
    })
    .post(
      "/key",
      async ({ request, exchange, body, set }) => {
        requireOwnOrigin(request, config.http.publicUrl);
        await sessions.attempt(exchange);
        const { key, user } = await identify.keyHolder(body.api_key.trim(), exchange.clientIp);
        requireWholeAccount(key);
        const { session, setCookie } = await sessions.open(request, exchange, { user, key });
        set.headers["set-cookie"] = setCookie;
        return onWire({ session, user });
      },
      {
        body: body({
          api_key: text({ max: 200, description: "A key of the account; one of an agent is not enough." }),
        }),
        response: { 200: answer(SignedInBrowser) },
        ...operation({
          id: "signInWithKey",
          tag,
          summary: "Sign this browser in with an API key",
          description: "Sets the session cookie. The session ends with the key.",
          public: true,
          failures: ["unauthenticated", "forbidden", "rate_limited"],
          example: { api_key: "e2a_…" },
        }),
      },
    )
    .post(
      "/email",
      async ({ request, exchange, body, status }) => {
        requireOwnOrigin(request, config.http.publicUrl);
        await sessions.attempt(exchange);
        const email = body.email.trim();
        const returnTo = localPath(body.return_to ?? "/");
        const wrong = [
          ...(emailPattern.test(email) ? [] : [{ field: "email", message: "must be an email address" }]),
          ...(returnTo === null ? [{ field: "return_to", message: "must be a path of this server" }] : []),
        ];
        if (returnTo === null || wrong.length > 0) throw invalid(wrong);
        if (!signInMail.isAvailable)
          throw new Failure("upstream_not_configured", "This server sends no mail to the outside.", {
            fix: "Sign in another way; GET /api/auth/methods lists them.",
          });
        signInMail.ask({ email, returnTo, clientIp: exchange.clientIp });
        return status(202, { status: "accepted" as const });
      },
      {
        body: body({
          email: text({ max: 254 }),
          return_to: Type.Optional(text({ max: 2_000, description: "A path of this server, for afterwards." })),
        }),
        response: { 202: answer(Type.Object({ status: Type.Literal("accepted") })) },
        ...operation({
          id: "mailSignInLink",
          tag,
          summary: "Mail a link that signs in",
          description:
            "Sent to the account of this address, if there is one; the answer does not reveal whether there is. The link works once, for 15 minutes.",
          public: true,
          failures: ["forbidden", "rate_limited", "upstream_not_configured"],
          example: { email: "you@example.com" },
        }),
      },
    )
    .post(
      "/logout",
      async ({ request }) => {
        const token = cookie(request, sessionCookie);
        if (token) {
          requireOwnOrigin(request, config.http.publicUrl);
          await store.endSession(tokenHash(token));
        }
        return new Response(null, { status: 204, headers: { "set-cookie": sessionCookieHeader(config, null) } });
      },
      operation({
        id: "logOut",
        tag,
        summary: "End this browser's session",
        public: true,
        failures: ["forbidden"],
        produces: { status: 204, description: "Signed out" },
      }),
    );
}

function onWire({ session, user }: SignedIn): Static<typeof SignedInBrowser> {
  const { id, createdAt, expiresAt } = session;
  return {
    user: userOnWire(user),
    session: { id, created_at: createdAt.toISOString(), expires_at: expiresAt.toISOString() },
  };
}
