/** GET and HEAD are safe: who can change something with them, and what they leave unchanged (RFC 9110 9.2.1). */
import { describe, expect, test } from "bun:test";
import type { ApiClient } from "./client.ts";
import type { ApiWorld } from "./world.ts";

export function safeCases(it: ApiWorld): void {
  /** An account with data of every kind, and the values of its path parameters. */
  const account = async () => {
    const mine = it.api.as(await it.server.newAccount());
    const agent = await it.newAgent(mine);
    await it.send(agent, "Hello");
    const [{ message_id: id }] = (await mine.get(`/api/v1/agents/${agent}/messages`)).body.messages;
    await mine.patch(`/api/v1/agents/${agent}`, { hitl_enabled: true, hitl_notify_email: false });
    const mail = { from: agent, to: ["ann@outside.example"], subject: "Held", body: "Hello" };
    const { body: held } = await mine.post("/api/v1/send", mail);
    await mine.post("/api/v1/suppressions", { address: "gone@outside.example" });
    const { body: events } = await mine.get("/api/v1/events");
    return { mine, agent, id, held: held.message_id, event: events.events[0].id };
  };
  /** Everything that the account owns, without the times of last use of keys and secrets. */
  const everything = async (mine: ApiClient): Promise<string> => {
    const { body } = await mine.get("/api/v1/users/me/export");
    const unseen = ["last_used_at", "last_seen_at", "exported_at"];
    return JSON.stringify(body, (name, value) => (unseen.includes(name) ? undefined : value), 2);
  };
  /** Signs a browser in; returns the headers that it sends. */
  const signIn = async (mine: ApiClient): Promise<Record<string, string>> => {
    const origin = it.server.url;
    const answer = await mine.as(null).post("/api/auth/key", { api_key: mine.key }, { headers: { origin } });
    return { cookie: answer.headers.get("set-cookie")?.split(";")[0] ?? "" };
  };

  describe("looking", () => {
    test("HEAD of every path changes nothing, and answers at once", async () => {
      const { mine, agent, id, held, event } = await account();
      const { paths } = (await mine.get("/api/v1/openapi.json")).body;
      const before = await everything(mine);
      let asked = 0;
      for (const [template, methods] of Object.entries(paths as Record<string, { get?: { operationId: string } }>)) {
        if (!methods.get) continue;
        const named = template.startsWith("/api/v1/messages")
          ? held
          : template.startsWith("/api/v1/events")
            ? event
            : id;
        const params: Record<string, string> = { email: agent, id: named, index: "0", domain: it.server.sharedDomain };
        const path = template.replace(/\{(\w+)\}/g, (_, name) => params[name] ?? "nothing");
        const query = path.endsWith("/wait")
          ? "?timeout=60"
          : path === "/api/v1/events"
            ? `?after=${event}&wait=60`
            : "";
        const { status, body } = await mine.call("HEAD", path + query);
        expect([template, status < 500, body]).toEqual([template, true, null]);
        asked++;
      }
      expect(asked).toBeGreaterThan(35);
      expect(await everything(mine)).toBe(before);
      expect((await mine.get(`/api/v1/agents/${agent}/messages`)).body.messages).toMatchObject([{ status: "unread" }]);
    });

    test("a browser's session reads a message and leaves it unread; the agent's program marks it read", async () => {
      const { mine, agent, id } = await account();
      const headers = await signIn(mine);
      const path = `/api/v1/agents/${agent}/messages/${id}`;
      const before = await everything(mine);
      for (const method of ["GET", "HEAD"]) {
        const { status } = await mine.call(method, path, { key: null, headers });
        expect([method, status]).toEqual([method, 200]);
      }
      expect((await mine.as(null).get(path, { headers })).body).toMatchObject({ status: "unread", subject: "Hello" });
      expect(JSON.parse(await everything(mine)).messages).toEqual(JSON.parse(before).messages);
      expect((await mine.call("HEAD", path)).status).toBe(200);
      expect((await mine.get(`${path}?peek=true`)).body.status).toBe("unread");
      expect((await mine.get(path)).body.status).toBe("read");
      expect((await mine.get(`/api/v1/agents/${agent}/messages`)).body.messages).toEqual([]);
    });

    test("HEAD does not sign in, and leaves a link to be used", async () => {
      for (const path of ["/api/auth/callback?code=x&state=y", "/api/auth/callback/oidc?code=x&state=y"]) {
        const { headers } = await it.api.as(null).call("HEAD", path);
        expect(headers.has("set-cookie")).toBe(false);
      }
    });
  });
}
