import { cssText } from "../message/html/css-text.ts";
import { type Markup, markupReadings } from "../message/html/markup.ts";
import type { OutgoingText } from "./attached-text.ts";
import { decodings } from "./decodings.ts";
import { secretKinds } from "./secrets.ts";

/** Patterns per agent, characters per pattern, and `*` per pattern. Together they bound the time of a search. */
export const PATTERNS_MAX = 50;
const PATTERN_CHARS_MAX = 200;
const STARS_MAX = 8;
/** How many characters of one line a `*` may stand for: about three lines of plain text. */
const GAP_CHARS_MAX = 200;
/** The pattern that means `secretKinds`. */
const secretsPattern = "secrets";

/**
 * Work of one search, in characters passed once: about a second of processor time. An address book of half a megabyte in
 * an old charset takes less.
 */
const WORK_MAX = 56 * 1024 * 1024;
/** Passes over a text: one to read it, and these if secrets or patterns are sought. */
const SECRETS_PASSES = 1.5;
const LINES_PASSES = 1;
/** Passes for each piece of a pattern, and characters passed for each of its occurrences. */
const PIECE_PASSES = 1 / 32;
const OCCURRENCE_CHARS = 2;

/** What was found: kinds of secrets as a sentence names them, patterns as they were given, and the places of both. */
export interface Found {
  secrets: string[];
  patterns: string[];
  places: string[];
  /** Places that were not searched, or not for everything, because the search had become too long. */
  unsearched: string[];
}

/** What is left of WORK_MAX. */
interface Work {
  left: number;
}

/**
 * Checks that the text is a pattern: `secrets`, or words with `*` for up to 200 characters of one line, in total 1 to
 * 200 characters with at most 8 `*`. Null if it is; otherwise `problem` is the rest of a sentence that begins with the
 * field's name.
 */
export function readPattern(text: string): { problem: string } | null {
  if (text.length > PATTERN_CHARS_MAX) return { problem: `is longer than ${PATTERN_CHARS_MAX} characters` };
  if (/[\p{Cc}\u2028\u2029]/u.test(text)) return { problem: "has a control character or a line break" };
  if (piecesOf(text).length === 0) return { problem: "has nothing to look for" };
  if (shown(text).split("*").length - 1 > STARS_MAX) return { problem: `has more than ${STARS_MAX} *` };
  return null;
}

/**
 * Searches the texts of a message for the patterns, both what a reader sees and what stays unseen: markup includes its
 * attributes and comments. Case, invisible characters, compatibility forms (Unicode NFKC), tags inside words, the kind
 * of white space, and the encodings of decodings.ts make no difference. Pure; linear in the length of the texts, and
 * ends at WORK_MAX, which texts that can be read in many ways and many patterns reach sooner.
 */
export function findPatterns(patterns: readonly string[], texts: readonly OutgoingText[]): Found {
  const isSecrets = (pattern: string) => pattern.trim().toLowerCase() === secretsPattern;
  const wanted = patterns.filter((pattern) => !isSecrets(pattern));
  const wantsSecrets = wanted.length < patterns.length;
  const secrets = new Set<string>();
  const matched = new Set<string>();
  const places = new Set<string>();
  const unsearched = new Set<string>();
  const work: Work = { left: WORK_MAX };
  const passes = 1 + (wantsSecrets ? SECRETS_PASSES : 0) + (wanted.length > 0 ? LINES_PASSES : 0);
  for (const searched of texts) {
    const { readings, glued } = work.left > 0 ? readingsOf(searched) : { readings: [], glued: [] };
    for (const reading of [...readings, ...glued]) work.left -= passes * reading.length;
    if (work.left <= 0) {
      unsearched.add(searched.where);
      continue;
    }
    const kinds = wantsSecrets ? [...readings, ...glued].flatMap(secretKinds) : [];
    const [lines, gluedLines] = wanted.length > 0 ? [readings.map(linesOf), glued.map(linesOf)] : [[], []];
    const hits = wanted.filter(
      (pattern) =>
        lines.some((reading) => matches(pattern, reading, work)) ||
        (survivesGlue(pattern) && gluedLines.some((reading) => matches(pattern, reading, work))),
    );
    for (const kind of kinds) secrets.add(kind);
    for (const hit of hits) matched.add(hit);
    if (kinds.length > 0 || hits.length > 0) places.add(searched.where);
    if (work.left <= 0) unsearched.add(searched.where);
  }
  return {
    secrets: [...secrets],
    patterns: wanted.filter((one) => matched.has(one)),
    places: [...places],
    unsearched: [...unsearched],
  };
}

/** Characters of a word that two words running together hardly make by chance. */
const GLUED_CHARS_MIN = 5;

/**
 * Whether a pattern is also looked for where words run together: many a tag that usually begins a line can be made not
 * to (`display: inline`, an end tag without its element). With a `*`, it would reach into other lines.
 */
function survivesGlue(pattern: string): boolean {
  const [only = "", ...others] = piecesOf(pattern);
  return others.length === 0 && only.length >= GLUED_CHARS_MIN;
}

/** In `glued` words run together; tokens and single words survive that, and sentences do not. */
function readingsOf({ text, form }: OutgoingText): { readings: string[]; glued: string[] } {
  if (form !== "html") return { readings: readingsOfText([text]), glued: [] };
  const found = markupReadings(text).map(readingsOfMarkup);
  return { readings: found.flatMap(({ readings }) => readings), glued: found.flatMap(({ glued }) => glued) };
}

function readingsOfMarkup(markup: Markup): { readings: string[]; glued: string[] } {
  const styles = markup.attributes.flatMap(({ name, value }) => (name === "style" ? [cssText(value)] : []));
  const attributes = markup.attributes.map(({ value }) => value);
  const unseen = [...attributes, ...styles, ...markup.comments, markup.code, cssText(markup.code)];
  return { readings: readingsOfText([markup.text, unseen.join("\n")]), glued: readingsOfText([markup.glued]) };
}

function readingsOfText(texts: readonly string[]): string[] {
  const plain = texts.map(shown);
  return [...new Set([...plain, ...plain.flatMap((text) => decodings(text).map(shown))])].filter((text) => text !== "");
}

/** NFKC turns U+FDFA into eighteen characters: a body full of it would outgrow any bound. No other grows as much. */
const swelling = /[\ufdfa\ufdfb]/g;

/** The text as a reader sees it: nothing invisible, one form of each letter, one kind of hyphen, LF line ends. */
function shown(text: string): string {
  if (/^[\t\n\x20-\x7e]*$/.test(text)) return text;
  return text
    .replace(swelling, " ")
    .normalize("NFKC")
    .replace(/\r\n?|[\u2028\u2029]/g, "\n")
    .replace(/(?![\t\n])[\p{Cc}\p{Default_Ignorable_Code_Point}]+/gu, "")
    .replace(/[\u2010-\u2015\u2212]/g, "-");
}

/** A text in lower case with one character for each run of white space. */
interface Lines {
  flat: string;
  /** As long as `flat`, with LF where a line ends. */
  broken: string;
}

function linesOf(text: string): Lines {
  const broken = text.toLowerCase().replace(/\s+/g, (space) => (space.includes("\n") ? "\n" : " "));
  return { flat: broken.replaceAll("\n", " "), broken };
}

/**
 * Whether the pieces between the `*` follow each other. For each piece, only the nearest end of the previous piece
 * matters, and it advances as the text is read. So the time is the text's length times the number of pieces.
 */
function matches(pattern: string, { flat, broken }: Lines, work: Work): boolean {
  const [first, ...others] = piecesOf(pattern);
  // A pattern without pieces matches nothing, not everything.
  if (first === undefined) return false;
  let ends = occurrences(flat, first, work);
  for (const piece of others) {
    if (ends.length === 0) return false;
    ends = following(ends, occurrences(flat, piece, work), piece, broken);
  }
  return ends.length > 0;
}

/** The pieces between the `*`, in the form of `Lines.flat`. Space beside a `*` is ignored. */
function piecesOf(pattern: string): string[] {
  const pieces = linesOf(shown(pattern)).flat.split("*");
  return pieces.map((piece) => piece.trim()).filter((piece) => piece !== "");
}

/** The end of each occurrence of the piece; ascending. Ends early if no work is left. */
function occurrences(text: string, piece: string, work: Work): number[] {
  const ends: number[] = [];
  work.left -= PIECE_PASSES * text.length;
  for (let at = text.indexOf(piece); at >= 0 && work.left > 0; at = text.indexOf(piece, at + 1)) {
    ends.push(at + piece.length);
    work.left -= OCCURRENCE_CHARS;
  }
  return ends;
}

/** Those of the occurrences that begin on the same line as one of the given ends, and not too far after it. */
function following(ends: readonly number[], found: readonly number[], piece: string, broken: string): number[] {
  const reached: number[] = [];
  let next = 0;
  for (const end of found) {
    const start = end - piece.length;
    while (next < ends.length && (ends[next] as number) <= start) next++;
    const nearest = ends[next - 1];
    if (nearest === undefined || start - nearest > GAP_CHARS_MAX) continue;
    if (!broken.slice(nearest, start).includes("\n")) reached.push(end);
  }
  return reached;
}
