import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { stat } from "node:fs/promises";
import { agent } from "../testing/samples.ts";
import { apiKey, WireServer } from "../testing/server.ts";
import { Shell } from "../testing/shell.ts";

let shell: Shell;
let server: WireServer;
beforeEach(async () => {
  shell = await Shell.open();
  server = new WireServer();
});
afterEach(async () => {
  await server.close();
  await shell.close();
});

const configPath = async () => (await shell.run(["config", "path"])).out.trim();

test("a key from standard input is checked, stored for its owner only, and used from then on", async () => {
  server.agents = [agent("bot@e2a.localhost")];
  const { code, out } = await shell.run(["login", "--api-key-stdin", "--url", server.url], { stdin: `${apiKey}\n` });
  expect(code).toBe(0);
  expect(JSON.parse(out)).toEqual({ url: server.url, email: "owner@example.com" });
  expect((await stat(await configPath())).mode & 0o777).toBe(0o600);
  expect((await shell.run(["agents", "list"])).code).toBe(0);
});

test("a terminal is asked, and the key is not shown", async () => {
  const running = shell.start(["login"], { terminal: true, env: { E2A_URL: server.url } });
  await running.printed("Server");
  running.stdin.write("\r");
  await running.printed("API key");
  running.stdin.write(`${apiKey}\r`);
  const { code, out } = await running.done;
  expect(code).toBe(0);
  expect(out).not.toContain(apiKey);
  expect(out).toContain(`Logged in to ${server.url} as owner@example.com.`);
  expect(await Bun.file(await configPath()).json()).toEqual({ url: server.url, api_key: apiKey });
});

describe("nothing is stored", () => {
  test("when the key is wrong", async () => {
    const { code, err } = await shell.run(["login", "--api-key-stdin", "--url", server.url], { stdin: "e2a_wrong" });
    expect(code).toBe(4);
    expect(err).toContain("The API key is not valid.");
    expect(await Bun.file(await configPath()).exists()).toBe(false);
  });

  test("when standard input is empty", async () => {
    const { code } = await shell.run(["login", "--api-key-stdin", "--url", server.url], { stdin: "\n" });
    expect(code).toBe(2);
    expect(await Bun.file(await configPath()).exists()).toBe(false);
  });
});

test("a key of one agent, which may not see the account, is good too", async () => {
  server.refusal = [403, { detail: "An agent key may not do that.", code: "forbidden" }];
  const { code, out } = await shell.run(["login", "--api-key-stdin", "--url", server.url], { stdin: apiKey });
  expect([code, JSON.parse(out)]).toEqual([0, { url: server.url, email: null }]);
});
