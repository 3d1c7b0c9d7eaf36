import { DrizzleQueryError } from "drizzle-orm";
import { Failure } from "../../util/errors.ts";

/**
 * Turns a database error into a Failure: a unique violation is `conflict`; a disk that is full, fails or may only be
 * read, a lock that did not open in time, and a server that is away are `unavailable`. Anything else, and every Failure,
 * passes unchanged.
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

/** Whether a code is about the state of the disk, the server or the line to it, and not about the query. */
function isTemporary(code: string): boolean {
  return (
    /^SQLITE_(FULL|BUSY|LOCKED|IOERR|READONLY|CANTOPEN|PROTOCOL|NOMEM)/.test(code) ||
    // 08 connection, 25006 read-only, 40 rolled back, 53 resources, 55P03 lock, 57 operator, 58 system (PostgreSQL, Appendix A).
    /^(08...|25006|40...|53...|55P03|57014|57P0.|58...)$/.test(code) ||
    /^(EIO|ENOSPC|EROFS|EDQUOT|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EPIPE)$/.test(code)
  );
}

/** What the database itself said. Drizzle's error around it quotes the query's values, which may be mail: not for the log. */
export function databaseError(error: unknown): unknown {
  return error instanceof DrizzleQueryError ? error.cause : error;
}

/** The code of a database error, "" when it has none. */
export function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === "string" ? code : "";
}

/** The store does not work right now, for a reason that the caller cannot mend. */
export function unavailable(cause: unknown): Failure {
  return new Failure("unavailable", "The store is unavailable.", {
    fix: "Try again shortly; the server's operator finds the reason in its log.",
    cause,
  });
}

/**
 * The store failed in the commit, or the line to it broke before the answer: a crash, or the server at the other end, may
 * still make it happen.
 */
export function uncertain(error: unknown): Failure {
  return new Failure("unavailable", "The store failed while writing; the change may or may not have happened.", {
    fix: "Try again shortly, with the same Idempotency-Key if you sent one; or check first whether it took effect.",
    cause: databaseError(error),
  });
}
