/** Gives many who want the same few things their turn, one after the other. */
export interface Turns<T> {
  /** Puts `item` at the end of the line, unless it stands there already. */
  ask(item: T): void;
}

/**
 * At most `atOnce` items have their turn at the same time, and none has two at once: who asks during its own turn gets
 * another one. Between two turns the event loop comes round, so that a long line holds up nobody who does not stand in it.
 *
 * @param take what an item does in its turn; must not reject
 */
export function createTurns<T>(atOnce: number, take: (item: T) => Promise<void>): Turns<T> {
  const line = new Set<T>();
  const taking = new Set<T>();
  let idle = atOnce;

  async function serve() {
    for (let item = next(line, taking); item !== undefined; item = next(line, taking)) {
      line.delete(item);
      taking.add(item);
      await take(item);
      taking.delete(item);
      await new Promise(setImmediate);
    }
    idle++;
  }

  return {
    ask(item) {
      line.add(item);
      if (idle === 0) return;
      idle--;
      setImmediate(serve);
    },
  };
}

/** The first in the line who does not have its turn now. */
function next<T>(line: Set<T>, taking: Set<T>): T | undefined {
  for (const item of line) if (!taking.has(item)) return item;
  return undefined;
}
