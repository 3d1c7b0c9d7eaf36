/**
 * Makes an endless iteration that stops at once when its loop ends; a plain generator would first wait for its current
 * `await`. `run` makes the items, and must stop when its signal is aborted.
 *
 * @param outer if aborted, the iteration rejects with its reason
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
    // Wait for the generator's cleanup, such as sending the last acknowledgements.
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
