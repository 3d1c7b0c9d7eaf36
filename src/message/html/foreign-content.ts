import { escapeText } from "./escape.ts";

/** Pictures and formulas in HTML (SVG, MathML), whose elements browsers read otherwise than those of HTML. */

/** What may have elements that a tokenizer for HTML alone reads otherwise than browsers. */
const trigger = /<(?:svg|math|iframe|noembed|noframes|plaintext)(?=[\s/>])|[\s/"']=/i;
/** Elements of HTML whose content is raw text (HTML standard 13.2.6.4). In pictures and formulas they are ordinary ones. */
const rawText = new Set(["style", "script", "title", "textarea", "xmp", "iframe", "noembed", "noframes", "plaintext"]);
/** Those of them that the tokenizer does not know. */
const unknownRawText = new Set(["iframe", "noembed", "noframes", "plaintext"]);
const rawTextTag = /<(\/?)(style|script|title|textarea|xmp|iframe|noembed|noframes|plaintext)(?=[\s/>])/gi;

/** The names that `asOrdinary` gives to raw text: in formulas, it is shown if it has a `display`; in pictures, never. */
export const inFormula = new Set([...rawText].map((name) => `math-${name}`));
export const inPicture = new Set([...rawText].map((name) => `svg-${name}`));

/** Start tags of a text, which end a picture or formula around them (HTML standard 13.2.6.5). */
const endsForeign = new Set(
  (
    "b big blockquote body br center code dd div dl dt em embed h1 h2 h3 h4 h5 h6 head hr i img li listing menu meta " +
    "nobr ol p pre ruby s small span strong strike sub sup table tt u ul var"
  ).split(" "),
);
const fontAttribute = /[\s/"'](?:color|face|size)(?=[\s/>=])/i;
const htmlEncoding = /[\s/"']encoding\s{0,20}=\s{0,20}["']?(?:text\/html|application\/xhtml\+xml)(?=[\s"'/>])/i;
/** Elements in which HTML begins again. */
const pictureTexts = new Set(["foreignobject", "desc", "title", "svg-title"]);
const formulaTexts = new Set(["mi", "mo", "mn", "ms", "mtext"]);

/** Elements of HTML without an end tag. */
export const voidElements = new Set(
  "area base basefont bgsound br col embed frame hr img input keygen link meta param source track wbr".split(" "),
);
/** End tags that close nothing around a picture. */
const neverClosed = new Set(["html", "head", "body"]);
/** How far up an end tag looks for its element. Real pictures are not as deep. */
const CLOSE_REACH = 100;

interface Open {
  name: string;
  /** As it is written anew. */
  written: string;
  kind: "svg" | "math" | "html";
  /** Whether what begins in it is HTML. */
  holdsHtml: boolean;
}

/** Whether HTML has pictures, formulas or frames, of which programs may read the raw text in different ways. */
export function mayHaveOrdinary(html: string): boolean {
  return trigger.test(html);
}

/**
 * HTML in which raw text inside pictures and formulas is an ordinary element with another name, as browsers read it (HTML
 * standard 13.2.6.5): `<math><style>` is `<math-style>`. A tag that ends a picture has the end tags before it that it
 * stands for, CDATA sections there are text, and so is the content of frames. Linear.
 */
export function asOrdinary(html: string): string {
  const parts: string[] = [];
  let copied = 0;
  const replace = (start: number, end: number, by: string) => {
    parts.push(html.slice(copied, start), by);
    copied = end;
  };
  /** The open elements from the outermost picture or formula on. */
  const open: Open[] = [];
  /** How many elements of each name are open around it. */
  const around = new Map<string, number>();
  const isHtml = (name: string) => {
    const top = open.at(-1);
    if (!top || top.kind === "html") return true;
    if (top.name === "annotation-xml" && name === "svg") return true;
    return top.holdsHtml && !(top.kind === "math" && (name === "mglyph" || name === "malignmark"));
  };
  const endTags = (from: number) =>
    open
      .splice(from)
      .reverse()
      .map(({ written }) => `</${written}>`)
      .join("");

  /** Where the elements begin that a tag of a text ends. */
  const outermostForeign = () => open.findLastIndex(({ holdsHtml }) => holdsHtml) + 1;

  const begin = (start: number, end: number, name: string, oddEquals: readonly number[]) => {
    const isFont = name === "font" && fontAttribute.test(html.slice(start, end));
    if (!isHtml(name) && (isFont || endsForeign.has(name))) {
      const from = outermostForeign();
      if (from < open.length) replace(start, start, endTags(from));
    }
    const isSelfClosing = html[end - 2] === "/";
    const isOfHtml = isHtml(name);
    const kind = isOfHtml ? "html" : (open.at(-1)?.kind as "svg" | "math");
    const isRenamed = !isOfHtml && rawText.has(name) && !(kind === "svg" && isPlain(name, end));
    const written = isRenamed ? `${kind}-${name}` : name;
    if (isRenamed) replace(start, start + 1 + name.length, `<${written}`);
    for (const at of oddEquals) replace(at, at + 1, "-");
    if (isOfHtml) {
      if (rawText.has(name)) return passRawText(name, end);
      if (name === "svg" || name === "math") {
        if (!isSelfClosing) open.push({ name, written: name, kind: name, holdsHtml: false });
      } else if (open.length === 0) around.set(name, (around.get(name) ?? 0) + (voidElements.has(name) ? 0 : 1));
      else if (!voidElements.has(name)) open.push({ name, written: name, kind: "html", holdsHtml: true });
      return end;
    }
    if (isSelfClosing) return end;
    const holdsHtml =
      kind === "svg"
        ? pictureTexts.has(name)
        : formulaTexts.has(name) || (name === "annotation-xml" && htmlEncoding.test(html.slice(start, end)));
    open.push({ name, written, kind, holdsHtml });
    return end;
  };
  /** Whether an element of raw text has no markup in it: then it is the same as an ordinary one. */
  const isPlain = (name: string, start: number) => {
    const tag = html.indexOf("<", start);
    const isClosed = tag >= 0 && html.slice(tag, tag + name.length + 2).toLowerCase() === `</${name}`;
    return isClosed && !html.slice(start, tag).includes("&");
  };
  const passRawText = (name: string, start: number) => {
    const end = rawTextEndOf(name, html, start);
    if (unknownRawText.has(name)) {
      const content = html.slice(start, end < 0 ? html.length : end);
      replace(start, start + content.length, content.replaceAll("<", "&lt;"));
    }
    const next = end < 0 ? -1 : tagEnd(html, end + 2 + name.length);
    return next < 0 ? html.length : next;
  };
  const end = (start: number, end: number, name: string) => {
    let isInHtml = false;
    if (!isHtml("") && (name === "p" || name === "br")) {
      replace(start, start, endTags(outermostForeign()));
      isInHtml = true;
    }
    for (let i = open.length - 1; i >= Math.max(0, open.length - CLOSE_REACH); i--) {
      const one = open[i] as Open;
      isInHtml ||= one.kind === "html";
      // In the HTML inside of a picture, an end tag reaches no element of the picture.
      if (isInHtml && one.kind !== "html") return;
      if (one.name !== name) continue;
      open.length = i;
      if (one.written !== name) replace(start, end, `</${one.written}>`);
      return;
    }
    const count = around.get(name) ?? 0;
    if (count === 0 || neverClosed.has(name)) return;
    around.set(name, count - 1);
    if (open.length > 0) replace(start, start, endTags(0));
  };

  const oddEquals: number[] = [];
  const takeOddEquals = (at: number) => oddEquals.push(at);
  for (let at = html.indexOf("<"); at >= 0; at = html.indexOf("<", at)) {
    if (!isHtml("") && html.startsWith("<![CDATA[", at)) {
      const content = at + "<![CDATA[".length;
      const close = html.indexOf("]]>", content);
      const next = close < 0 ? html.length : close + 3;
      replace(at, next, escapeText(html.slice(content, close < 0 ? html.length : close)));
      at = next;
      continue;
    }
    const tagAt = html[at + 1] === "/" ? at + 2 : at + 1;
    const letter = html.charCodeAt(tagAt) | 0x20;
    if (!(letter >= 0x61 && letter <= 0x7a)) {
      at = nonTagEnd(html, at, tagAt);
      continue;
    }
    let endOfName = tagAt;
    while (endOfName < html.length && !endsName(html.charCodeAt(endOfName))) endOfName++;
    const name = html.slice(tagAt, endOfName).toLowerCase();
    oddEquals.length = 0;
    const next = tagEnd(html, endOfName, takeOddEquals);
    // A tag that is cut off is none.
    if (next < 0) break;
    if (tagAt === at + 1) at = begin(at, next, name, oddEquals);
    else {
      end(at, next, name);
      at = next;
    }
  }
  parts.push(html.slice(copied));
  return parts.join("");
}

/** Where programs may differ about what is raw text; a field's is read with its character references. */
const doubtful = /<(?:svg|math|iframe|noembed|noframes|plaintext|textarea)(?=[\s/>])/i;

/**
 * The other way to read HTML with pictures, formulas, frames or fields: from the first one on, no element has raw text,
 * and CDATA sections are text. Null for other HTML. Linear.
 */
export function withoutRawText(html: string): string | null {
  const at = html.search(doubtful);
  if (at < 0) return null;
  const rest = html.slice(at).replace(rawTextTag, "<$1math-$2").replaceAll("<![CDATA[", "").replaceAll("]]>", "");
  return html.slice(0, at) + rest;
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09 || code === 0x0a || code === 0x0c || code === 0x0d;
}

/** Whether a character ends the name of a tag or of an attribute without a value. */
function endsName(code: number): boolean {
  return isSpace(code) || code === 0x2f || code === 0x3e;
}

const commentEnd = /--!?>/g;
const rawTextEnd = /<\/(style|script|title|textarea|xmp|iframe|noembed|noframes|plaintext)(?=[ \t\n\f\r/>])/gi;

/** Where the end tag of an element of raw text begins; -1 without one. */
function rawTextEndOf(name: string, html: string, from: number): number {
  rawTextEnd.lastIndex = from;
  for (let found = rawTextEnd.exec(html); found; found = rawTextEnd.exec(html))
    if (found[1]?.toLowerCase() === name) return found.index;
  return -1;
}

/** The end of what begins with a "<" that begins no tag: a comment, a declaration, or the sign itself. */
function nonTagEnd(html: string, at: number, tagAt: number): number {
  if (html.startsWith("<!--", at)) {
    const short = /^-?>/.exec(html.slice(at + 4, at + 6));
    if (short) return at + 4 + short[0].length;
    commentEnd.lastIndex = at + 4;
    return commentEnd.exec(html) ? commentEnd.lastIndex : html.length;
  }
  const isBogus = tagAt === at + 2 || html[at + 1] === "!" || html[at + 1] === "?";
  if (!isBogus) return at + 1;
  const close = html.indexOf(">", tagAt);
  return close < 0 ? html.length : close + 1;
}

/**
 * The end of a tag whose name ends at `from` (HTML standard 13.2.5.32 and after); -1 if it is cut off. A ">" in a quoted
 * value does not end it. A "=" that begins the name of an attribute goes to `oddEquals`.
 */
function tagEnd(html: string, from: number, oddEquals?: (at: number) => void): number {
  if (html[from] === ">") return from + 1;
  for (let at = from; ; ) {
    while (isSpace(html.charCodeAt(at)) || html[at] === "/") at++;
    if (at >= html.length) return -1;
    if (html[at] === ">") return at + 1;
    if (html[at] === "=") oddEquals?.(at);
    at++;
    while (at < html.length && html[at] !== "=" && !endsName(html.charCodeAt(at))) at++;
    let equals = at;
    while (isSpace(html.charCodeAt(equals))) equals++;
    if (html[equals] !== "=") continue;
    at = equals + 1;
    while (isSpace(html.charCodeAt(at))) at++;
    const quote = html[at] ?? "";
    if (quote === '"' || quote === "'") at = html.indexOf(quote, at + 1) + 1;
    else {
      valueEnd.lastIndex = at;
      at = valueEnd.exec(html)?.index ?? 0;
    }
    if (at === 0) return -1;
  }
}

const valueEnd = /[ \t\n\f\r>]/g;
