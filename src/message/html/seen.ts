import { Parser } from "htmlparser2";
import { inFormula, inPicture } from "./foreign-content.ts";
import { hidesBox, inheritedLook, type Look, plainLook } from "./hidden-style.ts";
import { elementStyles, TooComplex } from "./styles.ts";
import { asBrowsersRead } from "./walk.ts";

/** HTML without the text that its reader does not see. */
export interface SeenHtml {
  html: string;
  /** Characters of text that were left out, without white space; null if counting them takes too much work. */
  hiddenChars: number | null;
}

/** Elements without text of their own, or with text that readers never see. */
const unread = new Set(["head", "script", "style", "title", ...inPicture]);
/** Elements that browsers do not display (HTML 15.3.1), or display only if they cannot play or frame the content. */
const undisplayed = new Set(["datalist", "iframe", "noembed", "noframes", "template", ...inPicture]);

/** Deeper HTML is not analysed: closing an element costs time for each open one. Real mail stays below 100. */
const NESTING_MAX = 400;
/** Elements of one message; newsletters have a few thousand, long reports 100,000. */
const ELEMENTS_MAX = 200_000;

/**
 * Leaves out the text that HTML hides from its reader: elements that are not displayed, have no size or lie off the
 * page, and letters that are too small, transparent or in the colour of their background. It reads attributes and the
 * simple rules of the HTML's own style sheets; text that is hidden in any other way stays. HTML with more elements,
 * nesting or styles than the limits here stays as it is, and the count is null. Never throws; time and memory are
 * linear in the length.
 */
export function seenHtml(html: string): SeenHtml {
  try {
    return withoutHidden(asBrowsersRead(html));
  } catch (error) {
    if (error instanceof TooComplex) return { html, hiddenChars: null };
    throw error;
  }
}

/** Markup that may hide text. Most HTML that programs make from plain text has none of it. */
const hints =
  /<(?:math-|svg-|style|font|datalist|iframe|noembed|noframes|template|dialog)|\b(?:style|hidden|bgcolor)\b/i;

function withoutHidden(html: string): SeenHtml {
  if (!hints.test(html)) return { html, hiddenChars: 0 };
  const styleOf = elementStyles(html);

  /** The open elements. `cut` is the offset at which an element that is left out as a whole began. */
  const open: { name: string; look: Look; cut: number | null }[] = [];
  const parts: string[] = [];
  let copied = 0;
  let hiddenChars = 0;
  let cuts = 0;
  let unreadOpen = 0;

  const leaveOut = (start: number, end: number) => {
    if (start > copied) parts.push(html.slice(copied, start));
    copied = Math.max(copied, end);
  };
  const parser: Parser = parserWithin({
    onopentag(name, attributes) {
      const outer = open.at(-1)?.look ?? plainLook;
      const said = styleOf(name, attributes);
      const isUndisplayed =
        undisplayed.has(name) ||
        (inFormula.has(name) && !said.has("display")) ||
        (name === "dialog" && !("open" in attributes));
      const isCut = cuts === 0 && ("hidden" in attributes || isUndisplayed || hidesBox(said));
      if (isCut) cuts++;
      if (unread.has(name)) unreadOpen++;
      open.push({ name, look: inheritedLook(outer, said, attributes), cut: isCut ? parser.startIndex : null });
    },
    ontext(data) {
      if (unreadOpen > 0 || !(cuts > 0 || open.at(-1)?.look.isHidden)) return;
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
  return { html: parts.join(""), hiddenChars };
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
