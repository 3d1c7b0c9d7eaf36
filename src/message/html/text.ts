import { compile } from "html-to-text";
import { readCss } from "./css.ts";
import { isWithinLimits, NESTING_MAX, seenHtml, stylesIn } from "./seen.ts";
import { walkHtml } from "./walk.ts";

/** HTML is converted up to this many characters; large newsletters have about 100,000. */
export const HTML_CHARS_MAX = 128 * 1024;

const heading = { options: { uppercase: false } };
const options = {
  wordwrap: false,
  limits: { maxInputLength: HTML_CHARS_MAX, maxDepth: NESTING_MAX },
  // Mail programs also show text outside <body> and after </html>.
  baseElements: { selectors: [], returnDomByDefault: true },
};
const line = { options: { leadingLineBreaks: 1, trailingLineBreaks: 1 } };
const selectors = [
  { selector: "title", format: "skip" },
  { selector: "a", options: { hideLinkHrefIfSameAsText: true, linkBrackets: ["<", ">"] } },
  ...["option", "textarea", "summary"].map((selector) => ({ selector, format: "block", ...line })),
  ...["h1", "h2", "h3", "h4", "h5", "h6"].map((selector) => ({ selector, ...heading })),
];
const words = compile({ ...options, selectors: [{ selector: "img", format: "skip" }, ...selectors] });
const everything = compile({
  ...options,
  formatters: {
    attributes: ({ attribs }, _walk, builder) => {
      const { alt, value, placeholder, type } = attribs;
      const shown = [alt, ...(type === "hidden" ? [] : [value, placeholder])].filter((one) => one?.trim());
      if (shown.length > 0) builder.addInline(` ${shown.join(" ")} `);
    },
  },
  selectors: [...["img", "area", "input"].map((selector) => ({ selector, format: "attributes" })), ...selectors],
});

/**
 * Converts HTML to plain text with all its words. Only the first 128 Ki characters are read. Markup with more elements
 * or nesting than the converter can take only loses its tags. Never throws.
 */
export function htmlToText(html: string): string {
  return converted(html.slice(0, HTML_CHARS_MAX), words);
}

/**
 * Like `htmlToText`, with everything that any mail program shows: alternative texts of pictures, form fields, and
 * comments that Outlook reads as HTML (`<!--[if mso]>`).
 */
export function shownText(html: string): string {
  return converted(html.slice(0, HTML_CHARS_MAX).replace(conditional, " "), everything);
}

/** Finds the words that style sheets put around elements (`content`), in the first 128 Ki characters of HTML. */
export function styledText(html: string): string[] {
  const head = html.slice(0, HTML_CHARS_MAX);
  if (!/content/i.test(head)) return [];
  const { texts } = readCss(stylesIn(head) ?? "");
  return texts.filter((text) => /[\p{L}\p{N}]/u.test(text));
}

/** The beginning or end of a conditional comment; the longest known condition has about 60 characters. */
const conditional = /<!(?:--)?\[(?:if[^\]<>]{0,200}|endif)\](?:--)?>(?:<!-->)?/gi;

function converted(html: string, convert: (html: string) => string): string {
  if (isWithinLimits(html)) {
    try {
      return convert(html).replace(/\n{3,}/g, "\n\n");
    } catch {
      // Falls through to the blunt way.
    }
  }
  return bluntText(html);
}

/** HTML as its reader sees it. */
export interface SeenText {
  text: string;
  /** Characters of text that the HTML hides from its reader and `text` leaves out; null if they cannot be counted. */
  hiddenChars: number | null;
}

/**
 * Converts HTML to plain text without what it hides from its reader, for messages without a text part: an agent must
 * not be told what a person would not see. If the HTML has only pictures, their alternative texts count. Otherwise like
 * `htmlToText`.
 */
export function seenText(html: string): SeenText {
  const seen = seenHtml(html.slice(0, HTML_CHARS_MAX));
  return { text: htmlToText(seen.html) || converted(seen.html, everything), hiddenChars: seen.hiddenChars };
}

/** Elements that do not begin a line. */
const inline = new Set(
  "a abbr acronym b bdi bdo big cite code em font i ins kbd mark q s samp small span strike strong sub sup tt u var wbr".split(
    " ",
  ),
);

/** The words between the tags, with a gap for each tag that may begin a line; code and titles are left out. */
function bluntText(html: string): string {
  const parts: string[] = [];
  let element = "";
  const add = (text: string) => {
    if (element !== "script" && element !== "style" && element !== "title") parts.push(text);
  };
  const gap = (name: string) => {
    if (!inline.has(name)) parts.push(" ");
  };
  walkHtml(html, {
    text: add,
    begin(name, _attributes, isSelfClosing) {
      element = isSelfClosing ? "" : name;
      gap(name);
    },
    end(name) {
      gap(name);
      element = "";
    },
    rest(source) {
      element = "";
      add(source);
    },
  });
  return parts
    .join("")
    .replace(/[ \t\r\n]+/g, " ")
    .trim();
}
