import { Parser } from "htmlparser2";
import { TooComplex, Work } from "./budget.ts";
import type { Declarations } from "./css.ts";
import { inFormula, inPicture } from "./foreign-content.ts";
import { hidesBox } from "./hidden-style.ts";
import { inheritedLook, isUnseen, isUnsure, type Look, plainLook } from "./look.ts";
import { elementStyles, type Styled } from "./styles.ts";
import { asBrowsersRead } from "./walk.ts";

/** HTML without the text that its reader does not see. */
export interface SeenHtml {
  html: string;
  /** Characters of text that were left out, without white space; null if counting them takes too much work. */
  hiddenChars: number | null;
  /** Whether it has further words of which only a browser can tell if a reader sees them. They are not left out. */
  isUnsure: boolean;
}

/** Elements without text of their own, or with text that readers never see. */
const unread = new Set(["head", "script", "style", "title", ...inPicture]);
/** Elements that browsers do not display (HTML 15.3.1), or display only if they cannot play or frame the content. */
const undisplayed = new Set(["datalist", "iframe", "noembed", "noframes", "rp", "template", ...inPicture]);

/** Deeper HTML is not analysed: closing an element costs time for each open one. Real mail stays below 100. */
const NESTING_MAX = 400;
/** Elements of one message; newsletters have a few thousand, long reports 100,000. */
const ELEMENTS_MAX = 200_000;

/**
 * Leaves out the text that HTML hides from its reader: elements that are not displayed, have no size or lie off the
 * page, and letters that are too small, transparent or in the colour of their background. It reads attributes and the
 * HTML's own style sheets. Where it takes a browser to tell, as with values that are computed and selectors that count
 * elements, the text stays, and the result says so. HTML with more elements, nesting or styles than the limits here
 * stays as it is, and the count is null. Never throws; time and memory are linear in the length.
 */
export function seenHtml(html: string, work = new Work()): SeenHtml {
  try {
    return withoutHidden(asBrowsersRead(html), work);
  } catch (error) {
    if (error instanceof TooComplex) return { html, hiddenChars: null, isUnsure: false };
    throw error;
  }
}

/** Markup that may hide text. Most HTML that programs make from plain text has none of it. */
const hints =
  /<(?:math-|svg-|style|font|datalist|iframe|noembed|noframes|rp|template|dialog|small|su[bp])|\b(?:style|hidden|popover|bgcolor|text|link)\b/i;
const hasWords = /[\p{L}\p{N}]/u;

function withoutHidden(html: string, work: Work): SeenHtml {
  if (!hints.test(html)) return { html, hiddenChars: 0, isUnsure: false };
  const styles = elementStyles(html, work);

  /**
   * The open elements. `cut` is the offset at which an element that is left out as a whole began; `mayShow` is whether
   * its hidden text is seen if rules apply of which only a browser can tell.
   */
  const open: { name: string; styled: Styled; look: Look; cut: number | null; mayShow: boolean }[] = [];
  const parts: string[] = [];
  let copied = 0;
  let hiddenChars = 0;
  let isAnyUnsure = false;
  let cuts = 0;
  let unreadOpen = 0;

  const leaveOut = (start: number, end: number) => {
    if (start > copied) parts.push(html.slice(copied, start));
    copied = Math.max(copied, end);
  };
  const parser: Parser = parserWithin({
    onopentag(name, attributes) {
      const around = open.at(-1);
      const outer = around?.look ?? plainLook;
      const styled = styles.within(around?.styled ?? null, name, attributes);
      const isUndisplayed =
        undisplayed.has(name) ||
        (inFormula.has(name) && !styled.said.has("display")) ||
        (name === "dialog" && !("open" in attributes));
      const isShut = "hidden" in attributes || "popover" in attributes || isUndisplayed;
      const { desktop, unsure, wide } = styled;
      const seenBy = (said: Declarations) => ({
        hides: hidesBox(said, name, attributes),
        look: inheritedLook(outer, said, attributes, name),
      });
      const isHidden = ({ hides, look }: ReturnType<typeof seenBy>) => hides === true || look.isHidden;
      let seen = seenBy(styled.said);
      let mayShow = around?.mayShow === true;
      if (isHidden(seen) && cuts === 0 && !isShut) {
        const onDesktops = desktop && seenBy(desktop);
        // What a rule for all desktops shows again is seen.
        if (onDesktops && !isHidden(onDesktops)) seen = onDesktops;
        else mayShow = [unsure, wide].some((more) => more !== null && !isHidden(seenBy(more)));
      }
      const { hides, look } = seen;
      const isCut = cuts === 0 && (isShut || hides === true);
      if (isCut) cuts++;
      if (unread.has(name)) unreadOpen++;
      if (cuts === 0) doubt(look, outer, styled, hides === null, name, attributes);
      // The cells of a column have its background, but are not inside it.
      if ((name === "col" || name === "colgroup") && look.background !== outer.background) {
        const table = open.findLast((one) => one.name === "table");
        if (table) table.look.unsureBoxes = true;
      }
      open.push({ name, styled, look, cut: isCut ? parser.startIndex : null, mayShow });
    },
    ontext(data) {
      const { look, mayShow } = open.at(-1) ?? {};
      if (unreadOpen > 0 || !look) return;
      if (cuts === 0 && !look.isHidden) {
        isAnyUnsure ||= isUnsure(look) && hasWords.test(data);
        return;
      }
      isAnyUnsure ||= mayShow === true && hasWords.test(data);
      hiddenChars += data.replace(/\s+/g, "").length;
      if (cuts === 0) leaveOut(parser.startIndex, parser.endIndex + 1);
    },
    onclosetag(_name, isImplied) {
      const element = open.pop();
      if (element && unread.has(element.name)) unreadOpen--;
      if (element?.cut == null) return;
      cuts--;
      // Nothing closes an element without content, such as a picture, but its own tag.
      const isOpenTag = parser.startIndex === element.cut;
      leaveOut(element.cut, isImplied && !isOpenTag ? parser.startIndex : parser.endIndex + 1);
    },
  });
  parser.end(html);
  parts.push(html.slice(copied));
  return { html: parts.join(""), hiddenChars, isUnsure: isAnyUnsure };
}

/** Notes in a look whether further rules may hide its text, or values that only a browser can compute. */
function doubt(
  look: Look,
  outer: Look,
  { unsure, wide, narrow }: Styled,
  isBoxUnsure: boolean,
  name: string,
  attributes: Readonly<Record<string, string>>,
): void {
  const mayHide = (more: Declarations | null) =>
    more !== null &&
    (hidesBox(more, name, attributes) !== false || inheritedLook(outer, more, attributes, name).isHidden);
  if (unsure && inheritedLook(outer, unsure, attributes, name).background !== look.background) {
    look.background = null;
    if (look.isHidden) look.unsureBoxes = true;
    look.isHidden = isUnseen(look);
  }
  if (isBoxUnsure || mayHide(unsure) || (mayHide(wide) && mayHide(narrow))) look.unsureBoxes = true;
}

type Handler = NonNullable<ConstructorParameters<typeof Parser>[0]>;

/** A parser that throws `TooComplex` at the limits of elements and nesting. */
function parserWithin(handler: Partial<Handler>): Parser {
  let elements = 0;
  let depth = 0;
  return new Parser(
    {
      ...handler,
      onopentagname(name) {
        if (++elements > ELEMENTS_MAX || ++depth > NESTING_MAX) throw new TooComplex();
        handler.onopentagname?.(name);
      },
      onclosetag(name, isImplied) {
        depth--;
        handler.onclosetag?.(name, isImplied);
      },
    },
    { decodeEntities: true },
  );
}
