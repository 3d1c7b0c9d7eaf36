import { compile } from "html-to-text";
import { seenHtml } from "./seen-html.ts";

/** Behind this many characters HTML is not converted; large newsletters have about 100,000. */
export const htmlCharsMax = 128 * 1024;
/** The library's time is quadratic in the nesting, and its stack ends at some 2,000. Real mail stays below 100. */
const nestingMax = 400;

const heading = { options: { uppercase: false } };
const convert = compile({
  wordwrap: false,
  limits: { maxInputLength: htmlCharsMax, maxDepth: nestingMax },
  selectors: [
    { selector: "img", format: "skip" },
    { selector: "a", options: { hideLinkHrefIfSameAsText: true, linkBrackets: ["<", ">"] } },
    ...["h1", "h2", "h3", "h4", "h5", "h6"].map((selector) => ({ selector, ...heading })),
  ],
});

/**
 * HTML as plain text, all of it. Only the first 128 Ki characters are read. Markup nested too deep for the converter
 * loses its tags and nothing else. Never throws.
 */
export function htmlToText(html: string): string {
  const head = html.slice(0, htmlCharsMax);
  if (nesting(head) <= nestingMax) {
    try {
      return convert(head).replace(/\n{3,}/g, "\n\n");
    } catch {
      // Falls through to the blunt way.
    }
  }
  return head
    .replace(/<[^<>]*>/g, " ")
    .replace(/[ \t]+/g, " ")
    .trim();
}

/** HTML as its reader sees it. */
export interface SeenText {
  text: string;
  /** Characters of text that it hides from its reader, and that are not in `text`; null when that cannot be told. */
  hiddenChars: number | null;
}

/**
 * HTML as plain text, for messages without a text part, less what it hides from its reader: an agent should not be told
 * what no person would see. Otherwise as `htmlToText`.
 */
export function seenText(html: string): SeenText {
  const head = html.slice(0, htmlCharsMax);
  if (nesting(head) > nestingMax) return { text: htmlToText(head), hiddenChars: null };
  const seen = seenHtml(head);
  return { text: htmlToText(seen.html), hiddenChars: seen.hiddenChars };
}

/** Elements that hold nothing, or that end by themselves when the next one begins. */
const flat =
  /^(?:area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr|p|li|dt|dd|option|tr|td|th|thead|tbody|tfoot)$/i;

/** The deepest that start tags, less end tags, get. */
function nesting(html: string): number {
  let depth = 0;
  let deepest = 0;
  for (const [, slash, name] of html.matchAll(/<(\/?)([a-z][a-z0-9]*)/gi)) {
    if (flat.test(name as string)) continue;
    depth = Math.max(0, depth + (slash ? -1 : 1));
    deepest = Math.max(deepest, depth);
  }
  return deepest;
}
