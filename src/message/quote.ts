import { type HeaderField, headerValue, type Mailbox } from "../mail.ts";
import { readDate } from "./date.ts";
import { htmlFromText } from "./html/from-text.ts";

/** Characters quoted of a text; longer ones end with a note. Long threads stay below. */
const QUOTED_TEXT_CHARS_MAX = 256 * 1024;
/** Longer HTML is quoted as its text. */
const QUOTED_HTML_CHARS_MAX = 1024 * 1024;
/** Addresses named in the head of a forwarded message. */
const NAMED_MAX = 20;
const LINE_CHARS_MAX = 998;

/** A message that a reply or a forward quotes. */
export interface Quotable {
  from: Mailbox | null;
  to: readonly Mailbox[];
  cc: readonly Mailbox[];
  subject: string;
  date: Date;
  text: string;
  /** By `quotableHtml`; null if it has none. */
  html: string | null;
}

/** The texts of a message that is written; `html` is null if it has none. */
export interface Texts {
  text: string;
  html: string | null;
}

/** When a message says that it was written, or else when it was received. */
export function quotedDate(headers: readonly HeaderField[], receivedAt: Date): Date {
  return readDate(headerValue(headers, "Date") ?? "") ?? receivedAt;
}

/**
 * The texts of a reply with the message that it answers below them, as mail programs quote it: an introduction, and its
 * lines behind `> `. There is HTML if either of the two has some.
 */
export function withQuote(own: Texts, original: Quotable): Texts {
  const { text, html } = bounded(original);
  const introduction = `On ${dayAndTime(original.date)}, ${authorOf(original)} wrote:`;
  const lines = text.split("\n").map((line) => (line === "" ? ">" : `${line.startsWith(">") ? ">" : "> "}${line}`));
  return {
    text: `${beginning(own.text)}${introduction}\n${lines.join("\n")}\n`,
    html: htmlOf(own, html, (content) => [
      `<div class="gmail_attr">${escaped(introduction)}<br></div>`,
      `<blockquote class="gmail_quote" style="margin:0 0 0 .8ex;border-left:1px solid #ccc;padding-left:1ex">`,
      content ?? htmlFromText(text),
      "</blockquote>",
    ]),
  };
}

/** The texts of a forward with the forwarded message below them, under its From, Date, Subject, To and Cc. */
export function withForwarded(own: Texts, original: Quotable): Texts {
  const { text, html } = bounded(original);
  const rows: [name: string, value: string][] = [
    ["From", authorOf(original)],
    ["Date", original.date.toUTCString().replace("GMT", "+0000")],
    ["Subject", original.subject],
    ["To", named(original.to)],
    ["Cc", named(original.cc)],
  ];
  const shown = rows.filter(([name, value]) => value !== "" || name === "Subject");
  const head = [forwardedLine, ...shown.map(([name, value]) => `${name}: ${oneLine(value)}`)];
  return {
    text: `${beginning(own.text)}${head.join("\n")}\n\n${text}\n`,
    html: htmlOf(own, html, (content) => [
      `<div class="gmail_attr">${head.map(escaped).join("<br>\n")}<br></div><br>`,
      content ?? htmlFromText(text),
    ]),
  };
}

/** As Gmail writes it; programs and our own reader know it. */
const forwardedLine = "---------- Forwarded message ---------";

function beginning(text: string): string {
  const words = text.trimEnd();
  return words === "" ? "" : `${words}\n\n`;
}

/** @param content The original's HTML; null if only its text is quoted. */
function htmlOf(own: Texts, content: string | null, quote: (content: string | null) => string[]): string | null {
  if (own.html === null && content === null) return null;
  const written = own.html ?? htmlFromText(own.text);
  const quoted = `<div class="gmail_quote gmail_quote_container">\n${quote(content).join("\n")}\n</div>\n`;
  const end = [...written.matchAll(/<\/body/gi)].at(-1)?.index ?? written.length;
  const before = written.slice(0, end);
  return `${before}${before === "" ? "" : "\n<br>\n"}${quoted}${written.slice(end)}`;
}

function bounded({ text, html }: Quotable): Texts {
  const lines = text.replace(/\r\n?/g, "\n").trimEnd();
  const isCut = lines.length > QUOTED_TEXT_CHARS_MAX;
  return {
    text: isCut ? `${lines.slice(0, QUOTED_TEXT_CHARS_MAX).toWellFormed()}\n[The rest is left out.]` : lines,
    html: html !== null && html.length <= QUOTED_HTML_CHARS_MAX && html.trim() !== "" ? html : null,
  };
}

/** `Mon, 30 Nov 2026 at 16:34 UTC`. */
function dayAndTime(date: Date): string {
  const [weekday, day, month, year, time = ""] = date.toUTCString().split(" ");
  return `${weekday} ${day} ${month} ${year} at ${time.slice(0, 5)} UTC`;
}

function authorOf({ from }: Quotable): string {
  return from === null ? "someone" : mailboxText(from);
}

function named(mailboxes: readonly Mailbox[]): string {
  const shown = mailboxes.slice(0, NAMED_MAX).map(mailboxText).join(", ");
  return mailboxes.length > NAMED_MAX ? `${shown} and ${mailboxes.length - NAMED_MAX} more` : shown;
}

function mailboxText({ address, name }: Mailbox): string {
  const words = oneLine(name.replace(/[<>]/g, " "));
  return words === "" ? `<${address}>` : `${words} <${address}>`;
}

function oneLine(text: string): string {
  return text
    .replace(/[\s\x00-\x1f\x7f]+/g, " ")
    .trim()
    .slice(0, LINE_CHARS_MAX)
    .toWellFormed();
}

function escaped(text: string): string {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}
