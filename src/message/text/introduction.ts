import { withoutEnds } from "./clean.ts";

/** Lines that introduce a quote are shorter. Longer lines are the writer's words. */
export const TELLTALE_CHARS_MAX = 200;
/** Programs that wrap at 76 characters may break an introduction over this many lines. */
const INTRODUCTION_LINES_MAX = 4;
/** Lines of one text that are looked at because they end like an introduction. Long threads and digests have hundreds. */
const CANDIDATES_MAX = 2_000;

/** How surely lines introduce a quoted message. */
export type Evidence =
  /** A person could have written them; they count if a quote follows. */
  | "weak"
  /** Date, time and address as only mail programs write them; what follows is the quoted message, marked or not. */
  | "strong";

/** "wrote" in the languages of mail programs, as a part of what introduces a quote. */
const wrote = new RegExp(
  [
    /\b(?:wrote|writes)\b|schrieb|a écrit|escribió|escribio|ha scritto|escreveu|schreef|geschreven|\bskrev\b|skrifaði/,
    /kirjoitti|\bpisze\b|napisał|napisana przez|napsala?\b|napsal\(a\)|napísala?\b|napísal\(a\)|napisao|napisala|piše|írta\b/,
    /a scris|va escriure|ha escrit|написал|написала|написа\b|написа:|написао|пишет|пише|έγραψε|yazdı|kirjutas|rašė|rakstīja/,
    /写道|寫道|写到|作成|のメッセージ|のメール|さんは書きました|が書きました|작성|쓴 글|님이/,
    /\b(?:quoting|citando|citation de|citerar|citat fra|cytowanie)\b|zitat von/,
    /כתב|מאת|كتب|كتابة|نوشت|लिखा|เขียน|đã viết|menulis|isinulat/,
  ]
    .map(({ source }) => source)
    .join("|"),
  "iu",
);

/** A person's sentence: programs do not say to whom a message was written. */
const wroteToUs =
  /\bwrote (?:to )?(?:us|me)\b|schrieb (?:uns|mir)\b|(?:nous|m['’]) ?a écrit|\b(?:me|nos) (?:escribió|escreveu)|\b(?:mi|ci) ha scritto|schreef (?:ons|mij|me)\b/i;

/** How mail programs begin an introduction, where another beginning is no date. */
const opener =
  /^(?:On|At|Am|Le|El|Il|In data|Em|No dia|Op|W dniu|Dnia|Den|Dne|Dňa|V|Vào|Pada|Noong|Στις|На|În|Pe|La|Missatge de|Wiadomość napisana|في|בתאריך|در|ในวันที่|在)[\s\u00a0,]/u;
/** A date, a time or a weekday begins the line: `01.11.2026 …`, `dom., 1 nov`, `su 1. marrask`. */
const dated = /^["(„«]?(?!(?:am|at|el|em|il|in|le|on|op|um|vom) )(?:\p{L}{1,12}[.,]{1,2} |\p{L}{2,4} )?\p{Nd}/u;

const bracketedAddress = /[<([]\s?(?:mailto:)?[^\s<>()@[\]]{1,64}@[^\s<>()@[\]]{1,253}\s?[>)\]]/;
const anyAddress = /[^\s<>()@]@[^\s<>()@]{1,253}\.[^\s<>()@]/;
const numericDate = /(?<!\p{Nd})\p{Nd}{1,4}(?:[./-]|\. )\p{Nd}{1,2}(?:[./-]|\. )\p{Nd}{2,4}(?!\p{Nd})/u;
/** Four digits of a year; years of the Buddhist era, and Arabic and Persian digits, too. */
const year = /(?<!\p{Nd})(?:(?:19|20|25)\d\d|(?!\d)\p{Nd}{4})(?!\p{Nd})/u;
const timeOfDay = /(?<![\p{Nd}:])\p{Nd}{1,2} ?[:.h時时点點시] ?\p{Nd}\p{Nd}(?!\p{Nd})/u;
const hasDigit = /\p{Nd}/u;
/** Invisible marks of direction, which programs put around names and addresses. */
const marks = /[\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g;

/**
 * The line as its reader sees it: without marks of direction, and with one plain space for each run of white space, which
 * a host on the way may lengthen without breaking a signature (RFC 6376 3.4.4).
 */
export function plainLine(line: string): string {
  return line.replace(marks, "").replace(/[ \t\u00a0\u202f\u3000]+/g, " ");
}

/** Whether a text names a day: a year or a date in numbers. */
export function hasDate(text: string): boolean {
  return year.test(text) || numericDate.test(text);
}

/** Whether a text names a time of day. Dates in numbers are not taken for one. */
export function hasTime(text: string): boolean {
  return timeOfDay.test(text.replace(numericDate, " "));
}

/** Whether a text has an address in brackets. */
export function hasBracketedAddress(text: string): boolean {
  return bracketedAddress.test(text);
}

/** Lines from `at` on that introduce a quote: how many, and how surely. */
export interface Introduction {
  at: number;
  count: number;
  evidence: Evidence;
}

/**
 * Finds the introductions of a text by their first line, in any language: each ends in a colon and names an address, a
 * date, or both. Programs break it over several lines. `lines` are plain; lines that begin with `>` or are empty end the
 * search, as does a long one. Below thousands of lines that end like an introduction, none is found.
 */
export function introductionsIn(lines: readonly string[]): Map<number, Introduction> {
  const found = new Map<number, Introduction>();
  let left = CANDIDATES_MAX;
  for (let i = 0; i < lines.length && left > 0; i++) {
    if (!mayEnd(lines[i] as string) || isApart(lines[i] as string)) continue;
    left--;
    const introduction = introductionEndingAt(lines, i);
    if (introduction) found.set(introduction.at, introduction);
  }
  return found;
}

/** The introduction that ends with line `last`, which may end one; null if it does not. */
function introductionEndingAt(lines: readonly string[], last: number): Introduction | null {
  const end = lines[last] as string;
  let joined = end;
  let found = evidenceOf(joined);
  let count = 1;
  // Words right above an introduction are not its beginning: the shortest that says all is it.
  const whole = found === "strong" && isBalanced(joined);
  if (!whole) {
    const begun = found !== null && isBalanced(joined);
    let longer = end;
    for (let more = 2; more <= INTRODUCTION_LINES_MAX; more++) {
      const above = lines[last - more + 1];
      if (above === undefined || isApart(above) || above.length > TELLTALE_CHARS_MAX) break;
      longer = `${above} ${longer}`;
      const joins = opener.test(above) || dated.test(above) || (!begun && /[<(]\s?$/.test(above));
      const evidence = joins && isBalanced(longer) ? evidenceOf(longer) : null;
      if (evidence === "strong" || (evidence && !begun && found === null)) {
        [joined, found, count] = [longer, evidence, more];
        break;
      }
    }
  }
  if (!found || !isBalanced(joined)) return null;
  // "On Sun, Nov 1," may stand alone above the rest.
  const above = lines[last - count];
  if (
    above !== undefined &&
    !opener.test(joined) &&
    opener.test(above) &&
    /\p{Nd}/u.test(above) &&
    !/[.!?:]$/.test(above)
  )
    if (above.length <= TELLTALE_CHARS_MAX && !isApart(above)) count++;
  return { at: last - count + 1, count, evidence: found };
}

/** Zoho writes no colon: `---- On Sun, 01 Nov 2026 10:12:00 +0100 Bot <bot@example.com> wrote ----`. */
function isDashed(line: string): boolean {
  return line.startsWith("---") && line.endsWith("---");
}

function mayEnd(line: string): boolean {
  if (line.length > TELLTALE_CHARS_MAX) return false;
  return (
    /[:：]["”»]?$/.test(withoutEnds(line, "-* \t")) ||
    line.endsWith(" ---") ||
    line.endsWith(" ----") ||
    isDashed(line.trim())
  );
}

/** Whether a line has nothing to do with an introduction above or below it. */
function isApart(line: string): boolean {
  return line === "" || /^ ?>/.test(line);
}

function evidenceOf(text: string): Evidence | null {
  const line = withoutEnds(text, "-* \t");
  const hasDashes = isDashed(text.trim());
  if (!hasDashes && !/[:：]["”»]?$/.test(line)) return null;
  const verb = wrote.test(line);
  if (verb && wroteToUs.test(line)) return null;
  const bracketed = bracketedAddress.test(line);
  const day = hasDate(line);
  const begins = dated.test(line) || opener.test(line);
  // Without a verb it may be a line of a log. Nor do programs begin in the middle of a sentence.
  const says = verb || (begins && hasTime(line) && / от /.test(line));
  if (bracketed && day && says && (begins || !/^\p{Ll}/u.test(line))) return "strong";
  const address = bracketed || anyAddress.test(line);
  if (address && verb && day && hasTime(line)) return "strong";
  // Notes: `-----Bot <bot@example.com> wrote: -----`
  if (bracketed && verb && hasDashes) return "strong";
  if (address && day && (begins || hasTime(line))) return "weak";
  // "The customer bob@example.com wrote:" is a person's sentence; "Bob <bob@example.com> writes:" is a program's.
  if (address) return verb && ((begins && hasDigit.test(line)) || isNameUpToAddress(line)) ? "weak" : null;
  // "On Monday, Bob wrote:", as people set programs to write it.
  if (verb && opener.test(line) && line.includes(",")) return "weak";
  return verb && day && (hasTime(line) || (begins && year.test(line) && !numericDate.test(line))) ? "weak" : null;
}

/** Whether nothing but a name, and words such as "On Fri" or "Zitat von", precedes the address of a line. */
function isNameUpToAddress(line: string): boolean {
  const words = line.slice(0, line.indexOf("@")).split(/\s+/).slice(0, -1);
  return words.every((word) => !/^\p{Ll}/u.test(word) || joining.has(word));
}
const joining = new Set(["von", "van", "de", "a", "di", "da", "by", "af", "av", "fra", "från", "bin", "der", "la"]);

/** Whether brackets around an address are not torn apart by a line end. */
function isBalanced(text: string): boolean {
  const close = text.indexOf(">");
  const open = text.indexOf("<");
  return close < 0 ? open < 0 || !/<\s?$/.test(text) : open >= 0 && open < close;
}
