import { expect, test } from "bun:test";
import { createSocket } from "node:dgram";
import { type AddressInfo, createServer } from "node:net";
import { startDnsServer } from "../../test/support/dns-server.ts";
import { systemClock, TestClock } from "../util/clock.ts";
import { createResolver, type DnsError, type DnsType } from "./dns.ts";

const timeoutMs = 5_000;
const cacheEntries = 100;

function resolverFor(...servers: string[]) {
  return createResolver({ servers, clock: systemClock, timeoutMs, cacheEntries });
}

const codeOf = (answer: Promise<unknown>): Promise<string> =>
  answer.then(
    () => "answered",
    (error: DnsError) => error.code,
  );

const long = "k".repeat(600);

test.each<[type: DnsType, name: string, expected: unknown]>([
  ["A", "example.com", ["192.0.2.1", "192.0.2.2"]],
  ["A", "EXAMPLE.com.", ["192.0.2.1", "192.0.2.2"]],
  ["AAAA", "example.com", ["2001:db8::1"]],
  ["MX", "example.com", [{ exchange: "mx.example.com", priority: 10 }]],
  ["NS", "example.com", ["ns.example.com"]],
  ["PTR", "1.2.0.192.in-addr.arpa", ["example.com"]],
  ["CNAME", "www.example.com", ["web.example.com"]],
  ["A", "www.example.com", ["192.0.2.7"]],
  ["TXT", "example.com", [["v=spf1 -all"], [long.slice(0, 255), long.slice(255, 510), long.slice(510)]]],
  ["A", "bücher.example", ["192.0.2.9"]],
  ["A", "away.example.com", ["192.0.2.1", "192.0.2.2"]],
])("%s of %s", async (type, name, expected) => {
  await using server = await startDnsServer({
    "example.com": {
      A: ["192.0.2.1", "192.0.2.2"],
      AAAA: ["2001:db8::1"],
      MX: [{ exchange: "mx.example.com", priority: 10 }],
      NS: ["ns.example.com"],
      TXT: ["v=spf1 -all", long],
    },
    "1.2.0.192.in-addr.arpa": { PTR: ["example.com"] },
    "www.example.com": { CNAME: "web.example.com" },
    "web.example.com": { A: ["192.0.2.7"] },
    "xn--bcher-kva.example": { A: ["192.0.2.9"] },
    // The target is in another zone: the server answers with the alias alone, and the resolver must ask again.
    "away.example.com": { CNAME: "away.example.net" },
  });
  const resolver = resolverFor(server.address);
  const asked = server.nextQuery();
  const answer = resolver.resolve(name, type);
  await asked;
  server.zone["away.example.net"] = { A: ["192.0.2.1", "192.0.2.2"] };
  expect<unknown>(await answer).toEqual(expected);
});

test.each([
  ["nowhere.example", "A", "ENOTFOUND", false],
  ["example.com", "AAAA", "ENODATA", false],
  ["", "A", "EBADNAME", false],
  ["a..example", "A", "EBADNAME", false],
  [`${"a".repeat(64)}.example`, "A", "EBADNAME", false],
  [`${"abcdefg.".repeat(32)}example`, "A", "EBADNAME", false],
  ["broken.example", "A", "ESERVFAIL", true],
  ["refused.example", "A", "EREFUSED", true],
  ["loop-a.example", "A", "ESERVFAIL", true],
] as const)("%s %s fails with %s", async (name, type, code, temporary) => {
  await using server = await startDnsServer({
    "example.com": { A: ["192.0.2.1"] },
    "broken.example": "SERVFAIL",
    "refused.example": "REFUSED",
    "loop-a.example": { CNAME: "loop-b.example" },
    "loop-b.example": { CNAME: "loop-a.example" },
  });
  const failure = await resolverFor(server.address)
    .resolve(name, type)
    .catch((error: DnsError) => error);
  expect(failure).toMatchObject({ code, temporary });
});

test("an answer too long for UDP comes over TCP", async () => {
  const text = Array.from({ length: 30 }, (_, i) => `${i}:${"x".repeat(200)}`);
  await using server = await startDnsServer({ "example.com": { TXT: text } });
  const answer = await resolverFor(server.address).resolve("example.com", "TXT");
  expect(answer.map((parts) => parts.join(""))).toEqual(text);
  expect(server.queries.map((query) => query.transport)).toEqual(["udp", "tcp"]);
});

test("an answer is kept for its TTL", async () => {
  await using server = await startDnsServer({ "example.com": { A: ["192.0.2.1"], ttlSeconds: 30 } });
  const clock = new TestClock();
  const resolver = createResolver({ servers: [server.address], clock, timeoutMs, cacheEntries });
  const first = await resolver.resolve("example.com", "A");
  first.push("changed by the caller");
  clock.advance(29_999);
  expect(await resolver.resolve("Example.COM", "A")).toEqual(["192.0.2.1"]);
  expect(server.queries).toHaveLength(1);
  clock.advance(1);
  await resolver.resolve("example.com", "A");
  expect(server.queries).toHaveLength(2);
});

test("no such name is kept for the SOA's minimum, unless somebody asks for a fresh answer", async () => {
  await using server = await startDnsServer();
  server.negativeTtlSeconds = 10;
  const clock = new TestClock();
  const resolver = createResolver({ servers: [server.address], clock, timeoutMs, cacheEntries });
  expect(await codeOf(resolver.resolve("example.com", "TXT"))).toBe("ENOTFOUND");
  server.zone["example.com"] = { TXT: ["here"] };
  clock.advance(9_999);
  expect(await codeOf(resolver.resolve("example.com", "TXT"))).toBe("ENOTFOUND");
  expect(await resolver.resolve("example.com", "TXT", { fresh: true })).toEqual([["here"]]);
  expect(await resolver.resolve("example.com", "TXT")).toEqual([["here"]]);
  expect(server.queries).toHaveLength(2);
});

test("a failure is kept for two seconds", async () => {
  await using server = await startDnsServer({ "example.com": "SERVFAIL" });
  const clock = new TestClock();
  const resolver = createResolver({ servers: [server.address], clock, timeoutMs, cacheEntries });
  expect(await codeOf(resolver.resolve("example.com", "A"))).toBe("ESERVFAIL");
  server.zone["example.com"] = { A: ["192.0.2.1"] };
  clock.advance(1_999);
  expect(await codeOf(resolver.resolve("example.com", "A"))).toBe("ESERVFAIL");
  clock.advance(1);
  expect(await resolver.resolve("example.com", "A")).toEqual(["192.0.2.1"]);
});

test("the same question asked many times at once is sent once", async () => {
  await using server = await startDnsServer({ "example.com": { A: ["192.0.2.1"] } });
  const resolver = resolverFor(server.address);
  const answers = await Promise.all(Array.from({ length: 20 }, () => resolver.resolve("example.com", "A")));
  expect(answers).toEqual(Array(20).fill(["192.0.2.1"]));
  expect(server.queries).toHaveLength(1);
});

test("a server that is silent is passed over, and asked last from then on", async () => {
  await using silent = await startDnsServer({ "example.com": "TIMEOUT" });
  await using server = await startDnsServer({ "example.com": { A: ["192.0.2.1"], TXT: ["hi"] } });
  const clock = new TestClock();
  const resolver = createResolver({ servers: [silent.address, server.address], clock, timeoutMs, cacheEntries });
  const asked = silent.nextQuery();
  const answer = resolver.resolve("example.com", "A");
  await asked;
  clock.advance(1_500);
  expect(await answer).toEqual(["192.0.2.1"]);
  expect(await resolver.resolve("example.com", "TXT")).toEqual([["hi"]]);
  expect(silent.queries).toHaveLength(1);
});

test("a server that cannot answer is passed over", async () => {
  await using broken = await startDnsServer({ "example.com": "SERVFAIL" });
  await using server = await startDnsServer({ "example.com": { A: ["192.0.2.1"] } });
  expect(await resolverFor(broken.address, server.address).resolve("example.com", "A")).toEqual(["192.0.2.1"]);
});

test("without an answer the call ends at its time limit; the second try goes without EDNS", async () => {
  await using silent = await startDnsServer({ "example.com": "TIMEOUT" });
  const clock = new TestClock();
  const resolver = createResolver({ servers: [silent.address], clock, timeoutMs: 2_000, cacheEntries });
  let asked = silent.nextQuery();
  const code = codeOf(resolver.resolve("example.com", "A"));
  await asked;
  asked = silent.nextQuery();
  clock.advance(1_500);
  await asked;
  clock.advance(500);
  expect(await code).toBe("ETIMEOUT");
  expect(silent.queries.map((query) => query.edns)).toEqual([true, false]);
});

test("a closed port fails at once", async () => {
  const closed = await startDnsServer();
  await closed.close();
  expect(await codeOf(resolverFor(closed.address).resolve("example.com", "A"))).toBe("ECONNREFUSED");
});

test("a caller can stop waiting without spoiling the answer for others", async () => {
  await using silent = await startDnsServer({ "example.com": "TIMEOUT" });
  await using server = await startDnsServer({ "example.com": { A: ["192.0.2.1"] } });
  const clock = new TestClock();
  const resolver = createResolver({ servers: [silent.address, server.address], clock, timeoutMs, cacheEntries });
  const stop = new AbortController();
  const asked = silent.nextQuery();
  const impatient = codeOf(resolver.resolve("example.com", "A", { signal: stop.signal }));
  const patient = resolver.resolve("example.com", "A");
  await asked;
  stop.abort();
  expect(await impatient).toBe("ETIMEOUT");
  clock.advance(1_500);
  expect(await patient).toEqual(["192.0.2.1"]);
});

test("close ends what is under way", async () => {
  await using silent = await startDnsServer({ "example.com": "TIMEOUT" });
  const resolver = resolverFor(silent.address);
  const asked = silent.nextQuery();
  const code = codeOf(resolver.resolve("example.com", "A"));
  await asked;
  resolver.close();
  expect(await code).toBe("ECANCELLED");
});

test("answers with another id or to another question are not believed", async () => {
  const liar = createSocket("udp4");
  liar.on("message", (query, from) => {
    const questionEnd = query.indexOf(0, 12) + 5;
    const reply = (address: number, change: (bytes: Buffer) => void) => {
      const header = Buffer.from(query.subarray(0, 12));
      header.writeUInt16BE(0x8180, 2);
      header.writeUInt16BE(1, 6);
      header.writeUInt16BE(0, 10);
      const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, address]);
      const bytes = Buffer.concat([header, query.subarray(12, questionEnd), record]);
      change(bytes);
      liar.send(bytes, from.port, from.address);
    };
    reply(66, (bytes) => bytes.writeUInt16BE(bytes.readUInt16BE(0) ^ 1, 0));
    reply(67, (bytes) => bytes.write("f", 13));
    reply(68, (bytes) => bytes.writeUInt16BE(0x0100, 2));
    liar.send(Buffer.from("noise"), from.port, from.address);
    reply(1, () => {});
  });
  await new Promise<void>((resolve) => liar.bind(0, "127.0.0.1", resolve));
  const resolver = resolverFor(`127.0.0.1:${liar.address().port}`);
  expect(await resolver.resolve("example.com", "A")).toEqual(["192.0.2.1"]);
  liar.close();
});

test("over TCP the first message is all that is read: a server that goes on talking is hung up on at once", async () => {
  const hungUp = Promise.withResolvers<void>();
  const talker = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("close", () => hungUp.resolve());
    socket.once("data", () => {
      const talk = () => {
        // Complete messages that answer none of our questions.
        while (!socket.destroyed && socket.write(Buffer.alloc(2 + 512, 2)));
      };
      socket.on("drain", talk);
      talk();
    });
  });
  await new Promise<void>((resolve) => talker.listen(0, "127.0.0.1", resolve));
  const { port } = talker.address() as AddressInfo;
  const udp = createSocket("udp4");
  udp.on("message", (query, from) => {
    const truncated = Buffer.from(query.subarray(0, query.indexOf(0, 12) + 5));
    truncated.writeUInt16BE(0x8380, 2);
    truncated.writeUInt16BE(0, 10);
    udp.send(truncated, from.port, from.address);
  });
  await new Promise<void>((resolve) => udp.bind(port, "127.0.0.1", resolve));
  // The clock stands still, so only the message can end the query.
  const resolver = createResolver({ servers: [`127.0.0.1:${port}`], clock: new TestClock(), timeoutMs, cacheEntries });
  expect(await codeOf(resolver.resolve("example.com", "TXT"))).toBe("ETIMEOUT");
  await hungUp.promise;
  udp.close();
  talker.close();
});

test.each(["example.com", "192.0.2.1:99999", "192.0.2.1:53:53", "[2001:db8::1", ""])("%p is no server", (server) => {
  expect(() => resolverFor(server)).toThrow("is not the ip:port of a DNS server");
});
