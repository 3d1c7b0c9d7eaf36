import { expect, test } from "bun:test";
import { join } from "node:path";
import { Browser, type Page } from "../../../test/browser/browser.ts";
import { startTestApp, type TestApp, type TestAppOptions } from "../../../test/support/app.ts";
import { type Bare, bareApp } from "../../../test/support/bare-app.ts";
import { type OidcProviderUnderTest, startOidcProvider } from "../../../test/support/identity-provider.ts";
import { startScriptedProvider } from "../../../test/support/scripted-provider.ts";
import { createOwner } from "../../accounts.ts";
import { systemClock, TestClock } from "../../util/clock.ts";
import type { Failure } from "../../util/errors.ts";
import { createLog } from "../../util/log.ts";
import { createVault, loadOrCreateKeyFile } from "../../vault.ts";
import { oidcProviders } from "./oidc-client.ts";
import { accountOf, mayJoin } from "./oidc-flow.ts";

const ann = { email: "Ann@example.com", email_verified: true, name: "Ann" };
const owner = { email: "owner@example.net", email_verified: true };

interface World<A> extends AsyncDisposable {
  it: A;
  provider: OidcProviderUnderTest;
  browser: Browser;
  origin: string;
  /** Goes to the provider and back, stopping at the first URL that `until` accepts. */
  signIn(until?: (url: string) => boolean): Promise<Page>;
  /** The account that the browser is signed in to. */
  who(): Promise<string | null>;
}

type ProviderOptions = Partial<Parameters<typeof startOidcProvider>[0]>;

async function world<A extends TestApp | Bare>(
  open: (options: TestAppOptions) => Promise<A>,
  { set, seams }: TestAppOptions = {},
  options: ProviderOptions = {},
): Promise<World<A>> {
  let origin = "";
  const redirectUris = () => [`${origin}/api/auth/callback/oidc`];
  const provider = await startOidcProvider({ redirectUris, ...options });
  const config = {
    "oauth.oidc_issuer": provider.issuer,
    "oauth.oidc_client_id": provider.clientId,
    "oauth.oidc_client_secret": provider.clientSecret,
    "oauth.oidc_name": "Example ID",
    "limits.sign_ins_per_minute": 1_000,
    ...set,
  };
  const it = await open({ set: config, ...(seams ? { seams } : {}) });
  origin = it.app.httpUrl;
  const browser = new Browser();
  return {
    ...{ it, provider, browser, origin },
    signIn: async (until) => {
      const url = `${origin}/api/auth/login?provider=oidc&return_to=/agents`;
      return browser.open(url, until);
    },
    async who() {
      const response = await browser.request(`${origin}/api/auth/me`);
      const { user } = (await response.json()) as { user?: { email: string } };
      return user?.email ?? null;
    },
    async [Symbol.asyncDispose]() {
      await it[Symbol.asyncDispose]();
      await provider[Symbol.asyncDispose]();
    },
  };
}

const isCallback = (url: string) => url.includes("/api/auth/callback");

for (const options of [
  { claimsInIdToken: true, authMethod: "client_secret_basic" },
  { claimsInIdToken: false, authMethod: "client_secret_post" },
] satisfies ProviderOptions[])
  test(`the provider's verified address opens its account (${options.authMethod})`, async () => {
    await using w = await world(startTestApp, {}, options);
    w.provider.person = { ...owner, email: "OWNER@example.net" };
    const page = await w.browser.open(`${w.origin}/api/auth/login?return_to=/agents`);
    const there = await w.browser.click(page, "Continue with Example ID");
    expect(there.url).toBe(`${w.origin}/agents`);
    expect(await w.who()).toBe("owner@example.net");
    // The memory for the trip to the provider is deleted.
    expect(w.browser.cookies(w.origin)).toMatch(/^e2a_session=[\w-]+$/);
  });

test("a command line that waits is still there after the provider, and after a link by mail", async () => {
  await using w = await world(startTestApp);
  w.provider.person = owner;
  const waiting = new URLSearchParams({ cli_callback: "http://127.0.0.1:1/cb?a=b&c", cli_state: "its-own" });
  const asked = "Give the command line on this computer access as owner@example.net?";
  const page = await w.browser.open(`${w.origin}/api/auth/login?${waiting}`);
  const confirm = await w.browser.click(page, "Continue with Example ID");
  expect(confirm.text).toContain(asked);
  expect(confirm.forms[0]?.fields).toEqual(Object.fromEntries(waiting));

  const other = new Browser();
  await other.submit(await other.open(`${w.origin}/api/auth/login?${waiting}`), "/email", { email: owner.email });
  await w.it.app.drain();
  const [mail] = await w.it.app.store.listOutbound(w.it.userId, { type: "notice" }, { limit: 1 });
  const link = /^http\S+$/m.exec(mail?.message.content.text ?? "")?.[0] ?? "";
  expect((await other.submit(await other.open(link), "/sign-in")).text).toContain(asked);
});

test("an address that only lower-casing makes the owner's opens nothing", async () => {
  await using w = await world(bareApp);
  w.provider.person = { email: "kim@example.com", email_verified: true };
  await w.signIn();
  expect(await w.who()).toBe("kim@example.com");
  w.provider.person = { email: "\u212aim@example.com", email_verified: true };
  const other = new Browser();
  await other.open(`${w.origin}/api/auth/login?provider=oidc&return_to=/agents`);
  const response = await other.request(`${w.origin}/api/auth/me`);
  expect(((await response.json()) as { user?: unknown }).user).toBeUndefined();
});

test("on an empty server the first who comes owns it, and nobody comes after", async () => {
  await using w = await world(bareApp);
  const methods = await (await fetch(`${w.origin}/api/auth/methods`)).json();
  expect(methods).toEqual({ first_account: true, google: false, oidc: { name: "Example ID" }, email_link: true });
  w.provider.person = ann;
  await w.signIn();
  expect(await w.who()).toBe("ann@example.com");
  const user = await w.it.app.store.firstUser();
  expect(user).toMatchObject({ email: "ann@example.com", name: "Ann" });
  expect(await w.it.app.store.listSecrets(user?.id ?? "")).toHaveLength(1);

  w.provider.person = { email: "eve@example.com", email_verified: true };
  const browser = new Browser();
  const page = await browser.open(`${w.origin}/api/auth/login?provider=oidc`);
  expect([page.status, page.text]).toEqual([403, expect.stringContaining("no account for eve@example.com")]);
  expect(await w.it.app.store.findUserByEmail("eve@example.com")).toBeNull();
});

test("addresses and domains on the lists may make an account, also as the first; nobody else", async () => {
  const set = { "oauth.allowed_emails": "ann@example.com", "oauth.allowed_domains": "example.org" };
  await using w = await world(bareApp, { set });
  const cases: [email: string, status: number][] = [
    ["eve@example.com", 403],
    ["bob@sub.example.org", 403],
    ["ann@example.com", 200],
    ["bob@example.org", 200],
    ["bob@example.org", 200],
    ["eve@example.net", 403],
  ];
  for (const [email, status] of cases) {
    w.provider.person = { email, email_verified: true };
    const page = await new Browser().open(`${w.origin}/api/auth/login?provider=oidc`);
    expect([email, page.status]).toEqual([email, status]);
  }
  expect((await w.it.app.store.firstUser())?.email).toBe("ann@example.com");
});

test("an address that is not verified, or none, opens nothing", async () => {
  await using w = await world(startTestApp);
  for (const person of [{ ...owner, email_verified: false }, { email: owner.email }, { email_verified: true }]) {
    w.provider.person = person;
    // A new browser each time: the provider remembers who is signed in to it.
    const browser = new Browser();
    const page = await browser.open(`${w.origin}/api/auth/login?provider=oidc`);
    expect([page.status, page.text]).toEqual([403, expect.stringContaining("is verified")]);
    expect(browser.cookies(w.origin)).toBe("");
  }
});

test("who says no at the provider, or does not come back in time, may begin again", async () => {
  const clock = new TestClock();
  await using w = await world(startTestApp, { seams: { clock } });
  w.provider.person = null;
  const refused = await w.signIn();
  expect([refused.status, refused.text]).toEqual([403, expect.stringContaining("declined there")]);
  w.provider.person = owner;
  const back = await w.signIn(isCallback);
  clock.advance(10 * 60_000 + 1);
  const late = await w.browser.open(back.url);
  expect([late.status, await w.who()]).toEqual([403, null]);
  const again = await w.browser.click(refused, "To the sign-in page");
  expect((await w.browser.click(again, "Continue with Example ID")).url).toBe(`${w.origin}/agents`);
});

test("an answer to another sign-in, or to none, opens nothing", async () => {
  await using w = await world(startTestApp);
  w.provider.person = owner;
  const first = await w.signIn(isCallback);
  // Another sign-in has started in this browser since; the stored state belongs to that one.
  await w.signIn((url) => url.startsWith(w.provider.issuer));
  expect((await w.browser.open(first.url)).status).toBe(403);
  // Another browser has not started a sign-in, so an attacker cannot sign users in to the attacker's account.
  const second = await w.signIn(isCallback);
  expect((await new Browser().open(second.url)).status).toBe(403);
  const forged = new Browser();
  forged.setCookie(w.origin, "e2a_sign_in", Buffer.from('{"provider":"oidc"}').toString("base64url"));
  expect((await forged.open(second.url)).status).toBe(403);

  // Nor does it help to plant one's own beside the one of the sign-in that the person has begun.
  const planted = /e2a_sign_in=[\w-]+/.exec(w.browser.cookies(w.origin))?.[0];
  const begun = new Browser();
  await begun.open(`${w.origin}/api/auth/login?provider=oidc`, (url) => url.startsWith(w.provider.issuer));
  const both = { headers: { cookie: `${planted}; ${begun.cookies(w.origin)}` }, redirect: "manual" } as const;
  expect((await fetch(second.url, both)).status).toBe(403);

  // A code works once, even for a browser that has kept everything else.
  const cookies = w.browser.cookies(w.origin);
  expect((await w.browser.open(second.url)).url).toBe(`${w.origin}/agents`);
  const kept = new Browser();
  kept.setCookie(w.origin, "e2a_sign_in", /e2a_sign_in=([\w-]+)/.exec(cookies)?.[1] ?? "");
  expect((await kept.open(second.url)).status).toBe(403);
  expect(kept.cookies(w.origin)).not.toContain("e2a_session");
});

test("an ID token for another nonce, and a code for another PKCE challenge, open nothing", async () => {
  await using w = await world(startTestApp);
  w.provider.person = owner;
  for (const [name, value] of [
    ["nonce", "another"],
    ["code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"],
  ] as const) {
    const away = new URL((await w.signIn((url) => url.startsWith(w.provider.issuer))).url);
    away.searchParams.set(name, value);
    const page = await w.browser.open(away.href);
    expect([name, page.status]).toEqual([name, 403]);
    expect(page.text).toContain("does not belong to this sign-in");
  }
  expect(await w.who()).toBeNull();
});

test("a provider that does not answer is a page that says so, and is asked again next time", async () => {
  await using w = await world(startTestApp);
  const { issuer } = w.provider;
  await w.provider[Symbol.asyncDispose]();
  const page = await w.signIn();
  expect([page.status, page.text]).toEqual([503, expect.stringContaining("Example ID cannot be used")]);
  const port = Number(new URL(issuer).port);
  const redirectUris = () => [`${w.origin}/api/auth/callback/oidc`];
  await using back = await startOidcProvider({ redirectUris, port });
  back.person = owner;
  expect((await w.signIn()).url).toBe(`${w.origin}/agents`);
});

/** A server whose provider answers what the test sets. */
async function scriptedWorld() {
  const provider = startScriptedProvider();
  const set = { "oauth.oidc_issuer": provider.issuer, "oauth.oidc_client_id": provider.clientId };
  const it = await startTestApp({ set: { ...set, "limits.sign_ins_per_minute": 1_000 } });
  const signIn = () => new Browser().open(`${it.app.httpUrl}/api/auth/login?provider=oidc&return_to=/agents`);
  return {
    ...{ it, provider, signIn },
    async [Symbol.asyncDispose]() {
      await it[Symbol.asyncDispose]();
      await provider[Symbol.asyncDispose]();
    },
  };
}

test("an address is verified by the document that names it, not by another one", async () => {
  await using w = await scriptedWorld();
  const { email } = owner;
  for (const [idToken, userInfo, isLetIn] of [
    [{ email, email_verified: true }, {}, true],
    [{}, { email, email_verified: true }, true],
    [{ email_verified: true }, { email }, false],
    [{ email }, { email_verified: true }, false],
  ] as const) {
    Object.assign(w.provider, { idToken, userInfo });
    const { url } = await w.signIn();
    expect([idToken, userInfo, url === `${w.it.app.httpUrl}/agents`]).toEqual([idToken, userInfo, isLetIn]);
  }
});

test.each(["/.well-known/openid-configuration", "/token", "/keys", "/me"])(
  "of an answer of the provider without end (%s) no more is read than there is in any",
  async (endless) => {
    await using w = await scriptedWorld();
    Object.assign(w.provider, { endless, userInfo: { ...owner } });
    const page = await w.signIn();
    expect([page.status, page.text]).toEqual([503, expect.stringContaining("cannot be used for signing in")]);
    // The difference is what the buffers between the two hold.
    expect(w.provider.taken()).toBeLessThan(32 * 1024 * 1024);
  },
);

test("a way that is not configured is not found", async () => {
  await using w = await world(startTestApp);
  const page = await w.browser.open(`${w.origin}/api/auth/login?provider=google`);
  expect(page.status).toBe(404);
  expect((await w.browser.open(`${w.origin}/api/auth/callback?code=x&state=y`)).status).toBe(404);
});

test("no secret of the way there and back is in the log", async () => {
  const lines: string[] = [];
  const log = createLog({ level: "debug", format: "json", stream: { write: (line) => lines.push(line) } });
  await using w = await world(startTestApp, { seams: { log } });
  w.provider.person = owner;
  const secrets: string[] = [w.provider.clientSecret];
  const note = (url: string) => {
    for (const [name, value] of new URL(url).searchParams)
      if (/^(code|state|nonce|code_challenge)$/.test(name)) secrets.push(value);
    return isCallback(url);
  };
  const back = await w.signIn(note);
  await w.browser.open(back.url);
  expect(await w.who()).toBe("owner@example.net");
  await w.browser.open(`${back.url}&again=1`);
  await w.signIn(note);
  const logged = lines.join("");
  expect(logged).toContain("sign_in.refused");
  expect(secrets.length).toBeGreaterThan(5);
  for (const secret of secrets) expect(logged).not.toContain(secret);
  expect(logged).not.toContain(w.browser.cookies(w.origin).split("=")[1] ?? "");
});

test("Google is a provider like the other, with its own way back", async () => {
  const set = {
    "oauth.google_client_id": "id.apps.googleusercontent.com",
    "oauth.google_client_secret": "GOCSPX-of-google",
  };
  await using it = await startTestApp({ set });
  expect(oidcProviders(it.app.config)).toEqual([
    {
      ...{ id: "google", name: "Google", issuer: "https://accounts.google.com" },
      ...{ clientId: set["oauth.google_client_id"], clientSecret: set["oauth.google_client_secret"] },
    },
  ]);
  const { body } = await it.api("GET", "/api/auth/methods");
  expect(body).toMatchObject({ google: true, oidc: null });
  const page = await new Browser().open(`${it.app.httpUrl}/api/auth/login`);
  expect(page.text).toContain('href="/api/auth/login?provider=google"');
});

test("of Google's accounts only those that a domain itself manages count for it", () => {
  const lists = { allowedEmails: ["eve@example.com"], allowedDomains: ["example.org", "gmail.com"] };
  const cases: [email: string, hostedDomain: string | null, byGoogle: boolean, byOther: boolean][] = [
    ["ann@example.org", "example.org", true, true],
    ["ann@example.org", null, false, true],
    ["ann@example.org", "evil.example", false, true],
    ["ann@gmail.com", null, true, true],
    ["eve@example.com", null, true, true],
    ["bob@example.com", "example.com", false, false],
  ];
  for (const [email, hostedDomain, byGoogle, byOther] of cases)
    expect([
      email,
      mayJoin({ email, hostedDomain }, "google", lists),
      mayJoin({ email, hostedDomain }, "oidc", lists),
    ]).toEqual([email, byGoogle, byOther]);
});

test("an account whose address Google verifies, but does not host, opens by no Google sign-in", async () => {
  const lists = { "oauth.allowed_emails": ["eve@example.com"], "oauth.allowed_domains": ["example.org"] };
  await using it = await startTestApp({ set: lists });
  const { store, config } = it.app;
  const vault = createVault(await loadOrCreateKeyFile(join(it.dataDir, "encryption.key")));
  for (const email of ["eve@example.com", "ann@gmail.com"])
    await createOwner(store, vault, { email, name: "", now: new Date() });
  const google = "https://accounts.google.com";
  const signsIn = async (
    email: string,
    hostedDomain: string | null,
    id: "google" | "oidc" = "google",
    issuer = id === "google" ? google : "https://login.example.com",
  ) => {
    const person = { email, emailVerified: true, name: "", hostedDomain };
    const account = accountOf({ config, store, vault, clock: systemClock }, person, { id, name: "It", issuer });
    return (await account.catch(({ code }: Failure) => ({ email: code }))).email;
  };
  expect(await signsIn("owner@example.net", null)).toBe("forbidden");
  expect(await signsIn("owner@example.net", "example.com")).toBe("forbidden");
  expect(await signsIn("owner@example.net", "example.net")).toBe("owner@example.net");
  expect(await signsIn("owner@example.net", null, "oidc")).toBe("owner@example.net");
  // It is Google, whichever setting configures it.
  expect(await signsIn("owner@example.net", null, "oidc", google)).toBe("forbidden");
  expect(await signsIn("new@example.org", null, "oidc", google)).toBe("forbidden");
  expect(await signsIn("ann@gmail.com", null)).toBe("ann@gmail.com");
  expect(await signsIn("eve@example.com", null)).toBe("eve@example.com");
});
