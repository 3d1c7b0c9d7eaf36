/** What a user types goes where they look: into the palette, the search box, and the message that a dialog was about. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Browser, Page } from "playwright-core";
import { chromiumRuns, startChromium } from "../../test/browser/chromium.ts";
import { firstVisit, type Visit } from "../../test/browser/visit.ts";
import { deliver } from "../../test/smtp/smtp-client.ts";

const agent = "my-bot@e2a.localhost";
let browser: Browser;
let visit: Visit;
let page: Page;

beforeAll(async () => {
  if (!chromiumRuns) return;
  browser = await startChromium();
  visit = await firstVisit(browser);
  page = visit.page;
  await visit.api("POST", "/agents", { slug: "my-bot", agent_mode: "local" });
  // With two agents there is a filter, which takes letters.
  await visit.api("POST", "/agents", { slug: "other", agent_mode: "local" });
  await visit.api("PATCH", `/agents/${agent}`, { hitl_enabled: true });
});
afterAll(async () => {
  await visit?.[Symbol.asyncDispose]();
  await browser?.close();
});

const hold = async (subject: string): Promise<string> =>
  (await visit.api("POST", "/send", { from: agent, to: ["ann@example.com"], subject, body: "May I?" })).message_id;
const statusOf = async (id: string): Promise<string> => (await visit.api("GET", `/messages/${id}`)).status;
const detail = (subject: string) => page.getByRole("heading", { name: subject, exact: true });

describe.skipIf(!chromiumRuns)("in a browser, on the compiled binary", () => {
  test("what is typed right after Ctrl+K is in the palette, and approves nothing", async () => {
    const id = await hold("Not yet");
    await page.goto(`/approvals/${id}`);
    await page.getByText("A decision is about").waitFor();
    await page.keyboard.press("Control+k");
    await page.keyboard.type("agents");
    const palette = page.getByRole("combobox", { name: "Find a page, an agent or a command" });
    await palette.waitFor();
    expect(await palette.inputValue()).toBe("agents");
    await page.keyboard.press("Enter");
    await page.waitForURL((url) => url.pathname === "/agents");
    expect(await statusOf(id)).toBe("pending_approval");
    await visit.api("POST", `/messages/${id}/reject`, {});
  });

  test("a search goes on where it was when the user pauses, and follows the history", async () => {
    for (const subject of ["Deliver", "Delay"]) {
      const message = `From: ann@example.com\r\nSubject: ${subject}\r\n\r\nWords\r\n`;
      await deliver(visit.server.smtpPort, { from: "ann@example.com", to: agent, message });
    }
    const row = (subject: string) => page.getByRole("link", { name: subject, exact: true });
    await page.goto("/inbox");
    await row("Delay").waitFor();
    const box = page.getByRole("searchbox", { name: "Search mail" });
    await page.keyboard.press("/");
    await page.keyboard.type("del");
    await page.waitForURL("**/inbox?q=del");
    await row("Delay").waitFor();
    await page.keyboard.type("iv");
    await page.waitForURL("**/inbox?q=deliv");
    await row("Delay").waitFor({ state: "detached" });
    expect(await box.inputValue()).toBe("deliv");
    await page.getByRole("navigation").getByRole("link", { name: "Inbox" }).click();
    await row("Delay").waitFor();
    expect(await box.inputValue()).toBe("");
    await page.goBack();
    await row("Delay").waitFor({ state: "detached" });
    expect(await box.inputValue()).toBe("deliv");
  });

  test("held mail is rejected one after the other by keyboard, and the next key still decides", async () => {
    const subjects = ["One of three", "Two of three", "Three of three"];
    const ids: string[] = [];
    for (const subject of subjects) ids.push(await hold(subject));
    await page.goto("/approvals");
    await page.getByRole("link", { name: "Three of three" }).waitFor();
    await page.keyboard.press("j");
    for (const subject of subjects.slice(0, 2)) {
      await detail(subject).waitFor();
      await page.getByText("A decision is about").waitFor();
      await page.keyboard.press("r");
      const dialog = page.getByRole("dialog", { name: "Reject 1 message" });
      await dialog.waitFor();
      await page.keyboard.type("No");
      await page.keyboard.press("Control+Enter");
      await dialog.waitFor({ state: "detached" });
    }
    await detail("Three of three").waitFor();
    await page.getByText("A decision is about").waitFor();
    await page.keyboard.press("a");
    await page.getByText("Nothing waits").waitFor();
    expect(await Promise.all(ids.map(statusOf))).toEqual(["rejected", "rejected", "sent"]);
  });
});
