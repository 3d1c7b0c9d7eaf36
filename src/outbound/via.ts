import { asBuffer, fieldsNamed, scanHeaders } from "../inbound/headers.ts";
import type { Mailbox } from "../mail.ts";
import { splitAddress } from "../mail.ts";
import { mailboxField } from "./fields.ts";

/** So long that " via e2a" behind it is still seen in any list of messages. */
const nameCharsMax = 60;

/**
 * Sends one of our own composed messages in the name of `fromDomain`: From becomes `"<name> via e2a" <agent@fromDomain>`
 * and Reply-To the agent's own address, unless the message has a Reply-To already. To be signed afterwards.
 *
 * The address is made of the agent's local part alone, so agents of two domains can share it; it is a label, and
 * Reply-To tells them apart. It is nobody's mailbox only as long as `fromDomain` has none: it must not be a domain
 * that agents or people receive mail at. The name is the agent's own choice, cut and always followed by "via e2a".
 * Throws when the message has not exactly one From field, or the agent has no address.
 */
export function sendVia(raw: Uint8Array, via: { agent: Mailbox; fromDomain: string }): Buffer {
  const { address, name } = via.agent;
  const local = splitAddress(address)?.local ?? "";
  const label = [...(name.trim() || local)].slice(0, nameCharsMax).join("").trim();
  const from = mailboxField("From", [{ address: `${local}@${via.fromDomain}`, name: `${label} via e2a` }]);
  const block = scanHeaders(raw);
  const [field, ...more] = fieldsNamed(block, "from");
  if (!field || more.length > 0 || from === "") throw new Error("the message cannot be sent in another domain's name");
  const answered = fieldsNamed(block, "reply-to").length > 0;
  const replyTo = answered ? "" : mailboxField("Reply-To", [{ address, name }]);
  const bytes = asBuffer(raw);
  return Buffer.concat([bytes.subarray(0, field.start), Buffer.from(from + replyTo), bytes.subarray(field.end)]);
}
