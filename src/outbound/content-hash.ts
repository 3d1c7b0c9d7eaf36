import { createHash } from "node:crypto";
import type { OutboundContent } from "../store/schema.ts";

/**
 * The hash that a decision is bound to: lower-hex SHA-256 over the recipients, Bcc included, and the message's bytes,
 * which hold subject, texts and attachments.
 */
export function contentHashOf({ to, cc, bcc }: Pick<OutboundContent, "to" | "cc" | "bcc">, raw: Uint8Array): string {
  const addresses = [to, cc, bcc].map((mailboxes) => mailboxes.map(({ address }) => address));
  return createHash("sha256").update(JSON.stringify(addresses)).update("\n").update(raw).digest("hex");
}
