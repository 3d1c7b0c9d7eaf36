import type { Mailbox } from "../mail.ts";
import { splitAddress } from "../mail.ts";
import { reservedLocalParts } from "../reserved-names.ts";
import { mailboxField } from "./fields.ts";
import { asBuffer, fieldsNamed, scanHeaders } from "./headers.ts";

/** Short enough that " via e2a" after it stays visible in any list of messages. */
const NAME_CHARS_MAX = 60;
/** RFC 5321 4.5.3.1.1. */
const LOCAL_BYTES_MAX = 64;

/**
 * Rewrites one of our composed messages so that it comes from `fromDomain`: From becomes
 * `"<name> via e2a" <local@fromDomain>` and Reply-To the agent's own address, unless the message already has a
 * Reply-To. Sign it afterwards.
 *
 * `local` comes from `viaLocalPart`; Reply-To distinguishes agents that share it. The agent chooses the name, which is
 * cut and always followed by "via e2a".
 * Throws if the message does not have exactly one From field, or the agent has no address.
 */
export function sendVia(raw: Uint8Array, via: { agent: Mailbox; local: string; fromDomain: string }): Buffer {
  const { address, name } = via.agent;
  const label = [...(name.trim() || (splitAddress(address)?.local ?? ""))].slice(0, NAME_CHARS_MAX).join("").trim();
  const from = mailboxField("From", [{ address: `${via.local}@${via.fromDomain}`, name: `${label} via e2a` }]);
  const ownAddress = mailboxField("Reply-To", [{ address, name }]);
  const block = scanHeaders(raw);
  const [field, ...more] = fieldsNamed(block, "from");
  if (!field || more.length > 0 || from === "" || ownAddress === "")
    throw new Error("the message cannot be sent in another domain's name");
  const answered = fieldsNamed(block, "reply-to").length > 0;
  const replyTo = answered ? "" : ownAddress;
  const bytes = asBuffer(raw);
  return Buffer.concat([bytes.subarray(0, field.start), Buffer.from(from + replyTo), bytes.subarray(field.end)]);
}

/**
 * The local part that an agent's mail has at another domain. If `isNamed`, or if the agent's own local part would speak
 * for the operator, it includes the agent's domain (`noreply=acme.example`), which no slug can look like. Null if it
 * would be too long.
 */
export function viaLocalPart(address: string, isNamed: boolean): string | null {
  const { local, domain } = splitAddress(address) ?? { local: "", domain: "" };
  const chosen = isNamed || reservedLocalParts.has(local) ? `${local}=${domain}` : local;
  return Buffer.byteLength(chosen) <= LOCAL_BYTES_MAX ? chosen : null;
}
