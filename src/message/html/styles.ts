import { TooComplex, type Work } from "./budget.ts";
import type { Declarations } from "./css.ts";
import type { Readers } from "./css-conditions.ts";
import { declared, hidesBox, put } from "./hidden-style.ts";
import { inheritedLook, isTiny, plainLook } from "./look.ts";
import type { Place } from "./selectors.ts";
import { type MatchedRule, readStyleSheet } from "./style-sheet.ts";
import { walkHtml } from "./walk.ts";

/** Characters of names, classes and styles that take as long to compare as one declaration. */
const MARKS_PER_WORK = 100;
/** What it costs to read a character of HTML and of CSS, and to find the styles of an element unlike those before. */
const HTML_WORK = 0.12;
const CSS_WORK = 1;
const ELEMENT_WORK = 25;

type Attributes = Readonly<Record<string, string>>;

/** An element with its styles. */
export interface Styled {
  place: Place;
  /** What applies on any screen. */
  said: Declarations;
  /** What applies if further rules do of which only a browser can tell; null if there are none. */
  unsure: Declarations | null;
  /** What may apply on wide screens, and what on narrow ones; null if that is nothing more. */
  wide: Declarations | null;
  narrow: Declarations | null;
  /** What applies on every desktop; null if that is nothing more. */
  desktop: Declarations | null;
}

export interface ElementStyles {
  /** Styles an element inside another, or inside none. */
  within(outer: Styled | null, name: string, attributes: Attributes): Styled;
  /** The declarations by an element's style attribute and the rules that ask for no other element. */
  own(name: string, attributes: Attributes): Declarations;
}

/** Reads the style sheets of HTML. This and what it returns throw `TooComplex` at their limits and those of the work. */
export function elementStyles(html: string, work: Work): ElementStyles {
  const spend = (amount: number) => work.spend(amount);
  spend(html.length * HTML_WORK);
  const css = /<style/i.test(html) ? stylesIn(html) : "";
  spend(css.length * CSS_WORK);
  const sheet = readStyleSheet(css, html, spend);
  if (!sheet.isWhole) throw new TooComplex();
  const asked = new Set(sheet.asked);
  /** Mail programs repeat a few styles many times. */
  const read = remembered((style: string): MatchedRule[] => {
    spend(style.length * CSS_WORK);
    const rule = declared(style);
    if (rule === null) throw new TooComplex();
    return [{ ...rule, readers: "always" }];
  });
  const placeOf = (outer: Styled | null, name: string, attributes: Attributes): Place => {
    const { class: classes = "", id = "" } = attributes;
    const words = new Set(classes === "" ? [] : classes.toLowerCase().split(/\s+/).filter(Boolean));
    spend(ELEMENT_WORK + words.size);
    return { name, id: id.toLowerCase(), classes: words, attributes, parent: outer?.place ?? null };
  };
  const merged = (rules: readonly MatchedRule[]): Declarations => {
    const all = new Map<string, string>();
    for (const { declarations } of rules) for (const [property, value] of declarations) put(all, property, value);
    for (const { important } of rules) for (const [property, value] of important) put(all, property, value);
    spend(rules.reduce((sum, { declarations, important }) => sum + declarations.size + important.size, 1));
    return all;
  };
  const marksOf = (name: string, attributes: Attributes): string => {
    const { class: classes = "", id = "", style = "" } = attributes;
    const others = asked.size === 0 ? [] : Object.entries(attributes).filter(([one]) => asked.has(one));
    const marks = JSON.stringify([name, classes, id, style, ...others]);
    spend(1 + marks.length / MARKS_PER_WORK);
    return marks;
  };
  const byMarks = new Map<string, Declarations>();
  /** Elements of one message repeat a few combinations many times, also inside each other. */
  const insideNone = new Map<string, Styled>();
  const inside = new WeakMap<Styled, Map<string, Styled>>();
  return {
    within(outer, name, attributes) {
      const marks = marksOf(name, attributes);
      const around = sheet.asksAround ? outer : null;
      const known = around ? (inside.get(around) ?? new Map<string, Styled>()) : insideNone;
      if (around) inside.set(around, known);
      const seen = known.get(marks);
      if (seen) return seen;
      const place = placeOf(around, name, attributes);
      const found = sheet.rulesFor(place, spend);
      const inline = attributes.style ? read(attributes.style) : [];
      const forReaders = (...which: Readers[]) => {
        const further = found.filter(({ readers }) => which.includes(readers));
        if (further.length === 0) return null;
        // One that shows again what another hides may be for nobody.
        const hiding = further.filter(({ declarations }) => hidesAlone(declarations));
        const counted = new Set(hiding.length === 0 ? further : hiding);
        return merged([...found.filter((rule) => rule.readers === "always" || counted.has(rule)), ...inline]);
      };
      const styled = {
        place,
        said: merged([...found.filter(({ readers }) => readers === "always"), ...inline]),
        unsure: forReaders("unknown"),
        wide: forReaders("wide", "desktop"),
        narrow: forReaders("narrow"),
        desktop: found.some(({ readers }) => readers === "desktop")
          ? merged([...found.filter(({ readers }) => readers === "always" || readers === "desktop"), ...inline])
          : null,
      };
      known.set(marks, styled);
      return styled;
    },
    own(name, attributes) {
      const marks = marksOf(name, attributes);
      const seen = byMarks.get(marks);
      if (seen) return seen;
      const rules = sheet.ownRulesFor(placeOf(null, name, attributes), spend);
      if (attributes.style) rules.push(...read(attributes.style));
      const said = merged(rules);
      byMarks.set(marks, said);
      return said;
    },
  };
}

/** Whether the declarations of a rule hide or may hide an element, wherever it is. */
function hidesAlone(declarations: Declarations): boolean {
  const known = hiding.get(declarations);
  if (known !== undefined) return known;
  const look = inheritedLook(plainLook, declarations, {}, "");
  const found = hidesBox(declarations) !== false || look.isInvisible || isTiny(look);
  hiding.set(declarations, found);
  return found;
}

/** Elements of one message share their rules. */
const hiding = new WeakMap<Declarations, boolean>();

function remembered<T>(find: (key: string) => T): (key: string) => T {
  const known = new Map<string, T>();
  return (key) => {
    const found = known.get(key) ?? find(key);
    known.set(key, found);
    return found;
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
