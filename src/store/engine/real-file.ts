import { lstatSync, readlinkSync, realpathSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";

/** Linux's own limit: a path with more links is a cycle. */
const LINKS_MAX = 40;

/**
 * The path of the real file, which may not exist yet. SQLite keeps its log beside that, so everything else that belongs
 * to a database must be there as well. Throws ELOOP if the links form a cycle.
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
