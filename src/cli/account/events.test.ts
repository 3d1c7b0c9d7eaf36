import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import goldens from "../../store/events/event-goldens.json" with { type: "json" };
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
const follow = (flags: string[] = [], terminal = false) =>
  shell.start(["events", "--follow", ...flags], { env: world.env, terminal, columns: 120 });
const ids = (out: string) => JSON.parse(out).events.map((one: { id: string }) => one.id);
const lines = (out: string) =>
  out
    .trimEnd()
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line).id);

/** Sends one mail per subject from outside; returns the ids of their events. */
async function happen(...subjects: string[]): Promise<string[]> {
  const found: string[] = [];
  for (const subject of subjects) {
    await world.mail(subject);
    found.push((await world.api("GET", "/events?sort=desc&page_size=1&types=message.received")).events[0].id);
  }
  return found;
}

describe("the list", () => {
  test("newest first, one line each; after an id or from the start, the oldest first", async () => {
    const sample = (type: string) => goldens.find((one) => one.type === type) as (typeof goldens)[number];
    const bounced = sample("message.bounced");
    const refused = {
      ...bounced,
      data: { ...bounced.data, recipient: "bob@example.com", smtp_reply: "550 No\x1b[2J such user" },
    };
    const verified = sample("domain.verified");
    const [first = "", second = ""] = await happen("Hello 1", "Hello 2");
    const events = (await world.api("GET", "/events?sort=desc")).events;
    expect(ids((await run(["events"], false)).out)).toEqual(events.map(({ id }: { id: string }) => id));
    const received = ["events", "--types", "message.received"];
    expect(ids((await run([...received, "--after", first], false)).out)).toEqual([second]);
    expect(ids((await run([...received, "--from-start"], false)).out)).toEqual([first, second]);
    const { out } = await run(received);
    expect(out).not.toContain("AGENT");
    expect(out).toMatch(new RegExp(` alice@example.com → bot@e2a.localhost {2}Hello 1 +${first}\\n`));

    world.shows("/events", { events: [verified, refused] });
    const [head, ...rows] = (await run(["events"])).out.trimEnd().split("\n");
    expect(head).toMatch(/^WHEN \(UTC\) +EVENT +AGENT +WHAT +ID$/);
    expect(rows[0]).toMatch(/^20\d\d-\d\d-\d\d \d\d:\d\d:\d\d +domain.verified +\S+ +evt_\w+$/);
    expect(rows[1]).toMatch(/ message.bounced +\S+ +bob@example.com {2}550 No such user +.*evt_\w+$/);
  });

  test("filters, and pages whose token goes on instead of --after", async () => {
    const all = await happen(...Array.from({ length: 6 }, (_, n) => `Hello ${n}`));
    const flags = ["--types", "message.received,message.failed", "--agent", "bot", "--after", all[0] ?? ""];
    const { out } = await run(["events", ...flags, "--limit", "3"], false);
    expect(ids(out)).toEqual(all.slice(1, 4));
    const { next_token: token } = JSON.parse(out);
    const rest = await run(["events", ...flags, "--limit", "110", "--token", token], false);
    expect([ids(rest.out), JSON.parse(rest.out).next_token]).toEqual([all.slice(4), undefined]);
    const asked = world.proxy.requests.filter(({ path }) => path === "/events").map(({ query }) => query);
    expect(asked).toMatchObject([
      { after: all[0], page_size: "3" },
      { token, page_size: "100" },
    ]);
    expect(asked[1]?.after).toBeUndefined();
  });

  test("nothing there is said in words, an unknown id with the remedy", async () => {
    expect((await run(["events", "--types", "message.bounced"])).out).toBe("No such events.\n");
    const { code, err } = await run(["events", "--after", "evt_gone"]);
    expect([code, err]).toEqual([1, expect.stringMatching(/^error: .*after.*\n/)]);
  });
});

describe("--follow", () => {
  test("what happens from now on, one line of JSON each; Ctrl-C ends with 0", async () => {
    await happen("before");
    const running = follow();
    await running.said("Following the event log. Ctrl-C stops.");
    const there = await happen("one", "two");
    await running.printed(there[1] ?? "");
    there.push(...(await happen("three")));
    await running.printed(there[2] ?? "");
    expect(world.proxy.requests.at(-1)?.query).toMatchObject({ wait: "50" });
    running.interrupt();
    const { code, out } = await running.done;
    expect([code, lines(out)]).toEqual([0, there]);
  });

  test("after an id, and from the start nothing is missed", async () => {
    const now = follow();
    await now.said("Following");
    const [one = "", two = ""] = await happen("one", "two");
    await now.printed(two);
    const [after, start] = [follow(["--after", one]), follow(["--from-start", "--types", "message.received"])];
    await Promise.all([after.printed(two), start.printed(two)]);
    for (const running of [now, after, start]) running.interrupt();
    const outs = await Promise.all([now, after, start].map(async (running) => lines((await running.done).out)));
    expect(outs).toEqual([[one, two], [two], [one, two]]);
  });

  test("a terminal gets a line with what matters", async () => {
    const running = follow(["--from-start", "--types", "message.received"], true);
    const [id = ""] = await happen("Pay\x1b[2J");
    await running.printed(id);
    running.interrupt();
    expect((await running.done).out).toMatch(
      /^\d\d:\d\d:\d\d {2}message.received {2}alice@example.com → bot@e2a.localhost {2}Pay\S* {2}evt_\w+\n$/,
    );
  });

  test("a server that goes away is waited for, and the log goes on where it was", async () => {
    const running = follow();
    await running.said("Following");
    const [one = ""] = await happen("one");
    await running.printed(one);
    world.refuses([502, {}]);
    world.proxy.drop();
    const [two = ""] = await happen("two");
    await running.said("trying again");
    world.refuses(null);
    await running.printed(two);
    await running.said("The server answers again.");
    running.interrupt();
    const { code, out } = await running.done;
    expect([code, lines(out)]).toEqual([0, [one, two]]);
  });

  test("an id that is no longer kept, a revoked key and an absent server end it", async () => {
    expect(await follow(["--after", "evt_gone"]).done).toMatchObject({ code: 1, out: "" });
    const { id, key } = await world.api("POST", "/keys", { name: "k", scope: "account" });
    const running = shell.start(["events", "--follow"], { env: { ...world.env, E2A_API_KEY: key } });
    await running.said("Following");
    const [one = ""] = await happen("one");
    await running.printed(one);
    await world.api("DELETE", `/keys/${id}`);
    await happen("two");
    expect((await running.done).code).toBe(4);
    await world.proxy[Symbol.asyncDispose]();
    expect(await follow().done).toMatchObject({ code: 1, err: expect.stringContaining("Is the server running?") });
  });

  test("usage errors", async () => {
    for (const flags of [
      ["--limit", "3"],
      ["--token", "x"],
      ["--after", "evt_1", "--from-start"],
    ])
      expect(await follow(flags).done).toMatchObject({ code: 2, out: "" });
  });
});
