import { describe, expect, test } from "bun:test";
import { sealMessage } from "mailauth";
import { plainMail, senderZone, signingKey, signMail } from "../../test/smtp/signed-mail.ts";
import { startDnsServer, type Zone } from "../../test/support/dns-server.ts";
import type { Envelope, Verdict } from "../mail.ts";
import { createResolver, type DnsType } from "../net/dns.ts";
import { systemClock, TestClock } from "../util/clock.ts";
import { authenticate } from "./authenticate.ts";

const rsa = signingKey("example.com");
const ed25519 = signingKey("example.com", { type: "ed25519", selector: "ed" });
const stranger = signingKey("elsewhere.net");
const subdomain = signingKey("mail.example.com");

const budgetMs = 2_000;

interface Case {
  raw: Buffer | Promise<Buffer>;
  /** Whether the server hosts a domain; default: it hosts none. */
  isHosted?: (domain: string) => Promise<boolean>;
  /** What DNS holds; default: example.com may send from 127.0.0.1, publishes its keys and p=reject. */
  zone?: Zone;
  envelope?: Partial<Envelope>;
}

const home: Zone = { ...senderZone("example.com"), ...rsa.zone, ...ed25519.zone };

async function verify({ raw, zone = home, envelope = {}, isHosted }: Case): Promise<Verdict> {
  await using server = await startDnsServer(zone);
  const resolver = createResolver({
    servers: [server.address],
    clock: systemClock,
    timeoutMs: budgetMs,
    cacheEntries: 100,
  });
  const whole: Envelope = {
    mailFrom: "alice@example.com",
    rcptTo: ["bot@agents.example.com"],
    remoteAddress: "127.0.0.1",
    helo: "mail.example.com",
    protocol: "ESMTP",
    receivedAt: new Date("2026-05-15T12:00:00Z"),
    ...envelope,
  };
  const options = { resolver, budgetMs, authservId: "mx.agents.example.com", ...(isHosted ? { isHosted } : {}) };
  return await authenticate(await raw, whole, options);
}

/** An address that example.com does not send from. */
const fromAfar = { remoteAddress: "192.0.2.66" };
const elsewhere = { mailFrom: "bounce@elsewhere.net" };

describe("SPF", () => {
  const published = (record: string): Zone => ({ "example.com": { TXT: [record] } });
  const chain = (length: number): Zone =>
    Object.fromEntries(
      Array.from({ length }, (_, i) => [
        i === 0 ? "example.com" : `s${i}.example.com`,
        { TXT: [i === length - 1 ? "v=spf1 ip4:127.0.0.1 -all" : `v=spf1 include:s${i + 1}.example.com -all`] },
      ]),
    );
  test.each<[string, Zone, string, Partial<Envelope>?]>([
    ["pass", published("v=spf1 ip4:127.0.0.1 -all"), "pass"],
    ["pass by the A record", { "example.com": { TXT: ["v=spf1 a -all"], A: ["127.0.0.1"] } }, "pass"],
    [
      "pass by the MX",
      {
        "example.com": { TXT: ["v=spf1 mx -all"], MX: [{ exchange: "mx.example.com", priority: 10 }] },
        "mx.example.com": { A: ["127.0.0.1"] },
      },
      "pass",
    ],
    ["pass over IPv6", published("v=spf1 ip6:2001:db8::/32 -all"), "pass", { remoteAddress: "2001:db8::7" }],
    [
      "pass of an IPv4 client on an IPv6 socket",
      published("v=spf1 ip4:127.0.0.1 -all"),
      "pass",
      { remoteAddress: "::ffff:127.0.0.1" },
    ],
    ["pass after nine includes", chain(10), "pass"],
    ["fail", published("v=spf1 ip4:192.0.2.1 -all"), "fail"],
    ["softfail", published("v=spf1 ip4:192.0.2.1 ~all"), "softfail"],
    ["neutral", published("v=spf1 ip4:192.0.2.1 ?all"), "neutral"],
    ["none", {}, "none"],
    ["none for a sender that is no domain", home, "none", { mailFrom: "alice@[192.0.2.1]" }],
    ["permerror by syntax", published("v=spf1 nonsense:1 -all"), "permerror"],
    ["permerror by two records", { "example.com": { TXT: ["v=spf1 +all", "v=spf1 -all"] } }, "permerror"],
    ["permerror by too many look-ups", chain(13), "permerror"],
    ["temperror", { "example.com": "SERVFAIL" }, "temperror"],
    [
      "temperror in an include",
      { ...published("v=spf1 include:x.example -all"), "x.example": "SERVFAIL" },
      "temperror",
    ],
    [
      "pass of the HELO name for a null sender",
      { "mail.example.com": { TXT: ["v=spf1 a -all"], A: ["127.0.0.1"] } },
      "pass",
      { mailFrom: "" },
    ],
    ["none for a null sender whose HELO is an address", home, "none", { mailFrom: "", helo: "[127.0.0.1]" }],
    [
      "pass of an international domain",
      { "xn--bcher-kva.example": { TXT: ["v=spf1 ip4:127.0.0.1 -all"] } },
      "pass",
      { mailFrom: "jörg@bücher.example" },
    ],
  ])("%s", async (_name, zone, expected, envelope = {}) => {
    const verdict = await verify({ raw: plainMail(), zone, envelope });
    expect(verdict.authentication.spf.result).toBe(expected as never);
    expect(verdict.authenticationResults).toContain(`spf=${expected}`);
  });
});

describe("DKIM", () => {
  const signed = () => signMail(plainMail(), rsa);
  const changed = async (from: string | RegExp, to: string) =>
    Buffer.from((await signed()).toString().replace(from, to));
  /** Signed multipart mail, part of which is rewritten afterwards. */
  const inParts = async (from: string, to: string, boundary = "b") => {
    const words = ["Content-Type: text/plain", "", "Do not pay this:", "", "Hello", "", "Pay me."];
    const lines = [`--${boundary}`, ...words, `--${boundary}`, ...words, `--${boundary}--`, ""];
    const mail = plainMail({ body: lines.join("\r\n") }).toString();
    const type = `Content-Type: multipart/mixed; boundary="${boundary}"`;
    const parts = mail.replace("Content-Type: text/plain; charset=utf-8", type);
    return Buffer.from((await signMail(Buffer.from(parts), rsa)).toString().replace(from, to));
  };
  const weak = signingKey("example.com", { selector: "weak", bits: 768 });
  const testing = signingKey("example.com", { selector: "test", recordTags: "t=y; " });
  const body = plainMail().length - plainMail({ body: "" }).length;
  test.each<[string, () => Promise<Buffer>, string[], Zone?]>([
    ["rsa", signed, ["pass"]],
    ["ed25519", () => signMail(plainMail(), ed25519), ["pass"]],
    ["bare line feeds", async () => Buffer.from((await signed()).toString().replaceAll("\r\n", "\n")), ["pass"]],
    ["simple canonicalization", () => signMail(plainMail(), rsa, { canonicalization: "simple/simple" }), ["pass"]],
    ["a body byte changed", () => changed("please", "Please"), ["fail"]],
    ["a signed field changed", () => changed("Subject: Hello", "Subject: Money"), ["fail"]],
    ["no key", signed, ["neutral"], senderZone("example.com")],
    ["revoked key", signed, ["neutral"], { ...home, "sel._domainkey.example.com": { TXT: ["v=DKIM1; p="] } }],
    ["key record unreachable", signed, ["temperror"], { ...home, "sel._domainkey.example.com": "SERVFAIL" }],
    ["not signed", async () => plainMail(), []],
    ["garbage", async () => plainMail({ extra: ["DKIM-Signature: v=1; a=rsa-sha256; d=\0; s=;;"] }), ["neutral"]],
    [
      "one of two fails",
      async () => signMail(await changed("Subject: Hello", "Subject: Money"), ed25519),
      ["pass", "fail"],
    ],
    [
      "expired",
      () => signMail(plainMail(), rsa, { signTime: new Date("2020-01-01"), expires: new Date("2020-01-02") }),
      ["neutral"],
    ],
    ["weak key", () => signMail(plainMail(), weak), ["policy"], { ...home, ...weak.zone }],
    ["SHA-1", () => signMail(plainMail(), rsa, { algorithm: "rsa-sha1" }), ["policy"]],
    ["testing key", () => signMail(plainMail(), testing), ["policy"], { ...home, ...testing.zone }],
    ["From not signed", () => changed(/ h=[^;]*;/, " h=Subject;"), ["neutral"]],
    ["l= covers the whole body", () => signMail(plainMail(), rsa, { maxBodyLength: body }), ["pass"]],
    [
      "l= and a longer body",
      async () =>
        Buffer.concat([await signMail(plainMail(), rsa, { maxBodyLength: body }), Buffer.from("Pay me.\r\n")]),
      ["policy"],
    ],
    [
      "a second Subject on top",
      async () => Buffer.concat([Buffer.from("Subject: Pay me\r\n"), await signed()]),
      ["policy"],
    ],
    [
      "a second Subject on top, and the signed one with its colon on the next line",
      async () => Buffer.concat([Buffer.from("Subject: Pay me\r\n"), await changed(/^Subject:/m, "Subject\r\n:")]),
      ["policy"],
    ],
    ["a signed value that goes on without a fold", () => changed("Subject: Hello", "Subject: Hel\r\nlo"), ["policy"]],
    [
      "a signed field that comes first, after white space",
      async () => {
        const [subject = ""] = (await signed()).toString().match(/^Subject: .*\r\n/m) ?? [];
        return Buffer.from(` ${subject}${(await changed(subject, "")).toString()}`);
      },
      ["policy"],
    ],
    ["signed parts", () => inParts("", ""), ["pass"]],
    ["white space in a line of a part's text", () => inParts("\r\nHello", " \r\nHello"), ["pass"]],
    ["white space after a delimiter", () => inParts("--b\r\n", "--b  \r\n"), ["pass"]],
    ["white space in the line after a part's header", () => inParts("\r\n\r\nDo not", "\r\n \r\nDo not"), ["policy"]],
    ["too much white space after a delimiter", () => inParts("--b\r\n", `--b${" ".repeat(2_000)}\r\n`), ["policy"]],
    ["signed parts with white space in the delimiter", () => inParts("", "", "a b"), ["pass"]],
    ["more white space in a delimiter", () => inParts("\r\n--a b\r\n", "\r\n--a  b\r\n", "a b"), ["policy"]],
    ["a line of white space in a delimiter", () => inParts("--a b", `--a${"\t".repeat(2_000)}b`, "a b"), ["policy"]],
    ["more white space in the last delimiter", () => inParts("--a b--", "--a  b--", "a b"), ["policy"]],
    ["more white space in the boundary", () => inParts('="a b"', '="a  b"', "a b"), ["policy"]],
    ["words after the last field", () => changed("\r\n\r\n", "\r\nX-Note: x\r\nPay me.\r\n\r\n"), ["policy"]],
    ["words after a blank line", () => changed("\r\n\r\n", "\r\nX-Note: x\r\n \r\nPay me.\r\n\r\n"), ["policy"]],
    ["a field after the last one", () => changed("\r\n\r\n", "\r\nX-Note: x\r\n\r\n"), ["pass"]],
    ["the Subject with its colon on the next line", () => changed(/^Subject:/m, "Subject\r\n:"), ["pass"]],
    [
      "a line that is a field for some readers and a part of the Subject for the verifier",
      () => signMail(plainMail({ subject: "Hello\r\nPay me: now" }), rsa),
      ["policy"],
    ],
  ])("%s", async (_name, raw, expected, zone = home) => {
    // From an unrelated address, so that only a signature can prove the message.
    const verdict = await verify({ raw: raw(), zone, envelope: fromAfar });
    expect(verdict.authentication.dkim.map((signature) => signature.result)).toEqual(expected as never);
    expect(verdict.verified).toBe(expected.includes("pass"));
  });

  // All fields that readers show or rely on, and that may occur once.
  test.each([
    ...["From: Eve <eve@elsewhere.net>", "Sender: eve@elsewhere.net", "Reply-To: eve@elsewhere.net"],
    ...["To: eve@elsewhere.net", "Cc: eve@elsewhere.net", "Date: Fri, 15 May 2026 13:00:00 +0000"],
    ...["Message-ID: <eve@elsewhere.net>", "In-Reply-To: <eve@elsewhere.net>", "References: <eve@elsewhere.net>"],
    ...["MIME-Version: 2.0", "Content-Type: text/html", "Content-Transfer-Encoding: base64"],
    "Content-Disposition: attachment; filename=a.exe",
  ])("a second field beside the signed one proves nothing: %s", async (second) => {
    const name = second.split(":")[0] as string;
    const firsts: Record<string, string> = {
      ...{ Sender: "alice@example.com", "Reply-To": "alice@example.com", Cc: "alice@example.com" },
      ...{ "In-Reply-To": "<q@example.com>", References: "<q@example.com>", "MIME-Version": "1.0" },
      ...{ "Content-Type": "text/plain", "Content-Transfer-Encoding": "7bit", "Content-Disposition": "inline" },
    };
    const plain = plainMail();
    const has = new RegExp(`^${name}:`, "im").test(plain.toString());
    const first = has ? plain : plainMail({ extra: [`${name}: ${firsts[name]}`] });
    const signed = await signMail(first, rsa, { headerList: [name, "From"] });
    const results = async (raw: Buffer) =>
      (await verify({ raw, envelope: fromAfar })).authentication.dkim.map(({ result }) => result);
    expect(await results(signed)).toEqual(["pass"]);
    expect(await results(Buffer.concat([Buffer.from(`${second}\r\n`), signed]))).toEqual(["policy"]);
  });

  test("names what was checked", async () => {
    const { authentication } = await verify({ raw: signed() });
    expect(authentication.dkim).toEqual([
      { result: "pass", domain: "example.com", selector: "sel", algorithm: "rsa-sha256", aligned: true },
    ]);
  });

  test.each([
    ["adkim=s", false],
    ["adkim=r", true],
  ])("by %s a broken signature of a sub-domain is shown as aligned: %p", async (tag, aligned) => {
    const raw = (await signMail(plainMail(), subdomain)).toString().replace("please", "Please");
    const zone: Zone = { ...home, ...subdomain.zone, "_dmarc.example.com": { TXT: [`v=DMARC1; p=reject; ${tag}`] } };
    const { authentication } = await verify({ raw: Buffer.from(raw), zone });
    expect(authentication.dkim).toEqual([
      { result: "fail", domain: "mail.example.com", selector: "sel", algorithm: "rsa-sha256", aligned },
    ]);
    expect(authentication.dmarc.aligned_by).toEqual(["spf"]);
  });

  test("only one signature with an l= is verified", async () => {
    const raw = await signMail(await signMail(plainMail(), rsa, { maxBodyLength: 10 }), ed25519, { maxBodyLength: 20 });
    const { authentication, authenticationResults } = await verify({ raw });
    expect(authentication.dkim.map((signature) => signature.result)).toEqual(["policy", "policy"]);
    expect(authenticationResults).toContain('reason="body longer than signed"');
    expect(authenticationResults).toContain('reason="too many or too long signatures"');
  });

  test("a signature of more than 8 KiB is named and not verified", async () => {
    const raw = await changed(/ h=[^;]*;/, ` h=from:${"x:".repeat(4_096)}x;`);
    const { authentication, authenticationResults } = await verify({ raw });
    expect(authentication.dkim).toMatchObject([{ result: "policy", domain: "example.com" }]);
    expect(authenticationResults).toContain('reason="too many or too long signatures"');
  });

  test("of a crowd of signatures ten are verified, the author's first", async () => {
    const junk = (i: number) =>
      `DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=junk${i}.example; s=s; h=from; bh=AAAA; b=AAAA`;
    const crowd = Array.from({ length: 50 }, (_, i) => junk(i)).join("\r\n");
    const raw = Buffer.concat([Buffer.from(`${crowd}\r\n`), await signed()]);
    const verdict = await verify({ raw, envelope: fromAfar });
    expect(verdict.verified).toBe(true);
    expect(verdict.authentication.dkim).toHaveLength(20);
    expect(verdict.authentication.dkim.filter((signature) => signature.result === "policy")).toHaveLength(10);
  });
});

describe("DMARC and what is verified", () => {
  const signedBy = (key = rsa, from?: string) => signMail(plainMail({ from }), key);
  const policy = (record: string): Zone => ({ ...home, ...subdomain.zone, "_dmarc.example.com": { TXT: [record] } });
  const { "_dmarc.example.com": _, ...noPolicy } = { ...home, ...subdomain.zone };
  const mailSpf: Zone = { "mail.example.com": { TXT: ["v=spf1 ip4:127.0.0.1 -all"] } };
  const fromSub = "a@news.example.com";

  interface Row extends Case {
    name: string;
    dmarc: string;
    policy?: string | null;
    by?: string[];
    verified?: string | null;
    check?: string;
  }
  const rows: Row[] = [
    {
      name: "SPF and DKIM pass and align",
      raw: signedBy(),
      dmarc: "pass",
      policy: "reject",
      by: ["spf", "dkim"],
      check: "spf=pass; dkim=pass; dmarc=pass",
    },
    {
      name: "only DKIM",
      raw: signedBy(),
      envelope: fromAfar,
      dmarc: "pass",
      by: ["dkim"],
      check: "spf=fail; dkim=pass; dmarc=pass",
    },
    {
      name: "one of two signatures",
      raw: signedBy().then((raw) => signMail(Buffer.from(raw.toString().replace("Hello", "Money")), ed25519)),
      envelope: fromAfar,
      dmarc: "pass",
      by: ["dkim"],
      check: "spf=fail; dkim=pass; dmarc=pass",
    },
    { name: "only SPF", raw: plainMail(), dmarc: "pass", by: ["spf"], check: "spf=pass; dkim=none; dmarc=pass" },
    {
      name: "neither, p=reject",
      raw: plainMail(),
      envelope: fromAfar,
      dmarc: "fail",
      policy: "reject",
      verified: null,
    },
    {
      name: "neither, SPF softfails",
      raw: plainMail(),
      zone: { ...home, "example.com": { TXT: ["v=spf1 ~all"] } },
      dmarc: "fail",
      by: [],
      verified: null,
      check: "spf=softfail; dkim=none; dmarc=fail",
    },
    {
      name: "neither, p=quarantine",
      raw: plainMail(),
      zone: policy("v=DMARC1; p=quarantine"),
      envelope: fromAfar,
      dmarc: "fail",
      policy: "quarantine",
      verified: null,
    },
    {
      name: "neither, p=none",
      raw: plainMail(),
      zone: policy("v=DMARC1; p=none"),
      envelope: fromAfar,
      dmarc: "fail",
      policy: "none",
      verified: null,
    },
    {
      name: "a stranger's SPF and DKIM pass",
      raw: signedBy(stranger),
      zone: { ...home, ...stranger.zone, "elsewhere.net": { TXT: ["v=spf1 ip4:127.0.0.1 -all"] } },
      envelope: elsewhere,
      dmarc: "fail",
      verified: null,
      check: "spf=pass; dkim=pass; dmarc=fail",
    },
    {
      name: "relaxed: a subdomain signs",
      raw: signedBy(subdomain),
      zone: policy("v=DMARC1; p=reject"),
      envelope: fromAfar,
      dmarc: "pass",
      by: ["dkim"],
    },
    {
      name: "strict: a subdomain signs",
      raw: signedBy(subdomain),
      zone: policy("v=DMARC1; p=reject; adkim=s"),
      envelope: fromAfar,
      dmarc: "fail",
      verified: null,
    },
    {
      name: "relaxed: a subdomain sends",
      raw: plainMail(),
      zone: { ...home, ...mailSpf },
      envelope: { mailFrom: "b@mail.example.com" },
      dmarc: "pass",
      by: ["spf"],
    },
    {
      name: "strict: a subdomain sends",
      raw: plainMail(),
      zone: { ...policy("v=DMARC1; p=reject; aspf=s"), ...mailSpf },
      envelope: { mailFrom: "b@mail.example.com" },
      dmarc: "fail",
      verified: null,
    },
    {
      name: "the organization's policy for its subdomains",
      raw: plainMail({ from: fromSub }),
      zone: policy("v=DMARC1; p=none; sp=reject"),
      envelope: fromAfar,
      dmarc: "fail",
      policy: "reject",
      verified: null,
    },
    {
      name: "a subdomain that the organization signs for",
      raw: signedBy(rsa, fromSub),
      envelope: fromAfar,
      dmarc: "pass",
      verified: "news.example.com",
    },
    {
      name: "no policy, SPF aligns",
      raw: plainMail(),
      zone: noPolicy,
      dmarc: "none",
      policy: null,
      by: ["spf"],
      check: "spf=pass; dkim=none",
    },
    {
      name: "no policy, DKIM aligns",
      raw: signedBy(),
      zone: noPolicy,
      envelope: fromAfar,
      dmarc: "none",
      by: ["dkim"],
      check: "spf=fail; dkim=pass",
    },
    {
      name: "no policy, a subdomain's DKIM aligns",
      raw: signedBy(subdomain),
      zone: noPolicy,
      envelope: fromAfar,
      dmarc: "none",
      by: ["dkim"],
    },
    {
      name: "no policy, only a stranger passes",
      raw: signedBy(stranger),
      zone: { ...noPolicy, ...stranger.zone, "elsewhere.net": { TXT: ["v=spf1 ip4:127.0.0.1 -all"] } },
      envelope: elsewhere,
      dmarc: "none",
      by: [],
      verified: null,
      check: "spf=pass; dkim=pass",
    },
    { name: "no policy, nothing passes", raw: plainMail(), zone: {}, dmarc: "none", by: [], verified: null },
    {
      name: "policy unreachable",
      raw: signedBy(),
      zone: { ...home, "_dmarc.example.com": "SERVFAIL" },
      dmarc: "temperror",
      policy: null,
      verified: null,
    },
    {
      name: "a quoted local part",
      raw: signedBy(rsa, 'Ann <"Ann B"@example.com>'),
      envelope: fromAfar,
      dmarc: "pass",
    },
    {
      name: "the author's key unreachable",
      raw: signedBy(),
      zone: { ...home, "sel._domainkey.example.com": "SERVFAIL" },
      envelope: fromAfar,
      dmarc: "temperror",
      policy: "reject",
      verified: null,
    },
    {
      name: "a key of the author's domain under a name that DNS cannot hold",
      raw: signedBy().then((raw) =>
        Buffer.from(raw.toString().replace("s=sel;", `s=${`${"a".repeat(60)}.`.repeat(4)}b;`)),
      ),
      envelope: fromAfar,
      dmarc: "fail",
      policy: "reject",
      verified: null,
    },
    {
      name: "a null sender, by its HELO name",
      raw: plainMail(),
      zone: { ...home, ...mailSpf },
      envelope: { mailFrom: "", helo: "mail.example.com" },
      dmarc: "pass",
      by: ["spf"],
    },
    {
      name: "a tenant of a shared domain speaks for it",
      raw: signedBy(signingKey("alice.github.io", { type: "ed25519" }), "boss@github.io"),
      zone: {
        "_dmarc.github.io": { TXT: ["v=DMARC1; p=none"] },
        "alice.github.io": { TXT: ["v=spf1 ip4:127.0.0.1 -all"] },
      },
      envelope: { mailFrom: "x@alice.github.io" },
      dmarc: "fail",
      verified: null,
    },
    {
      name: "an international domain",
      raw: plainMail({ from: "Jörg <jörg@bücher.example>" }),
      zone: senderZone("xn--bcher-kva.example"),
      envelope: { mailFrom: "jörg@bücher.example" },
      dmarc: "pass",
      verified: "xn--bcher-kva.example",
    },
  ];
  test.each(rows.map((row) => [row.name, row] as const))("%s", async (_name, row) => {
    const verdict = await verify(row);
    const { dmarc } = verdict.authentication;
    expect(dmarc.result).toBe(row.dmarc as never);
    if (row.policy !== undefined) expect(dmarc.policy).toBe(row.policy as never);
    if (row.by) expect(dmarc.aligned_by).toEqual(row.by as never);
    if (row.check) expect(verdict.domainCheck).toBe(row.check);
    const verified = row.verified === undefined ? "example.com" : row.verified;
    expect([verdict.verified, verdict.verifiedDomain]).toEqual([verified !== null, verified]);
  });
});

describe("mail from outside that claims a domain hosted here", () => {
  const bySubdomain = { raw: signMail(plainMail(), subdomain), zone: { ...home, ...subdomain.zone } };
  const hosts = (name: string) => async (domain: string) => domain === name;

  test.each<[string, Partial<Case>, boolean]>([
    ["a sub-domain's signature does not do", { isHosted: hosts("example.com") }, false],
    ["it does for a domain that is not hosted", { isHosted: hosts("mail.example.com") }, true],
    ["nor does it when the store does not answer", { isHosted: () => Promise.reject(new Error("no store")) }, false],
    ["nor does it when the store answers too late", { isHosted: () => new Promise(() => {}) }, false],
    ["its own signature does", { raw: signMail(plainMail(), rsa), isHosted: hosts("example.com") }, true],
  ])("%s", async (_name, more, verified) => {
    const verdict = await verify({ ...bySubdomain, envelope: fromAfar, ...more });
    expect([verdict.verified, verdict.verifiedDomain]).toEqual([verified, verified ? "example.com" : null]);
    const answers = !/too late/.test(_name);
    if (!verified) expect(verdict.domainCheck).toContain(answers ? "dmarc=fail" : "dmarc=temperror");
  });
});

describe("a From that can be read in two ways proves nothing", () => {
  test.each([
    ["two fields", { extra: ["From: ceo@bank.example"] }],
    ["a second field with white space before the colon", { extra: ["From : ceo@bank.example"] }],
    ["a second field folded before the colon", { extra: ["From\r\n : ceo@bank.example"] }],
    ["a second field with a no-break space", { extra: ["From\u00a0: ceo@bank.example"] }],
    ["a line below it that is no field", { from: "alice@example.com\r\n\u200b: <ceo@bank.example>" }],
    ["two mailboxes of one domain", { from: "alice@example.com, bob@example.com" }],
    ["two mailboxes", { from: "alice@example.com, ceo@bank.example" }],
    ["a group", { from: "Team: alice@example.com;" }],
    ["a comment", { from: "alice@example.com (ceo@bank.example)" }],
    ["a comment in the address", { from: "Alice <alice@example.com(@bank.example)>" }],
    ["a quoted local part", { from: '"ceo@bank.example"@example.com' }],
    ["a route", { from: "<@bank.example:alice@example.com>" }],
    ["two addresses in brackets", { from: "<ceo@bank.example> <alice@example.com>" }],
    ["an address in the name", { from: "ceo@bank.example <alice@example.com>" }],
    ["an encoded word as address", { from: "=?utf-8?q?ceo=40bank.example?=@example.com" }],
    ["a semicolon", { from: "ceo@bank.example; alice@example.com" }],
    ["a stray quote", { from: 'ceo@bank.example" <alice@example.com>' }],
    ["a control character", { from: "\u0000 <alice@example.com>" }],
    ["a domain literal", { from: "alice@[127.0.0.1]" }],
    ["nothing", { from: "" }],
    ["no address", { from: "Alice" }],
  ])("%s", async (_name, parts) => {
    const verdict = await verify({ raw: signMail(plainMail(parts), rsa) });
    expect([verdict.verified, verdict.verifiedDomain, verdict.authentication.dmarc.result]).toEqual([
      false,
      null,
      "permerror",
    ]);
  });

  test.each([
    ["a quoted name with an address in it", '"Alice (ceo@bank.example), CEO" <alice@example.com>'],
    ["an encoded name", "=?utf-8?q?J=C3=B6rg?= <ALICE@Example.COM>"],
    ["a name in UTF-8", "Jörg Müller <alice@example.com>"],
    ["a name with dots", "Alice B. Carol <alice@example.com>"],
    ["the bare address", "alice@example.com"],
    ["a folded field", "Alice\r\n <alice@example.com>"],
  ])("but %s is plain", async (_name, from) => {
    expect((await verify({ raw: signMail(plainMail({ from }), rsa) })).verifiedDomain).toBe("example.com");
  });
});

describe("ARC", () => {
  const sealed = async (authResults: string) => {
    const raw = plainMail();
    const key = { signingDomain: "elsewhere.net", selector: "sel", privateKey: stranger.privateKey };
    return Buffer.concat([await sealMessage(raw, { ...key, cv: "none", authResults }), raw]);
  };
  const zone = { ...home, ...stranger.zone };

  test("a valid chain that claims a pass is shown and proves nothing", async () => {
    const raw = sealed("elsewhere.net; spf=pass smtp.mailfrom=example.com; dmarc=pass header.from=example.com");
    const verdict = await verify({ raw, zone, envelope: fromAfar });
    expect(verdict.authentication.arc.result).toBe("pass");
    expect(verdict.authentication.dmarc.result).toBe("fail");
    expect(verdict.verified).toBe(false);
  });

  test.each<[string, Zone, (raw: string) => string]>([
    ["fail", zone, (raw) => raw.replace("please", "PLEASE")],
    ["temperror", { ...zone, "sel._domainkey.elsewhere.net": "SERVFAIL" }, (raw) => raw],
    ["permerror", zone, (raw) => "ARC-Seal: i=1\r\n".repeat(60) + raw],
    ["none", zone, () => plainMail().toString()],
  ])("%s", async (expected, dns, change) => {
    const raw = Buffer.from(change((await sealed("elsewhere.net; none")).toString()));
    expect((await verify({ raw, zone: dns })).authentication.arc.result).toBe(expected as never);
  });
});

describe("Authentication-Results", () => {
  test("says what was found", async () => {
    const verdict = await verify({ raw: signMail(await signMail(plainMail(), ed25519), rsa) });
    expect(verdict.authenticationResults).toBe(
      "mx.agents.example.com; spf=pass smtp.mailfrom=example.com; " +
        "dkim=pass header.d=example.com header.s=sel header.a=rsa-sha256; " +
        "dkim=pass header.d=example.com header.s=ed header.a=ed25519-sha256; " +
        "dmarc=pass policy.dmarc=reject header.from=example.com",
    );
  });

  test("says why a signature that verifies does not count", async () => {
    const raw = Buffer.concat([Buffer.from("Subject: Pay me\r\n"), await signMail(plainMail(), rsa)]);
    const verdict = await verify({ raw, envelope: fromAfar });
    expect(verdict.authenticationResults).toContain('dkim=policy reason="repeated header field" header.d=example.com');
  });

  test("cannot be added to by anything from outside", async () => {
    const evil = 'x;\r\n dmarc=pass (y) "z"';
    const tags = `v=1; a=${evil.replace(/;/g, "")}; d=a b(c)\\"d; s=e\tf,g; h=from; bh=AAAA; b=AAAA`;
    const verdict = await verify({
      raw: plainMail({ from: `Alice <alice@example.com>`, extra: [`DKIM-Signature: ${tags}`] }),
      envelope: { mailFrom: `alice@${evil}`, helo: evil },
    });
    expect(verdict.authenticationResults).toMatch(
      /^mx\.agents\.example\.com; spf=\w+( smtp\.mailfrom=[\w.-]+)?; dkim=neutral( header\.[dsa]=[\w.-]+)*; dmarc=fail policy\.dmarc=reject header\.from=example\.com$/,
    );
  });
});

describe("when DNS does not work", () => {
  const raw = signMail(plainMail(), rsa);
  const temperror = { spf: { result: "temperror" }, dkim: [{ result: "temperror" }], dmarc: { result: "temperror" } };

  test("a closed port is temperror at once", async () => {
    const server = await startDnsServer();
    await server.close();
    const { address } = server;
    // The clock stands still, so nothing times out here.
    const clock = new TestClock();
    const resolver = createResolver({ servers: [address], clock, timeoutMs: 5_000, cacheEntries: 10 });
    const verdict = await authenticate(await raw, envelope(), { resolver, budgetMs: 5_000, authservId: "mx", clock });
    expect(verdict.authentication).toMatchObject(temperror);
    expect(verdict.verified).toBe(false);
    expect(verdict.domainCheck).toBe("spf=temperror; dkim=temperror; dmarc=temperror");
  });

  test("silence is temperror within the budget", async () => {
    await using server = await startDnsServer({
      "example.com": "TIMEOUT",
      "sel._domainkey.example.com": "TIMEOUT",
      "_dmarc.example.com": "TIMEOUT",
    });
    const clock = new TestClock();
    const resolver = createResolver({ servers: [server.address], clock, timeoutMs: 60_000, cacheEntries: 10 });
    const asked = server.nextQuery();
    const verdict = authenticate(await raw, envelope(), { resolver, budgetMs: 300, authservId: "mx", clock });
    let isThere = false;
    void verdict.finally(() => {
      isThere = true;
    });
    await asked;
    clock.advance(150);
    await new Promise(setImmediate);
    expect(isThere).toBe(false);
    clock.advance(150);
    expect((await verdict).authentication).toMatchObject(temperror);
    resolver.close();
  });

  test("what is known by then stays", async () => {
    await using server = await startDnsServer({ ...home, "_dmarc.example.com": "TIMEOUT" });
    const resolver = createResolver({
      servers: [server.address],
      clock: systemClock,
      timeoutMs: 60_000,
      cacheEntries: 10,
    });
    const verdict = await authenticate(await raw, envelope(), { resolver, budgetMs: 300, authservId: "mx" });
    expect(verdict.domainCheck).toBe("spf=pass; dkim=pass; dmarc=temperror");
    expect(verdict.verified).toBe(false);
    resolver.close();
  });

  test("a key that cannot be asked for in time makes ARC temperror, not fail", async () => {
    await using server = await startDnsServer({ ...home, "sel._domainkey.elsewhere.net": "TIMEOUT" });
    const clock = new TestClock();
    const real = createResolver({ servers: [server.address], clock: systemClock, timeoutMs: 60_000, cacheEntries: 10 });
    const resolver: typeof real = {
      ...real,
      resolve(name: string, ...rest: [DnsType, { signal?: AbortSignal }?]) {
        const answer = real.resolve(name, ...rest);
        // DNS is given up here; the budget would end 200 ms later, which never pass.
        if (name.includes("elsewhere")) queueMicrotask(() => clock.advance(4_800));
        return answer as never;
      },
    };
    const mail = plainMail();
    const key = { signingDomain: "elsewhere.net", selector: "sel", privateKey: stranger.privateKey };
    const seal = await sealMessage(mail, { ...key, cv: "none", authResults: "elsewhere.net; none" });
    const options = { resolver, budgetMs: 5_000, authservId: "mx", clock };
    const verdict = await authenticate(Buffer.concat([seal, mail]), envelope(), options);
    expect(verdict.authentication.arc.result).toBe("temperror");
    real.close();
  });

  test("a resolver that never comes back is temperror at the end of the budget", async () => {
    const resolver = { resolve: () => new Promise<never>(() => {}) };
    const clock = new TestClock();
    const verdict = authenticate(await raw, envelope(), { resolver, budgetMs: 5_000, authservId: "mx", clock });
    clock.advance(5_000);
    expect((await verdict).authentication).toMatchObject(temperror);
    expect((await verdict).verified).toBe(false);
  });

  function envelope(): Envelope {
    const receivedAt = new Date();
    const rcptTo = ["bot@agents.example.com"];
    const client = { remoteAddress: "127.0.0.1", helo: "mail.example.com", protocol: "ESMTP" };
    return { mailFrom: "alice@example.com", rcptTo, ...client, receivedAt };
  }
});

test.each<[string, string, Buffer?]>([
  ["10,000 fields", "X-A: b\r\n".repeat(10_000)],
  ["a field of 30,000 lines", `X-A: b\r\n${" c\r\n".repeat(30_000)}`],
  ["a header of 1 MB", `X-A: ${"b".repeat(1_000_000)}\r\n`],
  ["a line of more than 1 MiB", "", plainMail({ body: `${"b".repeat(1024 * 1024)}\r\n` })],
])("%s is not worth verifying", async (_name, bulk, mail = plainMail()) => {
  const raw = Buffer.concat([Buffer.from(bulk), await signMail(mail, rsa)]);
  const started = performance.now();
  const verdict = await verify({ raw });
  expect(performance.now() - started).toBeLessThan(500);
  expect(verdict.verified).toBe(false);
  expect(verdict.authentication.spf.result).toBe("pass");
  expect(verdict.authentication.dkim.map(({ result }) => result)).not.toContain("pass");
});
