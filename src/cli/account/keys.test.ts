import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { key } from "../testing/delivery.ts";
import { agent } from "../testing/samples.ts";
import { WireServer } from "../testing/server.ts";
import { Shell } from "../testing/shell.ts";

let shell: Shell;
let server: WireServer;
beforeEach(async () => {
  shell = await Shell.open();
  server = new WireServer();
  server.agents = [agent("bot@e2a.localhost")];
});
afterEach(async () => {
  await server.close();
  await shell.close();
});

const run = (line: string[], terminal = true, env = {}) =>
  shell.run(["keys", ...line], { env: { ...server.env, ...env }, terminal, columns: 140 });

describe("create", () => {
  test("for the account, whatever agent other commands mean; the key is shown once", async () => {
    const { code, out } = await run(["create", "deploy"], true, { E2A_AGENT_EMAIL: "bot@e2a.localhost" });
    expect([code, server.requests.at(-1)?.body]).toEqual([0, { name: "deploy", scope: "account" }]);
    expect(out).toStartWith("✓ deploy is a key for the whole account.\n\n  e2a_efef");
    expect(out).toEndWith("\n\nIt is shown only now. Use it as E2A_API_KEY.\n");
  });

  test("for one agent, for a while; a pipe gets all as JSON", async () => {
    const { out } = await run(["create", "bot", "--agent", "bot", "--expires", "30d"], false);
    const asked = server.requests.at(-1)?.body;
    expect(asked).toMatchObject({ name: "bot", scope: "agent", agent: "bot@e2a.localhost" });
    const days = (Date.parse((asked as { expires_at: string }).expires_at) - Date.now()) / 86_400_000;
    expect(Math.round(days)).toBe(30);
    expect(JSON.parse(out)).toMatchObject({ name: "bot", key: expect.stringMatching(/^e2a_[0-9a-f]{64}$/) });
    expect(await run(["create", "bot", "--expires", "soon"])).toMatchObject({ code: 2, out: "" });
  });
});

test("list: for whom, how it begins, when it was used and ends", async () => {
  const [past, soon] = [-2, 40].map((hours) => new Date(Date.now() + hours * 3_600_000).toISOString());
  server.delivery.keys = [
    key(3, { expires_at: past ?? null }),
    key(2, { scope: "agent", agent: "bot@e2a.localhost", expires_at: soon ?? null, last_used_at: past ?? null }),
    key(1),
  ];
  const [head, ...lines] = (await run(["list"])).out.trimEnd().split("\n");
  expect(head).toMatch(/^NAME +FOR +BEGINS +USED +EXPIRES +AGE +ID$/);
  expect(lines[0]).toMatch(/^key 3 +account +e2a_3234567 +never +expired +/);
  expect(lines[1]).toMatch(/^key 2 +bot@e2a.localhost +e2a_2234567 +2h +in 40h +/);
  expect(lines[2]).toMatch(/^key 1 +account +e2a_1234567 +never +never +\S+ +apk_0{31}1$/);
  expect(JSON.parse((await run(["list"], false)).out)).toEqual({ keys: server.delivery.keys });
});

test("delete revokes it, when told to", async () => {
  server.delivery.keys = [key(1)];
  expect(await run(["delete", key(1).id], false)).toMatchObject({ code: 2, out: "" });
  expect((await run(["delete", key(1).id, "--yes"])).out).toBe(`✓ ${key(1).id} is revoked.\n`);
  expect(server.delivery.keys).toEqual([]);
  expect(await run(["delete", key(1).id, "--yes"])).toMatchObject({ code: 1 });
});
