/** Pages of sent messages, whose texts are never all in memory. */
import type { Outbound, OutboundFilter } from "../../../store/outbound/outbound.ts";
import type { Store } from "../../../store/store.ts";

/** Messages that the store reads at once: each may have 8 MiB of text, and as much again of what its agent wrote. */
export const ROWS_AT_ONCE = 8;
/** Characters of texts in one page. A page ends with the message that reaches this. */
const PAGE_CHARS_MAX = 4 * 1024 * 1024;

/** A message as the list shows it. */
export interface ListedOutbound<T> {
  id: string;
  shown: T;
}

/**
 * Reads a page of an account's sent messages, a few at a time.
 *
 * @param show makes what the page keeps of a message, which comes without its texts
 * @param charsOf the length of the texts in it
 * @returns `isCut` if the texts filled the page before `limit` messages did
 */
export async function readOutbound<T>(
  store: Store,
  userId: string,
  filter: OutboundFilter,
  { limit, sort = "desc", after }: { limit: number; sort?: "asc" | "desc"; after?: string | undefined },
  show: (outbound: Outbound) => T | Promise<T>,
  charsOf: (shown: T) => number = () => 0,
): Promise<{ rows: ListedOutbound<T>[]; isCut: boolean }> {
  const rows: ListedOutbound<T>[] = [];
  let chars = 0;
  for (let last = after; rows.length < limit; last = rows.at(-1)?.id) {
    const wanted = Math.min(ROWS_AT_ONCE, limit - rows.length);
    const brief = { sort, limit: wanted, isBrief: true, ...(last ? { after: last } : {}) };
    const found = await store.listOutbound(userId, filter, brief);
    for (const outbound of found) {
      const shown = await show(outbound);
      rows.push({ id: outbound.message.id, shown });
      chars += charsOf(shown);
      if (chars >= PAGE_CHARS_MAX) return { rows, isCut: true };
    }
    if (found.length < wanted) break;
  }
  return { rows, isCut: false };
}
