/** Agents, domains, keys, signing secrets and the account. */
import { describe, expect, test } from "bun:test";
import type { ApiWorld } from "./world.ts";

export function resourceCases(it: ApiWorld): void {
  describe("agents", () => {
    test("are registered, listed newest first, changed and deleted", async () => {
      const mine = it.api.as(await it.server.newAccount());
      const first = await it.newAgent(mine);
      await it.nextMillisecond();
      const second = await it.newAgent(mine);
      const { body: agent } = await mine.get(`/api/v1/agents/${first}`);
      expect(agent).toMatchObject({
        id: first,
        email: first,
        domain: it.server.sharedDomain,
        agent_mode: "local",
        webhook_url: "",
        domain_verified: true,
        hitl_enabled: false,
        hitl_ttl_seconds: 604_800,
        hitl_expiration_action: "reject",
        paused: false,
      });
      const { body: listed } = await mine.get("/api/v1/agents");
      expect(listed.agents.map((row: { id: string }) => row.id)).toEqual([second, first]);
      const { body: changed } = await mine.put(`/api/v1/agents/${first}`, { name: "Bot", paused: true });
      expect(changed).toEqual({ ...agent, name: "Bot", paused: true });
      expect((await mine.patch(`/api/v1/agents/${first}`, { paused: false })).body.paused).toBe(false);
      expect((await mine.delete(`/api/v1/agents/${first}`)).body).toEqual({ status: "deleted" });
      expect((await mine.get(`/api/v1/agents/${first}`)).status).toBe(404);
    });

    test("are found by any spelling of their address", async () => {
      const agent = await it.newAgent();
      for (const spelling of [agent.toUpperCase(), agent.replace("@", "%40"), agent.toUpperCase().replace("@", "%40")])
        expect((await it.api.get(`/api/v1/agents/${spelling}`)).body.id).toBe(agent);
    });

    test("have no name that readers take for another address", async () => {
      const agent = await it.newAgent();
      const refused = { status: 400, body: { errors: [{ field: "name" }] } };
      for (const name of ["ceo@bank.example", "<ceo@bank.example>,", "CEO <ceo@bank.example>"]) {
        expect(await it.api.patch(`/api/v1/agents/${agent}`, { name })).toMatchObject(refused);
        expect(
          await it.api.post("/api/v1/agents", { slug: `${it.made++}-named`, agent_mode: "local", name }),
        ).toMatchObject(refused);
      }
      for (const name of [agent, "Support, 24/7 (Bank)", "Ann <3"])
        expect((await it.api.patch(`/api/v1/agents/${agent}`, { name })).body.name).toBe(name);
    });

    test("come in pages when a page size is given", async () => {
      const mine = it.api.as(await it.server.newAccount());
      const all: string[] = [];
      for (let i = 0; i < 5; i++) {
        await it.nextMillisecond();
        all.unshift(await it.newAgent(mine));
      }
      const seen: string[] = [];
      for (let token: string | undefined, pages = 0; pages < 3; pages++) {
        const { body } = await mine.get(`/api/v1/agents?page_size=2${token ? `&token=${token}` : ""}`);
        seen.push(...body.agents.map((row: { id: string }) => row.id));
        token = body.next_token;
        expect(token === undefined).toBe(pages === 2);
      }
      expect(seen).toEqual(all);
    });

    test("and all other lists take a page size beyond their limits as the nearest one", async () => {
      const mine = it.api.as(await it.server.newAccount());
      const agent = await it.newAgent(mine);
      for (let i = 0; i < 2; i++) {
        await it.nextMillisecond();
        await mine.post("/api/v1/keys", { name: "a", scope: "account" });
        await mine.post("/api/v1/users/me/signing-secrets", {});
        await mine.post("/api/v1/webhooks", { url: "http://127.0.0.1:9/hook", events: ["message.held"] });
        await mine.post("/api/v1/domains", { domain: `d${it.made++}-${process.pid}.example` });
        await mine.post("/api/v1/send", { from: agent, to: [agent], subject: "Hello", body: "Hello" });
      }
      const lists = {
        ...{ agents: "agents", domains: "domains", keys: "keys", secrets: "users/me/signing-secrets" },
        ...{ webhooks: "webhooks", events: "events" },
      };
      const inbox = { messages: `agents/${agent}/messages`, conversations: `agents/${agent}/conversations` };
      for (const [name, path] of [...Object.entries(lists), ...Object.entries(inbox), ["messages", "messages"]]) {
        const page = async (size: string) => {
          const { status, body } = await mine.get(`/api/v1/${path}?page_size=${size}`);
          return [path, status, body[name ?? ""]?.length, typeof body.next_token];
        };
        const whole = (await mine.get(`/api/v1/${path}`)).body[name ?? ""].length;
        for (const size of ["101", "99999999999999999999"])
          expect(await page(size)).toEqual([path, 200, whole, "undefined"]);
        for (const size of ["0", "-7"])
          expect(await page(size)).toEqual([path, 200, 1, name === "agents" ? "undefined" : "string"]);
        expect((await page("abc")).slice(0, 2)).toEqual([path, 400]);
      }
      for (const path of ["deliveries", "suppressions", "audit", "inbox", "sessions"])
        expect([path, (await mine.get(`/api/v1/${path}?page_size=0`)).status]).toEqual([path, 200]);
    });

    test("that are cloud agents always have a webhook", async () => {
      const agent = await it.newAgent();
      const path = `/api/v1/agents/${agent}`;
      const refused = await it.api.put(path, { agent_mode: "cloud", name: "not kept" });
      expect(refused).toMatchObject({ status: 400, body: { errors: [{ field: "webhook_url" }] } });
      expect((await it.api.get(path)).body).toMatchObject({ agent_mode: "local", name: "" });
      const url = "http://127.0.0.1:9/hook";
      expect((await it.api.put(path, { agent_mode: "cloud", webhook_url: url })).body.webhook_url).toBe(url);
      expect((await it.api.put(path, { webhook_url: "" })).status).toBe(400);
      expect((await it.api.put(path, { webhook_url: "http://10.0.0.1/" })).body.errors[0].field).toBe("webhook_url");
      expect((await it.api.put(path, { webhook_url: "", agent_mode: "local" })).body.webhook_url).toBe("");
    });

    test("have their webhook switched on by another URL, and by nothing else that is not about it", async () => {
      const path = `/api/v1/agents/${await it.newAgent()}`;
      const url = "http://127.0.0.1:9/hook";
      await it.api.put(path, { agent_mode: "cloud", webhook_url: url, webhook_status: "disabled" });
      expect((await it.api.put(path, { webhook_url: url, name: "Bot" })).body.webhook_status).toBe("disabled");
      expect((await it.api.put(path, { webhook_url: `${url}/2` })).body.webhook_status).toBe("enabled");
    });

    test("leave their address to their account when they are deleted", async () => {
      const agent = await it.newAgent();
      const slug = agent.split("@")[0];
      await it.api.delete(`/api/v1/agents/${agent}`);
      const stranger = it.api.as(await it.server.newAccount());
      const refused = await stranger.post("/api/v1/agents", { slug, agent_mode: "local" });
      expect(refused).toMatchObject({
        status: 409,
        body: {
          code: "conflict",
          detail: `${agent} was an agent of another account, which may still get mail for it.`,
        },
      });
      expect((await it.api.post("/api/v1/agents", { slug, agent_mode: "local" })).status).toBe(201);
    });

    test("get test mail through the whole inbound path", async () => {
      const agent = await it.newAgent();
      const { body } = await it.api.post(`/api/v1/agents/${agent}/test`);
      expect(body.status).toBe("sent");
      const { body: listed } = await it.inbox(agent);
      expect(listed.messages).toMatchObject([{ message_id: body.message_id, verified: true }]);
    });
  });

  describe("domains", () => {
    test("are registered with records and keys, verified, used and deleted", async () => {
      const name = `d${it.made++}-${process.pid}.example`;
      const { status, body: domain } = await it.api.post("/api/v1/domains", { domain: name.toUpperCase() });
      expect(status).toBe(201);
      expect(domain).toMatchObject({
        domain: name,
        verified: false,
        verification_token: expect.stringMatching(/^e2a-verify=[0-9a-f]{32}$/),
        dns_records: {
          mx: { host: "@", name, priority: 10 },
          txt: { host: "@", name, value: domain.verification_token },
          spf: { host: name, name },
          dmarc: { host: `_dmarc.${name}`, name: `_dmarc.${name}` },
          dkim: { value: expect.stringMatching(/^v=DKIM1; k=rsa; p=[\w+/]{390,400}=*$/) },
          dkim_ed25519: { value: expect.stringMatching(/^v=DKIM1; k=ed25519; p=[\w+/]{43}=$/) },
        },
      });
      const agent = { email: `Bot@${name}`, agent_mode: "local" };
      expect((await it.api.post("/api/v1/agents", agent)).body.errors[0].field).toBe("email");
      expect((await it.api.post("/api/v1/domains", { domain: name })).status).toBe(409);

      const { body: verified } = await it.api.post(`/api/v1/domains/${name}/verify`);
      expect(verified).toMatchObject({ verified: true, verified_at: expect.any(String) });
      expect((await it.api.post(`/api/v1/domains/${name}/verify`)).body).toEqual(verified);
      expect((await it.api.post("/api/v1/agents", agent)).body).toMatchObject({
        id: `bot@${name}`,
        domain_verified: true,
      });

      const other = it.api.as(await it.server.newAccount());
      expect((await other.post("/api/v1/domains", { domain: name })).status).toBe(409);
      expect((await other.post("/api/v1/agents", { ...agent, email: `x@${name}` })).status).toBe(400);

      expect((await it.api.delete(`/api/v1/domains/${name}`)).status).toBe(400);
      await it.api.delete(`/api/v1/agents/bot@${name}`);
      expect((await it.api.delete(`/api/v1/domains/${name}`)).status).toBe(204);
      expect((await it.api.get(`/api/v1/domains/${name}`)).status).toBe(404);
    });

    test("that are only claimed block nobody; the first proof wins", async () => {
      const name = `d${it.made++}-${process.pid}.example`;
      const other = it.api.as(await it.server.newAccount());
      await it.api.post("/api/v1/domains", { domain: name });
      expect((await other.post("/api/v1/domains", { domain: name })).status).toBe(201);
      expect((await other.post(`/api/v1/domains/${name}/verify`)).status).toBe(200);
      expect((await it.api.post(`/api/v1/domains/${name}/verify`)).body.code).toBe("conflict");
    });

    test("come in pages when a page size is given, newest first", async () => {
      const mine = it.api.as(await it.server.newAccount());
      const names = [0, 1, 2].map((i) => `p${i}-${process.pid}-${it.made++}.example`);
      for (const domain of names) await mine.post("/api/v1/domains", { domain });
      const { body: first } = await mine.get("/api/v1/domains?page_size=2");
      const { body: second } = await mine.get(`/api/v1/domains?page_size=2&token=${first.next_token}`);
      const seen = [...first.domains, ...second.domains].map((row: { domain: string }) => row.domain);
      expect(seen).toEqual(names.reverse());
      expect(second.next_token).toBeUndefined();
    });

    test("have a postmaster, whom the owner reads and nobody changes", async () => {
      const name = `d${it.made++}-${process.pid}.example`;
      await it.api.post("/api/v1/domains", { domain: name });
      await it.api.post(`/api/v1/domains/${name}/verify`);
      await it.send(`abuse@${name}`, "Complaint");
      const path = `/api/v1/agents/postmaster@${name}`;
      expect((await it.api.get(path)).status).toBe(200);
      expect(await it.subjects(`postmaster@${name}`, "")).toEqual(["Complaint"]);
      const { body } = await it.api.get("/api/v1/agents");
      expect(body.agents.some((row: { id: string }) => row.id.startsWith("postmaster@"))).toBe(false);
      expect((await it.api.put(path, { name: "x" })).body.code).toBe("forbidden");
      expect((await it.api.delete(path)).body.code).toBe("forbidden");
      expect((await it.api.delete(`/api/v1/domains/${name}`)).status).toBe(204);
    });
  });

  describe("keys", () => {
    test("are shown once, listed without secret, and revoked", async () => {
      const { status, body: made } = await it.api.post("/api/v1/keys", { name: "temp", scope: "account" });
      expect(status).toBe(201);
      expect(made.key).toMatch(/^e2a_[0-9a-f]{64}$/);
      const { body: listed } = await it.api.get("/api/v1/keys");
      const row = listed.keys.find((key: { id: string }) => key.id === made.id);
      expect(row).toMatchObject({ name: "temp", scope: "account", agent: null, key_prefix: made.key.slice(0, 12) });
      expect(JSON.stringify(listed)).not.toContain(made.key);
      expect((await it.api.as(made.key).get("/api/v1/users/me")).status).toBe(200);
      expect((await it.api.delete(`/api/v1/keys/${made.id}`)).status).toBe(204);
      expect((await it.api.as(made.key).get("/api/v1/users/me")).status).toBe(401);
      expect((await it.api.delete(`/api/v1/keys/${made.id}`)).status).toBe(404);
    });

    test("expire", async () => {
      const expires_at = new Date(Date.now() + 300).toISOString();
      const { body } = await it.api.post("/api/v1/keys", { name: "brief", scope: "account", expires_at });
      expect(body.expires_at).toBe(expires_at);
      while (Date.now() <= Date.parse(expires_at)) await Bun.sleep(Date.parse(expires_at) + 1 - Date.now());
      expect((await it.api.as(body.key).get("/api/v1/users/me")).status).toBe(401);
    });

    test("are for the account, or for an agent that is named: anything between is refused", async () => {
      const agent = await it.newAgent();
      const before = (await it.api.get("/api/v1/keys")).body;
      for (const wrong of [{ scope: "account", agent }, { scope: "agent" }]) {
        const { status, body } = await it.api.post("/api/v1/keys", { name: "k", ...wrong });
        expect({ status, fields: body.errors?.map((error: { field: string }) => error.field) }).toEqual({
          ...{ status: 400, fields: ["agent"] },
        });
      }
      expect((await it.api.get("/api/v1/keys")).body.keys).toHaveLength(before.keys.length);
    });

    test("of one agent can use its inbox and nothing else", async () => {
      const [agent, sibling] = [await it.newAgent(), await it.newAgent()];
      const own = it.api.as(await it.agentKey(agent));
      await it.send(agent, "Mine");
      const allowed = ["", "/messages", "/messages?status=all", "/messages/wait?timeout=1"];
      for (const path of allowed) expect((await own.get(`/api/v1/agents/${agent}${path}`)).status).toBe(200);
      expect((await own.get("/api/v1/agents")).body.agents).toMatchObject([{ id: agent }]);
      expect((await own.get("/api/v1/users/me")).body).toMatchObject({ scope: "agent", agent });
      expect((await own.post(`/api/v1/agents/${agent}/test`)).status).toBe(200);

      const refused: [method: string, path: string, body?: unknown][] = [
        ["PUT", `/api/v1/agents/${agent}`, { paused: true }],
        ["PATCH", `/api/v1/agents/${agent}`, { hitl_enabled: false }],
        ["DELETE", `/api/v1/agents/${agent}`],
        ["POST", "/api/v1/agents", { slug: "another-one", agent_mode: "local" }],
        ["GET", "/api/v1/domains"],
        ["POST", "/api/v1/domains", { domain: "x.example" }],
        ["GET", "/api/v1/keys"],
        ["POST", "/api/v1/keys", { name: "k", scope: "account" }],
        ["GET", "/api/v1/users/me/signing-secrets"],
        ["POST", "/api/v1/users/me/signing-secrets", {}],
        ["GET", "/api/v1/users/me/export"],
        ["DELETE", "/api/v1/users/me?confirm=DELETE"],
      ];
      for (const [method, path, body] of refused)
        expect([path, (await own.call(method, path, { body })).body]).toEqual([
          path,
          expect.objectContaining({ code: "forbidden", fix: expect.any(String) }),
        ]);
      for (const path of ["", "/messages", "/ws"])
        expect((await own.get(`/api/v1/agents/${sibling}${path}`)).status).toBe(404);
    });

    test("end with their agent", async () => {
      const agent = await it.newAgent();
      const own = it.api.as(await it.agentKey(agent));
      await it.api.delete(`/api/v1/agents/${agent}`);
      expect((await own.get(`/api/v1/agents/${agent}`)).status).toBe(401);
    });
  });

  describe("signing secrets", () => {
    test("are at most five and at least one, and shown once", async () => {
      const mine = it.api.as(await it.server.newAccount());
      const path = "/api/v1/users/me/signing-secrets";
      for (const name of ["2", "3", "4", "5"]) {
        const { body } = await mine.post(path, { name });
        expect(body.name).toBe(name);
        expect(body.secret).toMatch(/^[0-9a-f]{64}$/);
        expect(body.secret_prefix).toBe(body.secret.slice(0, 8));
      }
      expect((await mine.post(path, { name: "6" })).body.code).toBe("conflict");
      const { secrets } = (await mine.get(path)).body;
      expect(secrets.map((row: { name: string }) => row.name)).toEqual(["5", "4", "3", "2", "default"]);
      expect(JSON.stringify(secrets)).not.toContain('"secret"');
      for (const { id } of secrets.slice(1)) expect((await mine.delete(`${path}/${id}`)).status).toBe(204);
      expect((await mine.delete(`${path}/${secrets[0].id}`)).body.code).toBe("conflict");
    });
  });

  describe("account", () => {
    test("is exported whole, without what opens anything", async () => {
      const mine = it.api.as(await it.server.newAccount());
      const agent = await it.newAgent(mine);
      await mine.post("/api/v1/domains", { domain: `d${it.made++}-${process.pid}.example` });
      for (const n of [1, 2]) await it.send(agent, `Export ${n}`);
      const { body, headers } = await mine.get("/api/v1/users/me/export");
      expect(headers.get("content-disposition")).toStartWith("attachment;");
      expect(body.user.email).toBe((await mine.get("/api/v1/users/me")).body.email);
      expect(body.agents).toMatchObject([{ id: agent }]);
      expect(body.domains).toHaveLength(1);
      expect(body.messages.map((row: { subject: string }) => row.subject)).toEqual(["Export 1", "Export 2"]);
      expect(Buffer.from(body.messages[0].raw_message, "base64").toString()).toContain("Subject: Export 1");
      expect(JSON.stringify(body)).not.toMatch(/hash"|"secret"|PRIVATE KEY/);
      expect(JSON.stringify(body)).not.toContain(mine.key);
    });

    test("is deleted whole, and only when that is meant", async () => {
      const mine = it.api.as(await it.server.newAccount());
      const agent = await it.newAgent(mine);
      await it.send(agent, "Goodbye");
      expect((await mine.delete("/api/v1/users/me")).body.errors[0].field).toBe("confirm");
      const { body } = await mine.delete("/api/v1/users/me?confirm=DELETE");
      expect(body.deleted).toEqual({
        ...{ agents: 1, messages: 1, outbound_messages: 0, domains: 0 },
        ...{ keys: 1, secrets: 1, suppressions: 0, webhooks: 0 },
      });
      expect((await mine.get("/api/v1/users/me")).status).toBe(401);
      // No other account can take over mail that is still sent to the address.
      const stranger = await it.api.post("/api/v1/agents", { slug: agent.split("@")[0], agent_mode: "local" });
      expect(stranger).toMatchObject({ status: 409, body: { code: "conflict" } });
    });
  });
}
