import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { type Sink, startSink } from "../../../test/support/sink.ts";
import { agent, webhook } from "../testing/answers.ts";
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

const run = (line: string[], terminal = true) => shell.run(line, { env: world.env, terminal, columns: 140 });
const made = async () => (await world.api("GET", "/webhooks")).webhooks;

describe("create", () => {
  test("registers it, for what was asked for; a terminal says what comes next", async () => {
    const flags = [
      "--events",
      "message.held, message.bounced",
      "--agents",
      "bot@e2a.localhost",
      "--description",
      "Ops",
    ];
    const { code, out } = await run(["webhooks", "create", "https://example.com/e", ...flags]);
    expect(code).toBe(0);
    expect(world.proxy.requests.at(-1)?.body).toEqual({
      ...{ url: "https://example.com/e", events: ["message.held", "message.bounced"], agents: ["bot@e2a.localhost"] },
      description: "Ops",
    });
    expect(out).toBe(
      "✓ https://example.com/e is told of message.held, message.bounced of bot@e2a.localhost.\n\n" +
        `Try it: e2a webhooks test ${(await made())[0].id}\n`,
    );
  });

  test("for everything unless told otherwise; a pipe gets the webhook", async () => {
    const { out } = await run(["webhooks", "create", "https://example.com/e"], false);
    expect([JSON.parse(out), world.proxy.requests.at(-1)?.body]).toEqual([
      (await made())[0],
      { url: "https://example.com/e" },
    ]);
  });

  test("unknown types are refused with the known ones", async () => {
    const { code, err } = await run(["webhooks", "create", "https://example.com/e", "--events", "mail"]);
    expect([code, err]).toEqual([
      1,
      expect.stringContaining('error: events has unknown types: "mail". Known: message.'),
    ]);
  });
});

test("list: a line an endpoint, with what is wrong; show says more", async () => {
  const since = new Date(Date.now() - 3 * 3_600_000).toISOString();
  const webhooks = [
    webhook(3, { failing_since: since }),
    webhook(2, {
      ...{ status: "disabled", disabled_at: since, disabled_reason: "It answered 410 Gone." },
      ...{ events: ["message.held", "message.sent"], agents: ["bot@example.com"], description: "Old" },
    }),
    webhook(1),
  ];
  world.shows("/webhooks", { webhooks });
  world.shows(`/webhooks/${webhook(2).id}`, webhooks[1]);
  const [head, ...lines] = (await run(["webhooks", "list"])).out.trimEnd().split("\n");
  expect(head).toMatch(/^URL +EVENTS +AGENTS +STATUS +AGE +ID$/);
  expect(lines[0]).toMatch(/^example.com\/3 +all +all +failing for 3h +/);
  expect(lines[1]).toMatch(/^example.com\/2 +message.held \+1 +bot@example.com +disabled +/);
  expect(lines[2]).toMatch(/^example.com\/1 +all +all +enabled +\S+ +whk_0{31}1$/);
  const shown = (await run(["webhooks", "show", webhook(2).id])).out;
  expect(shown).toContain(`Disabled:  ${since}: It answered 410 Gone.\n`);
  expect(shown).toEndWith(`Enable it: e2a webhooks update ${webhook(2).id} --status enabled\n`);
  expect(JSON.parse((await run(["webhooks", "list"], false)).out)).toEqual({ webhooks });
  world.shows("/webhooks", { webhooks: [] });
  expect((await run(["webhooks", "list"])).out).toContain("e2a webhooks create https://");
});

test("update sends only what was given; all takes a restriction away", async () => {
  const { id } = await world.api("POST", "/webhooks", { url: "https://example.com/e", events: ["message.held"] });
  const { code, out } = await run(["webhooks", "update", id, "--events", "all", "--status", "enabled"]);
  expect([code, world.proxy.requests.at(-1)?.body]).toEqual([0, { events: [], status: "enabled" }]);
  expect(out).toContain("Events:   all\n");
  expect(await run(["webhooks", "update", id])).toMatchObject({ code: 2, out: "" });
  expect(await run(["webhooks", "update", id, "--status", "on"])).toMatchObject({ code: 2, out: "" });
});

test("delete needs a yes, an unknown id is an error", async () => {
  const { id } = await world.api("POST", "/webhooks", { url: "https://example.com/e" });
  expect(await run(["webhooks", "delete", id], false)).toMatchObject({ code: 2, out: "" });
  expect(await made()).toHaveLength(1);
  expect((await run(["webhooks", "delete", id, "--yes"])).out).toBe(`✓ ${id} is deleted.\n`);
  expect(await run(["webhooks", "delete", id, "--yes"])).toMatchObject({ code: 1 });
});

describe("test", () => {
  let sink: Sink;
  beforeEach(() => {
    sink = startSink();
  });
  afterEach(() => sink[Symbol.asyncDispose]());
  const tested = async () => {
    const { id } = await world.api("POST", "/webhooks", { url: sink.url });
    return run(["webhooks", "test", id]);
  };

  test("waits for the answer and shows it", async () => {
    sink.answer = () => new Response("ok");
    const { code, out } = await tested();
    expect(code).toBe(0);
    expect(out).toContain("\n✓ succeeded\n");
    expect(out).toMatch(/\n1 +\S+ \S+ +\d+ ms +200 +ok\n$/);
  });

  test("ends with 1 and the answer when it was refused", async () => {
    sink.answer = () => new Response("Bad gateway", { status: 502 });
    const { code, out, err } = await tested();
    const [{ id }] = (await world.api("GET", "/deliveries")).deliveries;
    expect([code, err]).toEqual([
      1,
      `error: ${sink.url} did not take it: 502.\nfix: Follow it with: e2a deliveries show ${id}\n`,
    ]);
    expect(out).toMatch(/\n1 +\S+ \S+ +\d+ ms +502 +Bad gateway\n$/);
  });
});

test("agents know how their own webhook fares, and switch it on again", async () => {
  const hook = { agent_mode: "cloud", webhook_url: "https://example.com/mail" } as const;
  const agents = [
    agent("a@e2a.localhost", { ...hook, webhook_status: "disabled", webhook_disabled_reason: "It answered 410 Gone." }),
    agent("b@e2a.localhost", { ...hook, webhook_status: "enabled", webhook_failing_since: "2026-05-15T12:00:00Z" }),
    agent("c@e2a.localhost", { ...hook, webhook_status: "enabled" }),
    agent("d@e2a.localhost", { webhook_status: "disabled" }),
  ];
  world.shows("/agents", { agents });
  world.shows("/agents/a@e2a.localhost", agents[0]);
  const lines = (await run(["agents", "list"])).out.trimEnd().split("\n").slice(1);
  expect(lines.map((line) => line.replace(/^.*now */, ""))).toEqual([
    ...["(disabled) https://example.com/mail", "(failing) https://example.com/mail", "https://example.com/mail", ""],
  ]);
  const shown = (await run(["agents", "show", "a@e2a.localhost"])).out;
  expect(shown).toContain(
    "Disabled:  It answered 410 Gone. Mail waits; switch it on: e2a agents update a@e2a.localhost",
  );
  await world.api("PATCH", "/agents/bot@e2a.localhost", {
    agent_mode: "cloud",
    webhook_url: "https://example.com/mail",
  });
  await run(["agents", "update", "bot@e2a.localhost", "--webhook-status", "enabled"]);
  expect(world.proxy.requests.at(-1)).toMatchObject({ method: "PATCH", body: { webhook_status: "enabled" } });
});
