/** Pages of sent messages, whose texts are never all in memory. */
import type { Outbound, OutboundFilter, OutboundPage, OutboundPlace } from "../../../store/outbound/outbound.ts";
import type { Store } from "../../../store/store.ts";

/** Messages that the store reads at once: each may have 8 MiB of text, and as much again of what its agent wrote. */
export const ROWS_AT_ONCE = 8;
/** Characters of texts, and of files as base64, in one page. A page ends with the message that reaches this. */
const PAGE_CHARS_MAX = 4 * 1024 * 1024;

/** A message as the list shows it. */
export interface ListedOutbound<T> extends OutboundPlace {
  shown: T;
}

/**
 * Reads a page of an account's sent messages, a few at a time.
 *
 * @param show makes what the page keeps of a message, which comes without its texts
 * @param charsOf the length of the texts and files in it
 * @returns `isCut` if they filled the page before `limit` messages did
 */
export async function readOutbound<T>(
  store: Pick<Store, "listOutbound">,
  userId: string,
  filter: OutboundFilter,
  { limit, sort = "desc", after }: Omit<OutboundPage, "isBrief">,
  show: (outbound: Outbound) => T | Promise<T>,
  charsOf: (shown: T) => number = () => 0,
): Promise<{ rows: ListedOutbound<T>[]; isCut: boolean }> {
  const rows: ListedOutbound<T>[] = [];
  let chars = 0;
  for (let last = after; rows.length < limit; last = rows.at(-1)) {
    const wanted = Math.min(ROWS_AT_ONCE, limit - rows.length);
    const brief = { sort, limit: wanted, isBrief: true, after: last && { id: last.id, expiresAt: last.expiresAt } };
    const found = await store.listOutbound(userId, filter, brief);
    for (const outbound of found) {
      const shown = await show(outbound);
      rows.push({ id: outbound.message.id, expiresAt: outbound.message.approvalExpiresAt ?? undefined, shown });
      chars += charsOf(shown);
      if (chars >= PAGE_CHARS_MAX) return { rows, isCut: true };
    }
    if (found.length < wanted) break;
  }
  return { rows, isCut: false };
}
