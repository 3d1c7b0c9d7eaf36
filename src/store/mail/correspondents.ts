import { and, eq, inArray, isNotNull, isNull, ne, or, type SQL, sql } from "drizzle-orm";
import { ask, type Scope, type Verb } from "../engine/engine.ts";

/**
 * Those of the addresses that are strangers to an agent: no mail of it has gone there, and none that proved to be from
 * there has come. The address is compared as it is written: a sub-address is a stranger of its own.
 */
export function strangersAmong(s: Scope, agentId: string, addresses: readonly string[]): Verb<string[]> {
  const { leftAt, heardAt } = s.t.correspondents;
  return without(s, "known", agentId, addresses, or(isNotNull(leftAt), isNotNull(heardAt)));
}

/** Those of the addresses that an agent has not begun to write to; what waits in the queue counts. */
export function unwrittenAmong(s: Scope, agentId: string, addresses: readonly string[]): Verb<string[]> {
  return without(s, "written", agentId, addresses, undefined);
}

function* without(
  s: Scope,
  name: string,
  agentId: string,
  addresses: readonly string[],
  such: SQL | undefined,
): Verb<string[]> {
  const { correspondents } = s.t;
  const left: string[] = [];
  for (const address of new Set(addresses)) {
    const found = yield* ask(
      s.prepared(
        `correspondent ${name}`,
        () =>
          s.db
            .select({ address: correspondents.address })
            .from(correspondents)
            .where(
              and(
                eq(correspondents.agentId, sql.placeholder("agentId")),
                eq(correspondents.address, sql.placeholder("address")),
                such,
              ),
            ),
        { agentId, address },
      ),
    );
    if (found.length === 0) left.push(address);
  }
  return left;
}

/** Notes whom the agent begins to write to, for the limit on new recipients. It makes nobody known. */
export function* noteWritten(s: Scope, agentId: string, addresses: readonly string[], now: Date): Verb<void> {
  for (const address of new Set(addresses))
    yield* ask(
      s.prepared(
        "noteWritten",
        () =>
          s.db
            .insert(s.t.correspondents)
            .values({
              agentId: sql.placeholder("agentId"),
              address: sql.placeholder("address"),
              createdAt: sql.placeholder("now"),
            })
            .onConflictDoNothing(),
        { agentId, address, now },
      ),
    );
}

/** Makes an address known because mail has gone there (`left`), or has proved to come from there (`heard`). */
export function* makeKnown(
  s: Scope,
  how: "left" | "heard",
  { agentId, address, now }: { agentId: string; address: string; now: Date },
): Verb<void> {
  const { correspondents } = s.t;
  const column = how === "left" ? "leftAt" : "heardAt";
  yield* ask(
    s.prepared(
      `makeKnown ${how}`,
      () =>
        s.db
          .insert(correspondents)
          .values({
            agentId: sql.placeholder("agentId"),
            address: sql.placeholder("address"),
            createdAt: sql.placeholder("now"),
            [column]: sql.placeholder("now"),
          })
          .onConflictDoUpdate({
            target: [correspondents.agentId, correspondents.address],
            set: { [column]: how === "left" ? sql`excluded.left_at` : sql`excluded.heard_at` },
            setWhere: isNull(correspondents[column]),
          }),
      { agentId, address, now },
    ),
  );
}

/** Takes back that mail has gone to an address, when this one came back and no other has arrived there. */
export function* forgetBounced(
  s: Scope,
  { agentId, address, messageId }: { agentId: string; address: string; messageId: string },
): Verb<void> {
  const { correspondents, outboundRecipients: recipients } = s.t;
  const [arrived] = yield* ask(
    s.db
      .select({ n: recipients.n })
      .from(recipients)
      .where(
        and(
          eq(recipients.agentId, agentId),
          eq(recipients.address, address),
          ne(recipients.messageId, messageId),
          inArray(recipients.status, ["sent", "delivered"]),
        ),
      )
      .limit(1),
  );
  if (arrived) return;
  yield* ask(
    s.db
      .update(correspondents)
      .set({ leftAt: null })
      .where(and(eq(correspondents.agentId, agentId), eq(correspondents.address, address))),
  );
}
