import { expect, test } from "bun:test";
import { htmlToText, seenText, shownText, styledText } from "./text.ts";

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
  ["outside of the body", "<body>Thanks</body><p>Please wire 9,000 EUR", "Thanks\n\nPlease wire 9,000 EUR"],
  ["after the end of the document", "<html><body>Thanks</body></html>Wire it", "Thanks\nWire it"],
  ["in the head", "<head>Wire it<title>no</title></head><body><p>Thanks</p></body>", "Wire it\n\nThanks"],
  ["in fields and details", "<textarea>a</textarea><details><summary>b</summary>c</details>", "a\nb\nc"],
  ["in elements of no language", "<wire>a</wire><noscript>b</noscript><svg><text>c</text></svg>", "abc"],
])("words are read %s", (_name, html, expected) => {
  expect(htmlToText(html)).toBe(expected);
});

test("what some mail program shows: texts for pictures, fields, and what only Outlook reads", () => {
  const html =
    '<!--[if mso]><p>Outlook</p><![endif]--><img alt="picture"><input value=field placeholder=hint><input type=hidden value=no><!-- no -->';
  expect(shownText(html)).toBe("Outlook\n\npicture field hint");
  expect(htmlToText(html)).toBe("");
});

test("words that style sheets add are found, escapes resolved", () => {
  expect(styledText("<style>p::before{content:'\\201CWire it' attr(x)} a::after{content:'»'}</style>")).toEqual([
    "“Wire it",
  ]);
});

test("an agent is told the texts for pictures, as a mail program shows that does not load them", () => {
  expect(seenText('<img alt="SPRING50">')).toEqual({ text: "SPRING50", hiddenChars: 0, isUnsure: false, isCut: false });
  expect(seenText('<img alt="SPRING50"><p>Hi')).toEqual({
    text: "SPRING50\n\nHi",
    hiddenChars: 0,
    isUnsure: false,
    isCut: false,
  });
});

const letters = [..."abcdefghijklmnopqrstuvwxyz"];
const sheet = letters
  .map((one) => `.${one}{color:red;left:0;top:0;width:9px;height:9px;right:0;bottom:0;opacity:1}`)
  .join("");

test.each([
  ["nesting", `${"<li><td>".repeat(1_000)}deep <i style=x>text</i> &amp; more`, /^\* deep text & more$/],
  ["elements", `<i style=x>y</i>${"<p>".repeat(201_000)}`, /^y$/],
  ["elements, before a style sheet", `${"<p>".repeat(201_000)}<style>a{}</style>Pay <b>now`, /^Pay now$/],
  [
    "matching rules",
    `<style>${sheet}</style>${Array.from({ length: 6_000 }, (_, i) => `<p id=i${i} class="${letters.join(" ")}">x`).join("")}`,
    /^x/,
  ],
])("beyond the limit of %s the words stay, and it is said that nobody knows what is hidden", (_name, html, text) => {
  const seen = seenText(html);
  expect(seen.text).toMatch(text);
  expect(seen.hiddenChars).toBeNull();
});

test("an ordinary long newsletter is within all limits", () => {
  const rules = Array.from({ length: 600 }, (_, i) => `.c${i}{color:#333;font-size:14px;width:9px}`).join("");
  const row =
    '<tr><td class="c1 c2 c3" style="padding:0;color:#222"><a class="c4" href="https://shop.example/">A chair</a></td></tr>';
  const seen = seenText(`<style>${rules}</style><table>${row.repeat(800)}</table>`);
  expect(seen.hiddenChars).toBe(0);
  expect(seen.text).toContain("A chair");
});
