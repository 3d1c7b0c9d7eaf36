/** Names as long as the server accepts them. */
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
  test.each([
    ["on a phone", 390],
    ["on a laptop", 1280],
  ])("a long name does not push an agent's state out of sight, %s", async (_where, width) => {
    await using visit = await firstVisit(browser);
    const { page } = visit;
    const name = "A very long name ".repeat(9).trim();
    await visit.api("POST", "/agents", { slug: `bot-${"x".repeat(36)}`, name, agent_mode: "local" });
    await page.setViewportSize({ width, height: 844 });
    await page.goto("/agents");
    const state = await page.getByText("Active", { exact: true }).boundingBox();
    expect((state?.x ?? width) + (state?.width ?? 0)).toBeLessThan(width);
  });
});
