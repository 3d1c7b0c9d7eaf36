import type { Clock } from "./clock.ts";
import type { Log } from "./log.ts";

/** The loop looks for due work at least this often, in case a wake-up was lost (another process, a lost connection). */
const POLL_MS = 15_000;
/** Pause after a failed claim, for example while the database restarts. */
const CLAIM_RETRY_MS = 1_000;

export interface WorkOptions<T> {
  name: string;
  /** Items that run at the same time, at most. */
  concurrency: number;
  clock: Clock;
  log: Log;
  /** Takes up to `free` due items under a lease. */
  claim(free: number): Promise<T[]>;
  /** Does one item and records its outcome. If it throws, the error is logged, and the item returns after its lease. */
  run(item: T): Promise<void>;
  /** When the next item is due, or null. */
  nextDue(): Promise<Date | null>;
  /** Whether to look for more work when an item is done. Default: always. */
  waiting?(): boolean;
}

export interface Work<T> {
  /** Says that something may be due. Only a hint: without it the loop finds the work later. */
  wake(): void;
  /** Runs an item that the caller has already leased. */
  take(item: T): void;
  /** Resolves when nothing is due and nothing is running. */
  drain(): Promise<void>;
  /** Stops claiming and waits for the running items, at most `graceMs`. */
  close(graceMs: number): Promise<void>;
}

/** Starts the loop that does all due work: claim under a lease, run, look again; sleep when nothing is due. */
export function startWork<T>(options: WorkOptions<T>): Work<T> {
  const { clock, log } = options;
  const inHand = new Set<Promise<void>>();
  let looking: Promise<void> | null = null;
  let again = false;
  let closed = false;
  let cancelTimer = () => {};

  function wake() {
    if (closed) return;
    if (looking) {
      again = true;
      return;
    }
    looking = look().finally(() => {
      looking = null;
      if (again) wake();
    });
  }

  async function look() {
    again = false;
    cancelTimer();
    try {
      while (!closed && inHand.size < options.concurrency) {
        const items = await options.claim(options.concurrency - inHand.size);
        if (items.length === 0) break;
        for (const item of items) take(item);
      }
      if (closed) return;
      const due = inHand.size < options.concurrency ? await options.nextDue() : null;
      sleep(Math.min(POLL_MS, due ? Math.max(0, due.getTime() - clock.now()) : POLL_MS));
    } catch (error) {
      log.error(`${options.name}.claim_failed`, {}, error);
      sleep(CLAIM_RETRY_MS);
    }
  }

  function sleep(ms: number) {
    cancelTimer = closed ? () => {} : clock.after(ms, wake);
  }

  function take(item: T) {
    const done = options
      .run(item)
      .catch((error) => log.error(`${options.name}.run_failed`, {}, error))
      .finally(() => {
        inHand.delete(done);
        if (options.waiting?.() ?? true) wake();
      });
    inHand.add(done);
  }

  return {
    wake,
    take,
    async drain() {
      wake();
      for (;;) {
        if (looking) await looking;
        else if (inHand.size > 0) await Promise.race(inHand);
        else if (again) wake();
        else return;
      }
    },
    async close(graceMs) {
      closed = true;
      cancelTimer();
      const grace = Promise.withResolvers<void>();
      const timer = setTimeout(grace.resolve, graceMs);
      await Promise.race([Promise.resolve(looking).then(() => Promise.all(inHand)), grace.promise]);
      clearTimeout(timer);
    },
  };
}
