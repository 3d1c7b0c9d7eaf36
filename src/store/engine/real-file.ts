import { lstatSync, readlinkSync, realpathSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";

/** As Linux: whoever links more often goes in a circle. */
const LINKS_MAX = 40;

/**
 * Where a file really lies, or will lie once it is made: SQLite keeps its log beside that, so all else that belongs to a
 * database has to be there as well. Throws ELOOP when its links go in a circle.
 */
export function realFile(path: string): string {
  let file = resolve(path);
  for (let links = 0; lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink(); links++) {
    if (links === LINKS_MAX) return realpathSync(file);
    file = resolve(dirname(file), readlinkSync(file));
  }
  const folder = dirname(file);
  return lstatSync(folder, { throwIfNoEntry: false }) ? join(realpathSync(folder), basename(file)) : file;
}
