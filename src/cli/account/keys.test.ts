import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { key } from "../testing/answers.ts";
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

const run = (line: string[], terminal = true, env = {}) =>
  shell.run(["keys", ...line], { env: { ...world.env, ...env }, terminal, columns: 140 });

describe("create", () => {
  test("for the account, whatever agent other commands mean; the key is shown once", async () => {
    const { code, out } = await run(["create", "deploy"], true, { E2A_AGENT_EMAIL: "bot@e2a.localhost" });
    expect([code, world.proxy.requests.at(-1)?.body]).toEqual([0, { name: "deploy", scope: "account" }]);
    expect(out).toStartWith("✓ deploy is a key for the whole account.\n\n  e2a_");
    expect(out).toEndWith("\n\nIt is shown only now. Use it as E2A_API_KEY.\n");
  });

  test("for one agent, for a while; a pipe gets all as JSON", async () => {
    const { out } = await run(["create", "bot", "--agent", "bot", "--expires", "30d"], false);
    const asked = world.proxy.requests.at(-1)?.body;
    expect(asked).toMatchObject({ name: "bot", scope: "agent", agent: "bot@e2a.localhost" });
    const days = (Date.parse((asked as { expires_at: string }).expires_at) - Date.now()) / 86_400_000;
    expect(Math.round(days)).toBe(30);
    expect(JSON.parse(out)).toMatchObject({ name: "bot", key: expect.stringMatching(/^e2a_[0-9a-f]{64}$/) });
    expect(await run(["create", "bot", "--expires", "soon"])).toMatchObject({ code: 2, out: "" });
  });
});

test("list: for whom, how it begins, when it was used and ends", async () => {
  const [past, soon] = [-2, 40].map((hours) => new Date(Date.now() + hours * 3_600_000).toISOString());
  const keys = [
    key(3, { expires_at: past ?? null }),
    key(2, { scope: "agent", agent: "bot@e2a.localhost", expires_at: soon ?? null, last_used_at: past ?? null }),
    key(1),
  ];
  world.shows("/keys", { keys });
  const [head, ...lines] = (await run(["list"])).out.trimEnd().split("\n");
  expect(head).toMatch(/^NAME +FOR +BEGINS +USED +EXPIRES +AGE +ID$/);
  expect(lines[0]).toMatch(/^key 3 +account +e2a_3234567 +never +expired +/);
  expect(lines[1]).toMatch(/^key 2 +bot@e2a.localhost +e2a_2234567 +2h +in 40h +/);
  expect(lines[2]).toMatch(/^key 1 +account +e2a_1234567 +never +never +\S+ +apk_0{31}1$/);
  expect(JSON.parse((await run(["list"], false)).out)).toEqual({ keys });
});

test("delete revokes it, when told to", async () => {
  const { id } = JSON.parse((await run(["create", "deploy"], false)).out);
  const names = async () => (await world.api("GET", "/keys")).keys.map(({ name }: { name: string }) => name);
  expect(await run(["delete", id], false)).toMatchObject({ code: 2, out: "" });
  expect(await names()).toContain("deploy");
  expect((await run(["delete", id, "--yes"])).out).toBe(`✓ ${id} is revoked.\n`);
  expect(await names()).not.toContain("deploy");
  expect(await run(["delete", id, "--yes"])).toMatchObject({ code: 1 });
});
