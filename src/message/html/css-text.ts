/**
 * Resolves a style sheet to the words and addresses that it means: escapes are undone (CSS Syntax 3, 4.3.7), comments
 * removed, and adjacent strings joined, as `content` shows them. Time is linear in the length.
 */
export function cssText(css: string): string {
  return withoutComments(css)
    .replace(/\\(?:\r\n|[\n\r\f])/g, "")
    .replace(/\\(?:([0-9a-f]{1,6})(?:\r\n|[ \t\n\r\f])?|([^0-9a-f\n\r\f]))/gi, (_, hex?: string, plain?: string) => {
      if (hex === undefined) return plain ?? "";
      const code = Number.parseInt(hex, 16);
      return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : "\ufffd";
    })
    .replace(/(["'])[ \t\r\n\f]{0,20}\1/g, "");
}

/** A comment does not separate what a reader sees; one without an end takes the rest. */
export function withoutComments(css: string): string {
  if (!css.includes("/*")) return css;
  let text = "";
  for (let at = 0; ; ) {
    const start = css.indexOf("/*", at);
    if (start < 0) return text + css.slice(at);
    text += css.slice(at, start);
    const end = css.indexOf("*/", start + 2);
    if (end < 0) return text;
    at = end + 2;
  }
}

/** The code as written and, if it differs, as `cssText` resolves it. */
export function cssReadings(code: string): string[] {
  const meant = cssText(code);
  return meant === code ? [code] : [code, meant];
}
