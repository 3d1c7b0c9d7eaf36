import { describe, expect, test } from "bun:test";
import { isAscii } from "node:buffer";
import {
  loopbackTls,
  type Scripted,
  type ScriptedOptions,
  type ScriptedSmtp,
  type Stage,
  scriptedSmtp,
} from "../../test/smtp/scripted-smtp.ts";
import { silentLog } from "../util/log.ts";
import { createUpstream, type PoolLimits, type Upstream } from "./upstream.ts";
import type { SendOutcome } from "./upstream-session.ts";
import type { UpstreamSettings } from "./upstream-settings.ts";

/** Long enough never to be reached; tests that wait for a timeout say so. */
const calmMs = 5_000;
const shortMs = 200;

type World = AsyncDisposable & { smtp: ScriptedSmtp; upstream: Upstream };

async function world(
  options: ScriptedOptions = {},
  settings: Partial<UpstreamSettings> = {},
  limits?: PoolLimits,
): Promise<World> {
  const smtp = await scriptedSmtp(options);
  const upstream = createUpstream(
    {
      name: `127.0.0.1:${smtp.port}`,
      host: smtp.host,
      port: smtp.port,
      tls: options.tls ?? "off",
      username: options.auth?.username ?? null,
      password: options.auth?.password ?? null,
      ca: smtp.tls?.cert ?? null,
      hostname: "relay.e2a.example",
      timeoutMs: calmMs,
      doneTimeoutMs: calmMs,
      connections: 1,
      ...settings,
    },
    silentLog,
    limits,
  );
  const end = async () => {
    await upstream.close();
    await smtp[Symbol.asyncDispose]();
  };
  return { smtp, upstream, [Symbol.asyncDispose]: end };
}

const from = "bot@agents.example";
const to = "ann@example.com";
const mail = Buffer.from("Subject: Hi\r\n\r\nHello\r\n");
/** More than a kernel buffers at once. */
const large = Buffer.alloc(12 * 1024 * 1024, "x\r\n");
const signIn = { username: "relay-user", password: "correct horse" };

const send = ({ upstream }: World, recipient = to, raw: Uint8Array = mail) =>
  upstream.send({ from, to: recipient }, raw);
const textOf = (outcome: Awaited<ReturnType<typeof send>>) => {
  if ("reply" in outcome) return outcome.reply;
  return "error" in outcome ? outcome.error : "";
};

/** The script of a server that does `what` at that stage, the first `times` times. */
const at = (stage: Stage, what: Scripted, times = 1) => {
  let done = 0;
  return (now: Stage) => (now === stage && done++ < times ? what : undefined);
};

test("a message arrives byte by byte, with its envelope", async () => {
  await using w = await world();
  expect(await send(w)).toEqual({ kind: "accepted", reply: "250 2.0.0 kept" });
  expect(w.smtp.messages).toEqual([{ from, to: [to], raw: mail, tls: false, user: null }]);
});

describe("bytes arrive as they are:", () => {
  const bodies: [what: string, raw: Buffer][] = [
    ["dots at the start of lines", Buffer.from(".\r\n..\r\n.a\r\nb.\r\n...\r\n.\r\n")],
    ["a lone dot in front", Buffer.from(".first\r\n")],
    [
      "all 8-bit values",
      Buffer.concat([
        Buffer.from("\r\n"),
        Buffer.from(Array.from({ length: 256 }, (_, i) => i).filter((i) => i !== 13 && i !== 10)),
        Buffer.from("\r\n"),
      ]),
    ],
    ["256 KiB of dots and lines", Buffer.from("..\r\n.x\r\n".repeat(32 * 1024))],
    // No power of two divides these seven bytes, so pieces end everywhere between a line end and its dot.
    ["2 MB of them, in pieces", Buffer.from(".\r\n..\r\n".repeat(300_000))],
  ];
  for (const [what, raw] of bodies)
    for (const extensions of [["PIPELINING", "8BITMIME"], ...(isAscii(raw) ? [[]] : [])])
      test(`${what}${extensions.length ? ", pipelined and encrypted" : ""}`, async () => {
        await using w = await world({ extensions, tls: extensions.length ? "starttls" : undefined });
        expect(await send(w, to, raw)).toMatchObject({ kind: "accepted" });
        expect(w.smtp.messages[0]?.raw.equals(raw)).toBe(true);
      });
});

test("BODY=8BITMIME announces 8-bit mail, and no other", async () => {
  await using w = await world();
  for (const raw of [mail, Buffer.from("Subject: Hi\r\n\r\nGrüße\r\n")]) await send(w, to, raw);
  const announced = w.smtp.lines
    .filter((line) => line.startsWith("MAIL FROM"))
    .map((line) => line.match(/BODY=\S+/)?.[0]);
  expect(announced).toEqual([undefined, "BODY=8BITMIME"]);
});

test("one connection serves message after message", async () => {
  await using w = await world();
  for (let i = 0; i < 3; i++) expect(await send(w)).toMatchObject({ kind: "accepted" });
  expect(w.smtp.connections.total).toBe(1);
});

test("a connection is left after its share of messages", async () => {
  await using w = await world({}, {}, { idleMs: calmMs, messagesPerConnection: 2 });
  for (let i = 0; i < 5; i++) expect(await send(w)).toMatchObject({ kind: "accepted" });
  expect(w.smtp.connections.total).toBe(3);
  expect(w.smtp.lines.filter((line) => line === "QUIT")).toHaveLength(2);
});

test("an idle connection says goodbye", async () => {
  await using w = await world({}, {}, { idleMs: 20, messagesPerConnection: 100 });
  await send(w);
  await w.smtp.quiet();
  expect(w.smtp.lines.at(-1)).toBe("QUIT");
  expect(await send(w)).toMatchObject({ kind: "accepted" });
});

describe("a reply decides about the message, and the connection serves the next one:", () => {
  const replies: [stage: Stage, reply: string, kind: SendOutcome["kind"]][] = [
    ["mail", "550 5.7.1 not you", "refused"],
    ["mail", "451 4.3.0 later", "deferred"],
    ["rcpt", "550-5.1.1 nobody\n550 5.1.1 of that name", "refused"],
    ["rcpt", "450 4.2.1 mailbox busy", "deferred"],
    ["data", "554 5.6.0 no", "refused"],
    ["data", "452 4.3.1 full", "deferred"],
    ["message", "554 5.7.1 spam", "refused"],
    ["message", "451 4.7.1 greylisted", "deferred"],
  ];
  for (const extensions of [["PIPELINING"], []])
    for (const [stage, reply, kind] of replies)
      test(`${stage}: ${reply.slice(0, 3)}${extensions.length ? ", pipelined" : ""}`, async () => {
        await using w = await world({ extensions, on: at(stage, reply) });
        const outcome = await send(w);
        expect(outcome.kind).toBe(kind);
        expect(textOf(outcome)).toBe(reply.replace("550-5.1.1 nobody\n550 5.1.1", "550 5.1.1 nobody 5.1.1"));
        expect(await send(w)).toMatchObject({ kind: "accepted" });
        expect(w.smtp.connections.total).toBe(1);
        expect(w.smtp.messages).toHaveLength(1);
      });
});

describe("a failure is placed exactly, and the next message goes out:", () => {
  const kinds: [stage: Stage, kind: SendOutcome["kind"]][] = [
    ["greeting", "unreachable"],
    ["ehlo", "unreachable"],
    ["auth", "unreachable"],
    ["mail", "deferred"],
    ["rcpt", "deferred"],
    ["data", "deferred"],
    ["message", "unknown"],
  ];
  const ways: [what: string, action: Scripted][] = [
    ["hangs", { do: "hang" }],
    ["resets", { do: "reset" }],
    ["closes", { do: "close" }],
    ["says nonsense", "\u0000HTTP/1.1 400 Bad\u0007 Request"],
  ];
  for (const [stage, kind] of kinds)
    for (const [what, action] of ways)
      test(`${what} at ${stage}: ${kind}`, async () => {
        // After an unexpected answer to EHLO the client tries HELO (RFC 5321 4.1.4).
        const times = stage === "ehlo" && typeof action === "string" ? 2 : 1;
        // Only a silent server is waited for.
        const timeoutMs = what === "hangs" ? shortMs : 60_000;
        await using w = await world(
          { auth: signIn, on: at(stage, action, times) },
          { timeoutMs, doneTimeoutMs: timeoutMs },
        );
        const outcome = await send(w);
        expect(outcome.kind).toBe(kind);
        expect(textOf(outcome)).not.toMatch(/[\u0000-\u001f]|undefined|\[object|correct horse|relay-user/);
        if (kind === "unreachable") expect(textOf(outcome)).toContain(w.upstream.settings.name);
        expect(w.smtp.messages).toHaveLength(0);
        expect(await send(w)).toMatchObject({ kind: "accepted" });
        expect(w.smtp.connections.total).toBe(2);
      });
});

test("the answer to the whole message may take longer than any other, and its time limit ends with it", async () => {
  let isSlow = true;
  const on = async (stage: Stage): Promise<Scripted | undefined> => {
    if (stage === "message" && isSlow) {
      await Bun.sleep(3 * shortMs);
      isSlow = false;
      return undefined;
    }
    return stage === "rcpt" && !isSlow ? { do: "hang" } : undefined;
  };
  await using w = await world({ on }, { timeoutMs: shortMs, doneTimeoutMs: 600_000 });
  expect(await send(w)).toMatchObject({ kind: "accepted" });
  expect(await send(w)).toMatchObject({ kind: "deferred" });
}, 20_000);

test("a server that stops reading within a large message is given up like one that is silent", async () => {
  await using w = await world({ on: at("data", { say: "354 go ahead", do: "stop" }) }, { timeoutMs: shortMs });
  const outcome = await send(w, to, large);
  expect(outcome.kind).toBe("deferred");
  expect(textOf(outcome)).toContain("stopped reading");
});

describe("closing in the middle of DATA:", () => {
  for (const how of ["close", "reset"] as const) {
    test(`${how} right behind the 354: the dot was held back`, async () => {
      await using w = await world({ on: at("data", { say: "354 go ahead", do: how }) });
      expect(await send(w)).toMatchObject({ kind: "deferred" });
    });
    for (const tls of [undefined, "implicit"] as const)
      test(`${how} within a large message${tls ? ", encrypted" : ""}`, async () => {
        await using w = await world({ tls, on: at("data", { say: "354 go ahead", do: how }) });
        expect(await send(w, to, large)).toMatchObject({ kind: "deferred" });
      });
  }
  test("a reply before the message is over counts, its connection does not", async () => {
    await using w = await world({ on: at("data", "354 go ahead\n552 5.3.4 too much") });
    expect(await send(w, to, large)).toMatchObject({ kind: "refused" });
    expect(await send(w)).toMatchObject({ kind: "accepted" });
    expect(w.smtp.connections.total).toBe(2);
  });
});

describe("a reused connection that turns out dead is replaced unseen:", () => {
  for (const how of ["close", "reset"] as const)
    test(`${how} while idle`, async () => {
      await using w = await world();
      await send(w);
      w.smtp.hangUp(how);
      expect(await send(w)).toMatchObject({ kind: "accepted" });
      expect(w.smtp.messages).toHaveLength(2);
    });
  const ways: [what: string, action: Scripted][] = [
    ["closes", { do: "close" }],
    ["resets", { do: "reset" }],
    ["says 421", { say: "421 4.4.2 idle too long", do: "close" }],
  ];
  for (const [what, action] of ways)
    test(`${what} at the second MAIL`, async () => {
      let mails = 0;
      await using w = await world({ on: (stage) => (stage === "mail" && ++mails === 2 ? action : undefined) });
      await send(w);
      expect(await send(w)).toMatchObject({ kind: "accepted" });
      expect([w.smtp.messages.length, w.smtp.connections.total]).toEqual([2, 2]);
    });
  test("also one that was never used", async () => {
    const gate = Promise.withResolvers<undefined>();
    await using w = await world({
      on: (stage, _, connection) => {
        if (connection !== 2) return undefined;
        if (stage === "greeting") return gate.promise;
        return stage === "mail" ? { do: "close" } : undefined;
      },
    });
    const spare = Promise.withResolvers<void>();
    let connected = 0;
    const log = { ...silentLog, debug: () => (++connected === 2 ? spare.resolve() : undefined) };
    const upstream = createUpstream({ ...w.upstream.settings, connections: 2 }, log);
    await Promise.all([upstream.send({ from, to }, mail), upstream.send({ from, to }, mail)]);
    gate.resolve(undefined);
    await spare.promise;
    expect(await upstream.send({ from, to }, mail)).toMatchObject({ kind: "accepted" });
    expect([w.smtp.messages.length, w.smtp.connections.total]).toEqual([3, 3]);
    await upstream.close();
  });
  test("421 at the first MAIL of a connection is an answer", async () => {
    await using w = await world({ on: at("mail", "421 4.3.2 shutting down") });
    expect(await send(w)).toEqual({ kind: "deferred", reply: "421 4.3.2 shutting down" });
    expect(await send(w)).toMatchObject({ kind: "accepted" });
  });
  test("but once only", async () => {
    let mails = 0;
    await using w = await world({ on: (stage) => (stage === "mail" && ++mails > 1 ? { do: "close" } : undefined) });
    await send(w);
    expect(await send(w)).toMatchObject({ kind: "deferred" });
    expect(w.smtp.connections.total).toBe(2);
  });
});

describe("the door:", () => {
  const cases: {
    what: string;
    server?: ScriptedOptions;
    settings?: Partial<UpstreamSettings>;
    says: RegExp;
  }[] = [
    { what: "421 at the greeting", server: { on: at("greeting", "421 4.7.0 too busy") }, says: /421 4.7.0 too busy/ },
    { what: "554 at the greeting", server: { on: at("greeting", "554 5.7.1 not from there") }, says: /not from there/ },
    { what: "421 at EHLO", server: { on: at("ehlo", "421 4.7.0 too busy") }, says: /too busy/ },
    { what: "STARTTLS missing", settings: { tls: "starttls", ...signIn }, says: /does not offer STARTTLS.*587/ },
    {
      what: "STARTTLS refused",
      server: { tls: "starttls", on: at("starttls", "454 4.7.0 broken") },
      settings: signIn,
      says: /STARTTLS \(454/,
    },
    { what: "no sign-in offered", settings: signIn, says: /offers no sign-in.*remove/ },
    {
      what: "sign-in wanted",
      server: { auth: signIn },
      settings: { username: null, password: null },
      says: /only after a sign-in/,
    },
    {
      what: "wrong password",
      server: { auth: signIn },
      settings: { password: "wrong horse" },
      says: /did not accept the sign-in \(535.*Check user name/,
    },
    {
      what: "a reply that repeats the user name",
      server: { auth: signIn, on: at("auth", "535 5.7.8 no relay-user here") },
      says: /\(535 5.7.8\)/,
    },
    {
      what: "a reply that repeats the credentials as they were sent",
      server: { auth: signIn, on: at("auth", `535 5.7.8 not ${btoa("\0relay-user\0correct horse")}`) },
      settings: signIn,
      says: /\(535 5.7.8\)/,
    },
    {
      what: "unknown certificate",
      server: { tls: "starttls" },
      settings: { ca: null, ...signIn },
      says: /certificate from an unknown authority.*ca_file/,
    },
    {
      what: "unknown certificate, implicit",
      server: { tls: "implicit" },
      settings: { ca: null, ...signIn },
      says: /certificate from an unknown authority/,
    },
    {
      what: "TLS to a server without",
      settings: { tls: "implicit", ...signIn, timeoutMs: shortMs },
      says: /TLS handshake|tls mode/,
    },
    {
      what: "plain words to a TLS server",
      server: { tls: "implicit" },
      settings: { tls: "starttls", ...signIn, timeoutMs: shortMs },
      says: /port 465|tls mode/,
    },
  ];
  for (const { what, server, settings, says } of cases)
    test(`${what}: unreachable, with cause and remedy`, async () => {
      await using w = await world(server, settings);
      const outcome = await send(w);
      expect(outcome).toEqual({ kind: "unreachable", error: expect.stringMatching(says) });
      expect(textOf(outcome)).toStartWith(w.upstream.settings.name);
      expect(textOf(outcome)).not.toMatch(/correct horse|wrong horse|relay-user/);
      if (/STARTTLS|certificate|without|plain/.test(what))
        expect(w.smtp.lines.filter((line) => /^(AUTH|MAIL)/i.test(line))).toEqual([]);
    });

  test("a CA file with something else in it", async () => {
    await using w = await world(
      { tls: "starttls" },
      { ca: "-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----" },
    );
    expect(await send(w)).toEqual({ kind: "unreachable", error: expect.stringContaining("Check ca_file") });
  });

  test("a certificate for another name", async () => {
    const { generate } = await import("selfsigned");
    const other = await generate([{ name: "commonName", value: "other.example" }], {
      keyType: "ec",
      algorithm: "sha256",
    });
    await using w = await world({ tls: "starttls", certificate: { cert: other.cert, key: other.private } });
    expect(textOf(await send(w))).toMatch(/certificate for a different name/);
  });

  test("nobody listens", async () => {
    const gone = await scriptedSmtp();
    await gone[Symbol.asyncDispose]();
    await using w = await world({}, { port: gone.port, name: `127.0.0.1:${gone.port}` });
    expect(textOf(await send(w))).toMatch(/^127\.0\.0\.1:\d+ refused the connection/);
  });

  test("everyone who waits hears of it at once", async () => {
    await using w = await world(
      { on: (stage) => (stage === "greeting" ? { do: "hang" } : undefined) },
      { timeoutMs: shortMs },
    );
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => send(w)));
    expect(outcomes.map(({ kind }) => kind)).toEqual(outcomes.map(() => "unreachable"));
    expect(w.smtp.connections.total).toBe(1);
  });
});

describe("encrypted and signed in:", () => {
  const pair = loopbackTls();
  for (const tls of ["starttls", "implicit"] as const)
    for (const mechanism of ["PLAIN", "LOGIN"] as const)
      test(`${tls}, ${mechanism}`, async () => {
        await using w = await world({ tls, certificate: await pair, auth: { ...signIn, mechanism } });
        expect(await w.upstream.check()).toEqual({ ok: true, tls: "TLSv1.3", signedIn: true });
        expect(await send(w)).toMatchObject({ kind: "accepted" });
        expect(w.smtp.messages).toMatchObject([{ tls: true, user: signIn.username }]);
      });
  test("a host by name", async () => {
    await using w = await world({ tls: "starttls", certificate: await pair }, { host: "localhost" });
    expect(await send(w)).toMatchObject({ kind: "accepted" });
  });
  test("one of several certificates in the CA file", async () => {
    const all = `${(await loopbackTls("first.example")).cert}\n${(await pair).cert}`;
    await using w = await world({ tls: "starttls", certificate: await pair }, { ca: all });
    expect(await send(w)).toMatchObject({ kind: "accepted" });
  });
});

describe("check:", () => {
  const cases: [what: string, server: ScriptedOptions, settings: Partial<UpstreamSettings>, result: object][] = [
    ["clear text", {}, {}, { ok: true, tls: null, signedIn: false }],
    ["clear text with sign-in", { auth: signIn }, {}, { ok: true, tls: null, signedIn: true }],
    ["wrong password", { auth: signIn }, { password: "x" }, { ok: false, error: expect.stringContaining("sign-in") }],
    [
      "silence",
      { on: at("greeting", { do: "hang" }) },
      { timeoutMs: shortMs },
      { ok: false, error: expect.stringContaining("no greeting within 0.2 s") },
    ],
  ];
  for (const [what, server, settings, result] of cases)
    test(what, async () => {
      await using w = await world(server, settings);
      expect(await w.upstream.check()).toEqual(result as never);
      expect(w.smtp.messages).toEqual([]);
    });
});

describe("what the server cannot take is not sent to it:", () => {
  const cases: [what: string, recipient: string, raw: Buffer, says: RegExp][] = [
    ["an address beyond ASCII", "änn@example.com", mail, /does not offer SMTPUTF8/],
    [
      "an address beyond ASCII in the header",
      to,
      Buffer.from("Cc: änn@example.com\r\n\r\n"),
      /does not offer SMTPUTF8/,
    ],
    ["more bytes than SIZE", to, Buffer.alloc(2_000, "x\r\n"), /2000 bytes.*takes 1000 at most/],
  ];
  for (const [what, recipient, raw, says] of cases)
    test(what, async () => {
      await using w = await world({ extensions: ["SIZE 1000"] });
      expect(await send(w, recipient, raw)).toEqual({ kind: "refused", reply: expect.stringMatching(says) });
      expect(w.smtp.lines.filter((line) => line.startsWith("MAIL"))).toEqual([]);
      expect(await send(w)).toMatchObject({ kind: "accepted" });
    });
  test("8-bit bytes, which the caller can encode", async () => {
    await using w = await world({ extensions: ["SIZE 1000"] });
    expect(await send(w, to, Buffer.from("Subject: Hi\r\n\r\nGrüße\r\n"))).toEqual({ kind: "eight-bit" });
    expect(await send(w)).toMatchObject({ kind: "accepted" });
    expect(w.smtp.connections.total).toBe(1);
  });
  test("with SMTPUTF8, a header beyond ASCII is announced", async () => {
    await using w = await world();
    expect(await send(w, to, Buffer.from("Cc: änn@example.com\r\n\r\n"))).toMatchObject({ kind: "accepted" });
    expect(await send(w)).toMatchObject({ kind: "accepted" });
    const mails = w.smtp.lines.filter((line) => line.startsWith("MAIL"));
    expect(mails.map((line) => line.includes(" SMTPUTF8"))).toEqual([true, false]);
  });
  test("with SMTPUTF8 it is", async () => {
    await using w = await world();
    expect(await send(w, "änn@example.com")).toMatchObject({ kind: "accepted" });
    expect(w.smtp.messages[0]?.to).toEqual(["änn@example.com"]);
  });
  test("a line end in an address", async () => {
    await using w = await world();
    expect(await send(w, "ann@example.com>\r\nRCPT TO:<eve@example.com")).toMatchObject({ kind: "refused" });
    expect(await send(w)).toMatchObject({ kind: "accepted" });
  });
});

test("a reply is kept as one short line", async () => {
  await using w = await world({ on: at("message", `554 5.7.1 \u001b[31m${"no ".repeat(1000)}`) });
  const outcome = await send(w);
  expect(textOf(outcome)).toHaveLength(500);
  expect(textOf(outcome)).toStartWith("554 5.7.1 [31mno no no");
});

test("no more connections than allowed, first come first served", async () => {
  const gate = Promise.withResolvers<undefined>();
  await using w = await world({ on: (stage) => (stage === "message" ? gate.promise : undefined) }, { connections: 3 });
  const sends = Array.from({ length: 12 }, (_, i) => send(w, `r${i}@example.com`));
  const served: number[] = [];
  sends.forEach((one, i) => void one.then(() => served.push(i)));
  gate.resolve(undefined);
  expect((await Promise.all(sends)).every(({ kind }) => kind === "accepted")).toBe(true);
  expect(w.smtp.connections).toMatchObject({ total: 3, peak: 3 });
  expect(served.slice(0, 3).sort()).toEqual([0, 1, 2]);
});

test("a server that allows fewer connections still gets everything", async () => {
  let greeted = 0;
  await using w = await world(
    {
      on: (stage) =>
        stage === "greeting" && ++greeted > 1 ? { say: "421 4.7.0 one at a time", do: "close" } : undefined,
    },
    { connections: 4 },
  );
  await send(w);
  const outcomes = await Promise.all(Array.from({ length: 8 }, () => send(w)));
  expect(outcomes.map(({ kind }) => kind)).toEqual(outcomes.map(() => "accepted"));
});

describe("stopping:", () => {
  const stops: [what: string, stop: (w: World, abort: AbortController) => unknown][] = [
    ["close", ({ upstream }) => upstream.close()],
    ["abort", (_, abort) => abort.abort()],
  ];
  const stages: [stage: Stage, kind: SendOutcome["kind"]][] = [
    ["greeting", "unreachable"],
    ["mail", "unreachable"],
    ["rcpt", "deferred"],
    ["message", "unknown"],
  ];
  for (const [what, stop] of stops)
    for (const [stage, kind] of stages)
      test(`${what} during ${stage}: ${kind}, and who waits is told`, async () => {
        const there = Promise.withResolvers<void>();
        await using w = await world({
          extensions: [],
          on: (now) => {
            if (now !== stage) return undefined;
            there.resolve();
            return { do: "hang" };
          },
        });
        const abort = new AbortController();
        const first = w.upstream.send({ from, to }, mail, abort.signal);
        const second = w.upstream.send({ from, to }, mail, abort.signal);
        await there.promise;
        await stop(w, abort);
        expect((await first).kind).toBe(kind);
        expect(await second).toMatchObject({ kind: "unreachable", error: expect.stringContaining("stopped") });
      });

  test("idle connections are left politely, and nothing is sent any more", async () => {
    await using w = await world();
    await send(w);
    await w.upstream.close();
    expect(w.smtp.lines.at(-1)).toBe("QUIT");
    expect(await send(w)).toMatchObject({ kind: "unreachable" });
    await w.smtp.quiet();
  });
});

test("a send that is aborted during `mayBegin` sends nothing", async () => {
  await using w = await world();
  const stop = new AbortController();
  const mayBegin = async () => {
    stop.abort();
    return true;
  };
  expect(await w.upstream.send({ from, to }, mail, stop.signal, mayBegin)).toMatchObject({ kind: "unreachable" });
  expect(w.smtp.messages).toEqual([]);
  expect(await send(w)).toMatchObject({ kind: "accepted" });
});
