import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { event } from "../testing/delivery.ts";
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

const run = (line: string[], terminal = true) => shell.run(line, { env: server.env, terminal, columns: 160 });
const follow = (flags: string[] = [], terminal = false) =>
  shell.start(["events", "--follow", ...flags], { env: server.env, terminal, columns: 120 });
const id = (n: number) => event(n).id;
const ids = (out: string) => JSON.parse(out).events.map((one: { id: string }) => one.id);
const lines = (out: string) =>
  out
    .trimEnd()
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line).id);

describe("the list", () => {
  test("newest first, one line each; after an id or from the start, the oldest first", async () => {
    server.delivery.events = [
      event(1),
      event(2, {
        type: "message.bounced",
        data: { recipient: "bob@example.com", smtp_reply: "550 No\x1b[2J such user" },
      }),
      event(3, { type: "domain.verified", agent_id: "", data: { domain: "example.com" } }),
    ];
    const [head, ...rows] = (await run(["events"])).out.trimEnd().split("\n");
    expect(head).toMatch(/^WHEN \(UTC\) +EVENT +AGENT +WHAT +ID$/);
    expect(rows[0]).toMatch(/^2026-05-15 12:00:00 +domain.verified +example.com +evt_0{31}3$/);
    expect(rows[1]).toMatch(/ message.bounced +bot@e2a.localhost +bob@example.com {2}550 No such user +evt_0{31}2$/);
    expect(rows[2]).toMatch(/ alice@example.com → bot@e2a.localhost {2}Hello 1 +evt_0{31}1$/);
    expect((await run(["events", "--types", "message.received"])).out).not.toContain("AGENT");
    expect(ids((await run(["events"], false)).out)).toEqual([id(3), id(2), id(1)]);
    expect(ids((await run(["events", "--after", id(1)], false)).out)).toEqual([id(2), id(3)]);
    expect(ids((await run(["events", "--from-start"], false)).out)).toEqual([id(1), id(2), id(3)]);
  });

  test("filters, and pages whose token goes on instead of --after", async () => {
    server.delivery.events = Array.from({ length: 250 }, (_, n) => event(n, n % 2 ? { type: "message.sent" } : {}));
    const flags = ["--types", "message.sent,message.failed", "--agent", "bot", "--after", id(9), "--limit", "110"];
    const { out } = await run(["events", ...flags], false);
    expect([ids(out).length, JSON.parse(out).next_token]).toEqual([110, "110"]);
    const asked = server.requests.filter(({ path }) => path === "/events").map(({ query }) => query);
    expect(asked).toMatchObject([
      { after: id(9), page_size: "100" },
      { token: "100", page_size: "10" },
    ]);
    expect(asked[1]?.after).toBeUndefined();
  });

  test("nothing there is said in words, an unknown id with the remedy", async () => {
    expect((await run(["events"])).out).toBe("No such events.\n");
    expect(await run(["events", "--after", "evt_gone"])).toMatchObject({
      code: 1,
      err: "error: evt_gone is no event of yours.\nfix: Leave it out to begin with the oldest event that is kept.\n",
    });
  });
});

describe("--follow", () => {
  test("what happens from now on, one line of JSON each; Ctrl-C ends with 0", async () => {
    server.delivery.events = [event(1)];
    const running = follow();
    await running.said("Following the event log. Ctrl-C stops.");
    server.delivery.happen(event(2), event(3));
    await running.printed(id(3));
    server.delivery.happen(event(4));
    await running.printed(id(4));
    expect(server.requests.at(-1)?.query).toMatchObject({ wait: "50" });
    running.interrupt();
    const { code, out } = await running.done;
    expect([code, lines(out)]).toEqual([0, [id(2), id(3), id(4)]]);
  });

  test("after an id, from the start, and on an empty log nothing is missed", async () => {
    const empty = follow();
    await empty.said("Following");
    server.delivery.happen(event(1), event(2));
    await empty.printed(id(2));
    const [after, start] = [follow(["--after", id(1)]), follow(["--from-start", "--types", "message.received"])];
    await Promise.all([after.printed(id(2)), start.printed(id(2))]);
    for (const running of [empty, after, start]) running.interrupt();
    const outs = await Promise.all([empty, after, start].map(async (running) => lines((await running.done).out)));
    expect(outs).toEqual([[id(1), id(2)], [id(2)], [id(1), id(2)]]);
  });

  test("a terminal gets a line with what matters", async () => {
    const running = follow(["--from-start"], true);
    server.delivery.happen(event(1, { data: { recipients: ["b@x", "c@x"], subject: "Pay\x1b[2J", reason: "New." } }));
    await running.printed(id(1));
    running.interrupt();
    expect((await running.done).out).toMatch(
      /^\d\d:\d\d:\d\d {2}message.received {2}b@x, c@x {2}Pay {2}New. {2}evt_0{31}1\n$/,
    );
  });

  test("a server that goes away is waited for, and the log goes on where it was", async () => {
    server.delivery.events = [event(1)];
    const running = follow();
    await running.said("Following");
    server.delivery.happen(event(2));
    await running.printed(id(2));
    const [port, { events }] = [Number(new URL(server.url).port), server.delivery];
    await server.close();
    await running.said("trying again");
    server = new WireServer(port);
    server.agents = [agent("bot@e2a.localhost")];
    server.delivery.events = [...events, event(3)];
    await running.printed(id(3));
    await running.said("The server answers again.");
    running.interrupt();
    const { code, out } = await running.done;
    expect([code, lines(out)]).toEqual([0, [id(2), id(3)]]);
  });

  test("an id that is no longer kept, a revoked key and an absent server end it", async () => {
    expect(await follow(["--after", "evt_gone"]).done).toMatchObject({ code: 1, out: "" });
    const running = follow(["--from-start"]);
    server.delivery.happen(event(1));
    await running.printed(id(1));
    server.refusal = [401, { detail: "The API key is not valid.", code: "unauthenticated" }];
    server.delivery.happen(event(2));
    expect((await running.done).code).toBe(4);
    await server.close();
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
