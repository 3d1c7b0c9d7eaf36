import { expect, test } from "bun:test";
import { rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startTestApp } from "../../test/support/app.ts";
import { startDnsServer, type Zone } from "../../test/support/dns-server.ts";
import { startSink } from "../../test/support/sink.ts";
import { tempDir } from "../../test/support/temp.ts";
import { systemClock } from "../util/clock.ts";
import { createResolver } from "./dns.ts";
import { createLookup, type Lookup, systemLookup } from "./lookup.ts";

/** A lookup by a real DNS server and a hosts file, with what the operating system was asked. */
async function lookups(zone: Zone, { hosts = "", system }: { hosts?: string; system?: Lookup } = {}) {
  const cleanUp = new AsyncDisposableStack();
  const dir = cleanUp.use(await tempDir());
  const hostsFile = join(dir.path, "hosts");
  await writeFile(hostsFile, hosts);
  const dns = cleanUp.use(await startDnsServer(zone));
  const resolver = createResolver({ servers: [dns.address], clock: systemClock, timeoutMs: 200, cacheEntries: 100 });
  cleanUp.defer(() => resolver.close());
  const asked: string[] = [];
  const noted: Lookup = (host) => {
    asked.push(host);
    return system?.(host) ?? Promise.reject(new Error("unknown"));
  };
  const lookup = createLookup({ resolver, system: system ? noted : null, hostsFile });
  const addressesOf = async (host: string) => (await lookup(host)).map(({ address }) => address);
  return { addressesOf, asked, dns, hostsFile, lookup, [Symbol.asyncDispose]: () => cleanUp.disposeAsync() };
}

test("DNS gives IPv4 first, and either kind is enough", async () => {
  await using it = await lookups({
    "both.test": { A: ["192.0.2.1"], AAAA: ["2001:db8::1"] },
    "four.test": { A: ["192.0.2.4"] },
    "six.test": { AAAA: ["2001:db8::6"] },
    "none.test": { TXT: ["no address"] },
  });
  expect(await it.addressesOf("both.test")).toEqual(["192.0.2.1", "2001:db8::1"]);
  expect(await it.addressesOf("four.test")).toEqual(["192.0.2.4"]);
  expect(await it.addressesOf("six.test")).toEqual(["2001:db8::6"]);
  await expect(it.addressesOf("none.test")).rejects.toMatchObject({ code: "ENODATA" });
  await expect(it.addressesOf("gone.test")).rejects.toMatchObject({ code: "ENOTFOUND" });
});

test("the hosts file comes before DNS, and is read again after a change", async () => {
  const hosts = "# 192.0.2.9 web.test\n192.0.2.2\tWeb.test web # 192.0.2.8 x\n::2 web.test\nnonsense web.test\n";
  await using it = await lookups({ "web.test": { A: ["192.0.2.1"] } }, { hosts });
  expect(await it.addressesOf("web.test")).toEqual(["192.0.2.2", "::2"]);
  expect(await it.addressesOf("WEB.test.")).toEqual(["192.0.2.2", "::2"]);
  expect(await it.addressesOf("web")).toEqual(["192.0.2.2"]);
  expect(it.dns.queries).toEqual([]);
  await writeFile(it.hostsFile, "192.0.2.3 other.test\n");
  expect(await it.addressesOf("web.test")).toEqual(["192.0.2.1"]);
});

test("a hosts file that is missing or cannot be looked at counts as empty", async () => {
  await using it = await lookups({ "web.test": { A: ["192.0.2.1"] } }, { hosts: "192.0.2.2 web.test" });
  expect(await it.addressesOf("web.test")).toEqual(["192.0.2.2"]);
  await rm(it.hostsFile);
  expect(await it.addressesOf("web.test")).toEqual(["192.0.2.1"]);
  // ELOOP
  await symlink(it.hostsFile, it.hostsFile);
  expect(await it.addressesOf("web.test")).toEqual(["192.0.2.1"]);
});

test("the operating system is asked for names that DNS says do not exist, and for no others", async () => {
  const zone: Zone = {
    ...{ "known.test": { A: ["192.0.2.1"] }, "silent.test": "TIMEOUT" },
    ...{ "broken.test": "SERVFAIL", printer: "SERVFAIL" },
  };
  await using it = await lookups(zone, { system: async () => [{ address: "10.0.0.5" }] });
  expect(await it.addressesOf("printer.local")).toEqual(["10.0.0.5"]);
  expect(await it.addressesOf("known.test")).toEqual(["192.0.2.1"]);
  // Its name server could stay silent towards the operating system, too.
  await expect(it.addressesOf("silent.test")).rejects.toMatchObject({ code: "ETIMEOUT" });
  await expect(it.addressesOf("broken.test")).rejects.toMatchObject({ code: "ESERVFAIL" });
  // A resolver that is asked about a name of its search list may not answer.
  expect(await it.addressesOf("printer")).toEqual(["10.0.0.5"]);
  expect(it.asked).toEqual(["printer.local", "printer"]);
});

test("the operating system is asked for one name at a time, and for none whose caller has gone", async () => {
  const answers: ((found: { address: string }[]) => void)[] = [];
  const begun = Promise.withResolvers<void>();
  const system = () => {
    begun.resolve();
    return new Promise<{ address: string }[]>((resolve) => answers.push(resolve));
  };
  await using it = await lookups({ "*.test": { A: ["192.0.2.1"] } }, { system });
  const first = it.addressesOf("a.local");
  await begun.promise;
  const gone = new AbortController();
  const left = it.lookup("b.local", gone.signal).catch((error) => error.name);
  const last = it.addressesOf("c.local");
  gone.abort();
  // Both wait for their turn once DNS has answered, which it did before it answers this.
  while (it.dns.queries.length < 6) await it.dns.nextQuery();
  for (let i = 0; i < 3; i++) await it.addressesOf(`known${i}.test`);
  expect(it.asked).toEqual(["a.local"]);
  answers.shift()?.([{ address: "10.0.0.1" }]);
  expect(await first).toEqual(["10.0.0.1"]);
  expect(await left).toBe("AbortError");
  while (answers.length === 0) await new Promise(setImmediate);
  expect(it.asked).toEqual(["a.local", "c.local"]);
  answers.shift()?.([{ address: "10.0.0.3" }]);
  expect(await last).toEqual(["10.0.0.3"]);
});

test("only so many names wait for the operating system", async () => {
  const answer = Promise.withResolvers<{ address: string }[]>();
  await using it = await lookups({}, { system: () => answer.promise });
  const all = Array.from({ length: 30 }, (_, i) => it.addressesOf(`h${i}.local`));
  const refused = (await Promise.allSettled(all.map((one) => Promise.race([one, it.addressesOf("more.local")])))).find(
    ({ status }) => status === "rejected",
  );
  expect(refused).toMatchObject({ reason: { code: "EAI_AGAIN" } });
  answer.resolve([{ address: "10.0.0.1" }]);
  await Promise.allSettled(all);
});

test("the system knows localhost", async () => {
  const found = (await systemLookup("localhost")).map(({ address }) => address);
  expect(["127.0.0.1", "::1"]).toContain(found[0] as string);
});

test("the server's own resolver looks webhooks up, even without configured name servers", async () => {
  await using sink = startSink();
  await using dns = await startDnsServer({ "hook.test": { A: ["127.0.0.1"] } });
  const resolver = createResolver({ servers: [dns.address], clock: systemClock, timeoutMs: 2_000, cacheEntries: 100 });
  await using it = await startTestApp({ set: { "dns.servers": "" }, seams: { resolver } });
  const url = sink.url.replace(/127\.0\.0\.1|localhost/, "hook.test");
  const webhook = (await it.api("POST", "/api/v1/webhooks", { url, events: ["message.received"] })).body;
  await it.api("POST", `/api/v1/webhooks/${webhook.id}/test`);
  await it.app.drain();
  expect(sink.requests).toHaveLength(1);
  expect(dns.queries.map(({ name }) => name)).toContain("hook.test");
  resolver.close();
});
