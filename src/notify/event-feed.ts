import type { EventOwner, EventPage, EventPosition } from "../store/events/events.ts";
import type { EventRow } from "../store/schema.ts";
import type { Store } from "../store/store.ts";
import type { Clock } from "../util/clock.ts";
import type { EventType } from "../wire/event-types.ts";

/** Pause before looking again for events that are committed but not readable: an older transaction is about to end. */
const BEHIND_RETRY_MS = 25;

export interface EventQuery {
  owner: EventOwner;
  after: EventPosition | null;
  sort: "asc" | "desc";
  /** Empty means all. */
  types: EventType[];
  limit: number;
}

export interface EventFeed {
  /** Reads up to `limit` events after a position. `isBehind`: more can be read in a moment. */
  look(query: EventQuery): Promise<{ rows: EventRow[]; isBehind: boolean }>;
  /**
   * Reads up to `limit` events after a position. If there are none, it waits for some, up to `waitMs` and until
   * `signal` aborts.
   */
  read(query: EventQuery, waitMs?: number, signal?: AbortSignal): Promise<EventRow[]>;
  /** Ends every wait. */
  close(): void;
}

/**
 * Creates a reader of the event log that knows when to read again. The log is the truth and a wake-up only a hint: a
 * client that continues from the last event it has seen misses nothing.
 */
export function createEventFeed({ store, clock }: { store: Store; clock: Clock }): EventFeed {
  const listeners = new Map<string, Set<() => void>>();
  const closing = new AbortController();

  const unsubscribe = store.onSignal(({ topic, key }) => {
    if (topic !== "events") return;
    for (const userId of key === "" ? [...listeners.keys()] : [key])
      for (const listener of [...(listeners.get(userId) ?? [])]) listener();
  });

  /** Calls `listener` when an account's log may have more. Returns the unsubscriber. */
  function onMore(userId: string, listener: () => void): () => void {
    const own = listeners.get(userId) ?? new Set<() => void>();
    listeners.set(userId, own.add(listener));
    return () => {
      own.delete(listener);
      if (own.size === 0 && listeners.get(userId) === own) listeners.delete(userId);
    };
  }

  /** With `types`, a long search goes in small steps, so that it delays no other work. */
  async function look(query: EventQuery): Promise<{ rows: EventRow[]; isBehind: boolean }> {
    const rows: EventRow[] = [];
    let { after } = query;
    for (;;) {
      const found: EventPage = await store.readEvents(query.owner, {
        after,
        sort: query.sort,
        types: query.types,
        limit: query.limit - rows.length,
      });
      rows.push(...found.rows);
      if (!found.scannedTo || rows.length >= query.limit) return { rows, isBehind: found.isBehind };
      after = found.scannedTo;
    }
  }

  return {
    look,
    async read(query, waitMs = 0, signal) {
      const until = clock.elapsed() + waitMs;
      const isOver = () => clock.elapsed() >= until || signal?.aborted || closing.signal.aborted;
      let more = Promise.withResolvers<void>();
      // Listens before the first look, so that no event is missed between looking and waiting.
      const stopListening = onMore(query.owner.userId, () => more.resolve());
      const stop = () => more.resolve();
      signal?.addEventListener("abort", stop);
      closing.signal.addEventListener("abort", stop);
      try {
        for (;;) {
          const { rows, isBehind } = await look(query);
          if (rows.length > 0 || isOver()) return rows;
          const left = until - clock.elapsed();
          const cancel = clock.after(isBehind ? Math.min(left, BEHIND_RETRY_MS) : left, stop);
          await more.promise;
          cancel();
          more = Promise.withResolvers<void>();
        }
      } finally {
        stopListening();
        signal?.removeEventListener("abort", stop);
        closing.signal.removeEventListener("abort", stop);
      }
    },
    close() {
      unsubscribe();
      closing.abort();
    },
  };
}
