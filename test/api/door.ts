/** Checks before any route: origins of browsers, size and coding of bodies, and caching of answers. */
import { describe, expect, test } from "bun:test";
import { connect } from "node:net";
import type { ApiWorld } from "./world.ts";

export function doorCases(it: ApiWorld): void {
  /** The cookie of a browser that has signed in to a new account. */
  const browser = async (): Promise<string> => {
    const mine = it.api.as(await it.server.newAccount());
    const headers = { origin: it.server.url };
    const answer = await mine.as(null).post("/api/auth/key", { api_key: mine.key }, { headers });
    return answer.headers.get("set-cookie")?.split(";")[0] ?? "";
  };
  /** Sends a request byte by byte as given; resolves with the status line of the answer. */
  const raw = (lines: string[], body: (string | Uint8Array)[] = []): Promise<string> => {
    const { hostname, port } = new URL(it.server.url);
    return new Promise((resolve, reject) => {
      const socket = connect(Number(port), hostname, () => {
        socket.write(`${lines.join("\r\n")}\r\n\r\n`);
        for (const part of body) socket.write(part);
      });
      socket.once("data", (data) => {
        resolve(data.toString("latin1").split("\r\n")[0] ?? "");
        socket.destroy();
      });
      socket.on("error", reject);
    });
  };

  describe("the door", () => {
    test.each([
      ["a host of one letter", ["GET /api/v1/agents HTTP/1.1", "Host: x"], "200"],
      ["a host of three letters", ["GET /api/v1/agents HTTP/1.1", "Host: e2a"], "200"],
      ["no host, as load balancers ask", ["GET /api/health HTTP/1.0"], "200"],
      ["an empty host", ["GET /api/health HTTP/1.1", "Host:"], "200"],
      ["a path in the host", ["GET /api/health HTTP/1.1", "Host: x/y"], "400"],
      ["a person in the host", ["GET /api/health HTTP/1.1", "Host: a@b"], "400"],
      ["a question in the host", ["GET /api/health HTTP/1.1", "Host: a?b"], "400"],
      ["letters that no host has", ["GET /api/health HTTP/1.1", "Host: \u00e9"], "400"],
      ["a port that is none", ["GET /api/health HTTP/1.1", "Host: a:99999"], "400"],
    ])("answers by path whatever the Host is: %s", async (_, lines, status) => {
      const answer = await raw([...lines, `Authorization: Bearer ${it.api.key}`]);
      expect(answer.split(" ")[1]).toBe(status);
    });

    test("takes changes by cookie from its own pages only, by scheme, host and port", async () => {
      const cookie = await browser();
      const own = new URL(it.server.url);
      const create = (origin: string | null) =>
        it.api
          .as(null)
          .post(
            "/api/v1/agents",
            { slug: `web-${process.pid}-${it.made++}`, agent_mode: "local" },
            { headers: { cookie, ...(origin === null ? {} : { origin }) } },
          );
      const foreign = [
        `${own.protocol}//${own.hostname}:${Number(own.port) + 1}`,
        `${own.protocol}//${own.hostname}`,
        `${own.protocol === "http:" ? "https:" : "http:"}//${own.host}`,
        `${own.protocol}//evil.example:${own.port}`,
        `${own.protocol}//${own.hostname}.evil.example:${own.port}`,
        "null",
        "",
        null,
      ];
      for (const origin of foreign) {
        const { status, body } = await create(origin);
        expect([origin, status, body.code]).toEqual([origin, 403, "forbidden"]);
      }
      expect((await create(own.origin)).status).toBe(201);
    });

    test("opens no WebSocket for another site's page, whose requests bring the cookie along", async () => {
      const cookie = await browser();
      const { host, origin } = new URL(it.server.url);
      const upgrade = (from: string | null) =>
        raw([
          ...["GET /api/v1/events/ws HTTP/1.1", `Host: ${host}`, `Cookie: ${cookie}`, "Connection: Upgrade"],
          ...["Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"],
          ...(from === null ? [] : [`Origin: ${from}`]),
        ]);
      expect(await upgrade("https://evil.example")).toContain(" 403 ");
      expect(await upgrade(origin.replace("http:", "https:"))).toContain(" 403 ");
      expect(await upgrade(null)).toContain(" 403 ");
      expect(await upgrade(origin)).toContain(" 101 ");
    });

    test("takes a key from the query where headers cannot be set, and nowhere else", async () => {
      const agent = await it.newAgent();
      const anybody = it.api.as(null);
      for (const path of ["/api/v1/agents", `/api/v1/agents/${agent}`, "/api/v1/messages", "/api/v1/events"])
        expect([path, (await anybody.get(`${path}?token=${it.server.key}`)).status]).toEqual([path, 401]);
      for (const path of [`/api/v1/agents/${agent}/ws`, "/api/v1/events/ws"])
        expect([path, (await anybody.get(`${path}?token=${it.server.key}`)).status]).toEqual([path, 426]);
    });

    test.each([
      ["a wrong one", ["wrong"], 401],
      ["an unknown one", [`e2a_${"a".repeat(64)}`], 401],
      ["a right one and a wrong one", [null, "wrong"], 401],
      ["a right one", [null], 426],
      ["an empty one", [""], 426],
    ])("takes no wrong key in the query, whatever else proves the caller: %s", async (_, tokens, status) => {
      const query = new URLSearchParams(tokens.map((token): [string, string] => ["token", token ?? it.server.key]));
      for (const path of [`/api/v1/agents/${await it.newAgent()}/ws`, "/api/v1/events/ws"]) {
        expect([path, (await it.api.get(`${path}?${query}`)).status]).toEqual([path, status]);
        const upgrade = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"];
        const lines = [`GET ${path}?${query} HTTP/1.1`, `Host: ${new URL(it.server.url).host}`, ...upgrade];
        const key = [`Authorization: Bearer ${it.api.key}`, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="];
        expect(await raw([...lines, ...key])).toContain(status === 426 ? " 101 " : " 401 ");
      }
    });

    test("knows its session's cookie by its whole name", async () => {
      const cookie = await browser();
      const me = (sent: string) => it.api.as(null).get("/api/v1/users/me", { headers: { cookie: sent } });
      expect((await me(cookie)).status).toBe(200);
      expect((await me(`a=b; ${cookie}; c=d`)).status).toBe(200);
      for (const name of ["x_e2a_session", "e2a_session_x", "E2A_SESSION"])
        expect([name, (await me(cookie.replace("e2a_session", name))).status]).toEqual([name, 401]);
    });

    test("refuses a body that is too large as it comes, also without its length", async () => {
      const { host } = new URL(it.server.url);
      const piece = "a".repeat(16 * 1024);
      const chunk = `${piece.length.toString(16)}\r\n${piece}\r\n`;
      const chunked = (path: string, ...more: string[]) =>
        raw(
          [`POST ${path} HTTP/1.1`, `Host: ${host}`, ...more, "Transfer-Encoding: chunked"],
          // Complete, so that a server that accepts it answers too.
          [...Array.from({ length: 8 }, () => chunk), "0\r\n\r\n"],
        );
      const json = "Content-Type: application/json";
      expect(await chunked("/api/v1/agents", `Authorization: Bearer ${it.server.key}`, json)).toContain(" 413 ");
      expect(await chunked("/api/v1/approve", "Content-Type: application/x-www-form-urlencoded")).toContain(" 413 ");
      const form = await fetch(`${it.server.url}/api/v1/approve`, { method: "POST", body: `t=${"x".repeat(70_000)}` });
      expect(form.status).toBe(413);
    });

    test("reads bodies as they are: a coded one is 415", async () => {
      const body = Bun.gzipSync(Buffer.from(JSON.stringify({ name: "x", scope: "account" })));
      const headers = { "content-encoding": "gzip", "content-type": "application/json" };
      expect(await it.api.post("/api/v1/keys", body, { headers })).toMatchObject({
        ...{ status: 415, body: { code: "unsupported_media_type" } },
      });
    });

    test("has no answer kept by anybody in between", async () => {
      for (const path of ["/api/v1/agents", "/api/v1/agents/nobody@nowhere.example", "/api/v1/users/me"])
        expect((await it.api.get(path)).headers.get("cache-control")).toBe("no-store");
    });

    test("takes the query for a part of the request that an Idempotency-Key names", async () => {
      const headers = { "idempotency-key": crypto.randomUUID() };
      const agent = await it.newAgent();
      await it.api.post(`/api/v1/agents/${agent}/test`, undefined, { headers });
      const again = await it.api.post(`/api/v1/agents/${agent}/test`, undefined, { headers });
      expect(again.headers.get("idempotency-replayed")).toBe("true");
      expect(await it.api.post(`/api/v1/agents/${agent}/test?again=1`, undefined, { headers })).toMatchObject({
        ...{ status: 422, body: { code: "idempotency_key_reused" } },
      });
    });
  });
}
