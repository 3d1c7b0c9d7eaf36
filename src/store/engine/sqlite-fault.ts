import { accessSync, constants } from "node:fs";
import { dirname } from "node:path";
import { StartRefused } from "../../util/errors.ts";
import type { Log } from "../../util/log.ts";
import { codeOf } from "./failures.ts";
import { MOVED } from "./in-place.ts";

/** Pause between two attempts to recover. */
const RETRY_MS = 1_000;

/** Whether the store takes writes. */
export interface FaultState {
  /** Why the store takes no writes, as a sentence; null while it is healthy. */
  reason(): string | null;
  /** Examines an error: a failed write or sync of the disk stops the taking of writes. Returns whether it was one. */
  note(error: unknown): boolean;
  /** Tries to recover now, unless it tried a moment ago. Returns the reason that remains, or null. */
  retry(): string | null;
  close(): void;
}

/**
 * healthy → (a write, sync or checkpoint fails) faulted → (every second, and before the next write) recovering →
 * healthy, or faulted again.
 *
 * Why this is safe: a failed fsync may drop the pages it was to write and mark them clean. They can still be read and
 * the next fsync succeeds, but after a power cut they are gone. So nothing may be built on pages whose sync failed.
 *
 * - A commit (`synchronous = FULL`) syncs the log before it becomes visible. If that fails, SQLite rolls it back, and
 *   the next commit writes its frames over the same place. No promised commit ever lies behind dropped pages.
 * - A checkpoint counts frames as copied only after the database is synced. If that fails, the next one copies the same
 *   frames again, which makes the pages dirty again, and the log is not reused before a checkpoint succeeds.
 * - Recovery therefore does not read back, which would be answered from memory and prove nothing. It writes anew: a
 *   checkpoint copies the whole log into the database, syncs that and empties the log; then a write of its own must
 *   commit. Only then does the store promise anything again. With a full disk this also frees the log's space.
 * - A start does the same before it promises anything, because log recovery reads through the same memory: it may bring
 *   back a commit whose sync failed, which is then copied and synced like the rest.
 */
export function createFaultState(options: {
  path: string;
  log: Log;
  onChange(reason: string | null): void;
  recover(): void;
}): FaultState {
  const { path, log } = options;
  let reason: string | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let triedAt = Number.NEGATIVE_INFINITY;
  let closed = false;

  function enter(error: unknown): void {
    const sentence = sentenceFor(error, path);
    if (sentence !== reason) log.error("store.faulted", { reason: sentence }, error);
    reason = sentence;
    options.onChange(reason);
    clearTimeout(timer);
    if (!closed) timer = setTimeout(attempt, RETRY_MS).unref();
  }

  function attempt(): void {
    triedAt = performance.now();
    try {
      options.recover();
    } catch (error) {
      enter(error);
      return;
    }
    clearTimeout(timer);
    reason = null;
    options.onChange(null);
    log.info("store.recovered");
  }

  return {
    reason: () => reason,
    note(error) {
      if (!isDiskTrouble(error)) return false;
      if (reason === null) enter(error);
      return true;
    },
    retry() {
      if (!closed && performance.now() >= triedAt + RETRY_MS) attempt();
      return reason;
    },
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}

/** Whether an error is trouble of the disk or file system, which says nothing about the verb that met it. */
function isDiskTrouble(error: unknown): boolean {
  const code = codeOf(error);
  return code === MOVED || /^(SQLITE_(IOERR|FULL|READONLY|CANTOPEN)|EIO$|ENOSPC$|EROFS$|EDQUOT$)/.test(code);
}

/**
 * The refusal for a database that cannot be opened because one of its files cannot, or because its disk is full,
 * read-only or broken; null for any other trouble. Migrations are one transaction, so nothing has changed.
 */
export function diskRefusal(error: unknown, path: string): StartRefused | null {
  if (!isDiskTrouble(error)) return null;
  if (codeOf(error).startsWith("SQLITE_CANTOPEN"))
    return new StartRefused(
      `The database ${path} or a file beside it cannot be opened.`,
      "store_unwritable",
      "Make sure that these are files, that this user may open them and that the disk works, and start again.",
    );
  return new StartRefused(
    `The database ${path} cannot be opened. ${sentenceFor(error, path)}`,
    "store_unwritable",
    "Make room, or let its folder be written to, and start again; the database is as it was.",
  );
}

function sentenceFor(error: unknown, path: string): string {
  const code = codeOf(error);
  if (code === MOVED) return `The store does not accept writes: ${(error as Error).message}. Restart it.`;
  if (code === "SQLITE_FULL" || code === "ENOSPC" || code === "EDQUOT")
    return "The store does not accept writes: its disk is full.";
  if (code === "EROFS" || code.startsWith("SQLITE_READONLY") || isReadOnly(dirname(path)))
    return "The store does not accept writes: its file system is read-only.";
  return `The store does not accept writes: its disk fails (${code || "unknown"}).`;
}

function isReadOnly(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return false;
  } catch (error) {
    return codeOf(error) === "EROFS";
  }
}
