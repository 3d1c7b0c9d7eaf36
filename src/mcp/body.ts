/** The texts of messages and files for a model: what a person would read, in portions. */
import { withoutUnseen } from "../message/text/visible.ts";

/** About 5,000 tokens. */
export const CHARS_DEFAULT = 20_000;

/** Which portion of a text to read. Without it, the first CHARS_DEFAULT characters. */
export interface AskedPart {
  offset?: number;
  max_chars?: number;
}

export interface Portion {
  text: string;
  /** Characters of the whole text. */
  totalChars: number;
  /** Where the next portion begins; null after the last. */
  nextOffset: number | null;
  /** What was left out of the whole text, one sentence each. */
  hidden: string[];
}

/**
 * Reads what strangers wrote, for a model. Texts can have megabytes, which takes seconds of processor time, so a server
 * reads them in another process.
 */
export interface TextReader {
  /** A portion of a message's text, and of its HTML if that says something else. */
  message(
    text: string,
    html: string | null,
    asked: { text: AskedPart; html: AskedPart },
  ): Promise<{ text: Portion; html: Portion | null }>;
  /** A portion of the text that a person would see in HTML. */
  html(html: string, asked: AskedPart): Promise<Portion>;
  /** A portion of a text file in UTF-8. */
  file(content: Uint8Array, isHtml: boolean, asked: AskedPart): Promise<Portion>;
}

/** Reads texts in this process. */
export const textReader: TextReader = {
  async message(text, html, asked) {
    const body = readText(text);
    const version = html === null ? null : await otherVersion(text, html);
    return { text: portionOf(body, asked.text), html: version && portionOf(version, asked.html) };
  },

  async html(html, asked) {
    return portionOf(await readHtml(html), asked);
  },

  async file(content, isHtml, asked) {
    const text = new TextDecoder().decode(content);
    return portionOf(isHtml ? await readHtml(text) : readText(text), asked);
  },
};

interface Body {
  text: string;
  hidden: string[];
}

/** Returns the text without invisible characters. Text that the HTML hides is not in a message's text anyway. */
function readText(text: string): Body {
  const { text: visible, unseen } = withoutUnseen(text);
  return {
    text: visible,
    hidden: unseen > 0 ? [`${unseen} invisible or direction-changing characters were left out.`] : [],
  };
}

/**
 * Returns the HTML version of a message as its reader sees it, which most mail programs show instead of the text. Null
 * if it is certain that it says the same.
 */
async function otherVersion(text: string, html: string): Promise<Body | null> {
  const { saysTheSame } = await import("../message/html/same-words.ts");
  return saysTheSame(text, html) ? null : readHtml(html, "all");
}

/** Returns the text of an HTML file, without what the HTML hides from its reader. */
async function readHtml(html: string, shown?: "all"): Promise<Body> {
  // Loaded with the converter only when needed: mail without HTML does without it.
  const { seenText } = await import("../message/html/text.ts");
  const { text, hiddenChars, isUnsure } = seenText(html, shown);
  const body = readText(text);
  if (hiddenChars === null || isUnsure) body.hidden.push("The HTML is too complex to tell whether it hides text.");
  if (hiddenChars !== null && hiddenChars > 0)
    body.hidden.push(`${hiddenChars} characters that the HTML hides from readers were left out.`);
  return body;
}

/** Returns a portion of a text. Never splits a character. */
function portionOf({ text, hidden }: Body, { offset = 0, max_chars = CHARS_DEFAULT }: AskedPart): Portion {
  const isInside = (at: number) => /[\udc00-\udfff]/.test(text[at] ?? "");
  const start = isInside(offset) ? offset + 1 : offset;
  const end = Math.min(text.length, start + max_chars);
  const whole = isInside(end) ? end + 1 : end;
  return {
    text: text.slice(start, whole),
    totalChars: text.length,
    nextOffset: whole < text.length ? whole : null,
    hidden,
  };
}
