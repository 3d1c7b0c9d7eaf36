import { Tokenizer } from "htmlparser2";

/** What a walk over HTML finds, in the order of the source. */
export interface HtmlHandlers {
  /** Text with its character references resolved, in any number of pieces; the content of style and script too. */
  text(part: string): void;
  /**
   * A start tag. Its name and those of its attributes are in lower case; values have their character references
   * resolved. If an attribute is repeated, the first one counts, as in browsers. `isSelfClosing`: written `<x/>`.
   */
  begin?(name: string, attributes: Map<string, string>, isSelfClosing: boolean): void;
  /** Each attribute, including repeated ones and those of a tag that the end of the text cuts off. */
  attribute?(name: string, value: string): void;
  end?(name: string): void;
  /** The content of a comment, a CDATA section, a processing instruction or a declaration. */
  comment?(content: string, kind: "comment" | "declaration"): void;
  /** The source left at the end: a tag that is cut off, or nothing. */
  rest?(source: string): void;
}

/** A tag of an element of raw text that is written as an empty one, up to its slash. */
const rawTextTag =
  /<(?:\/(?:style|script|title|textarea)|(?:style|script|title|textarea)(?:\s[^<>]{0,500})?)\/(?=[\s>])/gi;

/**
 * HTML, of the same length, that the tokenizer reads as browsers do: `<![CDATA[` is a comment up to the next `>`, `<!>`,
 * `<!->` and `</>` are nothing, `--!>` ends a comment (HTML standard 13.2.5.42, 13.2.5.53), a slash in `<style/>` and
 * `</style/>` means nothing, and pictures and formulas have no raw text that a tag of a text does not end.
 */
export function asBrowsersRead(html: string): string {
  const plain = html
    .replaceAll("<![CDATA[", "<!?CDATA[")
    .replaceAll("--!>", " -->")
    .replace(/<!(?=-?>)|<\/(?=>)/g, "<?")
    .replace(rawTextTag, (tag) => `${tag.slice(0, -1)} `);
  return /<(?:svg|math)/i.test(plain) ? withoutForeignRawText(plain) : plain;
}

const foreign = new Set(["svg", "math"]);
const rawText = new Set(["style", "script", "title", "textarea"]);
/** Start tags of a text, which end a picture or formula around them (HTML standard 13.2.6.5). */
const endsForeign = new Set(
  (
    "b big blockquote body br center code dd div dl dt em embed font h1 h2 h3 h4 h5 h6 head hr i img li listing menu meta " +
    "nobr ol p pre ruby s small span strong strike sub sup table tt u ul var"
  ).split(" "),
);
const anyTag = /<(\/?)([a-z][a-z\d]{0,20})(?=[\s/>])/gi;

/**
 * Turns raw text that begins inside `<svg>` or `<math>` into a comment that ends before the first tag of a text: there
 * such elements are ordinary ones, and what follows that tag is shown. In `<svg>`, a title holds HTML and is not shown.
 */
function withoutForeignRawText(html: string): string {
  const parts: string[] = [];
  let copied = 0;
  /** The open pictures and formulas. */
  const open: string[] = [];
  let raw: { name: string; at: number } | null = null;
  for (const { index, 1: slash = "", 2: written = "" } of html.matchAll(anyTag)) {
    const name = written.toLowerCase();
    const isEnd = slash !== "";
    if (raw && isEnd && name === raw.name) raw = null;
    else if (open.length > 0 && (isEnd ? name === "p" || name === "br" : endsForeign.has(name))) {
      if (raw) {
        const comment = `<?${html.slice(raw.at + 2, index - 1).replaceAll(">", "?")}>`;
        parts.push(html.slice(copied, raw.at), comment);
        copied = index;
      }
      raw = null;
      open.length = 0;
    } else if (raw) continue;
    else if (foreign.has(name)) {
      if (isEnd) open.pop();
      else open.push(name);
    } else if (rawText.has(name) && !isEnd && !(name === "title" && open.at(-1) === "svg")) raw = { name, at: index };
  }
  parts.push(html.slice(copied));
  return parts.join("");
}

/**
 * Walks over HTML as browsers tokenize it. Tags are not matched with each other, so nothing hides in nesting. Never
 * throws; time is linear in the length, whatever the input.
 */
export function walkHtml(html: string, handlers: HtmlHandlers): void {
  const source = asBrowsersRead(html);
  let name = "";
  let attributes = new Map<string, string>();
  let attribute = "";
  let value = "";
  /** Where the last finished part ends. */
  let done = 0;

  const begin = (end: number, isSelfClosing: boolean) => {
    done = end + 1;
    handlers.begin?.(name, attributes, isSelfClosing);
  };
  const comment = (start: number, end: number, offset = 0) => {
    done = end + 1;
    handlers.comment?.(source.slice(start, end - offset), "comment");
  };
  const tokenizer = new Tokenizer(
    { xmlMode: false, decodeEntities: true },
    {
      ontext(start, end) {
        done = end;
        handlers.text(source.slice(start, end));
      },
      ontextentity(codePoint, end) {
        done = end;
        handlers.text(String.fromCodePoint(codePoint));
      },
      onopentagname(start, end) {
        name = source.slice(start, end).toLowerCase();
        attributes = new Map();
      },
      onattribname(start, end) {
        attribute = source.slice(start, end).toLowerCase();
        value = "";
      },
      onattribdata(start, end) {
        value += source.slice(start, end);
      },
      onattribentity(codePoint) {
        value += String.fromCodePoint(codePoint);
      },
      onattribend() {
        if (!attributes.has(attribute)) attributes.set(attribute, value);
        handlers.attribute?.(attribute, value);
      },
      onopentagend: (end) => begin(end, false),
      onselfclosingtag: (end) => begin(end, true),
      onclosetag(start, end) {
        done = end + 1;
        handlers.end?.(source.slice(start, end).toLowerCase());
      },
      oncomment: comment,
      oncdata: comment,
      onprocessinginstruction: (start, end) => comment(start, end),
      ondeclaration(start, end) {
        done = end + 1;
        handlers.comment?.(source.slice(start, end), "declaration");
      },
      onend: () => handlers.rest?.(source.slice(done)),
    },
  );
  tokenizer.write(source);
  tokenizer.end();
}
