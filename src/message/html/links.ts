import { parse } from "tldts";
import { cssReadings } from "./css-text.ts";
import { type Markup, readMarkup } from "./markup.ts";

/** A body is searched up to this many characters; the gate holds longer mail instead. A novel has about as many. */
export const SEARCHED_CHARS_MAX = 1024 * 1024;

/** The host of a link that URL parsers cannot read. A mail program may still follow such a link. */
export const unreadableLink = "unreadable:";

/** Schemes that open no page: those of parts of the mail itself, of addresses and of numbers. */
const harmlessSchemes = new Set(["mailto:", "tel:", "sms:", "cid:", "mid:", "about:"]);
/** Schemes whose URLs name a host that every browser agrees on (WHATWG URL, "special" schemes). */
const hostSchemes = new Set(["http:", "https:", "ftp:", "ws:", "wss:"]);
/** Attributes whose whole value is one URL (HTML, SVG and what old mail programs honour). */
const urlAttributes = new Set(
  (
    "href src action formaction background poster cite data longdesc profile codebase classid icon manifest dynsrc lowsrc " +
    "archive"
  ).split(" "),
);
/** A picture inside the mail leads nowhere. SVG is excluded, because it can have links. */
const inlinePicture = /^data:image\/(?:png|gif|jpe?g|webp)[;,]/i;
/** Characters that show as nothing (Unicode Default_Ignorable_Code_Point). */
const ignorable = /\p{Default_Ignorable_Code_Point}+/gu;
const schemeStart = /(?:https?|ftp|wss?):[\\/]+/gi;
const wholeUrl = /(?:https?|ftp|wss?):[\\/]+[^\s<>"]*/gi;
/** Mail programs make no links of longer ones. */
const SCHEME_CHARS_MAX = 32;
/** Top-level domains that are also endings of file names: `README.md` is not a link, `readme.md/x` is. */
const fileEndings = new Set("ac am as cc la md mk ml mm mov ms pl pm ps py rs sh so zip".split(" "));

/**
 * Finds the real hosts of all links in a body, each once, as a browser would resolve them: lower-case A-labels or an IP
 * address, without port and final dot (WHATWG URL). A scheme, such as `javascript:` or `data:`, stands for a link
 * without a host, and `unreadable:` for one that does not parse. Two equal entries with a final colon may be different
 * links.
 *
 * In the text, links are URLs with a scheme, names with `www.`, network paths such as `\\host\share`, and bare names
 * under a public top-level domain, which mail programs make into links. In the HTML, they are everything that leads or
 * loads from somewhere, comments and styles included; in doubt it is a link. `mailto:`, `tel:`, `cid:` and inline
 * pictures do not count. Redirects are not followed.
 */
export function linkHosts(text: string, html: string | null): string[] {
  const hosts = new Set<string>();
  inWords(text.slice(0, SEARCHED_CHARS_MAX), hosts);
  if (html !== null) inMarkup(readMarkup(html.slice(0, SEARCHED_CHARS_MAX)), hosts, true);
  return [...hosts];
}

/** Finds the hosts of the URLs with a scheme in a text, in the form of `linkHosts`. Bare names do not count. */
export function urlHosts(text: string): string[] {
  const hosts = new Set<string>();
  withScheme(text.slice(0, SEARCHED_CHARS_MAX).replace(ignorable, ""), hosts);
  return [...hosts];
}

/** `outermost`: only there are comments and `srcdoc` read as HTML, so that nesting costs no time. */
function inMarkup(markup: Markup, hosts: Set<string>, outermost: boolean): void {
  inWords(markup.text, hosts);
  for (const code of cssReadings(markup.code)) {
    withScheme(code, hosts);
    withoutScheme(code, hosts);
  }
  for (const { name, value } of markup.attributes) {
    if (name === "!doctype" || name.startsWith("xmlns")) continue;
    const plainName = name.slice(name.lastIndexOf(":") + 1);
    if (plainName === "src" && inlinePicture.test(value.trimStart())) continue;
    if (urlAttributes.has(plainName)) inTarget(value, hosts);
    else {
      for (const reading of plainName === "style" ? cssReadings(value) : [value]) {
        withScheme(reading, hosts);
        withoutScheme(reading, hosts);
      }
      const [, refresh] = (plainName === "content" && /url\s*=\s*["']?([^"']*)/i.exec(value)) || [];
      if (refresh !== undefined) inTarget(refresh, hosts);
    }
    if (name === "srcdoc" && outermost) inMarkup(readMarkup(value), hosts, false);
  }
  for (const comment of markup.comments) {
    if (outermost) inMarkup(readMarkup(comment), hosts, false);
    else withScheme(comment, hosts);
  }
}

/** Adds the host of an attribute that is one URL. Some mail programs make links of `www.…` and bare names there too. */
function inTarget(value: string, hosts: Set<string>): void {
  const host = hostOf(value);
  if (host !== null) hosts.add(host);
  else if (!isHarmless(value)) inWords(value, hosts);
}

function inWords(text: string, hosts: Set<string>): void {
  const shown = text.replace(ignorable, "");
  withScheme(shown, hosts);
  const rest = shown.replace(wholeUrl, " ");
  otherSchemes(rest, hosts);
  networkPaths(rest, hosts);
  bareNames(rest, hosts);
}

/** URLs of other schemes (`file://`, `smb://`, `webcal://`), of which some mail programs make links, too. */
function otherSchemes(text: string, hosts: Set<string>): void {
  const schemes = new Set<string>();
  for (const { index } of text.matchAll(/(?<=[a-z0-9+.-]):[\\/]{2}/gi)) {
    const before = text.slice(Math.max(0, index - SCHEME_CHARS_MAX), index);
    const scheme = (before.split(/[^a-z0-9+.-]/i).at(-1) ?? "").replace(/^[^a-z]+/i, "");
    // A single letter is a drive.
    if (scheme.length > 1) schemes.add(scheme.toLowerCase());
  }
  for (const scheme of schemes) {
    const host = hostOf(`${scheme}://`);
    if (host !== null) hosts.add(host);
  }
}

/** Folders of another computer (`\\host\share`), which Windows signs in to when somebody follows them. */
function networkPaths(text: string, hosts: Set<string>): void {
  for (const [, host = ""] of text.matchAll(/(?<![\\\p{L}\p{N}:])\\{2}([\p{L}\p{N}.-]{2,})\\/gu))
    addAuthority("https://", host, hosts);
}

/**
 * Adds the hosts of URLs with a scheme, but not of a URL inside another (`?next=https://…`). Each authority ends where
 * the next URL begins, so that every character is read once.
 */
function withScheme(text: string, hosts: Set<string>): void {
  const starts = [...text.matchAll(schemeStart)];
  let urlEnd = 0;
  for (const [i, match] of starts.entries()) {
    if (match.index < urlEnd && /[=?&/#%:]/.test(text[match.index - 1] ?? "")) continue;
    const from = match.index + match[0].length;
    const next = starts[i + 1]?.index ?? text.length;
    const authority = run(/[^\s\\/?#<>"`]*/y, text, from).slice(0, Math.max(0, next - from));
    addAuthority(match[0], authority, hosts);
    if (authority !== "" && match.index >= urlEnd) urlEnd = from + run(/[^\s<>"]*/y, text, from).length;
  }
}

/** The text that the sticky expression matches at `from`, or "". */
function run(expression: RegExp, text: string, from: number): string {
  expression.lastIndex = from;
  return expression.exec(text)?.[0] ?? "";
}

/** Text after a host in a sentence is not part of the host. If that is uncertain, both readings count. */
function addAuthority(scheme: string, authority: string, hosts: Set<string>): void {
  const add = (part: string) => part !== "" && hosts.add(hostOf(scheme + part) ?? unreadableLink);
  if (authority.includes("@")) {
    add(authority);
    return;
  }
  const [literal] = /^\[[0-9a-f:.]*\]/i.exec(authority) ?? [];
  const [name = ""] = /^[\p{L}\p{N}\p{M}.\-_%]*(?::\d+)?/u.exec(authority) ?? [];
  const host = literal ?? name.replace(/(?<![._-])[._-]+$/, "");
  add(host);
  const rest = authority.slice(host.length);
  if (/[\p{L}\p{N}]/u.test(rest) && !/^:\d*$/.test(rest)) add(authority);
}

/** Adds `//host` in text that is not one URL: style sheets, `srcset`, scripts. */
function withoutScheme(text: string, hosts: Set<string>): void {
  for (const [, authority = ""] of text.matchAll(/(?:^|[\s"'(=,;])[\\/]{2}([^\s\\/?#<>"'()]+)/g))
    addAuthority("https://", authority, hosts);
}

/** Adds names without a scheme that mail programs make into links. Mail addresses do not count. */
function bareNames(text: string, hosts: Set<string>): void {
  const seen = new Set<string>();
  for (const match of text.matchAll(/[\p{L}\p{N}\p{M}._-]+/gu)) {
    const name = match[0].replace(/^[._-]+/, "").replace(/(?<![._-])[._-]+$/, "");
    const [before, after] = [text[match.index - 1], text[match.index + match[0].length]];
    if (!name.includes(".") || after === "@" || seen.has(name)) continue;
    if (/^www\./i.test(name)) hosts.add(hostOf(`http://${name}`) ?? unreadableLink);
    else if (before !== "@" && before !== "/" && before !== "\\" && isPublicName(name, after === "/"))
      hosts.add(hostOf(`http://${name}`) ?? unreadableLink);
    else continue;
    seen.add(name);
  }
}

/** The longest host name in characters, as Unicode too (RFC 1035 2.3.4). */
const NAME_CHARS_MAX = 253;

function isPublicName(name: string, hasPath: boolean): boolean {
  const ending = name.slice(name.lastIndexOf(".") + 1).toLowerCase();
  if (name.length > NAME_CHARS_MAX || !/^(?:\p{L}{2,}|xn--[a-z0-9-]+)$/u.test(ending)) return false;
  if (fileEndings.has(ending) && !hasPath) return false;
  const { isIcann, domain } = parse(name, { allowPrivateDomains: false });
  return isIcann === true && domain !== null;
}

/** No host with its port is this long, whether in Unicode, A-labels or escapes (RFC 1035 2.3.4). */
const HOST_TEXT_MAX = 2_000;

/**
 * Whether the host of a target is too long to be one. Check this before every URL parser: its time grows with the
 * square of the host's labels.
 */
export function hasEndlessHost(target: string): boolean {
  if (target.length <= HOST_TEXT_MAX) return false;
  const plain = target.replace(/[\t\n\r]/g, "").replace(/^[\x00-\x20]+/, "");
  const [prefix] = /^(?:(?:https?|ftp|wss?|file):[\\/]*|[\\/]{2,})/i.exec(plain) ?? [];
  if (prefix === undefined) return false;
  const [authority = ""] = plain.slice(prefix.length).split(/[\\/?#]/, 1);
  return authority.length - authority.lastIndexOf("@") > HOST_TEXT_MAX;
}

/** The host that a target leads to, its scheme if it has no host, or null if it leads nowhere outside the mail. */
function hostOf(target: string): string | null {
  if (hasEndlessHost(target)) return unreadableLink;
  const url = URL.parse(target) ?? URL.parse(target, "https://relative.invalid/");
  if (!url) return /^[\x00-\x20]*(?:[a-z][a-z0-9+.\t\r\n-]*:|[\\/]{2})/i.test(target) ? unreadableLink : null;
  if (url.hostname === "relative.invalid" || harmlessSchemes.has(url.protocol)) return null;
  if (!hostSchemes.has(url.protocol)) return url.protocol;
  return url.hostname.replace(/\.$/, "") || unreadableLink;
}

function isHarmless(target: string): boolean {
  return harmlessSchemes.has(URL.parse(target)?.protocol ?? "");
}
