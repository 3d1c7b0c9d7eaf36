import { describe, expect, test } from "bun:test";
import { superlinear } from "../../../test/support/growth.ts";
import { renderText } from "./render.ts";
import { htmlToText, seenText, shownText } from "./text.ts";

type Case = [name: string, html: string, text: string];

const excelPaste =
  '<table class="MsoNormalTable"><tr><td><p class="MsoNormal">Chair</p></td><td><p class="MsoNormal">40</p></td></tr></table>';
const layout = `<table width="600"><tr><td width="20">&nbsp;</td><td><h1>Sale</h1><p>Dear Ann,</p></td><td width="20">&nbsp;</td></tr>
  <tr><td colspan="3" height="20" style="line-height:0">&nbsp;</td></tr>
  <tr><td></td><td><table><tr><td><h3>Chair</h3><p>Oak.</p></td><td width="4%">&nbsp;</td><td><h3>Desk</h3><p>Pine.</p></td></tr></table></td><td></td></tr></table>`;

describe.each<[string, Case[]]>([
  [
    "tables",
    [
      [
        "an order",
        "<table><thead><tr><th>Qty</th><th>Item no.</th><th>Price</th></tr></thead><tbody><tr><td>1</td><td>20</td><td>300</td></tr><tr><td>12</td><td>03</td><td>00</td></tr></tbody></table>",
        "Qty\tItem no.\tPrice\n1\t20\t300\n12\t03\t00",
      ],
      [
        "a contact form",
        "<table border=0><tr><td><b>Name:</b></td><td>Alice Roe</td></tr><tr><td><b>Phone:</b></td><td>0228 123</td></tr></table>",
        "Name:\tAlice Roe\nPhone:\t0228 123",
      ],
      [
        "white space in the source",
        "<table>\n  <tr>\n    <td>Qty</td>\n    <td>Price</td>\n  </tr>\n  <tr>\n    <td> 12 </td>\n    <td>\n300\n</td>\n  </tr>\n</table>",
        "Qty\tPrice\n12\t300",
      ],
      ["end tags left out", "<table><tr><td>a<td>b<tr><th>c<th>d</table>e", "a\tb\nc\td\n\ne"],
      ["cells with a paragraph each", excelPaste, "Chair\t40"],
      [
        "cells of Outlook on the web",
        "<table><tr><td><div>Month</div></td><td><div>Jan</div></td></tr><tr><td><div>Sales</div></td><td><div><br></div></td></tr><tr><td><div>Costs</div></td><td><div>7</div></td></tr></table>",
        "Month\tJan\nSales\nCosts\t7",
      ],
      ["empty cells between others", "<table><tr><td>a<td>b<td>c<tr><td>1<td><td>3</table>", "a\tb\tc\n1\t\t3"],
      [
        "an empty cell in the corner",
        "<table><tr><td><td>Q1<td>Q2<tr><td>Bonn<td>1<td>20</table>",
        "\tQ1\tQ2\nBonn\t1\t20",
      ],
      ["a figure alone under its column", "<table><tr><td>a<td>b<td>c<tr><td><td>2<td></table>", "a\tb\tc\n\t2"],
      [
        "cells over several columns",
        "<table><tr><td>a<td>b<td>c<tr><td colspan=2>Total<td>9</table>",
        "a\tb\tc\nTotal\t9",
      ],
      [
        "a caption, a head and a foot",
        "<table><caption>Fares</caption><thead><tr><th>a<th>b</thead><tfoot><tr><td>c<td>d</tfoot></table>",
        "Fares\na\tb\nc\td",
      ],
      [
        "words before a table and after it",
        "before<table><tr><td>a<td>b<tr><td>c<td>d</table>behind",
        "before\n\na\tb\nc\td\n\nbehind",
      ],
      ["one row only", "before<table><tr><td>a<td>b</table>behind", "before\na\tb\nbehind"],
      ["a layout of columns", layout, "Sale\n\nDear Ann,\n\nChair\n\nOak.\n\nDesk\n\nPine."],
      [
        "cells with lines",
        "<table><tr><td>Arriving:<br>Friday</td><td>Ship to:<br>Alice</td></tr></table>",
        "Arriving:\nFriday\nShip to:\nAlice",
      ],
      [
        "a product with a second line, among figures",
        "<table><tr><th>Item<th>Qty<th>Price</tr><tr><td>Chair<br><small>no. 20</small></td><td>12</td><td>40</td></tr></table>",
        "Item\tQty\tPrice\nChair / no. 20\t12\t40",
      ],
      [
        "a list in a cell",
        "<table><tr><td>Size<td>S<tr><td>Colours<td><ul><li>red<li>blue</ul></table>",
        "Size\tS\nColours\n\n* red\n* blue",
      ],
      ["tables in cells", "<table><tr><td><table><tr><td>a<td>b</table><td>c</table>", "a\tb\tc"],
      ["one cell per row", "<table><tr><td>a</td></tr><tr><td>b</td></tr></table>", "a\nb"],
      ["a row without words", "<table><tr><td>a<tr><td>&nbsp;<tr><td>b</table>", "a\n\nb"],
      ["cells without a table", "<td>a</td><td>b</td>", "a\tb"],
      ["rows without a table", "<tr><td>a</td><td>b</td></tr><tr><td>c</td></tr>", "a\tb\nc"],
      ["an end tag that belongs around the table", "<div><table><tr><td>a</div><td>b</table></div>", "a\tb"],
      ["words between cells", "<table>x<tr>y<td>a</td>z<td>b</td></tr></table>", "x\ny\na\nz\tb"],
      [
        "tables made of styles",
        "<div style='display:table'><div style='display:table-row'><div style='display:table-cell'>a</div><div style='display:table-cell'>b</div></div></div>c",
        "a\tb\nc",
      ],
      [
        "a row of boxes",
        "<div style='display:flex'><span>Order 4711</span><span>40,00 €</span></div>",
        "Order 4711\t40,00 €",
      ],
    ],
  ],
  [
    "white space",
    [
      [
        "lines of a style",
        '<div style="white-space:pre-wrap">Dear Bot,\n\nfirst line\nsecond  line</div>',
        "Dear Bot,\n\nfirst line\nsecond  line",
      ],
      ["lines of a class", "<style>.c{white-space:pre}</style><p class=c>a\n  b</p>c\nd", "a\n  b\n\nc d"],
      ["lines without columns", '<p style="white-space: pre-line">  a   b\n   c\n\nd</p>', "a b\nc\n\nd"],
      ["code", "<p>Run:</p><pre>\nif (a) {\n\n\n  b();\n}\n</pre>Thanks", "Run:\n\nif (a) {\n\n\n  b();\n}\n\nThanks"],
      ["code with marks", "<pre><b>let</b> a\n<i>  b</i></pre>", "let a\n  b"],
      [
        "a table inside, which folds it",
        '<body style="white-space:pre-wrap"><table>\n <tr>\n  <td>a</td>\n <td>b</td></tr></table>',
        "a\tb",
      ],
      [
        "in cells, but not between them",
        "<table style='white-space:pre'>\n<tr>\n\n<td>a  b</td>\n <td>c</td></tr>\n\n<tr><td>d</table>",
        "a  b\tc\nd",
      ],
      ["folded again", '<pre>a  b<span style="white-space:normal">  c  d</span></pre>', "a  b c d"],
      ["a tab", "<pre>a\tb</pre>", "a\tb"],
      ["no-break spaces", "<p>&nbsp;&nbsp;a&nbsp; b</p>", "  a  b"],
      ["a blank line of Outlook", "<p>a</p><p><o:p>&nbsp;</o:p></p><p>b</p>", "a\n\nb"],
      ["padding of a preview", "<div>Sale &#847; &zwnj; &nbsp; &#847; &zwnj; &nbsp;</div><div>Hi</div>", "Sale\nHi"],
      ["a signature's dashes", '<pre class="moz-signature">-- \nBob</pre>', "-- \nBob"],
      ["breaks", "a<br>b<br><br>c<br><br><br>d<br>", "a\nb\n\nc\n\nd"],
      ["a break at the end of a block", "<div>a<br></div><div>b</div><div><br></div><div>c</div>", "a\nb\n\nc"],
    ],
  ],
  [
    "lists",
    [
      ["bullets", "<p>a</p><ul><li>b</li><li>c</li></ul>d", "a\n\n* b\n* c\n\nd"],
      ["numbers", "<ol><li>a<li>b</ol>", "1. a\n2. b"],
      ["a start and a value", "<ol start=3><li>c<li value=10>j<li>k</ol>", "3. c\n10. j\n11. k"],
      ["counted down", "<ol reversed start=2><li>b<li>a</ol>", "2. b\n1. a"],
      [
        "letters and Roman numbers",
        "<ol type=a start=26><li>x<li>y</ol><ol type=I start=4><li>z</ol>",
        "z. x\naa. y\n\nIV. z",
      ],
      ["letters of a style", '<ol style="list-style-type:lower-roman"><li>x<li>y</ol>', "i. x\nii. y"],
      ["lists in lists", "<ol><li>a<ul><li>b<li>c</ul><li>d</ol>", "1. a\n   * b\n   * c\n2. d"],
      ["lists between items", "<ul><li>a</li><ul><li>b</li></ul><li>c</li></ul>", "* a\n  * b\n* c"],
      ["paragraphs in an item", "<ul><li><p>a</p><p>b</p></li><li><p>c</p></li></ul>", "* a\n\n  b\n\n* c"],
      ["no markers", '<ul style="list-style:none"><li>a<li>b</ul>', "a\nb"],
      [
        "items on one line",
        '<ul><li style="display:inline">Home</li><li style="display:inline">Shop</li></ul>',
        "Home Shop",
      ],
      ["a style that is no number", '<ol style="list-style-type:constructor"><li>a</ol>', "1. a"],
      ["items without words", "<ol><li><li>b</ol>", "2. b"],
      ["items without a list", "<li>a<li>b", "* a\n* b"],
      ["a table in an item", "<ul><li><table><tr><td>a<td>b</table></ul>", "* a\tb"],
      [
        "descriptions",
        "<dl><dt>IBAN</dt><dd>DE02</dd><dt>BIC<dd>BYLA<dd>DEM1</dl>",
        "IBAN\n  DE02\nBIC\n  BYLA\n  DEM1",
      ],
    ],
  ],
  [
    "quotes and rules",
    [
      ["a quote", "Hi<blockquote>a<br>b<p>c</p></blockquote>d", "Hi\n\n> a\n> b\n>\n> c\n\nd"],
      ["quotes in quotes", "<blockquote>a<blockquote>b</blockquote></blockquote>", "> a\n>\n> > b"],
      ["a list in a quote", "<blockquote><ul><li>a<li>b</ul></blockquote>", "> * a\n> * b"],
      ["a quote in an item", "<ul><li>a<blockquote>b</blockquote></ul>", "* a\n\n  > b"],
      ["kept lines in a quote", "<blockquote type=cite><pre>a\n  - b\n\nc</pre></blockquote>", "> a\n>   - b\n>\n> c"],
      [
        "an indent, which is no quote",
        '<blockquote style="margin:0 0 0 40px;border:none;padding:0px">mine</blockquote>',
        "    mine",
      ],
      [
        "a quote of Outlook",
        '<blockquote style="border:none;border-left:solid #B5C4DF 4.5pt">theirs</blockquote>',
        "> theirs",
      ],
      ["a rule", "a<hr>b", `a\n\n${"-".repeat(40)}\n\nb`],
      ["rules without words between them", "a<hr><p></p><hr>b", `a\n\n${"-".repeat(40)}\n\nb`],
    ],
  ],
  [
    "words beside each other",
    [
      ["blocks", "<div>a</div><div>b<p>c</p>d</div>", "a\nb\n\nc\n\nd"],
      ["inline elements", "<b>a</b><i>b</i> <span>c</span>", "ab c"],
      ["links that are blocks", '<a style="display:block">One</a><a style="display:block">Two</a>', "One\nTwo"],
      [
        "boxes in a line",
        "<style>.b{display:inline-block}</style><span class=b>A</span><span class=b>B</span><button>C</button><button>D</button>",
        "A B C D",
      ],
      [
        "figures set higher",
        "$39<sup>99</sup>, 10<sup>3</sup>, m<sup>2</sup>, 2<sup>nd</sup>, CO<sub>2</sub>",
        "$39⁹⁹, 10³, m2, 2nd, CO2",
      ],
      [
        "documents one after another",
        "<html><body>a</body></html><html><head><title>t</title></head><body>b</body></html>",
        "a\nb",
      ],
      ["a stray end tag", "a</div>b</p>c</span>d", "a\nb\ncd"],
      ["around the body", "a<html>b<head>c</head>d<body>e</body>f</html>g", "a\nbcd\ne\nf\ng"],
      ["a declaration without its end", "<p>a</p><!b &amp; c", "a"],
      ["an instruction without its end", "<p>a</p><?b", "a"],
      ["a less-than sign", "1 < 2, a<b and x <3", "1 < 2, a<b and x <3"],
      ["a target without its second quotation mark", '<p>a <a href="https://x.example/>b</a> <b>c</b>', "a b c"],
      ["headings", "<h1>Über uns</h1><h2>b</h2>c", "Über uns\n\nb\n\nc"],
      [
        "conditions of Outlook",
        "<![if !supportLists]>1.&nbsp; a<![endif]><!--[if mso]><b>no</b><![endif]--> b",
        "1.  a b",
      ],
      [
        "a figure",
        "<figure><img alt=no><figcaption>Figure 1</figcaption></figure><fieldset><legend>a</legend>b</fieldset>",
        "Figure 1\n\na\nb",
      ],
    ],
  ],
  [
    "links",
    [
      [
        "words and target",
        'See <a href="https://a.example/x">this </a>and <a href=https://b.example>that</a>.',
        "See this <https://a.example/x> and that <https://b.example>.",
      ],
      ["the same but for a slash", '<a href="https://a.example/">https://a.example</a>', "https://a.example"],
      [
        "an address",
        '<a href="mailto:a@b.example">a@b.example</a> <a href="mailto:a@b.example">write</a>',
        "a@b.example write <a@b.example>",
      ],
      [
        "no words",
        '<a href="https://a.example"><img src=x></a><a href="https://b.example"><img src=x></a>',
        "https://a.example https://b.example",
      ],
      ["into the mail itself", '<a href="#top">up</a><a name=top>here</a>', "uphere"],
      [
        "around blocks",
        '<a href="https://a.example"><div>a</div><div>b</div></a><p>c</p>',
        "a\nb <https://a.example>\n\nc",
      ],
      [
        "in cells",
        '<table><tr><td><a href="https://a.example">a</a><td><a href="https://b.example">b</a></table>',
        "a <https://a.example>\tb <https://b.example>",
      ],
      [
        "in a link",
        '<a href="https://a.example">a<a href="https://b.example">b</a>',
        "a <https://a.example>b <https://b.example>",
      ],
    ],
  ],
])("%s", (_, cases) => {
  test.each(cases)("%s", (_name, html, text) => {
    expect(htmlToText(html)).toBe(text);
  });
});

describe("pictures", () => {
  test.each<Case>([
    [
      "the only content",
      '<img src=s.png alt="50% off until Friday, code SPRING50">',
      "50% off until Friday, code SPRING50",
    ],
    ["beside each other", "<img alt=A><img alt=B>c", "A B c"],
    ["of a link", '<a href="https://a.example"><img alt="Track package"></a>', "Track package <https://a.example>"],
    [
      "that say what the text says",
      '<p><img alt="Add comment"> Add  Comment to the <img alt=Sales>',
      "Add Comment to the Sales",
    ],
    [
      "of a link without other words",
      '<p>Buy now: <a href="https://a.example"><img alt="Buy"></a>',
      "Buy now: Buy <https://a.example>",
    ],
    [
      "of a link with words",
      '<p>Buy <a href="https://a.example"><img alt="Buy"> now</a>',
      "Buy now <https://a.example>",
    ],
    ["that say nothing", '<p>Hi<img alt=""><img alt=" "><img alt="*"><img src=x>', "Hi"],
    [
      "that count readers or keep others apart",
      '<p>Hi<img alt=pixel width=1 height=1><img alt=gap style="display:block;height:3px">',
      "Hi",
    ],
    ["that are letters", '<p>Thanks <img alt="🎉" width=16>!', "Thanks 🎉 !"],
    ["that are hidden", '<p>Hi<img alt="obey" style="display:none">', "Hi"],
  ])("%s", (_name, html, text) => {
    expect(seenText(html).text).toBe(text);
  });
});

test("fields of HTML without words", () => {
  expect(seenText('<input value="SPRING50">').text).toBe("SPRING50");
  expect(shownText("<table><tr><td><input value=a><td><img alt=b width=1></table>")).toBe("a\tb");
});

describe("nothing is lost in silence", () => {
  const words = "Hello Ann";
  test.each([
    ["a picture in the HTML", `<img src="data:image/png;base64,${"A".repeat(1_000_000)}"><p>${words}`],
    ["a style sheet", `<style>${".a{color:red}".repeat(30_000)}</style><p>${words}`],
    ["a comment", `<!--[if mso]>${"<p>x</p>".repeat(50_000)}<![endif]--><p>${words}`],
    ["empty elements", `${"<div></div>".repeat(50_000)}<p>${words}`],
    ["CDATA, which is a comment in HTML", `<![CDATA[x><p>${words}`],
    ["a comment that ends in --!>", `<!-- x --!><p>${words}<!-- y -->`],
    ["an end tag with a slash", `<style>p{}</style/><p>${words}`],
    ["a style sheet with a slash", `<style/>hidden</style><p>${words}`],
    ["a title with a slash", `<title>t</title/><p>${words}`],
    ["an empty declaration", `<!>${words}<b></b>`],
    ["an empty declaration with a hyphen", `<p><!->${words}</p>`],
    ["an end tag without a name", `Hello</> Ann`],
    ["a tag in the style sheet of a picture", `<svg><style>p{}<p>${words}</style></svg>`],
    ["a tag in the script of a picture", `<svg><g><script>x > y<b>${words}</b>`],
    ["an end tag in the title of a formula", `<math><mi></p>${words}</title>`],
  ])("after %s, words are seen", (_name, html) => {
    expect(seenText(html)).toEqual({ text: words, hiddenChars: 0, isUnsure: false, isCut: false });
  });

  test("but what a picture or formula describes itself by is not shown", () => {
    const html = "<svg><title>t<p>u</p></title><style>p{}</style></svg><style>/*<svg>*/</style><style>b<p></style>a";
    expect(seenText(html)).toEqual({ text: "a", hiddenChars: 0, isUnsure: false, isCut: false });
  });

  test("among more tags than are laid out", () => {
    const html = `<style>p{}</style><p>Hello</p>${"<table><tr><td>".repeat(70_000)}Ann<br>Bye`;
    expect(seenText(html)).toEqual({ text: "Hello Ann Bye", hiddenChars: null, isUnsure: false, isCut: false });
  });

  test("at the end of a long newsletter", () => {
    const row = `<tr><td style="padding:0;font-family:Arial,sans-serif;font-size:14px;color:#222222"><a href="https://shop.example/">A chair</a></td></tr>`;
    const seen = seenText(`<table>${row.repeat(2_000)}</table><p>The end`);
    expect(seen).toMatchObject({ hiddenChars: 0, isCut: false });
    expect(seen.text.slice(-60)).toEndWith("A chair <https://shop.example/>\n\nThe end");
  });

  test("in deep nesting", () => {
    const tags = ["<div>", "<blockquote>", "<ul><li>", "<table><tr><td>", "<b>"];
    const html = tags.map((tag) => `${tag.repeat(20_000)}a `).join("");
    const words = htmlToText(`${html}${"</b>".repeat(20_000)}end`).match(/\w+/g) ?? [];
    expect([...words]).toEqual([...tags.map(() => "a"), "end"]);
  });

  test("it is said that words are missing", () => {
    expect(seenText(`${"<p></p>".repeat(600_000)}end`)).toMatchObject({ text: "", isCut: true });
    expect(seenText("word ".repeat(500_000))).toMatchObject({ isCut: true });
    const cut = renderText("<p>aa😀</p>", { attributes: "none", charsMax: 3, isWhole: true });
    expect(cut).toEqual({ text: "aa", isCut: true });
  });
});

const pieces = [
  ...[
    "<b>",
    "</b>",
    "<p>",
    "</i>",
    "<table><tr><td>",
    "<table>",
    "<td>a",
    "<tr><td>a<td>b",
    "</table>",
    "<td colspan=1000>a",
  ],
  ...[
    "<blockquote>a",
    "<ul><li>a",
    "<li>a",
    "<li><table><td>",
    "<ol>",
    "<dd>a",
    "<a href=x>",
    "<pre>\n",
    "<br>",
    "<hr>a",
    "&nbsp;",
  ],
  ...[
    '<p style="white-space:pre">\n a',
    "<x y='",
    '<a href=">',
    "<img alt=a>",
    "<sup>1",
    "<div style=display:flex>a",
    "</div>",
  ],
];

test.each(pieces)("the work on a quarter of a megabyte of %p grows as the text does", async (piece) => {
  const read = (html: string) => htmlToText(`<blockquote>${html}`);
  expect(await superlinear(256 * 1024, (size) => piece.repeat(Math.ceil(size / piece.length)), read)).toBeNull();
});
