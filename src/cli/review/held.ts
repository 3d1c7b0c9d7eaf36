/** A mail that waits for approval, as its reviewer reads it. */

import { visibleText } from "../../message/text/visible.ts";
import type { Session } from "../connect/session.ts";
import type { Link, Outbound } from "../connect/shapes.ts";
import { visibleMail } from "../mail/visible-mail.ts";
import { attachmentLines, facts, fit, plain, plainLines, table, until } from "../terminal/output.ts";
import { bareAddress } from "./draft.ts";

export interface HeldText {
  text: string;
  /** Whether some text was left out. */
  isCut: boolean;
}

/**
 * Everything that would leave: recipients with first-time ones marked, reason, text, links with their real hosts,
 * files. A body longer than `bodyRows` lines of the terminal is cut, and says so.
 */
export async function heldText(
  session: Session,
  held: Outbound,
  bodyRows = Number.POSITIVE_INFINITY,
): Promise<HeldText> {
  const { paint, width } = session;
  const mail = visibleMail(held);
  const expires = mail.approval_expires_at;
  const head = facts(
    [
      ["Why held", mail.hold?.reason ?? "A person approves what this agent sends."],
      ["Expires", expires ? `${until(expires, Date.now())} (${expires})` : null],
      ["From", mail.from],
      ["To", marked(mail, mail.to)],
      ["Cc", marked(mail, mail.cc)],
      ["Bcc", marked(mail, mail.bcc)],
      ["Reply-To", mail.reply_to?.join(", ")],
      ["Kind", mail.type === "send" ? null : mail.type],
      ["Subject", mail.subject],
    ],
    paint,
  );
  const section = (title: string, content: string) => (content ? `${paint("bold", title)}\n${content}` : "");
  let isCut = false;
  const body = (text: string) => {
    const shown = cutText(text, width, bodyRows);
    if (shown === text) return text;
    isCut = true;
    return `${shown}\n${paint("yellow", `… ${more(text, shown)}: press v to see all of it`)}`;
  };
  const text = plainLines(mail.body_text ?? "").trim();
  const html = await htmlShown(mail);
  const none = mail.body_html ? "" : paint("dim", "(no text)");
  const parts = [
    head,
    body(text) || none,
    html === null ? "" : section("HTML, which most readers show instead of the text:", body(html)),
    section("Before you decide:", notesOf(session, mail)),
    section("Links:", linkTable(session, mail.links ?? [])),
    section("Further header fields:", fieldLines(mail)),
    section("Attachments:", attachmentLines(mail.attachments, paint)),
  ];
  return { text: parts.filter(Boolean).join("\n\n"), isCut };
}

/** What the bodies alone do not show: how they differ, what the HTML hides, and parts that could not be searched. */
function notesOf({ paint }: Session, { review_notes: notes = [], unsearched = [] }: Outbound): string {
  const parts = unsearched.map(({ name, why }) => `Could not be searched: ${name} (${why}).`);
  return [...notes, ...parts].map((note) => paint("yellow", `! ${plain(note)}`)).join("\n");
}

function fieldLines({ headers = [] }: Outbound): string {
  return headers.map(({ name, value }) => `${plain(name)}: ${plain(value)}`).join("\n");
}

function marked({ first_time: strangers = [] }: Outbound, list: readonly string[] | undefined): string | undefined {
  const known = new Set(strangers.map((address) => address.toLowerCase()));
  return list?.map((one) => (known.has(bareAddress(one).toLowerCase()) ? `${one} (first time!)` : one)).join(", ");
}

/** The HTML body as text, unless it is certain that it says what the text does; null also if there is no HTML. */
async function htmlShown({ body_text: text = "", body_html: html }: Outbound): Promise<string | null> {
  if (!html) return null;
  // The converter is loaded only for mail with HTML.
  const { HTML_CHARS_MAX, htmlToText } = await import("../../message/html/text.ts");
  const { saysTheSame } = await import("../../message/html/same-words.ts");
  if (saysTheSame(text, html)) return null;
  const shown = plainLines(visibleText(htmlToText(html))).trim();
  const more = html.length > HTML_CHARS_MAX ? "\n(It goes on: only its first 4 MB are shown.)" : "";
  return (shown || "(nothing to read)") + more;
}

function linkTable({ paint, width }: Session, links: readonly Link[]): string {
  if (links.length === 0) return "";
  return table<Link>(
    [
      { title: "LEADS TO", value: ({ host }) => host, style: (link) => (misleads(link) ? "red" : null) },
      {
        title: "READS",
        value: (link) => (misleads(link) ? `${link.text}  ← another host!` : link.text === link.url ? "" : link.text),
        shrinks: true,
        style: (link) => (misleads(link) ? "red" : null),
      },
      { title: "URL", value: ({ url }) => url, shrinks: true },
    ],
    links,
    { width, paint },
  );
}

/** Whether a link's text names a host other than the one it leads to. */
function misleads({ text, host }: Link): boolean {
  const isHost = (word: string) =>
    /[\p{L}\p{N}-]\./u.test(word) && /^\p{L}{2,63}$/u.test(word.slice(word.lastIndexOf(".") + 1));
  const named = text
    .toLowerCase()
    .split(/[^\p{L}\p{N}.-]/u)
    .find(isHost);
  const real = host.toLowerCase();
  return named !== undefined && named !== real && `www.${named}` !== real && named !== `www.${real}`;
}

/** The first lines of a safe text that fit into `rows` lines of the terminal. */
function cutText(text: string, width: number, rows: number): string {
  const kept: string[] = [];
  let used = 0;
  for (const line of text.split("\n")) {
    used += Math.max(1, Math.ceil(Bun.stringWidth(line) / width));
    if (used > rows) break;
    kept.push(line);
  }
  // One line can be longer than the screen.
  return kept.length > 0 ? kept.join("\n") : fit(text.split("\n", 1)[0] ?? "", rows * width);
}

function more(text: string, shown: string): string {
  const missing = text.split("\n").length - shown.split("\n").length;
  return missing > 0 ? `${missing} more ${missing === 1 ? "line" : "lines"}` : "more";
}
