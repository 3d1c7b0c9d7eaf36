import { describe, expect, test } from "bun:test";
import { quotableHtml } from "./html/safe.ts";
import { seenText } from "./html/text.ts";
import { type Quotable, withForwarded, withQuote } from "./quote.ts";
import { replyText } from "./text/reply.ts";

const original: Quotable = {
  from: { address: "ann@x.example", name: 'Ann "<b>" Roe' },
  to: [{ address: "bot@agents.example", name: "" }],
  cc: [],
  subject: "Order <1>",
  date: new Date("2026-11-30T16:34:56Z"),
  text: "One\r\n\r\n> two\r\n",
  html: null,
};

describe("a quote in a reply", () => {
  test("is introduced, marked line by line, and found again by the reader", () => {
    const { text, html } = withQuote({ text: "Fine.\n\n", html: null }, original);
    expect(text).toBe(
      'Fine.\n\nOn Mon, 30 Nov 2026 at 16:34 UTC, Ann " b " Roe <ann@x.example> wrote:\n> One\n>\n>> two\n',
    );
    expect(html).toBeNull();
    expect(replyText(text, "Re: Order")).toBe("Fine.");
  });

  test("is HTML if either message has some, inside the body of the answer", () => {
    const own = withQuote({ text: "Fine.", html: "<html><body><p>Fine.</p></body></html>" }, original).html ?? "";
    expect(own).toMatch(
      /^<html><body><p>Fine\.<\/p>\s*<br>\s*<div class="gmail_quote[\s\S]*<p>One<\/p>[\s\S]*<\/div>\s*<\/body><\/html>$/,
    );
    expect(own).toContain("&lt;ann@x.example&gt;");
    // Lower case, this letter has two characters.
    const turkish = "<body><p>\u0130stanbul</p></body>";
    expect(withQuote({ text: "", html: turkish }, original).html).toMatch(/<\/div>\s*<\/body>$/);
    const theirs = withQuote({ text: "A < B", html: null }, { ...original, html: "<i>One</i>" }).html ?? "";
    expect(theirs).toMatch(/^<p>A &lt; B<\/p>[\s\S]*<blockquote[^>]*>\s*<i>One<\/i>\s*<\/blockquote>/);
  });

  test.each([
    ["<body><p>Hi</p></body><!-- end of </body> -->", "<body><p>Hi</p>", "</body><!-- end of </body> -->"],
    ["<p>Hi</p><textarea></body></textarea>", "<p>Hi</p><textarea></body></textarea>", ""],
    ["<BODY>Hi</BODY >\n</html>", "<BODY>Hi", "</BODY >\n</html>"],
    ["<p>Hi</p></body-1>", "<p>Hi</p></body-1>", ""],
    ["<p>Hi</p><!-- open </body>", "<p>Hi</p><!-- open </body>-->", ""],
    ['<p>Hi</p><a href="htt', '<p>Hi</p><a href="htt">', ""],
    ["<p>Hi</p><style>p{", "<p>Hi</p><style>p{</style>", ""],
    ["<p>Hi</p><b", "<p>Hi</p><b>", ""],
  ])("is shown, whatever the HTML of the answer leaves open: %s", (html, before, after) => {
    const whole = withQuote({ text: "Hi", html }, { ...original, html: "<p>One</p>" }).html ?? "";
    expect(whole).toStartWith(`${before}\n<br>\n<div class="gmail_quote`);
    expect(whole).toEndWith(`</div>\n${after}`);
    expect(seenText(whole).text).toContain("One");
  });

  test("ends, however long the message is", () => {
    const text = "line\n".repeat(1_000_000);
    const html = "<p>x</p>".repeat(1_000_000);
    const quote = withQuote({ text: "", html: null }, { ...original, text, html });
    expect(quote.text.length).toBeLessThan(600_000);
    expect(quote.text).toEndWith("> [The rest is left out.]\n");
    expect(quote.html).toBeNull();
  });

  test("of nobody's message says so", () => {
    expect(withQuote({ text: "", html: null }, { ...original, from: null }).text).toStartWith(
      "On Mon, 30 Nov 2026 at 16:34 UTC, someone wrote:\n",
    );
  });
});

test.each([..."line-height:0 margin:calc(0px-(300px)) display:var(--x) offset-path:path('M0')".split(" ")])(
  "HTML is not quoted if only a browser can tell what it hides: %s",
  (style) => {
    expect(quotableHtml(`<p style="${style}">x</p>`, [])).toBeNull();
  },
);

test("a forward has the head of the message, one line each, and keeps it all new", () => {
  const cc = Array.from({ length: 25 }, (_, i) => ({ address: `c${i}@x.example`, name: i === 0 ? "C\nBcc: x" : "" }));
  const { text } = withForwarded({ text: "For you.", html: null }, { ...original, cc });
  const lines = text.split("\n");
  expect(lines.slice(0, 7)).toEqual([
    ...["For you.", "", "---------- Forwarded message ---------", 'From: Ann " b " Roe <ann@x.example>'],
    ...["Date: Mon, 30 Nov 2026 16:34:56 +0000", "Subject: Order <1>", "To: <bot@agents.example>"],
  ]);
  expect(lines[7]).toMatch(/^Cc: C Bcc: x <c0@x\.example>, .* and 5 more$/);
  expect(lines.slice(8)).toEqual(["", "One", "", "> two", ""]);
  expect(replyText(text, "Fwd: Order")).toContain("One");
});

test("a forward of mail without To and Cc names neither", () => {
  const { text } = withForwarded({ text: "", html: null }, { ...original, to: [] });
  expect(text.split("\n").slice(3, 6)).toEqual(["Subject: Order <1>", "", "One"]);
});

const rewritten: [html: string, quote: string][] = [
  ['<a href="https://a.example/x?y=1">a</a>', '<a href="https://a.example/x?y=1">a</a>'],
  ['<a href="javascript:alert(1)">a</a>', "<a>a</a>"],
  ["<style>p{color:red}</style><p>x</p>", "<p>x</p>"],
  ['<div style="position:fixed;top:0" id="x">x</div>', "<div>x</div>"],
  ...[
    ...["margin-top:-90px", "margin-top: -.5e2px", "margin:-300px 0 0", "mar\\67 in-top:-300px"],
    ...["outline:2000px solid #fff", "box-shadow:0 0 0 2000px #fff", "translate:0 -300px", "scale:20", "zoom:20"],
    ...["filter:drop-shadow(0 -99px 0 #fff)", "-webkit-box-reflect:above", "font:300px/9 x", "line-height:9"],
    ...["border-image-outset:500px", 'font-family:"a\\";position:fixed;x:\\""'],
  ].map((style): [string, string] => [`<p style='${style}'>x</p>`, "<p>x</p>"]),
  [
    "<td style=\"MARGIN: 0 auto; color:rgb(1, 2, 3) !important;padding-left:.8ex;font-family:Arial,'A B'\">x</td>",
    '<td style="margin:0 auto;color:rgb(1, 2, 3);padding-left:.8ex;font-family:arial,&#39;a b&#39;">x</td>',
  ],
  ["<style>.h{display:none}</style><p class=h>hidden</p><p>x</p>", "<p>x</p>"],
  ['<p style="position:absolute;left:-9999px">hidden</p><b>x</b>', "<b>x</b>"],
  [
    '<img src="cid:known" alt="k"><img src="cid:other"><img src="https://a.example/p.png">',
    '<img alt="k" src="cid:known"><img><img>',
  ],
  ["<p popover>x</p><rp>y</rp>z", "z"],
  ["<style>@supports (color:red){p{&.x{display:none}}}</style><p class=x>x</p><p>y</p>", "<p>y</p>"],
  ["</blockquote></div><p>out", "<p>out</p>"],
  ["<script>x</script><form><input></form><b>y", "<b>y</b>"],
];
test.each(rewritten)("HTML in a quote: %s", (html, quote) => {
  expect(quotableHtml(html, ["known"])).toBe(quote);
});
