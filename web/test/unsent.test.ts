/** A reply that is being typed is not lost by leaving its page, nor by a session that ends elsewhere. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Browser } from "playwright-core";
import { chromiumRuns, startChromium } from "../../test/browser/chromium.ts";
import { firstVisit } from "../../test/browser/visit.ts";
import { deliver } from "../../test/smtp/smtp-client.ts";

const agent = "my-bot@e2a.localhost";
const typed = "A long answer";

let browser: Browser;
beforeAll(async () => {
  if (chromiumRuns) browser = await startChromium();
});
afterAll(() => browser?.close());

/** A visit with mail "One" and "Two", where a reply to "One" is typed. */
async function replying() {
  const visit = await firstVisit(browser);
  await visit.api("POST", "/agents", { slug: "my-bot", agent_mode: "local" });
  for (const subject of ["One", "Two"]) {
    const message = `From: Bob <bob@example.com>\r\nSubject: ${subject}\r\n\r\nHi\r\n`;
    await deliver(visit.server.smtpPort, { from: "bob@example.com", to: agent, message });
  }
  const { page } = visit;
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.goto("/inbox");
  await page.getByRole("link", { name: "One" }).click();
  await page.getByRole("heading", { name: "One" }).waitFor();
  await page.keyboard.press("r");
  const text = page.getByRole("textbox", { name: "Text" });
  await text.pressSequentially(typed);
  return { visit, page, text };
}

describe.skipIf(!chromiumRuns)("in a browser, on the compiled binary", () => {
  test("another message opens only once the text may be discarded", async () => {
    const { visit, page, text } = await replying();
    await using _ = visit;
    const question = page.getByRole("dialog", { name: "Discard the text?" });

    await page.getByRole("button", { name: "Forward" }).first().click();
    expect(await text.inputValue()).toBe(typed);
    await page.getByRole("link", { name: "Two" }).click();
    await question.getByRole("button", { name: "Cancel" }).click();
    expect(await text.inputValue()).toBe(typed);
    await page.getByRole("link", { name: "Two" }).click();
    await question.getByRole("button", { name: "Discard the text" }).click();
    await page.getByRole("heading", { name: "Two" }).waitFor();
    expect(await text.count()).toBe(0);
  });

  test("a session that ended elsewhere leaves the text, which is sent after another sign-in", async () => {
    const { visit, page, text } = await replying();
    await using _ = visit;
    const { key } = await visit.api("POST", "/keys", { name: "sign-in", scope: "account" });
    const asked = page.waitForEvent("dialog");
    const questions: string[] = [];
    page.on("dialog", async (dialog) => {
      questions.push(dialog.type());
      await dialog.dismiss();
    });

    const other = await page.context().newPage();
    await other.goto("/settings");
    await other.getByRole("button", { name: /^Sign out / }).click();
    await other.getByLabel("API key of the account").waitFor();
    await asked;
    await page.bringToFront();
    await text.press("Control+Enter");
    await page.getByRole("form", { name: "Reply" }).getByRole("alert").waitFor();
    expect(await text.inputValue()).toBe(typed);
    expect(questions).toEqual(["beforeunload"]);

    await other.getByLabel("API key of the account").fill(key);
    await other.getByRole("button", { name: "Sign in" }).click();
    await other.getByRole("heading", { name: "Overview" }).waitFor();
    await text.press("Control+Enter");
    await page.getByText("Captured", { exact: true }).last().waitFor();
    const { messages } = await visit.api("GET", "/messages");
    expect(messages.map((one: { subject: string }) => one.subject)).toEqual(["Re: One"]);
  });
});
