import { expect, test } from "bun:test";
import { htmlToText } from "./html-text.ts";

test.each([
  ["paragraphs", "<p>One</p><p>Two &amp; three</p>", "One\n\nTwo & three"],
  ["a link", '<p>See <a href="https://example.com/x">this</a>.</p>', "See this <https://example.com/x>."],
  ["a bare link", '<a href="https://example.com">https://example.com</a>', "https://example.com"],
  ["a heading", "<h1>Hello</h1>World", "Hello\n\nWorld"],
  ["no script, style or image", "<style>a{}</style><script>x()</script><img src=a alt=b>text", "text"],
  ["nesting beyond reason", `${"<b>".repeat(10_000)}deep <i>text</i>`, "deep text"],
  ["nothing", "", ""],
])("%s", (_name, html, expected) => {
  expect(htmlToText(html)).toBe(expected);
});

test.each([
  "<b>",
  "<div>",
  "<table><tr><td>",
  "<ul><li>",
  "<",
  "&",
  "<!--",
  "<br>",
  "</p>",
  "<a href='",
  "<td>",
  " ",
  "x<",
])("hostile HTML takes little time: %j …", (piece) => {
  const started = performance.now();
  htmlToText(piece.repeat(1_000_000 / piece.length));
  expect(performance.now() - started).toBeLessThan(500);
});
