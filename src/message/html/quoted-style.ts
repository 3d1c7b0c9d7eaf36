import { readCss } from "./css.ts";

const sides = ["", "-top", "-right", "-bottom", "-left"];

/**
 * Properties that lay out an element and what is in it. Left out is what could cover, move or hide the words around it:
 * positions, transforms, shadows, outlines, floats, and line heights, from which tall letters stick out.
 */
const quotedProperties: ReadonlySet<string> = new Set([
  ...["color", "background", "background-color", "font", "font-family", "font-size", "font-style", "font-weight"],
  ...["text-align", "text-decoration", "text-indent", "text-transform", "letter-spacing", "white-space", "word-break"],
  ...["overflow-wrap", "word-wrap", "vertical-align", "list-style", "list-style-type", "display", "table-layout"],
  ...["border-collapse", "border-spacing", "border-color", "border-style", "border-width", "border-radius"],
  ...["width", "min-width", "max-width", "height", "min-height", "max-height"],
  ...sides.flatMap((side) => [`margin${side}`, `padding${side}`, `border${side}`]),
]);

const colours = /\b(?:rgb|hsl)a?\([\d\s.,%/]*\)/g;
/** Words, numbers and names of fonts: no functions, and nothing that begins another declaration. */
const plain = /^[\p{L}\p{N}\s#%.,_'"-]*$/u;
const negative = /(?:^|[\s,])-[\d.]/;

/** The style attribute of an element that is quoted in another mail, as far as it concerns that element alone. */
export function quotedStyle(style: string): string {
  const [rule] = readCss(style, { isAttribute: true, wanted: quotedProperties }).rules;
  return [...(rule?.declarations ?? [])]
    .filter(([, value]) => plain.test(value.replace(colours, "")) && !negative.test(value))
    .map(([property, value]) => `${property}:${value}`)
    .join(";");
}
