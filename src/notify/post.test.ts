import { beforeAll, describe, expect, test } from "bun:test";
import type { Socket } from "node:net";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import { generate } from "selfsigned";
import { serveRaw } from "../../test/support/raw-server.ts";
import { systemClock, TestClock } from "../util/clock.ts";
import { createTurns } from "../util/pieces.ts";
import {
  type BodyInPieces,
  createPoster,
  type Poster,
  type PosterOptions,
  type PostFailure,
  type PostOutcome,
} from "./post.ts";

const development = { allowLoopback: true, allowHttp: true, allowedNetworks: [] };
const request = { headers: { "content-type": "application/json" }, body: "{}" };

/** Every name resolves to 127.0.0.1 unless the test says otherwise. */
function openPoster(options: Partial<PosterOptions> = {}): Poster & Disposable {
  const poster = createPoster({
    lookup: async () => [{ address: "127.0.0.1" }],
    policy: development,
    timeoutMs: 30_000,
    clock: systemClock,
    ...options,
  });
  return { ...poster, [Symbol.dispose]: () => poster.close() };
}

const text = `${"x".repeat(200_000)}end`;

function inPieces(): BodyInPieces {
  return {
    bytes: text.length,
    *pieces() {
      for (let at = 0; at < text.length; at += 50_000) yield Buffer.from(text.slice(at, at + 50_000));
    },
    turn: createTurns(),
  };
}

function answer(body: string | Uint8Array, status = "200 OK", headers = ""): (socket: Socket) => void {
  const bytes = Buffer.from(body);
  return (socket) =>
    socket.write(
      Buffer.concat([Buffer.from(`HTTP/1.1 ${status}\r\n${headers}Content-Length: ${bytes.length}\r\n\r\n`), bytes]),
    );
}

function expectFailure(outcome: PostOutcome, reason: PostFailure, message = "") {
  expect(outcome).toMatchObject({ kind: "failed", reason });
  expect(outcome.kind === "failed" && outcome.message).toContain(message);
}

describe("a POST", () => {
  test("carries method, path, host, headers and body, and brings back what was answered", async () => {
    using server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: async (req) =>
        Response.json(
          { method: req.method, path: req.url, body: await req.text(), headers: req.headers },
          { status: 202, headers: { "webhook-delivery": "d-1", "set-cookie": "a=b", "retry-after": "7" } },
        ),
    });
    using poster = openPoster();
    const url = `http://hook.test:${server.port}/in?a=%20b`;
    const outcome = await poster.post(url, {
      headers: {
        "Content-Type": "application/json",
        "X-E2A-Auth-Sender": "a@b.example",
        HOST: "evil.test",
        "Content-Length": "1",
      },
      body: "Grüße",
    });
    expect(outcome).toMatchObject({ kind: "answered", status: 202, address: "127.0.0.1", retryAfterSeconds: 7 });
    if (outcome.kind !== "answered") return;
    expect(outcome.headers).toEqual({
      "content-type": expect.stringContaining("application/json"),
      "retry-after": "7",
      "webhook-delivery": "d-1",
    });
    expect(JSON.parse(outcome.bodyStart)).toMatchObject({
      method: "POST",
      path: url,
      body: "Grüße",
      headers: {
        host: `hook.test:${server.port}`,
        "x-e2a-auth-sender": "a@b.example",
        "accept-encoding": "identity",
        "content-length": "7",
      },
    });
  });

  test("sends bytes as they are", async () => {
    using server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: async (req) => new Response(Bun.SHA256.hash(await req.bytes(), "hex")),
    });
    using poster = openPoster();
    const body = crypto.getRandomValues(new Uint8Array(60_000));
    expect(await poster.post(`http://hook.test:${server.port}/`, { headers: {}, body })).toMatchObject({
      bodyStart: Bun.SHA256.hash(body, "hex"),
    });
  });

  test("uses its connection again for the same name and address", async () => {
    using server = await serveRaw(answer("ok"));
    using poster = openPoster();
    for (let i = 0; i < 3; i++)
      expect(await poster.post(`http://hook.test:${server.port}/`, request)).toMatchObject({ status: 200 });
    expect(server.connections).toHaveLength(1);
  });

  test("does not follow redirects", async () => {
    using inner = await serveRaw(answer("secret"));
    using server = await serveRaw(answer("", "307 Moved", `Location: http://127.0.0.1:${inner.port}/\r\n`));
    using poster = openPoster();
    expect(await poster.post(`http://hook.test:${server.port}/`, request)).toMatchObject({
      status: 307,
      headers: { location: `http://127.0.0.1:${inner.port}/` },
    });
    expect(inner.connections).toHaveLength(0);
  });

  test("tries the next address when one refuses", async () => {
    using server = await serveRaw(answer("ok"));
    using poster = openPoster({ lookup: async () => [{ address: "::1" }, { address: "127.0.0.1" }] });
    expect(await poster.post(`http://hook.test:${server.port}/`, request)).toMatchObject({
      status: 200,
      address: "127.0.0.1",
    });
  });

  test("is sent once: what may have been taken does not go to the next address", async () => {
    using poster = openPoster({ lookup: async () => [{ address: "127.0.0.1" }, { address: "127.0.0.1" }] });
    const ends: ((socket: Socket) => void)[] = [
      (socket) => socket.resetAndDestroy(),
      (socket) => socket.end(),
      (socket) => socket.end("HTTP/1.1 2"),
      (socket) => socket.end("nonsense\r\n\r\n"),
    ];
    for (const end of ends) {
      using server = await serveRaw(end);
      const outcome = await poster.post(`http://hook.test:${server.port}/`, request);
      expect([outcome.kind, server.connections.length]).toEqual(["failed", 1]);
    }
  });

  test("reaches localhost and literal addresses without a look-up", async () => {
    using server = await serveRaw(answer("ok"));
    using poster = openPoster({ lookup: () => Promise.reject(new Error("nobody may ask")) });
    for (const host of ["localhost", "hooks.localhost", "127.0.0.1", "2130706433"])
      expect(await poster.post(`http://${host}:${server.port}/`, request)).toMatchObject({ status: 200 });
  });
});

describe("over TLS", () => {
  let cert: { private: string; cert: string };
  beforeAll(async () => {
    cert = await certificate(["hook.test", "other.test"], "127.0.0.1");
  });

  test("sends the name in SNI and Host, checks the certificate for it, and shares no connection between names", async () => {
    const hosts: string[] = [];
    using server = await serveRaw(
      (socket, head) => {
        hosts.push(`${(socket as TLSSocket).servername} ${/^host: (.*)$/im.exec(head)?.[1]}`);
        answer("ok")(socket);
      },
      "127.0.0.1",
      createTlsServer({ key: cert.private, cert: cert.cert }),
      "secureConnection",
    );
    using poster = openPoster({ extraCa: cert.cert });
    const { port } = server;
    for (const name of ["hook.test", "other.test", "hook.test"])
      expect(await poster.post(`https://${name}:${port}/`, request)).toMatchObject({ status: 200 });
    expect(hosts).toEqual([
      `hook.test hook.test:${port}`,
      `other.test other.test:${port}`,
      `hook.test hook.test:${port}`,
    ]);
    expect(server.connections).toHaveLength(2);
    expectFailure(await poster.post(`https://third.test:${port}/`, request), "tls");
    expect(await poster.post(`https://127.0.0.1:${port}/`, request)).toMatchObject({ status: 200 });
    expect(hosts).toHaveLength(4);
  });

  test("refuses a certificate that nobody vouches for", async () => {
    using server = serveTls(cert);
    using poster = openPoster();
    expectFailure(await poster.post(`https://hook.test:${server.port}/`, request), "tls");
  });

  test("refuses an expired certificate", async () => {
    const old = await certificate(["hook.test"], "127.0.0.1", new Date("2020-01-01"), new Date("2020-02-01"));
    using server = serveTls(old);
    using poster = openPoster({ extraCa: old.cert });
    expectFailure(await poster.post(`https://hook.test:${server.port}/`, request), "tls");
  });

  test("a server that speaks no TLS is a tls failure", async () => {
    using server = await serveRaw((socket) => socket.write("HTTP/1.1 400 Bad Request\r\n\r\n"));
    using poster = openPoster();
    expectFailure(await poster.post(`https://hook.test:${server.port}/`, request), "tls");
  });
});

describe("an answer's body", () => {
  const kept: [name: string, body: string | Uint8Array, headers: string, start: string][] = [
    ["is kept as text", "ok\n\ttabbed", "", "ok\n\ttabbed"],
    ["loses control characters", "a\u0000b\u001b[31mc\u007fd\r\ne\u0085f", "", "ab[31mcd\nef"],
    ["is cut at 1 KiB", "x".repeat(5_000), "", "x".repeat(1_024)],
    ["is not cut within a character", `${"x".repeat(1_023)}ü`, "", "x".repeat(1_023)],
    ["may be no text at all", Uint8Array.of(0xff, 0xfe, 0x41), "", "\ufffd\ufffdA"],
    ["is not shown compressed", Bun.gzipSync("hello"), "Content-Encoding: gzip\r\n", ""],
    ["may be empty", "", "", ""],
  ];
  test.each(kept)("%s", async (_name, body, headers, start) => {
    using server = await serveRaw(answer(body, "500 Oops", headers));
    using poster = openPoster();
    expect(await poster.post(`http://hook.test:${server.port}/`, request)).toMatchObject({
      status: 500,
      bodyStart: start,
    });
  });

  test.each(["", "Content-Length: 10000000000\r\n", "Content-Encoding: gzip\r\n"])(
    "without an end is cut off (%j)",
    async (headers) => {
      // More than the kernel holds between the two ends.
      const endless = 128 * 1024 * 1024;
      const piece = "x".repeat(65_536);
      let poured = 0;
      using server = await serveRaw((socket) => {
        socket.write(`HTTP/1.1 200 OK\r\n${headers}\r\n`);
        const pour = () => {
          while (!socket.destroyed && poured < endless) {
            poured += piece.length;
            if (!socket.write(piece)) return;
          }
          socket.end();
        };
        socket.on("drain", pour);
        pour();
      });
      // The clock stands still, so the time for a body never ends.
      using poster = openPoster({ clock: new TestClock() });
      const outcome = await poster.post(`http://hook.test:${server.port}/`, request);
      expect(outcome).toMatchObject({ status: 200 });
      await server.closed(1);
      expect(poured).toBeLessThan(endless);
    },
  );

  test("that drips is left after two seconds; the status stands", async () => {
    // The second timer of a POST is the one for the body.
    const clock = new (class extends TestClock {
      timersSet = 0;
      override after(delayMs: number, run: () => void) {
        if (++this.timersSet === 2) queueMicrotask(() => this.advance(2_000));
        return super.after(delayMs, run);
      }
    })();
    using server = await serveRaw((socket) => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nslow"));
    using poster = openPoster({ clock });
    expect(await poster.post(`http://hook.test:${server.port}/`, request)).toMatchObject({ status: 200 });
    await server.closed(1);
  });

  test("that breaks off does not change the status", async () => {
    using server = await serveRaw((socket) => socket.end("HTTP/1.1 201 Created\r\nContent-Length: 1000\r\n\r\nhalf"));
    using poster = openPoster();
    expect(await poster.post(`http://hook.test:${server.port}/`, request)).toMatchObject({ status: 201 });
  });
});

describe("Retry-After", () => {
  const nowMs = Date.parse("2026-05-15T12:00:00Z");
  const rows: [value: string, seconds: number | undefined][] = [
    ["120", 120],
    ["0", 0],
    ["Fri, 15 May 2026 12:01:30 GMT", 90],
    ["Friday, 15-May-26 12:00:10 GMT", 10],
    ["Fri, 15 May 2026 11:00:00 GMT", 0],
    ["soon", undefined],
    ["-5", undefined],
    ["1.5", undefined],
    ["99999999999999999999", undefined],
    ["", undefined],
  ];
  test.each(rows)("%j is %p seconds", async (value, seconds) => {
    using server = await serveRaw(answer("", "503 Busy", `Retry-After: ${value}\r\n`));
    using poster = openPoster({ clock: new TestClock(nowMs) });
    const outcome = await poster.post(`http://hook.test:${server.port}/`, request);
    expect(outcome.kind === "answered" && outcome.retryAfterSeconds).toBe(seconds as number);
  });
});

describe("a failure is told apart", () => {
  const failures: [name: string, reason: PostFailure, onData: (socket: Socket) => void][] = [
    ["reset before an answer", "reset", (socket) => socket.resetAndDestroy()],
    ["closed before an answer", "reset", (socket) => socket.end()],
    ["a status of 0", "protocol", answer("", "0 None")],
    [
      "a Content-Length that is no number",
      "protocol",
      (socket) => socket.write("HTTP/1.1 200 OK\r\nContent-Length: a\r\n\r\n"),
    ],
    ["5,000 header lines", "protocol", answer("", "200 OK", "X: y\r\n".repeat(5_000))],
    [
      "an upgrade that nobody asked for",
      "protocol",
      (socket) => socket.write("HTTP/1.1 101 X\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"),
    ],
  ];
  test.each(failures)("%s", async (_name, reason, onData) => {
    using server = await serveRaw(onData);
    using poster = openPoster();
    expectFailure(await poster.post(`http://hook.test:${server.port}/`, request), reason);
  });

  test("nobody listens", async () => {
    const server = await serveRaw(() => {});
    server[Symbol.dispose]();
    using poster = openPoster();
    expectFailure(await poster.post(`http://hook.test:${server.port}/`, request), "connect");
  });

  test("a body in pieces goes whole to the second address if nobody listens at the first, and not in chunks", async () => {
    const heard: string[] = [];
    using server = await serveRaw((socket, text) => {
      heard.push(text);
      if (heard.join("").endsWith("end")) answer("ok")(socket);
    });
    using poster = openPoster({ lookup: async () => [{ address: "127.0.0.2" }, { address: "127.0.0.1" }] });
    const outcome = await poster.post(`http://hook.test:${server.port}/`, { headers: {}, body: inPieces() });
    expect(outcome).toMatchObject({ kind: "answered", status: 200, address: "127.0.0.1" });
    const [head = "", body] = heard.join("").split("\r\n\r\n");
    expect(head).toContain("\r\nContent-Length: 200003");
    expect(head.toLowerCase()).not.toContain("transfer-encoding");
    expect(body === text).toBe(true);
  });

  test("an answer before the end of a body in pieces counts, and the rest is not made", async () => {
    let made = 0;
    using server = await serveRaw((socket) => {
      socket.pause();
      answer("too large", "413 No")(socket);
    });
    using poster = openPoster();
    const endless: BodyInPieces = {
      bytes: 1e9,
      *pieces() {
        for (; made < 1e9 / 50_000; made++) yield Buffer.alloc(50_000);
      },
      turn: createTurns(),
    };
    const outcome = await poster.post(`http://hook.test:${server.port}/`, { headers: {}, body: endless });
    expect(outcome).toMatchObject({ kind: "answered", status: 413, bodyStart: "too large" });
    expect(made).toBeLessThan(10_000);
  });

  test("the name does not exist, or has no address", async () => {
    using none = openPoster({ lookup: () => Promise.reject(Object.assign(new Error("x"), { code: "ENOTFOUND" })) });
    const outcome = await none.post("http://hook.test/", request);
    expectFailure(outcome, "dns", "hook.test was not found (ENOTFOUND).");
    using empty = openPoster({ lookup: async () => [] });
    expectFailure(await empty.post("http://hook.test/", request), "dns");
  });

  const silent: [name: string, scheme: string, onData: (socket: Socket) => void][] = [
    ["no answer", "http", () => {}],
    ["no TLS handshake", "https", () => {}],
    ["half a header", "http", (socket) => socket.write("HTTP/1.1 200 OK\r\nX: ")],
    ["not HTTP", "http", (socket) => socket.write("SSH-2.0-OpenSSH\r\n")],
    ["only interim answers", "http", (socket) => socket.write("HTTP/1.1 100 Continue\r\n\r\n".repeat(10))],
  ];
  test.each(silent)("%s within the time: the connection is closed", async (_name, scheme, onData) => {
    const clock = new TestClock();
    using server = await serveRaw((socket) => {
      onData(socket);
      clock.advance(30_000);
    });
    using poster = openPoster({ clock });
    const outcome = await poster.post(`${scheme}://hook.test:${server.port}/`, request);
    expectFailure(outcome, "timeout", "No answer within 30 s.");
    await server.closed(1);
  });

  test("a look-up that never ends counts against the same time", async () => {
    const clock = new TestClock();
    using poster = openPoster({
      clock,
      lookup: () => {
        queueMicrotask(() => clock.advance(30_000));
        return new Promise(() => {});
      },
    });
    expectFailure(await poster.post("http://hook.test/", request), "timeout");
  });

  test("the caller's signal and close() stop it", async () => {
    const caller = new AbortController();
    using server = await serveRaw(() => caller.abort());
    using poster = openPoster();
    const url = `http://hook.test:${server.port}/`;
    expectFailure(await poster.post(url, { ...request, signal: caller.signal }), "aborted");
    expectFailure(await poster.post(url, { ...request, signal: caller.signal }), "aborted");
    const pending = poster.post(url, request);
    poster.close();
    expectFailure(await pending, "aborted");
    expectFailure(await poster.post(url, request), "aborted");
  });
});

function certificate(names: string[], ip: string, notBeforeDate?: Date, notAfterDate?: Date) {
  return generate([{ name: "commonName", value: names[0] ?? "" }], {
    ...(notBeforeDate && notAfterDate ? { notBeforeDate, notAfterDate } : {}),
    extensions: [
      { name: "basicConstraints", cA: true },
      {
        name: "subjectAltName",
        altNames: [...names.map((value) => ({ type: 2 as const, value })), { type: 7 as const, ip }],
      },
    ],
  });
}

function serveTls(pair: { private: string; cert: string }) {
  const tls = { key: pair.private, cert: pair.cert };
  return Bun.serve({ port: 0, hostname: "127.0.0.1", tls, fetch: () => new Response("ok") });
}
