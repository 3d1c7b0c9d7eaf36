/** Which readers the rules of a conditional group are for (CSS Conditional 3, Media Queries 4). */

/**
 * `always`: everyone who reads on a screen with the usual settings. `desktop`: everyone of them at a desktop. `wide` and
 * `narrow`: at most those with wide or with narrow screens. `others`: few, such as those with a dark theme, or nobody.
 * `unknown`: it takes a browser to tell.
 */
export type Readers = "always" | "desktop" | "wide" | "narrow" | "others" | "unknown";

/** Screens have between these numbers of pixels, roughly. */
const SCREEN_PIXELS_MIN = 320;
const SCREEN_PIXELS_MAX = 3_000;
/** Widths from which on phones do not have them, that every desktop has, and below which desktops do not. */
const WIDE_PIXELS_MIN = 431;
const DESKTOP_PIXELS_MAX = 1_024;
const NARROW_PIXELS_MAX = 1_279;

/** @param prelude An at-rule from its `@` to its block. Null if its block has no rules that apply to elements. */
export function readersOf(prelude: string): Readers | null {
  const [, name = "", written = ""] = /^@([\w-]+)([\s\S]*)$/.exec(prelude) ?? [];
  const condition = written.toLowerCase().replace(/\s+/g, " ").trim();
  switch (name.toLowerCase()) {
    case "layer":
      return "always";
    case "media":
      return mediaReaders(condition);
    case "supports":
      return supportReaders(condition);
    case "container":
    case "scope":
      return "unknown";
    default:
      return null;
  }
}

/** At most these are the readers for whom both conditions hold. */
export function both(one: Readers, other: Readers): Readers {
  if (one === other || other === "always") return one;
  if (one === "always") return other;
  const [a, b] = [one, other].map((readers) => (readers === "desktop" ? "wide" : readers)) as [Readers, Readers];
  if (a === b || b === "unknown") return a;
  return a === "unknown" ? b : "others";
}

function mediaReaders(list: string): Readers {
  if (list === "") return "always";
  const found = list.split(",").map((query) => queryReaders(query.trim()));
  for (const one of ["always", "unknown", "desktop", "wide", "narrow"] as const)
    if (found.includes(one)) return one !== "narrow" && found.includes("narrow") && one !== "always" ? "unknown" : one;
  return "others";
}

function queryReaders(query: string): Readers {
  const parts = query.replace(/^only /, "").split(" and ");
  const isNot = /^not [a-z]/.test(parts[0] ?? "");
  let readers: Readers = "always";
  for (const [i, part] of parts.entries()) {
    const type = i === 0 ? part.replace(/^not /, "") : part;
    if (/^[a-z]+$/.test(type)) readers = both(readers, type === "all" || type === "screen" ? "always" : "others");
    else if (/^\([^()]*\)$/.test(part)) readers = both(readers, featureReaders(part.slice(1, -1).trim()));
    else return "unknown";
  }
  if (!isNot) return readers;
  // `not print` is every screen; what remains of screens after a condition on their size is not worth telling apart.
  if (readers === "always") return "others";
  return parts.length === 1 ? "always" : "unknown";
}

/** What readers have who never changed the settings of their system. */
const usualSetting = /^prefers-(?:color-scheme(?: ?: ?light)?|reduced-motion ?: ?no-preference)$/;
const otherSetting = /^prefers-(?:color-scheme ?: ?dark|reduced-[a-z]+(?: ?: ?reduce)?|contrast ?: ?(?:more|less))$/;

function featureReaders(feature: string): Readers {
  const [, side, dimension, amount, unit] =
    /^(min|max)-(?:device-)?(width|height) ?: ?(\d{1,9}(?:\.\d{1,9})?)(px|em|rem)?$/.exec(feature) ?? [];
  if (side !== undefined) {
    const pixels = Number(amount) * (unit === "em" || unit === "rem" ? 16 : 1);
    if (side === "min" ? pixels <= SCREEN_PIXELS_MIN : pixels >= SCREEN_PIXELS_MAX) return "always";
    if (dimension === "height") return "unknown";
    if (side === "min" && pixels > DESKTOP_PIXELS_MAX) return "wide";
    if (side === "min") return pixels >= WIDE_PIXELS_MIN ? "desktop" : "unknown";
    return pixels <= NARROW_PIXELS_MAX ? "narrow" : "unknown";
  }
  if (/^(?:min-)?color(?: ?: ?[1-8])?$/.test(feature) || usualSetting.test(feature)) return "always";
  if (otherSetting.test(feature)) return "others";
  // Phones are upright and desktops are not.
  const [, orientation] = /^orientation ?: ?(portrait|landscape)$/.exec(feature) ?? [];
  return orientation === undefined ? "unknown" : orientation === "landscape" ? "desktop" : "narrow";
}

/** Properties that every browser has known for years, with any value. */
const supported =
  /^\( ?(?:(?:background|border|margin|padding|max|min)(?:-[a-z-]+)?|color|cursor|display|float|font(?:-[a-z-]+)?|height|left|opacity|overflow|position|right|text-[a-z-]+|top|visibility|width) ?: ?[^()]*\)$/;

/** Properties that mail asks for to reach the readers of one vendor: Apple's on phones, Mozilla's, Microsoft's of old. */
const ofOneVendor = /^\( ?-(?:moz-[a-z-]+|ms-[a-z-]+|webkit-(?:overflow-scrolling|touch-callout)) ?:[^()]*\)$/;

function supportReaders(condition: string): Readers {
  const parts = condition.split(" and ");
  if (parts.some((part) => ofOneVendor.test(part))) return "others";
  return parts.every((part) => supported.test(part)) ? "always" : "unknown";
}
