import { describe, expect, test } from "bun:test";
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
      "Title\n\nHello Ann, this is important.\n\n* one\n* two\n\n1. first\n2. second\n\nSee the docs (https://a.example/docs) and [the page](https://a.example/page).\n\nconst a = 1;\nlet b;\n",
      '<h1 id="title">Title</h1>\n<p>Hello <em>Ann</em>, this is <strong>important</strong>.</p>\n<ul>\n<li>one</li>\n<li><p>two</p></li>\n</ul>\n<ol>\n<li>first</li>\n<li>second</li>\n</ol>\n<hr>\n<p>See <a href="https://a.example/docs">the docs</a> and <a href="https://a.example/page">the page</a>.</p>\n<pre><code class="language-js">const a = 1;\nlet b;\n</code></pre>\n',
    ],
    [
      "with styles in its elements",
      "Hi Ann,\n\nYour invoice 4711 over 99.50 EUR is due.\n\nPay now\n\nBest,\nBot",
      '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"></head><body style="margin:0;padding:0;font-family:Arial, \'Helvetica Neue\', sans-serif;color:#333333;background-color:#f4f4f4"><!-- content --><div style="max-width:600px;margin:0 auto;padding:20px;background:#ffffff;border-radius:8px;border:1px solid rgb(224, 224, 224)"><p style="font:16px/1.6 Arial">Hi Ann,</p><p>Your invoice <strong>4711</strong> over <span style="color:#d9534f">99.50 EUR</span> is due.</p><p><a href="https://pay.example/x" style="display:inline-block;padding:10px 20px;background-color:#007bff;color:#fff;text-decoration:none">Pay now</a></p><p>Best,<br>Bot</p></div></body></html>',
    ],
    [
      "with a table",
      "Item Price\nChair 10 EUR\nTable 20 EUR\n",
      '<table border="1" cellpadding="4" style="border-collapse:collapse;width:100%"><tbody><tr><th style="text-align:left">Item</th><th>Price</th></tr><tr><td>Chair<td>10 EUR</tr><tr><td>Table</td><td>20 EUR</td></tr></tbody></table>',
    ],
    [
      "in tables for its layout",
      "Hello Ann,\n\nfine.",
      '<table width="100%" cellpadding="0" cellspacing="0" role="presentation"><tr><td align="center"><table width="600"><tr><td style="padding:20px"><p>Hello Ann,</p><p>fine.</p></td></tr></table></td></tr></table>',
    ],
    [
      "of Gmail",
      "Hello Ann,\n\nfine.\n",
      '<div dir="ltr"><div class="gmail_default" style="font-family:arial,sans-serif">Hello Ann,</div><div><br></div><div>fine.</div></div>',
    ],
    ["of Outlook", "Hello Ann,\nfine.", "<p class=MsoNormal>Hello Ann,<o:p></o:p></p><p class=MsoNormal>fine.</p>"],
    ["with typographic signs", 'It\'s "fine" - really...', "<p>It’s “fine” – really…</p>"],
    ["with fonts", "Hello Ann", '<font color="333333" face="Arial" size="3">Hello <u>Ann</u></font>'],
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
  ])("%s", (_, text, html) => {
    const { isSame, notes } = compareBodies(text as string, html as string);
    expect(isSame).toBe(false);
    // Those who read only the notes learn of it, too.
    expect(notes).not.toEqual([]);
  });

  test("has a sheet, a class or signs alone, without alarm", () => {
    expect(compareBodies("Hi **Ann**", "Hi <b>Ann</b>").notes).toEqual([
      "Read both: the text and the HTML differ in signs, punctuation or capital letters.",
    ]);
    expect(compareBodies("Hi Ann", '<section class="x">Hi Ann</section>').notes).toEqual([
      "Read both: the HTML has more than simple formatting (class).",
    ]);
  });
});
