import { describe, expect, test } from "bun:test";
import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { plainMail, senderZone, signingKey } from "../../test/smtp/signed-mail.ts";
import { startDnsServer, type Zone } from "../../test/support/dns-server.ts";
import { authenticate } from "../inbound/authenticate.ts";
import { createResolver } from "../net/dns.ts";
import { systemClock } from "../util/clock.ts";
import { type DkimSigningKey, signDkim } from "./dkim.ts";

const rsa = signingKey("example.com");
const ed25519 = signingKey("example.com", { type: "ed25519", selector: "ed" });
const zone: Zone = { ...senderZone("example.com"), ...rsa.zone, ...ed25519.zone };
const now = new Date("2026-05-15T12:00:00Z");
const keys: DkimSigningKey[] = [
  { ...rsa, algorithm: "rsa-sha256", privateKey: createPrivateKey(rsa.privateKey) },
  { ...ed25519, algorithm: "ed25519-sha256" },
];

/** The DKIM results of our own verifier, for a client address for which SPF proves nothing. */
async function verify(raw: Buffer): Promise<string[]> {
  await using server = await startDnsServer(zone);
  const resolver = createResolver({
    ...{ servers: [server.address], clock: systemClock, timeoutMs: 2_000, cacheEntries: 100 },
  });
  const client = { remoteAddress: "192.0.2.66", helo: "mail.example.com", protocol: "ESMTP", receivedAt: now };
  const envelope = { mailFrom: "bounce@elsewhere.example", rcptTo: ["bot@agents.example.com"], ...client };
  const verdict = await authenticate(raw, envelope, { resolver, budgetMs: 2_000, authservId: "mx.example.org" });
  resolver.close();
  return verdict.authentication.dkim.map(({ algorithm, result }) => `${algorithm} ${result}`);
}

const bothPass = ["rsa-sha256 pass", "ed25519-sha256 pass"];

const messages: [string, Buffer][] = [
  ["plain", plainMail()],
  ["8-bit", Buffer.concat([plainMail({ subject: "Grüße", body: "ü\r\n" }), Buffer.of(0xff, 0xfe, 0x80, 13, 10)])],
  ["an empty body", plainMail({ body: "" })],
  ["a body of blank lines", plainMail({ body: "\r\n \r\n\t\r\n" })],
  ["trailing blank lines", plainMail({ body: "text\r\n\r\n \t\r\n\r\n" })],
  ["no line end at the end", plainMail({ body: "text" })],
  ["loose white space", plainMail({ body: "  a \t b  \r\n\t\r\nc\t\r\n d" })],
  ["folded fields", plainMail({ subject: "a\r\n\tb  \r\n   c", extra: ["X-Mailing:\r\n list "] })],
  ["a repeated field", plainMail({ extra: ["List-Id: <a.example.com>", "list-id:\t<b.example.com> "] })],
  ["long lines", plainMail({ subject: "x".repeat(900), body: `${"y".repeat(990)}\r\n${"z  ".repeat(330)}\r\n` })],
  ["no body part at all", plainMail({ body: "" }).subarray(0, -2)],
  ["pieces that end in white space", plainMail({ body: `${"a ".repeat(40)}\r\n`.repeat(5_000) })],
  ["pieces that end in blank lines", plainMail({ body: `${"a".repeat(65_536)}\r\n\r\n${"b".repeat(65_535)}\r\n\r\n` })],
];

test.each(messages)("our verifier agrees: %s", async (_name, raw) => {
  const signed = await signDkim(raw, keys, now);
  expect(signed.subarray(-raw.length)).toEqual(Buffer.from(raw));
  expect(await verify(signed)).toEqual(bothPass);
});

const python = ["python3", "/usr/bin/python3"].find(
  (command) => Bun.which(command) && Bun.spawnSync([command, "-c", "import dkim, nacl"]).success,
);
const pythonVerifier = `
import base64, dkim, json, sys
given = json.load(sys.stdin)
def dns(name, timeout=5):
    return given["zone"].get(name.decode().rstrip("."), "").encode()
for message in given["messages"]:
    verifier = dkim.DKIM(base64.b64decode(message))
    for i in range(2):
        try:
            print(verifier.verify(idx=i, dnsfunc=dns))
        except dkim.DKIMException as problem:
            print(problem)
`;

test.skipIf(python === undefined && !process.env.CI)("an independent verifier agrees", async () => {
  const signed = await Promise.all(messages.map(([, raw]) => signDkim(raw, keys, now)));
  const records = { ...rsa.zone, ...ed25519.zone };
  const input = {
    messages: signed.map((raw) => raw.toString("base64")),
    zone: Object.fromEntries(
      Object.entries(records).map(([name, entry]) => [name, (entry as { TXT: string[] }).TXT[0]]),
    ),
  };
  const run = Bun.spawnSync([python ?? "python3", "-c", pythonVerifier], { stdin: Buffer.from(JSON.stringify(input)) });
  expect(run.stderr.toString()).toBe("");
  expect(run.stdout.toString().trim().split("\n")).toEqual(messages.flatMap(() => ["True", "True"]));
});

describe("a signature is void", () => {
  const changed = async (change: (text: string) => string) => {
    const signed = await signDkim(plainMail({ extra: ["List-Id: <a.example.com>"] }), keys, now);
    return verify(Buffer.from(change(signed.toString("latin1")), "latin1"));
  };
  const results = (result: string) => [`rsa-sha256 ${result}`, `ed25519-sha256 ${result}`];

  test("not when a server adds its trace, or a Sender", async () => {
    const trace = "Received: from a by b; now\r\nX-Spam: no\r\nSender: list@example.org\r\n";
    expect(await changed((text) => trace + text)).toEqual(bothPass);
  });

  test.each(["To", "Cc", "Subject", "Reply-To", "References", "In-Reply-To", "Content-Transfer-Encoding", "Date"])(
    "when a %s is added",
    async (name) => {
      expect(await changed((text) => `${name}: x\r\n${text}`)).toEqual(results("fail"));
      expect(await changed((text) => text.replace("\r\nTo:", `\r\n${name}: x\r\nTo:`))).toEqual(results("fail"));
    },
  );

  test.each([
    ["a field", "Subject: Hello", "Subject: Hallo"],
    ["a list field", "<a.example.com>", "<b.example.com>"],
  ])("when %s is changed", async (_name, from, to) => {
    expect(await changed((text) => text.replace(from, to))).toEqual(results("fail"));
  });

  test("when the body is changed or goes on", async () => {
    expect(await changed((text) => text.replace("please", "do not"))).toEqual(results("fail"));
    expect(await changed((text) => `${text}more\r\n`)).toEqual(results("fail"));
  });
});

test("the tags are the agreed ones", async () => {
  const signed = (await signDkim(plainMail(), keys.slice(0, 1), now)).toString();
  const field = signed.slice(0, signed.indexOf("\r\nFrom:"));
  expect(Math.max(...field.split("\r\n").map((line) => line.length))).toBeLessThanOrEqual(78);
  expect(field.replace(/\r\n /g, " ")).toMatch(
    /^DKIM-Signature: v=1; a=rsa-sha256; c=relaxed\/relaxed; d=example\.com; s=sel; t=1778846400; h=from:from:reply-to:[a-z: -]+; bh=[\w+/=]+; b=[\w+/= ]+$/,
  );
  expect(await signDkim(plainMail(), keys, now)).toEqual(await signDkim(plainMail(), keys, now));
});

test("no key leaves the message as it is", async () => {
  expect(await signDkim(plainMail(), [], now)).toEqual(plainMail());
});

test("refuses what verifiers would not accept", async () => {
  const [key] = keys as [DkimSigningKey];
  await expect(signDkim(Buffer.from("To: a@b.example\r\n\r\n"), keys, now)).rejects.toThrow("without From");
  await expect(signDkim(plainMail(), [{ ...key, selector: "a;b=c" }], now)).rejects.toThrow("not a name");
  await expect(signDkim(plainMail(), [{ ...key, domain: "a\r\nb" }], now)).rejects.toThrow("not a name");
  const { privateKey } = generateKeyPairSync("ed25519");
  await expect(signDkim(plainMail(), [{ ...key, privateKey }], now)).rejects.toThrow("not an rsa key");
});
