import { expect, test } from "bun:test";
import { closeInTurn } from "./closing.ts";
import { createLog } from "./log.ts";

test("parts that hang or fail keep no other from closing, the last one first", async () => {
  const closed: string[] = [];
  const lines: string[] = [];
  const log = createLog({ level: "info", format: "json", stream: { write: (line) => lines.push(line) } });
  const closers = [
    () => closed.push("store"),
    () => new Promise(() => closed.push("hangs")),
    () => Promise.reject(new Error("broken")),
    () => {
      throw new Error("broken at once");
    },
    async () => {
      await new Promise(setImmediate);
      closed.push("listener");
    },
  ];
  await closeInTurn(closers, { allMs: 0, lateMs: 50 }, log);
  expect(closed).toEqual(["listener", "hangs", "store"]);
  expect(closers).toEqual([]);
  expect(lines.map((line) => JSON.parse(line).error)).toEqual([
    expect.stringContaining("broken at once"),
    expect.stringContaining("broken"),
    expect.stringContaining("did not stop in time"),
  ]);
});
