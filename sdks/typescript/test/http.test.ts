import { afterEach, describe, expect, spyOn, test } from "bun:test";
import {
  APIError,
  E2AClient,
  E2AConnectionError,
  E2AError,
  E2ATimeoutError,
  InvalidRequestError,
  RateLimitError,
  ServerError,
} from "../src/index.ts";

/** How calls are made: retries, time limits, errors. The server is scripted by each test. */

interface Seen {
  method: string;
  path: string;
  headers: Headers;
  body: string;
}

type Answer = (request: Seen) => Response | Promise<Response>;

const servers: { stop(force: boolean): Promise<void> }[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop(true);
});

/** A server whose nth request gets the nth answer; the last answer repeats. */
function script(...answers: Answer[]) {
  const seen: Seen[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    async fetch(request) {
      const url = new URL(request.url);
      const { method, headers } = request;
      seen.push({ method, path: url.pathname + url.search, headers, body: await request.text() });
      const answer = answers[Math.min(seen.length, answers.length) - 1];
      return answer?.(seen.at(-1) as Seen) ?? new Response(null, { status: 204 });
    },
  });
  servers.push(server);
  const baseUrl = `http://127.0.0.1:${server.port}`;
  return { seen, baseUrl, client: new E2AClient({ baseUrl, apiKey: "e2a_key", retries: 2 }) };
}

const ok: Answer = () => Response.json({ message_id: "msg_1" });
const problem = (status: number, code: string, headers: Record<string, string> = {}): Answer => {
  const document = { type: "x", title: "t", status, detail: "No.", code, fix: "Do.", request_id: "req_1" };
  return () => Response.json(document, { status, headers: { "content-type": "application/problem+json", ...headers } });
};
const soon = { "retry-after": "0" };
const mail = { from: "a@b.example", to: ["c@d.example"], subject: "s", body: "b" };
const caught = (promise: PromiseLike<unknown>): Promise<unknown> =>
  Promise.resolve(promise).then(
    () => null,
    (error) => error,
  );

describe("a call", () => {
  test("carries the key and its arguments, escaped", async () => {
    const { client, seen } = script(ok);
    await client.messages.list({ agent: "a/b@c.example", q: "x & y", since: new Date(0), label: "é" });
    expect(seen[0]?.path).toBe(
      "/api/v1/agents/a%2Fb%40c.example/messages?q=x+%26+y&since=1970-01-01T00%3A00%3A00.000Z&label=%C3%A9",
    );
    expect(seen[0]?.headers.get("authorization")).toBe("Bearer e2a_key");
    expect(seen[0]?.headers.has("idempotency-key")).toBe(false);
    await client.events.list({ types: ["message.sent", "message.bounced"] });
    expect(seen[1]?.path).toBe("/api/v1/events?types=message.sent%2Cmessage.bounced");
  });

  test("never goes to another path than the one it is about", async () => {
    const { client, seen } = script(ok);
    const agent = "a@b.example";
    for (const id of ["..", ".", ""])
      for (const call of [
        () => client.messages.delete(id, { agent }),
        () => client.messages.get(id, { agent }),
        () => client.messages.list({ agent: id || ".." }),
        () => client.conversations.get(id, { agent }),
        () => client.keys.delete(id),
        () => client.approvals.approve(id),
        () => client.listen(id || "..").next(),
      ])
        expect(await caught((async () => call())())).toBeInstanceOf(E2AError);
    expect(seen).toEqual([]);
    // Dots within a name belong to the name.
    await client.messages.delete("..a", { agent });
    expect(seen[0]?.path).toBe("/api/v1/agents/a%40b.example/messages/..a");
  });

  test("that creates or sends has one Idempotency-Key for all its attempts, and another for the next call", async () => {
    const { client, seen } = script(problem(503, "unavailable", soon), problem(429, "rate_limited", soon), ok);
    expect(await client.send(mail)).toMatchObject({ message_id: "msg_1" });
    await client.send(mail, { idempotencyKey: "mine" });
    const keys = seen.map(({ headers }) => headers.get("idempotency-key"));
    expect(keys[0]).toMatch(/^[0-9a-f]{32}$/);
    expect(keys).toEqual([keys[0], keys[0], keys[0], "mine"] as string[]);
    expect(seen.map(({ body }) => JSON.parse(body))).toEqual([mail, mail, mail, mail]);
  });

  test("is made again when the server hangs up, and when the first is still running", async () => {
    const { baseUrl, seen } = script(ok);
    let attempts = 0;
    const client = new E2AClient({
      ...{ baseUrl, apiKey: "e2a_key" },
      fetch: (url, init) => (attempts++ === 0 ? Promise.reject(new TypeError("fetch failed")) : fetch(url, init)),
    });
    await client.send(mail);
    expect([attempts, seen.length]).toEqual([2, 1]);

    const running = script(problem(500, "internal", soon), problem(409, "conflict", soon), ok);
    await running.client.send(mail);
    expect(running.seen).toHaveLength(3);

    const late = script(problem(408, "request_timeout", soon), ok);
    await late.client.send(mail);
    expect(late.seen).toHaveLength(2);
  });

  test("is not made again where that helps nobody", async () => {
    for (const [status, code] of [
      [400, "invalid_request"],
      [409, "conflict"],
      [422, "recipient_suppressed"],
      [502, "upstream_rejected"],
    ] as const) {
      const { client, seen } = script(problem(status, code));
      expect(await caught(client.send(mail))).toMatchObject({ status, code, fix: "Do.", requestId: "req_1" });
      expect(seen).toHaveLength(1);
    }
    const { client, seen } = script(problem(429, "rate_limited", { "retry-after": "3600" }));
    const error = await caught(client.agents.list());
    expect(error).toBeInstanceOf(RateLimitError);
    expect(error).toMatchObject({ retryAfter: 3600, name: "RateLimitError" });
    expect(seen).toHaveLength(1);
    const once = script(problem(503, "unavailable", soon));
    expect(await caught(once.client.agents.list({ retries: 0 }))).toBeInstanceOf(ServerError);
    expect(once.seen).toHaveLength(1);
  });

  test("is made again after as many seconds as the server asks for, and else after ever longer pauses", async () => {
    const timeoutMs = 77_777;
    const pauses: number[] = [];
    const later = globalThis.setTimeout;
    using _ = spyOn(globalThis, "setTimeout").mockImplementation(((run: () => void, ms: number) => {
      if (ms === timeoutMs) return later(run, ms);
      pauses.push(ms);
      return later(run, 0);
    }) as typeof setTimeout);
    const asked = script(problem(503, "unavailable", { "retry-after": "37" }), ok);
    await asked.client.send(mail, { timeoutMs });
    expect(pauses).toEqual([37_000]);
    pauses.length = 0;
    const away = script(problem(503, "unavailable"), problem(503, "unavailable"), problem(503, "unavailable"), ok);
    await away.client.send(mail, { timeoutMs, retries: 3 });
    expect(pauses.map((ms, n) => ms >= 250 * 2 ** n && ms <= 500 * 2 ** n)).toEqual([true, true, true]);
  });

  test("that goes on for ever waits as long as it is asked to, within reason", async () => {
    // A month overflows the range of a timer, which would then fire at once.
    for (const [given, waitMs] of [
      ["120", 120_000],
      ["3000000", 3_600_000],
      ["99999999999999999999", 3_600_000],
    ] as const) {
      const { client } = script(problem(503, "unavailable", { "retry-after": given }));
      const onRetry = (_error: unknown, ms: number) => {
        throw new Error(`in ${ms} ms`);
      };
      expect(await caught(client.events.follow({ onRetry }).next())).toMatchObject({ message: `in ${waitMs} ms` });
    }
  });

  test("that deletes is content when its first attempt had done it", async () => {
    const { client, seen } = script(problem(503, "unavailable", soon), problem(404, "not_found"));
    expect(await client.webhooks.delete("whk_1")).toBeUndefined();
    expect(seen.map(({ method }) => method)).toEqual(["DELETE", "DELETE"]);
    const gone = script(problem(404, "not_found"));
    expect(await caught(gone.client.webhooks.delete("whk_1"))).toMatchObject({ status: 404 });
  });

  test("tells all that the server says", async () => {
    const errors = [{ field: "to", message: "is required" }];
    const { client } = script(() =>
      Response.json(
        { code: "invalid_request", detail: "to is required", request_id: "req_2", errors, more: 1 },
        { status: 400 },
      ),
    );
    const error = (await caught(client.send(mail))) as InvalidRequestError;
    expect(error).toBeInstanceOf(InvalidRequestError);
    expect(error).toBeInstanceOf(APIError);
    expect(error).toBeInstanceOf(E2AError);
    expect(error.errors).toEqual(errors);
    expect(error.problem.more).toBe(1);
    expect(error.message).toBe("to is required (req_2)");
  });

  test("says so when something else than e2a answers", async () => {
    const pages: [Answer, string, number][] = [
      [() => new Response("<h1>Bad gateway</h1>", { status: 502 }), "unexpected_answer", 502],
      [() => new Response("<h1>Welcome</h1>"), "unexpected_answer", 200],
      [() => Response.json(["no problem"], { status: 418 }), "unexpected_answer", 418],
      [() => Response.redirect("https://elsewhere.example/"), "redirected", 302],
    ];
    for (const [answer, code, status] of pages) {
      const { client } = script(answer);
      const error = await caught(client.agents.list({ retries: 0 }));
      expect(error).toMatchObject({ code, status });
      expect((error as Error).message).toContain("E2A_URL");
    }
  });

  test("ends when it takes too long, and when somebody ends it", async () => {
    const { client, seen } = script(() => new Promise(() => {}));
    expect(await caught(client.agents.list({ timeoutMs: 20, retries: 1 }))).toBeInstanceOf(E2ATimeoutError);
    expect(seen).toHaveLength(2);
    const stop = new AbortController();
    const waiting = caught(client.agents.get("a@b.example", { signal: stop.signal }));
    stop.abort(new Error("enough"));
    expect(await waiting).toMatchObject({ message: "enough" });
    expect(await caught(client.agents.get("a@b.example", { signal: AbortSignal.abort("never") }))).toBe("never");
    expect(seen.length).toBeLessThanOrEqual(3);
    const nobody = new E2AClient({ baseUrl: "http://127.0.0.1:1", apiKey: "k", retries: 0 });
    const error = (await caught(nobody.agents.list())) as Error;
    expect(error).toBeInstanceOf(E2AConnectionError);
    expect(error.message).toContain("http://127.0.0.1:1 cannot be reached");
  });

  test("sends the bytes of attachments", async () => {
    const { client, seen } = script(ok);
    const data = new Uint8Array([0, 255, 128]);
    const forms = [data, data.buffer, new Blob([data]), "AP+A"];
    await client.send({ ...mail, attachments: forms.map((one) => ({ filename: "f", data: one })) });
    const sent = JSON.parse(seen[0]?.body ?? "").attachments as { data: string }[];
    expect(sent.map((one) => one.data)).toEqual(["AP+A", "AP+A", "AP+A", "AP+A"]);
    const large = crypto.getRandomValues(new Uint8Array(50_000));
    await client.send({ ...mail, attachments: [{ filename: "f", data: large }] });
    expect(JSON.parse(seen[1]?.body ?? "").attachments[0].data).toBe(Buffer.from(large).toString("base64"));
  });
});

describe("what a program that calls may want to know or decide", () => {
  test("header fields of its own go along, of every call and of this one, but never another key", async () => {
    const { baseUrl, seen } = script(ok);
    const client = new E2AClient({
      baseUrl,
      apiKey: "e2a_key",
      headers: { "user-agent": "mine/1", Authorization: "x" },
    });
    await client.send(mail, { headers: { prefer: "respond-async" } });
    await client.messages.list({ agent: "a@b.example", headers: { "x-trace": "7" } });
    expect(seen.map(({ headers }) => headers.get("user-agent"))).toEqual(["mine/1", "mine/1"]);
    expect(seen.map(({ headers }) => headers.get("authorization"))).toEqual(["Bearer e2a_key", "Bearer e2a_key"]);
    expect([seen[0]?.headers.get("prefer"), seen[1]?.headers.get("x-trace")]).toEqual(["respond-async", "7"]);
    expect(seen[1]?.path).toBe("/api/v1/agents/a%40b.example/messages");
  });

  test("status and header fields of every answer, of refusals too", async () => {
    const replayed = { "retry-after": "0", "idempotency-replayed": "true" };
    const { client } = script(problem(503, "unavailable", replayed), ok);
    const answers: (string | number | null)[] = [];
    const onResponse = ({ status, headers }: Pick<Response, "status" | "headers">) =>
      void answers.push(status, headers.get("idempotency-replayed"));
    await client.send(mail, { onResponse });
    expect(answers).toEqual([503, "true", 200, null]);
  });

  test("whether and when a call is made again", async () => {
    const { client, seen } = script(problem(400, "a"), problem(401, "b"), problem(503, "c"), ok);
    const failures: [string, number][] = [];
    const policy = (error: unknown, attempt: number) => {
      failures.push([(error as APIError).code, attempt]);
      return attempt < 2 ? 0 : null;
    };
    expect(await caught(client.send(mail, { retries: policy }))).toMatchObject({ code: "c" });
    expect(failures).toEqual([
      ["a", 0],
      ["b", 1],
      ["c", 2],
    ]);
    expect(new Set(seen.map(({ headers }) => headers.get("idempotency-key"))).size).toBe(1);
  });

  test("how far a large body is, for each attempt", async () => {
    const { client, seen } = script(problem(503, "unavailable", soon), ok);
    const told: [number, number][] = [];
    const large = { ...mail, body: "x".repeat(300_000) };
    await client.send(large, { onUpload: (sent, total) => told.push([sent, total]) });
    const total = JSON.stringify(large).length;
    expect(seen.map(({ body }) => JSON.parse(body))).toEqual([large, large]);
    expect(seen.map(({ headers }) => headers.get("content-length"))).toEqual([`${total}`, `${total}`]);
    const begins = told.flatMap(([sent], i) => (sent === 0 ? [i] : []));
    expect(begins).toHaveLength(2);
    for (const part of [told.slice(0, begins[1]), told.slice(begins[1])]) {
      expect(part.length).toBeGreaterThan(4);
      expect(part).toEqual(part.toSorted(([a], [b]) => a - b));
      expect(part.at(-1)).toEqual([total, total]);
    }
  });

  test("a large body on a slow line gets more time than timeoutMs", async () => {
    const { client } = script(async () => {
      await Bun.sleep(100);
      return Response.json({ message_id: "msg_1" });
    });
    const large = { ...mail, body: "x".repeat(100_000) };
    expect(await client.send(large, { timeoutMs: 20, retries: 0 })).toMatchObject({ message_id: "msg_1" });
    expect(await caught(client.send(mail, { timeoutMs: 20, retries: 0 }))).toBeInstanceOf(E2ATimeoutError);
  });

  test("which server it was, and where it redirects to", async () => {
    const { client, baseUrl } = script(() => Response.redirect("https://elsewhere.example/"));
    const error = await caught(client.agents.list());
    expect(error).toMatchObject({ origin: baseUrl, problem: { location: "https://elsewhere.example/" } });
    const nobody = new E2AClient({ baseUrl: "http://127.0.0.1:1", apiKey: "k", retries: 0 });
    expect(await caught(nobody.agents.list())).toMatchObject({ origin: "http://127.0.0.1:1" });
  });

  test("what a proxy says by a problem document of its own (RFC 9457)", async () => {
    const { client } = script(() => Response.json({ detail: "Too many of you." }, { status: 400 }));
    expect(await caught(client.agents.list())).toMatchObject({ code: "unknown", message: "Too many of you." });
  });
});

describe("a list", () => {
  const pages: Answer = ({ path }) => {
    const token = new URL(path, "http://x").searchParams.get("token");
    const at = token === null ? 0 : Number(token);
    return Response.json({
      agents: [{ email: `${at}` }, { email: `${at + 1}` }],
      ...(at < 4 ? { next_token: `${at + 2}` } : {}),
    });
  };

  test("is read as far as it is looked at", async () => {
    const { client, seen } = script(pages);
    const list = client.agents.list({ page_size: 2 });
    expect(seen).toHaveLength(0);
    expect(await list).toEqual({ agents: [{ email: "0" }, { email: "1" }], next_token: "2" } as never);
    for await (const agent of list) if (agent.email === "2") break;
    expect(seen.map(({ path }) => path)).toEqual(["/api/v1/agents?page_size=2", "/api/v1/agents?page_size=2&token=2"]);
    expect((await client.agents.list().all()).map(({ email }) => email)).toEqual(["0", "1", "2", "3", "4", "5"]);
    expect(await client.agents.list().all(3)).toHaveLength(3);
    let count = 0;
    for await (const page of client.agents.list().pages()) count += page.agents.length;
    expect(count).toBe(6);
    expect(await client.agents.list({ token: "4" }).all()).toEqual([{ email: "4" }, { email: "5" }] as never);
    await client.events.list({ after: "evt_1", token: "4" });
    expect(seen.at(-1)?.path).toBe("/api/v1/events?token=4");
  });
});

describe("a client", () => {
  test("says what it lacks, and takes the server's address in any of its forms", async () => {
    for (const wrong of ["ftp://x", "mail.example.com", ""])
      expect(() => new E2AClient({ apiKey: "k", baseUrl: wrong })).toThrow("baseUrl (E2A_URL)");
    const { baseUrl, seen } = script(ok);
    for (const form of [baseUrl, `${baseUrl}/`, `${baseUrl}/api/v1`, `${baseUrl}/mail/`])
      await new E2AClient({ apiKey: "k", baseUrl: form }).info();
    expect(seen.map(({ path }) => path)).toEqual([
      ...["/api/v1/info", "/api/v1/info", "/api/v1/info", "/mail/api/v1/info"],
    ]);
    const client = new E2AClient({ apiKey: "k", baseUrl });
    expect(() => client.listen()).toThrow("E2A_AGENT_EMAIL");
    expect(await caught(client.messages.get("msg_1"))).toMatchObject({
      message: expect.stringContaining("E2A_AGENT_EMAIL"),
    });
    const own = new E2AClient({ apiKey: "k", baseUrl, agentEmail: "me@b.example" });
    await own.send({ to: "c@d.example", subject: "s", body: "b" });
    expect(JSON.parse(seen.at(-1)?.body ?? "").from).toBe("me@b.example");
  });
});
