import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { type ServeProcess, startBinary } from "../support/binary.ts";
import { tempDir } from "../support/temp.ts";

/** The compiled binary, with a browser that is signed in to its first account. */
export interface Visit extends AsyncDisposable {
  readonly server: ServeProcess;
  readonly page: Page;
  /** Makes a request with the page's session. Throws unless the answer is 2xx. */
  api(method: string, path: string, data?: unknown): ReturnType<typeof JSON.parse>;
}

/** How long to wait for expected content of a page. */
const TIMEOUT_MS = 15_000;

/** Runs the compiled binary on an empty folder, and makes the owner's account with the link from the console. */
export async function firstVisit(browser: Browser, env: Record<string, string> = {}): Promise<Visit> {
  const dir = await tempDir();
  const listen = { E2A_HTTP_LISTEN_ADDR: "127.0.0.1:0", E2A_SMTP_LISTEN_ADDR: "127.0.0.1:0" };
  const server = await startBinary({ E2A_DATA_DIR: join(dir.path, "data"), ...listen, ...env });
  const context = await browser.newContext({ baseURL: server.ready.http });
  context.setDefaultTimeout(TIMEOUT_MS);
  const page = await context.newPage();
  await page.goto(server.ready.sign_in);
  await page.getByLabel("Your email address").fill("ann@example.net");
  await page.getByRole("button", { name: "Create the account" }).click();
  await page.getByRole("heading", { name: "Overview" }).waitFor();
  return {
    server,
    page,
    async api(method, path, data) {
      const headers = { origin: server.ready.http };
      const answer = await page.request.fetch(`/api/v1${path}`, { method, headers, ...(data ? { data } : {}) });
      if (!answer.ok()) throw new Error(`${method} ${path}: ${await answer.text()}`);
      return answer.status() === 204 ? null : answer.json();
    },
    async [Symbol.asyncDispose]() {
      await context.close();
      await server.kill();
      await dir[Symbol.asyncDispose]();
    },
  };
}
