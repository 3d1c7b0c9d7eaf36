import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { stat } from "node:fs/promises";
import { Shell } from "../testing/shell.ts";
import { startWorld, type World } from "../testing/world.ts";

let shell: Shell;
let world: World;
beforeEach(async () => {
  shell = await Shell.open();
  world = await startWorld();
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
  await shell.close();
});

const configPath = async () => (await shell.run(["config", "path"])).out.trim();

test("a key from standard input is checked, stored for its owner only, and used from then on", async () => {
  const { code, out } = await shell.run(["login", "--api-key-stdin", "--url", world.proxy.url], {
    stdin: `${world.app.key}\n`,
  });
  expect(code).toBe(0);
  expect(JSON.parse(out)).toEqual({ url: world.proxy.url, email: "owner@example.net" });
  expect((await stat(await configPath())).mode & 0o777).toBe(0o600);
  expect((await shell.run(["agents", "list"])).code).toBe(0);
});

test("a terminal is asked, and the key is not shown", async () => {
  // The server has no sign-in page for browsers.
  world.proxy.instead = ({ path }) => (path === "/api/auth/methods" ? new Response(null, { status: 404 }) : null);
  const running = shell.start(["login"], { terminal: true, env: { E2A_URL: world.proxy.url } });
  await running.printed("Server");
  running.stdin.write("\r");
  await running.printed("API key");
  running.stdin.write(`${world.app.key}\r`);
  const { code, out } = await running.done;
  expect(code).toBe(0);
  expect(out).not.toContain(world.app.key);
  expect(out).toContain(`Logged in to ${world.proxy.url} as owner@example.net.`);
  expect(await Bun.file(await configPath()).json()).toEqual({ url: world.proxy.url, api_key: world.app.key });
});

describe("nothing is stored", () => {
  test("when the key is wrong", async () => {
    const { code, err } = await shell.run(["login", "--api-key-stdin", "--url", world.proxy.url], {
      stdin: "e2a_wrong",
    });
    expect(code).toBe(4);
    expect(err).toContain("The API key is unknown, revoked or expired.");
    expect(await Bun.file(await configPath()).exists()).toBe(false);
  });

  test("when standard input is empty", async () => {
    const { code } = await shell.run(["login", "--api-key-stdin", "--url", world.proxy.url], { stdin: "\n" });
    expect(code).toBe(2);
    expect(await Bun.file(await configPath()).exists()).toBe(false);
  });
});

test("a key of one agent, which may not see the account, is good too", async () => {
  world.refuses([403, { detail: "An agent key may not do that.", code: "forbidden" }]);
  const { code, out } = await shell.run(["login", "--api-key-stdin", "--url", world.proxy.url], {
    stdin: world.app.key,
  });
  expect([code, JSON.parse(out)]).toEqual([0, { url: world.proxy.url, email: null }]);
});
