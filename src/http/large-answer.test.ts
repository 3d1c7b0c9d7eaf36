import { expect, test } from "bun:test";
import { Base64Bytes } from "./base64.ts";
import { jsonPieces, sized, streamOf } from "./large-answer.ts";

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

test("a large answer is made as it is read, and gives its memory back when the reader goes", async () => {
  let turns = 0;
  let ended = 0;
  const exchange = {
    inPieces(pieces: Iterator<Uint8Array>) {
      return streamOf(
        pieces,
        async () => {
          turns++;
        },
        () => ended++,
      );
    },
  };
  const value = { raw: new Base64Bytes(new Uint8Array(5_000_000)) };
  const reader = (sized(exchange, value) as unknown as Response).body?.getReader();
  for (let i = 0; i < 3; i++) expect((await reader?.read())?.value?.byteLength).toBeLessThan(200_000);
  // A piece a turn, and none ahead of the reader.
  expect([turns, ended]).toEqual([3, 0]);
  await reader?.cancel();
  expect([turns, ended]).toEqual([3, 1]);

  const small = { text: "x" };
  expect(sized(exchange, small)).toBe(small);
  const whole = sized(exchange, value) as unknown as Response;
  expect(JSON.parse(await whole.text())).toEqual({ raw: value.raw.toJSON() });
  expect(ended).toBe(2);
});
