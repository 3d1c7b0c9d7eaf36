import { expect, test } from "bun:test";
import { Base64Bytes, jsonPieces } from "./pieces.ts";

const values: [string, unknown][] = [
  ["a text", "x".repeat(200_000)],
  ["escapes", '"\\\n\u0001\u2028'.repeat(50_000)],
  ["surrogate pairs at every place", `a${"😀".repeat(100_000)}`],
  ["lone surrogates", "\ud800".repeat(100_000)],
  ["a list of texts", Array.from({ length: 5 }, () => "word ".repeat(20_000))],
  [
    "members of which some are not given",
    { a: "x".repeat(100_000), b: undefined, c: null, d: [undefined, 1], "ä\n": 2 },
  ],
  ["dates, numbers and truth", { long: "x".repeat(100_000), at: new Date(0), is: true, n: Number.NaN, e: [], o: {} }],
  ["many small ones", Array.from({ length: 20_000 }, (_, i) => ({ i, text: `${i}` }))],
];

test.each(values)("pieces of %s are the same JSON, and none is large", (_name, value) => {
  const pieces = [...jsonPieces(value)];
  expect(pieces.join("") === JSON.stringify(value)).toBe(true);
  expect(pieces.length).toBeGreaterThan(1);
  expect(Math.max(...pieces.map((piece) => piece.length))).toBeLessThan(500_000);
});

test("bytes become base64 a piece at a time", () => {
  for (const length of [0, 1, 2, 3, 49_152, 49_153, 200_000]) {
    const bytes = crypto.getRandomValues(Buffer.alloc(Math.min(length, 65_536)));
    const all = Buffer.alloc(length, bytes);
    const pieces = [...jsonPieces({ raw: new Base64Bytes(all) })];
    expect(JSON.parse(pieces.join(""))).toEqual({ raw: all.toString("base64") });
  }
});
