import { HtmlBudget } from "./budget.ts";
import { readCss } from "./css.ts";
import { foldedWords, type RenderOptions, renderText } from "./render.ts";
import { seenHtml } from "./seen.ts";
import { stylesIn } from "./styles.ts";
import { walkHtml } from "./walk.ts";

/** Characters of HTML that are read, as many as the server keeps of a message. */
export const HTML_CHARS_MAX = 4 * 1024 * 1024;
/** Characters of text made from HTML. The server keeps half as many of a message. */
const TEXT_CHARS_MAX = 2 * 1024 * 1024;

/**
 * Converts HTML to plain text with all its words, up to 2 Mi characters. Pictures and fields have none. Only the first
 * 4 Mi characters of the HTML are read. Never throws; time is linear in the length.
 */
export function htmlToText(html: string): string {
  const { head, isWhole } = read(html);
  return renderText(head, { attributes: "none", charsMax: TEXT_CHARS_MAX, isWhole }).text;
}

/**
 * Like `htmlToText`, with everything that any mail program shows: alternative texts of pictures, form fields, and
 * comments that Outlook reads as HTML (`<!--[if mso]>`). Nothing is cut from the text.
 */
export function shownText(html: string): string {
  const { head, isWhole } = read(html);
  const everything = head.replace(conditional, " ");
  return renderText(everything, { attributes: "all", charsMax: Number.POSITIVE_INFINITY, isWhole }).text;
}

/** Finds the words that style sheets put around elements (`content`), in the first 4 Mi characters of HTML. */
export function styledText(html: string): string[] {
  const head = html.slice(0, HTML_CHARS_MAX);
  if (!/content/i.test(head)) return [];
  const { texts } = readCss(stylesIn(head));
  return texts.filter((text) => /[\p{L}\p{N}]/u.test(text));
}

/** The beginning or end of a conditional comment; the longest known condition has about 60 characters. */
const conditional = /<!(?:--)?\[(?:if[^\]<>]{0,200}|endif)\](?:--)?>(?:<!-->)?/gi;

/** HTML as its reader sees it. */
export interface SeenText {
  text: string;
  /** Characters of text that the HTML hides from its reader and `text` leaves out; null if they cannot be counted. */
  hiddenChars: number | null;
  /** Whether `text` has words of which only a browser can tell if a reader sees them. */
  isUnsure: boolean;
  /** Whether `text` lacks words because the HTML or its text is longer than the limits. */
  isCut: boolean;
}

/**
 * Converts HTML to plain text without what it hides from its reader, for messages without a text part: an agent must
 * not be told what a person would not see. Alternative texts of pictures count, because mail programs show them in
 * place of pictures that they do not load, unless the text says the same anyway. Otherwise like `htmlToText`.
 *
 * @param shown Whether only pictures have words besides the text, or fields too, and each time.
 * @param budget What it may cost: that of the other pieces of the message too.
 */
export function seenText(
  html: string,
  shown: "pictures" | "all" = "pictures",
  budget: HtmlBudget = new HtmlBudget(),
): SeenText {
  const { head, isWhole } = read(html);
  if (!budget.takeTags(head)) return { text: bareWords(head), hiddenChars: null, isUnsure: false, isCut: !isWhole };
  const seen = seenHtml(head, budget.seeing);
  const rendered = (attributes: RenderOptions["attributes"], known: ReadonlySet<string> = new Set()) =>
    renderText(seen.html, { attributes, known, charsMax: TEXT_CHARS_MAX, isWhole, work: budget.layout });
  const withPictures = () => {
    const plain = rendered("none");
    return /<img/i.test(seen.html) ? rendered("pictures", foldedWords(plain.text)) : plain;
  };
  const words = shown === "all" ? null : withPictures();
  // Of HTML without words, fields are better than nothing.
  const { text, isCut } = words === null || words.text === "" ? rendered("all") : words;
  return { text, hiddenChars: seen.hiddenChars, isUnsure: seen.isUnsure, isCut: isCut || !isWhole };
}

/** The words between the tags, with a gap for each tag; code and titles are left out. */
function bareWords(html: string): string {
  const parts: string[] = [];
  let element = "";
  const add = (text: string) => {
    if (!/^(?:script|style|title)$/.test(element)) parts.push(text);
  };
  walkHtml(html, {
    text: add,
    begin(name) {
      element = name;
      parts.push(" ");
    },
    end() {
      element = "";
      parts.push(" ");
    },
  });
  return parts
    .join("")
    .replace(/[ \t\r\n]+/g, " ")
    .trim();
}

function read(html: string): { head: string; isWhole: boolean } {
  return { head: html.slice(0, HTML_CHARS_MAX), isWhole: html.length <= HTML_CHARS_MAX };
}
