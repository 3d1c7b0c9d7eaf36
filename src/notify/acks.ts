import type { Store } from "../store/store.ts";
import { FairQueue } from "../util/fair-queue.ts";
import type { Log } from "../util/log.ts";

/** Acks that one write stores. It takes some milliseconds, in which other writes wait. */
const AT_ONCE = 500;
/** Acks that are stored of a consumer that has left. The other messages come again. */
const OF_LEFT_MAX = 500;

/** A consumer, as far as its acks are concerned. */
interface Acknowledging {
  readonly agent: { readonly id: string; readonly userId: string };
  /** How many of its acks may still be stored. */
  acksStored: number;
}

/** The acknowledgements of all consumers of this process. */
export interface Acks {
  add(consumer: Acknowledging, messageId: string): void;
  /** Call this when the consumer has left. Only some of its acks that wait are stored. */
  left(consumer: Acknowledging): void;
  /** Forgets the consumer's acks that wait. */
  drop(consumer: Acknowledging): void;
  /** Resolves when no ack waits. */
  stored(): Promise<void>;
}

/**
 * Creates the queue of acknowledgements. One write at a time stores those of all consumers, so other writes wait for one
 * at most, however many acks come. Accounts take turns, and so do the agents of an account.
 */
export function createAcks({ store, log }: { store: Store; log: Log }): Acks {
  const queue = new FairQueue<{ consumer: Acknowledging; messageId: string }>();
  let storing: Promise<void> | null = null;

  /** The next acks, by agent. */
  function take(): Map<string, string[]> {
    const some = new Map<string, string[]>();
    for (let taken = 0; taken < AT_ONCE; taken++) {
      const next = queue.next();
      if (!next) break;
      const { consumer, messageId } = next;
      if (consumer.acksStored <= 0) continue;
      consumer.acksStored--;
      const ids = some.get(consumer.agent.id);
      if (ids) ids.push(messageId);
      else some.set(consumer.agent.id, [messageId]);
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
    add(consumer, messageId) {
      const { userId, id } = consumer.agent;
      queue.add([userId, id], { consumer, messageId });
      storing ??= storeAll();
    },
    left(consumer) {
      consumer.acksStored = Math.min(consumer.acksStored, OF_LEFT_MAX);
    },
    drop(consumer) {
      consumer.acksStored = 0;
    },
    stored: () => storing ?? Promise.resolve(),
  };
}
