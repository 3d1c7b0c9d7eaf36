import { expect, test } from "bun:test";
import { counterpart } from "./attached-files.ts";

const file = (index: number, filename: string, content_id?: string) => ({
  ...{ index, filename, content_type: "image/png", size: 1 },
  ...(content_id === undefined ? {} : { content_id }),
});

test("each listed file is found among the parts, also of two that share a Content-ID", () => {
  const listed = [
    file(0, "a.png"),
    file(1, "b.png", "x"),
    file(2, "c.png", "x"),
    file(3, "d.png"),
    file(4, "e.png", "y"),
  ];
  // What the HTML shows comes first in the message.
  const order = ["b.png", "c.png", "e.png", "a.png", "d.png"];
  const parts = order.map((name) => ({
    attachment: listed.find(({ filename }) => filename === name) as (typeof listed)[0],
  }));
  const found = listed.map((one) => counterpart(one, listed, parts)?.attachment.filename);
  expect(found).toEqual(listed.map(({ filename }) => filename));
});
