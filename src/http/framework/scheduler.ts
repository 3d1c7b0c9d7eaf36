/** Shares the thread that serves sockets among requests: each does a little work, then the next one gets its turn. */
import type { Clock } from "../../util/clock.ts";
import { Failure } from "../../util/errors.ts";
import { FairQueue } from "../../util/fair-queue.ts";

/** How long work is started in one round of the event loop; a request that does not wait takes about 1 ms. */
const SLICE_MS = 4;
/** Turns in one round at most, however short they are. */
const TURNS_PER_ROUND = 8;
/** How long a request waits for a slot. The server closes a connection after 90 s without data. */
const SLOT_WAIT_MS_MAX = 60_000;
const RETRY_AFTER_SECONDS = 5;

/**
 * The party that work is done for. Turns rotate among lanes, within a lane among addresses, and within an address among
 * connections.
 */
export interface Party {
  /** Probes by a load balancer have their own lane, so that a crowd of clients cannot make the server look dead. */
  readonly lane: "probe" | "client";
  /** The client's address. */
  readonly address: string;
  /** Tells the connections of an address apart. */
  readonly connection: string;
}

export interface Scheduler {
  /**
   * Resolves when it is the party's turn for a few milliseconds of work: at once while the server has little to do.
   * Turns of one connection come in the order in which they were requested.
   */
  take(party: Party): Promise<void>;
  /** Turns that were requested and have not come yet. */
  readonly waiting: number;
}

/**
 * Creates a scheduler.
 *
 * @param now Milliseconds of a monotonic clock.
 */
export function createScheduler(now: () => number = () => performance.now()): Scheduler {
  const queue = new FairQueue<() => void>();
  let isRound = false;
  let startedAt = 0;
  let taken = 0;

  function beginRound(): void {
    if (isRound) return;
    isRound = true;
    startedAt = now();
    taken = 0;
    setImmediate(endRound);
  }

  /** While turns are waiting, each round has one, so that sockets are served between any two turns. */
  function endRound(): void {
    isRound = false;
    const next = queue.next();
    if (!next) return;
    beginRound();
    taken++;
    next();
  }

  return {
    take({ lane, address, connection }) {
      beginRound();
      if (queue.size > 0 || taken >= TURNS_PER_ROUND || now() - startedAt >= SLICE_MS)
        return new Promise((resolve) => queue.add([lane, address, connection], resolve));
      taken++;
      return Promise.resolve();
    },
    get waiting() {
      return queue.size;
    },
  };
}

/**
 * Runs work for a party. Only a few run at a time; the others get their turn in the order of `Scheduler`. Failure
 * `overloaded` after a minute of waiting.
 */
export type Slots = <T>(party: Party, work: () => Promise<T>) => Promise<T>;

/**
 * Creates slots.
 *
 * @param count How many works run at a time.
 * @param perAddress How many of those may be for one address.
 */
export function createSlots(count: number, clock: Clock, perAddress = count): Slots {
  /** `begin` returns whether its request still wants the slot. */
  const queue = new FairQueue<{ address: string; begin: () => boolean }>();
  const running = new Map<string, number>();
  let free = count;
  const runningOf = (address: string) => running.get(address) ?? 0;
  const may = ({ address }: { address: string }) => runningOf(address) < perAddress;
  const take = (address: string) => {
    free--;
    running.set(address, runningOf(address) + 1);
  };
  const giveBack = (address: string) => {
    free++;
    const others = runningOf(address) - 1;
    if (others > 0) running.set(address, others);
    else running.delete(address);
  };
  return async ({ lane, address, connection }, work) => {
    if (free > 0 && may({ address })) take(address);
    else
      await new Promise<void>((resolve, reject) => {
        let isLate = false;
        const cancel = clock.after(SLOT_WAIT_MS_MAX, () => {
          isLate = true;
          reject(
            new Failure(
              "overloaded",
              "The server was busy with other requests for a minute and did not get to this one.",
              {
                fix: "Send fewer such requests at once, and this one again.",
                retryAfterSeconds: RETRY_AFTER_SECONDS,
              },
            ),
          );
        });
        queue.add([lane, address, connection], {
          address,
          begin() {
            cancel();
            if (!isLate) resolve();
            return !isLate;
          },
        });
      });
    try {
      return await work();
    } finally {
      giveBack(address);
      let next = queue.next(may);
      while (next && !next.begin()) next = queue.next(may);
      if (next) take(next.address);
    }
  };
}
