import { expect, test } from "bun:test";
import { htmlFromText } from "./from-text.ts";
import { htmlToText } from "./text.ts";

test("paragraphs and lines stay what they are", () => {
  expect(htmlFromText("Hello Ann,\r\n\r\nPay 110.\nToday.\n\n\n\nThanks  \n")).toBe(
    "<p>Hello Ann,</p>\n<p>Pay 110.<br>\nToday.</p>\n<p>Thanks</p>",
  );
  expect(htmlFromText(" \n\t\n")).toBe("");
});

test("nothing in the text becomes markup", () => {
  const text = `<img src=x onerror="alert(1)"> & <!-- </p> &lt;b&gt;`;
  const html = htmlFromText(text);
  expect(html.match(/<[^>]*>/g)).toEqual(["<p>", "</p>"]);
  expect(htmlToText(html).trim()).toBe(text);
});

test("columns and indents are kept", () => {
  expect(htmlFromText("  a   b\n\tc d")).toBe("<p>&nbsp; a&nbsp;&nbsp; b<br>\n&nbsp;&nbsp;&nbsp; c d</p>");
});
