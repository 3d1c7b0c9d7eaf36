/**
 * Finds the first member that an object of a JSON text has twice, as a dotted path (`hitl_rules.outside`); null if
 * there is none. Parsers silently keep the last one (RFC 8259 4), so a person who reads the text may see another
 * request than the one that is carried out. The text must be valid JSON. Time is linear.
 */
export function repeatedMember(text: string): string | null {
  /** The names in each open object; for an array, the index of the element. */
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

/** The index after a string whose opening quote is at `start`. */
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

/** White space may come before the colon (RFC 8259 2). */
function isFollowedByColon(text: string, from: number): boolean {
  let at = from;
  while (text[at] === " " || text[at] === "\t" || text[at] === "\n" || text[at] === "\r") at++;
  return text[at] === ":";
}
