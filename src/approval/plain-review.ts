/** What reviewers get of a held message that cannot be read for them. They must learn of it all the same. */

import type { ShownLink } from "../message/html/shown-links.ts";
import { visibleLine } from "../message/text/visible.ts";
import type { HeldReview } from "../store/schema.ts";
import { html } from "../util/html.ts";
import type { Review } from "./review.ts";
import type { ReviewMail } from "./review-mail.ts";

/** Replaces the list of links, where a reviewer would look for them. */
export const unknownLinks: ShownLink = {
  text: "The links of this message cannot be listed: finding them takes too long.",
  host: "",
  url: "about:blank",
};

/** What reviewers are shown of a message that takes too much time or memory to read for them. */
export function unknownReview(contentHash: string): HeldReview {
  return {
    contentHash,
    links: [unknownLinks],
    moreLinks: 0,
    htmlText: null,
    isSame: false,
    attachmentTexts: [],
    notes: ["Reading the message for its reviewers takes too much time or memory."],
    unsearched: [{ name: "the message", why: "too large" }],
  };
}

/** Some servers would refuse a mail with more entries. */
const ENTRIES_MAX = 100;

/** Writes the mail about held messages without quoting them: whose they are, when they expire, and how to decide. */
export function plainReviewMail(reviews: readonly Review[]): ReviewMail {
  const entries = reviews.slice(0, ENTRIES_MAX);
  const more = reviews.length - entries.length;
  const title = `${reviews.length === 1 ? "An email is waiting" : `${reviews.length} emails are waiting`} for your approval`;
  const why = "The content is not shown here, because reading it takes too much time or memory. Review it with care.";
  const rest = more > 0 ? [`${more} more are not listed here. See all: e2a pending list`] : [];
  const shown = entries.map((review) => ({
    who: `From ${visibleLine(review.agent.address)}, ${review.messageId}`,
    expiry: `It is ${review.onExpiry === "approve" ? "sent" : "rejected"} on ${review.expiresAt.toISOString()} unless someone decides first.`,
    links: [
      ["Approve", review.approveUrl],
      ["Reject", review.rejectUrl],
    ] as const,
    command: `e2a pending show ${review.messageId}`,
  }));
  return {
    subject: title,
    text: [
      `${title}. ${why}`,
      ...shown.flatMap(({ who, expiry, links, command }) => [
        ...["", who, expiry],
        ...links.map(([label, url]) => `${label}: ${url}`),
        command,
      ]),
      ...rest,
      "",
    ].join("\n"),
    html: html`<!doctype html><meta charset="utf-8"><title>${title}</title><p>${title}. ${why}</p>${shown.map(
      ({ who, expiry, links, command }) =>
        html`<p>${who}<br>${expiry}<br>${links.map(([label, url]) => html`<a href="${url}">${label}</a> `)}<br><code>${command}</code></p>`,
    )}${rest.map((line) => html`<p>${line}</p>`)}`.text,
  };
}
