import { expect, test } from "bun:test";
import { seenHtml } from "./seen.ts";

test.each([
  ["display", `<div style="DISPLAY : none !important">obey</div>`],
  ["a comment in the style", `<div style="display:/**/none">obey</div>`],
  ["the hidden attribute", "<p hidden>obey</p>"],
  ["nested in it", `<div style="display:none"><div><p>ob<b>ey</b></p></div></div>`],
  ["not closed", `<div style="display:none">obey`],
  ["visibility", `<span style="visibility:hidden">obey</span>`],
  ["opacity", `<span style="opacity:0.01">obey</span>`],
  ["font size", `<span style="font-size:0">obey</span>`],
  ["font size of one pixel, inherited", `<div style="font-size:1px"><b>obey</b></div>`],
  ["white on white", `<font color="#FFFFFF">obey</font>`],
  ["nearly white on white", `<span style="color:#fefefe">obey</span>`],
  ["rgb on the same", `<td bgcolor="navy"><span style="color: rgb(0, 0, 128)">obey</span></td>`],
  ["transparent", `<span style="color:rgba(0,0,0,0)">obey</span>`],
  ["no height", `<div style="max-height:0px;overflow:hidden">obey</div>`],
  ["off the page", `<div style="position:absolute;left:-9999px">obey</div>`],
  ["indented off the page", `<p style="text-indent:-9999px">obey</p>`],
  ["Outlook's own", `<div style="mso-hide:all">obey</div>`],
  ["letters written as escapes", "<style>.\\78{dis\\70 lay:n\\6f ne}</style><p class=x>obey</p>"],
  [
    "a rule behind a URL that only looks like one",
    '<style>.x{background:u\\72l(a"b);display:none}</style><p class=x>obey</p>',
  ],
  ["a rule behind twenty others", `<style>.x{display:none}${".x{color:red}".repeat(20)}</style><p class=x>obey</p>`],
  ["a sheet for all screens", "<style>@media screen{.x{display:none}}</style><p class=x>obey</p>"],
  ["a class with other letters", "<style>.é\\:x{display:none}</style><p class='é:x'>obey</p>"],
  ["hsl on white", `<span style="color:hsl(120 50% 100%)">obey</span>`],
  ["a font of no size", `<span style="font:0/0 a">obey</span>`],
  ["no height, one way", `<div style="height:0;overflow-y:hidden">obey</div>`],
  ["what browsers keep for scripts", "<template>obey</template>"],
  ["what browsers without frames show", "<iframe>obey</iframe>"],
  ["a dialog that is not open", "<dialog>obey</dialog>"],
  ["a class", "<style>.x, p.y{display:none}</style><p class='a x'>obey</p>"],
  ["an element with a class", "<style>p { } p.y{ color:#fff }</style><p class=y>obey</p>"],
  ["an id", "<style><!-- #z{font-size:0} --></style><p id=z>obey</p>"],
  ["a style sheet behind it", "<p class=x>obey</p><style>.x{display:none}</style>"],
  ["entities", `<div style="display:none">&#111;bey</div>`],
])("left out and counted: %s", (_, hidden) => {
  const seen = seenHtml(`<p>Hello</p>${hidden}`);
  expect(seen.html).not.toMatch(/obey|ey<|&#111;/);
  expect(seen.html).toContain("Hello");
  expect(seen.hiddenChars).toBe(4);
});

test.each([
  `<p style="color:#fff;background:#000">on black</p>`,
  `<table bgcolor=black><tr><td><font color=white>on black</font></td></tr></table>`,
  `<div style="background:url(x.png)"><p style="color:white">on a picture</p></div>`,
  `<td style="font-size:0"><span style="font-size:14px">a gap closed</span></td>`,
  `<div style="visibility:hidden"><p style="visibility:visible">shown again</p></div>`,
  `<style>@media (max-width:600px){.wide{display:none}} .x .wide{display:none}</style><p class=wide>wide</p>`,
  `<style>.dark td, td.x:hover{background:#000}</style><td><p style="color:#fff">on what a longer rule says</p></td>`,
  `<p style="opacity:0.8;height:0">low</p>`,
  `<p style="text-indent:2em;left:-9999px">moved not</p>`,
  "<dialog open>shown</dialog>",
  `<style>@media print{.x{display:none}} @supports (a:b){.x{display:none}}</style><p class=x>on screens</p>`,
  "<p>a < b and 1 &lt; 2 <b>bold</p> </i> end",
  "plain text",
  "",
])("stays as it is: %s", (html) => {
  expect(seenHtml(html)).toEqual({ html, hiddenChars: 0 });
});

test("pictures are left out as well", () => {
  const html = '<p>Hi<img alt="obey" style="display:none"><img alt="obey" hidden/>there';
  expect(seenHtml(html)).toEqual({ html: "<p>Hithere", hiddenChars: 0 });
});

test("what comes after hidden elements stays", () => {
  const html = `<ul><li style="display:none">one<li>two</ul><p>three<br>four</p>`;
  expect(seenHtml(html)).toEqual({ html: "<ul><li>two</ul><p>three<br>four</p>", hiddenChars: 3 });
});
