/** Shares the thread that serves sockets among requests: little work at a time, then whoever else has something to do. */
import type { Clock } from "../../util/clock.ts";
import { Failure } from "../../util/errors.ts";

/** Work begun in one round of the event loop before the next one; a request without waiting costs about a millisecond. */
const SLICE_MS = 4;
/** Scheduler in one round at most, however short they are. */
const TURNS_PER_ROUND = 8;
/** A request waits this long for a slot at most. The server closes a connection on which nothing was sent for 90 s. */
const SLOT_WAIT_MS_MAX = 60_000;
const RETRY_AFTER_SECONDS = 5;

/** Whose work it is. Scheduler go round the lanes, in a lane round the addresses, and of an address round its connections. */
export interface Party {
  /** Probes by a load balancer have a lane of their own, so that no crowd of clients takes the server for dead. */
  readonly lane: "probe" | "client";
  /** The client's address. */
  readonly address: string;
  /** Tells the connections of an address apart. */
  readonly connection: string;
}

export interface Scheduler {
  /**
   * Resolves when it is the party's turn to do work of a few milliseconds: at once while the server has little to do.
   * Scheduler of one connection come in the order in which they were asked for.
   */
  take(party: Party): Promise<void>;
  /** Scheduler that were asked for and have not come. */
  readonly waiting: number;
}

/** @param now Milliseconds of a clock that only goes forward. */
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

  /** Once some turns are waiting, each round has one: sockets are looked at between any two. */
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
 * Runs work for a party; at most a few run at a time, and those that wait get their turn as of `Scheduler`. Failure
 * `overloaded` after a minute without.
 */
export type Slots = <T>(party: Party, work: () => Promise<T>) => Promise<T>;

/** @param count Works that run at a time. */
export function createSlots(count: number, clock: Clock): Slots {
  /** Each tells whether it still wanted the slot. */
  const queue = new FairQueue<() => boolean>();
  let free = count;
  return async ({ lane, address, connection }, work) => {
    if (free > 0) free--;
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
        queue.add([lane, address, connection], () => {
          cancel();
          if (!isLate) resolve();
          return !isLate;
        });
      });
    try {
      return await work();
    } finally {
      let next = queue.next();
      while (next && !next()) next = queue.next();
      if (!next) free++;
    }
  };
}

/** A queue of queues: each branch gives one item in its turn, and then stands at the end of the queue. */
class FairQueue<T> {
  size = 0;
  private readonly items: T[] = [];
  private readonly branches = new Map<string, FairQueue<T>>();

  add([name, ...rest]: readonly string[], item: T): void {
    this.size++;
    if (name === undefined) {
      this.items.push(item);
      return;
    }
    const branch = this.branches.get(name) ?? new FairQueue<T>();
    this.branches.set(name, branch);
    branch.add(rest, item);
  }

  next(): T | undefined {
    if (this.size === 0) return undefined;
    this.size--;
    for (const [name, branch] of this.branches) {
      const item = branch.next();
      this.branches.delete(name);
      if (branch.size > 0) this.branches.set(name, branch);
      return item;
    }
    return this.items.shift();
  }
}
