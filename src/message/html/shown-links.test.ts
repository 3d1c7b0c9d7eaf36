import { describe, expect, test } from "bun:test";
import { linksOf, misnamedHost } from "./shown-links.ts";

const inHtml: [string, string, [words: string, host: string, url: string][]][] = [
  [
    "words and target",
    '<a href="https://a.example/x">Hello <b>there</b></a>',
    [["Hello there", "a.example", "https://a.example/x"]],
  ],
  [
    "references in the target",
    '<a href="https://&#97;.example/?x=1&copy=2&amp;y">k</a>',
    [["k", "a.example", "https://a.example/?x=1&copy=2&y"]],
  ],
  [
    "a target that a browser cleans",
    "<A HREF=' ht\ntps:\\\\a.example'>k</A>",
    [["k", "a.example", "https://a.example/"]],
  ],
  ["no scheme", "<a href=//a.example/x>k</a>", [["k", "a.example", "https://a.example/x"]]],
  ["a base", '<base href="https://a.example/b/"><a href=c>k</a>', [["k", "a.example", "https://a.example/b/c"]]],
  [
    "a picture as words",
    '<a href="https://a.example/"><img alt="pay here"></a>',
    [["pay here", "a.example", "https://a.example/"]],
  ],
  ["no words", '<a href="https://a.example/"></a>', [["(no words)", "a.example", "https://a.example/"]]],
  ["a picture that is loaded", '<img src="https://a.example/p.gif">', [["", "a.example", "https://a.example/p.gif"]]],
  [
    "pictures in several sizes",
    '<img srcset="https://a.example/1 1x, https://b.example/2 2x">',
    [
      ["", "a.example", "https://a.example/1"],
      ["", "b.example", "https://b.example/2"],
    ],
  ],
  [
    "styles",
    '<p style="background:url(https://a.example/p)"><style>@import "https://b.example/s"</style>',
    [
      ["", "a.example", "https://a.example/p"],
      ["", "b.example", "https://b.example/s"],
    ],
  ],
  ["a form", '<form action="https://a.example/f">', [["(no words)", "a.example", "https://a.example/f"]]],
  [
    "an address",
    '<a href="mailto:ann@a.example?subject=x">write</a>',
    [["write", "a.example", "mailto:ann@a.example?subject=x"]],
  ],
  ["a script", '<a href="javascript:alert(1)">k</a>', [["k", "", "javascript:alert(1)"]]],
  ["parts of the mail itself", '<a href="#top">k</a><img src="cid:1"><img src="data:image/png;base64,AA">', []],
  [
    "a link that is never closed",
    '<a href="https://a.example/">one<a href="https://b.example/">two',
    [
      ["one", "a.example", "https://a.example/"],
      ["two", "b.example", "https://b.example/"],
    ],
  ],
  ["a comment, by its host", "<!-- https://a.com/ -->", [["a.com", "a.com", "a.com"]]],
];

describe("links of HTML", () => {
  for (const [name, html, expected] of inHtml)
    test(name, () => {
      expect(linksOf("", html)).toEqual(expected.map(([text, host, url]) => ({ text, host, url })));
    });
});

test("links of text end where the sentence does, and come once", () => {
  const text = "See https://a.example/x_(y), (www.b.com) and https://a.example/x_(y).\nOr http://c.example:8080/!";
  expect(linksOf(text, null).map(({ url }) => url)).toEqual([
    "https://a.example/x_(y)",
    "http://www.b.com",
    "http://c.example:8080/",
  ]);
});

const misnamed: [words: string, host: string, named: string | null][] = [
  ["https://bank.com/login", "evil.example", "bank.com"],
  ["Log in at bank.com now", "evil.example", "bank.com"],
  ["ann@bank.com", "evil.example", "bank.com"],
  ["ba\u200bnk.com", "evil.example", "bank.com"],
  ["ｂａｎｋ。ｃｏｍ", "evil.example", "bank.com"],
  ["bank.com", "bank.com.evil.example", "bank.com"],
  ["bank.com", "notbank.com", "bank.com"],
  ["www.bank.com", "bank.com", null],
  ["bank.com", "www.bank.com", null],
  ["BANK.com", "bank.com:8443", null],
  ["Click here, e.g. for report.pdf", "evil.example", null],
  ["https://intranet.corp/x", "evil.example", "intranet.corp"],
];
for (const [words, host, named] of misnamed)
  test(`“${words}” on a link to ${host} names ${named ?? "no other host"}`, () => {
    expect(misnamedHost({ text: words, host, url: `https://${host}/` })).toBe(named);
  });

test("a style sheet's loads are found however they are written", () => {
  const css = `@import 'https://a.example/1'; p{background:U\\72l( "https://b.example/2" );src:image-set('https://c.example/3' 1x)}`;
  expect(linksOf("", `<style>${css}</style>`).map(({ host }) => host)).toEqual(["a.example", "b.example", "c.example"]);
});

test("a long base is not repeated in each link, and its host is right", () => {
  const html = `<base href="https://a.example/${"b".repeat(100_000)}/">${'<a href="c">k</a>'.repeat(3)}<a href="d">k</a>`;
  const links = linksOf("", html);
  expect(links.map(({ host }) => host)).toEqual(["a.example", "a.example"]);
  expect(links[0]!.url.length).toBeLessThan(100);
});

test("after ten thousand links, others are listed by their host", () => {
  const html = Array.from({ length: 10_100 }, (_, i) => `<a href="https://h.example/${i}">k</a>`).join("");
  const links = linksOf("", `${html}<a href="https://last.com/x">k</a>`);
  expect(links).toHaveLength(10_001);
  expect(links.at(-1)).toEqual({ text: "last.com", host: "last.com", url: "last.com" });
});
