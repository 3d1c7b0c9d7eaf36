/** Every forged identity against every kind of victim, through SMTP, DNS and the store of the real application. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { forge } from "../../test/attacks/forge.ts";
import { type Forgery, forgeries, forgeryZone, type VictimKind, victims } from "../../test/attacks/forgeries.ts";
import { startTestApp, type TestApp } from "../../test/support/app.ts";

const agent = `bot@${victims.shared}`;

let it: TestApp;
beforeAll(async () => {
  it = await startTestApp({
    zone: forgeryZone(),
    set: {
      shared_domain: victims.shared,
      "smtp.proxy_trusted": "127.0.0.1",
      "smtp.max_messages_per_minute_per_ip": 1_000_000,
      "smtp.max_connections_per_ip": 1_000,
      "limits.api_requests_per_minute": 1_000_000,
    },
  });
  await it.api("POST", "/api/v1/agents", { slug: "bot", agent_mode: "local" });
  await it.api("POST", "/api/v1/domains", { domain: victims.customer });
  const verified = await it.api("POST", `/api/v1/domains/${victims.customer}/verify`);
  expect(verified.status).toBe(200);
});
afterAll(() => it[Symbol.asyncDispose]());

const attack = (forgery: Forgery, kind: VictimKind, id: string) =>
  forge(forgery, kind, id, { smtpPort: it.app.smtp.port, to: agent });

/** The latest messages, newest first. */
async function newest(count: number) {
  const { body } = await it.api("GET", `/api/v1/agents/${agent}/messages?status=all&sort=desc&page_size=${count}`);
  return body.messages.slice(0, count) as { message_id: string; verified: boolean; verified_domain: string | null }[];
}

const kinds = Object.keys(victims) as VictimKind[];
const table = forgeries.map((forgery): [string, Forgery] => [forgery.name, forgery]);
let attacks = 0;

/** Tries a forgery against all its victims. Returns the replies, and what the inbox says about the accepted ones. */
async function tryAll(forgery: Forgery) {
  const before = (await newest(1))[0]?.message_id;
  const against = forgery.against ?? kinds;
  const codes = await Promise.all(against.map((kind) => attack(forgery, kind, `forgery-${++attacks}`)));
  const taken = codes.filter((code) => code === 250).length;
  const rows = taken === 0 ? [] : await newest(taken);
  expect(rows.map((row) => row.message_id)).not.toContain(before as string);
  return { refused: codes.filter((code) => code !== 250), rows, domains: against.map((kind) => victims[kind]) };
}

describe("is not believed:", () => {
  test.each(table.filter(([, { verified }]) => !verified))("%j", async (_name, forgery) => {
    const { refused, rows } = await tryAll(forgery);
    expect(rows.filter(({ verified, verified_domain }) => verified || verified_domain !== null)).toEqual([]);
    for (const code of refused) expect(code).toBeGreaterThanOrEqual(500);
  });
});

describe("is believed:", () => {
  test.each(table.filter(([, { verified }]) => verified))("%j", async (_name, forgery) => {
    const { refused, rows, domains } = await tryAll(forgery);
    expect(refused).toEqual([]);
    expect(rows.map((row) => row.verified && row.verified_domain).sort()).toEqual(domains.sort());
  });
});

test("a name that is not one has SPF none and is not shown as a name", async () => {
  const forgery = { name: "", mailFrom: "", helo: "{V}/@x.evil.test", verified: false };
  expect(await attack(forgery, "plain", "spf-none")).toBe(250);
  const id = (await newest(1))[0]?.message_id;
  const { body } = await it.api("GET", `/api/v1/agents/${agent}/messages/${id}?peek=true`);
  expect(body.authentication.spf).toEqual({ result: "none", domain: "" });
  expect(body.auth_headers["X-E2A-Auth-Domain-Check"]).toBe("spf=none; dkim=none");
  expect(Buffer.from(body.raw_message, "base64").toString()).toContain("Received: from unknown ([192.0.2.66])");
  expect(it.dns.queries.filter(({ name }) => /[^a-z0-9._*-]/.test(name))).toEqual([]);
});
