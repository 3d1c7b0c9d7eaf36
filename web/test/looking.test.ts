/** Mail that a user reads in the dashboard still reaches the agent. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Browser } from "playwright-core";
import { chromiumRuns, startChromium } from "../../test/browser/chromium.ts";
import { firstVisit } from "../../test/browser/visit.ts";
import { deliver } from "../../test/smtp/smtp-client.ts";

const agent = "my-bot@e2a.localhost";
let browser: Browser;
beforeAll(async () => {
  if (chromiumRuns) browser = await startChromium();
});
afterAll(() => browser?.close());

describe.skipIf(!chromiumRuns)("in a browser, on the compiled binary", () => {
  test("mail that a person opened is still handed to the agent, until somebody marks it read", async () => {
    await using visit = await firstVisit(browser);
    const { page, server } = visit;
    await visit.api("POST", "/agents", { slug: "my-bot", agent_mode: "local" });
    const message = [
      "From: Bob <bob@example.com>",
      "Subject: A question",
      "MIME-Version: 1.0",
      "Content-Type: multipart/mixed; boundary=b",
      "",
      "--b",
      "Content-Type: text/html",
      "",
      "<p>Looked at</p>",
      "--b",
      "Content-Type: text/plain; name=note.txt",
      "Content-Disposition: attachment; filename=note.txt",
      "",
      "A note",
      "--b--",
      "",
    ].join("\r\n");
    await deliver(server.smtpPort, { from: "bob@example.com", to: agent, message });
    /** The messages that `e2a listen` would get now. */
    const unread = async () =>
      (await visit.api("GET", `/agents/${agent}/messages`)).messages.map((one: { subject: string }) => one.subject);

    await page.goto("/inbox?q=question");
    const row = page.getByRole("listitem").filter({ hasText: "A question" });
    await row.getByRole("link").click();
    await page.getByRole("heading", { name: "A question" }).waitFor();
    await page.frameLocator("iframe").getByText("Looked at").waitFor();
    const download = page.waitForEvent("download");
    await page.getByRole("link", { name: "note.txt" }).click();
    await download;
    await page.getByRole("button", { name: "More" }).click();
    await page.getByRole("menuitem", { name: "Show the conversation" }).click();
    await page.getByRole("link", { name: "Open the message" }).waitFor();
    expect(await unread()).toEqual(["A question"]);

    await page.getByRole("link", { name: "Open the message" }).click();
    await page.getByRole("button", { name: "Mark read" }).click();
    await page.getByRole("button", { name: "Mark unread" }).waitFor();
    expect(await unread()).toEqual([]);

    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keyboard shortcuts" }).getByText("Mark read or unread").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor({ state: "detached" });
    await page.keyboard.press("u");
    await page.getByRole("button", { name: "Mark read" }).waitFor();
    expect(await unread()).toEqual(["A question"]);
  }, 60_000);
});
