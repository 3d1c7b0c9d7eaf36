/** The clock seam: tests move it, everything that waits for a time of day asks it. */
export interface Clock {
  /** Milliseconds since the epoch, UTC. */
  now(): number;
  /** Runs `run` after `delayMs`; the returned function cancels it. */
  after(delayMs: number, run: () => void): () => void;
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

/** A clock that stands still until a test moves it; timers due on the way run in order. */
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
