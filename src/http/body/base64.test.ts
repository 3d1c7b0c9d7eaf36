import { expect, test } from "bun:test";
import { Base64Reader, decodeBase64 } from "./base64.ts";

/** Decodes base64 that comes in pieces of one length. */
function read(text: string, piece: number): string | null {
  const reader = new Base64Reader();
  for (let at = 0; at < text.length; at += piece) reader.push(text.slice(at, at + piece));
  const bytes = reader.end();
  return bytes && Buffer.from(bytes).toString("latin1");
}

const many = (line: number, count: number) => `${"A".repeat(line)}\n`.repeat(count);

test.each<[string, string | null]>([
  ["", ""],
  ["QQ==", "A"],
  ["QUI=", "AB"],
  ["QUJD", "ABC"],
  ["QR==", "A"],
  ["QUJDQQ==", "ABCA"],
  ["QU\r\nJD\r\nQQ\n==\r\n", "ABCA"],
  ["QQ=\n=", "A"],
  ["\n\r\n", ""],
  ["QQ=", null],
  ["QQ", null],
  ["Q", null],
  ["QQ==QQ==", null],
  ["QQ==\nQQ==", null],
  ["QUJD=", null],
  ["====", null],
  ["QU JD", null],
  ["QUJD\t", null],
  ["QU-_", null],
  ["QUJDä", null],
])("%j is base64 of %j, in pieces of any length", (text, bytes) => {
  for (const piece of [1, 2, 3, 5, 100]) expect(read(text, piece)).toBe(bytes);
  const whole = decodeBase64(text);
  expect(whole && Buffer.from(whole).toString("latin1")).toBe(bytes);
});

test("lines may be short when they are few", () => {
  expect(read(many(4, 400), 1_000)).toHaveLength(1_200);
  expect(read(many(4, 4_000), 1_000)).toBeNull();
  expect(read(many(16, 4_000), 1_000)).toHaveLength(48_000);
});

test("bytes of any length come back from pieces of any length", () => {
  for (const length of [1, 100, 9_999, 100_000]) {
    const bytes = Buffer.alloc(length, "any bytes\xff\x00", "latin1");
    for (const piece of [77, 65_536]) expect(read(bytes.toString("base64"), piece)).toBe(bytes.toString("latin1"));
  }
});
