/**
 * The first member that an object of a JSON text has twice, as a dotted path (`hitl_rules.outside`); null when there is
 * none. Parsers keep the last of them without a word (RFC 8259 4), so that a reader of the text may see another request
 * than the one that is carried out. The text has to be JSON. Linear.
 */
export function repeatedMember(text: string): string | null {
  /** The names of each open object; an array counts its elements. */
  const open: ({ names: Set<string>; name: string } | { element: number })[] = [];
  for (let at = 0; at < text.length; ) {
    const quote = text.indexOf('"', at);
    const end = quote < 0 ? text.length : quote;
    for (; at < end; at++) {
      const character = text[at];
      const inside = open.at(-1);
      if (character === "{") open.push({ names: new Set(), name: "" });
      else if (character === "[") open.push({ element: 0 });
      else if (character === "}" || character === "]") open.pop();
      else if (character === "," && inside && "element" in inside) inside.element++;
    }
    if (quote < 0) return null;
    at = endOfString(text, quote);
    const inside = open.at(-1);
    if (!inside || !("names" in inside) || !isFollowedByColon(text, at)) continue;
    inside.name = JSON.parse(text.slice(quote, at)) as string;
    if (inside.names.has(inside.name)) return open.map((one) => ("name" in one ? one.name : one.element)).join(".");
    inside.names.add(inside.name);
  }
  return null;
}

/** The place behind a string that begins at `start` with its quote. */
function endOfString(text: string, start: number): number {
  for (let from = start + 1; ; ) {
    const quote = text.indexOf('"', from);
    if (quote < 0) return text.length;
    let backslashes = 0;
    while (text[quote - 1 - backslashes] === "\\") backslashes++;
    if (backslashes % 2 === 0) return quote + 1;
    from = quote + 1;
  }
}

/** RFC 8259 2: white space may stand before the colon. */
function isFollowedByColon(text: string, from: number): boolean {
  let at = from;
  while (text[at] === " " || text[at] === "\t" || text[at] === "\n" || text[at] === "\r") at++;
  return text[at] === ":";
}
