import { domainToASCII } from "node:url";
import { parse } from "tldts";
import { CSS_CHARS_MAX, readCss } from "./css.ts";
import { hasEndlessHost, linkHosts, unreadableLink } from "./links.ts";
import { walkHtml } from "./walk.ts";

/** A link in a mail: what its reader sees, and where it really leads. */
export interface ShownLink {
  /** The words of the link; "" if mail programs load it automatically, as they do pictures. */
  text: string;
  /** Host of the target in A-labels, with its port unless that is the default; "" if it has no host. */
  host: string;
  /** The whole target. */
  url: string;
}

/** Attributes that a reader follows, and attributes that a mail program loads automatically. */
const followed = ["href", "xlink:href", "action", "formaction"];
const loaded = ["src", "srcset", "background", "poster", "data"];
const plainLink = /\b(?:https?:\/\/|www\.)[^\s<>"]+/giu;
/** Links listed in full; no reader looks at more. Only the hosts of the others are listed. */
const LINKS_MAX = 10_000;
/** The base is repeated in every relative target, so its length is limited. */
const BASE_CHARS_MAX = 500;

/**
 * Lists all links of a mail in order, each pair of words and target once: those in the text, those in the HTML, and
 * what the HTML loads (pictures, style sheets). Targets inside the mail (`cid:`, `data:` pictures, `#…`) are left out.
 * Hosts that only the gate's wider search finds (bare names, comments, links after the first 10,000) come last, with
 * only their name. Time and memory are linear in the length.
 */
export function linksOf(text: string, html: string | null): ShownLink[] {
  const found = new Map<string, ShownLink>();
  const add = (words: string, url: string) => {
    const link = { text: words.replace(/\s+/g, " ").trim(), host: hostOf(url), url };
    const key = JSON.stringify([link.text, link.url]);
    if (url !== "" && found.size < LINKS_MAX && !found.has(key)) found.set(key, link);
  };
  for (const [match] of text.matchAll(plainLink)) {
    const words = withoutSentenceEnd(match);
    add(words, /^www\./i.test(words) ? `http://${words}` : words);
  }
  if (html !== null) for (const link of htmlLinks(html)) add(link.text, link.url);
  const links = [...found.values()];
  const known = new Set(links.map(({ host }) => host.replace(/:\d+$/, "")));
  const rest = linkHosts(text, html).filter(
    (host) => !known.has(host) && host !== unreadableLink && !host.endsWith(":"),
  );
  return [...links, ...rest.map((host) => ({ text: host, host, url: host }))];
}

/** Punctuation after a link belongs to the sentence, and so does the end of a bracket opened before the link. */
function withoutSentenceEnd(match: string): string {
  let unopened = match.split(")").length - match.split("(").length;
  let end = match.length;
  for (; end > 0; end--) {
    const last = match[end - 1] as string;
    if (last === ")" && unopened > 0) unopened--;
    else if (!".,;:!?'»”’".includes(last)) break;
  }
  return match.slice(0, end);
}

interface Link {
  text: string;
  url: string;
  /** False if a mail program loads it automatically. */
  followed: boolean;
}

/** Links in the source of HTML. Nothing is rendered, so links that a style sheet hides are found too. */
function htmlLinks(html: string): Link[] {
  const links: Link[] = [];
  /** The link whose words are being read. */
  let open: Link | null = null;
  let base: string | null = null;
  let element = "";
  let sheet = "";
  /** Characters of style attributes left to read. */
  let styleChars = CSS_CHARS_MAX;

  const words = (text: string) => {
    if (element === "style") sheet += text;
    else if (open) open.text += text;
  };
  const load = (url: string) => links.push({ text: "", url: resolved(url, base), followed: false });
  const begin = (name: string, attributes: Map<string, string>) => {
    element = name;
    if (element === "a") open = null;
    if (element === "img") words(` ${attributes.get("alt") ?? ""} `);
    if (element === "base") base ??= shortBase(attributes.get("href"));
    const style = attributes.get("style") ?? "";
    styleChars -= style.length;
    if (style.includes("(") && styleChars >= 0) readCss(style, { isAttribute: true }).urls.forEach(load);
    for (const name of element === "base" ? [] : followed) {
      const target = attributes.get(name);
      if (target === undefined) continue;
      const link = { text: "", url: resolved(target, base), followed: element !== "link" };
      links.push(link);
      if (element === "a") open = link;
    }
    for (const name of loaded) for (const target of targets(name, attributes.get(name) ?? "")) load(target);
  };

  const end = (name: string) => {
    element = "";
    if (name === "a") open = null;
  };
  walkHtml(html, { text: words, begin, end });

  readCss(sheet).urls.forEach(load);
  return links
    .filter(({ url, followed }) => !/^(?:#|cid:)/i.test(url) && (followed || !/^data:/i.test(url)))
    .map((link) => (link.followed && link.text.trim() === "" ? { ...link, text: "(no words)" } : link));
}

/** `srcset` is a list of addresses with sizes (HTML 4.8.4.2.1). */
function targets(name: string, value: string): string[] {
  const list = name === "srcset" ? value.split(/,\s+/).map((one) => one.trim().split(/\s/)[0] as string) : [value];
  return list.filter((target) => target !== "");
}

/** The base of relative targets; a long one is cut to its origin. */
function shortBase(href: string | undefined): string | null {
  if (href === undefined || href.length <= BASE_CHARS_MAX) return href ?? null;
  const origin = hasEndlessHost(href) ? "" : (URL.parse(href)?.origin ?? "");
  return origin.length > BASE_CHARS_MAX || origin === "null" ? null : `${origin}/…/`;
}

/** A URL as a browser would request it; as written if it cannot be resolved without a page around it. */
function resolved(url: string, base: string | null): string {
  if (hasEndlessHost(url)) return url;
  const absolute = /^[\\/]{2}/.test(url) && base === null ? `https:${url}` : url;
  return URL.parse(absolute, base ?? undefined)?.href ?? url;
}

function hostOf(url: string): string {
  if (hasEndlessHost(url)) return "";
  const parsed = URL.parse(url);
  if (parsed?.protocol !== "mailto:") return parsed?.host ?? "";
  const domain = parsed.pathname.slice(parsed.pathname.lastIndexOf("@") + 1);
  return domain.length > 3 * HOST_CHARS_MAX ? "" : domainToASCII(domain);
}

/** Text that may be a host name: letters, digits, hyphens and dots (UTS 46 has four dots). */
const hostLike = /[\p{L}\p{N}\p{M}.。．｡-]+/gu;
/** RFC 1035 2.3.4, less the root. */
const HOST_CHARS_MAX = 253;

/**
 * Finds the host that a link's words name if the link leads to another one: `paypal.com` on a link to `evil.example`.
 * Null if they name no host, or the target is that host or a subdomain of it. Time is linear in the words.
 */
export function misnamedHost({ text, host }: ShownLink): string | null {
  const target = host.replace(/:\d+$/, "");
  const shown = text.replace(/\p{Default_Ignorable_Code_Point}/gu, "");
  for (const { 0: word, index } of shown.matchAll(hostLike)) {
    if (word.length > HOST_CHARS_MAX || !/.[.。．｡]./u.test(word)) continue;
    const named = domainToASCII(withoutEnds(word)).replace(/^www\./, "");
    // "report.pdf" and "e.g" are words, unless they stand where only a host does.
    if (!parse(named).isIcann && !shown.startsWith("://", index - 3)) continue;
    if (target !== named && !target.endsWith(`.${named}`)) return named;
  }
  return null;
}

function withoutEnds(word: string): string {
  return word.slice(/^[.-]/.test(word) ? 1 : 0, /[.-]$/.test(word) ? -1 : undefined);
}
