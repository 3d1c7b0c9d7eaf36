import { Work } from "./budget.ts";
import type { Declarations } from "./css.ts";
import { voidElements } from "./foreign-content.ts";
import { blocks, type Edge, edgeFor, isFlexRow, kept, layoutStyles, spacingOf } from "./layout.ts";
import { Lines, type Margin, type Spacing, type Table } from "./lines.ts";
import { itemMargin, type List, listOf, numberIn } from "./lists.ts";
import { walkHtml } from "./walk.ts";

export interface RenderOptions {
  /**
   * Whose attributes count as words: no element's; the alternative texts of pictures, which mail programs show in
   * place of pictures that they do not load; or all that any program shows, in fields too.
   */
  attributes: "none" | "pictures" | "all";
  /** Words that pictures need not repeat, as `foldedWords` finds them. */
  known?: ReadonlySet<string>;
  /** Characters of the result. */
  charsMax: number;
  /** Whether the HTML ends here; otherwise a tag at its end is cut off, and no text. */
  isWhole: boolean;
  /** What styles may cost. */
  work?: Work;
}

export interface Rendered {
  text: string;
  /** Whether words are missing because there are too many. */
  isCut: boolean;
}

/** Elements whose content is no text for readers. */
const unread = new Set(["script", "style", "title"]);
/** Start tags that end an open paragraph (HTML 13.2.6.4.7). */
const endsParagraph = new Set([...blocks.keys(), "hr", "table"]);
for (const name of ["body", "html", "iframe", "noframes", "option", "optgroup", "select", "textarea"])
  endsParagraph.delete(name);
const lists = new Set(["dir", "dl", "menu", "ol", "ul"]);
const items = new Set(["dd", "dt", "li"]);
const sections = new Set(["tbody", "tfoot", "thead"]);

/** A column number beyond this many would be a mistake or an attack (HTML 4.9.11). */
const SPAN_MAX = 1_000;
/** A picture that is not larger than this, in pixels, keeps others apart or counts readers. */
const TINY_PIXELS_MAX = 3;
/** How often the rest after an attribute without an end is read again. */
const REPAIRS_MAX = 2;

interface OpenTable {
  table: Table;
  /** Where the table, its open row and its open cell are among the open elements; -1 without one. */
  at: number;
  row: number;
  cell: number;
}

interface Link {
  href: string;
  mark: number;
  words: string;
  /** The words of its first picture, for a link without others. */
  alternative: string;
}

/** What elements inherit from those around them. */
interface Surroundings {
  readonly spacing: Spacing;
  readonly list: List | null;
  readonly table: OpenTable | null;
  readonly link: Link | null;
  readonly raised: "sup" | "sub" | null;
  /** Whether the element lays its children out side by side, as flex containers do. */
  readonly isRow: boolean;
}

interface OpenElement {
  name: string;
  outer: Surroundings;
  /** Undefined if the element has no margin of its own. */
  outerMargin: Margin | null | undefined;
  /** What separates it from its neighbours: line ends, white space, or nothing. */
  edge: Edge;
  kind: "table" | "row" | "cell" | "link" | "item" | "other";
}

/** Whether an alternative text has words. Pictures of letters and faces have one character. */
const hasWords = /[\p{L}\p{N}\p{Extended_Pictographic}]/u;
const raisedDigits = { sup: "⁰¹²³⁴⁵⁶⁷⁸⁹", sub: "₀₁₂₃₄₅₆₇₈₉" };

/**
 * Renders HTML as plain text, as `innerText` does (HTML 3.2.7), with what a page shows beside its words: the markers of
 * lists, a rule for `<hr>`, `> ` in front of quotes, and the targets of links. Cells of a table row stand beside each
 * other, separated by tabs, if each has one line; others are blocks, because mail uses tables for its layout. All words
 * count, wherever they stand. Never throws; time and memory are linear in the length, whatever the nesting.
 */
export function renderText(
  html: string,
  { attributes: shown, known = noWords, charsMax, isWhole, work = new Work() }: RenderOptions,
): Rendered {
  const lines = new Lines();
  const styleOf = layoutStyles(html, work);
  const open: OpenElement[] = [];
  /** How many elements of each name are open in each cell, apart from tables, so that end tags reach no further. */
  const scopes: (Map<string, number> | null)[] = [null];
  let now: Surroundings = { spacing: "folded", list: null, table: null, link: null, raised: null, isRow: false };
  let isUnread = false;
  /** Whether the next line end is left out: the one after `<pre>`. */
  let isPreBegun = false;
  let repairs = 0;

  const countOf = (name: string) => scopes[scopes.length - 1]?.get(name) ?? 0;
  const count = (name: string, by: 1 | -1) => {
    let counts = scopes[scopes.length - 1];
    if (!counts) {
      counts = new Map();
      scopes[scopes.length - 1] = counts;
    }
    counts.set(name, (counts.get(name) ?? 0) + by);
  };
  const edgeOf = (edge: Edge) => {
    if (typeof edge === "string") lines.space(edge);
    else if (edge > 0) lines.block(edge);
  };

  const push = (element: OpenElement) => {
    open.push(element);
    if (element.kind === "table" || element.kind === "cell") scopes.push(null);
    else if (element.kind !== "row") count(element.name, 1);
  };
  const close = () => {
    const element = open.pop();
    if (!element) return;
    const { table, link } = now;
    if (element.kind === "table" || element.kind === "cell") scopes.pop();
    else if (element.kind !== "row") count(element.name, -1);
    now = element.outer;
    if (element.outerMargin !== undefined) lines.leave(element.outerMargin);
    if (element.kind === "table" && table) lines.endTable(table.table);
    if (element.kind === "row" && table) {
      lines.endRow(table.table);
      table.row = -1;
    }
    if (element.kind === "cell" && now.table) {
      lines.endCell(now.table.table);
      now.table.cell = -1;
    }
    if (element.kind === "link" && link) endLink(lines, link);
    if (element.kind === "item" && now.list) now.list.item = -1;
    edgeOf(element.edge);
  };
  const closeFrom = (index: number) => {
    while (open.length > index) close();
  };
  /** Closes the innermost open element of this name in this cell. */
  const closeNamed = (name: string): boolean => {
    if (countOf(name) === 0) return false;
    let index = open.length - 1;
    while (index > 0 && open[index]?.name !== name) index--;
    closeFrom(index);
    return true;
  };

  const words = (text: string, spacing: Spacing = now.spacing) => {
    if (now.link) now.link.words += text;
    lines.words(text, spacing);
  };
  const text = (part: string) => {
    if (isUnread) return;
    // White space between cells and rows is none of their words, even if it is kept.
    const around = open.at(-1)?.kind;
    if ((around === "table" || around === "row") && part.trim() === "") return;
    const rest = isPreBegun ? part.replace(/^\r?\n/, "") : part;
    isPreBegun = false;
    if (now.raised && /^\d{1,20}$/.test(rest) && /\d/.test(lines.last))
      words(rest.replace(/\d/g, (digit) => raisedDigits[now.raised ?? "sup"][Number(digit)] ?? digit));
    else words(rest);
  };
  const fromAttributes = (name: string, attributes: Map<string, string>, said: Declarations) => {
    if (shown === "none") return;
    const { alt = "", value = "", placeholder = "", type = "" } = Object.fromEntries(attributes);
    const all = type === "hidden" ? [alt] : [alt, value, placeholder];
    const isPicture = name === "img" && hasWords.test(alt) && !isTiny(attributes, said);
    const isKnown = isPicture && known.size > 0 && isIn(known, alt);
    if (isKnown && now.link) now.link.alternative ||= alt;
    const found = shown === "all" ? all : isPicture && !isKnown ? [alt] : [];
    for (const one of found.filter((one) => one.trim() !== "")) {
      lines.space(" ");
      words(one, "folded");
      lines.space(" ");
    }
  };

  const beginTable = (element: OpenElement) => {
    element.kind = "table";
    push(element);
    const table: OpenTable = { table: lines.beginTable(), at: open.length - 1, row: -1, cell: -1 };
    now = { ...now, table, list: null };
  };
  const beginRow = (element: OpenElement, table: OpenTable) => {
    element.kind = "row";
    table.row = open.length;
    push(element);
    lines.beginRow(table.table);
  };
  const beginCell = (element: OpenElement, table: OpenTable, span: number) => {
    element.kind = "cell";
    element.edge = 0;
    table.cell = open.length;
    push(element);
    lines.beginCell(table.table, span);
    now = { ...now, list: null };
  };
  /** Ends the cell, and the row too unless the next cell belongs to it. */
  const endCells = (table: OpenTable, isSameRow: boolean) => {
    if (table.cell >= 0) closeFrom(table.cell);
    if (!isSameRow && table.row >= 0) closeFrom(table.row);
  };
  const beginItem = (element: OpenElement, said: Declarations, attributes: Map<string, string>) => {
    const list = now.list ?? { counting: null, isBare: false, next: 1, step: 1 as const, item: -1 };
    // Items without a list follow each other all the same.
    now = { ...now, list };
    element.outer = now;
    element.kind = "item";
    const margin = itemMargin(element.name, list, said, attributes);
    if (typeof element.edge === "number") element.outerMargin = lines.enter(...margin);
    list.item = open.length;
    push(element);
  };

  const begin = (name: string, attributes: Map<string, string>, isSelfClosing: boolean) => {
    isPreBegun = false;
    isUnread = unread.has(name) && !isSelfClosing;
    if (unread.has(name)) return;
    if (endsParagraph.has(name) && countOf("p") > 0) closeNamed("p");
    if (name === "br") {
      if (now.spacing === "folded") lines.lineBreak();
      else lines.words("\n", now.spacing);
      return;
    }
    if (name === "hr") return lines.rule();
    const said = styleOf(name, attributes);
    if (name === "img" || name === "area" || name === "input") fromAttributes(name, attributes, said);
    if (voidElements.has(name)) return;

    const { table } = now;
    if (items.has(name) && now.list && now.list.item >= 0) closeFrom(now.list.item);
    if (name === "a") closeNamed("a");
    if (table && sections.has(name)) return endCells(table, false);
    if (table && name === "tr") endCells(table, false);
    if (table && (name === "td" || name === "th")) {
      endCells(table, true);
      // A cell outside of a row begins one.
      if (table.row < 0) beginRow({ name: "tr", outer: now, outerMargin: undefined, edge: 0, kind: "row" }, table);
    }

    // A list in another has no blank lines around it.
    const edge = lists.has(name) && now.list ? 1 : edgeFor(name, said, now.isRow);
    edgeOf(edge);
    const element: OpenElement = { name, outer: now, outerMargin: undefined, edge, kind: "other" };
    const { spacing } = now;
    if (name === "table") beginTable(element);
    else if (table && name === "tr") beginRow(element, table);
    else if (table && (name === "td" || name === "th")) beginCell(element, table, spanOf(attributes));
    else if (items.has(name)) beginItem(element, said, attributes);
    else if (lists.has(name)) {
      if (now.list?.item === -1) element.outerMargin = lines.enter("  ");
      push(element);
      now = { ...now, list: listOf(name, attributes, said) };
    } else if (name === "blockquote") {
      element.outerMargin = lines.enter(quoteMargin(attributes));
      push(element);
    } else if (name === "a") {
      const href = hrefOf(attributes);
      push(element);
      if (href !== "") {
        element.kind = "link";
        now = { ...now, link: { href, mark: lines.mark, words: "", alternative: "" } };
      }
    } else push(element);
    const inside = spacingOf(name, said, spacing);
    const raised = name === "sup" || name === "sub" ? name : now.raised;
    const isRow = isFlexRow(said);
    if (inside !== now.spacing || raised !== now.raised || isRow !== now.isRow)
      now = { ...now, spacing: inside, raised, isRow };
    isPreBegun = kept.has(name);
  };

  const end = (name: string) => {
    isPreBegun = isUnread = false;
    const { table } = now;
    if (name === "br") return begin("br", new Map(), false);
    if (table && (name === "td" || name === "th")) return endCells(table, true);
    if (table && (name === "tr" || sections.has(name))) return endCells(table, false);
    if (table && name === "table") return closeFrom(table.at);
    // Words on both sides of a stray end tag stay apart.
    if (!closeNamed(name) && (blocks.has(name) || name === "table" || name === "tr")) lines.block(1);
  };

  const walk = (source: string) =>
    walkHtml(source, {
      text,
      begin,
      end,
      rest(cutOff) {
        isUnread = false;
        // A quotation mark that is missing takes the words after the tag with it.
        const tagEnd = cutOff.indexOf(">");
        if (tagEnd >= 0 && ++repairs <= REPAIRS_MAX) walk(cutOff.slice(tagEnd + 1));
        else if (isWhole) words(cutOff, "folded");
      },
    });
  walk(html);
  closeFrom(0);
  return lines.text(charsMax);
}

/** The words of a text, in the form in which words are compared. */
export function foldedWords(text: string): Set<string> {
  return new Set(text.toLowerCase().split(/\s+/));
}

const noWords: ReadonlySet<string> = new Set();

/** Whether known words include all words of a text. A search for the text as it is would be quadratic. */
function isIn(known: ReadonlySet<string>, text: string): boolean {
  return text
    .trim()
    .toLowerCase()
    .split(/\s+/)
    .every((word) => known.has(word));
}

/** Programs indent the writer's own words with a quote that has no border; other quotes have a mark. */
function quoteMargin(attributes: Map<string, string>): string {
  const style = attributes.get("style") ?? "";
  const isQuote = attributes.has("type") || /quote/i.test(attributes.get("class") ?? "") || /border-left/i.test(style);
  const isIndent = !isQuote && /border\s?:\s?(?:none|0)/i.test(style);
  return isIndent ? "    " : "> ";
}

/** Links into the message itself lead to no other words. */
function hrefOf(attributes: Map<string, string>): string {
  const href = (attributes.get("href") ?? "").replace(/[\t\n\r]/g, "").trim();
  return href.startsWith("#") ? "" : href.replace(/^mailto:/i, "");
}

/** Writes the target of a link after its words, unless they are the same. */
function endLink(lines: Lines, { href, mark, words, alternative }: Link): void {
  const bare = (text: string) => text.replace(/\s+/g, " ").trim().replace(/\/$/, "");
  if (lines.hasWordsSince(mark)) {
    if (bare(words) !== bare(href)) lines.append(` <${href}>`);
    return;
  }
  lines.space(" ");
  lines.words(alternative || href, "folded");
  if (alternative !== "") lines.append(` <${href}>`);
  lines.space(" ");
}

function spanOf(attributes: Map<string, string>): number {
  return Math.min(Math.max(numberIn(attributes.get("colspan")) ?? 1, 1), SPAN_MAX);
}

function isTiny(attributes: Map<string, string>, said: Declarations): boolean {
  return ["width", "height"].some((name) => {
    const size = /^\s?(\d{1,9})(?:\.\d{1,9})?(?:px)?\s?$/.exec(said.get(name) ?? attributes.get(name) ?? "");
    return size !== null && Number(size[1]) <= TINY_PIXELS_MAX;
  });
}
