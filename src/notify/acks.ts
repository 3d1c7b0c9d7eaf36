import type { Store } from "../store/store.ts";
import { FairQueue } from "../util/fair-queue.ts";
import type { Log } from "../util/log.ts";

/** Acks that one write stores. It takes some milliseconds, in which other writes wait. */
const AT_ONCE = 500;
/**
 * Acks of an agent that may wait beyond one for each frame sent to it: what one connection may send at once (see
 * `Consumer`). More are dropped, so that clients that connect, acknowledge anything and leave cannot fill the memory.
 */
const BEYOND_SENT_MAX = 3_000;

/** An agent, as far as its acks are concerned. */
type Acknowledging = Readonly<{ id: string; userId: string }>;

/** The acknowledgements of all consumers of this process. */
export interface Acks {
  /** `isOfSent`: it answers a frame that was sent on this connection. An ack counts even if the connection ends. */
  add(agent: Acknowledging, messageId: string, isOfSent: boolean): void;
  /** Resolves when no ack waits. */
  stored(): Promise<void>;
}

/**
 * Creates the queue of acknowledgements. One write at a time stores those of all consumers, so other writes wait for one
 * at most, however many acks come. Accounts take turns, and so do the agents of an account.
 */
export function createAcks({ store, log }: { store: Store; log: Log }): Acks {
  const queue = new FairQueue<{ agentId: string; messageId: string; isOfSent: boolean }>();
  /** What waits, by agent. */
  const waiting = new Map<string, { ids: Set<string>; beyondSent: number }>();
  let storing: Promise<void> | null = null;

  /** The next acks, by agent. */
  function take(): Map<string, string[]> {
    const some = new Map<string, string[]>();
    for (let taken = 0; taken < AT_ONCE; taken++) {
      const next = queue.next();
      if (!next) break;
      const { agentId, messageId, isOfSent } = next;
      const own = waiting.get(agentId);
      own?.ids.delete(messageId);
      if (own && !isOfSent) own.beyondSent--;
      if (own?.ids.size === 0) waiting.delete(agentId);
      const ids = some.get(agentId);
      if (ids) ids.push(messageId);
      else some.set(agentId, [messageId]);
    }
    return some;
  }

  async function storeAll(): Promise<void> {
    while (queue.size > 0) {
      // What arrives in the same turn of the event loop is stored together.
      await new Promise(setImmediate);
      const some = [...take()].map(([agentId, messageIds]) => ({ agentId, messageIds }));
      if (some.length > 0)
        await store
          .markRead(some)
          .catch((error) => log.warn("websocket.ack_failed", { agents: some.length, first: some[0]?.agentId }, error));
    }
    storing = null;
  }

  return {
    add({ id: agentId, userId }, messageId, isOfSent) {
      const own = waiting.get(agentId) ?? { ids: new Set(), beyondSent: 0 };
      if (own.ids.has(messageId) || (!isOfSent && own.beyondSent >= BEYOND_SENT_MAX)) return;
      own.ids.add(messageId);
      if (!isOfSent) own.beyondSent++;
      waiting.set(agentId, own);
      queue.add([userId, agentId], { agentId, messageId, isOfSent });
      storing ??= storeAll();
    },
    stored: () => storing ?? Promise.resolve(),
  };
}
