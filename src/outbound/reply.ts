import { type HeaderField, headerValue, type Mailbox, mailboxAddress, wholeAuthentication } from "../mail.ts";
import { readMailbox } from "../message/addresses.ts";
import { readDate } from "../message/date.ts";
import { isMessageId } from "../message/fields.ts";
import { messageIdsIn } from "../message/message-ids.ts";
import { withoutForwardPrefixes, withoutReplyPrefixes } from "../message/text/subject.ts";
import type { MailContent, MessageRow, OutboundRow } from "../store/schema.ts";

/** Ids kept of a thread: the oldest, which identifies it, and the latest (RFC 5322 3.6.4, RFC 5537 3.4.4). */
const REFERENCES_MAX = 100;
/** The longest subject (RFC 5322 2.1.1), as for a new message. */
const SUBJECT_CHARS_MAX = 998;
const NAME_CHARS_MAX = 200;

/** What a reply or a forward needs from the message it follows. */
export interface Original {
  subject: string;
  conversationId: string;
  /** Where replies go: Reply-To unless it names only the agent, otherwise From; for the agent's own message, its recipients. */
  answersTo: Mailbox[];
  /** Its other recipients, as far as its own fields name them. */
  others: Mailbox[];
  /** Fields that the sender's signature does not cover, and the mailboxes they name; replies would else follow them. */
  unproven: { field: "Reply-To" | "To" | "Cc"; mailboxes: Mailbox[] }[];
  /** With brackets; null if it has no id that can be referred to. */
  messageId: string | null;
  /** Its own references, oldest first. */
  references: string[];
}

/**
 * A received message as the original of a reply. If its sender is proven by a signature that leaves out Reply-To, To or
 * Cc, anyone who passed the message on could have written that field, so the field chooses no recipients.
 */
export function inboundOriginal(message: MessageRow, { headers }: Pick<MailContent, "headers">): Original {
  const { subject, conversationId, from, replyTo, to, cc } = message;
  const { unsigned } = wholeAuthentication(message.authentication);
  const fields = [
    { field: "Reply-To", mailboxes: replyTo },
    { field: "To", mailboxes: to },
    { field: "Cc", mailboxes: cc },
  ] as const;
  const unproven = fields.filter(({ field }) => unsigned.includes(field));
  const proven = ({ field }: (typeof fields)[number]) => !unsigned.includes(field);
  const [answers = [], ...others] = fields.map((one) => (proven(one) ? one.mailboxes : []));
  // A list or a forwarder may put the agent itself there, which must not answer itself.
  const leadsAway = answers.some(({ address }) => mailboxAddress(address) !== message.agentId);
  return {
    subject,
    conversationId,
    answersTo: leadsAway ? answers : from,
    others: others.flat(),
    unproven,
    messageId: usableId(message.emailMessageId),
    references: ancestors(
      messageIdsIn(headerValue(headers, "References") ?? "", "references").filter(isMessageId),
      messageIdsIn(headerValue(headers, "In-Reply-To") ?? "").filter(isMessageId),
    ),
  };
}

/** Recipients whose copies a follow-up names by the ids that the upstream gave them. */
const RENAMED_MAX = 10;

/**
 * The agent's own message as the original of a follow-up. `renamed`: the Message-IDs that it has at its recipients, if
 * the upstream replaced ours; their programs know no other.
 */
export function outboundOriginal(
  { subject, conversationId, emailMessageId, content }: OutboundRow,
  renamed: readonly string[] = [],
): Original {
  const { to, cc, references, inReplyTo } = content;
  const parents = ancestors(references.filter(isMessageId), inReplyTo && isMessageId(inReplyTo) ? [inReplyTo] : []);
  return {
    subject,
    conversationId,
    answersTo: to.length > 0 ? to : cc,
    others: cc,
    unproven: [],
    messageId: usableId(emailMessageId),
    references: [...parents, ...renamed.filter(isMessageId).slice(0, RENAMED_MAX)],
  };
}

/**
 * The recipients of a reply: the authors in To, and with `all` everyone else in Cc (RFC 5322 3.6.3). The agent itself,
 * also as a sub-address, gets no copy, but it can reply to a message it wrote to itself. `problems` describes the
 * addresses that cannot receive mail, without quoting them: a refusal is read as the server's words, and the address is
 * a stranger's. `unproven` has the addresses that only unsigned fields name, by field.
 */
export function replyRecipients(
  original: Original,
  agentId: string,
  all: boolean,
): { to: Mailbox[]; cc: Mailbox[]; problems: string[]; unproven: Unproven[] } {
  const notSelf = ({ address }: Mailbox) => mailboxAddress(address) !== agentId;
  const strangers = original.answersTo.filter(notSelf);
  const problems: string[] = [];
  const usable = (mailboxes: Mailbox[]) =>
    mailboxes.flatMap(({ address, name }, i) => {
      const read = readMailbox(address);
      if ("mailbox" in read)
        return [{ address: read.mailbox.address, name: name.slice(0, NAME_CHARS_MAX).toWellFormed() }];
      const which = mailboxes.length === 1 ? "the address" : `number ${i + 1} of the ${mailboxes.length} addresses`;
      problems.push(`${which} that the message names, which ${read.problem}`);
      return [];
    });
  const to = usable(strangers.length > 0 ? strangers : original.answersTo);
  const cc = usable(all ? original.others.filter(notSelf) : []);
  const chosen = new Set([...to, ...cc].map(({ address }) => address));
  const unproven = original.unproven
    .filter(({ field }) => all || field === "Reply-To")
    .map(({ field, mailboxes }) => ({
      field,
      addresses: bareAddresses(mailboxes.filter(notSelf)).filter((address) => !chosen.has(address)),
    }))
    .filter(({ addresses }) => addresses.length > 0);
  return { ...distinct({ to, cc, bcc: [] }), problems, unproven };
}

/** An unsigned field, and the addresses it names besides the recipients of the reply. */
export interface Unproven {
  field: string;
  addresses: string[];
}

function bareAddresses(mailboxes: readonly Mailbox[]): string[] {
  return [...new Set(mailboxes.map(({ address }) => address))];
}

/** Keeps each address once across all three fields: its first mention. */
export function distinct<T extends { to: Mailbox[]; cc: Mailbox[]; bcc: Mailbox[] }>(given: T) {
  const seen = new Set<string>();
  const once = ({ address }: Mailbox) => !seen.has(address) && seen.add(address);
  return { to: given.to.filter(once), cc: given.cc.filter(once), bcc: given.bcc.filter(once) };
}

/** `Re: …` with a single prefix, whatever prefixes the original had, in any language (RFC 5322 3.6.5). */
export function replySubject(subject: string): string {
  return prefixed("Re:", withoutReplyPrefixes(subject));
}

/** `Fwd: …` with a single prefix, in any language. */
export function forwardSubject(subject: string): string {
  return prefixed("Fwd:", withoutForwardPrefixes(subject));
}

/** The fields that put a reply into the thread of its original (RFC 5322 3.6.4). */
export function replyThread({ messageId, references }: Pick<Original, "messageId" | "references">): {
  inReplyTo: string | null;
  references: string[];
} {
  const ids = [...new Set([...references.filter((id) => id !== messageId), ...(messageId ? [messageId] : [])])];
  const kept = ids.length > REFERENCES_MAX ? [...ids.slice(0, 1), ...ids.slice(1 - REFERENCES_MAX)] : ids;
  return { inReplyTo: messageId, references: kept };
}

/** References, or else In-Reply-To if that names one message (RFC 5322 3.6.4). */
function ancestors(references: string[], inReplyTo: string[]): string[] {
  if (references.length > 0) return references;
  return inReplyTo.length === 1 ? inReplyTo : [];
}

function usableId(id: string | null): string | null {
  return id !== null && isMessageId(id) ? id : null;
}

function prefixed(prefix: string, subject: string): string {
  return `${prefix} ${subject}`.trim().slice(0, SUBJECT_CHARS_MAX).toWellFormed();
}

/** When a message says that it was written, or else when it was received. */
export function quotedDate(headers: readonly HeaderField[], receivedAt: Date): Date {
  return readDate(headerValue(headers, "Date") ?? "") ?? receivedAt;
}
