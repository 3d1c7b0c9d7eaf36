/** The text of a message as a model should get it: what a person would read, in portions. */
import { withoutUnseen } from "../outbound/visible.ts";

export interface Body {
  text: string;
  /** What was left out of it, one sentence each. */
  hidden: string[];
}

export interface Portion {
  text: string;
  /** Of the whole, in UTF-16 code units, as `offset` counts them. */
  totalChars: number;
  /** Where the next portion begins; null when this was the last. */
  nextOffset: number | null;
}

/** The text less the characters that nobody sees; what HTML hides is not in a message's text anyway. */
export function readBody(text: string): Body {
  const { text: visible, unseen } = withoutUnseen(text);
  return {
    text: visible,
    hidden: unseen > 0 ? [`${unseen} invisible or direction-changing characters were left out.`] : [],
  };
}

/** The text of an HTML file, less what it hides from its reader. */
export async function readHtml(html: string): Promise<Body> {
  // With the converter, as mail without HTML does without it.
  const { seenText } = await import("../inbound/html-text.ts");
  const { text, hiddenChars } = seenText(html);
  const body = readBody(text);
  if (hiddenChars === null) body.hidden.push("Whether the HTML hides text cannot be told: it is nested too deep.");
  else if (hiddenChars > 0)
    body.hidden.push(`${hiddenChars} characters that the HTML hides from its reader were left out.`);
  return body;
}

/** One portion of a text. Characters are never cut in two. */
export function portionOf(text: string, offset: number, limit: number): Portion {
  const isLow = (at: number) => /[\udc00-\udfff]/.test(text[at] ?? "");
  const start = isLow(offset) ? offset + 1 : offset;
  let end = Math.min(text.length, start + limit);
  if (end < text.length && isLow(end)) end++;
  return { text: text.slice(start, end), totalChars: text.length, nextOffset: end < text.length ? end : null };
}
