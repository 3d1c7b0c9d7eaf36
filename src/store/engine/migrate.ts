/** One numbered file of `migrations/<dialect>`. The same number means the same change on both databases. */
export interface Migration {
  number: number;
  name: string;
  sql: string;
}

/** This binary cannot use the database. `message` says what to do. */
export class MigrationError extends Error {
  override readonly name = "MigrationError";
}

/**
 * Returns the migrations that are not applied yet, in order. Throws MigrationError if the database has one that this
 * binary does not know: an older binary must not write to a newer schema.
 */
export function pendingMigrations(
  done: readonly { number: number }[],
  known: readonly Migration[],
): readonly Migration[] {
  const newest = known.at(-1)?.number ?? 0;
  const ahead = done.filter((row) => row.number > newest).map((row) => row.number);
  if (ahead.length > 0)
    throw new MigrationError(
      `The database is newer than this binary: it has migration ${Math.max(...ahead)}, this binary knows ${newest}. ` +
        "Start the newer e2a that wrote it, or restore a backup from before the upgrade.",
    );
  const numbers = new Set(done.map((row) => row.number));
  return known.filter((migration) => !numbers.has(migration.number)).sort((a, b) => a.number - b.number);
}
