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
  ["letters written as escapes", "<style>.\\78{dis\\70 lay:n\\6f ne}</style><p class=x>obey</p>"],
  [
    "a rule after a URL that only looks like one",
    '<style>.x{background:u\\72l(a"b);display:none}</style><p class=x>obey</p>',
  ],
  ["a rule after twenty others", `<style>.x{display:none}${".x{color:red}".repeat(20)}</style><p class=x>obey</p>`],
  ["a sheet for all screens", "<style>@media screen{.x{display:none}}</style><p class=x>obey</p>"],
  ["a class with other letters", "<style>.é\\:x{display:none}</style><p class='é:x'>obey</p>"],
  [
    "on a box of its colour with a line",
    `<p style="background:#000 url(a.png) no-repeat 0 0/1px 1px;color:#000">obey</p>`,
  ],
  ["hsl on white", `<span style="color:hsl(120 50% 100%)">obey</span>`],
  ["a font of no size", `<span style="font:0/0 a">obey</span>`],
  ["no height, one way", `<div style="height:0;overflow-y:hidden">obey</div>`],
  ["what browsers keep for scripts", "<template>obey</template>"],
  ["what browsers without frames show", "<iframe>obey</iframe>"],
  ["a dialog that is not open", "<dialog>obey</dialog>"],
  ["a class", "<style>.x, p.y{display:none}</style><p class='a x'>obey</p>"],
  ["an element with a class", "<style>p { } p.y{ color:#fff }</style><p class=y>obey</p>"],
  ["an id", "<style><!-- #z{font-size:0} --></style><p id=z>obey</p>"],
  ["a style sheet after it", "<p class=x>obey</p><style>.x{display:none}</style>"],
  ["entities", `<div style="display:none">&#111;bey</div>`],
  ["what readers without ruby get", "<rp>obey</rp>"],
  ["a popover", "<p popover=manual>obey</p>"],
  ["a colour of an attribute without its sign", "<font color=ffffff>obey</font>"],
  ["a colour of a style without its sign", "<b style='color:ffffff'>obey</b>"],
  ["a colour that browsers make up", "<body bgcolor=chucknorris text=c00000>obey</body>"],
  ["a link in the colour of the page", "<body link=white><a href=x>obey</a>"],
  ["a link on the colour of links", "<div style='background:#0000ee'><a href=x>obey</a></div>"],
  ["a gradient of one colour", "<p style='background:linear-gradient(to right, #000, black 50%);color:#000'>obey</p>"],
  ...[
    ...["oklch(1 0 0)", "oklab(100% 0 0)", "lab(100 0 0)", "lch(100% 0 none)", "hwb(0 100% 0)", "color(srgb 1 1 1)"],
    ...["rgb(100% 100% 100% / 1)", "rgba(0,0,0,.04)", "ghostwhite", "mintcream", "canvas", "#fff0", "currentcolor"],
  ].map((color) => [`in ${color}`, `<div style="color:#fff"><b style="color:${color}">obey</b></div>`]),
  [
    "a gradient of nearly one colour",
    "<p style='background:linear-gradient(#fff,#fdfdfd) no-repeat;color:#fff'>obey</p>",
  ],
  [
    "a gradient that lets the page through",
    "<p style='background-image:linear-gradient(#fff0,#fff0);color:#fff'>obey</p>",
  ],
  ["a background in the colour of its text", "<p style='color:red;background:currentcolor'>obey</p>"],
  [
    "a gradient in the colour of its text",
    "<p style='color:red;background:linear-gradient(red,currentcolor)'>obey</p>",
  ],
  ["a fill", "<b style='-webkit-text-fill-color:#fff'>obey</b>"],
  ["a fill, whatever the colour", "<b style='-webkit-text-fill-color:transparent'><i style='color:#000'>obey</i></b>"],
  ["cut from nothing", "<b style='-webkit-background-clip:text;color:transparent'>obey</b>"],
  ["cut from the colour of the page", "<b style='background:#fff;background-clip:text;color:transparent'>obey</b>"],
  [
    "cut from a gradient that is not there",
    "<b style='background:linear-gradient(transparent,#fff1);background-clip:text;color:transparent'>obey</b>",
  ],
  [
    "cut from a gradient that something covers",
    "<b style='background:red text;color:transparent'><i style='background:#fff'>obey</i></b>",
  ],
  ["cut no longer", "<b style='-webkit-background-clip:text;background-clip:border-box;color:#ff000000'>obey</b>"],
  [
    "cut by a shorthand no longer",
    "<b style='background-clip:text;background:linear-gradient(red,blue);color:transparent'>obey</b>",
  ],
  ["a line around letters as white as they", "<b style='color:#fff;-webkit-text-stroke:1px'>obey</b>"],
  ["a line around letters in the colour of the page", "<b style='color:#fff;-webkit-text-stroke:1px #fefefe'>obey</b>"],
  ["a line around letters of no width", "<b style='color:transparent;-webkit-text-stroke:.1px red'>obey</b>"],
  [
    "a line under letters, repeated",
    "<b style='color:#fff;background:linear-gradient(#fff,#fff) 0 100%/100% 1px'>obey</b>",
  ],
  ["no height, in a block beside cells", "<td><div style='max-width:0;overflow:hidden'>obey</div></td>"],
  ["a cell that is not displayed", "<td style='display:none;max-width:0;overflow:hidden'>obey</td>"],
  ["a cell shown as a block", "<td style='display:block;max-width:0;width:100%;overflow:hidden'>obey</td>"],
  ["an animation of what is not displayed", "<p style='display:none;animation:a 1s forwards'>obey</p>"],
  ["no animation", "<p style='opacity:0;animation:a 1s;animation:none'>obey</p>"],
  ["a value before one that no browser knows", "<b style='display:none;display:nothing'>obey</b>"],
  ["a value that is important", "<style>.x{display:none!important}</style><p class=x style='display:block'>obey</p>"],
  ["a shorthand after a longhand", "<b style='color:#fff;background-color:#000;background:#fff'>obey</b>"],
  ["a font after a size", "<b style='font-size:20px;font:700 0/0 a'>obey</b>"],
  ["a margin", "<p style='margin:0 0 0 -9999px'>obey</p>"],
  ["a logical margin", "<p style='margin-inline-start:-9999px'>obey</p>"],
  ["a margin above", "<p style='margin-top:-9999px'>obey</p>"],
  ["letters over each other", "<b style='letter-spacing:-1em'>obey</b>"],
  ["small in small", `${"<small>".repeat(12)}obey${"</small>".repeat(12)}`],
  ["smaller in smaller", `<b style='font-size:.4em'><b style='font-size:.4em'>obey</b></b>`],
  ["zoom", "<b style='zoom:.01'>obey</b>"],
  ["scale", "<b style='scale:0'>obey</b>"],
  ["a filter", "<b style='filter:opacity(0)'>obey</b>"],
  ["translate", "<b style='transform:translateX(-9999px)'>obey</b>"],
  ...["0,0,0,0", "0 0 0 0", "1px, 1px, 1px, 1px", "auto,0,auto,auto", "0,auto,1px,0", "-9px,auto,-5px,0"].map(
    (edges) => [`clipped to ${edges}`, `<b style="position:absolute;clip:rect(${edges})">obey</b>`],
  ),
  ["clipped and far away", "<b style='position:fixed;clip:rect(9999px,auto,auto,0)'>obey</b>"],
  ["inset", "<b style='position:fixed;inset:-9999px auto auto 0'>obey</b>"],
  ["relative", "<b style='position:relative;left:-9999px'>obey</b>"],
  ["no block size", "<div style='block-size:0;overflow:clip'>obey</div>"],
  ["contained", "<div style='height:0;contain:paint'>obey</div>"],
  ...[
    "@supports (display:grid){.x{display:none}}",
    "@layer a{.x{display:none}}",
    "@media (min-width:0){.x{display:none}}",
    "@media not print{.x{display:none}}",
    "@media (color){.x{display:none}}",
    "@media (max-width:600px),(min-width:1px){.x{display:none}}",
    "@media (prefers-color-scheme:light){.x{display:none}}",
    "@media (prefers-color-scheme:dark),(prefers-color-scheme: light){.x{display:none}}",
    "@media (prefers-color-scheme){.x{display:none}}",
    "@media screen and (prefers-reduced-motion:no-preference){.x{display:none}}",
    "p{&.x{display:none}}",
    "div{.x{display:none}}",
    ".x{@media screen{display:none}}",
    ":where(.x){display:none}",
    "p:is(.y,.x){display:none}",
    ".x:not(.y){display:none}",
    "[data-x]{display:none}",
    "p[data-x^='a b' i]{display:none}",
    "div .x{display:none}",
    "body div > p[class]{display:none}",
    ".x{display:none} .x:hover{display:block}",
    "#y.x{display:none} .x{display:block}",
    ".x{color:#FFF;} .x{color:nonsense}",
  ].map((rule) => [rule, `<style>${rule}</style><body><div><p class=x id=y data-x="A bc">obey</p></div></body>`]),
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
  `<style>.dark td, td.x:hover{background:#000}</style><div class=dark><td><p style="color:#fff">on what a longer rule says</p></td></div>`,
  `<p style="opacity:0.8;height:0">low</p>`,
  `<p style="text-indent:2em;left:-9999px">moved not</p>`,
  ...["top:-600px", "left:-9999px", "inset:-9999px", "clip:rect(0,0,0,0)"].map(
    (style) => `<p style="position:sticky;${style}">in its place</p>`,
  ),
  `<p style="clip:rect(0,0,0,0)">whole</p>`,
  `<p style="position:relative;clip:rect(1px,1px,1px,1px)">whole</p>`,
  ...[
    "0,auto,auto,0",
    "0 auto auto 0",
    "auto,auto,auto,auto",
    "0,200px,50px,0",
    "0,0,0",
    "0,0,0,0,0",
    "1%,1%,1%,1%",
  ].map((edges) => `<p style="position:absolute;clip:rect(${edges})">seen between them</p>`),
  "<dialog open>shown</dialog>",
  ...[
    ...[
      "background:linear-gradient(90deg,#ff0080,#7928ca);-webkit-background-clip:text;-webkit-text-fill-color:transparent",
    ],
    ...[
      "background-image:linear-gradient(#f08,#72c);background-clip:text;color:transparent",
      "color:transparent;background:red text",
    ],
    ...["background:#fff;background:conic-gradient(red,rgb(0 0 9)) no-repeat text;color:#0000"],
    ...["color:transparent;-webkit-text-stroke:1px #000", "color:#fff;-webkit-text-stroke:thin rgb(0, 0, 0)"],
    ...["color:#fff;-webkit-text-stroke-color:navy;-webkit-text-stroke-width:.1em"],
    ...["color:transparent;-webkit-text-fill-color:#000", "mso-hide:all"],
  ].map((style) => `<h1 style="${style}">Introducing <i>Atlas 3</i></h1>`),
  ...[
    ...["background-image:linear-gradient(#fff,#fff);background-size:100% 1px;background-repeat:no-repeat"],
    ...["background:linear-gradient(#fff,#fff) 0 100% / 100% .1em repeat-x", "background:linear-gradient(red,#fff)"],
    ...["background:linear-gradient(#fff,#fff) no-repeat left/0 100%"],
  ].map((style) => `<p style="background:#1a73e8"><a href=x style="color:#fff;${style}">Read more</a></p>`),
  ...[
    ...[
      "#1a1a2e linear-gradient(#f50,#f50) no-repeat 0 0/100% 4px",
      "url(a.png) rgb(26, 26, 46) repeat-x top / 100% 3px",
    ],
    ...[
      "linear-gradient(90deg,#f50,#f50) left/4px 100% no-repeat #1a1a2e",
      "navy url(a.png) no-repeat 0 50% / 4px 4px",
    ],
  ].map((background) => `<p style="background:${background};color:#fff">Your invoice</p>`),
  `<p style="color:#fff;background:linear-gradient(rgba(0,0,0,.05),rgba(0,0,0,.05)),url(x.png)">on a picture</p>`,
  `<td style="width:100%;max-width:0;overflow:hidden;text-overflow:ellipsis">invoice-2026.pdf</td>`,
  `<th width="80%" style="max-width:1px;overflow:hidden">invoice-2026.pdf</th>`,
  ...[
    ...["@media print", "@media not screen", "@media (prefers-color-scheme:dark)", "@media (prefers-reduced-motion)"],
    ...["@media (max-width:600px)", "@media (min-width:600px)", "@media (orientation:landscape)"],
    ...["@media (min-width:375px) and (max-width:667px)", "@media (min-width:600px) and (max-width:900px)"],
    ...["@media (hover) and (max-width:600px)", "@media (prefers-color-scheme:dark) and (min-resolution:2dppx)"],
    ...["@supports (-webkit-touch-callout:none)", "@supports (-moz-appearance:none)", "@supports (-ms-ime-align:auto)"],
  ].map((readers) => `<style>${readers}{.x{display:none}}</style><p class=x>for others</p>`),
  `<style>@media (min-device-pixel-ratio:2),(min-resolution:2dppx){.x{background:url(2x.png);width:9px}}</style><p class=x>sharp</p>`,
  "<p>a < b and 1 &lt; 2 <b>bold</p> </i> end",
  "plain text",
  "",
])("stays as it is: %s", (html) => {
  expect(seenHtml(html)).toEqual({ html, hiddenChars: 0, isUnsure: false });
});

test.each([
  "p:nth-child(1){display:none}",
  "p:has(b){display:none}",
  "b + p{display:none}",
  "@container (min-width:0){.x{display:none}}",
  "@scope (body){.x{display:none}}",
  "@supports (x-y:z){.x{display:none}}",
  "@media (hover){.x{display:none}}",
  "@media (max-width:600px){.x{display:none}} @media (min-width:600px){.x{display:none}}",
  "@media (max-width:600px),(min-width:600px){.x{display:none}}",
  "@media (orientation:portrait),(orientation:landscape){.x{display:none}}",
  "@media (orientation:portrait){.x{display:none}} @media (orientation:landscape){.x{display:none}}",
  "@media (max-width:600px){.x{display:none}} @media (orientation:landscape){.x{display:none}}",
  "@media (hover) and (max-width:600px){.x{display:none}} @media (min-width:600px){.x{display:none}}",
  "@media (min-resolution:1dpi){.x{display:none}}",
  "@media (min-aspect-ratio:1/9999){.x{display:none}}",
  "@media (-webkit-min-device-pixel-ratio:0){.x{display:none}}",
  "@media (min-height:330px){.x{display:none}}",
  "@media (min-width:330px){.x{display:none}}",
  "@media (max-width:2560px){.x{display:none}}",
  "@media (min-width:330px) and (max-width:2560px){.x{display:none}}",
  "@media (prefers-contrast:no-preference){.x{display:none}}",
  "@media not all and (prefers-color-scheme:dark){.x{display:none}}",
  "@supports (-webkit-appearance:none){.x{display:none}}",
  "@media (min-resolution:1dpi){.x{display:none}} @media (min-resolution:9999dpi){.x{display:block}}",
  "@media (hover){.x{visibility:hidden}} @media (min-resolution:9999dpi){.x{visibility:visible}}",
  ".x{position:absolute;clip:rect(calc(0px),var(--x),0,0)}",
  ":root{--x:none}.x{display:var(--x)}",
  ".x{color:color-mix(in srgb,white,white)}",
  ".x{color:light-dark(#fff,#fff)}",
  ".x{font-size:calc(1px - 1px)}",
  ".x{opacity:calc(0)}",
  ".x{margin-left:calc(0px - 9999px)}",
  ".x{position:fixed;left:max(-9999px,-9998px)}",
  ":root{--x:fixed}.x{position:var(--x);left:-9999px}",
  ".x{line-height:0}",
  ".x{mask:linear-gradient(transparent,transparent)}",
  ".x{transform:rotateY(90deg)}",
  ".x{display:grid;grid-template-rows:0fr}",
  ".x{opacity:0;animation:show 1s forwards} @keyframes show{to{opacity:1}}",
  ".x{transform:translateX(-9999px);-webkit-animation-name:slide}",
  ".x{display:table-cell;max-width:0;overflow:hidden}",
  ".x{display:table-cell;width:50%;max-height:0;overflow:hidden}",
  ".x{background:url(x.png) text;color:transparent}",
  ".x{background:linear-gradient(#fff 99%,#000) text;color:transparent}",
  ".x{background:linear-gradient(var(--a),var(--b))}",
])("stays, and is said to be unsure: %s", (rule) => {
  const html = `<style>${rule}</style><b></b><p class=x>obey<b></b></p>`;
  expect(seenHtml(html)).toEqual({ html, hiddenChars: 0, isUnsure: true });
  // It is nothing for text elsewhere.
  const other = `<style>${rule}</style><div>seen</div><p class=x> </p>`;
  expect(seenHtml(other)).toEqual({ html: other, hiddenChars: 0, isUnsure: false });
});

test("a column in the colour of its letters is unsure", () => {
  const html = "<table><col style='background:red'><tr><td><font color=red>obey</font></table>";
  expect(seenHtml(html).isUnsure).toBe(true);
});

test.each([
  ".a{display:none} @media (min-width:600px){.a{display:block!important}}",
  ".a{max-height:0;overflow:hidden} @media (min-width:600px){.a{max-height:none!important}}",
  ".a{color:#fff} @media (min-width:600px){.a{background:#000}}",
  ".a{font-size:0} @media (min-width:600px) and (max-width:9999px){.a{font-size:16px}}",
  ".a{display:none} @media screen and (orientation:landscape),(min-width:9000px){.a{display:block}}",
])("words that a rule shows again on all desktops are seen: %s", (sheet) => {
  const seen = seenHtml(`<style>${sheet}</style><div class=a>Invoice <b>500 EUR</b> is due</div>`);
  expect(seen).toMatchObject({ hiddenChars: 0, isUnsure: false });
  expect(seen.html).toContain("Invoice <b>500 EUR</b> is due");
});

test.each([
  ".a{display:none} .a:first-child{display:block}",
  ".a{display:none} p+.a{display:block}",
  ".a{color:#fff} .a:last-child{color:#000}",
  ".a{display:none} @media (min-resolution:1dppx){.a{display:block!important}}",
  ".a{display:none} @media (min-width:2900px){.a{display:block}}",
  ".a{display:none} @media (min-width:600px) and (min-resolution:9dppx){.a{display:block}}",
  ".a{display:none} @media (min-width:600px){@container (min-width:9999px){.a{display:block}}}",
  ".a{display:none} @media (min-width:600px) and (monochrome){.a{display:block}}",
])("of hidden words that a rule may show again, only a browser can tell: %s", (sheet) => {
  const html = (style: string) => `<style>${style}</style><p></p><div class=a>Invoice <b>500 EUR</b></div>`;
  expect(seenHtml(html(sheet))).toMatchObject({ hiddenChars: 13, isUnsure: true });
  // What hides it around is sure.
  expect(seenHtml(`<div hidden>${html(sheet)}</div>`)).toMatchObject({ hiddenChars: 13, isUnsure: false });
});

test("what newsletters do is sure, and hides only what they hide", () => {
  const sheet = [
    "#outlook a{padding:0} .ExternalClass *{line-height:100%} u + .body .gm{display:none} .x:hover{display:none}",
    "sup{line-height:0;font-size:75%} p:last-child{margin:0} tr:nth-child(odd) td{background:#eee} .y{color:#fff}",
    "@media (max-width:600px){.wide{display:none!important} .mob{display:block!important}} .mob{display:none}",
    "@media (prefers-color-scheme:dark){.d{color:#fff!important;background:#000!important}} [data-ogsc] .d{color:#fff}",
    "@media only screen and (min-width:375px) and (max-width:413px){.body{min-width:375px!important}}",
    "@media screen and (-webkit-min-device-pixel-ratio:0){h1,td{font-family:sans-serif!important;line-height:1.2}}",
    "@media (prefers-color-scheme:light){.d{background:#333}} @media (min-width:480px){.fluid{width:50%!important}}",
    "@supports (-webkit-overflow-scrolling:touch){.x{display:none}} div[style*='margin: 16px 0']{margin:0!important}",
    "a[x-apple-data-detectors]{color:inherit!important;font-size:inherit!important} .btn a{display:inline-block}",
    "h1{letter-spacing:-1px;line-height:1.1} .fluid{width:calc(100% - 20px);transform:rotate(2deg)}",
    "@font-face{font-family:x;src:url(x)} @keyframes a{from{opacity:0}} td.spacer{font-size:0;line-height:0}",
  ].join("\n");
  const html = `<!doctype html><style>${sheet}</style><body class=body bgcolor=#f4f4f4><div style="display:none;max-height:0">Preview</div>
<table bgcolor=#333333><tr><td class=spacer>&nbsp;</td></tr><tr class="x gm wide d"><td class=y>Hello<sup>1</sup></td></tr></table>
<h1 class="fluid">News</h1><p style="margin:-20px 0 0 -4px">Near</p><p class=mob>Menu</p><p class=btn><a href=x style="background:#07f;color:#fff">Go</a></p>`;
  const seen = seenHtml(html);
  expect(seen).toMatchObject({ hiddenChars: "PreviewMenu".length, isUnsure: false });
  for (const words of ["Hello", "News", "Near", "Go"]) expect(seen.html).toContain(words);
});

test("pictures are left out as well", () => {
  const html = '<p>Hi<img alt="obey" style="display:none"><img alt="obey" hidden/>there';
  expect(seenHtml(html)).toEqual({ html: "<p>Hithere", hiddenChars: 0, isUnsure: false });
});

test("what comes after hidden elements stays", () => {
  const html = `<ul><li style="display:none">one<li>two</ul><p>three<br>four</p>`;
  expect(seenHtml(html)).toEqual({ html: "<ul><li>two</ul><p>three<br>four</p>", hiddenChars: 3, isUnsure: false });
});
