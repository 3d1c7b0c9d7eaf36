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

test("a wrong member does not count as fitting because others fill the answer", () => {
  const schema = body({ key: Type.String() }, ({ key }, _complain, isWrong) => {
    expect([key, isWrong("key")]).toEqual([undefined, true]);
  });
  const unknown = Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`x${i}`, 0]));
  expect(() => schema["~standard"].validate(new JsonBody({ ...unknown, key: 0 }))).toThrow(Failure);
});
