/** How text looks by what an element and those around it say. Null for a colour that is not known. */
export interface Look {
  color: Rgb | null;
  background: Rgb | null;
  /** Too small to be read. */
  isTiny: boolean;
  isInvisible: boolean;
  /** Whether nobody can read it. */
  isHidden: boolean;
}

type Rgb = readonly [red: number, green: number, blue: number];

/** Black on white. */
export const plainLook: Look = {
  color: [0, 0, 0],
  background: [255, 255, 255],
  ...{ isTiny: false, isInvisible: false, isHidden: false },
};

/** Colours that differ by less in each channel cannot be told apart. */
const contrastMin = 16;
/** Letters up to here are dust: in pixels or points. */
const fontSizeMax = 1;
/** Nothing is put this many pixels off the page but to hide it. */
const offPagePixels = 500;
const opacityMax = 0.05;

/** What styles say, by property. */
export type Declarations = ReadonlyMap<string, string>;

/** Style declarations; of two for one property the later counts. `!important` says nothing here. */
export function declarations(styles: string): Declarations {
  const plain = styles.replace(/\/\*[\s\S]*?(?:\*\/|$)/g, "").toLowerCase();
  return new Map(
    plain.split(";").flatMap((one) => {
      const colon = one.indexOf(":");
      if (colon < 0) return [];
      const value = one.slice(colon + 1).replace(/!\s*important/g, "");
      return [[one.slice(0, colon).trim(), value.trim()]];
    }),
  );
}

/** Whether styles leave nothing to see of an element, whatever is inside it. */
export function hidesBox(said: Declarations): boolean {
  const value = (name: string) => said.get(name) ?? "";
  if (value("display") === "none" || value("mso-hide") === "all") return true;
  if (said.has("opacity") && number(value("opacity")) <= opacityMax) return true;
  const noSize = ["height", "max-height", "width", "max-width"].some(
    (name) => said.has(name) && pixels(value(name)) <= 1,
  );
  if (noSize && /hidden|clip/.test(value("overflow"))) return true;
  if (/^rect\(\s*(?:0|1px)\b/.test(value("clip")) || /^inset\(\s*(?:50|100)%/.test(value("clip-path"))) return true;
  const isMoved = /absolute|fixed/.test(value("position"));
  if (isMoved && ["left", "right", "top", "bottom"].some((name) => pixels(value(name)) <= -offPagePixels)) return true;
  return Math.abs(pixels(value("text-indent"))) >= offPagePixels || /scale\(\s*0\s*[,)]/.test(value("transform"));
}

/** How the text inside an element looks, when what is around it looks like `outer`. */
export function inheritedLook(outer: Look, said: Declarations, attributes: Record<string, string>): Look {
  const value = (name: string) => said.get(name) ?? "";
  const look = { ...outer };
  if (said.has("font-size")) look.isTiny = isTiny(value("font-size"), outer.isTiny);
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
  return Number(amount) <= (unit === "%" ? 10 : fontSizeMax);
}

function sameColor({ color, background }: Look): boolean {
  return (
    color !== null &&
    background !== null &&
    color.every((channel, i) => Math.abs(channel - (background[i] as number)) < contrastMin)
  );
}

/** The basic colours (CSS Color 4, 6.1); others are not worth knowing here. */
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
  const [hex] = /#[\da-f]{8}|#[\da-f]{6}|#[\da-f]{3,4}/i.exec(text) ?? [];
  if (hex) {
    const digits =
      hex.length <= 5 ? [...hex.slice(1)].map((digit) => digit + digit) : (hex.slice(1).match(/../g) ?? []);
    return channels(digits.map((digit) => Number.parseInt(digit, 16)));
  }
  const [, inside] = /\brgba?\(([^)]*)\)/.exec(text) ?? [];
  if (inside !== undefined) {
    const values = inside.split(/[\s,/]+/).filter(Boolean);
    return channels(values.map((one) => number(one) * (one.endsWith("%") ? 2.55 : 1)));
  }
  if (/url\(|gradient/.test(text)) return undefined;
  return text.split(/\s+/).flatMap((word) => (Object.hasOwn(colorNames, word) ? [colorNames[word] as Rgb] : []))[0];
}

function channels([red, green, blue]: number[]): Rgb | undefined {
  return red === undefined || green === undefined || blue === undefined ? undefined : [red, green, blue];
}

function isTransparent(color: string): boolean {
  if (color === "transparent" || /^#(?:[\da-f]{3}0|[\da-f]{6}0[\da-f])$/.test(color)) return true;
  const [, alpha] = /^(?:rgba?|hsla?)\([^)]*[,/]\s*([\d.]+)\s*\)$/.exec(color) ?? [];
  return alpha !== undefined && color.split(/[\s,/]+/).length >= 4 && number(alpha) <= opacityMax;
}

/** NaN, which no comparison holds for, when it is none. */
function number(text: string): number {
  return Number.parseFloat(text);
}

/** A length as pixels, roughly; NaN for one that depends on what is around. */
function pixels(text: string): number {
  const [, amount, unit] = /^(-?[\d.]+)(px|pt|em|rem|in|cm)?$/.exec(text) ?? [];
  if (amount === undefined) return Number.NaN;
  return Number(amount) * ({ px: 1, pt: 1.33, em: 16, rem: 16, in: 96, cm: 38 }[unit ?? "px"] ?? 1);
}

/** The declarations that a style sheet has for an element. */
export type StyleSheet = (name: string, attributes: Record<string, string>) => string[];

/** Selectors kept of one sheet; newsletters have some hundred. */
const selectorsMax = 2_000;
/** Rules kept for one selector, the latest. */
const rulesPerSelectorMax = 20;

/** An element, a class or an id, or an element with one of these. */
const simpleSelector = /^(?=.)[a-z\d]*(?:[.#][\w-]+)?$/;

/**
 * The rules of a style sheet whose selectors are simple. Of the others it matters only that they may put a background
 * behind the element they end with, which is then not known. Rules for other media or widths (`@media`) hide text from
 * some readers only, and are passed over.
 */
export function readStyleSheet(css: string): StyleSheet {
  const rules = new Map<string, string[]>();
  const add = (key: string, declared: string) => {
    const known = rules.get(key);
    if (known) known.push(declared);
    else if (rules.size < selectorsMax) rules.set(key, [declared]);
    if (known && known.length > rulesPerSelectorMax) known.shift();
  };
  let depth = 0;
  let selector = "";
  let isSkipped = false;
  for (const [token] of css.replace(/\/\*[\s\S]*?(?:\*\/|$)|<!--|-->/g, "").matchAll(/[{}]|[^{}]+/g)) {
    if (token === "{") {
      if (depth++ === 0) isSkipped = selector.startsWith("@");
    } else if (token === "}") {
      depth = Math.max(0, depth - 1);
      selector = "";
    } else if (depth === 0) selector = token.slice(token.lastIndexOf(";") + 1).trim();
    else if (depth === 1 && !isSkipped)
      for (const one of selector.split(",")) {
        const key = one.trim().toLowerCase();
        if (simpleSelector.test(key)) add(key, token);
        else if (/\bbackground/i.test(token)) add(lastCompound(key), "background:unknown");
      }
  }
  if (rules.size === 0) return () => [];
  return (name, { class: classes = "", id = "" }) => {
    const marks = [
      ...classes
        .split(/\s+/)
        .filter(Boolean)
        .map((one) => `.${one.toLowerCase()}`),
      ...(id ? [`#${id.toLowerCase()}`] : []),
    ];
    return ["*", name, ...marks.flatMap((mark) => [mark, name + mark])].flatMap((key) => rules.get(key) ?? []);
  };
}

/** Of `.a > td.b:hover` it is `td.b`; `*` when it is nothing simple. */
function lastCompound(selector: string): string {
  const last = (selector.split(/[\s>+~]+/).at(-1) ?? "").replace(/[:[].*$/, "");
  return simpleSelector.test(last) ? last : "*";
}
