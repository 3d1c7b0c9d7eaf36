import { describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { request, startTestApp, type TestApp } from "../../../test/support/app.ts";
import { systemClock, TestClock } from "../../util/clock.ts";
import { BodyBudget, readBody, SMALL_BODY_BYTES_MAX } from "./body.ts";
import { JsonShape } from "./json-shape.ts";

/** The problem of a JSON text, given whole or in pieces of one length; null if it may be parsed. */
function problemOf(text: string, piece = text.length || 1): string | null {
  const shape = new JsonShape();
  const bytes = Buffer.from(text);
  try {
    for (let at = 0; at < bytes.length; at += piece) shape.push(bytes.subarray(at, at + piece));
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

describe("the shape of JSON", () => {
  const nested = (depth: number) => `${"[".repeat(depth)}${"]".repeat(depth)}`;
  test.each([
    ["nothing", "", null],
    ["32 levels", nested(32), null],
    ["33 levels", nested(33), "The body is nested deeper than 32 levels."],
    ["objects", '{"a":'.repeat(33), "The body is nested deeper than 32 levels."],
    ["levels one after the other", `[${"[],".repeat(5000)}0]`, null],
    ["brackets in strings", JSON.stringify(["[".repeat(100), "{".repeat(100)]), null],
    ["brackets behind escaped quotes", JSON.stringify('\\"[[['.repeat(100)), null],
    [
      "brackets behind a string that ends in a backslash",
      `["\\\\",${nested(32)}]`,
      "The body is nested deeper than 32 levels.",
    ],
    ["many values", `[${"0,".repeat(20_001)}0]`, "The body has more than 20000 values."],
    ["white space", " ".repeat(600_000), "The body has more than 524288 bytes outside of strings."],
    ["a long string", JSON.stringify("x".repeat(600_000)), null],
  ])("%s, in pieces of any length", (_name, text, problem) => {
    for (const piece of [1, 2, 3, 7, text.length || 1]) expect(problemOf(text, piece)).toBe(problem);
  });
});

describe("reading a body", () => {
  const sent = (chunks: Uint8Array[]) =>
    new Request("http://e2a.example/", {
      method: "POST",
      body: new ReadableStream({
        start(controller) {
          for (const chunk of chunks) controller.enqueue(chunk);
          controller.close();
        },
      }),
    });

  test("has a turn for each piece, and pieces are small however the body comes", async () => {
    for (const chunks of [[1_000_000], [1_000, 900_000, 99_000]].map((sizes) =>
      sizes.map((n) => Buffer.alloc(n, "x")),
    )) {
      const seen: string[] = [];
      const taken: number[] = [];
      const taker = {
        push(piece: Uint8Array) {
          seen.push("piece");
          taken.push(piece.length);
        },
      };
      const turn = async () => {
        seen.push("turn");
      };
      const length = await readBody(sent(chunks), taker, {
        ...{ bytesMax: 2_000_000, hold: null, clock: systemClock, turn },
      });
      expect([length, taken.reduce((a, b) => a + b)]).toEqual([1_000_000, 1_000_000]);
      expect(Math.max(...taken)).toBeLessThanOrEqual(64 * 1024);
      expect(seen.join(" ")).not.toContain("piece piece");
    }
  });

  test("ends with what its taker throws, and takes no more", async () => {
    let pieces = 0;
    const taker = {
      push() {
        if (++pieces === 3) throw new Error("enough");
      },
    };
    const options = { bytesMax: 2_000_000, hold: null, clock: systemClock, turn: async () => {} };
    await expect(readBody(sent([Buffer.alloc(1_000_000)]), taker, options)).rejects.toThrow("enough");
    expect(pieces).toBe(3);
  });
});

const message = (bytes: number) => ({
  to: ["bob@example.org"],
  subject: "x",
  body: "x",
  attachments: [{ filename: "a.bin", data: Buffer.alloc(bytes).toString("base64") }],
});

/** Starts an upload and stalls: the client sends the headers and `sent` bytes of the body, then nothing. */
async function halfUpload(
  app: TestApp,
  key: string,
  bytes: number,
  sent = bytes - 1,
): Promise<{ answer: Promise<string>; abandon(): Promise<void> }> {
  const { hostname, port } = new URL(app.app.httpUrl);
  const socket = connect(Number(port), hostname);
  socket.write(
    `POST /api/v1/send HTTP/1.1\r\nhost: e2a\r\nauthorization: Bearer ${key}\r\n` +
      `content-type: application/json\r\ncontent-length: ${bytes}\r\n\r\n{"attachments":[{"data":"${"x".repeat(sent - 25)}`,
  );
  await new Promise<void>((resolve) => socket.once("connect", () => resolve()));
  return {
    answer: new Promise((resolve) => {
      socket.once("data", (data) => resolve(data.toString())).once("close", () => resolve(""));
    }),
    abandon: () =>
      new Promise((resolve) => {
        socket.once("close", () => resolve());
        socket.destroy();
      }),
  };
}

test("what a body took comes back once, also when it outgrew the small ones and was released twice", () => {
  const budget = new BodyBudget(64 * 1024 * 1024);
  const caller = { id: "key", account: "account" };
  const hold = budget.open(caller);
  for (const bytes of [SMALL_BODY_BYTES_MAX, 2 * SMALL_BODY_BYTES_MAX]) hold.reserve(bytes);
  const other = budget.open(caller);
  other.reserve(1_000);
  const taken = budget.taken;
  expect(taken).toBeGreaterThan(2 * SMALL_BODY_BYTES_MAX);
  hold.release();
  const left = budget.taken;
  hold.release();
  expect(budget.taken).toBe(left);
  other.release();
  expect(budget.taken).toBe(0);
});

test("an account has three quarters, whatever number of keys, a key half, and others the rest", () => {
  const budget = new BodyBudget(64 * 1024 * 1024, 1);
  const all = 48 * 1024 * 1024;
  const hold = (id: string, account: string | null, part: number) => {
    const held = budget.open({ id, account });
    held.reserve(all * part);
    return held;
  };
  const [first] = [hold("key 1", "one", 0.5), hold("key 2", "one", 0.25)];
  for (const key of ["key 2", "key 3"]) expect(() => hold(key, "one", 0.1)).toThrow("your large requests");
  const others = [hold("key 4", "two", 0.1), hold("192.0.2.1", null, 0.1)];
  first?.release();
  hold("key 3", "one", 0.1);
  for (const one of others) one.release();
  expect(budget.taken).toBeCloseTo(all * 0.35);
});

test("small bodies have memory that large ones do not take", () => {
  const budget = new BodyBudget(8 * 1024 * 1024, 1);
  const hold = (id: string, bytes: number) => budget.open({ id, account: null }).reserve(bytes);
  hold("key 1", 3 * 1024 * 1024);
  hold("key 2", 3 * 1024 * 1024);
  expect(() => hold("key 3", SMALL_BODY_BYTES_MAX + 1)).toThrow("too many large requests");
  for (let i = 0; i < 8; i++) hold(`key ${i}`, SMALL_BODY_BYTES_MAX);
  expect(() => hold("key 9", 1)).toThrow("too many large requests");
});

describe("bodies in hand", () => {
  test("of one key have their share of the memory, others have theirs, and all of it comes back", async () => {
    await using app = await startTestApp({
      set: { "http.max_bytes_in_hand": "4MiB", "limits.api_requests_per_minute": "10000" },
    });
    await app.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
    const key = (await app.api("POST", "/api/v1/keys", { name: "other", scope: "account" })).body.key as string;
    const other = await app.newAccount();
    await request(`${app.app.httpUrl}/api/v1/agents`, other, "POST", { slug: "other", agent_mode: "local" });
    const send = (key: string, bytes: number) =>
      request(`${app.app.httpUrl}/api/v1/send`, key, "POST", message(bytes), { prefer: "respond-async" });
    const until = async (key: string, bytes: number, status: number) => {
      for (;;) {
        const answer = await send(key, bytes);
        if (answer.status === status) return answer;
      }
    };

    const upload = await halfUpload(app, app.key, 300_000);
    const refused = await until(app.key, 225_000, 503);
    expect(refused.body).toMatchObject({ code: "overloaded", status: 503 });
    expect(refused.body.fix).toContain("one after the other");
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    expect((await send(key, 225_000)).status).toBe(503);
    expect((await send(other, 225_000)).status).toBe(202);
    // Small messages have such memory too.
    expect((await send(app.key, 10_000)).status).toBe(202);
    // Requests without attachments have memory reserved for them.
    expect((await app.api("PATCH", "/api/v1/agents/bot@e2a.localhost", { name: "Bot" })).status).toBe(200);
    await upload.abandon();
    await until(app.key, 225_000, 202);

    // All memory is released, however a request ends.
    const post = (body: string) =>
      fetch(`${app.app.httpUrl}/api/v1/send`, {
        method: "POST",
        headers: { authorization: `Bearer ${app.key}`, "content-type": "application/json" },
        body,
      });
    for (let i = 0; i < 5; i++) {
      expect((await post("[".repeat(200_000))).status).toBe(400);
      expect((await post(`"${"x".repeat(200_000)}`)).status).toBe(400);
      expect((await post(JSON.stringify({ ...message(100_000), to: ["no address"] }))).status).toBe(400);
    }
    // More than the share of one key, but it is the only request.
    expect((await send(app.key, 600_000)).status).toBe(202);
  });

  test("count when they come, not when they are announced", async () => {
    await using app = await startTestApp({
      set: { "http.max_bytes_in_hand": "4MiB", "limits.api_requests_per_minute": "10000" },
    });
    await app.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
    const send = () =>
      request(`${app.app.httpUrl}/api/v1/send`, app.key, "POST", message(225_000), { prefer: "respond-async" });
    const uploads = await Promise.all([1, 2, 3].map(() => halfUpload(app, app.key, 300_000, 100)));
    for (let i = 0; i < 5; i++) expect((await send()).status).toBeLessThan(300);
    for (const upload of uploads) await upload.abandon();
  });

  test("that stall are given up within a minute, whatever size they announced, and give their memory back", async () => {
    const clock = new TestClock();
    await using app = await startTestApp({
      set: { "http.max_bytes_in_hand": "64MiB", "limits.api_requests_per_minute": "100000" },
      seams: { clock },
    });
    await app.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
    const send = () =>
      request(`${app.app.httpUrl}/api/v1/send`, app.key, "POST", message(1_000_000), { prefer: "respond-async" });
    let answer = "";
    const uploads: { abandon(): Promise<void> }[] = [];
    const stall = async () => {
      answer = "";
      const upload = await halfUpload(app, app.key, 20_000_000, 4_500_000);
      uploads.push(upload);
      void upload.answer.then((text) => {
        answer = text || "closed without a word";
      });
      // Its bytes arrive while the memory is free; otherwise the upload itself would be refused.
      for (let request = 0; request < 20; request++) await app.api("GET", "/api/health");
    };
    await stall();
    while ((await send()).status !== 503) if (answer !== "") await stall();
    for (let seconds = 0; seconds < 60 && answer === ""; seconds++) {
      clock.advance(1_000);
      if (seconds % 10 === 0) await send();
      else await app.api("GET", "/api/health");
    }
    expect(answer).toStartWith("HTTP/1.1 408 ");
    expect(answer).toContain('"code":"request_timeout"');
    expect((await send()).status).toBeLessThan(300);
    // Open connections would keep the server from closing.
    for (const upload of uploads) void upload.abandon();
  });

  test("are small where no attachments are, and the answer names the limit", async () => {
    await using app = await startTestApp();
    const large = { slug: "bot", name: "x".repeat(300_000) };
    const refused = await app.api("POST", "/api/v1/agents", large);
    expect([refused.status, refused.body.code]).toEqual([413, "too_large"]);
    expect(refused.body.detail).toContain("262144 bytes");
    expect((await app.api("POST", "/api/v1/send", message(300_000))).body.code).not.toBe("too_large");
  });

  test("of nothing but brackets are refused at the first of them, and others do not wait meanwhile", async () => {
    await using app = await startTestApp();
    const brackets = "[".repeat(30_000_000);
    const answer = await fetch(`${app.app.httpUrl}/api/v1/send`, {
      method: "POST",
      headers: { authorization: `Bearer ${app.key}`, "content-type": "application/json" },
      body: brackets,
    }).then((response) => response.json() as Promise<{ detail: string }>);
    expect(answer).toMatchObject({ status: 400, code: "invalid_request" });
    expect(answer.detail).toContain("nested deeper than 32 levels");
    const models = await fetch(`${app.app.httpUrl}/mcp`, {
      method: "POST",
      headers: { authorization: `Bearer ${app.key}`, "content-type": "application/json" },
      body: brackets.slice(0, 1_000_000),
    });
    expect(models.status).toBe(400);
  });
});
