/** The markers of lists: bullets, figures, and letters and Roman numbers (CSS Counter Styles 3, 6.1 and 7). */
import type { Declarations } from "./css.ts";

const roman: readonly [number, string][] = [
  [1000, "m"],
  [900, "cm"],
  [500, "d"],
  [400, "cd"],
  [100, "c"],
  [90, "xc"],
  [50, "l"],
  [40, "xl"],
  [10, "x"],
  [9, "ix"],
  [5, "v"],
  [4, "iv"],
  [1, "i"],
];

function romanOf(value: number): string {
  let rest = value;
  let text = "";
  for (const [amount, letters] of roman) for (; rest >= amount; rest -= amount) text += letters;
  return text;
}

function lettersOf(value: number): string {
  let text = "";
  for (let rest = value; rest > 0; rest = Math.floor((rest - 1) / 26))
    text = String.fromCharCode("a".charCodeAt(0) + ((rest - 1) % 26)) + text;
  return text;
}

/** How an ordered list counts: the value of `type` or of `list-style-type`. */
type Counting = "1" | "a" | "A" | "i" | "I";

const countings = new Map<string, Counting>([
  ["lower-alpha", "a"],
  ["lower-latin", "a"],
  ["upper-alpha", "A"],
  ["upper-latin", "A"],
  ["lower-roman", "i"],
  ["upper-roman", "I"],
]);

/** Reads the `type` of a list, whose letters have a meaning, or else its list style. */
function countingOf(type: string | undefined, style: string): Counting {
  if (type === "a" || type === "A" || type === "i" || type === "I") return type;
  return style.split(" ").flatMap((word) => countings.get(word) ?? [])[0] ?? "1";
}

/** The number of a list item, with its full stop and blank: `12. `, `c. `, `IV. `. */
function numberMarker(value: number, counting: Counting): string {
  const lower = counting.toLowerCase();
  let text = String(value);
  if (lower === "a" && value >= 1) text = lettersOf(value);
  if (lower === "i" && value >= 1 && value <= 3_999) text = romanOf(value);
  return `${counting === lower ? text : text.toUpperCase()}. `;
}

/** An open list. */
export interface List {
  /** Null for bullets. */
  counting: Counting | null;
  /** Whether its items have no markers. */
  isBare: boolean;
  next: number;
  step: 1 | -1;
  /** Where its open item is among the open elements; -1 without one. */
  item: number;
}

/** Reads what a list element says about its markers. */
export function listOf(name: string, attributes: Map<string, string>, said: Declarations): List {
  const style = listStyle(said);
  const isNumbered = name === "ol" || /decimal|alpha|latin|roman/.test(style);
  const start = numberIn(attributes.get("start"));
  return {
    counting: isNumbered ? countingOf(attributes.get("type"), style) : null,
    isBare: /\bnone\b/.test(style),
    next: start ?? 1,
    step: start !== null && attributes.has("reversed") ? -1 : 1,
    item: -1,
  };
}

function listStyle(said: Declarations): string {
  return said.get("list-style-type") ?? said.get("list-style") ?? "";
}

/** The indent of an item and its marker: a number, a bullet, or nothing for a description. */
export function itemMargin(
  name: string,
  list: List,
  said: Declarations,
  attributes: Map<string, string>,
): [indent: string, marker: string | null] {
  if (name === "dt") return ["", null];
  if (name === "dd") return ["  ", null];
  const value = list.counting === null ? null : numberIn(attributes.get("value"));
  if (value !== null) list.next = value;
  const number = list.next;
  list.next += list.step;
  const display = said.get("display") ?? "list-item";
  if (list.isBare || display !== "list-item" || /\bnone\b/.test(listStyle(said))) return ["", null];
  const marker = list.counting === null ? "* " : numberMarker(number, list.counting);
  return [" ".repeat(marker.length), marker];
}

/** An integer as attributes have it (HTML 2.3.4.1); null if it is none, or has more digits than any list. */
export function numberIn(value: string | undefined): number | null {
  const digits = /^\s{0,9}([-+]?\d{1,9})(?!\d)/.exec(value ?? "");
  return digits ? Number(digits[1]) : null;
}
