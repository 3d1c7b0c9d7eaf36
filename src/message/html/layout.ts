/** Where elements are among others, by their names and styles. */
import { TooComplex, type Work } from "./budget.ts";
import type { Declarations } from "./css.ts";
import type { Spacing } from "./lines.ts";
import { type ElementStyles, elementStyles } from "./styles.ts";

/** Line ends around the elements that begin a line (HTML 15.3). With two there is a blank line. */
export const blocks = new Map<string, 1 | 2>([
  ...(
    "address article aside body caption center dd details dialog div dt fieldset figcaption footer form frameset header " +
    "hgroup html iframe legend li main nav noframes optgroup option search section select summary textarea"
  )
    .split(" ")
    .map((name) => [name, 1] as const),
  ..."blockquote dir dl figure h1 h2 h3 h4 h5 h6 listing menu ol p plaintext pre ul xmp"
    .split(" ")
    .map((name) => [name, 2] as const),
]);
/** Elements that keep their white space. */
export const kept = new Set(["listing", "plaintext", "pre", "textarea", "xmp"]);

/** What separates an element from its neighbours: line ends, white space, or nothing. */
export type Edge = 0 | 1 | 2 | " " | "\t";

/** Properties that decide where words are. */
const layoutHint = /white-space|display|list-style/i;
const nothing: Declarations = new Map();

/** The styles of elements, or none where they take too much work. */
export function layoutStyles(
  html: string,
  work: Work,
): (name: string, attributes: Map<string, string>) => Declarations {
  if (!layoutHint.test(html)) return () => nothing;
  let styles: ElementStyles | null = null;
  try {
    styles = elementStyles(html, work);
  } catch (error) {
    if (!(error instanceof TooComplex)) throw error;
  }
  return (name, attributes) => {
    if (!styles) return nothing;
    try {
      const [style = "", id = "", classes = ""] = ["style", "id", "class"].map((one) => attributes.get(one));
      return styles.own(name, { style, id, class: classes });
    } catch (error) {
      if (!(error instanceof TooComplex)) throw error;
      styles = null;
      return nothing;
    }
  };
}

/** What separates an element from its neighbours, by its name or its `display`. */
export function edgeFor(name: string, said: Declarations, isInRow: boolean): Edge {
  const own = name === "table" || name === "tr" ? 1 : (blocks.get(name) ?? 0);
  const display = said.get("display") ?? "";
  if (isInRow || (display === "table-cell" && name !== "td" && name !== "th")) return "\t";
  if (/^inline[- ]/.test(display)) return " ";
  if (name === "table" || name === "tr") return own;
  if (display === "inline") return own === 0 ? 0 : " ";
  if (own === 0 && /^(?:block|flex|grid|table|table-row|list-item|flow-root)$/.test(display)) return 1;
  if (name === "td" || name === "th") return "\t";
  return name === "button" && own === 0 ? " " : own;
}

/** Whether an element lays its children out side by side. */
export function isFlexRow(said: Declarations): boolean {
  if (said.size === 0 || !/^(?:inline-)?flex$/.test(said.get("display") ?? "")) return false;
  return !/column/.test(said.get("flex-direction") ?? said.get("flex-flow") ?? "");
}

/** How white space counts inside an element. */
export function spacingOf(name: string, said: Declarations, outer: Spacing): Spacing {
  const value = said.get("white-space") ?? "";
  // Tables fold it in pages without a doctype (Quirks Mode 3.3), as most mail is.
  if (value === "") return kept.has(name) ? "kept" : name === "table" ? "folded" : outer;
  if (value.startsWith("pre-line")) return "lines";
  if (/^(?:pre|break-spaces)/.test(value)) return "kept";
  return /^(?:normal|nowrap|initial)/.test(value) ? "folded" : outer;
}
