import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { Browser, type Page } from "../../../test/browser/browser.ts";
import { startTestApp, type TestApp } from "../../../test/support/app.ts";
import { type Running, Shell } from "../testing/shell.ts";

let it: TestApp;
let shell: Shell;
beforeAll(async () => {
  it = await startTestApp({ set: { "limits.sign_ins_per_minute": 1_000 } });
});
afterAll(async () => {
  await it[Symbol.asyncDispose]();
});
beforeEach(async () => {
  shell = await Shell.open();
});
afterEach(() => shell.close());

const stored = async () => Bun.file((await shell.run(["config", "path"])).out.trim()).json();

/** The page that the command line asks the user to open. */
async function pageOf(running: Running): Promise<string> {
  return /http\S+\/api\/auth\/login\S+/.exec(await running.said("Waiting for you"))?.[0] ?? "";
}

const login = (...more: string[]) => shell.start(["login", "--no-browser", "--url", it.app.httpUrl, ...more]);

/** Signs in with the key if the page asks for it, and agrees. */
async function agree(browser: Browser, page: Page): Promise<Page> {
  const confirm = page.text.includes("Give access") ? page : await browser.submit(page, "/key", { api_key: it.key });
  expect(confirm.text).toContain("Give the command line on this computer access as owner@example.net?");
  return browser.submit(confirm, "/sign-in/cli");
}

test("the browser brings a key of the account, after somebody signed in there and agreed", async () => {
  const running = login();
  const browser = new Browser();
  const handOver = await agree(browser, await browser.open(await pageOf(running)));
  // The key is only in a form: it is in no URL, and the policy allows the form no other destination.
  const key = /e2a_[0-9a-f]{64}/.exec(handOver.text)?.[0] ?? "";
  expect(handOver.url).not.toContain(key);
  expect(handOver.headers.get("content-security-policy")).toMatch(
    /script-src 'sha256-[^']+'; form-action http:\/\/127\.0\.0\.1:\d+\/callback;/,
  );
  const last = await browser.submit(handOver, "/callback");
  expect([last.status, last.text]).toEqual([200, expect.stringContaining("You can close this window.")]);
  const { code, out, err } = await running.done;
  expect(code).toBe(0);
  expect(JSON.parse(out)).toEqual({ url: it.app.httpUrl, email: "owner@example.net" });
  expect(out + err).not.toContain(key);
  expect(await stored()).toEqual({ url: it.app.httpUrl, api_key: key });
  expect((await shell.run(["agents", "list"])).code).toBe(0);
  const { body } = await it.api("GET", "/api/v1/keys");
  expect(body.keys[0]).toMatchObject({ name: "Command line (e2a login)", scope: "account" });
});

test("who is signed in already is only asked to agree, and the form names the first agent", async () => {
  await it.api("POST", "/api/v1/agents", { slug: "first", agent_mode: "local" });
  await it.api("POST", "/api/v1/agents", { slug: "second", agent_mode: "local" });
  const browser = new Browser();
  await browser.submit(await browser.open(`${it.app.httpUrl}/api/auth/login`), "/key", { api_key: it.key });
  const running = login();
  const page = await browser.open(await pageOf(running));
  expect(page.forms).toHaveLength(1);
  const handOver = await agree(browser, page);
  expect(handOver.forms[0]?.fields.agent_email).toBe("first@e2a.localhost");
  await browser.submit(handOver, "/callback");
  expect((await running.done).code).toBe(0);
});

test("a form with another state, or without a key, changes nothing, and the right one still comes through", async () => {
  const running = login();
  const browser = new Browser();
  const page = await browser.open(await pageOf(running));
  const handOver = await agree(browser, page);
  const key = handOver.forms[0]?.fields.api_key ?? "";
  for (const wrong of [{ cli_state: "guess" }, { cli_state: "" }, { api_key: "" }] as Record<string, string>[])
    expect((await browser.submit(handOver, "/callback", wrong)).status).toBe(400);
  const { action = "" } = handOver.forms[0] ?? {};
  expect((await fetch(action)).status).toBe(405);
  expect((await fetch(new URL("/", action))).status).toBe(404);
  expect((await browser.submit(handOver, "/callback")).status).toBe(200);
  await running.done;
  expect((await stored()).api_key).toBe(key);
});

test("a key that does not work is stored nowhere, and the browser says so", async () => {
  const running = login();
  const browser = new Browser();
  const handOver = await agree(browser, await browser.open(await pageOf(running)));
  const last = await browser.submit(handOver, "/callback", { api_key: `e2a_${"0".repeat(64)}` });
  expect([last.status, last.text]).toEqual([400, expect.stringContaining("unknown, revoked or expired")]);
  expect((await running.done).code).toBe(4);
  expect(await Bun.file((await shell.run(["config", "path"])).out.trim()).exists()).toBe(false);
});

test("nobody is waited for for ever, and Ctrl-C ends the waiting", async () => {
  const late = await login("--wait", "1").done;
  expect([late.code, late.err]).toEqual([1, expect.stringContaining("No sign-in within 1 seconds.")]);
  const running = login();
  await pageOf(running);
  running.interrupt();
  expect((await running.done).err).toContain("Cancelled.");
});

test("keys go to this computer only, and only from our own page", async () => {
  const { httpUrl: origin } = it.app;
  const browser = new Browser();
  await browser.submit(await browser.open(`${origin}/api/auth/login`), "/key", { api_key: it.key });
  const open = (callback: string, state = "state") =>
    browser.open(`${origin}/api/auth/login?${new URLSearchParams({ cli_callback: callback, cli_state: state })}`);
  const elsewhere = [
    ...[
      "http://evil.example/",
      "https://127.0.0.1/",
      "http://127.0.0.1.evil.example/",
      "http://127.0.0.1@evil.example/",
    ],
    ...["http://user@127.0.0.1/", "http://10.0.0.1/", "http://0.0.0.0/", "javascript:alert(1)", "//127.0.0.1/", ""],
  ];
  for (const callback of elsewhere) {
    const page = await open(callback);
    expect([callback, page.status]).toEqual([callback, 400]);
    const form = new URLSearchParams({ cli_callback: callback, cli_state: "state" });
    const posted = await browser.request(`${origin}/sign-in/cli`, { method: "POST", headers: { origin }, body: form });
    expect([callback, posted.status]).toEqual([callback, 400]);
  }
  expect((await open("http://127.0.0.1:1/", "")).status).toBe(400);
  for (const callback of ["http://127.0.0.1:1/a?b=c", "http://localhost:1/", "http://[::1]:1/"])
    expect((await open(callback)).status).toBe(200);

  const keys = async () => (await it.api("GET", "/api/v1/keys")).body.keys.length;
  const before = await keys();
  const form = new URLSearchParams({ cli_callback: "http://127.0.0.1:1/", cli_state: "s" });
  for (const from of [{}, { origin: "https://evil.example" }] as Record<string, string>[])
    expect((await browser.request(`${origin}/sign-in/cli`, { method: "POST", headers: from, body: form })).status).toBe(
      403,
    );
  const nobody = await fetch(`${origin}/sign-in/cli`, { method: "POST", headers: { origin }, body: form });
  expect(nobody.status).toBe(401);
  expect(await keys()).toBe(before);
});

test.skipIf(process.platform === "win32")(
  "in a terminal the browser is opened, unless somebody prefers a key",
  async () => {
    const pipe = join(shell.home, "pipe");
    Bun.spawnSync(["mkfifo", pipe]);
    const program = join(shell.home, "browser");
    await Bun.write(program, `#!/bin/sh\nprintf %s "$1" > "${pipe}"\n`);
    await chmod(program, 0o755);
    const start = () =>
      shell.start(["login", "--url", it.app.httpUrl], {
        terminal: true,
        env: { BROWSER: program, PATH: process.env.PATH ?? "" },
      });
    const running = start();
    await running.printed("How do you want to sign in?");
    running.stdin.write("\r");
    const browser = new Browser();
    const handOver = await agree(browser, await browser.open(await Bun.file(pipe).text()));
    await browser.submit(handOver, "/callback");
    expect((await running.done).out).toContain("as owner@example.net.");

    const other = start();
    await other.printed("How do you want to sign in?");
    other.stdin.write("\x1b[B\r");
    await other.printed("API key", 2);
    other.stdin.write(`${it.key}\r`);
    expect((await other.done).code).toBe(0);
    expect((await stored()).api_key).toBe(it.key);
  },
);

test("in a pipe somebody has to say how", async () => {
  const { code, err } = await shell.run(["login", "--url", it.app.httpUrl]);
  expect([code, err]).toEqual([2, expect.stringContaining("--no-browser")]);
});
