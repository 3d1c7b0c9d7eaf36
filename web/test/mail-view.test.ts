import { expect, test } from "bun:test";
import { deliver } from "../../test/smtp/smtp-client.ts";
import { request, startTestApp, type TestApp } from "../../test/support/app.ts";

/** Delivers a mail with HTML and an image; returns its path. */
async function received(it: TestApp, html: string): Promise<string> {
  await it.api("POST", "/api/v1/agents", { slug: "reader", agent_mode: "local" });
  const message = [
    "From: ann@example.com",
    "To: reader@e2a.localhost",
    "Subject: HTML",
    'Content-Type: multipart/related; boundary="b"',
    "",
    "--b",
    "Content-Type: text/html; charset=utf-8",
    "",
    html,
    "--b",
    "Content-Type: image/png",
    "Content-ID: <logo@x>",
    "Content-Transfer-Encoding: base64",
    "",
    "AAAA",
    "--b--",
    "",
  ].join("\r\n");
  await deliver(it.app.smtp.port, { from: "ann@example.com", to: "reader@e2a.localhost", message });
  const { body } = await it.api("GET", "/api/v1/agents/reader@e2a.localhost/messages");
  return `/api/v1/agents/reader@e2a.localhost/messages/${body.messages[0].message_id}`;
}

test("the HTML of a mail is a page that runs nothing, loads nothing, and has an origin of its own", async () => {
  await using it = await startTestApp();
  const path = await received(it, '<p onclick="x()">Hi <img src="cid:logo@x"><img src="https://e.example/p.png">');
  const { status, headers, body } = await it.api("GET", `${path}/html`);
  expect(status).toBe(200);
  expect(headers.get("content-type")).toBe("text/html; charset=utf-8");
  const policy = headers.get("content-security-policy")!.split("; ");
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("img-src data:");
  expect(policy.find((one) => one.startsWith("sandbox"))).not.toMatch(/scripts|same-origin|forms|top-navigation/);
  expect(policy.find((one) => one.startsWith("script-src"))).toBeUndefined();
  expect(headers.get("referrer-policy")).toBe("no-referrer");
  expect(body).toContain('<p>Hi <img src="data:image/png;base64,AAAA"><img data-e2a-blocked=""></p>');

  const asked = await it.api("GET", `${path}/html?images=true`);
  expect(asked.headers.get("content-security-policy")).toContain("img-src data: http: https:");
  expect(asked.body).toContain('<img src="https://e.example/p.png">');
});

test("it is for its owner, and there is none of a mail without HTML", async () => {
  await using it = await startTestApp();
  const path = await received(it, "<p>Hi");
  const stranger = await fetch(`${it.app.httpUrl}${path}/html`);
  expect(stranger.status).toBe(401);
  expect(stranger.headers.get("content-type")).toContain("problem+json");
  const other = await request(`${it.app.httpUrl}${path}/html`, await it.newAccount(), "GET");
  expect([other.status, other.body.code]).toEqual([404, "not_found"]);
  await it.api("POST", "/api/v1/agents/reader@e2a.localhost/test");
  const { body } = await it.api("GET", "/api/v1/agents/reader@e2a.localhost/messages?sort=desc");
  const [test] = body.messages;
  const missing = await it.api("GET", `/api/v1/agents/reader@e2a.localhost/messages/${test.message_id}/html`);
  expect(missing.status).toBe(404);
});

test("so is the HTML of sent mail", async () => {
  await using it = await startTestApp();
  await it.api("POST", "/api/v1/agents", { slug: "writer", agent_mode: "local" });
  const sent = await it.api("POST", "/api/v1/send", {
    to: ["bob@example.net"],
    subject: "Hi",
    body: "Hi",
    html_body: "<p>Hi<script>x()</script></p>",
  });
  const path = `/api/v1/messages/${sent.body.message_id}/html`;
  expect((await request(`${it.app.httpUrl}${path}`, await it.newAccount(), "GET")).status).toBe(404);
  const { headers, body } = await it.api("GET", path);
  expect(headers.get("content-security-policy")).toStartWith("sandbox ");
  expect(body).toContain("<body><p>Hi</p></body>");
});
