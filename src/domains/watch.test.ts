import { expect, test } from "bun:test";
import { startTestApp, type TestApp } from "../../test/support/app.ts";
import type { Zone } from "../../test/support/dns-server.ts";
import { TestClock } from "../util/clock.ts";

const HOUR_MS = 3_600_000;
const domain = "agents.example.com";

/** A zone with the records that the API asks for, without DMARC: a record that was never there cannot be lost. */
async function zoneOf(t: TestApp): Promise<Zone> {
  const { dns_records: wanted } = (await t.api("GET", `/api/v1/domains/${domain}`)).body;
  const zone: Zone = { [domain]: { MX: [{ exchange: wanted.mx.value, priority: 10 }], TXT: [] } } as Zone;
  for (const record of ["txt", "spf", "dkim", "dkim_ed25519"]) {
    const { name, value } = wanted[record];
    const { TXT = [], ...others } = (zone[name] ?? {}) as { TXT?: string[] };
    zone[name] = { ...others, TXT: [...TXT, value] };
  }
  return zone;
}

/** A server with a proven domain, whose records are all in place, and whose clock stands still. */
async function provenDomain(t: TestApp, clock: TestClock) {
  await t.api("POST", "/api/v1/domains", { domain });
  const whole = await zoneOf(t);
  t.dns.zone = whole;
  await t.api("POST", `/api/v1/domains/${domain}/verify`);
  const told = async () =>
    (await t.api("GET", "/api/v1/events?types=domain.verified,domain.degraded")).body.events.map(
      ({ type, data }: { type: string; data: { problems?: unknown } }) => [type, data.problems],
    );
  const pass = async (ms: number) => {
    clock.advance(ms);
    await t.app.drain();
  };
  await pass(6 * HOUR_MS);
  expect(await told()).toEqual([["domain.verified", undefined]]);
  return { whole, told, pass };
}

test("a record of a proven domain that is gone twice in a row is told once, and so is its return", async () => {
  const clock = new TestClock();
  await using t = await startTestApp({ seams: { clock } });
  const { whole, told, pass } = await provenDomain(t, clock);
  const withoutMx = { ...whole, [domain]: { TXT: (whole[domain] as { TXT: string[] }).TXT } } as Zone;

  t.dns.zone = withoutMx;
  await pass(6 * HOUR_MS);
  expect(await told()).toHaveLength(1);
  t.dns.zone = whole;
  await pass(600_000);
  expect(await told()).toHaveLength(1);

  t.dns.zone = withoutMx;
  await pass(6 * HOUR_MS);
  await pass(600_000);
  const degraded = ["domain.degraded", [{ record: "mx", status: "missing" }]];
  expect(await told()).toEqual([["domain.verified", undefined], degraded]);
  expect((await t.api("GET", `/api/v1/domains/${domain}`)).body.degraded_at).toBe(new Date(clock.now()).toISOString());
  await pass(24 * HOUR_MS);
  expect(await told()).toHaveLength(2);

  t.dns.zone = whole;
  await pass(HOUR_MS);
  expect((await told()).at(-1)).toEqual(["domain.verified", undefined]);
  expect((await t.api("GET", `/api/v1/domains/${domain}`)).body.degraded_at).toBeUndefined();
});

test("a record of a proven domain about which DNS gives no answer is not taken for gone", async () => {
  const clock = new TestClock();
  await using t = await startTestApp({ seams: { clock } });
  const { whole, told, pass } = await provenDomain(t, clock);
  t.dns.zone = { ...whole, [domain]: "SERVFAIL" };
  for (const _ of ["once", "twice"]) {
    const asked = t.dns.queries.length;
    await pass(6 * HOUR_MS);
    expect(t.dns.queries.length).toBeGreaterThan(asked);
  }
  expect(await told()).toHaveLength(1);
  expect((await t.api("GET", `/api/v1/domains/${domain}`)).body.degraded_at).toBeUndefined();
});
