import { type Declarations, readCss, unescaped } from "./css.ts";

/** How text looks, by the styles of its element and of those around it. A colour is null if it is unknown. */
export interface Look {
  color: Rgb | null;
  background: Rgb | null;
  /** Too small to be read. */
  isTiny: boolean;
  isInvisible: boolean;
  /** Whether a reader cannot see it. */
  isHidden: boolean;
}

type Rgb = readonly [red: number, green: number, blue: number];

/** Black on white. */
export const plainLook: Look = {
  color: [0, 0, 0],
  background: [255, 255, 255],
  isTiny: false,
  isInvisible: false,
  isHidden: false,
};

/** Colours that differ by less in each channel cannot be told apart. */
const CONTRAST_MIN = 16;
/** Letters up to this size, in pixels or points, are unreadable. */
const FONT_SIZE_MAX = 1;
/** An element this many pixels off the page is there only to be hidden. */
const OFF_PAGE_PIXELS = 500;
const OPACITY_MAX = 0.05;

/** The properties that hide words, or decide where they stand. */
const wanted: ReadonlySet<string> = new Set(
  (
    "background background-color background-image bottom clip clip-path color display flex-direction flex-flow font " +
    "font-size height left list-style list-style-type max-height max-width mso-hide opacity overflow overflow-x " +
    "overflow-y position right text-indent top transform visibility white-space width"
  ).split(" "),
);

/** Reads the declarations of a style attribute; null if it is too long to be read whole. */
export function declarations(styles: string): Declarations | null {
  const { rules, isWhole } = readCss(styles, { isAttribute: true, wanted });
  return isWhole ? (rules[0]?.declarations ?? new Map()) : null;
}

/** Whether styles hide an element with everything inside it. */
export function hidesBox(said: Declarations): boolean {
  const value = (name: string) => said.get(name) ?? "";
  if (value("display") === "none" || value("mso-hide") === "all") return true;
  if (said.has("opacity") && number(value("opacity")) <= OPACITY_MAX) return true;
  const noSize = ["height", "max-height", "width", "max-width"].some(
    (name) => said.has(name) && pixels(value(name)) <= 1,
  );
  const overflow = ["overflow", "overflow-x", "overflow-y"].map(value);
  if (noSize && overflow.some((one) => /hidden|clip/.test(one))) return true;
  if (/^rect\(\s*(?:0|1px)\b/.test(value("clip")) || /^inset\(\s*(?:50|100)%/.test(value("clip-path"))) return true;
  const isMoved = /absolute|fixed/.test(value("position"));
  if (isMoved && ["left", "right", "top", "bottom"].some((name) => pixels(value(name)) <= -OFF_PAGE_PIXELS))
    return true;
  return Math.abs(pixels(value("text-indent"))) >= OFF_PAGE_PIXELS || /scale\(\s*0\s*[,)]/.test(value("transform"));
}

/** Computes how the text inside an element looks if its surroundings look like `outer`. */
export function inheritedLook(outer: Look, said: Declarations, attributes: Readonly<Record<string, string>>): Look {
  const value = (name: string) => said.get(name) ?? "";
  const look = { ...outer };
  const [, shorthand = ""] = /(?:^| )([\d.]+[a-z%]{0,3})[ /]/.exec(value("font")) ?? [];
  const size = value("font-size") || shorthand;
  if (size !== "") look.isTiny = isTiny(size, outer.isTiny);
  if (said.has("visibility")) look.isInvisible = /hidden|collapse/.test(value("visibility"));
  const color = value("color") || (attributes.color ?? attributes.text ?? "");
  if (color !== "" && color !== "inherit") look.color = readColor(color) ?? null;
  const background = value("background-color") || value("background") || (attributes.bgcolor ?? "");
  if (background !== "" && !/^(?:inherit|none|transparent|initial)$/.test(background))
    look.background = readColor(background) ?? null;
  if (value("background-image") !== "" || "background" in attributes) look.background = null;
  look.isHidden = look.isTiny || look.isInvisible || isTransparent(color) || sameColor(look);
  return look;
}

function isTiny(size: string, outer: boolean): boolean {
  const [, amount = "", unit = ""] = /^(-?[\d.]+)(px|pt|em|rem|%|vw|vh)?$/.exec(size) ?? [];
  if (amount === "") return size === "inherit" ? outer : false;
  if (unit === "em" || unit === "rem") return Number(amount) <= 0.1;
  return Number(amount) <= (unit === "%" ? 10 : FONT_SIZE_MAX);
}

function sameColor({ color, background }: Look): boolean {
  return (
    color !== null &&
    background !== null &&
    color.every((channel, i) => Math.abs(channel - (background[i] as number)) < CONTRAST_MIN)
  );
}

/** The basic colours (CSS Color 4, 6.1) and a few that are nearly white. Others count as unknown. */
const colorNames: Record<string, Rgb> = {
  black: [0, 0, 0],
  silver: [192, 192, 192],
  gray: [128, 128, 128],
  grey: [128, 128, 128],
  white: [255, 255, 255],
  maroon: [128, 0, 0],
  red: [255, 0, 0],
  purple: [128, 0, 128],
  green: [0, 128, 0],
  lime: [0, 255, 0],
  olive: [128, 128, 0],
  yellow: [255, 255, 0],
  navy: [0, 0, 128],
  blue: [0, 0, 255],
  teal: [0, 128, 128],
  aqua: [0, 255, 255],
  snow: [255, 250, 250],
  ivory: [255, 255, 240],
  whitesmoke: [245, 245, 245],
};

function readColor(text: string): Rgb | undefined {
  const [hex] = /#[\da-f]{3,8}/i.exec(text) ?? [];
  if (hex && [4, 5, 7, 9].includes(hex.length)) {
    const digits =
      hex.length <= 5 ? [...hex.slice(1)].map((digit) => digit + digit) : (hex.slice(1).match(/../g) ?? []);
    return channels(digits.map((digit) => Number.parseInt(digit, 16)));
  }
  const { name, values } = colorFunction(text);
  if (name === "rgb") return channels(values.map((one) => number(one) * (one.endsWith("%") ? 2.55 : 1)));
  if (name === "hsl") return fromHsl(values.map(number));
  if (/url\(|gradient/.test(text)) return undefined;
  return text.split(/\s+/).flatMap((word) => (Object.hasOwn(colorNames, word) ? [colorNames[word] as Rgb] : []))[0];
}

/** The first colour function in a value, with its arguments. */
function colorFunction(text: string): { name: "rgb" | "hsl" | null; values: string[] } {
  const [, name, inside = ""] = /\b(rgb|hsl)a?\(([^()]*)\)/.exec(text) ?? [];
  return { name: (name as "rgb" | "hsl" | undefined) ?? null, values: inside.split(/[\s,/]/).filter(Boolean) };
}

/** Hue in degrees, saturation and lightness in percent (CSS Color 4, 7.1). */
function fromHsl([hue = Number.NaN, saturation = Number.NaN, lightness = Number.NaN]: number[]): Rgb | undefined {
  if (Number.isNaN(hue + saturation + lightness)) return undefined;
  const light = lightness / 100;
  const chroma = (saturation / 100) * Math.min(light, 1 - light);
  const channel = (offset: number) => {
    const k = (((offset + hue / 30) % 12) + 12) % 12;
    return Math.round(255 * (light - chroma * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  };
  return [channel(0), channel(8), channel(4)];
}

function channels([red, green, blue]: number[]): Rgb | undefined {
  return red === undefined || green === undefined || blue === undefined ? undefined : [red, green, blue];
}

function isTransparent(color: string): boolean {
  if (color === "transparent" || /^#(?:[\da-f]{3}0|[\da-f]{6}0[\da-f])$/.test(color)) return true;
  const { values } = colorFunction(color);
  return values.length >= 4 && number(values[3] as string) <= OPACITY_MAX;
}

/** The number at the beginning of a text; without one NaN, for which every comparison is false. */
function number(text: string): number {
  return Number.parseFloat(text);
}

/** A length in pixels, roughly; NaN if it depends on the surroundings. */
function pixels(text: string): number {
  const [, amount, unit] = /^(-?[\d.]+)(px|pt|em|rem|in|cm)?$/.exec(text) ?? [];
  if (amount === undefined) return Number.NaN;
  return Number(amount) * ({ px: 1, pt: 1.33, em: 16, rem: 16, in: 96, cm: 38 }[unit ?? "px"] ?? 1);
}

/** The rules of the style sheets of one message. */
export interface StyleSheet {
  /** The declarations for an element. Of two for one property, the later comes last. */
  rulesFor(name: string, attributes: Readonly<Record<string, string>>): Declarations[];
  /** False if part of the style sheets was not read. */
  isWhole: boolean;
}

/** Selectors of one message; newsletters have a few hundred. */
const SELECTORS_MAX = 20_000;

/** A name in a selector: escapes, and any characters but those that separate or match otherwise. */
const selectorName = String.raw`(?:[^\s\\.#:*>+~|,()[\]{}"'=]|\\[\s\S])+`;
/** An element, a class or an id, or an element with one of these. */
const simpleSelector = new RegExp(`^(?=.)[a-z\\d]*(?:[.#]${selectorName})?$`, "i");

/**
 * Reads the rules of a style sheet that have simple selectors. The others matter only because they may put a background
 * behind the element that their selector ends with; that background is then unknown. Rules for other media or widths
 * (`@media`) are skipped, because they hide text from some readers only.
 */
export function readStyleSheet(css: string): StyleSheet {
  const sheet = readCss(css, { wanted });
  /** The declarations of all rules together, by selector. */
  const rules = new Map<string, Map<string, string>>();
  let isWhole = sheet.isWhole;
  const add = (key: string, declared: Declarations) => {
    const known = rules.get(key) ?? new Map<string, string>();
    if (known.size === 0 && rules.size >= SELECTORS_MAX) isWhole = false;
    else rules.set(key, known);
    for (const [property, value] of declared) {
      // Deleted first, so that the later value comes last.
      known.delete(property);
      known.set(property, value);
    }
  };
  for (const { selector, declarations } of sheet.rules) {
    if (declarations.size === 0) continue;
    const hasBackground = [...declarations.keys()].some((property) => property.startsWith("background"));
    for (const one of selector.split(",")) {
      const key = one.trim();
      if (simpleSelector.test(key)) add(unescaped(key).toLowerCase(), declarations);
      else if (hasBackground) add(lastCompound(key), new Map([["background", "unknown"]]));
    }
  }
  const rulesFor = (name: string, { class: classes = "", id = "" }: Readonly<Record<string, string>>) => {
    const marks = new Set(classes.toLowerCase().split(/\s+/).filter(Boolean));
    const keys = ["*", name, ...[...marks].flatMap((mark) => [`.${mark}`, `${name}.${mark}`])];
    if (id) keys.push(`#${id.toLowerCase()}`, `${name}#${id.toLowerCase()}`);
    return keys.flatMap((key) => rules.get(key) ?? []);
  };
  return { rulesFor: rules.size === 0 ? () => [] : rulesFor, isWhole };
}

/** The element that a selector ends with: `td.b` of `.a > td.b:hover`, or `*` if that is not simple. */
function lastCompound(selector: string): string {
  const last = (selector.split(/[\s>+~]/).at(-1) ?? "").split(/[:[]/, 1)[0] ?? "";
  return simpleSelector.test(last) ? unescaped(last).toLowerCase() : "*";
}
