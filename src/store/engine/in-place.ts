import { statSync } from "node:fs";
import { basename } from "node:path";

/** Code of the error that says that a file is not the one any more that was opened. */
export const MOVED = "EMOVED";

/**
 * Remembers which files lie at these paths. What it returns throws once one of them is gone or another one: SQLite goes on
 * writing to the file that it has open, and what is in that is gone with the process.
 */
export function rememberPlaces(paths: readonly string[]): () => void {
  const places = paths.map((path) => ({ path, was: idOf(path) }));
  return () => {
    for (const { path, was } of places)
      if (idOf(path) !== was)
        throw Object.assign(new Error(`${basename(path)} was removed or replaced while the server runs`), {
          code: MOVED,
        });
  };
}

/** Tells files apart as SQLite's own locks do; null when there is none. */
function idOf(path: string): string | null {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found ? `${found.dev} ${found.ino}` : null;
}
