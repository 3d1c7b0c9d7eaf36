import type { Mailbox } from "../mail.ts";
import { directionControls, NAME_CHARS_MAX, readAddress } from "./addresses.ts";
import { cleanLine } from "./text/clean.ts";

/** Where lines are folded (RFC 5322 2.1.1), and how long an encoded text may be to fit after any field name. */
const LINE_CHARS_MAX = 76;
const ENCODED_CHARS_MAX = 40;
/** A longer word does not fit in a line of 998 bytes with a field name before it, so it is encoded and cut. */
const WORD_CHARS_MAX = 900;
/** Ids are never cut; longer ones are left out. */
const MESSAGE_ID_CHARS_MAX = 900;

/** Text that a reader may decode although it only resembles an encoded word (RFC 2047 2), across white space too. */
const encodedWordLike = /=\?[^?]*\?[bq]\?/i;
/** A phrase that needs no quotes (RFC 5322 3.2.5); narrower than atext. */
const plainPhrase = /^[\w-]+(?: [\w-]+)*$/;

/**
 * Writes a free-text field (RFC 5322 3.6.5) with its CRLF, folded, and encoded if it is not plain ASCII (RFC 2047). Any
 * text stays one field: control characters are removed, and each run of white space becomes one space.
 */
export function textField(name: string, text: string): string {
  const clean = cleanLine(text);
  const words = clean.split(" ");
  return fold(name, isPlain(clean, words) ? words : encodedWords(clean));
}

/** Writes a field of mailboxes (RFC 5322 3.4) with its CRLF. Invalid addresses are left out; "" if none is left. */
export function mailboxField(name: string, mailboxes: readonly Mailbox[]): string {
  const written = mailboxes.map(mailboxWords).filter((words) => words.length > 0);
  const words = written.flatMap((mailbox, i) =>
    i < written.length - 1 ? [...mailbox.slice(0, -1), `${mailbox.at(-1)},`] : mailbox,
  );
  return words.length > 0 ? fold(name, words) : "";
}

/** Writes a field of message ids (RFC 5322 3.6.4) with its CRLF. Invalid ids are left out; "" if none is left. */
export function idField(name: string, ids: readonly string[]): string {
  const valid = ids.filter(isMessageId);
  return valid.length > 0 ? fold(name, valid) : "";
}

/** Whether an id is printable ASCII in angle brackets: stricter than RFC 5322, so that every reader sees one word. */
export function isMessageId(id: string): boolean {
  return id.length <= MESSAGE_ID_CHARS_MAX && /^<[\x21-\x3b\x3d\x3f-\x7e]+>$/.test(id) && !encodedWordLike.test(id);
}

function mailboxWords({ address, name }: Mailbox): string[] {
  const read = readAddress(address);
  if ("problem" in read) return [];
  const clean = [...cleanLine(name.replace(directionControls, ""))].slice(0, NAME_CHARS_MAX).join("").trim();
  if (clean === "") return [read.address];
  const quoted = plainPhrase.test(clean) ? clean : `"${clean.replace(/["\\]/g, "\\$&")}"`;
  const words = quoted.split(" ");
  return [...(isPlain(clean, words) ? words : encodedWords(clean)), `<${read.address}>`];
}

function isPlain(text: string, words: readonly string[]): boolean {
  return /^[\x20-\x7e]*$/.test(text) && !encodedWordLike.test(text) && words.every((w) => w.length <= WORD_CHARS_MAX);
}

/**
 * Encodes text in words that are valid in phrases too (RFC 2047 5): Q if most of the text stays readable, otherwise B.
 * A character is never split.
 */
function encodedWords(text: string): string[] {
  const ascii = text.replace(/[^\x20-\x7e]/g, "").length;
  const encoding = ascii * 2 > text.length ? "Q" : "B";
  const encode = encoding === "Q" ? encodeQ : (part: string) => Buffer.from(part).toString("base64");
  const words: string[] = [];
  let part = "";
  for (const character of text) {
    if (encode(part + character).length > ENCODED_CHARS_MAX) {
      words.push(part);
      part = "";
    }
    part += character;
  }
  return [...words, part].map((word) => `=?UTF-8?${encoding}?${encode(word)}?=`);
}

function encodeQ(text: string): string {
  return text.replace(/[^A-Za-z0-9]/gu, (character) =>
    character === " " ? "_" : Buffer.from(character).toString("hex").toUpperCase().replace(/../g, "=$&"),
  );
}

/** Folds a field between its words. A line is too long only if a single word is, and no line is only white space. */
function fold(name: string, words: readonly string[]): string {
  let folded = "";
  let line = `${name}: ${words[0]}`;
  for (const word of words.slice(1)) {
    if (line.length + 1 + word.length > LINE_CHARS_MAX) {
      folded += `${line}\r\n`;
      line = ` ${word}`;
    } else line += ` ${word}`;
  }
  return `${folded}${line}\r\n`;
}
