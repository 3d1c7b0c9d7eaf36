import { compile } from "html-to-text";
import { readCss } from "./css.ts";
import { isWithinLimits, NESTING_MAX, seenHtml, stylesIn } from "./seen.ts";
import { walkHtml } from "./walk.ts";

/** Behind this many characters HTML is not converted; large newsletters have about 100,000. */
export const HTML_CHARS_MAX = 128 * 1024;

const heading = { options: { uppercase: false } };
const options = {
  wordwrap: false,
  limits: { maxInputLength: HTML_CHARS_MAX, maxDepth: NESTING_MAX },
  // Mail programs show what stands outside of <body> and behind </html> too.
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
 * HTML as plain text: all its words, wherever they stand. Only the first 128 Ki characters are read. Markup with more
 * elements or nesting than the converter can take loses its tags and nothing else. Never throws.
 */
export function htmlToText(html: string): string {
  return converted(html.slice(0, HTML_CHARS_MAX), words);
}

/**
 * The same with all that some mail program shows: texts in place of pictures, fields of forms, and comments that Outlook
 * reads as HTML (`<!--[if mso]>`).
 */
export function shownText(html: string): string {
  return converted(html.slice(0, HTML_CHARS_MAX).replace(conditional, " "), everything);
}

/** Words that style sheets put before or behind elements (`content`), of the first 128 Ki characters of HTML. */
export function styledText(html: string): string[] {
  const head = html.slice(0, HTML_CHARS_MAX);
  if (!/content/i.test(head)) return [];
  const { texts } = readCss(stylesIn(head) ?? "");
  return texts.filter((text) => /[\p{L}\p{N}]/u.test(text));
}

/** Where a conditional comment begins or ends; the longest condition known has some 60 characters. */
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
  /** Characters of text that it hides from its reader, and that are not in `text`; null when that cannot be told. */
  hiddenChars: number | null;
}

/**
 * HTML as plain text, for messages without a text part, less what it hides from its reader: an agent should not be told
 * what no person would see. Where pictures are all there is, the texts in their place count. Otherwise as `htmlToText`.
 */
export function seenText(html: string): SeenText {
  const seen = seenHtml(html.slice(0, HTML_CHARS_MAX));
  return { text: htmlToText(seen.html) || converted(seen.html, everything), hiddenChars: seen.hiddenChars };
}

/** Elements that stay on the line that they stand in. */
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
