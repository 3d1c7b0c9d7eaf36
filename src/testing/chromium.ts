import chromium from "@sparticuz/chromium";
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium as driver } from "playwright-core";
import type { TestApp } from "./app.ts";

/** Where the packaged Chromium runs; on other machines tests that need it are skipped. */
export const chromiumRuns = process.platform === "linux" && process.arch === "x64";

/**
 * A headless Chromium with its usual security: the package's own arguments would switch web security and site isolation
 * off. The sandbox of the process is off, because tests may run as root.
 */
export async function startChromium(): Promise<Browser> {
  return driver.launch({
    executablePath: await chromium.executablePath(),
    args: ["--no-sandbox", "--disable-gpu"],
    headless: true,
  });
}

/** A window of its own, signed in as the owner by a link from the console. */
export async function signedIn(
  browser: Browser,
  it: TestApp,
  options: BrowserContextOptions = {},
): Promise<BrowserContext> {
  const context = await browser.newContext({ baseURL: it.app.httpUrl, ...options });
  const page = await context.newPage();
  await page.goto(await it.app.signInLink());
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL((url) => url.pathname !== "/sign-in");
  await page.close();
  return context;
}
