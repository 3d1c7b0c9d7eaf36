import type { Dice } from "./dice.ts";

/** A change to a message's bytes, in Latin-1; null if the message has nothing that it applies to. */
type Change = (text: string, dice: Dice) => string | null;

const lineEndOf = (text: string) => (text.includes("\r\n") ? "\r\n" : "\n");

/** Changes the lines of a text, which keep their line ends. */
function onLines(change: (lines: string[], dice: Dice) => boolean): Change {
  return (text, dice) => {
    const lines = text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
    return change(lines, dice) ? lines.join("") : null;
  };
}

/** Changes one line of those that fit. */
function onLine(
  fits: (line: string, lines: string[], at: number) => boolean,
  change: (line: string, dice: Dice) => string,
): Change {
  return onLines((lines, dice) => {
    const found = lines.flatMap((line, at) => (fits(line, lines, at) ? [at] : []));
    if (found.length === 0) return false;
    const at = dice.pick(found);
    lines[at] = change(lines[at] as string, dice);
    return true;
  });
}

const isDelimiter = (line: string) => /^--[^\s]{1,80}/.test(line);
const isContentType = (line: string) => /^content-type:/i.test(line);
const isEmpty = (line: string) => line.trim() === "";

/** Damage as broken programs and bad lines do it: what the message says may be lost. */
export const damages: Record<string, Change> = {
  "a line is missing": onLine(
    () => true,
    () => "",
  ),
  "a line is there twice": onLine(
    () => true,
    (line) => line + line,
  ),
  "two lines are swapped": onLines((lines, dice) => {
    if (lines.length < 2) return false;
    const at = dice.below(lines.length - 1);
    lines.splice(at, 2, lines[at + 1] as string, lines[at] as string);
    return true;
  }),
  "the end is missing": (text, dice) => text.slice(0, dice.below(text.length)),
  "a fold is missing": onLine(
    (line) => /^[ \t]\S/.test(line),
    (line) => line.trimStart(),
  ),
  "an empty line is missing": onLine(
    (line, lines, at) => isEmpty(line) && !isEmpty(lines[at - 1] ?? ""),
    () => "",
  ),
  "an empty line is added": onLine(
    () => true,
    (line) => `${line}\r\n`,
  ),
  "a line is blank, not empty": onLine(isEmpty, (line) => ` ${line}`),
  "a delimiter closes": onLine(
    (line) => isDelimiter(line) && !/--\s*$/.test(line),
    (line) => line.replace(/(\s*)$/, "--$1"),
  ),
  "a delimiter does not close": onLine(
    (line) => isDelimiter(line) && /--\s*$/.test(line),
    (line) => line.replace(/--(\s*)$/, "$1"),
  ),
  "a delimiter has another sign": onLine(isDelimiter, (line, dice) =>
    line.replace(/(\s*)$/, `${dice.pick(["x", "-", "=", ";"])}$1`),
  ),
  "a delimiter lacks a hyphen": onLine(isDelimiter, (line) => line.slice(1)),
  "a delimiter has spaces before it": onLine(isDelimiter, (line) => ` ${line}`),
  "a semicolon is missing": onLine(
    (line) => isContentType(line) && line.includes(";"),
    (line) => line.replace(";", ""),
  ),
  "a quote is missing": onLine(
    (line) => /^(?:content-|\s).*"/i.test(line),
    (line) => line.replace('"', ""),
  ),
  "a quote is added": onLine(
    (line) => /^content-.*=/i.test(line),
    (line) => line.replace("=", '="'),
  ),
  "a colon is missing": onLine(
    (line) => /^[A-Za-z-]+:/.test(line),
    (line) => line.replace(":", ""),
  ),
  "a field has a space before its colon": onLine(
    (line) => /^[A-Za-z-]+:/.test(line),
    (line) => line.replace(":", " :"),
  ),
  "a field has another value": onLine(
    (line) => /^content-/i.test(line),
    (line, dice) =>
      line.replace(
        /: *[^;\r\n]*/,
        `: ${dice.pick(["x", "text/html", "base64", "quoted-printable", "multipart/mixed", "attachment", '"', "7bit"])}`,
      ),
  ),
  "a field is there twice, changed": onLine(
    (line) => /^(?:content-|from|subject|to)/i.test(line),
    (line, dice) =>
      `${line
        .trimEnd()
        .replace(/;$/, "")
        .replace(/(\S+)$/, dice.pick(["x$1", "other", "$1x"]))}\r\n${line}`,
  ),
  "a byte is above 127": (text, dice) => {
    const at = dice.below(text.length);
    return `${text.slice(0, at)}${dice.pick(["\xe4", "\xc3\xa4", "\xff", "\x8c\xa9"])}${text.slice(at + 1)}`;
  },
  "a byte is a control character": (text, dice) => {
    const at = dice.below(text.length);
    return `${text.slice(0, at)}${dice.pick(["\0", "\x1b", "\x0c", "\x7f"])}${text.slice(at)}`;
  },
  "line ends are mixed": (text, dice) => text.replace(/\r?\n/g, () => dice.pick(["\n", "\r\n"])),
  "a footer is appended": (text) =>
    `${text}${text.endsWith("\n") ? "" : lineEndOf(text)}_______\r\nfooterq of a list\r\n`,
};

/** Changes after which a message says what it said before. */
export const respellings: Record<string, Change> = {
  "other line ends": (text) => (text.includes("\r\n") ? text.replaceAll("\r\n", "\n") : text.replaceAll("\n", "\r\n")),
  "field names in upper case": (text) => {
    const end = /\r?\n\r?\n/.exec(text)?.index ?? 0;
    return text.slice(0, end).replace(/^[a-z-]+:/gim, (name) => name.toUpperCase()) + text.slice(end);
  },
  "more fields": (text) => `X-Before: "a (b\r\nReceived: from a by b;\r\n\tFri, 15 May 2026 12:00:00 +0000\r\n${text}`,
};

/** Applies some change of a table; null if it does not apply. */
export function altered(raw: Buffer, table: Record<string, Change>, dice: Dice): { how: string; raw: Buffer } | null {
  const how = dice.pick(Object.keys(table));
  const text = table[how]?.(raw.toString("latin1"), dice) ?? null;
  return text === null ? null : { how, raw: Buffer.from(text, "latin1") };
}
