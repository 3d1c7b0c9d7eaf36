import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { Shell } from "../testing/shell.ts";
import { startWorld, type World } from "../testing/world.ts";

let shell: Shell;
let world: World;
beforeEach(async () => {
  shell = await Shell.open();
  world = await startWorld({ agents: [] });
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
  await shell.close();
});

/** Registers agents by their addresses. */
async function agents(...addresses: string[]): Promise<void> {
  for (const address of addresses) {
    const [local = "", domain] = address.split("@");
    const own = domain === "e2a.localhost" ? { slug: local } : { email: address };
    await world.api("POST", "/agents", { ...own, agent_mode: "local" });
  }
}

/** Proves that a domain is the account's. */
async function prove(domain: string): Promise<void> {
  const { dns_records: records, verification_token: token } = await world.api("POST", "/domains", { domain });
  world.app.dns.zone = { ...world.app.dns.zone, [records.txt.name]: { TXT: [token] } };
  await world.api("POST", `/domains/${domain}/verify`);
}

const down = "\x1b[B";
const enter = "\r";

describe("register", () => {
  test("a slug alone makes a local agent; a terminal says what comes next", async () => {
    const { code, out } = await shell.run(["agents", "register", "--slug", "my-bot"], {
      env: world.env,
      terminal: true,
    });
    expect(code).toBe(0);
    expect(out).toContain("✓ my-bot@e2a.localhost is registered.");
    expect(out).toContain("e2a listen --agent my-bot@e2a.localhost");
    expect(world.proxy.requests.at(-1)?.body).toEqual({ slug: "my-bot", agent_mode: "local" });
  });

  test("a webhook URL makes a cloud agent; a pipe gets the agent as JSON", async () => {
    await prove("example.com");
    const hook = "https://example.com/mail";
    const line = ["agents", "register", "--email", "bot@example.com", "--webhook-url", hook, "--name", "Bot"];
    const { out } = await shell.run(line, { env: world.env });
    expect(JSON.parse(out)).toMatchObject({ email: "bot@example.com", name: "Bot" });
    expect(world.proxy.requests.at(-1)?.body).toEqual({
      email: "bot@example.com",
      name: "Bot",
      agent_mode: "cloud",
      webhook_url: hook,
    });
  });

  test("a terminal without arguments asks, and an address with @ is an address", async () => {
    await prove("example.com");
    const running = shell.start(["agents", "register"], { env: world.env, terminal: true });
    await running.printed("Address");
    running.stdin.write(`bot@example.com${enter}`);
    await running.printed("Name people see");
    running.stdin.write(`Bot${enter}`);
    await running.printed("How does mail reach it?");
    running.stdin.write(down);
    running.stdin.write(enter);
    await running.printed("Webhook URL");
    running.stdin.write(`https://example.com/mail${enter}`);
    expect((await running.done).code).toBe(0);
    expect(world.proxy.requests.at(-1)?.body).toEqual({
      email: "bot@example.com",
      name: "Bot",
      agent_mode: "cloud",
      webhook_url: "https://example.com/mail",
    });
  });

  test("Ctrl-C at a question registers nothing", async () => {
    const running = shell.start(["agents", "register"], { env: world.env, terminal: true });
    await running.printed("Address");
    running.stdin.write("\x03");
    const { code, err } = await running.done;
    expect([code, err]).toEqual([1, "error: Cancelled.\n"]);
    expect((await world.api("GET", "/agents")).agents).toEqual([]);
  });
});

describe("list and show", () => {
  test("a table in a terminal, the API's body in a pipe", async () => {
    await agents("two@e2a.localhost");
    await world.api("POST", "/agents", { slug: "one", name: "First", agent_mode: "local" });
    const table = await shell.run(["agents", "list"], { env: world.env, terminal: true });
    expect(table.out).toMatch(/^ADDRESS +NAME +MODE +AGE +WEBHOOK\none@e2a.localhost +First +local +now\ntwo@/);
    const json = await shell.run(["agents", "list"], { env: world.env });
    expect(JSON.parse(json.out)).toEqual(await world.api("GET", "/agents"));
    expect(json.out.trim().split("\n")).toHaveLength(1);
  });

  test("an unknown agent", async () => {
    const { code, err } = await shell.run(["agents", "show", "gone@e2a.localhost"], { env: world.env });
    expect([code, err]).toEqual([1, "error: There is no such agent, or this key may not see it.\n"]);
  });
});

describe("change and delete", () => {
  beforeEach(() => agents("bot@e2a.localhost"));

  test("update sends only what was given; the local part is enough", async () => {
    const { code } = await shell.run(["agents", "update", "bot", "--name", "New"], { env: world.env });
    expect(code).toBe(0);
    expect(world.proxy.requests.at(-1)).toMatchObject({
      method: "PATCH",
      path: "/agents/bot@e2a.localhost",
      body: { name: "New" },
    });
  });

  test("delete asks in a terminal and No keeps the agent", async () => {
    const running = shell.start(["agents", "delete", "bot@e2a.localhost"], { env: world.env, terminal: true });
    await running.printed("Delete bot@e2a.localhost and all its mail?");
    running.stdin.write(enter);
    expect(await running.done).toMatchObject({ code: 1, err: "error: Nothing was deleted.\n" });
    expect(world.proxy.requests).toEqual([]);
  });

  test("delete --yes", async () => {
    const { code, out } = await shell.run(["agents", "delete", "bot@e2a.localhost", "--yes"], { env: world.env });
    expect([code, JSON.parse(out)]).toEqual([0, { status: "deleted" }]);
    expect(world.proxy.requests.at(-1)?.method).toBe("DELETE");
  });
});

describe("which agent a command is about", () => {
  const inbox = (env = {}, ...flags: string[]) => shell.run(["inbox", ...flags], { env: { ...world.env, ...env } });
  const asked = () => world.proxy.requests.at(-1)?.path;

  test("the only one, without asking", async () => {
    await agents("bot@e2a.localhost");
    expect((await inbox()).code).toBe(0);
    expect(asked()).toBe("/agents/bot@e2a.localhost/messages");
  });

  test("with none there is a next step", async () => {
    expect(await inbox()).toMatchObject({ code: 1, err: expect.stringContaining("e2a agents register") });
  });

  test("with several a pipe is told the choices", async () => {
    await agents("two@e2a.localhost", "one@e2a.localhost");
    const { code, err } = await inbox();
    expect(code).toBe(2);
    expect(err).toContain("one@e2a.localhost, two@e2a.localhost");
    expect(err).toContain("--agent");
  });

  test("with several a terminal is asked", async () => {
    await agents("two@e2a.localhost", "one@e2a.localhost");
    const running = shell.start(["inbox"], { env: world.env, terminal: true });
    await running.printed("Which agent?");
    running.stdin.write(down);
    running.stdin.write(enter);
    expect((await running.done).code).toBe(0);
    expect(asked()).toBe("/agents/two@e2a.localhost/messages");
  });

  test("flag over environment over file", async () => {
    await agents("flag-1@e2a.localhost", "env-1@e2a.localhost", "file-1@e2a.localhost");
    await shell.run(["config", "set", "agent", "file-1@e2a.localhost"]);
    await inbox();
    expect(asked()).toBe("/agents/file-1@e2a.localhost/messages");
    await inbox({ E2A_AGENT_EMAIL: "ENV-1@e2a.localhost" });
    expect(asked()).toBe("/agents/env-1@e2a.localhost/messages");
    await inbox({ E2A_AGENT_EMAIL: "env-1@e2a.localhost" }, "--agent", "flag-1");
    expect(asked()).toBe("/agents/flag-1@e2a.localhost/messages");
  });

  test("a name is the whole local part, of one agent", async () => {
    for (const domain of ["a.example", "b.example"]) await prove(domain);
    await agents("sales@e2a.localhost", "sales-eu@e2a.localhost", "eu@b.example", "eu@a.example");
    await inbox({}, "--agent", "Sales");
    expect(asked()).toBe("/agents/sales@e2a.localhost/messages");
    const part = await inbox({}, "--agent", "sal");
    expect([part.code, part.err]).toEqual([2, expect.stringContaining('You have no agent "sal".')]);
    const shared = await inbox({}, "--agent", "eu");
    expect([shared.code, shared.err]).toEqual([
      2,
      expect.stringContaining("Choose one of: eu@a.example, eu@b.example."),
    ]);
  });
});
