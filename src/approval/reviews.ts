import { linksOf } from "../message/html/shown-links.ts";
import { shownText } from "../message/html/text.ts";
import { visibleLine } from "../message/text/visible.ts";
import type { Outbound } from "../store/outbound/outbound.ts";
import type { AgentRow, HeldReview } from "../store/schema.ts";
import type { Store } from "../store/store.ts";
import { Failure } from "../util/errors.ts";
import type { Owner } from "../util/owner.ts";
import { attachedFiles, type ReadAttachments } from "./attached-files.ts";
import { compareBodies } from "./body-compare.ts";
import { threadFields } from "./further-fields.ts";
import { type Outgoing, outgoingTexts } from "./outgoing.ts";
import { unknownReview } from "./plain-review.ts";
import type { Review } from "./review.ts";

/** No reviewer reads more links; the others are counted. */
const LINKS_MAX = 1_000;
const LINK_TEXT_CHARS_MAX = 500;
/** The longest URL that browsers and servers agree on. */
const LINK_URL_CHARS_MAX = 2_048;
/** Characters of attached text that the page shows a reviewer: of one file, and of all. The rest can be downloaded. */
const FILE_CHARS_MAX = 64 * 1024;
const FILES_CHARS_MAX = 256 * 1024;
/** Characters of the HTML's text that a review keeps; large newsletters have 30,000. */
const HTML_TEXT_CHARS_MAX = 128 * 1024;
const UNSEARCHED_MAX = 100;

/**
 * Derives what a reviewer is shown of a message in addition to its own fields. The result is bounded, whatever the
 * message is. It is made once and kept with the message. Never throws.
 */
export async function heldReview(message: Outgoing, contentHash: string): Promise<HeldReview> {
  const { text, html } = message;
  // What the gate could not search, reviewers must look at.
  const { unsearched, attached } = await outgoingTexts(message);
  const attachmentTexts: HeldReview["attachmentTexts"] = [];
  let room = FILES_CHARS_MAX;
  for (const [index, texts] of attached.entries()) {
    const [first] = texts;
    if (!first) continue;
    const decoded = texts.filter(({ form }) => form === "words" || form === "data");
    // For a message, its decoded content; for any other file its text, in the charset that it names or its bytes
    // suggest.
    const whole = first.form === "raw" ? decoded.map(({ text }) => text).join("\n") : first.text;
    const shown = whole.slice(0, Math.min(FILE_CHARS_MAX, room)).toWellFormed();
    room -= shown.length;
    attachmentTexts.push({ index, text: shown, moreChars: whole.length - shown.length });
  }
  return {
    contentHash,
    ...bodyReview(text, html),
    attachmentTexts,
    unsearched: unsearched.slice(0, UNSEARCHED_MAX).map(({ name, why }) => ({ name: visibleLine(name), why })),
  };
}

/** Derives what a reviewer is shown of the bodies: where their links lead, and whether both say the same. */
export function bodyReview(
  text: string,
  html: string | null,
): Pick<HeldReview, "links" | "moreLinks" | "htmlText" | "isSame" | "notes"> {
  const links = linksOf(text, html);
  return {
    links: links.slice(0, LINKS_MAX).map((link) => ({
      text: cut(link.text, LINK_TEXT_CHARS_MAX),
      host: cut(link.host, LINK_TEXT_CHARS_MAX),
      url: cut(link.url, LINK_URL_CHARS_MAX),
    })),
    moreLinks: Math.max(0, links.length - LINKS_MAX),
    ...(html === null ? { htmlText: null, isSame: true, notes: [] } : htmlReview(text, html)),
  };
}

function htmlReview(text: string, html: string): Pick<HeldReview, "htmlText" | "isSame" | "notes"> {
  const { isSame, notes } = compareBodies(text, html);
  const shown = shownText(html);
  const htmlText = shown.slice(0, HTML_TEXT_CHARS_MAX).toWellFormed();
  if (htmlText.length < shown.length)
    notes.push(`Only the first ${HTML_TEXT_CHARS_MAX / 1024} Ki characters of the HTML's text are shown.`);
  return { htmlText, isSame, notes };
}

function cut(text: string, charsMax: number): string {
  return text.length <= charsMax ? text : `${text.slice(0, charsMax - 1).toWellFormed()}…`;
}

export interface Reviews {
  /** What is kept for the reviewers of a message; derived now if that has not happened since it was held. */
  of(outbound: Outbound): Promise<HeldReview>;
}

export interface ReviewsOptions {
  store: Store;
  attachments: ReadAttachments;
  /** `heldReview`, here or in another process. */
  derive(owner: Owner, message: Outgoing, contentHash: string): Promise<HeldReview>;
}

export function createReviews({ store, attachments: read, derive }: ReviewsOptions): Reviews {
  return {
    async of({ message }) {
      const { id, content, contentHash, subject, review } = message;
      if (review?.contentHash === contentHash) return review;
      const raw = content.attachments.length > 0 ? await store.outboundBytes(id) : null;
      const files = raw ? attachedFiles(message, raw, content.attachments, read) : Promise.resolve([]);
      const attachments = await files.catch((error: unknown) => {
        // A message that cannot be parsed must still be decided about.
        if (error instanceof Failure && error.code === "unavailable") return null;
        throw error;
      });
      const made = attachments
        ? await derive(message, { ...content, subject, attachments }, contentHash)
        : unknownReview(contentHash);
      if (message.status === "pending_approval") await store.storeReview(id, made);
      return made;
    },
  };
}

/**
 * Builds what a reviewer is shown of a held message. Finding its links takes long, so they come from `held`. The links
 * to decide are about the message as it is now; an edit voids them.
 */
export function reviewOf(input: {
  outbound: Outbound;
  held: HeldReview;
  agent: AgentRow;
  approveUrl: string;
  rejectUrl: string;
  reviewUrl: string | null;
}): Review {
  const { agent, outbound, ...more } = input;
  const { message, recipients } = outbound;
  const { content } = message;
  return {
    messageId: message.id,
    agent: { address: agent.id, name: agent.name },
    from: content.from,
    to: content.to,
    cc: content.cc,
    bcc: content.bcc,
    replyTo: content.replyTo,
    firstTime: recipients.filter((recipient) => recipient.firstTime).map((recipient) => recipient.address),
    subject: message.subject,
    text: content.text,
    html: content.html,
    attachments: content.attachments,
    headers: [...threadFields(content), ...content.headers],
    hold: message.hold ?? { rule: "approval", reason: "It waits for a person's approval." },
    createdAt: message.createdAt,
    expiresAt: message.approvalExpiresAt ?? message.createdAt,
    onExpiry: message.hold?.rule === "loop" ? "reject" : agent.hitlExpirationAction,
    contentHash: message.contentHash,
    ...more,
  };
}
