import { type Static, Type } from "@sinclair/typebox";
import type { Summary as ApiSummary } from "./shapes.ts";
import { orNull, untrustedNote } from "./tool.ts";
import { automaticReason, conversationName, type Fence, shortLine, shortList, verdictOf } from "./untrusted.ts";

/** A message in a list. */
export const Summary = Type.Object({
  message_id: Type.String(),
  conversation_id: Type.String(),
  direction: Type.String({ description: "`inbound` or `outbound`." }),
  status: Type.String({ description: "`unread` or `read`; for sent mail, its delivery status." }),
  at: Type.String({ description: "When it was received or submitted." }),
  verified: Type.Boolean({ description: "Whether the domain it says it is from is proven." }),
  verdict: Type.String(),
  do_not_answer: orNull(Type.String(), "Why a program should not answer it; null if it may."),
  has_attachments: Type.Boolean(),
  labels: Type.Array(Type.String()),
  untrusted: Type.Object(
    {
      from: Type.String(),
      from_name: Type.String(),
      to: Type.Array(Type.String()),
      subject: Type.String(),
      snippet: Type.String(),
    },
    { description: untrustedNote },
  ),
});

export function summaryOf(message: ApiSummary): Static<typeof Summary> {
  const { message_id, conversation_id, direction, status, created_at, verified, has_attachments, labels } = message;
  return {
    message_id,
    conversation_id,
    direction,
    status,
    at: created_at,
    verified: direction === "inbound" && verified,
    verdict: verdictOf(message),
    do_not_answer: direction === "inbound" ? automaticReason(message) : null,
    has_attachments,
    labels,
    untrusted: {
      from: shortLine(message.from),
      from_name: shortLine(message.from_name),
      to: shortList(message.to),
      subject: shortLine(message.subject),
      snippet: shortLine(message.snippet),
    },
  };
}

/** Messages as text, two lines each: what we know of the message, and what it says. */
export function summaryLines(messages: readonly Static<typeof Summary>[], fence: Fence): string[] {
  if (messages.length === 0) return [];
  const lines = messages.map(({ message_id, conversation_id, at, status, verdict, labels, ...message }) => {
    const marks = [`${message.direction} ${status}`, ...(message.has_attachments ? ["attachments"] : [])];
    const warning = message.do_not_answer ? ` ${message.do_not_answer}` : "";
    return `${message_id} in ${conversationName(conversation_id, fence)}, ${at}, ${marks.join(", ")}. ${verdict}${warning}\n${fence.line({ ...message.untrusted, ...(labels.length > 0 ? { labels } : {}) })}`;
  });
  return [fence.warning, ...lines];
}
