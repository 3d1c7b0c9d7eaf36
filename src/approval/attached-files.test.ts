import { expect, test } from "bun:test";
import type { Attachment } from "../mail.ts";
import { counterparts } from "./attached-files.ts";

const file = (content_id?: string): Attachment => ({
  ...{ index: 0, filename: "a", content_type: "text/plain", size: 1 },
  ...(content_id === undefined ? {} : { content_id }),
});

test.each([
  ["by their places, without ids", ["", "", ""], ["1", "2", "3"], ["1", "2", "3"]],
  ["by their ids, and the rest by place", ["", "p", "", "q"], ["p:1", "q:2", "3", "4"], ["3", "1", "4", "2"]],
  ["one after the other, if they share an id", ["p", "", "p", "p"], ["p:1", "p:2", "3"], ["1", "3", "2", undefined]],
  ["by place, if no part has their id", ["p", "", "q"], ["1", "q:2", "3"], ["1", "3", "2"]],
  ["as far as there are parts", ["", "p", ""], ["p:1", "2"], ["2", "1", undefined]],
])("listed files are found %s", (_, listed, parts, found) => {
  const made = parts.map((part) => {
    const [name = "", id = ""] = part.split(":").toReversed();
    return { attachment: file(id), name };
  });
  const files = listed.map((id) => file(id || undefined));
  expect(counterparts(files, made).map((part) => part?.name)).toEqual(found);
});

test.each([undefined, "same", "each"])(
  "each file is looked at a few times, however many there are (ids: %s)",
  (ids) => {
    let looks = 0;
    const counted = (place: number): Attachment =>
      Object.defineProperty(file(), "content_id", {
        get() {
          looks++;
          return ids === "each" ? `id${place}` : ids;
        },
      });
    const count = 2_000;
    const listed = Array.from({ length: count }, (_, i) => counted(i));
    const parts = listed.map((_, i) => ({ attachment: counted(i), i }));
    expect(counterparts(listed, parts).map((part) => part?.i)).toEqual(parts.map(({ i }) => i));
    expect(looks).toBeLessThanOrEqual(4 * count);
  },
);
