import { afterEach, beforeEach, expect, test } from "bun:test";
import { delivery, listedDelivery } from "../testing/answers.ts";
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

const run = (line: string[], terminal = true) => shell.run(line, { env: world.env, terminal, columns: 160 });
const id = delivery(1).id;
/** Makes a webhook whose URL does not answer; returns its id. */
const webhookTo = async (type: string) =>
  (await world.api("POST", "/webhooks", { url: "https://example.com/e", events: [type] })).id;
const own = { endpoint_id: "bot@e2a.localhost", agent_id: "bot@e2a.localhost", url: "https://example.com/mail" };

test("a line a delivery, newest first: mark, event, endpoint, status with the last answer, next try, age, id", async () => {
  const next_attempt_at = new Date(Date.now() + 29.5 * 60_000).toISOString();
  const deliveries = [
    listedDelivery(3, { status: "pending", attempts: 0, last_status: undefined }),
    listedDelivery(2, { ...own, status: "pending", attempts: 3, last_error: "No\x1b[2J answer", next_attempt_at }),
    listedDelivery(1, { status: "failed", attempts: 10, last_status: 500 }),
  ];
  world.shows("/deliveries", { deliveries });
  const [head, ...lines] = (await run(["deliveries"])).out.trimEnd().split("\n");
  expect(head).toMatch(/^ +EVENT +TO +STATUS +NEXT +AGE +ID$/);
  expect(lines[0]).toMatch(/^… {2}message.received +example.com\/1 +pending +\S+ +dlv_0{31}3$/);
  expect(lines[1]).toMatch(/^! {2}message.received +example.com\/mail +pending No answer +in 30m +/);
  expect(lines[2]).toMatch(/^✗ {2}message.received +example.com\/1 +failed 500 +/);
});

test("filters by agent, endpoint and status; pages; nothing there is said in words", async () => {
  const there = async (...flags: string[]) => JSON.parse((await run(["deliveries", ...flags], false)).out).deliveries;
  expect((await run(["deliveries"])).out).toBe("No deliveries yet.\n");
  expect((await run(["deliveries", "--status", "failed"])).out).toBe("No deliveries that match.\n");
  const [one, two] = [await webhookTo("message.received"), await webhookTo("message.received")];
  for (let n = 0; n < 6; n++) await world.mail(`Hello ${n}`);
  for (let n = 0; n < 2; n++) await world.api("POST", `/webhooks/${one}/test`);
  expect(await there("--agent", "bot", "--limit", "100")).toHaveLength(12);
  expect(await there("--webhook", one)).toHaveLength(8);
  expect(await there("--webhook", two, "--agent", "bot")).toHaveLength(6);
  const { out } = await run(["deliveries", "list", "--limit", "5"]);
  expect(out.trimEnd().split("\n")).toHaveLength(7);
  const [, token = ""] = /There is more: add --token (\S+)\n$/.exec(out) ?? [];
  expect(await there("--token", token)).toHaveLength(9);
  expect(await run(["deliveries", "--status", "lost"])).toMatchObject({ code: 2, out: "" });
});

test("show: facts, and each attempt with how its answer began", async () => {
  const started_at = "2026-05-15T12:00:05.000Z";
  const tries = [
    { attempt: 1, started_at, duration_ms: 30_000, status: null, error: "No answer within 30 s", answer: null },
    { attempt: 2, started_at, duration_ms: 12, status: 500, error: null, answer: "<html>\n\x1b]0;owned\x07Oops" },
  ];
  const shown = delivery(1, { ...own, message_id: `msg_${"0".repeat(31)}1`, status: "failed", attempts: 2, tries });
  world.shows(`/deliveries/${id}`, shown);
  const { code, out } = await run(["deliveries", "show", id]);
  expect(code).toBe(0);
  expect(out).toContain("Event:     message.received  evt_00000000000000000000000000000001\n");
  expect(out).toContain("To:        https://example.com/mail\n");
  expect(out).toContain(`\n✗ failed\nDeliver it again: e2a deliveries redeliver ${id}\n`);
  expect(out).toMatch(/\n1 +2026-05-15 12:00:05 +30.0 s +- +No answer within 30 s\n/);
  expect(out).toMatch(/\n2 +2026-05-15 12:00:05 +12 ms +500 +<html> Oops\n$/);
  expect(JSON.parse((await run(["deliveries", "show", id], false)).out)).toEqual(shown);
  expect(await run(["deliveries", "show", "dlv_gone"])).toMatchObject({ code: 1, out: "" });
});

test("redeliver one, or all that failed since a time, however many parts that takes", async () => {
  const endpoint = await webhookTo("webhook.test");
  const { id } = await world.api("POST", `/webhooks/${endpoint}/test`);
  expect((await run(["deliveries", "redeliver", id])).out).toBe(
    `✓ It goes to https://example.com/e now. Watch it: e2a deliveries show ${id}\n`,
  );

  const parts = [1000, 7];
  world.proxy.instead = ({ path }) =>
    path === "/deliveries/redeliver" ? Response.json({ redelivered: parts.shift() ?? 0 }) : null;
  const flags = ["--since", "2026-05-15T12:00:00Z", "--agent", "bot", "--webhook", endpoint];
  expect((await run(["deliveries", "redeliver", ...flags])).out).toBe("✓ 1007 deliveries are due now.\n");
  const asked = world.proxy.requests.filter(({ path }) => path === "/deliveries/redeliver");
  const body = { since: "2026-05-15T12:00:00.000Z", agent: "bot@e2a.localhost", webhook: endpoint };
  expect(asked.map((request) => request.body)).toEqual([body, body, body]);
  expect(JSON.parse((await run(["deliveries", "redeliver", "--since", "1h"], false)).out)).toEqual({ redelivered: 0 });
});

test("redeliver needs to know what", async () => {
  const cases = [[], [id, "--since", "1h"], [id, "--webhook", "whk_1"], ["--since", "yesterday"]];
  for (const line of cases) expect(await run(["deliveries", "redeliver", ...line])).toMatchObject({ code: 2, out: "" });
  expect(world.proxy.requests).toEqual([]);
});
