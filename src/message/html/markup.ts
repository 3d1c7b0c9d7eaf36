import { withoutRawText } from "./foreign-content.ts";
import { walkHtml } from "./walk.ts";

/** An HTML body taken apart, with everything in it: what a reader sees, and what stays unseen. */
export interface Markup {
  /** The words. Elements that begin a line begin one here; other tags leave no gap. */
  text: string;
  /** The words with no gap at any tag: a word cut by tags is whole here. */
  glued: string;
  /** In order, names lower-cased, values with their character references resolved. A doctype is `!doctype`. */
  attributes: { name: string; value: string }[];
  /** Comments, which some mail programs read as HTML (`<!--[if mso]>`), and processing instructions. */
  comments: string[];
  /** The content of style and script elements. */
  code: string;
}

/** Elements with a line or a cell of their own, as browsers lay them out; unknown ones are inline. */
const blocks = new Set(
  (
    "address article aside blockquote body br button caption center dd details dialog dir div dl dt fieldset figcaption " +
    "figure footer form frame h1 h2 h3 h4 h5 h6 head header hr html iframe li main menu nav object ol optgroup option p " +
    "pre script search section select style summary table tbody td template textarea tfoot th thead title tr ul"
  ).split(" "),
);

/**
 * The ways in which programs read HTML: as browsers do, and, if pictures, formulas, frames or fields have markup that
 * browsers take for raw text, as markup too.
 */
export function markupReadings(html: string): Markup[] {
  const other = withoutRawText(html);
  const readings = other === null || wordsOf(other) === wordsOf(html) ? [html] : [html, other];
  return readings.map(readMarkup);
}

/** Everything between the tags. */
function wordsOf(html: string): string {
  const words: string[] = [];
  const add = (part: string) => words.push(part);
  walkHtml(html, { text: add, rest: add });
  return words.join("").replace(/\s+/g, "");
}

/**
 * Reads HTML as browsers do. Tags are not matched with each other, so nothing hides in nesting, and a tag that the end
 * of the text cuts off is text. Never throws; time is linear in the length, whatever the input.
 */
export function readMarkup(html: string): Markup {
  const text: string[] = [];
  const glued: string[] = [];
  const code: string[] = [];
  const attributes: Markup["attributes"] = [];
  const comments: string[] = [];
  let element = "";

  const words = (part: string) => {
    if (element === "style" || element === "script") code.push(part);
    else {
      text.push(part);
      glued.push(part);
    }
  };
  const tag = (tagName: string) => {
    if (blocks.has(tagName)) text.push("\n");
    if (element === "style" || element === "script") code.push("\n");
  };
  walkHtml(html, {
    text: words,
    attribute: (name, value) => attributes.push({ name, value }),
    begin(name, _attributes, isSelfClosing) {
      element = isSelfClosing ? "" : name;
      tag(name);
    },
    end(name) {
      tag(name);
      element = "";
    },
    comment(content, kind) {
      if (kind === "declaration" && /^doctype/i.test(content)) attributes.push({ name: "!doctype", value: content });
      else comments.push(content);
    },
    rest(source) {
      element = "";
      words(source);
    },
  });
  return { text: text.join(""), glued: glued.join(""), attributes, comments, code: code.join("") };
}
