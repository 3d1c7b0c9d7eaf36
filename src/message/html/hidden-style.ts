import { attributeColor, type Rgb, readColor } from "./colors.ts";
import { type CssOptions, type CssRule, type Declarations, readCss } from "./css.ts";

/** How text looks, by the styles of its element and of those around it. A colour is null if it is unknown. */
export interface Look {
  color: Rgb | null;
  /** Of letters, if that is another one (`-webkit-text-fill-color`). */
  fill: Rgb | null;
  /** Of links that have no colour of their own. */
  link: Rgb;
  background: Rgb | null;
  /** In pixels. */
  size: number;
  isInvisible: boolean;
  isTransparent: boolean;
  /** Whether letters are drawn over each other. */
  isOverlaid: boolean;
  /** Whether a reader cannot see it. */
  isHidden: boolean;
  /** Values of which only a browser can tell whether they hide it: those of its boxes, and its own. */
  unsureBoxes: boolean;
  unsure: ReadonlySet<"color" | "background" | "size" | "lines">;
}

/** Black on white. */
export const plainLook: Look = {
  color: [0, 0, 0],
  fill: null,
  link: [0, 0, 238],
  background: [255, 255, 255],
  size: 16,
  isInvisible: false,
  isTransparent: false,
  isOverlaid: false,
  isHidden: false,
  unsureBoxes: false,
  unsure: new Set(),
};

/** Colours that differ by less in each channel cannot be told apart. */
const CONTRAST_MIN = 16;
/** Letters up to this size, in pixels, are unreadable. */
const FONT_SIZE_MAX = 4;
/** An element this many pixels off the page is there only to be hidden: beyond its beginning, or beyond its end. */
const OFF_PAGE_PIXELS = 500;
const BEYOND_PAGE_PIXELS = 3_000;
const OPACITY_MAX = 0.05;
/** Zero is no zoom at all. */
const ZOOM_MAX = 0.1;
/** Letters that are closer, as a part of their size, are drawn over each other. */
const SPACING_MIN = -0.3;
/** Lines that are lower, as a part of the size of letters, are drawn over each other. */
const LINE_HEIGHT_MAX = 0.2;

const sides = ["left", "right", "top", "bottom"];
const logicalSides = ["inline-start", "inline-end", "block-start", "block-end"];
const insets = [...sides, ...logicalSides.map((side) => `inset-${side}`)];
const margins = [...sides, ...logicalSides].map((side) => `margin-${side}`);
const sizes = ["height", "width", "block-size", "inline-size"].flatMap((one) => [one, `max-${one}`]);
const overflows = ["overflow-x", "overflow-y", "overflow-block", "overflow-inline"];
const masks = ["mask", "mask-image", "-webkit-mask", "-webkit-mask-image", "offset", "offset-path"];
const grids = ["grid-template", "grid-template-columns", "grid-template-rows"];
const moves = ["transform", "translate"];

/** Reads the properties that hide words, or decide where they are. */
export const hidingStyles: CssOptions = {
  wanted: new Set([
    ...(
      "background background-color background-image clip clip-path color contain content-visibility display filter " +
      "flex-direction flex-flow font font-size inset letter-spacing line-height list-style list-style-type margin " +
      "mso-hide opacity overflow position rotate scale text-indent visibility -webkit-text-fill-color white-space zoom"
    ).split(" "),
    ...[...insets, ...margins, ...sizes, ...overflows, ...masks, ...grids, ...moves],
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
  background: ["background-color", "background-image"],
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
  if (wide.test(value) || isComputed(value)) return true;
  if (colorProperties.has(property)) return mayBeColor(value);
  if (property === "font") return systemFonts.has(value) || sizesOfFont(value) !== null;
  const one = wordsOf[property];
  if (one) return value.split(" ").every((word) => one.test(word));
  return validValues[property]?.test(value) ?? true;
}

/** Values of any property. */
const wide = /^(?:inherit|initial|unset|revert|revert-layer)$/;

/** Whether only a browser can tell the value. */
function isComputed(value: string): boolean {
  return /(?:^|[^a-z])(?:var|env|attr|calc|min|max|clamp|round|mod|rem|abs|sign|if|toggle|random)\(/.test(value);
}

const length = String.raw`[-+]?(?:\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})(?:e[-+]?\d{1,3})?(?:[a-z]{1,5}|%)?`;

/** Values of properties that end the search for hidden words if an invalid one is taken for the last word. */
const validValues: Record<string, RegExp> = {
  visibility: /^(?:visible|hidden|collapse)$/,
  opacity: new RegExp(`^${length}$`),
  "font-size": new RegExp(`^(?:${length}|(?:x{1,3}-)?(?:small|large)|medium|smaller|larger|math)$`),
  position: /^(?:static|relative|absolute|fixed|sticky|-webkit-sticky)$/,
  "mso-hide": /^(?:all|none|screen)$/,
  "content-visibility": /^(?:visible|hidden|auto)$/,
};

/** Properties with several words. */
const wordsOf: Record<string, RegExp> = {
  display:
    /^(?:none|contents|block|inline|flow|flow-root|table|flex|grid|ruby|math|list-item|run-in|inline-(?:block|table|flex|grid)|(?:table|ruby)-[a-z]{1,20}(?:-group)?|-[a-z]{1,10}-[a-z-]{1,30})$/,
  overflow: /^(?:visible|hidden|clip|scroll|auto|overlay)$/,
};

const systemFonts = new Set(["caption", "icon", "menu", "message-box", "small-caption", "status-bar"]);

/** The size, and perhaps the line height, of a `font`; null without a size. */
function sizesOfFont(value: string): string[] | null {
  // A number without a unit is the weight, unless it is zero.
  const isSize =
    /^(?:[-+]?[0.]+|[\d.]{1,30}(?:e[-+]?\d{1,3})?(?:[a-z]{1,5}|%)|(?:x{1,3}-)?(?:small|large)|medium|smaller|larger)$/;
  for (const part of value.replace(/ ?\/ ?/g, "/").split(" ")) {
    const [size = "", line = ""] = part.split("/");
    if (isSize.test(size) || isComputed(size)) return [size, line];
  }
  return null;
}

const colorProperties = new Set(["color", "background-color", "-webkit-text-fill-color"]);

function mayBeColor(value: string): boolean {
  return readColor(value) !== null || hashless(value) !== null || value === "currentcolor" || value.includes("(");
}

/** Whether styles hide an element with everything inside it; null if only a browser can tell. */
export function hidesBox(said: Declarations): boolean | null {
  if (said.size === 0) return false;
  const known = hiding.get(said);
  if (known !== undefined) return known;
  const found = hides(said);
  hiding.set(said, found);
  return found;
}

/** Elements of one message share their declarations. */
const hiding = new WeakMap<Declarations, boolean | null>();

function hides(said: Declarations): boolean | null {
  const value = (name: string) => said.get(name) ?? "";
  const some = (names: readonly string[], test: (value: string) => boolean) =>
    names.some((name) => said.has(name) && test(value(name)));
  if (value("display") === "none" || value("mso-hide") === "all") return true;
  if (value("content-visibility") === "hidden") return true;
  if (some(["opacity"], (one) => fraction(one) <= OPACITY_MAX)) return true;
  if (some(["zoom"], (one) => fraction(one) <= ZOOM_MAX && fraction(one) > 0)) return true;
  if (/(?:^| )opacity\(/.test(value("filter")) && fraction(argument(value("filter"), "opacity")) <= OPACITY_MAX)
    return true;
  if (some(["scale"], (one) => words(one).some((part) => Math.abs(fraction(part)) <= OPACITY_MAX))) return true;

  const isClipped =
    some(["overflow", ...overflows], (one) => /hidden|clip/.test(one)) || /paint|strict|content/.test(value("contain"));
  if (isClipped && some(sizes, (one) => pixels(one) <= 1)) return true;
  if (/^rect\(\s*(?:0|1px)\b/.test(value("clip"))) return true;
  if (/^(?:inset\(\s*(?:50|100)%|circle\(\s*0)/.test(value("clip-path"))) return true;
  const isMoved = /absolute|fixed|relative|sticky/.test(value("position"));
  if (isMoved && some(["inset", ...insets], (one) => words(one).some(isOffPage))) return true;
  if (some(["margin", ...margins], (one) => words(one).some(isOffPage))) return true;
  if (Math.abs(pixels(value("text-indent"))) >= OFF_PAGE_PIXELS) return true;
  if (some(moves, (one) => one.split(/[\s,()]/).some(isOffPage))) return true;
  if (/scale(?:3d|x|y)?\( ?0?\.?0{0,9} ?[,)]/.test(value("transform"))) return true;

  if (some(["display", "visibility", "opacity", "zoom", "scale", "mso-hide", "content-visibility"], isComputed))
    return null;
  if (some(["margin", ...margins, ...moves, "text-indent", "letter-spacing"], isComputed)) return null;
  if (isMoved && some(["inset", ...insets], isComputed)) return null;
  if (isClipped && some(["height", "max-height", "block-size", "max-block-size"], isComputed)) return null;
  if (some(masks, (one) => one !== "none")) return null;
  if (some(grids, (one) => /(?:^|[\s(,/])0(?:fr|px|%)?(?=$|[\s),/])/.test(one))) return null;
  if (/blur\(/.test(value("filter")) || / [xyz] |[xy] /.test(`${value("rotate")} `)) return null;
  const shape = value("clip-path");
  if (shape !== "" && shape !== "none" && !/^url\(/.test(shape)) return null;
  return /matrix|rotate(?:3d|x|y)\(|perspective/.test(value("transform")) ? null : false;
}

function isOffPage(value: string): boolean {
  const amount = pixels(value);
  return amount <= -OFF_PAGE_PIXELS || amount >= BEYOND_PAGE_PIXELS;
}

/** Elements whose attributes set colours. */
const fonts = new Set(["font", "basefont"]);
const boxes = new Set(["body", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "col", "colgroup", "marquee"]);
/** Elements with smaller letters than those around them, and with larger ones. */
const smaller = new Set(["small", "sub", "sup"]);
/** Steps of `<font size>`, and of the keywords of CSS, in pixels. */
const fontSizes = [10, 10, 13, 16, 18, 24, 32, 48];
const sizeKeywords: Record<string, number> = {
  "xx-small": 9,
  "x-small": 10,
  small: 13,
  medium: 16,
  large: 18,
  "x-large": 24,
  "xx-large": 32,
  "xxx-large": 48,
  initial: 16,
};

/** Computes how the text inside an element looks if its surroundings look like `outer`. */
export function inheritedLook(
  outer: Look,
  said: Declarations,
  attributes: Readonly<Record<string, string>>,
  name: string,
): Look {
  const value = (property: string) => said.get(property) ?? "";
  const look = { ...outer };
  const unsure = new Set(outer.unsure);
  const settle = (what: "color" | "background" | "size" | "lines", isUnsure: boolean) => {
    if (isUnsure) unsure.add(what);
    else unsure.delete(what);
  };

  const [fontSize = "", fontLine = ""] = said.has("font") ? (sizesOfFont(value("font")) ?? ["initial"]) : [];
  const size = value("font-size") || fontSize;
  const read = size === "" ? sizeOfElement(name, attributes, outer.size) : sizeIn(size, outer.size);
  if (read !== undefined) {
    if (!Number.isNaN(read)) look.size = read;
    settle("size", Number.isNaN(read));
  }
  const line = value("line-height") || fontLine;
  if (line !== "" && line !== "inherit") settle("lines", lineHeight(line, look.size) <= LINE_HEIGHT_MAX * look.size);
  const spacing = value("letter-spacing");
  if (spacing !== "" && spacing !== "inherit")
    look.isOverlaid = lengthIn(spacing, look.size) <= Math.min(SPACING_MIN * look.size, -2);
  if (said.has("visibility") && value("visibility") !== "inherit")
    look.isInvisible = /hidden|collapse/.test(value("visibility"));

  const background = value("background-color") || value("background");
  const own = background === "" && boxes.has(name) ? attributeColor(attributes.bgcolor ?? "") : null;
  if (own) look.background = own;
  if (own || background !== "") settle("background", false);
  if (background !== "") paint(look, background, (isUnsure) => settle("background", isUnsure));
  const picture = value("background-image");
  if (picture !== "" && picture !== "none") look.background = gradientColor(picture);
  else if ("background" in attributes) look.background = null;

  if (name === "body" && attributes.link !== undefined) look.link = attributeColor(attributes.link) ?? look.link;
  const color = value("color");
  const colored = fonts.has(name) ? attributes.color : name === "body" ? attributes.text : undefined;
  if (color !== "") write(look, color, outer, (isUnsure) => settle("color", isUnsure));
  else if (colored !== undefined) {
    const attribute = attributeColor(colored);
    if (attribute) [look.color, look.isTransparent] = [attribute, false];
  } else if (name === "a" && "href" in attributes) [look.color, look.isTransparent] = [look.link, false];
  const fill = value("-webkit-text-fill-color");
  if (fill !== "" && fill !== "inherit") {
    const found = readColor(fill);
    look.fill = found?.rgb ?? null;
    if (found && found.alpha <= OPACITY_MAX) look.isTransparent = true;
    if (!found && fill !== "currentcolor") settle("color", true);
  }
  if (smaller.has(name)) unsure.delete("lines");
  look.unsure = unsure;
  look.isHidden = isTiny(look) || look.isInvisible || look.isTransparent || look.isOverlaid || isAlike(look);
  return look;
}

export function isTiny({ size }: Look): boolean {
  return size <= FONT_SIZE_MAX;
}

/** Whether only a browser can tell if a reader sees text that looks so. */
export function isUnsure({ unsure, unsureBoxes }: Look): boolean {
  return unsureBoxes || unsure.size > 0;
}

/** The one colour of a gradient; null if it has several, or is a picture. */
function gradientColor(value: string): Rgb | null {
  const [, stops] = /^(?:repeating-)?(?:linear|radial|conic)-gradient\((.*)\)$/.exec(value) ?? [];
  const colors = [...(stops ?? "").matchAll(/#?[\da-z-]+(?:\([^()]*\))?/g)].flatMap(([part]) => readColor(part) ?? []);
  const [first, ...others] = colors;
  if (!first || first.alpha < 1 || others.some(({ rgb, alpha }) => alpha < 1 || `${rgb}` !== `${first.rgb}`))
    return null;
  return first.rgb;
}

/** Sets the colour behind the text. One that is partly transparent mixes with what is behind it. */
function paint(look: Look, value: string, settle: (isUnsure: boolean) => void): void {
  if (value === "none" || value === "transparent" || wide.test(value)) return;
  if (/url\(|gradient|image/.test(value)) {
    look.background = gradientColor(value);
    return;
  }
  for (const [part] of value.matchAll(/#?[\da-z-]+(?:\([^()]*\))?/g)) {
    if (part === "currentcolor") look.background = look.color;
    const found = readColor(part) ?? hashless(part);
    if (found) look.background = mixed(found.rgb, found.alpha, look.background);
    if (found || part === "currentcolor") return;
  }
  if (!value.includes("(")) return;
  look.background = null;
  settle(true);
}

/** Sets the colour of the text. */
function write(look: Look, value: string, outer: Look, settle: (isUnsure: boolean) => void): void {
  if (/^(?:inherit|currentcolor|unset|revert|revert-layer)$/.test(value)) return;
  const found = value === "initial" ? readColor("black") : (readColor(value) ?? hashless(value));
  if (found) {
    look.color = mixed(found.rgb, found.alpha, look.background);
    look.isTransparent = found.alpha <= OPACITY_MAX;
    settle(false);
  } else if (value.includes("(")) {
    look.color = null;
    look.isTransparent = false;
    settle(true);
  } else look.color = outer.color;
}

/** A colour without its `#`, which browsers read in pages without a doctype (Quirks Mode 3.1). */
function hashless(value: string) {
  return /^(?:[\da-f]{3}|[\da-f]{6})$/.test(value) ? readColor(`#${value}`) : null;
}

function mixed(rgb: Rgb, alpha: number, behind: Rgb | null): Rgb | null {
  if (alpha >= 1) return rgb;
  if (!behind) return null;
  const channel = (i: 0 | 1 | 2) => rgb[i] * alpha + behind[i] * (1 - alpha);
  return [channel(0), channel(1), channel(2)];
}

function isAlike({ color, fill, background }: Look): boolean {
  const shown = fill ?? color;
  return (
    shown !== null &&
    background !== null &&
    shown.every((channel, i) => Math.abs(channel - (background[i] as number)) < CONTRAST_MIN)
  );
}

/** The size of letters that an element without styles has; undefined for that of those around it. */
function sizeOfElement(name: string, attributes: Readonly<Record<string, string>>, outer: number): number | undefined {
  if (smaller.has(name)) return outer / 1.2;
  if (name === "big") return outer * 1.2;
  const [, sign, digits] = /^\s*([-+]?)(\d{1,3})/.exec((fonts.has(name) && attributes.size) || "") ?? [];
  if (digits === undefined) return undefined;
  const step = sign === "" ? Number(digits) : 3 + Number(`${sign}${digits}`);
  return fontSizes[Math.min(Math.max(step, 1), 7)];
}

/** A size of letters in pixels; NaN if only a browser can tell. */
function sizeIn(value: string, outer: number): number {
  if (value === "smaller") return outer / 1.2;
  if (value === "larger") return outer * 1.2;
  if (wide.test(value) && value !== "initial") return outer;
  return sizeKeywords[value] ?? lengthIn(value, outer);
}

function lineHeight(value: string, size: number): number {
  return /^[\d.]+$/.test(value) ? Number(value) * size : lengthIn(value, size);
}

/** A length in pixels, where letters have `size` pixels; NaN if it is none. */
function lengthIn(value: string, size: number): number {
  const [, amount, unit = ""] =
    /^([-+]?(?:\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})(?:e[-+]?\d{1,3})?)([a-z]{1,5}|%)?$/.exec(value) ?? [];
  if (amount === undefined) return Number.NaN;
  const parts: Record<string, number> = { em: 1, "%": 0.01, ex: 0.5, ch: 0.5, ic: 1, cap: 0.7, lh: 1.2 };
  const part = parts[unit];
  return Number(amount) * (part === undefined ? (units[unit] ?? Number.NaN) : part * size);
}

/** In pixels; the units of the screen on a small one. */
const units: Record<string, number> = {
  ...{ "": 1, px: 1, pt: 4 / 3, pc: 16, in: 96, cm: 37.8, mm: 3.78, q: 0.945, rem: 16, rlh: 19 },
  ...{ vw: 3.2, vh: 5, vmin: 3.2, vmax: 5, vi: 3.2, vb: 5, svw: 3.2, lvw: 3.2, dvw: 3.2, svh: 5, lvh: 5, dvh: 5 },
};

/** A length in pixels, roughly; NaN if it depends on the surroundings, as a part of them does. */
function pixels(value: string): number {
  return value.endsWith("%") && !/^[-+]?[0.]+%$/.test(value) ? Number.NaN : lengthIn(value, 16);
}

function words(value: string): string[] {
  return value.split(/[\s,]+/);
}

/** A number or a percentage as a part of one; NaN if it is neither. */
function fraction(value: string): number {
  const [, amount, percent] =
    /^([-+]?(?:\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})(?:e[-+]?\d{1,3})?)(%?)$/.exec(value.trim()) ?? [];
  return amount === undefined ? Number.NaN : Number(amount) / (percent === "" ? 1 : 100);
}

function argument(value: string, name: string): string {
  const start = value.indexOf(`${name}(`) + name.length + 1;
  return value.slice(start, value.indexOf(")", start));
}
