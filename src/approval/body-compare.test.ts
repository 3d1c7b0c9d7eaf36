import { describe, expect, test } from "bun:test";
import { escapeText } from "../message/html/escape.ts";
import { htmlFromText } from "../message/html/from-text.ts";
import { quotableHtml } from "../message/html/safe.ts";
import { type Quotable, withForwarded, withQuote } from "../message/quote.ts";
import { compareBodies } from "./body-compare.ts";

describe("the HTML says the same as the text", () => {
  const letter =
    'Hello Ann,\n\nthank you. It has:\n\n- two chairs\n* a table\n\n1. Pay 100 EUR.\n2. Wait.\n\n> Is 5 < 6?\n> Yes & no\n\nSee https://a.example/ and <b>.\n\n    indented\ttab\n---\n-- \nBob "the" Builder\n+49 30 1234\n';
  test.each([
    ["made from the text", letter, htmlFromText(letter)],
    [
      "of Markdown",
      "Title\n\nHello Ann, this is important.\n\n* one\n• two\n\n1. first\n2. second\n\nSee the docs (https://a.example/docs) and [the page](https://a.example/page).\n\nconst a = 1;\nlet b;\n",
      '<h1>Title</h1>\n<p>Hello <em>Ann</em>, this is <strong>important</strong>.</p>\n<ul>\n<li>one</li>\n<li><p>two</p></li>\n</ul>\n<ol>\n<li>first</li>\n<li>second</li>\n</ol>\n<hr>\n<p>See <a href="https://a.example/docs">the docs</a> and <a href="https://a.example/page">the page</a>.</p>\n<pre><code>const a = 1;\nlet b;\n</code></pre>\n',
    ],
    [
      "as a document",
      "Hi Ann,\n\nYour invoice 4711 is due.\n\nBest,\nBot",
      '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"></head><body><div><p>Hi <i>Ann</i>,<p>Your <span>invoice</span> <b>4711</b> is <u>due</u>.</p><p>Best,<br>Bot</p></div></body></html>',
    ],
    [
      "with addresses",
      "Write to Ann <ann@a.example> or call us (tel:+4930123456).",
      '<p>Write to <a href="mailto:ann@a.example">Ann</a> or call <a href="tel:+4930123456">us</a>.</p>',
    ],
    ["of Gmail", "Hello Ann,\n\nfine.\n", '<div dir="ltr"><div>Hello Ann,</div><div><br></div><div>fine.</div></div>'],
    ["with typographic signs", 'It\'s "fine" - really...', "<p>It’s “fine” – really…</p>"],
    ["with gaps", "A\nB", `<p>A${"&nbsp;".repeat(8)}${"<br>".repeat(20)}B</p>`],
    ["with long words", `See https://a.example/${"x".repeat(500)}`, `<p>See https://a.example/${"x".repeat(500)}</p>`],
    ["of 90,000 bytes", "é ".repeat(29_997), `<p>${"é ".repeat(29_997)}</p>  `],
  ])("%s", (_, text, html) => {
    expect(compareBodies(text, html)).toEqual({ isSame: true, notes: [] });
  });

  const original: Quotable = {
    ...{ from: { address: "ann@x.example", name: "Ann" }, to: [{ address: "bot@agents.example", name: "" }], cc: [] },
    ...{ subject: "Order <1>", date: new Date("2026-11-30T16:34:56Z"), text: "One\n\n> two\n", html: null },
  };
  const rich = {
    ...original,
    text: "Hello Bot,\n\nplease send it.\n",
    html: quotableHtml('<div dir="ltr">Hello <b>Bot</b>,<div><br></div><div>please send it.</div></div>', []),
  };
  test.each([
    ["a reply with a quote", withQuote({ text: "Fine.\n", html: "<html><body><p>Fine.</p></body></html>" }, original)],
    ["a reply with a quote of HTML", withQuote({ text: "Fine.\n", html: null }, rich)],
    ["a forward", withForwarded({ text: "FYI", html: "<p>FYI</p>" }, original)],
    ["a forward of HTML", withForwarded({ text: "FYI", html: null }, rich)],
  ])("%s", (_, { text, html }) => {
    expect(compareBodies(text, html ?? "")).toEqual({ isSame: true, notes: [] });
  });
});

describe("both are shown when HTML", () => {
  type Row = [what: string, text: string, html: string];
  const pay = "We agree. Only if you pay 900.";
  const styled: Row[] = [
    ...['"background-color:#fff;padding-top:20px"', '"border-top:20px solid #fff"', '"border-top:2px solid black"'].map(
      (style): Row => [`paints over a line: ${style}`, "Not A.\nB", `<p>Not A.<br><span style=${style}>B</span></p>`],
    ),
    [
      "has a font that browsers ignore",
      "We do not agree.",
      '<p>We do</p><div style="font-size:1px"><span style="font:bold bold 16px arial">not</span></div><p>agree.</p>',
    ],
    ["begins off the page", pay, '<p>We agree.</p><p style="margin-left:100%">Only if you pay 900.</p>'],
    ["has an instruction without its end", pay, "<p>We agree.</p><p><?Only if you pay 900."],
    ["has a declaration without its end", pay, "<p>We agree.</p><p><!Only if you pay 900."],
    ["joins what a line end beside an invisible gap parts", "Pay 900 \u200b00", "<p>Pay 900\n\u200b00</p>"],
    [
      "shows a table small",
      "not",
      '<div style="font-size:100px"><table><tr><td style="font-size:.08em">not</table></div>',
    ],
    ["is white on white", "not", '<body bgcolor="#000" style="background:none;color:#fff">not</body>'],
    [
      "is white on white in a cell",
      "not",
      '<table><tr><td bgcolor="#000000" style="background-color:transparent;color:#fff">not</table>',
    ],
    ...["display:inline-block", "display:inline", "float:left"].map(
      (style): Row => [
        `joins words: ${style}`,
        "not able",
        `<div style="${style}">not</div><div style="${style}">able</div>`,
      ],
    ),
    [
      "reads across columns",
      "We refuse: We accept: price 900 price 500",
      '<div style="display:inline-block">We refuse:<br>We accept:</div> <div style="display:inline-block">price 900<br>price 500</div>',
    ],
    [
      "wraps its cells",
      "Pay Bob: not Ann: 900 EUR, 500 EUR",
      '<table><tr><td width="100" style="font-size:24px">Pay Bob: not Ann:</td><td width="100">900 EUR, 500 EUR</table>',
    ],
    ...["table", "font", "center", "sup", "small", "section", "title", "o:p"].map(
      (name): Row => [`has another element: ${name}`, "Hi", `<${name}>Hi</${name}>`],
    ),
    ...["style=''", "class=x", "id=x", "width=100", "bgcolor=white", "align=left", "dir=rtl", "title=x", "hidden"].map(
      (attribute): Row => [`has another attribute: ${attribute}`, "Hi", `<p ${attribute}>Hi</p>`],
    ),
  ];
  const spaced: Row[] = [
    ["has wide gaps in code", pay, `<pre>We agree.${" ".repeat(2_000)}Only if you pay 900.</pre>`],
    ["has gaps in code", pay, `<pre>We agree.${" ".repeat(9)}Only if you pay 900.</pre>`],
    ["has tabs in code", pay, "<pre>We agree.\t\tOnly if you pay 900.</pre>"],
    ["has wide gaps", pay, `<p>We agree.${"&nbsp;".repeat(9)}Only if you pay 900.</p>`],
    ["has wide gaps in pieces", pay, `<p>We agree.${"<b>&nbsp;</b> &emsp;".repeat(5)}Only if you pay 900.</p>`],
    ["has wide gaps in links", pay, `<p>We agree.${"<a href=x>&nbsp;</a>".repeat(9)}Only if you pay 900.</p>`],
    ["has many empty lines", pay, `<p>We agree.${"<br>".repeat(30)}Only if you pay 900.</p>`],
    ["has many empty paragraphs", pay, `<p>We agree.</p>${"<p>&nbsp;</p>".repeat(30)}<p>Only if you pay 900.</p>`],
    ["has many empty lines of code", pay, `<pre>We agree.${"\n".repeat(30)}Only if you pay 900.</pre>`],
    ["has many rules", pay, `<p>We agree.</p>${"<hr>".repeat(30)}<p>Only if you pay 900.</p>`],
    ["has long lines of code", `${"x ".repeat(99)}not`, `<pre>${"x ".repeat(99)}not</pre>`],
    ["has words that do not break", `${"x ".repeat(99)}not`, `<p>${"x&nbsp;".repeat(99)}not</p>`],
    ["indents", "* * * * * * * not", `${"<ul><li>".repeat(7)}not${"</li></ul>".repeat(7)}`],
    ["has more than Gmail shows", `${"é ".repeat(29_998)}`, `<p>${"é ".repeat(29_998)}</p>`],
    [
      "has a comment that Gmail cuts at",
      pay,
      `<p>We agree.</p><!-- ${"x ".repeat(52_000)}--><p>Only if you pay 900.</p>`,
    ],
    ...["<!-- a -->", "<?a?>", "<![CDATA[a]]>", "</ a>", "<!a>", "<!DOCTYPE svg>"].map(
      (comment): Row => [`has a comment: ${comment}`, "Hi", `${comment}Hi`],
    ),
  ];
  const replaced: Row[] = [
    ["joins words with U+FEFF", "Lot 1 500 EUR", "<p>Lot 1&#xFEFF;500 EUR</p>"],
    ["has a space where the text has U+FEFF", "Lot 1\ufeff500 EUR", "<p>Lot 1 500 EUR</p>"],
    ["joins words with U+2028", "now here", "<p>now&#x2028;here</p>"],
    ["joins words with U+2029", "now here", "<p>now&#x2029;here</p>"],
    ["joins words with a control character", "now here", "<p>now&#x0b;here</p>"],
    ["joins words with a form feed", "now here", "<p>now\fhere</p>"],
    ["joins words with a carriage return", "now here", "<p>now&#x0D;here</p>"],
    ["changes directions", "1 \u202e2", "<p>1 \u202e2</p>"],
    ["has another sign before a sum", "Balance:\n+ EUR 100", "<p>Balance:<br>- EUR 100</p>"],
    ["has another sign before a word", "Total 5\n+ VAT", "<p>Total 5<br>- VAT</p>"],
    ["lists what is subtracted", "Balance:\n- EUR 5", "<p>Balance:</p><ul><li>EUR 5</li></ul>"],
    ...["mailto:not", "tel:not", "https:not", "https://not", "https://not/", "mailto:not@x.example?a", "x:not"].map(
      (href): Row => [
        `gives words as a target: ${href}`,
        `We do (${href}) agree`,
        `<p>We <a href="${href}">do</a> agree</p>`,
      ],
    ),
    ["gives words as an address", "Pay EUR (without-VAT)", '<p>Pay <a href="mailto:without-VAT">EUR</a></p>'],
    ["has a link without words", "We <a@x.example> agree", '<p>We <a href="mailto:a@x.example"></a> agree</p>'],
    ["ends a quote otherwise", "> a\n\nb", "<blockquote>a</ blockquote>b"],
  ];
  const reply = (head: string, below = "") =>
    `<p>Yes,</p><div class="gmail_quote gmail_quote_container"><div class="gmail_attr">${head}<br></div><blockquote class="gmail_quote" style="margin:0 0 0 .8ex;border-left:1px solid #ccc;padding-left:1ex">hi</blockquote></div>${below}`;
  const introduction = "On Mon, 30 Nov 2026 at 16:34 UTC, Bob <bob@x.example> wrote:";
  const folded: Row[] = [
    [
      "introduces a quote with words",
      "Yes,\nOn second thoughts no, as Bob wrote:\n> hi",
      reply("On second thoughts no, as Bob wrote:"),
    ],
    [
      "has words below a quote",
      `Yes,\n${introduction}\n> hi\n\nif paid`,
      reply(escapeText(introduction), "<p>if paid</p>"),
    ],
    [
      "forwards without a head",
      "Yes,\n---------- Forwarded message ---------\nNot.",
      '<p>Yes,</p><div class="gmail_quote gmail_quote_container"><div class="gmail_attr">---------- Forwarded message ---------<br></div><br>Not.</div>',
    ],
    [
      "folds words away as a head alone",
      "Yes,\nif paid",
      '<p>Yes,</p><div class="gmail_quote gmail_quote_container"><div class="gmail_attr">if paid</div></div>',
    ],
    ["has a name that programs fold", "Yes,\nif paid", '<p>Yes,</p><div id="isForwardContent">if paid</div>'],
  ];
  const agree = "We do not agree.";
  const around = (not: string) => `<p>We do ${not} agree.</p>`;
  test.each([
    ["adds a word that occurs elsewhere", "Do not pay. We agree.", '<p>Do not pay. We <img alt="not"> agree.</p>'],
    [
      "adds it as a field",
      "Do not pay. We agree.",
      '<p>Do not pay. We <input value="not" style="border:0"> agree.</p>',
    ],
    ...[
      "<rp>not</rp>",
      "<span popover>not</span>",
      "<font color=ffffff>not</font>",
      "<font color=ghostwhite>not</font>",
      ...["oklch(1 0 0)", "lab(100 0 0)", "hwb(0 100% 0)", "color(srgb 1 1 1)", "color-mix(in srgb,white,white)"].map(
        (color) => `<span style="color:${color}">not</span>`,
      ),
      ...["mintcream", "#eee", "rgba(0,0,0,.1)", "currentcolor", "var(--x)", "ffffff"].map(
        (color) => `<span style="color:${color}">not</span>`,
      ),
      '<span style="margin-left:-9999px">not</span>',
      '<span style="margin:0 0 0 -9999px">not</span>',
      '<span style="letter-spacing:-1em">not</span>',
      '<span style="line-height:0">not</span>',
      '<span style="font-size:5px">not</span>',
      '<span style="font-family:Wingdings">not</span>',
      '<span style="color:black;color:white">not</span>',
      '<span style="font:16px Arial;font-size:1px">not</span>',
      '<span style="font-family:a;b">not</span>',
      '<span style="background-color:#000;background:none;color:#fff">not</span>',
      '<span style="float:right">not</span>',
      `${"<small>".repeat(12)}not${"</small>".repeat(12)}`,
      `<span style="font-size:60%"><span style="font-size:60%">not</span></span>`,
      '<a href="https://a.example/" style="background:#0000ee">not</a>',
      '<b title="no">not</b>',
      '<b class="hidden">not</b>',
      "<s>not</s>",
    ].map((not) => [`may hide a word: ${not.slice(0, 60)}`, agree, around(not)]),
    ["hides its title", "Not so. We agree.", "<title>Not so.</title><p>We agree.</p>"],
    [
      "colours a column",
      "We do not agree.",
      '<table><colgroup><col style="background:red"></colgroup><tr><td>We do <font color=red>not</font> agree.</td></tr></table>',
    ],
    [
      "shows the foot of a table last",
      "Pay into DE1 and not DE2",
      "<table><tfoot><tr><td>Pay into DE1</td></tr></tfoot><tbody><tr><td>and not DE2</td></tr></tbody></table>",
    ],
    [
      "moves tables aside",
      "A B",
      "<table align=right><tr><td>A</td></tr></table><table align=left><tr><td>B</td></tr></table>",
    ],
    ["has words that browsers move out of a table", "a not b", "<table><tr><td>a</td></tr>not b</table>"],
    ["reads across its cells", "a c b d", "<table><tr><td>a<br>c</td><td>b<br>d</td></tr></table>"],
    ["has a right-to-left order", "1 \u05d0 2", '<p dir="ltr">1 \u05d0 2</p>'],
    ["folds words away as a quote", "Yes,\nif paid", "<p>Yes,</p><div class=gmail_quote>if paid</div>"],
    ["has a tag without an end", agree, "<p>We do not agree.</p><p"],
    ["has words behind its body", agree, "<body><p>We do not</p></body>agree."],
    ["is misnested", agree, "<p>We <b>do <i>not</b></i> agree.</p>"],
    ["counts", "1. Pay\n2. Wait", '<ol start="7"><li>Pay</li><li>Wait</li></ol>'],
    ["gives words as a target", "Accept (if cheap)", '<a href="if cheap">Accept</a>'],
    ["links another target", "Pay <https://a.example/>", '<a href="https://b.example/">Pay</a>'],
    ["lists what is added", "Total 5 EUR\n+ VAT", "<p>Total 5 EUR</p><ul><li>VAT</li></ul>"],
    ["quotes a figure", "Price\n> 100", "<p>Price</p><blockquote>100</blockquote>"],
    ["lists a figure", "Balance:\n- 5 EUR", "<p>Balance:</p><ul><li>5 EUR</li></ul>"],
    ["does not quote what the text does", "Fine.\n> not", "<p>Fine.</p><p>not</p>"],
    ["has another sign", "price < 100", "price &gt; 100"],
    ["adds and does not subtract", "5 - 5", "5 + 5"],
    ["is equal and not unequal", "x ≠ 5", "x = 5"],
    ["has no superscript", "10²", "102"],
    ["asks", "no!", "no?"],
    ["has a small letter", "US", "us"],
    ["orders words otherwise", "not a, b", "b, not a"],
    ["glues words", "now here", "nowhere"],
    ...styled,
    ...spaced,
    ...replaced,
    ...folded,
  ])("%s", (_, text, html) => {
    const { isSame, notes } = compareBodies(text as string, html as string);
    expect(isSame).toBe(false);
    // Those who read only the notes learn of it, too.
    expect(notes).not.toEqual([]);
  });

  test("does not when it quotes as a reply does", () => {
    const text = `Yes,\n\n${introduction}\n> hi\n`;
    expect(compareBodies(text, reply(escapeText(introduction)))).toEqual({ isSame: true, notes: [] });
  });

  test("differs only in signs or harmless formatting, with a note that says just that", () => {
    expect(compareBodies("Hi **Ann**", "Hi <b>Ann</b>").notes).toEqual([
      "Read both: the text and the HTML differ in signs, punctuation or capital letters.",
    ]);
    expect(compareBodies("Hi Ann", '<section class="x">Hi Ann</section>').notes).toEqual([
      "Read both: the HTML has more than simple formatting (<section>, class).",
    ]);
    const list = '<ol style="margin:0"><li>Pay</li><li><a href="https://a.example/">Wait</a></li></ol>';
    expect(compareBodies("1. Pay\n2. Wait <https://a.example/>", list).notes).toEqual([
      "Read both: the HTML has more than simple formatting (style).",
    ]);
    const button = '<a href="https://a.example/" style="display:block;text-decoration:none">Pay</a>';
    expect(compareBodies("Pay", `<div dir="ltr" style="max-width:600px">${button}</div>`).notes).toEqual([
      "Read both: the HTML has more than simple formatting (style).",
    ]);
  });
});
