/** What every e2a server answers to API clients, as cases: run on SQLite, on Postgres and against the compiled binary. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash, createHmac } from "node:crypto";
import { ApiClient, type ApiRequest } from "./api-client.ts";
import { hostileRequests } from "./api-suite-requests.ts";
import { SocketClient } from "./socket-client.ts";

/** A running development server. Its body limit must be 64 KiB (`http.max_body_size`), its other limits out of reach. */
export interface ApiUnderTest {
  readonly url: string;
  /** An account key. */
  readonly key: string;
  readonly sharedDomain: string;
  /** A key of another, new account. */
  newAccount(): Promise<string>;
  /** Delivers a message as another mail server would. */
  deliver(mail: { to: string; message: string; from?: string }): Promise<void>;
  close(): Promise<void>;
}

export function apiSuite(name: string, open: () => Promise<ApiUnderTest>): void {
  describe(name, () => {
    let server: ApiUnderTest;
    let api: ApiClient;
    let made = 0;

    beforeAll(async () => {
      server = await open();
      api = new ApiClient(server.url, server.key);
    });
    afterAll(() => server?.close());

    /** A new local agent of this account, or of `by`'s; returns its address. */
    async function newAgent(by = api): Promise<string> {
      const slug = `bot-${process.pid}-${made++}`;
      const { status, body } = await by.post("/api/v1/agents", { slug, agent_mode: "local" });
      expect(status).toBe(201);
      return body.email;
    }
    async function agentKey(agent: string): Promise<string> {
      const { body } = await api.post("/api/v1/keys", { name: "one agent", scope: "agent", agent });
      return body.key;
    }
    const send = (to: string, subject: string, more: { from?: string; text?: string; headers?: string[] } = {}) => {
      const from = more.from ?? "alice@sender.example";
      const head = [
        `From: ${from.split("@")[0]} <${from}>`,
        `To: <${to}>`,
        `Subject: ${subject}`,
        `Message-ID: <${crypto.randomUUID()}@sender.example>`,
        ...(more.headers ?? []),
      ];
      return server.deliver({ to, from, message: `${head.join("\r\n")}\r\n\r\n${more.text ?? "Hello"}\r\n` });
    };
    const inbox = (agent: string, query = "") =>
      api.get(`/api/v1/agents/${encodeURIComponent(agent)}/messages${query}`);
    const subjects = async (agent: string, query: string) =>
      (await inbox(agent, query)).body.messages.map((message: { subject: string }) => message.subject);

    describe("requests that are not right", () => {
      for (const row of hostileRequests)
        test(row.name, async () => {
          const request: ApiRequest = {
            ...(row.body === undefined ? {} : { body: row.body }),
            headers: row.headers ?? {},
          };
          if (row.key !== undefined) request.key = row.key;
          const { status, body, headers } = await api.call(row.method, row.path, request);
          expect({ status, code: body?.code }).toEqual({ status: row.status, code: row.code });
          if (row.fields) expect(body.errors.map((error: { field: string }) => error.field)).toEqual(row.fields);
          for (const [header, value] of Object.entries(row.answers ?? {})) expect(headers.get(header)).toBe(value);
        });

      test("a resource of another account is not found, like one that is not there", async () => {
        const other = api.as(await server.newAccount());
        const agent = await newAgent(other);
        await other.post("/api/v1/domains", { domain: `d${made++}.foreign.example` });
        const { body: key } = await other.post("/api/v1/keys", { name: "k", scope: "account" });
        const { body: secrets } = await other.get("/api/v1/users/me/signing-secrets");
        const paths = [
          ["GET", `/api/v1/agents/${agent}`],
          ["DELETE", `/api/v1/agents/${agent}`],
          ["GET", `/api/v1/agents/${agent}/messages`],
          ["GET", `/api/v1/agents/${agent}/ws`],
          ["GET", `/api/v1/domains/d${made - 1}.foreign.example`],
          ["DELETE", `/api/v1/keys/${key.id}`],
          ["DELETE", `/api/v1/users/me/signing-secrets/${secrets.secrets[0].id}`],
        ] as const;
        for (const [method, path] of paths) expect((await api.call(method, path)).body.code).toBe("not_found");
        const taken = await api.post("/api/v1/agents", { slug: agent.split("@")[0], agent_mode: "local" });
        expect(taken).toMatchObject({ status: 409, body: { code: "conflict" } });
      });

      test("HEAD answers like GET, without the body", async () => {
        const { status, headers, body } = await api.call("HEAD", "/api/v1/agents");
        expect({ status, body }).toEqual({ status: 200, body: null });
        expect(headers.get("content-type")).toContain("application/json");
      });
    });

    describe("public", () => {
      test("health, readiness and what the server offers need no key", async () => {
        const anybody = api.as(null);
        expect((await anybody.get("/api/health")).body).toEqual({ status: "ok" });
        expect((await anybody.get("/api/ready")).status).toBe(200);
        const { body } = await anybody.get("/api/v1/info");
        expect(body).toMatchObject({ shared_domain: server.sharedDomain, slug_registration_enabled: true });
      });

      test("the description is OpenAPI 3.1 and says how each operation is called, answered and refused", async () => {
        const { body } = await api.as(null).get("/api/v1/openapi.json");
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
        const { status, headers, body } = await api.as(null).get("/api/docs");
        expect(status).toBe(200);
        expect(headers.get("content-security-policy")).toStartWith("default-src 'none'");
        expect(body).not.toMatch(/(?:src|href)="?(?:https?:)?\/\//);
      });
    });

    describe("agents", () => {
      test("are registered, listed newest first, changed and deleted", async () => {
        const mine = api.as(await server.newAccount());
        const first = await newAgent(mine);
        const second = await newAgent(mine);
        const { body: agent } = await mine.get(`/api/v1/agents/${first}`);
        expect(agent).toMatchObject({
          id: first,
          email: first,
          domain: server.sharedDomain,
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
        const { body: changed } = await mine.put(`/api/v1/agents/${first}`, { name: "Bot", paused: true, unknown: 1 });
        expect(changed).toEqual({ ...agent, name: "Bot", paused: true });
        expect((await mine.patch(`/api/v1/agents/${first}`, { paused: false })).body.paused).toBe(false);
        expect((await mine.delete(`/api/v1/agents/${first}`)).body).toEqual({ status: "deleted" });
        expect((await mine.get(`/api/v1/agents/${first}`)).status).toBe(404);
      });

      test("are found by any spelling of their address", async () => {
        const agent = await newAgent();
        for (const spelling of [
          agent.toUpperCase(),
          agent.replace("@", "%40"),
          agent.toUpperCase().replace("@", "%40"),
        ])
          expect((await api.get(`/api/v1/agents/${spelling}`)).body.id).toBe(agent);
      });

      test("come in pages when a page size is given", async () => {
        const mine = api.as(await server.newAccount());
        const all: string[] = [];
        for (let i = 0; i < 5; i++) all.unshift(await newAgent(mine));
        const seen: string[] = [];
        for (let token: string | undefined, pages = 0; pages < 3; pages++) {
          const { body } = await mine.get(`/api/v1/agents?page_size=2${token ? `&token=${token}` : ""}`);
          seen.push(...body.agents.map((row: { id: string }) => row.id));
          token = body.next_token;
          expect(token === undefined).toBe(pages === 2);
        }
        expect(seen).toEqual(all);
      });

      test("that are cloud agents always have a webhook", async () => {
        const agent = await newAgent();
        const path = `/api/v1/agents/${agent}`;
        const refused = await api.put(path, { agent_mode: "cloud", name: "not kept" });
        expect(refused).toMatchObject({ status: 400, body: { errors: [{ field: "webhook_url" }] } });
        expect((await api.get(path)).body).toMatchObject({ agent_mode: "local", name: "" });
        const url = "http://127.0.0.1:9/hook";
        expect((await api.put(path, { agent_mode: "cloud", webhook_url: url })).body.webhook_url).toBe(url);
        expect((await api.put(path, { webhook_url: "" })).status).toBe(400);
        expect((await api.put(path, { webhook_url: "http://10.0.0.1/" })).body.errors[0].field).toBe("webhook_url");
        expect((await api.put(path, { webhook_url: "", agent_mode: "local" })).body.webhook_url).toBe("");
      });

      test("get test mail through the whole inbound path", async () => {
        const agent = await newAgent();
        const { body } = await api.post(`/api/v1/agents/${agent}/test`);
        expect(body.status).toBe("sent");
        const { body: listed } = await inbox(agent);
        expect(listed.messages).toMatchObject([{ message_id: body.message_id, verified: true }]);
      });
    });

    describe("domains", () => {
      test("are registered with records and keys, verified, used and deleted", async () => {
        const name = `d${made++}-${process.pid}.example`;
        const { status, body: domain } = await api.post("/api/v1/domains", { domain: name.toUpperCase() });
        expect(status).toBe(201);
        expect(domain).toMatchObject({
          domain: name,
          verified: false,
          verification_token: expect.stringMatching(/^e2a-verify=[0-9a-f]{32}$/),
          dns_records: {
            mx: { host: name, priority: 10 },
            txt: { host: name, value: domain.verification_token },
            dkim: { value: expect.stringMatching(/^v=DKIM1; k=rsa; p=[\w+/]{390,400}=*$/) },
            dkim_ed25519: { value: expect.stringMatching(/^v=DKIM1; k=ed25519; p=[\w+/]{43}=$/) },
          },
        });
        const agent = { email: `Bot@${name}`, agent_mode: "local" };
        expect((await api.post("/api/v1/agents", agent)).body.errors[0].field).toBe("email");
        expect((await api.post("/api/v1/domains", { domain: name })).status).toBe(409);

        const { body: verified } = await api.post(`/api/v1/domains/${name}/verify`);
        expect(verified).toMatchObject({ verified: true, verified_at: expect.any(String) });
        expect((await api.post(`/api/v1/domains/${name}/verify`)).body).toEqual(verified);
        expect((await api.post("/api/v1/agents", agent)).body).toMatchObject({
          id: `bot@${name}`,
          domain_verified: true,
        });

        const other = api.as(await server.newAccount());
        expect((await other.post("/api/v1/domains", { domain: name })).status).toBe(409);
        expect((await other.post("/api/v1/agents", { ...agent, email: `x@${name}` })).status).toBe(400);

        expect((await api.delete(`/api/v1/domains/${name}`)).status).toBe(400);
        await api.delete(`/api/v1/agents/bot@${name}`);
        expect((await api.delete(`/api/v1/domains/${name}`)).status).toBe(204);
        expect((await api.get(`/api/v1/domains/${name}`)).status).toBe(404);
      });

      test("that are only claimed block nobody; the first proof wins", async () => {
        const name = `d${made++}-${process.pid}.example`;
        const other = api.as(await server.newAccount());
        await api.post("/api/v1/domains", { domain: name });
        expect((await other.post("/api/v1/domains", { domain: name })).status).toBe(201);
        expect((await other.post(`/api/v1/domains/${name}/verify`)).status).toBe(200);
        expect((await api.post(`/api/v1/domains/${name}/verify`)).body.code).toBe("conflict");
      });

      test("come in pages when a page size is given, newest first", async () => {
        const mine = api.as(await server.newAccount());
        const names = [0, 1, 2].map((i) => `p${i}-${process.pid}-${made++}.example`);
        for (const domain of names) await mine.post("/api/v1/domains", { domain });
        const { body: first } = await mine.get("/api/v1/domains?page_size=2");
        const { body: second } = await mine.get(`/api/v1/domains?page_size=2&token=${first.next_token}`);
        const seen = [...first.domains, ...second.domains].map((row: { domain: string }) => row.domain);
        expect(seen).toEqual(names.reverse());
        expect(second.next_token).toBeUndefined();
      });

      test("have a postmaster, whom the owner reads and nobody changes", async () => {
        const name = `d${made++}-${process.pid}.example`;
        await api.post("/api/v1/domains", { domain: name });
        await api.post(`/api/v1/domains/${name}/verify`);
        await send(`abuse@${name}`, "Complaint");
        const path = `/api/v1/agents/postmaster@${name}`;
        expect((await api.get(path)).status).toBe(200);
        expect(await subjects(`postmaster@${name}`, "")).toEqual(["Complaint"]);
        const { body } = await api.get("/api/v1/agents");
        expect(body.agents.some((row: { id: string }) => row.id.startsWith("postmaster@"))).toBe(false);
        expect((await api.put(path, { name: "x" })).body.code).toBe("forbidden");
        expect((await api.delete(path)).body.code).toBe("forbidden");
        expect((await api.delete(`/api/v1/domains/${name}`)).status).toBe(204);
      });
    });

    describe("messages", () => {
      test("are listed oldest first, in pages bound to their filters", async () => {
        const agent = await newAgent();
        for (const n of [1, 2, 3]) await send(agent, `Mail ${n}`);
        const { body: first } = await inbox(agent, "?page_size=2");
        expect(first.messages.map((row: { subject: string }) => row.subject)).toEqual(["Mail 1", "Mail 2"]);
        const { body: second } = await inbox(agent, `?page_size=2&token=${first.next_token}`);
        expect(second.messages.map((row: { subject: string }) => row.subject)).toEqual(["Mail 3"]);
        expect(second.next_token).toBeUndefined();
        const misused = await inbox(agent, `?page_size=2&sort=desc&token=${first.next_token}`);
        expect(misused).toMatchObject({ status: 400, body: { errors: [{ field: "token" }] } });
        const elsewhere = await inbox(await newAgent(), `?token=${first.next_token}`);
        expect(elsewhere.status).toBe(400);
      });

      test("are filtered and searched", async () => {
        const agent = await newAgent();
        await send(agent, "Apples", { text: "about the crème brûlée" });
        await send(agent, "Bananas", { from: "bob@sender.example" });
        const [{ message_id: apples, conversation_id: conversation, created_at: at }] = (await inbox(agent)).body
          .messages;
        await api.patch(`/api/v1/agents/${agent}/messages/${apples}`, {
          status: "read",
          add_labels: ["fruit", "fruit"],
        });
        const later = new Date(Date.parse(at) + 3_600_000).toISOString();
        const rows: [query: string, expected: string[]][] = [
          ["", ["Bananas"]],
          ["?status=read", ["Apples"]],
          ["?status=all", ["Apples", "Bananas"]],
          ["?status=all&sort=desc", ["Bananas", "Apples"]],
          ["?status=all&from=BOB@sender.example", ["Bananas"]],
          [`?status=all&conversation_id=${conversation}`, ["Apples"]],
          ["?status=all&label=fruit", ["Apples"]],
          ["?status=all&q=creme+BRULEE", ["Apples"]],
          ["?status=all&q=app", ["Apples"]],
          ["?status=all&q=alice%40sender.example", ["Apples"]],
          ["?status=all&q=%22)%20or%201%3D1", []],
          [`?status=all&since=${later}`, []],
          [`?status=all&until=${later}`, ["Apples", "Bananas"]],
          [`?status=all&until=${encodeURIComponent(at)}`, []],
          ["?status=all&direction=inbound", ["Apples", "Bananas"]],
          ["?status=all&direction=outbound", []],
          ["?status=&q=", ["Bananas"]],
        ];
        for (const [query, expected] of rows) expect([query, await subjects(agent, query)]).toEqual([query, expected]);
      });

      test("become read by reading, unless peeked at", async () => {
        const agent = await newAgent();
        await send(agent, "=?utf-8?Q?Gr=C3=BC=C3=9Fe?=", {
          headers: ["Cc: carol@sender.example", "Reply-To: desk@sender.example"],
        });
        const [{ message_id: id }] = (await inbox(agent)).body.messages;
        const path = `/api/v1/agents/${agent}/messages/${id}`;
        const peeked = await api.get(`${path}?peek=true`);
        expect(peeked.body).toMatchObject({
          message_id: id,
          from: "alice@sender.example",
          from_name: "alice",
          to: [agent],
          cc: ["carol@sender.example"],
          reply_to: ["desk@sender.example"],
          recipient: agent,
          subject: "Grüße",
          status: "unread",
          envelope_from: "alice@sender.example",
          text: expect.stringContaining("Hello"),
          attachments: [],
        });
        expect(await subjects(agent, "")).toEqual(["Grüße"]);
        expect((await api.get(path)).body.status).toBe("read");
        expect(await subjects(agent, "")).toEqual([]);
        expect((await api.patch(path, { status: "unread" })).body.status).toBe("unread");
        expect((await api.delete(path)).status).toBe(204);
        expect((await api.get(path)).status).toBe(404);
      });

      test("carry headers that the newest signing secret signs for this fetch", async () => {
        const mine = api.as(await server.newAccount());
        const agent = await newAgent(mine);
        const { body: created } = await mine.post("/api/v1/users/me/signing-secrets", { name: "new" });
        await send(agent, "Signed");
        const { body: listed } = await mine.get(`/api/v1/agents/${agent}/messages`);
        const path = `/api/v1/agents/${agent}/messages/${listed.messages[0].message_id}`;
        const { auth_headers: signed, raw_message: raw } = (await mine.get(path)).body;
        const bytes = Buffer.from(raw, "base64");
        expect(signed["X-E2A-Auth-Body-Hash"]).toBe(createHash("sha256").update(bytes).digest("hex"));
        const names = [
          "Verified",
          "Sender",
          "Entity-Type",
          "Domain-Check",
          "Delegation",
          "Timestamp",
          "Message-Id",
          "Body-Hash",
        ];
        const canonical = names.map((name) => signed[`X-E2A-Auth-${name}`] ?? "").join("\n");
        const expected = createHmac("sha256", created.secret).update(canonical).digest("hex");
        expect(signed["X-E2A-Auth-Signature"]).toBe(expected);
        expect(Math.abs(Date.parse(signed["X-E2A-Auth-Timestamp"]) - Date.now())).toBeLessThan(60_000);
        const download = await fetch(`${server.url}${path}/raw`, { headers: { authorization: `Bearer ${mine.key}` } });
        expect(Buffer.from(await download.arrayBuffer()).equals(bytes)).toBe(true);
        expect(download.headers.get("content-type")).toBe("message/rfc822");
      });

      test("give attachments out as files to save, never as pages", async () => {
        const agent = await newAgent();
        await server.deliver({ to: agent, message: withAttachment(agent) });
        const [{ message_id: id, has_attachments }] = (await inbox(agent)).body.messages;
        expect(has_attachments).toBe(true);
        const path = `/api/v1/agents/${agent}/messages/${id}`;
        const { attachments } = (await api.get(path)).body;
        expect(attachments).toMatchObject([{ index: 0, filename: "évil.html", content_type: "text/html", size: 25 }]);
        const { body, headers } = await api.get(`${path}/attachments/0`);
        expect(body).toBe("<script>alert(1)</script>");
        expect(headers.get("content-disposition")).toBe(
          "attachment; filename=\"_vil.html\"; filename*=UTF-8''%C3%A9vil.html",
        );
        expect(headers.get("x-content-type-options")).toBe("nosniff");
        expect(headers.get("content-security-policy")).toStartWith("sandbox;");
        for (const index of ["1", "-1", "00", "x", "0.5"])
          expect((await api.get(`${path}/attachments/${index}`)).status).toBe(404);
      });

      test("are waited for", async () => {
        const agent = await newAgent();
        const path = `/api/v1/agents/${agent}/messages/wait`;
        const waiting = api.get(`${path}?timeout=20`);
        await send(agent, "At last");
        expect((await waiting).body.messages).toMatchObject([{ subject: "At last" }]);
        expect((await api.get(path)).body.messages).toMatchObject([{ subject: "At last" }]);
        await api.get(`/api/v1/agents/${agent}/messages/${(await waiting).body.messages[0].message_id}`);
        expect((await api.get(`${path}?timeout=1`)).body.messages).toEqual([]);
      });

      test("have labels", async () => {
        const agent = await newAgent();
        await send(agent, "Labelled");
        const [{ message_id: id }] = (await inbox(agent)).body.messages;
        const path = `/api/v1/agents/${agent}/messages/${id}`;
        expect((await api.patch(path, { add_labels: ["b", "a"] })).body.labels).toEqual(["a", "b"]);
        expect((await api.patch(path, { add_labels: ["a", "c"], remove_labels: ["b"] })).body.labels).toEqual([
          "a",
          "c",
        ]);
        expect((await api.get(path)).body.labels).toEqual(["a", "c"]);
      });
    });

    describe("keys", () => {
      test("are shown once, listed without secret, and revoked", async () => {
        const { status, body: made } = await api.post("/api/v1/keys", { name: "temp", scope: "account" });
        expect(status).toBe(201);
        expect(made.key).toMatch(/^e2a_[0-9a-f]{64}$/);
        const { body: listed } = await api.get("/api/v1/keys");
        const row = listed.keys.find((key: { id: string }) => key.id === made.id);
        expect(row).toMatchObject({ name: "temp", scope: "account", agent: null, key_prefix: made.key.slice(0, 12) });
        expect(JSON.stringify(listed)).not.toContain(made.key);
        expect((await api.as(made.key).get("/api/v1/users/me")).status).toBe(200);
        expect((await api.delete(`/api/v1/keys/${made.id}`)).status).toBe(204);
        expect((await api.as(made.key).get("/api/v1/users/me")).status).toBe(401);
        expect((await api.delete(`/api/v1/keys/${made.id}`)).status).toBe(404);
      });

      test("expire", async () => {
        const expires_at = new Date(Date.now() + 300).toISOString();
        const { body } = await api.post("/api/v1/keys", { name: "brief", scope: "account", expires_at });
        expect(body.expires_at).toBe(expires_at);
        while (Date.now() <= Date.parse(expires_at)) await Bun.sleep(Date.parse(expires_at) + 1 - Date.now());
        expect((await api.as(body.key).get("/api/v1/users/me")).status).toBe(401);
      });

      test("of one agent can use its inbox and nothing else", async () => {
        const [agent, sibling] = [await newAgent(), await newAgent()];
        const own = api.as(await agentKey(agent));
        await send(agent, "Mine");
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
        const agent = await newAgent();
        const own = api.as(await agentKey(agent));
        await api.delete(`/api/v1/agents/${agent}`);
        expect((await own.get(`/api/v1/agents/${agent}`)).status).toBe(401);
      });
    });

    describe("signing secrets", () => {
      test("are at most five and at least one, and shown once", async () => {
        const mine = api.as(await server.newAccount());
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

    describe("idempotency", () => {
      test("the same request again gets the first answer again", async () => {
        const headers = { "idempotency-key": crypto.randomUUID() };
        const body = { name: "once", scope: "account" };
        const first = await api.post("/api/v1/keys", body, { headers });
        const again = await api.post("/api/v1/keys", body, { headers });
        expect(again).toMatchObject({ status: 201, body: first.body });
        expect(again.headers.get("idempotency-replayed")).toBe("true");
        expect(first.headers.has("idempotency-replayed")).toBe(false);
        const other = await api.post("/api/v1/keys", { ...body, name: "other" }, { headers });
        expect(other).toMatchObject({ status: 422, body: { code: "idempotency_key_reused" } });
        const elsewhere = api.as(await server.newAccount());
        expect((await elsewhere.post("/api/v1/keys", body, { headers })).headers.has("idempotency-replayed")).toBe(
          false,
        );
      });

      test("of many at once, one runs", async () => {
        const headers = { "idempotency-key": crypto.randomUUID() };
        const slug = `once-${process.pid}-${made++}`;
        const body = { slug, agent_mode: "local" };
        const answers = await Promise.all(
          Array.from({ length: 8 }, () => api.post("/api/v1/agents", body, { headers })),
        );
        const codes = answers.map(({ status, body }) => (status === 201 ? "created" : body.fix));
        expect(codes.filter((code) => code === "created").length).toBeGreaterThanOrEqual(1);
        expect(new Set(codes).isSubsetOf(new Set(["created", "Ask again shortly."]))).toBe(true);
      });

      test("a key of one agent cannot fetch what an account key made", async () => {
        const headers = { "idempotency-key": crypto.randomUUID() };
        const body = { name: "secret", scope: "account" };
        await api.post("/api/v1/keys", body, { headers });
        const own = api.as(await agentKey(await newAgent()));
        expect((await own.post("/api/v1/keys", body, { headers })).body.key).toBeUndefined();
      });
    });

    describe("websocket", () => {
      const socketUrl = (agent: string) => `${server.url.replace(/^http/, "ws")}/api/v1/agents/${agent}/ws`;

      test("brings what was missed, then what comes, and takes acknowledgements", async () => {
        const agent = await newAgent();
        await send(agent, "Missed");
        await using socket = await SocketClient.open(socketUrl(agent), server.key);
        const missed = await socket.next();
        expect(missed).toMatchObject({ subject: "Missed", from: "alice@sender.example", recipient: agent });
        await send(agent, "Live");
        expect(await socket.next()).toMatchObject({ subject: "Live", message_id: expect.stringMatching(/^msg_/) });
        socket.send(JSON.stringify({ ack: missed.message_id }));
        while ((await subjects(agent, "")).includes("Missed"));
        expect(await subjects(agent, "")).toEqual(["Live"]);
      });

      test("takes the key in the query, and the agent's own key", async () => {
        const agent = await newAgent();
        await send(agent, "Hello");
        await using socket = await SocketClient.open(`${socketUrl(agent)}?token=${await agentKey(agent)}`, null);
        expect(await socket.next()).toMatchObject({ subject: "Hello" });
      });

      test("has one consumer an agent: the newer one wins", async () => {
        const agent = await newAgent();
        await using older = await SocketClient.open(socketUrl(agent), server.key);
        await using _newer = await SocketClient.open(socketUrl(agent), server.key);
        expect(await older.closed).toEqual({ code: 4000, reason: "replaced" });
      });

      test("closes when its key is revoked", async () => {
        const agent = await newAgent();
        const { body: key } = await api.post("/api/v1/keys", { name: "socket", scope: "agent", agent });
        await using socket = await SocketClient.open(socketUrl(agent), key.key);
        await api.delete(`/api/v1/keys/${key.id}`);
        expect((await socket.closed).code).toBe(1008);
      });

      test("survives frames that are not what it expects", async () => {
        const agent = await newAgent();
        await using socket = await SocketClient.open(socketUrl(agent), server.key);
        for (const frame of ["", "{", "null", '{"ack":5}', '{"ack":"msg_nope"}', new Uint8Array([0, 255])])
          socket.send(frame);
        await send(agent, "Still here");
        expect(await socket.next()).toMatchObject({ subject: "Still here" });
        socket.send("x".repeat(64 * 1024));
        expect((await socket.closed).code).toBeGreaterThanOrEqual(1006);
      });

      test("is refused like any request", async () => {
        const agent = await newAgent();
        const path = `/api/v1/agents/${agent}/ws`;
        expect((await api.as(null).get(path)).status).toBe(401);
        const plain = await api.get(path);
        expect(plain.status).toBe(426);
        expect(plain.headers.get("upgrade")).toBe("websocket");
        expect((await api.get(`/api/v1/agents/nobody@${server.sharedDomain}/ws`)).status).toBe(404);
        expect(await SocketClient.refusal(socketUrl(agent), `e2a_${"0".repeat(64)}`)).toBe(401);
        expect(await SocketClient.refusal(socketUrl(`nobody@${server.sharedDomain}`), server.key)).toBe(404);
      });
    });

    describe("account", () => {
      test("is exported whole, without what opens anything", async () => {
        const mine = api.as(await server.newAccount());
        const agent = await newAgent(mine);
        await mine.post("/api/v1/domains", { domain: `d${made++}-${process.pid}.example` });
        for (const n of [1, 2]) await send(agent, `Export ${n}`);
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
        const mine = api.as(await server.newAccount());
        const agent = await newAgent(mine);
        await send(agent, "Goodbye");
        expect((await mine.delete("/api/v1/users/me")).body.errors[0].field).toBe("confirm");
        const { body } = await mine.delete("/api/v1/users/me?confirm=DELETE");
        expect(body.deleted).toEqual({ agents: 1, messages: 1, domains: 0, keys: 1, secrets: 1 });
        expect((await mine.get("/api/v1/users/me")).status).toBe(401);
        expect(await newAgentNamed(agent.split("@")[0] as string)).toBe(201);
      });

      async function newAgentNamed(slug: string): Promise<number> {
        return (await api.post("/api/v1/agents", { slug, agent_mode: "local" })).status;
      }
    });
  });
}

function withAttachment(to: string): string {
  return [
    "From: alice@sender.example",
    `To: ${to}`,
    "Subject: With a file",
    "MIME-Version: 1.0",
    'Content-Type: multipart/mixed; boundary="b"',
    "",
    "--b",
    "Content-Type: text/plain",
    "",
    "See the file.",
    "--b",
    "Content-Type: text/html",
    "Content-Disposition: attachment; filename*=utf-8''%C3%A9vil.html",
    "Content-Transfer-Encoding: base64",
    "",
    Buffer.from("<script>alert(1)</script>").toString("base64"),
    "--b--",
    "",
  ].join("\r\n");
}
