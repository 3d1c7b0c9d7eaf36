import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { Command } from "commander";
import { version } from "../util/version.ts";
import { withoutOriginalForm } from "./machine/original-form.ts";
import { buildProgram } from "./program.ts";
import { mayColour, processIo } from "./terminal/io.ts";
import { Shell } from "./testing/shell.ts";
import { startWorld, type World } from "./testing/world.ts";

let shell: Shell;
beforeEach(async () => {
  shell = await Shell.open();
});
afterEach(() => shell.close());

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world[Symbol.asyncDispose]());
beforeEach(() => {
  world.refuses(null);
  world.proxy.requests.length = 0;
});

describe("help", () => {
  test("every command says what it does and shows an example", async () => {
    const every = (command: Command, path: string[]): [Command, string[]][] => [
      [command, path],
      ...command.commands.flatMap((child) => every(child, [...path, child.name()])),
    ];
    for (const [command, path] of every(buildProgram(processIo(process)), []).slice(1)) {
      expect([path, command.summary()]).not.toEqual([path, ""]);
      expect([path, command.description()]).not.toEqual([path, ""]);
      const { out } = await shell.run([...path, "--help"]);
      expect(out).toMatch(/\nExamples?:\n {2}\$ .*e2a /);
      expect(out).not.toContain("(default: {})");
    }
  });

  test("goes to standard output and is no failure", async () => {
    const { code, out, err } = await shell.run(["agents", "register", "--help"]);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toContain("$ e2a agents register --slug my-bot");
    expect(out).toContain("--url <url>");
  });

  test("the version is the package's", async () => {
    expect((await shell.run(["--version"])).out).toBe(`${version}\n`);
  });

  test.each([
    ["-config c.yaml -bootstrap-email ann@example.com", "bootstrap --config=c.yaml --email=ann@example.com"],
    ["--bootstrap-email=ann@example.com --json", "bootstrap --email=ann@example.com --json"],
    ["-config c.yaml", "serve --config=c.yaml"],
    ["-config=c.yaml --print-config", "serve --config=c.yaml --print-config"],
    ["-config c.yaml -bootstrap-email", "bootstrap --config=c.yaml --email"],
    ["-bootstrap-email -config c.yaml", "bootstrap --config=c.yaml --email"],
    ["config set -config x", "config set -config x"],
    ["-config c.yaml inbox", "-config c.yaml inbox"],
    ["--config c.yaml serve --print-config", "--config c.yaml serve --print-config"],
  ])("the original's %j is %j", (given, own) => {
    expect(withoutOriginalForm(given.split(" "))).toEqual(own.split(" "));
  });

  test("a group without a command shows its help as a usage error", async () => {
    const { code, out, err } = await shell.run(["agents"]);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toContain("register");
  });
});

describe("usage errors end with 2 and name the remedy", () => {
  const cases: [line: string[], said: string][] = [
    [["inbx"], "Did you mean inbox?"],
    [["agents", "regster"], "Did you mean register?"],
    [["inbox", "--statsu", "all"], "Did you mean --status?"],
    [["inbox", "--limit", "0"], "whole number"],
    [["inbox", "--since", "yesterday"], "30m, 12h, 7d"],
    [["inbox", "--status", "maybe"], "unread, read, all"],
    [["read"], "missing required argument 'id'"],
    [["inbox", "surplus"], "too many arguments"],
    [["agents", "register"], "--slug or --email"],
    [["agents", "register", "--slug", "a", "--email", "a@example.com"], "cannot be used with"],
    [["agents", "register", "--slug", "a", "--mode", "cloud"], "--webhook-url"],
    [["agents", "delete", "a@example.com"], "--yes"],
    [["agents", "update", "a@example.com"], "Nothing to change"],
    [["login"], "--api-key-stdin"],
    [["config", "set", "colour", "red"], "url, api_key, agent"],
    [["inbox", "--url", "localhost:8080"], "http://127.0.0.1:8080"],
  ];
  for (const [line, said] of cases) {
    test(line.join(" "), async () => {
      const { code, out, err } = await shell.run(line, { env: { E2A_API_KEY: "e2a_key" } });
      expect([code, out]).toEqual([2, ""]);
      expect(err).toContain(said);
      expect(err).toStartWith("error: ");
    });
  }
});

describe("the server's refusals", () => {
  const cases: [status: number, code: number][] = [
    [400, 1],
    [401, 4],
    [403, 4],
    [404, 1],
    [409, 1],
    [429, 1],
    [500, 1],
  ];
  for (const [status, code] of cases) {
    test(`${status} ends with ${code}`, async () => {
      world.refuses([status, { detail: "No, because.", code: "some_code", fix: "Do this." }]);
      const ran = await shell.run(["agents", "list"], { env: world.env });
      expect(ran).toMatchObject({ code, out: "" });
      expect(ran.err).toStartWith("error: No, because.\nfix: Do this.\n");
    });
  }

  test("wrong fields are listed", async () => {
    world.refuses([400, { detail: "Two fields are wrong.", errors: [{ field: "slug", message: "is too short" }] }]);
    const { err } = await shell.run(["agents", "register", "--slug", "x"], { env: world.env });
    expect(err).toContain("  slug: is too short\n");
  });

  test("a wrong field that the error names is not listed again", async () => {
    const errors = [{ field: "slug", message: "is too short" }];
    world.refuses([400, { detail: "slug is too short.", errors, fix: "Choose another." }]);
    const { err } = await shell.run(["agents", "register", "--slug", "x"], { env: world.env });
    expect(err).toBe("error: slug is too short.\nfix: Choose another.\n");
  });

  test("--json passes the problem document on", async () => {
    world.refuses([409, { detail: "Taken.", code: "conflict", fix: "Choose another.", extra: 7 }]);
    const { err } = await shell.run(["agents", "register", "--slug", "x", "--json"], { env: world.env });
    expect(JSON.parse(err)).toMatchObject({
      status: 409,
      detail: "Taken.",
      code: "conflict",
      fix: "Choose another.",
      extra: 7,
    });
  });

  test("--json also makes usage errors JSON", async () => {
    const { code, err } = await shell.run(["inbox", "--jsn", "--json"]);
    expect(code).toBe(2);
    expect(JSON.parse(err)).toMatchObject({ code: "usage", fix: "Did you mean --json?" });
  });

  test("but not after --, where it is an argument", async () => {
    const { code, err } = await shell.run(["read", "a", "--", "--json"]);
    expect(code).toBe(2);
    expect(err).toStartWith("error: too many arguments");
  });

  test("hostile text in a refusal cannot command the terminal", async () => {
    world.refuses([400, { detail: "bad \x1b]0;owned\x07name", fix: "no\x1b[2J" }]);
    const { err } = await shell.run(["agents", "list"], { env: world.env, terminal: true });
    expect(err).not.toContain("\x1b");
  });
});

describe("no server, no key", () => {
  test("nobody listens", async () => {
    const env = { ...world.env, E2A_URL: "http://127.0.0.1:1" };
    const { code, err } = await shell.run(["agents", "list"], { env });
    expect(code).toBe(1);
    expect(err).toContain("Is the server running? Start it with `e2a serve` or set --url.");
  });

  test("without a key nothing is asked", async () => {
    const { code, err } = await shell.run(["agents", "list"], { env: { E2A_URL: world.proxy.url } });
    expect(code).toBe(4);
    expect(err).toContain("e2a login");
    expect(world.proxy.requests).toEqual([]);
  });

  test("something else answers", async () => {
    const other = Bun.serve({
      port: 0,
      fetch: () => new Response("<html>", { headers: { "content-type": "text/html" } }),
    });
    const { code, err } = await shell.run(["agents", "list"], { env: { ...world.env, E2A_URL: other.url.origin } });
    await other.stop(true);
    expect(code).toBe(1);
    expect(err).toContain("address of an e2a server");
  });

  test("a redirect is not followed with the key", async () => {
    const other = Bun.serve({ port: 0, fetch: () => Response.redirect(`${world.proxy.url}/api/v1/agents`, 302) });
    const { code, err } = await shell.run(["agents", "list"], { env: { ...world.env, E2A_URL: other.url.origin } });
    await other.stop(true);
    expect(code).toBe(1);
    expect(err).toContain(`redirects to ${world.proxy.url}`);
    expect(world.proxy.requests).toEqual([]);
  });
});

describe("colours", () => {
  const terminal = { isTTY: true };
  const cases: [stream: { isTTY?: boolean }, env: Record<string, string>, colour: boolean][] = [
    [terminal, {}, true],
    [{}, {}, false],
    [terminal, { NO_COLOR: "1" }, false],
    [terminal, { NO_COLOR: "" }, true],
    [{}, { FORCE_COLOR: "1" }, true],
    [terminal, { FORCE_COLOR: "0" }, false],
    [{}, { FORCE_COLOR: "1", NO_COLOR: "1" }, false],
    [terminal, { TERM: "dumb" }, false],
  ];
  for (const [stream, env, colour] of cases) {
    test(`${JSON.stringify([stream, env])}`, () => expect(mayColour(stream, env)).toBe(colour));
  }

  test("--no-color wins in output, help and errors", async () => {
    const setup = { env: world.env, terminal: true, colour: true };
    expect((await shell.run(["agents", "list"], setup)).out).toContain("\x1b[");
    expect((await shell.run(["inbx"], setup)).err).toContain("\x1b[31merror: ");
    for (const line of [["agents", "list"], ["agents", "--help"], ["inbx"]]) {
      const { out, err } = await shell.run([...line, "--no-color"], setup);
      expect(out + err).not.toContain("\x1b[");
    }
  });
});
