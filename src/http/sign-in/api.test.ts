import { expect, test } from "bun:test";
import { Browser } from "../../../test/browser/browser.ts";
import { type ApiAnswer, startTestApp, type TestApp } from "../../../test/support/app.ts";
import { SocketClient } from "../../../test/support/socket-client.ts";
import { TestClock } from "../../util/clock.ts";

/** A call as the dashboard makes it: by script, with the cookie and Origin of its page. */
async function call(
  it: TestApp,
  browser: Browser,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = { origin: it.app.httpUrl },
): Promise<ApiAnswer> {
  const response = await browser.request(it.app.httpUrl + path, {
    method,
    headers: { ...headers, ...(body === undefined ? {} : { "content-type": "application/json" }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text === "" ? null : JSON.parse(text) };
}

async function signedIn(it: TestApp): Promise<Browser> {
  const browser = new Browser();
  expect((await call(it, browser, "POST", "/api/auth/key", { api_key: it.key })).status).toBe(200);
  return browser;
}

test("a key signs the dashboard in, and out again", async () => {
  await using it = await startTestApp();
  const browser = new Browser();
  const answer = await call(it, browser, "POST", "/api/auth/key", { api_key: it.key });
  expect(answer.headers.get("set-cookie")).toMatch(
    /^e2a_session=[\w-]{43}; Path=\/; Max-Age=1209600; HttpOnly; SameSite=Lax$/,
  );
  const { body: me } = await call(it, browser, "GET", "/api/auth/me");
  expect(me).toEqual(answer.body);
  expect(me).toMatchObject({
    user: { id: it.userId, email: "owner@example.net" },
    session: { id: expect.stringMatching(/^ses_/) },
  });
  expect(Date.parse(me.session.expires_at) - Date.parse(me.session.created_at)).toBe(14 * 86_400_000);

  const out = await call(it, browser, "POST", "/api/auth/logout");
  expect([out.status, out.headers.get("set-cookie")]).toEqual([204, expect.stringContaining("Max-Age=0")]);
  expect((await call(it, browser, "GET", "/api/auth/me")).status).toBe(401);
  // Signing out twice is not an error.
  expect((await call(it, new Browser(), "POST", "/api/auth/logout")).status).toBe(204);
});

test("what is wrong with a sign-in is said, and signs nobody in", async () => {
  await using it = await startTestApp();
  await it.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
  const ofAgent = { name: "k", scope: "agent", agent: "bot@e2a.localhost" };
  const { key: agentKey } = (await it.api("POST", "/api/v1/keys", ofAgent)).body;
  const browser = new Browser();
  const cases: [path: string, body: unknown, status: number, code: string, headers?: Record<string, string>][] = [
    ["key", { api_key: "e2a_wrong" }, 401, "unauthenticated"],
    ["key", {}, 400, "invalid_request"],
    ["key", { api_key: agentKey }, 403, "forbidden"],
    ["key", { api_key: it.key }, 403, "forbidden", {}],
    ["key", { api_key: it.key }, 403, "forbidden", { origin: "https://evil.example" }],
    ["email", { email: "nobody" }, 400, "invalid_request"],
    ["email", { email: "owner@example.net", return_to: "//evil.example" }, 400, "invalid_request"],
    ["email", { email: "owner@example.net" }, 403, "forbidden", { origin: "null" }],
  ];
  for (const [path, body, status, code, headers] of cases) {
    const answer = await call(it, browser, "POST", `/api/auth/${path}`, body, headers ?? { origin: it.app.httpUrl });
    expect([path, answer.status, answer.body.code]).toEqual([path, status, code]);
    if (code !== "invalid_request") expect(answer.body.fix).toBeString();
  }
  expect(browser.cookies(it.app.httpUrl)).toBe("");
  // An API key does not sign a browser in.
  expect((await it.api("GET", "/api/auth/me")).status).toBe(401);
});

test("mail with a link is promised to everybody alike", async () => {
  await using it = await startTestApp();
  const answers = await Promise.all(
    ["owner@example.net", "stranger@example.net"].map((email) =>
      call(it, new Browser(), "POST", "/api/auth/email", { email }),
    ),
  );
  for (const { status, body } of answers) expect([status, body]).toEqual([202, { status: "accepted" }]);
  await it.app.drain();
  const { body } = await it.api("GET", "/api/v1/messages?type=notice");
  expect(body.messages).toMatchObject([{ to: ["owner@example.net"], status: "sent", method: "capture" }]);
});

test("signing in replaces the session that the browser had", async () => {
  await using it = await startTestApp();
  const browser = await signedIn(it);
  const before = browser.cookies(it.app.httpUrl);
  await call(it, browser, "POST", "/api/auth/key", { api_key: it.key });
  expect(browser.cookies(it.app.httpUrl)).not.toBe(before);
  const old = await fetch(`${it.app.httpUrl}/api/auth/me`, { headers: { cookie: before } });
  expect(old.status).toBe(401);
  // A session cookie that existed before does not become the user's session.
  const fixed = new Browser();
  fixed.setCookie(it.app.httpUrl, "e2a_session", "chosen-by-somebody-else");
  await call(it, fixed, "POST", "/api/auth/key", { api_key: it.key });
  expect(fixed.cookies(it.app.httpUrl)).not.toContain("chosen");
});

test("by cookie only our own pages change things", async () => {
  await using it = await startTestApp();
  const browser = await signedIn(it);
  const create = (headers: Record<string, string>) =>
    call(it, browser, "POST", "/api/v1/keys", { name: "k", scope: "account" }, headers);
  expect((await create({})).status).toBe(403);
  expect((await create({ origin: "https://evil.example" })).status).toBe(403);
  expect((await create({ origin: "null" })).status).toBe(403);
  expect((await create({ origin: it.app.httpUrl })).status).toBe(201);
  expect(
    (await call(it, browser, "POST", "/api/auth/logout", undefined, { origin: "https://evil.example" })).status,
  ).toBe(403);
  expect((await call(it, browser, "GET", "/api/v1/agents", undefined, {})).status).toBe(200);
});

test("sessions are listed with what they are, and ended one by one", async () => {
  const clock = new TestClock();
  await using it = await startTestApp({ seams: { clock } });
  const [mine, other] = [await signedIn(it), await signedIn(it)];
  clock.advance(1_000);
  await call(it, mine, "GET", "/api/v1/agents");
  const list = async () => {
    // The last request's note is written by now: writes happen in order.
    await it.app.store.probeWrite(new Date());
    return (await call(it, mine, "GET", "/api/v1/sessions")).body.sessions;
  };
  const [second, first] = await list();
  expect(first).toMatchObject({ current: true, user_agent: "Test Browser/1.0", ip: "127.0.0.1" });
  expect(second.current).toBe(false);
  expect(Date.parse(first.last_used_at)).toBe(clock.now());
  expect(second.last_used_at).toBeUndefined();
  // The use is noted once a minute.
  const noted = first.last_used_at;
  clock.advance(59_000);
  await call(it, mine, "GET", "/api/v1/agents");
  expect((await list())[1].last_used_at).toBe(noted);
  clock.advance(1_000);
  await list();
  expect(Date.parse((await list())[1].last_used_at)).toBe(clock.now());
  // An account key sees the sessions too, none of which is its own.
  const { body } = await it.api("GET", "/api/v1/sessions");
  expect(body.sessions.map((row: { current: boolean }) => row.current)).toEqual([false, false]);

  expect((await call(it, mine, "DELETE", `/api/v1/sessions/${second.id}`)).status).toBe(204);
  expect((await call(it, mine, "DELETE", `/api/v1/sessions/${second.id}`)).status).toBe(404);
  expect((await call(it, other, "GET", "/api/auth/me")).status).toBe(401);
  const out = await call(it, mine, "DELETE", `/api/v1/sessions/${first.id}`);
  expect([out.status, mine.cookies(it.app.httpUrl)]).toEqual([204, ""]);
});

test("a session that is ended takes its WebSocket with it", async () => {
  await using it = await startTestApp();
  const { body: agent } = await it.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
  const browser = await signedIn(it);
  const { httpUrl: origin } = it.app;
  const url = `${origin.replace("http", "ws")}/api/v1/agents/${agent.email}/ws`;
  await using socket = await SocketClient.open(url, null, { cookie: browser.cookies(origin), origin });
  const { body: me } = await call(it, browser, "GET", "/api/auth/me");
  expect((await it.api("DELETE", `/api/v1/sessions/${me.session.id}`)).status).toBe(204);
  expect(await socket.closed).toMatchObject({ code: 1008 });
});
