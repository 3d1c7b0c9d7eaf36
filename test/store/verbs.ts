import { expect } from "bun:test";
import { eq } from "drizzle-orm";
import { ask, type Engine, type Scope, type Verb } from "../../src/store/engine/engine.ts";

/** A verb for tests of the engine itself: writes a row of `meta`. */
export function* put(s: Scope, key: string, value = ""): Verb<string> {
  yield* ask(s.db.insert(s.t.meta).values({ key, value }));
  return key;
}

/** The keys of `meta` that start with `prefix`, sorted. */
export function keysLike(node: { engine: Engine }, prefix: string): Promise<string[]> {
  return node.engine.read(function* (s): Verb<string[]> {
    const rows = yield* ask(s.db.select().from(s.t.meta));
    return rows
      .map((row) => row.key)
      .filter((key) => key.startsWith(prefix))
      .sort();
  });
}

/** An account's events, oldest first, without those of received mail. */
export function eventsOf(
  node: { engine: Engine },
  userId: string,
): Promise<{ type: string; agentId: string | null; data: Record<string, unknown> }[]> {
  return node.engine.read(function* (s) {
    const { events } = s.t;
    const rows = yield* ask(s.db.select().from(events).where(eq(events.userId, userId)).orderBy(events.id));
    return rows
      .filter((row) => row.type !== "message.received")
      .map(({ type, agentId, data }) => ({ type, agentId, data: { ...data } }));
  });
}

/** The error that a promise was rejected with; fails the test if it was not rejected. */
export function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    (value) => expect.unreachable(`resolved with ${value}`),
    (error: unknown) => error,
  );
}
