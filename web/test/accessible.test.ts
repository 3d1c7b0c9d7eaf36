import { afterAll, beforeAll, expect, test } from "bun:test";
import axe from "axe-core";
import type { Browser, Page } from "playwright-core";
import { chromiumRuns, signedIn, startChromium } from "../../test/browser/chromium.ts";
import { startTestApp, type TestApp } from "../../test/support/app.ts";
import { sampleAccount, sampleLimits } from "../../test/support/sample-account.ts";
import { type Sink, startSink } from "../../test/support/sink.ts";

/** How many pages are checked concurrently. */
const TABS = 3;

let it: TestApp;
let sink: Sink;
let browser: Browser;
let pages: Record<string, string>;

beforeAll(async () => {
  if (!chromiumRuns) return;
  sink = startSink();
  sink.answer = ({ body }) => new Response("Bad Gateway", { status: body.type === "message.held" ? 502 : 200 });
  it = await startTestApp({ set: sampleLimits });
  [pages, browser] = await Promise.all([sampleAccount(it, sink), startChromium()]);
});

afterAll(async () => {
  await browser?.close();
  await it?.[Symbol.asyncDispose]();
  await sink?.[Symbol.asyncDispose]();
});

/** Opens a page and waits until its content has loaded. */
async function open(page: Page, path: string): Promise<void> {
  await page.goto(path);
  await page.getByRole("heading").first().waitFor();
  await page.locator("[role=status]:has-text('Loading'), [aria-busy=true]").first().waitFor({ state: "detached" });
}

/** The serious and critical violations that axe finds. */
async function violations(page: Page, rules?: string[]): Promise<string[]> {
  const found = await page.evaluate(
    (runOnly) =>
      (globalThis as unknown as { axe: typeof axe }).axe.run({
        resultTypes: ["violations"],
        ...(runOnly && { runOnly }),
      }),
    rules,
  );
  return found.violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, help, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${help}\n${html}\n${failureSummary}`),
    );
}

/** Things that open over a page: the page, the text that shows it is ready, the keys, and the text that appears. */
const opened: Record<string, [page: string, ready: string, keys: string, shown: string | RegExp]> = {
  "new webhook": ["webhooks", "The warehouse", "n", "Create webhook"],
  "new key": ["keys", "on the VPS", "n", "Create key"],
  "new domain": ["domains", "agents.example.com", "n", "Add domain"],
  "new suppression": ["suppressions", "gone@example.com", "n", "Suppress address"],
  rejection: ["held message", "A decision is about", "r", "Reject 1 message"],
  edit: ["held message", "A decision is about", "e", "Review the changes"],
  "all selected": ["approvals", "Your refund", "* a", /^\d+ selected$/],
  palette: ["events", "Live", "Control+k", "Keyboard shortcuts"],
  keys: ["deliveries", "webhook.test", "?", "Go to Approvals"],
};

/** What is wrong with the current page. */
async function faults(page: Page): Promise<string[]> {
  const found: string[] = [];
  for (const width of [360, 2560, 1280]) {
    await page.setViewportSize({ width, height: 900 });
    // The page learns its new size a moment later.
    await page.waitForFunction(`innerWidth === ${width}`);
    const pixels = Number(await page.evaluate("document.documentElement.scrollWidth"));
    if (pixels > width) found.push(`At ${width} pixels it is ${pixels} wide.`);
  }
  await page.emulateMedia({ colorScheme: "light" });
  found.push(...(await violations(page)));
  // The dark theme differs only in colours.
  await page.emulateMedia({ colorScheme: "dark" });
  found.push(...(await violations(page, ["color-contrast"])));
  return found;
}

test.skipIf(!chromiumRuns)(
  "every page lets everybody in, light and dark, and fits from 360 to 2,560 pixels",
  async () => {
    const context = await signedIn(browser, it, { reducedMotion: "reduce" });
    context.setDefaultTimeout(15_000);
    const wrong: Record<string, string[]> = {};
    const waiting = Object.entries(pages);
    const look = async () => {
      const page = await context.newPage();
      for (let next = waiting.shift(); next; next = waiting.shift()) {
        const [name, path] = next;
        await open(page, path);
        await page.evaluate(axe.source);
        const note = async (what: string) => {
          const found = await faults(page);
          if (found.length > 0) wrong[what] = found;
        };
        await note(name);
        let last: string | RegExp | null = null;
        for (const [what, [on, ready, keys, shown]] of Object.entries(opened)) {
          if (on !== name) continue;
          if (last !== null) {
            await page.keyboard.press("Escape");
            await page.getByText(last).first().waitFor({ state: "detached" });
          }
          await page.getByText(ready).first().waitFor();
          for (const key of keys.split(" ")) await page.keyboard.press(key);
          await page.getByText(shown).first().waitFor();
          await note(what);
          last = shown;
        }
      }
    };
    await Promise.all(Array.from({ length: TABS }, look));
    expect(wrong).toEqual({});
  },
  // Some forty pages, each laid out and checked several times: a minute on two idle cores.
  300_000,
);
