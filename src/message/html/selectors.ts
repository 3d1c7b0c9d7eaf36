/** Selectors of style sheets (Selectors 4), as far as elements, their attributes and those around them decide. */
import { unescaped } from "./css.ts";

/** An element and those around it. Names, classes and ids are in lower case, because most mail is in quirks mode. */
export interface Place {
  name: string;
  id: string;
  classes: ReadonlySet<string>;
  attributes: Readonly<Record<string, string>>;
  parent: Place | null;
}

/** Whether a selector matches: it may depend on what a place does not know, such as the elements before it. */
export type Match = "yes" | "no" | "maybe";

type Test = (place: Place, spend: (steps: number) => void) => Match;

interface Compound {
  /** Joins it to the compound before it. */
  combinator: " " | ">" | "+" | "~";
  tests: Test[];
  /** A mark that each element has which it matches: `#id`, `.class`, a name, or `*`. */
  key: string;
}

export interface Selector {
  compounds: Compound[];
  /** Ids, classes and names, as one number. */
  specificity: number;
  /** That of the last compound. */
  key: string;
  /** Keys of elements that come before others. */
  neighbours: string[];
  /** Whether elements around the one that it matches count. */
  isAlone: boolean;
  /** Names of attributes that it asks for, besides class and id. */
  asked: string[];
}

/** Selectors in each other, and compounds of one selector. Style sheets of mail have up to six. */
const DEPTH_MAX = 8;
const COMPOUNDS_MAX = 24;

/** States that most readers do not see, and parts of elements. Rules for them hide nothing. */
const passing = new Set(
  (
    "active after before first-letter first-line focus focus-visible focus-within hover selection target target-within " +
    "visited"
  ).split(" "),
);

/** Characters that take as long to compare as one step. */
const CHARS_PER_STEP = 100;
const ID = 1_000_000;
const CLASS = 1_000;

/** Reads a list of selectors. Those that no browser knows, and those for states and parts of elements, are left out. */
export function readSelectors(list: string): Selector[] {
  return parts(list).flatMap((one) => readSelector(one, 0) ?? []);
}

/** Matches a selector with an element. `spend` is told of each step, and may throw. */
export function matches(selector: Selector, place: Place, spend: (steps: number) => void): Match {
  return matchesFrom(selector.compounds, selector.compounds.length - 1, place, spend);
}

function matchesFrom(
  compounds: readonly Compound[],
  index: number,
  place: Place,
  spend: (steps: number) => void,
): Match {
  const compound = compounds[index];
  if (!compound) return "no";
  spend(1);
  const own = all(compound.tests, place, spend);
  if (own === "no" || index === 0) return own;
  // The elements before this one are not known.
  if (compound.combinator === "+" || compound.combinator === "~") return "maybe";
  let found: Match = "no";
  for (let outer = place.parent; outer && found !== "yes"; outer = outer.parent) {
    const one = matchesFrom(compounds, index - 1, outer, spend);
    if (one !== "no") found = one;
    if (compound.combinator === ">") break;
  }
  return found === "yes" ? own : found;
}

function all(tests: readonly Test[], place: Place, spend: (steps: number) => void): Match {
  let found: Match = "yes";
  for (const test of tests) {
    spend(1);
    const one = test(place, spend);
    if (one === "no") return "no";
    if (one === "maybe") found = "maybe";
  }
  return found;
}

/** Splits at commas outside brackets and strings. */
function parts(list: string): string[] {
  const found: string[] = [];
  let start = 0;
  let depth = 0;
  for (let i = 0; i < list.length; i++) {
    const character = list[i] as string;
    if (character === "\\") i++;
    else if (character === '"' || character === "'") i = stringEnd(list, i);
    else if (character === "(" || character === "[") depth++;
    else if (character === ")" || character === "]") depth--;
    else if (character === "," && depth <= 0) {
      found.push(list.slice(start, i));
      start = i + 1;
    }
  }
  found.push(list.slice(start));
  return found;
}

/** The index of the quotation mark that ends a string, or of the last character. */
function stringEnd(text: string, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === text[start]) return i;
  }
  return text.length;
}

/** The index of the bracket that closes the one at `start`; the length of the text without one. */
function bracketEnd(text: string, start: number): number {
  let depth = 0;
  for (let i = start; i < text.length; i++) {
    const character = text[i] as string;
    if (character === "\\") i++;
    else if (character === '"' || character === "'") i = stringEnd(text, i);
    else if (character === "(" || character === "[") depth++;
    else if ((character === ")" || character === "]") && --depth === 0) return i;
  }
  return text.length;
}

const nameAt = /(?:[^\s\\.#:*>+~|,()[\]{}"'=&/!$%@;^`<?]|\\[\s\S])+/y;

function nameFrom(text: string, at: number): string {
  nameAt.lastIndex = at;
  return nameAt.exec(text)?.[0] ?? "";
}

/** Null if it matches nothing that a reader sees. */
function readSelector(written: string, depth: number): Selector | null {
  const text = written.trim();
  if (text === "" || depth > DEPTH_MAX) return null;
  let last: Compound = { combinator: " ", tests: [], key: "*" };
  const compounds = [last];
  const asked: string[] = [];
  let specificity = 0;
  let isAlone = true;
  let isBegun = false;
  const add = (test: Test, weight: number) => {
    last.tests.push(test);
    specificity += weight;
    isBegun = true;
  };
  for (let at = 0; at < text.length; ) {
    const character = text[at] as string;
    if (/[\s>+~]/.test(character)) {
      let combinator: Compound["combinator"] = " ";
      while (at < text.length && /[\s>+~]/.test(text[at] as string)) {
        if (!/\s/.test(text[at] as string)) combinator = text[at] as ">" | "+" | "~";
        at++;
      }
      // One that begins or ends with a combinator is invalid here.
      if (!isBegun || at >= text.length || compounds.length >= COMPOUNDS_MAX) return null;
      last = { combinator, tests: [], key: "*" };
      compounds.push(last);
      isAlone = false;
      isBegun = false;
    } else if (character === "*" || character === "&") {
      add(() => (character === "*" ? "yes" : "maybe"), 0);
      at++;
    } else if (character === "|") {
      at++;
    } else if (character === "#" || character === ".") {
      const name = nameFrom(text, at + 1);
      if (name === "") return null;
      at += 1 + name.length;
      const mark = unescaped(name).toLowerCase();
      if (character === "#") {
        add(({ id }) => (id === mark ? "yes" : "no"), ID);
        last.key = `#${mark}`;
      } else {
        add(({ classes }) => (classes.has(mark) ? "yes" : "no"), CLASS);
        if (!last.key.startsWith("#")) last.key = `.${mark}`;
      }
    } else if (character === "[") {
      const end = bracketEnd(text, at);
      const found = attributeTest(text.slice(at + 1, end));
      if (!found) return null;
      asked.push(found.name);
      add(found.test, CLASS);
      at = end + 1;
    } else if (character === ":") {
      if (text[at + 1] === ":") return null;
      const name = nameFrom(text, at + 1).toLowerCase();
      const open = at + 1 + name.length;
      const end = text[open] === "(" ? bracketEnd(text, open) : open - 1;
      const found = pseudoClass(name, text.slice(open + 1, end), depth);
      if (!found) return null;
      asked.push(...found.asked);
      isAlone &&= found.isAlone;
      add(found.test, found.specificity);
      at = end + 1;
    } else {
      const name = nameFrom(text, at);
      if (name === "") return null;
      at += name.length;
      const wanted = unescaped(name).toLowerCase();
      add((place) => (place.name === wanted ? "yes" : "no"), 1);
      if (last.key === "*") last.key = wanted;
    }
  }
  if (!isBegun) return null;
  const neighbours = compounds.flatMap(({ combinator }, i) =>
    combinator === "+" || combinator === "~" ? (compounds[i - 1]?.key ?? "*") : [],
  );
  return { compounds, specificity, key: last.key, neighbours, isAlone, asked };
}

function attributeTest(inside: string): { name: string; test: Test } | null {
  const text = inside.trim().replace(/^\*?\|/, "");
  const written = /^[^\s=~|^$*]*/.exec(text)?.[0] ?? "";
  const [, operator, rest = ""] = /^([~|^$*]?=)([\s\S]*)$/.exec(text.slice(written.length).trimStart()) ?? [];
  const name = unescaped(written).toLowerCase();
  if (name === "") return null;
  if (operator === undefined)
    return { name, test: ({ attributes }) => (Object.hasOwn(attributes, name) ? "yes" : "no") };
  const trimmed = rest.trim();
  const isQuoted = /^["']/.test(trimmed);
  const value = isQuoted ? trimmed.slice(1, stringEnd(trimmed, 0)) : (trimmed.split(/\s/, 1)[0] ?? "");
  const wanted = unescaped(value).toLowerCase();
  const isFound = (has: string): boolean => {
    if (operator === "=") return has === wanted;
    if (operator === "|=") return has === wanted || has.startsWith(`${wanted}-`);
    if (wanted === "") return false;
    if (operator === "~=") return has.split(/\s/).includes(wanted);
    if (operator === "^=") return has.startsWith(wanted);
    return operator === "$=" ? has.endsWith(wanted) : has.includes(wanted);
  };
  return {
    name,
    test: ({ attributes }, spend) => {
      const has = Object.hasOwn(attributes, name) ? attributes[name] : undefined;
      spend((has?.length ?? 0) / CHARS_PER_STEP);
      return has !== undefined && isFound(has.toLowerCase()) ? "yes" : "no";
    },
  };
}

interface PseudoClass {
  test: Test;
  specificity: number;
  isAlone: boolean;
  asked: string[];
}

const lists = new Set(["is", "where", "matches", "any", "-webkit-any", "-moz-any", "not"]);

function pseudoClass(name: string, inside: string, depth: number): PseudoClass | null {
  if (passing.has(name)) return null;
  if (lists.has(name)) {
    const inner = parts(inside).flatMap((one) => readSelector(one, depth + 1) ?? []);
    const any: Test = (place, spend) => {
      let found: Match = "no";
      for (const one of inner) {
        const match = matches(one, place, spend);
        if (match === "yes") return "yes";
        if (match === "maybe") found = "maybe";
      }
      return found;
    };
    const not: Test = (place, spend) => {
      const match = any(place, spend);
      return match === "maybe" ? "maybe" : match === "yes" ? "no" : "yes";
    };
    return {
      test: name === "not" ? not : any,
      specificity: name === "where" ? 0 : Math.max(0, ...inner.map((one) => one.specificity)),
      isAlone: inner.every((one) => one.isAlone),
      asked: inner.flatMap((one) => one.asked),
    };
  }
  const isLink = name === "link" || name === "any-link";
  // The others ask for what comes before, after or inside the element, or for the state of a field.
  const test = knownClasses.get(isLink ? "link" : name) ?? (() => "maybe");
  return { test, specificity: CLASS, isAlone: true, asked: isLink ? ["href"] : [] };
}

const knownClasses = new Map<string, Test>([
  ["root", ({ name }) => (name === "html" ? "yes" : "no")],
  ["link", ({ name, attributes }) => (name === "a" && "href" in attributes ? "yes" : "no")],
  ["defined", () => "yes"],
]);
