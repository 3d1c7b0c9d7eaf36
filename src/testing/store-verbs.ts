import { expect } from "bun:test";
import { ask, type Engine, type Scope, type Verb } from "../store/engine.ts";

/** A verb for tests of the engine itself: writes a row of `meta`. */
export function* put(s: Scope, key: string, value = ""): Verb<string> {
  yield* ask(s.db.insert(s.t.meta).values({ key, value }));
  return key;
}

/** The keys of `meta` that start so, sorted. */
export function keysLike(node: { engine: Engine }, prefix: string): Promise<string[]> {
  return node.engine.read(function* (s): Verb<string[]> {
    const rows = yield* ask(s.db.select().from(s.t.meta));
    return rows
      .map((row) => row.key)
      .filter((key) => key.startsWith(prefix))
      .sort();
  });
}

/** What a promise was rejected with; fails the test when it was not. */
export function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    (value) => expect.unreachable(`resolved with ${value}`),
    (error: unknown) => error,
  );
}
