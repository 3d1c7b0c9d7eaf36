import { quoteHeadOf, quoteTags } from "./quote-markup.ts";
import { walkHtml } from "./walk.ts";

/** A line of HTML, as its reader sees it. */
export interface HtmlLine {
  /** Quotes around it. */
  depth: number;
  /** With `BULLET` or a number in front of the first line of a list item, and `LINK` and `LINK_END` around links. */
  text: string;
}

/** What HTML says if it has only what this file lists. */
export interface PlainHtml {
  lines: HtmlLine[];
  /** Where links lead, in order. */
  targets: string[];
  /** What the HTML has that is not listed here, such as elements and attributes. With any, the lines mean nothing. */
  odd: string[];
}

/** Characters that text cannot have, because they are replaced in it. */
export const BULLET = "\u0001";
export const LINK = "\u0002";
export const LINK_END = "\u0003";

const inline = new Set("a b code em i span strong u".split(" "));
const blocks = new Set("blockquote body div h1 h2 h3 h4 h5 h6 head html li ol p pre ul".split(" "));
const empty = new Set(["br", "hr", "meta"]);
/** Elements whose end tags may be left out, with those that end them. */
const optional: Record<string, ReadonlySet<string>> = {
  p: new Set(["blockquote", "body", "div", "html", "li", "ol", "ul"]),
  li: new Set(["ol", "ul"]),
  body: new Set(["html"]),
};
/** Elements that hold no words of their own. Browsers move them elsewhere. */
const wordless = new Set(["head", "html", "ol", "ul"]);
/** Attributes of any element that do nothing to words, and those of certain elements, with their plain values. */
const inert: Record<string, RegExp> = { dir: /^(?:ltr|auto)$/i, lang: /^[a-z\d-]{0,35}$/i };
const own: Record<string, Record<string, RegExp>> = { a: { href: /^/ }, meta: { charset: /^utf-?8$/i } };

/** The width that an element takes from the lines in it, at most, in pixels. */
const indents: Record<string, number> = { blockquote: 80, ol: 40, ul: 40 };
const OWN_QUOTE_INDENT = 16;
const INDENT_MAX = 240;
/** Larger gaps could move words off the screen, where nobody looks for them. */
const EMPTY_LINES_MAX = 20;
/** As wide as a tab can be. */
const TAB = " ".repeat(8);
/** Characters that no program breaks: of a line of `pre`, and of words with no-break spaces between them. */
const KEPT_CHARS_MAX = 160;
const UNBROKEN_CHARS_MAX = 80;
/** As the number of the next item of what is not a list. */
const NO_LIST = -1;
/** Elements that are looked at for the names of what else is odd. */
const NAMING_ELEMENTS_MAX = 1_000;
/** Nesting of elements; agents' mail has up to 20. Nothing after a deeper one is read. */
const DEPTH_MAX = 60;

/** Letters that are written from the right. Their order beside others depends on `dir`. */
const rightToLeft = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefe\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;
/**
 * Control and direction-changing characters, what JavaScript takes for white space but CSS does not, and U+200B, beside
 * which a line end is no gap (CSS Text 4.1.2).
 */
const oddCharacter = /[\0-\x08\x0b\f\x0e-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/;
/** A line without anything to see. */
const blank = /^[\p{Zs}\p{Default_Ignorable_Code_Point}\u2800\x02\x03]*$/u;
/** More than 8 in a row. */
const manySpaces = /[\p{Zs}\p{Default_Ignorable_Code_Point}\u2800]{9}/u;
const noBreak = /[\u00a0\u2007\u2011\u202f]/;

interface Open {
  name: string;
  isKept: boolean;
  depth: number;
  indent: number;
  /** The number of the next item of a list. */
  next: number;
  /** The part of a quote of ours that it is. */
  part: keyof typeof quoteTags | null;
}

/**
 * Reads HTML that has only elements without any style: those that show words as they are, in their order, in every mail
 * program. Everything else is odd, except the tags that e2a itself writes around a quote. Time is linear in the length.
 */
export function readPlainHtml(html: string): PlainHtml {
  const odd = new Set<string>();
  const lines: HtmlLine[] = [];
  const targets: string[] = [];
  const open: Open[] = [];
  const root: Open = { name: "", isKept: false, depth: 0, indent: 0, next: NO_LIST, part: null };
  const now = () => open.at(-1) ?? root;
  let line: HtmlLine | null = null;
  let endsInSpace = true;
  let emptyLines = 0;
  let hasDirection = false;
  let hasRightToLeft = false;
  let hasBegun = false;
  let hasEnded = false;
  let attributeCount = 0;
  let isGivenUp = false;
  let elementsSince = 0;
  /** The lines that introduce a quote of ours, and how it goes on. Mail programs fold it away, so it must be one. */
  let head: string[] = [];
  let quote: "reply" | "forward" | null = null;

  const endLine = (isBroken: boolean) => {
    if (line ? blank.test(line.text) : isBroken) emptyLines++;
    if (emptyLines > EMPTY_LINES_MAX) odd.add("many empty lines");
    line = null;
    endsInSpace = true;
  };
  const add = (text: string) => {
    if (!line) {
      line = { depth: now().depth, text: "" };
      lines.push(line);
    }
    line.text += text;
    endsInSpace = text.endsWith(" ");
    if (!blank.test(text)) emptyLines = 0;
  };

  const check = () => {
    const { name, depth } = now();
    if (wordless.has(name)) odd.add(`words in <${name}>`);
    if (hasEnded) odd.add("words after the body");
    const isInQuote = open.some(({ part }) => part === "container");
    const isHead = open.some(({ part }) => part === "head");
    if (isInQuote && !isHead && quote !== "forward" && (quote === null || depth === 0)) odd.add("a quote");
    if (!isInQuote && quote !== null) odd.add("words below a quote");
    hasBegun = true;
  };

  const words = (text: string) => {
    if (text === " " && !now().isKept) {
      if (!endsInSpace) add(text);
      return;
    }
    check();
    if (oddCharacter.test(text)) odd.add("invisible characters");
    hasRightToLeft ||= rightToLeft.test(text);
    if (now().part === "head") head[head.length - 1] += text;
    const isFolded = !now().isKept && endsInSpace && text.startsWith(" ");
    add(isFolded ? text.slice(1) : text);
  };

  const text = (part: string) => {
    if (odd.size > 0) return;
    if (!now().isKept) return words(part.replace(/[ \t\r\n]+/g, " "));
    for (const [i, piece] of part.split(/\r\n?|\n/).entries()) {
      if (i > 0) endLine(true);
      if (piece !== "") words(piece.replaceAll("\t", TAB));
      if (line && line.text.length > KEPT_CHARS_MAX) odd.add("long lines in <pre>");
    }
  };

  const close = () => {
    const element = open.pop();
    if (!element) return;
    const { name, part } = element;
    if (name === "a") add(LINK_END);
    if (blocks.has(name)) endLine(false);
    if (part === "head") {
      quote = quoteHeadOf(head.map((one) => one.trim()).filter((one) => one !== ""));
      if (quote === null) odd.add("a quote");
    }
    if (name === "body" || name === "html") hasEnded = true;
  };

  /** Which part of a quote of ours a tag is. */
  const partOf = (name: string, attributes: Map<string, string>): Open["part"] => {
    const tag = `<${name}${[...attributes].map(([key, value]) => ` ${key}="${value}"`).join("")}>`;
    const outer = now();
    if (tag === quoteTags.container && quote === null && !open.some(({ part }) => part)) return "container";
    if (tag === quoteTags.head && outer.part === "container" && quote === null) return "head";
    return tag === quoteTags.quote && outer.part === "container" && quote === "reply" ? "quote" : null;
  };

  const readAttributes = (name: string, attributes: Map<string, string>) => {
    for (const [key, value] of attributes) {
      const known = { ...inert, ...(Object.hasOwn(own, name) ? own[name] : {}) };
      if (!Object.hasOwn(known, key) || !known[key]?.test(value)) odd.add(key);
      hasDirection ||= key === "dir";
    }
    if (name === "meta" && !attributes.has("charset")) odd.add("<meta>");
    if (name === "a" && !attributes.has("href")) odd.add("<a>");
  };

  const begin = (name: string, attributes: Map<string, string>, isSelfClosing: boolean) => {
    if (isGivenUp) return;
    if (odd.size > 0 && ++elementsSince > NAMING_ELEMENTS_MAX) isGivenUp = true;
    if (attributes.size !== attributeCount) odd.add("an attribute given twice");
    attributeCount = 0;
    if (!inline.has(name) && !blocks.has(name) && !empty.has(name)) odd.add(`<${name}>`);
    const part = attributes.size > 0 ? partOf(name, attributes) : null;
    if (part === null) readAttributes(name, attributes);
    if (odd.size > 0) return;

    if (isSelfClosing && !empty.has(name)) odd.add(`<${name}/>`);
    for (const one of name === "li" ? ["p", "li"] : blocks.has(name) || name === "hr" ? ["p"] : [])
      if (now().name === one) close();
    const outer = now();
    const isOfDocument = /^(?:html|head|body|meta)$/.test(name);
    if ((blocks.has(name) || name === "hr") && open.some((one) => one.name === "p" || inline.has(one.name)))
      odd.add(`<${name}> in <${outer.name}>`);
    if (name === "li" ? outer.next === NO_LIST : wordless.has(outer.name) && !isOfDocument) odd.add(`<${name}>`);
    if (isOfDocument && (hasBegun || !isOuter(name, outer.name))) odd.add(`<${name}>`);
    if (outer.part === "head" && name !== "br") odd.add("a quote");
    if (name === "a" && open.some((one) => one.name === "a")) odd.add("<a> in <a>");
    if (/^h[1-6]$/.test(name) && open.some((one) => /^h[1-6]$/.test(one.name))) odd.add(`<${name}>`);
    if (!isOfDocument) hasBegun = true;
    if (empty.has(name)) {
      if (name !== "meta") endLine(true);
      if (outer.part === "head") head.push("");
      return;
    }
    const indent = outer.indent + (part === "quote" ? OWN_QUOTE_INDENT : (indents[name] ?? 0));
    if (open.length >= DEPTH_MAX || indent > INDENT_MAX) {
      odd.add("deep nesting");
      isGivenUp = true;
      return;
    }

    if (blocks.has(name)) endLine(false);
    open.push({
      name,
      isKept: outer.isKept || name === "pre",
      depth: outer.depth + (name === "blockquote" ? 1 : 0),
      indent,
      next: name === "ol" ? 1 : name === "ul" ? 0 : NO_LIST,
      part,
    });
    if (part === "head") head = [""];
    if (name === "li") {
      check();
      add(outer.name === "ol" ? `${outer.next++}. ` : `${BULLET} `);
    }
    if (name === "a") {
      targets.push((attributes.get("href") ?? "").trim());
      add(LINK);
    }
  };

  const end = (name: string) => {
    if (odd.size > 0) return;
    while (now().name !== name && optional[now().name]?.has(name)) close();
    if (now().name === name) close();
    else odd.add(`</${name}>`);
  };

  // Only CR that is written as such is the end of a line.
  if (/&#(?:0*13|x0*d)(?![\da-f])/i.test(html)) odd.add("invisible characters");
  // Browsers take it for a comment, and other programs for an end tag.
  if (/<\/[^a-z]/i.test(html)) odd.add("a comment");
  walkHtml(html, {
    text,
    begin,
    end,
    attribute: () => {
      attributeCount++;
    },
    comment(content, kind) {
      if (kind !== "declaration" || !/^doctype\s+html$/i.test(content.trim())) odd.add("a comment");
    },
    rest(source) {
      if (source !== "") odd.add("a tag without an end");
    },
  });
  while (open.length > 0) close();
  if (hasDirection && hasRightToLeft) odd.add("dir");
  if (odd.size === 0) for (const one of lines) for (const name of oddSpaces(one.text)) odd.add(name);
  return { lines, targets, odd: [...odd] };
}

/** Whether an element of a document's frame may be there: the document itself is "". */
function isOuter(name: string, outer: string): boolean {
  return outer === "" || (name !== "html" && outer === "html") || (name === "meta" && outer === "head");
}

/** Gaps that could move words off the screen, and words that no program breaks there. */
function oddSpaces(line: string): string[] {
  const shown = line.replace(/[\x02\x03]/g, "");
  const isUnbroken = shown.split(" ").some((part) => part.length > UNBROKEN_CHARS_MAX && noBreak.test(part.trim()));
  return [...(manySpaces.test(shown) ? ["many spaces"] : []), ...(isUnbroken ? ["many no-break spaces"] : [])];
}
