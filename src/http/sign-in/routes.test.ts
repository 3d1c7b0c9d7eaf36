import { expect, test } from "bun:test";
import { Browser, type Page } from "../../../test/browser/browser.ts";
import { startTestApp, type TestApp } from "../../../test/support/app.ts";
import { bareApp } from "../../../test/support/bare-app.ts";
import { TestClock } from "../../util/clock.ts";

const loginPath = "/api/auth/login";

/** The account that the browser is signed in to; null if it is signed out. */
async function signedInAs(browser: Browser, origin: string): Promise<string | null> {
  const response = await browser.request(`${origin}/api/auth/me`);
  const body = (await response.json()) as { user?: { email: string } };
  expect(response.status).toBe(body.user ? 200 : 401);
  return body.user?.email ?? null;
}

/** The link in the newest mail from the server to its owner. */
async function mailedLink(it: TestApp): Promise<string | undefined> {
  await it.app.drain();
  const { body } = await it.api("GET", "/api/v1/messages?type=notice");
  const newest = body.messages[0];
  if (!newest) return undefined;
  const { body: mail } = await it.api("GET", `/api/v1/messages/${newest.id}`);
  return /^http\S+$/m.exec(mail.body_text)?.[0];
}

test("on an empty server the console's link makes the owner, and leads to the dashboard", async () => {
  await using it = await bareApp();
  const origin = it.app.httpUrl;
  const browser = new Browser();
  expect((await browser.open(origin + loginPath)).text).toContain("no account yet");
  const page = await browser.open(await it.app.signInLink());
  expect(page.text).toContain('type="email"');
  // Showing the page neither uses up the link nor creates an account.
  expect(await it.app.store.firstUser()).toBeNull();

  const mistyped = await browser.submit(page, "/sign-in", { email: "not an address<b>" });
  expect(mistyped.status).toBe(400);
  expect(mistyped.text).toContain("not an address&lt;b&gt;");
  const home = await browser.submit(mistyped, "/sign-in", { email: "Owner@Example.net" });
  expect([home.status, home.url]).toEqual([200, `${origin}/`]);
  expect(await signedInAs(browser, origin)).toBe("owner@example.net");
  const user = await it.app.store.firstUser();
  expect(await it.app.store.listSecrets(user?.id ?? "")).toHaveLength(1);

  // The dashboard creates keys with the session, from its own pages.
  const made = await browser.request(`${origin}/api/v1/keys`, {
    method: "POST",
    headers: { origin, "content-type": "application/json" },
    body: JSON.stringify({ name: "first", scope: "account" }),
  });
  expect(made.status).toBe(201);
});

test("a link works once, and not after a quarter of an hour", async () => {
  const clock = new TestClock();
  await using it = await bareApp({ seams: { clock } });
  const browser = new Browser();
  const used = await it.app.signInLink();
  const page = await browser.open(used);
  expect((await browser.submit(page, "/sign-in", { email: "a@example.net" })).status).toBe(200);
  for (const again of [await browser.open(used), await browser.submit(page, "/sign-in")]) {
    expect(again.status).toBe(400);
    expect(again.headers.get("content-type")).toBe("text/html; charset=utf-8");
  }
  const late = await browser.open(await it.app.signInLink());
  clock.advance(15 * 60_000 + 1);
  expect((await browser.submit(late, "/sign-in")).status).toBe(400);
  for (const t of ["guess", ""]) expect((await browser.submit(late, "/sign-in", { t })).status).toBe(400);
});

test("of several who use a link at once, one gets in", async () => {
  await using it = await bareApp();
  const browsers = Array.from({ length: 3 }, () => new Browser());
  const page = await (browsers[0] as Browser).open(await it.app.signInLink());
  const answers = await Promise.all(
    browsers.map((browser, n) => browser.submit(page, "/sign-in", { email: `a${n}@example.net` })),
  );
  expect(answers.map(({ status }) => status).filter((status) => status === 200)).toHaveLength(1);
});

test("a later link signs in to the first account and asks for no address", async () => {
  await using it = await startTestApp();
  const browser = new Browser();
  const page = await browser.open(await it.app.signInLink());
  expect(page.text).toContain("owner@example.net");
  expect(page.text).not.toContain('type="email"');
  await browser.submit(page, "/sign-in", { email: "intruder@example.net" });
  expect(await signedInAs(browser, it.app.httpUrl)).toBe("owner@example.net");
});

test("forms of other sites sign nobody in", async () => {
  await using it = await startTestApp();
  const { httpUrl } = it.app;
  const t = new URL(await it.app.signInLink()).searchParams.get("t") ?? "";
  const forms = { "": { t }, "/key": { api_key: it.key }, "/email": { email: "owner@example.net" }, "/cli": {} };
  for (const [path, form] of Object.entries(forms))
    for (const origin of [undefined, "https://evil.example", "null", httpUrl.replace("127.0.0.1", "localhost")]) {
      const response = await fetch(`${httpUrl}/sign-in${path}`, {
        method: "POST",
        body: new URLSearchParams(form as Record<string, string>),
        headers: origin ? { origin } : {},
      });
      expect([response.status, response.headers.get("set-cookie")]).toEqual([403, null]);
    }
  expect((await (await fetch(`${httpUrl}/sign-in?t=${t}`)).text()).includes("owner@example.net")).toBe(true);
});

test("an account key signs in, and its end ends the session; a key of one agent does not", async () => {
  await using it = await startTestApp();
  const { httpUrl: origin } = it.app;
  const browser = new Browser();
  const page = await browser.open(`${origin}${loginPath}?return_to=/agents%3Fa%3Db`);
  const wrong = await browser.submit(page, "/key", { api_key: `e2a_${"0".repeat(64)}` });
  expect([wrong.status, wrong.text]).toEqual([401, expect.stringContaining('role="alert"')]);
  await it.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
  const ofAgent = { name: "k", scope: "agent", agent: "bot@e2a.localhost" };
  const { key: agentKey } = (await it.api("POST", "/api/v1/keys", ofAgent)).body;
  expect((await browser.submit(wrong, "/key", { api_key: agentKey })).status).toBe(403);
  expect(await signedInAs(browser, origin)).toBeNull();

  const { id, key } = (await it.api("POST", "/api/v1/keys", { name: "k", scope: "account" })).body;
  const there = await browser.submit(wrong, "/key", { api_key: ` ${key} ` });
  expect(there.url).toBe(`${origin}/agents?a=b`);
  expect(await signedInAs(browser, origin)).toBe("owner@example.net");
  // A signed-in user is redirected at once.
  expect((await browser.open(`${origin}${loginPath}?return_to=/keys`)).url).toBe(`${origin}/keys`);
  await it.api("DELETE", `/api/v1/keys/${id}`);
  expect(await signedInAs(browser, origin)).toBeNull();
});

test("a session lives no longer than the key that opened it", async () => {
  const clock = new TestClock();
  await using it = await startTestApp({ seams: { clock } });
  const { httpUrl: origin } = it.app;
  const expires_at = new Date(clock.now() + 3_600_000).toISOString();
  const { key } = (await it.api("POST", "/api/v1/keys", { name: "k", scope: "account", expires_at })).body;
  const browser = new Browser();
  await browser.submit(await browser.open(origin + loginPath), "/key", { api_key: key });
  clock.advance(3_599_000);
  expect(await signedInAs(browser, origin)).toBe("owner@example.net");
  clock.advance(2_000);
  expect(await signedInAs(browser, origin)).toBeNull();
});

test("a link by mail signs in once, to the account it was sent to, and leads on", async () => {
  await using it = await startTestApp();
  const { httpUrl: origin } = it.app;
  const browser = new Browser();
  const page = await browser.open(`${origin}${loginPath}?return_to=/approvals`);
  const stranger = await browser.submit(page, "/email", { email: "stranger@example.net" });
  expect(await mailedLink(it)).toBeUndefined();
  const asked = await browser.submit(page, "/email", { email: "Owner@example.net" });
  // The two answers differ only in the address that was typed.
  expect(asked.text.replace("Owner@example.net", "stranger@example.net")).toBe(stranger.text);
  const [one, other] = [asked, stranger].map(({ headers }) => Object.keys(Object.fromEntries(headers)).sort());
  expect(one).toEqual(other);

  const link = (await mailedLink(it)) ?? "";
  expect(link).toStartWith(`${origin}/sign-in?t=`);
  const elsewhere = new Browser();
  const opened = await elsewhere.open(link);
  expect(opened.text).toContain("signs you in as owner@example.net");
  expect((await elsewhere.submit(opened, "/sign-in")).url).toBe(`${origin}/approvals`);
  expect(await signedInAs(elsewhere, origin)).toBe("owner@example.net");
  expect((await elsewhere.open(link)).status).toBe(400);
  const mistyped = await browser.submit(page, "/email", { email: "nobody" });
  expect([mistyped.status, mistyped.text]).toEqual([400, expect.stringContaining('role="alert"')]);
});

test("links in mail go to nobody whose mail an agent here reads, and never name another server", async () => {
  await using it = await startTestApp();
  const { body: agent } = await it.api("POST", "/api/v1/agents", { slug: "boss", agent_mode: "local" });
  const { app } = it;
  const secret = { id: "wsec_boss", name: "", sealed: Buffer.from(""), secretPrefix: "" };
  await app.store.createAccount({ email: agent.email, name: "", secret, now: new Date() });
  const ask = (email: string, headers: Record<string, string> = {}) =>
    fetch(`${app.httpUrl}/api/auth/email`, {
      method: "POST",
      headers: { "content-type": "application/json", origin: app.httpUrl, ...headers },
      body: JSON.stringify({ email }),
    });
  expect((await ask(agent.email)).status).toBe(202);
  await app.drain();
  expect((await it.api("GET", `/api/v1/agents/${agent.email}/messages`)).body.messages).toEqual([]);
  const forged = { host: "evil.example", origin: "http://evil.example" };
  expect((await ask("owner@example.net", forged)).status).toBe(202);
  expect(await mailedLink(it)).toStartWith(`${app.httpUrl}/sign-in?t=`);
  // An agent's key cannot see this mail.
  const keyOf = { name: "k", scope: "agent", agent: agent.email };
  const { key } = (await it.api("POST", "/api/v1/keys", keyOf)).body;
  const asAgent = await it.api("GET", "/api/v1/messages?type=notice", undefined, { authorization: `Bearer ${key}` });
  expect(asAgent.status).toBe(403);
});

test("mail that does not leave the server is not offered", async () => {
  const set = { env: "production", shared_domain: "agents.example", "http.public_url": "https://mail.example" };
  await using it = await startTestApp({ set });
  const methods = await it.api("GET", "/api/auth/methods");
  expect(methods.body).toEqual({ first_account: false, google: false, oidc: null, email_link: false });
  expect((await new Browser().open(it.app.httpUrl + loginPath)).text).not.toContain("/sign-in/email");
  const headers = { origin: "https://mail.example" };
  const refused = await it.api("POST", "/api/auth/email", { email: "owner@example.net" }, headers);
  expect([refused.status, refused.body.code]).toEqual([422, "upstream_not_configured"]);
});

test("signing in leads to paths of this server only", async () => {
  await using it = await startTestApp();
  const { httpUrl: origin } = it.app;
  const elsewhere = [
    "https://evil.example/",
    "//evil.example",
    "/\\evil.example",
    "/..//evil.example",
    "/\t/evil.example",
  ];
  const browser = new Browser();
  for (const path of [...elsewhere, "evil", "javascript:alert(1)"]) {
    const page = await browser.open(`${origin}${loginPath}?return_to=${encodeURIComponent(path)}`);
    expect([page.status, page.text]).toEqual([400, expect.stringContaining("return_to")]);
  }
  const page = await browser.open(origin + loginPath);
  for (const path of elsewhere) {
    const there = await browser.submit(page, "/key", { api_key: it.key, return_to: path });
    expect(there.url).toBe(`${origin}/`);
  }
});

test("attempts are counted by address, for all ways together", async () => {
  const clock = new TestClock();
  await using it = await startTestApp({ seams: { clock }, set: { "limits.sign_ins_per_minute": 4 } });
  const { httpUrl: origin } = it.app;
  const browser = new Browser();
  const page = await browser.open(origin + loginPath);
  const statuses: number[] = [];
  for (let n = 0; n < 3; n++) statuses.push((await browser.submit(page, "/email", { email: "a@example.net" })).status);
  statuses.push((await browser.submit(page, "/key", { api_key: it.key })).status);
  expect(statuses).toEqual([200, 200, 200, 200]);
  const refused = await browser.submit(page, "/key", { api_key: it.key });
  expect([refused.status, Number(refused.headers.get("retry-after")) > 0]).toEqual([429, true]);
  const json = { origin, "content-type": "application/json" };
  for (const [path, body] of Object.entries({ key: { api_key: it.key }, email: { email: "a@example.net" } })) {
    const init = { method: "POST", headers: json, body: JSON.stringify(body) };
    expect((await browser.request(`${origin}/api/auth/${path}`, init)).status).toBe(429);
  }
  clock.advance(60_000);
  expect((await browser.submit(page, "/key", { api_key: it.key })).status).toBe(200);
});

test("behind https the cookie is for https only", async () => {
  await using it = await bareApp({ set: { "http.public_url": "https://mail.example.com" } });
  const link = await it.app.signInLink();
  expect(link).toStartWith("https://mail.example.com/sign-in?t=");
  const signedIn = await fetch(`${it.app.httpUrl}/sign-in`, {
    method: "POST",
    redirect: "manual",
    headers: { origin: "https://mail.example.com" },
    body: new URLSearchParams({ t: new URL(link).searchParams.get("t") ?? "", email: "a@example.net" }),
  });
  // Browsers take a cookie with this prefix from no other host, and only with Path=/ and without Domain.
  expect(signedIn.headers.get("set-cookie")).toMatch(
    /^__Host-e2a_session=[\w-]{43}; Path=\/; Max-Age=1209600; HttpOnly; SameSite=Lax; Secure$/,
  );
  const who = async (...cookies: string[]) => {
    const response = await fetch(`${it.app.httpUrl}/api/v1/users/me`, { headers: { cookie: cookies.join("; ") } });
    return response.status;
  };
  const [own = ""] = (signedIn.headers.get("set-cookie") ?? "").split(";");
  // What another host of the domain can set, behind its own path or before.
  const planted = own.replace("__Host-", "");
  expect([await who(own), await who(planted, own), await who(own, planted), await who(planted)]).toEqual([
    ...[200, 200, 200, 401],
  ]);
});

test("of two session cookies, one of which another host has set, none signs in", async () => {
  await using it = await startTestApp();
  const sessionOf = async (key: string) => {
    const browser = new Browser();
    await browser.submit(await browser.open(it.app.httpUrl + loginPath), "/sign-in/key", { api_key: key });
    return browser.cookies(it.app.httpUrl);
  };
  const [own, planted] = [await sessionOf(it.key), await sessionOf(await it.newAccount())];
  const command = { cli_callback: "http://127.0.0.1:49152/", cli_state: "s" };
  const handOver = async (cookie: string) => {
    const headers = { cookie, origin: it.app.httpUrl };
    const init = { method: "POST", redirect: "manual", headers, body: new URLSearchParams(command) } as const;
    return (await fetch(`${it.app.httpUrl}/sign-in/cli`, init)).status;
  };
  expect(await handOver(own)).toBe(200);
  expect([await handOver(`${planted}; ${own}`), await handOver(`${own}; ${planted}`)]).toEqual([401, 401]);
  expect(await handOver(`${own}; ${own}`)).toBe(200);
});

test("under the public name only the public origin signs in, not http, not another port; another name stands for itself", async () => {
  await using it = await startTestApp({ set: { "http.public_url": "https://mail.example.com" } });
  const status = async (host: string, origin: string) => {
    const body = new URLSearchParams({ api_key: it.key });
    const init = { method: "POST", redirect: "manual", headers: { host, origin }, body } as const;
    return (await fetch(`${it.app.httpUrl}/sign-in/key`, init)).status;
  };
  const own = new URL(it.app.httpUrl);
  const statuses = [
    await status("mail.example.com", "https://mail.example.com"),
    await status(own.host, "https://mail.example.com"),
    await status(own.host, own.origin),
    await status("mail.example.com", "http://mail.example.com"),
    await status("mail.example.com:8080", "http://mail.example.com:8080"),
    await status("mail.example.com", "https://mail.example.com:8443"),
    await status(own.host, `https://${own.host}`),
  ];
  expect(statuses).toEqual([303, 303, 303, 403, 403, 403, 403]);
});

test("its pages can be neither framed, nor cached, nor made to load or run anything", async () => {
  await using it = await startTestApp();
  const { httpUrl: origin } = it.app;
  const browser = new Browser();
  const pages: Page[] = [
    await browser.open(await it.app.signInLink()),
    await browser.open(origin + loginPath),
    await browser.open(`${origin}/sign-in?t=wrong`),
    await browser.open(`${origin}/api/auth/callback`),
  ];
  for (const { headers, text } of pages) {
    expect(headers.get("content-security-policy")).toMatch(/^default-src 'none';.*frame-ancestors 'none'/);
    expect(headers.get("content-security-policy")).not.toContain("script-src");
    expect(headers.get("x-frame-options")).toBe("DENY");
    expect(headers.get("cache-control")).toBe("no-store");
    expect(headers.get("x-robots-tag")).toContain("noindex");
    expect(text).not.toMatch(/<script|(?:src|href)="(?:https?:)?\/\//);
  }
});
