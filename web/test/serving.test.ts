import { expect, test } from "bun:test";
import { join } from "node:path";
import { buildWeb, FIRST_SCREEN_BYTES_MAX } from "../../scripts/web.ts";
import { startTestApp } from "../../test/support/app.ts";
import { tempDir } from "../../test/support/temp.ts";

const asPage = { accept: "text/html,application/xhtml+xml,*/*;q=0.8" };

test("the first screen loads less than 250 KB of JavaScript, compressed, and index.html has nothing inline", async () => {
  await using dir = await tempDir();
  const { firstScreenBytes } = await buildWeb(join(dir.path, "web"));
  expect(firstScreenBytes).toBeGreaterThan(50_000);
  expect(firstScreenBytes).toBeLessThan(FIRST_SCREEN_BYTES_MAX);
  const html = await Bun.file(join(dir.path, "web", "index.html")).text();
  expect(html).not.toMatch(/<style|<script>| style=| on\w+=/);
});

test("the start page is asked for anew each time, under a policy that trusts this origin and nothing inline", async () => {
  await using it = await startTestApp();
  const response = await fetch(`${it.app.httpUrl}/`, { headers: asPage });
  expect(response.headers.get("cache-control")).toBe("no-cache");
  const policy = response.headers.get("content-security-policy")!;
  for (const part of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"])
    expect(policy.split("; ")).toContain(part);
  expect(policy).not.toContain("unsafe");
  expect(response.headers.get("x-content-type-options")).toBe("nosniff");
  expect(response.headers.get("referrer-policy")).toBe("no-referrer");

  const script = /src="(\/assets\/main-[^"]+)"/.exec(await response.text())?.[1];
  const asset = await fetch(it.app.httpUrl + script, { headers: { "accept-encoding": "br;q=0, gzip" } });
  expect(asset.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
  expect(asset.headers.get("content-encoding")).toBe("gzip");
  expect(asset.headers.get("vary")).toBe("accept-encoding");
  expect(await asset.text()).toContain("/api/v1/agents");
});

test.each(["/agents/bot@e2a.localhost", "/inbox/a/msg_1?q=x", "/no/such/page"])(
  "a browser that asks for %s gets the dashboard, whose route it is",
  async (path) => {
    await using it = await startTestApp();
    const response = await fetch(it.app.httpUrl + path, { headers: asPage });
    expect(response.status).toBe(200);
    expect(await response.text()).toContain('<div id="root">');
  },
);

test.each([
  ["/agents/bot@e2a.localhost", "application/json"],
  ["/api/v1/nothing", asPage.accept],
  ["/api", asPage.accept],
  ["/assets/main-00000000.js", asPage.accept],
  ["/metrics", asPage.accept],
  ["/.well-known/security.txt", asPage.accept],
])("%s asked for as %s is not there", async (path, accept) => {
  await using it = await startTestApp();
  const response = await fetch(it.app.httpUrl + path, { headers: { accept } });
  expect(response.status).toBe(404);
});
