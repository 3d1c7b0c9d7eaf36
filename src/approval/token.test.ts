import { describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { createApprovalTokens } from "./token.ts";

const key = new Uint8Array(32).fill(7);
const tokens = createApprovalTokens(key);
const expiresAt = new Date("2026-03-10T10:00:00Z");
const before = new Date(expiresAt.getTime() - 1);
const approval = {
  messageId: "msg_0198f3a1c2d37abc8def0123456789ab",
  action: "approve" as const,
  contentHash: "0f".repeat(32),
  reviewer: "ann@example.com",
};
const token = tokens.make({ ...approval, expiresAt });

describe("a token comes back as what it was made for", () => {
  const cases = [
    approval,
    { ...approval, action: "reject" as const },
    { ...approval, reviewer: "jürgen@xn--mnchen-3ya.example" },
    { ...approval, reviewer: `${"a".repeat(64)}@${"b".repeat(185)}.com` },
  ];
  for (const made of cases)
    test(`${made.action} by ${made.reviewer.slice(0, 40)}`, () => {
      const text = tokens.make({ ...made, expiresAt });
      expect(text).toMatch(/^[\w-]+$/);
      expect(tokens.read(text, before)).toEqual({ kind: "valid", ...made });
    });

  test("in a length that fits in a link", () => {
    expect(token.length).toBeLessThan(160);
    expect(tokens.make({ ...approval, reviewer: "r".repeat(212), expiresAt }).length).toBeLessThan(400);
  });
});

// Links in mail outlive an upgrade: the first version with such links made these.
test.each([
  [
    "approve",
    "AAGc1zBpAAGY86HC03q8je8BI0VniasPDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PD2FubkBleGFtcGxlLmNvbanBi_eZY_l2qmI_B-yCsa5BxtlOr9J_kzDKMC7iNm7Y",
  ],
  [
    "reject",
    "AQGc1zBpAAGY86HC03q8je8BI0VniasPDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PDw8PD2FubkBleGFtcGxlLmNvbT65-DT-b3kQJ0XGcyutP02HBHbhNqit73MptF358agv",
  ],
] as const)("a link that an earlier version made still says %s", (action, old) => {
  expect(tokens.read(old, before)).toEqual({ kind: "valid", ...approval, action });
  expect(tokens.make({ ...approval, action, expiresAt })).toBe(old);
});

test("it is valid until its time, and then still says what it was for", () => {
  expect(tokens.read(token, before).kind).toBe("valid");
  expect(tokens.read(token, expiresAt)).toEqual({ kind: "expired", ...approval });
});

describe("what this server did not make is forged", () => {
  const bytes = Buffer.from(token, "base64url");
  const payload = bytes.subarray(0, -32);
  const flipped = (at: number) => {
    const copy = Buffer.from(bytes);
    copy[at] = (copy[at] as number) ^ 1;
    return copy.toString("base64url");
  };
  const signed = (label: string, signingKey: Uint8Array = key) =>
    Buffer.concat([payload, createHmac("sha256", signingKey).update(label).update(payload).digest()]).toString(
      "base64url",
    );

  test("the cases below would pass with the right label", () => {
    expect(signed("e2a approval link 1\0")).toBe(token);
  });

  const cases: Record<string, string> = {
    "another action": flipped(0),
    "another expiry": flipped(3),
    "another message": flipped(7),
    "another content": flipped(30),
    "another reviewer": flipped(56),
    "another signature": flipped(bytes.length - 1),
    "another key": createApprovalTokens(new Uint8Array(32).fill(8)).make({ ...approval, expiresAt }),
    "a signature for another use of the key": signed("e2a return path 1\0"),
    "a signature without a label": signed(""),
    "cut short": token.slice(0, -4),
    "without its signature": payload.toString("base64url"),
    "only a signature": bytes.subarray(-32).toString("base64url"),
    "with more behind it": `${token}AAAA`,
    "with padding": `${token}=`,
    "with a line break": `${token.slice(0, 70)}\n${token.slice(70)}`,
    "with a character of another alphabet": `+${token.slice(1)}`,
    "in hex": bytes.toString("hex"),
    "another spelling of the last character": respelled(),
    empty: "",
    "no base64": "‮%00<script>",
    huge: "A".repeat(5_000_000),
  };
  for (const [name, text] of Object.entries(cases))
    test(name, () => {
      expect(tokens.read(text, before)).toEqual({ kind: "forged" });
    });
});

/** A token whose last character carries unused bits, with one of them set. */
function respelled(): string {
  const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const text = [1, 2]
    .map((n) => tokens.make({ ...approval, reviewer: "r".repeat(n), expiresAt }))
    .find((t) => t.length % 4 !== 0);
  const last = text?.at(-1) as string;
  return `${text?.slice(0, -1)}${digits[digits.indexOf(last) + 1]}`;
}

test.each([
  ["a message id", { messageId: "msg_1" }],
  ["a content hash", { contentHash: "0F".repeat(32) }],
  ["no reviewer", { reviewer: "" }],
  ["a reviewer too long", { reviewer: "r".repeat(255) }],
  ["no time", { expiresAt: new Date(Number.NaN) }],
])("%s that cannot be written makes no token", (_, wrong) => {
  expect(() => tokens.make({ ...approval, expiresAt, ...wrong })).toThrow(RangeError);
});
