/** Rules of every path: access, refusals, paths that need no key, and requests that are safe to repeat. */
import { describe, expect, test } from "bun:test";
import type { ApiRequest } from "./client.ts";
import { hostileRequests } from "./requests.ts";
import type { ApiWorld } from "./world.ts";

export function conventionCases(it: ApiWorld): void {
  describe("requests that are not right", () => {
    for (const row of hostileRequests)
      test(row.name, async () => {
        const request: ApiRequest = {
          ...(row.body === undefined ? {} : { body: row.body }),
          headers: row.headers ?? {},
        };
        if (row.key !== undefined) request.key = row.key;
        const { status, body, headers } = await it.api.call(row.method, row.path, request);
        expect({ status, code: body?.code }).toEqual({ status: row.status, code: row.code });
        if (row.fields) expect(body.errors.map((error: { field: string }) => error.field)).toEqual(row.fields);
        for (const [header, value] of Object.entries(row.answers ?? {})) expect(headers.get(header)).toBe(value);
      });

    test("a resource of another account is not found, like one that is not there", async () => {
      const other = it.api.as(await it.server.newAccount());
      const agent = await it.newAgent(other);
      await other.post("/api/v1/domains", { domain: `d${it.made++}.foreign.example` });
      const { body: key } = await other.post("/api/v1/keys", { name: "k", scope: "account" });
      const { body: secrets } = await other.get("/api/v1/users/me/signing-secrets");
      const paths = [
        ["GET", `/api/v1/agents/${agent}`],
        ["DELETE", `/api/v1/agents/${agent}`],
        ["GET", `/api/v1/agents/${agent}/messages`],
        ["GET", `/api/v1/agents/${agent}/ws`],
        ["GET", `/api/v1/domains/d${it.made - 1}.foreign.example`],
        ["DELETE", `/api/v1/keys/${key.id}`],
        ["DELETE", `/api/v1/users/me/signing-secrets/${secrets.secrets[0].id}`],
      ] as const;
      for (const [method, path] of paths) expect((await it.api.call(method, path)).body.code).toBe("not_found");
      const taken = await it.api.post("/api/v1/agents", { slug: agent.split("@")[0], agent_mode: "local" });
      expect(taken).toMatchObject({ status: 409, body: { code: "conflict" } });
    });

    test("HEAD answers like GET, without the body", async () => {
      const { status, headers, body } = await it.api.call("HEAD", "/api/v1/agents");
      expect({ status, body }).toEqual({ status: 200, body: null });
      expect(headers.get("content-type")).toContain("application/json");
    });
  });

  describe("public", () => {
    test("health, readiness and what the server offers need no key", async () => {
      const anybody = it.api.as(null);
      expect((await anybody.get("/api/health")).body).toEqual({ status: "ok" });
      expect((await anybody.get("/api/ready")).status).toBe(200);
      const { body } = await anybody.get("/api/v1/info");
      expect(body).toMatchObject({ shared_domain: it.server.sharedDomain, slug_registration_enabled: true });
    });

    test("the description is OpenAPI 3.1 and says how each operation is called, answered and refused", async () => {
      const { body } = await it.api.as(null).get("/api/v1/openapi.json");
      expect(body.openapi).toMatch(/^3\.1\./);
      const operations = Object.values(body.paths).flatMap((path) => Object.values(path as object));
      const ids = operations.map((operation) => operation.operationId);
      expect(new Set(ids).size).toBe(ids.length);
      for (const operation of operations) {
        expect(operation).toMatchObject({ summary: expect.any(String), tags: [expect.any(String)] });
        expect(Object.keys(operation.responses).some((status) => Number(status) < 400)).toBe(true);
      }
    });

    test("the reference loads nothing from anywhere", async () => {
      const { status, headers, body } = await it.api.as(null).get("/api/docs");
      expect(status).toBe(200);
      expect(headers.get("content-security-policy")).toStartWith("default-src 'none'");
      expect(body).not.toMatch(/(?:src|href)="?(?:https?:)?\/\//);
    });
  });

  describe("idempotency", () => {
    test("the same request again gets the first answer again", async () => {
      const headers = { "idempotency-key": crypto.randomUUID() };
      const body = { name: "once", scope: "account" };
      const first = await it.api.post("/api/v1/keys", body, { headers });
      const again = await it.api.post("/api/v1/keys", body, { headers });
      expect(again).toMatchObject({ status: 201, body: first.body });
      expect(again.headers.get("idempotency-replayed")).toBe("true");
      expect(first.headers.has("idempotency-replayed")).toBe(false);
      const other = await it.api.post("/api/v1/keys", { ...body, name: "other" }, { headers });
      expect(other).toMatchObject({ status: 422, body: { code: "idempotency_key_reused" } });
      const elsewhere = it.api.as(await it.server.newAccount());
      expect((await elsewhere.post("/api/v1/keys", body, { headers })).headers.has("idempotency-replayed")).toBe(false);
    });

    test("of many at once, one runs", async () => {
      const headers = { "idempotency-key": crypto.randomUUID() };
      const slug = `once-${process.pid}-${it.made++}`;
      const body = { slug, agent_mode: "local" };
      const answers = await Promise.all(
        Array.from({ length: 8 }, () => it.api.post("/api/v1/agents", body, { headers })),
      );
      const codes = answers.map(({ status, body }) => (status === 201 ? "created" : body.fix));
      expect(codes.filter((code) => code === "created").length).toBeGreaterThanOrEqual(1);
      expect(new Set(codes).isSubsetOf(new Set(["created", "Ask again shortly."]))).toBe(true);
    });

    test("a key of one agent cannot fetch what an account key made", async () => {
      const headers = { "idempotency-key": crypto.randomUUID() };
      const body = { name: "secret", scope: "account" };
      await it.api.post("/api/v1/keys", body, { headers });
      const own = it.api.as(await it.agentKey(await it.newAgent()));
      expect((await own.post("/api/v1/keys", body, { headers })).body.key).toBeUndefined();
    });
  });
}
