import { afterEach, beforeEach, expect, test } from "bun:test";
import type { Domain } from "../../../sdks/typescript/src/index.ts";
import { domain } from "../testing/answers.ts";
import { Shell } from "../testing/shell.ts";
import { startWorld, type World } from "../testing/world.ts";

let shell: Shell;
let world: World;
beforeEach(async () => {
  shell = await Shell.open();
  world = await startWorld();
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
  await shell.close();
});

test("register prints every record whole, however narrow the terminal", async () => {
  const { code, out } = await shell.run(["domains", "register", "example.com"], {
    env: world.env,
    terminal: true,
    columns: 40,
  });
  expect(code).toBe(0);
  const { dns_records: records } = await world.api("GET", "/domains/example.com");
  expect(out).toMatch(new RegExp(`mx +\\S+ +MX +${records.mx.name} +${records.mx.priority} ${records.mx.value}\\n`));
  for (const { name, value } of [records.txt, records.spf, records.dmarc, [records.dkim].flat()[0]])
    expect(out).toMatch(new RegExp(`${RegExp.escape(name)} +${RegExp.escape(value)}\\n`));
  expect(out).toMatch(/ v=DKIM1; k=rsa; p=[A-Za-z0-9+/=]{300,}\n/);
  expect(out).toContain("e2a domains verify example.com");
});

/**
 * The server knows the domain in this state, and a verify answers with it or, if `checks` are given, with a refusal.
 */
function known(domain: Domain, checks?: Domain["checks"]): void {
  world.shows(`/domains/${domain.domain}`, domain);
  const shown = world.proxy.instead;
  world.proxy.instead = (request) => {
    if (!request.path.endsWith("/verify")) return shown(request);
    if (!checks) return Response.json(domain);
    const refusal = { detail: "The TXT record was not found.", code: "domain_not_verified", fix: "Publish it." };
    return Response.json({ ...refusal, checks }, { status: 412 });
  };
}

const missing: Domain["checks"] = [
  { record: "txt", status: "mismatch", found: ["v=spf1 -all"] },
  { record: "mx", status: "missing" },
];

test("verify shows what was found instead and ends with 1", async () => {
  known(domain("example.com"), missing);
  const { code, out, err } = await shell.run(["domains", "verify", "example.com"], { env: world.env, terminal: true });
  expect(code).toBe(1);
  expect(out).toContain("✗ example.com is not verified yet.");
  expect(out).toMatch(/txt +mismatch +TXT/);
  expect(out).toMatch(/mx +missing +MX/);
  expect(out).toContain("txt has instead: v=spf1 -all");
  expect(err).toBe("error: The TXT record was not found.\nfix: Publish it.\n");
});

test("a pipe gets the domain with the checks", async () => {
  known(domain("example.com"), missing);
  const { code, out } = await shell.run(["domains", "verify", "example.com"], { env: world.env });
  expect(code).toBe(1);
  expect(JSON.parse(out)).toMatchObject({ domain: "example.com", checks: [{ record: "txt" }, { record: "mx" }] });
});

test("a verified one ends with 0", async () => {
  known(domain("example.com", { verified: true, checks: [{ record: "txt", status: "ok" }] }));
  const { code, out } = await shell.run(["domains", "verify", "example.com"], { env: world.env, terminal: true });
  expect(code).toBe(0);
  expect(out).toContain("✓ example.com is verified.");
  expect(out).toMatch(/txt +ok/);
});

test("verified says what it proves, and which records are still to come", async () => {
  const advice = "Mail for example.com goes to mx.provider.test today.";
  const checks: Domain["checks"] = [
    { record: "txt", status: "ok" },
    { record: "mx", status: "mismatch", found: ["mx.provider.test"], advice },
    { record: "dkim", status: "missing", advice: "No\x1b]0;title\x07 key." },
  ];
  known(domain("example.com", { verified: true, checks }));
  const { code, out } = await shell.run(["domains", "verify", "example.com"], { env: world.env, terminal: true });
  expect(code).toBe(0);
  expect(out).toContain("is verified. That proves it is yours; 2 of 3 records are not right yet: mx, dkim.");
  expect(out).toContain(`mx has instead: mx.provider.test\nmx: ${advice}\ndkim: No key.\n`);
});

test("a record that others use is shown merged, from the beginning", async () => {
  const merged = "v=spf1 mx include:_spf.provider.test -all";
  const checks: Domain["checks"] = [
    { record: "spf", status: "mismatch", found: ["v=spf1 include:_spf.provider.test -all"], merged },
  ];
  known(domain("example.com", { checks }));
  const { out } = await shell.run(["domains", "register", "example.com"], { env: world.env, terminal: true });
  expect(out).toMatch(new RegExp(`example.com +${RegExp.escape(merged)}\\n`));
  expect(out).not.toContain("v=spf1 mx ~all");
});

test("list and delete", async () => {
  for (const name of ["example.org", "example.com"]) await world.api("POST", "/domains", { domain: name });
  const { dns_records: records, verification_token: token } = await world.api("GET", "/domains/example.org");
  world.app.dns.zone = { [records.txt.name]: { TXT: [token] } };
  await world.api("POST", "/domains/example.org/verify");
  const { out } = await shell.run(["domains", "list"], { env: world.env, terminal: true });
  expect(out).toMatch(/example.com +not proven +now\nexample.org +proven +now/);
  expect((await shell.run(["domains", "delete", "example.com", "-y"], { env: world.env })).code).toBe(0);
  expect((await world.api("GET", "/domains")).domains).toMatchObject([{ domain: "example.org" }]);
});
