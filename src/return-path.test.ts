import { describe, expect, test } from "bun:test";
import { createReturnPaths, hideSignatures } from "./return-path.ts";

const key = new Uint8Array(32).fill(7);
const domain = "agents.example";
const messageId = "msg_0198f3a1c2d37abc8def0123456789ab";
const paths = createReturnPaths(key, domain);

test("a return path comes back as the message and recipient it was made for", () => {
  for (const recipient of [0, 1, 35, 36, 49, 46_655]) {
    const path = paths.make(messageId, recipient);
    expect(path).toMatch(/^bounce\+0198f3a1c2d37abc8def0123456789ab\.[0-9a-z]{1,3}\.[a-z2-7]{20}@agents\.example$/);
    expect(path.lastIndexOf("@")).toBeLessThanOrEqual(64);
    expect(paths.read(path)).toEqual({ messageId, recipient });
  }
});

test("the case it comes back in does not matter", () => {
  const path = paths.make(messageId, 11);
  expect(paths.read(path.toUpperCase())).toEqual({ messageId, recipient: 11 });
  expect(createReturnPaths(key, "Agents.EXAMPLE").read(path)).toEqual({ messageId, recipient: 11 });
});

test("a path that an earlier version made is still read: bounces take days", () => {
  const old = "bounce+0198f3a1c2d37abc8def0123456789ab.1a.odwrxwpunsxw7phboova@agents.example";
  expect(paths.read(old)).toEqual({ messageId, recipient: 46 });
  expect(paths.make(messageId, 46)).toBe(old);
});

test("the same path is made every time, and another for each recipient and message", () => {
  expect(paths.make(messageId, 3)).toBe(paths.make(messageId, 3));
  const all = [0, 1, 2].flatMap((n) => [paths.make(messageId, n), paths.make(`msg_${"0".repeat(32)}`, n)]);
  expect(new Set(all.map((path) => path.slice(path.lastIndexOf("."))))).toHaveProperty("size", 1);
  expect(new Set(all.map((path) => path.split(".")[2])).size).toBe(6);
});

describe("what this server did not sign is forged", () => {
  const path = paths.make(messageId, 1);
  const signature = (path.split(".")[2] as string).slice(0, 20);
  const cases: Record<string, string> = {
    "another recipient": path.replace(".1.", ".2."),
    "another message": path.replace("0198", "0199"),
    "one character changed": path.replace(signature, (signature[0] === "a" ? "b" : "a") + signature.slice(1)),
    "a signature cut short": path.replace(signature, signature.slice(1)),
    "a longer signature": path.replace(signature, `${signature}a`),
    "no signature": path.replace(`.${signature}`, ""),
    "a number with a leading zero": path.replace(".1.", ".01."),
    "another key": createReturnPaths(new Uint8Array(32).fill(8), domain).make(messageId, 1),
    "another domain's signature": createReturnPaths(key, "other.example")
      .make(messageId, 1)
      .replace("other.example", domain),
  };
  for (const [name, address] of Object.entries(cases))
    test(name, () => {
      expect(paths.read(address)).toBe("forged");
    });
});

test.each([
  "bot@agents.example",
  "bounce@agents.example",
  "bounce+tag@agents.example",
  "bounce+0198f3a1@agents.example",
  "",
  "@",
  "@agents.example",
  `x${paths.make(messageId, 1)}`,
  createReturnPaths(key, "other.example").make(messageId, 1),
  paths.make(messageId, 1).replace("@", "@sub."),
])("%p is not a return path of ours", (address) => {
  expect(paths.read(address)).toBeNull();
});

test.each([
  ["0198f3a1c2d37abc8def0123456789ab", 0],
  ["msg_xyz", 0],
  [`${messageId}00`, 0],
  [messageId, -1],
  [messageId, 46_656],
  [messageId, 1.5],
  [messageId, Number.NaN],
])("nothing is made for %p and recipient %p", (id, recipient) => {
  expect(() => paths.make(id, recipient)).toThrow(RangeError);
});

test.each([262_060, 262_095, 262_110, 262_143, 262_144, 0])(
  "a signature at byte %d is hidden, and nothing else",
  (at) => {
    const path = paths.make(messageId, 11);
    const bytes = Buffer.from(`${"-".repeat(at)}${path}${"-".repeat(300_000)}${path.toUpperCase()}`);
    const hidden = path.replace(/[a-z2-7]{20}@/, `${"x".repeat(20)}@`);
    for (const _ of hideSignatures(bytes));
    const text = bytes.toString();
    expect(text.slice(at, at + path.length)).toBe(hidden);
    expect(text.slice(0, at) + text.slice(at + path.length, -path.length)).toMatch(/^-+$/);
    expect(text.slice(-path.length).toLowerCase()).toBe(hidden);
  },
);

test("a return path without its signature is known by this server's domain", () => {
  const hidden = paths.make(messageId, 11).replace(/[a-z2-7]{20}@/, `${"x".repeat(20)}@`);
  expect(paths.isHidden(hidden)).toBe(true);
  expect(paths.isHidden(hidden.toUpperCase())).toBe(true);
  expect(paths.isHidden(hidden.replace("agents.", "evil."))).toBe(false);
  expect(paths.isHidden(paths.make(messageId, 11))).toBe(false);
});
