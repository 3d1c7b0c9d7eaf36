/** A longer wait fails. Shorter than the time limit of a test, so that the failure can say what did not happen. */
const PATIENCE_MS = 25_000;

/** Polling interval: short compared with a test, but long enough that polling does not slow down the awaited work. */
const PAUSE_MS = 2;

/** The promise's value, or an error that says what did not happen. */
export async function within<T>(promise: Promise<T>, what: () => string): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`waited in vain: ${what()}`)), PATIENCE_MS);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Polls `isSo` until it is true; fails with `what` if it stays false. */
export async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  let isOver = false;
  const asking = async () => {
    while (!isOver && !(await isSo())) await Bun.sleep(PAUSE_MS);
  };
  try {
    await within(asking(), () => what);
  } finally {
    isOver = true;
  }
}
