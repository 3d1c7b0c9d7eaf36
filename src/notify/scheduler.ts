/** Runs work for many items, a few at a time, in order. */
export interface Scheduler<T> {
  /** Queues `item`, unless it is queued already. */
  schedule(item: T): void;
}

/**
 * Creates a scheduler. At most `concurrency` items run at once, and no item runs twice at the same time: an item that
 * is scheduled while it runs runs once more. The event loop gets a turn between two runs, so a long queue does not
 * delay other work.
 *
 * @param run the work of one item; must not reject
 */
export function createScheduler<T>(concurrency: number, run: (item: T) => Promise<void>): Scheduler<T> {
  const queue = new Set<T>();
  const running = new Set<T>();
  let idle = concurrency;

  async function serve() {
    for (let item = next(queue, running); item !== undefined; item = next(queue, running)) {
      queue.delete(item);
      running.add(item);
      await run(item);
      running.delete(item);
      await new Promise(setImmediate);
    }
    idle++;
  }

  return {
    schedule(item) {
      queue.add(item);
      if (idle === 0) return;
      idle--;
      setImmediate(serve);
    },
  };
}

/** The first queued item that is not running. */
function next<T>(queue: Set<T>, running: Set<T>): T | undefined {
  for (const item of queue) if (!running.has(item)) return item;
  return undefined;
}
