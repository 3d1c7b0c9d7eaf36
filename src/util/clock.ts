/** The time source of everything that waits for a time of day. Tests replace it with a clock that they move. */
export interface Clock {
  /** Milliseconds since the epoch, UTC. */
  now(): number;
  /** Runs `run` after `delayMs`; the returned function cancels it. */
  after(delayMs: number, run: () => void): () => void;
}

/** The earliest of some times, which may be in milliseconds since the epoch; null when there is none. */
export function earliest(times: Iterable<Date | number | null | undefined>): Date | null {
  let first = Number.POSITIVE_INFINITY;
  for (const time of times) first = Math.min(first, Number(time ?? Number.POSITIVE_INFINITY));
  return Number.isFinite(first) ? new Date(first) : null;
}

/** The system's clock. Its timers do not keep the process alive. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, Math.min(delayMs, 2 ** 31 - 1));
    timer.unref?.();
    return () => clearTimeout(timer);
  },
};

/** How often the two clocks are compared. */
const COMPARED_EVERY_MS = 10_000;
/** A smaller difference is ignored. Clocks that NTP keeps differ by milliseconds. */
const SAME_MS = 2_000;

/** A clock that follows another clock, which several machines share. */
export interface FollowingClock extends Clock {
  /** Stops following; the correction stays as it is. */
  close(): void;
}

/**
 * Corrects a machine's clock by a remote one.
 *
 * @param theirs reads the remote clock, in milliseconds since the epoch; may be slow, and may fail after the first read
 * @param onDiffers called with how many milliseconds the remote clock is ahead, whenever that changes
 */
export async function followClock(
  theirs: () => Promise<number>,
  own: Clock,
  onDiffers: (aheadMs: number) => void,
): Promise<FollowingClock> {
  let aheadMs = 0;
  let isOver = false;
  let cancel = () => {};

  async function compare(): Promise<void> {
    const askedAt = own.now();
    const time = await theirs();
    const answeredAt = own.now();
    const mayErrBy = Math.abs(answeredAt - askedAt) / 2;
    const found = Math.round(time - (askedAt + answeredAt) / 2);
    if (Math.abs(found - aheadMs) < SAME_MS + mayErrBy) return;
    aheadMs = found;
    onDiffers(aheadMs);
  }
  function compareLater(): void {
    cancel = own.after(COMPARED_EVERY_MS, () => {
      compare()
        // The remote clock cannot be reached; the next comparison counts.
        .catch(() => {})
        .finally(() => isOver || compareLater());
    });
  }

  await compare();
  compareLater();
  return {
    now: () => own.now() + aheadMs,
    after: (delayMs, run) => own.after(delayMs, run),
    close() {
      isOver = true;
      cancel();
    },
  };
}

/** A clock that stands still until a test moves it. Timers that fall due on the way run in order. */
export class TestClock implements Clock {
  private timers = new Set<{ at: number; run: () => void }>();

  constructor(private ms = Date.now()) {}

  now(): number {
    return this.ms;
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { at: this.ms + delayMs, run };
    this.timers.add(timer);
    return () => this.timers.delete(timer);
  }

  advance(byMs: number): void {
    const end = this.ms + byMs;
    for (;;) {
      const due = [...this.timers].filter((t) => t.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.timers.delete(due);
      this.ms = Math.max(this.ms, due.at);
      due.run();
    }
    this.ms = end;
  }
}
