/** Keys work while toasts are visible, and Escape goes back in every list. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Browser, Page } from "playwright-core";
import { chromiumRuns, startChromium } from "../../test/browser/chromium.ts";
import { firstVisit, type Visit } from "../../test/browser/visit.ts";
import { deliver } from "../../test/smtp/smtp-client.ts";

const agent = "my-bot@e2a.localhost";
const other = "other@e2a.localhost";
let browser: Browser;
let visit: Visit;
let page: Page;

beforeAll(async () => {
  if (!chromiumRuns) return;
  browser = await startChromium();
  visit = await firstVisit(browser);
  page = visit.page;
  await visit.api("POST", "/agents", { slug: "my-bot", agent_mode: "local" });
  await visit.api("POST", "/agents", { slug: "other", agent_mode: "local" });
  // Each approval shows a toast with Undo for two minutes.
  await visit.api("PATCH", `/agents/${agent}`, { hitl_enabled: true, undo_seconds: 120 });
});
afterAll(async () => {
  await visit?.[Symbol.asyncDispose]();
  await browser?.close();
});

const hold = async (subject: string): Promise<string> => {
  const mail = { from: agent, to: ["ann@example.com"], subject, body: "May I?" };
  return (await visit.api("POST", "/send", mail)).message_id;
};
const goTo = (name: string) => page.getByRole("navigation").getByRole("link", { name }).click();
const detail = (subject: string) => page.getByRole("heading", { name: subject, exact: true });
const toasts = () => page.getByRole("dialog").filter({ hasText: "Approved; it will leave in" });

describe.skipIf(!chromiumRuns)("in a browser, on the compiled binary", () => {
  test("ten held mails are approved by keyboard in one go, under the toasts of those before", async () => {
    const subjects = Array.from({ length: 10 }, (_, n) => `Ten in a row, ${n}`);
    const ids: string[] = [];
    for (const subject of subjects) ids.push(await hold(subject));
    await goTo("Approvals");
    await page.getByRole("link", { name: "Ten in a row, 9" }).waitFor();
    await page.keyboard.press("j");
    for (const [n, subject] of subjects.entries()) {
      await detail(subject).waitFor();
      await page.getByText("A decision is about").waitFor();
      if (n > 0) await toasts().first().waitFor();
      await page.keyboard.press("a");
    }
    await page.getByText("Nothing waits").waitFor();
    const after = await Promise.all(ids.map((id) => visit.api("GET", `/messages/${id}`)));
    expect(after.map(({ status }) => status)).toEqual(ids.map(() => "queued"));
  }, 60_000);

  test("Escape closes what is open, under a toast, in every list that opens something", async () => {
    const message = "From: Bob <bob@example.com>\r\nSubject: Are you there?\r\n\r\nYes.\r\n";
    await deliver(visit.server.smtpPort, { from: "bob@example.com", to: agent, message });
    await visit.api("POST", "/send", { from: other, to: ["ann@example.com"], subject: "Captured", body: "Kept" });
    const hook = await visit.api("POST", "/webhooks", { url: "http://127.0.0.1:9/hook" });
    await visit.api("POST", `/webhooks/${hook.id}/test`);
    const first = await hold("Makes a toast");
    await hold("Still waits");
    await page.goto(`/approvals/${first}`);
    await page.getByText("A decision is about").waitFor();
    await page.keyboard.press("a");
    await toasts().first().waitFor();

    const lists: [list: string, path: string, link: RegExp][] = [
      ["Approvals", "/approvals", /Still waits/],
      ["Inbox", "/inbox", /Are you there\?/],
      ["Outbox", "/outbox", /Captured/],
      ["Captured mail", "/captured", /Captured/],
      ["Deliveries", "/deliveries", /webhook\.test/],
      ["Events", "/events", /message\.held/],
    ];
    for (const [name, path, link] of lists) {
      await goTo(name);
      await page.waitForURL((url) => url.pathname === path);
      // The URL changes before the page does: wait for the list's links.
      const rows = page.getByRole("listitem").locator(`a[href^="${path}/"]`).filter({ hasText: link });
      await rows.first().click();
      await page.waitForURL((url) => url.pathname.startsWith(`${path}/`));
      await page.getByLabel("Back to the list").first().waitFor({ state: "attached" });
      expect(await toasts().count()).toBeGreaterThan(0);
      await page.keyboard.press("Escape");
      await page.waitForURL((url) => url.pathname === path);
    }
  }, 60_000);

  test("Escape leaves the field, then the search, and clears what is selected", async () => {
    await goTo("Inbox");
    await page.keyboard.press("/");
    await page.keyboard.type("there");
    await page.waitForURL("**/inbox?q=there");
    await page.reload();
    await page.getByRole("link", { name: /Are you there\?/ }).waitFor();
    await page.keyboard.press("Escape");
    await page.waitForURL((url) => url.pathname === "/inbox" && url.search === "");

    await hold("To be selected");
    await goTo("Approvals");
    await page.getByRole("link", { name: /To be selected/ }).waitFor();
    // A click on the checkbox leaves the focus there; keys must still work.
    await page.getByLabel(/^All \d+/).click();
    await page
      .getByText(/^\d+ selected$/)
      .first()
      .waitFor();
    await page.keyboard.press("Escape");
    await page
      .getByText(/^\d+ selected$/)
      .first()
      .waitFor({ state: "detached" });
  }, 60_000);

  test("a dialog keeps its keys to itself, and Escape closes nothing else", async () => {
    await hold("Behind a dialog");
    await goTo("Approvals");
    await page.getByRole("link", { name: /Behind a dialog/ }).click();
    await page.getByText("A decision is about").waitFor();
    const url = page.url();
    await page.keyboard.press("r");
    const dialog = page.getByRole("dialog", { name: "Reject 1 message" });
    await dialog.waitFor();
    await dialog.getByRole("button", { name: "Cancel" }).focus();
    // Neither approves nor navigates.
    await page.keyboard.press("a");
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    expect(page.url()).toBe(url);
    const id = url.split("/").at(-1);
    expect(await visit.api("GET", `/messages/${id}`)).toMatchObject({ status: "pending_approval" });
  }, 60_000);
});
