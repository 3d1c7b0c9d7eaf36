import { describe, expect, test } from "bun:test";

// These comparisons work like this in every test, whether Bun itself or the preload of bunfig.toml provides them.

const pairs: [kind: string, one: unknown, other: unknown][] = [
  ["Date", new Date(1), new Date(2)],
  ["Date and invalid Date", new Date(Number.NaN), new Date(2)],
  ["Date and object", {}, new Date(2)],
  ["Set", new Set([1]), new Set([2])],
  ["Map", new Map([["a", 1]]), new Map([["a", 2]])],
  ["RegExp", /a/, /b/],
  ["Error", new Error("a"), new Error("b")],
  ["kind of Error", new TypeError("a"), new Error("a")],
  ["cause of an Error", new Error("a", { cause: 1 }), new Error("a", { cause: 2 })],
  ["Buffer", Buffer.from("a"), Buffer.from("b")],
  ["Buffer and its beginning", Buffer.from("ab"), Buffer.from("a")],
  ["ArrayBuffer", new Uint8Array([1]).buffer, new Uint8Array([2]).buffer],
  ["Headers", new Headers({ a: "1" }), new Headers({ a: "2" })],
  ["URLSearchParams", new URLSearchParams("a=1"), new URLSearchParams("a=2")],
  ["function", () => 1, () => 2],
];

const places: [place: string, put: (value: unknown) => object][] = [
  ["in a member", (at) => ({ id: 7, at })],
  ["in an object in a list", (at) => [{ rows: [{ at }] }]],
  ["in a list", (at) => [1, at]],
];

describe("toMatchObject tells apart", () => {
  for (const [kind, one, other] of pairs)
    test(kind, () => {
      for (const [, put] of places) {
        expect(() => expect(put(one)).toMatchObject(put(other))).toThrow();
        expect(put(one)).not.toMatchObject(put(other));
        expect(put(other)).toMatchObject(put(other));
        expect(() => expect(put(other)).not.toMatchObject(put(other))).toThrow();
      }
    });

  test("a Date that is no part of anything", () => {
    expect(() => expect(new Date(1)).toMatchObject(new Date(2))).toThrow();
    expect(new Date(1)).toMatchObject(new Date(1));
  });

  test("a Date that a promise resolves or rejects with", async () => {
    const [one, other] = [{ at: new Date(1) }, { at: new Date(2) }];
    const resolved = async () => expect(Promise.resolve(one)).resolves.toMatchObject(other);
    const rejected = async () => expect(Promise.reject(one)).rejects.toMatchObject(other);
    for (const check of [resolved, rejected]) expect(await check().catch((error) => error)).toBeInstanceOf(Error);
    await expect(Promise.resolve({ at: new Date(1), more: 1 })).resolves.toMatchObject({ at: new Date(1) });
  });
});

test("toMatchObject leaves members out, and takes asymmetric matchers, beside a Date", () => {
  const received = { id: "msg_1", at: new Date(1), rows: [{ n: 1, at: new Date(2) }], more: new Set([1]) };
  expect(received).toMatchObject({
    id: expect.stringMatching(/^msg_/),
    at: expect.any(Date),
    rows: [{ at: new Date(2) }],
    more: expect.anything(),
  });
  expect(received).toMatchObject({ rows: expect.arrayContaining([expect.objectContaining({ at: new Date(2) })]) });
  expect(received).not.toMatchObject({ rows: [expect.objectContaining({ at: new Date(3) })] });
  expect(received).not.toMatchObject({ id: expect.any(Number), at: new Date(1) });
  expect({ at: new Error("a") }).toMatchObject({ at: { message: "a" } });
});

test("what toMatchObject says of a difference names its place and both values", () => {
  const complaint = (check: () => void) => {
    try {
      check();
      return "none";
    } catch (error) {
      return Bun.stripANSI((error as Error).message);
    }
  };
  const received = { rows: [{ at: new Date(0) }], other: "as it was" };
  const wrongDate = complaint(() => expect(received).toMatchObject({ rows: [{ at: new Date(86_400_000) }] }));
  for (const word of ["at", "1970-01-01T00:00:00.000Z", "1970-01-02T00:00:00.000Z"]) expect(wrongDate).toContain(word);
  const wrongText = complaint(() => expect(received).toMatchObject({ other: "as it is" }));
  for (const word of ["as it was", "as it is", "Expected", "Received"]) expect(wrongText).toContain(word);
});

test("what toMatchObject cannot take is an error, with `not` as well", () => {
  for (const value of [null, undefined, "text", 1]) {
    expect(() => expect(value).toMatchObject({})).toThrow();
    expect(() => expect({}).toMatchObject(value as never)).toThrow();
    expect(() => expect({}).not.toMatchObject(value as never)).toThrow();
  }
});
