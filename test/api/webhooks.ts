/** Webhooks of an account: registering, changing, trying them. */
import { describe, expect, test } from "bun:test";
import { startSink } from "../support/sink.ts";
import type { ApiWorld } from "./world.ts";

export function webhookCases(it: ApiWorld): void {
  const path = "/api/v1/webhooks";
  const url = "https://hooks.example.com/e2a";

  describe("webhooks of an account", () => {
    test("are registered, listed, changed and deleted", async () => {
      const agent = await it.newAgent();
      const made = await it.api.post(path, { url, events: ["message.bounced"], agents: [agent.toUpperCase()] });
      const webhook = made.body;
      expect(made.status).toBe(201);
      expect(webhook).toEqual({
        ...{ id: expect.stringMatching(/^whk_[0-9a-f]{32}$/), url, events: ["message.bounced"], agents: [agent] },
        ...{ description: "", status: "enabled", created_at: expect.any(String), updated_at: webhook.created_at },
      });
      const plain = (await it.api.post(path, { url })).body;
      expect(plain).toMatchObject({ events: [], agents: [] });
      const { webhooks } = (await it.api.get(path)).body;
      expect(webhooks.map(({ id }: { id: string }) => id).slice(0, 2)).toEqual([plain.id, webhook.id]);
      const change = { description: "Bounces", events: ["message.failed", "message.bounced"], agents: [] };
      const changed = await it.api.patch(`${path}/${webhook.id}`, change);
      expect(changed.body).toEqual({ ...webhook, ...change, updated_at: expect.any(String) });
      const off = await it.api.patch(`${path}/${webhook.id}`, { status: "disabled" });
      expect(off.body).toMatchObject({ status: "disabled", disabled_reason: "Its owner switched it off." });
      expect((await it.api.get(`${path}/${webhook.id}`)).body).toEqual(off.body);
      const moved = await it.api.patch(`${path}/${webhook.id}`, { url: `${url}/2` });
      expect(moved.body).toMatchObject({ status: "enabled", url: `${url}/2` });
      for (const { id } of [webhook, plain]) expect((await it.api.delete(`${path}/${id}`)).status).toBe(204);
      expect((await it.api.get(`${path}/${webhook.id}`)).status).toBe(404);
    });

    test("that cannot be are refused, with every reason at once", async () => {
      const other = await it.newAgent(it.api.as(await it.server.newAccount()));
      const wrong = await it.api.post(path, { url: "https://10.0.0.7/x", events: ["message.receeved"] });
      expect(wrong.status).toBe(400);
      expect(wrong.body.errors).toEqual([
        { field: "url", message: expect.stringContaining("private") },
        {
          field: "events",
          message: expect.stringMatching(/"message.receeved".*Known: message.received, message.sent/),
        },
      ]);
      for (const bad of ["ftp://hooks.example.com", "https://u:p@hooks.example.com", "hooks.example.com", "", 7]) {
        const { status, body } = await it.api.post(path, { url: bad });
        expect([status, body.errors?.[0]?.field]).toEqual([400, "url"]);
      }
      expect((await it.api.post(path, {})).body.errors).toEqual([{ field: "url", message: "is required" }]);
      const foreign = await it.api.post(path, { url, agents: [other] });
      expect(foreign.body.errors).toEqual([{ field: "agents.0", message: "must be an agent of yours" }]);
      expect((await it.api.post(path, { url, events: "all" })).body.errors).toMatchObject([{ field: "events" }]);
    });

    test("are changed by the same rules, and a change that is refused changes nothing", async () => {
      const { body: made } = await it.api.post(path, { url });
      const [own, other] = [await it.newAgent(), await it.newAgent(it.api.as(await it.server.newAccount()))];
      for (const [change, field] of [
        [{ agents: [own, other] }, "agents.1"],
        [{ url: "https://10.0.0.7/x" }, "url"],
        [{ events: ["message.receeved"] }, "events"],
        [{ status: "on" }, "status"],
      ] as const) {
        const { status, body } = await it.api.patch(`${path}/${made.id}`, { description: "changed", ...change });
        expect([status, body.errors?.map((one: { field: string }) => one.field)]).toEqual([400, [field]]);
      }
      expect((await it.api.get(`${path}/${made.id}`)).body).toEqual(made);
      const spelled = { agents: [own.toUpperCase(), own], url: "HTTPS://Hooks.Example.com:443/Mail" };
      const { body } = await it.api.patch(`${path}/${made.id}`, spelled);
      expect(body).toMatchObject({ agents: [own], url: "https://hooks.example.com/Mail" });
      await it.api.delete(`${path}/${made.id}`);
    });

    test("are the account's alone", async () => {
      const { id } = (await it.api.post(path, { url })).body;
      const stranger = it.api.as(await it.server.newAccount());
      const answers = [
        await stranger.get(`${path}/${id}`),
        await stranger.patch(`${path}/${id}`, { description: "mine" }),
        await stranger.post(`${path}/${id}/test`),
        await stranger.delete(`${path}/${id}`),
        await stranger.get(`/api/v1/deliveries?webhook=${id}`),
      ];
      expect(answers.map(({ status }) => status)).toEqual([404, 404, 404, 404, 404]);
      const bound = it.api.as(await it.agentKey(await it.newAgent()));
      expect((await bound.get(path)).status).toBe(403);
      expect((await bound.post(path, { url })).status).toBe(403);
      expect((await it.api.as(null).post(path, {})).status).toBe(401);
      await it.api.delete(`${path}/${id}`);
    });

    test("are tried with a test event, and what became of it is told", async () => {
      await using sink = startSink();
      sink.answer = () => new Response("thanks");
      const { id } = (await it.api.post(path, { url: sink.url, events: ["message.bounced"] })).body;
      const { status, body } = await it.api.post(`${path}/${id}/test`);
      expect(status).toBe(200);
      expect(body).toMatchObject({ webhook_id: id, endpoint_id: id, event_type: "webhook.test", url: sink.url });
      expect([body.message_id, body.agent_id]).toEqual([undefined, undefined]);
      await sink.reached(1);
      expect(sink.requests[0]?.body).toEqual({
        ...{ id: body.event_id, type: "webhook.test", timestamp: expect.any(String) },
        data: { webhook_id: id, url: sink.url },
      });
      for (;;) {
        const found = (await it.api.get(`/api/v1/deliveries/${body.id}`)).body;
        if (found.status === "pending") continue;
        expect(found).toMatchObject({ status: "succeeded", tries: [{ attempt: 1, status: 200, answer: "thanks" }] });
        break;
      }
      const listed = (await it.api.get(`/api/v1/deliveries?webhook=${id}`)).body.deliveries;
      expect(listed.map((one: { id: string }) => one.id)).toEqual([body.id]);
      await it.api.delete(`${path}/${id}`);
    });
  });
}
