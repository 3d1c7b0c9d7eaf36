import { expect, test } from "bun:test";
import { safeHtml } from "../../src/message/html/safe.ts";

const nothing = { images: false, inline: () => null };
const safe = (html: string) => safeHtml(html, nothing);

test.each([
  ["script", "a<script>alert(1)</script>b", "ab"],
  ["script that is never closed", "a<script>alert(1)", "a"],
  ["event handlers", '<img src=x onerror="alert(1)">', "<img>"],
  ["handlers on what is allowed", '<p onclick="alert(1)" onmouseover=alert(1)>x', "<p>x</p>"],
  ["SVG with all that is in it", "a<svg onload=alert(1)><script>alert(1)</script><a>x</a></svg>b", "ab"],
  ["MathML as a way to style", "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style></math>b", "b"],
  ["meta refresh", '<meta http-equiv="refresh" content="0;url=https://evil.example">a', "a"],
  [
    "links to style sheets and hints",
    '<link rel=stylesheet href="https://e.example/x.css"><link rel=dns-prefetch href=//e.example>a',
    "a",
  ],
  ["a new base", '<base href="https://evil.example/">a', "a"],
  ["frames and objects", '<iframe src="https://e.example">x</iframe><object data=x>y</object><embed src=z>a', "a"],
  ["form controls", '<form action="https://e.example"><input name=password><button>Go</button></form>', "Go"],
  ["comments, also those for Word", "a<!--[if mso]><script>alert(1)</script><![endif]-->b", "ab"],
  [
    "markup that is written out",
    "&lt;script&gt;alert(1)&lt;/script&gt; &amp;lt;",
    "&lt;script&gt;alert(1)&lt;/script&gt; &amp;lt;",
  ],
  ["a javascript link", '<a href="javascript:alert(1)">x</a>', "<a>x</a>"],
  ["one with a tab in its scheme", '<a href="java\tscript:alert(1)">x</a>', "<a>x</a>"],
  ["a data link", '<a href="data:text/html,<script>alert(1)</script>">x</a>', "<a>x</a>"],
  [
    "a picture from elsewhere",
    '<img src="https://e.example/p.png" srcset="https://e.example/q.png 2x" alt="p">',
    '<img alt="p" data-e2a-blocked="">',
  ],
  ["a picture that is markup", '<img src="data:image/svg+xml;base64,PHN2Zz4=">', "<img>"],
  [
    "style that ends its element",
    "<style>a{}</style><script>alert(1)</script><style></styl<x>e><script>1</script></style>a",
    "<style>a{}</style><style>/stylx>e>script>1/script></style>a",
  ],
  ["style that loads", '<p style="background:url(https://e.example/x)">x</p>', '<p style="background:ignored()">x</p>'],
  [
    "the same, escaped",
    '<p style="background:u\\72l(https://e.example/x)">x</p>',
    '<p style="background:u72l(https://e.example/x)">x</p>',
  ],
  [
    "a sheet of elsewhere",
    '<style>@import "https://e.example/x.css";</style>',
    '<style>@ignored "https://e.example/x.css";</style>',
  ],
  ["text written backwards", "<bdo dir=rtl>gpj.</bdo> \u202eexe", "gpj. ⟨U+202E⟩exe"],
  [
    "attributes that end early",
    "<p title='\"><script>alert(1)</script>'>x</p>",
    '<p title="&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;">x</p>',
  ],
  [
    "tags within raw text",
    '<textarea><img src=x onerror=alert(1)></textarea><noscript><p title="</noscript><img src=x onerror=alert(1)>">',
    '<p title="&lt;/noscript&gt;&lt;img src=x onerror=alert(1)&gt;"></p>',
  ],
])("%s", (_, html, shown) => {
  expect(safe(html)).toBe(shown);
});

test("what lays a mail out stays, with its structure mended", () => {
  const html =
    '<body bgcolor="#eee"><table width="600"><tr><td align=center><b>Hi</b><td>there<tr><td>you</table><p>One<p>Two<br>Three</body>';
  expect(safe(html)).toBe(
    '<div bgcolor="#eee" style="background-color:#eee"><table width="600"><tr><td align="center"><b>Hi</b></td><td>there</td></tr><tr><td>you</td></tr></table>' +
      "<p>One</p><p>Two<br>Three</p></div>",
  );
});

test("an end tag in a cell closes nothing around the table", () => {
  expect(safe("<div><table><tr><td></div>x</table>y</div>")).toBe("<div><table><tr><td>x</td></tr></table>y</div>");
});

test("a picture of the mail itself is shown, one from elsewhere when the reader wants it", () => {
  const inline = (id: string) => (id === "logo@x" ? "data:image/png;base64,AAAA" : null);
  expect(safeHtml('<img src="cid:logo@x"><img src="cid:other">', { images: false, inline })).toBe(
    '<img src="data:image/png;base64,AAAA"><img>',
  );
  expect(safeHtml('<img src="https://e.example/p.png">', { images: true, inline })).toBe(
    '<img src="https://e.example/p.png">',
  );
});

const hrefOf = (html: string) => /href="([^"]*)"/.exec(safe(html))?.[1];

test("links lead to the page that shows where they go, in a new window that knows nothing of this one", () => {
  const html = safe('<a href="https://example.com/a?b=1&amp;c=2" target=_top>the offer</a>');
  expect(html).toContain('href="/leaving?to=https%3A%2F%2Fexample.com%2Fa%3Fb%3D1%26c%3D2"');
  expect(html).toContain('target="_blank" rel="noopener noreferrer nofollow"');
  expect(html).toContain('title="example.com\n');
  expect(hrefOf('<a href="https://bank.example@evil.example/">x</a>')).toBe(
    "/leaving?to=https%3A%2F%2Fevil.example%2F",
  );
  expect(hrefOf('<a href="#part-2">x</a>')).toBe("#part-2");
});

test.each([
  ["another host", "https://evil.example/", "https://bank.com/login", "evil.example"],
  ["another host without a scheme", "https://evil.example/", "bank.com", "evil.example"],
  ["another host in a sentence", "https://evil.example/", "Go to www.bank.com now", "evil.example"],
  ["another host behind a hidden true one", "https://evil.example/", "www.evil.example www.bank.com", "evil.example"],
  ["another host with what nobody sees in it", "https://evil.example/", "ba\u200bnk\u00ad.com", "evil.example"],
  ["look-alike letters", "https://xn--pple-43d.com/", "Apple", "xn--pple-43d.com (аpple.com)"],
])("a link says its real host when its words claim %s", (_, url, words, host) => {
  expect(safe(`<a href="${url}">${words}</a>`)).toContain(`</a><span class="e2a-host">${host}</span>`);
});

test.each([
  ["https://www.bank.com/login", "bank.com"],
  ["https://example.com/", "Read more"],
  ["https://nodejs.org/", "Node.js"],
  ["mailto:ann@example.com", "ann@example.com"],
])("%s shown as %p claims nothing false", (url, words) => {
  expect(safe(`<a href="${url}">${words}</a>`)).not.toContain("e2a-host");
});

test("a mail does not set the mark of a false link itself", () => {
  for (const name of ["e2a-host", "E2A-Host", "a e2a-host b", "e2a-host\te2a-host"]) {
    const html = safe(`<a href="https://evil.example/">Pay</a><span class="${name}">bank.com</span>`);
    expect(html).toContain("bank.com</span>");
    expect(html).not.toMatch(/e2a-host/i);
  }
  expect(safe('<p class="one two">x</p>')).toContain('class="one two"');
});

test("nesting without end stays shallow, and all its words are there", () => {
  const html = safe(`${"<table><tr><td>".repeat(100_000)}deep${"</td></tr></table>".repeat(100_000)}`);
  expect(html.match(/<table>/g)?.length).toBeLessThan(101);
  expect(html).toContain("deep");
});

test.each([
  ["a comment that is never closed", "p{color:red}/*a", "p{color:red} "],
  [
    "a string that is never closed",
    "p{background:url('https://e.example/x",
    "p{background:ignored('https://e.example/x",
  ],
  [
    "loading without url()",
    "p{background:-webkit-image-set('https://e.example/x' 1x)}",
    "p{background:ignored('https://e.example/x' 1x)}",
  ],
  [
    "a URL with a comment in it",
    "p{background:url(https://e.example/*/x);color:red}",
    "p{background:ignored();color:red}",
  ],
  [
    "code in old browsers",
    "p{BEHAVIOR:url(x.htc);unicode-bidi:bidi-override}",
    "p{ignored:ignored();ignored:bidi-override}",
  ],
])("a style sheet stays without %s", (_, css, shown) => {
  expect(safe(`<style>${css}</style>`)).toBe(`<style>${shown}</style>`);
});

test("a picture of the mail that is shown without end is written some times only", () => {
  const picture = `data:image/png;base64,${"A".repeat(1_000_000)}`;
  const html = safeHtml("<img src=cid:x>".repeat(5_000), { images: false, inline: () => picture });
  expect(html).toContain(picture);
  expect(html.length).toBeLessThan(18 * 1024 * 1024);
});
