import { type Introduction, introductionsIn, plainLine, TELLTALE_CHARS_MAX } from "./introduction.ts";
import { QuotedHeaders } from "./quoted-header.ts";
import { isDashedTitle, isForwardSeparator, isOriginalSeparator, isReplyAboveLine, isRule } from "./separators.ts";
import { isSentFromLine, isSignatureSeparator, signatureAt } from "./signature.ts";
import { saysForward } from "./subject.ts";

/** `words` are the writer's own. Blank lines beside a quote go with it; those beside a signature stay. */
type Kind = "words" | "blank" | "quote" | "signature";

/** Words by which a writer says that answers stand below, in a quoted message without marks: one of each list. */
const pointing = /\b(?:see|find|read|comments?|answers?|replies|responses?|antworten?|siehe)\b/i;
const place = /\b(?:below|inline|in-line|underneath|unten)\b/i;
/** The same in one phrase. */
const inColour =
  /\bin (?:red|blue|green|bold|rot|blau|rosso|blu|rood)\b|\ben (?:rouge|bleu|rojo|azul)\b|ci-dessous|dans le texte|ver abajo|más abajo|vedi sotto|qui sotto|hieronder|poniżej|см\. ниже|\bse (?:nedan|nedenfor)\b/i;
/** Lines right above a quoted message in which those are looked for. */
const POINTING_LINES_MAX = 12;

/**
 * Extracts the new part of a plain text body: without the quoted message, its introduction and the signature, as far as
 * the habits of mail programs in some forty languages reveal them.
 *
 * What is forwarded is new to its reader and stays: all of the text if `subject` says so (`Fwd:`, `WG:`, `TR:` …), and
 * otherwise what follows a line such as `---------- Forwarded message ---------`. The writer's own words stay: quotes
 * that the writer announces, lists of `From:` and `To:`, and whatever is not clearly a program's.
 *
 * Lines of `text` end in LF. Time is linear in the text: each line is read alone, or with a few beside it.
 */
export function replyText(text: string, subject = ""): string {
  return kept(text, subject, ["words", "blank"]);
}

/** Like `replyText`, with signatures: all that is not a quoted message or its introduction. */
export function withoutQuotes(text: string, subject: string): string {
  return kept(text, subject, ["words", "blank", "signature"]);
}

function kept(text: string, subject: string, wanted: readonly Kind[]): string {
  // White space at the end of a line must not matter: a DKIM signature does not cover it (RFC 6376 3.4.4).
  const lines = collapseBlankLines(text.split("\n").map((line) => line.trimEnd()));
  const plain = lines.map((line) => plainLine(line).trimEnd());
  const isForward = saysForward(subject);
  if (isForward === true || (isForward === "perhaps" && !plain.some(isFinnish))) return lines.join("\n").trim();

  const { kinds, isCut } = kindsOf(plain);
  const runs: string[][] = [];
  let run: string[] = [];
  for (const [i, line] of lines.entries()) {
    const kind = kinds[i];
    if (wanted.includes(kind as Kind)) {
      if (kind !== "blank" || run.length > 0) run.push(line);
      continue;
    }
    if (kind === "quote") while (run.at(-1) === "") run.pop();
    if (run.length > 0) runs.push(run);
    run = [];
  }
  runs.push(run);
  const shown = runs.map((one) => one.join("\n")).join("\n");
  // Nothing but a signature above a message without marks: it is passed on.
  return shown.trim() === "" && isCut ? lines.join("\n").trim() : shown.trim();
}

/** `VS:` of a Finnish program answers. */
function isFinnish(line: string): boolean {
  return /^\*?Lähettäjä\*?:|kirjoitti:$/.test(line);
}

/** What each line is, and whether a quoted message without marks is cut. `lines` are plain. */
function kindsOf(lines: readonly string[]): { kinds: Kind[]; isCut: boolean } {
  const kinds = lines.map((line): Kind => (line === "" ? "blank" : /^ ?>/.test(line) ? "quote" : "words"));
  const introductions = introductionsIn(lines);
  const headers = new QuotedHeaders(lines);
  /** The first line that is kept whatever it looks like: it is forwarded, or the answers stand within it. */
  let keptFrom = lines.length;
  let firstQuoted = lines.length;
  /** Whether the writer's own words stand above; a telephone's line is none. */
  let hasWords = false;
  let isCut = false;
  const asQuote = (from: number, to: number) => {
    firstQuoted = Math.min(firstQuoted, from);
    for (let i = from; i < to; i++) if (kinds[i] !== "blank") kinds[i] = "quote";
  };
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] as string;
    if (kinds[i] === "blank") continue;
    if (kinds[i] === "quote") {
      const end = quoteEnd(kinds, i);
      if (firstQuoted > i && isForwardSeparator(line.replace(/^[ >]{1,20}/, ""))) {
        keptFrom = i;
        break;
      }
      if (firstQuoted > i && isOwnQuote(lines, kinds, i, end)) {
        kinds.fill("words", i, end);
        hasWords = true;
      } else firstQuoted = Math.min(firstQuoted, i);
      i = end - 1;
      continue;
    }
    if (isForwardSeparator(line)) {
      keptFrom = i;
      break;
    }
    const begin = quotedMessageAt(lines, introductions, headers, i);
    if (!begin) {
      hasWords ||= !isSentFromLine(line);
      continue;
    }
    const isMarked = /^ ?>/.test(lines[nextLine(lines, begin.end)] ?? "");
    if (isMarked) {
      asQuote(i, begin.end);
      i = begin.end - 1;
    } else if (begin.evidence === "weak") {
      hasWords = true;
      i = begin.end - 1;
    } else if (begin.evidence === "prompt" && !hasWords) {
      // A ticket system's own message begins with that line.
      asQuote(i, begin.end);
    } else if (!hasWords || isAnnounced(lines, i)) {
      keptFrom = i;
      break;
    } else {
      asQuote(i, lines.length);
      kinds.fill("quote", i);
      isCut = true;
      break;
    }
  }
  for (let i = keptFrom; i < lines.length; i++) kinds[i] = lines[i] === "" ? "blank" : "words";
  markSignatures(lines, kinds, keptFrom, firstQuoted);
  return { kinds, isCut };
}

/** Where the lines that begin a quoted message end, and how surely they do. */
interface Begin {
  end: number;
  evidence: Introduction["evidence"] | "prompt";
}

function quotedMessageAt(
  lines: readonly string[],
  introductions: ReadonlyMap<number, Introduction>,
  headers: QuotedHeaders,
  at: number,
): Begin | null {
  const line = lines[at] as string;
  const introduction = introductions.get(at);
  if (introduction) {
    const end = at + introduction.count;
    // Notes puts an introduction and a header above the quoted message.
    const header = headers.at(nextLine(lines, end), true);
    return { end: header ? nextLine(lines, end) + header.count : end, evidence: introduction.evidence };
  }
  if (isReplyAboveLine(line)) return { end: at + 1, evidence: "prompt" };
  const isSeparator = isOriginalSeparator(line);
  if (isSeparator || isRule(line) || isDashedTitle(line)) {
    // What belongs to the header below it; a rule alone is the writer's.
    const next = nextLine(lines, at + 1);
    const introduced = introductions.get(next);
    const header = headers.at(next, isSeparator || isRule(line));
    if (introduced && (isSeparator || introduced.evidence === "strong"))
      return { end: next + introduced.count, evidence: isSeparator ? "strong" : introduced.evidence };
    if (header && (isSeparator || header.evidence === "sure" || (next === at + 1 && isRule(line))))
      return { end: next + header.count, evidence: "strong" };
    // "--- Original message ---" alone may be the writer's heading.
    const isFollowed = headers.isField(next) || /^ ?>/.test(lines[next] ?? "");
    return isSeparator && isFollowed ? { end: at + 1, evidence: "strong" } : null;
  }
  const header = headers.at(at);
  if (!header) return null;
  // A list of addresses goes on; it is no header.
  if (header.evidence === "likely" && at > 0 && lines[at - 1] !== "" && !headers.isField(at - 1)) return null;
  return { end: at + header.count, evidence: "strong" };
}

/** Whether the writer announces what follows: with a colon, or by pointing at answers within it. */
function isAnnounced(lines: readonly string[], at: number): boolean {
  let i = at - 1;
  while (i >= 0 && lines[i] === "") i--;
  if (/[:：]$/.test(lines[i] ?? "")) return true;
  return lines.slice(Math.max(0, at - POINTING_LINES_MAX), at).some((line) => {
    const begin = line.slice(0, 2 * TELLTALE_CHARS_MAX);
    return (pointing.test(begin) && place.test(begin)) || inColour.test(begin);
  });
}

/**
 * Whether a quote is the writer's: no program introduced it, and the line above announces it, or it is the only one and
 * stands in the middle of a text.
 */
function isOwnQuote(lines: readonly string[], kinds: readonly Kind[], at: number, end: number): boolean {
  let above = at - 1;
  while (above >= 0 && lines[above] === "") above--;
  // ">50 would do." and ">= 3"
  if (end === at + 1 && /^>(?:=|[<>]{0,2}\p{Nd})/u.test(lines[at] as string)) return true;
  if (above < 0 || kinds[above] !== "words") return false;
  const announcing = lines[above] as string;
  if (/[:：]$/.test(announcing)) return true;
  // Below "Hi Bob," stands what Bob wrote.
  const below = lines[nextLine(lines, end)] ?? "";
  const isLast = below === "" || isSentFromLine(below) || isSignatureSeparator(below);
  return !isLast && !kinds.includes("quote", end) && !/[,，、]$/.test(announcing);
}

/** Lines that are looked at for a signature, at some microseconds each: nobody writes as many above one. */
const SIGNED_LINES_MAX = 20_000;

function markSignatures(lines: readonly string[], kinds: Kind[], end: number, firstQuoted: number): void {
  // Lines of dashes that come more than once above the quote are the writer's own.
  let separators = 0;
  for (let i = 0; i < Math.min(end, firstQuoted); i++) if (isSignatureSeparator(lines[i] as string)) separators++;
  let regionEnd = 0;
  for (let i = 0; i < Math.min(end, SIGNED_LINES_MAX); i++) {
    if (kinds[i] !== "words") continue;
    if (regionEnd <= i) {
      regionEnd = i;
      while (regionEnd < end && kinds[regionEnd] !== "quote") regionEnd++;
    }
    const line = lines[i] as string;
    if (isSentFromLine(line)) {
      kinds[i] = "signature";
      continue;
    }
    if (separators > 1 && isSignatureSeparator(line)) continue;
    const count = signatureAt(lines, i, regionEnd);
    for (let j = i; j < i + count; j++) kinds[j] = "signature";
    i += Math.max(0, count - 1);
  }
}

/** Where a quote of marked lines ends; blank lines within it belong to it. */
function quoteEnd(kinds: readonly Kind[], at: number): number {
  let end = at + 1;
  for (let i = end; i < kinds.length && kinds[i] !== "words"; i++) if (kinds[i] === "quote") end = i + 1;
  return end;
}

/** The next line from `at` on that is not blank. */
function nextLine(lines: readonly string[], at: number): number {
  let i = at;
  while (i < lines.length && lines[i] === "") i++;
  return i;
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
