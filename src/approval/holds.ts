import type { OutboundMail } from "../mail.ts";
import type { DueNotice, Notice } from "../store/outbound/notices.ts";
import type { Outbound } from "../store/outbound/outbound.ts";
import type { SendLimits } from "../store/outbound/send-limits.ts";
import type { AgentRow, HeldReview, OutboundContent } from "../store/schema.ts";
import type { Store } from "../store/store.ts";
import type { Clock } from "../util/clock.ts";
import { newId } from "../util/id.ts";
import type { Log } from "../util/log.ts";
import type { Owner } from "../util/owner.ts";
import { startWork, type Work } from "../util/work.ts";
import { unknownReview } from "./plain-review.ts";
import type { Review } from "./review.ts";
import type { ReviewMail } from "./review-mail.ts";
import { type Reviews, reviewOf } from "./reviews.ts";
import type { ApprovalTokens } from "./token.ts";

/** Expired holds decided in one transaction, at most. */
const EXPIRED_AT_ONCE = 100;
/** Mails about single messages per minute and account; more are sent as one digest. */
const NOTICES_PER_MINUTE = 5;
/** Held messages in one claim: enough to recognise a burst. */
const NOTICES_AT_ONCE = 200;
/** How long notifying the reviewers of one account may take before another worker retries it. */
const LEASE_MS = 60_000;
/** Accounts whose reviewers are notified at the same time. */
const CONCURRENCY = 4;

export interface HoldOptions {
  store: Store;
  clock: Clock;
  log: Log;
  /** The queue for the server's own mail to external addresses; null if it cannot send any. */
  lane: string | null;
  approvals: ApprovalTokens;
  reviews: Reviews;
  /** The beginning of links, without a trailing slash. */
  baseUrl: string;
  sharedDomain: string;
  /** Reviewers count as recipients of the account. */
  limits: SendLimits;
  /** Writes the mail to a reviewer, in another process: held mail is hostile until it has been reviewed. */
  reviewMail(owner: Owner, reviews: Review[], now: Date): Promise<ReviewMail>;
  /** Composes that mail; a large one in another process, too. */
  compose(owner: Owner, mail: OutboundMail): Promise<{ raw: Buffer }>;
}

/** What one reviewer is told about. */
interface Telling {
  reviewer: string;
  /** Without bodies: there may be many. */
  held: { outbound: Outbound; agent: AgentRow }[];
}

/** A held message as digests need it. */
function withoutBody({ message, recipients }: Outbound): Outbound {
  const content = { ...message.content, text: "", html: null };
  return { message: { ...message, content, original: null, review: null }, recipients };
}

/**
 * Handles held mail in the background: notifies reviewers, and decides messages whose time has run out.
 *
 * Reviewer mail goes through the outbound queue, past the gate. It never goes to a mailbox of this server: an agent
 * that reads the links in its own mail could approve its own messages.
 */
export function startHolds(options: HoldOptions): Work<DueNotice> {
  const { store, clock, log } = options;

  const work = startWork<DueNotice>({
    name: "holds",
    concurrency: CONCURRENCY,
    clock,
    log,
    async claim() {
      const now = new Date(clock.now());
      while ((await store.expireHolds(now, EXPIRED_AT_ONCE)) === EXPIRED_AT_ONCE);
      return store.claimNotices({
        now,
        leaseUntil: new Date(now.getTime() + LEASE_MS),
        perMinute: NOTICES_PER_MINUTE,
        limit: NOTICES_AT_ONCE,
      });
    },
    async run(due) {
      const now = new Date(clock.now());
      const notices: Notice[] = [];
      for (const telling of await tellingsOf(due)) {
        const lane = await laneTo(telling.reviewer);
        const notice = lane === null ? null : await noticeOf(telling, lane, due.userId, now);
        if (notice) notices.push(notice);
      }
      const about = due.messageIds;
      const untold = await store.storeNotices(notices, about, options.limits, now);
      for (const one of untold) log.warn("holds.not_told", { ...one });
      log.info("holds.told", {
        messages: about.length,
        mails: notices.length - untold.length,
        digest: due.digest,
      });
    },
    nextDue: () => store.nextHoldDue(),
  });
  const unsubscribe = store.onSignal((signal) => {
    if (signal.topic === "holds") work.wake();
  });
  work.wake();

  /** One for each message and reviewer, or, in a digest, one for each reviewer. */
  async function tellingsOf(due: DueNotice): Promise<Telling[]> {
    const tellings: Telling[] = [];
    for (const id of due.messageIds) {
      const outbound = await waiting(id);
      const agent = outbound && (await store.getAgent(outbound.message.agentId));
      if (!outbound || !agent?.hitlNotifyEmail) continue;
      const held = { outbound: withoutBody(outbound), agent };
      for (const reviewer of new Set([due.userEmail, ...agent.hitlReviewers])) {
        const known = due.digest && tellings.find((telling) => telling.reviewer === reviewer);
        if (known) known.held.push(held);
        else tellings.push({ reviewer, held: [held] });
      }
    }
    return tellings;
  }

  /** A message that still waits for a decision, or null. */
  async function waiting(id: string): Promise<Outbound | null> {
    const outbound = await store.heldMessage(id);
    return outbound?.message.status === "pending_approval" ? outbound : null;
  }

  /** What the mail to a reviewer is about. Only mail about a single message shows what it says. */
  async function reviewsOf({ reviewer, held }: Telling): Promise<Review[]> {
    const [only, ...others] = held;
    if (!only || others.length > 0)
      return held.map(({ outbound, agent }) =>
        linked(outbound, unknownReview(outbound.message.contentHash), agent, reviewer),
      );
    const outbound = await waiting(only.outbound.message.id);
    return outbound ? [linked(outbound, await options.reviews.of(outbound), only.agent, reviewer)] : [];
  }

  function linked(outbound: Outbound, held: HeldReview, agent: AgentRow, reviewer: string): Review {
    const { id: messageId, contentHash, approvalExpiresAt } = outbound.message;
    const expiresAt = approvalExpiresAt ?? new Date(clock.now());
    const url = (action: "approve" | "reject") => {
      const token = options.approvals.make({ messageId, action, contentHash, reviewer, expiresAt });
      return `${options.baseUrl}/api/v1/${action}?t=${token}`;
    };
    const [approveUrl, rejectUrl] = [url("approve"), url("reject")];
    return reviewOf({ outbound, held, agent, approveUrl, rejectUrl, reviewUrl: null });
  }

  /** The queue by which a reviewer is reached; null if there is none. */
  async function laneTo(reviewer: string): Promise<string | null> {
    const found = await store.findMailbox(reviewer, options.sharedDomain);
    if (found.kind === "foreign" && options.lane !== null) return options.lane;
    const why = found.kind === "foreign" ? "no upstream is configured" : "the address is on this server";
    log.warn("holds.not_told", { reviewer, why });
    return null;
  }

  /** The mail to a reviewer; null if nothing waits any more. */
  async function noticeOf(telling: Telling, lane: string, userId: string, now: Date): Promise<Notice | null> {
    const { reviewer, held } = telling;
    const reviews = await reviewsOf(telling);
    const [first] = held;
    if (!first || reviews.length === 0) return null;
    const owner = { userId, agentId: held.length === 1 ? first.agent.id : null };
    const mail = await options.reviewMail(owner, reviews, now);
    const id = newId("msg");
    const emailMessageId = `<${id.slice("msg_".length)}@${options.sharedDomain}>`;
    const { subject, text, html } = mail;
    const content: OutboundContent = {
      from: { address: `noreply@${options.sharedDomain}`, name: "e2a" },
      to: [{ address: reviewer, name: "" }],
      replyTo: [],
      cc: [],
      bcc: [],
      text,
      html,
      attachments: [],
      inReplyTo: null,
      references: [],
      headers: [],
    };
    const { attachments: _, ...said } = content;
    const composed = { ...said, subject, attachments: [], messageId: emailMessageId, date: now };
    const { raw } = await options.compose(owner, composed);
    const notice: Notice = {
      id,
      agentId: first.agent.id,
      userId,
      emailMessageId,
      subject,
      content,
      raw,
      recipient: reviewer,
      lane,
    };
    return notice;
  }

  return {
    ...work,
    close(graceMs) {
      unsubscribe();
      return work.close(graceMs);
    },
  };
}
