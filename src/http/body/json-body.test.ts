import { describe, expect, spyOn, test } from "bun:test";
import { request, startTestApp } from "../../../test/support/app.ts";
import { Base64Bytes } from "../../util/pieces.ts";
import { JsonBodyReader, parseJson } from "./json-body.ts";

/** The value read from a JSON text that comes in pieces of one length, with bytes as base64. */
function read(text: string | Uint8Array, piece: number): unknown {
  const reader = new JsonBodyReader();
  const bytes = Buffer.from(text as string);
  for (let at = 0; at < bytes.length; at += piece) reader.push(bytes.subarray(at, at + piece));
  return JSON.parse(JSON.stringify(reader.end()));
}

/** The sentence that refuses a text; null if it is accepted. */
function problemOf(text: string | Uint8Array, piece: number): string | null {
  try {
    read(text, piece);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

const pieces = [1, 2, 3, 7, 4_096, 1_000_000];
const file = (bytes: number) => Buffer.alloc(bytes, "e2a attachment ").toString("base64");

describe("a body that is taken apart", () => {
  test.each<[string, unknown]>([
    ["nothing long", { to: ["a@b.example"], subject: "s", body: "b", attachments: [{ filename: "a", data: "YQ==" }] }],
    ["a long file", { attachments: [{ filename: "a", data: file(10_000) }] }],
    ["files one behind the other", { attachments: [10_000, 3, 9_999, 10_001].map((bytes) => ({ data: file(bytes) })) }],
    ["long texts", { body: "wörd 😀 ".repeat(2_000), html_body: '<p class="\\">\n</p>\t'.repeat(1_000) }],
    [
      "long texts behind short ones",
      { a: "", b: [], body: "x".repeat(5_000), c: "\\", d: { body: "y".repeat(5_000) } },
    ],
    ["empty texts", { body: "", data: "", attachments: [""] }],
  ])("is the same value as the whole: %s", (_name, value) => {
    const text = JSON.stringify(value);
    for (const piece of pieces) expect(read(text, piece)).toEqual(JSON.parse(text));
  });

  test("undoes escapes wherever they are cut, in names as well", () => {
    const escaped = (text: string) =>
      [...text].map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`).join("");
    const lines = `${file(6_000).replace(/(.{76})/g, "$1\\r\\n")}`;
    const body = String.raw`\ud83d\ude00\\\"`.repeat(1_000);
    const text = `{"b\\u006fdy":"${body}","data":"${escaped(file(3_000))}","x":{"${escaped("data")}":"${lines}"}}`;
    const whole = JSON.parse(text) as { body: string; data: string; x: { data: string } };
    whole.x.data = whole.x.data.replace(/\s/g, "");
    for (const piece of pieces) expect(read(text, piece)).toEqual(whole);
  });

  test("keeps texts of some kilobytes that no member may have longer, and the beginning of longer ones", () => {
    const subject = String.raw`\u6f22`.repeat(900);
    const long = "x".repeat(20_000);
    const text = `{"a":"b","subject":"${subject}","headers":{"x-a":"${subject}\\\\"},"long":"${long}"}`;
    for (const piece of pieces) {
      const whole = JSON.parse(text) as { long: string };
      const given = read(text, piece) as { long: string };
      expect(given).toEqual({ ...whole, long: given.long });
      expect(given.long).toMatch(/^x{10000,}$/);
    }
  });

  test.each([[String.raw`\u12`], ["\t"], [String.raw`\x`]])("refuses %j in a text of some kilobytes", (end) => {
    const text = `{"subject":"${String.raw`\u6f22`.repeat(900)}${end}"}`;
    for (const piece of pieces) expect(problemOf(text, piece)).toContain("not JSON");
  });

  test("keeps no text of the client's for one that was taken out", () => {
    const body = "x".repeat(5_000);
    expect(read(JSON.stringify({ body, to: ["0", "1:0", ":0"], "0": "x" }), 100)).toMatchObject({
      to: ["0", "1:0", ":0"],
    });
  });

  test.each<[string, string | Uint8Array, RegExp]>([
    ["a text that does not end", `{"body":"${"x".repeat(5_000)}`, /not JSON \(Unterminated string\)/],
    ["an escape that is none", `{"body":"${"x".repeat(5_000)}\\q"}`, /not JSON/],
    ["half an escape", `{"body":"${"x".repeat(5_000)}\\u00"}`, /not JSON/],
    ["a raw line break in a text", `{"body":"${"x".repeat(5_000)}\n"}`, /not JSON/],
    ["a raw line break in base64", `{"data":"${file(5_000)}\n"}`, /not JSON/],
    ["a text that is not UTF-8", Buffer.from(`{"body":"${"x".repeat(5_000)}\xff"}`, "latin1"), /not UTF-8/],
    ["a text that ends in half a character", Buffer.from(`{"body":"${"x".repeat(5_000)}\xc3"}`, "latin1"), /not UTF-8/],
    ["a member given twice", `{"body":"${"x".repeat(5_000)}","body":"y"}`, /body is given twice/],
    [
      "many texts below the limit of each",
      `{"to":["${Array(1_000).fill("x".repeat(4_000)).join('","')}"]}`,
      /beside its texts/,
    ],
  ])("is refused for %s", (_name, text, problem) => {
    for (const piece of [5, 4_096, 10_000_000]) expect(problemOf(text, piece)).toMatch(problem);
  });

  test("leaves little to parse, however large the files and texts are", () => {
    const parse = spyOn(JSON, "parse");
    try {
      const reader = new JsonBodyReader();
      const text = Buffer.from(
        JSON.stringify({ subject: "s", body: "x".repeat(3_000_000), attachments: [{ data: file(6_000_000) }] }),
      );
      for (let at = 0; at < text.length; at += 65_536) reader.push(text.subarray(at, at + 65_536));
      const value = reader.end() as { attachments: { data: Base64Bytes }[] };
      expect(value.attachments[0]?.data).toBeInstanceOf(Base64Bytes);
      expect(Math.max(...parse.mock.calls.map(([given]) => given.length))).toBeLessThan(70_000);
      expect(parse.mock.calls.at(-1)?.[0].length).toBeLessThan(300);
    } finally {
      parse.mockRestore();
    }
  });
});

test.each(["body", "html_body"])(
  "%s of more than 4 MiB is refused, in so many bytes and as soon as it is there",
  async (field) => {
    const text = Buffer.from(`{"${field}":"${"x".repeat(5 * 1024 * 1024)}`);
    const reader = new JsonBodyReader();
    let read = 0;
    expect(() => {
      for (; read < text.length; read += 65_536) reader.push(text.subarray(read, read + 65_536));
    }).toThrow(`${field} has more than 4194304 bytes: send it as an attachment`);
    expect(read).toBeLessThan(4.2 * 1024 * 1024);

    await using app = await startTestApp();
    await app.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
    const mail = { to: ["bob@example.org"], subject: "s", body: "b" };
    // Two bytes per character: too many bytes, though not too many characters.
    const { status, body } = await app.api("POST", "/api/v1/send", { ...mail, [field]: "é".repeat(2_100_000) });
    expect([status, body.errors]).toEqual([
      400,
      [{ field, message: "has more than 4194304 bytes: send it as an attachment" }],
    ]);
    const most = { ...mail, [field]: "x".repeat(4 * 1024 * 1024) };
    expect((await app.api("POST", "/api/v1/send", most, { prefer: "respond-async" })).status).toBe(202);
  },
);

test("long members that may not be long are refused as ever, whatever they hold", async () => {
  await using app = await startTestApp();
  await app.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
  const mail = { to: ["bob@example.org"], subject: "s", body: "b" };
  const long = "😀".repeat(60_000);
  for (const [field, given] of Object.entries<Record<string, unknown>>({
    subject: { subject: long },
    to: { to: long },
    "cc.0": { cc: [long] },
    from: { from: long },
    reply_to: { reply_to: long },
    reply_to_message_id: { reply_to_message_id: long },
    conversation_id: { conversation_id: long },
    "references.0": { references: [long] },
    "headers.X-A": { headers: { "X-A": long } },
    "attachments.0.filename": { attachments: [{ filename: long, data: "" }] },
    "attachments.0.content_type": { attachments: [{ filename: "a", data: "", content_type: long }] },
    "attachments.0.content_id": { attachments: [{ filename: "a", data: "", content_id: long }] },
    "attachments.0.data": { attachments: [{ filename: "a", data: `${file(9_000)}*` }] },
  })) {
    const { status, body } = await app.api("POST", "/api/v1/send", { ...mail, ...given });
    expect([field, status, body.errors?.map((error: { field: string }) => error.field)]).toEqual([field, 400, [field]]);
  }
  const unknown = await app.api("POST", "/api/v1/send", { ...mail, [long]: 1, data: file(9_000) });
  expect([unknown.status, unknown.body.errors.length]).toEqual([400, 2]);
});

test("what a reviewer writes in place of the agent's words leaves whole, however long it is", async () => {
  await using app = await startTestApp();
  const { body: agent } = await app.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
  await app.api("PUT", `/api/v1/agents/${agent.email}`, { hitl_enabled: true, hitl_notify_email: false });
  const mail = { to: ["bob@example.org"], subject: "s", body: "b", html_body: "<p>b</p>" };
  const held = await app.api("POST", "/api/v1/send", mail);
  const path = `/api/v1/messages/${held.body.message_id}`;
  const words = { body_text: "Good day. ".repeat(4_000).trim(), body_html: `<p>${"Good day. ".repeat(4_000)}</p>` };
  const approved = await app.api("POST", `${path}/approve`, words);
  expect([held.status, approved.status]).toEqual([202, 200]);
  expect((await app.api("GET", path)).body).toMatchObject(words);
});

test("a large file arrives as it was, and its request is known again", async () => {
  await using app = await startTestApp();
  await app.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
  const agent = `bot@${app.app.config.sharedDomain}`;
  const content = Buffer.alloc(300_001, "e2a attachment ");
  const mail = {
    to: [agent],
    subject: "s",
    body: "b",
    attachments: [{ filename: "a.bin", data: content.toString("base64") }],
  };
  const send = () => request(`${app.app.httpUrl}/api/v1/send`, app.key, "POST", mail, { "idempotency-key": "one" });
  const [first, again] = [await send(), await send()];
  expect([first.status, again.body.message_id]).toEqual([200, first.body.message_id]);
  const other = await request(
    `${app.app.httpUrl}/api/v1/send`,
    app.key,
    "POST",
    { ...mail, attachments: [{ filename: "a.bin", data: content.fill("f", 300_000).toString("base64") }] },
    { "idempotency-key": "one" },
  );
  expect(other.body.code).toBe("idempotency_key_reused");
  const [message] = (await app.api("GET", `/api/v1/agents/${agent}/messages`)).body.messages;
  const stored = await fetch(`${app.app.httpUrl}/api/v1/agents/${agent}/messages/${message.message_id}/attachments/0`, {
    headers: { authorization: `Bearer ${app.key}` },
  });
  content.fill("e2a attachment ");
  expect(Buffer.from(await stored.arrayBuffer()).equals(content)).toBe(true);
});

test("what is short is parsed as ever", () => {
  expect(parseJson(Buffer.from("\ufeff[1]"))).toEqual([1]);
});
