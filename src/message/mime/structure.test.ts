import { expect, test } from "bun:test";
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
