import { expect, test } from "bun:test";
import { connect } from "node:net";
import { startTestApp } from "../../../test/support/app.ts";
import { Base64Bytes, streamOf } from "../../util/pieces.ts";
import { jsonAnswer } from "./large-answer.ts";

test("a large answer is made as it is read, and gives its memory back when the reader goes", async () => {
  let turns = 0;
  let ended = 0;
  const exchange = {
    isInner: false,
    method: "GET",
    inPieces(pieces: Iterator<Uint8Array>) {
      return streamOf(
        pieces,
        async () => {
          turns++;
        },
        () => ended++,
      );
    },
  };
  const value = { raw: new Base64Bytes(new Uint8Array(5_000_000)) };
  const reader = jsonAnswer(exchange, value).body?.getReader();
  for (let i = 0; i < 3; i++) expect((await reader?.read())?.value?.byteLength).toBeLessThan(200_000);
  // One piece per turn, and none ahead of the reader.
  expect([turns, ended]).toEqual([3, 0]);
  await reader?.cancel();
  expect([turns, ended]).toEqual([3, 1]);

  expect(await jsonAnswer(exchange, { text: "x" }).json()).toEqual({ text: "x" });
  const whole = jsonAnswer(exchange, value);
  expect(JSON.parse(await whole.text())).toEqual({ raw: value.raw.toJSON() });
  expect(ended).toBe(2);
});

test("large answers that are not read are bounded by their memory, small ones are not, and closing one makes room", async () => {
  await using it = await startTestApp({
    set: { "http.max_bytes_in_hand": "16MiB", "limits.api_requests_per_minute": 10_000 },
  });
  const agent = `bot@${it.app.config.sharedDomain}`;
  await it.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
  const content = Buffer.alloc(6_000_000, "e2a attachment ");
  const attachments = [{ filename: "a.bin", data: content.toString("base64") }];
  for (const more of [{ attachments }, {}])
    expect((await it.api("POST", "/api/v1/send", { to: [agent], subject: "s", body: "b", ...more })).status).toBe(200);
  const { messages } = (await it.api("GET", `/api/v1/agents/${agent}/messages`)).body;
  const [large, small] = messages.map(
    ({ message_id: id }: { message_id: string }) => `/api/v1/agents/${agent}/messages/${id}`,
  ) as [string, string];
  const headers = { authorization: `Bearer ${it.key}` };
  const get = (path: string, method = "GET") => fetch(`${it.app.httpUrl}${path}`, { method, headers });

  const raw = Buffer.from(await (await get(`${large}/raw`)).arrayBuffer());
  expect(raw.length).toBeGreaterThan(8_000_000);
  const detail = (await (await get(`${large}?peek=true`)).json()) as { raw_message: string; subject: string };
  expect([detail.subject, Buffer.from(detail.raw_message, "base64").equals(raw)]).toEqual(["s", true]);
  expect(Buffer.from(await (await get(`${large}/attachments/0`)).arrayBuffer()).equals(content)).toBe(true);

  const { hostname, port } = new URL(it.app.httpUrl);
  const reader = connect(Number(port), hostname);
  reader.write(`GET ${large}/raw HTTP/1.1\r\nHost: e2a\r\nAuthorization: Bearer ${it.key}\r\n\r\n`);
  await new Promise((resolve) => reader.once("data", resolve));
  reader.pause();
  const refused = await get(`${large}/raw`);
  expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([503, "overloaded"]);
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
  for (const path of [small, `${small}/raw`]) {
    const answer = await get(path);
    expect(answer.status).toBe(200);
    await answer.arrayBuffer();
  }
  reader.destroy();
  for (;;) {
    const answer = await get(`${large}/raw`, "HEAD");
    if (answer.status === 200) break;
  }
  // HEAD built no body, and left no memory reserved.
  const again = await get(`${large}/raw`);
  expect([again.status, Buffer.from(await again.arrayBuffer()).equals(raw)]).toEqual([200, true]);
}, 60_000);

test("large pages count as well", async () => {
  await using it = await startTestApp({ set: { "http.max_bytes_in_hand": "16MiB" } });
  const bot = `bot@${it.app.config.sharedDomain}`;
  await it.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
  const picture = Buffer.alloc(500_000, "e2a picture ").toString("base64");
  const sent = await it.api("POST", "/api/v1/send", {
    ...{ to: [bot], subject: "s", body: "b", html_body: `<p>words${'<img src="cid:a">'.repeat(14)}</p>` },
    attachments: [{ filename: "a.png", content_type: "image/png", content_id: "a", data: picture }],
  });
  const [{ message_id: id }] = (await it.api("GET", `/api/v1/agents/${bot}/messages`)).body.messages;
  const { hostname, port } = new URL(it.app.httpUrl);
  const pages = [`/api/v1/agents/${bot}/messages/${id}/html`, `/api/v1/messages/${sent.body.message_id}/html`];
  for (const path of [...pages, ...pages]) {
    const reader = connect(Number(port), hostname);
    reader.write(`GET ${path} HTTP/1.1\r\nHost: e2a\r\nAuthorization: Bearer ${it.key}\r\n\r\n`);
    await new Promise((resolve) => reader.once("data", resolve));
    reader.pause();
    const refused = await it.api("GET", path);
    expect([path, refused.status, refused.body.code]).toEqual([path, 503, "overloaded"]);
    reader.destroy();
    for (;;) {
      const answer = await fetch(`${it.app.httpUrl}${path}`, { headers: { authorization: `Bearer ${it.key}` } });
      if (answer.status === 503) continue;
      expect(await answer.text()).toContain("words<img");
      break;
    }
  }
}, 60_000);
