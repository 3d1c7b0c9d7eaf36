import { expect, test } from "bun:test";
import { Type } from "@sinclair/typebox";
import { Failure } from "../../util/errors.ts";
import { body, JsonBody, list } from "./input.ts";

test("of any number of unknown members, in any place, few are looked at", () => {
  const schema = body({ files: list(Type.Object({ name: Type.String() }), 10) });
  let looks = 0;
  const file: Record<string, unknown> = { name: "a" };
  // Cut short for the answer, all of these names are the same.
  for (let i = 0; i < 5_000; i++)
    Object.defineProperty(file, `${"x".repeat(64)}${i}`, { enumerable: true, get: () => ++looks });
  expect(() => schema["~standard"].validate(new JsonBody({ files: [file] }))).toThrow(Failure);
  expect(looks).toBeLessThanOrEqual(200);
});
