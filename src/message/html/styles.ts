import type { Declarations } from "./css.ts";
import { declarations, readStyleSheet } from "./hidden-style.ts";
import { walkHtml } from "./walk.ts";

/** Classes and ids looked up, plus declarations found with them, for all elements together; newsletters need 50,000. */
const WORK_MAX = 1_000_000;
/** Characters of names, classes and styles that take as long to compare as one declaration. */
const MARKS_PER_WORK = 100;

/** Thrown when the styles of HTML cost more work than is worth it, or are not read as a whole. */
export class TooComplex extends Error {}

export type StyleOf = (name: string, attributes: Readonly<Record<string, string>>) => Declarations;

const nothing: Declarations = new Map();

/**
 * Reads the style sheets of HTML. The result gives an element's declarations, by its style attribute and the rules with
 * simple selectors. Both throw `TooComplex` at their limits.
 */
export function elementStyles(html: string): StyleOf {
  const sheet = readStyleSheet(/<style/i.test(html) ? stylesIn(html) : "");
  if (!sheet.isWhole) throw new TooComplex();
  /** Mail programs repeat a few styles many times. */
  const known = new Map<string, Declarations>();
  let work = 0;
  const spend = (amount: number) => {
    work += amount;
    if (work > WORK_MAX) throw new TooComplex();
  };
  const read = (styles: string): Declarations => {
    const said = known.get(styles) ?? declarations(styles);
    if (said === null) throw new TooComplex();
    known.set(styles, said);
    return said;
  };
  const byMarks = new Map<string, Declarations>();
  return (name, attributes) => {
    const { class: classes = "", id = "", style = "" } = attributes;
    // Elements of one message repeat a few combinations many times.
    const marks = JSON.stringify([name, classes, id, style]);
    spend(1 + marks.length / MARKS_PER_WORK);
    const seen = byMarks.get(marks);
    if (seen) return seen;
    const found = sheet.rulesFor(name, attributes);
    if (style) found.push(read(style));
    spend(1 + classes.length / 2 + found.reduce((sum, one) => sum + one.size, 0));
    const said = found.length <= 1 ? (found[0] ?? nothing) : new Map(found.flatMap((one) => [...one]));
    byMarks.set(marks, said);
    return said;
  };
}

/** Collects the content of all style elements of HTML. Time is linear in the length. */
export function stylesIn(html: string): string {
  const found: string[] = [];
  let isStyle = false;
  let isBegun = false;
  walkHtml(html, {
    begin(name, _attributes, isSelfClosing) {
      isStyle = (name === "style" || name === "svg-style") && !isSelfClosing;
      isBegun = isStyle;
    },
    text(part) {
      if (!isStyle) return;
      if (isBegun) found.push("\n");
      isBegun = false;
      found.push(part);
    },
    end() {
      isStyle = false;
    },
  });
  return found.join("");
}
