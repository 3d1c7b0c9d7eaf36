import { parse } from "tldts";
import { harmlessCss } from "./css.ts";
import { escapeAttribute, escapeText } from "./escape.ts";
import { quotedStyle } from "./quoted-style.ts";
import { linkAddress, shownHost } from "./safe-links.ts";
import { seenHtml } from "./seen.ts";
import { walkHtml } from "./walk.ts";

/** What the safe HTML may show. */
export interface SafeHtmlOptions {
  /** Whether remote pictures may load. Their server then learns that the mail is read, and from where. */
  images: boolean;
  /** The picture that a `cid:` URL names, as a data URL; null if it does not exist. */
  inline: (contentId: string) => string | null;
  /**
   * Set for HTML that goes into another mail: links lead where they say, `cid:` URLs that `inline` knows stay, and
   * style sheets are left out, and of style attributes what could cover, move or hide what is around the quote.
   */
  isQuote?: boolean;
}

/**
 * The HTML of a mail for a quote of it in another mail; `contentIds` names the pictures that go along. What the mail hid
 * from its reader is left out, because the styles that hid it do not go along. Null if that is too complex to tell.
 */
export function quotableHtml(html: string, contentIds: readonly string[]): string | null {
  const { html: seen, hiddenChars, isUnsure } = seenHtml(html);
  if (hiddenChars === null || isUnsure) return null;
  const known = new Set(contentIds);
  return safeHtml(seen, { images: false, inline: (id) => (known.has(id) ? `cid:${id}` : null), isQuote: true });
}

/** Elements that lay text out. All others lose their tags and keep their content. */
const allowed = new Set(
  (
    "a abbr address article aside b bdi big blockquote br caption center code col colgroup dd del details dfn div dl dt em " +
    "figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i img ins kbd li main mark nav ol p pre q rp rt ruby s samp " +
    "section small span strike strong sub summary sup table tbody td tfoot th thead time tr tt u ul var wbr"
  ).split(" "),
);

/** Elements that are removed with their content: code, languages other than HTML, other documents, form controls. */
const dropped = new Set(
  (
    "applet audio canvas datalist frameset iframe math noembed noframes object script select svg template textarea title " +
    "video xmp"
  ).split(" "),
);

const voids = new Set(["br", "col", "hr", "img", "wbr"]);

/** The innermost elements that a start tag closes (HTML 13.1.2.4). Otherwise unclosed rows would nest. */
const closes: Record<string, readonly string[]> = {
  li: ["li"],
  p: ["p"],
  dt: ["dt", "dd"],
  dd: ["dt", "dd"],
  td: ["td", "th"],
  th: ["td", "th"],
  tr: ["td", "th", "tr"],
  tbody: ["td", "th", "tr", "thead", "tbody"],
  tfoot: ["td", "th", "tr", "thead", "tbody"],
};

const attributes = new Set(
  (
    "abbr align alt bgcolor border cellpadding cellspacing cite class color cols colspan datetime dir face headers height " +
    "hspace id lang nowrap open reversed rowspan rules scope size span start style summary title type valign value vspace width"
  ).split(" "),
);

/** Real mail stays below this, and browsers lay out deeper tables slowly. Deeper tags are left out. */
const DEPTH_MAX = 100;
/** Long newsletters have a few thousand. After this many, tags are left out and the words stay. */
const ELEMENTS_MAX = 20_000;
/** An inline picture is written out each time it occurs. After this many characters, pictures are left out. */
const PICTURE_CHARS_MAX = 16 * 1024 * 1024;
/** How far up an end tag looks for its element. */
const CLOSE_REACH = 50;

const picture = /^data:image\/(?:png|jpe?g|gif|webp|bmp|avif);base64,[\w+/=\s]*$/i;
const ignorable = /\p{Default_Ignorable_Code_Point}/gu;
const remote = /^\s*(?:https?:)?\/\//i;

/**
 * Rewrites the HTML of a mail with what lays it out and nothing else. The output is written anew from a list of what is
 * allowed, so that nothing passes because this parser and a browser read the input differently. Links lead to our page
 * that shows where they go, and show their real host if their words claim another. Never throws; time is linear in the
 * length, whatever the input.
 *
 * This is the second wall. The first is the policy of the response: no scripts, forms or requests, and an origin of its
 * own (mail-view.ts).
 */
export function safeHtml(html: string, options: SafeHtmlOptions): string {
  const out: string[] = [];
  const open: string[] = [];
  /** The element that is being left out, and how many of its name are open. */
  let skipping: { name: string; depth: number } | null = null;
  /** The link that is open: what its words say, and where it leads. */
  let link: { words: string; url: URL } | null = null;
  let name = "";
  let given = new Map<string, string>();
  let style = "";
  let elements = 0;
  let pictureChars = 0;

  function text(part: string): void {
    if (skipping) return;
    if (open.at(-1) === "style") style += part;
    else {
      if (link) link.words += part;
      out.push(escapeText(withoutOverrides(part)));
    }
  }

  function close(): void {
    const closing = open.pop() as string;
    if (closing === "style") {
      if (!options.isQuote) out.push(`<style>${harmlessCss(style, { pictures: options.images })}</style>`);
      style = "";
      return;
    }
    if (closing === "a" && link) {
      out.push(
        deceives(link) && !options.isQuote
          ? `</a><span class="e2a-host">${escapeText(shownHost(link.url))}</span>`
          : "</a>",
      );
      link = null;
    } else out.push(closing === "body" ? "</div>" : `</${closing}>`);
  }

  function begin(): void {
    if (skipping) {
      if (skipping.name === name) skipping.depth++;
      return;
    }
    if (dropped.has(name)) {
      skipping = { name, depth: 1 };
      return;
    }
    if (name === "style") {
      open.push("style");
      return;
    }
    if (name === "body" ? open.length > 0 : !allowed.has(name)) return;
    while (closes[name]?.includes(open.at(-1) as string)) close();
    if (name === "a" && open.includes("a")) while (open.includes("a")) close();
    if (elements >= ELEMENTS_MAX || (open.length >= DEPTH_MAX && !voids.has(name))) return;
    elements++;
    // The mail's body becomes a box in ours, so that its colours and margins apply.
    out.push(`<${name === "body" ? "div" : name}${writtenAttributes()}>`);
    if (!voids.has(name)) open.push(name);
  }

  function end(ended: string): void {
    if (skipping) {
      if (skipping.name === ended && --skipping.depth === 0) skipping = null;
      return;
    }
    // A cell is a boundary: an end tag inside it cannot close an element around the table.
    const boundary = /^(?:table|td|th)$/;
    for (let i = open.length - 1; i >= Math.max(0, open.length - CLOSE_REACH); i--) {
      if (open[i] === ended) {
        while (open.length > i) close();
        return;
      }
      if (boundary.test(open[i] as string) && !/^(?:table|t[rdh]|tbody|thead|tfoot)$/.test(ended)) return;
    }
  }

  function writtenAttributes(): string {
    const written: string[] = [];
    const write = (key: string, content: string) => written.push(` ${key}="${escapeAttribute(content)}"`);
    for (const [key, content] of given) {
      if (!attributes.has(key)) continue;
      // Only we may mark a link as false.
      if (key === "class") {
        write(key, withoutMark(content));
        continue;
      }
      // The title from the mail is untrusted; ours says where the link goes.
      if (key === "title" && name === "a") continue;
      if (options.isQuote && key === "id") continue;
      if (options.isQuote && key === "style") {
        const own = quotedStyle(content);
        if (own !== "") write(key, own);
        continue;
      }
      write(key, key === "style" ? harmlessCss(content, { pictures: options.images }) : withoutOverrides(content));
    }
    // The body becomes a `div`, which does not have this attribute.
    const colour = name === "body" ? given.get("bgcolor") : undefined;
    if (colour && !given.has("style"))
      write("style", `background-color:${harmlessCss(colour, { pictures: false }).replace(/;/g, "")}`);
    if (name === "img") writePicture(write);
    if (name === "a") writeLink(write);
    const background = given.get("background");
    if (background && options.images && remote.test(background))
      write("style", `background-image:url("${background.replace(/["\\\n]/g, "")}")`);
    return written.join("");
  }

  function writePicture(write: (key: string, content: string) => void): void {
    const source = (given.get("src") ?? "").trim();
    const isPart = /^cid:/i.test(source);
    const found = (isPart ? options.inline(decoded(source.slice(4))) : source) ?? "";
    pictureChars += found.length;
    const mayLoad = picture.test(found) || (options.images && remote.test(found)) || (options.isQuote && isPart);
    if (found !== "" && mayLoad && pictureChars <= PICTURE_CHARS_MAX) write("src", found);
    else if (remote.test(source) && !options.isQuote) write("data-e2a-blocked", "");
  }

  function writeLink(write: (key: string, content: string) => void): void {
    const target = (given.get("href") ?? "").trim();
    if (/^#[\w.:-]+$/.test(target)) write("href", target);
    const url = linkAddress(target);
    if (!url) return;
    link = { words: "", url };
    if (options.isQuote) {
      write("href", url.href);
      return;
    }
    write("href", `/leaving?to=${encodeURIComponent(url.href)}`);
    write("title", `${shownHost(url)}\n${url.href}`);
    write("target", "_blank");
    write("rel", "noopener noreferrer nofollow");
  }

  walkHtml(html, {
    text,
    begin(tag, attributes, isSelfClosing) {
      // Self-closing tags exist only in SVG and MathML, which are left out anyway.
      if (isSelfClosing && (tag === "style" || dropped.has(tag))) return;
      name = tag;
      given = attributes;
      begin();
    },
    end,
    rest(source) {
      if (open.at(-1) === "style") text(source);
    },
  });
  while (open.length > 0) close();
  return out.join("");
}

function withoutMark(classes: string): string {
  return classes.replace(/[^\s]+/g, (name) => (name.toLowerCase() === "e2a-host" ? "" : name));
}

/** Whether a link's words name a host other than its target, or its host has letters that may look like others. */
function deceives({ words: written, url }: { words: string; url: URL }): boolean {
  // Invisible characters between two letters do not change the name that a reader sees.
  const words = written.replace(ignorable, "");
  if (url.hostname.split(".").some((label) => label.startsWith("xn--"))) return true;
  if (url.protocol === "mailto:" || url.protocol === "tel:") return false;
  const bare = (host: string) => host.toLowerCase().replace(/^www\./, "");
  const within = [...words.matchAll(/(?:https?:\/\/|\bwww\.)(?:[^\s/@]{0,100}@)?([\p{L}\p{N}.-]+)/giu)].map(
    ([, host]) => host!,
  );
  const alone = hostAlone(words);
  const claimed = [...(alone && parse(alone).isIcann ? [alone] : []), ...within];
  // A longer name is not a host (RFC 1035 2.3.4), and must not reach a parser.
  if (claimed.some((host) => host.length > 253)) return true;
  return claimed.some((host) => bare(URL.parse(`http://${host}`)?.hostname ?? host) !== bare(url.hostname));
}

/** The host name that the words consist of, alone or followed by the rest of a URL; null if they are anything else. */
function hostAlone(words: string): string | null {
  const [host = ""] = words.trim().split(/[/:?#]/, 1);
  const ending = host.slice(host.lastIndexOf(".") + 1);
  if (host === ending || /\s/.test(words.trim())) return null;
  return /^[\p{L}\p{N}.-]+$/u.test(host) && /^\p{L}{2,63}$/u.test(ending) ? host : null;
}

/**
 * The text with the two characters that reverse it written as code points (Unicode 3.2 of TR9). The other direction
 * controls have honest uses.
 */
function withoutOverrides(text: string): string {
  return text.replace(/[\u202d\u202e]/g, (mark) => `⟨U+${mark.charCodeAt(0).toString(16).toUpperCase()}⟩`);
}

function decoded(escaped: string): string {
  try {
    return decodeURIComponent(escaped);
  } catch {
    return escaped;
  }
}
