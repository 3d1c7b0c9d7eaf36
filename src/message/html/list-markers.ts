/** Letters and Roman numbers of ordered lists (CSS Counter Styles 3, 6.1 and 7). Other values are written as figures. */

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
export type Counting = "1" | "a" | "A" | "i" | "I";

const countings: Record<string, Counting> = {
  "lower-alpha": "a",
  "lower-latin": "a",
  "upper-alpha": "A",
  "upper-latin": "A",
  "lower-roman": "i",
  "upper-roman": "I",
};

/** Reads the `type` of a list, whose letters have a meaning, or else its list style. */
export function countingOf(type: string | undefined, style: string): Counting {
  if (type === "a" || type === "A" || type === "i" || type === "I") return type;
  return style.split(" ").flatMap((word) => countings[word] ?? [])[0] ?? "1";
}

/** The number of a list item, with its full stop and blank: `12. `, `c. `, `IV. `. */
export function numberMarker(value: number, counting: Counting): string {
  const lower = counting.toLowerCase();
  let text = String(value);
  if (lower === "a" && value >= 1) text = lettersOf(value);
  if (lower === "i" && value >= 1 && value <= 3_999) text = romanOf(value);
  return `${counting === lower ? text : text.toUpperCase()}. `;
}
