import { parse } from "tldts";
import { harmlessCss } from "./css.ts";
import { linkAddress, shownHost } from "./safe-links.ts";
import { walkHtml } from "./walk.ts";

/** What may be shown, and how it is written. */
export interface SafeHtmlOptions {
  /** Whether pictures from elsewhere may load; their server learns that somebody reads, and from where. */
  images: boolean;
  /** The picture that a `cid:` URL names, as a data URL; null when there is none. */
  inline: (contentId: string) => string | null;
}

/** Elements that lay text out. All others lose their tags and keep their content. */
const allowed = new Set(
  (
    "a abbr address article aside b bdi big blockquote br caption center code col colgroup dd del details dfn div dl dt em " +
    "figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i img ins kbd li main mark nav ol p pre q rp rt ruby s samp " +
    "section small span strike strong sub summary sup table tbody td tfoot th thead time tr tt u ul var wbr"
  ).split(" "),
);

/** Elements that go with all that is in them: code, other languages than HTML, other documents, form controls. */
const dropped = new Set(
  (
    "applet audio canvas datalist frameset iframe math noembed noframes object script select svg template textarea title " +
    "video xmp"
  ).split(" "),
);

const voids = new Set(["br", "col", "hr", "img", "wbr"]);

/** What an element that begins closes, where it is the innermost one (HTML 13.1.2.4); else unclosed rows would nest. */
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

/** Real mail stays below; a browser's layout of nested tables is slow beyond. Deeper tags are left out. */
const DEPTH_MAX = 100;
/** Long newsletters have some thousands. Behind this many, tags are left out and the words stay. */
const ELEMENTS_MAX = 20_000;
/** Pictures of the mail itself are written where they stand, as often as they do; behind this many characters they are not. */
const PICTURE_CHARS_MAX = 16 * 1024 * 1024;
/** An end tag looks this far up for its element. */
const CLOSE_REACH = 50;

const picture = /^data:image\/(?:png|jpe?g|gif|webp|bmp|avif);base64,[\w+/=\s]*$/i;
const ignorable = /\p{Default_Ignorable_Code_Point}/gu;
const remote = /^\s*(?:https?:)?\/\//i;

/**
 * The HTML of a mail with what lays it out and nothing else: a list of what is allowed, written anew, so that nothing
 * passes because this parser and a browser read it differently. Links lead to our page that shows where they go, and say
 * their real host where their words claim another. Never throws; the time is linear in the length, whatever it has.
 *
 * This is the second wall. The first is the policy that the answer carries: without scripts, forms and requests, and in
 * an origin of its own (mail-view.ts).
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
      out.push(`<style>${harmlessCss(style, { pictures: options.images })}</style>`);
      style = "";
      return;
    }
    if (closing === "a" && link) {
      out.push(deceives(link) ? `</a><span class="e2a-host">${escapeText(shownHost(link.url))}</span>` : "</a>");
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
    // The body is a box in ours, so that its colours and margins hold.
    out.push(`<${name === "body" ? "div" : name}${writtenAttributes()}>`);
    if (!voids.has(name)) open.push(name);
  }

  function end(ended: string): void {
    if (skipping) {
      if (skipping.name === ended && --skipping.depth === 0) skipping = null;
      return;
    }
    // A cell is a boundary: what is in it cannot close what is around the table.
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
      // The mark of a false link is ours to set.
      if (key === "class") {
        write(key, withoutMark(content));
        continue;
      }
      // The text of a title is as untrusted as any other; ours says where a link goes.
      if (key === "title" && name === "a") continue;
      write(key, key === "style" ? harmlessCss(content, { pictures: options.images }) : withoutOverrides(content));
    }
    // The body becomes a box of ours, and boxes have no such attribute.
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
    const found = (/^cid:/i.test(source) ? options.inline(decoded(source.slice(4))) : source) ?? "";
    pictureChars += found.length;
    if (pictureChars <= PICTURE_CHARS_MAX && (picture.test(found) || (options.images && remote.test(found))))
      write("src", found);
    else if (remote.test(source)) write("data-e2a-blocked", "");
  }

  function writeLink(write: (key: string, content: string) => void): void {
    const target = (given.get("href") ?? "").trim();
    if (/^#[\w.:-]+$/.test(target)) write("href", target);
    const url = linkAddress(target);
    if (!url) return;
    link = { words: "", url };
    write("href", `/leaving?to=${encodeURIComponent(url.href)}`);
    write("title", `${shownHost(url)}\n${url.href}`);
    write("target", "_blank");
    write("rel", "noopener noreferrer nofollow");
  }

  walkHtml(html, {
    text,
    begin(tag, attributes, isSelfClosing) {
      // Only SVG and MathML know such tags, and what holds other things than HTML is left out anyway.
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

/** Whether the words of a link name another host than it leads to, or its host has letters that may look like others. */
function deceives({ words: written, url }: { words: string; url: URL }): boolean {
  // What nobody sees between two letters makes no other name of them for whoever reads it.
  const words = written.replace(ignorable, "");
  if (url.hostname.split(".").some((label) => label.startsWith("xn--"))) return true;
  if (url.protocol === "mailto:" || url.protocol === "tel:") return false;
  const bare = (host: string) => host.toLowerCase().replace(/^www\./, "");
  const within = [...words.matchAll(/(?:https?:\/\/|\bwww\.)(?:[^\s/@]{0,100}@)?([\p{L}\p{N}.-]+)/giu)].map(
    ([, host]) => host!,
  );
  const alone = hostAlone(words);
  const claimed = [...(alone && parse(alone).isIcann ? [alone] : []), ...within];
  // A longer name is none (RFC 1035 2.3.4), and no parser should be asked.
  if (claimed.some((host) => host.length > 253)) return true;
  return claimed.some((host) => bare(URL.parse(`http://${host}`)?.hostname ?? host) !== bare(url.hostname));
}

/** The host name that words are, alone or with what follows it in a URL. */
function hostAlone(words: string): string | null {
  const [host = ""] = words.trim().split(/[/:?#]/, 1);
  const ending = host.slice(host.lastIndexOf(".") + 1);
  if (host === ending || /\s/.test(words.trim())) return null;
  return /^[\p{L}\p{N}.-]+$/u.test(host) && /^\p{L}{2,63}$/u.test(ending) ? host : null;
}

/** Text without the two characters that write it backwards (Unicode 3.2 of TR9); others have honest uses. */
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

const escapes: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

function escapeText(text: string): string {
  return text.replace(/[&<>]/g, (one) => escapes[one] as string);
}

function escapeAttribute(text: string): string {
  return text.replace(/[&<>"']/g, (one) => escapes[one] as string);
}
