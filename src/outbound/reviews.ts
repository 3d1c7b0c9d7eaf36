import type { Outbound } from "../store/outbound.ts";
import type { AgentRow } from "../store/schema.ts";
import type { Review } from "./review.ts";

/**
 * What a reviewer is shown of a held message, but for the links in it, which take long to find. The links to decide are about
 * the message as it is now; an edit voids them.
 */
export function reviewOf(input: {
  outbound: Outbound;
  agent: AgentRow;
  approveUrl: string;
  rejectUrl: string;
  reviewUrl: string | null;
}): Review {
  const { agent, outbound, ...urls } = input;
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
    links: [],
    headers: content.headers,
    hold: message.hold ?? { rule: "approval", reason: "It waits for a person's approval." },
    createdAt: message.createdAt,
    expiresAt: message.approvalExpiresAt ?? message.createdAt,
    onExpiry: message.hold?.rule === "loop" ? "reject" : agent.hitlExpirationAction,
    contentHash: message.contentHash,
    ...urls,
  };
}
