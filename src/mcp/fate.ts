import { type Static, Type } from "@sinclair/typebox";
import type { Outbound, Sent } from "./shapes.ts";
import { untrustedNote } from "./tool.ts";
import { type Fence, shortLine } from "./untrusted.ts";

/** The state of a message that was submitted. */
export const Fate = Type.Object({
  status: Type.String(),
  method: Type.Optional(
    Type.String({ description: "`relay`: to an agent here; `smtp`: to the outside; `capture`: kept here, not sent." }),
  ),
  hold: Type.Optional(Type.String({ description: "Why it waits for a person." })),
  approval_expires_at: Type.Optional(Type.String()),
  recipients: Type.Array(Type.Object({ address: Type.String(), status: Type.String() })),
  untrusted: Type.Object(
    {
      replies: Type.Array(Type.String(), { description: "What other mail servers said." }),
      left_out: Type.Optional(
        Type.String({ description: "Addresses that a reply left out because nothing proves them." }),
      ),
      rejection_reason: Type.Optional(Type.String({ description: "Why a person rejected it." })),
    },
    { description: untrustedNote },
  ),
});

/** What the API says of a message, to its sender or to a later request. */
type Known = Partial<Pick<Sent, "message_id" | "conversation_id" | "method" | "hold" | "approval_expires_at" | "fix">> &
  Partial<Pick<Outbound, "rejection_reason">> & {
    status: string;
    recipients: readonly { address: string; status: string; smtp_reply: string | null; error: string | null }[];
  };

export function fateOf(message: Known): Static<typeof Fate> {
  const { status, method, hold, approval_expires_at, recipients, rejection_reason, fix } = message;
  return {
    status,
    ...(method ? { method } : {}),
    ...(hold ? { hold: shortLine(hold.reason) } : {}),
    ...(approval_expires_at ? { approval_expires_at } : {}),
    recipients: recipients.map(({ address, status }) => ({ address: shortLine(address), status })),
    untrusted: {
      replies: recipients.flatMap(({ address, smtp_reply, error }) => {
        const said = smtp_reply ?? error;
        return said ? [shortLine(`${address}: ${said}`)] : [];
      }),
      ...(fix ? { left_out: shortLine(fix) } : {}),
      ...(rejection_reason ? { rejection_reason: shortLine(rejection_reason) } : {}),
    },
  };
}

/** What each status means for the sender. */
const meanings: Record<string, string> = {
  pending_approval: "It is waiting for a person's approval. Do not send it again; get_message shows its status.",
  queued: "It is on its way; get_message shows its status. Do not send it again.",
  sending: "It is on its way; get_message shows its status. Do not send it again.",
  deferred: "The recipient's server asked to try later; it is retried automatically. Do not send it again.",
  sent: "The next mail server accepted it.",
  delivered: "It was delivered.",
  bounced: "It bounced: no recipient received it.",
  failed: "It could not be sent: no recipient received it.",
  cancelled: "It was cancelled and not sent.",
  rejected: "A person rejected it; it was not sent.",
  expired_approved: "No one decided in time, and it was sent.",
  expired_rejected: "No one decided in time, and it was not sent.",
};

const leftOut =
  "The reply left out addresses: the signature that proves the sender does not cover the fields that name them, so " +
  "a third party may have added them. Write to them with send_email only if you are sure.";

export function fateLines(message: Known, fence: Fence): string[] {
  const { status, method, hold, recipients, untrusted } = fateOf(message);
  const meaning =
    method === "capture" ? "This is a test server: it keeps mail to the outside and sends none." : meanings[status];
  const list = recipients.map(({ address, status }) => `${address} ${status}`);
  return [
    `Status ${status}. ${meaning ?? ""}`.trim(),
    // It names files and hosts, which the author of the message chose.
    ...(hold ? [`Why it was held: ${fence.line(hold)}`] : []),
    // In a reply, the author of the answered message chose them.
    ...(list.length > 0 ? [`Recipients: ${fence.line(list)}`] : []),
    ...(untrusted.left_out ? [leftOut] : []),
    ...(untrusted.replies.length > 0 || untrusted.rejection_reason || untrusted.left_out
      ? [fence.line(untrusted)]
      : []),
  ];
}
