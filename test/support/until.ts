/** A wait that is longer has failed: shorter than the time limit of a test, so that the failure says what was waited for. */
const PATIENCE_MS = 25_000;

/** Between two questions: short beside a test, and long enough that asking takes no processor from what is waited for. */
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

/** Asks again and again until the answer is yes; fails with `what` when it stays no. */
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
