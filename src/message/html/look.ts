import { backgroundOf } from "./backgrounds.ts";
import { attributeColor, type Color, quirkColor, type Rgb, readColor } from "./colors.ts";
import type { Declarations } from "./css.ts";
import { cssWide, lengthIn, sizesOfFont } from "./css-values.ts";
import { OPACITY_MAX } from "./hidden-style.ts";

/** How text looks, by the styles of its element and of those around it. A colour is null if it is unknown. */
export interface Look {
  color: Rgb | null;
  /** Of letters, if that is another one (`-webkit-text-fill-color`). */
  fill: { rgb: Rgb | null; isTransparent: boolean } | null;
  /** The width, in pixels, and the colour of the line around letters; that of the letters themselves is null. */
  stroke: { width: number; color: Color | null };
  /** Of links that have no colour of their own. */
  link: Rgb;
  background: Rgb | null;
  /** What letters are cut out of (`background-clip: text`); transparent ones show it. */
  cutFrom: { rgb: Rgb | null } | null;
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
  stroke: { width: 0, color: null },
  link: [0, 0, 238],
  background: [255, 255, 255],
  cutFrom: null,
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
/** Lines around letters that are thinner than this, in pixels, do not show them. */
const STROKE_MIN = 0.5;
/** Backgrounds this thin, as a part of the size of letters, are lines under them or beside them. */
const RULE_MAX = 0.25;
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

  const ground = groundOf(look, said, attributes, name);
  if (ground) {
    if (ground.isCut) look.cutFrom = ground;
    else [look.background, look.cutFrom] = [ground.rgb, null];
    if (ground.isUnsure || (ground.rgb && !ground.isCut)) settle("background", ground.isUnsure);
  }

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
    look.fill = found && { rgb: over(look.background, found), isTransparent: found.alpha <= OPACITY_MAX };
    if (!found && fill !== "currentcolor") settle("color", true);
  }
  look.stroke = strokeOf(look, said);
  if (smaller.has(name)) unsure.delete("lines");
  look.unsure = unsure;
  look.isHidden = isUnseen(look);
  return look;
}

/** Whether a reader cannot see text that looks so. */
export function isUnseen(look: Look): boolean {
  if (isTiny(look) || look.isInvisible || look.isOverlaid) return true;
  const { color, fill, background, cutFrom, stroke } = look;
  const isOutlined = stroke.width >= STROKE_MIN && stroke.color !== null;
  if (isOutlined && !isAlike(over(background, stroke.color as Color), background)) return false;
  const isTransparent = fill ? fill.isTransparent : look.isTransparent;
  if (isTransparent) return cutFrom === null || isAlike(cutFrom.rgb, background);
  return isAlike(fill ? fill.rgb : color, background);
}

export function isTiny({ size }: Look): boolean {
  return size <= FONT_SIZE_MAX;
}

/** Whether only a browser can tell if a reader sees text that looks so. */
export function isUnsure({ unsure, unsureBoxes }: Look): boolean {
  return unsureBoxes || unsure.size > 0;
}

/** What an element paints over the background of a look: one colour, or null for several; null if it paints nothing. */
function groundOf(look: Look, said: Declarations, attributes: Readonly<Record<string, string>>, name: string) {
  const { base, picture, isCut } = backgroundOf(said);
  const isSaid = said.has("background") || said.has("background-color");
  const bgcolor = !isSaid && boxes.has(name) ? attributeColor(attributes.bgcolor ?? "") : null;
  const text = () => readColor(said.get("color") ?? "")?.rgb ?? look.color;
  let ground: { rgb: Rgb | null; isUnsure: boolean; isCut: boolean } | null = null;
  if (bgcolor) ground = { rgb: bgcolor, isUnsure: false, isCut };
  for (const { colors, thickness, isUnsure } of [base, picture].filter((paint) => paint !== null)) {
    // A line under a link leaves the letters as they are.
    if (thickness <= RULE_MAX * look.size) continue;
    const behind = ground ? ground.rgb : look.background;
    const painted = colors?.map((one) => (one === "currentcolor" ? text() : over(behind, one))) ?? [null];
    const [first = null, ...others] = painted;
    const isOne = others.every((one) => isAlike(one, first));
    // Letters may be cut from that part of it which looks like what is behind them.
    const mayVanish = isCut && (colors === null || (!isOne && painted.some((one) => isAlike(one, look.background))));
    ground = { rgb: isOne ? first : null, isUnsure: isUnsure || mayVanish || (ground?.isUnsure ?? false), isCut };
  }
  if (!picture && "background" in attributes)
    return { rgb: null, isUnsure: isCut || (ground?.isUnsure ?? false), isCut };
  return ground;
}

/** The line around letters. */
function strokeOf({ stroke, size }: Look, said: Declarations): Look["stroke"] {
  const found = strokes.get(said) ?? readStroke(said);
  strokes.set(said, found);
  const { width = "", color = stroke.color } = found;
  return { width: width === "" ? stroke.width : (strokeWidths.get(width) ?? lengthIn(width, size)), color };
}

/** Elements of one message share their declarations. */
const strokes = new WeakMap<Declarations, { width?: string; color?: Color | null }>();

/** Colour and width as far as they are set; a colour that is unknown, or that of the letters, is null. */
function readStroke(said: Declarations): { width?: string; color?: Color | null } {
  let [width, color]: [string | undefined, Color | null | undefined] = [undefined, undefined];
  for (const [property, value] of said) {
    if (!property.startsWith("-webkit-text-stroke") || value === "inherit") continue;
    const parts = value.match(/[^\s()]+(?:\([^()]*\))?/g) ?? [];
    if (!property.endsWith("-color"))
      width = parts.find((part) => strokeWidths.has(part) || /^[\d.]/.test(part)) ?? "0";
    if (!property.endsWith("-width")) color = parts.flatMap((part) => readColor(part) ?? [])[0] ?? null;
  }
  return { ...(width !== undefined && { width }), ...(color !== undefined && { color }) };
}

const strokeWidths = new Map([
  ["thin", 1],
  ["medium", 3],
  ["thick", 5],
]);

/** Sets the colour of the text. */
function write(look: Look, value: string, outer: Look, settle: (isUnsure: boolean) => void): void {
  if (/^(?:inherit|currentcolor|unset|revert|revert-layer)$/.test(value)) return;
  const found = value === "initial" ? readColor("black") : (readColor(value) ?? quirkColor(value));
  if (found) {
    look.color = over(look.background, found);
    look.isTransparent = found.alpha <= OPACITY_MAX;
    settle(false);
  } else if (value.includes("(")) {
    look.color = null;
    look.isTransparent = false;
    settle(true);
  } else look.color = outer.color;
}

/** A colour over what is behind it; null if it lets something unknown through. */
function over(behind: Rgb | null, { rgb, alpha }: Color): Rgb | null {
  if (alpha >= 1) return rgb;
  if (!behind) return null;
  const channel = (i: 0 | 1 | 2) => rgb[i] * alpha + behind[i] * (1 - alpha);
  return [channel(0), channel(1), channel(2)];
}

/** Whether a reader cannot tell two colours apart; false if one is unknown. */
function isAlike(one: Rgb | null, other: Rgb | null): boolean {
  if (one === null || other === null) return false;
  return one.every((channel, i) => Math.abs(channel - (other[i] as number)) < CONTRAST_MIN);
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
