import { readMarkup } from "../message/html/markup.ts";
import { compareWords } from "../message/html/same-words.ts";
import { seenText, styledText } from "../message/html/text.ts";

/** What a reviewer needs to know about the HTML of a mail in addition to its text. */
export interface BodyCompare {
  /** Whether it is certain that the HTML shows the same words, figures and signs as the text, in the same order. */
  isSame: boolean;
  /** Sentences of the server. */
  notes: string[];
}

/** Characters of HTML that are compared; large newsletters have about 100,000. */
const HTML_CHARS_MAX = 128 * 1024;
/** Characters of the text that are compared: more than the words of any HTML that is read. */
const TEXT_CHARS_MAX = 2 * HTML_CHARS_MAX;
/** Words and figures named in one note, and characters of each. */
const NAMED_MAX = 10;
const NAME_CHARS_MAX = 40;
/** Attributes whose values a mail program shows as words. */
const shownAttributes = new Set(["alt", "placeholder", "value", "label", "title"]);
/** Attributes that load a picture or other media. */
const pictureAttributes = new Set(["src", "srcset", "background", "poster", "data"]);
/** Elements that strike words out, move or reorder them, or show something other than text. */
const tellingElements =
  /<(s|strike|del|ins|bdo|sup|sub|select|svg|math|object|embed|iframe|video|audio|canvas|details|dialog|template|noscript|marquee|ruby|rp|meter|progress|tfoot|caption)(?=[\s/>])/gi;
/** Style properties that do not change how words read, or whose hiding values `seenText` detects. */
const plainProperties = new Set(
  (
    "background background-color border border-bottom border-collapse border-color border-left border-radius border-right " +
    "border-spacing border-style border-top border-width box-sizing color font font-family font-style font-variant " +
    "font-weight letter-spacing line-height margin margin-bottom margin-left margin-right margin-top max-width padding " +
    "padding-bottom padding-left padding-right padding-top text-align vertical-align width word-break word-wrap overflow-wrap"
  ).split(" "),
);
const plainDeclaration = /^(?:display\s*:\s*block|text-decoration\s*:\s*(?:none|underline))$/i;

/**
 * Compares the two bodies as their readers see them. They are the same only if the HTML has simple elements without any
 * style (`compareWords`). The notes say how the words differ, what is hidden, and what styles, pictures and attributes
 * may add or change. The words of every element count, inside `<body>` or not. Linear; never throws.
 */
export function compareBodies(whole: string, html: string): BodyCompare {
  const text = whole.slice(0, TEXT_CHARS_MAX);
  const notes: string[] = [];
  const head = html.slice(0, HTML_CHARS_MAX);
  const isWhole = head.length === html.length && text.length === whole.length;
  if (head.length < html.length)
    notes.push(`Only the first ${HTML_CHARS_MAX / 1024} Ki characters of the HTML were compared with the text.`);
  const { isSame, odd } = compareWords(text, head);
  const markup = readMarkup(head);
  const targets = new Set(markup.attributes.filter(({ name }) => name === "href").map(({ value }) => value.trim()));
  const inHtml = wordsOf(markup.text);
  const inText = wordsOf(text);
  // A text gives the target of a link after its words, and the numbers of items.
  const withoutTargets = text.replace(/<[^<>\s]{1,2000}>|\([^()\s]{1,2000}\)/g, (all) =>
    targets.has(all.slice(1, -1)) ? " " : all,
  );
  const isNumbered = /<ol(?=[\s>])/i.test(head);
  const isEqual = [text, withoutTargets]
    .flatMap((one) => (isNumbered ? [one, one.replace(/^[ \t>]*\d{1,3}\.(?=[ \t])/gm, " ")] : [one]))
    .some((one) => wordsOf(one).join(" ") === inHtml.join(" "));
  if (!isEqual && !isSame && text.trim() !== "") {
    const figures = differentFigures(inText, inHtml);
    notes.push(...(figures.length > 0 ? figures : ["The text and the HTML have different words."]));
  }

  const { hiddenChars, isUnsure } = seenText(head);
  if (hiddenChars === null || isUnsure) notes.push("The HTML is too complex to tell what it hides from readers.");
  if (hiddenChars !== null && hiddenChars > 0)
    notes.push(`The HTML hides ${hiddenChars} of its characters from readers.`);

  const known = new Set([...inText, ...inHtml]);
  const shown = markup.attributes.filter(({ name }) => shownAttributes.has(name)).map(({ value }) => value);
  const more = shown.filter((value) => wordsOf(value).some((word) => !known.has(word)));
  if (more.length > 0) notes.push(`The HTML shows more words in place of pictures and in fields: ${list(more)}.`);

  const pictures = markup.attributes.filter(({ name, value }) => pictureAttributes.has(name) && value !== "").length;
  if (pictures > 0)
    notes.push(
      `The HTML shows ${pictures === 1 ? "a picture" : `${pictures} pictures`}; text in pictures is not read.`,
    );
  const changes = isSame ? [] : changing(head, markup);
  const styled = styledText(head);
  if (styled.length > 0) notes.push(`Its style sheets add the words ${list(styled.map((words) => `“${words}”`))}.`);
  if (changes.length > 0) notes.push(`The HTML has markup that can change how its words read: ${list(changes)}.`);
  if (notes.length === 0 && !isSame && text.trim() !== "")
    notes.push(
      odd.length > 0
        ? `Read both: the HTML has more than simple formatting (${list(odd)}).`
        : "Read both: the text and the HTML differ in signs, punctuation or capital letters.",
    );
  return { isSame: isWhole && isSame && hiddenChars === 0 && !isUnsure, notes };
}

/** Words, figures with their signs, and symbols, in one form of each letter. */
function wordsOf(text: string): string[] {
  const folded = text
    .normalize("NFKC")
    .replace(/\p{Default_Ignorable_Code_Point}/gu, "")
    .replace(/[\u2010-\u2015\u2212]/g, "-")
    .toLowerCase();
  return (folded.match(/-?\p{N}[\p{N}.,:/]*|[\p{L}\p{M}\p{N}]+|[\p{Sc}\p{So}%]/gu) ?? []).map((word) =>
    word.replace(/(?<![.,:/])[.,:/]+$/, ""),
  );
}

function differentFigures(inText: readonly string[], inHtml: readonly string[]): string[] {
  const figures = (words: readonly string[]) => new Set(words.filter((word) => /\p{N}/u.test(word)));
  const [text, html] = [figures(inText), figures(inHtml)];
  const onlyText = [...text.difference(html)];
  const onlyHtml = [...html.difference(text)];
  return [
    ...(onlyText.length > 0 ? [`Only the text has the figures ${list(onlyText)}.`] : []),
    ...(onlyHtml.length > 0 ? [`Only the HTML has the figures ${list(onlyHtml)}.`] : []),
  ];
}

/** Elements, attributes and style properties that may change how words read. */
function changing(html: string, { attributes, code }: ReturnType<typeof readMarkup>): string[] {
  const found = new Set<string>();
  for (const [, name = ""] of html.matchAll(tellingElements)) found.add(`<${name.toLowerCase()}>`);
  if (code.trim() !== "") found.add("a style sheet or script");
  for (const { name, value } of attributes) {
    if (name === "dir" && !/^(?:ltr|auto)$/i.test(value)) found.add(name);
    if (name === "hidden" || name === "start" || name === "reversed") found.add(name);
    if (name !== "style") continue;
    for (const part of value.split(";")) {
      const property = part.slice(0, part.indexOf(":")).trim().toLowerCase();
      const isPlain = plainProperties.has(property) || plainDeclaration.test(part.trim());
      if (part.trim() !== "" && (!isPlain || /url|\\|\/\*/i.test(part)))
        found.add(property === "" ? "a style" : property);
    }
  }
  return [...found];
}

function list(items: readonly string[]): string {
  const named = items.slice(0, NAMED_MAX).map((item) => {
    const characters = [...item.replace(/\s+/g, " ").trim()];
    return characters.length <= NAME_CHARS_MAX
      ? characters.join("")
      : `${characters.slice(0, NAME_CHARS_MAX).join("")}…`;
  });
  return `${named.join(", ")}${items.length > NAMED_MAX ? ` and ${items.length - NAMED_MAX} more` : ""}`;
}
