import type { Mailbox } from "../mail.ts";
import { writtenDate } from "./date.ts";
import { escapeText } from "./html/escape.ts";
import { htmlFromText } from "./html/from-text.ts";
import { forwardedLine, quoteTags } from "./html/quote-markup.ts";
import { quotableHtml } from "./html/safe.ts";
import { walkHtml } from "./html/walk.ts";

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
  /** Null if it has none, or none that can be quoted. */
  html: string | null;
}

/** The texts of a message that is written; `html` is null if it has none. */
export interface Texts {
  text: string;
  html: string | null;
}

/** How to quote a message. It is plain data, so it can be passed to another process. */
export interface QuoteRequest {
  own: Texts;
  /** With its HTML as it was written. */
  original: Quotable;
  type: "reply" | "forward";
  /** The pictures that go along. */
  contentIds: string[];
  /** The longest text, and the longest HTML, in UTF-8. */
  bytesMax: number;
}

/** Texts with what they quote, or which of them is too long with it. */
export type Quoted = Texts | { tooLong: keyof Texts };

/**
 * Quotes a message below the texts of another one. HTML that is too complex to quote is quoted as its text. Time is
 * linear in both: most of a second for megabytes.
 */
export function quoted({ own, original, type, contentIds, bytesMax }: QuoteRequest): Quoted {
  const html = original.html === null ? null : quotableHtml(original.html, contentIds);
  const texts = (type === "reply" ? withQuote : withForwarded)(own, { ...original, html });
  for (const name of ["text", "html"] as const)
    if (Buffer.byteLength(texts[name] ?? "") > bytesMax) return { tooLong: name };
  return texts;
}

/**
 * The texts of a reply with the message that it answers below them, as mail programs quote it: an introduction, and its
 * lines after `> `. There is HTML if either of the two has some.
 */
export function withQuote(own: Texts, original: Quotable): Texts {
  const { text, html } = bounded(original);
  const introduction = `On ${dayAndTime(original.date)}, ${authorOf(original)} wrote:`;
  const lines = text.split("\n").map((line) => (line === "" ? ">" : `${line.startsWith(">") ? ">" : "> "}${line}`));
  return {
    text: `${beginning(own.text)}${introduction}\n${lines.join("\n")}\n`,
    html: htmlOf(own, html, (content) => [
      `${quoteTags.head}${escapeText(introduction)}<br></div>`,
      quoteTags.quote,
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
    ["Date", writtenDate(original.date)],
    ["Subject", original.subject],
    ["To", named(original.to)],
    ["Cc", named(original.cc)],
  ];
  const shown = rows.filter(([name, value]) => value !== "" || name === "Subject");
  const head = [forwardedLine, ...shown.map(([name, value]) => `${name}: ${oneLine(value)}`)];
  return {
    text: `${beginning(own.text)}${head.join("\n")}\n\n${text}\n`,
    html: htmlOf(own, html, (content) => [
      `${quoteTags.head}${head.map(escapeText).join("<br>\n")}<br></div><br>`,
      content ?? htmlFromText(text),
    ]),
  };
}

function beginning(text: string): string {
  const words = text.trimEnd();
  return words === "" ? "" : `${words}\n\n`;
}

/** @param content The original's HTML; null if only its text is quoted. */
function htmlOf(own: Texts, content: string | null, quote: (content: string | null) => string[]): string | null {
  if (own.html === null && content === null) return null;
  const written = own.html ?? htmlFromText(own.text);
  const below = `${quoteTags.container}\n${quote(content).join("\n")}\n</div>\n`;
  const { before, after } = aroundQuote(written);
  return `${before}${before === "" ? "" : "\n<br>\n"}${below}${after}`;
}

/** What closes something that HTML leaves open at its end, such as a comment, in which a quote would not be shown. */
const closers = ["", ">", "-->", '">', "'>", "</style>", "</script>", "</title>", "</textarea>", "</xmp>"];

/** Splits HTML where its body ends: before its last end tag of `body`, or else at its end. */
function aroundQuote(html: string): { before: string; after: string } {
  const starts: number[] = [];
  // With a name of its own, each tells whether it is a tag, or words of a comment.
  const named = html.replace(/<\/body(?=[\s/>])/gi, (_, start: number) => `</body-${starts.push(start) - 1}`);
  let last: number | undefined;
  walkHtml(named, {
    text() {},
    end(name) {
      if (name.startsWith("body-")) last = starts[Number(name.slice("body-".length))] ?? last;
    },
  });
  if (last !== undefined) return { before: html.slice(0, last), after: html.slice(last) };
  // Each one costs a walk.
  const tried = closers.slice(0, html.length > QUOTED_HTML_CHARS_MAX ? 1 : closers.length);
  return { before: html + (tried.find((closer) => isClosed(html + closer)) ?? ""), after: "" };
}

/** Whether an end tag after the HTML would be one, and not words of what it leaves open. */
function isClosed(html: string): boolean {
  let isFound = false;
  walkHtml(`${html}</body-end>`, {
    text() {},
    end(name) {
      isFound ||= name === "body-end";
    },
  });
  return isFound;
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
