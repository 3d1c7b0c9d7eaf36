import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdir, readdir, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Shell } from "../testing/shell.ts";
import { settingsPath } from "./settings.ts";

let shell: Shell;
beforeEach(async () => {
  shell = await Shell.open();
});
afterEach(() => shell.close());

describe("where the file is", () => {
  const cases = [
    ["linux", { HOME: "/home/u" }, "/home/u/.config/e2a/config.json"],
    ["linux", { HOME: "/home/u", XDG_CONFIG_HOME: "/cfg" }, "/cfg/e2a/config.json"],
    ["linux", { HOME: "/home/u", XDG_CONFIG_HOME: "relative" }, "/home/u/.config/e2a/config.json"],
    ["darwin", { HOME: "/Users/u" }, "/Users/u/Library/Application Support/e2a/config.json"],
    ["win32", { APPDATA: "/roaming" }, "/roaming/e2a/config.json"],
  ] as const;
  for (const [platform, env, path] of cases) {
    test(`${platform} ${JSON.stringify(env)}`, () => expect(settingsPath({ env, platform })).toBe(path));
  }
});

test("flags win over the environment, which wins over the file, which wins over the default", async () => {
  const env = { E2A_URL: "http://env.example" };
  const url = async (flags: string[], env = {}) =>
    (await shell.run(["config", "get", "url", ...flags], { env })).out.trim();
  expect(await url([])).toBe("http://127.0.0.1:8080");
  await shell.run(["config", "set", "url", "https://file.example/api/v1/"]);
  expect(await url([])).toBe("https://file.example");
  expect(await url([], env)).toBe("http://env.example");
  expect(await url(["--url", "http://flag.example:1234/sub/"], env)).toBe("http://flag.example:1234/sub");
});

test("the file is its owner's only, even in a folder that was open", async () => {
  const path = (await shell.run(["config", "path"])).out.trim();
  await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  await writeFile(path, "{}", { mode: 0o644 });
  expect((await shell.run(["config", "set", "api_key", "-"], { stdin: "e2a_secret\n" })).code).toBe(0);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect((await stat(dirname(path))).mode & 0o777).toBe(0o700);
  expect(await readdir(dirname(path))).toEqual(["config.json"]);
  expect((await shell.run(["config", "get", "api_key"])).out).toBe("e2a_secret\n");
});

test("a stored key goes to the server that it was stored with, and to no other one", async () => {
  const asked: [server: string, key: string | null][] = [];
  const serve = (name: string) =>
    Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch(request) {
        asked.push([name, request.headers.get("authorization")]);
        return Response.json({ agents: [] });
      },
    });
  const [own, other] = [serve("own"), serve("other")];
  const [home, away] = [own.url.origin, other.url.origin];
  try {
    await shell.run(["config", "set", "url", `${home}/api/v1`]);
    await shell.run(["config", "set", "api_key", "-"], { stdin: "e2a_secret" });
    expect((await shell.run(["agents", "list"])).code).toBe(0);
    expect((await shell.run(["agents", "list", "--url", `${home}/`])).code).toBe(0);
    for (const [flags, env] of [
      [["--url", away], {}],
      [[], { E2A_URL: away }],
    ] as const) {
      const { code, err } = await shell.run(["agents", "list", ...flags], { env, terminal: true });
      expect([code, err]).toEqual([4, expect.stringContaining(`No API key for ${away}.`)]);
      expect(err).toContain(`The stored key is for ${home} and goes nowhere else.`);
      expect((await shell.run(["config", "get", "api_key", ...flags], { env })).code).toBe(2);
    }
    // A user who names both a server and a key means that pair.
    expect((await shell.run(["agents", "list"], { env: { E2A_URL: away, E2A_API_KEY: "e2a_other" } })).code).toBe(0);
    expect(asked).toEqual([
      ["own", "Bearer e2a_secret"],
      ["own", "Bearer e2a_secret"],
      ["other", "Bearer e2a_other"],
    ]);
  } finally {
    await Promise.all([own.stop(true), other.stop(true)]);
  }
});

test("members we do not know survive, an empty value removes one", async () => {
  const path = (await shell.run(["config", "path"])).out.trim();
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, JSON.stringify({ theirs: { a: 1 }, agent: "bot@e2a.localhost" }));
  await shell.run(["config", "set", "agent", ""]);
  expect(await Bun.file(path).json()).toEqual({ theirs: { a: 1 } });
  expect(await shell.run(["config", "get", "agent"])).toMatchObject({ code: 2, out: "" });
});

test("the list masks the key and says where values come from", async () => {
  const env = { E2A_API_KEY: `e2a_${"1234".repeat(16)}` };
  const table = await shell.run(["config", "list"], { terminal: true, env });
  expect(table.out).toMatch(/api_key +e2a_1234… +environment/);
  expect(table.out).toMatch(/url +http:\/\/127.0.0.1:8080 +default/);
  const json = await shell.run(["config", "list"], { env });
  expect(JSON.parse(json.out)).toEqual({ url: "http://127.0.0.1:8080", api_key: "e2a_1234…", agent: null });
});

describe("unusable settings are usage errors that name the file or the value", () => {
  for (const content of ["{ not json", "[]", '{"url": 7}']) {
    test(content, async () => {
      const path = join(shell.home, ".config", "e2a", "config.json");
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, content);
      const { code, err } = await shell.run(["config", "list"]);
      expect(code).toBe(2);
      expect(err).toContain(path);
    });
  }
  for (const url of ["localhost:8080", "ftp://example.com", "nonsense"]) {
    test(url, async () => expect((await shell.run(["config", "set", "url", url])).code).toBe(2));
  }
});
