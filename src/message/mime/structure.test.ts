import { expect, test } from "bun:test";
import { superlinear } from "../../../test/support/growth.ts";
import type { Defect } from "../../mail.ts";
import { scanHeaders } from "../headers.ts";
import { hasTextInHeader, scanStructure } from "./structure.ts";

const limits = { maxParts: 10, maxDepth: 10, maxHeaderBytes: 64 * 1024 };

function scan(rest: string) {
  const raw = Buffer.from(`From: a@b.example\r\n${rest}`);
  const block = scanHeaders(raw, { bytesMax: limits.maxHeaderBytes, fieldsMax: 1_000 });
  return { ...scanStructure(raw, block, limits), hasTextInHeader: hasTextInHeader(raw, block) };
}

const codes = (defects: readonly Defect[]) => defects.map(({ code }) => code);

test("words at the end of a header are the text", () => {
  const { root, defects, hasTextInHeader } = scan("words\r\n".repeat(1_000));
  expect([root.start, codes(defects).includes("header_unterminated"), hasTextInHeader]).toEqual([19, true, true]);
});

test("the lines of a header without end are counted before they are read", () => {
  const { excess, defects, hasTextInHeader } = scan("a\n".repeat(1_000_001));
  expect([excess?.code, codes(defects), hasTextInHeader]).toEqual(["lines_exceeded", ["part_ambiguous"], true]);
});

test("a header of more than 1 MiB is not read line by line", () => {
  const { root, defects, hasTextInHeader } = scan(`${"a: b\n".repeat(300_000)}words`);
  expect([root.start, defects, hasTextInHeader]).toEqual([root.end, [], true]);
});

/** Of a message with one multipart more for each of them inside the others. */
const bytesPerLevel = 400_000;

test("lines of white space are read once, however many boundaries with white space are open", async () => {
  const build = (size: number) => {
    const depth = Math.ceil(size / bytesPerLevel);
    const multipart = (i: number) => `Content-Type: multipart/mixed; boundary="- b${i}"\r\n\r\n`;
    const levels = Array.from({ length: depth }, (_, i) => `--- b${i}\r\n${multipart(i + 1)}`).join("");
    const line = `---${" ".repeat(20_000)}x\r\n`;
    return Buffer.from(`${multipart(0)}${levels}${line.repeat(size / line.length)}`);
  };
  const wide = { maxParts: 100, maxDepth: 50, maxHeaderBytes: 64 * 1024 };
  const read = (raw: Buffer) => {
    const found = scanStructure(raw, scanHeaders(raw, { bytesMax: 64 * 1024, fieldsMax: 10 }), wide);
    expect(found.excess).toBeNull();
  };
  expect(await superlinear(48 * bytesPerLevel, build, read)).toBeNull();
});
