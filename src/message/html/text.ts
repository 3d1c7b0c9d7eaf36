import { squeezed } from "../text/clean.ts";
import { HtmlBudget, type SeenText } from "./budget.ts";
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

/**
 * Converts HTML to plain text without what it hides from its reader, for messages without a text part: an agent must
 * not be told what a person would not see. Alternative texts of pictures count, because mail programs show them in
 * place of pictures that they do not load, unless the text says the same anyway. Otherwise like `htmlToText`.
 *
 * Where the width of gaps means nothing to a browser, each is read as one space, whatever it does to a limit: white space
 * that a host on the way adds (RFC 6376 3.4.4) changes nothing.
 * @param shown Whether only pictures have words besides the text, or fields too, and each time.
 * @param budget What it may cost: that of the other pieces of the message too. HTML that was read with it costs nothing
 * again.
 */
export function seenText(
  html: string,
  shown: "pictures" | "all" = "pictures",
  budget: HtmlBudget = new HtmlBudget(),
): SeenText {
  const source = hasWideGaps(html) ? html : squeezed(html.replaceAll("\r\n", "\n"));
  const key = `${shown} ${source}`;
  const seen = budget.known.get(key) ?? readSeen(source, shown, budget);
  budget.known.set(key, seen);
  return seen;
}

/**
 * Whether the width of gaps may mean something: in text that keeps them, or in an attribute that a selector compares.
 * Nowhere else does it: text folds them, and tags, lists of classes and styles are split at them. Line ends stay.
 */
function hasWideGaps(html: string): boolean {
  if (/<(?:pre|textarea|listing|xmp|plaintext)/i.test(html)) return true;
  if (/white-space(?!\s{0,9}:\s{0,9}(?:normal|nowrap|initial)\b)/i.test(html)) return true;
  return /<style/i.test(html) && /\[[^[\]]*=/.test(html);
}

function readSeen(html: string, shown: "pictures" | "all", budget: HtmlBudget): SeenText {
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
