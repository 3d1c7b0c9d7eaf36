import { describe, expect, test } from "bun:test";
import { fieldText, scanHeaders } from "./headers.ts";

const scan = (text: string) => scanHeaders(Buffer.from(text, "latin1"));

test.each<[string, string, string[], string]>([
  ["CRLF", "A: b\r\nC: d\r\n\r\nbody", ["A=b", "C=d"], "body"],
  ["LF", "A: b\nC: d\n\nbody", ["A=b", "C=d"], "body"],
  ["both", "A: b\r\nC: d\n\r\n\nbody", ["A=b", "C=d"], "\nbody"],
  ["a folded value", "A: b\r\n c\r\n\td\r\nE: f\r\n\r\n", ["A=b c\td", "E=f"], ""],
  ["a folded line that looks like a field", "A: b\r\n\tB: c\r\nD: e\r\n B: f\r\n\r\n", ["A=b\tB: c", "D=e B: f"], ""],
  ["a folded name", "A\r\n : b\r\nC: d\r\n\r\n", ["A=b", "C=d"], ""],
  ["a name folded far", `A\r\n${" ".repeat(5_000)}: b\r\nC: d\r\n\r\n`, ["A=b", "C=d"], ""],
  ["a colon on the next line", "Z: y\r\nA\r\n:b\r\nC\n:d\r\n\r\n", ["Z=y", "A=b", "C=d"], ""],
  ["space before the colon", "A : b\r\n\r\n", ["A=b"], ""],
  ["no field name", "nonsense\r\nA: b\r\nmore nonsense\r\nC: d\r\n\r\n", ["=nonsense", "A=b more nonsense", "C=d"], ""],
  ["a colon first", "A: b\r\n: c\r\n\r\n", ["A=b : c"], ""],
  ["an empty value", "A:\r\nB: \r\n\r\n", ["A=", "B="], ""],
  ["no body", "A: b", ["A=b"], ""],
  ["no header", "\r\nbody", [], "body"],
  ["nothing", "", [], ""],
])("%s", (_name, raw, expected, body) => {
  const block = scan(raw);
  expect(block.fields.map((field) => `${field.name}=${fieldText(field)}`)).toEqual(expected);
  expect(raw.slice(block.bodyStart)).toBe(body);
  expect(block.cut).toBe(false);
});

test("fields lie side by side and cover the whole header", () => {
  const raw = "nonsense\r\nA: b\r\n c\r\n\r\n";
  const { fields, bodyStart } = scan(raw);
  let end = 0;
  for (const field of fields) {
    expect(field.start).toBe(end);
    end = field.end;
  }
  expect(end).toBe(bodyStart - 2);
});

describe("limits", () => {
  const raw = Buffer.from(`${"A: b\r\n".repeat(100)}\r\nbody`);
  test.each([
    [{ bytesMax: 1_000, fieldsMax: 100 }, 100, false],
    [{ bytesMax: 1_000, fieldsMax: 99 }, 99, true],
    [{ bytesMax: 60, fieldsMax: 100 }, 10, true],
  ])("%j", (limits, count, cut) => {
    const block = scanHeaders(raw, limits);
    expect([block.fields.length, block.cut, block.bodyStart]).toEqual([count, cut, raw.length - 4]);
  });
});

test.each([
  ["Gr\xc3\xbc\xc3\x9fe", "Grüße"],
  ["Gr\xfc\xdfe", "Grüße"],
  ["plain", "plain"],
])("the value %j is %j", (binary, expected) => {
  expect(scan(`A: ${binary}\r\n\r\n`).fields.map((field) => fieldText(field))).toEqual([expected]);
});
