/** Deliveries to webhooks, and repeating them. */
import { describe, expect, test } from "bun:test";
import { type Sink, startSink } from "../support/sink.ts";
import type { ApiWorld } from "./world.ts";

export function deliveryCases(it: ApiWorld): void {
  const path = "/api/v1/deliveries";

  /** A new agent with the sink as its webhook. */
  async function cloudAgent(sink: Sink, by = it.api): Promise<string> {
    const slug = `hook-${process.pid}-${it.made++}`;
    const { status, body } = await by.post("/api/v1/agents", { slug, webhook_url: sink.url });
    expect(status).toBe(201);
    return body.email;
  }

  /** The agent's newest delivery once it has an outcome. Waits only for an answer that is on its way. */
  async function settled(agent: string, id?: string) {
    for (;;) {
      const { body } = await it.api.get(id ? `${path}/${id}` : `${path}?agent=${agent}&page_size=1`);
      const found = id ? body : body.deliveries[0];
      if (found?.finished_at) return found;
    }
  }

  describe("webhook deliveries", () => {
    test("tell every attempt, and are made again with the same webhook-id when somebody asks", async () => {
      await using sink = startSink();
      sink.answer = () => new Response("gone fishing", { status: 410 });
      const agent = await cloudAgent(sink);
      await it.send(agent, "Anybody there?");
      const old = await settled(agent);
      const [request] = sink.requests;
      expect(old).toEqual({
        ...{ id: expect.stringMatching(/^dlv_[0-9a-f]{32}$/), event_id: request?.headers["webhook-id"] },
        ...{
          event_type: "message.received",
          message_id: request?.body.message_id,
          agent_id: agent,
          endpoint_id: agent,
          url: sink.url,
        },
        ...{ status: "failed", attempts: 1, last_status: 410 },
        ...{ created_at: expect.any(String), finished_at: expect.any(String) },
      });
      expect((await it.api.get(`${path}/${old.id}`)).body).toEqual({
        ...old,
        tries: [
          {
            ...{ attempt: 1, started_at: expect.any(String), duration_ms: expect.any(Number) },
            ...{ status: 410, error: null, answer: "gone fishing" },
          },
        ],
      });

      sink.answer = () => new Response("thanks");
      const again = await it.api.post(`${path}/${old.id}/redeliver`);
      expect(again).toMatchObject({ status: 200, body: { status: "pending", event_id: old.event_id, attempts: 0 } });
      expect(again.body.id).not.toBe(old.id);
      const done = await settled(agent, again.body.id);
      expect(done).toMatchObject({ status: "succeeded", tries: [{ attempt: 1, status: 200, answer: "thanks" }] });
      expect(sink.requests.map(({ headers }) => headers["webhook-id"])).toEqual([old.event_id, old.event_id]);
      expect(sink.requests[1]?.body.message_id).toBe(old.message_id);

      const key = it.api.as(await it.agentKey(agent));
      const own = await key.post(`${path}/${done.id}/redeliver`);
      expect(own.status).toBe(200);
      await settled(agent, own.body.id);
      expect(sink.requests).toHaveLength(3);
    });

    test("are listed newest first, filtered, and page by page", async () => {
      await using sink = startSink();
      const agent = await cloudAgent(sink);
      for (const subject of ["one", "two", "three"]) {
        await it.send(agent, subject);
        await settled(agent);
        sink.answer = () => new Response(null, { status: 410 });
      }
      const list = async (query: string, by = it.api) => (await by.get(`${path}?${query}`)).body;
      const statuses = (body: { deliveries: { status: string }[] }) => body.deliveries.map(({ status }) => status);
      const first = await list(`agent=${agent.toUpperCase()}&page_size=2`);
      expect(statuses(first)).toEqual(["failed", "failed"]);
      const second = await list(`agent=${agent}&page_size=2&token=${first.next_token}`);
      expect(statuses(second)).toEqual(["succeeded"]);
      expect(second.next_token).toBeUndefined();
      expect(statuses(await list(`agent=${agent}&status=succeeded`))).toEqual(["succeeded"]);
      expect((await list("", it.api.as(await it.agentKey(agent)))).deliveries).toEqual([
        ...first.deliveries,
        ...second.deliveries,
      ]);
      expect((await list("")).deliveries).toEqual(expect.arrayContaining(first.deliveries));
      expect((await it.api.get(`${path}?status=lost`)).body.errors).toEqual([
        { field: "status", message: "must be one of pending, paused, succeeded, failed" },
      ]);
      const about = first.deliveries[0].message_id;
      expect((await list(`message=${about}`)).deliveries).toEqual([first.deliveries[0]]);
      expect((await list(`message=${about}&status=succeeded`)).deliveries).toEqual([]);
      expect((await it.api.get(`${path}?message=msg_${"0".repeat(32)}`)).status).toBe(404);
      const other = `${path}?agent=${agent}&status=failed&token=${first.next_token}`;
      expect((await it.api.get(other)).status).toBe(400);
    });

    test("that failed since a time are made again together, each once", async () => {
      await using sink = startSink();
      sink.answer = () => new Response(null, { status: 410 });
      const agent = await cloudAgent(sink);
      const since = new Date(Date.now() - 60_000).toISOString();
      for (const subject of ["one", "two"]) {
        await it.send(agent, subject);
        await settled(agent);
      }
      await it.api.patch(`/api/v1/agents/${agent}`, { paused: true });
      const redeliver = (body: object, by = it.api) => by.post(`${path}/redeliver`, body);
      const future = new Date(Date.now() + 60_000).toISOString();
      expect((await redeliver({ since: future, agent })).body).toEqual({ redelivered: 0 });
      expect(await redeliver({ since, agent, status: "failed" })).toMatchObject({
        ...{ status: 200, body: { redelivered: 2 } },
      });
      const key = it.api.as(await it.agentKey(agent));
      expect((await redeliver({ since }, key)).body).toEqual({ redelivered: 0 });
      expect((await it.api.get(`${path}?agent=${agent}&status=paused`)).body.deliveries).toHaveLength(2);
      sink.answer = () => new Response("thanks");
      await it.api.patch(`/api/v1/agents/${agent}`, { paused: false });
      await sink.reached(4);
      expect((await redeliver({ since: "yesterday", status: "lost" })).body.errors).toEqual([
        { field: "since", message: expect.stringContaining("RFC 3339") },
        { field: "status", message: "must be one of failed" },
      ]);
    });

    test("are not made again for an agent without a webhook, and are nobody else's", async () => {
      await using sink = startSink();
      const agent = await cloudAgent(sink);
      await it.send(agent, "Hello");
      const { id } = await settled(agent);
      const since = new Date().toISOString();
      const stranger = it.api.as(await it.server.newAccount());
      const colleague = it.api.as(await it.agentKey(await it.newAgent()));
      for (const by of [stranger, colleague]) {
        const answers = [
          await by.get(`${path}/${id}`),
          await by.post(`${path}/${id}/redeliver`),
          await by.get(`${path}?agent=${agent}`),
          await by.post(`${path}/redeliver`, { since, agent }),
        ];
        expect(answers.map(({ status }) => status)).toEqual([404, 404, 404, 404]);
        expect((await by.get(path)).body).toEqual({ deliveries: [] });
      }
      expect((await it.api.get(`${path}/dlv_${"0".repeat(32)}`)).status).toBe(404);
      expect((await it.api.as(null).post(`${path}/redeliver`, {})).status).toBe(401);

      await it.api.patch(`/api/v1/agents/${agent}`, { agent_mode: "local" });
      const refused = await it.api.post(`${path}/${id}/redeliver`);
      expect(refused).toMatchObject({ status: 409, body: { code: "conflict", fix: expect.any(String) } });
      expect((await it.api.get(`${path}/${id}`)).body.url).toBeUndefined();
      expect(sink.requests).toHaveLength(1);
    });
  });
}
