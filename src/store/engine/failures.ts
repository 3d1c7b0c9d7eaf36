import { DrizzleQueryError } from "drizzle-orm";
import { Failure } from "../../util/errors.ts";

/**
 * Turns a database error into a Failure. A unique violation is `conflict`; a disk that is full, failing or read-only, a
 * lock not acquired in time, and an unreachable server are `unavailable`. Any other error, and every Failure, is
 * returned unchanged.
 */
export function asStoreFailure(error: unknown): unknown {
  if (error instanceof Failure) return error;
  const cause = databaseError(error);
  const code = codeOf(cause);
  if (code === "SQLITE_CONSTRAINT_UNIQUE" || code === "SQLITE_CONSTRAINT_PRIMARYKEY" || code === "23505")
    return new Failure("conflict", "It exists already.", { cause });
  if (isTemporary(code)) return unavailable(cause);
  return cause;
}

/** Whether a code reports the state of the disk, the server or the connection, not a fault of the query. */
function isTemporary(code: string): boolean {
  return (
    /^SQLITE_(FULL|BUSY|LOCKED|IOERR|READONLY|CANTOPEN|PROTOCOL|NOMEM)/.test(code) ||
    // 08 connection, 25006 read-only, 40 rolled back, 53 resources, 55P03 lock, 57 operator, 58 system (PostgreSQL, Appendix A).
    /^(08...|25006|40...|53...|55P03|57014|57P0.|58...)$/.test(code) ||
    /^(EIO|ENOSPC|EROFS|EDQUOT|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EPIPE)$/.test(code)
  );
}

/** The database's own error. Drizzle's error around it quotes values, possibly mail, which must not be logged. */
export function databaseError(error: unknown): unknown {
  return error instanceof DrizzleQueryError ? error.cause : error;
}

/** The code of a database error; "" if it has none. */
export function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === "string" ? code : "";
}

/** The store cannot work at present, for a reason outside the caller's control. */
export function unavailable(cause: unknown): Failure {
  return new Failure("unavailable", "The store is unavailable.", {
    fix: "Try again shortly; the server's operator finds the reason in its log.",
    cause,
  });
}

/**
 * The commit failed, or the connection broke before the answer: after a crash, or on the database server, it may still
 * take effect.
 */
export function uncertain(error: unknown): Failure {
  return new Failure("unavailable", "The store failed while writing; the change may or may not have happened.", {
    fix: "Try again shortly, with the same Idempotency-Key if you sent one; or check first whether it took effect.",
    cause: databaseError(error),
  });
}
