import { and, eq, inArray, isNotNull, isNull, ne, or, sql } from "drizzle-orm";
import { ask, type Scope, type Verb } from "../engine/engine.ts";
import { type Params, statement } from "../engine/statement.ts";

/**
 * Returns those of the addresses that are strangers to an agent: it has sent no mail to them, and has received none
 * proven to be from them. Addresses are compared as written: a sub-address is a separate stranger.
 */
export function strangersAmong(s: Scope, agentId: string, addresses: readonly string[]): Verb<string[]> {
  return without(s, "known", agentId, addresses);
}

/** Returns those of the addresses to which the agent has neither sent nor queued mail. */
export function unwrittenAmong(s: Scope, agentId: string, addresses: readonly string[]): Verb<string[]> {
  return without(s, "written", agentId, addresses);
}

const selectCorrespondents = statement(
  ({ db, t: { correspondents } }, p: Params<{ agentId: string; addresses: string[] }>, which: "known" | "written") => {
    const { agentId, address, leftAt, heardAt } = correspondents;
    const isKnown = which === "known" ? or(isNotNull(leftAt), isNotNull(heardAt)) : undefined;
    return db
      .select({ address })
      .from(correspondents)
      .where(and(eq(agentId, p.agentId), inArray(address, p.addresses), isKnown));
  },
);

function* without(s: Scope, which: "known" | "written", agentId: string, addresses: readonly string[]): Verb<string[]> {
  const left = new Set(addresses);
  if (left.size === 0) return [];
  const found = yield* selectCorrespondents(s, { agentId, addresses: [...left] }, which);
  for (const { address } of found) left.delete(address);
  return [...left];
}

type NewCorrespondent = { agentId: string; address: string; now: Date };

const insertWritten = statement(({ db, t: { correspondents } }, p: Params<NewCorrespondent>) =>
  db.insert(correspondents).values({ agentId: p.agentId, address: p.address, createdAt: p.now }).onConflictDoNothing(),
);

/** Records the recipients of queued mail, for the limit on new recipients. It makes no address known. */
export function* noteWritten(s: Scope, agentId: string, addresses: readonly string[], now: Date): Verb<void> {
  for (const address of new Set(addresses)) yield* insertWritten(s, { agentId, address, now });
}

const insertKnown = statement(({ db, t: { correspondents } }, p: Params<NewCorrespondent>, how: "left" | "heard") => {
  const column = how === "left" ? "leftAt" : "heardAt";
  return db
    .insert(correspondents)
    .values({ agentId: p.agentId, address: p.address, createdAt: p.now, [column]: p.now })
    .onConflictDoUpdate({
      target: [correspondents.agentId, correspondents.address],
      set: { [column]: how === "left" ? sql`excluded.left_at` : sql`excluded.heard_at` },
      setWhere: isNull(correspondents[column]),
    });
});

/** Makes an address known because mail has left for it (`left`), or was proven to come from it (`heard`). */
export function* makeKnown(s: Scope, how: "left" | "heard", correspondent: NewCorrespondent): Verb<void> {
  yield* insertKnown(s, correspondent, how);
}

/** Undoes `makeKnown` with `left` if this message bounced and no other message has reached the address. */
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
