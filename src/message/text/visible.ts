/** Scripts whose words need ZWNJ and ZWJ (Unicode 23.2): between their letters, the joiners stay. */
const joining =
  "\\p{Script=Arabic}\\p{Script=Syriac}\\p{Script=Devanagari}\\p{Script=Bengali}\\p{Script=Gujarati}\\p{Script=Gurmukhi}\\p{Script=Kannada}\\p{Script=Malayalam}\\p{Script=Oriya}\\p{Script=Sinhala}\\p{Script=Tamil}\\p{Script=Telugu}\\p{Script=Mongolian}";

/**
 * Characters that are invisible or move others: controls, format and bidi characters, line separators, blank letters,
 * lone surrogates, and every mark after the sixth on one letter. Emoji keep their joiners and selectors.
 */
const oneUnseen = [
  "[\\p{Cc}\\p{Cs}\\u2028\\u2029\\u2800]",
  "(?<!\\p{Extended_Pictographic}\\p{Emoji_Modifier}?\\ufe0f?)\\u200d",
  "\\u200d(?!\\p{Extended_Pictographic})",
  "(?<![\\p{Extended_Pictographic}0-9#*])\\ufe0f",
  "(?![\\u200d\\ufe0f])[\\p{Cf}\\p{Default_Ignorable_Code_Point}]",
  "(?<=\\p{M}{6})\\p{M}",
].join("|");
const unseen = new RegExp(`(${oneUnseen})\\1*`, "gu");
const anyUnseen = new RegExp(`(?![\\n\\t])(?:${oneUnseen})`, "gu");
/** Looks for the joiner first and then for at most six marks before it, so that a flood of marks costs nothing. */
const joined = new RegExp(`[\\u200c\\u200d](?=[${joining}])(?<=[${joining}]\\p{M}{0,6}[\\u200c\\u200d])`, "gu");

/** Up to this many of one character in a row are written out one by one. */
const RUN_MAX = 3;

/** Noncharacters that replace the joiners of those scripts while the rest is marked. Text has no use for them. */
const kept = { "\u200c": "\ufdd0", "\u200d": "\ufdd1" } as const;
const noncharacters = /[\ufdd0\ufdd1]/g;

/**
 * Makes everything hidden in a text visible: each invisible, direction-changing or control character is written as its
 * code point, `⟨U+202E⟩`, and a run of them with its length, `⟨U+202E⟩×5`. Lines end in LF; tabs stay.
 */
export function visibleText(text: string): string {
  return replaceUnseen(text, codePoints);
}

/** Removes the characters that `visibleText` writes out; `unseen` is their number. */
export function withoutUnseen(text: string): { text: string; unseen: number } {
  const whole = withLineFeeds(text);
  // One replacement by nothing is several times as fast as a call for each run.
  const rest = keepJoiners(whole.replace(noncharacters, "")).replace(anyUnseen, "");
  const unseen = rest.length === whole.length ? 0 : charactersIn(whole) - charactersIn(rest);
  return { text: returnJoiners(rest), unseen };
}

/** Code points; a surrogate without its other half counts as one. */
function charactersIn(text: string): number {
  let count = text.length;
  for (let i = 1; i < text.length; i++)
    if ((text.charCodeAt(i) & 0xfc00) === 0xdc00 && (text.charCodeAt(i - 1) & 0xfc00) === 0xd800) count--;
  return count;
}

/** Calls `replace` with each run of one invisible character, and with that character. */
function replaceUnseen(text: string, replace: (run: string, mark: string) => string): string {
  const marked = keepJoiners(withLineFeeds(text).replace(noncharacters, (mark) => replace(mark, mark)));
  return returnJoiners(
    marked.replace(unseen, (run: string, mark: string) => (mark === "\n" || mark === "\t" ? run : replace(run, mark))),
  );
}

function withLineFeeds(text: string): string {
  return text.replace(/\r\n?/g, "\n");
}

function keepJoiners(text: string): string {
  return text.replace(joined, (mark) => kept[mark as keyof typeof kept]);
}

function returnJoiners(text: string): string {
  return text.replace(/\ufdd0/g, "\u200c").replace(/\ufdd1/g, "\u200d");
}

/** Like `visibleText`, on one line: line ends and tabs are written out too. */
export function visibleLine(text: string): string {
  return visibleText(text).replace(/[\n\t]/g, codePoint);
}

/** A long run is counted, so that a million of them does not push the rest out of sight. */
function codePoints(run: string, mark: string): string {
  const count = run.length / mark.length;
  return count <= RUN_MAX ? codePoint(mark).repeat(count) : `${codePoint(mark)}×${count}`;
}

function codePoint(mark: string): string {
  return `⟨U+${(mark.codePointAt(0) as number).toString(16).toUpperCase().padStart(4, "0")}⟩`;
}
