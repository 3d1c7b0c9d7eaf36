import { createHmac } from "node:crypto";
import { domainToASCII, domainToUnicode } from "node:url";
import type { EntityType } from "../mail.ts";

/** What is signed, each member as its header carries it. */
export interface SignedFields {
  verified: boolean;
  sender: string;
  entityType: EntityType;
  domainCheck: string;
  /** Whom the sender acts for. Its header is absent when this is absent or empty. */
  delegation?: string;
  /** RFC 3339, UTC, whole seconds, `Z`. */
  timestamp: string;
  messageId: string;
  /** Lower-case hex SHA-256 of the raw mail. */
  bodyHash: string;
}

/**
 * Longest sender that is shown, in characters. RFC 5321 4.5.3.1 allows 320. A longer one is left out whole:
 * its header would make receivers refuse the request, and a shortened one could name another domain.
 */
const SENDER_CHARS_MAX = 1_000;

/** How long a secret goes on signing beside the one that took its place, so that receivers can change over. */
const OVERLAP_MS = 24 * 3_600_000;

/**
 * The secrets that sign: the newest, and each that was replaced less than 24 hours ago.
 *
 * @param secrets all of an account, the newest first
 */
export function signers<T extends { createdAt: Date }>(secrets: readonly T[], now: Date): T[] {
  return secrets.filter((_, i) => {
    const successor = secrets[i - 1];
    return !successor || now.getTime() - successor.createdAt.getTime() < OVERLAP_MS;
  });
}

/** The text under the signature: the header values in their order, one a line, no line end after the last. */
export function canonical(fields: SignedFields): string {
  return [
    fields.verified,
    fields.sender,
    fields.entityType,
    fields.domainCheck,
    fields.delegation ?? "",
    fields.timestamp,
    fields.messageId,
    fields.bodyHash,
  ].join("\n");
}

/**
 * The X-E2A-Auth-* headers of one attempt or fetch, in the order in which they are sent.
 *
 * Values are made safe for a header first and then signed, so a receiver checks the signature over the values it got.
 * They are printable ASCII. Printable ASCII other than a backslash goes as it is; an internationalised domain
 * in its A-label form; any other character, and a space at either end, as `\x{HEX}` (the form of RFC 6533 section 3).
 *
 * The first secret makes X-E2A-Auth-Signature. What others make goes into X-E2A-Auth-Signature-Previous, separated by
 * spaces, so that a receiver that does not know the new secret yet has something to check.
 *
 * @param secrets each the 64 characters as shown to the user; their UTF-8 bytes are the key
 */
export function authHeaders(
  message: Omit<SignedFields, "timestamp">,
  secrets: readonly string[],
  now: Date,
): Record<string, string> {
  const fields: SignedFields = {
    verified: message.verified,
    sender: headerSafe(senderInAscii(message.sender)),
    entityType: message.entityType,
    domainCheck: headerSafe(message.domainCheck),
    delegation: headerSafe(message.delegation ?? ""),
    timestamp: `${now.toISOString().slice(0, 19)}Z`,
    messageId: headerSafe(message.messageId),
    bodyHash: headerSafe(message.bodyHash),
  };
  const signed = canonical(fields);
  const [signature = "", ...previous] = secrets.map((key) => createHmac("sha256", key).update(signed).digest("hex"));
  return {
    "X-E2A-Auth-Verified": String(fields.verified),
    "X-E2A-Auth-Sender": fields.sender,
    "X-E2A-Auth-Entity-Type": fields.entityType,
    "X-E2A-Auth-Domain-Check": fields.domainCheck,
    ...(fields.delegation ? { "X-E2A-Auth-Delegation": fields.delegation } : {}),
    "X-E2A-Auth-Timestamp": fields.timestamp,
    "X-E2A-Auth-Message-Id": fields.messageId,
    "X-E2A-Auth-Body-Hash": fields.bodyHash,
    "X-E2A-Auth-Signature": signature,
    ...(previous.length > 0 ? { "X-E2A-Auth-Signature-Previous": previous.join(" ") } : {}),
  };
}

/**
 * The headers of Standard Webhooks 1.0 (standardwebhooks.com), so that stock verifiers work.
 *
 * @param delivery.id the same for every attempt; holds no full stop, which separates the signed parts
 * @param delivery.body the bytes that are sent; a string stands for its UTF-8 bytes
 * @param delivery.secrets one signature each, separated by spaces: a receiver that knows any of them accepts
 */
export function standardWebhookHeaders(delivery: {
  id: string;
  body: string | Uint8Array;
  secrets: readonly string[];
  now: Date;
}): Record<string, string> {
  const seconds = Math.floor(delivery.now.getTime() / 1000);
  const signatures = delivery.secrets.map((secret) => {
    const mac = createHmac("sha256", secret).update(`${delivery.id}.${seconds}.`).update(delivery.body);
    return `v1,${mac.digest("base64")}`;
  });
  return {
    "webhook-id": delivery.id,
    "webhook-timestamp": String(seconds),
    "webhook-signature": signatures.join(" "),
  };
}

/** The same signing secret in the form that a Standard Webhooks verifier is given. */
export function standardWebhookSecret(secret: string): string {
  return `whsec_${Buffer.from(secret, "utf8").toString("base64")}`;
}

/** The address with an internationalised domain as A-labels (RFC 5890 2.3.2.1); "" when longer than any address. */
function senderInAscii(sender: string): string {
  if (sender.length > SENDER_CHARS_MAX) return "";
  const at = sender.lastIndexOf("@") + 1;
  const domain = sender.slice(at);
  const ascii = domainToASCII(domain);
  // Only a domain that is the exact Unicode form of its A-labels: look-alikes must not be folded into another name.
  return ascii !== "" && domainToUnicode(ascii) === domain ? sender.slice(0, at) + ascii : sender;
}

/** Receivers decode bytes above 0x7E in different ways and trim spaces at the ends: neither may be in a signed value. */
function headerSafe(value: string): string {
  return value.replace(
    /[^\x20-\x5b\x5d-\x7e]|^ | $/gu,
    (char) => `\\x{${char.codePointAt(0)?.toString(16).toUpperCase().padStart(2, "0")}}`,
  );
}
