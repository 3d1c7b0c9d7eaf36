import { createHmac } from "node:crypto";
import { domainToASCII, domainToUnicode } from "node:url";
import type { EntityType } from "../mail.ts";

/** The signed values, each as its header carries it. */
export interface SignedFields {
  verified: boolean;
  sender: string;
  entityType: EntityType;
  domainCheck: string;
  /** The party that the sender acts for. The header is absent if this is absent or empty. */
  delegation?: string;
  /** RFC 3339, UTC, whole seconds, `Z`. */
  timestamp: string;
  messageId: string;
  /** Lower-case hex SHA-256 of the raw mail. */
  bodyHash: string;
}

/**
 * Longest sender that is shown, in characters. RFC 5321 4.5.3.1 allows 320. A longer one is left out completely:
 * receivers would refuse a request with such a header, and a shortened one could name another domain.
 */
const SENDER_CHARS_MAX = 1_000;

/** How long a replaced secret still signs in addition to its successor, so that receivers can change over. */
const OVERLAP_MS = 24 * 3_600_000;

/**
 * Selects the secrets that sign: the newest, and each that was replaced less than 24 hours ago.
 *
 * @param secrets all of an account, the newest first
 */
export function signers<T extends { createdAt: Date }>(secrets: readonly T[], now: Date): T[] {
  return secrets.filter((_, i) => {
    const successor = secrets[i - 1];
    return !successor || now.getTime() - successor.createdAt.getTime() < OVERLAP_MS;
  });
}

/** The signed text: the header values in their order, one per line, without a line end after the last. */
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
 * Makes the X-E2A-Auth-* headers of one attempt or fetch, in the order in which they are sent.
 *
 * Values are made safe for a header first and then signed, so a receiver checks the signature over the values it got.
 * They are printable ASCII. Printable ASCII other than a backslash stays as it is. An internationalised domain is in
 * its A-label form. Any other character, and a space at either end, becomes `\x{HEX}` (the form of RFC 6533 section 3).
 *
 * The first secret makes X-E2A-Auth-Signature. The signatures of the others go into X-E2A-Auth-Signature-Previous,
 * separated by spaces, so that a receiver that does not know the new secret yet can check one of them.
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
 * Makes the headers of Standard Webhooks 1.0 (standardwebhooks.com), so that stock verifiers work.
 *
 * @param delivery.id the same for every attempt; has no full stop, which separates the signed parts
 * @param delivery.body the bytes that are sent; a string stands for its UTF-8 bytes
 * @param delivery.secrets each makes a signature, separated by spaces: a receiver that knows any of them accepts
 */
export function standardWebhookHeaders({ body, ...delivery }: SignedDelivery & { body: string | Uint8Array }) {
  const signer = standardWebhookSigner(delivery);
  signer.update(body);
  return signer.headers();
}

interface SignedDelivery {
  id: string;
  secrets: readonly string[];
  now: Date;
}

/** The same for a body that comes in pieces. */
export function standardWebhookSigner({ id, secrets, now }: SignedDelivery): {
  update(piece: string | Uint8Array): void;
  /** Call it once, after the last piece. */
  headers(): Record<string, string>;
} {
  const seconds = Math.floor(now.getTime() / 1000);
  const macs = secrets.map((secret) => createHmac("sha256", secret).update(`${id}.${seconds}.`));
  return {
    update(piece) {
      for (const mac of macs) mac.update(piece);
    },
    headers: () => ({
      "webhook-id": id,
      "webhook-timestamp": String(seconds),
      "webhook-signature": macs.map((mac) => `v1,${mac.digest("base64")}`).join(" "),
    }),
  };
}

/** Converts a signing secret to the form that Standard Webhooks verifiers take. */
export function standardWebhookSecret(secret: string): string {
  return `whsec_${Buffer.from(secret, "utf8").toString("base64")}`;
}

/** The address with an internationalised domain as A-labels (RFC 5890 2.3.2.1); "" if it is longer than any address. */
function senderInAscii(sender: string): string {
  if (sender.length > SENDER_CHARS_MAX) return "";
  const at = sender.lastIndexOf("@") + 1;
  const domain = sender.slice(at);
  const ascii = domainToASCII(domain);
  // Converts only a domain that is the exact Unicode form of its A-labels: a look-alike must not become another name.
  return ascii !== "" && domainToUnicode(ascii) === domain ? sender.slice(0, at) + ascii : sender;
}

/** Receivers decode bytes above 0x7E differently and trim spaces at the ends, so a signed value must have neither. */
function headerSafe(value: string): string {
  return value.replace(
    /[^\x20-\x5b\x5d-\x7e]|^ | $/gu,
    (char) => `\\x{${char.codePointAt(0)?.toString(16).toUpperCase().padStart(2, "0")}}`,
  );
}
