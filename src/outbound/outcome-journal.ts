import { closeSync, existsSync, fdatasyncSync, fstatSync, openSync, readFileSync, writeSync } from "node:fs";
import type { Log } from "../log.ts";
import type { RecipientOutcome } from "../store/outbound-queue.ts";
import type { RecipientRow } from "../store/schema.ts";

/** Room that the file has from the start, so that outcomes can be kept on a disk that has become full: some 150 of them. */
const JOURNAL_BYTES = 64 * 1024;

/** Whose outcome it is: the lease says that nobody else has tried meanwhile. */
export type Leased = Pick<RecipientRow, "messageId" | "n" | "leaseToken">;

/** What a try came to, and when, that the store does not know yet. */
export interface Unrecorded {
  recipient: Leased;
  outcome: RecipientOutcome;
  at: Date;
}

export interface OutcomeJournal {
  /** What an earlier process could not record. */
  readonly left: readonly Unrecorded[];
  /** Keeps an outcome until `remove`, on the disk if that takes it. */
  add(entry: Unrecorded): void;
  remove(entry: Unrecorded): void;
  /** How many wait. */
  size(): number;
  /** Forgets what an earlier process left: it is recorded now. */
  forgetLeft(): void;
  close(): void;
}

/**
 * Outcomes of mail out that the store could not take, in a file of their own: a line of JSON each, then zeros. The next
 * start records them before anything is claimed, so what a next host has taken is not sent again.
 *
 * A line that stays behind although it was recorded does no harm: its lease has ended, so it is recorded once only.
 */
export function openOutcomeJournal(path: string, log: Log): OutcomeJournal {
  const waiting = new Set<Unrecorded>();
  const left = existsSync(path) ? parse(readFileSync(path, "utf8"), log) : [];
  const fd = openSync(path, existsSync(path) ? "r+" : "wx+", 0o600);
  let end = left.length > 0 ? fstatSync(fd).size : 0;
  try {
    const missing = JOURNAL_BYTES - fstatSync(fd).size;
    if (missing > 0) writeSync(fd, Buffer.alloc(missing), 0, missing, JOURNAL_BYTES - missing);
    fdatasyncSync(fd);
  } catch (error) {
    log.warn("outbound.journal_failed", {}, error);
  }

  function append(entry: Unrecorded): void {
    const line = Buffer.from(`${JSON.stringify(entry)}\n`);
    writeSync(fd, line, 0, line.length, end);
    end += line.length;
    fdatasyncSync(fd);
  }

  function clear(): void {
    if (waiting.size > 0 || end === 0) return;
    writeSync(fd, Buffer.alloc(end), 0, end, 0);
    end = 0;
  }

  /** The disk may be the very reason why the store takes nothing; memory has the outcome all the same. */
  function attempt(step: () => void): void {
    try {
      step();
    } catch (error) {
      log.error("outbound.journal_failed", { waiting: waiting.size }, error);
    }
  }

  return {
    left,
    add(entry) {
      waiting.add(entry);
      attempt(() => append(entry));
    },
    remove(entry) {
      waiting.delete(entry);
      attempt(clear);
    },
    size: () => waiting.size,
    forgetLeft: () => attempt(clear),
    close: () => closeSync(fd),
  };
}

function parse(text: string, log: Log): Unrecorded[] {
  const entries: Unrecorded[] = [];
  for (const line of text.replaceAll("\0", "").split("\n").filter(Boolean))
    try {
      const { recipient, outcome, at } = JSON.parse(line) as Unrecorded;
      const { messageId, n, leaseToken } = recipient;
      const revived = "at" in outcome ? { ...outcome, at: new Date(outcome.at) } : outcome;
      entries.push({ recipient: { messageId, n, leaseToken }, outcome: revived, at: new Date(at) });
    } catch (error) {
      // The last line of a process that died while it wrote.
      log.warn("outbound.journal_line_skipped", { length: line.length }, error);
    }
  return entries;
}
