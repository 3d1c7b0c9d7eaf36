/** The event log: reading it, waiting for new events, and the shape of events. */
import { describe, expect, test } from "bun:test";
import type { ApiWorld } from "./world.ts";

interface Event {
  id: string;
  type: string;
  data: Record<string, unknown>;
}

export function eventCases(it: ApiWorld): void {
  const path = "/api/v1/events";

  /** Fetches events. */
  async function read(query: string, by = it.api): Promise<Event[]> {
    const { status, body } = await by.get(`${path}?${query}`);
    expect(status).toBe(200);
    return body.events;
  }
  /** The subjects of the events. */
  const subjects = (events: Event[]) => events.map(({ data }) => data.subject);

  describe("the event log", () => {
    test("is read from the last event that somebody has seen, whole or in pages, in both directions", async () => {
      const agent = await it.newAgent();
      for (const subject of ["one", "two", "three"]) await it.send(agent, subject);
      const all = await read(`agent=${agent}`);
      expect(subjects(all)).toEqual(["one", "two", "three"]);
      expect(subjects(await read(`agent=${agent}&after=${all[0]?.id}`))).toEqual(["two", "three"]);
      expect(subjects(await read(`agent=${agent}&sort=desc`))).toEqual(["three", "two", "one"]);
      const page = (await it.api.get(`${path}?agent=${agent}&page_size=2`)).body;
      expect(subjects(page.events)).toEqual(["one", "two"]);
      expect(subjects(await read(`agent=${agent}&page_size=2&token=${page.next_token}`))).toEqual(["three"]);
      expect(await read(`agent=${agent}&after=${all[2]?.id}`)).toEqual([]);
      expect((await it.api.get(`${path}/${all[1]?.id}`)).body).toEqual(all[1]);
      const whole = await read(`after=${all[0]?.id}&page_size=100`);
      expect(whole.map(({ id }) => id)).toEqual(expect.arrayContaining(all.slice(1).map(({ id }) => id)));
    });

    test("tells of mail out too, and of the types that somebody wants", async () => {
      const agent = await it.newAgent();
      await it.api.post("/api/v1/send", { from: agent, to: ["bob@people.example"], subject: "Out", body: "Hello" });
      await it.send(agent, "In");
      for (;;) {
        const found = await read(`agent=${agent}&types=message.received,%20message.sent`);
        if (found.length < 2) continue;
        expect(new Set(found.map(({ type }) => type))).toEqual(new Set(["message.sent", "message.received"]));
        break;
      }
      expect((await read(`agent=${agent}&types=message.sent`)).map(({ data }) => data.recipient)).toEqual([
        "bob@people.example",
      ]);
    });

    test("answers a waiting reader as soon as there is something, and an empty list when the time is up", async () => {
      const agent = await it.newAgent();
      const waiting = read(`agent=${agent}&wait=30`);
      await it.send(agent, "At last");
      const [event] = await waiting;
      expect(event?.data.subject).toBe("At last");
      const next = read(`agent=${agent}&after=${event?.id}&types=message.received&wait=30`);
      await it.send(agent, "And again");
      expect(subjects(await next)).toEqual(["And again"]);
    });

    test("belongs to its account, and to a key of one agent as far as it is about that one", async () => {
      const agent = await it.newAgent();
      const other = await it.newAgent();
      await it.send(agent, "Mine");
      await it.send(other, "Not mine");
      const bound = it.api.as(await it.agentKey(agent));
      const own = await read("", bound);
      expect(subjects(own)).toEqual(["Mine"]);
      const [foreign] = await read(`agent=${other}`);
      const stranger = it.api.as(await it.server.newAccount());
      for (const by of [bound, stranger]) {
        expect((await by.get(`${path}/${foreign?.id}`)).status).toBe(404);
        expect((await by.get(`${path}?agent=${other}`)).status).toBe(404);
        const after = await by.get(`${path}?after=${foreign?.id}`);
        expect([after.status, after.body.errors?.[0]?.field]).toEqual([400, "after"]);
      }
      expect(await read("", stranger)).toEqual([]);
      expect((await it.api.as(null).get(path)).status).toBe(401);
    });

    test("refuses what it cannot read by", async () => {
      const cases: [query: string, field: string][] = [
        ["after=evt_0", "after"],
        ["types=message.receved", "types"],
        ["wait=61", "wait"],
        ["wait=1&sort=desc", "wait"],
        ["sort=newest", "sort"],
        ["page_size=ten", "page_size"],
        ["token=made-up", "token"],
      ];
      for (const [query, field] of cases) {
        const { status, body } = await it.api.get(`${path}?${query}`);
        expect([query, status, body.errors?.[0]?.field]).toEqual([query, 400, field]);
      }
      expect((await it.api.get(`${path}?types=x`)).body.errors[0].message).toContain("Known: message.received");
    });

    test("has a published schema for each type of event", async () => {
      const { schemas } = (await it.api.as(null).get(`${path}/schemas`)).body;
      expect(schemas["message.received"].properties.data.required).toContain("verified");
      const one = await it.api.as(null).get(`${path}/schemas/message.bounced`);
      expect(one.body).toEqual(schemas["message.bounced"]);
      expect((await it.api.as(null).get(`${path}/schemas/message.lost`)).status).toBe(404);
    });
  });
}
