/** Styles that change how words look, and not what they say. */
import { type Color, type Rgb, readColor } from "./colors.ts";

/** What styles set, in pixels; undefined if they leave it as it is. */
export interface PlainStyle {
  color?: Rgb;
  background?: Rgb;
  /** Of letters: in pixels, or as a part of that of the letters around. */
  size?: { pixels: number } | { part: number };
  /** In pixels; null for a part of the size of letters, which is high enough everywhere. */
  lineHeight?: number | null;
  /** Whether line ends count. */
  isKept?: boolean;
  isBlock?: boolean;
  /** In pixels, or percent of what is around. */
  width?: Width;
}

export interface Width {
  pixels?: number;
  percent?: number;
}

/** Fonts of letters. In others a letter may look like another sign. */
const fonts = new Set(
  (
    "-apple-system,apple color emoji,aptos,arial,arial black,avenir,avenir next,blinkmacsystemfont,calibri,cambria," +
    "cantarell,candara,consolas,courier,courier new,dejavu sans,dejavu sans mono,droid sans,fira sans,fira code," +
    "garamond,geneva,georgia,gill sans,google sans,helvetica,helvetica neue,ibm plex sans,inter,lato,liberation mono," +
    "liberation sans,lucida console,lucida grande,lucida sans,lucida sans unicode,menlo,merriweather,monaco,monospace," +
    "montserrat,ms sans serif,noto color emoji,noto sans,noto serif,nunito,open sans,oxygen,palatino," +
    "palatino linotype,poppins,pt sans,raleway,roboto,roboto mono,sans-serif,segoe ui,segoe ui emoji,serif," +
    "sf mono,sf pro display,sf pro text,sfmono-regular,source code pro,source sans pro,system-ui,tahoma,times," +
    "times new roman,trebuchet ms,ubuntu,ubuntu mono,ui-monospace,ui-sans-serif,ui-serif,verdana,work sans"
  ).split(","),
);

const SPACE_PIXELS_MAX = 200;
const BORDER_PIXELS_MAX = 20;
const WIDTH_PIXELS_MIN = 100;

const number = String.raw`(?:\d{1,4}(?:\.\d{1,6})?|\.\d{1,6})`;
const lengths = new RegExp(`^(${number})(px|pt|em|rem|ex|%)?$`);

/** In pixels, for letters of 16; percent count as parts of 100. Undefined if it is no length or a negative one. */
function pixelsOf(value: string): number | undefined {
  const [, amount, unit = ""] = lengths.exec(value) ?? [];
  if (amount === undefined || (unit === "" && Number(amount) !== 0)) return undefined;
  return Number(amount) * ({ px: 1, pt: 4 / 3, em: 16, rem: 16, ex: 8, "%": 1 }[unit] ?? 1);
}

const isSpace = (value: string, pixelsMax: number) =>
  value.split(" ").every((one) => one === "auto" || (pixelsOf(one) ?? Number.POSITIVE_INFINITY) <= pixelsMax);
const isOneOf = (words: string) => {
  const known = new Set(words.split(" "));
  return (value: string) => known.has(value);
};
const isBorder = (value: string) =>
  value.split(/ (?![^()]*\))/).every((one) => {
    const width = pixelsOf(one);
    if (width !== undefined) return width <= BORDER_PIXELS_MAX;
    return /^(?:none|hidden|solid|dashed|dotted|double|groove|ridge|thin|medium|thick)$/.test(one) || isColor(one);
  });
const isColor = (value: string) => value === "transparent" || readColor(value) !== null;

/** Whether a list of fonts has only known ones. */
export function isPlainFont(value: string): boolean {
  return value
    .toLowerCase()
    .split(",")
    .every((one) =>
      fonts.has(
        one
          .trim()
          .replace(/^(["'])(.*)\1$/, "$2")
          .replace(/\s+/g, " "),
      ),
    );
}

/** The size of letters, or undefined. */
function sizeOf(value: string): PlainStyle["size"] {
  const [, amount, unit = ""] = lengths.exec(value) ?? [];
  if (amount === undefined || unit === "" || unit === "ex") return undefined;
  const count = Number(amount);
  if (unit === "em" || unit === "%") return { part: unit === "em" ? count : count / 100 };
  return { pixels: count * ({ px: 1, pt: 4 / 3, rem: 16 }[unit] ?? 1) };
}

/** The height of lines, or undefined if it may be too low. */
function lineHeightOf(value: string): number | null | undefined {
  if (value === "normal") return null;
  const [, amount, unit = ""] = lengths.exec(value) ?? [];
  if (amount === undefined) return undefined;
  const count = Number(amount);
  if (unit === "px" || unit === "pt")
    return count <= SPACE_PIXELS_MAX ? count * (unit === "pt" ? 4 / 3 : 1) : undefined;
  // `1.5em` is computed once, and is then the same for larger letters.
  if (unit !== "") return undefined;
  return count >= 1 && count <= 4 ? null : undefined;
}

/** A colour that is not transparent, or undefined. */
function opaque(color: Color | null): Rgb | undefined {
  return color && color.alpha === 1 ? color.rgb : undefined;
}

/** The width of a style or an attribute; undefined if it is none. */
export function widthOf(value: string): Width | undefined {
  const [, amount, unit = ""] = lengths.exec(value.trim()) ?? [];
  if (amount === undefined) return value === "auto" ? {} : undefined;
  if (unit === "%") return { percent: Number(amount) };
  if (unit === "" || unit === "px") return { pixels: Number(amount) };
  return undefined;
}

type Reader = (value: string) => PlainStyle | undefined;

const nothing: PlainStyle = {};
const checked =
  (test: (value: string) => boolean): Reader =>
  (value) =>
    test(value) ? nothing : undefined;
const space = checked((value) => isSpace(value, SPACE_PIXELS_MAX));
const border = checked(isBorder);

/** The properties, with what each value says; undefined for a value that is not plain. */
const properties: Record<string, Reader> = {
  "font-family": checked(isPlainFont),
  "font-size": (value) => {
    const size = sizeOf(value);
    return size && { size };
  },
  "font-style": checked(isOneOf("normal italic oblique")),
  "font-weight": checked((value) => /^(?:normal|bold|bolder|lighter|[1-9]00)$/.test(value)),
  "font-variant": checked(isOneOf("normal")),
  font: (value) => {
    const [, size = "", line, family = ""] =
      /^(?:(?:normal|italic|bold|[1-9]00) ){0,3}([\d.]+[a-z%]+)(?:\/([\d.]+[a-z%]*))? (.+)$/.exec(value) ?? [];
    const read = sizeOf(size);
    const lineHeight = line === undefined ? null : lineHeightOf(line);
    return read && lineHeight !== undefined && isPlainFont(family) ? { size: read, lineHeight } : undefined;
  },
  "line-height": (value) => {
    const lineHeight = lineHeightOf(value);
    return lineHeight === undefined ? undefined : { lineHeight };
  },
  "letter-spacing": checked((value) => value === "normal" || (pixelsOf(value) ?? 4) < 4),
  color: (value) => {
    const color = opaque(readColor(value));
    return color && { color };
  },
  background: (value) => properties["background-color"]?.(value),
  "background-color": (value) => {
    if (value === "transparent" || value === "none") return nothing;
    const background = opaque(readColor(value));
    return background && { background };
  },
  "text-align": checked(isOneOf("left right center justify start end")),
  "text-decoration": checked(isOneOf("none underline")),
  "text-transform": checked(isOneOf("none")),
  "vertical-align": checked(isOneOf("baseline top middle bottom")),
  "word-break": checked(isOneOf("normal break-word break-all keep-all")),
  "word-wrap": checked(isOneOf("normal break-word")),
  "overflow-wrap": checked(isOneOf("normal break-word anywhere")),
  "white-space": (value) =>
    value === "normal" ? { isKept: false } : /^(?:pre|pre-wrap|pre-line)$/.test(value) ? { isKept: true } : undefined,
  display: (value) => (value === "block" ? { isBlock: true } : value === "inline-block" ? nothing : undefined),
  "border-collapse": checked(isOneOf("collapse separate")),
  "border-spacing": space,
  "border-radius": space,
  "border-color": checked(isBorder),
  "border-style": border,
  "border-width": border,
  "box-sizing": checked(isOneOf("border-box content-box")),
  "max-width": (value) => ((widthOf(value)?.pixels ?? 0) >= WIDTH_PIXELS_MIN || value === "100%" ? nothing : undefined),
  width: (value) => {
    const width = widthOf(value);
    return width && { width };
  },
};
for (const side of ["", "-top", "-right", "-bottom", "-left"]) {
  properties[`margin${side}`] = space;
  properties[`padding${side}`] = space;
  properties[`border${side}`] = border;
}

/** What sets the same, so that it takes the order and the rules of browsers to tell which one counts. */
const same: Record<string, string> = { "font-size": "font", "line-height": "font", "background-color": "background" };

/**
 * Reads a style attribute that has only plain properties, once each. `odd` names the others; with any, what the
 * attribute does to words is not known.
 */
export function plainStyle(style: string): { said: PlainStyle; odd: string[] } {
  const said: PlainStyle = {};
  const odd: string[] = [];
  const seen = new Set<string>();
  for (const part of style.split(";")) {
    if (part.trim() === "") continue;
    const colon = part.indexOf(":");
    const property = part.slice(0, Math.max(colon, 0)).trim().toLowerCase();
    const value = part
      .slice(colon + 1)
      .trim()
      .toLowerCase()
      .replace(/[ \t\r\n]+/g, " ")
      .replace(/ ?([,/]) ?/g, "$1");
    const isSafe = /^[a-z\d #%.,'"()/-]+$/.test(value) && !value.includes("/*");
    const read = isSafe && Object.hasOwn(properties, property) ? properties[property]?.(value) : undefined;
    if (!read || seen.has(property) || seen.has(same[property] ?? property)) odd.push(property || "a style");
    else Object.assign(said, read);
    seen.add(property);
    if (property === "font" && (seen.has("font-size") || seen.has("line-height"))) odd.push(property);
    if (property === "background" && seen.has("background-color")) odd.push(property);
  }
  return { said, odd };
}
