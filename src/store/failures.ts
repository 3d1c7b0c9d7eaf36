import { Failure } from "../errors.ts";

/**
 * Turns a database error into a Failure: a unique violation is `conflict`, a full disk or a lock
 * that did not open in time is `unavailable`. Anything else, and every Failure, passes unchanged.
 * SQLite has the code on the error, Postgres on its cause.
 */
export function asStoreFailure(error: unknown): unknown {
  if (error instanceof Failure) return error;
  const code = codeOf(error) ?? codeOf((error as { cause?: unknown } | null)?.cause);
  if (code === undefined) return error;
  if (code === "SQLITE_CONSTRAINT_UNIQUE" || code === "SQLITE_CONSTRAINT_PRIMARYKEY" || code === "23505")
    return new Failure("conflict", "It exists already.", { cause: error });
  // 53xxx insufficient resources, 57P0x shutting down, 08xxx connection trouble (PostgreSQL, Appendix A).
  if (/^SQLITE_(FULL|BUSY|LOCKED|IOERR|READONLY)/.test(code) || /^(53|57P0|08)/.test(code) || code === "ECONNREFUSED")
    return new Failure("unavailable", "The store cannot be written right now.", {
      fix: "Try again shortly; the server's operator finds the reason in its log.",
      cause: error,
    });
  return error;
}

function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : undefined;
}
