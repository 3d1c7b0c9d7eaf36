/** The account-wide data of the dashboard: the inbox and the key figures. */
import { describe, expect, test } from "bun:test";
import type { ApiWorld } from "./world.ts";

export function dashboardCases(it: ApiWorld): void {
  describe("the inbox of the account", () => {
    test("has the mail of all agents, newest first, and is searched, filtered and paged", async () => {
      const mine = it.api.as(await it.server.newAccount());
      const [one, other] = [await it.newAgent(mine), await it.newAgent(mine)];
      await it.send(await it.newAgent(), "Not mine");
      const subjects = ["First", "Second zebra", "Third", "Fourth", "Fifth"];
      for (const [i, subject] of subjects.entries())
        await it.send(i % 2 ? other : one, subject, { from: i === 2 ? "Bob@sender.example" : "ann@sender.example" });
      const list = async (query = "") => (await mine.get(`/api/v1/inbox${query}`)).body;
      const named = async (query: string) =>
        (await list(query)).messages.map((row: { subject: string }) => row.subject.split(" ")[0]);

      const { messages } = await list();
      expect(messages.map((row: { agent_id: string }) => row.agent_id)).toEqual([one, other, one, other, one]);
      expect(messages[0]).toMatchObject({ subject: "Fifth", status: "unread", direction: "inbound", labels: [] });
      const third = messages[2].message_id;
      await mine.patch(`/api/v1/agents/${one}/messages/${third}`, { status: "read", add_labels: ["later"] });

      expect(await named("?sort=asc")).toEqual(["First", "Second", "Third", "Fourth", "Fifth"]);
      expect(await named("?status=unread")).toEqual(["Fifth", "Fourth", "Second", "First"]);
      expect(await named("?status=read")).toEqual(["Third"]);
      expect(await named("?label=later")).toEqual(["Third"]);
      expect(await named("?from=BOB@sender.example")).toEqual(["Third"]);
      expect(await named("?q=zeb")).toEqual(["Second"]);
      expect(await named(`?agent=${other}`)).toEqual(["Fourth", "Second"]);
      expect(await named(`?agent=${one}&status=unread&sort=asc`)).toEqual(["First", "Fifth"]);
      expect(await named(`?since=${messages[1].created_at}&until=2100-01-01T00:00:00Z`)).toEqual(["Fifth", "Fourth"]);
      expect(await named("?until=2000-01-01T00:00:00Z")).toEqual([]);

      for (const filter of ["", `&agent=${one}`]) {
        const seen: string[] = [];
        for (let token = ""; ; ) {
          const { body } = await mine.get(`/api/v1/inbox?page_size=2${filter}${token ? `&token=${token}` : ""}`);
          seen.push(...body.messages.map((row: { subject: string }) => row.subject.split(" ")[0]));
          token = body.next_token ?? "";
          if (token === "") break;
          expect((await mine.get(`/api/v1/inbox?page_size=2&status=read&token=${token}`)).status).toBe(400);
        }
        expect(seen).toEqual(
          filter === "" ? ["Fifth", "Fourth", "Third", "Second", "First"] : ["Fifth", "Third", "First"],
        );
      }
    });

    test("is one agent's for a key of that agent, and nobody else's", async () => {
      const [agent, other] = [await it.newAgent(), await it.newAgent()];
      await it.send(agent, "For the one");
      await it.send(other, "For the other");
      const own = it.api.as(await it.agentKey(agent));
      const { body } = await own.get("/api/v1/inbox");
      expect(body.messages).toMatchObject([{ subject: "For the one", agent_id: agent }]);
      expect((await own.get(`/api/v1/inbox?agent=${other}`)).status).toBe(404);
      const foreign = it.api.as(await it.server.newAccount());
      expect((await foreign.get(`/api/v1/inbox?agent=${agent}`)).status).toBe(404);
      const wrong = await own.get("/api/v1/inbox?status=new&sort=up&since=yesterday");
      expect(wrong.body.errors.map((error: { field: string }) => error.field)).toEqual(["status", "since", "sort"]);
    });
  });

  describe("the account in figures", () => {
    test("counts what there is", async () => {
      const mine = it.api.as(await it.server.newAccount());
      const { body: empty } = await mine.get("/api/v1/overview");
      expect(empty).toMatchObject({
        ...{ agents: { total: 0, paused: 0 }, unread: 0, pending_approval: 0, domains: { total: 0, verified: 0 } },
        deliveries: { pending: 0, failing_endpoints: [] },
      });
      expect(empty.volume).toHaveLength(30);

      const [bot, held] = [await it.newAgent(mine), await it.newAgent(mine)];
      await mine.patch(`/api/v1/agents/${held}`, { hitl_enabled: true });
      await mine.post("/api/v1/send", { from: held, to: [bot], subject: "Held", body: "?" });
      await mine.post("/api/v1/send", { from: bot, to: [held], subject: "Sent", body: "!" });
      await mine.patch(`/api/v1/agents/${held}`, { paused: true });
      await it.send(bot, "Received");
      await mine.post("/api/v1/domains", { domain: `d${it.made++}-${process.pid}.example` });
      const { body } = await mine.get("/api/v1/overview");
      expect(body).toMatchObject({
        ...{ agents: { total: 2, paused: 1 }, unread: 2, pending_approval: 1, domains: { total: 1, verified: 0 } },
      });
      // Spread over two days if midnight passes meanwhile.
      const sum = (name: string) =>
        body.volume.slice(-2).reduce((n: number, day: Record<string, number>) => n + (day[name] ?? 0), 0);
      expect([sum("received"), sum("sent"), sum("failed")]).toEqual([2, 1, 0]);
      const days: string[] = body.volume.map((row: { day: string }) => row.day);
      expect(days).toEqual([...days].sort());
      expect(Math.abs(Date.parse(days.at(-1) ?? "") - Date.now())).toBeLessThan(2 * 86_400_000);
    });

    test("are none of an agent key's business", async () => {
      const own = it.api.as(await it.agentKey(await it.newAgent()));
      expect((await own.get("/api/v1/overview")).status).toBe(403);
    });
  });
}
