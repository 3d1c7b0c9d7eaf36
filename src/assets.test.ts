import { expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { build } from "../scripts/build.ts";
import { tempDir } from "../test/support/temp.ts";
import { assetFolders, dashboardFile, docPages, migrations } from "./assets.ts";

test("both databases have the same steps, numbered from 1, one for each file", async () => {
  const names = (dialect: "sqlite" | "postgres") => migrations(dialect).map(({ number, name }) => `${number} ${name}`);
  expect(names("sqlite")).toEqual(names("postgres"));
  expect(names("sqlite")[0]).toStartWith("1 ");
  expect(names("sqlite")).toHaveLength((await readdir(join(import.meta.dir, "../migrations/sqlite"))).length);
  for (const { sql } of [...migrations("sqlite"), ...migrations("postgres")]) expect(sql.trim()).not.toBe("");
});

test("the dashboard's start page is found at / and by name, with its type", async () => {
  const start = dashboardFile("/");
  expect(start).toMatchObject({ contentType: "text/html;charset=utf-8", encoding: null, immutable: false });
  expect(await start?.body.text()).toBe((await dashboardFile("/index.html")?.body.text()) ?? "missing");
});

test.each([
  "/nothing.html",
  "/../package.json",
  "/web/../../package.json",
  "/..%2fpackage.json",
  "/\0",
  "//",
  "/index.html/",
])("no dashboard file at %p", (path) => {
  expect(dashboardFile(path)).toBeNull();
});

test("every file that the start page loads is there, may be kept for ever, and is not of another host", async () => {
  const html = (await dashboardFile("/")?.body.text()) ?? "";
  const loaded = [...html.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, target]) => target!);
  expect(loaded.length).toBeGreaterThan(3);
  for (const target of loaded.filter((one) => !one.startsWith("/api/"))) {
    expect(target).toMatch(/^\/assets\//);
    expect(dashboardFile(target)).toMatchObject({ immutable: true });
  }
});

test("what a client can undo is sent compressed, and reads the same", async () => {
  const html = (await dashboardFile("/")?.body.text()) ?? "";
  const script = /src="(\/assets\/main-[^"]+)"/.exec(html)?.[1] ?? "";
  const plain = dashboardFile(script);
  const gzip = dashboardFile(script, (coding) => coding === "gzip");
  expect(plain).toMatchObject({ encoding: null });
  expect(dashboardFile(script, () => true)).toMatchObject({ encoding: "br", contentType: plain!.contentType });
  expect(gzip).toMatchObject({ encoding: "gzip", contentType: plain!.contentType });
  expect(new TextDecoder().decode(Bun.gunzipSync(new Uint8Array(await gzip!.body.arrayBuffer())))).toBe(
    await plain!.body.text(),
  );
  expect(dashboardFile(`${script}.gz`)).toBeNull();
});

test("every page of the documentation has a title, and its links to others lead somewhere", () => {
  const names = docPages().map(({ name }) => name);
  expect(names).toContain("mcp");
  for (const { name, markdown } of docPages()) {
    expect(markdown).toMatch(/^# \S.*\n/);
    for (const [, target = ""] of markdown.matchAll(/\]\(([\w-]+)\.md[#)]/g))
      expect({ name, target: names.includes(target) ? target : `${target} is missing` }).toEqual({ name, target });
  }
});

test("a compiled binary gives the same answers, wherever it is run", async () => {
  await using dir = await tempDir();
  const [entry, binary] = [join(dir.path, "ask.ts"), join(dir.path, "ask")];
  const module = JSON.stringify(join(import.meta.dir, "assets.ts"));
  await Bun.write(
    entry,
    `const { dashboardFile, docPages, migrations } = await import(${module});
     const start = dashboardFile("/");
     console.log(JSON.stringify({
       migrations: [migrations("sqlite"), migrations("postgres")],
       docs: docPages(),
       start: { ...start, body: await start.body.text() },
       none: dashboardFile("/../package.json"),
     }));`,
  );
  await build({ entrypoints: [entry], outfile: binary });
  const answer = async (...command: string[]) => {
    const child = Bun.spawn(command, { cwd: dir.path, stderr: "inherit" });
    return JSON.parse(await child.stdout.text());
  };
  expect(await answer(binary)).toEqual(await answer(process.execPath, entry));
});

test("the image is built from everything that the binary carries", async () => {
  const read = (file: string) => Bun.file(join(import.meta.dir, "..", file)).text();
  const [steps, ignored] = [await read("Dockerfile"), await read(".dockerignore")];
  for (const folder of assetFolders.filter((folder) => !folder.startsWith("dist/"))) {
    expect(steps).toContain(`\nCOPY ${folder} ${folder}\n`);
    expect(ignored).toContain(`\n!${folder}\n`);
  }
});
