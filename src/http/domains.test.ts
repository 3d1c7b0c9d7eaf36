import { expect, test } from "bun:test";
import { startTestApp, type TestApp } from "../testing/app.ts";

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

  // No cache stands in the way of a record that was published a moment ago.
  it.dns.zone = { "d.test": { TXT: ["other", txt?.value ?? ""] } };
  expect(await verify()).toMatchObject({ status: 200, body: { verified: true } });
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
    // Some DNS editors put white space into long values.
    [dkim_ed25519?.host ?? ""]: { TXT: [(dkim_ed25519?.value ?? "").replace("p=", "p= ").replace("; ", ";")] },
  };
  expect(await statuses()).toEqual(all("ok"));

  it.dns.zone = {
    "d.test": { MX: [{ exchange: "mx.other.test", priority: 5 }], TXT: ["e2a-verify=x", "v=spf1 -all"] },
    "_dmarc.d.test": { TXT: ["nothing of the kind"] },
    [dkim?.host ?? ""]: { TXT: [dkim_ed25519?.value ?? ""] },
    [dkim_ed25519?.host ?? ""]: "SERVFAIL",
  };
  expect(await checksOf(it, "d.test")).toEqual({
    mx: { status: "mismatch", found: ["mx.other.test"] },
    txt: { status: "mismatch", found: ["e2a-verify=x"] },
    spf: { status: "mismatch", found: ["v=spf1 -all"] },
    dmarc: { status: "missing" },
    dkim: { status: "mismatch", found: [dkim_ed25519?.value ?? ""] },
    dkim_ed25519: { status: "missing", error: "DNS did not answer (ESERVFAIL)." },
  } as never);
});
