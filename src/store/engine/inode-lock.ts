import { dlopen, FFIType, type Pointer, read } from "bun:ffi";
import { closeSync, constants, existsSync, fstatSync, openSync, readFileSync } from "node:fs";

/** flock(2), the same on Linux and macOS. */
const LOCK_EX = 2;
const LOCK_NB = 4;
const isMac = process.platform === "darwin";
/** EWOULDBLOCK: another process has the lock. Any other error means that the file system has no such locks. */
const WOULD_BLOCK = isMac ? 35 : 11;
const libraries = isMac ? ["libSystem.B.dylib"] : ["libc.so.6", "libc.so"];

export interface InodeLock {
  /** Call it after SQLite has closed the file: closing any descriptor drops the process's locks (POSIX, fcntl). */
  release(): void;
}

/**
 * Locks the database file itself for this process, creating it if needed. Unlike a lock file beside it, this lock
 * cannot be removed without the database. These locks (flock) are independent of SQLite's own (fcntl) and end with the
 * process. Null if another process has the lock. If the system has no such locks, nothing is locked.
 */
export function lockInode(path: string): InodeLock | null {
  const system = systemCalls();
  if (!system) return { release() {} };
  const fd = existsSync(path) ? openSync(path, "r") : openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  if (system.flock(fd, LOCK_EX | LOCK_NB) !== 0 && system.errno() === WOULD_BLOCK) {
    closeSync(fd);
    return null;
  }
  return { release: () => closeSync(fd) };
}

/** The process that has a database locked, as Linux lists it (proc_locks(5)); 0 if that is unknown. */
export function inodeHolder(path: string): number {
  if (process.platform !== "linux" || !existsSync("/proc/locks")) return 0;
  const fd = openSync(path, "r");
  try {
    const inode = String(fstatSync(fd).ino);
    for (const line of readFileSync("/proc/locks", "latin1").split("\n")) {
      const [, kind, , , pid, place = ""] = line.trim().split(/ +/);
      if (kind === "FLOCK" && place.split(":")[2] === inode) return Number(pid);
    }
    return 0;
  } finally {
    closeSync(fd);
  }
}

function systemCalls() {
  const location = isMac ? "__error" : "__errno_location";
  for (const library of libraries)
    try {
      const { symbols } = dlopen(library, {
        flock: { args: [FFIType.i32, FFIType.i32], returns: FFIType.i32 },
        [location]: { args: [], returns: FFIType.ptr },
      });
      const calls = symbols as unknown as Record<string, (...args: number[]) => number>;
      const { flock, [location]: errnoAt } = calls;
      if (flock && errnoAt) return { flock, errno: () => read.i32(errnoAt() as Pointer) };
    } catch {
      // Try the next library name.
    }
  return null;
}
