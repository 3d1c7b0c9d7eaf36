import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import Provider from "oidc-provider";

/** A person who signs in at the provider, as the provider describes them. */
export interface Person {
  email?: string;
  email_verified?: boolean;
  name?: string;
}

export interface OidcProviderUnderTest extends AsyncDisposable {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** The person who signs in from now on, without interaction; null refuses every sign-in. */
  person: Person | null;
}

const key = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "jwk" });

/**
 * Starts a real OpenID provider on loopback that redirects to `redirectUris()`. The ID token contains claims only if
 * `claimsInIdToken`; otherwise, as in the standard, only the userinfo endpoint has them.
 */
export async function startOidcProvider(options: {
  redirectUris: () => string[];
  claimsInIdToken?: boolean;
  authMethod?: "client_secret_basic" | "client_secret_post";
  /** Default: a free port. */
  port?: number;
}): Promise<OidcProviderUnderTest> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, "127.0.0.1", resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const [clientId, clientSecret] = ["e2a", "a-secret with+odd/characters%that-is-long"];
  const people = new Map<string, Person>();
  const client = {
    ...{ client_id: clientId, client_secret: clientSecret, redirect_uris: [] as string[] },
    token_endpoint_auth_method: options.authMethod ?? "client_secret_basic",
  };

  let provider: Provider | undefined;
  const it = { issuer, clientId, clientSecret, person: {} as Person | null };
  // Made on the first request, because only then does the application have an address to return to.
  const start = () =>
    new Provider(issuer, {
      clients: [{ ...client, redirect_uris: options.redirectUris() }],
      clientAuthMethods: [client.token_endpoint_auth_method],
      claims: { email: ["email", "email_verified"], profile: ["name"] },
      conformIdTokenClaims: !options.claimsInIdToken,
      cookies: { keys: ["a key for cookies of tests"] },
      jwks: { keys: [{ ...key, use: "sig", alg: "RS256", kid: "one" }] },
      features: { devInteractions: { enabled: false } },
      interactions: { url: () => "/interaction" },
      pkce: { required: () => true },
      ttl: { AccessToken: 600, Grant: 600, IdToken: 600, Interaction: 600, Session: 600 },
      findAccount: (_ctx: unknown, id: string) => ({
        accountId: id,
        claims: () => ({ sub: id, ...people.get(id) }),
      }),
      // Skips the consent page.
      async loadExistingGrant(ctx: { oidc: { client: { clientId: string }; session: { accountId: string } } }) {
        const made = provider as Provider;
        const grant = new made.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
        grant.addOIDCScope("openid email profile");
        await grant.save();
        return grant;
      },
    });

  server.on("request", async (request, response) => {
    provider ??= start();
    if (!request.url?.startsWith("/interaction")) return provider.callback()(request, response);
    if (!it.person) return provider.interactionFinished(request, response, { error: "access_denied" });
    const accountId = `person-${people.size}`;
    people.set(accountId, it.person);
    await provider.interactionFinished(request, response, { login: { accountId } });
  });

  return Object.assign(it, {
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}
