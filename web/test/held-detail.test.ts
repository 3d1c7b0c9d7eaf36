import { expect, test } from "bun:test";
import { chromiumRuns, signedIn, startChromium } from "../../test/browser/chromium.ts";
import { startTestApp } from "../../test/support/app.ts";

const hour = 3_600_000;

test.skipIf(!chromiumRuns)(
  "a held message expires at the same time in the list and where it is open, and is the page's title on a phone",
  async () => {
    await using it = await startTestApp();
    await it.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
    await it.api("PATCH", "/api/v1/agents/bot@e2a.localhost", { hitl_enabled: true, hitl_notify_email: false });
    const mail = { to: ["ann@outside.example"], subject: "Your refund", body: "Hello" };
    const { message_id: id } = (await it.api("POST", "/api/v1/send", mail)).body;
    const { approval_expires_at: expires } = (await it.api("GET", `/api/v1/messages/${id}`)).body;
    const before = (hours: number) => new Date(Date.parse(expires) - hours * hour);
    const browser = await startChromium();
    try {
      const context = await signedIn(browser, it, { locale: "en-US", viewport: { width: 1280, height: 900 } });
      const page = await context.newPage();
      const shown = page.locator(`time[datetime="${expires}"]`);
      await page.clock.setFixedTime(before(6.9 * 24));
      await page.goto("/approvals");
      await shown.first().waitFor();
      expect(await shown.allTextContents()).toEqual(["in 7d"]);
      await page.clock.setFixedTime(before(6.4 * 24));
      await page.getByRole("link", { name: "Your refund" }).click();
      await shown.nth(1).waitFor();
      expect(await shown.allTextContents()).toEqual(["in 6d", "in 6d"]);
      const titles = page.getByRole("heading", { level: 1 });
      expect(await titles.allTextContents()).toEqual(["Approvals"]);
      // On a phone it is alone, so its heading is the page's.
      await page.setViewportSize({ width: 390, height: 844 });
      await page.getByRole("heading", { level: 1, name: "Your refund" }).waitFor();
      expect(await titles.allTextContents()).toEqual(["Your refund"]);
    } finally {
      await browser.close();
    }
  },
  60_000,
);
