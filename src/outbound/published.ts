import { DnsError, type Resolver } from "../net/dns.ts";
import type { DomainKeys } from "./signing-keys.ts";

/** The longest wait for a DNS answer; without one, mail takes the safe form, "via". */
const LOOK_UP_MS = 5_000;

/** Whether DNS has one of a domain's DKIM keys, which proves its own From. The resolver's cache makes this cheap. */
export async function isPublished({ published }: DomainKeys, resolver: Resolver): Promise<boolean> {
  const signal = AbortSignal.timeout(LOOK_UP_MS);
  const seen = await Promise.all(
    published.map(async ({ host, publicKey }) => {
      try {
        const records = await resolver.resolve(host, "TXT", { signal });
        return records.some((parts) => publicKeyOf(parts.join("")) === publicKey);
      } catch (error) {
        if (error instanceof DnsError || signal.aborted) return false;
        throw error;
      }
    }),
  );
  return seen.includes(true);
}

/** The p= tag of a DKIM record, without white space (RFC 6376 3.6.1); null if it has none. */
export function publicKeyOf(record: string): string | null {
  return /(?:^|;)\s*p\s*=\s*([^;]*)/i.exec(record)?.[1]?.replace(/\s+/g, "") ?? null;
}
