import { createFirstOwner, createOwner, emailPattern } from "../../accounts.ts";
import type { Config } from "../../config.ts";
import { splitAddress } from "../../mail.ts";
import type { UserRow } from "../../store/schema.ts";
import { asFailure, Failure } from "../../util/errors.ts";
import { cookie } from "../framework/identity.ts";
import type { Exchange, RouteDeps } from "../framework/resource.ts";
import {
  createOidcClient,
  googleIssuer,
  type OidcClient,
  type OidcMemory,
  type OidcPerson,
  type OidcProvider,
  oidcProviders,
  type ProviderId,
} from "./oidc-client.ts";
import { refusedPage } from "./pages.ts";
import { signInPath } from "./return-to.ts";
import { createBrowserSessions } from "./session.ts";
import { cookieHeader } from "./session-cookie.ts";

/** How long a user may take at the provider: enough to look for a phone. */
const AWAY_MS = 10 * 60_000;
/** Keeps the sealed `Memory` meanwhile. It is a cookie, so that only the browser that left can come back. */
const memoryCookie = "e2a_sign_in";
const memoryPath = "/api/auth";

/** The paths to which each provider sends browsers back. */
export const callbackPaths = {
  google: "/api/auth/callback",
  oidc: "/api/auth/callback/oidc",
} as const satisfies Record<ProviderId, string>;

interface Memory extends OidcMemory {
  provider: ProviderId;
  returnTo: string;
  until: number;
}

/** Creates the sign-in at an OpenID provider: to the provider, and back. */
export function createOidcSignIn(deps: RouteDeps) {
  const { config, vault, clock, log } = deps;
  const sessions = createBrowserSessions(deps);
  const clients = new Map(oidcProviders(config).map((one) => [one.id, createOidcClient(one, clock)]));
  const memoryHeader = (value: string | null) =>
    cookieHeader(config, { name: memoryCookie, value, path: memoryPath, lifetimeMs: AWAY_MS });

  function clientOf(provider: ProviderId): OidcClient {
    const client = clients.get(provider);
    if (client) return client;
    throw new Failure("not_found", "This server does not offer that way of signing in.", {
      fix: "GET /api/auth/methods lists those it knows; oauth.* in its configuration adds more.",
    });
  }

  function redirectUri(provider: ProviderId, exchange: Exchange): string {
    if (provider === "google" && config.oauth.redirectUrl) return config.oauth.redirectUrl;
    // A forged Host is harmless: the provider redirects only to registered addresses.
    return (config.http.publicUrl ?? exchange.url.origin) + callbackPaths[provider];
  }

  function remembered(request: Request, provider: ProviderId): Memory | null {
    try {
      const sealed = Buffer.from(cookie(request, memoryCookie) ?? "", "base64url");
      const memory = JSON.parse(vault.openText(sealed, memoryCookie)) as Memory;
      return memory.provider === provider && memory.until > clock.now() ? memory : null;
    } catch {
      return null;
    }
  }

  return {
    /** Sends the browser to the provider. Failures: `not_found`, `rate_limited`, `unavailable`. */
    async leave(exchange: Exchange, provider: ProviderId, returnTo: string): Promise<Response> {
      const client = clientOf(provider);
      if (exchange.method === "HEAD") return new Response(null);
      await sessions.attempt(exchange);
      const { url, memory } = await client.begin(redirectUri(provider, exchange));
      const whole: Memory = { ...memory, provider, returnTo, until: clock.now() + AWAY_MS };
      const sealed = Buffer.from(vault.seal(JSON.stringify(whole), memoryCookie)).toString("base64url");
      return new Response(null, { status: 303, headers: { location: url.href, "set-cookie": memoryHeader(sealed) } });
    },

    /** Signs in the user whom the provider sent back. Errors become a page with a link to start again. */
    async comeBack(request: Request, exchange: Exchange, provider: ProviderId): Promise<Response> {
      const client = clientOf(provider);
      // The provider's code works once, and HEAD changes nothing (RFC 9110 9.2.1).
      if (exchange.method === "HEAD") return new Response(null);
      await sessions.attempt(exchange);
      const memory = remembered(request, provider);
      const forget = ["set-cookie", memoryHeader(null)] as const;
      try {
        if (!memory)
          throw new Failure("forbidden", "This sign-in was not started in this browser, or was started too long ago.", {
            fix: `Start again; you have ${AWAY_MS / 60_000} minutes for it.`,
          });
        const person = await client.finish(exchange.url.searchParams, memory);
        const user = await accountOf(deps, person, client.provider);
        const { setCookie } = await sessions.open(request, exchange, { user });
        const response = new Response(null, { status: 303, headers: { location: memory.returnTo } });
        response.headers.append(...forget);
        response.headers.append("set-cookie", setCookie);
        return response;
      } catch (error) {
        const failure = asFailure(error);
        const why = failure.details.cause ?? failure;
        if (failure.code === "internal") log.error("sign_in.failed", { provider }, why);
        else log.warn("sign_in.refused", { provider, request: exchange.id }, why);
        const response = refusedPage(failure, signInPath({ returnTo: memory?.returnTo }));
        response.headers.append(...forget);
        return response;
      }
    },
  };
}

/** Finds or creates the account of a user with a verified address. Failure `forbidden` if the user may not have one. */
export async function accountOf(
  { config, store, vault, clock }: Pick<RouteDeps, "config" | "store" | "vault" | "clock">,
  person: OidcPerson,
  provider: Pick<OidcProvider, "id" | "name" | "issuer">,
): Promise<UserRow> {
  const { email, name } = person;
  const verifier = provider.issuer === googleIssuer ? "google" : provider.id;
  if (!emailPattern.test(email) || !person.emailVerified)
    throw new Failure("forbidden", `${provider.name} does not say that ${email || "your address"} is verified.`, {
      fix: "Verify it there, or sign in another way.",
    });
  if (!isCurrent(person, verifier, config.oauth))
    throw new Failure(
      "forbidden",
      `${provider.name} does not host ${splitAddress(email)?.domain}: ${email} may belong to someone else by now.`,
      {
        fix: "Sign in another way, or have the server's operator add the address to oauth.allowed_emails.",
      },
    );
  const known = await store.findUserByEmail(email);
  if (known) return known;
  const owner = { email, name, now: new Date(clock.now()) };
  const { allowedEmails, allowedDomains } = config.oauth;
  if (mayJoin(person, verifier, config.oauth)) return createOwner(store, vault, owner);
  const isOpen = allowedEmails.length === 0 && allowedDomains.length === 0;
  const first = isOpen ? await createFirstOwner(store, vault, owner) : null;
  if (first) return first;
  throw new Failure("forbidden", `There is no account for ${email} on this server.`, {
    fix: `Its operator makes one with "e2a bootstrap --email ${email}", or lets you in with oauth.allowed_emails.`,
  });
}

/**
 * Whether a verified address still belongs to the user; checked at each sign-in. Google also verifies addresses at
 * domains that it does not host, and keeps them verified after their owner has left. For those, only an account of the
 * domain itself counts, or an address that the operator allows.
 */
function isCurrent(
  { email, hostedDomain }: Pick<OidcPerson, "email" | "hostedDomain">,
  provider: ProviderId,
  { allowedEmails }: Pick<Config["oauth"], "allowedEmails">,
): boolean {
  const domain = splitAddress(email)?.domain ?? "";
  return provider !== "google" || domain === "gmail.com" || hostedDomain === domain || allowedEmails.includes(email);
}

/** Whether a user without an account may create one. */
export function mayJoin(
  person: Pick<OidcPerson, "email" | "hostedDomain">,
  provider: ProviderId,
  { allowedEmails, allowedDomains }: Pick<Config["oauth"], "allowedEmails" | "allowedDomains">,
): boolean {
  if (allowedEmails.includes(person.email)) return true;
  const domain = splitAddress(person.email)?.domain ?? "";
  return isCurrent(person, provider, { allowedEmails }) && allowedDomains.includes(domain);
}
