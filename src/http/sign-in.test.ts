import { expect, test } from "bun:test";
import { TestClock } from "../clock.ts";
import { startTestApp } from "../testing/app.ts";
import { type Bare, bareApp } from "../testing/bare-app.ts";

/** What a browser does with a page's form. */
function post(it: Bare, path: string, form: Record<string, string>, headers: Record<string, string> = {}) {
  return fetch(it.app.httpUrl + path, { method: "POST", redirect: "manual", body: new URLSearchParams(form), headers });
}

function tokenOf(link: string): string {
  return new URL(link).searchParams.get("t") ?? "";
}

function cookieOf(response: Response): string {
  return response.headers.get("set-cookie")?.split(";")[0] ?? "";
}

test("on an empty server the link makes the owner, signs in, and shows a key once", async () => {
  await using it = await bareApp();
  const link = await it.app.signInLink();
  const page = await fetch(link);
  expect(page.status).toBe(200);
  expect(await page.text()).toContain('type="email"');
  // Showing the page uses nothing up and makes nothing.
  expect(await it.app.store.firstUser()).toBeNull();

  const t = tokenOf(link);
  const mistyped = await post(it, "/sign-in", { t, email: "not an address<b>" });
  expect(mistyped.status).toBe(400);
  expect(await mistyped.text()).toContain("not an address&lt;b&gt;");

  const signedIn = await post(it, "/sign-in", { t, email: "Owner@Example.net" });
  expect(signedIn.status).toBe(303);
  expect(signedIn.headers.get("location")).toBe("/welcome");
  expect(signedIn.headers.get("set-cookie")).toMatch(/; HttpOnly; SameSite=Lax$/);
  const user = await it.app.store.firstUser();
  expect(user?.email).toBe("owner@example.net");
  expect(await it.app.store.listSecrets(user?.id ?? "")).toHaveLength(1);

  const cookie = cookieOf(signedIn);
  const origin = it.app.httpUrl;
  const welcome = await fetch(`${origin}/welcome`, { headers: { cookie } });
  expect(await welcome.text()).toContain("owner@example.net");
  const shown = await (await post(it, "/welcome", {}, { cookie, origin })).text();
  const key = /e2a_[0-9a-f]{64}/.exec(shown)?.[0];
  const me = await fetch(`${origin}/api/v1/users/me`, { headers: { authorization: `Bearer ${key}` } });
  expect(me.status).toBe(200);
});

test("a link works once, and not after a quarter of an hour", async () => {
  const clock = new TestClock();
  await using it = await bareApp({ seams: { clock } });
  const used = await it.app.signInLink();
  expect((await post(it, "/sign-in", { t: tokenOf(used), email: "a@example.net" })).status).toBe(303);
  for (const again of [await fetch(used), await post(it, "/sign-in", { t: tokenOf(used) })]) {
    expect(again.status).toBe(400);
    expect(again.headers.get("content-type")).toBe("text/html; charset=utf-8");
  }
  const late = await it.app.signInLink();
  clock.advance(15 * 60_000 + 1);
  expect((await post(it, "/sign-in", { t: tokenOf(late) })).status).toBe(400);
  expect((await post(it, "/sign-in", { t: "guess" })).status).toBe(400);
  expect((await post(it, "/sign-in", {})).status).toBe(400);
});

test("of two who use a link at once, one gets in", async () => {
  await using it = await bareApp();
  const t = tokenOf(await it.app.signInLink());
  const answers = await Promise.all([1, 2, 3].map((n) => post(it, "/sign-in", { t, email: `a${n}@example.net` })));
  expect(answers.map(({ status }) => status).filter((status) => status === 303)).toHaveLength(1);
});

test("a later link signs in to the first account and asks for no address", async () => {
  await using it = await startTestApp();
  const link = await it.app.signInLink();
  const page = await (await fetch(link)).text();
  expect(page).toContain("owner@example.net");
  expect(page).not.toContain('type="email"');
  const form = new URLSearchParams({ t: tokenOf(link), email: "intruder@example.net" });
  const signedIn = await fetch(`${it.app.httpUrl}/sign-in`, { method: "POST", redirect: "manual", body: form });
  const cookie = cookieOf(signedIn);
  const me = await fetch(`${it.app.httpUrl}/api/auth/me`, { headers: { cookie } });
  expect(((await me.json()) as { email: string }).email).toBe("owner@example.net");
});

test("by cookie only our own pages change things, until the session ends", async () => {
  await using it = await bareApp();
  const { httpUrl: origin } = it.app;
  const t = tokenOf(await it.app.signInLink());
  const cookie = cookieOf(await post(it, "/sign-in", { t, email: "a@example.net" }));
  const create = (headers: Record<string, string>) =>
    fetch(`${origin}/api/v1/keys`, {
      method: "POST",
      headers: { cookie, "content-type": "application/json", ...headers },
      body: JSON.stringify({ name: "k", scope: "account" }),
    });
  expect((await create({})).status).toBe(403);
  expect((await create({ origin: "https://evil.example" })).status).toBe(403);
  expect((await create({ origin: "null" })).status).toBe(403);
  expect((await create({ origin })).status).toBe(201);
  expect((await post(it, "/welcome", {}, { cookie, origin: "https://evil.example" })).status).toBe(403);
  expect((await fetch(`${origin}/api/v1/agents`, { headers: { cookie } })).status).toBe(200);

  const out = await fetch(`${origin}/api/auth/logout`, { method: "POST", headers: { cookie, origin } });
  expect(out.status).toBe(204);
  expect(out.headers.get("set-cookie")).toContain("Max-Age=0");
  expect((await fetch(`${origin}/api/auth/me`, { headers: { cookie } })).status).toBe(401);
  expect((await fetch(`${origin}/welcome`, { headers: { cookie } })).status).toBe(401);
});

test("behind https the cookie is for https only", async () => {
  await using it = await bareApp({ set: { "http.public_url": "https://mail.example.com" } });
  const link = await it.app.signInLink();
  expect(link).toStartWith("https://mail.example.com/sign-in?t=");
  const signedIn = await post(it, "/sign-in", { t: tokenOf(link), email: "a@example.net" });
  expect(signedIn.headers.get("set-cookie")).toEndWith("; Secure");
  const cookie = cookieOf(signedIn);
  const shown = await post(it, "/welcome", {}, { cookie, origin: "https://mail.example.com" });
  expect(await shown.text()).toContain("https://mail.example.com/api/v1/agents");
});

test("its pages can be neither framed, nor cached, nor made to load anything", async () => {
  await using it = await bareApp();
  const { headers } = await fetch(await it.app.signInLink());
  expect(headers.get("content-security-policy")).toMatch(/^default-src 'none';.*frame-ancestors 'none'/);
  expect(headers.get("x-frame-options")).toBe("DENY");
  expect(headers.get("cache-control")).toBe("no-store");
  expect(headers.get("x-robots-tag")).toBe("noindex");
});
