import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import chromium, { inflate } from "@sparticuz/chromium";
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium as driver } from "playwright-core";
import type { TestApp } from "../support/app.ts";

/** Where the packaged Chromium runs; on other machines tests that need it are skipped, but in CI they fail. */
export const chromiumRuns = (process.platform === "linux" && process.arch === "x64") || process.env.CI !== undefined;

/**
 * A headless Chromium with its usual security: the package's own arguments would switch web security and site isolation
 * off. The sandbox of the process is off, because tests may run as root.
 */
export async function startChromium(): Promise<Browser> {
  const executablePath = await chromium.executablePath();
  const env = { ...process.env, ...(await libraries(executablePath)) };
  return driver.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"], headless: true, env });
}

/** Where the loader finds what Chromium links to. The package carries it for machines that lack some of it. */
async function libraries(executablePath: string): Promise<Record<string, string>> {
  if (!Bun.spawnSync(["ldd", executablePath]).stdout.includes("not found")) return {};
  const build = dirname(fileURLToPath(import.meta.resolve("@sparticuz/chromium")));
  return { LD_LIBRARY_PATH: join(await inflate(join(build, "../bin/al2023.tar.br")), "lib") };
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
