import { expect, test } from "bun:test";
import { dkimVerify } from "mailauth/lib/dkim/verify.js";
import { generator } from "../../test/attacks/mutations.ts";
import { plainMail, type SigningKey, signingKey, signMail } from "../../test/smtp/signed-mail.ts";
import { findBody } from "../message/headers.ts";
import { DnsError } from "../net/dns.ts";
import { verifyDkim } from "./dkim-verify.ts";

const keys = [
  signingKey("example.com"),
  signingKey("example.com", { selector: "ed", type: "ed25519" }),
  signingKey("sub.example.org", { selector: "test", recordTags: "t=y; " }),
] as const;
const records: Record<string, { TXT?: string[] }> = Object.assign({}, ...keys.map((key) => key.zone));

async function lookUp(name: string, type: string): Promise<never> {
  const text = records[name]?.TXT;
  if (!text) throw new DnsError("ENOTFOUND", type, name);
  return [text] as never;
}

const options = { resolver: lookUp, curTime: new Date("2026-05-15T12:00:00Z"), strict: true };

/** What a verifier finds, in comparable form: ids of signatures without `b=` are random. */
async function found(verified: Promise<object>): Promise<unknown> {
  const { headerFrom, fromFields, results, arc } = (await verified) as Awaited<ReturnType<typeof verifyDkim>>;
  return JSON.parse(
    JSON.stringify({ headerFrom, fromFields, results, arc }, (key, value) =>
      key === "mimeStructureStart" || (key === "id" && /^[\da-f]{8}-/.test(value)) ? undefined : value,
    ),
  );
}

const pieces = ["word", "two words", " ", "  ", "\t", " \t ", "\r\n", "\r\n\r\n", "\r", "é", "=20", "-- ", ".", "\0"];
const canonicalizations = ["relaxed/relaxed", "simple/simple", "relaxed/simple", "simple/relaxed"];

test("finds what the library finds in 6,000 messages, signed, damaged, or made of white space", async () => {
  const below = generator(6376);
  const random = () => below(1_000_000) / 1_000_000;
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const outcomes = new Map<string, number>();
  for (let i = 0; i < 1_000; i++) {
    const body = Array.from({ length: Math.floor(random() * 40) }, () => pick(pieces)).join("");
    let raw = plainMail({
      body,
      extra: random() < 0.3 ? ["X-Folded:  one\r\n\t two ", "DKIM-Signature: v=1; a=b"] : [],
    });
    for (let n = random() < 0.2 ? 2 : 1; n > 0; n--)
      raw = await signMail(raw, pick<SigningKey>(keys), {
        canonicalization: pick(canonicalizations),
        ...(random() < 0.2 ? { maxBodyLength: Math.floor(random() * 30) } : {}),
      });
    for (const message of [raw, ...Array.from({ length: 5 }, () => damaged(raw))]) {
      const expected = await found(dkimVerify(message, options));
      expect(await found(verifyDkim(message, findBody(message).bodyStart, options))).toEqual(expected);
      const [first] = (expected as { results: { status: { result: string } }[] }).results;
      const outcome = first?.status.result ?? "";
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
  }
  // The test would prove nothing if all of them failed, or passed.
  for (const outcome of ["pass", "fail", "neutral"]) expect(outcomes.get(outcome) ?? 0).toBeGreaterThan(300);

  function damaged(raw: Buffer): Buffer {
    const text = raw.toString("latin1");
    const at = Math.floor(random() * text.length);
    const changes = [
      () => text.slice(0, at) + pick(pieces) + text.slice(at),
      () => text.slice(0, at) + text.slice(at + 1),
      () => text.slice(0, at),
      () => text + pick(pieces) + pick(pieces),
      () => text.replace("\r\n\r\n", "\r\n \r\n"),
      () => text.replace(/\r\n(?=[^\r\n]*$)/, ""),
      () => text.slice(text.indexOf("\r\n\r\n") + 2),
      () => text.replace(/ /g, "  "),
    ];
    return Buffer.from(pick(changes)().replace(/\r?\n/g, "\r\n"), "latin1");
  }
}, 120_000);

test.each(["relaxed", "simple"])(
  "finds the same in large bodies, %s, with a limit too",
  async (canonicalization) => {
    const [key] = keys;
    const line = `${"some words  and\tmore ".repeat(20)} \r\n`;
    for (const body of ["plain text\r\n".repeat(60_000), line.repeat(1_500), `${"x".repeat(600_000)} \r\n\r\n \r\n`])
      for (const limit of [{}, { maxBodyLength: 300_000 }]) {
        const raw = await signMail(plainMail({ body }), key, {
          canonicalization: `relaxed/${canonicalization}`,
          ...limit,
        });
        const expected = await found(dkimVerify(raw, options));
        expect(await found(verifyDkim(raw, findBody(raw).bodyStart, options))).toEqual(expected);
        expect((expected as { results: { status: { result: string } }[] }).results[0]?.status.result).toBe("pass");
      }
  },
  60_000,
);
