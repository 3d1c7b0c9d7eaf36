import { expect, test } from "bun:test";
import { join } from "node:path";
import { defectCodes } from "./defects.ts";

test("the documentation lists every code, and no others", async () => {
  const text = await Bun.file(join(import.meta.dir, "../../docs/delivery.md")).text();
  const table = text.slice(text.indexOf("| Code | Meaning |"), text.indexOf("## Which message does it answer?"));
  expect([...table.matchAll(/^\| `(\w+)` \|/gm)].map(([, code]) => code)).toEqual(defectCodes);
});
