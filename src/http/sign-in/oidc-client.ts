import type { ClientAuth, Configuration, CustomFetchOptions } from "openid-client";
import type { Config } from "../../config.ts";
import type { Clock } from "../../util/clock.ts";
import { Failure } from "../../util/errors.ts";

/** How long a provider's metadata and keys are kept. They change rarely, and a change is noticed without a restart. */
const METADATA_KEPT_MS = 3_600_000;
/** How long one request to a provider may take; the user is waiting. */
const REQUEST_SECONDS_MAX = 10;
/** Limit for a provider's metadata, keys and claims; real answers have a few kilobytes. */
const ANSWER_BYTES_MAX = 1024 * 1024;

/** Google's issuer, whichever setting of the configuration names it. */
export const googleIssuer = "https://accounts.google.com";

export type ProviderId = "google" | "oidc";

/** An OpenID provider that users may sign in with. */
export interface OidcProvider {
  readonly id: ProviderId;
  /** The name that users see: the button says "Continue with <name>". */
  readonly name: string;
  readonly issuer: string;
  readonly clientId: string;
  /** Null for a public client, which only PKCE protects. */
  readonly clientSecret: string | null;
}

/** The values to remember while the browser is at the provider, all of them secret. */
export interface OidcMemory {
  state: string;
  nonce: string;
  verifier: string;
  redirectUri: string;
}

/** The user that the provider says it has signed in. */
export interface OidcPerson {
  /** Lower-cased; "" if the provider does not give it. */
  email: string;
  emailVerified: boolean;
  name: string;
  /** The organisation of a Google account (`hd`); null for all others. */
  hostedDomain: string | null;
}

/** Sends browsers to one provider, and reads the answers that they bring back. */
export interface OidcClient {
  readonly provider: OidcProvider;
  /** Returns where to send the browser, and what to remember. Failure `unavailable` if the provider does not answer. */
  begin(redirectUri: string): Promise<{ url: URL; memory: OidcMemory }>;
  /**
   * Returns the user who came back. `answer` is the query with which the provider sent the browser here. Failures:
   * `forbidden` if it is not a valid answer to this request, or the user declined; `unavailable`.
   */
  finish(answer: URLSearchParams, memory: OidcMemory): Promise<OidcPerson>;
}

/** The configured providers. Google is treated like any other. */
export function oidcProviders({ oauth }: Config): OidcProvider[] {
  const { googleClientId, googleClientSecret, oidcIssuer, oidcClientId, oidcClientSecret, oidcName } = oauth;
  const google = { id: "google", name: "Google", issuer: googleIssuer } as const;
  return [
    ...(googleClientId !== null ? [{ ...google, clientId: googleClientId, clientSecret: googleClientSecret }] : []),
    ...(oidcIssuer !== null && oidcClientId !== null
      ? [
          {
            id: "oidc" as const,
            name: oidcName,
            issuer: oidcIssuer,
            clientId: oidcClientId,
            clientSecret: oidcClientSecret,
          },
        ]
      : []),
  ];
}

/**
 * Creates a client for the authorization code flow (OpenID Connect Core 1.0 3.1) with PKCE, state and nonce.
 * openid-client checks everything that comes back: issuer (RFC 9207), state, nonce, audience, times, and the signature
 * of the ID token.
 */
export function createOidcClient(provider: OidcProvider, clock: Clock): OidcClient {
  let found: { at: number; configuration: Promise<Configuration> } | undefined;

  function configuration(): Promise<Configuration> {
    if (!found || clock.elapsed() - found.at >= METADATA_KEPT_MS) {
      const one = { at: clock.elapsed(), configuration: discover(provider) };
      found = one;
      // A failed discovery is repeated next time.
      one.configuration.catch(() => {
        if (found === one) found = undefined;
      });
    }
    return found.configuration;
  }

  return {
    provider,
    async begin(redirectUri) {
      const client = await import("openid-client");
      const memory: OidcMemory = {
        state: client.randomState(),
        nonce: client.randomNonce(),
        verifier: client.randomPKCECodeVerifier(),
        redirectUri,
      };
      const url = client.buildAuthorizationUrl(await configuration(), {
        redirect_uri: redirectUri,
        scope: "openid email profile",
        state: memory.state,
        nonce: memory.nonce,
        code_challenge: await client.calculatePKCECodeChallenge(memory.verifier),
        code_challenge_method: "S256",
      });
      return { url, memory };
    },
    async finish(answer, memory) {
      const client = await import("openid-client");
      const known = await configuration();
      // The URL as the browser sees it, which behind a proxy differs from the request's.
      const url = new URL(memory.redirectUri);
      url.search = answer.toString();
      try {
        const tokens = await client.authorizationCodeGrant(known, url, {
          expectedState: memory.state,
          expectedNonce: memory.nonce,
          pkceCodeVerifier: memory.verifier,
          idTokenExpected: true,
        });
        const claims: Record<string, unknown> = { ...tokens.claims() };
        if (claims.email !== undefined) return personOf(claims);
        // Not every provider puts the address into the ID token (OpenID Connect Core 5.4). The token's `email_verified`
        // is then not about the address from the UserInfo endpoint.
        const { email_verified: _, ...others } = claims;
        return personOf({
          ...others,
          ...(await client.fetchUserInfo(known, tokens.access_token, String(claims.sub))),
        });
      } catch (error) {
        throw refusal(provider, error);
      }
    },
  };
}

async function discover({ issuer, clientId, clientSecret, name }: OidcProvider): Promise<Configuration> {
  const client = await import("openid-client");
  const server = new URL(issuer);
  // The configuration allows http only for a server on this machine.
  const insecure = server.protocol === "http:" ? [client.allowInsecureRequests] : [];
  // The default authentication of a registered client (OpenID Connect Registration 2), if the provider supports it.
  const withSecret = (secret: string): ClientAuth => {
    const [basic, post] = [client.ClientSecretBasic(secret), client.ClientSecretPost(secret)];
    return (as, ...rest) =>
      (as.token_endpoint_auth_methods_supported?.includes("client_secret_basic") === false ? post : basic)(as, ...rest);
  };
  try {
    return await client.discovery(
      server,
      clientId,
      undefined,
      clientSecret === null ? client.None() : withSecret(clientSecret),
      {
        execute: [client.enableNonRepudiationChecks, ...insecure],
        timeout: REQUEST_SECONDS_MAX,
        [client.customFetch]: boundedFetch,
      },
    );
  } catch (error) {
    throw unreachable(name, error);
  }
}

/** Fetches a whole answer of limited size. Throws TypeError if it is too large, as for an answer that does not come. */
async function boundedFetch(url: string, init: CustomFetchOptions): Promise<Response> {
  const { body, status, headers } = await fetch(url, init as RequestInit);
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > ANSWER_BYTES_MAX) throw new TypeError(`the answer has more than ${ANSWER_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return new Response(chunks.length > 0 ? Buffer.concat(chunks) : null, { status, headers });
}

function unreachable(name: string, error: unknown): Failure {
  return new Failure("unavailable", `${name} cannot be used for signing in right now.`, {
    fix: "Try again shortly, or sign in another way.",
    cause: inShort(error),
    retryAfterSeconds: 10,
  });
}

/**
 * The failure to show for an unsuccessful return. The provider's own words go only to the log, because an attacker can
 * write the return URL.
 */
function refusal({ name }: OidcProvider, error: unknown): Failure {
  const cause = inShort(error);
  const { code, error: said } = error as { code?: unknown; error?: unknown };
  if (said === "access_denied")
    return new Failure("forbidden", `${name} did not sign you in: the request was declined there.`, {
      fix: "Try again, or sign in another way.",
      cause,
    });
  const isTheirs = error instanceof TypeError || ["OAUTH_TIMEOUT", "OAUTH_RESPONSE_IS_NOT_CONFORM"].includes(`${code}`);
  if (isTheirs) return unreachable(name, error);
  return new Failure("forbidden", `What came back from ${name} does not belong to this sign-in.`, {
    fix: "Start again; each sign-in works once.",
    cause,
  });
}

/** An error without the values that it quotes: codes and tokens are secrets. */
function inShort(error: unknown): Error {
  const { message, code, error: said, error_description: why } = error as Record<string, unknown>;
  const parts = [message, code, said, why].filter((part) => typeof part === "string" && part !== "");
  return new Error(parts.join(", ").slice(0, 500));
}

/** The address in lower case; "" if that makes a different address: the Kelvin sign becomes the letter k. */
function lowerCased(email: string): string {
  const lower = email.toLowerCase();
  const isAscii = (text: string) => !/[^\x00-\x7f]/.test(text);
  return isAscii(lower) === isAscii(email) ? lower : "";
}

function personOf(claims: Record<string, unknown>): OidcPerson {
  const text = (name: string) => (typeof claims[name] === "string" ? (claims[name] as string).trim() : "");
  return {
    email: lowerCased(text("email")),
    // Only the JSON value true counts: a provider that omits the claim has verified nothing.
    emailVerified: claims.email_verified === true,
    name: text("name"),
    hostedDomain: text("hd").toLowerCase() || null,
  };
}
