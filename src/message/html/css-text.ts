/**
 * A style sheet as it says its words and addresses: escapes are undone (CSS Syntax 3, 4.3.7), comments gone, and strings
 * beside each other run together, as `content` shows them. Linear.
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

/** A comment parts nothing that a reader sees; one without an end takes the rest. */
function withoutComments(css: string): string {
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

/** Code as it stands and, where that is another text, as a style sheet means it. */
export function cssReadings(code: string): string[] {
  const meant = cssText(code);
  return meant === code ? [code] : [code, meant];
}
