import { attributeColor, contrast, type Rgb } from "./colors.ts";
import { isPlainFont, type PlainStyle, plainStyle, type Width, widthOf } from "./plain-style.ts";
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
  /** Elements, attributes and properties whose effect on words is not known here. With any, the lines mean nothing. */
  odd: string[];
}

/** Characters that text cannot have, because they are replaced in it. */
export const BULLET = "\u0001";
export const LINK = "\u0002";
export const LINK_END = "\u0003";

const inline = new Set("a abbr b cite code em font i kbd o:p samp span strong tt u var".split(" "));
const blocks = new Set(
  (
    "address article blockquote body center dd div dl dt footer h1 h2 h3 h4 h5 h6 head header html li main ol p pre " +
    "section table tbody td th title tr ul"
  ).split(" "),
);
const empty = new Set(["br", "hr", "meta"]);
/** Elements whose end tags may be left out, with those that end them. */
const optional: Record<string, ReadonlySet<string>> = {
  p: new Set(
    "address article blockquote body center dd div dl dt footer header html li main ol section td th ul".split(" "),
  ),
  li: new Set(["ol", "ul"]),
  dt: new Set(["dl"]),
  dd: new Set(["dl"]),
  td: new Set(["tr", "tbody", "table"]),
  th: new Set(["tr", "tbody", "table"]),
  tr: new Set(["tbody", "table"]),
  tbody: new Set(["table"]),
  body: new Set(["html"]),
};
/** Elements that a start tag ends if they are the innermost ones, in turn. */
const endsBefore: Record<string, readonly string[]> = {
  li: ["p", "li"],
  dt: ["p", "dt", "dd"],
  dd: ["p", "dt", "dd"],
  td: ["p", "td", "th"],
  th: ["p", "td", "th"],
  tr: ["p", "td", "th", "tr"],
  tbody: ["p", "td", "th", "tr", "tbody"],
};
/** The elements that these must be in. */
const parents: Record<string, ReadonlySet<string>> = {
  li: new Set(["ol", "ul"]),
  dt: new Set(["dl"]),
  dd: new Set(["dl"]),
  td: new Set(["tr"]),
  th: new Set(["tr"]),
  tr: new Set(["tbody", "table"]),
  tbody: new Set(["table"]),
};
/** Elements that hold no words of their own. Browsers move them elsewhere. */
const wordless = new Set(["dl", "head", "html", "ol", "table", "tbody", "tr", "ul"]);

/** Attributes of any element that do nothing where there is no style sheet or script. */
const idle = /^(?:id|lang|role|style|class|dir|data-[\w-]{1,60}|xmlns(?::[a-z]+)?)$/;
/** Classes that mail programs know, and those of code. Others could be their own. */
const idleClass = /^(?:gmail_(?:attr|default|quote|quote_container)|MsoNormal|language-[\w-]{1,40})$/;
const aligned = new Set("div h1 h2 h3 h4 h5 h6 p tbody td th tr".split(" "));
const alignments = /^(?:left|right|center|justify)$/i;
const vertical = /^(?:top|middle|bottom|baseline)$/i;
/** Attributes of certain elements, with the values that are plain. */
const plainAttributes: Record<string, Record<string, RegExp>> = {
  a: { href: /^[\s\S]*$/, target: /^_blank$/, rel: /^[\w -]*$/ },
  blockquote: { type: /^cite$/, cite: /^[\s\S]*$/ },
  body: { bgcolor: /^[\s\S]*$/ },
  font: { color: /^[\s\S]*$/, face: /^[\s\S]*$/, size: /^[2-7]$/ },
  meta: {
    charset: /^[\w-]+$/,
    name: /^(?:viewport|generator|format-detection|x-apple-disable-message-reformatting)$/i,
    "http-equiv": /^(?:content-type|x-ua-compatible)$/i,
    content: /^[\s\S]*$/,
  },
  table: {
    bgcolor: /^[\s\S]*$/,
    border: /^\d{1,2}$/,
    cellpadding: /^\d{1,2}$/,
    cellspacing: /^\d{1,2}$/,
    width: /^[\s\S]*$/,
  },
  td: { bgcolor: /^[\s\S]*$/, colspan: /^\d{1,2}$/, valign: vertical, width: /^[\s\S]*$/ },
  tr: { bgcolor: /^[\s\S]*$/, valign: vertical },
};
plainAttributes.th = plainAttributes.td as Record<string, RegExp>;

const headingSizes: Record<string, number> = { h1: 2, h2: 1.5, h3: 1.17, h4: 1, h5: 0.83, h6: 0.67 };
const fontSizes = [10, 10, 13, 16, 18, 24, 32, 48];
const codes = new Set(["code", "kbd", "pre", "samp", "tt"]);
const CODE_SIZE = 13 / 16;
/** Of letters, in pixels. */
const SIZE_MIN = 8;
const SIZE_MAX = 100;
/** Of lines, as a part of the size of letters. */
const LINE_MIN = 1;
/** Of letters and what is behind them. Grey letters of newsletters, #999 on white, have 2.8. */
const CONTRAST_MIN = 2;
const linkColors: readonly Rgb[] = [
  [0, 0, 238],
  [85, 26, 139],
];
/** Cells that stand beside others: narrower ones could break their words so that they read across. */
const CELL_PIXELS_MIN = 100;
const CELL_PERCENT_MIN = 20;
const TABLE_PIXELS_MIN = 300;

/** Letters that are written from the right. Their order beside others depends on `dir`. */
const rightToLeft =
  /[\u0590-\u08ff\u200f\u202a-\u202e\u2066-\u2069\ufb1d-\ufdff\ufe70-\ufeff\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;
/** As `withForwarded` and `withQuote` write it. */
const quoteHead = /^(?:-{6,12} Forwarded message -{6,12}|On [\s\S]* wrote:$)/;

interface Open {
  name: string;
  /** The colours that it may have, depending on the program. */
  colors: readonly Rgb[];
  background: Rgb;
  size: number;
  lineHeight: number | null;
  isKept: boolean;
  isBlock: boolean;
  depth: number;
  /** The number of the next item; 0 for one without numbers. */
  next: number;
  /** Of a row: cells with words, and whether one of them has more than one line or may be narrow. */
  row: { cells: number; isUneven: boolean } | null;
  /** Of a cell: lines with words. */
  cellLines: number;
  cellWidth: Width;
  /** The quote of another mail, as mail programs mark it. */
  quote: Quote | null;
  isQuoteHead: boolean;
}

interface Quote {
  head: string;
  isForward: boolean;
}

/**
 * Reads HTML that has only elements, attributes and styles which show words as they are, in their order: those that
 * agents and mail programs write around text. Everything else is odd. Time is linear in the length.
 */
export function readPlainHtml(html: string): PlainHtml {
  const odd = new Set<string>();
  const lines: HtmlLine[] = [];
  const targets: string[] = [];
  const open: Open[] = [];
  let line: HtmlLine | null = null;
  let hasDirection = false;
  let hasRightToLeft = false;
  let hasBegun = false;
  let hasEnded = false;
  let attributeCount = 0;
  let isGivenUp = false;
  let elementsSince = 0;
  let linkDepth = 0;
  const root: Open = {
    ...{ name: "", colors: [[0, 0, 0]], background: [255, 255, 255], size: 16, lineHeight: null, isKept: false },
    ...{ isBlock: true, depth: 0, next: 0, row: null, cellLines: 0, cellWidth: {}, quote: null, isQuoteHead: false },
  };
  const now = () => open.at(-1) ?? root;

  const endLine = () => {
    line = null;
  };
  const add = (text: string) => {
    if (!line) {
      line = { depth: now().depth, text: "" };
      lines.push(line);
    }
    line.text += text;
  };
  const cellOf = () => open.findLast(({ name }) => name === "td" || name === "th");

  const check = ({ colors, background, size, lineHeight, quote, isQuoteHead, depth }: Open) => {
    if (colors.some((color) => contrast(color, background) < CONTRAST_MIN)) odd.add("color");
    if (size < SIZE_MIN || size > SIZE_MAX) odd.add("font-size");
    if (lineHeight !== null && lineHeight < LINE_MIN * size) odd.add("line-height");
    // Mail programs fold a quote away, so it must be one.
    if (quote && !isQuoteHead && depth === 0 && !quote.isForward) odd.add("gmail_quote");
    if (hasEnded) odd.add("words behind the body");
    hasBegun = true;
  };

  const text = (part: string) => {
    if (odd.size > 0) return;
    const words = part.replace(/[\0-\x08\x0e-\x1f\x7f]/g, "\ufffd");
    if (words.trim() === "") {
      if (now().isKept && words.includes("\n")) endLine();
      else if (line) add(" ");
      return;
    }
    const around = now();
    if (wordless.has(around.name)) odd.add(`words in <${around.name}>`);
    if (around.name === "title") odd.add("<title>");
    check(around);
    hasRightToLeft ||= rightToLeft.test(words);
    if (around.isQuoteHead && around.quote) around.quote.head += words;
    const cell = cellOf();
    for (const [i, piece] of (around.isKept ? words.split(/\r\n?|\n/) : [words]).entries()) {
      if (i > 0) endLine();
      if (cell && !line && piece.trim() !== "") cell.cellLines++;
      add(piece);
    }
  };

  const close = () => {
    const element = open.pop();
    if (!element) return;
    const { name, quote, isQuoteHead } = element;
    if (name === "a" && linkDepth > 0) {
      linkDepth--;
      add(LINK_END);
    }
    if (element.isBlock) endLine();
    if (name === "td" || name === "th") {
      const row = open.findLast((one) => one.row !== null)?.row;
      if (row && element.cellLines > 0) {
        row.cells++;
        const { pixels = CELL_PIXELS_MIN, percent = CELL_PERCENT_MIN } = element.cellWidth;
        if (element.cellLines > 1 || pixels < CELL_PIXELS_MIN || percent < CELL_PERCENT_MIN) row.isUneven = true;
      }
      const outer = cellOf();
      if (outer) outer.cellLines += element.cellLines;
    }
    if (element.row && element.row.cells > 1 && element.row.isUneven) odd.add("cells beside each other");
    if (isQuoteHead && quote && !open.some((one) => one.isQuoteHead)) {
      if (!quoteHead.test(quote.head.trim())) odd.add("gmail_quote");
      quote.isForward = quote.head.trimStart().startsWith("-");
    }
    if (name === "body" || name === "html") hasEnded = true;
  };

  const apply = (element: Open, said: PlainStyle) => {
    if (said.color) element.colors = [said.color];
    if (said.background) element.background = said.background;
    if (said.size && "pixels" in said.size) element.size = said.size.pixels;
    else if (said.size) element.size = now().size * said.size.part;
    if (said.lineHeight !== undefined) element.lineHeight = said.lineHeight;
    if (said.isKept !== undefined) element.isKept = said.isKept;
    if (said.isBlock) element.isBlock = true;
  };

  const readAttributes = (element: Open, attributes: Map<string, string>) => {
    const { name } = element;
    const own = plainAttributes[name] ?? {};
    for (const [key, value] of attributes) {
      const pattern = Object.hasOwn(own, key) ? own[key] : undefined;
      const isAligned = key === "align" && aligned.has(name) && alignments.test(value);
      if (!pattern?.test(value) && !isAligned && !idle.test(key)) odd.add(key);
      if (key === "role" && value !== "presentation") odd.add(key);
      if (key === "class") readClasses(element, value);
      if (key === "dir" && !/^(?:ltr|auto)$/i.test(value)) odd.add(key);
      if (key === "dir") hasDirection = true;
    }
    const background = attributes.get("bgcolor");
    const color = attributes.get("color");
    if (background !== undefined) element.background = attributeColor(background) ?? element.background;
    if (color !== undefined) element.colors = [attributeColor(color) ?? ([0, 0, 0] as const)];
    if (attributes.has("face") && !isPlainFont(attributes.get("face") ?? "")) odd.add("face");
    if (name === "font" && attributes.has("size")) element.size = fontSizes[Number(attributes.get("size"))] ?? 0;
    if (name === "meta" && !attributes.has("charset") && !attributes.has("name") && !attributes.has("http-equiv"))
      odd.add("<meta>");
    const style = attributes.get("style");
    const { said, odd: unknown } = style === undefined ? { said: {}, odd: [] } : plainStyle(style);
    for (const one of unknown) odd.add(one);
    if (style !== undefined && (name === "html" || name === "head" || name === "meta")) odd.add("style");
    if (said.isBlock && name !== "a" && name !== "span" && !blocks.has(name)) odd.add("display");
    if (/(?:^|;)\s*display\s*:/i.test(style ?? "") && (wordless.has(name) || /^(?:t[dh]|li)$/.test(name)))
      odd.add("display");
    apply(element, said);
    readWidth(element, said.width ?? widthOf(attributes.get("width") ?? "auto"));
  };

  const readWidth = (element: Open, width: Width | undefined) => {
    const { pixels, percent } = width ?? { pixels: 0 };
    if (element.name === "td" || element.name === "th") element.cellWidth = { ...(width ?? { pixels: 0 }) };
    else if ((pixels !== undefined && pixels < TABLE_PIXELS_MIN) || (percent !== undefined && percent < 90))
      odd.add("width");
  };

  const readClasses = (element: Open, value: string) => {
    for (const one of value.split(/\s+/).filter(Boolean)) {
      if (!idleClass.test(one)) odd.add("class");
      if (/^gmail_quote/.test(one) && element.name !== "blockquote") {
        element.quote ??= { head: "", isForward: false };
        element.isQuoteHead = false;
      }
      if (one === "gmail_attr" && element.quote) element.isQuoteHead = true;
    }
  };

  const begin = (name: string, attributes: Map<string, string>, isSelfClosing: boolean) => {
    if (isGivenUp) return;
    if (odd.size > 0 && ++elementsSince > NAMING_ELEMENTS_MAX) isGivenUp = true;
    if (attributes.size !== attributeCount) odd.add("an attribute given twice");
    attributeCount = 0;
    if (!inline.has(name) && !blocks.has(name) && !empty.has(name)) {
      odd.add(`<${name}>`);
      return;
    }
    if (isSelfClosing && !empty.has(name)) odd.add(`<${name}/>`);
    const inside = endsBefore[name] ?? (blocks.has(name) || name === "hr" ? ["p"] : []);
    for (const one of inside) if (now().name === one) close();
    if (blocks.has(name) && open.some((one) => one.name === "p") && !isInCell(open)) odd.add(`<${name}> in <p>`);
    if (Object.hasOwn(parents, name) && !parents[name]?.has(now().name)) odd.add(`<${name}> alone`);
    if (wordless.has(now().name) && !Object.hasOwn(parents, name) && !isOfDocument(name, now().name))
      odd.add(`<${name}> in <${now().name}>`);
    if (/^(?:html|head|body)$/.test(name) && hasBegun) odd.add(`<${name}>`);
    if (name === "a" && open.some((one) => one.name === "a")) odd.add("<a> in <a>");
    if (/^h[1-6]$/.test(name) && open.some((one) => /^h[1-6]$/.test(one.name))) odd.add(`<${name}>`);
    if (!/^(?:html|head|body|meta|title)$/.test(name)) hasBegun = true;
    if (open.length >= DEPTH_MAX) {
      odd.add("deep nesting");
      isGivenUp = true;
      return;
    }

    const outer = now();
    const element: Open = {
      ...outer,
      name,
      isBlock: blocks.has(name),
      next: name === "ol" ? 1 : 0,
      row: name === "tr" ? { cells: 0, isUneven: false } : null,
      cellLines: 0,
      cellWidth: {},
      depth: outer.depth + (name === "blockquote" ? 1 : 0),
      isKept: outer.isKept || name === "pre",
      size: outer.size * (headingSizes[name] ?? (codes.has(name) ? CODE_SIZE : 1)),
    };
    if (name === "a" && attributes.has("href")) element.colors = linkColors;
    // In pages without a doctype, a table has the colour of the body.
    const body = open.find((one) => one.name === "body");
    if (name === "table" && body) element.colors = [...new Set([...outer.colors, ...body.colors])];
    readAttributes(element, attributes);
    if (empty.has(name)) {
      if (name !== "meta") endLine();
      return;
    }
    if (element.isBlock) endLine();
    const list = outer;
    open.push(element);
    if (name === "li") {
      check(element);
      if (list.name === "ol") add(`${list.next++}. `);
      else add(`${BULLET} `);
      const cell = cellOf();
      if (cell) cell.cellLines++;
    }
    if (name === "a" && attributes.has("href")) {
      targets.push((attributes.get("href") ?? "").trim());
      linkDepth++;
      add(LINK);
    }
  };

  const end = (name: string) => {
    while (now().name !== name && optional[now().name]?.has(name)) close();
    if (now().name === name) close();
    // An end tag of an element that is unknown here is as odd as its start tag, and without one it is nothing.
    else if (inline.has(name) || blocks.has(name) || empty.has(name)) odd.add(`</${name}>`);
  };

  walkHtml(html, {
    text,
    begin,
    end,
    attribute: () => {
      attributeCount++;
    },
    comment(content, kind) {
      const isPlain = kind === "declaration" ? /^doctype\s+html\b/i.test(content) : !/^\s*\[|^\?|[<>]/.test(content);
      if (!isPlain) odd.add(kind === "declaration" ? "a declaration" : "a comment with markup");
    },
    rest(source) {
      if (source !== "") odd.add("a tag without an end");
    },
  });
  while (open.length > 0) close();
  if (hasDirection && hasRightToLeft) odd.add("dir");
  return { lines, targets, odd: [...odd] };
}

/** Elements that are looked at for the names of what else is odd. */
const NAMING_ELEMENTS_MAX = 1_000;
/** Elements in each other; mail of agents has up to 20. Behind deeper ones nothing is read. */
const DEPTH_MAX = 60;

/** Whether the innermost paragraph is outside of the innermost cell, so that blocks in the cell do not end it. */
function isInCell(open: readonly Open[]): boolean {
  const cell = open.findLastIndex(({ name }) => name === "td" || name === "th");
  return cell > open.findLastIndex(({ name }) => name === "p");
}

function isOfDocument(name: string, outer: string): boolean {
  if (outer === "html") return name === "head" || name === "body" || name === "meta";
  return outer === "head" && (name === "meta" || name === "title");
}
