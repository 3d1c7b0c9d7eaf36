import type { DeliveryRow } from "../store/schema.ts";
import type { Clock } from "../util/clock.ts";
import { Tally } from "../util/tally.ts";
import { ACCOUNT_SHARE, FAILING_SHARE } from "./slots.ts";

/** A delivery that takes room, by its endpoint and account. */
type InRoom = Pick<DeliveryRow, "endpointId" | "userId">;

interface Wish {
  delivery: InRoom;
  bytes: number;
  /** Ends its wait, if it waits: with room, or without. */
  end(hasRoom: boolean): void;
}

/** Limits the bytes of large messages that are in memory to be delivered: in total, for each account and for failing endpoints. */
export interface Room {
  /** Takes room, and returns the function that gives it back; null if there is none now, or if others came first. */
  enter(delivery: InRoom, bytes: number): (() => void) | null;
  /**
   * The same, but waits for its turn: accounts take turns. Null if too many wait, if `waitMs` have passed, or if the
   * server stops.
   */
  wait(delivery: InRoom, bytes: number): Promise<(() => void) | null>;
  /** Ends every wait. */
  close(): void;
}

/**
 * Creates the room. One message always has room, whatever its size, and so has one of an account, or of a failing
 * endpoint, that would fit the total.
 *
 * @param bytes room in total
 * @param waiting deliveries that may wait, at most
 * @param isFailing whether an endpoint's last attempt failed
 */
export function createRoom(
  options: { bytes: number; waiting: number; waitMs: number },
  clock: Clock,
  isFailing: (endpoint: string) => boolean,
): Room {
  const inside = new Set<Wish>();
  /** Account → what it waits for, oldest first. The account whose turn is next is the first. */
  const waiting = new Map<string, Wish[]>();
  const waitingOf = new Tally();
  let waits = 0;
  let closed = false;

  /** Whether some more bytes fit beside those inside of the same kind, which may have so much. */
  const fits = (bytes: number, max: number, isSame: (wish: Wish) => boolean) => {
    const held = [...inside].filter(isSame).reduce((sum, wish) => sum + wish.bytes, 0);
    return held === 0 || held + bytes <= max;
  };
  const fitsAll = ({ bytes }: Wish) => fits(bytes, options.bytes, () => true);
  const fitsShares = ({ bytes, delivery: { userId, endpointId } }: Wish) =>
    fits(bytes, options.bytes * ACCOUNT_SHARE, ({ delivery }) => delivery.userId === userId) &&
    (!isFailing(endpointId) ||
      fits(bytes, options.bytes * FAILING_SHARE, ({ delivery }) => isFailing(delivery.endpointId)));

  /** Who gets the next room. While there is too little for it, no other one gets any, so that the largest has a turn. */
  function next(): Wish | undefined {
    for (const wishes of waiting.values()) {
      const found = wishes.find(fitsShares);
      if (found) return found;
    }
    return undefined;
  }

  function leaveQueue(wish: Wish): void {
    const account = wish.delivery.userId;
    const others = (waiting.get(account) ?? []).filter((one) => one !== wish);
    waiting.delete(account);
    if (others.length > 0) waiting.set(account, others);
    waitingOf.add(account, -1);
    waits--;
  }

  function admitNext(): void {
    for (let wish = next(); wish && fitsAll(wish); wish = next()) {
      leaveQueue(wish);
      inside.add(wish);
      wish.end(true);
    }
  }

  const leaving = (wish: Wish) => () => {
    inside.delete(wish);
    admitNext();
  };

  return {
    enter(delivery, bytes) {
      const wish = { delivery, bytes, end() {} };
      if (next() || !fitsShares(wish) || !fitsAll(wish)) return null;
      inside.add(wish);
      return leaving(wish);
    },
    async wait(delivery, bytes) {
      const { userId } = delivery;
      if (closed || waits >= options.waiting || waitingOf.of(userId) >= options.waiting * ACCOUNT_SHARE) return null;
      const { promise, resolve } = Promise.withResolvers<boolean>();
      const wish = { delivery, bytes, end: resolve };
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
