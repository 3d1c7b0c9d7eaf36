import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Browser, BrowserContext } from "playwright-core";
import { chromiumRuns, signedIn, startChromium } from "../../test/browser/chromium.ts";
import { deliver } from "../../test/smtp/smtp-client.ts";
import { startTestApp, type TestApp } from "../../test/support/app.ts";
import { hostileMails } from "./hostile-mails.ts";

let it: TestApp;
let browser: Browser;
let context: BrowserContext;
const agent = "victim@e2a.localhost";

/** The requests that reached the server which the mails try to contact. */
const heard: string[] = [];
const canary = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch(request) {
    heard.push(new URL(request.url).pathname);
    return new Response("", { headers: { "access-control-allow-origin": "*" } });
  },
});
const canaryUrl = `http://127.0.0.1:${canary.port}`;

beforeAll(async () => {
  if (!chromiumRuns) return;
  it = await startTestApp();
  await it.api("POST", "/api/v1/agents", { slug: "victim", agent_mode: "local" });
  browser = await startChromium();
  context = await signedIn(browser, it);
});

afterAll(async () => {
  await canary.stop(true);
  await browser?.close();
  await it?.[Symbol.asyncDispose]();
});

/** Delivers a mail with this HTML; returns its id. */
async function received(html: string): Promise<string> {
  const message = [
    "From: mallory@example.net",
    `To: ${agent}`,
    "Subject: For you",
    "Content-Type: text/html; charset=utf-8",
    "Content-Transfer-Encoding: base64",
    "",
    ...(Buffer.from(`${html}<p>the end</p>`)
      .toString("base64")
      .match(/.{1,76}/g) ?? []),
    "",
  ].join("\r\n");
  await deliver(it.app.smtp.port, { from: "mallory@example.net", to: agent, message });
  const { body } = await it.api("GET", `/api/v1/agents/${agent}/messages?sort=desc&page_size=1`);
  return body.messages[0].message_id;
}

test.skipIf(!chromiumRuns).each(Object.entries(hostileMails))("%s: runs nothing, asks for nothing", async (_, html) => {
  const id = await received(html.replaceAll("CANARY", canaryUrl));
  const page = await context.newPage();
  const outside: string[] = [];
  const dialogs: string[] = [];
  page.on("request", (request) => {
    const { origin, protocol } = new URL(request.url());
    if (origin !== it.app.httpUrl && protocol !== "data:") outside.push(request.url());
  });
  page.on("dialog", (dialog) => dialogs.push(dialog.message()));
  await page.addInitScript(() => {
    Object.assign(globalThis, { got: [] as unknown[] });
    globalThis.addEventListener("message", (event: { data: unknown }) =>
      (globalThis as unknown as { got: unknown[] }).got.push(event.data),
    );
  });
  await page.goto(`/inbox/${agent}/${id}`);
  const frame = page.frameLocator('iframe[title="The message as HTML"]');
  await frame.locator("body").waitFor({ state: "attached" });
  // Links may lead only to the page that shows their target, in another window.
  for (const link of await frame.getByText("click", { exact: true }).all()) await link.click({ noWaitAfter: true });

  // The policy keeps the test's scripts out of the frame too: its content can be inspected, not run.
  const shown = page.frames().find((one) => one.url().includes("/html"));
  expect(shown?.url()).toBe(`${it.app.httpUrl}/api/v1/agents/${encodeURIComponent(agent)}/messages/${id}/html`);
  expect(page.frames()).toHaveLength(2);
  expect(await frame.locator("script, iframe, object, embed, form, input, link, base, meta[http-equiv]").count()).toBe(
    0,
  );
  expect(await page.evaluate(() => (globalThis as unknown as { got: unknown[] }).got)).toEqual([]);
  expect(await page.title()).toBe("For you · e2a");
  expect({ outside, dialogs, heard }).toEqual({ outside: [], dialogs: [], heard: [] });
  await page.close();
});

test.skipIf(!chromiumRuns)(
  "the frame alone would hold: as it came, the mail can neither run nor load nor read",
  async () => {
    const id = await received("<p>x</p>");
    const page = await context.newPage();
    // The same response with its policy unchanged, plus the elements that the sanitizer would have removed.
    const hostile = Object.entries(hostileMails).filter(([name]) => !/nested|refresh|never closed/.test(name));
    const everything = hostile.map(([, html]) => html.replaceAll("CANARY", canaryUrl)).join("\n");
    await page.route("**/html", async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, body: `<!doctype html><body>${everything}<p id=end>the end</p>` });
    });
    await page.goto(`/inbox/${agent}/${id}`);
    await page.frameLocator('iframe[title="The message as HTML"]').locator("body").waitFor({ state: "attached" });
    await page.waitForLoadState("networkidle");
    expect(heard).toEqual([]);
    expect(await page.title()).toBe("For you · e2a");
    await page.close();
  },
);

test.skipIf(!chromiumRuns)("a mail's own style hides no mark of a false link", async () => {
  const hiding = ["position: absolute; left: -9999px", "float: left; width: 0; overflow: hidden"];
  for (const style of hiding) {
    const important = style.replaceAll(/;|$/g, " !important;");
    const id = await received(
      `<style>span.e2a-host { ${important} } .e2a-host::before { content: "bank.com " !important; }</style><p><a href="https://evil.example/">https://bank.com</a></p>`,
    );
    const page = await context.newPage();
    await page.goto(`/inbox/${agent}/${id}`);
    const frame = page.locator('iframe[title="The message as HTML"]');
    const mark = frame.contentFrame().getByText("evil.example", { exact: true });
    await mark.waitFor({ state: "attached" });
    const [box, around] = [await mark.boundingBox(), await frame.boundingBox()];
    const shown = await mark.evaluate((element) => {
      const { getComputedStyle } = globalThis as unknown as Record<
        string,
        (of: unknown, part: string) => { content: string }
      >;
      return getComputedStyle?.(element, "::before").content;
    });
    expect(shown).toBe("none");
    expect([style, box !== null && box.width > 40 && box.height > 8 && box.x > (around?.x ?? 0)]).toEqual([
      style,
      true,
    ]);
    await page.close();
  }
});

test.skipIf(!chromiumRuns)("pictures load when the reader asks, without saying from where", async () => {
  const id = await received(`<img src="${canaryUrl}/asked.png">`);
  const page = await context.newPage();
  await page.goto(`/inbox/${agent}/${id}`);
  const asked = page.waitForRequest(`${canaryUrl}/asked.png`);
  await page.getByRole("button", { name: "Load pictures" }).click();
  const headers = await (await asked).allHeaders();
  expect(headers.referer).toBeUndefined();
  expect(headers.cookie).toBeUndefined();
  await page.close();
});

test.skipIf(!chromiumRuns)(
  "a link opens the page that shows where it goes, which knows nothing of this one",
  async () => {
    const id = await received('<a href="https://xn--pple-43d.com/login">apple.com</a>');
    const page = await context.newPage();
    await page.goto(`/inbox/${agent}/${id}`);
    const opened = context.waitForEvent("page");
    await page.frameLocator('iframe[title="The message as HTML"]').getByText("apple.com", { exact: true }).click();
    const next = await opened;
    await next.getByRole("heading", { name: "xn--pple-43d.com" }).waitFor();
    expect(await next.getByText("may look like others").isVisible()).toBe(true);
    expect(await next.evaluate(() => (globalThis as unknown as { opener: unknown }).opener)).toBeNull();
    expect(await next.getByRole("link", { name: "Open it" }).getAttribute("href")).toBe(
      "https://xn--pple-43d.com/login",
    );
    await Promise.all([page.close(), next.close()]);
  },
);
