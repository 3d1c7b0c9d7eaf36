import { type Color, quirkColor, readColor } from "./colors.ts";
import type { Declarations } from "./css.ts";
import { cssWide, isComputed, pixels } from "./css-values.ts";

/** What the styles of an element say that it paints behind its text. */
export interface Background {
  /** By `background` or `background-color`; null if nothing. */
  base: Paint | null;
  /** By `background-image`, over the other. */
  picture: Paint | null;
  /** Whether it is seen through the letters only (`background-clip: text`). */
  isCut: boolean;
}

export interface Paint {
  /** Those that differ, up to 16; null for a picture. */
  colors: readonly PaintColor[] | null;
  /** In pixels, of a line such as one under a link; else infinite. */
  thickness: number;
  /** Whether only a browser can tell its colours. */
  isUnsure: boolean;
}

/** `currentcolor` is that of the text. */
export type PaintColor = Color | "currentcolor";

/** Colours of a gradient that are compared. */
const STOPS_MAX = 16;

/** Elements of one message share their declarations. */
const known = new WeakMap<Declarations, Background>();

/** Reads the background that styles set. */
export function backgroundOf(said: Declarations): Background {
  const found = known.get(said) ?? readBackground(said);
  known.set(said, found);
  return found;
}

function readBackground(said: Declarations): Background {
  const value = (property: string) => said.get(property) ?? "";
  const shorthand = value("background");
  const clip = [...said.keys()].findLast((one) => /^(?:-webkit-)?background-clip$/.test(one));
  const isCut = clip === undefined ? wordsOf(shorthand).includes("text") : !/box|^[^t]/.test(value(clip));
  const image = value("background-image");
  const where = `${value("background-position")}/${value("background-size")} ${value("background-repeat")}`;
  const color = value("background-color");
  if (image !== "" || color !== "" || !isPicture.test(shorthand)) {
    const isPainted = image !== "" && image !== "none";
    return { base: readPaint(color || shorthand), picture: isPainted ? drawn(image, where) : null, isCut };
  }
  const words = wordsOf(shorthand, true).filter((word) => !isPicture.test(word));
  return { base: readPaint(words.join(" ")), picture: drawn(shorthand, shorthand), isCut };
}

const isPicture = /url\(|gradient|image/;

function readPaint(value: string): Paint | null {
  if (value === "" || value === "none" || value === "transparent" || cssWide.test(value)) return null;
  if (isPicture.test(value)) return drawn(value, value);
  for (const [part] of value.matchAll(/#?[\da-z-]+(?:\([^()]*\))?/g)) {
    const found = colorIn(part) ?? quirkColor(part);
    if (found) return found !== "currentcolor" && found.alpha === 0 ? null : plain([found]);
  }
  return value.includes("(") ? { ...plain(null), isUnsure: true } : null;
}

function plain(colors: Paint["colors"]): Paint {
  return { colors, thickness: Number.POSITIVE_INFINITY, isUnsure: false };
}

/** @param where Has the size, after a slash, and how it is repeated. */
function drawn(image: string, where: string): Paint {
  const isUnsure = !image.includes("url(") && isComputed(image);
  return { colors: stopsOf(image), thickness: thicknessOf(where), isUnsure };
}

/** The different colours of a gradient; null if it is none, or lets a picture through. */
function stopsOf(image: string): PaintColor[] | null {
  const [, stops] = /^(?:repeating-)?(?:linear|radial|conic)-gradient\((.*)\)[^()]*$/.exec(image) ?? [];
  if (stops === undefined) return null;
  const different = new Map<string, PaintColor>();
  for (const [part] of stops.matchAll(/#?[\da-z-]+(?:\([^()]*\))?/g)) {
    const found = different.has(part) ? null : colorIn(part);
    if (found) different.set(part, found);
    if (different.size === STOPS_MAX) break;
  }
  const found = [...different.values()];
  if (image.includes("url(") && found.some((stop) => stop !== "currentcolor" && stop.alpha < 1)) return null;
  return found.length === 0 ? null : found;
}

function colorIn(part: string): PaintColor | null {
  return part === "currentcolor" ? part : readColor(part);
}

/** How high or wide the one layer of a background is if it is not repeated that way. */
function thicknessOf(where: string): number {
  const words = wordsOf(where);
  const [width = "", height = ""] = words.slice(words.indexOf("/") + 1 || words.length);
  if (words.some((word) => word.includes(","))) return Number.POSITIVE_INFINITY;
  const repeats = words.find((word) => /repeat|space|round/.test(word));
  const across = repeats === "no-repeat" || repeats === "repeat-y" ? pixels(width) : Number.NaN;
  const down = repeats === "no-repeat" || repeats === "repeat-x" ? pixels(height) : Number.NaN;
  return Math.min(...[across, down].filter((one) => one >= 0));
}

/** The words of a value, slashes too, without what is in brackets unless `isWhole`, when that has no spaces. */
function wordsOf(value: string, isWhole = false): string[] {
  let words = "";
  let depth = 0;
  for (const sign of value) {
    if (sign === ")") depth--;
    if (depth === 0 && sign === "/") words += " / ";
    else if (isWhole ? depth === 0 || sign !== " " : depth === 0 && sign !== "(" && sign !== ")") words += sign;
    if (sign === "(") depth++;
  }
  return words.split(" ").filter(Boolean);
}
