import { Parser } from "htmlparser2";
import {
  type Declarations,
  declarations,
  hidesBox,
  inheritedLook,
  type Look,
  plainLook,
  readStyleSheet,
} from "./hidden-style.ts";

/** HTML less what its reader does not see. */
export interface SeenHtml {
  html: string;
  /** How many characters of text were left out, white space not counted. */
  hiddenChars: number;
}

/** What has no text of its own to hide, or none that anybody sees anyway. */
const unread = new Set(["head", "script", "style", "template", "title"]);

/**
 * Leaves out the text that HTML hides from its reader: elements that are not displayed, have no size or lie off the
 * page, and letters that are too small, transparent or in the colour of their background, by attributes or by the simple
 * rules of its own style sheets. What takes more than that to find out stays. Never throws; time grows with length times
 * nesting.
 */
export function seenHtml(html: string): SeenHtml {
  // Most HTML that programs make of plain text has neither.
  if (!/<(?:style|font)|\b(?:style|hidden|bgcolor)\b/i.test(html)) return { html, hiddenChars: 0 };
  const sheet = readStyleSheet(/<style/i.test(html) ? stylesOf(html) : "");
  /** Programs that write mail repeat few styles many times. */
  const known = new Map<string, Declarations>();
  const read = (styles: string) => {
    const said = known.get(styles) ?? declarations(styles);
    known.set(styles, said);
    return said;
  };
  /** The open elements; `cut` is where one that is left out as a whole began. */
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
  const parser: Parser = new Parser(
    {
      onopentag(name, attributes) {
        const outer = open.at(-1)?.look ?? plainLook;
        const said = read([...sheet(name, attributes), attributes.style ?? ""].join(";"));
        const isCut = cuts === 0 && ("hidden" in attributes || hidesBox(said));
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
        leaveOut(element.cut, isImplied ? parser.startIndex : parser.endIndex + 1);
      },
    },
    { decodeEntities: true },
  );
  parser.write(html);
  parser.end();
  parts.push(html.slice(copied));
  return { html: parts.join(""), hiddenChars };
}

/** What its style elements hold, wherever they stand. */
function stylesOf(html: string): string {
  const found: string[] = [];
  let isStyle = false;
  const parser = new Parser({
    onopentagname(name) {
      isStyle = name === "style";
    },
    ontext(data) {
      if (isStyle) found.push(data);
    },
    onclosetag() {
      isStyle = false;
    },
  });
  parser.write(html);
  parser.end();
  return found.join("\n");
}
