/** Values of CSS properties, as far as hidden text depends on them. Lengths are in pixels. */

/** Values of any property. */
export const cssWide = /^(?:inherit|initial|unset|revert|revert-layer)$/;

/** Whether only a browser can tell the value. */
export function isComputed(value: string): boolean {
  return /(?:^|[^a-z])(?:var|env|attr|calc|min|max|clamp|round|mod|rem|abs|sign|if|toggle|random)\(/.test(value);
}

/** The size, and perhaps the line height, of a `font`; null without a size. */
export function sizesOfFont(value: string): string[] | null {
  // A number without a unit is the weight, unless it is zero.
  const isSize =
    /^(?:[-+]?[0.]+|[\d.]{1,30}(?:e[-+]?\d{1,3})?(?:[a-z]{1,5}|%)|(?:x{1,3}-)?(?:small|large)|medium|smaller|larger)$/;
  for (const part of value.replace(/ ?\/ ?/g, "/").split(" ")) {
    const [size = "", line = ""] = part.split("/");
    if (isSize.test(size) || isComputed(size)) return [size, line];
  }
  return null;
}

/** A length in pixels, where letters have `size` pixels; NaN if it is none. */
export function lengthIn(value: string, size: number): number {
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
export function pixels(value: string): number {
  return value.endsWith("%") && !/^[-+]?[0.]+%$/.test(value) ? Number.NaN : lengthIn(value, 16);
}

/** A number or a percentage as a part of one; NaN if it is neither. */
export function fraction(value: string): number {
  const [, amount, percent] =
    /^([-+]?(?:\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})(?:e[-+]?\d{1,3})?)(%?)$/.exec(value.trim()) ?? [];
  return amount === undefined ? Number.NaN : Number(amount) / (percent === "" ? 1 : 100);
}
