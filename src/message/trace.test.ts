import { describe, expect, test } from "bun:test";
import { generator } from "../../test/attacks/mutations.ts";
import { plainMail, senderZone, signingKey, signMail } from "../../test/smtp/signed-mail.ts";
import { startDnsServer } from "../../test/support/dns-server.ts";
import { authenticate } from "../inbound/authenticate.ts";
import type { Envelope } from "../mail.ts";
import { createResolver } from "../net/dns.ts";
import { systemClock } from "../util/clock.ts";
import { scanHeaders, scanOnce } from "./headers.ts";
import {
  applyTrace,
  applyTraceInSteps,
  countReceived,
  type TraceOptions,
  tracedHeader,
  traceOf,
  withTrace,
} from "./trace.ts";

const envelope: Envelope = {
  mailFrom: "alice@example.com",
  rcptTo: ["bot@agents.example.com"],
  remoteAddress: "192.0.2.1",
  helo: "mail.example.com",
  protocol: "ESMTPS",
  tls: { version: "TLSv1.3", cipher: "TLS_AES_256_GCM_SHA384" },
  receivedAt: new Date("2026-05-15T12:00:00Z"),
};
const options: TraceOptions = {
  envelope,
  hostname: "mx.agents.example.com",
  id: "msg_00112233445566778899aabbccddeeff",
  verdict: { authenticationResults: "mx.agents.example.com; spf=pass smtp.mailfrom=example.com; dkim=none" },
};

const traced = (raw: Uint8Array | string, more: Partial<TraceOptions> = {}) =>
  Buffer.from(withTrace(typeof raw === "string" ? Buffer.from(raw) : raw, { ...options, ...more })).toString();

/** The rest of the message, after our three fields. */
function received(raw: string): string {
  const text = traced(raw);
  const end = text.indexOf("+0000\r\n") + "+0000\r\n".length;
  return text.slice(end);
}

test("the stored message is the received one under our three fields", () => {
  expect(traced("From: alice@example.com\r\n\r\nHi\r\n")).toBe(
    [
      "Return-Path: <alice@example.com>",
      "Authentication-Results: mx.agents.example.com; spf=pass",
      "\tsmtp.mailfrom=example.com; dkim=none",
      "Received: from mail.example.com ([192.0.2.1]) by mx.agents.example.com with",
      "\tESMTPS (TLSv1.3 TLS_AES_256_GCM_SHA384) id",
      "\tmsg_00112233445566778899aabbccddeeff; Fri, 15 May 2026 12:00:00 +0000",
      "From: alice@example.com",
      "",
      "Hi",
      "",
    ].join("\r\n"),
  );
});

test.each<[string, Partial<TraceOptions>, string]>([
  ["the only recipient", { recipient: "bot@agents.example.com" }, "for <bot@agents.example.com>; Fri"],
  ["a recipient that breaks out", { recipient: "a>\r\nX: y@b" }, "for <aX:y@b>; Fri"],
  ["IPv6", { envelope: { ...envelope, remoteAddress: "2001:db8::1" } }, "([IPv6:2001:db8::1])"],
  ["an address literal", { envelope: { ...envelope, helo: "[192.0.2.1]" } }, "from [192.0.2.1] ([192.0.2.1])"],
  [
    "the longest HELO name",
    { envelope: { ...envelope, helo: `${"a.".repeat(126)}b` } },
    `from ${"a.".repeat(126)}b ([192.0.2.1])`,
  ],
  [
    "a HELO name that is longer",
    { envelope: { ...envelope, helo: `${"a.".repeat(125)}abcd` } },
    "from unknown ([192.0.2.1])",
  ],
  ["a HELO that is no name", { envelope: { ...envelope, helo: "x\r\nX-E2A-Auth-Verified: true" } }, "from unknown ("],
  ["no TLS", { envelope: { ...envelope, protocol: "ESMTP", tls: undefined } }, "with ESMTP id msg_"],
  ["a null reverse-path", { envelope: { ...envelope, mailFrom: "" } }, "Return-Path: <> Authentication-Results:"],
  [
    "a reverse-path in quotes",
    { envelope: { ...envelope, mailFrom: '"a b"@example.com' } },
    'Return-Path: <"a b"@example.com> Authentication-Results:',
  ],
])("%s", (_name, more, expected) => {
  expect(traced("\r\n", more).replace(/\r\n\t?/g, " ")).toContain(expected);
});

describe("what speaks in our name goes", () => {
  const ours = "mx.agents.example.com";
  test.each([
    ["X-E2A-Auth-Verified: true"],
    ["x-e2a-auth-verified: true"],
    ["X_E2A_Auth_Verified: true"],
    ["x_e2a-auth_signature: 00"],
    ["X.E2A.Auth.Verified: true"],
    ["X-E2A_: true"],
    ["X--E2A-Auth-Verified: true"],
    ["XE2A-Auth-Verified: true"],
    ["X+E2A/Auth~Verified: true"],
    ["X\u2010E2A\u2010Auth-Verified: true"],
    ["Authentication_Results: mx.agents.example.com; dmarc=pass"],
    ["Authentication.Results: MX.agents.example.com; dmarc=pass"],
    ["X-E2A-Anything: a\r\n b\r\n\tc"],
    ["Return-Path: <ceo@bank.example>"],
    ["return_path:\r\n <ceo@bank.example>"],
    ["X-E2A-Auth-Verified : true"],
    ["X-E2A-Auth-Verified\r\n : true"],
    ["X-E2A-Auth-Verified\r\n:true"],
    [`Authentication-Results\r\n:${ours}; dmarc=pass`],
    ["X-E2A\u00a0-Auth-Verified: true"],
    [`Authentication-Results: ${ours}; dmarc=pass`],
    [`AUTHENTICATION-RESULTS:${ours.toUpperCase()};dmarc=pass`],
    [`Authentication-Results: ${ours}.; dmarc=pass`],
    [`Authentication-Results: ${ours} 1; dmarc=pass`],
    [`Authentication-Results: ${ours}/1; dmarc=pass`],
    [`Authentication-Results:\r\n\t${ours};\r\n\tdmarc=pass`],
    [`Authentication-Results : (a (nested \\) comment) b) ${ours} (c); dmarc=pass`],
    [`Authentication-Results: (other.example; )\r\n (x) ${ours}; dmarc=pass`],
    [`Authentication-Results: "${ours}"; dmarc=pass`],
    [`Authentication-Results: "mx\\.agents.example.com"; dmarc=pass`],
    [`Authentication-Results: ${ours}`],
    ["Authentication-Results: ; dmarc=pass"],
    ["Authentication-Results:"],
    ["Authentication-Results: (never closed mx.agents.example.com; dmarc=pass"],
  ])("%j", (field) => {
    const rest = "Subject: x\r\n\r\nbody\r\n";
    expect(received(`${field}\r\n${rest}`)).toBe(rest);
    expect(received(`A: b\r\n${field}\r\n${rest}`)).toBe(`A: b\r\n${rest}`);
    expect(received(`${field}\n${field}\n${rest}`)).toBe(rest);
  });
});

describe("everything else stays", () => {
  test.each([
    ["Authentication-Results: other.example; dmarc=pass\r\n\r\n"],
    ["Authentication-Results: other.example (mx.agents.example.com); dmarc=pass\r\n\r\n"],
    ["Authentication-Results: notmx.agents.example.com; dmarc=pass\r\n\r\n"],
    ["ARC-Authentication-Results: i=1; mx.agents.example.com; dmarc=pass\r\n\r\n"],
    ["X-Other: X-E2A-Auth-Verified: true\r\n X-E2A-Auth-Verified: true\r\n\r\n"],
    ["Subject: x\r\n\r\nX-E2A-Auth-Verified: true\r\n"],
    ["Subject: x\n\nX-E2A-Auth-Verified: true\n\r\n\r\nX-E2A-Auth-Verified: true\n"],
    ["Content-Type: message/rfc822\r\n\r\nX-E2A-Auth-Verified: true\r\n\r\nbody"],
    ["\r\nX-E2A-Auth-Verified: true\r\n"],
    ["Subject: x"],
    [""],
  ])("%j", (raw) => {
    expect(received(raw)).toBe(raw);
  });

  test.each(["no header at all\r\n\r\n\r\n", "Hello,\r\nNote: bring chairs.\r\nX-E2A-Auth-Verified: true\r\n"])(
    "%j is a body, below a header of our fields",
    (raw) => {
      expect(received(raw)).toBe(`\r\n${raw}`);
    },
  );

  test.each([1, 499, 880])("a line that is no field, %d fields and a From are a header", (count) => {
    const raw = `Please wire 1,000\r\n${"x: y\r\n".repeat(count)}From: a@example.com\r\n\r\nHi`;
    expect(received(raw)).toBe(raw);
  });

  test("bytes of any value", () => {
    const body = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    const raw = Buffer.concat([Buffer.from("Subject: "), body.subarray(128), Buffer.from("\r\n\r\n"), body]);
    expect(Buffer.from(withTrace(raw, options)).subarray(-raw.length)).toEqual(raw);
  });
});

test("a signed message verifies as stored, forged fields and all taken out", async () => {
  const key = signingKey("example.com");
  await using server = await startDnsServer({ ...senderZone("example.com"), ...key.zone });
  const resolver = createResolver({
    servers: [server.address],
    clock: systemClock,
    timeoutMs: 5_000,
    cacheEntries: 10,
  });
  const signed = await signMail(plainMail(), key, { canonicalization: "simple/simple" });
  const forged = "X-E2A-Auth-Verified: true\r\nAuthentication-Results: mx.agents.example.com; dkim=pass\r\n";
  const stored = withTrace(Buffer.concat([Buffer.from(forged), signed]), options);
  const verdict = await authenticate(stored, envelope, { resolver, budgetMs: 5_000, authservId: "mx" });
  expect(verdict.authentication.dkim.map((signature) => signature.result)).toEqual(["pass"]);
});

test("a forged field at the top is removed though its name is folded", () => {
  const rest = "From: a@example.com\r\nSubject: x\r\n\r\nHi";
  expect(traced(`X-E2\r\n A-Auth-Verified: true\r\n${rest}`)).toEndWith(`+0000\r\n${rest}`);
});

test.each([
  ["X-E2A-Auth-Verified: true", ""],
  ["x_e2a:", ""],
  ["Return-Path: <a@b.example>", ""],
  ["Authentication-Results: mx.other.example; none", "Authentication-Results: mx.other.example; none\r\n"],
])("a thousand fields such as %j are taken, and more are refused", (field, kept) => {
  const raw = (count: number) => `Subject: x\r\n${`${field}\r\nX: y\r\n`.repeat(count)}\r\nHi`;
  expect(traced(raw(1_000))).toEndWith(`\r\nSubject: x\r\n${`${kept}X: y\r\n`.repeat(1_000)}\r\nHi`);
  expect(() => traced(raw(1_001))).toThrow("more than 1000 fields of servers");
});

test("lines stay legal however long the results are", () => {
  const long = Array.from({ length: 40 }, (_, i) => `dkim=fail header.d=${"d".repeat(250)}${i}`).join("; ");
  const lines = traced("\r\n", { verdict: { authenticationResults: `mx.agents.example.com; ${long}` } }).split("\r\n");
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(998);
});

test.each([
  ["Received: a\r\nreceived : b\r\nX-Received: c\r\nReceived:\r\n d\r\n\r\nReceived: e\r\n", 3],
  ["Received-SPF: pass\r\nReceived: a\r\nARC-Received: b\r\n\r\n", 1],
  ["Subject: x\r\n\r\nReceived: a\r\n", 0],
  ["", 0],
])("hops of %j: %d", (raw, hops) => {
  expect(countReceived(Buffer.from(raw), 10)).toBe(hops);
  expect(countReceived(Buffer.from(raw), 2)).toBe(Math.min(hops, 2));
});

test("the header of the stored message is the one that a scan of it finds", () => {
  const below = generator(5322);
  const pieces = [
    ...[
      "Subject: a\r\n",
      "X-E2A-Auth: b\r\n",
      "x_e2a_c:\r\n d\r\n",
      " folded\r\n",
      "\tmore: x\r\n",
      ": e\r\n",
      "no colon\r\n",
    ],
    ...["Name\r\n : f\r\n", "Authentication-Results: mx.agents.example.com; g\r\n", "\r\n", "Cut: h", "X: i\n", "\n"],
  ];
  let derived = 0;
  for (let i = 0; i < 5_000; i++) {
    const text = Array.from({ length: below(12) }, () => pieces[below(pieces.length)]).join("");
    const raw = Buffer.from(text);
    const block = scanOnce(raw);
    if (!block) throw new Error("such a header is not too large");
    const trace = traceOf(raw, options, block);
    expect(trace).toEqual(traceOf(raw, options));
    const header = tracedHeader(raw, block, trace);
    if (header) derived++;
    if (header)
      expect({ text, header }).toEqual({ text, header: scanHeaders(applyTrace([raw], trace)) as typeof header });
  }
  expect(derived).toBeGreaterThan(2_500);
});

test("a large message gets its trace in steps, between which others have their turn", async () => {
  const raw = Buffer.concat([
    Buffer.from("X-E2A-A: forged\r\nSubject: s\r\n\r\n"),
    Buffer.alloc(5_000_000, "abcdef\r\n"),
  ]);
  const trace = traceOf(raw, options);
  const pieces = [raw.subarray(0, 20), raw.subarray(20, 3_000_000), raw.subarray(3_000_000)];
  let turns = 0;
  const count = () => {
    turns++;
    next = setImmediate(count);
  };
  let next = setImmediate(count);
  const stored = await applyTraceInSteps(pieces, trace);
  clearImmediate(next);
  expect(stored.equals(applyTrace([raw], trace))).toBe(true);
  expect(turns).toBeGreaterThan(5);
});
