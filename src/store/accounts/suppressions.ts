import { and, desc, eq, lt, or } from "drizzle-orm";
import { ask, type Scope, type Verb } from "../engine/engine.ts";
import type { SuppressionReason, SuppressionRow } from "../schema.ts";

export interface NewSuppression {
  userId: string;
  address: string;
  reason: SuppressionReason;
  /** The reply or report that caused it, or a note written by a person. */
  detail: string;
  messageId: string | null;
  now: Date;
}

/** Suppresses an address for an account. If it is on the list, its first reason stays, except for a complaint. */
export function* suppress(s: Scope, input: NewSuppression): Verb<SuppressionRow> {
  const { suppressions } = s.t;
  const { now, ...rest } = input;
  const row: SuppressionRow = { ...rest, createdAt: now };
  const insert = s.db.insert(suppressions).values(row);
  const [made] = yield* ask(
    input.reason === "complaint"
      ? insert
          .onConflictDoUpdate({
            target: [suppressions.userId, suppressions.address],
            set: { reason: row.reason, detail: row.detail, messageId: row.messageId },
          })
          .returning()
      : insert.onConflictDoNothing().returning(),
  );
  return made ?? (yield* getSuppression(s, input.userId, input.address)) ?? row;
}

export function* getSuppression(s: Scope, userId: string, address: string): Verb<SuppressionRow | null> {
  const { suppressions } = s.t;
  const rows = yield* ask(
    s.db
      .select()
      .from(suppressions)
      .where(and(eq(suppressions.userId, userId), eq(suppressions.address, address))),
  );
  return rows[0] ?? null;
}

/** One page of an account's suppression list, newest first. */
export function* listSuppressions(
  s: Scope,
  userId: string,
  page: { after?: { createdAt: Date; address: string }; limit: number },
): Verb<SuppressionRow[]> {
  const { suppressions } = s.t;
  const { after } = page;
  return yield* ask(
    s.db
      .select()
      .from(suppressions)
      .where(
        and(
          eq(suppressions.userId, userId),
          after
            ? or(
                lt(suppressions.createdAt, after.createdAt),
                and(eq(suppressions.createdAt, after.createdAt), lt(suppressions.address, after.address)),
              )
            : undefined,
        ),
      )
      .orderBy(desc(suppressions.createdAt), desc(suppressions.address))
      .limit(page.limit),
  );
}

/** Takes an address off the list; false if it is not on it. */
export function* unsuppress(s: Scope, userId: string, address: string): Verb<boolean> {
  const { suppressions } = s.t;
  const gone = yield* ask(
    s.db
      .delete(suppressions)
      .where(and(eq(suppressions.userId, userId), eq(suppressions.address, address)))
      .returning({ address: suppressions.address }),
  );
  return gone.length > 0;
}
