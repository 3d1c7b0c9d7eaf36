import { withoutEnds } from "./clean.ts";

/** Lines that introduce a quote or end a letter are shorter. Longer lines are the writer's words. */
const TELLTALE_CHARS_MAX = 200;
/** Programs that wrap at 76 characters may break an introduction over this many lines. */
const INTRODUCTION_LINES_MAX = 3;

/** How mail programs introduce a quoted message, by language: how the line begins, what it contains, how it ends. */
const introductions: { begins?: string[]; pattern?: RegExp; has?: string[]; ends: string[] }[] = [
  { begins: ["On "], ends: ["wrote:", "wrote :"] },
  { has: [" on ", "at"], ends: ["wrote:"] },
  { begins: ["Le "], ends: ["écrit:", "écrit :", "écrit\u00a0:", "écrit\u202f:"] },
  { begins: ["El "], ends: ["escribió:"] },
  { begins: ["Il ", "In data "], ends: ["scritto:"] },
  { begins: ["Em "], ends: ["escreveu:"] },
  { begins: ["Am "], has: ["schrieb "], ends: [":"] },
  { has: ["<"], ends: ["schrieb:"] },
  { begins: ["Op "], has: ["schreef "], ends: [":"] },
  { begins: ["W dniu ", "Dnia "], ends: ["pisze:", "napisał:", "napisał(a):", "napisała:"] },
  { begins: ["Den "], has: ["skrev "], ends: [":"] },
  { pattern: /^[a-zæøå]{3,4}\. /, has: ["skrev "], ends: [":"] },
  { pattern: /^(?:ma|ti|ke|to|pe|la|su) /, ends: ["kirjoitti:"] },
  { pattern: /^(?:пн|вт|ср|чт|пт|сб|вс), /, has: [" г.", "<"], ends: [">:"] },
  { has: ["<", " tarihinde "], ends: ["yazdı:"] },
  { begins: ["在"], ends: ["写道：", "写道:"] },
  { has: ["<", "于"], ends: ["写道：", "写道:"] },
  { pattern: /^20\d\d\./, ends: ["작성:"] },
  { pattern: /^20\d\d\//, ends: ["のメッセージ:"] },
  // A date, a name and an address.
  { pattern: /^20\d\d(?:-\d\d|年)/, has: ["<", "@"], ends: [">:"] },
  { pattern: /^\d\d.\d\d.20\d\d/, has: ["<", "@"], ends: [">:", "> :"] },
  { pattern: /^\d\d:\d\d/, has: ["<", "@", "20"], ends: [">:", "> :"] },
  { has: ["20", " from ", "<", "@"], ends: [">:"] },
];

/** The first field of the header that mail programs put above a quoted message; an address in brackets follows. */
const fromField =
  /^\s{0,8}\*?(?:From|Von|De|Van|Da|Från|Fra|Lähettäjä|Od|От|Kimden|发件人|寄件者|差出人|보낸 사람)\*? ?[:：]/;
/** `-----Original Message-----` in the languages of mail programs. */
const originalMessage =
  /^-{1,12} ?(?:original message|oprindelig besked|message d'origine|ursprüngliche nachricht) ?-{0,12}$/;

/** Lines that end a letter: they have one of these beginnings, or are exactly one of these closings. */
const signatureBeginnings = [
  ...["Sent from ", "Get Outlook for ", "Sendt fra ", "Envoyé depuis ", "Envoyé de mon ", "Envoyé à partir de "],
  ...["Télécharger Outlook pour ", "Enviado desde ", "Verzonden vanaf ", "Verstuurd vanaf "],
];
const closing = new RegExp(
  `^(?:${[
    /(?:cheers|best wishes|bien . vous),?!?/,
    /(?:\w{1,20} )?(?:and )?regards,?!?！?/,
    /(?:\w{1,20} )?cordialement,?!?/,
    /bonne (?:journ.e|soir.e)!?/,
  ]
    .map(({ source }) => source)
    .join("|")})$`,
);
const separator = /^\s{0,8}(?:-{2,4}|_{2,4}|\+{2,4}|={2,4}|_{32})$/;
const postscript = /^P\.? ?S\b/i;

/** `words` are the writer's own; the other kinds may hide the lines around them. */
type Kind = "words" | "blank" | "quote" | "introduction" | "signature" | "postscript";

interface Line {
  text: string;
  kind: Kind;
}

/** Lines that are shown or left out together, from the last to the first. */
interface Fragment {
  lines: Line[];
  isQuoted: boolean;
  isSignature: boolean;
}

/**
 * Extracts the new part of a plain text body: without the quoted message, its introduction and the signature, as far as
 * the habits of mail programs reveal them. Lines of `text` end in LF. Time is linear in the text: each line is read
 * alone, or with the two after it.
 */
export function replyText(text: string): string {
  // White space at the end of a line must not matter: a DKIM signature does not cover it (RFC 6376 3.4.4).
  const lines = classified(collapseBlankLines(text.split("\n").map((line) => line.trimEnd())));
  const visible: string[][] = [];
  let fragment = null as Fragment | null;
  const close = () => {
    if (
      fragment &&
      !fragment.isQuoted &&
      !fragment.isSignature &&
      fragment.lines.some(({ kind }) => kind !== "blank")
    ) {
      const shown = fragment.lines.reverse().map((line) => line.text);
      visible.push(shown[0] === "" ? shown.slice(1) : shown);
    }
    fragment = null;
  };
  // From the end: only the lines below an introduction say whether it introduces a quote.
  for (const line of lines.reverse()) {
    const below = fragment?.lines.at(-1)?.kind;
    if (fragment && below === "signature") {
      fragment.isSignature = true;
      close();
    } else if (fragment && below === "introduction" && line.kind === "blank") {
      fragment.isQuoted = true;
      close();
    } else if (below === "postscript") close();
    const isQuote = line.kind === "quote";
    const goesOn =
      fragment?.isQuoted === isQuote || (fragment?.isQuoted && ["introduction", "blank"].includes(line.kind));
    if (!goesOn) close();
    fragment ??= { lines: [], isQuoted: isQuote, isSignature: false };
    fragment.lines.push(line);
  }
  close();
  return visible
    .reverse()
    .map((one) => one.join("\n"))
    .join("\n")
    .trim();
}

/** The kind of each line. An introduction over several lines becomes one line. */
function classified(texts: string[]): Line[] {
  const lines: Line[] = [];
  for (let i = 0; i < texts.length; i++) {
    const text = texts[i] as string;
    const joined = introductionAt(texts, i);
    if (joined > 0) {
      lines.push({ text: texts.slice(i, i + joined).join("\n"), kind: "introduction" });
      i += joined - 1;
    } else lines.push({ text, kind: kindOf(text) });
  }
  // Lines of dashes that come more than once above the quote are the writer's own.
  const end = lines.findIndex(({ kind }) => kind === "introduction");
  const separators = (end < 0 ? lines : lines.slice(0, end)).filter((line) => separator.test(line.text));
  if (separators.length > 1) for (const line of separators) line.kind = "words";
  // Postscripts below the introduction belong to the quoted message.
  if (end >= 0) for (const line of lines.slice(end)) if (line.kind === "postscript") line.kind = "words";
  return lines;
}

function kindOf(text: string): Kind {
  if (text === "") return "blank";
  if (text.startsWith(">") || text.startsWith(" >")) return "quote";
  if (text.length > TELLTALE_CHARS_MAX) return "words";
  if (postscript.test(text)) return "postscript";
  return separator.test(text) || isSignature(text) ? "signature" : "words";
}

function isSignature(text: string): boolean {
  const trimmed = text.trimEnd();
  if (closing.test(trimmed.toLowerCase())) return true;
  if (trimmed.startsWith("Von ") && trimmed.endsWith(" gesendet")) return true;
  if (trimmed.startsWith("Gesendet von ") && trimmed.includes(" für ")) return true;
  // "Sent from our warehouse on Monday." is a sentence.
  return signatureBeginnings.some((one) => trimmed.startsWith(one)) && !trimmed.endsWith(".");
}

/** How many lines from `at` on introduce a quote; 0 if they do not. */
function introductionAt(texts: string[], at: number, looksBelow = true): number {
  const first = texts[at] as string;
  if (first === "" || first.startsWith(">") || first.length > TELLTALE_CHARS_MAX) return 0;
  if (isFrom(first) || originalMessage.test(first.trimEnd().toLowerCase())) return 1;
  // A rule right above the header of a quoted message belongs to that header.
  if (/^[-_=*]{5,80}$/.test(first.trimEnd()) && isFrom(texts[at + 1] ?? "")) return 2;
  let joined = first;
  for (let count = 1; count <= INTRODUCTION_LINES_MAX; count++) {
    const rule = introductionIn(joined);
    // Words right above an introduction are not its beginning.
    if (rule) {
      const isBelow = looksBelow && count > 1 && !rule.isAnchored && introductionAt(texts, at + 1, false) > 0;
      return isBelow ? 0 : count;
    }
    const line = texts[at + count] ?? "";
    if (line === "" || line.startsWith(">") || line.length > TELLTALE_CHARS_MAX) return 0;
    joined += ` ${line}`;
  }
  return 0;
}

function isFrom(line: string): boolean {
  return line.length <= TELLTALE_CHARS_MAX && fromField.test(line) && /[<[]/.test(line) && /[>\]]\s{0,8}$/.test(line);
}

/** Whether an introduction is recognised by its beginning (`isAnchored`); null if the line is not an introduction. */
function introductionIn(text: string): { isAnchored: boolean } | null {
  const line = withoutEnds(text, "- \t\u00a0");
  if (!line.endsWith(":") && !line.endsWith("：")) return null;
  const rule = introductions.find(
    ({ begins, pattern, has = [], ends }) =>
      ends.some((one) => line.endsWith(one)) &&
      (begins === undefined || begins.some((one) => line.startsWith(one))) &&
      (pattern === undefined || pattern.test(line)) &&
      has.every((one) => line.includes(one)),
  );
  return rule ? { isAnchored: rule.begins !== undefined || rule.pattern !== undefined } : null;
}

/** Collapses each run of blank lines into one empty line. */
function collapseBlankLines(lines: string[]): string[] {
  const kept: string[] = [];
  for (const line of lines) {
    const blank = line.trim() === "";
    if (blank && kept.at(-1) === "") continue;
    kept.push(blank ? "" : line);
  }
  return kept;
}
