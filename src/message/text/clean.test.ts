import { expect, test } from "bun:test";
import { cleanFilename } from "./clean.ts";

test.each([
  ["dots and spaces at the ends", " .. report.pdf. . ", "report.pdf"],
  ["dots without end", `x${".".repeat(300_000)}x`, "x.x"],
  ["nothing but dots", ". ".repeat(300_000), "attachment"],
  ["a long name with its extension", `${"n".repeat(300_000)}.pdf`, `${"n".repeat(196)}.pdf`],
  ["characters of several bytes", `${"é".repeat(300)}.pdf`, `${"é".repeat(98)}.pdf`],
  ["separators and invisible characters", "a/b\\c\u202egpj.exe", "a_b_cgpj.exe"],
])("a file name of %s", (_, name, clean) => {
  expect(cleanFilename(name, "attachment")).toBe(clean);
});
