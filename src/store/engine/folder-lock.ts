import { Database } from "bun:sqlite";
import { chmodSync, closeSync, openSync, readSync, truncateSync } from "node:fs";
import { dirname } from "node:path";
import { StartRefused } from "../../util/errors.ts";
import { inodeHolder, lockInode } from "./inode-lock.ts";

/** Offset and length of `user_version` in a SQLite file (SQLite, "Database File Format" 1.3): the holder's mark. */
const USER_VERSION_AT = 60;
const USER_VERSION_BYTES = 4;
/** A command such as `e2a bootstrap` is done within moments: a server that starts meanwhile waits for it. */
const COMMAND_WAIT_MS = 10_000;
const COMMAND_RETRY_MS = 50;

/** What a process wants the database for: to serve it, or for one command beside or without a server. */
export type Role = "server" | "command";

export interface FolderLock {
  release(): void;
}

/**
 * Locks a SQLite database for one process, with `<path>-lock` beside it, and the database file itself, which nobody
 * removes from under a server unnoticed.
 *
 * The lock beside it is SQLite's own exclusive lock on that file: the operating system drops it when the process dies,
 * however it dies, and it works wherever SQLite does. The file's `user_version` names the holder: its process id, negative
 * for a command.
 *
 * A server throws StartRefused when another server holds the lock, and waits for a command. A command gets null instead:
 * it is a guest beside the server.
 */
export function lockFolder(path: string, role: Role): FolderLock | null {
  const file = `${path}-lock`;
  for (let waitedMs = 0; ; waitedMs += COMMAND_RETRY_MS) {
    const beside = tryLock(file, role);
    const inode = beside ? lockInode(path) : null;
    if (beside && inode) return both(inode, beside);
    beside?.release();
    // Where the lock beside was free, it was removed from under the process that has the database.
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

/** Let go in this order, whoever gets the lock beside gets the other one as well. */
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
    // The content is a name for people; only the lock must hold, so nothing here needs the disk.
    client.exec("PRAGMA journal_mode = MEMORY");
    client.exec("PRAGMA synchronous = OFF");
    client.exec("PRAGMA locking_mode = EXCLUSIVE");
    client.exec("BEGIN EXCLUSIVE");
    client.exec(`PRAGMA user_version = ${role === "server" ? process.pid : -process.pid}`);
    // With locking_mode = EXCLUSIVE the lock outlives the transaction, until the connection is closed.
    client.exec("COMMIT");
    return { release: () => client.close() };
  } catch (error) {
    client.close();
    const code = String((error as { code?: unknown }).code);
    if (code.startsWith("SQLITE_BUSY")) return null;
    // Its content was spoilt, say by a power cut: the lock is taken before that is read, so nobody holds it.
    if (!code.startsWith("SQLITE_NOTADB") && !code.startsWith("SQLITE_CORRUPT")) throw error;
    truncateSync(file);
    return tryLock(file, role);
  }
}

/** The holder's process id, negative for a command; 0 when it has not written it yet. */
function holderOf(file: string): number {
  const fd = openSync(file, "r");
  try {
    const bytes = Buffer.alloc(USER_VERSION_BYTES);
    return readSync(fd, bytes, 0, USER_VERSION_BYTES, USER_VERSION_AT) === USER_VERSION_BYTES ? bytes.readInt32BE() : 0;
  } finally {
    closeSync(fd);
  }
}
