import { DrizzleQueryError } from "drizzle-orm";
import { Failure } from "../errors.ts";

/**
 * Turns a database error into a Failure: a unique violation is `conflict`, a full disk or a lock
 * that did not open in time is `unavailable`. Anything else, and every Failure, passes unchanged.
 */
export function asStoreFailure(error: unknown): unknown {
  if (error instanceof Failure) return error;
  const cause = databaseError(error);
  const code = codeOf(cause);
  if (code === "SQLITE_CONSTRAINT_UNIQUE" || code === "SQLITE_CONSTRAINT_PRIMARYKEY" || code === "23505")
    return new Failure("conflict", "It exists already.", { cause });
  // 53xxx insufficient resources, 57P0x shutting down, 08xxx connection trouble (PostgreSQL, Appendix A).
  if (/^SQLITE_(FULL|BUSY|LOCKED|IOERR|READONLY)/.test(code) || /^(53|57P0|08)/.test(code)) return unavailable(cause);
  return cause;
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
  return new Failure("unavailable", "The store cannot be used right now.", {
    fix: "Try again shortly; the server's operator finds the reason in its log.",
    cause,
  });
}
