import { expect, test } from "bun:test";
import { superlinear } from "../../../test/support/growth.ts";
import { linkHosts } from "./links.ts";

test.each<[string, string[]]>([
  ["no link here", []],
  ["see https://a.example/x?u=https://b.example", ["a.example"]],
  ["see (https://a.example), <http://b.example>. HTTP://C.Example/", ["a.example", "b.example", "c.example"]],
  ["https://a.example:8443/ and https://a.example.", ["a.example"]],
  ["[text](https://a.example) **https://b.example** `https://c.example`", ["a.example", "b.example", "c.example"]],
  ["https://a.example,https://b.example", ["a.example", "b.example"]],
  ["https://https://evil.example/", ["evil.example"]],
  ["https://bank.example@evil.example/", ["evil.example"]],
  ["https://bank.example:pw@evil.example", ["evil.example"]],
  [`https://${"a".repeat(3000)}@evil.example/`, ["evil.example"]],
  ["https:\\\\evil.example\\@bank.example", ["evil.example"]],
  ["http://0x7f.1/ http://2130706433/ http://[::1]:80/", ["127.0.0.1", "[::1]"]],
  ["https://bücher.example https://аpple.example", ["xn--bcher-kva.example", "xn--pple-43d.example"]],
  ["https://ev\u00adil\u200b.example", ["evil.example"]],
  ["https://%65vil.example", ["evil.example"]],
  ["www.a.example and WWW.B.Example/path", ["www.a.example", "www.b.example"]],
  ["go to evil.com now, or evil.co.uk/login", ["evil.com", "evil.co.uk"]],
  ["ann@mail.com wrote README.md in src/main.rs, v1.2.3, e.g. node.js", []],
  ["https:// alone, http://<your-host>/", []],
  ["file://a.com/x smb://b.com/x WebCal://c.com/x", ["file:", "smb:", "webcal:"]],
  ["see file:///x, or https://a.example/?u=file://b.com", ["a.example", "file:"]],
  ["open \\\\evil.com\\share or (\\\\192.0.2.1\\c$)", ["evil.com", "192.0.2.1"]],
  ["C:\\Users\\x, C:\\\\Users\\x, \\\\d\\w, mailto://a@b.com, 12://x, std:://x", []],
  // Both readings count if the end of a host is uncertain.
  ["https://bank.example,x.evil.example/", ["bank.example", "bank.example,x.evil.example"]],
  ["https://[nonsense]/", ["unreadable:"]],
])("in text %p: %p", (text, hosts) => {
  expect(linkHosts(text, null)).toEqual(hosts);
});

test.each<[string, string[]]>([
  ['<a href="https://evil.example/">https://bank.example/</a>', ["bank.example", "evil.example"]],
  ["<A HREF=https://evil.example>x</A>", ["evil.example"]],
  ["<a/href='//evil.example'>x", ["evil.example"]],
  ['<a href="\\\\evil.example">x', ["evil.example"]],
  ['<a href="/\t/evil.example">x', ["evil.example"]],
  ['<a href=" h\nt\ttps://ev\nil.example">x', ["evil.example"]],
  ['<a href="https:evil.example">x', ["evil.example"]],
  ['<a href="&#104;ttps&colon;&sol;&sol;evil&period;example">x', ["evil.example"]],
  ['<a href="https://bank.example&commat;evil.example">x', ["evil.example"]],
  ['<a href="https://bank.example\\@evil.example">x', ["bank.example"]],
  ['<a href="https://EVIL.example.:443/">x', ["evil.example"]],
  ['<a href="ＨＴＴＰＳ://x">x', []],
  ['<a href="https://ｅｖｉｌ。example">x', ["evil.example"]],
  ['<a href="javascript:alert(1)">x', ["javascript:"]],
  ['<a href=" java\tscript:alert(1)">x', ["javascript:"]],
  ['<a href="data:text/html,<p>">x', ["data:"]],
  ['<img src="data:image/png;base64,AAAA"><img src="cid:a@b">', []],
  ['<img src="data:image/svg+xml,x">', ["data:"]],
  ['<a href="mailto:ann@evil.com">x</a><a href="tel:+1">x</a><a href="#top">x</a>', []],
  ['<a href="www.evil.example/x">x</a><a href="evil.com/x">y</a>', ["www.evil.example", "evil.com"]],
  ['<a href="https://ev il.example/">x', ["unreadable:"]],
  ['<a href="https://[host]/">x', ["unreadable:"]],
  ['<a title="href=\'" href="https://evil.example">x', ["evil.example"]],
  ["<a title='>' href='https://evil.example'>x", ["evil.example"]],
  ['<form action="//a.example"><button formaction="//b.example">', ["a.example", "b.example"]],
  ['<map><area href="https://evil.example"></map>', ["evil.example"]],
  ['<base href="https://evil.example/"><a href="login">x', ["evil.example"]],
  ['<meta http-equiv=refresh content="0; URL = //evil.example">', ["evil.example"]],
  ['<meta http-equiv=refresh content="0;url=javascript:x">', ["javascript:"]],
  ['<img srcset="//a.example/1 1x, https://b.example/2 2x">', ["b.example", "a.example"]],
  ['<svg><a xlink:href="https://evil.example">', ["evil.example"]],
  ['<p style="background:url(//evil.example/x)">', ["evil.example"]],
  ['<style>@import "//evil.example"; a.com { }</style>', ["evil.example"]],
  [String.raw`<p style="background:url(ht\74ps://evil.example/x)">`, ["evil.example"]],
  [String.raw`<style>@import 'ht\74 ps:/\2f evil.example';</style>`, ["evil.example"]],
  ['<!--[if mso]><a href="//evil.example">x</a><![endif]-->', ["evil.example"]],
  ["<iframe srcdoc=\"<a href='//evil.example'>x</a>\">", ["evil.example"]],
  ['<p>x <a href="https://evil.example', ["evil.example"]],
  ["<p>https://ev<b></b>il.example</p><p>x</p>", ["evil.example"]],
  ["<td>www.a.example</td><td>b</td>", ["www.a.example"]],
  ['<!DOCTYPE html PUBLIC "x" "http://www.w3.org/TR/x.dtd"><html xmlns="http://www.w3.org/1999/xhtml">', []],
])("in HTML %p: %p", (html, hosts) => {
  expect(linkHosts("", html)).toEqual(hosts);
});

const big = 250_000;
const hostile = [
  ..."https:// //https: https:https:/ a. www. a.co_ <a <!-- &amp; \" = [._- @ url= ftp:\\ <a\u00a0href=' . % ab:// \\\\a \\\\ab\\".split(
    " ",
  ),
  ...[
    '<a href="',
    "<b></b>",
    "<!-- -->",
    "http://a@",
    "a.co ",
    "https://[",
    "https://a:",
    "\u200b",
    "ﷺ",
    "<a x=https://a.b,",
  ],
];

test.each(hostile)("the work on a quarter of a megabyte of %p grows as the text does", async (piece) => {
  const read = (text: string) => {
    linkHosts(text, text);
    linkHosts("", `<a href="${text}">`);
  };
  expect(await superlinear(big, (size) => piece.repeat(Math.ceil(size / piece.length)), read)).toBeNull();
});

test("random mixtures of hostile pieces neither throw nor take long", async () => {
  let state = 1;
  const below = (n: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  for (let round = 0; round < 100; round++) {
    const pieces = Array.from({ length: 1 + below(6) }, () => hostile[below(hostile.length)]);
    const mixture = Array.from({ length: 1_000 }, () => pieces[below(pieces.length)]);
    const growth = await superlinear(
      mixture.length,
      (count) => mixture.slice(0, count).join(""),
      (text) => {
        for (const host of linkHosts(text, text)) expect(host).toBe(host.toLowerCase());
      },
    );
    expect({ pieces, growth }).toEqual({ pieces, growth: null });
  }
});
