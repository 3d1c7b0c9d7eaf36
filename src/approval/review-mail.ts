import { visibleLine } from "../message/text/visible.ts";
import { type Review, type ReviewLimits, type ShownReview, showReview } from "./review.ts";
import { type DigestEntry, digestHtml, reviewHtml } from "./review-html.ts";

export type { Review } from "./review.ts";

/** A mail from the server to a reviewer. */
export interface ReviewMail {
  subject: string;
  text: string;
  html: string;
}

/** Larger mail does not arrive everywhere, and no reviewer reads more links than this in a mail. */
const limits: ReviewLimits = { bodyBytes: 200 * 1024, links: 200 };
/** How much of a subject line a list of mails shows. */
const SUBJECT_CHARS_MAX = 80;
const ADDRESS_CHARS_MAX = 60;
/** RFC 5322 2.1.1, and room for the prefix. */
const COLUMNS_MAX = 74;
const ENTRIES_MAX = 100;

/**
 * Writes the mail that asks a reviewer about one held message: everything that would leave, why it waits, until when,
 * and how to decide.
 *
 * The held mail is hostile until it has been reviewed. In the text, every line of the held mail begins with `|`, lines
 * of the server never do, and the links to decide are above them. In the HTML, the held mail is escaped and in boxes.
 */
export function reviewMail(review: Review): ReviewMail {
  const shown = showReview(review, limits);
  return { subject: subjectLine(review), text: reviewText(review, shown), html: reviewHtml(review, shown) };
}

/**
 * Writes one mail for many holds, if a mail for each would be too many. Each hold is decided on its own page: nothing
 * here decides about all of them.
 */
export function digestMail(reviews: readonly Review[], now: Date): ReviewMail {
  const agents = [...new Set(reviews.map(({ agent }) => visibleLine(agent.address)))];
  const whose = agents.length === 1 ? cut(agents[0] as string, ADDRESS_CHARS_MAX) : `${agents.length} agents`;
  const title = `${reviews.length} emails from ${whose} are waiting for you`;
  const entries = reviews.slice(0, ENTRIES_MAX).map((review) => digestEntry(review, now));
  const rest = reviews.length - entries.length;
  const more = rest > 0 ? `${rest} more are not listed here. See all: e2a pending list` : null;
  return { subject: title, text: digestText(title, entries, more), html: digestHtml(title, entries, more) };
}

function digestEntry(review: Review, now: Date): DigestEntry {
  const { who, why, expiry } = showReview({
    ...review,
    text: "",
    html: null,
    held: { ...review.held, links: [], moreLinks: 0, unsearched: [] },
  });
  return {
    agent: who,
    why,
    expiry,
    messageId: review.messageId,
    recipients: recipientsLine(review),
    subject: cut(visibleLine(review.subject), 2 * SUBJECT_CHARS_MAX) || "(no subject)",
    age: `Waiting ${age(now.getTime() - review.createdAt.getTime())}.`,
    pages:
      review.reviewUrl !== null
        ? [{ label: "Review it", url: review.reviewUrl }]
        : [
            { label: "Review and approve", url: review.approveUrl },
            { label: "Review and reject", url: review.rejectUrl },
          ],
  };
}

function age(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 1) return "for less than a minute";
  if (minutes < 60) return `for ${minutes} min`;
  return minutes < 48 * 60 ? `for ${Math.floor(minutes / 60)} h` : `for ${Math.floor(minutes / 1440)} days`;
}

function subjectLine(review: Review): string {
  const subject = cut(visibleLine(review.subject), SUBJECT_CHARS_MAX).replace(/["“”„«»]/g, "'");
  return `Approve? "${subject || "(no subject)"}" to ${recipientsLine(review)}`;
}

/** `ann@example.com (+2)`. */
function recipientsLine({ to, cc, bcc }: Review): string {
  const all = [...to, ...cc, ...bcc];
  const first = visibleLine(all[0]?.address ?? "nobody");
  return `${cutAddress(first)}${all.length > 1 ? ` (+${all.length - 1})` : ""}`;
}

/** In whole characters. */
function cut(text: string, charsMax: number): string {
  const characters = [...text];
  return characters.length <= charsMax ? text : `${characters.slice(0, charsMax - 1).join("")}…`;
}

/** Cuts the middle of a long address: its end is the domain, and the owner of the domain matters most. */
function cutAddress(address: string): string {
  const characters = [...address];
  if (characters.length <= ADDRESS_CHARS_MAX) return address;
  return `${characters.slice(0, 20).join("")}…${characters.slice(21 - ADDRESS_CHARS_MAX).join("")}`;
}

function reviewText(review: Review, { who, why, expiry, facts, bodies }: ShownReview): string {
  const id = review.messageId;
  return [
    `${who} wants to send the email below. It is waiting for your decision.`,
    "",
    `Why it is held: ${why}`,
    expiry,
    "",
    "To decide, open one of these links. Each shows the email again and asks you",
    "to confirm.",
    "",
    `Approve:\n${review.approveUrl}`,
    "",
    `Reject:\n${review.rejectUrl}`,
    ...(review.reviewUrl === null ? [] : ["", `Edit it or view it in the dashboard:\n${review.reviewUrl}`]),
    "",
    "Or on the command line:",
    `  e2a pending approve ${id}`,
    `  e2a pending reject ${id} --reason "..."`,
    "",
    "Below, lines that begin with | quote the held email, and |+ continues a long line.",
    "Lines that begin with ^ are notes from this server.",
    ...facts.flatMap(({ label, lines }) => [
      "",
      `${label}:`,
      ...lines.flatMap(({ text, notes }) => [quoted(text), ...notes.map((note) => `  ^ ${note}`)]),
    ]),
    ...bodies.flatMap(({ label, text, notes }) => [
      "",
      `${label}:`,
      ...(text.trim() === "" ? [] : [quoted(text)]),
      ...notes.map((note) => `  ^ ${note}`),
    ]),
    "",
    "End of the held email. To decide, use the links at the top.",
    "",
  ].join("\n");
}

function digestText(title: string, entries: readonly DigestEntry[], more: string | null): string {
  return [
    `${title}. Each email has its own page, where you decide. Opening a page decides nothing.`,
    "Lines that begin with | quote the held emails.",
    ...entries.flatMap((entry, i) => [
      "",
      `${i + 1}. ${entry.agent}`,
      quoted(`To: ${entry.recipients}`),
      quoted(`Subject: ${entry.subject}`),
      `   Why: ${entry.why}`,
      `   ${entry.age} ${entry.expiry}`,
      ...entry.pages.map(({ label, url }) => `   ${label}: ${url}`),
      `   e2a pending show ${entry.messageId}`,
    ]),
    ...(more === null ? [] : ["", more]),
    "",
  ].join("\n");
}

/** The held mail's words with `|` before every line. Mail programs would break long lines without the `|`. */
function quoted(text: string): string {
  return text
    .split("\n")
    .map((line) => `| ${wrapped(line).join("\n|+")}`)
    .join("\n");
}

/** Splits a line into pieces of at most 74 columns, after a space if possible. Nothing is lost. */
function wrapped(line: string): string[] {
  if (Bun.stringWidth(line) + line.split("\t").length * 8 <= COLUMNS_MAX) return [line];
  const pieces: string[] = [];
  let piece = "";
  let columns = 0;
  for (const character of line) {
    const width = character === "\t" ? 8 : Bun.stringWidth(character);
    if (columns + width > COLUMNS_MAX) {
      const space = piece.lastIndexOf(" ") + 1;
      const end = space > COLUMNS_MAX / 2 ? space : piece.length;
      pieces.push(piece.slice(0, end));
      piece = piece.slice(end);
      columns = Bun.stringWidth(piece);
    }
    piece += character;
    columns += width;
  }
  return [...pieces, piece];
}
