/** The text of a message for a model: what a person would read. */
import { withoutUnseen } from "../message/text/visible.ts";

export interface Body {
  text: string;
  /** What was left out of the text, one sentence each. */
  hidden: string[];
}

/** Returns the text without invisible characters. Text that the HTML hides is not in a message's text anyway. */
export function readBody(text: string): Body {
  const { text: visible, unseen } = withoutUnseen(text);
  return {
    text: visible,
    hidden: unseen > 0 ? [`${unseen} invisible or direction-changing characters were left out.`] : [],
  };
}

/**
 * Returns the HTML version of a message as its reader sees it, which most mail programs show instead of the text. Null
 * if there is none, or if it says the same and hides nothing.
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

/** Returns the text of an HTML file, without what the HTML hides from its reader. */
export async function readHtml(html: string): Promise<Body> {
  // Loaded with the converter only when needed: mail without HTML does without it.
  const { seenText } = await import("../message/html/text.ts");
  const { text, hiddenChars } = seenText(html);
  const body = readBody(text);
  if (hiddenChars === null) body.hidden.push("The HTML is too complex to tell whether it hides text.");
  else if (hiddenChars > 0)
    body.hidden.push(`${hiddenChars} characters that the HTML hides from readers were left out.`);
  return body;
}
