import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { delivery, webhook } from "../testing/delivery.ts";
import { agent } from "../testing/samples.ts";
import { WireServer } from "../testing/server.ts";
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

const run = (line: string[], terminal = true) => shell.run(line, { env: server.env, terminal, columns: 140 });
const id = webhook(1).id;
const hostile = "Bad\x1b[2J\u202e gateway";

describe("create", () => {
  test("registers it, for what was asked for; a terminal says what comes next", async () => {
    const flags = ["--events", "message.held, message.bounced", "--agents", "bot@example.com", "--description", "Ops"];
    const { code, out } = await run(["webhooks", "create", "https://example.com/e", ...flags]);
    expect(code).toBe(0);
    expect(server.requests.at(-1)?.body).toEqual({
      ...{ url: "https://example.com/e", events: ["message.held", "message.bounced"], agents: ["bot@example.com"] },
      description: "Ops",
    });
    expect(out).toBe(
      "✓ https://example.com/e is told of message.held, message.bounced of bot@example.com.\n\n" +
        `Try it: e2a webhooks test ${id}\n`,
    );
  });

  test("for everything unless told otherwise; a pipe gets the webhook", async () => {
    const { out } = await run(["webhooks", "create", "https://example.com/e"], false);
    expect([JSON.parse(out), server.requests.at(-1)?.body]).toEqual([
      server.delivery.webhooks[0],
      { url: "https://example.com/e" },
    ]);
  });

  test("unknown types are refused with the known ones", async () => {
    const { code, err } = await run(["webhooks", "create", "https://example.com/e", "--events", "mail"]);
    expect([code, err]).toEqual([1, expect.stringContaining('  events: has unknown types: "mail". Known: message.')]);
  });
});

test("list: a line an endpoint, with what is wrong; show says more", async () => {
  const since = new Date(Date.now() - 3 * 3_600_000).toISOString();
  server.delivery.webhooks = [
    webhook(3, { failing_since: since }),
    webhook(2, {
      ...{ status: "disabled", disabled_at: since, disabled_reason: "It answered 410 Gone." },
      ...{ events: ["message.held", "message.sent"], agents: ["bot@example.com"], description: "Old" },
    }),
    webhook(1),
  ];
  const [head, ...lines] = (await run(["webhooks", "list"])).out.trimEnd().split("\n");
  expect(head).toMatch(/^URL +EVENTS +AGENTS +STATUS +AGE +ID$/);
  expect(lines[0]).toMatch(/^example.com\/3 +all +all +failing for 3h +/);
  expect(lines[1]).toMatch(/^example.com\/2 +message.held \+1 +bot@example.com +disabled +/);
  expect(lines[2]).toMatch(/^example.com\/1 +all +all +enabled +\S+ +whk_0{31}1$/);
  const shown = (await run(["webhooks", "show", webhook(2).id])).out;
  expect(shown).toContain(`Disabled:  ${since}: It answered 410 Gone.\n`);
  expect(shown).toEndWith(`Switch it on: e2a webhooks update ${webhook(2).id} --status enabled\n`);
  expect(JSON.parse((await run(["webhooks", "list"], false)).out)).toEqual({ webhooks: server.delivery.webhooks });
  server.delivery.webhooks = [];
  expect((await run(["webhooks", "list"])).out).toContain("e2a webhooks create https://");
});

test("update sends only what was given; all takes a restriction away", async () => {
  server.delivery.webhooks = [webhook(1, { events: ["message.held"], status: "disabled" })];
  const { code, out } = await run(["webhooks", "update", id, "--events", "all", "--status", "enabled"]);
  expect([code, server.requests.at(-1)?.body]).toEqual([0, { events: [], status: "enabled" }]);
  expect(out).toContain("Events:   all\n");
  expect(await run(["webhooks", "update", id])).toMatchObject({ code: 2, out: "" });
  expect(await run(["webhooks", "update", id, "--status", "on"])).toMatchObject({ code: 2, out: "" });
});

test("delete needs a yes, an unknown id is an error", async () => {
  server.delivery.webhooks = [webhook(1)];
  expect(await run(["webhooks", "delete", id], false)).toMatchObject({ code: 2, out: "" });
  expect(server.delivery.webhooks).toHaveLength(1);
  expect((await run(["webhooks", "delete", id, "--yes"])).out).toBe(`✓ ${id} is deleted.\n`);
  expect(await run(["webhooks", "delete", id, "--yes"])).toMatchObject({ code: 1 });
});

describe("test", () => {
  beforeEach(() => {
    server.delivery.webhooks = [webhook(1)];
  });

  test("waits for the answer and shows it", async () => {
    const { status, attempts, tries } = delivery(1);
    server.delivery.looks = [{}, { status, attempts, tries }];
    const { code, out } = await run(["webhooks", "test", id]);
    expect(code).toBe(0);
    expect(out).toContain("\n✓ succeeded\n");
    expect(out).toMatch(/\n1 +2026-05-15 12:00:00 +34 ms +200 +ok\n$/);
  });

  test("ends with 1 and the answer when it was refused", async () => {
    const tries = delivery(1).tries.map((one) => ({ ...one, status: 502, answer: hostile }));
    server.delivery.looks = [{ attempts: 1, last_status: 502, tries }];
    const { code, out, err } = await run(["webhooks", "test", id]);
    expect([code, err]).toEqual([
      1,
      `error: https://example.com/1 did not take it: 502.\nfix: What becomes of it: e2a deliveries show ${delivery(1).id}\n`,
    ]);
    expect(out).toMatch(/\n1 +\S+ \S+ +34 ms +502 +Bad gateway\n$/);
  });
});

test("agents know how their own webhook fares, and switch it on again", async () => {
  const hook = { agent_mode: "cloud", webhook_url: "https://example.com/mail" } as const;
  server.agents = [
    agent("a@e2a.localhost", { ...hook, webhook_status: "disabled", webhook_disabled_reason: "It answered 410 Gone." }),
    agent("b@e2a.localhost", { ...hook, webhook_status: "enabled", webhook_failing_since: "2026-05-15T12:00:00Z" }),
    agent("c@e2a.localhost", { ...hook, webhook_status: "enabled" }),
    agent("d@e2a.localhost", { webhook_status: "disabled" }),
  ];
  const lines = (await run(["agents", "list"])).out.trimEnd().split("\n").slice(1);
  expect(lines.map((line) => line.replace(/^.*now */, ""))).toEqual([
    ...["(disabled) https://example.com/mail", "(failing) https://example.com/mail", "https://example.com/mail", ""],
  ]);
  const shown = (await run(["agents", "show", "a@e2a.localhost"])).out;
  expect(shown).toContain(
    "Disabled:  It answered 410 Gone. Mail waits; switch it on: e2a agents update a@e2a.localhost",
  );
  await run(["agents", "update", "a@e2a.localhost", "--webhook-status", "enabled"]);
  expect(server.requests.at(-1)).toMatchObject({ method: "PATCH", body: { webhook_status: "enabled" } });
});
