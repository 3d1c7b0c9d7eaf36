/** A wait that is longer has failed: shorter than the time limit of a test, so that the failure says what was waited for. */
const PATIENCE_MS = 25_000;

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

/** Asks again and again until the answer is yes; fails with `what` when it stays no. */
export async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  let isOver = false;
  const asking = async () => {
    while (!isOver && !(await isSo())) await new Promise(setImmediate);
  };
  try {
    await within(asking(), () => what);
  } finally {
    isOver = true;
  }
}
