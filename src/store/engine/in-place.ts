import { statSync } from "node:fs";
import { basename } from "node:path";

/** Error code: the file at a path is no longer the one that was opened. */
export const MOVED = "EMOVED";

/**
 * Remembers which files are at these paths. The function it returns throws if one of them was removed or replaced:
 * SQLite would go on writing to the file it has open, whose content is lost when the process ends.
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

/** Identifies a file as SQLite's own locks do; null if there is none. */
function idOf(path: string): string | null {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found ? `${found.dev} ${found.ino}` : null;
}
