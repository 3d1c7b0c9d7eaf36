import { sql } from "drizzle-orm";
import { newId } from "../id.ts";
import { ask, type Scope, type Verb } from "./engine.ts";

/** A fact worth telling. Written in the same transaction as what it tells. */
export interface NewEvent {
  userId: string;
  agentId: string | null;
  type: string;
  /** As clients read it. */
  data: Record<string, unknown>;
  now: Date;
}

/** Adds an event to the log and returns its id. */
export function* addEvent(s: Scope, event: NewEvent): Verb<string> {
  const id = newId("evt");
  const { now, ...rest } = event;
  yield* ask(
    s.prepared(
      "addEvent",
      () =>
        s.db.insert(s.t.events).values({
          id: sql.placeholder("id"),
          userId: sql.placeholder("userId"),
          agentId: sql.placeholder("agentId"),
          type: sql.placeholder("type"),
          data: sql.placeholder("data"),
          createdAt: sql.placeholder("createdAt"),
        }),
      { id, ...rest, createdAt: now },
    ),
  );
  return id;
}
