import { expect, test } from "bun:test";
import { startTestApp } from "../../../test/support/app.ts";

test("each page of the documentation is there for models and for people, and llms.txt lists them", async () => {
  await using it = await startTestApp({ set: { "http.public_url": "https://mail.example.com/" } });
  const get = async (path: string) => {
    const response = await fetch(it.app.httpUrl + path);
    return {
      status: response.status,
      type: response.headers.get("content-type"),
      text: await response.text(),
      response,
    };
  };
  const list = await get("/llms.txt");
  expect([list.status, list.type]).toEqual([200, "text/plain; charset=utf-8"]);
  expect(list.text).toMatch(/^# e2a\n\n> Email for AI agents/);
  const links = [...list.text.matchAll(/^- \[([^\]]+)\]\(https:\/\/mail\.example\.com(\/[^)]+)\): \S/gm)];
  expect(links.map(([, , path]) => path)).toEqual(
    expect.arrayContaining([
      "/docs/mcp.md",
      "/docs/sending.md",
      "/docs/delivery.md",
      "/api/v1/openapi.json",
      "/api/docs",
    ]),
  );
  const index = await get("/docs");
  for (const [, title = "", path = ""] of links) {
    const { status, type, text } = await get(path);
    expect([path, status]).toEqual([path, 200]);
    if (!path.endsWith(".md")) continue;
    expect([type, text.split("\n")[0]]).toEqual(["text/markdown; charset=utf-8", `# ${title}`]);
    expect(text).toBe(await Bun.file(`${import.meta.dir}/../../..${path}`).text());
    const read = await get(path.replace(/\.md$/, ""));
    expect([read.status, read.type]).toEqual([200, "text/html; charset=utf-8"]);
    expect(read.text).toContain("<h1");
    expect(read.text).not.toMatch(/href="[\w-]+\.md/);
    expect(index.text).toContain(`href="${path.replace(/\.md$/, "")}"`);
    expect(read.response.headers.get("content-security-policy")).toStartWith("default-src 'none'");
  }
  for (const path of ["/docs/none.md", "/docs/none", "/docs/..%2fREADME.md", "/docs/openapi.json"])
    expect([path, (await get(path)).status]).toEqual([path, 404]);
});
