import { expect, test } from "bun:test";
import fc from "fast-check";
import { holds } from "../../test/support/property.ts";
import { createApprovalTokens } from "./token.ts";

const key = fc.uint8Array({ minLength: 32, maxLength: 32 });
const approval = fc.record({
  messageId: fc.stringMatching(/^msg_[0-9a-f]{32}$/),
  action: fc.constantFrom("approve" as const, "reject" as const),
  contentHash: fc.stringMatching(/^[0-9a-f]{64}$/),
  reviewer: fc
    .string({ unit: "grapheme", minLength: 1, maxLength: 60 })
    .filter((text) => Buffer.byteLength(text) <= 254 && text.isWellFormed()),
});
const time = fc.date({ min: new Date(0), max: new Date("9999-12-31"), noInvalidDate: true });

test("a token says what it was made for, until its time is up and after", () =>
  holds(
    fc.property(
      key,
      approval,
      time,
      fc.oneof(fc.constantFrom(-1, 0, 1), fc.integer()),
      (bytes, made, expiresAt, ms) => {
        const now = new Date(expiresAt.getTime() + ms);
        const tokens = createApprovalTokens(bytes);
        const token = tokens.make({ ...made, expiresAt });
        expect(token).toMatch(/^[\w-]+$/);
        expect(tokens.read(token, now)).toEqual({ kind: ms < 0 ? "valid" : "expired", ...made });
      },
    ),
  ));

test("a token with any bit changed, any character added or left out, or of another key is forged", () =>
  holds(
    fc.property(key, key, approval, time, fc.nat(10_000), (bytes, other, made, expiresAt, at) => {
      fc.pre(Buffer.compare(bytes, other) !== 0);
      const tokens = createApprovalTokens(bytes);
      const token = tokens.make({ ...made, expiresAt });
      const forged = { kind: "forged" as const };
      const raw = Buffer.from(token, "base64url");
      raw[(at >> 3) % raw.length] = (raw[(at >> 3) % raw.length] as number) ^ (1 << (at & 7));
      expect(tokens.read(raw.toString("base64url"), new Date(0))).toEqual(forged);
      const place = at % token.length;
      for (const added of ["A", "-", "=", " ", "\n", "."])
        expect(tokens.read(token.slice(0, place) + added + token.slice(place), new Date(0))).toEqual(forged);
      expect(tokens.read(token.slice(0, place) + token.slice(place + 1), new Date(0))).toEqual(forged);
      expect(createApprovalTokens(other).read(token, new Date(0))).toEqual(forged);
    }),
  ));

test("a token has one spelling: another last character is forged, whatever bits of it count", () =>
  holds(
    fc.property(key, approval, time, fc.stringMatching(/^[\w-]$/), (bytes, made, expiresAt, last) => {
      const tokens = createApprovalTokens(bytes);
      const token = tokens.make({ ...made, expiresAt });
      fc.pre(!token.endsWith(last));
      expect(tokens.read(token.slice(0, -1) + last, new Date(0))).toEqual({ kind: "forged" });
    }),
  ));

test("any text is a forged token, and reading it does not throw", () =>
  holds(
    fc.property(key, fc.string({ unit: "binary", maxLength: 600, size: "max" }), (bytes, text) => {
      expect(createApprovalTokens(bytes).read(text, new Date(0))).toEqual({ kind: "forged" });
    }),
  ));
