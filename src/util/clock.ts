/** The time source of everything that waits. Tests replace it with a clock that they move. */
export interface Clock {
  /**
   * The time of day in milliseconds since the epoch, UTC. It steps back when the machine's clock is corrected, so
   * measure durations with `elapsed`.
   */
  now(): number;
  /**
   * Milliseconds since some moment. Never goes back. Goes forward with the time of day when that jumps, since the
   * machine may have slept.
   */
  elapsed(): number;
  /** Runs `run` after `delayMs`; the returned function cancels it. */
  after(delayMs: number, run: () => void): () => void;
}

/** The earliest of some times, which may be in milliseconds since the epoch; null when there is none. */
export function earliest(times: Iterable<Date | number | null | undefined>): Date | null {
  let first = Number.POSITIVE_INFINITY;
  for (const time of times) first = Math.min(first, Number(time ?? Number.POSITIVE_INFINITY));
  return Number.isFinite(first) ? new Date(first) : null;
}

/** A smaller difference between two clocks is ignored. Clocks that NTP keeps differ by milliseconds. */
const SAME_MS = 2_000;

/**
 * Makes `elapsed` of a Clock out of the time of day and a monotonic clock, which may stand still while the machine
 * sleeps. Both are in milliseconds.
 */
export function createElapsed(now: () => number, monotonic: () => number): () => number {
  let ahead = now() - monotonic();
  let slept = 0;
  return () => {
    const ms = monotonic();
    const jumped = now() - ms - ahead;
    if (Math.abs(jumped) > SAME_MS) {
      ahead += jumped;
      slept += Math.max(0, jumped);
    }
    return ms + slept;
  };
}

const timeOfDay = () => Date.now();

/** The system's clock. Its timers do not keep the process alive. */
export const systemClock: Clock = {
  now: timeOfDay,
  elapsed: createElapsed(timeOfDay, () => performance.now()),
  after(delayMs, run) {
    const timer = setTimeout(run, Math.min(delayMs, 2 ** 31 - 1));
    timer.unref?.();
    return () => clearTimeout(timer);
  },
};

/** How often the two clocks are compared. */
const COMPARED_EVERY_MS = 10_000;

/** A clock that follows another clock, which several machines share. */
export interface FollowingClock extends Clock {
  /** Stops following; the correction stays as it is. */
  close(): void;
}

/**
 * Corrects a machine's clock by a remote one. Between two comparisons it counts the time that passes, so a step back of
 * the machine's clock does not move it.
 *
 * @param theirs reads the remote clock, in milliseconds since the epoch; may be slow, and may fail after the first read
 * @param onDiffers called with how many milliseconds the remote clock is ahead, whenever that changes
 */
export async function followClock(
  theirs: () => Promise<number>,
  own: Clock,
  onDiffers: (aheadMs: number) => void,
): Promise<FollowingClock> {
  const ownBase = () => own.now() - own.elapsed();
  /** What `elapsed` counts from, in milliseconds since the epoch. */
  let base = ownBase();
  let isOver = false;
  let cancel = () => {};

  async function compare(): Promise<void> {
    const askedAt = own.elapsed();
    const time = await theirs();
    const answeredAt = own.elapsed();
    const mayErrBy = (answeredAt - askedAt) / 2;
    const found = time - (askedAt + answeredAt) / 2;
    if (Math.abs(found - base) < SAME_MS + mayErrBy) return;
    base = found;
    onDiffers(Math.round(base - ownBase()));
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
    now: () => Math.round(base + own.elapsed()),
    elapsed: () => own.elapsed(),
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
  private passed = 0;

  constructor(private ms = Date.now()) {}

  now(): number {
    return this.ms;
  }

  elapsed(): number {
    return this.passed;
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { at: this.passed + delayMs, run };
    this.timers.add(timer);
    return () => this.timers.delete(timer);
  }

  advance(byMs: number): void {
    const end = this.passed + byMs;
    for (;;) {
      const due = [...this.timers].filter((t) => t.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.timers.delete(due);
      this.pass(Math.max(0, due.at - this.passed));
      due.run();
    }
    this.pass(end - this.passed);
  }

  /** Sets the time of day forward or back, as a correction of the machine's clock does. No time passes. */
  step(byMs: number): void {
    this.ms += byMs;
  }

  private pass(ms: number): void {
    this.ms += ms;
    this.passed += ms;
  }
}
