import { closeSync, fdatasync, fsyncSync, openSync } from "node:fs";
import { dirname } from "node:path";

/** Waits until what was written to a file so far is on the disk. */
export interface Syncer {
  /** Calls back when all that was written before this call is on the disk, or with why it may not be. */
  after(done: (error: Error | null) => void): void;
  /** Resolves when nobody waits. */
  idle(): Promise<void>;
  close(): void;
}

/**
 * Syncs SQLite's write-ahead log outside the event loop. A commit with `synchronous = NORMAL` writes to the log and does
 * not wait for the disk; whoever has to know waits here. Commits that come while the disk works share the next sync.
 *
 * fdatasync(2) is about the file, not the descriptor, so one of our own does; and SQLite itself syncs the log before it
 * moves anything from there into the database (SQLite, "PRAGMA synchronous").
 */
export function syncerOf(path: string): Syncer {
  const fd = openSync(path, "r+");
  syncFolder(dirname(path));
  let waiting: ((error: Error | null) => void)[] = [];
  let idle = Promise.withResolvers<void>();
  idle.resolve();
  let running = false;

  function run(): void {
    const batch = waiting;
    waiting = [];
    fdatasync(fd, (error) => {
      for (const done of batch) done(error);
      if (waiting.length > 0) return run();
      running = false;
      idle.resolve();
    });
  }

  return {
    after(done) {
      waiting.push(done);
      if (running) return;
      running = true;
      idle = Promise.withResolvers();
      run();
    },
    idle: () => idle.promise,
    close: () => closeSync(fd),
  };
}

/** The log may be new: its name has to be on the disk as well. Windows knows no such thing and needs none. */
function syncFolder(path: string): void {
  if (process.platform === "win32") return;
  const fd = openSync(path, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
