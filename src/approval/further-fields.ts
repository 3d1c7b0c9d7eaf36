import type { HeaderField, Mailbox } from "../mail.ts";
import type { OutboundContent } from "../store/schema.ts";

/** The fields that name the messages of the thread. The agent chooses their ids. */
export function threadFields({ inReplyTo, references }: Pick<OutboundContent, "inReplyTo" | "references">) {
  return [
    ...(inReplyTo === null ? [] : [{ name: "In-Reply-To", value: inReplyTo }]),
    ...(references.length === 0 ? [] : [{ name: "References", value: references.join(" ") }]),
  ];
}

/**
 * Lists what leaves in the header in addition to addresses and subject, as fields: recipients that have a name, with
 * it, the ids of the thread, and the agent's own fields. A reviewer must see all of it.
 */
export function furtherFields(content: OutboundContent): HeaderField[] {
  const people = { To: content.to, Cc: content.cc, "Reply-To": content.replyTo };
  const named = Object.entries(people).filter(([, mailboxes]) => mailboxes.some(({ name }) => name !== ""));
  return [
    ...named.map(([name, mailboxes]) => ({ name, value: mailboxes.map(written).join(", ") })),
    ...threadFields(content),
    ...content.headers,
  ];
}

function written({ address, name }: Mailbox): string {
  return name === "" ? address : `"${name}" <${address}>`;
}
