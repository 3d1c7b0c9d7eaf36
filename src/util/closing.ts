import type { Log } from "./log.ts";

/**
 * Calls the closers one after the other, the last one first, and removes them. Waits `allMs` for all together; after
 * that, `lateMs` for each that is left, so that all are called. One that fails or hangs is logged.
 */
export async function closeInTurn(
  closers: (() => unknown)[],
  { allMs, lateMs }: { allMs: number; lateMs: number },
  log: Log,
): Promise<void> {
  const until = performance.now() + allMs;
  for (let close = closers.pop(); close; close = closers.pop()) {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => late.reject(new Error("A part of the server did not stop in time.")),
      Math.max(lateMs, until - performance.now()),
    );
    try {
      await Promise.race([close(), late.promise]);
    } catch (error) {
      log.error("close.failed", {}, error);
    } finally {
      clearTimeout(timer);
    }
  }
}
