/** The text of a message as a model should get it: what a person would read. */
import { withoutUnseen } from "../message/text/visible.ts";

export interface Body {
  text: string;
  /** What was left out of it, one sentence each. */
  hidden: string[];
}

/** The text less the characters that nobody sees; what HTML hides is not in a message's text anyway. */
export function readBody(text: string): Body {
  const { text: visible, unseen } = withoutUnseen(text);
  return {
    text: visible,
    hidden: unseen > 0 ? [`${unseen} invisible or direction-changing characters were left out.`] : [],
  };
}

/**
 * The HTML version of a message as its reader sees it, which most mail programs show instead of the text. Null where there
 * is none, or where it says the same and hides nothing.
 */
export async function otherVersion(
  { body_text: text = "", body_html: html }: { body_text?: string; body_html?: string },
  read: (html: string) => Promise<Body>,
): Promise<Body | null> {
  if (html === undefined) return null;
  const version = await read(html);
  const words = (written: string) => written.replace(/\s+/g, " ").trim();
  return version.hidden.length === 0 && words(version.text) === words(readBody(text).text) ? null : version;
}

/** The text of an HTML file, less what it hides from its reader. */
export async function readHtml(html: string): Promise<Body> {
  // With the converter, as mail without HTML does without it.
  const { seenText } = await import("../message/html/text.ts");
  const { text, hiddenChars } = seenText(html);
  const body = readBody(text);
  if (hiddenChars === null) body.hidden.push("Whether the HTML hides text cannot be told: it is too complex.");
  else if (hiddenChars > 0)
    body.hidden.push(`${hiddenChars} characters that the HTML hides from its reader were left out.`);
  return body;
}
