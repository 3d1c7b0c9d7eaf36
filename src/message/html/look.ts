import { attributeColor, quirkColor, type Rgb, readColor } from "./colors.ts";
import type { Declarations } from "./css.ts";
import { cssWide, lengthIn, sizesOfFont } from "./css-values.ts";
import { OPACITY_MAX } from "./hidden-style.ts";

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
/** Letters that are closer, as a part of their size, are drawn over each other. */
const SPACING_MIN = -0.3;
/** Lines that are lower, as a part of the size of letters, are drawn over each other. */
const LINE_HEIGHT_MAX = 0.2;

/** Elements whose attributes set colours. */
const fonts = new Set(["font", "basefont"]);
const boxes = new Set(["body", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "col", "colgroup", "marquee"]);
/** Elements with smaller letters than those around them. */
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
  if (value === "none" || value === "transparent" || cssWide.test(value)) return;
  if (/url\(|gradient|image/.test(value)) {
    look.background = gradientColor(value);
    return;
  }
  for (const [part] of value.matchAll(/#?[\da-z-]+(?:\([^()]*\))?/g)) {
    if (part === "currentcolor") look.background = look.color;
    const found = readColor(part) ?? quirkColor(part);
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
  const found = value === "initial" ? readColor("black") : (readColor(value) ?? quirkColor(value));
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
  if (cssWide.test(value) && value !== "initial") return outer;
  return sizeKeywords[value] ?? lengthIn(value, outer);
}

function lineHeight(value: string, size: number): number {
  return /^[\d.]+$/.test(value) ? Number(value) * size : lengthIn(value, size);
}
