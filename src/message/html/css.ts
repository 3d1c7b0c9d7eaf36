/** Style sheets of mail, read in one pass over their tokens (CSS Syntax 3). */
import { tokenTypes as T, tokenize } from "css-tree/tokenizer";
import { both, type Readers, readersOf } from "./css-conditions.ts";
import { withoutComments } from "./css-text.ts";

/** Characters of CSS read from one message, sheets and attributes together; large newsletters have 100,000. */
export const CSS_CHARS_MAX = 1024 * 1024;
/** Longer values are not read. Without white space, comments and URLs, no colour, length or keyword is as long. */
const VALUE_CHARS_MAX = 1_000;

/** Values by property, both lower-cased; of two for one property the later counts. `!important` is left out. */
export type Declarations = ReadonlyMap<string, string>;

export interface CssRule {
  /** As written, or with its parent's in `:is()` if it is nested; "" for the declarations of a style attribute. */
  selector: string;
  declarations: Declarations;
  /** Those with `!important`, which are among the declarations too. */
  important: Declarations;
  readers: Readers;
}

export interface ReadCss {
  /** Rules for elements, those inside other rules too. Rules for print are left out. */
  rules: CssRule[];
  /** Addresses that the CSS loads: `url()`, `src()`, `image-set()` and `@import`, escapes resolved. */
  urls: string[];
  /** Strings of `content`, which are shown before or after elements. */
  texts: string[];
  /** False if the CSS, or one of its values, is longer than its limit. */
  isWhole: boolean;
}

/** Functions whose strings are URLs (CSS Values 4.5, CSS Images 4). */
const urlFunctions = /(?:^|-)(?:url|src|image|image-set)$/;
/** Characters of the selectors of nested rules together, which repeat those of the rules around them. */
const NESTED_SELECTOR_CHARS_MAX = 128 * 1024;
const openers = new Map([
  [T.Function, T.RightParenthesis],
  [T.LeftParenthesis, T.RightParenthesis],
  [T.LeftSquareBracket, T.RightSquareBracket],
  [T.LeftCurlyBracket, T.RightCurlyBracket],
]);

export interface CssOptions {
  isAttribute?: boolean;
  /** The properties whose values are kept. */
  wanted?: ReadonlySet<string>;
  /** Whether browsers know a value. A declaration with another one says nothing, so that one before it counts. */
  isValid?(property: string, value: string): boolean;
}

/**
 * Reads a style sheet or the value of a style attribute. Never throws; time and memory are linear in the length.
 */
export function readCss(css: string, options: CssOptions = {}): ReadCss {
  const source = withPlainLetters(css.slice(0, CSS_CHARS_MAX));
  const found: ReadCss = { rules: [], urls: [], texts: [], isWhole: css.length <= CSS_CHARS_MAX };
  /** The open blocks: a rule whose declarations are kept, a group of rules, or something else. */
  const blocks: (OpenRule | { readers: Readers } | "other")[] = [];
  /** The tokens that close the open brackets in a selector or a value. While any is open, nothing else ends. */
  const brackets: number[] = [];
  /** Whether each open bracket belongs to a function whose strings are URLs. */
  const urlBrackets: boolean[] = [];
  /** Where the current selector, at-rule or declaration began; null before its first token. */
  let itemStart: number | null = null;
  let isAtRule = false;
  let isImport = false;
  /** The property whose value is being read; null before the colon. */
  let property: string | null = null;
  let name = "";
  let value = "";
  let nestedChars = 0;

  const endItem = () => {
    const block = blocks.at(-1);
    if (property && isRule(block) && options.wanted?.has(property)) {
      const text = value.replace(/ ?! ?important ?$/, "").trim();
      const isImportant = text.length < value.trim().length;
      if (text.length > VALUE_CHARS_MAX) found.isWhole = false;
      else if (options.isValid?.(property, text) ?? true) {
        if (isImportant || !block.important.has(property)) block.declarations.set(property, text);
        if (isImportant) block.important.set(property, text);
      }
    }
    itemStart = null;
    property = null;
    name = value = "";
    isAtRule = isImport = false;
  };
  const openRule = (selector: string, readers: Readers) => {
    const rule = { selector, readers, declarations: new Map<string, string>(), important: new Map<string, string>() };
    found.rules.push(rule);
    blocks.push(rule);
  };
  const openBlock = (start: number) => {
    const prelude = withoutComments(source.slice(itemStart ?? start, start)).trim();
    const around = blocks.at(-1) ?? { readers: "always" as const };
    property = null;
    endItem();
    if (around === "other" || options.isAttribute) blocks.push("other");
    else if (prelude.startsWith("@")) {
      const own = readersOf(prelude);
      const readers = own === null ? null : both(around.readers, own);
      if (readers === null || readers === "others") blocks.push("other");
      else if (isRule(around)) openRule(around.selector, readers);
      else blocks.push({ readers });
    } else {
      if (!isRule(around)) return openRule(prelude, around.readers);
      nestedChars += prelude.length + (prelude.match(/[&,]/g)?.length ?? 0) * around.selector.length;
      nestedChars += around.selector.length;
      if (nestedChars <= NESTED_SELECTOR_CHARS_MAX)
        return openRule(nestedSelector(prelude, around.selector), around.readers);
      found.isWhole = false;
      blocks.push("other");
    }
  };
  if (options.isAttribute) openRule("", "always");

  tokenize(source, (type, start, end) => {
    if (type === T.Comment || type === T.WhiteSpace) {
      if (value !== "" && !value.endsWith(" ")) value += " ";
      return;
    }
    if (type === T.CDO || type === T.CDC) return;
    const isFree = brackets.length === 0;
    if (isFree && type === T.LeftCurlyBracket) return openBlock(start);
    if (isFree && type === T.RightCurlyBracket && blocks.length > (options.isAttribute ? 1 : 0)) {
      endItem();
      blocks.pop();
      return;
    }
    const around = blocks.at(-1);
    const holdsDeclarations = around === "other" || isRule(around);
    if (isFree && type === T.Semicolon && (holdsDeclarations || isAtRule)) return endItem();

    if (type === brackets.at(-1)) {
      brackets.pop();
      urlBrackets.pop();
    } else {
      const closer = openers.get(type);
      if (closer !== undefined) {
        brackets.push(closer);
        urlBrackets.push(type === T.Function && urlFunctions.test(lower(source.slice(start, end - 1))));
      }
    }
    if (itemStart === null) {
      itemStart = start;
      isAtRule = type === T.AtKeyword;
      isImport = isAtRule && lower(source.slice(start, end)) === "@import";
      if (type === T.Ident && holdsDeclarations) name = lower(unescaped(source.slice(start, end)));
    } else if (property === null && isFree) {
      property = type === T.Colon && name !== "" ? name : "";
      if (type === T.Colon) return;
    }

    if (type === T.Url) found.urls.push(urlIn(source.slice(start, end)));
    else if (type === T.String && (isImport || urlBrackets.at(-1))) {
      found.urls.push(stringIn(source.slice(start, end)));
      isImport = false;
    } else if (type === T.String && property === "content") found.texts.push(stringIn(source.slice(start, end)));
    if (property && value.length <= VALUE_CHARS_MAX && options.wanted?.has(property))
      value += type === T.Url || type === T.BadUrl ? "url()" : lower(unescaped(source.slice(start, end)));
  });
  endItem();
  return found;
}

interface OpenRule extends CssRule {
  declarations: Map<string, string>;
  important: Map<string, string>;
}

function isRule(block: OpenRule | { readers: Readers } | "other" | undefined): block is OpenRule {
  return typeof block === "object" && "selector" in block;
}

/** The selector of a rule inside another (CSS Nesting 3). */
function nestedSelector(own: string, outer: string): string {
  const parent = `:is(${outer})`;
  return own
    .split(",")
    .map((one) => (one.includes("&") ? one.replaceAll("&", () => parent) : `${parent} ${one.trim()}`))
    .join(",");
}

/** What a style sheet may do where it is shown. */
export interface CssLimits {
  /** Whether it may load pictures. It must never load style sheets or fonts. */
  pictures: boolean;
}

const loadingRules = new Set(["@import", "@font-face", "@namespace", "@charset", "@layer"]);
/** Properties that reverse text, or run code in old browsers. */
const refusedProperties = new Set(["unicode-bidi", "behavior", "-moz-binding"]);
const loadingFunctions = /(?:^|-)(?:url|src|image|image-set|cross-fade|element|expression)$/;

/**
 * Rewrites a style sheet or the value of a style attribute so that it loads no sheets or fonts, loads pictures only if
 * they are allowed, and neither reverses text nor ends its element. Escapes are removed because they could hide any of
 * these. "" if it is longer than 1 MiB. Time is linear in the length.
 */
export function harmlessCss(css: string, { pictures }: CssLimits): string {
  if (css.length > CSS_CHARS_MAX) return "";
  const source = css.replace(/[\\<]/g, "");
  const written: string[] = [];
  tokenize(source, (type, start, end) => {
    const text = source.slice(start, end);
    const is = (names: ReadonlySet<string>) => names.has(text.toLowerCase());
    if (type === T.Comment) written.push(" ");
    else if (type === T.AtKeyword && is(loadingRules)) written.push("@ignored");
    else if (type === T.Ident && is(refusedProperties)) written.push("ignored");
    else if (type === T.BadUrl || (type === T.Url && !pictures)) written.push("ignored()");
    else if (type === T.Function && !pictures && loadingFunctions.test(text.slice(0, -1).toLowerCase()))
      written.push("ignored(");
    else written.push(text);
  });
  return written.join("");
}

function lower(text: string): string {
  return text.toLowerCase();
}

/**
 * Replaces escaped letters with plain ones, as browsers read them: the tokenizer recognises `url(` only in plain
 * letters. Other escapes stay.
 */
function withPlainLetters(css: string): string {
  if (!css.includes("\\")) return css;
  return css.replace(/\\(?:0{0,4}([46][1-9a-f]|[57][\da])(?![\da-f])[ \t\n\f]?|([g-z]))/gi, (_, hex: string, letter) =>
    letter === undefined ? String.fromCharCode(Number.parseInt(hex, 16)) : letter,
  );
}

/** Escapes resolved (CSS Syntax 4.3.7). */
export function unescaped(text: string): string {
  if (!text.includes("\\")) return text;
  return text.replace(/\\(?:([\da-f]{1,6})(?:\r\n|[ \t\n\f\r])?|(\r\n|[\s\S]))/gi, (_, hex: string, one: string) => {
    if (hex === undefined) return /^[\r\n\f]/.test(one) ? "" : one;
    const code = Number.parseInt(hex, 16);
    return code === 0 || code > 0x10ffff ? "\ufffd" : String.fromCodePoint(code);
  });
}

function stringIn(token: string): string {
  const quote = token[0] as string;
  return unescaped(token.slice(1, token.length > 1 && token.endsWith(quote) ? -1 : undefined));
}

function urlIn(token: string): string {
  return unescaped(token.slice("url(".length, token.endsWith(")") ? -1 : undefined).trim());
}
