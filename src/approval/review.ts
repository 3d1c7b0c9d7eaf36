import type { HeaderField, Mailbox } from "../mail.ts";
import { splitAddress } from "../mail.ts";
import { foreignHost } from "../message/html/foreign-host.ts";
import { hasEndlessHost } from "../message/html/links.ts";
import { misnamedHost, type ShownLink } from "../message/html/shown-links.ts";
import { visibleLine, visibleText } from "../message/text/visible.ts";
import type { HeldReview } from "../store/schema.ts";

/** A held message and what a reviewer needs to know about it. */
export interface Review {
  messageId: string;
  agent: { address: string; name: string };
  from: Mailbox;
  to: Mailbox[];
  cc: Mailbox[];
  bcc: Mailbox[];
  replyTo: Mailbox[];
  /** Recipients to whom the agent never wrote, and from whom it never heard. */
  firstTime: string[];
  subject: string;
  text: string;
  html: string | null;
  attachments: { index: number; filename: string; content_type: string; size: number }[];
  /** What the server derived from its content for reviewers. */
  held: HeldReview;
  /** The ids of the thread, and the agent's own fields, such as List-Unsubscribe. */
  headers?: HeaderField[];
  hold: { rule: string; reason: string };
  createdAt: Date;
  expiresAt: Date;
  onExpiry: "approve" | "reject";
  contentHash: string;
  approveUrl: string;
  rejectUrl: string;
  /** Its page in the dashboard, if there is one. */
  reviewUrl: string | null;
}

/** Words of the held mail, and the server's notes about them. The two never share a line. */
export interface ShownLine {
  /** The mail's own words, on one line, with hidden characters written out. */
  text: string;
  /** The server's words. */
  notes: string[];
}

/** Characters shown of HTML that could not be read. Programs show its beginning: Gmail some 102 KB. */
const SOURCE_CHARS_MAX = 128 * 1024;

/** Everything that would leave, in the order in which a reviewer reads it: the same for mail, page and terminal. */
export interface ShownReview {
  /** Sentences by the server: whose mail it is, why it waits, and what happens if no reviewer decides. */
  who: string;
  why: string;
  expiry: string;
  /** From, recipients, subject, attachments, links, further fields. Only those that the mail has. */
  facts: { label: string; lines: ShownLine[] }[];
  /** The text, and the HTML if it says something else: as text, or as source if it could not be read. Each has many lines. */
  bodies: { label: string; text: string; notes: string[] }[];
}

/** How much is shown in a mail, which must arrive anywhere. */
export interface ReviewLimits {
  /** Bytes of the text, and bytes of the HTML as text. */
  bodyBytes: number;
  links: number;
}

/**
 * Prepares what a reviewer is shown of a held message, so that nothing in it can hide or change direction. Without
 * limits nothing is cut. If something is cut, a note says so and points to the page that has the rest.
 */
export function showReview(
  review: Review,
  limits: ReviewLimits = { bodyBytes: Infinity, links: Infinity },
): ShownReview {
  const firstTime = new Set(review.firstTime.map((address) => address.toLowerCase()));
  const mailboxes = (list: readonly Mailbox[]) => list.map((mailbox) => showMailbox(mailbox, firstTime));
  const name = visibleLine(review.agent.name);
  const facts = [
    { label: "From", lines: mailboxes([review.from]) },
    { label: "To", lines: mailboxes(review.to) },
    { label: "Cc", lines: mailboxes(review.cc) },
    { label: "Bcc (hidden from the others)", lines: mailboxes(review.bcc) },
    { label: "Replies go to", lines: mailboxes(review.replyTo) },
    { label: "Subject", lines: [{ text: visibleLine(review.subject), notes: [] }] },
    { label: "Attachments", lines: review.attachments.map(showAttachment) },
    { label: "Parts that could not be searched", lines: review.held.unsearched.map(showUnsearched) },
    { label: "Links and where they lead", lines: showLinks(review.held, limits.links) },
    { label: "Further header fields", lines: (review.headers ?? []).map(showField) },
  ];
  return {
    who: `${visibleLine(review.agent.address)}${name && name !== review.agent.address ? ` (“${name}”)` : ""}`,
    why: `${visibleLine(review.hold.reason)} (rule: ${visibleLine(review.hold.rule)})`,
    expiry:
      review.onExpiry === "approve"
        ? `Unless someone decides first, it is sent as is on ${showTime(review.expiresAt)}.`
        : `Unless someone decides first, it is rejected on ${showTime(review.expiresAt)} and nothing is sent.`,
    facts: facts.filter(({ lines }) => lines.length > 0),
    bodies: showBodies(review, limits.bodyBytes),
  };
}

function showMailbox({ address, name }: Mailbox, firstTime: ReadonlySet<string>): ShownLine {
  const { local = "", domain = "" } = splitAddress(address) ?? {};
  const foreign = foreignHost(domain);
  const notes: string[] = [];
  if (firstTime.has(address.toLowerCase()))
    notes.push("First time: the agent has never written to this address or received verified mail from it.");
  if (foreign !== null) notes.push(`The domain has letters other than a to z: it reads “${foreign}”.`);
  if (/[^\x00-\x7f]/.test(local)) notes.push("The part before the @ has letters other than a to z.");
  // The address comes first, so that no name, however long, can push it aside.
  return { text: `${visibleLine(address)}${name ? `, named “${visibleLine(name)}”` : ""}`, notes };
}

function showAttachment({ filename, content_type, size }: Review["attachments"][number]): ShownLine {
  return { text: `${visibleLine(filename)}, ${visibleLine(content_type)}, ${showSize(size)}`, notes: [] };
}

function showUnsearched({ name, why }: HeldReview["unsearched"][number]): ShownLine {
  return { text: `${visibleLine(name)}: ${visibleLine(why)}`, notes: [] };
}

function showLinks({ links, moreLinks }: HeldReview, max: number): ShownLine[] {
  const shown = links.slice(0, max).map(showLink);
  const more = links.length - shown.length + moreLinks;
  if (more === 0) return shown;
  const where = shown.length < links.length ? "The links at the top open a page that shows more of them." : "";
  return [...shown, { text: "…", notes: [`${more} more are not shown here. ${where}`.trim()] }];
}

function showLink(link: ShownLink): ShownLine {
  const { text, host, url } = link;
  const words = text !== "" && text !== url ? `, shown as “${visibleLine(text)}”` : "";
  const notes: string[] = [];
  const named = misnamedHost(link);
  const foreign = foreignHost(host);
  if (named !== null) notes.push(`Its text names ${visibleLine(named)}, but it leads to ${host || "no host"}.`);
  if (foreign !== null) notes.push(`The host has letters other than a to z: it reads “${foreign}”.`);
  if (!hasEndlessHost(url) && URL.parse(url)?.username && !url.startsWith("mailto:"))
    notes.push(`The part before the @ is not a host; the link leads to ${host}.`);
  if (text === "") notes.push("Loaded automatically when the email is opened.");
  const target = url === host ? "" : `: ${visibleLine(url)}`;
  return { text: `${host === "" ? "no host" : visibleLine(host)}${target}${words}`, notes };
}

function showField({ name, value }: HeaderField): ShownLine {
  return { text: `${visibleLine(name)}: ${visibleLine(value)}`, notes: [] };
}

function showBodies({ text, html, held }: Review, bytesMax: number): ShownReview["bodies"] {
  const notes = held.notes.map(visibleLine);
  if (html === null)
    return [showBody("Text", text, [...(text.trim() === "" ? ["The email has no text."] : []), ...notes], bytesMax)];
  if (held.htmlText === null) return showUnread({ text, html, notes }, bytesMax);
  if (held.isSame) {
    const same = "There is also an HTML version with the same text.";
    return [showBody("Text", text, [same, ...notes], bytesMax)];
  }
  const rich = showBody("HTML version, as text", held.htmlText, notes, bytesMax);
  return text.trim() === "" ? [rich] : [showBody("Text", text, [], bytesMax), rich];
}

/** A message whose HTML could not be read for its reviewers. They must learn of it, and see how it begins. */
function showUnread(
  { text, html, notes }: { text: string; html: string; notes: string[] },
  bytesMax: number,
): ShownReview["bodies"] {
  const head = html.slice(0, SOURCE_CHARS_MAX).toWellFormed();
  const more = html.length - head.length;
  const unread = [
    "There is also an HTML version, which most recipients see. It could not be read; its source is below.",
    ...notes,
  ];
  const cut = more > 0 ? [`${more} more characters of the source are not shown here.`] : [];
  return [showBody("Text", text, unread, bytesMax), showBody("HTML version, as source", head, cut, bytesMax)];
}

function showBody(label: string, text: string, notes: string[], bytesMax: number): ShownReview["bodies"][number] {
  const bytes = Buffer.byteLength(text);
  if (bytes <= bytesMax) return { label, text: visibleText(text), notes };
  // A character cut in half would become U+FFFD.
  const head = withoutHalf(Buffer.from(text).toString("utf8", 0, bytesMax));
  const note = `Too long for this email: ${bytes - bytesMax} more bytes are not shown. The links at the top open a page that shows the rest.`;
  return { label, text: visibleText(head), notes: [...notes, note] };
}

/** Removes the character that the cut split, if any: it reads as up to three U+FFFD. */
function withoutHalf(text: string): string {
  let end = text.length;
  while (end > text.length - 3 && text[end - 1] === "\ufffd") end--;
  return text.slice(0, end);
}

const timeFormat = new Intl.DateTimeFormat("en-GB", {
  weekday: "short",
  day: "numeric",
  month: "short",
  year: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  timeZone: "UTC",
});

/** `Tue, 10 Mar 2026, 10:00 UTC`. */
export function showTime(time: Date): string {
  return `${timeFormat.format(time)} UTC`;
}

/** `812 bytes`, `1.5 KB`, `3.2 MB`: decimal, as mail programs count. */
function showSize(bytes: number): string {
  if (bytes < 1_000) return bytes === 1 ? "1 byte" : `${bytes} bytes`;
  return bytes < 999_950 ? `${(bytes / 1e3).toFixed(1)} KB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
