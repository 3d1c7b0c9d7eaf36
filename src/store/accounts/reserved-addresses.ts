import { createHash } from "node:crypto";
import { and, eq, gt, inArray, lte } from "drizzle-orm";
import { Failure } from "../../util/errors.ts";
import { ask, type Scope, type Verb } from "../engine/engine.ts";

/** How long a deleted agent's address stays reserved, so that even yearly mail reaches no other account. */
const RESERVED_MS = 400 * 86_400_000;

/**
 * Reserves the addresses of agents that are about to be deleted for their account. Only addresses on the server's own
 * domains: any other domain's addresses belong to the account that proves the domain.
 */
export function* reserveAddresses(s: Scope, ids: readonly string[], now: Date): Verb<void> {
  const { agents, domains, users, reservedAddresses } = s.t;
  if (ids.length === 0) return;
  const found = yield* ask(
    s.db
      .select({ address: agents.id, email: users.email, owner: domains.userId })
      .from(agents)
      .innerJoin(users, eq(users.id, agents.userId))
      .innerJoin(domains, eq(domains.domain, agents.domain))
      .where(and(inArray(agents.id, [...ids]), eq(agents.role, false))),
  );
  for (const { address, email, owner } of found) {
    if (owner !== null) continue;
    const kept = { ownerHash: hashOf(email), releasedAt: now };
    yield* ask(
      s.db
        .insert(reservedAddresses)
        .values({ address, ...kept })
        .onConflictDoUpdate({ target: reservedAddresses.address, set: kept }),
    );
  }
}

/** Takes an address for an account. Failure `conflict` while it is reserved for another account. */
export function* takeAddress(s: Scope, address: string, userId: string, now: Date): Verb<void> {
  const { reservedAddresses, users } = s.t;
  const [kept] = yield* ask(
    s.db
      .select()
      .from(reservedAddresses)
      .where(and(eq(reservedAddresses.address, address), gt(reservedAddresses.releasedAt, expiredAt(now)))),
  );
  if (!kept) return;
  const [user] = yield* ask(s.db.select({ email: users.email }).from(users).where(eq(users.id, userId)));
  if (!user || hashOf(user.email) !== kept.ownerHash) {
    const until = new Date(kept.releasedAt.getTime() + RESERVED_MS).toISOString();
    throw new Failure("conflict", `${address} was an agent of another account, which may still get mail for it.`, {
      fix: `Choose another slug; this one is kept for that account until ${until}.`,
      errors: [{ field: "email", message: "is reserved for the account that had it" }],
    });
  }
  yield* ask(s.db.delete(reservedAddresses).where(eq(reservedAddresses.address, address)));
}

/** Deletes expired reservations. */
export function* sweepReservedAddresses(s: Scope, now: Date): Verb<void> {
  const { reservedAddresses } = s.t;
  yield* ask(s.db.delete(reservedAddresses).where(lte(reservedAddresses.releasedAt, expiredAt(now))));
}

function expiredAt(now: Date): Date {
  return new Date(now.getTime() - RESERVED_MS);
}

function hashOf(email: string): string {
  return createHash("sha256").update(email.toLowerCase()).digest("hex");
}
