import type { Clock } from "./clock.ts";
import { Tally } from "./tally.ts";

/** Share of the room, and of the places to wait, for one account. It is more than half, as with slots for webhooks. */
const ACCOUNT_SHARE = 0.75;
/** Share of the room for what goes to where the last attempt failed. */
const FAILING_SHARE = 0.5;

interface Wish<T> {
  item: T;
  bytes: number;
  /** Ends its wait, if it waits: with room, or without. */
  end(hasRoom: boolean): void;
}

/** Limits the bytes of large messages that are in memory on their way: in total, and for each account. */
export interface Room<T> {
  /** Takes room, and returns the function that gives it back; null if there is none now, or if others came first. */
  enter(item: T, bytes: number): (() => void) | null;
  /**
   * The same, but waits for its turn: accounts take turns. Null if too many wait, if `waitMs` have passed, or if the
   * server stops.
   */
  wait(item: T, bytes: number): Promise<(() => void) | null>;
  /** Ends every wait. */
  close(): void;
}

/**
 * Creates the room. One message always has room, whatever its size, and so has one of an account, or of those that are
 * failing, that would fit the total.
 *
 * @param options.bytes room in total
 * @param options.waiting messages that may wait, at most, besides one of each account
 * @param options.isFailing whether an item goes to where the last attempt failed; such ones share half of the room
 */
export function createRoom<T extends { userId: string }>(
  options: { bytes: number; waiting: number; waitMs: number; isFailing(item: T): boolean },
  clock: Clock,
): Room<T> {
  const { isFailing } = options;
  const inside = new Set<Wish<T>>();
  const takenBy = new Tally();
  let taken = 0;
  /** Account → what it waits for, oldest first. The account whose turn is next is the first. */
  const waiting = new Map<string, Wish<T>[]>();
  const waitingOf = new Tally();
  let waits = 0;
  let closed = false;

  const failingBytes = () =>
    [...inside].filter(({ item }) => isFailing(item)).reduce((sum, { bytes }) => sum + bytes, 0);
  const fits = (bytes: number, held: number, max: number) => held === 0 || held + bytes <= max;
  const fitsAll = ({ bytes }: Wish<T>) => fits(bytes, taken, options.bytes);
  const fitsShares = ({ bytes, item }: Wish<T>) =>
    fits(bytes, takenBy.of(item.userId), options.bytes * ACCOUNT_SHARE) &&
    (!isFailing(item) || fits(bytes, failingBytes(), options.bytes * FAILING_SHARE));

  /** Who gets the next room. While there is too little for it, no other one gets any, so that the largest has a turn. */
  function next(): Wish<T> | undefined {
    for (const wishes of waiting.values()) {
      const found = wishes.find(fitsShares);
      if (found) return found;
    }
    return undefined;
  }

  function leaveQueue(wish: Wish<T>): void {
    const account = wish.item.userId;
    const others = (waiting.get(account) ?? []).filter((one) => one !== wish);
    waiting.delete(account);
    if (others.length > 0) waiting.set(account, others);
    waitingOf.add(account, -1);
    waits--;
  }

  function count({ item, bytes }: Wish<T>, sign: 1 | -1): void {
    taken += sign * bytes;
    takenBy.add(item.userId, sign * bytes);
  }

  function take(wish: Wish<T>): void {
    inside.add(wish);
    count(wish, +1);
  }

  function admitNext(): void {
    for (let wish = next(); wish && fitsAll(wish); wish = next()) {
      leaveQueue(wish);
      take(wish);
      wish.end(true);
    }
  }

  const leaving = (wish: Wish<T>) => () => {
    inside.delete(wish);
    count(wish, -1);
    admitNext();
  };

  return {
    enter(item, bytes) {
      const wish = { item, bytes, end() {} };
      if (next() || !fitsShares(wish) || !fitsAll(wish)) return null;
      take(wish);
      return leaving(wish);
    },
    async wait(item, bytes) {
      const { userId } = item;
      const own = waitingOf.of(userId);
      // An account of which nothing waits always has a place, or those of others could keep it out.
      if (closed || (own > 0 && (waits >= options.waiting || own >= options.waiting * ACCOUNT_SHARE))) return null;
      const { promise, resolve } = Promise.withResolvers<boolean>();
      const wish = { item, bytes, end: resolve };
      waits++;
      waitingOf.add(userId, +1);
      waiting.set(userId, [...(waiting.get(userId) ?? []), wish]);
      const cancelEnd = clock.after(options.waitMs, () => {
        leaveQueue(wish);
        resolve(false);
        admitNext();
      });
      admitNext();
      const hasRoom = await promise;
      cancelEnd();
      return hasRoom ? leaving(wish) : null;
    },
    close() {
      closed = true;
      for (const wish of [...waiting.values()].flat()) {
        leaveQueue(wish);
        wish.end(false);
      }
    },
  };
}
