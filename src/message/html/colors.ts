/** Colours of CSS and HTML. */

export type Rgb = readonly [red: number, green: number, blue: number];

export interface Color {
  /** From 0 to 255. */
  rgb: Rgb;
  /** From 0, transparent, to 1. */
  alpha: number;
}

/** The named colours (CSS Color 4, 6.1), and the system colours (6.2) that are the same everywhere in light mode. */
const named = new Map(
  pairs(
    "aliceblue f0f8ff antiquewhite faebd7 aqua 00ffff aquamarine 7fffd4 azure f0ffff beige f5f5dc bisque ffe4c4 " +
      "black 000000 blanchedalmond ffebcd blue 0000ff blueviolet 8a2be2 brown a52a2a burlywood deb887 cadetblue 5f9ea0 " +
      "chartreuse 7fff00 chocolate d2691e coral ff7f50 cornflowerblue 6495ed cornsilk fff8dc crimson dc143c cyan 00ffff " +
      "darkblue 00008b darkcyan 008b8b darkgoldenrod b8860b darkgray a9a9a9 darkgreen 006400 darkgrey a9a9a9 " +
      "darkkhaki bdb76b darkmagenta 8b008b darkolivegreen 556b2f darkorange ff8c00 darkorchid 9932cc darkred 8b0000 " +
      "darksalmon e9967a darkseagreen 8fbc8f darkslateblue 483d8b darkslategray 2f4f4f darkslategrey 2f4f4f " +
      "darkturquoise 00ced1 darkviolet 9400d3 deeppink ff1493 deepskyblue 00bfff dimgray 696969 dimgrey 696969 " +
      "dodgerblue 1e90ff firebrick b22222 floralwhite fffaf0 forestgreen 228b22 fuchsia ff00ff gainsboro dcdcdc " +
      "ghostwhite f8f8ff gold ffd700 goldenrod daa520 gray 808080 green 008000 greenyellow adff2f grey 808080 " +
      "honeydew f0fff0 hotpink ff69b4 indianred cd5c5c indigo 4b0082 ivory fffff0 khaki f0e68c lavender e6e6fa " +
      "lavenderblush fff0f5 lawngreen 7cfc00 lemonchiffon fffacd lightblue add8e6 lightcoral f08080 lightcyan e0ffff " +
      "lightgoldenrodyellow fafad2 lightgray d3d3d3 lightgreen 90ee90 lightgrey d3d3d3 lightpink ffb6c1 " +
      "lightsalmon ffa07a lightseagreen 20b2aa lightskyblue 87cefa lightslategray 778899 lightslategrey 778899 " +
      "lightsteelblue b0c4de lightyellow ffffe0 lime 00ff00 limegreen 32cd32 linen faf0e6 magenta ff00ff maroon 800000 " +
      "mediumaquamarine 66cdaa mediumblue 0000cd mediumorchid ba55d3 mediumpurple 9370db mediumseagreen 3cb371 " +
      "mediumslateblue 7b68ee mediumspringgreen 00fa9a mediumturquoise 48d1cc mediumvioletred c71585 " +
      "midnightblue 191970 mintcream f5fffa mistyrose ffe4e1 moccasin ffe4b5 navajowhite ffdead navy 000080 " +
      "oldlace fdf5e6 olive 808000 olivedrab 6b8e23 orange ffa500 orangered ff4500 orchid da70d6 palegoldenrod eee8aa " +
      "palegreen 98fb98 paleturquoise afeeee palevioletred db7093 papayawhip ffefd5 peachpuff ffdab9 peru cd853f " +
      "pink ffc0cb plum dda0dd powderblue b0e0e6 purple 800080 rebeccapurple 663399 red ff0000 rosybrown bc8f8f " +
      "royalblue 4169e1 saddlebrown 8b4513 salmon fa8072 sandybrown f4a460 seagreen 2e8b57 seashell fff5ee " +
      "sienna a0522d silver c0c0c0 skyblue 87ceeb slateblue 6a5acd slategray 708090 slategrey 708090 snow fffafa " +
      "springgreen 00ff7f steelblue 4682b4 tan d2b48c teal 008080 thistle d8bfd8 tomato ff6347 turquoise 40e0d0 " +
      "violet ee82ee wheat f5deb3 white ffffff whitesmoke f5f5f5 yellow ffff00 yellowgreen 9acd32 " +
      "canvas ffffff canvastext 000000 field ffffff fieldtext 000000 window ffffff windowtext 000000",
  ),
);

function pairs(words: string): [string, string][] {
  const all = words.split(" ");
  return all.flatMap((word, i): [string, string][] => (i % 2 === 0 ? [[word, all[i + 1] ?? ""]] : []));
}

/**
 * Reads a value that is one colour, in lower case: a name, a number after `#`, or a function of numbers (CSS Color 4).
 * Null if it is anything else, such as a mixture of other colours.
 */
export function readColor(value: string): Color | null {
  const text = value.trim();
  if (text === "transparent") return { rgb: [0, 0, 0], alpha: 0 };
  const name = named.get(text);
  if (name !== undefined) return fromHex(name);
  if (text.startsWith("#")) return fromHex(text.slice(1));
  const [, kind = "", inside = ""] = /^([a-z]+)\(([^()]*)\)$/.exec(text) ?? [];
  const words = inside.split(/[\s,/]/).filter(Boolean);
  if (kind === "color") {
    const [space = "", ...values] = words;
    return colorSpaces.has(space) ? color(values, (channel) => scaled(channel, 1) * 255, scaledRgb) : null;
  }
  return Object.hasOwn(functions, kind) ? (functions[kind]?.(words) ?? null) : null;
}

/** A colour without its `#`, which browsers read in pages without a doctype (Quirks Mode 3.1). */
export function quirkColor(value: string): Color | null {
  return /^(?:[\da-f]{3}|[\da-f]{6})$/.test(value) ? readColor(`#${value}`) : null;
}

/** Spaces whose whites, blacks and greys, and roughly the rest, have the numbers that they have in sRGB. */
const colorSpaces = new Set(["srgb", "display-p3", "a98-rgb", "prophoto-rgb", "rec2020"]);
const scaledRgb = (red: number, green: number, blue: number): Rgb => [red, green, blue];

/** Each takes three components, and perhaps an alpha (CSS Color 4, 5 and 7 to 10). */
const functions: Record<string, (words: string[]) => Color | null> = {
  rgb: (words) => color(words, (word) => (word.endsWith("%") ? number(word) * 2.55 : number(word)), scaledRgb),
  rgba: (words) => functions.rgb?.(words) ?? null,
  hsl: (words) => color(words, angleOrPercent, fromHsl),
  hsla: (words) => functions.hsl?.(words) ?? null,
  hwb: (words) =>
    color(words, angleOrPercent, (hue, white, black) => {
      const sum = Math.max(white + black, 100);
      const light = fromHsl(hue, 100, 50);
      return mapped(light, (channel) => channel * (1 - (white + black) / sum) + 255 * (white / sum));
    }),
  lab: (words) => color(words, (word, i) => scaled(word, i === 0 ? 100 : 125), fromLab),
  lch: (words) =>
    color(
      words,
      (word, i) => (i === 2 ? angle(word) : scaled(word, i === 0 ? 100 : 150)),
      (light, chroma, hue) => fromLab(light, chroma * cos(hue), chroma * sin(hue)),
    ),
  oklab: (words) => color(words, (word, i) => scaled(word, i === 0 ? 1 : 0.4), fromOklab),
  oklch: (words) =>
    color(
      words,
      (word, i) => (i === 2 ? angle(word) : scaled(word, i === 0 ? 1 : 0.4)),
      (light, chroma, hue) => fromOklab(light, chroma * cos(hue), chroma * sin(hue)),
    ),
};

function color(
  words: readonly string[],
  component: (word: string, index: number) => number,
  convert: (a: number, b: number, c: number) => Rgb,
): Color | null {
  const [a = Number.NaN, b = Number.NaN, c = Number.NaN] = words.slice(0, 3).map((word, i) => component(word, i));
  const alpha = words[3] === undefined ? 1 : scaled(words[3], 1);
  if (Number.isNaN(a + b + c + alpha) || words.length > 4) return null;
  return { rgb: mapped(convert(a, b, c), (channel) => Math.min(Math.max(channel, 0), 255)), alpha };
}

function fromHex(digits: string): Color | null {
  if (!/^(?:[\da-f]{3,4}|[\da-f]{6}|[\da-f]{8})$/.test(digits)) return null;
  const pairs = digits.length <= 4 ? [...digits].map((digit) => digit + digit) : (digits.match(/../g) ?? []);
  const [red = 0, green = 0, blue = 0, alpha = 255] = pairs.map((pair) => Number.parseInt(pair, 16));
  return { rgb: [red, green, blue], alpha: alpha / 255 };
}

/**
 * Reads the colour of an attribute, such as that of `<font>`, as browsers do: any text has one, `ffffff` and `#fff` too
 * (HTML 2.3.6). Null for a text without one.
 */
export function attributeColor(value: string): Rgb | null {
  const text = value.trim().toLowerCase();
  if (text === "" || text === "transparent") return null;
  const name = named.get(text);
  if (name !== undefined) return fromHex(name)?.rgb ?? null;
  if (/^#[\da-f]{3}$/.test(text)) return fromHex(text.slice(1))?.rgb ?? null;
  const digits = text
    .replace(/[\u{10000}-\u{10ffff}]/gu, "00")
    .slice(0, 128)
    .replace(/^#/, "")
    .replace(/[^\da-f]/g, "0");
  const third = Math.max(Math.ceil(digits.length / 3), 1);
  const padded = digits.padEnd(third * 3, "0");
  const parts = [0, 1, 2].map((i) => padded.slice(i * third, (i + 1) * third).slice(-8));
  const length = parts[0]?.length ?? 0;
  let zeros = 0;
  while (length - zeros > 2 && parts.every((part) => part[zeros] === "0")) zeros++;
  const [red = 0, green = 0, blue = 0] = parts.map((part) => Number.parseInt(part.slice(zeros, zeros + 2), 16));
  return [red, green, blue];
}

/** Hue in degrees, saturation and lightness in percent (CSS Color 4, 7.1). */
function fromHsl(hue: number, saturation: number, lightness: number): Rgb {
  const light = lightness / 100;
  const chroma = (saturation / 100) * Math.min(light, 1 - light);
  const channel = (offset: number) => {
    const k = (((offset + hue / 30) % 12) + 12) % 12;
    return Math.round(255 * (light - chroma * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  };
  return [channel(0), channel(8), channel(4)];
}

/** CIE Lab with the white of D50, over XYZ (CSS Color 4, 17). */
function fromLab(light: number, a: number, b: number): Rgb {
  const fy = (light + 16) / 116;
  const cube = (f: number) => (f ** 3 > 216 / 24389 ? f ** 3 : (116 * f - 16) / (24389 / 27));
  const [x, y, z] = [cube(fy + a / 500) * 0.9642956764, cube(fy), cube(fy - b / 200) * 0.8251046025];
  return mapped(
    [
      3.1341358529 * x - 1.6173863321 * y - 0.4906619461 * z,
      -0.9787955015 * x + 1.9162543773 * y + 0.0334427734 * z,
      0.0719551757 * x - 0.2289768265 * y + 1.4053860584 * z,
    ],
    fromLinear,
  );
}

/** Oklab (CSS Color 4, 17). */
function fromOklab(light: number, a: number, b: number): Rgb {
  const l = (light + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (light - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (light - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return mapped(
    [
      4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
      -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
      -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
    ],
    fromLinear,
  );
}

/** From linear light, 0 to 1, to sRGB, 0 to 255. */
function fromLinear(linear: number): number {
  const part = Math.min(Math.max(linear, 0), 1);
  return 255 * (part <= 0.0031308 ? 12.92 * part : 1.055 * part ** (1 / 2.4) - 0.055);
}

function mapped([red, green, blue]: Rgb, change: (channel: number) => number): Rgb {
  return [change(red), change(green), change(blue)];
}

function angleOrPercent(word: string, index: number): number {
  return index === 0 ? angle(word) : number(word);
}

const degrees: Record<string, number> = { deg: 1, "": 1, grad: 0.9, rad: 180 / Math.PI, turn: 360 };

function angle(word: string): number {
  const [, amount, unit = ""] = /^([-+]?[\d.]{1,30}(?:e[-+]?\d{1,3})?|none)([a-z]{0,5})$/.exec(word) ?? [];
  return amount === undefined ? Number.NaN : number(amount) * (degrees[unit] ?? Number.NaN);
}

/** A number, or a percentage of `whole`. */
function scaled(word: string, whole: number): number {
  return word.endsWith("%") ? (number(word) / 100) * whole : number(word);
}

/** A number with or without `%`; NaN if it is anything else. */
function number(word: string): number {
  if (word === "none") return 0;
  return /^[-+]?(?:\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})(?:e[-+]?\d{1,3})?%?$/.test(word)
    ? Number.parseFloat(word)
    : Number.NaN;
}

function cos(degree: number): number {
  return Math.cos((degree * Math.PI) / 180);
}

function sin(degree: number): number {
  return Math.sin((degree * Math.PI) / 180);
}
