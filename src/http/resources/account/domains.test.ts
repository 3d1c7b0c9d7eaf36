import { expect, test } from "bun:test";
import { request, startTestApp, type TestApp } from "../../../../test/support/app.ts";
import type { Resolver } from "../../../net/dns.ts";
import { TestClock } from "../../../util/clock.ts";

const production = {
  env: "production",
  shared_domain: "agents.test",
  "http.public_url": "https://mail.test",
  "smtp.domain": "mx.test",
};

type Records = Record<string, { host: string; value: string }>;

async function register(it: TestApp, domain: string): Promise<Records> {
  return (await it.api("POST", "/api/v1/domains", { domain })).body.dns_records;
}

async function checksOf(it: TestApp, domain: string): Promise<Record<string, { status: string; found?: string[] }>> {
  const { body } = await it.api("GET", `/api/v1/domains/${domain}`);
  return Object.fromEntries(body.checks.map(({ record, ...check }: { record: string }) => [record, check]));
}

test("the TXT record proves a domain; until it is there, 412 says what is", async () => {
  await using it = await startTestApp({ set: production });
  const { txt } = await register(it, "d.test");
  const verify = () => it.api("POST", "/api/v1/domains/d.test/verify");

  const nothing = await verify();
  expect(nothing).toMatchObject({ status: 412, body: { code: "domain_not_verified", found: [], expected: txt } });
  expect(nothing.body.fix).toContain(txt?.value);

  it.dns.zone = { "d.test": { TXT: ["v=spf1 -all", "e2a-verify=00000000000000000000000000000000"] } };
  expect((await verify()).body.found).toEqual(["v=spf1 -all", "e2a-verify=00000000000000000000000000000000"]);

  it.dns.zone = { "d.test": "SERVFAIL" };
  const trouble = await verify();
  expect(trouble).toMatchObject({ status: 412, body: { detail: "DNS did not answer (ESERVFAIL)." } });

  // No cache hides a record that was just published.
  it.dns.zone = { "d.test": { TXT: ["other", txt?.value ?? ""] } };
  expect(await verify()).toMatchObject({ status: 200, body: { verified: true } });
});

test("a domain is the same with the dot of the root, in capitals and in its own script", async () => {
  await using it = await startTestApp({ set: production });
  for (const [written, domain] of [
    ["D.test.", "d.test"],
    ["bücher.test", "xn--bcher-kva.test"],
  ] as const) {
    const { status, body } = await it.api("POST", "/api/v1/domains", { domain: written });
    expect({ status, domain: body.domain }).toEqual({ status: 201, domain });
    expect((await it.api("GET", `/api/v1/domains/${encodeURIComponent(written)}`)).body.domain).toBe(domain);
  }
});

test("a key that ends while DNS is asked proves no domain", async () => {
  const clock = new TestClock();
  const asked = Promise.withResolvers<void>();
  const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
  let token = "";
  const resolver: Resolver = {
    async resolve() {
      asked.resolve();
      await answered;
      return [[token]] as never;
    },
  };
  await using it = await startTestApp({ set: production, seams: { clock, resolver } });
  token = (await register(it, "d.test")).txt?.value ?? "";
  const { id, key } = (await it.api("POST", "/api/v1/keys", { name: "stolen", scope: "account" })).body;
  const verified = request(`${it.app.httpUrl}/api/v1/domains/d.test/verify`, key, "POST");
  await asked.promise;
  await it.api("DELETE", `/api/v1/keys/${id}`);
  clock.advance(1_000);
  answer();
  expect((await verified).status).toBe(401);
  expect((await it.api("GET", "/api/v1/domains")).body.domains).toMatchObject([{ domain: "d.test", verified: false }]);
});

test("each record is looked up: there, missing, or something else", async () => {
  await using it = await startTestApp({ set: production });
  const records = await register(it, "d.test");
  const { mx, txt, dkim, dkim_ed25519 } = records as Required<Records>;
  const statuses = async () =>
    Object.fromEntries(Object.entries(await checksOf(it, "d.test")).map(([record, { status }]) => [record, status]));

  const all = (status: string) => ({
    ...{ mx: status, txt: status, spf: status, dmarc: status, dkim: status, dkim_ed25519: status },
  });
  expect(await statuses()).toEqual(all("missing"));

  it.dns.zone = {
    "d.test": {
      MX: [{ exchange: mx?.value ?? "", priority: 10 }],
      TXT: [txt?.value ?? "", "v=spf1 mx include:_spf.other.test ~all"],
    },
    "_dmarc.d.test": { TXT: ["v=DMARC1; p=reject; rua=mailto:dmarc@d.test"] },
    [dkim?.host ?? ""]: { TXT: [dkim?.value ?? ""] },
    // Some DNS editors insert white space into long values.
    [dkim_ed25519?.host ?? ""]: { TXT: [(dkim_ed25519?.value ?? "").replace("p=", "p= ").replace("; ", ";")] },
  };
  expect(await statuses()).toEqual(all("ok"));

  it.dns.zone = {
    "d.test": { MX: [{ exchange: "mx.other.test", priority: 5 }], TXT: ["e2a-verify=x", "v=spf1 -all"] },
    "_dmarc.d.test": { TXT: ["nothing of the kind"] },
    [dkim?.host ?? ""]: { TXT: [dkim_ed25519?.value ?? ""] },
    [dkim_ed25519?.host ?? ""]: "SERVFAIL",
  };
  expect(await checksOf(it, "d.test")).toMatchObject({
    mx: { status: "mismatch", found: ["mx.other.test"] },
    txt: { status: "mismatch", found: ["e2a-verify=x"] },
    spf: { status: "mismatch", found: ["v=spf1 -all"] },
    dmarc: { status: "missing" },
    dkim: { status: "mismatch", found: [dkim_ed25519?.value ?? ""] },
    dkim_ed25519: { status: "missing", error: "DNS did not answer (ESERVFAIL)." },
  } as never);
});

test("a domain whose mail goes elsewhere keeps it: agents get a domain that receives nothing yet", async () => {
  await using it = await startTestApp({ set: production });
  await register(it, "acme.test");
  it.dns.zone = {
    "acme.test": {
      MX: [
        { exchange: "mx1.provider.test", priority: 1 },
        { exchange: "mx2.provider.test", priority: 5 },
      ],
      TXT: ["v=spf1 include:_spf.provider.test ip4:192.0.2.0/24 -all"],
    },
    "_spf.provider.test": { TXT: ["v=spf1 ip4:198.51.100.0/24 a:out.provider.test -all"] },
    // This name is in use too.
    "agents.acme.test": { MX: [{ exchange: "mx1.provider.test", priority: 1 }] },
  };
  const { mx, spf } = (await checksOf(it, "acme.test")) as Record<string, Record<string, unknown>>;
  expect(mx).toMatchObject({ status: "mismatch", suggested_domain: "bots.acme.test" });
  expect(mx?.advice).toBe(
    "Mail for acme.test goes to mx1.provider.test, mx2.provider.test today, and would stop arriving there if this " +
      "record took its place. Leave it, and give agents a domain of their own: bots.acme.test.",
  );
  // Its other senders stay, unlisted senders are still refused, and this server is named in place of the provider's MX.
  expect(spf).toMatchObject({
    status: "mismatch",
    merged: "v=spf1 a:mx.test include:_spf.provider.test ip4:192.0.2.0/24 -all",
    lookups: 3,
  });
  expect(spf?.advice).toContain("may have only one (RFC 7208 3.2)");

  it.dns.zone["acme.test"] = { MX: [{ exchange: "mx1.provider.test", priority: 1 }], TXT: [String(spf?.merged)] };
  expect((await checksOf(it, "acme.test")).spf).toEqual({ status: "ok", lookups: 3 } as never);
  // Naming another provider's MX allows that provider to send.
  it.dns.zone["acme.test"] = { MX: [{ exchange: "mx1.provider.test", priority: 1 }], TXT: ["v=spf1 mx -all"] };
  expect((await checksOf(it, "acme.test")).spf).toMatchObject({ merged: "v=spf1 a:mx.test mx -all" });
  // A domain for agents gets another label than its own.
  await register(it, "agents.acme.test");
  expect((await checksOf(it, "agents.acme.test")).mx).toMatchObject({
    suggested_domain: "bots.agents.acme.test",
  } as never);
});

test("two SPF records become one, and one that needs too many look-ups says so", async () => {
  await using it = await startTestApp({ set: production });
  await register(it, "d.test");
  it.dns.zone = { "d.test": { TXT: ["v=spf1 mx include:a.test ~all", "v=spf1 include:b.test include:a.test -all"] } };
  const { spf } = (await checksOf(it, "d.test")) as Record<string, Record<string, unknown>>;
  expect(spf).toMatchObject({ status: "mismatch", merged: "v=spf1 mx include:a.test include:b.test ~all", lookups: 3 });
  expect(spf?.advice).toContain("has 2 SPF records");

  const many = Array.from({ length: 9 }, (_, n) => `include:s${n}.test`).join(" ");
  // The includes refer to themselves: following them must end.
  it.dns.zone = { "d.test": { TXT: [`v=spf1 ${many} ~all`] }, "s0.test": { TXT: ["v=spf1 include:s0.test ?all"] } };
  const crowded = ((await checksOf(it, "d.test")) as Record<string, Record<string, unknown>>).spf;
  expect(crowded).toMatchObject({ merged: `v=spf1 mx ${many} ~all`, lookups: 11 });
  expect(crowded?.advice).toContain("needs more than 10 DNS look-ups");

  // A record that is right already: ten look-ups are allowed.
  const checked = async (record: string) => {
    it.dns.zone = { "d.test": { TXT: [record] } };
    return ((await checksOf(it, "d.test")) as Record<string, Record<string, unknown>>).spf;
  };
  expect(await checked(`v=spf1 mx ${many} ~all`)).toEqual({ status: "ok", lookups: 10 });
  expect(await checked(`v=spf1 mx a ${many} ~all`)).toEqual({
    ...{ status: "ok", lookups: 11 },
    advice: expect.stringContaining("It needs more than 10 DNS look-ups"),
  });

  it.dns.zone = { "_dmarc.d.test": { TXT: ["v=DMARC1; p=none", "v=DMARC1; p=reject"] } };
  const { dmarc } = (await checksOf(it, "d.test")) as Record<string, Record<string, unknown>>;
  expect(dmarc).toMatchObject({ status: "mismatch", advice: expect.stringContaining("keep one") });
});
