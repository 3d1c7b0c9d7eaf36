import { compose } from "../message/compose.ts";
import type { Notice } from "../store/outbound/notices.ts";
import type { OutboundContent } from "../store/schema.ts";
import type { Store } from "../store/store.ts";
import { newId } from "../util/id.ts";
import type { Routes } from "./routes.ts";

export interface ServerMailOptions {
  store: Store;
  routes: Routes;
  sharedDomain: string;
}

/** Writes the server's own mail to the owner of an account. */
export type WriteServerMail = (
  to: { id: string; email: string },
  mail: { subject: string; text: string; now: Date },
) => Promise<Notice | null>;

/**
 * Composes mail of the server itself, from `noreply@` its own domain, ready to queue. Null if no mail leaves this
 * server, or if the owner's mailbox is on it: an agent that reads its own account's mail would control itself.
 */
export function createServerMail({ store, routes, sharedDomain }: ServerMailOptions): WriteServerMail {
  const lane = routes.laneFor(sharedDomain);
  return async (to, { subject, text, now }) => {
    if (lane === null || (await store.findMailbox(to.email, sharedDomain)).kind !== "foreign") return null;
    const id = newId("msg");
    const emailMessageId = `<${id.slice("msg_".length)}@${sharedDomain}>`;
    const content: OutboundContent = {
      from: { address: `noreply@${sharedDomain}`, name: "e2a" },
      to: [{ address: to.email, name: "" }],
      replyTo: [],
      cc: [],
      bcc: [],
      text,
      html: null,
      attachments: [],
      inReplyTo: null,
      references: [],
      headers: [],
    };
    const { attachments: _, ...said } = content;
    const raw = await compose({ ...said, subject, attachments: [], messageId: emailMessageId, date: now });
    const about = { id, userId: to.id, emailMessageId, subject, content, raw };
    return { ...about, agentId: `postmaster@${sharedDomain}`, recipient: to.email, lane };
  };
}
