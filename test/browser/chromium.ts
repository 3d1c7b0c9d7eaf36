import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import chromium, { inflate } from "@sparticuz/chromium";
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium as driver } from "playwright-core";
import type { TestApp } from "../support/app.ts";

/** Whether the packaged Chromium runs here. On other machines the tests that need it are skipped; in CI they fail. */
export const chromiumRuns = (process.platform === "linux" && process.arch === "x64") || process.env.CI !== undefined;

/**
 * Starts a headless Chromium with its usual security: the package's own arguments would switch off web security and
 * site isolation. The process sandbox is off, because tests may run as root.
 */
export async function startChromium(): Promise<Browser> {
  const executablePath = await chromium.executablePath();
  const env = { ...process.env, ...(await libraries(executablePath)) };
  return driver.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"], headless: true, env });
}

/** The environment in which the loader finds Chromium's libraries. The package has those that machines may lack. */
async function libraries(executablePath: string): Promise<Record<string, string>> {
  if (!Bun.spawnSync(["ldd", executablePath]).stdout.includes("not found")) return {};
  const build = dirname(fileURLToPath(import.meta.resolve("@sparticuz/chromium")));
  return { LD_LIBRARY_PATH: join(await inflate(join(build, "../bin/al2023.tar.br")), "lib") };
}

/** A new browser context, signed in as the owner with the link from the console. */
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
