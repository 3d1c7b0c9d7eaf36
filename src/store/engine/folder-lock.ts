import { Database } from "bun:sqlite";
import { chmodSync, closeSync, openSync, readSync, truncateSync } from "node:fs";
import { dirname } from "node:path";
import { StartRefused } from "../../util/errors.ts";
import { inodeHolder, lockInode } from "./inode-lock.ts";

/** Offset and length of `user_version` in a SQLite file ("Database File Format" 1.3): the holder's process id. */
const USER_VERSION_AT = 60;
const USER_VERSION_BYTES = 4;
/** A command such as `e2a bootstrap` takes moments: a server that starts meanwhile waits this long for it. */
const COMMAND_WAIT_MS = 10_000;
const COMMAND_RETRY_MS = 50;

/** Why a process opens the database: to serve it, or for one command, beside a server or without one. */
export type Role = "server" | "command";

export interface FolderLock {
  release(): void;
}

/**
 * Locks a SQLite database for one process. It locks `<path>-lock` beside the database, and the database file itself,
 * which cannot be replaced unnoticed under a running server.
 *
 * The lock beside it is SQLite's own exclusive lock on that file: the operating system drops it when the process ends
 * for whatever reason, and it works wherever SQLite does. The lock file's `user_version` names the holder: its process
 * id, negative for a command.
 *
 * A server throws StartRefused if another server holds the lock, and waits for a command. A command gets null instead:
 * it runs as a guest beside the server.
 */
export function lockFolder(path: string, role: Role): FolderLock | null {
  const file = `${path}-lock`;
  for (let waitedMs = 0; ; waitedMs += COMMAND_RETRY_MS) {
    const beside = tryLock(file, role);
    const inode = beside ? lockInode(path) : null;
    if (beside && inode) return both(inode, beside);
    beside?.release();
    // If the lock file was free, it was removed under the process that has the database.
    const holder = beside ? inodeHolder(path) : holderOf(file);
    if (role === "command" && (holder >= 0 || waitedMs >= COMMAND_WAIT_MS)) return null;
    if (beside || holder > 0 || waitedMs >= COMMAND_WAIT_MS)
      throw new StartRefused(
        `Another e2a process${holder === 0 ? "" : `, pid ${Math.abs(holder)},`} has the database in ${dirname(path)} open.`,
        "folder_in_use",
        "Stop that process, or give this server a folder of its own with --data-dir. To run several servers on one " +
          "database, use Postgres.",
      );
    Bun.sleepSync(COMMAND_RETRY_MS);
  }
}

/** Releases in this order, so that a process that gets the lock file also gets the database file. */
function both(inode: FolderLock, beside: FolderLock): FolderLock {
  return {
    release() {
      inode.release();
      beside.release();
    },
  };
}

function tryLock(file: string, role: Role): FolderLock | null {
  const client = new Database(file, { create: true, readwrite: true });
  try {
    chmodSync(file, 0o600);
    // The content only names the holder. Only the lock must hold, so nothing here needs to reach the disk.
    client.exec("PRAGMA journal_mode = MEMORY");
    client.exec("PRAGMA synchronous = OFF");
    client.exec("PRAGMA locking_mode = EXCLUSIVE");
    client.exec("BEGIN EXCLUSIVE");
    client.exec(`PRAGMA user_version = ${role === "server" ? process.pid : -process.pid}`);
    // With locking_mode = EXCLUSIVE the lock outlives the transaction and lasts until the connection closes.
    client.exec("COMMIT");
    return { release: () => client.close() };
  } catch (error) {
    client.close();
    const code = String((error as { code?: unknown }).code);
    if (code.startsWith("SQLITE_BUSY")) return null;
    // The content is damaged, for example by a power cut. The lock is taken before the content is read, so it is free.
    if (!code.startsWith("SQLITE_NOTADB") && !code.startsWith("SQLITE_CORRUPT")) throw error;
    truncateSync(file);
    return tryLock(file, role);
  }
}

/** The holder's process id, negative for a command; 0 if it has not written it yet. */
function holderOf(file: string): number {
  const fd = openSync(file, "r");
  try {
    const bytes = Buffer.alloc(USER_VERSION_BYTES);
    return readSync(fd, bytes, 0, USER_VERSION_BYTES, USER_VERSION_AT) === USER_VERSION_BYTES ? bytes.readInt32BE() : 0;
  } finally {
    closeSync(fd);
  }
}
