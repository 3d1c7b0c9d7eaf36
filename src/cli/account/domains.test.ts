import { afterEach, beforeEach, expect, test } from "bun:test";
import { domain } from "../testing/samples.ts";
import { WireServer } from "../testing/server.ts";
import { Shell } from "../testing/shell.ts";

let shell: Shell;
let server: WireServer;
beforeEach(async () => {
  shell = await Shell.open();
  server = new WireServer();
});
afterEach(async () => {
  await server.close();
  await shell.close();
});

test("register prints every record whole, however narrow the terminal", async () => {
  const { code, out } = await shell.run(["domains", "register", "example.com"], {
    env: server.env,
    terminal: true,
    columns: 40,
  });
  expect(code).toBe(0);
  expect(out).toMatch(/mx +- +MX +example.com +10 mx.e2a.localhost\n/);
  expect(out).toContain(`_e2a.example.com           e2a-verify=${"0".repeat(32)}\n`);
  expect(out).toContain(`v=DKIM1; k=rsa; p=${"A".repeat(392)}\n`);
  expect(out).toContain("e2a domains verify example.com");
});

test("verify shows what was found instead and ends with 1", async () => {
  server.domains = [domain("example.com")];
  const { code, out, err } = await shell.run(["domains", "verify", "example.com"], { env: server.env, terminal: true });
  expect(code).toBe(1);
  expect(out).toContain("✗ example.com is not verified yet.");
  expect(out).toMatch(/txt +mismatch +TXT/);
  expect(out).toMatch(/mx +missing +MX/);
  expect(out).toContain("txt has instead: v=spf1 -all");
  expect(err).toBe("error: The TXT record was not found.\nfix: Publish it.\n");
});

test("a pipe gets the domain with the checks", async () => {
  server.domains = [domain("example.com")];
  const { code, out } = await shell.run(["domains", "verify", "example.com"], { env: server.env });
  expect(code).toBe(1);
  expect(JSON.parse(out)).toMatchObject({ domain: "example.com", checks: [{ record: "txt" }, { record: "mx" }] });
});

test("a verified one ends with 0", async () => {
  server.domains = [domain("example.com", { verified: true, checks: [{ record: "txt", status: "ok" }] })];
  const { code, out } = await shell.run(["domains", "verify", "example.com"], { env: server.env, terminal: true });
  expect(code).toBe(0);
  expect(out).toContain("✓ example.com is verified.");
  expect(out).toMatch(/txt +ok/);
});

test("verified says what it proves, and which records are still to come", async () => {
  const advice = "Mail for example.com goes to mx.provider.test today.";
  const checks = [
    { record: "txt", status: "ok" as const },
    { record: "mx", status: "mismatch" as const, found: ["mx.provider.test"], advice },
    { record: "dkim\x1b]0;title\x07", status: "missing" as const },
  ];
  server.domains = [domain("example.com", { verified: true, checks })];
  const { code, out } = await shell.run(["domains", "verify", "example.com"], { env: server.env, terminal: true });
  expect(code).toBe(0);
  expect(out).toContain("is verified. That proves it is yours; 2 of 3 records are not right yet: mx, dkim.");
  expect(out).toContain(`mx has instead: mx.provider.test\nmx: ${advice}\n`);
});

test("a record that others use is shown merged, from the beginning", async () => {
  const dns_records = { spf: { host: "example.com", value: "v=spf1 mx ~all" } };
  const merged = "v=spf1 mx include:_spf.provider.test -all";
  const checks = [
    { record: "spf", status: "mismatch" as const, found: ["v=spf1 include:_spf.provider.test -all"], merged },
  ];
  server.domains = [domain("example.com", { dns_records, checks })];
  const { out } = await shell.run(["domains", "register", "example.com"], { env: server.env, terminal: true });
  expect(out).toContain(`example.com  ${merged}\n`);
  expect(out).not.toContain("v=spf1 mx ~all");
});

test("list and delete", async () => {
  server.domains = [domain("example.com"), domain("example.org", { verified: true })];
  const { out } = await shell.run(["domains", "list"], { env: server.env, terminal: true });
  expect(out).toMatch(/example.com +not proven +now\nexample.org +proven +now/);
  expect((await shell.run(["domains", "delete", "example.com", "-y"], { env: server.env })).code).toBe(0);
  expect(server.requests.at(-1)).toMatchObject({ method: "DELETE", path: "/domains/example.com" });
});
