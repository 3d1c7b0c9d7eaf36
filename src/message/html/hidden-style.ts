import { quirkColor, readColor } from "./colors.ts";
import { type CssOptions, type CssRule, type Declarations, readCss } from "./css.ts";
import { cssWide, fraction, isComputed, pixels, sizesOfFont } from "./css-values.ts";

/** An element this many pixels off the page is there only to be hidden: beyond its beginning, or beyond its end. */
const OFF_PAGE_PIXELS = 500;
const BEYOND_PAGE_PIXELS = 3_000;
/** An opacity up to this is as good as none. */
export const OPACITY_MAX = 0.05;
/** Zero is no zoom at all. */
const ZOOM_MAX = 0.1;

const sides = ["left", "right", "top", "bottom"];
const logicalSides = ["inline-start", "inline-end", "block-start", "block-end"];
const insets = [...sides, ...logicalSides.map((side) => `inset-${side}`)];
const margins = [...sides, ...logicalSides].map((side) => `margin-${side}`);
const heights = ["height", "max-height", "block-size", "max-block-size"];
const sizes = [...heights, "width", "max-width", "inline-size", "max-inline-size"];
const overflows = ["overflow-x", "overflow-y", "overflow-block", "overflow-inline"];
const masks = ["mask", "mask-image", "-webkit-mask", "-webkit-mask-image", "offset", "offset-path"];
const grids = ["grid-template", "grid-template-columns", "grid-template-rows"];
const moves = ["transform", "translate"];
const clips = ["background-clip", "-webkit-background-clip"];
const animations = ["animation", "animation-name", "-webkit-animation", "-webkit-animation-name"];
const strokes = ["", "-width", "-color"].map((part) => `-webkit-text-stroke${part}`);

/** Reads the properties that hide words, or decide where they are. */
export const hidingStyles: CssOptions = {
  wanted: new Set([
    ...(
      "background background-color background-image background-position background-repeat background-size clip " +
      "clip-path color contain content-visibility display filter flex-direction flex-flow font font-size inset " +
      "letter-spacing line-height list-style list-style-type margin opacity overflow position rotate scale text-indent " +
      "visibility -webkit-text-fill-color white-space zoom"
    ).split(" "),
    ...[
      ...insets,
      ...margins,
      ...sizes,
      ...overflows,
      ...masks,
      ...grids,
      ...moves,
      ...clips,
      ...animations,
      ...strokes,
    ],
  ]),
  isValid,
};

/** Reads the declarations of a style attribute; null if it is too long to be read whole. */
export function declared(style: string): Pick<CssRule, "declarations" | "important"> | null {
  const { rules, isWhole } = readCss(style, { ...hidingStyles, isAttribute: true });
  return isWhole ? (rules[0] ?? null) : null;
}

/** What a shorthand sets, so that earlier values no longer count. */
const shorthands: Record<string, readonly string[]> = {
  animation: ["animation-name"],
  "-webkit-animation": ["-webkit-animation-name"],
  background: ["color", "image", "position", "repeat", "size"].map((one) => `background-${one}`).concat(clips),
  font: ["font-size", "line-height"],
  inset: insets,
  margin: margins,
  mask: ["mask-image"],
  "-webkit-mask": ["-webkit-mask-image"],
  overflow: overflows,
};

/** Adds a declaration after others. */
export function put(all: Map<string, string>, property: string, value: string): void {
  const longhands = shorthands[property];
  if (longhands) for (const one of longhands) all.delete(one);
  // Deleted first, so that the later value comes last.
  all.delete(property);
  all.set(property, value);
}

function isValid(property: string, value: string): boolean {
  if (cssWide.test(value) || isComputed(value)) return true;
  if (colorProperties.has(property)) return mayBeColor(value);
  if (property === "font") return systemFonts.has(value) || sizesOfFont(value) !== null;
  const one = wordsOf[property];
  if (one) return value.split(" ").every((word) => one.test(word));
  return validValues[property]?.test(value) ?? true;
}

const lengthPattern = String.raw`[-+]?(?:\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})(?:e[-+]?\d{1,3})?(?:[a-z]{1,5}|%)?`;

/** Values of properties that end the search for hidden words if an invalid one is taken for the last word. */
const validValues: Record<string, RegExp> = {
  visibility: /^(?:visible|hidden|collapse)$/,
  opacity: new RegExp(`^${lengthPattern}$`),
  "font-size": new RegExp(`^(?:${lengthPattern}|(?:x{1,3}-)?(?:small|large)|medium|smaller|larger|math)$`),
  position: /^(?:static|relative|absolute|fixed|sticky|-webkit-sticky)$/,
  ...Object.fromEntries(clips.map((one) => [one, /^(?:(?:text|(?:border|padding|content)-box)(?:$| ?, ?(?!$)))+$/])),
  "content-visibility": /^(?:visible|hidden|auto)$/,
};

/** Properties with several words. */
const wordsOf: Record<string, RegExp> = {
  display:
    /^(?:none|contents|block|inline|flow|flow-root|table|flex|grid|ruby|math|list-item|run-in|inline-(?:block|table|flex|grid)|(?:table|ruby)-[a-z]{1,20}(?:-group)?|-[a-z]{1,10}-[a-z-]{1,30})$/,
  overflow: /^(?:visible|hidden|clip|scroll|auto|overlay)$/,
};

const systemFonts = new Set(["caption", "icon", "menu", "message-box", "small-caption", "status-bar"]);

const colorProperties = new Set(["color", "background-color", "-webkit-text-fill-color"]);

function mayBeColor(value: string): boolean {
  return readColor(value) !== null || quirkColor(value) !== null || value === "currentcolor" || value.includes("(");
}

/** Cells of tables grow with their words, whatever their size, and fill their columns; others are cut. */
type Box = "cell" | "wide cell" | "other";

/**
 * Whether styles hide an element with everything inside it; null if only a browser can tell. What one common mail
 * program shows counts as seen, although others do not show it: `mso-hide` hides from Outlook for Windows alone, whose
 * copy of the words is in a comment.
 */
export function hidesBox(said: Declarations, name = "", attributes: Attributes = {}): boolean | null {
  if (said.size === 0) return false;
  const known = hiding.get(said) ?? new Map<Box, boolean | null>();
  hiding.set(said, known);
  const box = boxOf(said, name, attributes);
  const found = known.get(box) ?? hides(said, box);
  // An animation may show again what it finds hidden.
  const isShownAgain = found === true && isAnimated(said) && said.get("display") !== "none";
  known.set(box, isShownAgain ? null : found);
  return isShownAgain ? null : found;
}

function isAnimated(said: Declarations): boolean {
  return animations.some((name) => !/^(?:|none|initial|unset)$/.test(said.get(name) ?? ""));
}

type Attributes = Readonly<Record<string, string>>;

/** Elements of one message share their declarations. */
const hiding = new WeakMap<Declarations, Map<Box, boolean | null>>();

function boxOf(said: Declarations, name: string, { width = "" }: Attributes): Box {
  const display = said.get("display");
  if (display === undefined ? name !== "td" && name !== "th" : display !== "table-cell") return "other";
  const own = said.get("width") ?? width;
  return own.endsWith("%") || pixels(own) > 1 ? "wide cell" : "cell";
}

function hides(said: Declarations, box: Box): boolean | null {
  const value = (name: string) => said.get(name) ?? "";
  const some = (names: readonly string[], test: (value: string) => boolean) =>
    names.some((name) => said.has(name) && test(value(name)));
  if (value("display") === "none") return true;
  if (value("content-visibility") === "hidden") return true;
  if (some(["opacity"], (one) => fraction(one) <= OPACITY_MAX)) return true;
  if (some(["zoom"], (one) => fraction(one) <= ZOOM_MAX && fraction(one) > 0)) return true;
  if (/(?:^| )opacity\(/.test(value("filter")) && fraction(argument(value("filter"), "opacity")) <= OPACITY_MAX)
    return true;
  if (some(["scale"], (one) => words(one).some((part) => Math.abs(fraction(part)) <= OPACITY_MAX))) return true;

  const isClipped =
    some(["overflow", ...overflows], (one) => /hidden|clip/.test(one)) || /paint|strict|content/.test(value("contain"));
  const isSmall = (one: string) => pixels(one) <= 1;
  if (isClipped && box === "other" && some(sizes, isSmall)) return true;
  if (/^(?:inset\(\s*(?:50|100)%|circle\(\s*0)/.test(value("clip-path"))) return true;
  // `clip` is for these alone, and `sticky` moves nothing off the page.
  const isFree = /absolute|fixed/.test(value("position"));
  if (isFree && isClippedAway(value("clip"))) return true;
  const isMoved = isFree || value("position") === "relative";
  if (isMoved && some(["inset", ...insets], (one) => words(one).some(isOffPage))) return true;
  if (some(["margin", ...margins], (one) => words(one).some(isOffPage))) return true;
  if (Math.abs(pixels(value("text-indent"))) >= OFF_PAGE_PIXELS) return true;
  if (some(moves, (one) => one.split(/[\s,()]/).some(isOffPage))) return true;
  if (/scale(?:3d|x|y)?\( ?0?\.?0{0,9} ?[,)]/.test(value("transform"))) return true;

  if (some(["display", "visibility", "opacity", "position", "zoom", "scale"], isComputed)) return null;
  if (isComputed(value("content-visibility"))) return null;
  if (some(["margin", ...margins, ...moves, "text-indent", "letter-spacing"], isComputed)) return null;
  if (isMoved && some(["inset", ...insets], isComputed)) return null;
  if (isFree && isComputed(value("clip"))) return null;
  if (isClipped && some(heights, isComputed)) return null;
  if (isClipped && box === "cell" && some(sizes, isSmall)) return null;
  if (isClipped && box === "wide cell" && some(heights, isSmall)) return null;
  if (some(masks, (one) => one !== "none")) return null;
  if (some(grids, (one) => /(?:^|[\s(,/])0(?:fr|px|%)?(?=$|[\s),/])/.test(one))) return null;
  if (/blur\(/.test(value("filter")) || / [xyz] |[xy] /.test(`${value("rotate")} `)) return null;
  const shape = value("clip-path");
  if (shape !== "" && shape !== "none" && !/^url\(/.test(shape)) return null;
  return /matrix|rotate(?:3d|x|y)\(|perspective/.test(value("transform")) ? null : false;
}

/** Whether nothing is left between the edges of a `rect()` (CSS Masking 8). */
function isClippedAway(clip: string): boolean {
  const [, written = ""] = /^rect\(([^()]*)\)$/.exec(clip) ?? [];
  const [top = "", right = "", bottom = "", left = "", ...others] = words(written.trim());
  if (left === "" || others.length > 0) return false;
  const begin = (value: string) => (value === "auto" ? 0 : Math.max(pixels(value), 0));
  const end = (value: string) => (value === "auto" ? BEYOND_PAGE_PIXELS : pixels(value));
  return end(bottom) - begin(top) <= 1 || end(right) - begin(left) <= 1;
}

function isOffPage(value: string): boolean {
  const amount = pixels(value);
  return amount <= -OFF_PAGE_PIXELS || amount >= BEYOND_PAGE_PIXELS;
}

function words(value: string): string[] {
  return value.split(/[\s,]+/);
}

function argument(value: string, name: string): string {
  const start = value.indexOf(`${name}(`) + name.length + 1;
  return value.slice(start, value.indexOf(")", start));
}
