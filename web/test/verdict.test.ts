import { expect, test } from "bun:test";
import type { components } from "../../sdks/typescript/src/schema.ts";
import { explainVerdict } from "../src/mail/explain.ts";

type Authentication = components["schemas"]["Authentication"];

const nothing: Authentication = {
  spf: { result: "none", domain: "example.com" },
  dkim: [],
  dmarc: { result: "none", policy: null, aligned_by: [] },
  arc: { result: "none" },
  unsigned: [],
};
const signature = {
  result: "pass",
  domain: "example.com",
  selector: "s1",
  algorithm: "rsa-sha256",
  aligned: true,
} as const;

function explained(verified: boolean, authentication: Partial<Authentication>) {
  const message = { from: "ann@example.com", verified, verified_domain: verified ? "example.com" : null };
  const { summary, findings } = explainVerdict({ ...message, authentication: { ...nothing, ...authentication } });
  return [summary, ...findings.map(({ tone, check, text }) => `${tone} ${check}: ${text}`)];
}

test("what DMARC proves names the domain and what it was proven by", () => {
  const proof = { dkim: [signature], dmarc: { result: "pass", policy: "reject", aligned_by: ["dkim"] } } as const;
  expect(explained(true, { ...proof, dkim: [signature], dmarc: { ...proof.dmarc, aligned_by: ["dkim"] } })).toEqual([
    "example.com itself stands behind this message.",
    "ok DMARC: example.com is proven by DKIM.",
    "ok DKIM: Signed by example.com (selector s1, rsa-sha256), unchanged since.",
    "quiet SPF: example.com names no servers that may send for it.",
  ]);
});

test("fields that the signature leaves out are named", () => {
  const dmarc = { result: "pass", policy: "reject", aligned_by: ["dkim"] } as const;
  const proof = {
    dkim: [signature],
    dmarc: { ...dmarc, aligned_by: ["dkim" as const] },
    unsigned: ["Reply-To", "Date"],
  };
  expect(explained(true, proof)).toContain(
    "quiet DKIM: Not covered by the signature: Reply-To, Date. Any server that relayed the message could have written that.",
  );
});

test("what passes for another domain counts for nothing, and says so", () => {
  expect(
    explained(false, {
      spf: { result: "pass", domain: "mailer.example" },
      dkim: [{ ...signature, domain: "mailer.example", aligned: false }],
      dmarc: { result: "fail", policy: "quarantine", aligned_by: [] },
    }),
  ).toEqual([
    "Nothing proves that this comes from example.com. Anybody could have written that name.",
    "bad DMARC: Neither SPF nor DKIM passes for example.com, which asks to quarantine such mail.",
    "quiet DKIM: Signed by mailer.example (selector s1, rsa-sha256), which is not example.com and proves nothing about it.",
    "quiet SPF: Sent from a server of mailer.example, which is not example.com and proves nothing about it.",
  ]);
});

test("what fails is said with its result; a chain of forwarders proves nothing", () => {
  expect(
    explained(false, {
      spf: { result: "softfail", domain: "example.com" },
      dkim: [{ ...signature, result: "fail" }],
      arc: { result: "pass" },
    }).slice(1),
  ).toEqual([
    "quiet DMARC: example.com publishes no DMARC record; an SPF or DKIM pass of the same domain would do.",
    "bad DKIM: The signature of example.com is not valid: fail (selector s1, rsa-sha256).",
    "bad SPF: The server that sent it is not one that example.com names: softfail.",
    "quiet ARC: The chain of forwarders: pass. It proves nothing here.",
  ]);
});
