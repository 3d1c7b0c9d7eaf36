import { type CssRule, type Declarations, readCss } from "./css.ts";
import type { Readers } from "./css-conditions.ts";
import { hidingStyles, put } from "./hidden-style.ts";
import { type Match, matches, type Place, readSelectors, type Selector } from "./selectors.ts";

/** A rule that matches an element, or may match it. */
export interface MatchedRule {
  declarations: Declarations;
  important: Declarations;
  /** For whom it applies; `unknown` too if it takes more than an element and those around it to tell. */
  readers: Readers;
}

/** The rules of the style sheets of one message. */
export interface StyleSheet {
  /** The rules for an element, in the order of the cascade: of two values for one property, the later counts. */
  rulesFor(place: Place, spend: (steps: number) => void): MatchedRule[];
  /** The rules with selectors that ask for nothing around the element. */
  ownRulesFor(place: Place, spend: (steps: number) => void): MatchedRule[];
  /** Whether elements around one count. */
  asksAround: boolean;
  /** Names of the attributes that count, besides class and id. */
  asked: readonly string[];
  /** False if part of the style sheets was not read. */
  isWhole: boolean;
}

/** Selectors of one message; newsletters have a few hundred. */
const SELECTORS_MAX = 20_000;

interface FoundRule extends MatchedRule {
  selector: Selector;
  order: number;
}

interface Rule extends FoundRule {
  /** The rule for elements of which it takes more to tell. */
  ifUnknown: FoundRule;
}

/** Reads the rules of a style sheet that may hide words of this HTML, or decide where they are. `spend` may throw. */
export function readStyleSheet(css: string, html: string, spend: (steps: number) => void): StyleSheet {
  const sheet = readCss(css, hidingStyles);
  const rules = new Map<string, Rule[]>();
  const asked = new Set<string>();
  const isThere = presence(html, spend);
  let isWhole = sheet.isWhole;
  let count = 0;
  let asksAround = false;
  for (const { selector: list, declarations, important, readers } of joined(sheet.rules)) {
    if (declarations.size === 0) continue;
    for (const selector of readSelectors(list)) {
      if (++count > SELECTORS_MAX) {
        isWhole = false;
        break;
      }
      if (!selector.neighbours.every(isThere)) continue;
      asksAround ||= !selector.isAlone;
      for (const name of selector.asked) asked.add(name);
      const known = rules.get(selector.key);
      const written = { selector, declarations, important, order: count };
      const ifUnknown: FoundRule = { ...written, readers: "unknown" };
      const rule: Rule = { ...written, readers, ifUnknown };
      if (known) known.push(rule);
      else rules.set(selector.key, [rule]);
    }
  }

  const find = (place: Place, spend: (steps: number) => void, isOwn: boolean): MatchedRule[] => {
    const { name, id, classes } = place;
    const keys = new Set(["*", name, ...[...classes].map((one) => `.${one}`), ...(id === "" ? [] : [`#${id}`])]);
    const found: FoundRule[] = [];
    for (const key of keys)
      for (const rule of rules.get(key) ?? []) {
        spend(1);
        if (isOwn && (!rule.selector.isAlone || rule.readers !== "always")) continue;
        const match: Match = matches(rule.selector, place, spend);
        if (match === "yes") found.push(rule);
        else if (match === "maybe" && !isOwn) found.push(rule.ifUnknown);
      }
    return found.sort((a, b) => a.selector.specificity - b.selector.specificity || a.order - b.order);
  };
  return {
    rulesFor: (place, spend) => find(place, spend, false),
    ownRulesFor: (place, spend) => find(place, spend, true),
    asksAround,
    asked: [...asked],
    isWhole,
  };
}

/** Rules that follow each other, with those of one selector for everyone as one. */
function joined(rules: readonly CssRule[]): CssRule[] {
  const found: (CssRule & { declarations: Map<string, string>; important: Map<string, string> })[] = [];
  for (const rule of rules) {
    let last = found.at(-1);
    if (last?.selector !== rule.selector || last.readers !== "always" || rule.readers !== "always") {
      last = { ...rule, declarations: new Map(), important: new Map() };
      found.push(last);
    }
    const { declarations, important } = last;
    for (const [property, value] of rule.declarations)
      if (!important.has(property) || rule.important.has(property)) put(declarations, property, value);
    for (const [property, value] of rule.important) put(important, property, value);
  }
  return found;
}

/** Tells whether the HTML may have an element with a key of a selector. */
function presence(html: string, spend: (steps: number) => void): (key: string) => boolean {
  const source = html.toLowerCase();
  const known = new Map<string, boolean>();
  const find = (key: string) => {
    if (key === "*") return true;
    if (/^[#.]/.test(key)) return source.includes(key.slice(1));
    return [" ", "\n", "\r", "\t", "\f", "/", ">"].some((end) => source.includes(`<${key}${end}`));
  };
  return (key) => {
    const isKnown = known.get(key);
    if (isKnown !== undefined) return isKnown;
    if (known.size >= PRESENCE_MAX) return true;
    spend(source.length / CHARS_PER_STEP);
    const isThere = find(key);
    known.set(key, isThere);
    return isThere;
  };
}

/** Each look-up searches the whole HTML, of which so many characters take as long as one step elsewhere. */
const PRESENCE_MAX = 50;
const CHARS_PER_STEP = 300;
