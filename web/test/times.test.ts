/** Relative times in a browser whose clock differs from the server's. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Browser } from "playwright-core";
import { chromiumRuns, startChromium } from "../../test/browser/chromium.ts";
import { firstVisit } from "../../test/browser/visit.ts";

let browser: Browser;
beforeAll(async () => {
  if (chromiumRuns) browser = await startChromium();
});
afterAll(() => browser?.close());

describe.skipIf(!chromiumRuns)("in a browser, on the compiled binary", () => {
  test("what has happened is not announced for the future; what will happen is", async () => {
    await using visit = await firstVisit(browser);
    const { page } = visit;
    await visit.api("POST", "/agents", { slug: "my-bot", agent_mode: "local" });
    await visit.api("PATCH", "/agents/my-bot@e2a.localhost", { hitl_enabled: true });
    const mail = { from: "my-bot@e2a.localhost", to: ["bob@example.com"], subject: "An offer", body: "Hi" };
    const sent = await visit.api("POST", "/send", mail);
    const { created_at, approval_expires_at } = await visit.api("GET", `/messages/${sent.message_id}`);
    const row = page.getByRole("listitem").filter({ hasText: "An offer" });

    await page.clock.setFixedTime(new Date(Date.parse(created_at) - 20_000));
    await page.goto("/outbox");
    expect(await row.locator("time").textContent()).toBe("just now");

    await page.clock.setFixedTime(new Date(Date.parse(approval_expires_at) - 20_000));
    await page.goto("/approvals");
    expect(await row.locator("time").textContent()).toBe("in a moment");
  });
});
