import { describe, expect, test } from "bun:test";
import type { Socket } from "node:net";
import { join } from "node:path";
import { generate } from "selfsigned";
import { startTestApp } from "../../test/support/app.ts";
import { startDnsServer, type Zone } from "../../test/support/dns-server.ts";
import { serveRaw } from "../../test/support/raw-server.ts";
import { createResolver } from "../net/dns.ts";
import { createLookup } from "../net/lookup.ts";
import { systemClock, TestClock } from "../util/clock.ts";
import { createPoster, type Poster, type PosterOptions, type PostFailure, type PostOutcome } from "./post.ts";

/** Addresses that a POST must not reach, and the ways in which it is kept from them. */

const request = { headers: { "content-type": "application/json" }, body: "{}" };

function openPoster(options: Pick<PosterOptions, "lookup"> & Partial<PosterOptions>): Poster & Disposable {
  const policy = { allowLoopback: true, allowHttp: true, allowedNetworks: [] };
  const poster = createPoster({ policy, timeoutMs: 30_000, clock: systemClock, ...options });
  return { ...poster, [Symbol.dispose]: () => poster.close() };
}

const loopback = async () => [{ address: "127.0.0.1" }];

function answer(body: string): (socket: Socket) => void {
  return (socket) => socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
}

function expectFailure(outcome: PostOutcome, reason: PostFailure, message = "") {
  expect(outcome).toMatchObject({ kind: "failed", reason });
  expect(outcome.kind === "failed" && outcome.message).toContain(message);
}

/** The beginning of the response that a separate process gets, under its own environment. */
async function postFromChild(url: string, env: Record<string, string>): Promise<string> {
  const script = `import { createPoster } from ${JSON.stringify(join(import.meta.dir, "post.ts"))};
    import { systemClock } from ${JSON.stringify(join(import.meta.dir, "../util/clock.ts"))};
    const poster = createPoster({ lookup: async () => [{ address: "127.0.0.1" }], timeoutMs: 10_000, clock: systemClock,
      policy: { allowLoopback: true, allowHttp: true, allowedNetworks: [] } });
    const outcome = await poster.post(process.argv[1], { headers: {}, body: "" });
    process.stdout.write(outcome.bodyStart ?? outcome.reason);
    poster.close();`;
  const child = Bun.spawn([process.execPath, "-e", script, url], { env, stdin: "ignore" });
  return new Response(child.stdout).text();
}

describe("an address that is not permitted", () => {
  const production = { allowLoopback: false, allowHttp: false, allowedNetworks: [] };

  test.each([
    ["http://example.com/", "must be https"],
    ["https://127.0.0.1/", "loopback"],
    ["https://localhost/", "this machine"],
    ["file:///etc/passwd", "must be https"],
    ["not a url", "not a URL"],
  ])("%s is refused by its look", async (url, message) => {
    using poster = openPoster({ policy: production, lookup: () => Promise.reject(new Error("nobody may ask")) });
    const outcome = await poster.post(url, request);
    expectFailure(outcome, "forbidden_address", message);
  });

  test.each(["127.0.0.1", "10.0.0.1 192.168.1.1", "::1", "::ffff:127.0.0.1", "169.254.169.254", "0.0.0.0", "nonsense"])(
    "behind a name is refused (%s), and the answer does not tell it",
    async (text) => {
      const addresses = text.split(" ");
      using poster = openPoster({ policy: production, lookup: async () => addresses.map((address) => ({ address })) });
      const outcome = await poster.post("https://hook.test/", request);
      expectFailure(outcome, "forbidden_address");
      for (const address of addresses) expect(JSON.stringify(outcome)).not.toContain(address);
    },
  );

  test("beside a permitted one is left out", async () => {
    using server = await serveRaw(answer("ok"), "0.0.0.0");
    using poster = openPoster({
      policy: { allowLoopback: false, allowHttp: true, allowedNetworks: ["127.0.0.1"] },
      lookup: async () => [{ address: "127.0.0.2" }, { address: "127.0.0.1" }],
    });
    const outcome = await poster.post(`http://hook.test:${server.port}/`, request);
    expect(outcome).toMatchObject({ status: 200, address: "127.0.0.1" });
    expect(server.connections).toHaveLength(1);
  });

  test("cannot be slipped in by a name that changes its mind", async () => {
    using outer = await serveRaw(answer("outer"), "127.0.0.1");
    using inner = await serveRaw(answer("inner"), "0.0.0.0");
    const answers = ["127.0.0.1", "127.0.0.2", "127.0.0.2"];
    let asked = 0;
    using poster = openPoster({
      policy: { allowLoopback: false, allowHttp: true, allowedNetworks: ["127.0.0.1"] },
      lookup: async () => [{ address: answers[asked++] ?? "127.0.0.2" }],
    });
    // The name is resolved once: the address that was checked is the one connected to.
    expect(await poster.post(`http://hook.test:${outer.port}/`, request)).toMatchObject({ bodyStart: "outer" });
    expect(asked).toBe(1);
    for (const port of [outer.port, inner.port])
      expectFailure(await poster.post(`http://hook.test:${port}/`, request), "forbidden_address");
    expect(outer.connections).toHaveLength(1);
    expect(inner.connections).toHaveLength(0);
  });
});

describe("a name whose DNS server changes its answer", () => {
  /** A poster that asks a real DNS server, and a server on every loopback address that says which one was reached. */
  async function rebinding(zone: Zone) {
    const clock = new TestClock();
    const cleanUp = new AsyncDisposableStack();
    const dns = cleanUp.use(await startDnsServer(zone));
    const resolver = createResolver({ servers: [dns.address], clock, timeoutMs: 5_000, cacheEntries: 100 });
    cleanUp.defer(() => resolver.close());
    const reached: string[] = [];
    const server = cleanUp.use(
      await serveRaw((socket) => {
        reached.push(String(socket.localAddress));
        answer("ok")(socket);
      }, "0.0.0.0"),
    );
    const policy = { allowLoopback: false, allowHttp: true, allowedNetworks: ["127.0.0.1"] };
    const poster = cleanUp.use(openPoster({ policy, lookup: createLookup({ resolver, system: null }), clock }));
    const post = (name: string) => poster.post(`http://${name}:${server.port}/`, request);
    return { clock, dns, reached, post, [Symbol.asyncDispose]: () => cleanUp.disposeAsync() };
  }

  test("between the check and the connection leads to what was checked", async () => {
    await using it = await rebinding({ "hook.test": { A: ["127.0.0.1"], ttlSeconds: 0 } });
    // After the first question, the name leads to another address.
    void it.dns.nextQuery().then(() => {
      it.dns.zone = { "hook.test": { A: ["127.0.0.2"], ttlSeconds: 0 } };
    });
    expect(await it.post("hook.test")).toMatchObject({ status: 200, address: "127.0.0.1" });
    expect(it.dns.queries.map(({ type }) => type).sort()).toEqual(["A", "AAAA"]);
    expect(it.reached).toEqual(["127.0.0.1"]);
  });

  test("between two attempts is checked again, whatever connection is still open", async () => {
    await using it = await rebinding({ "hook.test": { A: ["127.0.0.1"], ttlSeconds: 0 } });
    expect(await it.post("hook.test")).toMatchObject({ status: 200 });
    const turns: Zone[string][] = [
      { A: ["127.0.0.2"] },
      { A: ["10.0.0.1"] },
      { A: ["169.254.169.254"] },
      { AAAA: ["::1"] },
      { AAAA: ["::ffff:127.0.0.2"] },
      { AAAA: ["64:ff9b::7f00:2"] },
      { AAAA: ["fd00:ec2::254"] },
      { CNAME: "inside.test" },
    ];
    for (const turn of turns) {
      it.dns.zone = { "hook.test": turn, "inside.test": { A: ["192.168.0.1"], AAAA: ["fe80::1"] } };
      it.clock.advance(3_600_000);
      const outcome = await it.post("hook.test");
      expectFailure(outcome, "forbidden_address");
      for (const address of ["127.0.0.2", "10.0.0.1", "169.254", "::", "192.168"])
        expect(JSON.stringify(outcome)).not.toContain(address);
    }
    it.dns.zone = { "hook.test": { A: ["127.0.0.2", "127.0.0.1"] } };
    it.clock.advance(3_600_000);
    expect(await it.post("hook.test")).toMatchObject({ status: 200, address: "127.0.0.1" });
    expect(new Set(it.reached)).toEqual(new Set(["127.0.0.1"]));
  });

  test("is an attempt with the cause, and no more, for the agent's owner", async () => {
    const clock = new TestClock();
    using server = await serveRaw(answer("ok"));
    await using t = await startTestApp({
      zone: { "hook.test": { A: ["10.0.0.1"], ttlSeconds: 1 } },
      seams: { clock },
    });
    const webhook_url = `http://hook.test:${server.port}/`;
    expect((await t.api("POST", "/api/v1/agents", { slug: "bot", webhook_url })).status).toBe(201);
    await t.api("POST", "/api/v1/agents/bot@e2a.localhost/test");
    await t.app.drain();
    const { body: waiting } = await t.api("GET", "/api/v1/deliveries");
    expect(waiting.deliveries[0]).toMatchObject({ status: "pending", attempts: 1 });
    expect(waiting.deliveries[0].last_error).toBe("forbidden_address: hook.test is a private address (RFC 1918).");
    t.dns.zone = { "hook.test": { A: ["127.0.0.1"], ttlSeconds: 1 } };
    clock.advance(10_000);
    await t.app.drain();
    const { body: done } = await t.api("GET", "/api/v1/deliveries");
    expect(done.deliveries[0]).toMatchObject({ status: "succeeded", attempts: 2, last_status: 200 });
    expect(server.connections).toHaveLength(1);
  });
});

describe("an answer without end", () => {
  const block = "a".repeat(65_536);
  const forever: [name: string, start: string, then: string][] = [
    ["of one header line", "HTTP/1.1 200 OK\r\nX: ", block],
    ["of header lines", "HTTP/1.1 200 OK\r\n", "X: y\r\n".repeat(1_000)],
    ["of one status line", "HTTP/1.1 200 ", block],
    ["of anything", "", block],
    ["of empty lines", "", "\r\n".repeat(1_000)],
  ];
  test.each(forever)(
    "%s is a failure as soon as it is too much, and the connection is closed",
    async (_, start, then) => {
      using server = await serveRaw((socket) => {
        const pour = () => {
          while (!socket.destroyed && socket.write(then));
        };
        socket.write(start);
        socket.on("drain", pour);
        pour();
      });
      using poster = openPoster({ lookup: loopback });
      expectFailure(await poster.post(`http://hook.test:${server.port}/`, request), "protocol");
      await server.closed(1);
      // Only what the network buffers was read of it, not gigabytes.
      expect(server.connections[0]?.bytesWritten).toBeLessThan(100e6);
    },
  );

  const bodies: [name: string, start: string, then: string][] = [
    ["of a chunk's extension", "Transfer-Encoding: chunked\r\n\r\n5;", block],
    ["of trailers", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", "X: y\r\n".repeat(1_000)],
  ];
  test.each(bodies)("%s is left after two seconds; the status stands", async (_, start, then) => {
    // The second timer of a POST is the one for the body.
    const clock = new (class extends TestClock {
      timersSet = 0;
      override after(delayMs: number, run: () => void) {
        if (++this.timersSet === 2) setImmediate(() => this.advance(2_000));
        return super.after(delayMs, run);
      }
    })();
    using server = await serveRaw((socket) => {
      const pour = () => {
        while (!socket.destroyed && socket.write(then));
      };
      socket.write(`HTTP/1.1 200 OK\r\n${start}`);
      socket.on("drain", pour);
      pour();
    });
    using poster = openPoster({ lookup: loopback, clock });
    expect(await poster.post(`http://hook.test:${server.port}/`, request)).toMatchObject({ status: 200 });
    await server.closed(1);
  });
});

test.each<Record<string, string>>([
  { "x-note": "a\r\nx-injected: b" },
  { "x-note": "a\nb" },
  { "x-note": "a\u0000" },
  { "x-note": "snow ☃" },
  { "x note": "a" },
  { "x-note\r\nx-injected": "a" },
])("a header that is none is a failure, and nothing is sent: %j", async (headers) => {
  using server = await serveRaw(answer("ok"));
  using poster = openPoster({ lookup: loopback });
  expectFailure(await poster.post(`http://hook.test:${server.port}/`, { headers, body: "" }), "protocol");
  expect(server.connections).toHaveLength(0);
});

test("a POST never goes through a proxy that the environment names", async () => {
  using proxy = await serveRaw(answer("from the proxy"));
  using server = await serveRaw(answer("direct"));
  const proxyUrl = `http://127.0.0.1:${proxy.port}`;
  const env = { HTTP_PROXY: proxyUrl, http_proxy: proxyUrl, ALL_PROXY: proxyUrl };
  expect(await postFromChild(`http://hook.test:${server.port}/`, env)).toBe("direct");
  expect(proxy.connections).toHaveLength(0);
});

test("no environment variable turns the check of certificates off", async () => {
  const cert = await generate([{ name: "commonName", value: "hook.test" }]);
  using server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    tls: { key: cert.private, cert: cert.cert },
    fetch: () => new Response("ok"),
  });
  const url = `https://hook.test:${server.port}/`;
  expect(await postFromChild(url, { NODE_TLS_REJECT_UNAUTHORIZED: "0" })).toBe("tls");
});
