/**
 * An iteration without an end that stops at once when it is left: a generator by itself would first wait for what it
 * awaits. The items are made by `run`, which must stop when its signal is aborted.
 *
 * @param outer aborting it makes the iteration reject with its reason
 */
export function stoppable<T>(
  outer: AbortSignal | undefined,
  run: (signal: AbortSignal) => AsyncGenerator<T, void, undefined>,
): AsyncGenerator<T, void, undefined> {
  const inner = new AbortController();
  const stop = () => inner.abort(outer?.reason);
  if (outer?.aborted) stop();
  outer?.addEventListener("abort", stop, { once: true });
  const items = run(inner.signal);
  let isLeft = false;

  const forget = () => outer?.removeEventListener("abort", stop);

  const leave = async (): Promise<IteratorResult<T, void>> => {
    isLeft = true;
    forget();
    inner.abort();
    // Waits for the generator's own end, such as the last acknowledgement on its way.
    await items.return().catch(() => {});
    return { done: true, value: undefined };
  };

  const iteration = {
    async next(): Promise<IteratorResult<T, void>> {
      try {
        return await items.next();
      } catch (error) {
        forget();
        if (isLeft) return { done: true, value: undefined };
        throw error;
      }
    },
    return: leave,
    async throw(error: unknown): Promise<IteratorResult<T, void>> {
      await leave();
      throw error;
    },
    [Symbol.asyncIterator]() {
      return iteration;
    },
  };
  return iteration as unknown as AsyncGenerator<T, void, undefined>;
}
