import { and, desc, eq, isNotNull, isNull } from "drizzle-orm";
import { Failure } from "../../util/errors.ts";
import { newId } from "../../util/id.ts";
import { ask, type Scope, type Verb } from "../engine/engine.ts";
import { type Params, statement } from "../engine/statement.ts";
import { addEvent } from "../events/events.ts";
import { dropMessagesOf } from "../mail/messages.ts";
import type { DkimKeyRow, DomainRow } from "../schema.ts";
import { lockUser } from "./accounts.ts";
import { type KeptAnswer, keepAnswer } from "./requests.ts";

export type NewDkimKey = Pick<DkimKeyRow, "id" | "selector" | "algorithm" | "publicKey" | "sealedPrivateKey">;
export type DomainWithKeys = DomainRow & { dkimKeys: DkimKeyRow[] };

/** The state of a domain whose records have not been looked up yet. */
const notWatched = { checkDueAt: null, seenRecords: [], suspectSince: null, degradedAt: null };

/**
 * Registers a claim on a domain, with its DKIM keys. An unverified claim does not block other accounts.
 * Failure `conflict` when the account has claimed the domain already, or an account has proven it.
 */
export function* createDomain(
  s: Scope,
  input: NewClaim & { domainsMax: number },
  keep: KeptAnswer | null = null,
): Verb<DomainWithKeys> {
  yield* lockUser(s, input.userId);
  const mine = yield* ask(s.db.select().from(s.t.domains).where(eq(s.t.domains.userId, input.userId)));
  if (mine.some((row) => row.domain === input.domain))
    throw new Failure("conflict", `${input.domain} is registered already.`, {
      fix: `Get its records with GET /api/v1/domains/${input.domain}.`,
    });
  if (mine.length >= input.domainsMax)
    throw new Failure("conflict", `An account can have at most ${input.domainsMax} domains.`, {
      fix: "Delete a domain that is not used, or raise limits.domains_per_account.",
    });
  if (yield* hostedDomain(s, input.domain))
    throw new Failure("conflict", `${input.domain} is in use on this server.`, { fix: "Use a domain of your own." });
  const { dkimKeys, ...row } = claimRows(input);
  yield* ask(s.db.insert(s.t.domains).values(row));
  yield* addDkimKeys(s, row.id, input.dkimKeys, input.now);
  yield* keepAnswer(s, keep);
  return { ...row, dkimKeys };
}

export interface NewClaim {
  /** A new id unless given. */
  id?: string;
  userId: string;
  domain: string;
  verificationToken: string;
  dkimKeys: NewDkimKey[];
  now: Date;
}

/** A claim as `createDomain` stores it. */
export function claimRows({
  id = newId("dom"),
  userId,
  domain,
  verificationToken,
  dkimKeys,
  now,
}: NewClaim): DomainWithKeys {
  return {
    id,
    userId,
    domain,
    verificationToken,
    paused: false,
    createdAt: now,
    verifiedAt: null,
    ...notWatched,
    dkimKeys: dkimKeys.map((key) => ({ ...key, domainId: id, createdAt: now })),
  };
}

/** Makes sure the shared domain exists, as the server's own, and returns it. */
export function* ensureSharedDomain(s: Scope, input: { domain: string; now: Date }): Verb<DomainWithKeys> {
  const row: DomainRow = {
    id: newId("dom"),
    userId: null,
    domain: input.domain,
    verificationToken: "",
    paused: false,
    createdAt: input.now,
    verifiedAt: input.now,
    ...notWatched,
  };
  const made = yield* ask(s.db.insert(s.t.domains).values(row).onConflictDoNothing().returning());
  if (made.length > 0) return { ...row, dkimKeys: [] };
  const found = yield* hostedDomain(s, input.domain);
  if (found?.userId !== null)
    throw new Failure("conflict", `The shared domain ${input.domain} is registered by an account.`, {
      fix: "Delete that domain, or choose another shared_domain.",
    });
  return yield* withKeys(s, found);
}

const selectProvenClaim = statement(({ db, t: { domains } }, p: Params<{ domain: string }>) =>
  db
    .select()
    .from(domains)
    .where(and(eq(domains.domain, p.domain), isNotNull(domains.verifiedAt))),
);

/** The domain as the server hosts it: the proven claim, or null if there is none. */
export function* hostedDomain(s: Scope, domain: string): Verb<DomainRow | null> {
  const [row] = yield* selectProvenClaim(s, { domain });
  return row ?? null;
}

/** The hosted domain, with the keys that sign for it; null if it is not hosted. */
export function* signingDomain(s: Scope, domain: string): Verb<DomainWithKeys | null> {
  const found = yield* hostedDomain(s, domain);
  return found ? yield* withKeys(s, found) : null;
}

/** Gives a domain these keys unless it has some, so that two nodes that start together agree on one set. */
export function* ensureDkimKeys(s: Scope, domainId: string, keys: NewDkimKey[], now: Date): Verb<void> {
  const { domains, dkimKeys } = s.t;
  yield* ask(s.locked(s.db.select({ id: domains.id }).from(domains).where(eq(domains.id, domainId))));
  const found = yield* ask(
    s.db.select({ id: dkimKeys.id }).from(dkimKeys).where(eq(dkimKeys.domainId, domainId)).limit(1),
  );
  if (found.length === 0) yield* addDkimKeys(s, domainId, keys, now);
}

export function* listDomains(s: Scope, userId: string): Verb<DomainWithKeys[]> {
  const rows = yield* ask(
    s.db.select().from(s.t.domains).where(eq(s.t.domains.userId, userId)).orderBy(desc(s.t.domains.id)),
  );
  const all: DomainWithKeys[] = [];
  for (const row of rows) all.push(yield* withKeys(s, row));
  return all;
}

export function* getDomain(s: Scope, userId: string, domain: string): Verb<DomainWithKeys | null> {
  const rows = yield* ask(
    s.db
      .select()
      .from(s.t.domains)
      .where(and(eq(s.t.domains.userId, userId), eq(s.t.domains.domain, domain))),
  );
  return rows[0] ? yield* withKeys(s, rows[0]) : null;
}

/**
 * Marks a claim as proven. Failure `conflict` if another account's claim is already proven: the first proof stands
 * until its owner gives the domain up.
 */
export function* markDomainVerified(s: Scope, id: string, now: Date): Verb<DomainRow> {
  const rows = yield* ask(
    s.db
      .update(s.t.domains)
      .set({ verifiedAt: now })
      .where(and(eq(s.t.domains.id, id), isNull(s.t.domains.verifiedAt)))
      .returning(),
  );
  const made = rows[0];
  if (made?.userId)
    yield* addEvent(s, {
      userId: made.userId,
      agentId: null,
      type: "domain.verified",
      data: { domain: made.domain },
      now,
    });
  const row = made ?? (yield* ask(s.db.select().from(s.t.domains).where(eq(s.t.domains.id, id))))[0];
  if (!row) throw new Failure("not_found", "The domain was deleted meanwhile.");
  return row;
}

/** Deletes a claim and its keys. Failure `invalid_request` while agents use it. */
export function* deleteDomain(s: Scope, userId: string, domain: string): Verb<boolean> {
  const row = yield* domainToDelete(s, userId, domain);
  if (!row) return false;
  if (row.verifiedAt) {
    yield* dropMessagesOf(s, `postmaster@${domain}`);
    yield* ask(s.db.delete(s.t.agents).where(and(eq(s.t.agents.domain, domain), eq(s.t.agents.role, true))));
  }
  yield* ask(s.db.delete(s.t.domains).where(eq(s.t.domains.id, row.id)));
  return true;
}

/** The domain, if it can be deleted; null if there is none. Failure `invalid_request` while it has agents. */
export function* domainToDelete(s: Scope, userId: string, domain: string): Verb<DomainWithKeys | null> {
  const row = yield* getDomain(s, userId, domain);
  if (row?.verifiedAt) {
    const agents = yield* ask(
      s.db
        .select({ id: s.t.agents.id })
        .from(s.t.agents)
        .where(and(eq(s.t.agents.domain, domain), eq(s.t.agents.role, false)))
        .limit(1),
    );
    if (agents.length > 0)
      throw new Failure("invalid_request", `${domain} still has agents.`, {
        fix: "Delete its agents first, then the domain.",
        errors: [{ field: "domain", message: "has agents" }],
      });
  }
  return row;
}

function* addDkimKeys(s: Scope, domainId: string, keys: NewDkimKey[], now: Date): Verb<DkimKeyRow[]> {
  const rows = keys.map((key) => ({ ...key, domainId, createdAt: now }));
  if (rows.length > 0) yield* ask(s.db.insert(s.t.dkimKeys).values(rows));
  return rows;
}

function* withKeys(s: Scope, row: DomainRow): Verb<DomainWithKeys> {
  const dkimKeys = yield* ask(
    s.db.select().from(s.t.dkimKeys).where(eq(s.t.dkimKeys.domainId, row.id)).orderBy(s.t.dkimKeys.selector),
  );
  return { ...row, dkimKeys };
}
