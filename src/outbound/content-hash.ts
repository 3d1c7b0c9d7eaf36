import { createHash } from "node:crypto";
import type { OutboundContent } from "../store/schema.ts";

/** Hashed in one turn of the event loop: takes a few milliseconds. */
const HASHED_AT_ONCE_BYTES = 1024 * 1024;

/**
 * The hash that a decision is bound to: lower-hex SHA-256 over the recipients, Bcc included, and the message's bytes,
 * which hold subject, texts and attachments. Yields to the event loop between pieces of a large message.
 */
export async function contentHashOf(
  { to, cc, bcc }: Pick<OutboundContent, "to" | "cc" | "bcc">,
  raw: Uint8Array,
): Promise<string> {
  const addresses = [to, cc, bcc].map((mailboxes) => mailboxes.map(({ address }) => address));
  const hash = createHash("sha256").update(JSON.stringify(addresses)).update("\n");
  for (let at = 0; at < raw.byteLength; at += HASHED_AT_ONCE_BYTES) {
    if (at > 0) await new Promise(setImmediate);
    hash.update(raw.subarray(at, at + HASHED_AT_ONCE_BYTES));
  }
  return hash.digest("hex");
}
