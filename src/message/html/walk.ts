import { Tokenizer } from "htmlparser2";
import { asOrdinary, mayHaveOrdinary } from "./foreign-content.ts";

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
  /<(?:\/(?:style|script|title|textarea|xmp)|(?:style|script|title|textarea|xmp)(?:\s[^<>]{0,500})?)\/(?=[\s>])/gi;

/**
 * HTML that the tokenizer reads as browsers do: `<![CDATA[` is a comment up to the next `>`, `<!>`, `<!->` and `</>` are
 * nothing, `--!>` ends a comment (HTML standard 13.2.5.42, 13.2.5.53), a slash in `<style/>` and `</style/>` means
 * nothing, and pictures and formulas are as in `asOrdinary`. The same again makes no difference.
 */
export function asBrowsersRead(html: string): string {
  const source = mayHaveOrdinary(html) ? asOrdinary(html) : html;
  return source
    .replaceAll("<![CDATA[", "<!?CDATA[")
    .replaceAll("--!>", " -->")
    .replace(/<!(?=-?>)|<\/(?=>)/g, "<?")
    .replace(rawTextTag, (tag) => `${tag.slice(0, -1)} `);
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
  let hasAll = false;

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
        // The tokenizer passes on as text what it has of `<?`, `<!` or a tag that is cut off.
        if (hasAll && start > done) return;
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
      onend() {
        // What lacks its end is a comment up to the end of the text (HTML standard 13.2.5.41).
        const isComment = source.startsWith("<?", done) || source.startsWith("<!", done);
        if (isComment) comment(done + 2, source.length);
        handlers.rest?.(source.slice(done));
      },
    },
  );
  tokenizer.write(source);
  hasAll = true;
  tokenizer.end();
}
